package managers

import (
	"context"
	"maps"
	"slices"
	"strings"

	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Records of managers are made by edits and bindings (store/manager_records.go). Here they
// are made of everybody with each full round: when the settings have changed, when an
// admin asks for a full run, and once a week. In between the rounds of accounts tell that a
// manager was changed at Microsoft: what differs is marked.

// expandPage is how many users are looked at together.
const expandPage = 100

// ofRecords begins the cursor in the second part of an expansion: the records that
// there are. The first part is the users who have none yet.
const ofRecords = "records:"

// Expand makes the records that are missing, and marks those whose managers are not as
// they should be, a page at a time.
func (o *objects) Expand(ctx context.Context, w reconcile.Work, cursor string) (next string, err error) {
	from, second := strings.CutPrefix(cursor, ofRecords)
	if !second && o.s.Connection().Settings.Manager.Export {
		next, err = o.expandUsers(ctx, cursor)
		if next == "" {
			next = ofRecords
		}
		return next, err
	}
	if next, err = o.expandRecords(ctx, w, from); next != "" {
		next = ofRecords + next
	}
	return next, err
}

// expandUsers makes the records of a page of bound users.
func (o *objects) expandUsers(ctx context.Context, cursor string) (next string, err error) {
	c := o.s.Connection()
	list, next, err := o.records.store.ListBindings(ctx, directory.KindAccount, c.ID, o.s.Epoch(), cursor, expandPage)
	if err != nil {
		return "", err
	}
	var ids []directory.UserID
	for i := range list {
		if list[i].Release == "" {
			ids = append(ids, list[i].UserID)
		}
	}
	persons, err := o.records.persons(ctx, ids)
	if err != nil {
		return "", err
	}
	return next, o.records.store.BindMissing(ctx, c, directory.BySystem, missing(c, persons))
}

// missing selects the records of persons of whom something is to be written.
func missing(c *directory.Connection, persons map[directory.UserID]person) []store.Selection {
	var list []store.Selection
	for id, p := range persons {
		if p.user != nil && p.account != nil && p.user.Deleted == nil && (p.user.ManagerID != "" || c.Settings.Manager.Clear) {
			list = append(list, store.Selection{Object: directory.ManagerOf(id), Version: p.user.Version})
		}
	}
	slices.SortFunc(list, func(a, b store.Selection) int { return strings.Compare(a.Object.ID, b.Object.ID) })
	return list
}

// expandRecords marks those of a page of records that a decision would change.
func (o *objects) expandRecords(ctx context.Context, w reconcile.Work, cursor string) (next string, err error) {
	c := o.s.Connection()
	list, next, err := o.records.store.ListBindings(ctx, directory.KindManager, c.ID, o.s.Epoch(), cursor, expandPage)
	if err != nil {
		return "", err
	}
	refs := make([]directory.Ref, len(list))
	for i := range list {
		refs[i] = list[i].Ref()
	}
	subjects, err := o.records.subjects(ctx, refs)
	if err != nil {
		return "", err
	}
	unread, err := o.observe(ctx, w, subjects)
	if err != nil {
		return "", err
	}
	settings := c.Settings.Defaulted()
	var marked []directory.Ref
	for _, x := range subjects {
		if unread[x] != nil || x.record.Marked {
			continue
		}
		d := decide(&settings, x)
		if d.ends || d.change != nil || !alike(d.findings, x.record.Findings) {
			marked = append(marked, x.record.Ref())
		}
	}
	return next, o.records.store.MarkRecheck(ctx, o.s.Lease(), marked, o.s.Now())
}

// Selects is the manager, while managers are written.
func (o *objects) Selects() []string {
	if !o.s.Connection().Settings.Manager.Export {
		return nil
	}
	return []string{directory.PropManager}
}

// Shown are the managers of accounts that have another one than was agreed.
func (o *objects) Shown(ctx context.Context, accounts []directory.Account, owners map[directory.AccountID]directory.UserID) (now, later []directory.Ref, err error) {
	managers := map[directory.Ref]directory.AccountID{}
	for i := range accounts {
		a := &accounts[i]
		if u, bound := owners[a.ID]; bound && a.Manager != nil {
			managers[directory.ManagerOf(u)] = *a.Manager
		}
	}
	records, err := o.records.of(ctx, slices.Collect(maps.Keys(managers)))
	if err != nil {
		return nil, nil, err
	}
	for ref, b := range records {
		base, known := b.Base[directory.PropManager]
		switch {
		case !known, same(base, directory.StringValue(string(managers[ref]))):
		case o.s.Fresh(b).Any():
			later = append(later, ref)
		default:
			now = append(now, ref)
		}
	}
	return now, later, nil
}

// alike reports whether two lists of findings tell of the same.
func alike(a, b []directory.Problem) bool {
	return slices.EqualFunc(a, b, func(a, b directory.Problem) bool { return a.Code == b.Code && a.Message == b.Message })
}

// Dependents are the managers that are to be looked at since something has become of a
// user's account: the user's own, whose record is made if it is missing, and those of
// the reports of whom it says something else now.
func (k *Kind) Dependents(ctx context.Context, c *directory.Connection, ref directory.Ref) ([]directory.Ref, error) {
	id := ref.User()
	if id == "" || !c.Settings.Manager.Export {
		return nil, nil
	}
	o := &records{k.store, c}
	persons, err := o.persons(ctx, []directory.UserID{id})
	if err != nil {
		return nil, err
	}
	if err := k.store.BindMissing(ctx, c, directory.BySystem, missing(c, persons)); err != nil {
		return nil, err
	}
	refs := []directory.Ref{directory.ManagerOf(id)}
	for cursor, first := "", true; first || cursor != ""; first = false {
		reports, next, err := k.store.Reports(ctx, id, cursor, expandPage)
		if err != nil {
			return nil, err
		}
		stale, err := o.stale(ctx, reports)
		if err != nil {
			return nil, err
		}
		refs, cursor = append(refs, stale...), next
	}
	return refs, nil
}

// stale are the records of users of whom a decision would want something else than was
// agreed, or find something else. Those that are to be looked at anyway are not.
func (o *records) stale(ctx context.Context, users []directory.User) ([]directory.Ref, error) {
	var refs []directory.Ref
	for i := range users {
		refs = append(refs, directory.ManagerOf(users[i].ID))
	}
	subjects, err := o.subjects(ctx, refs)
	if err != nil {
		return nil, err
	}
	var list []directory.Ref
	settings := o.conn.Settings.Defaulted()
	for _, x := range subjects {
		base, known := x.record.Base[directory.PropManager]
		x.observed = base // what the tenant has is not asked
		d := decide(&settings, x)
		if !x.record.Dirty() && (d.ends || d.change != nil || d.managed && !known || !alike(d.findings, x.record.Findings) || x.record.Problem != nil) {
			list = append(list, x.record.Ref())
		}
	}
	return list, nil
}
