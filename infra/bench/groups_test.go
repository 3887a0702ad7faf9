package bench

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"bindery/infra/stack"
	"bindery/shared/boot/app"
	"bindery/shared/core/connect"
	"bindery/shared/core/uses"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/platform/vault"
	"bindery/shared/store"
)

// seated is the product of every tenant of the bench, with a seat for everybody.
const seated = "SPE_E3"

// owner is who asks for uses of groups.
var owner = directory.Caller{Subject: "bench", Source: directory.SourceAD, Approve: true}

// fillGroups makes groups of a site's users in the directory, by number from one on, each
// of size members: one begins where the one before ended, and after the last user comes
// the first. Nothing is measured, and nobody uses them yet.
func (w *world) fillGroups(s *site, from, n, size int) []directory.GroupID {
	w.Helper()
	var ids []directory.GroupID
	now := time.Now().UTC()
	for first := from; first < from+n; first += store.MaxNewGroups {
		var list []*directory.Group
		for i := first; i < min(from+n, first+store.MaxNewGroups); i++ {
			g := &directory.Group{ID: directory.NewGroupID(now), Source: directory.SourceAD, Created: now, Updated: now}
			g.Name = fmt.Sprintf("Group %05d", i)
			list, ids = append(list, g), append(ids, g.ID)
		}
		w.do(w.raw.Groups.CreateGroups(w.Context(), directory.AuditEvent{}, list...))
		for k, g := range list {
			w.fillMembers(g, s.turn((first+k)*size, size))
		}
	}
	return ids
}

// turn are so many of a site's users from one on.
func (s *site) turn(from, n int) []directory.UserID {
	list := make([]directory.UserID, n)
	for i := range list {
		list[i] = s.users[(from+i)%len(s.users)]
	}
	return list
}

// fillGroup makes one group.
func (w *world) fillGroup(name string, users []directory.UserID) directory.GroupID {
	w.Helper()
	now := time.Now().UTC()
	g := &directory.Group{ID: directory.NewGroupID(now), Source: directory.SourceAD, Created: now, Updated: now}
	g.Name = name
	w.do(w.raw.Groups.CreateGroups(w.Context(), directory.AuditEvent{}, g))
	w.fillMembers(g, users)
	return g.ID
}

func (w *world) fillMembers(g *directory.Group, users []directory.UserID) {
	w.Helper()
	for part := range slices.Chunk(users, store.MaxMemberChange) {
		var c store.MemberChange
		for _, u := range part {
			c.Add = append(c.Add, directory.Membership{Group: g.ID, Member: directory.UserMember(u), Source: directory.SourceAD, Added: g.Created})
		}
		_, err := w.raw.Groups.ChangeMembers(w.Context(), directory.AuditEvent{}, g, c)
		w.do(err)
	}
}

// use says what a site's connection does with groups, and wakes nobody.
func (w *world) use(s *site, groups []directory.GroupID, rules directory.UseRules) {
	w.Helper()
	quiet := uses.New(uses.Config{Store: w.raw, Wake: func(context.Context, directory.ConnectionID) error { return nil }})
	for _, g := range groups {
		_, err := quiet.Put(w.Context(), owner, s.conn.ID, g, rules, 0)
		w.do(err)
	}
}

// bring wakes a site's connection until nothing is left to do, and returns how long that
// took.
func (w *world) bring(s *site) time.Duration {
	w.Helper()
	w.wakeUp(s)
	return w.until("brought", 6*time.Hour, 250*time.Millisecond, func() bool { return w.brought(s) })
}

// asSecurityGroup is the use of a group that is a security group in the tenant, with those members whom the
// directory has.
var asSecurityGroup = directory.UseRules{Export: &directory.ExportRule{Kind: directory.ExportSecurity}}

// brought tells whether nothing is left to do for a site, of its uses neither.
func (w *world) brought(s *site) bool {
	w.Helper()
	due, _, err := w.raw.Groups.DueUses(w.Context(), s.conn.ID, "", 1)
	w.do(err)
	return len(due) == 0 && w.loaded(s)
}

// Groups of a bench, and their members.
const (
	ofFirstLoad   = 500  // exported at first
	exportedLater = 1000 // in the end
	groupSize     = 100
	groupPeople   = 5000
)

// grouped measures a first load of memberships with leavers in it, and what a
// connection with a thousand exported groups costs when nothing, or little, is edited.
func grouped(t *testing.T, r *report) {
	synctest.Test(t, func(t *testing.T) { groupsOf(t, r) })
}

func groupsOf(t *testing.T, r *report) {
	l := &load{world: newWorld(t, entratest.Quota{})}
	defer l.cloud.stop()
	l.sites = append(l.sites, l.site(0, groupPeople, slim))
	l.to = l.sites[0]
	l.settle(l.to)
	groups := l.fillGroups(l.to, 0, ofFirstLoad, groupSize)
	l.use(l.to, groups, asSecurityGroup)

	asked := make([]time.Time, groupLeavers)
	l.cloud.wait.Go(func() {
		time.Sleep(leaversBegin)
		for n := range asked {
			l.suspend(n, asked)
			time.Sleep(leaverEvery)
		}
	})
	before := l.ledger.read()
	took := l.bring(l.to)
	used := l.ledger.read().minus(before)
	const memberships = ofFirstLoad * groupSize
	least := leastTime(ofFirstLoad+leastWrites(ofFirstLoad, groupSize)+2*groupLeavers, tenantBucket, tenantRefill)
	r.add("members.quota_ratio", least/took.Seconds(), "ratio", higher, fmt.Sprintf("%d new groups with %d memberships, and %d leavers: least possible time by quota, twenty members for seven writes, ÷ time taken (%.0f s), from the wake-up on", ofFirstLoad, memberships, groupLeavers, took.Seconds()))
	r.add("members.throttled", float64(used.Throttled), "answers", lower, "429 answers in that load")
	r.add("members.requests", float64(used.Requests), "requests", lower, fmt.Sprintf("that load: %d items, %g resource units, %d calls of the table, %g read units", used.Items, used.Units, used.Calls, used.ReadUnits))
	left := l.blocked(asked)
	r.add("members.leaver_s", longest(left).Seconds(), "s", lower, fmt.Sprintf("the worst of %d suspensions during that load, from the call to block and end of sessions", len(asked)))
	l.hasMembers(l.to, memberships)

	more := l.fillGroups(l.to, ofFirstLoad, exportedLater-ofFirstLoad, groupSize)
	l.use(l.to, more, asSecurityGroup)
	l.bring(l.to)
	l.hasMembers(l.to, exportedLater*groupSize)
	l.meter.units = true
	time.Sleep(2 * time.Hour)
	l.wakeUp(l.to)
	l.cloud.rest()
	time.Sleep(time.Duration(directory.DefaultInterval))
	idle := l.measured(func() { l.wakeUp(l.to) })
	r.add("groups.idle_requests", float64(idle.Requests), "requests", lower, fmt.Sprintf("%d exported groups of %d members, nothing changed: requests to Graph", exportedLater, groupSize))
	r.add("groups.idle_table_units", idle.ReadUnits+idle.WriteUnits, "units", lower, fmt.Sprintf("%g read and %g write units in %d calls", idle.ReadUnits, idle.WriteUnits, idle.Calls))

	l.editMember(groups[0], l.to.users[groupPeople-1])
	l.cloud.rest()
	time.Sleep(time.Minute)
	var latency time.Duration
	one := l.measured(func() { latency = l.editMember(groups[1], l.to.users[groupPeople-2]) })
	r.add("one_member.requests", float64(one.Requests), "requests", lower, fmt.Sprintf("one member added to one of them: requests to Graph, with the look at the tenant afterwards (%d items)", one.Items))
	r.add("one_member.latency_s", latency.Seconds(), "s", lower, "from the edit's call to the member in the tenant")
	deactivated(l.world, r)
	r.add("one_member.table_units", one.ReadUnits+one.WriteUnits, "units", lower, fmt.Sprintf("the edit itself and all that follows: %g read and %g write units in %d calls", one.ReadUnits, one.WriteUnits, one.Calls))
}

const groupLeavers = 20

// leastWrites is what Microsoft counts at least for new members of so many groups.
func leastWrites(groups, size int) float64 {
	full, rest := size/directory.MostMembersAtOnce, size%directory.MostMembersAtOnce
	return float64(groups * (full*directory.MemberWrites(directory.MostMembersAtOnce) + directory.MemberWrites(rest)))
}

// hasMembers fails the test unless so many memberships were made, each once.
func (w *world) hasMembers(s *site, n int) {
	w.Helper()
	made := map[string]bool{}
	for _, m := range w.sim.Mutations(string(s.conn.Tenant.ID)) {
		if m.Kind != "member-add" {
			continue
		}
		of := m.TargetID + " " + m.Linked.ID
		if made[of] {
			w.Errorf("%s was made a member of %s twice", m.Linked.ID, m.TargetID)
		}
		made[of] = true
	}
	if len(made) != n {
		w.Errorf("%d memberships were made, want %d", len(made), n)
	}
}

// editMember makes somebody a member of a group and returns how long it took to reach
// the tenant.
func (w *world) editMember(g directory.GroupID, u directory.UserID) time.Duration {
	w.Helper()
	seen := w.ledger.read().Changes
	begun := time.Now()
	_, err := w.groups.AddMembers(w.Context(), owner, g, []directory.MemberRef{directory.UserMember(u)}, 0)
	w.do(err)
	w.until("a member in the tenant", 10*time.Minute, 5*time.Millisecond, func() bool {
		return w.ledger.read().Changes > seen
	})
	return time.Since(begun) - roundTrip/2 // until the answer is counted
}

const licensed = 1000

// licences measures a first load of licences, one call at a time, with leavers in it.
func licences(t *testing.T, r *report) {
	synctest.Test(t, func(t *testing.T) { licenceLoad(t, r) })
}

func licenceLoad(t *testing.T, r *report) {
	l := &load{world: newWorld(t, entratest.Quota{})}
	defer l.cloud.stop()
	l.sites = append(l.sites, l.site(0, groupLeavers+licensed, slim))
	l.to = l.sites[0]
	l.settle(l.to)
	l.cloud.tick()
	group := l.fillGroup("Licensed", l.to.users[groupLeavers:])
	l.use(l.to, []directory.GroupID{group}, directory.UseRules{Licences: []directory.LicenceRule{{SKU: seated, Via: directory.LicenceViaUser}}})

	asked := make([]time.Time, groupLeavers)
	before := l.ledger.read()
	took := l.bring(l.to)
	l.cloud.rest()
	used := l.ledger.read().minus(before)
	r.add("licences.calls_per_user", float64(used.Items)/licensed, "calls", lower, fmt.Sprintf("%d licences for as many users, by the rule of a group: calls of Graph, the items of a batch each, until the look at the tenant after the run: %d requests, %d that assign", licensed, used.Requests, l.wire.assigned.Load()))
	r.add("licences.at_once", float64(l.wire.most.Load()), "calls", lower, "calls about licences that were under way at once, at most")
	r.add("licences.time_s", took.Seconds(), "s", lower, fmt.Sprintf("that load, %d calls of the table", used.Calls))

	// The same for others, with leavers meanwhile.
	more := newUsers(l.to, licensed)
	create(t, l.raw, l.to, more, false)
	l.bring(l.to)
	group = l.fillGroup("Licensed later", l.to.users[groupLeavers+licensed:])
	l.use(l.to, []directory.GroupID{group}, directory.UseRules{Licences: []directory.LicenceRule{{SKU: seated, Via: directory.LicenceViaUser}}})
	l.cloud.wait.Go(func() {
		time.Sleep(leaversBegin)
		for n := range asked {
			l.suspend(n, asked)
			time.Sleep(leaverEvery / 4)
		}
	})
	took = l.bring(l.to)
	r.add("licences.leaver_s", longest(l.blocked(asked)).Seconds(), "s", lower, fmt.Sprintf("the worst of %d suspensions during such a load of %.0f s, from the call to block and end of sessions", len(asked), took.Seconds()))
	if n := l.wire.assigned.Load(); n != 2*licensed {
		t.Errorf("%d calls about licences, want %d", n, 2*licensed)
	}
}

// cloudQueue is the queue of whoever is no slice. It sweeps nothing.
type cloudQueue struct{ *cloud }

func (q cloudQueue) Send(ctx context.Context, w directory.WakeUp, delay time.Duration) error {
	return q.send(ctx, w, delay)
}

func (cloudQueue) SendSweep(context.Context, directory.WakeUp, time.Duration) error { return nil }

// deactivated measures a deactivation beside that of a connection with a few people; a
// third one's, which comes first, makes the process warm.
func deactivated(w *world, r *report) {
	w.Helper()
	for n := 1; n <= 2; n++ {
		w.sites = append(w.sites, w.site(n, 40, slim))
		w.settle(w.sites[n])
	}
	core := app.NewCore(app.Parts{
		Store: w.records(), Vault: &vault.Memory{}, Queue: cloudQueue{w.cloud},
		Connect: connect.Config{LoginBaseURL: simBase, ClientID: stack.ClientID, RedirectURL: simBack},
	})
	took := make([]time.Duration, len(w.sites))
	used := make([]usage, len(w.sites))
	for _, i := range []int{1, 0, 2} {
		used[i] = w.measured(func() {
			begun := time.Now()
			_, err := core.Connect.Deactivate(w.Context(), owner, w.sites[i].conn.ID)
			w.do(err)
			took[i] = time.Since(begun)
		})
	}
	r.add("deactivate.ratio", took[0].Seconds()/took[2].Seconds(), "ratio", lower, fmt.Sprintf("a deactivation of that connection, with %d exported groups and %d memberships ÷ of one with 40 people: %.0f ms and %d calls of the table, %.0f ms and %d", exportedLater, exportedLater*groupSize, 1000*took[0].Seconds(), used[0].Calls, 1000*took[2].Seconds(), used[2].Calls))
	if sent := w.measured(func() { w.wakeUp(w.sites[0]) }); sent.Requests > 0 {
		w.Errorf("%d requests to Graph after the deactivation", sent.Requests)
	}
}

// Groups of a full reconcile.
const (
	regrouped     = 500
	regroupedSize = 200
)

// regroup measures a full reconcile of groups that have not changed: what it reads, what
// it costs a processor, and its memory.
func regroup(t *testing.T, r *report) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, entratest.Quota{})
		w.sites = append(w.sites, w.site(0, groupPeople, slim))
		s := w.sites[0]
		w.settle(s)
		w.use(s, w.fillGroups(s, 0, regrouped, regroupedSize), asSecurityGroup)
		w.bring(s)
		w.hasMembers(s, regrouped*regroupedSize)
		w.cloud.rest()
		w.cloud.stop()
		time.Sleep(2 * time.Hour)

		b, graph := compared(w, s)
		asked := graph.asked
		var pages [][]byte
		size := 0
		for _, a := range graph.answers {
			pages, size = append(pages, a.body), size+len(a.body)
		}
		c := againstFloor(tries, cpuOf(t, decodeAll(t, pages)), b.full)
		r.add("regroup.requests", float64(asked), "requests", lower, fmt.Sprintf("a full reconcile of %d exported groups of %d members and their %d people, nothing changed: requests to Graph", regrouped, regroupedSize, groupPeople))
		r.add("regroup.cpu_ratio", c.ratio(), "ratio", lower, fmt.Sprintf("its CPU time over recorded answers ÷ to decode these %.1f MB from JSON: %s", float64(size)/(1<<20), c))
		r.add("regroup.heap_mb", w.peak(s, graph, regroupEach), "MB", lower, fmt.Sprintf("its live memory at most, after a forced collection each %d of its calls of the table, less that before", regroupEach))
	})
}

// compared is an engine that has compared a site's tenant with its records in full, and
// the answers to all that it asked for that.
func compared(w *world, s *site) (*bare, *record) {
	w.Helper()
	graph := &record{next: w.sim.Transport(), answers: map[string]recorded{}}
	b := newBare(w.T, w.mem, s, graph)
	b.full() // what is told of the load itself
	graph.asked, graph.answers = 0, map[string]recorded{}
	b.full() // this one records
	return b, graph
}

// After how many calls of the table live memory is looked at: the world of a large group
// has many, and takes long to collect.
const (
	regroupEach = 20
	largeEach   = 500
)

// peak is the live memory of a full reconcile at most, beyond that before, in MB.
func (w *world) peak(s *site, graph *record, each int) float64 {
	w.Helper()
	look := &sampler{Table: w.mem, each: each}
	measured := newBare(w.T, look, s, graph)
	before := liveHeap()
	measured.full()
	return float64(look.peak-min(before, look.peak)) / (1 << 20)
}

// everybody is how many members a large group has.
const everybody = 100_000

// large measures an edit in a large group.
func large(t *testing.T, r *report) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, entratest.Quota{})
		defer w.cloud.stop()
		w.sites = append(w.sites, w.site(0, everybody+2, slim))
		s := w.sites[0]
		w.settle(s)
		group := w.fillGroup("Everybody", s.users[:everybody])
		w.use(s, []directory.GroupID{group}, asSecurityGroup)
		before := w.ledger.read()
		took := w.bring(s)
		used := w.ledger.read().minus(before)
		w.hasMembers(s, everybody)
		r.add("large.quota_ratio", leastTime(1+leastWrites(1, everybody), tenantBucket, tenantRefill)/took.Seconds(), "ratio", higher, fmt.Sprintf("a new group of %d members: least time by quota ÷ time taken (%.0f s); %d requests, %.2f calls of the table a member", everybody, took.Seconds(), used.Requests, float64(used.Calls)/everybody))
		w.cloud.rest()
		time.Sleep(2 * time.Hour)
		w.wakeUp(s)
		w.cloud.rest()
		w.editMember(group, s.users[everybody])
		w.cloud.rest()
		time.Sleep(time.Minute)
		w.meter.units = true
		var latency time.Duration
		one := w.measured(func() { latency = w.editMember(group, s.users[everybody+1]) })
		r.add("large.edit_requests", float64(one.Requests), "requests", lower, "one member added to it: requests to Graph, with the look at the tenant afterwards")
		r.add("large.edit_latency_s", latency.Seconds(), "s", lower, "from the edit's call to the member in the tenant")
		r.add("large.edit_table_units", one.ReadUnits+one.WriteUnits, "units", lower, fmt.Sprintf("the edit itself and all that follows: %g read and %g write units in %d calls", one.ReadUnits, one.WriteUnits, one.Calls))
		time.Sleep(time.Minute)
		left := w.measured(func() {
			_, err := w.groups.RemoveMembers(w.Context(), owner, group, []directory.MemberRef{directory.UserMember(s.users[0])}, 0)
			w.do(err)
		})
		r.add("large.removal_requests", float64(left.Requests), "requests", lower, fmt.Sprintf("one member taken out of it: requests to Graph, likewise; %g read and %g write units in %d calls", left.ReadUnits, left.WriteUnits, left.Calls))

		time.Sleep(2 * time.Hour)
		w.cloud.rest()
		w.cloud.stop()
		_, graph := compared(w, s)
		asked, start := graph.asked, w.ledger.read()
		newBare(t, &meter{mem: w.mem, to: w.ledger}, s, graph).full()
		diff := w.ledger.read().minus(start)
		r.add("large.compare_requests", float64(asked), "requests", lower, fmt.Sprintf("a full reconcile of it and its people, nothing changed: requests to Graph; %g read units in %d calls of the table", diff.ReadUnits, diff.Calls))
		r.add("large.compare_heap_mb", w.peak(s, graph, largeEach), "MB", lower, fmt.Sprintf("its live memory at most, after a forced collection each %d calls of the table, less that before", largeEach))
	})
}
