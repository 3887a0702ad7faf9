package uses_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"bindery/shared/core/assign"
	"bindery/shared/core/uses"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/table/memory"
	"bindery/shared/testworld"
)

// errCut is what a call of the table ends with that does not come through.
var errCut = errors.New("cut")

// cutTable has a write fail now and then, before it has taken effect or after.
type cutTable struct {
	store.Table
	every int // of so many writes about one; 0: none
	dice  *rand.Rand
}

func (c *cutTable) Write(ctx context.Context, writes ...table.Write) error {
	if c.every == 0 || c.dice.IntN(c.every) > 0 {
		return c.Table.Write(ctx, writes...)
	}
	if c.dice.IntN(2) == 0 {
		return errCut
	}
	return errors.Join(errCut, c.Table.Write(ctx, writes...))
}

// world is a directory of groups, and a naive model of it.
type world struct {
	*testing.T
	clock   *testworld.Clock
	cut     *cutTable
	s       *store.Store
	conn    directory.Connection
	dice    *rand.Rand
	users   []directory.UserID
	groups  []directory.GroupID
	members map[directory.GroupID]map[directory.MemberRef]bool
	deleted map[directory.GroupID]bool
	rules   map[directory.GroupID]directory.UseRules
}

func newWorld(t *testing.T, seed uint64) *world {
	dice := rand.New(rand.NewPCG(seed, 1))
	w := &world{T: t, clock: testworld.NewClock(), dice: dice, members: map[directory.GroupID]map[directory.MemberRef]bool{},
		deleted: map[directory.GroupID]bool{}, rules: map[directory.GroupID]directory.UseRules{}}
	w.cut = &cutTable{Table: memory.New(), dice: dice}
	w.s = store.New(w.cut, store.Options{Now: w.clock.Now})
	records := &testworld.World{T: t, Store: w.s, Clock: w.clock}
	w.conn = records.Connection("HQ", "corp.example")
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) addUser() directory.UserID {
	n := len(w.users)
	u := directory.User{ID: directory.UserID(fmt.Sprintf("usr_%03d", n)), Profile: directory.Profile{
		UserName: fmt.Sprintf("u%d", n), Email: fmt.Sprintf("u%d@corp.example", n), State: directory.StateActive}, Version: 1, Created: w.clock.Now(), Updated: w.clock.Now()}
	w.must(w.s.Users.CreateUsers(w.Context(), directory.AuditEvent{}, &u))
	w.users = append(w.users, u.ID)
	return u.ID
}

func (w *world) addGroup() directory.GroupID {
	g := directory.Group{ID: directory.GroupID(fmt.Sprintf("grp_%03d", len(w.groups))), Created: w.clock.Now(), Updated: w.clock.Now()}
	g.Name = "Group " + string(g.ID)
	w.must(w.s.Groups.CreateGroups(w.Context(), directory.AuditEvent{}, &g))
	w.groups = append(w.groups, g.ID)
	w.members[g.ID] = map[directory.MemberRef]bool{}
	return g.ID
}

// setMember puts somebody into a group, or takes it out.
func (w *world) setMember(g directory.GroupID, m directory.MemberRef, in bool) {
	group, err := w.s.Groups.Group(w.Context(), g)
	w.must(err)
	ch := store.MemberChange{Add: []directory.Membership{{Group: g, Member: m, Added: w.clock.Now()}}}
	if !in {
		ch = store.MemberChange{Remove: []directory.MemberRef{m}}
	}
	_, err = w.s.Groups.ChangeMembers(w.Context(), directory.AuditEvent{}, &group, ch)
	if _, cycle := errors.AsType[*store.GroupCycle](err); cycle {
		return
	}
	w.must(err)
	w.members[g][m] = in
	if w.dice.IntN(5) > 0 { // else whoever edited dies before telling, and the schedule does
		w.tell(g)
	}
}

func (w *world) tell(g directory.GroupID) {
	_, err := w.s.Groups.TellUsers(w.Context(), directory.GroupMember(g))
	w.must(err)
}

func (w *world) setUse(g directory.GroupID, rules directory.UseRules) {
	group, err := w.s.Groups.Group(w.Context(), g)
	w.must(err)
	use, err := w.s.Uses.Use(w.Context(), &w.conn, g)
	if errors.Is(err, directory.ErrNotFound) {
		use, err = directory.GroupUse{ConnectionID: w.conn.ID, GroupID: g, Created: w.clock.Now()}, nil
	}
	w.must(err)
	use.UseRules = rules
	use.Ending = rules.Select == nil && rules.Export == nil && len(rules.Licences) == 0
	use.EditedBy("admin", w.clock.Now())
	w.must(w.s.Uses.PutUse(w.Context(), directory.AuditEvent{}, &w.conn, &group, &use))
	w.rules[g] = rules
	w.tell(g)
}

func (w *world) setDeleted(g directory.GroupID, deleted bool) {
	group, err := w.s.Groups.Group(w.Context(), g)
	w.must(err)
	old := group
	group.Deleted = nil
	if at := w.clock.Now(); deleted {
		group.Deleted = &at
	}
	_, err = w.s.Groups.UpdateGroup(w.Context(), directory.AuditEvent{}, &old, &group)
	w.must(err)
	w.deleted[g] = deleted
	w.tell(g)
}

// inside are the users in a group, by the model.
func (w *world) inside(g directory.GroupID, seen map[directory.GroupID]bool) map[directory.UserID]bool {
	all := map[directory.UserID]bool{}
	if seen[g] || w.deleted[g] {
		return all
	}
	seen[g] = true
	for m, in := range w.members[g] {
		switch {
		case !in:
		case m.User() != "":
			all[m.User()] = true
		default:
			maps.Copy(all, w.inside(m.Group(), seen))
		}
	}
	return all
}

// expand brings everything up to date, however often that is cut off.
func (w *world) expand(cuts int) {
	for tries := 0; ; tries++ {
		w.cut.every = 0
		l, conn, err := w.s.Leases.AcquireLease(w.Context(), w.conn.ID, fmt.Sprint(w.dice.Uint64()), time.Minute)
		w.must(err)
		e := uses.NewExpander(w.s, assign.NewSelected(w.s), w.clock.Now, nil)
		if tries < cuts {
			w.cut.every = 4
		}
		_, err = e.Expand(w.Context(), &l, &conn, func(context.Context) error { return nil })
		w.cut.every = 0
		for range w.dice.IntN(3) * min(1, max(0, cuts-tries)) { // somebody edits before it is taken up again
			w.edit()
		}
		w.must(w.s.Leases.ReleaseLease(w.Context(), &l, store.RunEnd{}, true))
		if err != nil && !errors.Is(err, errCut) {
			w.Fatal(err)
		}
		changed, changedErr := w.s.Groups.Changed(w.Context(), 100)
		w.must(changedErr)
		for _, m := range changed {
			_, err := w.s.Groups.TellUsers(w.Context(), m)
			w.must(err)
		}
		due, dueErr := e.Due(w.Context(), &conn)
		w.must(dueErr)
		if err == nil && !due {
			return
		}
		if tries > cuts+3 {
			w.Fatalf("uses stay due: %v", err)
		}
	}
}

// check compares what is stored with the model.
func (w *world) check() {
	w.Helper()
	paths := map[directory.UserID][]directory.GroupID{}
	licensed := map[directory.UserID][]directory.GroupID{}
	for _, g := range w.groups {
		rules := w.rules[g]
		inside := w.inside(g, map[directory.GroupID]bool{})
		w.checkMemberships(g, rules, inside)
		for u := range inside {
			if rules.Select != nil {
				paths[u] = append(paths[u], g)
			}
			if len(rules.Licences) > 0 {
				licensed[u] = append(licensed[u], g)
			}
		}
	}
	for _, u := range w.users {
		slices.Sort(paths[u])
		b, err := w.s.Bindings.Binding(w.Context(), u)
		switch {
		case errors.Is(err, directory.ErrNotFound):
			if len(paths[u]) > 0 {
				w.Errorf("%s is not bound, want the paths %v", u, paths[u])
			}
		case err != nil:
			w.Fatal(err)
		case b.Release == "" && !slices.Equal(b.Groups, paths[u]):
			w.Errorf("%s has the paths %v, want %v", u, b.Groups, paths[u])
		case b.Release != "" && len(paths[u]) > 0:
			w.Errorf("%s is let go, want the paths %v", u, paths[u])
		case b.Release != "" && b.LeftGroup == "":
			w.Errorf("%s is let go by nobody", u)
		}
		by, err := w.s.Uses.LicensedBy(w.Context(), &w.conn, u)
		w.must(err)
		if got := slices.Sorted(maps.Keys(by)); !slices.Equal(got, licensed[u]) {
			w.Errorf("%s is licensed by %v, want %v", u, got, licensed[u])
		}
	}
}

func (w *world) checkMemberships(g directory.GroupID, rules directory.UseRules, inside map[directory.UserID]bool) {
	w.Helper()
	refs := []directory.Ref{directory.GroupRef(g)}
	w.checkGives(g, rules)
	for _, u := range w.users {
		refs = append(refs, directory.MemberOf(g, u))
	}
	found, err := w.s.Bindings.BindingsOf(w.Context(), w.conn.ID, refs)
	w.must(err)
	exported := rules.Export != nil
	if r, there := found[refs[0]]; there && (r.Release == "") != (exported && !w.deleted[g]) || !there && exported && !w.deleted[g] {
		w.Errorf("%s is exported: %v, its record %v: %+v", g, exported, there, r)
	}
	for i, u := range w.users {
		want := exported && inside[u]
		r, there := found[refs[i+1]]
		if is := there && r.Release == ""; is != want {
			w.Errorf("%s is a member of %s: %v, want %v", u, g, is, want)
		}
	}
}

// checkGives holds the record of what a tenant group gives its members: it is there as
// long as the use says that it gives something, and looked at when it does so no more.
func (w *world) checkGives(g directory.GroupID, rules directory.UseRules) {
	w.Helper()
	ref := directory.GroupLicenceOf(g)
	found, err := w.s.Bindings.BindingsOf(w.Context(), w.conn.ID, []directory.Ref{ref})
	w.must(err)
	gives := !w.deleted[g] && slices.ContainsFunc(rules.Licences, func(r directory.LicenceRule) bool { return r.Via == directory.LicenceViaGroup })
	b, there := found[ref]
	if gives && (!there || b.Release != "") || !gives && there && !b.Marked {
		w.Errorf("%s gives licences: %v, its record %v: %+v", g, gives, there, b)
	}
}

// edit does something at random.
func (w *world) edit() {
	g := w.groups[w.dice.IntN(len(w.groups))]
	u := w.users[w.dice.IntN(len(w.users))]
	switch w.dice.IntN(10) {
	case 0, 1:
		m := directory.GroupMember(w.groups[w.dice.IntN(len(w.groups))])
		if !w.deleted[g] && !w.deleted[m.Group()] {
			w.setMember(g, m, !w.members[g][m])
		}
	case 2:
		if !w.deleted[g] {
			w.setUse(g, w.anyRules())
		}
	case 3:
		if w.dice.IntN(3) == 0 || w.deleted[g] {
			w.setDeleted(g, !w.deleted[g])
		}
	default:
		m := directory.UserMember(u)
		if !w.deleted[g] {
			w.setMember(g, m, !w.members[g][m])
		}
	}
	w.clock.Advance(time.Second)
}

func (w *world) anyRules() directory.UseRules {
	var r directory.UseRules
	if w.dice.IntN(2) == 0 {
		r.Select = &directory.SelectRule{}
	}
	if w.dice.IntN(2) == 0 {
		r.Export = &directory.ExportRule{Kind: directory.ExportSecurity}
	}
	if w.dice.IntN(2) == 0 {
		r.Licences = []directory.LicenceRule{{SKU: "SPE_E3"}}
		if r.Export != nil && w.dice.IntN(2) == 0 {
			r.Licences[0].Via = directory.LicenceViaGroup
		}
	}
	return r
}

// TestExpansionsFollowTheDirectory edits groups and uses at random, and has what follows
// be what a naive model says, although expansions are cut off at any write.
func TestExpansionsFollowTheDirectory(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed)
			for range 5 {
				w.addGroup()
			}
			for range 30 {
				w.addUser()
			}
			for round := range 12 {
				for range 1 + w.dice.IntN(25) {
					w.edit()
				}
				w.expand(round % 4)
				w.check()
				if t.Failed() {
					t.Fatalf("in round %d", round)
				}
			}
		})
	}
}
