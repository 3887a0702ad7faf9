package licences

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"bindery/shared/core/licensing"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
)

// What Microsoft makes of licences that were given: by groups in its own time, and not
// always (GG 9.4, 9.5). What it could not give it does not try again by itself at once,
// so that it is asked to when the cause has gone, now and then, and not for ever.

// sources are the tenant groups by which licences come.
type sources struct {
	// of are the tenant groups of exported groups; "": none is made yet.
	of map[directory.GroupID]directory.TenantGroupID
	// names are what tenant groups of ours are called.
	names map[directory.TenantGroupID]string
	// going are the products that tenant groups of ours are about to give no longer.
	going map[directory.TenantGroupID]map[directory.SKUID]bool
}

// sources finds the groups by which those of a list have licences or are to have some.
func (o *objects) sources(ctx context.Context, list []*holding, skus []directory.LicenceSKU) (*sources, error) {
	s := &sources{map[directory.GroupID]directory.TenantGroupID{}, map[directory.TenantGroupID]string{}, map[directory.TenantGroupID]map[directory.SKUID]bool{}}
	groups := map[directory.GroupID]bool{}
	seen := map[directory.AccountID]bool{}
	var tenants []directory.AccountID
	for _, h := range list {
		for i := range h.rules {
			if g := h.rules[i].Group; g != "" {
				groups[g] = true
			}
		}
		if h.held == nil {
			continue
		}
		for i := range h.held.States {
			if by := directory.AccountID(h.held.States[i].AssignedByGroup); by != "" && !seen[by] {
				seen[by] = true
				tenants = append(tenants, by)
			}
		}
	}
	owners, err := o.records.store.ObjectOwners(ctx, directory.KindGroup, o.s.Connection(), tenants)
	if err != nil {
		return nil, err
	}
	for _, ref := range owners {
		groups[directory.GroupID(ref.ID)] = true
	}
	ids := slices.Sorted(keys(groups))
	for part := range slices.Chunk(ids, 50) {
		if err := o.addSources(ctx, s, part, skus); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (o *objects) addSources(ctx context.Context, s *sources, ids []directory.GroupID, skus []directory.LicenceSKU) error {
	var refs []directory.Ref
	for _, g := range ids {
		refs = append(refs, directory.GroupRef(g), directory.GroupLicenceOf(g))
	}
	found, err := o.records.of(ctx, refs)
	if err != nil {
		return err
	}
	rules, err := o.records.source.GroupRules(ctx, o.s.Connection(), ids)
	if err != nil {
		return err
	}
	for _, g := range ids {
		export, gives := found[directory.GroupRef(g)], found[directory.GroupLicenceOf(g)]
		if export == nil {
			continue
		}
		at := directory.TenantGroupID(export.AccountID)
		s.of[g] = at
		s.names[folded(at)] = export.UserPrincipalName
		if gives == nil || at == "" || gives.Release != "" {
			continue
		}
		going := map[directory.SKUID]bool{}
		for sku := range ledger(gives.Base, export.AccountID) {
			going[sku] = true
		}
		wanted := rules[g].Gives
		for i := range wanted {
			delete(going, wishOf(&wanted[i], skus).SKU)
		}
		s.going[folded(at)] = going
	}
	return nil
}

func folded(id directory.TenantGroupID) directory.TenantGroupID {
	return directory.TenantGroupID(strings.ToLower(string(id)))
}

// name is what a tenant group is called, or its ID when it is none of ours.
func (s *sources) name(id directory.TenantGroupID) string {
	return cmp.Or(s.names[folded(id)], string(id))
}

// goingFrom are the tenant groups that are about to give an account products no longer.
func (s *sources) goingFrom(held *directory.AccountLicences) map[directory.SKUID][]directory.TenantGroupID {
	var out map[directory.SKUID][]directory.TenantGroupID
	if held == nil {
		return nil
	}
	for i := range held.States {
		st := &held.States[i]
		if st.AssignedByGroup != "" && s.going[folded(st.AssignedByGroup)][st.SKU] {
			if out == nil {
				out = map[directory.SKUID][]directory.TenantGroupID{}
			}
			out[st.SKU] = append(out[st.SKU], st.AssignedByGroup)
		}
	}
	return out
}

// tries are how often Microsoft was asked again for what groups could not give somebody.
type tries struct {
	about string // the circumstances then
	n     int    // in these circumstances
	at    time.Time
}

func triesOf(b directory.Properties, of directory.AccountID) tries {
	list, _ := b[propTried].List()
	if accountOf(b) != of || len(list) != 3 {
		return tries{}
	}
	n, _ := strconv.Atoi(list[1])
	at, _ := time.Parse(time.RFC3339, list[2])
	return tries{list[0], n, at}
}

// with is a base that says so.
func (t tries) with(b directory.Properties) directory.Properties {
	out := make(directory.Properties, len(b)+1)
	for name, v := range b {
		out[name] = v
	}
	out[propTried] = directory.ListValue(t.about, strconv.Itoa(t.n), t.at.UTC().Format(time.RFC3339))
	return out
}

const (
	// firstAgain is how long Microsoft is not asked again after a try that did not help;
	// it doubles with each one, up to mostAgain.
	firstAgain = 15 * time.Minute
	mostAgain  = 24 * time.Hour
	// blindTries is how often it is asked, a day after another, about causes that are not
	// seen from here, such as an address that another object has.
	blindTries = 3
)

// rest is how long Microsoft is not asked again.
func (t tries) rest(seats bool) time.Duration {
	if !seats {
		return mostAgain
	}
	return min(mostAgain, firstAgain<<min(t.n, 10))
}

// failedRows are the products that groups of ours could not give somebody who is to have
// them by these, the one that is the reason first.
func (h *holding) failedRows() []directory.LicenceState {
	if h.held == nil {
		return nil
	}
	var rows []directory.LicenceState
	for i := range h.held.States {
		s := &h.held.States[i]
		if s.AssignedByGroup == "" || s.Problem() == nil {
			continue
		}
		if slices.ContainsFunc(h.holder.Wishes, func(w licensing.Wish) bool {
			return w.ByGroup && w.SKU == s.SKU && folded(w.Group) == folded(s.AssignedByGroup)
		}) {
			rows = append(rows, *s)
		}
	}
	slices.SortStableFunc(rows, func(a, b directory.LicenceState) int {
		return cmp.Or(cmp.Compare(rank(a.Error), rank(b.Error)), cmp.Compare(a.SKU, b.SKU))
	})
	return rows
}

func rank(err string) int {
	if err == "Other" || err == "Others" { // another product of the same group is the reason
		return 1
	}
	return 0
}

// circumstances are what an error of a group's licences may come of, as far as it is
// seen: when they are the same, asking again does not help.
func (h *holding) circumstances(rows []directory.LicenceState, skus []directory.LicenceSKU) string {
	var parts []string
	for i := range rows {
		parts = append(parts, directory.ProductNameOf(skus, rows[i].SKU)+" "+rows[i].Error)
	}
	text := strings.Join(parts, ", ") + "; usageLocation " + cmp.Or(h.held.UsageLocation, "none")
	has := fnv.New64a()
	for _, l := range slices.SortedFunc(slices.Values(h.held.Assigned), func(a, b directory.AssignedLicence) int { return cmp.Compare(a.SKU, b.SKU) }) {
		fmt.Fprintln(has, l.SKU, tidy(l.DisabledPlans))
	}
	const longest = 160
	if len(text) > longest {
		text = text[:longest]
	}
	return fmt.Sprintf("%s; other products %08x", text, uint32(has.Sum64()))
}

// mayAsk says for which products Microsoft may be asked again now, and notes what it was
// asked about so far.
func (h *holding) mayAsk(skus []directory.LicenceSKU, now time.Time) {
	rows := h.failedRows()
	d := &h.decision
	was := triesOf(d.base, h.accountID())
	if len(rows) == 0 {
		if was.about != "" && h.held != nil {
			d.base = base(nil, h.given(), h.accountID(), sentOf(d.base, h.accountID())...)
		}
		return
	}
	h.about = h.circumstances(rows, skus)
	seats := rows[0].Error == "CountViolation"
	is, known := was, was.about == h.about
	if !known {
		is = tries{about: h.about, at: now}
		d.base = is.with(base(d.base, h.given(), h.accountID(), sentOf(d.base, h.accountID())...))
	}
	due := is.at.Add(is.rest(seats))
	var may bool
	switch {
	case seats:
		may = is.n == 0 || !now.Before(due) // the line says whether there is a seat
	case !known:
		may = was.about != "" // something is otherwise than when it failed
	default:
		may = is.n < blindTries && !now.Before(due)
	}
	switch {
	case may:
		h.holder.Again = map[directory.SKUID]bool{rows[0].SKU: true}
	case seats || is.n < blindTries:
		h.asksAgain = max(time.Minute, due.Sub(now))
	}
	if !may && h.account.Dirty() {
		h.asksAgain = settles // what the account is about to be given, as a usageLocation, may help
	}
}

// tellStates tells what Microsoft says of the products that somebody is to have, or has
// by us: whatever is not told of already.
func (h *holding) tellStates(skus []directory.LicenceSKU, from *sources) {
	if h.held == nil || h.holder.Fixed {
		return
	}
	for i := range h.held.States {
		s := &h.held.States[i]
		p := s.Problem()
		_, ours := h.holder.Given[s.SKU]
		wished := slices.ContainsFunc(h.holder.Wishes, func(w licensing.Wish) bool { return w.SKU == s.SKU })
		if p == nil || !ours && !wished {
			continue
		}
		p.Property = directory.LicenceProperty(s.SKU)
		product := directory.ProductNameOf(skus, s.SKU)
		p.Holder = product
		by := "given to the account itself"
		if s.AssignedByGroup != "" {
			p.Holder = "group " + from.name(s.AssignedByGroup)
			by = "by the group " + from.name(s.AssignedByGroup)
		}
		effect := "is not in force"
		if s.InForce() {
			effect = "is in force, and a change of it was not made"
		}
		p.Message = fmt.Sprintf("%s, %s, %s: %s", product, by, effect, strings.ReplaceAll(p.Message, string(s.SKU), product))
		has := slices.ContainsFunc(h.held.States, func(other directory.LicenceState) bool { return other.SKU == s.SKU && other.InForce() })
		h.state(p, !has)
	}
	if h.asksAgain > 0 && (h.decision.later == 0 || h.asksAgain < h.decision.later) {
		h.decision.later = h.asksAgain
	}
}

// state tells of what Microsoft says. Somebody who waits for a seat of the product is
// told of that, with Microsoft's word for it.
func (h *holding) state(p *directory.Problem, blocks bool) {
	d := &h.decision
	if is := d.problem; is != nil && is.Code == directory.CodeWaitingForSeat && is.Property == p.Property && p.Code == directory.CodeLicenseNoneLeft {
		is.MicrosoftCode, is.Holder = p.MicrosoftCode, p.Holder
		return
	}
	if blocks && d.problem == nil {
		d.status, d.problem = directory.BindingRefused, p
		return
	}
	d.findings = append(d.findings, *p)
}

// await tells that a product comes by a group and has not come yet. It is looked for less
// and less often: for as long again as it was waited for.
func (h *holding) await(a *licensing.Await, name string, from *sources, now time.Time) {
	d := &h.decision
	property := directory.LicenceProperty(a.SKU)
	told := func(p *directory.Problem) bool { return p != nil && p.Property == property }
	if told(d.problem) || slices.ContainsFunc(d.findings, func(p directory.Problem) bool { return p.Property == property }) {
		return
	}
	waited := h.waitsAs(directory.CodeLicenseByGroupWaits, now)
	if d.later == 0 || waited < d.later {
		d.later = waited
	}
	t := directory.ProblemTypeOf(directory.CodeLicenseByGroupWaits)
	p := &directory.Problem{Code: t.Code, Property: property, Next: t.Next,
		Message: fmt.Sprintf("%s comes by %s, and Microsoft has not given it yet.", name, a.By)}
	if a.Group != "" {
		p.Holder = "group " + from.name(a.Group)
	}
	if d.problem == nil {
		d.status, d.problem = directory.BindingPending, p
		return
	}
	d.findings = append(d.findings, *p)
}

// How often a licence is looked for that comes by a group, or that the members of one are to
// have themselves. That it has come the rounds of accounts show as well, of however many
// people.
const (
	awaitsAtLeast = 5 * time.Minute
	awaitsAtMost  = 6 * time.Hour
)

// waitsAs is after which time a record is looked at again that waits for such a reason: as
// long as it has waited already.
func (h *holding) waitsAs(code string, now time.Time) time.Duration {
	since := now
	if p := h.record.Problem; p != nil && p.Code == code {
		since = p.Since
	}
	return min(max(now.Sub(since), awaitsAtLeast), awaitsAtMost)
}

// propAgain is the property of a change that has Microsoft asked again: what about.
const propAgain = "circumstances"

// askAgain is the change that has Microsoft asked again.
func (h *holding) askAgain(m *licensing.Move) {
	c := changeOf(h, m.Effect, nil, nil)
	c.Reason, c.Irreversible = m.Why, m.Effect.Row().Irreversible
	c.Properties = []directory.PropertyChange{{Name: propAgain, After: directory.StringValue(h.about)}}
	h.decision.changes = append(h.decision.changes, c)
}

// noteTry notes that Microsoft was asked again, whatever it said.
func noteTry(bd *directory.Binding, f *reconcile.Fate, of directory.AccountID) {
	about := f.Change.After()[propAgain].String()
	t := triesOf(bd.Base, of)
	if t.about != about {
		t = tries{about: about}
	}
	t.n, t.at = t.n+1, f.Now
	bd.Base = t.with(base(bd.Base, ledger(bd.Base, of), of, sentOf(bd.Base, of)...))
}

func explained(h *holding) reconcile.Explained {
	var out reconcile.Explained
	out.Trace = trace(h)
	out.Changes, out.Problem, out.Findings = out.Decision.Changes, h.decision.problem, h.decision.findings
	return out
}
