package licences

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// later lets time pass, in which Microsoft does what it has to, and the engine works.
func (w *world) later(d time.Duration) {
	w.Helper()
	for until := w.now().Add(d); w.now().Before(until); {
		w.pass(min(5*time.Minute, until.Sub(w.now())))
		w.do(w.sim.Advance(0))
		w.sync()
	}
}

// TestGivenByGroup: a group that is exported gives its members the product, which is nothing
// of the accounts' own; once they have it nothing is planned. When the rule goes, what we
// gave to the group is taken from it, and nothing else.
func TestGivenByGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.people("ann", "bob")
	g := w.export("Staff", users...)
	w.uses(g, true, w.rule(partE3, "TEAMS1"))
	w.sync()
	if got := w.gives("Staff"); got != partE3 {
		t.Fatalf("the group gives %q, its record is %+v", got, w.groupRecord(g))
	}
	for _, u := range users {
		w.wants(u, "", directory.CodeLicenseByGroupWaits)
	}
	w.later(15 * time.Minute)
	for _, u := range users {
		if w.wants(u, ""); w.any(u.Email) != partE3 {
			t.Errorf("%s has %q", u.Email, w.any(u.Email))
		}
	}
	if b := w.groupRecord(g); b.Status != directory.BindingInSync || b.Dirty() || len(given(&b)) != 1 {
		t.Errorf("the group's record is %+v", b)
	}
	calls := len(w.sends())
	w.byHand("Staff", entratest.LicenceRequest{Add: []entratest.LicenceWish{{SKUID: skuVisio}}})
	w.later(time.Hour)
	if len(w.sends()) != calls { // invariant 9
		t.Errorf("%v were sent", w.sends()[calls:])
	}
	w.uses(g, true)
	w.sync()
	w.later(time.Hour)
	if got := w.gives("Staff"); got != partVisio {
		t.Errorf("the group gives %q at the end", got) // invariant 15
	}
	if b := w.groupRecord(g); !b.Ref().IsZero() {
		t.Errorf("the record %+v is left", b)
	}
}

// TestGroupGuard: what is taken from a group is taken from its members, and counts so.
func TestGroupGuard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.do(w.sim.SetLicence(simTenant, entratest.LicenceSpec{SKUPartNumber: partE3, Enabled: 20}))
	var names []string
	for i := range 8 {
		names = append(names, fmt.Sprintf("u%d", i))
	}
	g := w.export("Staff", w.people(names...)...)
	w.uses(g, true, w.rule(partE3))
	w.later(time.Hour)
	w.uses(g, true)
	w.later(time.Minute)
	run, changes := w.lastRun()
	if run.State != directory.RunHeld || len(changes) != 1 || changes[0].People != 8 || w.gives("Staff") != partE3 {
		t.Fatalf("the run is %s with %+v", run.State, changes)
	}
	if l := run.Held.Limits[0]; l.Effect != directory.EffectLicenceRemove || l.Count != 8 || l.Kind != directory.KindLicence {
		t.Errorf("held by %+v", l)
	}
	w.approve(run.ID)
	w.later(time.Minute)
	if w.gives("Staff") != "" {
		t.Errorf("the group gives %q", w.gives("Staff"))
	}
	done, left := w.undo(run.ID)
	if w.gives("Staff") != partE3 || len(left) != 0 {
		t.Errorf("after the undo, which is %s, the group gives %q (%v)", done.State, w.gives("Staff"), left)
	}
}

// TestSwitchedWithoutGap: whether the group or we give a product can be switched without
// a moment in which somebody has none, or has two seats.
func TestSwitchedWithoutGap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.people("ann", "bob", "eve") // as many as there are seats
	g := w.export("Staff", users...)
	w.uses(g, false, w.rule(partE3))
	w.later(10 * time.Minute)
	begin := len(w.sim.Mutations(simTenant))
	w.uses(g, true, w.rule(partE3))
	w.later(time.Hour)
	for _, u := range users {
		w.wants(u, "")
	}
	if w.gives("Staff") != partE3 {
		t.Fatalf("the group gives %q", w.gives("Staff"))
	}
	w.uses(g, false, w.rule(partE3))
	w.later(time.Hour)
	_, err := w.approveHeld() // it is taken once more from everybody, within a day
	w.do(err)
	w.later(time.Hour)
	for _, u := range users {
		w.wants(u, partE3)
	}
	if b := w.groupRecord(g); w.gives("Staff") != "" || !b.Ref().IsZero() {
		t.Errorf("the group gives %q, the record is %+v", w.gives("Staff"), b)
	}
	group, _ := w.sim.Group(simTenant, "Staff")
	for _, m := range w.sim.Mutations(simTenant)[begin:] {
		if after, is := m.After["assignedLicenses"]; is && m.Kind == "license" && m.TargetID != group["id"] && !strings.Contains(w.assigned(after), w.id(partE3)) {
			t.Errorf("somebody was left without by %+v", m)
		}
	}
}

// TestSwitchThatWaits: while a member cannot be given the product the group keeps it, and the
// members are asked about ever less often; once everybody has it the group gives it up.
func TestSwitchThatWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.people("ann", "eve")
	g := w.export("Staff", users...)
	w.uses(g, true, w.rule(partE3))
	w.later(time.Hour)
	by := directory.Caller{Subject: "boss"}
	_, err := w.runs().Pause(t.Context(), by, &w.conn, users[1].ID, "")
	w.do(err)
	w.uses(g, false, w.rule(partE3))
	w.later(24 * time.Hour)
	b := w.groupRecord(g)
	if p := b.Problem; w.gives("Staff") != partE3 || p == nil || p.Code != directory.CodeLicenseMoves || p.Attempts > 15 {
		t.Fatalf("the group gives %q, the record is %s with %+v", w.gives("Staff"), b.Status, p)
	}
	_, err = w.runs().Resume(t.Context(), by, &w.conn, users[1].ID)
	w.do(err)
	w.later(7 * time.Hour)
	if w.gives("Staff") != "" {
		t.Errorf("the group gives %q, the record is %+v", w.gives("Staff"), w.groupRecord(g).Problem)
	}
	for _, u := range users {
		w.wants(u, partE3)
	}
}

// TestGroupWithoutSeats: whom the group could not give a seat stands in line with all
// others, and Microsoft is asked again once a seat is free, a bounded number of times.
func TestGroupWithoutSeats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.people("ann", "bob")
	g := w.export("Staff", users...)
	w.uses(g, true, w.rule(partVisio))
	w.later(time.Hour)
	with, without := users[0], users[1]
	if w.any(with.Email) == "" {
		with, without = without, with
	}
	w.wants(with, "")
	w.wants(without, "", directory.CodeWaitingForSeat)
	b := w.record(without)
	if p := b.Problem; p == nil || p.MicrosoftCode != "CountViolation" || p.Holder != "group Staff" || p.Next == "" {
		t.Errorf("told %+v", p)
	}
	asked := len(w.reprocessed())
	w.later(6 * time.Hour)
	if len(w.reprocessed()) != asked {
		t.Errorf("Microsoft was asked %d times without a seat", len(w.reprocessed())-asked)
	}
	w.do(w.sim.SetLicence(simTenant, entratest.LicenceSpec{SKUPartNumber: partVisio, Enabled: 2}))
	w.later(time.Hour)
	w.wants(without, "")
	if w.any(without.Email) != partVisio || len(w.reprocessed()) != asked+1 {
		t.Errorf("%s has %q after %v", without.Email, w.any(without.Email), w.reprocessed())
	}
	run, changes := w.lastRun()
	if len(changes) != 1 || changes[0].Effect != directory.EffectLicenceReprocess || run.Failed != 0 {
		t.Errorf("the run is %s with %+v", run.State, changes)
	}
	if b := w.record(without); !b.Base[propTried].IsNull() {
		w.later(time.Hour)
	}
}

// reprocessed are the answers to calls that asked Microsoft again.
func (w *world) reprocessed() (list []string) {
	for _, r := range w.sim.Requests() {
		if strings.HasSuffix(r.Path, "/reprocessLicenseAssignment") {
			list = append(list, fmt.Sprint(r.Status))
		}
	}
	return list
}
