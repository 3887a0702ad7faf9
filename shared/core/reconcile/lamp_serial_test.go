package reconcile

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
)

// Lamps of which the tenant takes one at a time: those that become gold, which takes
// a seat, and grey, which gives one back.

const gold, grey = "gold", "grey"

type serialLamps struct{ *lamps }

func (k *serialLamps) Open(s Slice, tenant Tenant) Objects {
	h := tenant.(*serialHall)
	return &openSerial{k.lamps.Open(s, h.hallPort).(*openLamps), h}
}

type openSerial struct {
	*openLamps
	hall *serialHall
}

func (o *openSerial) Decide(ctx context.Context, w Work, refs []directory.Ref) (Decided, error) {
	d, err := o.openLamps.Decide(ctx, w, refs)
	for i := range d.Changes {
		c := &d.Changes[i]
		if c.Effect != directory.EffectUpdateSensitive {
			continue
		}
		switch c.After()[propColour].String() {
		case gold:
			c.Effect = directory.EffectLicenceAdd
		case grey:
			c.Effect = directory.EffectLicenceRemove
		}
	}
	return d, err
}

func (o *openSerial) Batch(w Work) Batch { return &serialBatch{o.openLamps.Batch(w), o.hall} }

type serialBatch struct {
	Batch
	hall *serialHall
}

func (b *serialBatch) Sort(c *directory.Change, out directory.Outcome) Verdict {
	if out.Status == http.StatusConflict {
		return Verdict{Wait: b.hall.busyFor}
	}
	return b.Batch.Sort(c, out)
}

// serialHall is the tenant, which takes one lamp at a time of these.
type serialHall struct {
	hallPort
	t       *testing.T
	mu      sync.Mutex
	sent    []string
	onSent  func(n int) // befalls each such write, from 1
	busy    int         // so many are refused first
	busyFor time.Duration
}

func (h *serialHall) Write(ctx context.Context, writes []directory.Write) ([]directory.Outcome, error) {
	if !writes[0].Effect.Row().Serial {
		return h.hallPort.Write(ctx, writes)
	}
	if len(writes) != 1 || !h.mu.TryLock() {
		h.t.Errorf("%d lamps at once", len(writes))
		return nil, directory.ErrUnavailable
	}
	defer h.mu.Unlock()
	if h.busy > 0 {
		h.busy--
		return []directory.Outcome{{Status: http.StatusConflict, Problem: &directory.Problem{Code: "busy", Kind: directory.ProblemTransient}}}, nil
	}
	h.sent = append(h.sent, writes[0].Object.ID)
	if h.onSent != nil {
		h.onSent(len(h.sent))
	}
	return h.hallPort.Write(ctx, writes)
}

// inTurn has lamps go one at a time.
func (w *lampWorld) inTurn() *serialHall {
	w.settings(func(s *directory.Settings) {
		many := 1000
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectLicenceRemove: {Count: &many}, directory.EffectUpdateSensitive: {Count: &many},
			directory.EffectBlock: {Count: &many}}
	})
	h := &serialHall{hallPort: hallPort{w.port}, t: w.T, busyFor: time.Minute}
	c := w.engine.config
	c.Kinds = []Kind{&serialLamps{w.lamps}}
	c.Open = func(context.Context, *directory.Connection) (Tenant, error) { return h, nil }
	w.engine = New(c)
	return h
}

// TestLampsGoOneAtATime: one request with one change at a time, those that give seats
// back before those that take some, and after everything else of the run.
func TestLampsGoOneAtATime(t *testing.T) {
	w := newLampWorld(t)
	h := w.inTurn()
	refs := w.hang(8, "red")
	w.sync()
	w.paint(refs[:4], gold)
	w.paint(refs[4:6], grey)
	w.paint(refs[6:], "blue")
	written := len(w.hall.writes)
	w.sync()
	run, _ := w.lastRun()
	if run.State != directory.RunDone || run.Applied != 8 {
		t.Fatalf("the run is %s with %d applied: %+v", run.State, run.Applied, run.Error)
	}
	got := w.hall.writes[written:]
	colours := make([]string, len(got))
	for i, line := range got {
		colours[i] = strings.Fields(line)[1]
	}
	if !slices.Equal(colours, []string{"blue", "blue", grey, grey, gold, gold, gold, gold}) || len(h.sent) != 6 {
		t.Errorf("written %v", got)
	}
	w.sync()
	if again, _ := w.lastRun(); again.ID != run.ID {
		t.Error("something is planned after that") // invariant 9
	}
}

// TestOthersGoBetween: leavers, edits and chosen users do not wait for what goes one at
// a time, and nothing of that is sent twice or forgotten.
func TestOthersGoBetween(t *testing.T) {
	w := newLampWorld(t)
	h := w.inTurn()
	refs := w.hang(10, "red")
	ann, bob := w.user("ann"), w.user("bob")
	w.bind(ann, bob)
	w.sync()
	w.skew.Add(2 * Grace)
	w.paint(refs[:8], gold)
	at := map[string]int{} // of how many it was done before
	h.onSent = func(n int) {
		w.skew.Add(3 * time.Second)
		switch n {
		case 2:
			w.paint(refs[9:], "blue")
			w.edit(bob, func(u *directory.User) { u.Department = "Sales" })
		case 4:
			w.edit(ann, func(u *directory.User) { u.State = directory.StateSuspended })
		}
		if w.shining("blue") > 0 && at["blue"] == 0 {
			at["blue"] = n
		}
		if w.account(bob.Email)["department"] == "Sales" && at["bob"] == 0 {
			at["bob"] = n
		}
		if w.account(ann.Email)["accountEnabled"] == false && at["ann"] == 0 {
			at["ann"] = n
		}
	}
	w.sync()
	if w.shining(gold) != 8 || len(h.sent) != 8 {
		t.Errorf("%d are gold, sent %v", w.shining(gold), h.sent)
	}
	if at["blue"] != 3 || at["bob"] != 3 || at["ann"] != 5 {
		t.Errorf("done before the changes %v, want blue and bob before 3, ann before 5", at)
	}
	list, _, err := w.store.Runs.ListRuns(t.Context(), w.conn.ID, "", 100)
	w.do(err)
	for _, r := range list {
		if r.State != directory.RunDone {
			t.Errorf("the run %s is %s", r.ID, r.State)
		}
		if r.Refused != 0 {
			t.Errorf("%d changes were planned twice", r.Refused)
		}
	}
	for _, ref := range refs {
		if b := w.lamp(ref); b.Status != directory.BindingInSync || b.Dirty() {
			t.Errorf("the binding of %s is %s", ref, b.Status)
		}
	}
}

// TestEditOfALampInTurn: who wants something else meanwhile gets that, and never what
// was planned before.
func TestEditOfALampInTurn(t *testing.T) {
	w := newLampWorld(t)
	h := w.inTurn()
	refs := w.hang(6, "red")
	w.sync()
	w.paint(refs, gold)
	var late directory.Ref
	h.onSent = func(n int) {
		w.skew.Add(3 * time.Second)
		if n == 2 {
			for _, ref := range refs {
				if !slices.Contains(h.sent, ref.ID) {
					late = ref
				}
			}
			w.paint([]directory.Ref{late}, "green")
		}
	}
	w.sync()
	if w.shining(gold) != 5 || w.shining("green") != 1 || slices.Contains(h.sent, late.ID) {
		t.Errorf("%d are gold, %d green, sent %v without %s", w.shining(gold), w.shining("green"), h.sent, late.ID)
	}
}

// TestBusyTenantKeepsNobody: while the tenant has no time for what goes one at a time,
// everything else goes on.
func TestBusyTenantKeepsNobody(t *testing.T) {
	w := newLampWorld(t)
	h := w.inTurn()
	refs := w.hang(4, "red")
	w.sync()
	h.busy, h.busyFor = 1, time.Hour
	w.paint(refs[:2], gold)
	w.slices(1, func() {})
	run, _ := w.lastRun()
	if run.State != directory.RunWaiting {
		t.Fatalf("the run is %s", run.State)
	}
	w.skew.Add(-time.Hour + time.Minute) // long before that
	w.paint(refs[2:], "blue")
	w.slices(1, func() {})
	if w.shining("blue") != 2 || w.shining(gold) != 0 {
		t.Errorf("%d are blue, %d gold", w.shining("blue"), w.shining(gold))
	}
	w.skew.Add(time.Hour)
	w.sync()
	if w.shining(gold) != 2 || len(h.sent) != 2 {
		t.Errorf("%d are gold, sent %v", w.shining(gold), h.sent)
	}
}

// TestLampsInTurnAreUndone: an undo of such changes goes one at a time as well.
func TestLampsInTurnAreUndone(t *testing.T) {
	w := newLampWorld(t)
	h := w.inTurn()
	refs := w.hang(3, "red")
	w.sync()
	w.paint(refs, gold)
	w.sync()
	of, _ := w.lastRun()
	undone, left := w.undo(of.ID, runs.UndoRequest{})
	if undone.State != directory.RunDone || undone.Applied != 3 || len(left) != 0 || w.shining("red") != 3 || len(h.sent) != 6 {
		t.Errorf("the undo is %s with %d applied, sent %v", undone.State, undone.Applied, h.sent)
	}
}
