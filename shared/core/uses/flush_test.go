package uses_test

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

	"bindery/shared/core/assign"
	"bindery/shared/core/uses"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/testworld"
)

const leaseTime = time.Minute

// failing has the queries fail that are about the members of a group.
type failing struct {
	*cutTable
	group string
}

func (f *failing) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if q.Partition == "G#"+f.group {
		return table.Page{}, errCut
	}
	return f.cutTable.Query(ctx, q)
}

// expandOnce has one expansion work, as long as its share.
func (w *world) expandOnce(attend func(context.Context) error) error {
	l, conn, err := w.s.Leases.AcquireLease(w.Context(), w.conn.ID, "once", leaseTime)
	w.must(err)
	_, err = uses.NewExpander(w.s, assign.NewSelected(w.s), w.clock.Now, nil).Expand(w.Context(), &l, &conn, attend)
	w.must(w.s.Leases.ReleaseLease(w.Context(), &l, store.RunEnd{}, true))
	return err
}

func ignore(context.Context) error { return nil }

// TestRefusedAreLetGo: who was bound by a group and could not be bound any more is let go
// with it all the same.
func TestRefusedAreLetGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	g, u := w.addGroup(), w.addUser()
	w.setMember(g, directory.UserMember(u), true)
	w.setUse(g, directory.UseRules{Select: &directory.SelectRule{}})
	w.expand(0)
	user, err := w.s.Users.User(t.Context(), u)
	w.must(err)
	gone, now := user, w.clock.Now()
	gone.Deleted = &now
	_, err = w.s.Users.UpdateUser(t.Context(), directory.AuditEvent{}, &user, &gone)
	w.must(err)
	w.setUse(g, directory.UseRules{Select: &directory.SelectRule{}, Export: &directory.ExportRule{Kind: directory.ExportSecurity}})
	w.expand(0)
	if b, err := w.s.Bindings.Binding(t.Context(), u); err != nil || len(b.Groups) != 1 {
		t.Fatalf("the binding of a deleted member: %+v, %v", b, err)
	}
	w.setMember(g, directory.UserMember(u), false)
	w.expand(0)
	if b, err := w.s.Bindings.Binding(t.Context(), u); err == nil && b.Release == "" {
		t.Errorf("the binding stays: %+v", b)
	}
}

// TestMoveOfWhichHalfWasTold: whoever put somebody into another group died before telling
// those who use it, and took them out of the first one after that. Nobody lets go who is
// selected all the time.
func TestMoveOfWhichHalfWasTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	from, to, u := w.addGroup(), w.addGroup(), w.addUser()
	w.setMember(from, directory.UserMember(u), true)
	selects := directory.UseRules{Select: &directory.SelectRule{OnRelease: directory.ReleaseBlock}}
	w.setUse(from, selects)
	w.setUse(to, selects)
	w.tell(from)
	w.expand(0)
	change := func(g directory.GroupID, ch store.MemberChange) {
		group, err := w.s.Groups.Group(t.Context(), g)
		w.must(err)
		_, err = w.s.Groups.ChangeMembers(t.Context(), directory.AuditEvent{}, &group, ch)
		w.must(err)
	}
	change(to, store.MemberChange{Add: []directory.Membership{{Group: to, Member: directory.UserMember(u), Added: w.clock.Now()}}})
	change(from, store.MemberChange{Remove: []directory.MemberRef{directory.UserMember(u)}})
	w.tell(from)
	w.must(w.expandOnce(ignore))
	if b, err := w.s.Bindings.Binding(t.Context(), u); err != nil || b.Release != "" || !slices.Equal(b.Groups, []directory.GroupID{to}) {
		t.Errorf("who moved is bound as %+v, %v", b, err)
	}
}

// TestChangedLicences: who is licensed is looked at again when the rules have changed.
func TestChangedLicences(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	g, u := w.addGroup(), w.addUser()
	w.setMember(g, directory.UserMember(u), true)
	record := func() directory.Binding {
		found, err := w.s.Bindings.BindingsOf(t.Context(), w.conn.ID, []directory.Ref{directory.LicenceOf(u)})
		w.must(err)
		return found[directory.LicenceOf(u)]
	}
	w.setUse(g, directory.UseRules{Licences: []directory.LicenceRule{{SKU: "SPE_E3"}}})
	w.expand(0)
	before := record()
	w.setUse(g, directory.UseRules{Licences: []directory.LicenceRule{{SKU: "SPE_E5"}}})
	w.expand(0)
	if after := record(); before.Wanted == 0 || after.Wanted <= before.Wanted {
		t.Errorf("the record was not looked at again: %+v, %+v", before, after)
	}
}

// TestFormerSelect: who is let go since the rule was taken out is let go as it said.
func TestFormerSelect(t *testing.T) {
	t.Parallel()
	u := directory.GroupUse{}
	u.Set(directory.UseRules{Select: &directory.SelectRule{OnRelease: directory.ReleaseKeep}})
	u.Set(directory.UseRules{Licences: []directory.LicenceRule{{SKU: "SPE_E3"}}})
	if u.OnRelease() != directory.ReleaseKeep {
		t.Errorf("let go by %q", u.OnRelease())
	}
	u.Set(directory.UseRules{Select: &directory.SelectRule{}})
	if u.OnRelease() != "" {
		t.Errorf("the former rule still holds: %q", u.OnRelease())
	}
}

// TestFormerExport: an export that is taken out of the rules ends as it said, and as the
// forecast of that edit tells.
func TestFormerExport(t *testing.T) {
	t.Parallel()
	for end, member := range map[directory.ExportRelease]directory.ReleasePolicy{
		"": directory.ReleaseKeep, directory.ExportKeep: directory.ReleaseKeep, directory.ExportEmpty: directory.ReleaseRemove, directory.ExportDelete: directory.ReleaseRemove, directory.ExportRestore: directory.ReleaseRemove,
	} {
		w := newWorld(t, 1)
		g, u := w.addGroup(), w.addUser()
		w.setMember(g, directory.UserMember(u), true)
		service := w.service()
		by := directory.Caller{Subject: "boss", Approve: true}
		put := func(rules directory.UseRules) {
			t.Helper()
			_, err := service.Put(t.Context(), by, w.conn.ID, g, rules, 0)
			w.must(err)
			w.expand(0)
		}
		put(directory.UseRules{Select: &directory.SelectRule{}, Export: &directory.ExportRule{Kind: directory.ExportSecurity, OnRelease: end}})
		put(directory.UseRules{Select: &directory.SelectRule{}})
		group, of := directory.GroupRef(g), directory.MemberOf(g, u)
		found, err := w.s.Bindings.BindingsOf(t.Context(), w.conn.ID, []directory.Ref{group, of})
		w.must(err)
		if got, want := found[group].Release, directory.ReleasePolicy(cmp.Or(end, directory.ExportKeep)); got != want {
			t.Errorf("onRelease %q: the group is let go by %q, want %q", end, got, want)
		}
		if got := found[of].Release; got != member {
			t.Errorf("onRelease %q: the member is let go by %q, want %q", end, got, member)
		}
		_, err = service.End(t.Context(), by, w.conn.ID, g, 0)
		w.must(err)
		w.expand(0)
		found, err = w.s.Bindings.BindingsOf(t.Context(), w.conn.ID, []directory.Ref{group})
		w.must(err)
		if got, want := found[group].Release, directory.ReleasePolicy(cmp.Or(end, directory.ExportKeep)); got != want {
			t.Errorf("onRelease %q: after the end of the use the group is let go by %q, want %q", end, got, want)
		}
	}
}

// TestRefusedAddress: who could not be bound for an address outside the connection's domains
// is bound once the address is one of them, without anybody else's doing.
func TestRefusedAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	g, u := w.addGroup(), w.addUser()
	move := func(to string) {
		t.Helper()
		user, err := w.s.Users.User(t.Context(), u)
		w.must(err)
		next := user
		next.Email = to
		_, err = w.s.Users.UpdateUser(t.Context(), directory.AuditEvent{}, &user, &next)
		w.must(err)
	}
	move("u0@other.example")
	w.setMember(g, directory.UserMember(u), true)
	w.setUse(g, directory.UseRules{Select: &directory.SelectRule{}})
	w.expand(0)
	state, err := w.s.Uses.UseState(t.Context(), &w.conn, g)
	w.must(err)
	if state.Refused != 1 {
		t.Fatalf("the use refused %d", state.Refused)
	}
	move("u0@corp.example")
	conns, err := w.s.Groups.TellUsers(t.Context(), directory.UserMember(u))
	w.must(err)
	w.expand(0)
	if _, err := w.s.Bindings.Binding(t.Context(), u); len(conns) != 1 || err != nil {
		t.Errorf("told are %v, the user is bound: %v", conns, err)
	}
}

// TestOneBadUse: a use that cannot be brought up to date keeps no other one waiting.
func TestOneBadUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	bad, good, u := w.addGroup(), w.addGroup(), w.addUser()
	for _, g := range []directory.GroupID{bad, good} {
		w.setMember(g, directory.UserMember(u), true)
		w.setUse(g, directory.UseRules{Export: &directory.ExportRule{Kind: directory.ExportSecurity}})
	}
	w.s = store.New(&failing{w.cut, string(bad)}, store.Options{Now: w.clock.Now})
	w.must(w.expandOnce(ignore))
	if state, err := w.s.Uses.UseState(t.Context(), &w.conn, bad); err != nil || state.Problem == "" || !state.At.IsZero() {
		t.Errorf("the bad use: %+v, %v", state, err)
	}
	if state, err := w.s.Uses.UseState(t.Context(), &w.conn, good); err != nil || state.At.IsZero() || state.Members != 1 {
		t.Errorf("the good use: %+v, %v", state, err)
	}
}

// TestBoundElsewhere: whom a use could not bind since another connection had him is bound
// once that lets him go, by an admin or by a run, without anybody's edit; and whatever it
// was that kept him is looked at again within a day.
func TestBoundElsewhere(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"retracted", "let go by a run", "nobody tells"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1)
			other := (&testworld.World{T: t, Store: w.s, Clock: w.clock}).Connection("Other", "corp.example")
			g, u := w.addGroup(), w.addUser()
			user, err := w.s.Users.User(t.Context(), u)
			w.must(err)
			w.must(w.s.Bindings.Bind(t.Context(), directory.AuditEvent{}, &other, "admin", []store.Selection{{User: &user}}))
			w.setMember(g, directory.UserMember(u), true)
			w.setUse(g, directory.UseRules{Select: &directory.SelectRule{}})
			w.expand(0)
			state, err := w.s.Uses.UseState(t.Context(), &w.conn, g)
			w.must(err)
			if state.Refused != 1 {
				t.Fatalf("the use refused %d", state.Refused)
			}
			b, err := w.s.Bindings.Binding(t.Context(), u)
			w.must(err)
			switch way {
			case "let go by a run":
				l, _, err := w.s.Leases.AcquireLease(t.Context(), other.ID, "run", leaseTime)
				w.must(err)
				w.must(w.s.Runs.Journal(t.Context(), &l, &other, store.Journal{Bindings: []store.BindingChange{{Ref: b.Ref(), Remove: true, Mutate: func(*directory.Binding) bool { return true }}}}))
			default:
				w.must(w.s.Bindings.Retract(t.Context(), directory.AuditEvent{}, nil, &other, &b))
			}
			if way == "nobody tells" {
				due := func() bool {
					yes, err := uses.NewExpander(w.s, assign.NewSelected(w.s), w.clock.Now, nil).Due(t.Context(), &w.conn)
					w.must(err)
					return yes
				}
				if due() {
					t.Error("the use is due before anybody is told, and before a day is over")
				}
				w.clock.Advance(25 * time.Hour)
				if !due() {
					t.Error("after a day the use is not due")
				}
				w.must(w.expandOnce(ignore))
			} else {
				w.expand(0)
			}
			if b, err := w.s.Bindings.Binding(t.Context(), u); err != nil || b.ConnectionID != w.conn.ID {
				t.Errorf("the user is bound by %s, %v", b.ConnectionID, err)
			}
			if state, err = w.s.Uses.UseState(t.Context(), &w.conn, g); err != nil || state.Refused != 0 {
				t.Errorf("the use refuses %d, %v", state.Refused, err)
			}
			w.clock.Advance(48 * time.Hour)
			if due, err := uses.NewExpander(w.s, assign.NewSelected(w.s), w.clock.Now, nil).Due(t.Context(), &w.conn); due || err != nil {
				t.Errorf("a use that refuses nobody is due by itself: %v", err)
			}
		})
	}
}
