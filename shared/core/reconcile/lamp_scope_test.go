package reconcile

import (
	"context"
	"strings"
	"testing"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

// rooms are lamps that are switched off as members leave a group: each tenth lamp
// is in a room with its neighbours.
type rooms struct{ *lamps }

func (k *rooms) Open(s Slice, tenant Tenant) Objects {
	return &openRooms{k.lamps.Open(s, tenant).(*openLamps)}
}

type openRooms struct{ *openLamps }

func (o *openRooms) Decide(ctx context.Context, w Work, refs []directory.Ref) (Decided, error) {
	d, err := o.openLamps.Decide(ctx, w, refs)
	for i := range d.Changes {
		c := &d.Changes[i]
		if c.Effect == directory.EffectUpdateSensitive && c.After()[propColour].String() == off {
			room := c.Object.ID[:3]
			c.Effect, c.Scope, c.ScopeName, c.ScopeSize = directory.EffectMemberRemove, "room "+room, "Room "+room, 10
		}
	}
	return d, err
}

// TestRoomIsHeld: who takes too much from one room has the run held for it, by name,
// also in small steps; other rooms are none of its business, and what an admin has let
// go counts no more.
func TestRoomIsHeld(t *testing.T) {
	w := newLampWorld(t)
	w.settings(func(s *directory.Settings) {
		many := 100
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectMemberRemove: {Count: &many}}
	})
	w.engine.config.Kinds = []Kind{&rooms{w.lamps}}
	refs := w.hang(40, "red")
	w.sync()
	w.paint(append(append([]directory.Ref{}, refs[:6]...), refs[10:16]...), off)
	w.sync()
	if run, _ := w.lastRun(); run.State != directory.RunDone || w.shining(off) != 12 {
		t.Fatalf("six of each room: the run is %s with %d off, held %+v", run.State, w.shining(off), run.Held)
	}
	w.paint(refs[6:10], off) // ten of the room l00 by now
	w.sync()
	if run, _ := w.lastRun(); run.State != directory.RunDone {
		t.Fatalf("ten of a room: the run is %s, held %+v", run.State, run.Held)
	}
	w.paint(refs[:1], "red")
	w.sync()
	w.paint(refs[:1], off)
	w.sync()
	run, _ := w.lastRun()
	if run.State != directory.RunHeld || len(run.Held.Limits) != 1 || run.Held.Limits[0].Scope != "room l00" || !strings.Contains(run.Held.Reasons[0], "group Room l00") {
		t.Fatalf("eleven of a room: the run is %s, held %+v", run.State, run.Held)
	}
	w.paint(refs[20:21], off)
	w.sync()
	run, _ = w.lastRun() // with the lamp of another room
	w.approve(run.ID, plan.Approval{All: true})
	if w.shining(off) != 17 {
		t.Errorf("approved, %d are off", w.shining(off))
	}
	_, changes := w.lastRun()
	if c := changes[0]; c.Scope == "" || c.ScopeName == "" || c.ScopeSize != 10 {
		t.Errorf("the change does not tell its room: %+v", c)
	}
}
