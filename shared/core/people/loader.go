package people

import (
	"context"
	"errors"
	"fmt"

	"bindery/shared/core/jobs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// loaded is what came of some lines.
type loaded struct {
	counts  map[string]int
	notes   []directory.JobNote
	refused []directory.RefusedItem
	woken   map[directory.ConnectionID]bool // whose users were edited
}

// loader writes some lines of a file.
type loader struct {
	find    userFinder
	write   userWriter
	edits   *Users
	by      string // who is named for the edits
	act     directory.AuditEvent
	source  directory.Source
	options LoadOptions
	repeats *repeats // of a check

	users   map[string]directory.User // those that were there, by folded address
	new     []*directory.User         // not stored yet
	newLine []loadLine                // of each in new
	out     loaded
}

func (s *Loads) loader(j *jobs.Job, in loadInput, r *repeats) *loader {
	return &loader{
		find: s.find, write: s.write, edits: s.users, by: j.By(), act: j.AuditEvent(directory.AuditLoad), source: in.Source, options: in.LoadOptions, repeats: r,
		out: loaded{counts: map[string]int{}, woken: map[directory.ConnectionID]bool{}},
	}
}

// load writes the lines, in their order.
func (l *loader) load(ctx context.Context, lines []loadLine) (loaded, error) {
	if err := l.read(ctx, lines); err != nil {
		return loaded{}, err
	}
	for _, line := range lines {
		if err := l.line(ctx, line); err != nil {
			return loaded{}, err
		}
	}
	if err := l.flush(ctx); err != nil {
		return loaded{}, err
	}
	return l.out, nil
}

// read looks up the users that the lines are about.
func (l *loader) read(ctx context.Context, lines []loadLine) error {
	addresses := make([]string, 0, len(lines))
	for _, line := range lines {
		addresses = append(addresses, line.Edit["email"])
	}
	owners, err := l.find.UserIDsByEmail(ctx, addresses)
	if err != nil {
		return err
	}
	ids := make([]directory.UserID, 0, len(owners))
	for _, id := range owners {
		ids = append(ids, id)
	}
	users, err := l.find.UsersByID(ctx, ids)
	if err != nil {
		return err
	}
	l.users = make(map[string]directory.User, len(users))
	for address, id := range owners {
		if u, ok := users[id]; ok && u.Deleted == nil {
			l.users[address] = u
		}
	}
	if l.options.CheckOnly {
		l.repeats.begin(l.users, lines)
	}
	return nil
}

func (l *loader) line(ctx context.Context, line loadLine) error {
	address := directory.FoldAddress(line.Edit["email"])
	if line.Code != "" {
		l.refuse(line, &directory.Refusal{Code: line.Code, Detail: line.Detail})
		return nil
	}
	if address == "" {
		l.refuse(line, &directory.Refusal{Code: directory.CodeInvalidUser, Detail: "email is required."})
		return nil
	}
	if l.isNew(address) { // the same person again: an edit
		if err := l.flush(ctx); err != nil {
			return err
		}
	}
	u, ok := l.users[address]
	switch {
	case line.ID != "" && u.ID != line.ID:
		l.refuse(line, notTheirs(line))
		return nil
	case ok:
		return l.update(ctx, line, u.ID)
	}
	return l.create(ctx, line)
}

// notTheirs refuses a line that says by an ID whom it is about, and by an address that is
// not theirs, or not any more.
func notTheirs(line loadLine) *directory.Refusal {
	return &directory.Refusal{Code: directory.CodeUserNotFound, Detail: fmt.Sprintf("There is no user %s with this address; nobody was created or changed.", line.ID)}
}

// isNew reports whether a line before has made the user of an address, and it is
// not stored yet.
func (l *loader) isNew(address string) bool {
	for _, u := range l.new {
		if directory.FoldAddress(u.Email) == address {
			return true
		}
	}
	return false
}

// create makes a user; flush stores it.
func (l *loader) create(ctx context.Context, line loadLine) error {
	wanted := line.Edit
	if line.Status != "" && line.Status != directory.StateActive {
		wanted = line.withStatus()
	}
	u, err := l.edits.compose(wanted, l.source)
	u.EditedBy(l.by, l.edits.now())
	if err == nil {
		err = l.edits.checkManager(ctx, &u)
	}
	if err != nil {
		return l.refuseFor(line, err)
	}
	l.new = append(l.new, &u)
	l.newLine = append(l.newLine, line)
	if distinct(l.new) < len(l.new) || len(l.new) == createBatch {
		return l.flush(ctx)
	}
	return nil
}

// update edits a user that is there, again when somebody else was faster.
func (l *loader) update(ctx context.Context, line loadLine, id directory.UserID) error {
	for range maxTries {
		err := l.updateOnce(ctx, line, id)
		if !errors.Is(err, directory.ErrStale) {
			return err
		}
	}
	return fmt.Errorf("user %s is being edited all the time: %w", id, directory.ErrBusy)
}

// updateOnce edits a user; directory.ErrStale when somebody else was faster.
func (l *loader) updateOnce(ctx context.Context, line loadLine, id directory.UserID) error {
	old, err := l.user(ctx, id, line)
	if err != nil {
		return l.refuseFor(line, err)
	}
	if old.Deleted != nil {
		return l.refuseFor(line, deleted(&old))
	}
	if line.ID != "" && directory.FoldAddress(old.Email) != directory.FoldAddress(line.Edit["email"]) {
		l.refuse(line, notTheirs(line)) // the address has changed since it was looked up
		return nil
	}
	u := old
	wanted := line.wanted()
	differs := line.Status != "" && line.Edit["state"] == "" && line.Status != old.State
	if differs && l.options.ApplyStatus {
		wanted = line.withStatus()
		differs = false
	}
	changed, err := wanted.apply(&u, l.source)
	if err != nil {
		return l.refuseFor(line, err)
	}
	if !changed {
		l.did("unchanged", differs)
		l.note(line)
		return nil
	}
	if u.ManagerID != old.ManagerID {
		if err := l.edits.checkManager(ctx, &u); err != nil {
			return l.refuseFor(line, err)
		}
	}
	if directory.FoldAddress(u.UserName) != directory.FoldAddress(old.UserName) {
		// Of two lines that want one user name, the first gets it.
		if err := l.flush(ctx); err != nil {
			return err
		}
	}
	if l.options.CheckOnly {
		return l.would(ctx, "updated", differs, []loadLine{line}, &u)
	}
	u.EditedBy(l.by, l.edits.now())
	conn, err := l.write.UpdateUser(ctx, l.act, &old, &u)
	if errors.Is(err, directory.ErrStale) {
		return err
	}
	if err != nil {
		return l.refuseFor(line, l.edits.Taken(ctx, err))
	}
	if conn != "" {
		l.out.woken[conn] = true
	}
	if store.MembershipCounts(&old, &u) {
		l.edits.teller.tell(ctx, directory.UserMember(u.ID))
	}
	l.did("updated", differs)
	l.note(line)
	return nil
}

// flush stores the new users: all in one transaction, or, when one of them
// cannot be stored, each by itself.
func (l *loader) flush(ctx context.Context) error {
	users, lines := l.new, l.newLine
	l.new = nil
	l.newLine = nil
	if len(users) == 0 {
		return nil
	}
	if l.options.CheckOnly {
		return l.would(ctx, "created", false, lines, users...)
	}
	if distinct(users) == len(users) {
		err := l.write.CreateUsers(ctx, l.act, users...)
		if err == nil {
			for i, u := range users {
				l.created(u, lines[i])
			}
			return nil
		}
		if !errors.Is(err, directory.ErrConflict) {
			return err
		}
	}
	for i, u := range users {
		if err := l.createOne(ctx, u, lines[i]); err != nil {
			return err
		}
	}
	return nil
}

// createOne stores one user by itself.
func (l *loader) createOne(ctx context.Context, u *directory.User, line loadLine) error {
	err := l.write.CreateUsers(ctx, l.act, u)
	if err == nil {
		l.created(u, line)
		return nil
	}
	if taken, ok := errors.AsType[*store.AddressTaken](err); ok && taken.Field == "email" { // somebody was faster: it is an edit now
		return l.update(ctx, line, taken.Owner)
	}
	return l.refuseFor(line, l.edits.Taken(ctx, err))
}

func (l *loader) created(u *directory.User, line loadLine) {
	l.users[directory.FoldAddress(u.Email)] = *u
	l.out.counts["created"]++
	l.note(line)
}

// user is one that a line is about, as it is, or as the lines before would have
// left it.
func (l *loader) user(ctx context.Context, id directory.UserID, line loadLine) (directory.User, error) {
	if u, ok := l.users[directory.FoldAddress(line.Edit["email"])]; ok && l.options.CheckOnly {
		return u, nil
	}
	return l.edits.Get(ctx, id)
}

// note tells what a person should know about a line that was taken.
func (l *loader) note(line loadLine) {
	for _, warning := range line.Warnings {
		l.out.notes = append(l.out.notes, directory.JobNote{Line: line.Line, Name: line.Edit["email"], Warning: warning})
	}
}

// did counts what became of a user, and that another system's status is another
// than the user's state, which stays.
func (l *loader) did(what string, differs bool) {
	l.out.counts[what]++
	if differs {
		l.out.counts["statusDiffers"]++
	}
}

// would counts what a load would do with users, and does not do it.
func (l *loader) would(ctx context.Context, what string, differs bool, lines []loadLine, users ...*directory.User) error {
	var names []string
	for _, u := range users {
		names = append(names, u.UserName)
	}
	owners, err := l.find.UserIDsByName(ctx, names)
	if err != nil {
		return err
	}
	for i, u := range users {
		name := directory.FoldAddress(u.UserName)
		holder, known := l.repeats.holders[name]
		if !known {
			holder = owners[name]
		}
		if holder != "" && holder != u.ID {
			if err := l.refuseFor(lines[i], l.edits.Taken(ctx, &store.AddressTaken{Field: "userName", Value: u.UserName, Owner: holder})); err != nil {
				return err
			}
			continue
		}
		address := directory.FoldAddress(u.Email)
		if old, was := l.users[address]; was {
			l.repeats.keep(&old, u)
		} else {
			l.repeats.keep(nil, u)
		}
		l.users[address] = *u
		l.did(what, differs)
		l.note(lines[i])
	}
	return nil
}

// refuseFor reports a fault of the line itself and returns any other error.
func (l *loader) refuseFor(line loadLine, err error) error {
	r, ok := errors.AsType[*directory.Refusal](err)
	if !ok {
		return err
	}
	l.refuse(line, r)
	return nil
}

func (l *loader) refuse(line loadLine, r *directory.Refusal) {
	l.out.refused = append(l.out.refused, directory.RefusedItem{
		Line: line.Line, Name: line.Edit["email"], Code: r.Code, Detail: faultText(r),
	})
}

// createBatch is how many users one transaction makes.
const createBatch = 19

// distinct returns how many users from the start can be made in one
// transaction: none of them shares an address or a name with another.
func distinct(users []*directory.User) int {
	emails, names := map[string]bool{}, map[string]bool{}
	for i, u := range users {
		email, name := directory.FoldAddress(u.Email), directory.FoldAddress(u.UserName)
		if i == createBatch || emails[email] || names[name] {
			return i
		}
		emails[email] = true
		names[name] = true
	}
	return len(users)
}
