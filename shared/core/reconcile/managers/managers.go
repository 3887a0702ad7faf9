package managers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Store is what managers need of package store.
type Store interface {
	BindingsOf(ctx context.Context, c directory.ConnectionID, refs []directory.Ref) (map[directory.Ref]directory.Binding, error)
	Subjects(ctx context.Context, ids []directory.UserID) (map[directory.UserID]store.Subject, error)
	Reports(ctx context.Context, manager directory.UserID, cursor string, limit int) ([]directory.User, string, error)
	ListBindings(ctx context.Context, kind directory.Kind, c directory.ConnectionID, epoch int64, cursor string, limit int) ([]directory.Binding, string, error)
	BindMissing(ctx context.Context, c *directory.Connection, by string, list []store.Selection) error
	MarkRecheck(ctx context.Context, l *store.Lease, refs []directory.Ref, at time.Time) error
	BeforeImages(ctx context.Context, tenant directory.TenantID, accounts []directory.AccountID, refs []directory.Ref) (map[directory.AccountID]store.BeforeImage, error)
	AccountOwners(ctx context.Context, c *directory.Connection, ids []directory.AccountID) (map[directory.AccountID]directory.UserID, error)
}

// StoreOf is that of a store.
func StoreOf(s *store.Store) Store { return stores{s.Bindings, s.Users, s.Marks, s.Claims} }

// stores is what managers need, of several aggregates.
type stores struct {
	*store.Bindings
	*store.Users
	*store.Marks
	*store.Claims
}

// Tenant is what managers need of a tenant's API.
type Tenant interface {
	// Managers reads the managers of accounts, each in its place; "" is nobody, and no
	// value that there is no such account.
	Managers(ctx context.Context, ids []directory.AccountID) ([]directory.Read[directory.AccountID], error)
	// Lookup reads accounts by ID.
	Lookup(ctx context.Context, refs []string, selected []string) ([]directory.Found, error)
}

// Kind is the kind of managers.
type Kind struct{ store Store }

// New returns the kind.
func New(s Store) *Kind { return &Kind{s} }

// Name is directory.KindManager.
func (k *Kind) Name() directory.Kind { return directory.KindManager }

// Open returns what works on the managers of a connection. It panics on a tenant's API
// that cannot read them: a mistake of whoever put the program together.
func (k *Kind) Open(s reconcile.Slice, tenant reconcile.Tenant) reconcile.Objects {
	return &objects{records: &records{k.store, s.Connection()}, s: s, tenant: tenant.(Tenant)}
}

// objects are the managers of a connection's users.
type objects struct {
	records *records
	s       reconcile.Slice
	tenant  Tenant
}

// records are what our directory says of a connection's managers, in its present
// epoch.
type records struct {
	store Store
	conn  *directory.Connection
}

// of reads those of some managers that count.
func (o *records) of(ctx context.Context, refs []directory.Ref) (map[directory.Ref]*directory.Binding, error) {
	found, err := o.store.BindingsOf(ctx, o.conn.ID, refs)
	out := make(map[directory.Ref]*directory.Binding, len(found))
	for ref, b := range found {
		if b.Epoch == o.conn.Epoch {
			out[ref] = &b
		}
	}
	return out, err
}

// persons reads users with the bindings of their accounts, as far as these count.
func (o *records) persons(ctx context.Context, ids []directory.UserID) (map[directory.UserID]person, error) {
	slices.Sort(ids)
	rows, err := o.store.Subjects(ctx, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	out := make(map[directory.UserID]person, len(rows))
	for id, row := range rows {
		p := person{user: row.User}
		if b := row.Binding; b != nil && b.ConnectionID == o.conn.ID && b.Epoch == o.conn.Epoch {
			p.account = b
		}
		out[id] = p
	}
	return out, nil
}

// user is the user whose manager a Ref names.
func user(ref directory.Ref) directory.UserID { return directory.UserID(ref.ID) }

// subjects reads what deciding about managers needs, but for what the tenant has.
// Those without a record are left out.
func (o *records) subjects(ctx context.Context, refs []directory.Ref) ([]*subject, error) {
	found, err := o.of(ctx, refs)
	if err != nil {
		return nil, err
	}
	list := make([]*subject, 0, len(found))
	var ids []directory.UserID
	for _, ref := range refs {
		if b := found[ref]; b != nil {
			list, ids = append(list, &subject{record: b}), append(ids, user(ref))
		}
	}
	persons, err := o.persons(ctx, slices.Clone(ids))
	if err != nil {
		return nil, err
	}
	var bosses []directory.UserID
	for n, x := range list {
		x.person = persons[ids[n]]
		if x.user != nil && x.user.ManagerID.Valid() {
			bosses = append(bosses, x.user.ManagerID)
		}
	}
	managers, err := o.persons(ctx, bosses)
	if err != nil {
		return nil, err
	}
	for _, x := range list {
		if x.user != nil {
			x.manager = managers[x.user.ManagerID]
		}
	}
	return list, o.released(ctx, list)
}

// released finds of those who are let go with the values from before the account that we
// have written to, as long as it is nobody else's, and the manager that it had.
func (o *records) released(ctx context.Context, list []*subject) error {
	var of []*subject
	var ids []directory.AccountID
	var refs []directory.Ref
	for _, x := range list {
		id := x.record.AccountID
		if id == "" && x.account != nil {
			id = x.account.AccountID
		}
		if x.record.Release == directory.ReleaseRestore && id != "" {
			of, ids, refs = append(of, x), append(ids, id), append(refs, x.record.Ref())
		}
	}
	if len(of) == 0 {
		return nil
	}
	owners, err := o.store.AccountOwners(ctx, o.conn, ids)
	if err != nil {
		return err
	}
	images, err := o.store.BeforeImages(ctx, o.conn.TenantID(), ids, refs)
	for i, x := range of {
		if owner, bound := owners[ids[i]]; !bound || owner == user(x.record.Ref()) {
			x.former = ids[i]
		}
		x.before = x.record.Before
		if _, kept := images[ids[i]].Before[directory.PropManager]; kept {
			x.before = images[ids[i]].Before
		}
	}
	return err
}

// observe reads the managers of subjects' accounts; unread are those of whom it is
// not known now.
func (o *objects) observe(ctx context.Context, w reconcile.Work, list []*subject) (unread map[*subject]*directory.Problem, err error) {
	var ids []directory.AccountID
	var of []*subject
	for _, x := range list {
		if id := x.accountID(); id != "" {
			ids, of = append(ids, id), append(of, x)
		}
	}
	found, err := reconcile.ReadEach(ctx, w, ids, 1, o.tenant.Managers)
	if err != nil {
		return nil, err
	}
	unread = map[*subject]*directory.Problem{}
	for n, x := range of {
		x.fresh = o.s.Fresh(x.record).Has(directory.PropManager)
		if f := &found[n]; f.Value != nil && f.Err() == nil {
			x.observed = directory.StringValue(string(*f.Value))
		} else {
			unread[x] = notRead(f.Problem)
		}
	}
	return unread, o.name(ctx, w, of)
}

// name finds out what people call the managers of accounts where somebody at Microsoft has
// changed them. Of whom that is not known the ID is told.
func (o *objects) name(ctx context.Context, w reconcile.Work, list []*subject) error {
	var ids []directory.AccountID
	for _, x := range list {
		base, known := x.record.Base[directory.PropManager]
		if !known || x.fresh || same(base, x.observed) {
			continue
		}
		for _, v := range []directory.Value{base, x.observed} {
			if !v.IsNull() {
				ids = append(ids, directory.AccountID(v.String()))
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	names, _, err := reconcile.AccountNames(ctx, w, o.tenant.Lookup, ids)
	for _, x := range list {
		x.names = names
	}
	return err
}

// settings are the connection's, or those that a dry run asks about.
func (o *objects) settings(w reconcile.Work) directory.Settings {
	if w.Run.Settings != nil {
		return w.Run.Settings.Defaulted()
	}
	return o.s.Connection().Settings.Defaulted()
}

// Decide decides about managers.
func (o *objects) Decide(ctx context.Context, w reconcile.Work, refs []directory.Ref) (reconcile.Decided, error) {
	var out reconcile.Decided
	list, err := o.records.subjects(ctx, refs)
	if err != nil {
		return out, err
	}
	unread, err := o.observe(ctx, w, list)
	if err != nil {
		return out, err
	}
	settings, now := o.settings(w), w.Now().UTC()
	for _, x := range list {
		if x.resumed() {
			out.Unwritten = append(out.Unwritten, reconcile.Resumed(x.record))
			continue
		}
		if p := unread[x]; p != nil {
			d := plan.Decision{Status: directory.BindingFailed, Problem: p, Base: x.record.Base, Findings: x.record.Findings}
			out.Refused++
			out.Unwritten = append(out.Unwritten, reconcile.Unwritten(w.Run.ID, x.record, d, x.record.Declined, reconcile.Rest(x.record), now))
			continue
		}
		o.add(&out, w, x, decide(&settings, x))
	}
	return out, nil
}

// notRead is what is wrong when the manager of an account could not be read. Whether
// the account is gone is the binding's own matter, which it tells.
func notRead(p *directory.Problem) *directory.Problem {
	if p != nil {
		return p
	}
	return &directory.Problem{Code: directory.CodeAccountNotRead, Message: "The account's manager could not be read.", Next: "It is read again by itself."}
}

// add adds what was decided about one manager to all of a page.
func (o *objects) add(out *reconcile.Decided, w reconcile.Work, x *subject, d decision) {
	now := w.Now().UTC()
	if d.ends {
		out.Unwritten = append(out.Unwritten, reconcile.Ended(x.record))
		return
	}
	decided := plan.Decision{Status: d.status, Base: d.base, Problem: d.problem, Findings: d.findings}
	if d.change != nil {
		decided.Changes = []directory.Change{*d.change}
	}
	kept, still := plan.Withhold(decided, x.record.Declined)
	if len(kept.Changes) > 0 {
		c := kept.Changes[0]
		c.Findings = d.findings
		reconcile.Stamp(&c, x.record, now)
		out.Changes = append(out.Changes, c)
		out.Editors = append(out.Editors, reconcile.EditorsOf(x.user, x.record)...)
		return
	}
	if len(still) > 0 {
		kept.Base, kept.Status = x.record.Base, directory.BindingInSync
	}
	out.Unwritten = append(out.Unwritten, reconcile.Unwritten(w.Run.ID, x.record, kept, still, d.later, now))
}

// Explain decides about one manager, for a person.
func (o *objects) Explain(ctx context.Context, w reconcile.Work, ref directory.Ref) (reconcile.Explained, error) {
	var out reconcile.Explained
	list, err := o.records.subjects(ctx, []directory.Ref{ref})
	if err != nil {
		return out, err
	}
	if len(list) == 0 {
		return out, fmt.Errorf("manager of the user %s: %w", ref.ID, directory.ErrBusy) // ended a moment ago
	}
	x := list[0]
	unread, err := o.observe(ctx, w, list)
	if err != nil {
		return out, err
	}
	if p := unread[x]; p != nil {
		out.Problem = p
		return out, nil
	}
	settings := o.settings(w)
	d := decide(&settings, x)
	out.Trace = trace(&settings, x, &d)
	out.Problem, out.Findings = d.problem, d.findings
	out.Changes = out.Decision.Changes
	return out, nil
}

// trace is how a decision came about.
func trace(s *directory.Settings, x *subject, d *decision) plan.Trace {
	t := plan.Trace{Decision: plan.TraceDecision{Status: d.status, Problem: d.problem, Findings: d.findings, Changes: []directory.Change{}}}
	if x.account != nil {
		t.Account = plan.TraceAccount{ID: x.account.AccountID, UserPrincipalName: x.account.UserPrincipalName, State: "bound", Fresh: x.fresh}
	}
	at := plan.TraceAttribute{Name: directory.PropManager, Rule: "settings.manager", Desired: d.wanted, Base: x.record.Base[directory.PropManager],
		Observed: x.observed, Foreign: s.Foreign(directory.PropManager), Outcome: "left"}
	switch {
	case d.change != nil:
		at.Outcome, at.Effect, at.Reason = "write", d.change.Effect, d.change.Reason
		t.Decision.Changes = append(t.Decision.Changes, *d.change)
	case d.managed && same(d.wanted, x.observed):
		at.Outcome = "equal"
	case d.managed && len(d.findings) > 0:
		at.Outcome = "report"
	}
	t.Attributes = []plan.TraceAttribute{at}
	return t
}

// resolve is the account that a value of a change stands for: the value itself, or
// that of the user whom it names. Null when that one has none.
func resolve(v directory.Value, persons map[directory.UserID]person) directory.Value {
	id, coming := directory.ManagerToCome(v)
	if !coming {
		return v
	}
	if b := persons[id].account; b != nil {
		return directory.StringValue(string(b.AccountID))
	}
	return directory.Null
}

// named are the users whom changes are about, and those whom their values name.
func named(changes []*directory.Change) []directory.UserID {
	var ids []directory.UserID
	for _, c := range changes {
		ids = append(ids, user(c.Object))
		for _, p := range c.Properties {
			if id, coming := directory.ManagerToCome(p.After); coming {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// found is what the tenant has for some changes, each in its place; nil: it is not
// known, or the change's account is not.
func (o *objects) found(ctx context.Context, w reconcile.Work, changes []*directory.Change, persons map[directory.UserID]person) ([]*directory.Value, error) {
	out := make([]*directory.Value, len(changes))
	var ids []directory.AccountID
	var at []int
	for n, c := range changes {
		id := c.AccountID
		if b := persons[user(c.Object)].account; id == "" && b != nil {
			id = b.AccountID
		}
		if id != "" {
			ids, at = append(ids, id), append(at, n)
		}
	}
	found, err := reconcile.ReadEach(ctx, w, ids, 1, o.tenant.Managers)
	if err != nil {
		return nil, err
	}
	for i, n := range at {
		if f := &found[i]; f.Value != nil && f.Err() == nil {
			v := directory.StringValue(string(*f.Value))
			out[n] = &v
		}
	}
	return out, nil
}

// Drifted reads the managers that changes are about: exactly what was approved is
// written, or nothing. Who is the manager as a change wants it may be so by that change
// itself, of which nobody heard: it is sent again.
func (o *objects) Drifted(ctx context.Context, w reconcile.Work, all []directory.Change, places []int) (map[int]reconcile.Verdict, error) {
	var list []*directory.Change
	var at []int
	for _, i := range places {
		if all[i].AccountID != "" {
			list, at = append(list, &all[i]), append(at, i)
		}
	}
	persons, err := o.records.persons(ctx, named(list))
	if err != nil {
		return nil, err
	}
	found, err := o.found(ctx, w, list, persons)
	if err != nil {
		return nil, err
	}
	out := map[int]reconcile.Verdict{}
	for n, c := range list {
		p := &directory.Problem{Code: directory.CodeOutdated, Next: "The next run plans it anew."}
		switch {
		case found[n] == nil:
			p.Message = "Whether the account's manager is still as it was could not be read."
		case !same(*found[n], c.Properties[0].Before) && !same(*found[n], resolve(c.Properties[0].After, persons)):
			p.Message = "The account's manager changed after this was planned."
		default:
			continue
		}
		out[at[n]] = reconcile.Verdict{State: directory.ChangeOutdated, Problem: p}
	}
	return out, nil
}

// ReadBack reads the managers that were written.
func (o *objects) ReadBack(ctx context.Context, w reconcile.Work, changes []*directory.Change) ([]plan.ReadBack, error) {
	persons, err := o.records.persons(ctx, named(changes))
	if err != nil {
		return nil, err
	}
	found, err := o.found(ctx, w, changes, persons)
	if err != nil {
		return nil, err
	}
	out := make([]plan.ReadBack, len(changes))
	for n, c := range changes {
		out[n] = plan.ReadAgrees
		if found[n] == nil || !same(*found[n], resolve(c.Properties[0].After, persons)) {
			out[n] = plan.Unread(w.Now().Sub(c.At))
		}
	}
	return out, nil
}

// Names are none: nobody else is in the way of a manager.
func (o *objects) Names(*directory.Change) (gives, takes string) { return "", "" }

// Taken is not met: the record of a manager claims no object of the tenant.
func (o *objects) Taken(by directory.Ref) *directory.Problem {
	return &directory.Problem{Code: directory.CodeAccountBound, Message: "The account is bound to another user.", Holder: by.ID}
}

// Batch sends changes of managers.
func (o *objects) Batch(w reconcile.Work) reconcile.Batch { return &batch{o: o, w: w} }

// Undo plans the inverse of changes, as far as the accounts still have the managers
// that these gave them.
func (o *objects) Undo(ctx context.Context, w reconcile.Work, changes []directory.Change) (plan.Undone, error) {
	var out plan.Undone
	nets := netsOf(changes)
	refs := slices.SortedFunc(maps.Keys(nets), func(a, b directory.Ref) int { return strings.Compare(a.ID, b.ID) })
	list, err := o.records.subjects(ctx, refs)
	if err != nil {
		return out, err
	}
	unread, err := o.observe(ctx, w, list)
	if err != nil {
		return out, err
	}
	persons, err := o.records.persons(ctx, named(pointers(changes)))
	if err != nil {
		return out, err
	}
	there := map[directory.Ref]*subject{}
	for _, x := range list {
		there[x.record.Ref()] = x
	}
	for _, ref := range refs {
		n, x := nets[ref], there[ref]
		n.wrote = resolve(n.wrote, persons)
		c, code := back(w.Run.UndoOf, n, x, x != nil && unread[x] != nil)
		if c != nil {
			out.Changes = append(out.Changes, *c)
		}
		if code != "" {
			left := plan.LeftOf(ref, code)
			left.Property, left.Wrote = directory.PropManager, n.wrote
			if x != nil {
				left.Found = x.observed
			}
			out.Left = append(out.Left, left)
		}
	}
	return out, nil
}

func pointers(changes []directory.Change) []*directory.Change {
	list := make([]*directory.Change, len(changes))
	for i := range changes {
		list[i] = &changes[i]
	}
	return list
}
