package uses_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bindery/shared/core/uses"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
)

// listings counts how often all members are gone through: those of uses, and the users of
// groups.
type listings struct {
	store.Table
	n atomic.Int64
}

func (l *listings) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if strings.HasPrefix(q.Partition, "UM#") || q.Prefix == "m#user#" {
		l.n.Add(1)
	}
	return l.Table.Query(ctx, q)
}

// counting has a world count listings.
func (w *world) counting() *listings {
	l := &listings{Table: w.cut.Table}
	w.cut.Table = l
	return l
}

// stand is how uses, and all that follows from them, stand in the table.
type stand struct {
	members  map[string]store.UseMember
	counted  map[directory.GroupID][2]int
	bindings map[directory.UserID]string
	records  map[directory.Ref]string
	licensed map[string]time.Time
}

func (w *world) stand() stand {
	w.Helper()
	s := stand{map[string]store.UseMember{}, map[directory.GroupID][2]int{}, map[directory.UserID]string{}, map[directory.Ref]string{}, map[string]time.Time{}}
	var refs []directory.Ref
	for _, g := range w.groups {
		refs = append(refs, directory.GroupRef(g), directory.GroupLicenceOf(g))
		for _, u := range w.users {
			refs = append(refs, directory.MemberOf(g, u))
		}
		for _, nested := range w.groups {
			refs = append(refs, directory.NestedIn(g, nested))
		}
		u, err := w.s.Uses.Use(w.Context(), &w.conn, g)
		if errors.Is(err, directory.ErrNotFound) {
			continue
		}
		w.must(err)
		list, _, err := w.s.Uses.UseMembers(w.Context(), &u, directory.MemberRef{}, 0)
		w.must(err)
		for _, m := range list {
			s.members[string(g)+" "+m.Member.String()] = m
		}
		state, err := w.s.Uses.UseState(w.Context(), &w.conn, g)
		w.must(err)
		s.counted[g] = [2]int{state.Members, state.Refused}
	}
	for _, u := range w.users {
		refs = append(refs, directory.LicenceOf(u))
		if b, err := w.s.Bindings.Binding(w.Context(), u); err == nil {
			s.bindings[u] = fmt.Sprint(b.Groups, b.Release, b.LeftGroup)
		}
		by, err := w.s.Uses.LicensedBy(w.Context(), &w.conn, u)
		w.must(err)
		for g, since := range by {
			s.licensed[fmt.Sprint(u, " ", g)] = since
		}
	}
	found, err := w.s.Bindings.BindingsOf(w.Context(), w.conn.ID, refs)
	w.must(err)
	for ref, b := range found {
		s.records[ref] = fmt.Sprint(b.Release, b.Epoch)
	}
	return s
}

// moveAddress takes a user into a domain of the connection, or out of it.
func (w *world) moveAddress(u directory.UserID) {
	user, err := w.s.Users.User(w.Context(), u)
	w.must(err)
	next := user
	if name, out := strings.CutSuffix(user.Email, "@other.example"); out {
		next.Email = name + "@corp.example"
	} else {
		next.Email = strings.TrimSuffix(user.Email, "@corp.example") + "@other.example"
	}
	_, err = w.s.Users.UpdateUser(w.Context(), directory.AuditEvent{}, &user, &next)
	w.must(err)
	if w.dice.IntN(3) > 0 {
		_, err = w.s.Groups.TellUsers(w.Context(), directory.UserMember(u))
		w.must(err)
	}
}

// TestSomeIsAll: what follows from edits of some members is what follows from going
// through all of them, with groups in groups that stay groups and those that do not, with
// members who cannot be bound, and wherever an expansion is cut off.
func TestSomeIsAll(t *testing.T) {
	t.Parallel()
	var some, all atomic.Int64
	t.Run("seeds", func(t *testing.T) {
		for seed := range uint64(10) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, 100+seed)
				listed := w.counting()
				for range 4 {
					w.addGroup()
				}
				for n := range 40 {
					if u := w.addUser(); n%5 == 0 {
						w.moveAddress(u)
					}
				}
				for g, id := range w.groups {
					rules := w.anyRules()
					if g == 0 {
						rules = directory.UseRules{Export: &directory.ExportRule{Kind: directory.ExportSecurity, Nested: directory.NestedKeep}}
					}
					w.setUse(id, rules)
					for range 15 {
						w.setMember(id, directory.UserMember(w.users[w.dice.IntN(len(w.users))]), true)
					}
				}
				w.setMember(w.groups[0], directory.GroupMember(w.groups[1]), true)
				w.setMember(w.groups[0], directory.GroupMember(w.groups[2]), true)
				for round := range 10 {
					for range 1 + w.dice.IntN(6) {
						if w.dice.IntN(8) == 0 {
							w.edit() // of anything
							continue
						}
						u := w.users[w.dice.IntN(len(w.users))]
						if w.dice.IntN(4) == 0 {
							w.moveAddress(u)
						} else if g := w.groups[w.dice.IntN(len(w.groups))]; !w.deleted[g] {
							w.setMember(g, directory.UserMember(u), !w.members[g][directory.UserMember(u)])
						}
						w.clock.Advance(time.Second)
					}
					before := listed.n.Load()
					w.expand(round % 3)
					if listed.n.Load() == before {
						some.Add(1)
					}
					was := w.stand()
					before = listed.n.Load()
					w.must(uses.NewExpander(w.s, nil, w.clock.Now, nil).Anew(t.Context(), &w.conn))
					w.expand(0)
					all.Add(listed.n.Load() - before)
					if is := w.stand(); !reflect.DeepEqual(was, is) {
						t.Fatalf("round %d: after edits of some %+v\nafter all were gone through %+v", round, was, is)
					}
				}
			})
		}
	})
	if some.Load() == 0 || all.Load() == 0 {
		t.Errorf("%d expansions went through nobody but those edited; all others listed %d times", some.Load(), all.Load())
	}
}

// TestOneEditOfMany: one member of a large group who comes, goes, or has another address
// costs as much as one of a small group; and so does another name of the group.
func TestOneEditOfMany(t *testing.T) {
	t.Parallel()
	cost := map[int][]int64{}
	for _, size := range []int{30, 600} {
		w := newWorld(t, 7)
		listed := w.counting()
		calls := &calls{Table: listed}
		w.cut.Table = calls
		g := w.addGroup()
		for range size + 1 {
			w.setMember(g, directory.UserMember(w.addUser()), true)
		}
		w.setUse(g, directory.UseRules{Select: &directory.SelectRule{}, Export: &directory.ExportRule{Kind: directory.ExportSecurity}, Licences: []directory.LicenceRule{{SKU: "SPE_E3"}}})
		w.expand(0)
		last := w.users[size]
		rename := func() {
			group, err := w.s.Groups.Group(t.Context(), g)
			w.must(err)
			old := group
			group.Description += "x"
			_, err = w.s.Groups.UpdateGroup(t.Context(), directory.AuditEvent{}, &old, &group)
			w.must(err)
		}
		for _, edit := range []func(){
			func() { w.setMember(g, directory.UserMember(last), false) },
			func() { w.setMember(g, directory.UserMember(last), true) },
			func() { w.moveAddress(last) },
			rename,
		} {
			edit()
			for _, m := range []directory.MemberRef{directory.GroupMember(g), directory.UserMember(last)} { // whoever edited may have died
				_, err := w.s.Groups.TellUsers(t.Context(), m)
				w.must(err)
			}
			calls.n.Store(0)
			before := listed.n.Load()
			w.expand(0)
			cost[size] = append(cost[size], calls.n.Load())
			if n := listed.n.Load() - before; n != 0 {
				t.Errorf("of %d members all were listed, %d times", size, n)
			}
		}
	}
	if !reflect.DeepEqual(cost[30], cost[600]) {
		t.Errorf("calls of the table for an edit among few: %v, among many: %v", cost[30], cost[600])
	}
}

// calls counts calls of the table.
type calls struct {
	store.Table
	n atomic.Int64
}

func (c *calls) Get(ctx context.Context, k table.Key) (table.Item, error) {
	c.n.Add(1)
	return c.Table.Get(ctx, k)
}

func (c *calls) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	c.n.Add(1)
	return c.Table.GetMany(ctx, keys)
}

func (c *calls) Query(ctx context.Context, q table.Query) (table.Page, error) {
	c.n.Add(1)
	return c.Table.Query(ctx, q)
}

func (c *calls) Write(ctx context.Context, writes ...table.Write) error {
	c.n.Add(1)
	return c.Table.Write(ctx, writes...)
}

// TestFewRefusedAreTriedAgain: whoever could not be bound is tried again with any edit of
// the group, as long as they are few.
func TestFewRefusedAreTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	g, u, other := w.addGroup(), w.addUser(), w.addUser()
	w.moveAddress(u)
	w.setMember(g, directory.UserMember(u), true)
	w.setUse(g, directory.UseRules{Select: &directory.SelectRule{}})
	w.expand(0)
	user, err := w.s.Users.User(t.Context(), u)
	w.must(err)
	next := user
	next.Email = "u0@corp.example"
	_, err = w.s.Users.UpdateUser(t.Context(), directory.AuditEvent{}, &user, &next) // nobody is told of it
	w.must(err)
	listed := w.counting()
	w.s = store.New(listed, store.Options{Now: w.clock.Now})
	w.setMember(g, directory.UserMember(other), true)
	w.tell(g)
	w.must(w.expandOnce(ignore))
	if _, err := w.s.Bindings.Binding(t.Context(), u); err != nil || listed.n.Load() > 0 {
		t.Errorf("who was refused is bound: %v; all members were listed %d times", err, listed.n.Load())
	}
	if state, err := w.s.Uses.UseState(t.Context(), &w.conn, g); err != nil || state.Refused != 0 || state.Members != 2 {
		t.Errorf("the use counts %+v, %v", state, err)
	}
}
