package runs

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/testworld"
)

// A run of which a part was approved says how much that is, with what was written before; one
// that was approved as a whole has its counts for that.
func TestApprovedShown(t *testing.T) {
	t.Parallel()
	counts := map[directory.Effect]int{directory.EffectAdopt: 170, directory.EffectBlock: 3}
	for name, tt := range map[string]struct {
		approval *store.Approval
		want     int
	}{
		"none":          {nil, -1},
		"all":           {&store.Approval{All: true, Before: 5}, -1},
		"declined":      {&store.Approval{}, 0},
		"chosen":        {&store.Approval{Chosen: 3}, 3},
		"by effect":     {&store.Approval{Effects: []directory.Effect{directory.EffectBlock}}, 3},
		"behind a wave": {&store.Approval{Chosen: 3, Before: 50}, 53},
		"counted twice": {&store.Approval{Effects: []directory.Effect{directory.EffectAdopt}, Chosen: 5, Before: 50}, 173},
	} {
		for _, state := range []directory.RunState{directory.RunApplying, directory.RunDone} {
			got := shown(&store.RunRecord{Run: directory.Run{State: state, Counts: counts}, Approval: tt.approval})
			if (got.Approved == nil) != (tt.want < 0) || got.Approved != nil && *got.Approved != tt.want {
				t.Errorf("%s, %s: %v; want %d", name, state, got.Approved, tt.want)
			}
		}
	}
}

// A run tells of its waves while it writes: which may be sent, of how many, and when that one
// is read back.
func TestWavesShown(t *testing.T) {
	t.Parallel()
	look := time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC)
	p := Progress{Laid: true, Waves: map[directory.Effect]*Wave{
		directory.EffectRename: {Number: 4, Start: 112, Allowed: 1000, Total: 1000, Look: look},
		directory.EffectBlock:  {Number: 2, Start: 1, Allowed: 11, Total: 1000, Look: look},
	}}
	want := []directory.RunWave{{Class: directory.EffectBlock, Wave: 2, Waves: 4, Allowed: 11, Changes: 1000, LookAt: look}, {Class: directory.EffectRename, Wave: 4, Waves: 4, Allowed: 1000, Changes: 1000}}
	for _, state := range []directory.RunState{directory.RunPlanning, directory.RunHeld, directory.RunApplying, directory.RunWaiting, directory.RunDone, directory.RunFailed, directory.RunCancelled} {
		got := shown(&store.RunRecord{Run: directory.Run{State: state}, Cursor: p.Encode()})
		writes := state == directory.RunApplying || state == directory.RunWaiting
		if writes && !slices.Equal(got.Waves, want) || !writes && got.Waves != nil {
			t.Errorf("%s: %+v", state, got.Waves)
		}
	}
	if got := shown(&store.RunRecord{Run: directory.Run{State: directory.RunApplying}}); got.Waves != nil {
		t.Errorf("a run without waves: %+v", got.Waves)
	}
}

// What an approval of a part lets go on is counted as it is decided: what was written before it
// once, what several of its names mean once, and nothing that is declined with another change.
func TestApprovedCounted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		asked  func(id func(string) directory.ChangeID) plan.Approval
		before int // how many of the blocks a wave has written
		want   int // -1: all
	}{
		"all":      {func(func(string) directory.ChangeID) plan.Approval { return plan.Approval{All: true} }, 1, -1},
		"declined": {func(func(string) directory.ChangeID) plan.Approval { return plan.Approval{} }, 1, 1},
		"by effect": {func(func(string) directory.ChangeID) plan.Approval {
			return plan.Approval{Effects: []directory.Effect{directory.EffectBlock}}
		}, 0, 3},
		"behind a wave": {func(func(string) directory.ChangeID) plan.Approval {
			return plan.Approval{Effects: []directory.Effect{directory.EffectBlock}}
		}, 1, 3},
		"named besides": {func(id func(string) directory.ChangeID) plan.Approval {
			return plan.Approval{Effects: []directory.Effect{directory.EffectBlock}, ChangeIDs: []directory.ChangeID{id("0.1"), id("1.0"), id("1.0")}}
		}, 1, 4},
		"named": {func(id func(string) directory.ChangeID) plan.Approval {
			return plan.Approval{ChangeIDs: []directory.ChangeID{id("1.0")}}
		}, 1, 2},
		"written already": {func(id func(string) directory.ChangeID) plan.Approval {
			return plan.Approval{ChangeIDs: []directory.ChangeID{id("0.0")}}
		}, 1, 1},
		"of what follows": {func(func(string) directory.ChangeID) plan.Approval {
			return plan.Approval{Effects: []directory.Effect{directory.EffectRevoke}}
		}, 0, 0},
		"by filter alone": {func(func(string) directory.ChangeID) plan.Approval {
			return plan.Approval{Where: &plan.Filter{Users: []directory.UserID{"usr_2", "usr_1"}}}
		}, 1, 3},
		"by filter": {func(func(string) directory.ChangeID) plan.Approval {
			return plan.Approval{Where: &plan.Filter{Effects: []directory.Effect{directory.EffectBlock}}, Effects: []directory.Effect{directory.EffectBlock}}
		}, 1, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := testworld.New(t)
			c := w.Connection("hq")
			s := New(Config{Stores: StoresOf(w.Store), Now: w.Now, Wake: func(context.Context, directory.ConnectionID, time.Duration) error { return nil }})
			lease, _, err := w.Store.Leases.AcquireLease(t.Context(), c.ID, "test", time.Hour)
			w.Must(err)
			r := NewRecord(c.ID, c.Epoch, w.Now())
			w.Must(w.Store.Runs.CreateRun(t.Context(), directory.AuditEvent{}, &r))
			chunks := [][]directory.Change{
				{{UserID: "usr_1", Effect: directory.EffectBlock}, {UserID: "usr_2", Effect: directory.EffectBlock}, {UserID: "usr_2", Effect: directory.EffectRevoke}},
				{{UserID: "usr_3", Effect: directory.EffectUpdate}, {UserID: "usr_4", Effect: directory.EffectBlock}}}
			for i := range tt.before {
				chunks[0][i].State = directory.ChangeApplied
			}
			r.Counts = map[directory.Effect]int{}
			for _, chunk := range chunks {
				for _, x := range chunk {
					r.Counts[x.Effect]++
				}
				w.Must(w.Store.Runs.AppendChunk(t.Context(), &lease, &r, chunk))
			}
			r.State, r.Held = directory.RunHeld, &directory.Held{Reasons: []string{"many"}}
			w.Must(w.Store.Runs.SaveRun(t.Context(), &lease, &r))
			if tt.before > 0 {
				w.Must(w.Store.Runs.Journal(t.Context(), &lease, &c, store.Journal{Run: &r, Chunk: 0, Results: []store.Result{{State: directory.ChangeApplied, At: w.Now()}}}))
			}
			_, err = s.Approve(t.Context(), directory.Caller{Subject: "boss"}, r.ID, tt.asked(func(place string) directory.ChangeID { return directory.ChangeID(string(r.ID) + "." + place) }))
			w.Must(err)
			got, err := s.Run(t.Context(), r.ID)
			if err != nil || got.Applied != tt.before || (got.Approved == nil) != (tt.want < 0) || got.Approved != nil && *got.Approved != tt.want {
				t.Errorf("applied %d, approved %v (%v), want %d, %d", got.Applied, got.Approved, err, tt.before, tt.want)
			}
			list, _, err := s.List(t.Context(), c.ID, "", 10)
			if err != nil || len(list) != 1 || (list[0].Approved == nil) != (got.Approved == nil) || got.Approved != nil && *list[0].Approved != *got.Approved {
				t.Errorf("listed %+v, %v", list, err)
			}
		})
	}
}

// A run whose place does not decode is shown without its waves, and hides no other.
func TestUndecodableIsListed(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	c := w.Connection("hq")
	s := New(Config{Stores: StoresOf(w.Store), Now: w.Now})
	waves := Progress{Laid: true, Waves: map[directory.Effect]*Wave{directory.EffectBlock: {Number: 2, Start: 1, Allowed: 11, Total: 1000}}}
	var ids []directory.RunID
	for _, cursor := range []json.RawMessage{json.RawMessage(`"of another version"`), waves.Encode()} {
		r := NewRecord(c.ID, c.Epoch, w.Now())
		r.State, r.Cursor = directory.RunApplying, cursor
		w.Must(w.Store.Runs.CreateRun(t.Context(), directory.AuditEvent{}, &r))
		ids = append(ids, r.ID)
	}
	list, _, err := s.List(t.Context(), c.ID, "", 10)
	w.Must(err)
	got := map[directory.RunID]int{}
	for i := range list {
		got[list[i].ID] = len(list[i].Waves)
	}
	if want := map[directory.RunID]int{ids[0]: 0, ids[1]: 1}; !maps.Equal(got, want) {
		t.Errorf("listed with waves: %v, want %v", got, want)
	}
	if r, err := s.Run(t.Context(), ids[0]); err != nil || r.State != directory.RunApplying || r.Waves != nil {
		t.Errorf("%+v, %v", r, err)
	}
}
