package crashtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bindery/infra/stack"
	"bindery/shared/boot/app"
	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/store"
)

// The users and groups of wild worlds. Everybody is bound by themselves, so that nobody is
// let go by leaving a group.
var (
	wildPeople = []string{"ann", "ben", "cat", "dan", "eve", "fay"}
	wildGroups = []string{"G0", "G1", "G2", "G3"}
	wildSKUs   = []string{basic, better, drawing}
)

// wild is the scenario of a seed's past: people with accounts that were there or are made,
// and groups that are used somehow.
func wild() *Scenario {
	s := &Scenario{
		settings: directory.Settings{
			Groups: true, Licences: true, DefaultUsageLocation: "CH", Manager: directory.ManagerSettings{Export: true, Clear: true},
			Attributes: map[string]directory.AttributeRule{"department": {Export: true}},
		},
		approves: true,
		tenant: func(spec *entratest.TenantSpec) {
			Groups.tenant(spec)
			for i := range spec.Licences {
				spec.Licences[i].Enabled = 20
			}
		},
		past: func(ctx context.Context, w *World) error {
			var wrong []error
			for _, g := range wildGroups {
				wrong = append(wrong, w.makeGroup(ctx, g))
			}
			return errors.Join(wrong...)
		},
	}
	for i, name := range wildPeople {
		p := person{name: name, bound: true}
		if i%2 == 0 {
			p.account = map[string]any{}
		}
		s.people = append(s.people, p)
	}
	return s
}

// wildWorld is a world in which anything happens.
type wildWorld struct {
	*World
	t     *testing.T
	ctx   context.Context
	dice  *rand.Rand
	exact map[string]bool // groups that were ever exported so
	rules map[string]string
}

func (w *wildWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func pick[T any](w *wildWorld, list []T) T { return list[w.dice.IntN(len(list))] }

// edit is something that happens; the same one in two worlds does the same.
type edit struct {
	of   string // what it is about
	what string
	do   func(w *wildWorld) error
}

// edit makes up something that happens in the directory.
func (w *wildWorld) edit() edit {
	g, u, other := pick(w, wildGroups), pick(w, wildPeople), pick(w, wildPeople)
	switch n := w.dice.IntN(20); {
	case n < 6:
		return edit{u + g, "add " + u + " to " + g, func(w *wildWorld) error { return w.members(w.ctx, g, true, u) }}
	case n < 9:
		return edit{u + g, "remove " + u + " from " + g, func(w *wildWorld) error { return w.members(w.ctx, g, false, u) }}
	case n < 10: // a later group into an earlier one: there is no circle
		i := w.dice.IntN(len(wildGroups) - 1)
		outer, inner, in := wildGroups[i], wildGroups[i+1], w.dice.IntN(2) == 0
		return edit{inner + outer, fmt.Sprintf("%s in %s: %t", inner, outer, in), func(w *wildWorld) error { return w.members(w.ctx, outer, in, inner) }}
	case n < 11:
		name := fmt.Sprintf("%s %d", g, w.dice.IntN(3))
		return edit{"name of " + g, "call " + g + " " + name, func(w *wildWorld) error { return w.patch(w.ctx, g, map[string]any{"name": name}) }}
	case n < 13: // a later one is nobody's manager of an earlier one: there is no circle
		if other >= u {
			return edit{"manager of " + u, u + " has no manager", func(w *wildWorld) error { return w.patch(w.ctx, u, map[string]any{"managerId": nil}) }}
		}
		return edit{"manager of " + u, u + " has the manager " + other, func(w *wildWorld) error {
			return w.patch(w.ctx, u, map[string]any{"managerId": w.users[other]})
		}}
	case n < 14:
		department := pick(w, []string{"North", "South"})
		return edit{"department of " + u, u + " is in " + department, func(w *wildWorld) error { return w.patch(w.ctx, u, map[string]any{"department": department}) }}
	default:
		rules := w.someRules()
		return edit{"use of " + g, "use " + g + " as " + rules, func(w *wildWorld) error {
			if strings.Contains(rules, "exact") {
				w.exact[g] = true
			}
			w.rules[g] = rules
			return w.use(w.ctx, g, rules)
		}}
	}
}

// someRules are rules of a use; what is exported once stays so, of one kind.
func (w *wildWorld) someRules() string {
	members := pick(w, []string{"add", "add", "exact"})
	nested := pick(w, []string{"flatten", "keep"})
	parts := []string{fmt.Sprintf(`"export": {"kind": "security", "members": %q, "nested": %q}`, members, nested)}
	if w.dice.IntN(2) == 0 {
		parts = append(parts, `"select": {}`)
	}
	if w.dice.IntN(2) == 0 {
		sku, plans := pick(w, wildSKUs), ""
		if sku != drawing && w.dice.IntN(3) == 0 {
			plans = `"TEAMS1"`
		}
		parts = append(parts, fmt.Sprintf(`"licences": [{"sku": %q, "disabledPlans": [%s]}]`, sku, plans))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// meddle has somebody at Microsoft do something.
func (w *wildWorld) meddle() {
	w.t.Helper()
	g, u := pick(w, wildGroups), pick(w, wildPeople)+"@"+simDomain
	id := w.tenantGroup(g)
	if id == "" {
		return
	}
	switch w.dice.IntN(3) {
	case 0:
		u = "owner@" + simDomain
		fallthrough
	case 1:
		a, _ := w.Sim.Account(simTenant, u)
		if !slices.Contains(w.tenantMembers(id), fmt.Sprint(a["id"])) {
			w.must(w.Sim.SetMember(simTenant, "admin@"+simDomain, id, u, true))
		}
	case 2:
		list := w.tenantMembers(id)
		if len(list) > 0 {
			w.must(w.Sim.SetMember(simTenant, "admin@"+simDomain, id, pick(w, list), false))
		}
	}
}

// tenantGroup is the tenant's group of one of ours; "" when there is none.
func (w *wildWorld) tenantGroup(name string) string {
	found, err := w.store.Bindings.BindingsOf(w.ctx, w.conn, []directory.Ref{directory.GroupRef(w.groups[name])})
	w.must(err)
	return string(found[directory.GroupRef(w.groups[name])].AccountID)
}

func (w *wildWorld) tenantMembers(id string) []string {
	g, _ := w.Sim.Group(simTenant, id)
	list, _ := g["members"].([]string)
	return list
}

func (w *wildWorld) account(name string) map[string]any {
	a, _ := w.Sim.Account(simTenant, name+"@"+simDomain)
	return a
}

// settle lets everything be done that is due, with all of it looked at once.
func (w *wildWorld) settle() {
	w.t.Helper()
	w.must(w.rest(w.ctx))
	w.must(w.syncNow(w.ctx))
	w.must(w.rest(w.ctx))
}

// holds demands that the tenant is as the directory wants it.
func (w *wildWorld) holds() {
	w.t.Helper()
	wanted := map[string]map[string]bool{} // licences, by user
	for g, rules := range w.rules {
		r, err := directory.ParseUseRules([]byte(rules))
		w.must(err)
		in := w.inside(g, r)
		w.holdsMembers(g, r, in)
		for _, l := range r.Licences {
			for u := range in {
				if slices.Contains(wildPeople, u) {
					if wanted[u] == nil {
						wanted[u] = map[string]bool{}
					}
					wanted[u][l.SKU] = true
				}
			}
		}
	}
	for _, u := range wildPeople {
		if got, want := w.licensed(u), slices.Sorted(maps.Keys(wanted[u])); !slices.Equal(got, want) {
			w.t.Errorf("%s has the licences %v, want %v", u, got, want)
		}
		user, err := w.store.Users.User(w.ctx, w.users[u])
		w.must(err)
		manager := ""
		if user.ManagerID != "" {
			manager = fmt.Sprint(w.account(w.nameOf(user.ManagerID))["id"])
		}
		if got, _ := w.account(u)["manager"].(string); got != manager {
			w.t.Errorf("the manager of %s is %q, want %q", u, got, manager)
		}
	}
}

func (w *wildWorld) nameOf(id directory.UserID) string {
	for name, u := range w.users {
		if u == id {
			return name
		}
	}
	return "nobody"
}

// inside are the users in a group, however deep, and the groups that stay members.
func (w *wildWorld) inside(g string, r directory.UseRules) map[string]bool {
	all := map[string]bool{}
	members, _, err := w.store.Groups.Members(w.ctx, store.MembersQuery{Group: w.groups[g]})
	w.must(err)
	keep := r.Export != nil && r.Export.Nested == directory.NestedKeep && r.Select == nil && len(r.Licences) == 0
	for _, m := range members {
		if u := m.Member.User(); u != "" {
			all[w.nameOf(u)] = true
			continue
		}
		for name, id := range w.groups {
			switch {
			case id != m.Member.Group():
			case keep && w.rules[name] != "":
				all[name] = true
			default:
				maps.Copy(all, w.inside(name, r))
			}
		}
	}
	return all
}

func (w *wildWorld) holdsMembers(g string, r directory.UseRules, in map[string]bool) {
	w.t.Helper()
	id := w.tenantGroup(g)
	there := map[string]bool{}
	for _, m := range w.tenantMembers(id) {
		there[m] = true
	}
	group, err := w.store.Groups.Group(w.ctx, w.groups[g])
	w.must(err)
	if is, _ := w.Sim.Group(simTenant, id); is["displayName"] != group.Name {
		w.t.Errorf("%s is called %v, want %q", g, is["displayName"], group.Name)
	}
	ours := map[string]bool{}
	for name := range in {
		member := w.counterpart(name)
		ours[member] = true
		if !there[member] {
			w.t.Errorf("%s is no member of %s", name, g)
		}
	}
	for m := range there {
		if !ours[m] && (r.Export.Members == directory.MembersExact || !w.foreign()[id+" "+m]) {
			w.t.Errorf("%s is a member of %s, and nobody wants it", w.memberName(m), g)
		}
	}
}

// counterpart is the object of the tenant of a user or a group.
func (w *wildWorld) counterpart(name string) string {
	if slices.Contains(wildPeople, name) {
		return fmt.Sprint(w.account(name)["id"])
	}
	return w.tenantGroup(name)
}

// foreign are the memberships that others gave last.
func (w *wildWorld) foreign() map[string]bool {
	out := map[string]bool{}
	for _, m := range w.Sim.Mutations(simTenant) {
		if m.Kind == "member-add" {
			out[m.TargetID+" "+m.Linked.ID] = m.AppID == ""
		}
	}
	return out
}

// licensed are the part numbers of what somebody has.
func (w *wildWorld) licensed(name string) []string {
	all, err := w.Sim.Licences(simTenant)
	w.must(err)
	var names []string
	for sku := range products(w.account(name)["assignedLicenses"]) {
		for _, s := range all {
			if s.SKUID == sku {
				names = append(names, s.SKUPartNumber)
			}
		}
	}
	slices.Sort(names)
	return names
}

// onlyOurs demands that nothing was ever taken that others gave: a membership but of an
// exact group, or a licence; and that of licence calls one came after the other.
func (w *wildWorld) onlyOurs() {
	w.t.Helper()
	gave, exact := map[string]string{}, map[string]bool{}
	for g := range w.exact {
		exact[w.tenantGroup(g)] = true
	}
	for _, m := range w.Sim.Mutations(simTenant) {
		switch m.Kind {
		case "member-add":
			gave[m.TargetID+m.Linked.ID] = m.AppID
		case "member-remove":
			if m.AppID == stack.ClientID && gave[m.TargetID+m.Linked.ID] != stack.ClientID && !exact[m.TargetID] {
				w.t.Errorf("%s was taken out of %s, where others had put it", w.memberName(m.Linked.ID), m.Name)
			}
		case "license":
			before, after := products(m.Before["assignedLicenses"]), products(m.After["assignedLicenses"])
			for sku := range after {
				if before[sku] == "" {
					gave[m.TargetID+sku] = m.AppID
				}
			}
			for sku := range before {
				if after[sku] == "" && m.AppID == stack.ClientID && gave[m.TargetID+sku] != stack.ClientID {
					w.t.Errorf("%s lost the licence %s that others had given", m.UPN, sku)
				}
			}
		}
	}
}

// plansNothing demands that a plan of everything is empty.
func (w *wildWorld) plansNothing() {
	w.t.Helper()
	if r := w.dryRun(); len(r.Counts) > 0 {
		w.t.Errorf("a run after all plans %v", r.Counts)
	}
}

// dryRun has everything planned and nothing written.
func (w *wildWorld) dryRun() store.RunRecord {
	w.t.Helper()
	var id directory.RunID
	w.must(w.ask(w.ctx, "dry run", func(ctx context.Context, c *app.Core) error {
		conn, err := w.store.Connections.Connection(ctx, w.conn)
		if err != nil {
			return err
		}
		r, err := c.Runs.Start(ctx, admin, &conn, runs.Request{Full: true, DryRun: true})
		id = r.ID
		return err
	}))
	before := len(w.Sim.Mutations(simTenant))
	var r store.RunRecord
	w.must(w.until(w.ctx, func() (_ bool, err error) {
		r, err = w.store.Runs.Run(w.ctx, id)
		return r.State.Ended(), err
	}))
	if n := len(w.Sim.Mutations(simTenant)) - before; n > 0 {
		w.t.Errorf("a dry run, and what went on beside it, wrote %d times", n)
	}
	return r
}

// history tells what runs did since some time.
func (w *wildWorld) history(since time.Time) string {
	j, err := w.readJournal(w.ctx)
	w.must(err)
	var b strings.Builder
	for _, r := range slices.Backward(j.runs) {
		if r.StartedAt.Before(since) {
			continue
		}
		fmt.Fprintf(&b, "%s %s %s %s %v applied %d failed %d %v\n", r.ID, r.Kind, r.State, r.UndoOf, r.Counts, r.Applied, r.Failed, r.Error)
		changes, _, err := w.store.Runs.Changes(w.ctx, &r, "", 1000)
		w.must(err)
		for _, c := range changes {
			fmt.Fprintf(&b, "    %s %s %s %v: %s\n", c.Effect, j.who(&c), c.State, c.Error, j.all.Replace(text(c.Properties)))
		}
		left, _, err := w.core.Runs.Left(w.ctx, r.ID, "")
		w.must(err)
		for _, l := range left {
			fmt.Fprintf(&b, "    left: %s\n", j.all.Replace(text(l)))
		}
	}
	return b.String()
}

// relations tells of groups, members, managers and licences of the tenant.
func (w *wildWorld) relations() string {
	var lines []string
	w.tenantGroups(func(format string, args ...any) {
		lines = append(lines, w.named().Replace(fmt.Sprintf(format, args...)))
	})
	// A group that was made stays, with nobody in it.
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, "deleted true") || strings.HasSuffix(l, "members []") })
	for _, u := range wildPeople {
		lines = append(lines, w.named().Replace(fmt.Sprintf("%s: manager %v, licences %s, department %v", u, w.account(u)["manager"], licences(w.account(u)["assignedLicenses"]), w.account(u)["department"])))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// counted demands of each run that it counts what became of its changes, and that the
// guard has looked at the same: of what the run planned nothing is left or made up.
func (w *wildWorld) counted() {
	w.t.Helper()
	j, err := w.readJournal(w.ctx)
	w.must(err)
	for i := range j.runs {
		r := &j.runs[i]
		changes, _, err := w.store.Runs.Changes(w.ctx, r, "", 10000)
		w.must(err)
		n, applied := map[directory.Effect]int{}, 0
		for _, c := range changes {
			n[c.Effect]++
			if c.State == directory.ChangeApplied {
				applied++
			}
		}
		if !maps.Equal(n, r.Counts) || applied != r.Applied {
			w.t.Errorf("run %s counts %v and %d applied, and has %v with %d applied", r.ID, r.Counts, r.Applied, n, applied)
		}
	}
}

// explained demands that what is explained of each object of a plan is what is planned.
func (w *wildWorld) explained(changes []directory.Change) {
	w.t.Helper()
	planned := map[directory.Ref][]string{}
	for _, c := range changes {
		planned[c.Ref()] = append(planned[c.Ref()], fmt.Sprintf("%s %s", c.Effect, text(c.Properties)))
	}
	conn, err := w.store.Connections.Connection(w.ctx, w.conn)
	w.must(err)
	for ref, want := range planned {
		told, err := w.core.Engine.Explain(w.ctx, &conn, ref)
		w.must(err)
		var got []string
		for _, c := range told.Decision.Changes {
			got = append(got, fmt.Sprintf("%s %s", c.Effect, text(c.Properties)))
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			w.t.Errorf("of %s is explained %v, and planned %v", w.named().Replace(ref.String()), got, want)
		}
	}
}

// seeds are those that are tried: some, or the one that BINDERY_SEED names.
func seeds(t *testing.T, n uint64) []uint64 {
	t.Helper()
	if asked := os.Getenv("BINDERY_SEED"); asked != "" {
		seed, err := strconv.ParseUint(asked, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return []uint64{seed}
	}
	if asked := os.Getenv("BINDERY_SEEDS"); asked != "" {
		var err error
		if n, err = strconv.ParseUint(asked, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	var list []uint64
	for seed := range n {
		list = append(list, seed+1)
	}
	return list
}

// wildly opens a world for each seed, of one past.
func wildly(t *testing.T, n uint64, do func(w *wildWorld, again func() *wildWorld)) {
	t.Helper()
	dir := t.TempDir()
	var snap *Snapshot
	synctest.Test(t, func(t *testing.T) {
		var err error
		if snap, err = Prepare(t.Context(), wild(), dir); err != nil {
			t.Fatal(err)
		}
	})
	for _, seed := range seeds(t, n) {
		t.Run(fmt.Sprintf("BINDERY_SEED=%d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				open := func() *wildWorld {
					w, err := snap.Open(t.Context(), copied(t, dir), int64(seed))
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { w.Sim.Close() })
					w.audit.world = nil
					return &wildWorld{World: w, t: t, ctx: t.Context(), dice: rand.New(rand.NewPCG(seed, 7)), exact: map[string]bool{}, rules: map[string]string{}}
				}
				do(open(), open)
			})
		})
	}
}

// TestWildPlanApplyPlan: whatever happens on both sides, in the end the tenant is as the
// directory wants it, nothing was taken that others gave, each run counts what it did, and
// the next plan is empty.
func TestWildPlanApplyPlan(t *testing.T) {
	wildly(t, 12, func(w *wildWorld, _ func() *wildWorld) {
		for range 4 {
			for range 1 + w.dice.IntN(8) {
				e := w.edit()
				w.t.Log(e.what)
				w.must(e.do(w))
			}
			if w.dice.IntN(2) == 0 {
				w.must(w.rest(w.ctx))
				w.meddle()
			}
		}
		w.settle()
		w.holds()
		w.onlyOurs()
		w.counted()
		w.plansNothing()
	})
}

// TestWildUndo: what runs did to groups, members, managers and licences is taken back by
// undoing them, the last one first.
func TestWildUndo(t *testing.T) {
	wildly(t, 12, func(w *wildWorld, _ func() *wildWorld) {
		for range 12 {
			w.must(w.edit().do(w))
		}
		w.settle()
		time.Sleep(time.Hour)
		w.nextTick = time.Now().Add(tickEvery)
		before, since := w.relations(), time.Now()
		for range 6 {
			e := w.edit()
			w.t.Log(e.what)
			w.must(e.do(w))
		}
		w.must(w.rest(w.ctx))
		after := w.relations()
		w.must(w.undo(w.ctx, since, func(*directory.Change) bool { return true }, runs.UndoRequest{}))
		if got := w.relations(); got != before {
			w.t.Errorf("the undo does not give back: %s\n\tof what was done: %s", difference(before, got), difference(before, after))
		}
		w.onlyOurs()
		if w.t.Failed() {
			w.t.Log(w.history(since))
		}
	})
}

// TestWildOrder: the same edits in another order, each followed at once or all together,
// come to the same end.
func TestWildOrder(t *testing.T) {
	wildly(t, 8, func(w *wildWorld, again func() *wildWorld) {
		edits := map[string]edit{} // one about each thing, so that their order does not matter to the directory
		for len(edits) < 8 {
			e := w.edit()
			edits[e.of] = e
		}
		var ends []string
		for order := range 3 {
			x := again()
			names := slices.Sorted(maps.Keys(edits))
			rand.New(rand.NewPCG(uint64(order), 3)).Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
			for _, name := range names {
				w.t.Log(order, edits[name].what)
				x.must(edits[name].do(x))
				if order == 1 {
					x.must(x.rest(x.ctx))
				}
			}
			x.settle()
			x.holds()
			ends = append(ends, x.relations())
		}
		for _, end := range ends[1:] {
			if end != ends[0] {
				w.t.Errorf("another order comes to another end: %s", difference(ends[0], end))
			}
		}
	})
}

// TestWildFaults: errors, answers that are lost and pages that do not come are never read
// as something that is gone: what is wanted comes about once they end, and nothing was
// taken that others gave.
func TestWildFaults(t *testing.T) {
	wildly(t, 12, func(w *wildWorld, _ func() *wildWorld) {
		trouble := true
		w.line.also = func(c Call) Mode {
			if !trouble || w.dice.IntN(40) > 0 {
				return ""
			}
			return pick(w, c.Place.Modes())
		}
		for range 3 {
			for range 1 + w.dice.IntN(6) {
				e := w.edit()
				w.t.Log(e.what)
				for try := 0; ; try++ {
					if err := e.do(w); err == nil {
						break
					} else if try > 20 {
						w.t.Fatal(err)
					}
				}
			}
			w.must(w.rest(w.ctx))
			w.meddle()
		}
		trouble = false
		for range 30 { // who lay dead for a while comes again
			w.turn(w.ctx)
		}
		w.settle()
		w.holds()
		w.onlyOurs()
		w.plansNothing()
	})
}

// TestWildApprovals: where every run waits for an admin, a plan writes nothing; of what the
// admin chooses only that is done, and what was declined is not asked for again.
func TestWildApprovals(t *testing.T) {
	wildly(t, 8, func(w *wildWorld, _ func() *wildWorld) {
		for range 8 {
			w.must(w.edit().do(w))
		}
		w.settle()
		w.scenario = &Scenario{settings: w.scenario.settings, people: w.scenario.people, past: w.scenario.past}
		w.must(w.ask(w.ctx, "hold everything", func(ctx context.Context, c *app.Core) error {
			_, err := w.store.Connections.ModifyConnection(ctx, directory.AuditEvent{}, w.conn, func(c *directory.Connection) error {
				c.Settings.Mode = directory.ModeApprove
				return nil
			})
			return err
		}))
		before := len(w.Sim.Mutations(simTenant))
		for range 6 {
			e := w.edit()
			w.t.Log(e.what)
			w.must(e.do(w))
		}
		for range 20 {
			w.must(w.rest(w.ctx))
			if n := len(w.Sim.Mutations(simTenant)); n > before {
				w.t.Fatalf("%d writes that nobody approved", n-before)
			}
			held, err := w.held(w.ctx)
			w.must(err)
			if held == "" {
				break
			}
			r, err := w.store.Runs.Run(w.ctx, held)
			w.must(err)
			changes, _, err := w.store.Runs.Changes(w.ctx, &r, "", 1000)
			w.must(err)
			w.explained(changes)
			var chosen []directory.ChangeID
			for _, c := range changes {
				if w.dice.IntN(2) == 0 {
					chosen = append(chosen, c.ID)
				}
			}
			w.must(w.ask(w.ctx, "approve a part", func(ctx context.Context, c *app.Core) error {
				_, err := c.Runs.Approve(ctx, admin, held, plan.Approval{ChangeIDs: chosen})
				return err
			}))
			w.must(w.until(w.ctx, func() (bool, error) {
				r, err := w.store.Runs.Run(w.ctx, held)
				return r.State.Ended(), err
			}))
			changes, _, err = w.store.Runs.Changes(w.ctx, &r, "", 1000)
			w.must(err)
			for _, c := range changes {
				if c.State == directory.ChangeApplied && !slices.Contains(chosen, c.ID) {
					w.t.Errorf("%s of %s was done, and nobody chose it", c.Effect, c.Ref())
				}
			}
			before = len(w.Sim.Mutations(simTenant))
		}
		if held, err := w.held(w.ctx); err != nil || held != "" {
			w.t.Errorf("what was declined is asked for again and again: %v", err)
		}
	})
}
