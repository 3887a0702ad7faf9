package licences

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"bindery/shared/core/licensing"
	"bindery/shared/core/plan"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Rule is one rule by which a user is to have a product.
type Rule struct {
	SKU           string   // the part number or the ID
	DisabledPlans []string // services that are to be off, by name or ID
	Priority      int
	Since         time.Time // since when the user falls under it
	By            string    // for people: "the group Sales"
	Editors       []string  // the subjects of those who say so
	// Group is the exported group whose tenant group gives the product to its members;
	// "": it is given to the account itself.
	Group directory.GroupID
}

// GroupRules are what an exported group's use says about licences.
type GroupRules struct {
	Gives    []Rule // what the tenant group gives its members
	Directly []Rule // what the members are given themselves
	// Expanded says that each member has a record that knows of these rules.
	Expanded bool
}

// Source tells who is to have what.
type Source interface {
	// Rules returns the rules that users fall under through a connection. Who is not in
	// the answer falls under none.
	Rules(ctx context.Context, c *directory.Connection, users []directory.UserID) (map[directory.UserID][]Rule, error)
	// Wishes hands on the rules of all users, as far as products are given to accounts by
	// them or by groups; each user's may come apart.
	Wishes(ctx context.Context, c *directory.Connection, do func(directory.UserID, *Rule)) error
	// GroupRules returns those of exported groups. What is not in the answer is not
	// exported.
	GroupRules(ctx context.Context, c *directory.Connection, groups []directory.GroupID) (map[directory.GroupID]GroupRules, error)
	// LicensedMembers hands on the users who fall under the rules of a group, part by
	// part, as long as do wants more.
	LicensedMembers(ctx context.Context, c *directory.Connection, g directory.GroupID, do func([]directory.UserID) (more bool, err error)) error
}

// Store is what licences need of package store.
type Store interface {
	BindingsOf(ctx context.Context, c directory.ConnectionID, refs []directory.Ref) (map[directory.Ref]directory.Binding, error)
	Subjects(ctx context.Context, ids []directory.UserID) (map[directory.UserID]store.Subject, error)
	ListBindings(ctx context.Context, kind directory.Kind, c directory.ConnectionID, epoch int64, cursor string, limit int) ([]directory.Binding, string, error)
	ListProblems(ctx context.Context, c directory.ConnectionID, epoch int64, code, cursor string, limit int) ([]store.ProblemRecord, string, error)
	ListMarks(ctx context.Context, c directory.ConnectionID, epoch int64, cursor string, limit int) ([]store.Mark, string, error)
	BindMissing(ctx context.Context, c *directory.Connection, by string, list []store.Selection) error
	MarkRecheck(ctx context.Context, l *store.Lease, refs []directory.Ref, at time.Time) error
	Journal(ctx context.Context, l *store.Lease, c *directory.Connection, j store.Journal) error
	AccountOwners(ctx context.Context, c *directory.Connection, ids []directory.AccountID) (map[directory.AccountID]directory.UserID, error)
	// BoundObjects is how many records of a kind there are.
	BoundObjects(ctx context.Context, kind directory.Kind, c directory.ConnectionID, epoch int64) (n, withObject int, err error)
	// ObjectOwners says which of ours some objects of the tenant are.
	ObjectOwners(ctx context.Context, kind directory.Kind, c *directory.Connection, ids []directory.AccountID) (map[directory.AccountID]directory.Ref, error)
}

// StoreOf is that of a store.
func StoreOf(s *store.Store) Store { return stores{s.Bindings, s.Marks, s.Runs, s.Claims, s.Counters} }

// stores is what licences need, of several aggregates.
type stores struct {
	*store.Bindings
	*store.Marks
	*store.Runs
	*store.Claims
	*store.Counters
}

// Tenant is what licences need of a tenant's API.
type Tenant interface {
	// SKUs lists the products that the tenant has licences of.
	SKUs(ctx context.Context) ([]directory.LicenceSKU, error)
	// Licences reads what accounts have, each in its place; no value: there is no such
	// account.
	Licences(ctx context.Context, ids []directory.AccountID) ([]directory.Read[directory.AccountLicences], error)
	// ListLicences reads a page of all accounts with what they have; link is the page's
	// Next, "" for the first one.
	ListLicences(ctx context.Context, link string) (directory.LicencePage, error)
	// Groups reads tenant groups as Licences does accounts.
	Groups(ctx context.Context, ids []directory.TenantGroupID) ([]directory.Read[directory.TenantGroup], error)
	// Members reads first pages of members, and MoreMembers the page that a link leads to.
	Members(ctx context.Context, groups []directory.TenantGroupID) ([]directory.Read[directory.MemberPage], error)
	MoreMembers(ctx context.Context, link string) (directory.MemberPage, error)
}

// Kind is the kind of licences.
type Kind struct {
	store  Store
	source Source
	// compete is how many compete for seats at once, beside the page that asks.
	compete int
	// Who tells who changed what we gave; nil: nobody asks.
	Who Attribution
}

// New returns the kind.
func New(s Store, rules Source) *Kind { return &Kind{store: s, source: rules, compete: manyCompete} }

// Name is directory.KindLicence.
func (k *Kind) Name() directory.Kind { return directory.KindLicence }

// Open returns what works on the licences of a connection. It panics on a tenant's API
// that does not know of licences: a mistake of whoever put the program together.
func (k *Kind) Open(s reconcile.Slice, tenant reconcile.Tenant) reconcile.Objects {
	return k.open(s, tenant)
}

func (k *Kind) open(s reconcile.Slice, tenant reconcile.Tenant) *objects {
	return &objects{records: &records{store: k.store, source: k.source, conn: s.Connection()}, s: s, tenant: tenant.(Tenant), compete: k.compete, who: k.Who}
}

// objects are the licences of a connection's users, or of its exported groups.
type objects struct {
	records *records
	s       reconcile.Slice
	tenant  Tenant
	compete int
	outlook *outlook               // of the run that is planned; nil: none is so far
	who     Attribution            // nil: nobody asks
	asked   int                    // how often it was
	known   []directory.LicenceSKU // the tenant's products as they were last read
	// groups are the tenant groups that were read, of groups' licences.
	groups map[directory.AccountID]*directory.TenantGroup
}

// records are what our directory says of a connection's licences, in its present epoch.
type records struct {
	store  Store
	source Source
	conn   *directory.Connection
	// groups says that the holders are exported groups; see GroupKind.
	groups bool
}

// user is the user whose licences a Ref names; of a group's the group, by its ID.
func user(ref directory.Ref) directory.UserID { return directory.UserID(ref.ID) }

// of reads the records of some licences that count.
func (r *records) of(ctx context.Context, refs []directory.Ref) (map[directory.Ref]*directory.Binding, error) {
	found, err := r.store.BindingsOf(ctx, r.conn.ID, refs)
	out := make(map[directory.Ref]*directory.Binding, len(found))
	for ref, b := range found {
		if b.Epoch == r.conn.Epoch {
			out[ref] = &b
		}
	}
	return out, err
}

// person is a user with the binding of the account, as far as that counts; or an
// exported group with that of its tenant group.
type person struct {
	user    *directory.User    // nil of a group, and of somebody who is not there any more
	account *directory.Binding // nil: not bound through the connection
	there   bool               // the user is, or it is a group
}

func (r *records) persons(ctx context.Context, ids []directory.UserID) (map[directory.UserID]person, error) {
	if r.groups {
		return r.exports(ctx, ids)
	}
	return r.users(ctx, ids)
}

func (r *records) users(ctx context.Context, ids []directory.UserID) (map[directory.UserID]person, error) {
	rows, err := r.store.Subjects(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[directory.UserID]person, len(rows))
	for id, row := range rows {
		p := person{user: row.User, there: row.User != nil}
		if b := row.Binding; b != nil && b.ConnectionID == r.conn.ID && b.Epoch == r.conn.Epoch {
			p.account = b
		}
		out[id] = p
	}
	return out, nil
}

// formers are the accounts that ledgers are of, of users who have none bound any more:
// what was given to one is taken back from it all the same. One that is another user's by
// now is that one's matter.
func (r *records) formers(ctx context.Context, found map[directory.Ref]*directory.Binding, persons map[directory.UserID]person) (map[directory.UserID]directory.AccountID, error) {
	out := map[directory.UserID]directory.AccountID{}
	if r.groups {
		return out, nil // a group that is no longer exported is its own matter, see GroupKind
	}
	var ids []directory.AccountID
	for ref, b := range found {
		if id := accountOf(b.Base); id != "" && persons[user(ref)].account == nil {
			out[user(ref)] = id
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return out, nil
	}
	owners, err := r.store.AccountOwners(ctx, r.conn, ids)
	maps.DeleteFunc(out, func(_ directory.UserID, id directory.AccountID) bool { _, taken := owners[id]; return taken })
	return out, err
}

// Properties of a record beside those that are its ledger.
const (
	// propAccount says of which account the ledger is.
	propAccount = "account"
	// propSent lists products that may have been given: their call was about to be sent,
	// and its answer is not noted.
	propSent = "sent"
	// propTried says when Microsoft was last asked again for what groups could not give,
	// see tries.
	propTried = "tried"
)

// ledger is what the base of a record says that we gave to an account: nothing when the
// user had another one then.
func ledger(b directory.Properties, of directory.AccountID) licensing.Ledger {
	l := licensing.Ledger{}
	if accountOf(b) != of {
		return l
	}
	for name, v := range b {
		if sku, ok := directory.LicenceOfProperty(name); ok {
			if off, has := directory.LicencePlansOff(v); has {
				l[sku] = off
			}
		}
	}
	return l
}

// accountOf is the account that a base is of; "": nothing was written so far.
func accountOf(b directory.Properties) directory.AccountID {
	return directory.AccountID(b[propAccount].String())
}

// turn has a record tell of another account than before, if it is another one: what was
// written lately was written to that one, and makes no read of this one old.
func turn(bd *directory.Binding, of directory.AccountID) {
	if was := accountOf(bd.Base); was != "" && was != of {
		bd.Writes, bd.LastWrite = nil, time.Time{}
	}
}

// sentOf are the products that an account may have been given, as the base of a record
// says.
func sentOf(b directory.Properties, of directory.AccountID) []directory.SKUID {
	if accountOf(b) != of {
		return nil
	}
	names, _ := b[propSent].List()
	list := make([]directory.SKUID, len(names))
	for i, n := range names {
		list[i] = directory.SKUID(n)
	}
	return list
}

// base is a ledger of an account in the form of a record, with what may have been given
// besides. What else the base said before of the same account stays.
func base(before directory.Properties, l licensing.Ledger, of directory.AccountID, sent ...directory.SKUID) directory.Properties {
	p := directory.Properties{propAccount: directory.StringValue(string(of))}
	if tried, noted := before[propTried]; noted && accountOf(before) == of {
		p[propTried] = tried
	}
	for sku, off := range l {
		p[directory.LicenceProperty(sku)] = directory.LicenceValue(off)
	}
	if len(sent) > 0 {
		names := make([]string, len(sent))
		for i, sku := range sent {
			names[i] = string(sku)
		}
		p[propSent] = directory.ListValue(names...)
	}
	return p
}

// settings are the connection's, or those that a dry run asks about.
func (o *objects) settings(w reconcile.Work) directory.Settings {
	if w.Run.Settings != nil {
		return w.Run.Settings.Defaulted()
	}
	return o.s.Connection().Settings.Defaulted()
}

// Times of waiting.
const (
	// looksForSeat is how often whoever is first in a line is looked at.
	looksForSeat = 15 * time.Minute
	// settles is after which time a value of the account that was just written is
	// known to all of Microsoft's services.
	settles = time.Minute
)

// Decide decides about licences.
func (o *objects) Decide(ctx context.Context, w reconcile.Work, refs []directory.Ref) (reconcile.Decided, error) {
	var out reconcile.Decided
	if o.outlook == nil || o.outlook.run != w.Run.ID {
		o.outlook = newOutlook(w.Run.ID)
	}
	if missing := o.outlook.missing(refs); len(missing) > 0 {
		next, err := o.look(ctx, w, o.outlook, missing)
		if err != nil {
			return out, err
		}
		if err := o.wakeOthers(ctx, w, next); err != nil {
			return out, err
		}
		o.outlook.join(next)
		o.tellOthers(&out, w, next)
	}
	for _, ref := range refs {
		if h := o.outlook.of[ref]; h != nil {
			h.told = true
			o.add(&out, w, h)
		}
	}
	return out, nil
}

// add adds what was decided about one user's licences to all of a page.
func (o *objects) add(out *reconcile.Decided, w reconcile.Work, h *holding) {
	d := h.decision
	if h.resumed() {
		out.Unwritten = append(out.Unwritten, reconcile.Resumed(h.record))
		return
	}
	if d.ends {
		out.Unwritten = append(out.Unwritten, reconcile.Ended(h.record))
		return
	}
	now := w.Now().UTC()
	kept, still := plan.Withhold(plan.Decision{Changes: slices.Clone(d.changes), Base: d.base, Status: d.status, Problem: d.problem, Findings: d.findings}, h.record.Declined)
	if d.problem != nil && d.status != directory.BindingPending {
		out.Refused++
	}
	if len(kept.Changes) == 0 {
		if len(still) > 0 {
			kept.Base, kept.Status = h.record.Base, directory.BindingInSync
		}
		bc := reconcile.Unwritten(w.Run.ID, h.record, kept, still, d.later, now)
		if unwritten, is := bc.Mutate, accountOf(kept.Base); h.moved() {
			bc.Mutate = func(bd *directory.Binding) bool {
				turn(bd, is)
				return unwritten(bd)
			}
		}
		out.Unwritten = append(out.Unwritten, bc)
		return
	}
	for i := range kept.Changes {
		c := kept.Changes[i]
		if i == len(kept.Changes)-1 {
			c.Findings = d.findings
		}
		reconcile.Stamp(&c, h.record, now)
		out.Changes = append(out.Changes, c)
	}
	out.Editors = append(append(out.Editors, h.editors...), h.record.AskedBy...) // of what is taken no rule is left
}

// tellOthers tells those who wait and are not asked about of a new place in line.
func (o *objects) tellOthers(out *reconcile.Decided, w reconcile.Work, p *part) {
	for _, h := range p.list {
		if is := h.decision.problem; !h.asked && is != nil && len(h.decision.changes) == 0 &&
			h.record.Problem != nil && h.record.Problem.Message != is.Message {
			o.add(out, w, h)
		}
	}
}

// wakeOthers marks those who wait, are not asked about, and get a seat now. Whoever is
// first in line is marked already, for the next look at the line: that is too late.
func (o *objects) wakeOthers(ctx context.Context, w reconcile.Work, p *part) error {
	if w.Run.DryRun {
		return nil
	}
	var list []directory.Ref
	for _, h := range p.list {
		if !h.asked && (len(h.decision.changes) > 0 || h.decision.ends) {
			list = append(list, h.record.Ref())
		}
	}
	return o.records.store.MarkRecheck(ctx, o.s.Lease(), list, o.s.Now())
}

// Explain decides about one user's licences, for a person: beside all who compete.
func (o *objects) Explain(ctx context.Context, w reconcile.Work, ref directory.Ref) (reconcile.Explained, error) {
	k := newOutlook(w.Run.ID)
	look, err := o.look(ctx, w, k, []directory.Ref{ref})
	if err != nil {
		return reconcile.Explained{}, err
	}
	k.join(look)
	h := k.of[ref]
	if h == nil {
		return reconcile.Explained{}, fmt.Errorf("licences of the user %s: %w", ref.ID, directory.ErrBusy) // ended a moment ago
	}
	return explained(h), nil
}

// trace is how a decision came about.
func trace(h *holding) plan.Trace {
	d := &h.decision
	t := plan.Trace{Decision: plan.TraceDecision{Status: d.status, Problem: d.problem, Findings: d.findings, Changes: slices.Clone(d.changes)}}
	if t.Decision.Changes == nil {
		t.Decision.Changes = []directory.Change{}
	}
	if h.account == nil && h.former != "" {
		t.Account = plan.TraceAccount{ID: h.former, UserPrincipalName: h.record.UserPrincipalName, State: "released"}
	}
	if h.account != nil {
		t.Account = plan.TraceAccount{ID: h.account.AccountID, UserPrincipalName: h.account.UserPrincipalName, State: "bound"}
	}
	names := map[string]bool{}
	for sku := range h.holder.Given {
		names[directory.LicenceProperty(sku)] = true
	}
	for _, w := range h.holder.Wishes {
		names[directory.LicenceProperty(w.SKU)] = true
	}
	for _, name := range slices.Sorted(keys(names)) {
		t.Attributes = append(t.Attributes, traceOf(h, name))
	}
	return t
}

func traceOf(h *holding, name string) plan.TraceAttribute {
	sku, _ := directory.LicenceOfProperty(name)
	at := plan.TraceAttribute{Name: name, Rule: "rules of licences", Observed: h.direct(sku), Outcome: "equal"}
	if off, gave := h.holder.Given[sku]; gave {
		at.Base = directory.LicenceValue(off)
	}
	for _, w := range h.holder.Wishes {
		if w.SKU == sku {
			at.Desired, at.Note = directory.LicenceValue(w.Disabled), w.By
			if w.ByGroup {
				at.Note += ", whose members get it from Microsoft by the tenant group"
			}
		}
	}
	for i := range h.decision.changes {
		c := &h.decision.changes[i]
		if _, in := c.After()[name]; in {
			at.Outcome, at.Effect, at.Reason = "write", c.Effect, c.Reason
		}
	}
	for _, p := range h.decision.findings {
		if p.Property == name {
			at.Outcome, at.Reason = "report", p.Message
		}
	}
	if p := h.decision.problem; p != nil && p.Property == name {
		at.Outcome, at.Problem = "refused", p
	}
	return at
}
