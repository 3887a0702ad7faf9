package people

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// group creates a group of a JSON object.
func (w *world) group(body string, by directory.Caller) directory.Group {
	w.t.Helper()
	g, err := w.groups.Create(w.t.Context(), by, []byte(body))
	w.must(err)
	return g.Group
}

// add makes members of a group, all of whom must be taken.
func (w *world) add(g directory.GroupID, members ...directory.MemberRef) {
	w.t.Helper()
	done, err := w.groups.AddMembers(w.t.Context(), admin, g, members, 0)
	w.must(err)
	if len(done.Refused) > 0 {
		w.t.Fatalf("refused: %v", done.Refused)
	}
}

// members lists the members of a group, page by page.
func (w *world) members(g directory.GroupID, f MemberFilter) []string {
	w.t.Helper()
	var ids []string
	for next := ""; ; {
		p, err := w.groups.Members(w.t.Context(), g, f, next, 3)
		w.must(err)
		if len(p.Members) > 3 {
			w.t.Fatalf("a page of %d members", len(p.Members))
		}
		for _, m := range p.Members {
			ids = append(ids, m.ID)
		}
		if next = p.Next; next == "" {
			return ids
		}
	}
}

func refsOf(users []directory.UserID) []directory.MemberRef {
	refs := make([]directory.MemberRef, len(users))
	for i, u := range users {
		refs[i] = directory.UserMember(u)
	}
	return refs
}

func TestGroupsAreEdited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	g := w.group(`{"name":" Sales ","description":"a\nb","mailNickname":"sales","customAttributes":{"site":"B"}}`, admin)
	if g.Name != "Sales" || g.Version != 1 || g.CustomAttributes["site"] != "B" || g.Source != directory.SourceManual {
		t.Errorf("created %+v", g)
	}
	for body, fields := range map[string]string{
		`{}`:                                          "name",
		`{"name":""}`:                                 "name",
		`{"name":"a\u0000b"}`:                         "name",
		`{"name":"x","mailNickname":"a b"}`:           "mailNickname",
		`{"name":"x","members":3,"id":"grp_1"}`:       "id members",
		`{"name":"x","email":"a@b.example"}`:          "email",
		`{"name":"` + strings.Repeat("x", 257) + `"}`: "name",
	} {
		if _, err := w.groups.Create(ctx, admin, []byte(body)); codeOf(err) != directory.CodeInvalidGroup || fieldsOf(err) != fields {
			t.Errorf("%.60s: %v, fields %q; want %q", body, err, fieldsOf(err), fields)
		}
	}
	if _, err := w.groups.Create(ctx, admin, []byte(`{"name":"SALES"}`)); codeOf(err) != directory.CodeGroupNameTaken {
		t.Errorf("a taken name: %v", err)
	}
	edited, err := w.groups.Patch(ctx, admin, g.ID, []byte(`{"description":null,"customAttributes":{"floor":"2"}}`), 1)
	w.must(err)
	if edited.Version != 2 || edited.Description != "" || len(edited.CustomAttributes) != 2 || len(edited.Editors) != 1 {
		t.Errorf("edited %+v", edited)
	}
	if _, err := w.groups.Patch(ctx, admin, g.ID, []byte(`{"description":"c"}`), 1); codeOf(err) != directory.CodeVersionMismatch {
		t.Errorf("an edit of another version: %v", err)
	}
	if again, err := w.groups.Patch(ctx, admin, g.ID, []byte(`{"customAttributes":{"floor":"2"}}`), 0); err != nil || again.Version != 2 {
		t.Errorf("an edit that changes nothing: version %d, %v", again.Version, err)
	}
	w.must(w.groups.Delete(ctx, admin, g.ID, 0))
	w.must(w.groups.Delete(ctx, admin, g.ID, 0))
	if _, err := w.groups.Patch(ctx, admin, g.ID, []byte(`{"description":"c"}`), 0); codeOf(err) != directory.CodeGroupDeleted {
		t.Errorf("an edit of a deleted group: %v", err)
	}
	twin := w.group(`{"name":"sales"}`, admin)
	if _, err := w.groups.Restore(ctx, admin, g.ID, 0); codeOf(err) != directory.CodeGroupNameTaken {
		t.Errorf("restored to a taken name: %v", err)
	}
	for f, want := range map[GroupFilter]directory.GroupID{{}: twin.ID, {Deleted: true}: g.ID, {Name: "SALES"}: twin.ID, {Text: "ale"}: twin.ID, {Text: "nothing"}: ""} {
		p, err := w.groups.List(ctx, f, "", 10)
		w.must(err)
		if want == "" && len(p.Groups) > 0 || want != "" && (len(p.Groups) != 1 || p.Groups[0].ID != want) {
			t.Errorf("list %+v: %v", f, p.Groups)
		}
	}
	if _, err := w.groups.List(ctx, GroupFilter{Source: "x"}, "", 10); codeOf(err) != directory.CodeInvalidFilter {
		t.Errorf("a source that there is not: %v", err)
	}
	w.must(w.groups.Delete(ctx, admin, twin.ID, 0))
	if back, err := w.groups.Restore(ctx, admin, g.ID, 0); err != nil || back.Deleted != nil {
		t.Errorf("restored: %+v, %v", back, err)
	}
	if _, err := w.groups.Get(ctx, "grp_none"); codeOf(err) != directory.CodeGroupNotFound {
		t.Errorf("a group that there is not: %v", err)
	}
}

func TestGroupsHaveOwners(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	g := w.group(`{"name":"Staff","description":"of AD"}`, ad)
	if _, err := w.groups.Patch(ctx, admin, g.ID, []byte(`{"description":"mine"}`), 0); codeOf(err) != directory.CodeOwnedElsewhere {
		t.Errorf("an owned attribute: %v", err)
	}
	for _, body := range []string{`{"mailNickname":"staff"}`, `{"name":"STAFF"}`} {
		if _, err := w.groups.Patch(ctx, admin, g.ID, []byte(body), 0); err != nil {
			t.Errorf("%s, which is not owned or the same: %v", body, err)
		}
	}
	if err := w.groups.Delete(ctx, admin, g.ID, 0); codeOf(err) != directory.CodeOwnedElsewhere {
		t.Errorf("the deletion of another's group: %v", err)
	}
	p := w.people(2)
	w.add(g.ID, refsOf(p[:1])...)
	done, err := w.groups.AddMembers(ctx, ad, g.ID, refsOf(p), 0) // one of whom becomes its own
	w.must(err)
	if len(done.Done) != 1 || len(done.Unchanged) != 1 {
		t.Errorf("added by ad: %+v", done)
	}
	done, err = w.groups.RemoveMembers(ctx, admin, g.ID, refsOf(p), 0)
	w.must(err)
	if len(done.Done) != 0 || len(done.Refused) != 2 || done.Refused[0].Code != directory.CodeOwnedElsewhere {
		t.Errorf("removed by an admin: %+v", done)
	}
	done, err = w.groups.RemoveMembers(ctx, ad, g.ID, refsOf(p), 0)
	w.must(err)
	if len(done.Done) != 2 || len(w.members(g.ID, MemberFilter{})) != 0 {
		t.Errorf("removed by its owner: %+v", done)
	}
	w.must(w.groups.Delete(ctx, ad, g.ID, 0))
}

func TestMembersAreEdited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	g, sub := w.group(`{"name":"All"}`, admin), w.group(`{"name":"Sub"}`, admin)
	p := w.people(60)
	w.must(w.Delete(ctx, admin, p[0], 0))
	gone := w.group(`{"name":"Gone"}`, admin)
	w.must(w.groups.Delete(ctx, admin, gone.ID, 0))
	refs := append(refsOf(p), directory.GroupMember(sub.ID), directory.GroupMember(gone.ID), directory.GroupMember("grp_none"), directory.UserMember("usr_none"), directory.GroupMember(g.ID), directory.UserMember(p[1]))
	done, err := w.groups.AddMembers(ctx, admin, g.ID, refs, 0)
	w.must(err)
	want := map[string]int{directory.CodeUserDeleted: 1, directory.CodeGroupDeleted: 1, directory.CodeGroupNotFound: 1, directory.CodeUserNotFound: 1, directory.CodeGroupCycle: 1}
	if len(done.Done) != 60 || len(done.Unchanged) != 0 || !maps.Equal(codes(done.Refused), want) {
		t.Errorf("%d added, %d unchanged, refused %v", len(done.Done), len(done.Unchanged), done.Refused)
	}
	read, err := w.groups.Get(ctx, g.ID)
	w.must(err)
	if read.Members != 60 || read.MembersVersion != done.Version || len(read.Editors) != 1 {
		t.Errorf("%+v after version %d", read, done.Version)
	}
	if got := w.members(g.ID, MemberFilter{}); len(got) != 60 || got[0] != string(sub.ID) {
		t.Errorf("%d members, first %s", len(got), got[0])
	}
	if _, err := w.groups.AddMembers(ctx, admin, g.ID, refsOf(p[1:2]), done.Version+1); codeOf(err) != directory.CodeVersionMismatch {
		t.Errorf("of another version: %v", err)
	}
	again, err := w.groups.AddMembers(ctx, admin, g.ID, refsOf(p[1:]), done.Version)
	w.must(err)
	if len(again.Done) != 0 || len(again.Unchanged) != 59 || again.Version != done.Version {
		t.Errorf("added again: %+v", again)
	}
	if _, err := w.Restore(ctx, admin, p[0], 0); err != nil {
		t.Fatal(err)
	}
	removed, err := w.groups.RemoveMembers(ctx, admin, g.ID, refsOf(p[:31]), 0)
	w.must(err)
	if len(removed.Done) != 30 || len(removed.Unchanged) != 1 {
		t.Errorf("removed: %+v", removed)
	}
	for _, refs := range [][]directory.MemberRef{nil, refsOf(make([]directory.UserID, 501)), {directory.UserMember("a b")}} {
		if _, err := w.groups.AddMembers(ctx, admin, g.ID, refs, 0); codeOf(err) != directory.CodeInvalidMembers {
			t.Errorf("%d members: %v", len(refs), err)
		}
	}
	for _, cursor := range []string{"x", "user/", "user/a b", "lamp/1", "user/" + strings.Repeat("x", 3000)} {
		if _, err := w.groups.Members(ctx, g.ID, MemberFilter{}, cursor, 10); codeOf(err) != directory.CodeInvalidCursor {
			t.Errorf("next %.20q: %v", cursor, err)
		}
	}

	// Who is deleted is no member; who returns, is again.
	w.must(w.Delete(ctx, admin, p[40], 0))
	w.must(w.groups.Delete(ctx, admin, sub.ID, 0))
	if got := w.members(g.ID, MemberFilter{}); len(got) != 28 || slices.Contains(got, string(p[40])) || slices.Contains(got, string(sub.ID)) {
		t.Errorf("%d members with deleted ones", len(got))
	}
	_, err = w.Restore(ctx, admin, p[40], 0)
	w.must(err)
	if got := w.members(g.ID, MemberFilter{}); len(got) != 29 {
		t.Errorf("%d members after one has returned", len(got))
	}
}

func TestCyclesAreRefusedByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, c := w.group(`{"name":"A"}`, admin), w.group(`{"name":"B"}`, admin), w.group(`{"name":"C"}`, admin)
	w.add(a.ID, directory.GroupMember(b.ID))
	w.add(b.ID, directory.GroupMember(c.ID))
	p := w.people(1)
	done, err := w.groups.AddMembers(t.Context(), admin, c.ID, append(refsOf(p), directory.GroupMember(a.ID)), 0)
	w.must(err)
	want := `The group "A" cannot be a member of "C", which is in it: "A" has "B" has "C". Take one of them out first.`
	if len(done.Done) != 1 || len(done.Refused) != 1 || done.Refused[0].Detail != want || done.Refused[0].GroupID != a.ID {
		t.Errorf("a circle: %+v, want %s", done, want)
	}
	w.must(w.groups.Delete(t.Context(), admin, b.ID, 0))
	done, err = w.groups.AddMembers(t.Context(), admin, c.ID, []directory.MemberRef{directory.GroupMember(a.ID), directory.GroupMember(c.ID)}, 0)
	w.must(err)
	if len(done.Refused) != 2 || !strings.Contains(done.Refused[0].Detail, `"A" has "B" (deleted) has "C"`) || !strings.Contains(done.Refused[1].Detail, "of itself") {
		t.Errorf("a circle by a deleted group: %+v", done)
	}
}

// TestNesting holds nested members, paths and the refusal of circles against a model
// that knows nothing but who is directly in what.
func TestNesting(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := rand.New(rand.NewPCG(seed, 14))
			m := model{groups: map[directory.GroupID]bool{}, in: map[directory.MemberRef]map[directory.GroupID]bool{}}
			var groups []directory.GroupID
			for i := range 12 {
				g := w.group(fmt.Sprintf(`{"name":"g%d"}`, i), admin)
				groups = append(groups, g.ID)
				m.groups[g.ID] = true
			}
			p := w.people(8)
			for range 90 {
				g := groups[r.IntN(len(groups))]
				ref := directory.GroupMember(groups[r.IntN(len(groups))])
				if r.IntN(2) == 0 {
					ref = directory.UserMember(p[r.IntN(len(p))])
				}
				if r.IntN(4) == 0 {
					_, err := w.groups.RemoveMembers(t.Context(), admin, g, []directory.MemberRef{ref}, 0)
					w.must(err)
					delete(m.in[ref], g)
					continue
				}
				circle := ref.Group() == g || m.above(directory.GroupMember(g))[ref.Group()]
				done, err := w.groups.AddMembers(t.Context(), admin, g, []directory.MemberRef{ref}, 0)
				w.must(err)
				if refused := len(done.Refused) > 0; refused != circle {
					t.Fatalf("%v into %s is refused: %t, is a circle: %t", ref, g, refused, circle)
				}
				if !circle {
					m.add(ref, g)
				}
			}
			gone := groups[r.IntN(len(groups))]
			w.must(w.groups.Delete(t.Context(), admin, gone, 0))
			delete(m.groups, gone)
			w.compare(m, groups, p)
		})
	}
}

// compare holds what the world says of nesting against a model.
func (w *world) compare(m model, groups []directory.GroupID, users []directory.UserID) {
	w.t.Helper()
	nested := map[directory.GroupID][]string{}
	for _, u := range users {
		above := m.above(directory.UserMember(u))
		for g := range above {
			nested[g] = append(nested[g], string(u))
		}
		var got []directory.GroupID
		for next := ""; ; {
			list, more, err := w.groups.GroupsOfUser(w.t.Context(), u, next, 2)
			w.must(err)
			for _, g := range list {
				got = append(got, g.ID)
				w.checkPath(m, u, &g)
			}
			if next = more; next == "" {
				break
			}
		}
		if want := slices.Sorted(maps.Keys(above)); !slices.Equal(got, want) {
			w.t.Errorf("the user %s is in %v, want %v", u, got, want)
		}
	}
	for _, g := range groups {
		if !m.groups[g] {
			continue
		}
		slices.Sort(nested[g])
		if got := w.members(g, MemberFilter{Nested: true}); !slices.Equal(got, nested[g]) {
			w.t.Errorf("in %s are %v, want %v", g, got, nested[g])
		}
	}
}

// checkPath says whether a path leads from a user to a group, and is a shortest one.
func (w *world) checkPath(m model, u directory.UserID, g *UserGroup) {
	w.t.Helper()
	at := directory.UserMember(u)
	for _, step := range g.Path {
		if !m.in[at][step.ID] || !m.groups[step.ID] {
			w.t.Errorf("the path %v of %s: %v is not in %s", g.Path, u, at, step.ID)
		}
		at = directory.GroupMember(step.ID)
	}
	if at.Group() != g.ID || g.Direct != (len(g.Path) == 1) || len(g.Path) != m.distance(directory.UserMember(u), g.ID) {
		w.t.Errorf("the path of %s to %s: %v, direct %t, shortest %d", u, g.ID, g.Path, g.Direct, m.distance(directory.UserMember(u), g.ID))
	}
}

// model is who is directly in what, and which groups live.
type model struct {
	groups map[directory.GroupID]bool
	in     map[directory.MemberRef]map[directory.GroupID]bool
}

func (m model) add(ref directory.MemberRef, g directory.GroupID) {
	if m.in[ref] == nil {
		m.in[ref] = map[directory.GroupID]bool{}
	}
	m.in[ref][g] = true
}

// above are the living groups in which somebody is, by going on until nothing changes.
func (m model) above(ref directory.MemberRef) map[directory.GroupID]bool {
	all := map[directory.GroupID]bool{}
	for grown := true; grown; {
		grown = false
		for _, at := range append([]directory.MemberRef{ref}, groupRefs(all)...) {
			for g := range m.in[at] {
				if m.groups[g] && !all[g] {
					all[g], grown = true, true
				}
			}
		}
	}
	return all
}

func groupRefs(groups map[directory.GroupID]bool) []directory.MemberRef {
	var refs []directory.MemberRef
	for g := range groups {
		refs = append(refs, directory.GroupMember(g))
	}
	return refs
}

// distance is how many groups a shortest way has.
func (m model) distance(ref directory.MemberRef, to directory.GroupID) int {
	at := map[directory.MemberRef]bool{ref: true}
	for n := 1; n < 100; n++ {
		next := map[directory.MemberRef]bool{}
		for from := range at {
			for g := range m.in[from] {
				if m.groups[g] {
					next[directory.GroupMember(g)] = true
				}
			}
		}
		if next[directory.GroupMember(to)] {
			return n
		}
		at = next
	}
	return 0
}

// TestLargeGroup lists a group of 100,000 members: no call reads all of it at once, and
// none for each member.
func TestLargeGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.group(`{"name":"Everybody"}`, admin)
	const n = 100_000
	now, err := w.store.Groups.Group(t.Context(), g.ID)
	w.must(err)
	for i := 0; i < n; i += store.MaxMemberChange {
		var c store.MemberChange
		for k := i; k < min(n, i+store.MaxMemberChange); k++ {
			c.Add = append(c.Add, directory.Membership{Member: directory.UserMember(directory.UserID(fmt.Sprintf("usr_%06d", k))), Added: w.Now()})
		}
		_, err := w.store.Groups.ChangeMembers(t.Context(), directory.AuditEvent{}, &now, c)
		w.must(err)
	}
	if now.Members != n {
		t.Fatalf("%d members are counted", now.Members)
	}
	before := w.store.Calls()
	seen := 0
	for u, err := range (Nesting{Groups: w.store.Groups}).Users(t.Context(), g.ID, "") {
		w.must(err)
		if u.User != directory.UserID(fmt.Sprintf("usr_%06d", seen)) {
			t.Fatalf("user %d is %s", seen, u.User)
		}
		seen++
	}
	if calls := w.store.Calls() - before; seen != n || calls > n/1000+10 {
		t.Errorf("%d users were read in %d calls", seen, calls)
	}
}

// A user in 500 groups has them in pages, each with its path.
func TestUserInManyGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.people(1)[0]
	top := w.group(`{"name":"top"}`, admin)
	for i := range 500 {
		g := w.group(fmt.Sprintf(`{"name":"g%d"}`, i), admin)
		w.add(g.ID, directory.UserMember(u))
		if i == 250 {
			w.add(top.ID, directory.GroupMember(g.ID))
		}
	}
	before := w.store.Calls()
	var all []UserGroup
	for next := ""; ; {
		list, more, err := w.groups.GroupsOfUser(t.Context(), u, next, 500)
		w.must(err)
		all = append(all, list...)
		if next = more; next == "" {
			break
		}
	}
	if calls := w.store.Calls() - before; len(all) != 501 || calls > 40 {
		t.Errorf("%d groups were read in %d calls", len(all), calls)
	}
	i := slices.IndexFunc(all, func(g UserGroup) bool { return g.ID == top.ID })
	if all[i].Direct || len(all[i].Path) != 2 || all[i].Path[0].Name != "g250" {
		t.Errorf("top by %v", all[i].Path)
	}
}

// TestUsersOfGroupsAreWoken: an edit wakes whoever uses the group, or one above it; when
// the one who edits dies before that, the schedule does.
func TestUsersOfGroupsAreWoken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	top, low := w.group(`{"name":"top"}`, admin), w.group(`{"name":"low"}`, admin)
	w.add(top.ID, directory.GroupMember(low.ID))
	w.must(w.store.Groups.SetUsed(ctx, top.ID, w.conn.ID, true))
	woken := func() int {
		n := len(w.woken)
		w.woken = nil
		return n
	}
	p := w.people(2)
	woken()
	w.add(low.ID, directory.UserMember(p[0]))
	if n := woken(); n != 1 {
		t.Errorf("%d wake-ups after a member was added below", n)
	}
	w.add(low.ID, directory.UserMember(p[0]))
	if n := woken(); n != 0 {
		t.Errorf("%d wake-ups after nothing was changed", n)
	}
	g, err := w.groups.Get(ctx, low.ID)
	w.must(err)
	_, err = w.store.Groups.ChangeMembers(ctx, directory.AuditEvent{}, &g, store.MemberChange{Add: []directory.Membership{{Member: directory.UserMember(p[1])}}})
	w.must(err)
	w.must(w.groups.Tend(ctx))
	if n := woken(); n != 1 {
		t.Errorf("%d wake-ups by the schedule", n)
	}
	w.must(w.groups.Tend(ctx))
	if n := woken(); n != 0 {
		t.Errorf("%d wake-ups by the schedule, again", n)
	}
	w.down = errors.New("the queue is down")
	if _, err := w.groups.Patch(ctx, admin, top.ID, []byte(`{"description":"x"}`), 0); err != nil {
		t.Errorf("an edit while the queue is down: %v", err)
	}
	due, _, err := w.store.Groups.DueUses(ctx, w.conn.ID, "", 10)
	w.must(err)
	if len(due) != 1 || due[0].GroupID != top.ID {
		t.Errorf("due: %v", due)
	}
}

// TestTendPurges: memberships of who can no longer be restored are ended by the schedule.
func TestTendPurges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.group(`{"name":"All"}`, admin)
	p := w.people(2)
	w.add(g.ID, refsOf(p)...)
	w.must(w.Delete(t.Context(), admin, p[0], 0))
	w.Advance(store.TombstoneLife + time.Hour)
	w.must(w.groups.Tend(t.Context()))
	read, err := w.groups.Get(t.Context(), g.ID)
	w.must(err)
	if read.Members != 1 {
		t.Errorf("%d members", read.Members)
	}
}

func TestManagerCycles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	p := w.people(4)
	manager := func(u, m directory.UserID) error {
		_, err := w.Patch(ctx, admin, u, fmt.Appendf(nil, `{"managerId":%q}`, m), 0)
		return err
	}
	w.must(manager(p[0], p[1]))
	w.must(manager(p[1], p[2]))
	err := manager(p[2], p[0])
	r, _ := errors.AsType[*directory.Refusal](err)
	if codeOf(err) != directory.CodeManagerCycle || r.Fields[0].Detail != "would be in a circle: p2@corp.example reports to p0@corp.example reports to p1@corp.example reports to p2@corp.example" {
		t.Errorf("a circle of managers: %v %+v", err, r)
	}
	if err := manager(p[2], p[2]); codeOf(err) != directory.CodeInvalidUser {
		t.Errorf("one's own manager: %v", err)
	}
	w.must(manager(p[2], p[3]))
	job, err := w.StartLoad(ctx, admin, fmt.Appendf(nil, "email,managerId\np3@corp.example,%s\n", p[0]), LoadOptions{})
	w.must(err)
	w.run(job.ID)
	if got := codes(w.refusals(job.ID)); got[directory.CodeManagerCycle] != 1 {
		t.Errorf("a circle by a load: %v", got)
	}
	w.must(w.Delete(ctx, admin, p[1], 0))
	u, err := w.Get(ctx, p[0])
	w.must(err)
	if name, gone, err := w.Manager(ctx, &u); err != nil || name != "" || !gone || u.ManagerID != p[1] {
		t.Errorf("the manager %s is gone: %t, %v", u.ManagerID, gone, err)
	}
	if err := manager(p[3], p[1]); codeOf(err) != directory.CodeInvalidUser {
		t.Errorf("a deleted manager: %v", err)
	}
}

// Of two edits at once that would make a circle of managers, one is refused.
func TestManagersAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.people(3)
	errs := make(chan error, len(p))
	for i := range p {
		go func() {
			_, err := w.Patch(t.Context(), admin, p[i], fmt.Appendf(nil, `{"managerId":%q}`, p[(i+1)%len(p)]), 0)
			errs <- err
		}()
	}
	refused := 0
	for range p {
		if err := <-errs; codeOf(err) == directory.CodeManagerCycle {
			refused++
		} else {
			w.must(err)
		}
	}
	if refused != 1 {
		t.Errorf("%d edits of a circle are refused", refused)
	}
}
