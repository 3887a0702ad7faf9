package licensing

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
)

// Wish says that somebody is to have a product.
type Wish struct {
	SKU directory.SKUID
	// Disabled are the services that are to be off.
	Disabled []directory.ServicePlanID
	Priority int       // the higher one goes first when seats are short
	Since    time.Time // among equals the older one does
	By       string    // who wishes it, for people: "the group Sales"
	// ByGroup says that Microsoft gives it to the members of Group, a tenant group of
	// ours that is "" until it is made: nothing is given to the account itself.
	ByGroup bool
	Group   directory.TenantGroupID
}

// Ledger is what we gave to one account: of each product the services that are off.
type Ledger map[directory.SKUID][]directory.ServicePlanID

// Holder is one person with what is to be, is, and was given.
type Holder struct {
	User   directory.UserID
	Wishes []Wish
	// Held is what the account has; nil: there is no account yet, and it will have
	// nothing.
	Held *directory.AccountLicences
	// Given is what of it we gave.
	Given Ledger
	// Location is the usageLocation that the account has by the time that licences
	// are given; "": none.
	Location string
	// Going are, of products, the tenant groups that are about to give them no longer:
	// what comes by these alone is given to the account itself before.
	Going map[directory.SKUID][]directory.TenantGroupID
	// Kept are products of ours that are not taken away yet, whoever wants them.
	Kept map[directory.SKUID]bool
	// Again are products that a group could not give and that Microsoft may be asked
	// about once more now.
	Again map[directory.SKUID]bool
	// Who changed what we gave, for people; "": it is not known.
	Who string
	// Fixed says that nothing is given or taken: somebody who leaves, or whose account
	// is not written to. The place in a line is nobody's then.
	Fixed bool
}

// Options are the connection's settings, as far as they say something here.
type Options struct {
	// ReportForeign has what others changed of our licences reported, and not put
	// back.
	ReportForeign bool
	// Claims are who else may need a seat, besides the holders: whoever of them is before
	// a holder in the line has a seat left to them.
	Claims []Claim
	// Groups says that the holders are tenant groups, which license their members: they
	// need no seats.
	Groups bool
}

// words are what the holders are called, and why a product is taken from one.
func (o Options) words() (holder, unwanted string) {
	if o.Groups {
		return "group", "the connection's use of the group does not say so any more"
	}
	return "account", "nobody wants it for the person any more"
}

// Move is one call about one account.
type Move struct {
	User   directory.UserID
	Effect directory.Effect
	Change directory.LicenceChange
	// Before is what was given to the account itself of the products that the call is
	// about, and After what is afterwards. One that is missing is not.
	Before, After Ledger
	// Again are the products for which Microsoft is asked to calculate once more what
	// the account's groups give: then the call is nothing else.
	Again []directory.SKUID
	Why   string
}

// Claim says that somebody who is no holder is to have a product, and may need a seat.
type Claim struct {
	User     directory.UserID
	SKU      directory.SKUID
	Priority int
	Since    time.Time
}

// Await says that a product comes to somebody by a group, and has not come yet.
type Await struct {
	User  directory.UserID
	SKU   directory.SKUID
	Group directory.TenantGroupID // "": not made yet
	By    string
	Since time.Time
	// Held says that the person has the product otherwise meanwhile.
	Held bool
}

// Wait says that somebody waits for a seat.
type Wait struct {
	User  directory.UserID
	SKU   directory.SKUID
	Place int // in the line, from 1
	Of    int // how many stand in it
	By    string
}

// Finding is something about one person's licences that is to be told.
type Finding struct {
	User directory.UserID
	SKU  directory.SKUID
	Code string
	Text string // a sentence
	// Blocks says that the wish is not fulfilled for this reason.
	Blocks bool
}

// Seats is what a plan makes of one product.
type Seats struct {
	SKU        directory.SKUID `json:"skuId"`
	PartNumber string          `json:"skuPartNumber,omitempty"`
	Total      int             `json:"total"`   // enabled, and in their grace
	Used       int             `json:"used"`    // now, by Microsoft's count
	Free       int             `json:"free"`    // now
	Freed      int             `json:"freed"`   // by the plan
	Taken      int             `json:"taken"`   // by the plan
	Coming     int             `json:"coming"`  // Microsoft takes them for members of groups
	Waiting    int             `json:"waiting"` // who gets none
	claimed    int             // left to those who are no holders
}

// Plan is what is to be done for all holders together.
type Plan struct {
	// Moves in the order in which they are to be made: nobody needs a seat before it
	// is there.
	Moves    []Move
	Waits    []Wait
	Awaits   []Await
	Findings []Finding
	Seats    []Seats // of the products that it is about, by ID
	// Ledgers are what the ledgers are to say of those about whom nothing is to be
	// written, or before something is: without what somebody else took away.
	Ledgers map[directory.UserID]Ledger
}

// Make decides about all holders together. No user is there twice.
func Make(skus []directory.LicenceSKU, holders []Holder, o Options) Plan {
	p := &planning{o: o, skus: map[directory.SKUID]*directory.LicenceSKU{}, seats: map[directory.SKUID]*Seats{}, lines: map[directory.SKUID][]*need{}}
	p.out.Ledgers = map[directory.UserID]Ledger{}
	for i := range skus {
		p.skus[skus[i].ID] = &skus[i]
	}
	holders = slices.SortedFunc(slices.Values(holders), func(a, b Holder) int { return cmp.Compare(a.User, b.User) })
	for i := range holders {
		p.look(&holders[i])
	}
	for i := range o.Claims {
		c := &o.Claims[i]
		if len(p.lines[c.SKU]) > 0 { // else nobody here needs a seat of it
			h := &Holder{User: c.User}
			p.lines[c.SKU] = append(p.lines[c.SKU], &need{of: &pending{h: h}, give: directory.AssignedLicence{SKU: c.SKU}, priority: c.Priority, since: c.Since, claim: true})
		}
	}
	p.give()
	p.tell()
	return p.out
}

// planning is a plan under way.
type planning struct {
	o     Options
	skus  map[directory.SKUID]*directory.LicenceSKU
	seats map[directory.SKUID]*Seats
	// lines are who needs a seat of which product, in order.
	lines map[directory.SKUID][]*need
	first []*pending // those who need no seat
	out   Plan
}

// pending is what is to change of one account, part by part.
type pending struct {
	h       *Holder
	needs   []*need // all of them
	plans   []directory.AssignedLicence
	removed []directory.SKUID
	took    map[directory.SKUID]bool // of removed, what has gone into a call
	why     map[directory.SKUID]string
	// coming are products that a group is to give and has not given: what has services
	// in common with them is not taken before they have come.
	coming []directory.SKUID
}

// need is one product for one account.
type need struct {
	of       *pending
	give     directory.AssignedLicence
	priority int
	since    time.Time
	by       string
	// given says that there is a seat, or none is needed; sent, that it is in a call.
	given, sent bool
	// auto says that Microsoft takes the seat by itself for a member of a group, as soon
	// as there is one, and again that it has to be asked.
	auto, again bool
	// claim says that a seat is left to somebody who is no holder.
	claim bool
}

func (n *need) compare(other *need) int {
	switch {
	case n.auto && !other.auto:
		return -1 // whatever our order is
	case other.auto && !n.auto:
		return 1
	}
	return cmp.Or(-cmp.Compare(n.priority, other.priority), n.since.Compare(other.since),
		cmp.Compare(n.of.h.User, other.of.h.User), cmp.Compare(n.give.SKU, other.give.SKU))
}

// merged is what several wishes for one product come to that is given to the account
// itself. byGroup are those for products that nobody wishes so.
func merged(wishes []Wish) (all map[directory.SKUID]Wish, byGroup map[directory.SKUID][]Wish) {
	all, byGroup = map[directory.SKUID]Wish{}, map[directory.SKUID][]Wish{}
	for _, w := range slices.SortedStableFunc(slices.Values(wishes), func(a, b Wish) int {
		return cmp.Or(-cmp.Compare(a.Priority, b.Priority), a.Since.Compare(b.Since), cmp.Compare(a.By, b.By))
	}) {
		if w.Disabled = tidy(w.Disabled); w.ByGroup {
			byGroup[w.SKU] = append(byGroup[w.SKU], w)
			continue
		}
		first, again := all[w.SKU]
		if !again {
			all[w.SKU] = w
			continue
		}
		first.Disabled = slices.DeleteFunc(slices.Clone(first.Disabled), func(p directory.ServicePlanID) bool { return !slices.Contains(w.Disabled, p) })
		all[w.SKU] = first
	}
	maps.DeleteFunc(byGroup, func(sku directory.SKUID, _ []Wish) bool {
		_, direct := all[sku]
		return direct
	})
	return all, byGroup
}

// tidy is a list of services, each once and in order.
func tidy(plans []directory.ServicePlanID) []directory.ServicePlanID {
	return slices.Compact(slices.Sorted(slices.Values(plans)))
}

// look finds out what is to change of one account, seats apart.
func (p *planning) look(h *Holder) {
	if h.Fixed {
		return
	}
	x := &pending{h: h, took: map[directory.SKUID]bool{}, why: map[directory.SKUID]string{}}
	wishes, byGroup := merged(h.Wishes)
	for _, sku := range slices.Sorted(maps.Keys(wishes)) {
		p.wish(x, wishes[sku])
	}
	for _, sku := range slices.Sorted(maps.Keys(byGroup)) {
		p.inherit(x, sku, byGroup[sku])
	}
	for _, sku := range slices.Sorted(maps.Keys(h.Given)) {
		if _, wished := wishes[sku]; wished {
			continue
		}
		list, comes := byGroup[sku]
		switch _, direct := x.direct(sku); {
		case !direct:
			p.forget(h, sku)
		case h.Kept[sku] || comes && !x.comes(list):
			// not before it has come otherwise
		default:
			x.removed = append(x.removed, sku)
			if _, x.why[sku] = p.o.words(); comes {
				x.why[sku] = list[0].By + " gives it now"
			}
		}
	}
	if len(x.needs)+len(x.plans)+len(x.removed) > 0 {
		p.first = append(p.first, x)
	}
}

// direct is what was given to the account itself of a product.
func (x *pending) direct(sku directory.SKUID) ([]directory.ServicePlanID, bool) {
	if x.h.Held == nil {
		return nil, false
	}
	s, direct := x.h.Held.Direct(sku)
	return tidy(s.DisabledPlans), direct
}

// by is what the tenant groups of some wishes give of their product; none: nothing so
// far.
func (x *pending) by(list []Wish) (rows []directory.LicenceState) {
	if x.h.Held == nil {
		return nil
	}
	for _, s := range x.h.Held.Inherited(list[0].SKU) {
		if slices.ContainsFunc(list, func(w Wish) bool { return strings.EqualFold(string(w.Group), string(s.AssignedByGroup)) }) {
			rows = append(rows, s)
		}
	}
	return rows
}

// comes reports whether the groups of wishes give what each of them is to give.
func (x *pending) comes(list []Wish) bool {
	rows := x.by(list)
	return !slices.ContainsFunc(list, func(w Wish) bool {
		return !slices.ContainsFunc(rows, func(s directory.LicenceState) bool {
			return s.InForce() && strings.EqualFold(string(w.Group), string(s.AssignedByGroup)) && len(without(s.DisabledPlans, w.Disabled)) == 0
		})
	})
}

// inherit decides about a product that comes by groups only. Microsoft gives it, in its
// own time and to whom it likes; where it could not, it may be asked once more.
func (p *planning) inherit(x *pending, id directory.SKUID, list []Wish) {
	h, w := x.h, list[0]
	sku := p.skus[id]
	if sku == nil {
		p.find(h, id, directory.CodeLicenseNotInTenant, true, "The tenant has no licences of the product %s.", id)
		return
	}
	if x.comes(list) {
		return
	}
	_, direct := x.direct(id)
	any, _ := x.inherited(id, nil)
	rows := x.by(list)
	failed := slices.IndexFunc(rows, func(s directory.LicenceState) bool { return !s.InForce() })
	if failed < 0 || rows[failed].Error != exclusive {
		x.coming = append(x.coming, id)
	}
	p.out.Awaits = append(p.out.Awaits, Await{User: h.User, SKU: id, Group: w.Group, By: w.By, Since: w.Since, Held: direct || any})
	n := &need{of: x, give: directory.AssignedLicence{SKU: id}, priority: w.Priority, since: w.Since, by: w.By}
	switch {
	case failed < 0:
		n.auto = true
	case h.Again[id]:
		n.again, n.given = true, direct || any
		x.needs = append(x.needs, n)
		x.why[id] = "what kept Microsoft from giving it has gone, as far as that is to be seen"
	default:
		return // it was tried a moment ago, or nothing is otherwise
	}
	if direct || any {
		return // a second source takes no second seat
	}
	p.seatsOf(sku)
	p.lines[id] = append(p.lines[id], n)
}

// exclusive is Microsoft's word for a product that a group cannot give as long as the
// account has another one (GG 9.5).
const exclusive = "MutuallyExclusiveViolation"

// inherited reports whether a product comes by a group, and whether all of some
// services do that are to be on, by groups that go on giving it.
func (x *pending) inherited(sku directory.SKUID, off []directory.ServicePlanID) (any, all bool) {
	if x.h.Held == nil {
		return false, false
	}
	for _, s := range x.h.Held.Inherited(sku) {
		if !s.InForce() {
			continue
		}
		any = true
		going := slices.ContainsFunc(x.h.Going[sku], func(g directory.TenantGroupID) bool { return strings.EqualFold(string(g), string(s.AssignedByGroup)) })
		all = all || !going && !slices.ContainsFunc(s.DisabledPlans, func(p directory.ServicePlanID) bool { return !slices.Contains(off, p) })
	}
	return any, all
}

func (p *planning) forget(h *Holder, sku directory.SKUID) {
	l, begun := p.out.Ledgers[h.User]
	if !begun {
		l = maps.Clone(h.Given)
		p.out.Ledgers[h.User] = l
	}
	delete(l, sku)
}

func (p *planning) find(h *Holder, sku directory.SKUID, code string, blocks bool, format string, args ...any) {
	p.out.Findings = append(p.out.Findings, Finding{User: h.User, SKU: sku, Code: code, Blocks: blocks, Text: fmt.Sprintf(format, args...)})
}

// name is what people call a product.
func (p *planning) name(sku directory.SKUID) string {
	if s := p.skus[sku]; s != nil {
		return directory.ProductName(s.PartNumber)
	}
	return string(sku)
}

// wish decides about one wished product.
func (p *planning) wish(x *pending, w Wish) {
	h := x.h
	holder, _ := p.o.words()
	sku := p.skus[w.SKU]
	if sku == nil {
		p.find(h, w.SKU, directory.CodeLicenseNotInTenant, true, "The tenant has no licences of the product %s.", w.SKU)
		return
	}
	off := p.known(h, sku, w.Disabled)
	has, direct := x.direct(w.SKU)
	gave, ours := h.Given[w.SKU]
	any, all := x.inherited(w.SKU, off)
	switch {
	case direct && ours:
		p.adjust(x, sku, has, tidy(gave), off)
		return
	case direct:
		if more := without(has, off); len(more) > 0 {
			p.find(h, w.SKU, directory.CodeLicenseHeldOtherwise, false,
				"Somebody else gave the %s %s, with %d wished services switched off; that is left as it is.", holder, directory.ProductName(sku.PartNumber), len(more))
		}
		return
	case all:
		if ours {
			p.forget(h, w.SKU)
		}
		return
	case ours && p.o.ReportForeign && h.Held != nil:
		p.find(h, w.SKU, directory.CodeForeignChange, true, "%s took %s from the %s in Microsoft 365; by the connection's settings that is only reported.", cmp.Or(h.Who, "Somebody"), directory.ProductName(sku.PartNumber), holder)
		return
	case !sku.Assignable():
		p.find(h, w.SKU, directory.CodeLicenseNotAssignable, true, "%s cannot be given to accounts: it is %s, for %s.", directory.ProductName(sku.PartNumber), sku.Status, sku.AppliesTo)
		return
	case h.Location == "" && !p.o.Groups:
		p.find(h, w.SKU, directory.CodeLicenseUsageLocation, true, "%s is not given, since the account has no usageLocation.", directory.ProductName(sku.PartNumber))
		return
	}
	why := cmp.Or(w.By, "it is wished") + " wants it"
	if ours {
		why = cmp.Or(h.Who, "somebody") + " took it in Microsoft 365"
	}
	x.why[w.SKU] = why
	n := &need{of: x, give: directory.AssignedLicence{SKU: w.SKU, DisabledPlans: off}, priority: w.Priority, since: w.Since, by: w.By}
	x.needs = append(x.needs, n)
	if any || p.o.Groups {
		n.given = true // a second source takes no second seat
		return
	}
	p.seatsOf(sku)
	p.lines[w.SKU] = append(p.lines[w.SKU], n)
}

// known leaves out services that the product does not have.
func (p *planning) known(h *Holder, sku *directory.LicenceSKU, off []directory.ServicePlanID) []directory.ServicePlanID {
	has := slices.DeleteFunc(slices.Clone(off), func(id directory.ServicePlanID) bool { return !sku.HasPlan(id) })
	if len(has) < len(off) {
		p.find(h, sku.ID, directory.CodeLicensePlanUnknown, false, "%s has no services %s, so they are not switched off.",
			directory.ProductName(sku.PartNumber), join(without(off, has)))
	}
	return has
}

func join(plans []directory.ServicePlanID) string {
	names := make([]string, len(plans))
	for i, p := range plans {
		names[i] = string(p)
	}
	return strings.Join(names, ", ")
}

// without is what of a list is not in another one.
func without(list, other []directory.ServicePlanID) []directory.ServicePlanID {
	return slices.DeleteFunc(slices.Clone(list), func(p directory.ServicePlanID) bool { return slices.Contains(other, p) })
}

// adjust decides about a product that we gave and the account has: whose services are
// off, were off when we gave it, and are to be off.
func (p *planning) adjust(x *pending, sku *directory.LicenceSKU, has, gave, off []directory.ServicePlanID) {
	why := "other services of it are wished"
	switch {
	case slices.Equal(has, off):
		if !slices.Equal(gave, off) {
			p.amend(x.h, sku.ID, off)
		}
		return
	case slices.Equal(gave, off) && p.o.ReportForeign:
		p.find(x.h, sku.ID, directory.CodeForeignChange, false,
			"%s switched services of %s in Microsoft 365; by the connection's settings that is only reported.", cmp.Or(x.h.Who, "Somebody"), directory.ProductName(sku.PartNumber))
		return
	case slices.Equal(gave, off):
		why = cmp.Or(x.h.Who, "somebody") + " switched services of it in Microsoft 365"
	}
	x.plans = append(x.plans, directory.AssignedLicence{SKU: sku.ID, DisabledPlans: off})
	x.why[sku.ID] = why
}

// amend notes that the account has our product as it is to be.
func (p *planning) amend(h *Holder, sku directory.SKUID, off []directory.ServicePlanID) {
	l, begun := p.out.Ledgers[h.User]
	if !begun {
		l = maps.Clone(h.Given)
		p.out.Ledgers[h.User] = l
	}
	l[sku] = off
}

func (p *planning) seatsOf(sku *directory.LicenceSKU) *Seats {
	s := p.seats[sku.ID]
	if s == nil {
		s = &Seats{SKU: sku.ID, PartNumber: sku.PartNumber, Total: sku.Units.Enabled + sku.Units.Warning, Used: sku.Consumed, Free: sku.Free()}
		p.seats[sku.ID] = s
	}
	return s
}

// left is how many seats are left of a product: below none where more are used than there
// are, since those that come free there are nobody's.
func (s *Seats) left() int { return s.Total - s.Used + s.Freed - s.Taken - s.Coming - s.claimed }

// give gives seats out, and makes the calls in their order.
func (p *planning) give() {
	for sku := range p.lines {
		slices.SortFunc(p.lines[sku], (*need).compare)
	}
	for _, x := range p.first { // seats are given back before others are taken
		if len(x.needs)+len(x.plans) == 0 {
			p.move(x)
		}
	}
	for _, x := range p.first { // what needs no seat
		if !slices.ContainsFunc(x.needs, func(n *need) bool { return !n.given }) && x.unsent() {
			p.move(x)
		}
	}
	p.giveSeats()
	for _, x := range p.first { // what goes although something else is waited for
		if x.unsent() && (len(x.plans) > 0 || slices.ContainsFunc(x.needs, (*need).due) || len(p.removable(x)) > 0) {
			p.move(x)
			p.giveSeats() // somebody may have waited for what is given back
		}
	}
}

// giveSeats gives out the seats that there are.
func (p *planning) giveSeats() {
	for n := p.next(); n != nil; n = p.next() {
		if p.take(n); !n.auto && !n.claim {
			p.move(n.of)
		}
	}
}

// due reports whether a product is given, and no call has it yet.
func (n *need) due() bool { return n.given && !n.sent }

// unsent reports whether something of an account is in no call yet.
func (x *pending) unsent() bool {
	return len(x.plans) > 0 || slices.ContainsFunc(x.needs, (*need).due) || len(x.took) < len(x.removed)
}

// next is who gets a seat next; nil: there is none for anybody.
func (p *planning) next() *need {
	var first *need
	for sku, line := range p.lines {
		if len(line) > 0 && p.seats[sku].left() > 0 && (first == nil || line[0].compare(first) < 0) {
			first = line[0]
		}
	}
	return first
}

// take gives a seat to whoever is next, and besides those of other products for which
// the same person is first in line: they go in one call.
func (p *planning) take(n *need) {
	switch s := p.seats[n.give.SKU]; {
	case n.auto:
		p.lines[n.give.SKU] = p.lines[n.give.SKU][1:]
		s.Coming++
		return
	case n.claim:
		p.lines[n.give.SKU] = p.lines[n.give.SKU][1:]
		s.claimed++
		return
	}
	for _, m := range n.of.needs {
		line := p.lines[m.give.SKU]
		if m.given || len(line) == 0 || line[0] != m || p.seats[m.give.SKU].left() <= 0 {
			continue
		}
		m.given = true
		p.lines[m.give.SKU] = line[1:]
		p.seats[m.give.SKU].Taken++
	}
}

// removable are the products that can be taken from an account now: none that has
// services in common with one that the account still waits for.
func (p *planning) removable(x *pending) []directory.SKUID {
	return slices.DeleteFunc(slices.Clone(x.removed), func(sku directory.SKUID) bool {
		return x.took[sku] || slices.ContainsFunc(x.coming, func(c directory.SKUID) bool { return c != sku && p.common(sku, c) }) || slices.ContainsFunc(x.needs, func(n *need) bool { return !n.given && p.common(sku, n.give.SKU) })
	})
}

// common reports whether two products have services in common, so that the one may
// stand in for the other.
func (p *planning) common(a, b directory.SKUID) bool {
	one, other := p.skus[a], p.skus[b]
	return one != nil && other != nil && slices.ContainsFunc(one.Plans, func(s directory.ServicePlan) bool {
		return s.AppliesTo != "Company" && other.HasPlan(s.ID)
	})
}

// move adds a call with all that can go now of an account.
func (p *planning) move(x *pending) {
	m := Move{User: x.h.User, Before: Ledger{}, After: Ledger{}}
	var whys []string
	add := func(l directory.AssignedLicence, verb string) {
		if off, had := x.direct(l.SKU); had {
			m.Before[l.SKU] = off
		}
		m.After[l.SKU] = l.DisabledPlans
		m.Change.Add = append(m.Change.Add, l)
		whys = append(whys, verb+" "+p.name(l.SKU)+", because "+x.why[l.SKU])
	}
	given := 0
	again := Move{User: x.h.User, Effect: directory.EffectLicenceReprocess, Before: Ledger{}, After: Ledger{}}
	for _, n := range x.needs {
		switch {
		case !n.due():
			continue
		case n.again:
			again.Again = append(again.Again, n.give.SKU)
		default:
			add(n.give, "gets")
			given++
		}
		n.sent = true
	}
	for _, l := range x.plans {
		add(l, "gets other services of")
	}
	for _, sku := range p.removable(x) {
		off, _ := x.direct(sku)
		m.Before[sku] = off
		m.Change.Remove = append(m.Change.Remove, sku)
		whys = append(whys, "gives up "+p.name(sku)+", because "+x.why[sku])
		x.took[sku] = true
		if any, _ := x.inherited(sku, nil); !any && !p.o.Groups && p.skus[sku] != nil {
			p.seatsOf(p.skus[sku]).Freed++
		}
	}
	m.Effect = EffectOf(given, len(x.plans), len(m.Change.Remove))
	x.plans = nil
	m.Why = strings.Join(whys, "; ")
	if len(whys) > 0 {
		p.out.Moves = append(p.out.Moves, m)
	}
	if len(again.Again) > 0 {
		names := make([]string, len(again.Again))
		for i, sku := range again.Again {
			names[i] = p.name(sku)
		}
		again.Why = "Microsoft is asked again for " + strings.Join(names, ", ") + ", because " + x.why[again.Again[0]]
		p.out.Moves = append(p.out.Moves, again)
	}
}

// EffectOf is what a call does that gives, adjusts and takes so many products.
func EffectOf(given, adjusted, taken int) directory.Effect {
	switch {
	case given+adjusted == 0:
		return directory.EffectLicenceRemove
	case taken > 0:
		return directory.EffectLicenceSwap
	case given > 0:
		return directory.EffectLicenceAdd
	}
	return directory.EffectLicencePlans
}

// tell says who waits, and what becomes of the seats.
func (p *planning) tell() {
	for _, sku := range slices.Sorted(maps.Keys(p.lines)) {
		for i, n := range p.lines[sku] {
			if !n.claim {
				p.out.Waits = append(p.out.Waits, Wait{User: n.of.h.User, SKU: sku, Place: i + 1, Of: len(p.lines[sku]), By: n.by})
				p.seats[sku].Waiting++
			}
		}
	}
	for _, sku := range slices.Sorted(maps.Keys(p.seats)) {
		p.out.Seats = append(p.out.Seats, *p.seats[sku])
	}
}
