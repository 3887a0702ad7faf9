package runs

import (
	"context"
	"errors"
	"fmt"
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
	for _, c := range []directory.Change{
		{Effect: directory.EffectLicenceRemove, People: 30},
		{Effect: directory.EffectRename, Irreversible: "mail to the old name", People: 1},
		{Effect: directory.EffectUpdate, Properties: []directory.PropertyChange{{Name: "x", Irreversible: "it is gone"}}},
		{Effect: directory.EffectUpdate, State: directory.ChangeApplied},
	} {
		s.add(&c)
	}
	if got := fmt.Sprint(s.Changes, s.Effects, s.People, s.Irreversible, s.States); got != "4 map[licence-remove:1 rename:1 update:2] map[licence-remove:30] map[rename:1 update:1] map[:3 applied:1]" {
		t.Errorf("counted %s", got)
	}
}
