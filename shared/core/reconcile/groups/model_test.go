package groups

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

const (
	ourGroup  = directory.GroupID("grp_sales")
	theirs    = directory.TenantGroupID("t-sales")
	protected = directory.AccountID("acc-boss")
)

// tenant is the members of one tenant group, with who put each of them there.
type tenant map[directory.AccountID]string

// model is an exported group with the records of its memberships.
type model struct {
	export  Export
	policy  directory.ForeignPolicy
	users   map[directory.UserID]directory.AccountID
	records map[directory.Ref]*directory.Binding
	in      tenant
	lost    bool // nobody hears of what is sent
	told    bool // what others took was only reported at times
}

func newModel() *model {
	m := &model{policy: directory.ForeignRevert, records: map[directory.Ref]*directory.Binding{}, in: tenant{}, users: map[directory.UserID]directory.AccountID{}}
	m.export = Export{Group: &directory.Group{ID: ourGroup, GroupProfile: directory.GroupProfile{Name: "Sales"}}, Kind: directory.GroupSecurity, Expanded: true}
	for i := range 4 {
		m.users[directory.UserID(fmt.Sprintf("usr_%d", i))] = directory.AccountID(fmt.Sprintf("acc-%d", i))
	}
	return m
}

func (m *model) want(u directory.UserID) {
	ref := directory.MemberOf(ourGroup, u)
	if b := m.records[ref]; b != nil {
		b.Release, b.Status = "", directory.BindingPending
		b.Wanted++
		return
	}
	m.records[ref] = &directory.Binding{Object: ref, Status: directory.BindingPending, Wanted: 1}
}

func (m *model) letGo(u directory.UserID, policy directory.ReleasePolicy) {
	if b := m.records[directory.MemberOf(ourGroup, u)]; b != nil {
		b.Release = policy
	}
}

// wanted is who should be in the group.
func (m *model) wanted() map[directory.AccountID]bool {
	out := map[directory.AccountID]bool{}
	for ref, b := range m.records {
		if _, member, _ := memberOf(ref); b.Release == "" && member.User() != "" {
			out[m.users[member.User()]] = true
		}
	}
	return out
}

func (m *model) subject(b *directory.Binding, ref directory.Ref) memberSubject {
	s := memberSubject{ref: ref, record: b, policy: m.policy, in: map[pair]bool{}}
	s.group = groupFacts{export: &m.export, id: theirs, size: len(m.in)}
	for a := range m.in {
		s.in[pair{theirs, a}] = true
	}
	_, member, _ := memberOf(ref)
	s.member = memberFacts{name: string(member.User()), id: m.users[member.User()]}
	if a := strangerOf(ref); a != "" {
		s.member.id, s.member.name, s.owned = a, string(a), m.wanted()[a]
	}
	if s.member.id == protected {
		s.member.protected = "the settings name it"
	}
	return s
}

// sync decides about every record, applies the changes and returns them. Strangers are
// looked for first.
func (m *model) sync(t interface{ Fatalf(string, ...any) }) []directory.Change {
	if m.export.Exact {
		known := map[directory.AccountID]bool{}
		for _, b := range m.records {
			known[knows(b)] = true
		}
		roll := map[directory.AccountID]directory.TenantMemberType{"printer": directory.TenantMemberDevice}
		for a := range m.in {
			roll[a] = directory.TenantMemberUser
		}
		for _, a := range strangers(roll, m.wanted(), known) {
			ref := directory.StrangerOf(ourGroup, a)
			m.records[ref] = &directory.Binding{Object: ref, Status: directory.BindingPending, Wanted: 1}
		}
	}
	var run []directory.Change
	for _, ref := range slices.SortedFunc(maps.Keys(m.records), func(a, b directory.Ref) int { return compare(a.ID, b.ID) }) {
		b := m.records[ref]
		d := decideMember(m.subject(b, ref))
		if d.gone != (d.gone && len(d.Changes) == 0) || (len(d.Changes) > 0) != (d.Status == directory.BindingPending && d.Problem == nil) {
			t.Fatalf("%s: gone %v with %d changes, %s", ref, d.gone, len(d.Changes), d.Status)
		}
		b.Status, b.Problem, b.Base = d.Status, d.Problem, d.Base
		if len(d.Changes) == 0 && (d.others || d.ours) {
			b.Created = d.ours
		}
		for _, c := range d.Changes {
			if m.lost {
				m.unheard(b, &c)
				continue
			}
			m.apply(t, b, &c)
			c.State = directory.ChangeApplied
			run = append(run, c)
		}
		if d.gone || len(d.Changes) > 0 && b.Release != "" && !m.lost {
			delete(m.records, ref)
		}
	}
	return run
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// apply does what a change says, and holds that nobody is removed whom others put there,
// unless the export is exact or an undo takes back what a run did.
func (m *model) apply(t interface{ Fatalf(string, ...any) }, b *directory.Binding, c *directory.Change) {
	p := pairOf(c, b)
	_, was := m.in[p.member]
	switch c.Effect {
	case directory.EffectMemberAdd:
		if !was {
			m.in[p.member] = "us"
		}
		noteMember(b, c.Effect, p, was)
	case directory.EffectMemberRemove:
		if was && m.in[p.member] != "us" && !m.export.Exact {
			t.Fatalf("%s is removed, whom %q put there", p.member, m.in[p.member])
		}
		if was && p.member == protected && m.in[p.member] != "us" {
			t.Fatalf("a protected account is removed")
		}
		delete(m.in, p.member)
		noteMember(b, c.Effect, p, !was)
	}
	b.Status = directory.BindingInSync
}

// unheard has an addition take effect without anybody hearing of it.
func (m *model) unheard(b *directory.Binding, c *directory.Change) {
	b.Status = directory.BindingPending
	if c.Effect != directory.EffectMemberAdd || strangerOf(c.Object) != "" {
		return
	}
	p := pairOf(c, b)
	noteSent(b, p)
	if _, was := m.in[p.member]; !was {
		m.in[p.member] = "us"
	}
}

// step is something that happens on one side.
func (m *model) step(t *rapid.T) {
	u := directory.UserID(fmt.Sprintf("usr_%d", rapid.IntRange(0, 3).Draw(t, "user")))
	a := rapid.SampledFrom([]directory.AccountID{"acc-0", "acc-1", "acc-2", "acc-3", "acc-x", "acc-y", protected}).Draw(t, "account")
	switch rapid.SampledFrom([]string{"want", "want", "let go", "add", "remove", "account", "exact", "policy"}).Draw(t, "step") {
	case "want":
		m.want(u)
	case "let go":
		m.letGo(u, directory.ReleaseRemove)
	case "add":
		if _, there := m.in[a]; there {
			break
		}
		m.in[a] = "them"
		for _, b := range m.records {
			if p, given := givenPair(b); given && p.member == a {
				m.in[a] = "us" // nobody can tell that it was taken and given again since we looked
			}
		}
	case "remove":
		delete(m.in, a)
	case "account":
		m.users[u] += "'"
	case "exact":
		m.export.Exact = !m.export.Exact
	case "policy":
		m.policy = rapid.SampledFrom([]directory.ForeignPolicy{directory.ForeignRevert, directory.ForeignReport}).Draw(t, "policy")
		m.told = true
	}
}

// TestPlanApplyPlan: whatever happened on both sides, one plan brings the group to what
// is wanted, a second one where a user has another account, of which the old one is taken
// out first; the next one is empty, whom we put there and nobody wants is there no more,
// whether we heard of it or not, and nobody is removed whom others put there but from an
// exact group, where protected accounts stay as well.
func TestPlanApplyPlan(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newModel()
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			m.step(t)
			if rapid.Bool().Draw(t, "sync") {
				m.lost = rapid.Bool().Draw(t, "lost")
				m.sync(t)
				m.lost = false
			}
		}
		m.sync(t)
		m.sync(t)
		if again := m.sync(t); len(again) > 0 {
			t.Fatalf("another plan has %+v", again)
		}
		wanted := m.wanted()
		for a := range wanted {
			if _, in := m.in[a]; !in && m.policy == directory.ForeignRevert {
				t.Fatalf("%s is wanted and not in the group", a)
			}
		}
		for a, by := range m.in {
			if m.export.Exact && !wanted[a] && a != protected {
				t.Fatalf("%s is in an exact group and not wanted", a)
			}
			if by == "us" && !wanted[a] && !m.told {
				t.Fatalf("%s is in the group by us and not wanted", a)
			}
		}
	})
}

// TestUndoGivesBack: what a run did to memberships is taken back, whether their records
// are there or not, and an undo of the undo does it again.
func TestUndoGivesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newModel()
		for range rapid.IntRange(0, 8).Draw(t, "steps") {
			m.step(t)
		}
		m.sync(t)
		for range rapid.IntRange(1, 8).Draw(t, "more steps") {
			m.step(t)
		}
		before := maps.Clone(m.in)
		run := m.sync(t)
		after := maps.Clone(m.in)
		undone := m.undo(t, run)
		if !sameMembers(m.in, before) {
			t.Fatalf("before %v, the run made %v of it, the undo %v", before, after, m.in)
		}
		since := m.sync(t) // of strangers of whom the run did not know yet
		for _, c := range since {
			if slices.ContainsFunc(run, func(e directory.Change) bool { return e.Ref() == c.Ref() }) {
				t.Fatalf("what was undone is done again: %+v", c)
			}
		}
		m.undo(t, since)
		m.undo(t, undone)
		if !sameMembers(m.in, after) {
			t.Fatalf("after the run %v, after the undo of its undo %v", after, m.in)
		}
	})
}

func sameMembers(a, b tenant) bool {
	return slices.Equal(slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b)))
}

// undo takes a run back as the engine does: records that it touches are paused.
func (m *model) undo(t *rapid.T, run []directory.Change) []directory.Change {
	byRef := map[directory.Ref][]directory.Change{}
	var refs []directory.Ref
	for _, c := range run {
		if byRef[c.Ref()] == nil {
			refs = append(refs, c.Ref())
		}
		byRef[c.Ref()] = append(byRef[c.Ref()], c)
	}
	var undone []directory.Change
	for _, ref := range refs {
		s := m.subject(m.records[ref], ref)
		out := undoMember(s, byRef[ref])
		if len(out.Left) > 0 {
			t.Fatalf("the undo of %s leaves %+v", ref, out.Left)
		}
		plan.Order(out.Changes)
		for _, c := range out.Changes {
			switch c.Effect {
			case directory.EffectAdopt:
				m.records[ref] = &directory.Binding{Object: ref, Wanted: 1, Created: c.Created}
			case directory.EffectRelease:
				delete(m.records, ref)
			default:
				m.apply(t, m.records[ref], &c)
			}
			c.State = directory.ChangeApplied
			undone = append(undone, c)
		}
		if b := m.records[ref]; b != nil {
			b.Release, b.Status, b.Problem = "", directory.BindingPaused, &directory.Problem{Code: directory.CodeUndone}
			b.Applied = b.Wanted
		}
	}
	return undone
}
