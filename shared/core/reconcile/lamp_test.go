package reconcile

import (
	"context"
	"slices"
	"testing"

	"bindery/shared/core/plan"
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
	w.lamps = &lamps{store: w.store, colour: map[string]string{}}
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
		w.do(w.store.Bind(w.Context(), directory.Act{}, &w.conn, "admin", list))
	}
	return refs
}

// paint changes lamps of the directory.
func (w *lampWorld) paint(refs []directory.Ref, colour string) {
	w.Helper()
	w.version++
	for _, ref := range refs {
		w.lamps.colour[ref.ID] = colour
		w.do(w.store.MarkWanted(w.Context(), &w.conn, ref, w.version, false))
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
	found, err := w.store.BindingsOf(w.Context(), w.conn.ID, []directory.Ref{ref})
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
