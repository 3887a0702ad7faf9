package roster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// MaxBindUsers is how many users one Bind names.
const MaxBindUsers = 500

// Bound is what a Bind did.
type Bound struct {
	Bound   []directory.UserID      // members now, also those who were before
	Refused []directory.RefusedItem // not bound, and why
	// DryRun shows what the first sync will do for Bound; nil when there is
	// nobody, or when it could not be started.
	DryRun *directory.Run
}

// Bind makes users members of a connection, with a verdict for each.
func (s *Service) Bind(ctx context.Context, id directory.ConnectionID, users []directory.UserID, by Caller) (Bound, error) {
	if len(users) == 0 || len(users) > MaxBindUsers {
		r := directory.Refuse(directory.ErrInvalid, "invalid-user-ids", fmt.Sprintf("The call names %d users; 1 to %d are allowed.", len(users), MaxBindUsers),
			"Split the list, or bind all users by {\"all\": true}.")
		r.Fields = []directory.FieldError{{Field: "userIds", Detail: fmt.Sprintf("must hold 1 to %d IDs", MaxBindUsers)}}
		return Bound{}, r
	}
	c, err := s.working(ctx, id)
	if err != nil {
		return Bound{}, err
	}
	choices := make([]choice, len(users))
	for i, u := range users {
		choices[i] = choice{user: u}
	}
	b := s.binder(&c, by.Subject)
	if err := b.bind(ctx, choices); err != nil {
		return Bound{}, err
	}
	out := Bound{Bound: b.bound, Refused: b.refused}
	if len(out.Bound) == 0 {
		return out, nil
	}
	if s.StartRun != nil {
		quiet := store.Acting(ctx, directory.Act{}) // what was done is the binding
		run, err := s.StartRun(quiet, &c, RunRequest{DryRun: true, UserIDs: out.Bound, Trigger: directory.TriggerBinding, By: by.Subject})
		if err != nil {
			s.log().Warn("dry run of a binding not started", "connection", c.ID, "error", err)
		} else {
			out.DryRun = &run
		}
	}
	s.wake(ctx, c.ID)
	return out, nil
}

// choice is one user to be bound, to a known account or to whichever matches.
type choice struct {
	user     directory.UserID
	account  directory.AccountID
	upn      string
	employee directory.Value // the known account's employeeId
}

// binder binds users to one connection and collects the verdicts.
type binder struct {
	*Service
	conn    *directory.Connection
	mapper  *mapping.Mapper
	by      string
	others  map[directory.ConnectionID]*directory.Connection // nil: there is none any more
	bound   []directory.UserID
	already []directory.UserID // those of bound who were members before
	refused []directory.RefusedItem
}

func (s *Service) binder(c *directory.Connection, by string) *binder {
	return &binder{Service: s, conn: c, by: by, mapper: mapping.New(c.Settings, c.Tenant.Domains),
		others: map[directory.ConnectionID]*directory.Connection{}}
}

// bind deals with every choice once; a user named twice counts once.
func (b *binder) bind(ctx context.Context, list []choice) error {
	ctx = store.Acting(ctx, directory.Act{Kind: "bind", By: b.by})
	seen := make(map[directory.UserID]bool, len(list))
	unique := make([]choice, 0, len(list))
	for _, ch := range list {
		if !seen[ch.user] || ch.account != "" {
			unique = append(unique, ch)
		}
		seen[ch.user] = true
	}
	for part := range slices.Chunk(unique, store.MaxBind) {
		if err := b.part(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// part binds up to store.MaxBind users in one transaction, or, when one of
// them moved meanwhile, one after the other.
func (b *binder) part(ctx context.Context, list []choice) error {
	selections, err := b.selectable(ctx, list)
	if err != nil || len(selections) == 0 {
		return err
	}
	err = b.Store.Bind(ctx, directory.Act{}, b.conn, b.by, selections)
	_, claimed := errors.AsType[*directory.Claimed](err)
	if err == nil {
		for _, sel := range selections {
			b.bound = append(b.bound, sel.User.ID)
		}
		return nil
	}
	if !claimed && !errors.Is(err, directory.ErrStale) {
		return err
	}
	if err := b.refresh(ctx); err != nil {
		return err
	}
	for _, sel := range selections {
		if err := b.one(ctx, list[slices.IndexFunc(list, func(ch choice) bool { return ch.user == sel.User.ID && ch.account == sel.AccountID })]); err != nil {
			return err
		}
	}
	return nil
}

// one binds a single user, reading it again each time that it moved.
func (b *binder) one(ctx context.Context, ch choice) error {
	for range maxTries {
		selections, err := b.selectable(ctx, []choice{ch})
		if err != nil || len(selections) == 0 {
			return err
		}
		err = b.Store.Bind(ctx, directory.Act{}, b.conn, b.by, selections)
		if taken, ok := errors.AsType[*directory.Claimed](err); ok {
			b.refuse(ch, "account-bound", fmt.Sprintf("The account %s is bound to the user %s.", ch.account, taken.User))
			return nil
		}
		if err == nil {
			b.bound = append(b.bound, ch.user)
			return nil
		}
		if !errors.Is(err, directory.ErrStale) {
			return err
		}
		if err := b.refresh(ctx); err != nil {
			return err
		}
	}
	b.refuse(ch, "busy", "The user is being edited by others all the time. Try again.")
	return nil
}

// refresh reads the connection again, and ends the work when it was let go.
func (b *binder) refresh(ctx context.Context) error {
	c, err := b.working(ctx, b.conn.ID)
	if err != nil {
		return err
	}
	if c.Epoch != b.conn.Epoch {
		return passed(&c)
	}
	*b.conn = c
	clear(b.others)
	return nil
}

// passed says that a connection was let go, and perhaps authorised again,
// since something was asked of it.
func passed(c *directory.Connection) error {
	return directory.Refuse(directory.ErrConflict, "connection-changed",
		"The connection \""+c.Name+"\" was deactivated meanwhile.", "Ask again once it is active.")
}

// selectable reads users and gives each its verdict; what is left can be bound.
func (b *binder) selectable(ctx context.Context, list []choice) ([]store.Selection, error) {
	ids := make([]directory.UserID, 0, len(list))
	for _, ch := range list {
		if !slices.Contains(ids, ch.user) {
			ids = append(ids, ch.user)
		}
	}
	subjects, err := b.Store.Subjects(ctx, ids)
	if err != nil {
		return nil, err
	}
	var out []store.Selection
	for _, ch := range list {
		sub := subjects[ch.user]
		code, detail := b.verdict(sub.User, ch)
		if code != "" {
			b.refuse(ch, code, detail)
			continue
		}
		if slices.ContainsFunc(out, func(sel store.Selection) bool { return sel.User.ID == ch.user }) {
			b.refuse(ch, "account-bound", "Another account of the same call was taken for this user.")
			continue
		}
		done, err := b.held(ctx, sub.Binding, ch)
		if err != nil {
			return nil, err
		}
		if !done {
			out = append(out, store.Selection{User: sub.User, Stale: sub.Binding, AccountID: ch.account, UserPrincipalName: ch.upn})
		}
	}
	return out, nil
}

// verdict says why a user cannot be bound through the connection, whatever it
// is bound to now; "" when it can.
func (b *binder) verdict(u *directory.User, ch choice) (code, detail string) {
	switch {
	case u == nil:
		return "user-not-found", fmt.Sprintf("There is no user %q.", ch.user)
	case u.Deleted != nil:
		return "user-deleted", "The user is deleted. Restore it first."
	case u.State != directory.StateActive && u.State != directory.StateSuspended:
		return "user-not-active", fmt.Sprintf("The user is %s; only active or suspended users can be bound. Activate it first.", u.State)
	}
	if _, p := b.mapper.Address(u); p != nil {
		return p.Code, sentence(p)
	}
	if p := otherEmployee(u, ch.account, ch.employee); p != nil {
		return p.Code, sentence(p)
	}
	return "", ""
}

// otherEmployee says why an account that a user is known to have by its address may
// be another person's; nil when it was imported from there, or nothing speaks against it.
func otherEmployee(u *directory.User, account directory.AccountID, employee directory.Value) *directory.Problem {
	if account == "" || u.ImportedFrom != nil && u.ImportedFrom.AccountID == account {
		return nil
	}
	return plan.OtherEmployee(u, account, employee)
}

// held deals with a user that has a binding: it reports whether the user has
// its verdict by that. A row whose epoch has passed does not count.
func (b *binder) held(ctx context.Context, row *directory.Binding, ch choice) (bool, error) {
	if row == nil {
		return false, nil
	}
	if row.ConnectionID == b.conn.ID && row.Epoch == b.conn.Epoch {
		switch {
		case row.Release != "":
			b.refuse(ch, "being-released", "The user is being released from this connection. Try again after the next sync.")
		case ch.account != "" && row.AccountID != "" && row.AccountID != ch.account:
			b.refuse(ch, "bound-to-other-account", fmt.Sprintf("The user is bound to the account %s (%s) already.", row.AccountID, row.UserPrincipalName))
		default:
			b.bound, b.already = append(b.bound, ch.user), append(b.already, ch.user)
		}
		return true, nil
	}
	if row.ConnectionID == b.conn.ID {
		return false, nil
	}
	other, known := b.others[row.ConnectionID]
	if !known {
		c, err := b.Store.Connection(ctx, row.ConnectionID)
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return false, err
		}
		if err == nil {
			other = &c
		}
		b.others[row.ConnectionID] = other
	}
	if other == nil || other.Epoch != row.Epoch {
		return false, nil
	}
	b.refuse(ch, "bound-elsewhere", fmt.Sprintf("The user is bound through the connection \"%s\" (%s). Release it there first.", other.Name, other.ID))
	return true, nil
}

func (b *binder) refuse(ch choice, code, detail string) {
	b.refused = append(b.refused, directory.RefusedItem{UserID: ch.user, AccountID: ch.account, Name: ch.upn, Code: code, Detail: detail})
}

// sentence is a problem as one text for people.
func sentence(p *directory.Problem) string {
	if p.Next == "" {
		return p.Message
	}
	return p.Message + " " + p.Next
}
