package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/audit"
	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// lampWorld is a world with lamps.
type lampWorld struct {
	*world
	hall  *hall
	lamps *lamps
	// version is that of all lamps of the directory.
	version int64
}

func newLampWorld(t *testing.T) *lampWorld {
	t.Helper()
	w := &lampWorld{world: newWorld(t), version: 1}
	w.hall = &hall{RoundTripper: w.port.rt, bulbs: map[string]*bulb{}, flicker: map[string]string{}}
	w.port.rt = w.hall
	w.lamps = &lamps{store: w.store.Bindings, colour: map[string]string{}}
	w.renew()
	return w
}

// renew makes the engine anew, from table, queue and tenant.
func (w *lampWorld) renew() {
	c := w.engine.config
	c.Stores, c.Kinds = StoresOf(store.New(w.table, store.Options{Now: w.now})), []Kind{w.lamps}
	c.Open = func(context.Context, *directory.Connection) (Tenant, error) { return hallPort{w.port}, nil }
	w.engine = New(c)
}

// hang binds so many lamps of a colour.
func (w *lampWorld) hang(n int, colour string) []directory.Ref {
	w.Helper()
	var refs []directory.Ref
	for i := range n {
		refs = append(refs, lampRef(i))
		w.lamps.colour[refs[i].ID] = colour
	}
	for part := range slices.Chunk(refs, 10) {
		var list []store.Selection
		for _, ref := range part {
			list = append(list, store.Selection{Object: ref, Version: w.version})
		}
		w.do(w.store.Bindings.Bind(w.Context(), directory.AuditEvent{}, &w.conn, "admin", list))
	}
	return refs
}

// paint changes lamps of the directory.
func (w *lampWorld) paint(refs []directory.Ref, colour string) {
	w.Helper()
	w.version++
	for _, ref := range refs {
		w.lamps.colour[ref.ID] = colour
		w.do(w.store.Marks.MarkWanted(w.Context(), &w.conn, ref, w.version, false))
	}
}

// shining counts the tenant's lamps of a colour.
func (w *lampWorld) shining(colour string) (n int) {
	for _, b := range w.hall.bulbs {
		if b.Colour == colour {
			n++
		}
	}
	return n
}

func (w *lampWorld) lamp(ref directory.Ref) directory.Binding {
	w.Helper()
	found, err := w.store.Bindings.BindingsOf(w.Context(), w.conn.ID, []directory.Ref{ref})
	w.do(err)
	return found[ref]
}

func (w *lampWorld) approve(id directory.RunID, a plan.Approval) {
	w.Helper()
	_, err := w.runs().Approve(w.Context(), caller("boss"), id, a)
	w.do(err)
	w.sync()
}

// TestLampFollows: an object of a kind that the engine does not know goes from a
// mark to a recorded plan, through the gate to the tenant, and into the journal.
func TestLampFollows(t *testing.T) {
	w := newLampWorld(t)
	refs := w.hang(3, "red")
	ann := w.user("ann")
	w.bind(ann)
	w.sync()
	run, changes := w.lastRun()
	if w.shining("red") != 3 || run.State != directory.RunDone || run.Applied != 4 || len(changes) != 4 {
		t.Fatalf("%d lamps shine, the run is %s with %d applied of %d", w.shining("red"), run.State, run.Applied, len(changes))
	}
	if b := w.lamp(refs[0]); b.AccountID != "bulb-l000" || b.Status != directory.BindingInSync || b.Dirty() || b.RunID != run.ID {
		t.Errorf("the binding is %+v", b)
	}
	if b := w.binding(ann); b.Status != directory.BindingInSync {
		t.Errorf("the user beside them is %s", b.Status)
	}
	w.paint(refs[:1], "blue")
	w.sync()
	run, changes = w.lastRun()
	if w.shining("blue") != 1 || effects(changes) != "update-sensitive:applied" || changes[0].Ref() != refs[0] {
		t.Errorf("%d lamps are blue, the run has %s of %s", w.shining("blue"), effects(changes), changes[0].Ref())
	}
	w.sync()
	if again, _ := w.lastRun(); again.ID != run.ID {
		t.Errorf("a second run %s after %s", again.ID, run.ID) // invariant 9
	}
}

// TestLampIsHeld: the guard counts lamps by themselves, an admin decides, and what
// is declined is not proposed again.
func TestLampIsHeld(t *testing.T) {
	w := newLampWorld(t)
	w.settings(func(s *directory.Settings) {
		two := 2
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectUpdateSensitive: {Count: &two}}
	})
	refs := w.hang(5, "red")
	ann := w.user("ann")
	w.bind(ann)
	w.sync()
	// Two phones and two lamps: each kind is within its own limit.
	w.edit(ann, func(u *directory.User) { u.Phones.Mobile = "+1 555 02" })
	w.paint(refs[:2], "blue")
	w.sync()
	if run, _ := w.lastRun(); run.State != directory.RunDone || w.shining("blue") != 2 {
		t.Fatalf("the run is %s (%+v), %d lamps are blue", run.State, run.Held, w.shining("blue"))
	}
	// What was applied of lamps counts for lamps.
	w.edit(ann, func(u *directory.User) { u.Phones.Mobile = "+1 555 03" })
	w.sync()
	if run, _ := w.lastRun(); run.State != directory.RunDone {
		t.Errorf("one more phone is held: %+v", run.Held)
	}
	w.paint(refs[2:], "green")
	w.sync()
	run, _ := w.lastRun()
	if run.State != directory.RunHeld || len(run.Held.Limits) == 0 || w.shining("green") != 0 {
		t.Fatalf("the run is %s, held %+v, %d lamps are green", run.State, run.Held, w.shining("green"))
	}
	if x := run.Held.Limits[0]; x.Kind != lampKind || x.Count != 5 || x.Limit != 2 || !strings.Contains(run.Held.Reasons[0], "of the kind lamp") {
		t.Errorf("held for %+v, %q", x, run.Held.Reasons)
	}
	_, changes := w.lastRun()
	i := slices.IndexFunc(changes, func(c directory.Change) bool { return c.Object == refs[2] })
	w.approve(run.ID, plan.Approval{ChangeIDs: []directory.ChangeID{changes[i].ID}})
	if run, changes = w.lastRun(); run.State != directory.RunDone || w.shining("green") != 1 {
		t.Errorf("the run is %s with %s", run.State, effects(changes))
	}
	if b := w.lamp(refs[3]); len(b.Declined) != 1 || b.Status != directory.BindingInSync {
		t.Errorf("the declined lamp's binding is %+v", b)
	}
	// Seen by the guard as it was: an object that has changed since is not written.
	w.paint(refs[3:], "yellow")
	w.sync()
	held, _ := w.lastRun()
	w.hall.bulbs["l003"].Colour = "pink"
	w.approve(held.ID, plan.Approval{All: true})
	stored, err := w.store.Runs.Run(t.Context(), held.ID)
	w.do(err)
	changes, _, err = w.store.Runs.Changes(t.Context(), &stored, "", 10)
	w.do(err)
	for _, c := range changes {
		want := directory.ChangeApplied
		if c.Object == refs[3] {
			want = directory.ChangeOutdated
		}
		if c.State != want {
			t.Errorf("approved, the change of %s is %s, want %s", c.Object, c.State, want)
		}
	}
}

// TestLampsGoInWaves: many lamps go as 1, then 1 %, then 10 %, then the rest, each
// read back; a wave that reads otherwise than written stops the run.
func TestLampsGoInWaves(t *testing.T) {
	w := newLampWorld(t)
	w.settings(over(20))
	refs := w.hang(100, "red")
	w.sync()
	w.paint(refs, "blue")
	var seen []string
	w.slices(60, func() {
		now := fmt.Sprint(w.shining("blue"))
		if len(seen) == 0 || seen[len(seen)-1] != now {
			seen = append(seen, now)
		}
	})
	if got := strings.Join(seen, " "); got != "1 2 12 100" {
		t.Errorf("%s were blue", got)
	}
	w.paint(refs, "green")
	for _, ref := range refs {
		w.hall.flicker[ref.ID] = "grey"
	}
	w.sync()
	run, _ := w.lastRun()
	if run.State != directory.RunHeld || run.Held.Wave == nil || run.Held.Wave.Mismatched != 1 || run.Applied != 1 {
		t.Fatalf("the run is %s with %d applied, held %+v", run.State, run.Applied, run.Held)
	}
	clear(w.hall.flicker)
	w.approve(run.ID, plan.Approval{All: true})
	if w.shining("green") != 99 {
		t.Errorf("after the approval %d lamps are green", w.shining("green"))
	}
}

// TestLampIsUndone: a run is taken back as far as nobody changed the lamps since,
// its bindings rest, and an undo can be undone.
func TestLampIsUndone(t *testing.T) {
	w := newLampWorld(t)
	refs := w.hang(3, "red")
	w.sync()
	w.paint(refs, "blue")
	w.sync()
	of, _ := w.lastRun()
	w.hall.bulbs["l002"].Colour = "pink"
	undone, left := w.undo(of.ID, runs.UndoRequest{})
	if undone.State != directory.RunDone || undone.Applied != 2 || w.shining("red") != 2 {
		t.Fatalf("the undo is %s with %d applied", undone.State, undone.Applied)
	}
	if len(left) != 1 || left[0].Object != refs[2] || left[0].Code != plan.LeftChanged {
		t.Errorf("left: %+v", left)
	}
	if b := w.lamp(refs[0]); b.Status != directory.BindingPaused || b.Problem.Code != directory.CodeUndone {
		t.Errorf("the binding is %s", b.Status)
	}
	w.undo(undone.ID, runs.UndoRequest{})
	if b := w.lamp(refs[0]); b.Status != directory.BindingInSync || w.shining("blue") != 2 {
		t.Errorf("after undoing the undo the binding is %s, %d lamps are blue", b.Status, w.shining("blue"))
	}
}

// TestNewLampIsUndone: undoing a creation lets the lamp go, and its record.
func TestNewLampIsUndone(t *testing.T) {
	w := newLampWorld(t)
	refs := w.hang(1, "red")
	w.sync()
	of, _ := w.lastRun()
	undone, _ := w.undo(of.ID, runs.UndoRequest{})
	if b := w.lamp(refs[0]); undone.Applied != 1 || !b.Ref().IsZero() || w.shining("red") != 1 {
		t.Errorf("%d applied, the binding is %+v", undone.Applied, b)
	}
}

// TestLampIsTold: what was done to a lamp, and would be, is told as for accounts.
func TestLampIsTold(t *testing.T) {
	w := newLampWorld(t)
	refs := w.hang(2, "red")
	w.bind(w.user("ann"))
	w.sync()
	report := audit.Report{Stores: audit.ReportStoresOf(w.store)}
	list, _, err := report.List(t.Context(), audit.Query{Object: refs[1]}, "", 10)
	w.do(err)
	if len(list) != 1 || list[0].Effect != directory.EffectCreate || list[0].Object != refs[1] || list[0].UserPrincipalName != "l001" {
		t.Errorf("told: %+v", list)
	}
	w.lamps.colour["l001"] = "blue"
	out, err := w.engine.Explain(t.Context(), &w.conn, refs[1])
	w.do(err)
	if out.Object != refs[1] || !out.Bound || out.Binding.AccountID != "bulb-l001" || out.Summary != "The next run makes 1 change." {
		t.Errorf("explained: %+v", out)
	}
	dry, err := w.runs().Start(t.Context(), caller("boss"), &w.conn, runs.Request{DryRun: true, Full: true})
	w.do(err)
	w.sync()
	r, err := w.store.Runs.Run(t.Context(), dry.ID)
	w.do(err)
	if r.State != directory.RunPlanned || r.Counts[directory.EffectUpdateSensitive] != 1 || w.shining("blue") != 0 {
		t.Errorf("the dry run is %s with %v", r.State, r.Counts)
	}
}

// TestUnknownKindIsLeft: what only a newer version knows is left to it, and keeps
// nobody waiting.
func TestUnknownKindIsLeft(t *testing.T) {
	w := newWorld(t)
	torch := directory.Ref{Kind: "torch", ID: "t1"}
	w.do(w.store.Bindings.Bind(t.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{Object: torch, Version: 1}}))
	ann := w.user("ann")
	w.bind(ann)
	w.sync()
	if b := w.binding(ann); b.Status != directory.BindingInSync {
		t.Errorf("the user is %s", b.Status)
	}
	marks, _, err := w.store.Marks.ListMarks(t.Context(), w.conn.ID, w.conn.Epoch, "", 10)
	if w.do(err); len(marks) != 0 {
		t.Errorf("marked at once: %v", marks)
	}
	w.skew.Add(2 * leftFor)
	marks, _, err = w.store.Marks.ListMarks(t.Context(), w.conn.ID, w.conn.Epoch, "", 10)
	if w.do(err); len(marks) != 1 || marks[0].Ref != torch {
		t.Errorf("marked for a newer version: %v", marks)
	}
}

// lampStory has everything of lamps due, beside a user.
func lampStory(t *testing.T) *lampWorld {
	w := newLampWorld(t)
	w.settings(func(s *directory.Settings) {
		none := 0
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectUpdateSensitive: {Count: &none}}
	})
	refs := w.hang(3, "red")
	w.bind(w.user("ann"))
	w.sync()
	w.paint(refs[:2], "blue")
	w.hangOne(7, "green")
	w.bind(w.user("bob"))
	b := w.lamp(refs[2])
	b.Release = directory.ReleaseKeep
	w.do(w.store.Bindings.UpdateBinding(t.Context(), directory.AuditEvent{}, &b, true, false))
	w.skew.Add(2 * directory.DefaultInterval)
	return w
}

func (w *lampWorld) hangOne(n int, colour string) {
	w.lamps.colour[lampRef(n).ID] = colour
	w.do(w.store.Bindings.Bind(w.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{Object: lampRef(n), Version: w.version}}))
}

func (w *lampWorld) verify(what string) {
	w.Helper()
	if w.shining("blue") != 2 || w.shining("green") != 1 || w.shining("red") != 1 {
		w.Errorf("%s: the lamps are %v", what, w.hall.writes)
	}
	done := map[string]int{}
	for _, line := range w.hall.writes {
		if done[line]++; done[line] > 1 && strings.HasPrefix(line, "made again") {
			w.Errorf("%s: %s", what, line)
		}
	}
	for n, want := range map[int]directory.BindingStatus{0: directory.BindingInSync, 1: directory.BindingInSync, 2: "", 7: directory.BindingInSync} {
		if b := w.lamp(lampRef(n)); b.Status != want || b.Dirty() {
			w.Errorf("%s: the binding of lamp %d is %q", what, n, b.Status)
		}
	}
	told := map[string]bool{}
	list, _, err := w.store.Runs.ListRuns(w.Context(), w.conn.ID, "", 100)
	w.do(err)
	for _, r := range list {
		if r.State != directory.RunDone && r.State != directory.RunSuperseded {
			w.Errorf("%s: run %s is %s (%+v)", what, r.ID, r.State, r.Error)
		}
		changes, _, err := w.store.Runs.Changes(w.Context(), &r, "", 100)
		w.do(err)
		for _, c := range changes {
			if c.State == directory.ChangeApplied && c.Object.Kind == lampKind && len(c.Properties) > 0 {
				told[c.Object.ID+" "+c.After()[propColour].String()] = true
			}
		}
	}
	for line := range done {
		if !told[line] {
			w.Errorf("%s: the journal does not tell of %q", what, line)
		}
	}
	for line := range told {
		if done[line] == 0 {
			w.Errorf("%s: the journal tells of %q, which did not happen", what, line)
		}
	}
}

// TestLampCrashAnywhere lets every trouble befall each call of the lamps' story.
func TestLampCrashAnywhere(t *testing.T) {
	count := &trouble{}
	w := lampStory(t)
	count.install(w.world)
	w.story(count)
	count.remove(w.world)
	w.verify("without trouble")
	if t.Failed() {
		return
	}
	t.Run("cases", func(t *testing.T) {
		// Each kind of trouble befalls each third call, and any call is befallen by one of them at least.
		for i, kind := range []string{killBefore, killAfter, failBefore, failAfter, throttle} {
			t.Run(kind, func(t *testing.T) {
				t.Parallel()
				for k := 1 + i%3; k <= count.n && !t.Failed(); k += 3 * crashStride {
					lampCrash(t, k, count.n, kind)
				}
			})
		}
	})
}

func lampCrash(t *testing.T, at, of int, kind string) {
	w := lampStory(t)
	k := &trouble{at: at, kind: kind}
	k.install(w.world)
	w.story(k)
	k.remove(w.world)
	if k.dead() {
		w.skew.Add(LeaseTTL + time.Second)
		w.renew()
	}
	w.story(nil)
	w.skew.Add(3 * Grace)
	w.story(nil)
	w.verify(fmt.Sprintf("%s call %d of %d", kind, at, of))
}
