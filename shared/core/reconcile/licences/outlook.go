package licences

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"bindery/shared/core/licensing"
	"bindery/shared/core/plan"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
)

// outlook is what was decided in a run about everybody who competes for seats, part by
// part: a part of those who compete is looked at together with the page of the run that
// asks first.
type outlook struct {
	run directory.RunID
	// of are the holdings of the last part, and of former ones those that no page has
	// asked for yet; nil: there is no record.
	of map[directory.Ref]*holding
	// decided are all that were in a part.
	decided map[directory.Ref]bool
	// handed is how many seats the parts take more than they free.
	handed map[directory.SKUID]int
}

func newOutlook(run directory.RunID) *outlook {
	return &outlook{run: run, of: map[directory.Ref]*holding{}, decided: map[directory.Ref]bool{}, handed: map[directory.SKUID]int{}}
}

// missing are those of some records about which nothing was decided.
func (k *outlook) missing(refs []directory.Ref) []directory.Ref {
	return slices.DeleteFunc(slices.Clone(refs), func(r directory.Ref) bool {
		_, in := k.of[r]
		return in
	})
}

// part is what was decided about some of those who compete, together.
type part struct {
	asked []directory.Ref // of these there may be no record
	list  []*holding
	seats []licensing.Seats
}

// join adds a part to what was decided. What pages have been told of former parts is
// forgotten.
func (k *outlook) join(p *part) {
	maps.DeleteFunc(k.of, func(_ directory.Ref, h *holding) bool { return h == nil || h.told })
	for _, ref := range p.asked {
		k.of[ref] = nil // it was looked for
		k.decided[ref] = true
	}
	for _, h := range p.list {
		k.of[h.record.Ref()] = h
		k.decided[h.record.Ref()] = true
	}
	for i := range p.seats {
		k.handed[p.seats[i].SKU] += p.seats[i].Taken + p.seats[i].Coming - p.seats[i].Freed
	}
}

// without are the tenant's products without the seats that former parts were handed.
func (k *outlook) without(skus []directory.LicenceSKU) []directory.LicenceSKU {
	left := slices.Clone(skus)
	for i := range left {
		left[i].Consumed += k.handed[left[i].ID]
	}
	return left
}

// holding is one user's licences with all that was read about them.
type holding struct {
	record *directory.Binding
	asked  bool // it is this run's, or the next one's, to say what becomes of it
	person
	// former is the account that what we gave is taken back from, of a user who has none
	// bound any more.
	former directory.AccountID
	gone   bool // there is no such account, or group, any more, certainly
	rules  []Rule
	group  GroupRules                 // of a group's licences
	held   *directory.AccountLicences // nil: not read, or there is no account
	read   *directory.AccountLicences // as read, although it may be older than we wrote it
	unread *directory.Problem         // why it could not be read
	holder licensing.Holder
	// about are the circumstances of what groups could not give, and asksAgain is after
	// which time Microsoft may be asked again; 0: it is not to be, as things are.
	about     string
	asksAgain time.Duration
	by        *directory.Actor // who changed what we gave; nil: it is not known
	// editors are the subjects whose edits the changes come from.
	editors  []string
	decision decision
	told     bool // to a page of the run
}

// decision is what is to be done about one user's licences.
type decision struct {
	changes  []directory.Change
	ends     bool // the record goes
	base     directory.Properties
	status   directory.BindingStatus
	problem  *directory.Problem
	findings []directory.Problem
	later    time.Duration
}

func keys[K comparable, V any](m map[K]V) iter.Seq[K] { return maps.Keys(m) }

// accountID is the account that the user has now, or had last; "": none yet.
func (h *holding) accountID() directory.AccountID {
	if h.account == nil {
		return h.former
	}
	return h.account.AccountID
}

// given is what we gave to that account: what the ledger says, and of what may have been
// given besides, which nobody heard of, what is there.
func (h *holding) given() licensing.Ledger {
	l := ledger(h.record.Base, h.accountID())
	if h.held == nil {
		return l
	}
	for _, sku := range sentOf(h.record.Base, h.accountID()) {
		_, known := l[sku]
		if s, has := h.held.Direct(sku); has && !known {
			l[sku] = tidy(s.DisabledPlans)
		}
	}
	return l
}

// moved reports whether the record tells of another account, which the user had before.
func (h *holding) moved() bool {
	was, is := accountOf(h.record.Base), h.accountID()
	return was != "" && is != "" && was != is
}

// direct is the value of a product as the account has it, given to it itself.
func (h *holding) direct(sku directory.SKUID) directory.Value {
	if h.holder.Held == nil {
		return directory.Null
	}
	s, has := h.holder.Held.Direct(sku)
	if !has {
		return directory.Null
	}
	return directory.LicenceValue(tidy(s.DisabledPlans))
}

func tidy(plans []directory.ServicePlanID) []directory.ServicePlanID {
	return slices.Compact(slices.Sorted(slices.Values(plans)))
}

// look reads those who are asked about and who compete with them, and decides.
func (o *objects) look(ctx context.Context, w reconcile.Work, k *outlook, refs []directory.Ref) (*part, error) {
	all, asked, cut, err := o.competitors(ctx, w, k, refs)
	if err != nil {
		return nil, err
	}
	list, err := o.holdings(ctx, all)
	if err != nil {
		return nil, err
	}
	for _, h := range list {
		h.asked = asked[h.record.Ref()]
	}
	if err := o.observe(ctx, w, list); err != nil {
		return nil, err
	}
	skus, err := o.skus(ctx, w)
	if err != nil {
		return nil, err
	}
	settings := o.settings(w)
	from, err := o.sources(ctx, list, skus)
	if err != nil {
		return nil, err
	}
	prepare := func() {
		for _, h := range list {
			h.prepare(&settings, o.s.Connection(), skus, from)
		}
	}
	prepare()
	if err := o.whoChanged(ctx, w, list); err != nil {
		return nil, err
	}
	seats := decide(&settings, k.without(skus), list, from, nil, w.Now())
	if cut {
		claims, err := o.claims(ctx, k, all, seats, skus)
		if err != nil {
			return nil, err
		}
		if len(claims) > 0 {
			prepare()
			seats = decide(&settings, k.without(skus), list, from, claims, w.Now())
		}
	}
	return &part{asked: refs, list: list, seats: seats}, nil
}

// manyCompete is how many compete at once: each of them is read, a few dozen a second,
// before the first page's plan is stored.
const manyCompete = 1000

// manyMarks is how many marks are listed at once.
const manyMarks = 1000

// competitors are the records of those who may get a seat, or give one back, beside those
// that are asked about: all that wait and all that are marked, as far as they are not too
// many and no former part had them. Who waits goes first. Of the marked those go first
// that come after the ones that are asked about, since they are asked about next. asked are
// those that are asked about, now or by marks that have come of age; cut says that there may
// be others.
func (o *objects) competitors(ctx context.Context, w reconcile.Work, k *outlook, refs []directory.Ref) (list []directory.Ref, asked map[directory.Ref]bool, cut bool, err error) {
	c := o.s.Connection()
	r := &rivals{all: map[directory.Ref]bool{}, but: k.decided}
	for _, ref := range refs {
		r.all[ref] = true
	}
	r.most = len(r.all) + o.compete
	asked = maps.Clone(r.all)
	err = paged(func(cursor string) (string, error) {
		waiting, next, err := o.records.store.ListProblems(ctx, c.ID, c.Epoch, directory.CodeWaitingForSeat, cursor, 0)
		for i := range waiting {
			r.add(waiting[i].Ref())
		}
		return r.unlessFull(next), err
	})
	if err != nil {
		return nil, nil, false, err
	}
	var before []directory.Ref
	met := false
	err = paged(func(cursor string) (string, error) {
		marks, next, err := o.records.store.ListMarks(ctx, c.ID, c.Epoch, cursor, manyMarks)
		for _, m := range marks {
			asked[m.Ref] = true
			switch {
			case slices.Contains(refs, m.Ref):
				met = true
			case met:
				r.add(m.Ref)
			case len(before) < o.compete && !k.decided[m.Ref]:
				before = append(before, m.Ref)
			}
		}
		return r.unlessFull(next), err
	})
	if err != nil {
		return nil, nil, false, err
	}
	for _, ref := range before {
		r.add(ref)
	}
	if w.Run.DryRun && (w.Run.Full || w.Run.Settings != nil) {
		err := paged(func(cursor string) (string, error) {
			list, next, err := o.records.store.ListBindings(ctx, directory.KindLicence, c.ID, c.Epoch, cursor, 0)
			for i := range list {
				r.add(list[i].Ref())
			}
			return r.unlessFull(next), err
		})
		if err != nil {
			return nil, nil, false, err
		}
	}
	return slices.SortedFunc(maps.Keys(r.all), func(a, b directory.Ref) int { return cmp.Compare(a.ID, b.ID) }), asked, len(r.all) >= r.most, nil
}

// rivals are records of licences that are gathered, up to so many.
type rivals struct {
	all  map[directory.Ref]bool
	but  map[directory.Ref]bool // none of these
	most int
}

func (r *rivals) add(ref directory.Ref) {
	if ref.Kind == directory.KindLicence && len(r.all) < r.most && !r.but[ref] {
		r.all[ref] = true
	}
}

// unlessFull is the cursor of the next page; "" when no more is needed.
func (r *rivals) unlessFull(next string) string {
	if len(r.all) >= r.most {
		return ""
	}
	return next
}

// paged goes through the pages of a list, each of which says what the next one is.
func paged(page func(cursor string) (next string, err error)) error {
	for cursor, first := "", true; first || cursor != ""; first = false {
		next, err := page(cursor)
		if err != nil {
			return err
		}
		cursor = next
	}
	return nil
}

// holdings reads what our directory says of some licences. Those without a record are
// left out.
func (o *objects) holdings(ctx context.Context, refs []directory.Ref) ([]*holding, error) {
	var list []*holding
	for part := range slices.Chunk(refs, 100) {
		found, err := o.records.of(ctx, part)
		if err != nil {
			return nil, err
		}
		var ids []directory.UserID
		for _, ref := range part {
			if found[ref] != nil {
				ids = append(ids, user(ref))
			}
		}
		persons, err := o.records.persons(ctx, ids)
		if err != nil {
			return nil, err
		}
		add, err := o.rules(ctx, ids)
		if err != nil {
			return nil, err
		}
		formers, err := o.records.formers(ctx, found, persons)
		if err != nil {
			return nil, err
		}
		for _, ref := range part {
			if found[ref] == nil {
				continue
			}
			h := &holding{record: found[ref], person: persons[user(ref)], former: formers[user(ref)]}
			add(h, user(ref))
			if h.record.Release == directory.ReleaseRestore {
				h.rules = nil // the account gets back what it had before
			}
			list = append(list, h)
		}
	}
	return list, nil
}

// rules reads those of some users, or groups, and returns what adds them to a holding.
func (o *objects) rules(ctx context.Context, ids []directory.UserID) (func(*holding, directory.UserID), error) {
	if !o.records.groups {
		rules, err := o.records.source.Rules(ctx, o.s.Connection(), ids)
		return func(h *holding, id directory.UserID) { h.rules = rules[id] }, err
	}
	groups := make([]directory.GroupID, len(ids))
	for i, id := range ids {
		groups[i] = directory.GroupID(id)
	}
	rules, err := o.records.source.GroupRules(ctx, o.s.Connection(), groups)
	return func(h *holding, id directory.UserID) {
		h.group = rules[directory.GroupID(id)]
		h.rules = h.group.Gives
	}, err
}

// observe reads what accounts have of licences.
func (o *objects) observe(ctx context.Context, w reconcile.Work, list []*holding) error {
	var ids []directory.AccountID
	var of []*holding
	for _, h := range list {
		if id := h.accountID(); id != "" {
			ids, of = append(ids, id), append(of, h)
		}
	}
	read, listed := o.readGroups, map[directory.AccountID]*directory.AccountLicences{}
	if !o.records.groups {
		read = o.tenant.Licences
		var err error
		if listed, err = o.listed(ctx, w, ids); err != nil {
			return err
		}
	}
	found, err := reconcile.ReadEach(ctx, w, slices.DeleteFunc(ids, func(id directory.AccountID) bool { return listed[fold(id)] != nil }), 1, read)
	if err != nil {
		return err
	}
	n := 0
	for _, h := range of {
		var f *directory.Read[directory.AccountLicences]
		if a := listed[fold(h.accountID())]; a != nil {
			f = &directory.Read[directory.AccountLicences]{Value: a}
		} else {
			f, n = &found[n], n+1
		}
		if f.Err() != nil || f.Value == nil {
			h.unread, h.gone = f.Problem, f.Err() == nil
			if h.unread == nil {
				h.unread = &directory.Problem{Code: directory.CodeAccountNotRead, Message: "The account's licences could not be read.", Next: "They are read again by themselves."}
			}
			continue
		}
		h.read = f.Value
		h.held = f.Value
		if accountOf(h.record.Base) == h.accountID() { // else what was written lately went to another one
			h.held = lately(f.Value, ledger(h.record.Base, h.accountID()), o.s.Fresh(h.record))
		}
	}
	return nil
}

// worthListing is of how many accounts on the tenant's are listed instead of asked about
// one by one: a page of the listing is one call, and shows up to a thousand.
const worthListing = 100

// listed are accounts that were found by listing those of the tenant, by folded ID; in
// a large tenant the listing is left where it would take more requests than to ask. Who
// is not among them is asked about.
func (o *objects) listed(ctx context.Context, w reconcile.Work, ids []directory.AccountID) (map[directory.AccountID]*directory.AccountLicences, error) {
	if len(ids) < worthListing {
		return nil, nil
	}
	asked := make(map[directory.AccountID]bool, len(ids))
	for _, id := range ids {
		asked[fold(id)] = true
	}
	all := make(map[directory.AccountID]*directory.AccountLicences, len(ids))
	link := ""
	for range len(ids) / reconcile.BatchSize {
		var page directory.LicencePage
		err := w.Read(ctx, 1, func(ctx context.Context) (err error) {
			page, err = o.tenant.ListLicences(ctx, link)
			return err
		})
		if errors.Is(err, directory.ErrResync) || errors.Is(err, directory.ErrForeignLink) {
			return all, nil // the others are asked about
		}
		if err != nil {
			return nil, err
		}
		for i := range page.Accounts {
			if a := &page.Accounts[i]; asked[fold(a.AccountID)] {
				all[fold(a.AccountID)] = a
			}
		}
		if link = page.Next; link == "" || len(all) == len(asked) {
			break
		}
	}
	return all, nil
}

// fold is how object IDs are compared.
func fold(id directory.AccountID) directory.AccountID {
	return directory.AccountID(strings.ToLower(string(id)))
}

// lately is what an account has, with the ledger in the place of what may have been read
// older than we wrote it.
func lately(read *directory.AccountLicences, given licensing.Ledger, fresh directory.Recent) *directory.AccountLicences {
	if !fresh.Any() {
		return read
	}
	now := *read
	now.States = slices.DeleteFunc(slices.Clone(read.States), func(s directory.LicenceState) bool {
		return s.AssignedByGroup == "" && fresh.Has(directory.LicenceProperty(s.SKU))
	})
	for sku, off := range given {
		if fresh.Has(directory.LicenceProperty(sku)) {
			now.States = append(now.States, directory.LicenceState{AssignedLicence: directory.AssignedLicence{SKU: sku, DisabledPlans: off}, State: "Active"})
		}
	}
	return &now
}

// products are those that were read last, or are read now: what they are called does not
// change.
func (o *objects) products(ctx context.Context, w reconcile.Work) (list []directory.LicenceSKU, err error) {
	if o.known == nil {
		o.known, err = o.skus(ctx, w)
	}
	return o.known, err
}

func (o *objects) skus(ctx context.Context, w reconcile.Work) (list []directory.LicenceSKU, err error) {
	err = w.Read(ctx, skuUnits, func(ctx context.Context) error {
		list, err = o.tenant.SKUs(ctx)
		return err
	})
	if err == nil {
		o.known = list
	}
	return list, err
}

// skuUnits is what the list of products costs of the quota for reading (GG 1).
const skuUnits = 3

// decide decides about all together, who are prepared. It does no I/O.
func decide(s *directory.Settings, skus []directory.LicenceSKU, list []*holding, from *sources, claims []licensing.Claim, now time.Time) []licensing.Seats {
	holders := make([]licensing.Holder, len(list))
	of := map[directory.UserID]*holding{}
	for i, h := range list {
		if !h.holder.Fixed {
			h.mayAsk(skus, now)
		}
		holders[i] = h.holder
		of[h.holder.User] = h
	}
	p := licensing.Make(skus, holders, licensing.Options{ReportForeign: s.Foreign(directory.PropLicences) == directory.ForeignReport, Claims: claims})
	take(&p, of, skus)
	for _, h := range list {
		h.tellStates(skus, from)
	}
	for i := range p.Awaits {
		a := &p.Awaits[i]
		of[a.User].await(a, directory.ProductNameOf(skus, a.SKU), from, now)
	}
	for _, h := range list {
		h.finish()
	}
	return p.Seats
}

// take takes in what a plan says of each.
func take(p *licensing.Plan, of map[directory.UserID]*holding, skus []directory.LicenceSKU) {
	for u, l := range p.Ledgers {
		of[u].decision.base = base(of[u].decision.base, l, of[u].accountID())
	}
	for i := range p.Moves {
		of[p.Moves[i].User].move(&p.Moves[i])
	}
	for i := range p.Findings {
		of[p.Findings[i].User].find(&p.Findings[i], directory.ProductNameOf(skus, p.Findings[i].SKU))
	}
	for i := range p.Waits {
		of[p.Waits[i].User].wait(&p.Waits[i], directory.ProductNameOf(skus, p.Waits[i].SKU))
	}
}

// begin says what is to be given and was given, and leaves it at that.
func (h *holding) begin(skus []directory.LicenceSKU) {
	d := &h.decision
	*d = decision{status: directory.BindingInSync, base: h.record.Base}
	given := h.given()
	switch {
	case h.moved():
		d.base = nil // what we gave to that one is nothing of this one's
	case h.held != nil && len(sentOf(d.base, h.accountID())) > 0:
		d.base = base(d.base, given, h.accountID())
	}
	h.holder = licensing.Holder{User: user(h.record.Ref()), Held: h.held, Given: given, Fixed: true}
	if h.editors = nil; h.by != nil {
		h.holder.Who = h.by.Name
	}
	for i := range h.rules {
		h.holder.Wishes = append(h.holder.Wishes, wishOf(&h.rules[i], skus))
		h.editors = append(h.editors, h.rules[i].Editors...)
	}
}

// prepare says what a user is to have and has, and what stands in the way of any change.
func (h *holding) prepare(s *directory.Settings, c *directory.Connection, skus []directory.LicenceSKU, from *sources) {
	h.begin(skus)
	for i := range h.rules {
		if g := h.rules[i].Group; g != "" {
			h.holder.Wishes[i].ByGroup, h.holder.Wishes[i].Group = true, from.of[g]
		}
	}
	h.holder.Going = from.goingFrom(h.held)
	d := &h.decision
	switch {
	case h.resumed():
	case h.record.Resting():
		d.status, d.problem, d.findings = directory.BindingPaused, h.record.Problem, h.record.Findings
	case (h.user == nil || h.account == nil) && (len(h.rules) > 0 || h.former == "" || h.gone):
		d.ends = true // whoever was let go keeps what the rules still say
	case h.leaves() && len(h.rules) > 0 || !c.Wants(directory.ScopeLicences) && len(h.rules) == 0:
		// whoever leaves keeps what he has, as long as the rules say so
	case h.account != nil && (h.account.Resting() || h.account.Status == directory.BindingReadOnly):
		h.stand()
	case h.unread != nil:
		d.status, d.problem, d.later = directory.BindingFailed, h.unread, reconcile.Rest(h.record)
	case !c.HasScope(directory.ScopeLicences):
		d.status, d.problem = directory.BindingFailed, notPermitted()
	case h.account != nil && h.account.AccountID == "" && h.account.Status != directory.BindingPending:
		// without an account, and none is on its way
		if len(h.rules) > 0 {
			d.status, d.problem, d.later = directory.BindingPending, accountWaits(), reconcile.Rest(h.record)
		}
	default:
		h.holder.Fixed = false
		h.holder.Location = location(s, h)
	}
}

// stand leaves things as they are for what the account, or the tenant group, is not written
// to for. The record waits for the end of its pause, and is not paused itself: nobody would
// resume it.
func (h *holding) stand() {
	d := &h.decision
	d.status, d.problem = h.account.Status, h.account.Problem
	if h.account.Resting() {
		d.status, d.later = directory.BindingPending, reconcile.Rest(h.record)
	}
}

// resumed reports whether the user was being let go with the values from before, and is
// bound again.
func (h *holding) resumed() bool {
	return h.record.Release != "" && h.account != nil && h.account.Release == ""
}

// leaves reports whether the user leaves, or has left.
func (h *holding) leaves() bool {
	return h.user == nil || h.user.Deleted != nil || h.account == nil || h.account.Release != ""
}

// notPermitted is what is wrong when licences are wished that the connection may not
// give.
func notPermitted() *directory.Problem {
	return &directory.Problem{Code: directory.CodeScopeMissing, Kind: directory.ProblemTenant, Property: directory.PropLicences,
		Message: "The connection lacks the permission " + directory.ScopeLicences + ", so no licence is given or taken.",
		Next:    "Authorise the connection again: Microsoft asks for that permission. The licence follows by itself then."}
}

// accountWaits is what keeps a licence from somebody without an account.
func accountWaits() *directory.Problem {
	return &directory.Problem{Code: directory.CodeLicenseWaits, Message: "The user has no account yet.", Next: directory.ProblemTypeOf(directory.CodeLicenseWaits).Next}
}

// location is the usageLocation that an account has by the time that licences are given.
func location(s *directory.Settings, h *holding) string {
	will := ""
	if h.user == nil {
		return will // of whom nothing is wished
	}
	if s.Attributes[directory.PropUsageLocation].Export || s.DefaultUsageLocation != "" { // see package mapping
		will = cmp.Or(h.user.UsageLocation, s.DefaultUsageLocation)
	}
	if h.held != nil {
		return cmp.Or(h.held.UsageLocation, will)
	}
	return will
}

// wishOf finds the product and the services that a rule names.
func wishOf(r *Rule, skus []directory.LicenceSKU) licensing.Wish {
	w := licensing.Wish{SKU: directory.SKUID(r.SKU), Priority: r.Priority, Since: r.Since, By: r.By}
	var plans []directory.ServicePlan
	for i := range skus {
		if s := &skus[i]; strings.EqualFold(string(s.ID), r.SKU) || strings.EqualFold(s.PartNumber, r.SKU) {
			w.SKU, plans = s.ID, s.Plans
		}
	}
	for _, name := range r.DisabledPlans {
		id := directory.ServicePlanID(name)
		for _, p := range plans {
			if strings.EqualFold(string(p.ID), name) || strings.EqualFold(p.Name, name) {
				id = p.ID
			}
		}
		w.Disabled = append(w.Disabled, id)
	}
	return w
}

// move adds a call to what is to be done.
func (h *holding) move(m *licensing.Move) {
	if m.Effect == directory.EffectLicenceReprocess {
		h.askAgain(m)
		return
	}
	c := changeOf(h, m.Effect, m.Before, m.After)
	c.Reason = m.Why
	h.decision.changes = append(h.decision.changes, c)
}

// changeOf is a change that brings products of an account from one state to another.
func changeOf(h *holding, e directory.Effect, before, after licensing.Ledger) directory.Change {
	c := directory.Change{Object: h.record.Ref(), Effect: e, AccountID: h.accountID(), UserPrincipalName: h.record.UserPrincipalName}
	if h.account != nil {
		c.UserPrincipalName = h.account.UserPrincipalName
	}
	all := map[directory.SKUID]bool{}
	for sku := range before {
		all[sku] = true
	}
	for sku := range after {
		all[sku] = true
	}
	for _, sku := range slices.Sorted(maps.Keys(all)) {
		p := directory.PropertyChange{Name: directory.LicenceProperty(sku)}
		if off, has := before[sku]; has {
			p.Before = directory.LicenceValue(off)
		}
		if off, has := after[sku]; has {
			p.After = directory.LicenceValue(off)
		}
		c.Properties = append(c.Properties, p)
	}
	if h.user != nil {
		c.UserPrincipalName = cmp.Or(c.UserPrincipalName, h.user.Email)
		c.Department, c.Domain = plan.PartOf(h.user, c.UserPrincipalName)
	}
	return c
}

// find tells something of a product, by the name that people know.
func (h *holding) find(f *licensing.Finding, name string) {
	t := directory.ProblemTypeOf(f.Code)
	p := directory.Problem{Code: f.Code, Kind: t.Kind, Property: directory.LicenceProperty(f.SKU), Message: f.Text, Next: t.Next, Steps: t.Steps, Holder: name}
	if f.Code == directory.CodeForeignChange {
		p.By = h.by
	}
	if f.Blocks && h.decision.problem == nil && f.Code != directory.CodeForeignChange {
		h.decision.status, h.decision.problem = directory.BindingRefused, &p
		return
	}
	h.decision.findings = append(h.decision.findings, p)
}

// wait tells of a place in line. Whoever is first is looked at again.
func (h *holding) wait(w *licensing.Wait, name string) {
	t := directory.ProblemTypeOf(directory.CodeWaitingForSeat)
	p := directory.Problem{Code: t.Code, Property: directory.LicenceProperty(w.SKU), Next: t.Next, Holder: name, Place: w.Place,
		Message: fmt.Sprintf("All seats of %s are taken; the user is number %d of %d in line.", name, w.Place, w.Of)}
	if w.Place == 1 {
		h.decision.later = looksForSeat
	}
	if h.decision.problem == nil {
		h.decision.status, h.decision.problem = directory.BindingPending, &p
		return
	}
	h.decision.findings = append(h.decision.findings, p)
}

// finish ends a record of which nothing is left, and tells in findings of what stands
// beside changes.
func (h *holding) finish() {
	d := &h.decision
	if len(d.changes) > 0 {
		if d.problem != nil {
			d.findings = append([]directory.Problem{*d.problem}, d.findings...)
		}
		d.status, d.problem, d.later = directory.BindingPending, nil, 0
		return
	}
	if !h.holder.Fixed && len(h.rules) == 0 && len(ledger(d.base, h.accountID())) == 0 {
		d.ends = true
	}
}
