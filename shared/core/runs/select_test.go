package runs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/testworld"
)

// planned stores a held run with so many changes of each department.
func planned(t *testing.T, w *testworld.World, c *directory.Connection, sizes map[string]int) directory.RunID {
	t.Helper()
	lease, _, err := w.Store.Leases.AcquireLease(t.Context(), c.ID, "test", time.Hour)
	w.Must(err)
	r := NewRecord(c.ID, c.Epoch, w.Now())
	w.Must(w.Store.Runs.CreateRun(t.Context(), directory.AuditEvent{}, &r))
	for department, n := range sizes {
		for n > 0 {
			changes := make([]directory.Change, min(n, store.ChunkSize))
			for i := range changes {
				changes[i] = directory.Change{UserID: "usr_1", AccountID: "a", Department: department, Effect: directory.EffectUpdate}
			}
			w.Must(w.Store.Runs.AppendChunk(t.Context(), &lease, &r, changes))
			n -= len(changes)
		}
	}
	r.State, r.Held = directory.RunHeld, &directory.Held{Reasons: []string{"many"}}
	w.Must(w.Store.Runs.SaveRun(t.Context(), &lease, &r))
	return r.ID
}

// As many changes as a filter may select are written down in one item, whatever else the
// run has; one more is refused, and nothing is decided. All of a run is not written down.
func TestMostSelected(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		sizes map[string]int
		code  string // of the refusal
		all   bool
	}{
		{map[string]int{"A": MaxSelected, "B": 1}, "", false},
		{map[string]int{"A": MaxSelected + 1, "B": 1}, directory.CodeTooManyChanges, false},
		{map[string]int{"A": MaxSelected + 1}, "", true},
	} {
		w := testworld.New(t)
		c := w.Connection("hq")
		s := New(Config{Stores: StoresOf(w.Store), Now: w.Now, Wake: func(context.Context, directory.ConnectionID, time.Duration) error { return nil }})
		id := planned(t, w, &c, test.sizes)
		_, err := s.Approve(t.Context(), directory.Caller{Subject: "boss"}, id, plan.Approval{Where: &plan.Filter{Departments: []string{"a"}}})
		r, readErr := w.Store.Runs.Run(t.Context(), id)
		w.Must(readErr)
		if test.code != "" {
			if refusal, ok := errors.AsType[*directory.Refusal](err); !ok || refusal.Code != test.code || r.State != directory.RunHeld || len(r.Decisions) != 0 {
				t.Errorf("%v: %v, and the run is %s", test.sizes, err, r.State)
			}
			continue
		}
		if err != nil || r.State != directory.RunApplying || r.Approval.All != test.all || !test.all && r.Approval.Chosen != MaxSelected {
			t.Errorf("%v: %v, %+v", test.sizes, err, r.Approval)
		}
	}
}

// A count looks at a bounded number of changes, and says so.
func TestCountIsBounded(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	c := w.Connection("hq")
	s := New(Config{Stores: StoresOf(w.Store), Now: w.Now})
	id := planned(t, w, &c, map[string]int{"A": mostCounted + 1})
	got, err := s.Count(t.Context(), id, plan.Filter{})
	if err != nil || got.Of != mostCounted || got.Changes != mostCounted || !got.Partial {
		t.Errorf("counted %+v, %v", got, err)
	}
}

// The number of people, and what cannot be taken back, is told by what is done.
func TestCountTellsMore(t *testing.T) {
	t.Parallel()
	s := Selection{Effects: map[directory.Effect]int{}, States: map[directory.ChangeState]int{}, Irreversible: map[directory.Effect]int{}}
	groups := map[directory.GroupID]*GroupSelection{}
	for _, c := range []directory.Change{
		{Effect: directory.EffectLicenceRemove, People: 30, Object: directory.GroupLicenceOf("grp_1")},
		{Effect: directory.EffectRename, Irreversible: "mail to the old name", People: 1},
		{Effect: directory.EffectUpdate, Properties: []directory.PropertyChange{{Name: "x", Irreversible: "it is gone"}}},
		{Effect: directory.EffectUpdate, State: directory.ChangeApplied},
	} {
		s.add(&c, groups)
	}
	if got := fmt.Sprint(s.Changes, s.Effects, s.People, s.Irreversible, s.States); got != "4 map[licence-remove:1 rename:1 update:2] map[licence-remove:30] map[rename:1 update:1] map[:3 applied:1]" {
		t.Errorf("counted %s", got)
	}
	if len(groups) != 1 || groups["grp_1"].Changes != 1 {
		t.Errorf("by group: %v", groups)
	}
}

// A change is about the group whose membership, licences or export it is, or by whose end
// of membership a binding ends; and a filter selects it by that.
func TestCountByGroup(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	c := w.Connection("hq")
	s := New(Config{Stores: StoresOf(w.Store), Now: w.Now})
	lease, _, err := w.Store.Leases.AcquireLease(t.Context(), c.ID, "test", time.Hour)
	w.Must(err)
	r := NewRecord(c.ID, c.Epoch, w.Now())
	w.Must(w.Store.Runs.CreateRun(t.Context(), directory.AuditEvent{}, &r))
	w.Must(w.Store.Runs.AppendChunk(t.Context(), &lease, &r, []directory.Change{
		{Object: directory.MemberOf("grp_1", "usr_1"), Effect: directory.EffectMemberAdd}, {Object: directory.NestedIn("grp_1", "grp_2"), Effect: directory.EffectMemberAdd},
		{Object: directory.GroupRef("grp_2"), Effect: directory.EffectGroupUpdate}, {Object: directory.GroupLicenceOf("grp_3"), Effect: directory.EffectLicenceAdd},
		{UserID: "usr_1", Scope: "grp_1", Effect: directory.EffectBlock}, {UserID: "usr_2", Effect: directory.EffectUpdate},
		{Object: directory.LicenceOf("usr_1"), Effect: directory.EffectLicenceAdd},
	}))
	got, err := s.Count(t.Context(), r.ID, plan.Filter{})
	w.Must(err)
	if said := fmt.Sprint(got.Groups); said != "[{grp_1 3 map[block:1 member-add:2]} {grp_2 1 map[group-update:1]} {grp_3 1 map[licence-add:1]}]" {
		t.Errorf("by group: %s", said)
	}
	for g, n := range map[directory.GroupID]int{"grp_1": 3, "grp_2": 1, "grp_3": 1, "grp_4": 0} {
		if got, err := s.Count(t.Context(), r.ID, plan.Filter{Groups: []directory.GroupID{g}}); err != nil || got.Changes != n {
			t.Errorf("about %s are %d (%v), want %d", g, got.Changes, err, n)
		}
	}
}

// What an approval of a part would write is counted as the engine selects it: what follows
// from a declined change is not, chunk by chunk, and what a wave has written is not declined.
func TestCountWritten(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	c := w.Connection("hq")
	s := New(Config{Stores: StoresOf(w.Store), Now: w.Now, Wake: func(context.Context, directory.ConnectionID, time.Duration) error { return nil }})
	lease, _, err := w.Store.Leases.AcquireLease(t.Context(), c.ID, "test", time.Hour)
	w.Must(err)
	r := NewRecord(c.ID, c.Epoch, w.Now())
	w.Must(w.Store.Runs.CreateRun(t.Context(), directory.AuditEvent{}, &r))
	w.Must(w.Store.Runs.AppendChunk(t.Context(), &lease, &r, []directory.Change{
		{UserID: "usr_1", Effect: directory.EffectAdopt}, {UserID: "usr_1", Effect: directory.EffectUpdate, Irreversible: "gone"},
		{UserID: "usr_2", Effect: directory.EffectBlock}, {UserID: "usr_2", Effect: directory.EffectRevoke}}))
	w.Must(w.Store.Runs.AppendChunk(t.Context(), &lease, &r, []directory.Change{
		{UserID: "usr_3", Effect: directory.EffectUpdate, Irreversible: "gone"},
		{UserID: "usr_4", Effect: directory.EffectBlock, State: directory.ChangeApplied}, {UserID: "usr_4", Effect: directory.EffectRevoke}}))
	if got, err := s.Count(t.Context(), r.ID, plan.Filter{}); err != nil || got.Written != nil {
		t.Errorf("of a run that is not held, %+v is written (%v)", got.Written, err)
	}
	r.State, r.Held = directory.RunHeld, &directory.Held{Reasons: []string{"many"}}
	w.Must(w.Store.Runs.SaveRun(t.Context(), &lease, &r))
	id := func(place string) directory.ChangeID { return directory.ChangeID(string(r.ID) + "." + place) }
	ids := func(places ...string) plan.Filter {
		f := plan.Filter{IDs: map[directory.ChangeID]bool{}}
		for _, p := range places {
			f.IDs[id(p)] = true
		}
		return f
	}
	effects := func(list ...directory.Effect) plan.Filter { return plan.Filter{Effects: list} }
	for _, test := range []struct {
		f                 plan.Filter
		selected, written int
		says              string
	}{
		{effects(directory.EffectUpdate, directory.EffectRevoke), 4, 2, "map[revoke:1 update:1] map[update:1]"},
		{effects(directory.EffectUpdate, directory.EffectAdopt), 3, 3, "map[adopt:1 update:2] map[update:2]"},
		{effects(directory.EffectBlock), 2, 1, "map[block:1] map[]"},
		{effects(directory.EffectRename), 0, 0, "map[] map[]"},
		{plan.Filter{}, 7, 6, "map[adopt:1 block:1 revoke:2 update:2] map[update:2]"},
		{plan.Filter{States: []directory.ChangeState{directory.ChangePlanned, directory.ChangeApproved}}, 6, 6, "map[adopt:1 block:1 revoke:2 update:2] map[update:2]"},
		{ids("0.1", "0.3"), 2, 0, "map[] map[]"},
		{ids("0.2", "0.3", "1.2"), 3, 3, "map[block:1 revoke:2] map[]"},
		{ids("1.1"), 1, 0, "map[] map[]"},
	} {
		got, err := s.Count(t.Context(), r.ID, test.f)
		if err != nil || got.Changes != test.selected || got.Written == nil || got.Written.Changes != test.written || fmt.Sprint(got.Written.Effects, got.Written.Irreversible) != test.says {
			t.Errorf("%+v: %d selected, %+v written (%v); want %d, and %d: %s", test.f, got.Changes, got.Written, err, test.selected, test.written, test.says)
		}
	}
}

// counted reads chunks, and keeps which.
type counted struct {
	of   Changes
	from []string
}

func (c *counted) Changes(ctx context.Context, r *store.RunRecord, cursor string, limit int) ([]directory.Change, string, error) {
	c.from = append(c.from, cursor)
	return c.of.Changes(ctx, r, cursor, limit)
}

func (c *counted) PlannedChunk(ctx context.Context, id directory.RunID, chunk int) ([]directory.Change, error) {
	return c.of.PlannedChunk(ctx, id, chunk)
}

// Of changes that are named only their chunks are read, however far behind they stand.
func TestNamedChanges(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	c := w.Connection("hq")
	stores := StoresOf(w.Store)
	reads := &counted{of: stores.Changes}
	stores.Changes = reads
	s := New(Config{Stores: stores, Now: w.Now})
	id := planned(t, w, &c, map[string]int{"A": 20*store.ChunkSize + 7})
	name := func(places ...string) plan.Filter {
		ids := map[directory.ChangeID]bool{}
		for _, p := range places {
			ids[directory.ChangeID(string(id)+"."+p)] = true
		}
		return plan.Filter{IDs: ids}
	}
	for _, test := range []struct {
		f    plan.Filter
		want string // the changes
		from string // what is read of
	}{
		{name("20.6"), "20.6", "[20.0]"},
		{name("3.499", "3.0", "11.250"), "3.0 3.499 11.250", "[3.0 11.0]"},
		{name("20.7", "21.0", "4000.1"), "", "[20.0]"},
		{name(), "", "[]"},
	} {
		reads.from = nil
		n, err := s.Count(t.Context(), id, test.f)
		if err != nil || fmt.Sprint(reads.from) != test.from {
			t.Errorf("%s: read from %v (%v), want %s", test.want, reads.from, err, test.from)
		}
		reads.from = nil
		var got []string
		for cursor := ""; ; {
			list, next, err := s.ChangesWhere(t.Context(), id, test.f, cursor, 2)
			w.Must(err)
			for i := range list {
				got = append(got, strings.TrimPrefix(string(list[i].ID), string(id)+"."))
			}
			if cursor = next; cursor == "" {
				break
			}
		}
		if strings.Join(got, " ") != test.want || n.Changes != len(got) {
			t.Errorf("named %s, listed %v and counted %d", test.want, got, n.Changes)
		}
	}
}
