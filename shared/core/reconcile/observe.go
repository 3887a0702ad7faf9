package reconcile

import (
	"context"
	"fmt"
	"slices"

	"bindery/shared/core/mapping"
	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// observer reads users, bindings and accounts directly: everything that deciding
// needs.
type observer struct {
	s         *session
	tenant    Tenant
	bindings  bindingStore
	accounts  accountStore
	addresses *addressBook
	answers   addressAnswers
}

// deferral is why an account cannot be read now, while others can: a problem, or
// nothing but time.
type deferral struct {
	problem *directory.Problem
	cause   error
}

// look is one look at some users.
type look struct {
	cfg  plan.Config
	lane lane
	list []plan.Subject
	// deferred are those whose accounts cannot be read now. While strict, whoever
	// cannot be read fails the look.
	deferred map[directory.UserID]deferral
	strict   bool
}

// subjects reads some users. Those without a binding that counts are left out,
// and deferred are those whose accounts cannot be read now although others can.
func (o *observer) subjects(ctx context.Context, l lane, cfg plan.Config, ids []directory.UserID) ([]plan.Subject, map[directory.UserID]deferral, error) {
	look := &look{cfg: cfg, lane: l, deferred: map[directory.UserID]deferral{}}
	err := o.read(ctx, look, ids)
	return look.list, look.deferred, err
}

// subjectsNow is subjects for who needs all of them, and waits for nobody.
func (o *observer) subjectsNow(ctx context.Context, cfg plan.Config, ids []directory.UserID) ([]plan.Subject, error) {
	look := &look{cfg: cfg, lane: closed{o.s}, strict: true}
	err := o.read(ctx, look, ids)
	return look.list, err
}

func (o *observer) read(ctx context.Context, look *look, ids []directory.UserID) error {
	rows, err := o.bindings.Subjects(ctx, ids)
	if err != nil {
		return err
	}
	look.list = make([]plan.Subject, 0, len(ids))
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		row := rows[id]
		if row.Binding == nil || row.Binding.Epoch != o.s.lease.Epoch || row.Binding.ConnectionID != o.s.conn.ID {
			continue
		}
		if row.User == nil {
			// Expired as a tombstone: whatever the account was, it is let go.
			row.User = &directory.User{ID: id, Deleted: &row.Binding.SelectedAt}
			row.Binding.Release = directory.ReleaseKeep
		}
		look.list = append(look.list, plan.Subject{User: row.User, Binding: row.Binding})
	}
	if err := o.readAccounts(ctx, look); err != nil {
		return err
	}
	return o.findMatches(ctx, look)
}

// readAccounts reads the accounts of bound users directly. Only a 404, and a
// look into the deleted items, make an account missing (invariant 10).
func (o *observer) readAccounts(ctx context.Context, look *look) error {
	var refs []string
	var at []int
	for i := range look.list {
		if id := look.list[i].Binding.AccountID; id != "" {
			refs, at = append(refs, string(id)), append(at, i)
		}
	}
	if len(refs) == 0 {
		return nil
	}
	found, err := o.lookup(ctx, look.lane, refs, look.cfg.Mapper.Selected())
	if err != nil {
		return err
	}
	err = look.deferUnread(at, found, func(s *plan.Subject, f directory.Found) error {
		if err := f.Err(); err != nil || f.Account != nil || !s.Binding.LastWrite.Add(Grace).After(o.s.now()) {
			return err
		}
		// A replica may not have it yet: not gone, and not decided now.
		return &errPause{after: lookAgain, why: "an account just written is not visible yet"}
	})
	if err != nil {
		return err
	}
	var missing []directory.AccountID
	var missingAt []int
	for n, f := range found {
		s := &look.list[at[n]]
		if look.defers(s) {
			continue
		}
		s.Account = f.Account
		s.Fresh = o.s.recent(s.Binding)
		if f.Account != nil {
			continue
		}
		s.Missing = true
		missing, missingAt = append(missing, s.Binding.AccountID), append(missingAt, at[n])
	}
	if len(missing) == 0 {
		return nil
	}
	deleted, err := o.deleted(ctx, look.lane, missing, look.cfg.Mapper.Selected())
	if err != nil {
		return err
	}
	for n, f := range deleted {
		look.list[missingAt[n]].Deleted = f.Account
	}
	return look.deferUnread(missingAt, deleted, readable)
}

func readable(_ *plan.Subject, f directory.Found) error { return f.Err() }

func (look *look) defers(s *plan.Subject) bool {
	_, yes := look.deferred[s.User.ID]
	return yes
}

// deferUnread sorts out those of whom could not be read now what was asked for;
// why not is what trouble says. When that is so of all, or nobody is to be
// deferred, it is an error; but what is refused about a single one is that one's
// matter.
func (look *look) deferUnread(at []int, found []directory.Found, trouble func(*plan.Subject, directory.Found) error) error {
	var first error
	none := true
	for n, f := range found {
		s := &look.list[at[n]]
		err := trouble(s, f)
		if err == nil {
			none = false
			continue
		}
		if f.ConcernsAll() {
			return err
		}
		if first == nil {
			first = err
		}
		if !look.strict {
			d := deferral{cause: err}
			if !f.Retry {
				d.problem = ofAccount(f.Problem)
			}
			look.deferred[s.User.ID] = d
		}
	}
	single := len(found) == 1 && !found[0].Retry && found[0].Problem != nil
	if none && !single && len(found) == len(look.list) || look.strict {
		return first
	}
	return nil
}

// unreadAll is the error of reads that all went without an answer, or of which
// an answer concerns more than its account. What is not known of single accounts
// is no error: nothing is decided about these.
func unreadAll(found []directory.Found) error {
	var first error
	none := len(found) > 1
	for _, f := range found {
		err := f.Err()
		if err != nil && f.ConcernsAll() {
			return err
		}
		none = none && err != nil
		if first == nil {
			first = err
		}
	}
	if none {
		return first
	}
	return nil
}

// lookup reads accounts and answers each in its place.
func (o *observer) lookup(ctx context.Context, l lane, refs, selected []string) ([]directory.Found, error) {
	return o.inPieces(ctx, l, refs, 1, func(ctx context.Context, refs []string) ([]directory.Found, error) {
		return o.tenant.Lookup(ctx, refs, selected)
	})
}

// lookupFor reads accounts with the properties that changes name, besides the
// managed ones. Single ones may go without an answer.
func (o *observer) lookupFor(ctx context.Context, l lane, m *mapping.Mapper, refs []string, changes []*directory.Change) ([]directory.Found, error) {
	selected := m.Selected()
	for _, c := range changes {
		for _, p := range c.Properties {
			if !slices.Contains(selected, p.Name) {
				selected = append(slices.Clip(selected), p.Name)
			}
		}
	}
	found, err := o.lookup(ctx, l, refs, selected)
	if err != nil {
		return nil, err
	}
	return found, unreadAll(found)
}

// lookupTwice is lookupFor, once more when Microsoft failed at some.
func (o *observer) lookupTwice(ctx context.Context, l lane, m *mapping.Mapper, refs []string, changes []*directory.Change) ([]directory.Found, error) {
	found, err := o.lookupFor(ctx, l, m, refs, changes)
	if err != nil || !slices.ContainsFunc(found, func(f directory.Found) bool { return f.Retry }) {
		return found, err
	}
	if err := nap(ctx, l, longestNap); err != nil {
		return nil, err
	}
	return o.lookupFor(ctx, l, m, refs, changes)
}

// deleted looks for accounts in the recycle bin.
func (o *observer) deleted(ctx context.Context, l lane, ids []directory.AccountID, selected []string) ([]directory.Found, error) {
	return awaited(ctx, o.s, l, func(ctx context.Context) ([]directory.Found, error) { return o.tenant.Deleted(ctx, ids, selected) })
}

// inPieces reads accounts, a batch at a time, so that each of the requests has a
// deadline of its own and the lease is kept fresh between them. each is how many of
// what is asked for one call answers.
func (o *observer) inPieces(ctx context.Context, l lane, refs []string, each int, ask func(ctx context.Context, refs []string) ([]directory.Found, error)) ([]directory.Found, error) {
	found := make([]directory.Found, 0, len(refs))
	for piece := range slices.Chunk(refs, each*BatchSize) {
		if len(found) > 0 {
			if err := l.attend(ctx); err != nil {
				return nil, err
			}
		}
		if err := o.s.units(ctx, l, (len(piece)+each-1)/each); err != nil {
			return nil, err
		}
		some, err := awaited(ctx, o.s, l, func(ctx context.Context) ([]directory.Found, error) { return ask(ctx, piece) })
		if err != nil {
			return nil, err
		}
		if len(some) != len(piece) {
			return nil, fmt.Errorf("%d answers to %d reads: %w", len(some), len(piece), directory.ErrUnavailable)
		}
		found = append(found, some...)
	}
	return found, nil
}

// findMatches looks for accounts that bindings without one could adopt.
func (o *observer) findMatches(ctx context.Context, look *look) error {
	var list []addressQuestion
	var at, everybody []int
	for i := range look.list {
		s := &look.list[i]
		if s.Binding.AccountID != "" || s.Binding.Release != "" || s.User.Deleted != nil {
			continue
		}
		address, problem := look.cfg.Mapper.Address(s.User)
		if problem != nil {
			continue
		}
		everybody = append(everybody, i)
		// Whatever went wrong before may be that an index does not show who has it.
		q := addressQuestion{address: address, direct: look.strict || s.Binding.Problem != nil || o.answers.given[directory.FoldAddress(address)]}
		if q.direct || !o.justAbsent(address) {
			list, at = append(list, q), append(at, i)
		}
	}
	linked, err := o.findLinked(ctx, look)
	if err != nil {
		return err
	}
	list, at, err = o.unlisted(ctx, look.lane, list, at)
	if err != nil {
		return err
	}
	if err := o.findOwners(ctx, look, linked); err != nil {
		return err
	}
	if err := o.findExternals(ctx, look, everybody); err != nil || len(list) == 0 {
		return err
	}
	found, err := o.addressHolders(ctx, look.lane, list, look.cfg.Mapper.Selected())
	if err != nil {
		return err
	}
	if err := look.deferUnread(at, found, readable); err != nil {
		return err
	}
	var candidates []directory.AccountID
	for n := range list {
		s := &look.list[at[n]]
		if look.defers(s) {
			continue
		}
		if s.Linked != nil {
			candidates = append(candidates, s.Linked.ID)
		}
		candidates = append(candidates, match(s, found[n])...)
	}
	return o.findClaims(ctx, look, at, candidates)
}

// match takes in who has the address of a user, and returns these accounts.
func match(s *plan.Subject, found directory.Found) []directory.AccountID {
	var candidates []directory.AccountID
	s.ByUPN = found.Account
	if s.ByUPN != nil {
		candidates = append(candidates, s.ByUPN.ID)
	}
	for _, a := range found.Accounts {
		s.ByAddress = append(s.ByAddress, a)
		candidates = append(candidates, a.ID)
	}
	return candidates
}

// findClaims finds out to whom candidates are bound, and of which of them imports
// made users.
func (o *observer) findClaims(ctx context.Context, look *look, at []int, candidates []directory.AccountID) error {
	owners, err := o.accounts.AccountOwners(ctx, &o.s.conn, candidates)
	if err != nil {
		return err
	}
	imported, err := o.accounts.ImportedUsers(ctx, o.s.conn.TenantID(), candidates)
	if err != nil {
		return err
	}
	made := make(map[directory.AccountID]directory.UserID, len(imported))
	for id, u := range imported {
		made[id] = u.ID
	}
	for _, i := range at {
		look.list[i].TakenBy, look.list[i].MadeOf = owners, made
	}
	return nil
}

// findLinked reads the accounts that users without one are known to have, and
// returns whose are there. What Microsoft has deleted for good links nobody.
func (o *observer) findLinked(ctx context.Context, look *look) ([]int, error) {
	var users []*directory.User
	at := map[directory.UserID]int{}
	for i := range look.list {
		if s := &look.list[i]; s.Binding.AccountID == "" && s.Binding.Release == "" && s.User.Deleted == nil {
			users, at[s.User.ID] = append(users, s.User), i
		}
	}
	if len(users) == 0 {
		return nil, nil
	}
	links, err := o.accounts.KnownAccounts(ctx, &o.s.conn, users)
	if err != nil || len(links) == 0 {
		return nil, err
	}
	var refs []string
	var where []int
	for _, u := range users {
		if link, known := links[u.ID]; known {
			refs, where = append(refs, string(link.AccountID)), append(where, at[u.ID])
		}
	}
	selected := look.cfg.Mapper.Selected()
	found, err := o.lookup(ctx, look.lane, refs, selected)
	if err != nil {
		return nil, err
	}
	if err := look.deferUnread(where, found, readable); err != nil {
		return nil, err
	}
	var there, missingAt []int
	var missing []directory.AccountID
	for n, f := range found {
		s := &look.list[where[n]]
		if look.defers(s) {
			continue
		}
		s.Linked = f.Account
		if s.Linked != nil {
			there = append(there, where[n])
			continue
		}
		missing, missingAt = append(missing, directory.AccountID(refs[n])), append(missingAt, where[n])
	}
	if len(missing) == 0 {
		return there, nil
	}
	deleted, err := o.deleted(ctx, look.lane, missing, selected)
	if err != nil {
		return nil, err
	}
	for n, f := range deleted {
		look.list[missingAt[n]].LinkedDeleted = f.Account
	}
	return there, look.deferUnread(missingAt, deleted, readable)
}

// findOwners finds out to whom the accounts that users are known to have are bound.
func (o *observer) findOwners(ctx context.Context, look *look, linked []int) error {
	if len(linked) == 0 {
		return nil
	}
	ids := make([]directory.AccountID, len(linked))
	for n, i := range linked {
		ids[n] = look.list[i].Linked.ID
	}
	owners, err := o.accounts.AccountOwners(ctx, &o.s.conn, ids)
	for _, i := range linked {
		look.list[i].TakenBy = owners
	}
	return err
}

// findExternals looks for users who are in the tenant already as somebody from
// outside. Only whose address lies in a domain that is not the tenant's can be:
// who has another one there is found by it.
func (o *observer) findExternals(ctx context.Context, look *look, at []int) error {
	var addresses []string
	var abroad []int
	for _, i := range at {
		email := directory.FoldAddress(look.list[i].User.Email)
		if !o.s.conn.ClaimsDomain(directory.DomainOf(email)) && o.addresses.mayBeExternal(email) {
			addresses, abroad = append(addresses, email), append(abroad, i)
		}
	}
	if len(addresses) == 0 {
		return nil
	}
	selected := look.cfg.Mapper.Selected()
	found, err := o.inPieces(ctx, look.lane, addresses, homesEach, func(ctx context.Context, addresses []string) ([]directory.Found, error) {
		return o.tenant.Externals(ctx, addresses, selected)
	})
	if err != nil {
		return err
	}
	for n := range found {
		list := &look.list[abroad[n]].ByAddress
		*list = append(*list, found[n].Accounts...)
	}
	return look.deferUnread(abroad, found, readable)
}
