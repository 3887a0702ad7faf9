package assign

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

// Choice is one user to be bound, to a known account or to whichever matches.
type Choice struct {
	User directory.UserID
	// Account is the account that the user is known to have, with its
	// userPrincipalName and its employeeId; "" when the engine is to match one.
	Account           directory.AccountID
	UserPrincipalName string
	EmployeeID        directory.Value
	// byGroups are the groups by whose use alone the user was bound before.
	byGroups []directory.GroupID
}

// Verdicts are what became of choices.
type Verdicts struct {
	Bound   []directory.UserID // members now
	Already []directory.UserID // those of Bound who were members before
	Refused []directory.RefusedItem
}

// binder binds users to one connection and collects the verdicts.
type binder struct {
	connections connections
	bindings    bindingStore
	subjects    subjectReader
	conn        directory.Connection
	mapper      *mapping.Mapper
	by          directory.Caller
	others      map[directory.ConnectionID]*directory.Connection // nil: there is none any more
	byGroup     *byGroup                                         // nil: somebody selects the users
	out         Verdicts
}

func (s *Bindings) binder(c directory.Connection, by directory.Caller) *binder {
	return &binder{
		connections: s.connections, bindings: s.bindings, subjects: s.subjects,
		conn: c, by: by, mapper: mapping.New(c.Settings, c.Tenant.Domains),
		others: map[directory.ConnectionID]*directory.Connection{},
	}
}

// bind deals with every choice once; a user named twice counts once.
func (b *binder) bind(ctx context.Context, list []Choice) error {
	seen := make(map[directory.UserID]bool, len(list))
	unique := make([]Choice, 0, len(list))
	for _, ch := range list {
		if !seen[ch.User] || ch.Account != "" {
			unique = append(unique, ch)
		}
		seen[ch.User] = true
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
func (b *binder) part(ctx context.Context, list []Choice) error {
	selections, err := b.selectable(ctx, list)
	if err != nil || len(selections) == 0 {
		return err
	}
	err = b.write(ctx, selections)
	if err == nil {
		for _, sel := range selections {
			b.out.Bound = append(b.out.Bound, sel.User.ID)
		}
		return nil
	}
	if _, claimed := errors.AsType[*directory.Claimed](err); !claimed && !errors.Is(err, directory.ErrStale) {
		return err
	}
	if err := b.refresh(ctx); err != nil {
		return err
	}
	for _, sel := range selections {
		i := slices.IndexFunc(list, func(ch Choice) bool { return ch.User == sel.User.ID && ch.Account == sel.AccountID })
		if err := b.one(ctx, list[i]); err != nil {
			return err
		}
	}
	return nil
}

// one binds a single user, reading it again each time that it moved.
func (b *binder) one(ctx context.Context, ch Choice) error {
	for range maxTries {
		selections, err := b.selectable(ctx, []Choice{ch})
		if err != nil || len(selections) == 0 {
			return err
		}
		err = b.write(ctx, selections)
		if taken, ok := errors.AsType[*directory.Claimed](err); ok {
			b.refuse(ch, directory.CodeAccountBound, fmt.Sprintf("The account %s is bound to the user %s.", ch.Account, taken.User))
			return nil
		}
		if err == nil {
			b.out.Bound = append(b.out.Bound, ch.User)
			return nil
		}
		if !errors.Is(err, directory.ErrStale) {
			return err
		}
		if err := b.refresh(ctx); err != nil {
			return err
		}
	}
	b.refuse(ch, directory.CodeBusy, "The user is being edited by others all the time. Try again.")
	return nil
}

func (b *binder) write(ctx context.Context, list []store.Selection) error {
	if g := b.byGroup; g != nil {
		for i := range list {
			list[i].Group, list[i].AskedBy = g.use.GroupID, g.asked
		}
		return g.bindings.BindUnder(ctx, g.act(b.by, directory.AuditBind), g.lease, &b.conn, b.by.Subject, list)
	}
	return b.bindings.Bind(ctx, b.by.AuditEvent(directory.AuditBind), &b.conn, b.by.Subject, list)
}

// refresh reads the connection again, and ends the work when it was let go.
func (b *binder) refresh(ctx context.Context) error {
	c, err := Working(ctx, b.connections, b.conn.ID)
	if err != nil {
		return err
	}
	if c.Epoch != b.conn.Epoch {
		return epochPassed(&c)
	}
	b.conn = c
	clear(b.others)
	return nil
}

// selectable reads users and gives each its verdict; what is left can be bound.
func (b *binder) selectable(ctx context.Context, list []Choice) ([]store.Selection, error) {
	ids := make([]directory.UserID, 0, len(list))
	for _, ch := range list {
		if !slices.Contains(ids, ch.User) {
			ids = append(ids, ch.User)
		}
	}
	subjects, err := b.subjects.Subjects(ctx, ids)
	if err != nil {
		return nil, err
	}
	var out []store.Selection
	for _, ch := range list {
		sub := subjects[ch.User]
		if b.byGroup != nil { // who is a member stays one, whatever has become of the user
			if held, err := b.held(ctx, sub.Binding, ch); held || err != nil {
				if err != nil {
					return nil, err
				}
				continue
			}
		}
		if code, detail := refusal(b.mapper, sub.User, ch); code != "" {
			b.refuse(ch, code, detail)
			continue
		}
		if slices.ContainsFunc(out, func(sel store.Selection) bool { return sel.User.ID == ch.User }) {
			b.refuse(ch, directory.CodeAccountBound, "Another account of the same call was taken for this user.")
			continue
		}
		held, err := b.held(ctx, sub.Binding, ch)
		if err != nil {
			return nil, err
		}
		if !held {
			out = append(out, store.Selection{User: sub.User, Stale: sub.Binding, AccountID: ch.Account, UserPrincipalName: ch.UserPrincipalName})
		}
	}
	return out, nil
}

// refusal says why a user cannot be bound through the connection of a mapper,
// whatever it is bound to now; "" when it can.
func refusal(m *mapping.Mapper, u *directory.User, ch Choice) (code, detail string) {
	switch {
	case u == nil:
		return directory.CodeUserNotFound, fmt.Sprintf("There is no user %q.", ch.User)
	case u.Deleted != nil:
		return directory.CodeUserDeleted, "The user is deleted. Restore it first."
	case u.State != directory.StateActive && u.State != directory.StateSuspended:
		return directory.CodeUserNotActive, fmt.Sprintf("The user is %s; only active or suspended users can be bound. Activate it first.", u.State)
	}
	if _, p := m.Address(u); p != nil {
		return p.Code, p.Advice()
	}
	if p := otherEmployee(u, ch.Account, ch.EmployeeID); p != nil {
		return p.Code, p.Advice()
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
func (b *binder) held(ctx context.Context, row *directory.Binding, ch Choice) (bool, error) {
	if row == nil {
		return false, nil
	}
	if row.ConnectionID == b.conn.ID {
		if row.Epoch != b.conn.Epoch {
			return false, nil
		}
		return true, b.heldHere(ctx, row, ch)
	}
	other, err := b.other(ctx, row.ConnectionID)
	if err != nil || other == nil || other.Epoch != row.Epoch {
		return false, err
	}
	b.refuse(ch, directory.CodeBoundElsewhere, fmt.Sprintf("The user is bound through the connection \"%s\" (%s). Release it there first.", other.Name, other.ID))
	return true, nil
}

// heldHere gives a user its verdict that is bound through the connection already.
func (b *binder) heldHere(ctx context.Context, row *directory.Binding, ch Choice) error {
	switch {
	case b.byGroup != nil && (row.Release == "" || row.LeftGroup != ""):
		return b.alreadyHere(ch, b.byGroup.addPath(ctx, b.by, row))
	case row.Release != "":
		b.refuse(ch, directory.CodeBeingReleased, "The user is being released from this connection. Try again after the next sync.")
		return nil
	case ch.Account != "" && row.AccountID != "" && row.AccountID != ch.Account:
		b.refuse(ch, directory.CodeBoundToOtherAccount, fmt.Sprintf("The user is bound to the account %s (%s) already.", row.AccountID, row.UserPrincipalName))
		return nil
	case row.Indirect:
		return b.alreadyHere(ch, b.makeDirect(ctx, row))
	}
	return b.alreadyHere(ch, nil)
}

// alreadyHere is the verdict of a user who was bound before, after err came of an edit of
// that binding.
func (b *binder) alreadyHere(ch Choice, err error) error {
	if errors.Is(err, directory.ErrStale) {
		b.refuse(ch, directory.CodeBusy, "The binding is being edited by others. Try again.")
		return nil
	}
	if err != nil {
		return err
	}
	b.out.Bound = append(b.out.Bound, ch.User)
	b.out.Already = append(b.out.Already, ch.User)
	return nil
}

// makeDirect notes that somebody selected a user whom only groups did.
func (b *binder) makeDirect(ctx context.Context, row *directory.Binding) error {
	row.Indirect, row.SelectedBy = false, b.by.Subject
	return b.bindings.UpdateBinding(ctx, b.by.AuditEvent(directory.AuditBind), row, false, false)
}

// other reads another connection, once; nil when there is none any more.
func (b *binder) other(ctx context.Context, id directory.ConnectionID) (*directory.Connection, error) {
	if c, known := b.others[id]; known {
		return c, nil
	}
	c, err := b.connections.Connection(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		b.others[id] = nil
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b.others[id] = &c
	return &c, nil
}

func (b *binder) refuse(ch Choice, code, detail string) {
	b.out.Refused = append(b.out.Refused, directory.RefusedItem{UserID: ch.User, AccountID: ch.Account, Name: ch.UserPrincipalName, Code: code, Detail: detail})
}
