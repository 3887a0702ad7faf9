package reconcile

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// Lamps of which several go in one request, as members of a group do: strings of at
// most five lamps of one colour.

const mostOnAString = 5

// stringHall is a tenant that makes lamps of one call in one request, all or none.
type stringHall struct {
	hallPort
	mu     sync.Mutex
	broken map[string]bool // lamps that no request with them gets through
	mends  bool            // but one with them alone does
	calls  [][]string      // the names in each request of several
	alone  []string        // and of each by itself
}

func (h *stringHall) Write(ctx context.Context, writes []directory.Write) ([]directory.Outcome, error) {
	if writes[0].Object.Kind != lampKind {
		return h.port.Write(ctx, writes)
	}
	requests := map[string][]int{}
	for i := range writes {
		name := writes[i].Properties[propColour].String()
		if writes[i].Alone {
			name += " " + writes[i].Object.ID
		}
		requests[name] = append(requests[name], i)
	}
	out := make([]directory.Outcome, len(writes))
	for name, places := range requests {
		var part []directory.Write
		var names []string
		bad := false
		for _, i := range places {
			part, names = append(part, writes[i]), append(names, writes[i].Object.ID)
			bad = bad || h.broken[writes[i].Object.ID]
		}
		bad = bad && !(h.mends && len(places) == 1)
		h.mu.Lock()
		if strings.Contains(name, " ") {
			h.alone = append(h.alone, names...)
		} else {
			h.calls = append(h.calls, names)
		}
		h.mu.Unlock()
		if bad {
			for _, i := range places {
				out[i] = directory.Outcome{Status: http.StatusBadRequest, Shared: len(places) > 1,
					Problem: &directory.Problem{Code: "broken", Kind: directory.ProblemData, Message: "One of them is broken."}}
			}
			continue
		}
		done, err := h.hallPort.Write(ctx, part)
		if err != nil {
			return nil, err
		}
		for n, i := range places {
			out[i] = done[n]
		}
	}
	return out, nil
}

// stringKind is the kind of lamps on strings.
type stringKind struct{ *lamps }

func (k *stringKind) Open(s Slice, tenant Tenant) Objects {
	return &openStrings{k.lamps.Open(s, tenant.(*stringHall).hallPort)}
}

type openStrings struct{ Objects }

func (o *openStrings) Batch(w Work) Batch { return &stringBatch{o.Objects.Batch(w)} }

type stringBatch struct{ Batch }

func (b *stringBatch) Combine(changes []*directory.Change) [][]int {
	byColour := map[string][]int{}
	var colours []string
	for i, c := range changes {
		colour := c.After()[propColour].String()
		if byColour[colour] == nil {
			colours = append(colours, colour)
		}
		byColour[colour] = append(byColour[colour], i)
	}
	var parts [][]int
	for _, colour := range colours { // one string of a colour at a time
		parts = append(parts, byColour[colour][:min(mostOnAString, len(byColour[colour]))])
	}
	return parts
}

func (b *stringBatch) Weigh(_ directory.Effect, n int) int { return (n + 2) / 3 }

func (b *stringBatch) InTurn(directory.Effect) bool { return false }

func (b *stringBatch) Sort(c *directory.Change, out directory.Outcome) Verdict {
	if out.Shared {
		return Verdict{Alone: true}
	}
	return b.Batch.Sort(c, out)
}

// strung has lamps go on strings.
func (w *lampWorld) strung() *stringHall {
	h := &stringHall{hallPort: hallPort{w.port}, broken: map[string]bool{}}
	c := w.engine.config
	c.Kinds = []Kind{&stringKind{w.lamps}}
	c.Open = func(context.Context, *directory.Connection) (Tenant, error) { return h, nil }
	w.engine = New(c)
	return h
}

// TestLampsGoTogether: what a kind combines goes in one request, and costs the quota
// what the kind says; what it leaves out goes with later flights.
func TestLampsGoTogether(t *testing.T) {
	w := newLampWorld(t)
	h := w.strung()
	refs := w.hang(13, "red")
	w.hangOne(20, "blue")
	w.sync()
	run, _ := w.lastRun()
	if run.State != directory.RunDone || run.Applied != 14 || w.shining("red") != len(refs) {
		t.Fatalf("the run is %s with %d applied, %d are red", run.State, run.Applied, w.shining("red"))
	}
	var sizes []int
	for _, names := range h.calls {
		sizes = append(sizes, len(names))
	}
	slices.Sort(sizes)
	if !slices.Equal(sizes, []int{1, 3, 5, 5}) || len(h.alone) != 0 {
		t.Errorf("requests of %v lamps, and %v alone", sizes, h.alone)
	}
	lease, _, err := w.store.Leases.PeekLease(t.Context(), w.conn.ID)
	w.do(err)
	// 2 + 2 + 1 + 1 of 3,000; the bucket fills meanwhile.
	if left := lease.Pace.Writes; left < 3000-6.5 || left > 3000 {
		t.Errorf("%v writes are left", left)
	}
}

// TestLampThatSpoilsItsString: where one of several is refused, each goes by itself,
// once, and only that one fails.
func TestLampThatSpoilsItsString(t *testing.T) {
	w := newLampWorld(t)
	h := w.strung()
	h.broken["l002"] = true
	w.hang(5, "red")
	w.sync()
	run, changes := w.lastRun()
	if run.State != directory.RunDone || run.Applied != 4 || run.Failed != 1 {
		t.Fatalf("the run is %s: %s", run.State, effects(changes))
	}
	slices.Sort(h.alone)
	if len(h.calls) != 1 || !slices.Equal(h.alone, []string{"l000", "l001", "l002", "l003", "l004"}) {
		t.Errorf("together %v, alone %v", h.calls, h.alone)
	}
	if b := w.lamp(lampRef(2)); b.Status != directory.BindingRefused {
		t.Errorf("the broken lamp's binding is %s", b.Status)
	}
}

// TestLampsTogetherInPart: of a string of which an admin has let go a part, that part
// goes.
func TestLampsTogetherInPart(t *testing.T) {
	w := newLampWorld(t)
	none := 0
	w.settings(func(s *directory.Settings) {
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectCreate: {Count: &none}}
	})
	h := w.strung()
	w.hang(5, "red")
	w.sync()
	held, changes := w.lastRun()
	if held.State != directory.RunHeld {
		t.Fatalf("the run is %s", held.State)
	}
	w.approve(held.ID, plan.Approval{ChangeIDs: []directory.ChangeID{changes[1].ID, changes[3].ID}})
	if w.shining("red") != 2 || len(h.calls) != 1 || len(h.calls[0]) != 2 {
		t.Errorf("%d are red, by %v", w.shining("red"), h.calls)
	}
}
