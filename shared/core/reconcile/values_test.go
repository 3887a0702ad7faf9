package reconcile

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// fault sets a fault of the tenant.
func (w *world) fault(f entratest.Fault) string {
	w.Helper()
	id, err := w.sim.SetFault(f)
	w.do(err)
	return id
}

// sent counts the writes that held a value, whatever became of them.
func (w *world) sent(property string) int {
	w.Helper()
	n := 0
	list, _, err := w.store.Runs.ListRuns(w.Context(), w.conn.ID, "", 100)
	w.do(err)
	for i := range list {
		changes, _, err := w.store.Runs.Changes(w.Context(), &list[i], "", 10000)
		w.do(err)
		for _, c := range changes {
			if _, in := c.After()[property]; in && c.Effect != directory.EffectAdopt && (c.State == directory.ChangeApplied || c.State == directory.ChangeFailed) {
				n++
			}
		}
	}
	return n
}

// lookBack plays the wake-up that follows a run that wrote, and the look at the
// end of Grace.
func (w *world) lookBack() {
	w.Helper()
	run, _ := w.lastRun()
	w.skew.Add(readBackAfter)
	sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID, ReadBack: run.ID}, time.Time{})
	w.do(err)
	if sum.Pages == 0 {
		w.Fatalf("nothing was read back: %+v", sum)
	}
	w.skew.Add(Grace)
	w.sync()
}

// TestLeaversInEverySlice: the look after a run takes the place of the round that
// is due; but where there is always a leaver to block first, the tenant is read
// none the less.
func TestLeaversInEverySlice(t *testing.T) {
	w := newWorld(t)
	ben := w.user("ben")
	leavers := []directory.User{w.user("ann"), w.user("cho")}
	w.bind(append(leavers, ben)...)
	w.sync()
	w.patch(ben.Email, map[string]any{"department": "Theirs"})
	for i, u := range leavers {
		w.skew.Add(directory.DefaultInterval)
		w.port.token = signIn(t, w.sim)
		w.edit(u, func(u *directory.User) { u.State = directory.StateSuspended })
		w.sim.ResetRequests()
		w.sync()
		if n := w.requestsTo("users/delta"); n != i {
			t.Errorf("after %d intervals %d pages were read", i+1, n)
		}
	}
	if w.account(ben.Email)["department"] != nil {
		t.Error("somebody's change was not seen")
	}
}

// fullRun has an admin ask for a full reconcile.
func (w *world) fullRun() {
	w.Helper()
	_, err := w.runs().Start(w.Context(), caller("admin"), &w.conn, runs.Request{Full: true})
	w.do(err)
	w.sync()
}

// TestRefusedValue: a value that Microsoft refuses keeps nothing else of its user
// back, and is not sent again until it changes or an admin asks for the user.
func TestRefusedValue(t *testing.T) {
	w := newWorld(t)
	ann, ben := w.user("ann"), w.user("ben")
	w.bind(ann, ben)
	w.sync()
	w.fault(entratest.Fault{Kind: "value-refused", Property: "department", User: string(w.binding(ann).AccountID)})
	both := func(u *directory.User) { u.Department, u.JobTitle, u.Email = "Sales", "Head", "new."+u.Email }
	ann, ben = w.edit(ann, both), w.edit(ben, both)
	w.sync()
	for _, u := range []directory.User{ann, ben} {
		if a := w.account(u.Email); a["jobTitle"] != "Head" || (a["department"] == "Sales") != (u.ID == ben.ID) {
			t.Errorf("the account of %s is %v", u.Email, a)
		}
	}
	refused := func(times int) {
		t.Helper()
		b := w.binding(ann)
		if b.Status != directory.BindingRefused || b.Problem == nil || b.Problem.Property != "department" || b.Dirty() || b.Refused["department"].Problem.Code != "property-invalid" {
			t.Fatalf("the binding is %s, %+v, dirty %v, refused %v", b.Status, b.Problem, b.Dirty(), b.Refused)
		}
		if n := w.sent("department"); n != times+1 {
			t.Errorf("the department was sent %d times, want %d", n, times+1)
		}
	}
	refused(1)
	if list, _, err := w.runs().Affected(t.Context(), &w.conn, "property-invalid", "", 10); err != nil || len(list) != 1 || list[0].Problem.Property != "department" {
		t.Errorf("the problems are %+v, %v", list, err)
	}
	w.skew.Add(2 * Grace)
	w.fullRun()
	refused(1)
	w.edit(ann, func(u *directory.User) { u.JobTitle = "Chief" })
	w.sync()
	if refused(1); w.account(ann.Email)["jobTitle"] != "Chief" {
		t.Error("the title is held back by the department")
	}
	w.edit(ann, func(u *directory.User) { u.State = directory.StateSuspended })
	w.sync()
	if w.account(ann.Email)["accountEnabled"] != false {
		t.Error("a block is held back by the department")
	}
	w.edit(ann, func(u *directory.User) { u.State, u.Department = directory.StateActive, "Law" })
	w.sync()
	refused(2)
	if e, err := w.engine.Explain(t.Context(), &w.conn, directory.AccountOf(ann.ID)); err != nil || explained(e, "department").Outcome != "refused" || explained(e, "jobTitle").Outcome != "equal" {
		t.Errorf("explained as %+v, %v", e.Attributes, err)
	}
	w.sim.ClearFaults()
	if _, err := w.runs().RetryOne(t.Context(), caller("admin"), &w.conn, ann.ID); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if b := w.binding(ann); b.Status != directory.BindingInSync || b.Problem != nil || len(b.Refused) != 0 || w.account(ann.Email)["department"] != "Law" || w.account(ann.Email)["accountEnabled"] != true {
		t.Errorf("after the retry the binding is %s, %+v, %v", b.Status, b.Problem, b.Refused)
	}
}

// TestRefusedBesideAnotherFailure: a refused value keeps the rest of its user back
// neither when another change of the user fails for a reason of its own, whichever
// comes first.
func TestRefusedBesideAnotherFailure(t *testing.T) {
	for _, tt := range []struct{ refused, failing string }{{"department", "mobilePhone"}, {"mobilePhone", "department"}} {
		w := newWorld(t)
		ann := w.user("ann")
		w.bind(ann)
		w.sync()
		w.skew.Add(2 * Grace)
		w.fault(entratest.Fault{Kind: "value-refused", Property: tt.refused})
		w.fault(entratest.Fault{Kind: "value-refused", Property: tt.failing, Code: "SomethingElse", Times: 2})
		w.edit(ann, func(u *directory.User) {
			u.Department, u.JobTitle, u.Phones.Mobile = "Sales", "Head", "+41 79 555 11 22"
		})
		for range 5 {
			w.sync()
			w.skew.Add(directory.DefaultInterval)
			w.port.token = signIn(t, w.sim)
		}
		if a := w.account(ann.Email); a[tt.failing] == nil || a[tt.refused] != nil || a["jobTitle"] != "Head" {
			t.Errorf("%s refused: the account has %v, %v, %v; %+v", tt.refused, a["department"], a["jobTitle"], a["mobilePhone"], w.binding(ann).Problem)
		}
		if n := w.sent(tt.refused); n != 1 {
			t.Errorf("%s was sent %d times", tt.refused, n)
		}
	}
}

// TestRefusedValueThatIsThere: a value that Microsoft refused and that the account
// has all the same, by somebody's hand, is agreed: by itself, and beside another
// edit.
func TestRefusedValueThatIsThere(t *testing.T) {
	w := newWorld(t)
	ann := w.user("ann")
	w.bind(ann)
	w.sync()
	for _, department := range []string{"Sales", "Law"} {
		w.skew.Add(2 * Grace)
		fault := w.fault(entratest.Fault{Kind: "value-refused", Property: "department"})
		w.edit(ann, func(u *directory.User) { u.Department = department })
		w.sync()
		if b := w.binding(ann); b.Status != directory.BindingRefused {
			t.Fatalf("the binding is %s", b.Status)
		}
		w.sim.ClearFaults(fault)
		w.patch(ann.Email, map[string]any{"department": department})
		if e, err := w.engine.Explain(t.Context(), &w.conn, directory.AccountOf(ann.ID)); err != nil || explained(e, "department").Outcome != "equal" {
			t.Errorf("explained as %+v, %v", e.Attributes, err)
		}
		if department == "Law" {
			w.edit(ann, func(u *directory.User) { u.JobTitle = "Head" })
		}
		w.skew.Add(2 * directory.DefaultInterval)
		w.port.token = signIn(t, w.sim)
		w.sync()
		b := w.binding(ann)
		if b.Status != directory.BindingInSync || b.Problem != nil || len(b.Findings) != 0 || len(b.Refused) != 0 || b.Base["department"].String() != department {
			t.Errorf("%s: the binding is %s, %+v, findings %+v, refused %v, base %v", department, b.Status, b.Problem, b.Findings, b.Refused, b.Base["department"])
		}
	}
}

// TestWritesStaySmall: what is remembered of our writes to an account that is edited
// all the time does not outgrow a record.
func TestWritesStaySmall(t *testing.T) {
	var b directory.Binding
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	noteWrite(&b, &directory.Change{Effect: directory.EffectCreate}, at)
	for i := range 1000 {
		at = at.Add(time.Second / 2)
		name := []string{"department", "jobTitle", "city"}[i%3]
		if i > 900 {
			name = "department"
		}
		noteWrite(&b, &directory.Change{Effect: directory.EffectUpdate, Properties: []directory.PropertyChange{{Name: name, Before: directory.StringValue(strings.Repeat("x", 1000))}}}, at)
	}
	if len(b.Writes) != 4 {
		t.Fatalf("%d writes are remembered", len(b.Writes))
	}
	r := b.Recent(at.Add(-45 * time.Second))
	if r.All || !r.Has("department") || r.Has("jobTitle") || !b.Recent(at.Add(-2*time.Minute)).Has("jobTitle") {
		t.Errorf("recent are %+v", r)
	}
}

func explained(e Explanation, name string) (out struct{ Outcome, Kept string }) {
	for _, a := range e.Attributes {
		if a.Name == name {
			if out.Outcome = a.Outcome; a.Kept != nil {
				out.Kept = a.Kept.Kept.String()
			}
		}
	}
	return out
}

// TestRefusedAtCreation: an account is created without what is refused, and with
// another mailNickname when its own belongs to somebody else.
func TestRefusedAtCreation(t *testing.T) {
	w := newWorld(t)
	w.fault(entratest.Fault{Kind: "value-refused", Property: "extensionAttribute3"})
	w.fault(entratest.Fault{Kind: "value-refused", Property: "mailNickname", Code: "ObjectConflict", Times: 2})
	ann := w.user("ann", func(u *directory.User) {
		u.Department, u.JobTitle, u.CustomAttributes = strings.Repeat("x", 65), "Head", map[string]string{"badge": "7"}
	})
	w.bind(ann)
	w.sync()
	a := w.account(ann.Email)
	if a["mailNickname"] != "ann3" || a["jobTitle"] != "Head" || a["department"] != nil {
		t.Errorf("the account is %v", a)
	}
	b := w.binding(ann)
	if !b.Created || b.Status != directory.BindingRefused || len(b.Refused) != 1 || b.Kept["mailNickname"].Code != directory.CodeSuffixed {
		t.Errorf("the binding is %s, %+v, refused %v, kept %v", b.Status, b.Problem, b.Refused, b.Kept)
	}
	codes := ""
	for _, p := range append([]directory.Problem{*b.Problem}, b.Findings...) {
		codes += p.Code + " " + p.Property + "; "
	}
	if !strings.Contains(codes, "value-too-long department; ") || !strings.Contains(codes, "property-invalid extensionAttribute3; ") ||
		!strings.Contains(codes, "mail-nickname-was-taken mailNickname; ") || strings.Count(codes, ";") != 3 {
		t.Errorf("told are %s", codes)
	}
	w.sim.ClearFaults()
	w.edit(ann, func(u *directory.User) { u.Department, u.CustomAttributes = "Sales", map[string]string{"badge": "8"} })
	w.sync()
	writes := len(w.sim.Mutations(simTenant))
	w.skew.Add(2 * Grace)
	w.fullRun()
	if b := w.binding(ann); b.Status != directory.BindingInSync || len(b.Refused) != 0 || w.account(ann.Email)["mailNickname"] != "ann3" || b.Digest == 0 {
		t.Errorf("the binding is %s, %+v, refused %v, digest %d", b.Status, b.Problem, b.Refused, b.Digest)
	}
	if n := len(w.sim.Mutations(simTenant)); n != writes {
		t.Errorf("%d writes to an account that is as wanted", n-writes)
	}
}

// TestEssentialRefusedAtCreation: what no account can be without stops the
// creation, which is not tried again until it changes.
func TestEssentialRefusedAtCreation(t *testing.T) {
	w := newWorld(t)
	w.fault(entratest.Fault{Kind: "value-refused", Property: "displayName"})
	ann := w.user("ann")
	w.bind(ann)
	w.sync()
	w.skew.Add(2 * Grace)
	w.fullRun()
	if b := w.binding(ann); b.Status != directory.BindingRefused || b.Problem.Property != "displayName" || w.sent("displayName") != 1 {
		t.Errorf("the binding is %s, %+v; sent %d times", b.Status, b.Problem, w.sent("displayName"))
	}
	w.fault(entratest.Fault{Kind: "value-refused", Property: "mailNickname", Code: "ObjectConflict"})
	ben := w.user("ben")
	w.sim.ClearFaults("fault-1")
	w.bind(ben)
	w.sync()
	if b := w.binding(ben); b.AccountID != "" || b.Problem == nil || b.Problem.Code != "mail-nickname-taken" {
		t.Errorf("the binding is %s, %+v", b.Status, b.Problem)
	}
	sent := w.sent("mailNickname")
	w.sim.ClearFaults()
	w.fullRun()
	if n := w.sent("mailNickname"); n != sent {
		t.Errorf("tried %d times again without anything new", n-sent)
	}
	w.skew.Add(25 * time.Hour)
	w.port.token = signIn(t, w.sim)
	w.sync()
	if b := w.binding(ben); b.AccountID == "" || w.account(ben.Email)["mailNickname"] != "ben" {
		t.Errorf("a day later the binding is %s, %+v", b.Status, b.Problem)
	}
}

// TestValueKeptOtherwise: what Microsoft keeps instead of a value, or in spite of
// it, is found out by one look after the run, told, counts as agreed and is not
// written again until the wish changes.
func TestValueKeptOtherwise(t *testing.T) {
	for _, tt := range []struct {
		fault entratest.Fault
		first string // of the account after the write of "Sales"
		code  string
		also  bool // another value is written with it
	}{
		{entratest.Fault{Kind: "kept-otherwise", Property: "department", Value: "SALES DEPT."}, "SALES DEPT.", directory.CodeNormalised, true},
		{entratest.Fault{Kind: "kept-otherwise", Property: "department", Value: "SALES DEPT."}, "SALES DEPT.", directory.CodeNormalised, false},
		{entratest.Fault{Kind: "value-dropped", Property: "department"}, "Old", directory.CodeNotKept, true},
		{entratest.Fault{Kind: "value-dropped", Property: "department"}, "Old", directory.CodeNotKept, false},
	} {
		t.Run(fmt.Sprint(tt.fault.Kind, tt.also), func(t *testing.T) {
			w := newWorld(t, existing("ann", map[string]any{"department": "Old"}))
			ann := w.user("ann", func(u *directory.User) { u.Department = "Old" })
			w.bind(ann)
			w.sync()
			w.skew.Add(2 * directory.DefaultInterval)
			w.sync()
			w.fault(tt.fault)
			w.edit(ann, func(u *directory.User) {
				if u.Department = "Sales"; tt.also {
					u.JobTitle = "Head"
				}
			})
			w.sync()
			requests := len(w.sim.Requests())
			w.lookBack()
			if n := len(w.sim.Requests()) - requests; n > 4 { // a delta, who holds roles by now, and a batch with one read
				t.Errorf("the look took %d requests", n)
			}
			for range 3 {
				b := w.binding(ann)
				k := b.Kept["department"]
				if b.Status != directory.BindingInSync || b.Dirty() || k.Code != tt.code || k.Kept.String() != tt.first || len(b.Findings) != 1 || b.Findings[0].Code != tt.code || b.Digest == 0 {
					t.Fatalf("the binding is %s, kept %+v, findings %+v, writes %+v", b.Status, b.Kept, b.Findings, b.Writes)
				}
				w.skew.Add(2 * Grace)
				w.fullRun()
			}
			if n := w.sent("department"); n != 1 || w.account(ann.Email)["department"] != tt.first {
				t.Errorf("the value was sent %d times; the account has %v", n, w.account(ann.Email)["department"])
			}
			e, err := w.engine.Explain(t.Context(), &w.conn, directory.AccountOf(ann.ID))
			if got := explained(e, "department"); err != nil || got.Outcome != "kept" || got.Kept != tt.first {
				t.Errorf("explained as %+v, %v", e.Attributes, err)
			}
			w.edit(ann, func(u *directory.User) { u.JobTitle = "Chief" })
			w.sync()
			if n := w.sent("department"); n != 1 || w.account(ann.Email)["jobTitle"] != "Chief" || w.binding(ann).Status != directory.BindingInSync {
				t.Errorf("with another edit it was sent %d times; %+v", n, w.binding(ann))
			}
			// Somebody's change of it is still one.
			w.skew.Add(2 * Grace)
			w.sim.ClearFaults()
			w.patch(ann.Email, map[string]any{"department": "Theirs"})
			w.fullRun()
			if b := w.binding(ann); w.account(ann.Email)["department"] != "Sales" || len(b.Kept) != 0 || b.Status != directory.BindingInSync {
				t.Errorf("a foreign change was left: %v, kept %v", w.account(ann.Email)["department"], b.Kept)
			}
		})
	}
}

// TestKeptAlthoughTheScheduleTicks: a tick of the schedule between a run and the
// look after it takes nothing of that look away.
func TestKeptAlthoughTheScheduleTicks(t *testing.T) {
	w := newWorld(t, existing("ann", map[string]any{"department": "Old"}))
	w.settings(func(s *directory.Settings) { s.Interval = directory.Duration(5 * time.Minute) })
	ann := w.user("ann", func(u *directory.User) { u.Department = "Old" })
	w.bind(ann)
	w.sync()
	w.skew.Add(time.Hour)
	w.port.token = signIn(t, w.sim)
	w.sync()
	w.skew.Add(270 * time.Second)
	w.fault(entratest.Fault{Kind: "value-dropped", Property: "department"})
	w.edit(ann, func(u *directory.User) { u.Department = "Sales" })
	w.slices(1, func() {})
	run, _ := w.lastRun()
	w.skew.Add(20 * time.Second)
	w.sync() // the tick: by now a round is due
	w.skew.Add(10 * time.Second)
	_, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID, ReadBack: run.ID}, time.Time{})
	w.do(err)
	w.skew.Add(Grace)
	w.sync()
	if b := w.binding(ann); w.sent("department") != 1 || b.Kept["department"].Code != directory.CodeNotKept {
		t.Errorf("sent %d times, kept %+v", w.sent("department"), b.Kept)
	}
}

// TestKeptInATenantThatLags: where reads are older than the first look is late, a
// value in another form is written once, and another value twice at most.
func TestKeptInATenantThatLags(t *testing.T) {
	for _, tt := range []struct {
		kept string
		most int
	}{{"SALES.", 1}, {"Theirs", 2}} {
		w := newWorld(t, existing("ann", map[string]any{"department": "Old"}))
		ann := w.user("ann", func(u *directory.User) { u.Department = "Old" })
		w.bind(ann)
		w.sync()
		w.skew.Add(2 * directory.DefaultInterval)
		w.sync()
		w.fault(entratest.Fault{Kind: "lag", Seconds: 120})
		w.fault(entratest.Fault{Kind: "kept-otherwise", Property: "department", Value: tt.kept})
		w.edit(ann, func(u *directory.User) { u.Department = "Sales" })
		w.sync()
		for range 3 {
			w.lookBack()
			w.port.token = signIn(t, w.sim)
		}
		if b := w.binding(ann); w.sent("department") > tt.most || b.Status != directory.BindingInSync || b.Dirty() || b.Kept["department"].Kept.String() != tt.kept {
			t.Errorf("%s: sent %d times, the binding is %s, kept %+v", tt.kept, w.sent("department"), b.Status, b.Kept)
		}
	}
}

// TestKeptAtCreation: likewise of what a new account was created with.
func TestKeptAtCreation(t *testing.T) {
	w := newWorld(t)
	w.skew.Add(2 * directory.DefaultInterval)
	w.sync()
	w.fault(entratest.Fault{Kind: "value-dropped", Property: "jobTitle"})
	w.fault(entratest.Fault{Kind: "kept-otherwise", Property: "department", Value: "SALES"})
	ann := w.user("ann", func(u *directory.User) { u.Department, u.JobTitle = "Sales dept", "Head" })
	w.bind(ann)
	w.sync()
	w.lookBack()
	w.skew.Add(2 * Grace)
	w.fullRun()
	b := w.binding(ann)
	if b.Kept["jobTitle"].Code != directory.CodeNotKept || b.Kept["department"].Code != directory.CodeNormalised || b.Status != directory.BindingInSync || !b.Created {
		t.Errorf("the binding is %s, kept %+v, findings %+v", b.Status, b.Kept, b.Findings)
	}
	if n := w.sent("jobTitle"); n != 1 {
		t.Errorf("the title was sent %d times", n)
	}
}

// TestSetBackAfterItWasSeen: a value that the first look showed as written, and
// that somebody sets back, is a foreign change, whenever that happens.
func TestSetBackAfterItWasSeen(t *testing.T) {
	for _, later := range []time.Duration{time.Minute, 2 * Grace} {
		for _, full := range []bool{false, true} {
			w := newWorld(t, existing("ann", map[string]any{"department": "Old"}))
			ann := w.user("ann", func(u *directory.User) { u.Department = "Old" })
			w.bind(ann)
			w.sync()
			w.skew.Add(2 * directory.DefaultInterval)
			w.sync()
			w.edit(ann, func(u *directory.User) { u.Department = "Sales" })
			w.sync()
			run, _ := w.lastRun()
			w.skew.Add(readBackAfter)
			_, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID, ReadBack: run.ID}, time.Time{})
			w.do(err)
			w.skew.Add(later)
			w.patch(ann.Email, map[string]any{"department": "Old"})
			if full {
				w.fullRun()
			}
			for range 3 {
				w.skew.Add(directory.DefaultInterval)
				w.sync()
			}
			if b := w.binding(ann); w.account(ann.Email)["department"] != "Sales" || len(b.Kept) != 0 {
				t.Errorf("after %s, full %v: the department is %v, kept %v", later, full, w.account(ann.Email)["department"], b.Kept)
			}
		}
	}
}

// TestGraceIsByProperty: what somebody changes right after we wrote other
// properties is seen at once.
func TestGraceIsByProperty(t *testing.T) {
	w := newWorld(t, existing("ann", nil))
	ann := w.user("ann", func(u *directory.User) { u.Department, u.JobTitle = "Sales", "Head" })
	w.bind(ann)
	w.sync()
	w.skew.Add(2 * Grace)
	w.sync()
	w.edit(ann, func(u *directory.User) { u.Department = "Law" })
	w.sync()
	w.skew.Add(time.Minute)
	w.patch(ann.Email, map[string]any{"accountEnabled": false, "jobTitle": "Theirs", "department": "Theirs too"})
	run, _ := w.lastRun()
	_, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID, ReadBack: run.ID}, time.Time{})
	w.do(err)
	b := w.binding(ann)
	if a := w.account(ann.Email); a["jobTitle"] != "Head" || a["accountEnabled"] != false || a["department"] != "Theirs too" {
		t.Errorf("a minute after our write of the department the account has %v, %v, %v", a["jobTitle"], a["accountEnabled"], a["department"])
	}
	if len(b.Findings) != 1 || b.Findings[0].Code != "blocked-at-microsoft" {
		t.Errorf("findings = %+v", b.Findings)
	}
}

// TestOlderRecords: a binding as the version before wrote it is fresh as a whole
// for Grace.
func TestOlderRecords(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var b directory.Binding
	if err := json.Unmarshal([]byte(`{"userId":"usr_1","base":{"department":"Sales"},"lastWrite":"2026-01-01T00:00:00Z"}`), &b); err != nil {
		t.Fatal(err)
	}
	if !b.Recent(at.Add(-time.Minute)).Has("department") || b.Recent(at).Any() || !lastWritten(&b, "department").Equal(at) {
		t.Errorf("recent are %+v", b.Recent(at.Add(-time.Minute)))
	}
	noteWrite(&b, &directory.Change{Effect: directory.EffectUpdate, Properties: []directory.PropertyChange{{Name: "jobTitle"}}}, at.Add(time.Minute))
	if r := b.Recent(at.Add(-time.Second)); !r.Has("department") || b.Recent(at).Has("department") || !b.Recent(at).Has("jobTitle") {
		t.Errorf("after a write recent are %+v", r)
	}
}
