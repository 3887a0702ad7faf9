package reconcile

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
)

// failing is a tenant that refuses the writes to one account, except those that
// take access away, or all of them.
type failing struct {
	*port
	account directory.AccountID
	all     bool
	outcome directory.Outcome
	before  func()
}

func (f *failing) Write(ctx context.Context, writes []directory.Write) ([]directory.Outcome, error) {
	if do := f.before; do != nil {
		f.before = nil
		do()
	}
	out := make([]directory.Outcome, len(writes))
	var some []directory.Write
	var at []int
	for i, w := range writes {
		if w.AccountID == f.account && (f.all || w.Effect != directory.EffectBlock && w.Effect != directory.EffectRevoke) {
			out[i] = f.outcome
			continue
		}
		some, at = append(some, w), append(at, i)
	}
	if len(some) == 0 {
		return out, nil
	}
	got, err := f.port.Write(ctx, some)
	if err != nil {
		return nil, err
	}
	for n, i := range at {
		out[i] = got[n]
	}
	return out, nil
}

func (w *world) failing(account directory.AccountID, o directory.Outcome) *failing {
	f := &failing{port: w.port, account: account, outcome: o}
	w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return f, nil }
	return f
}

// TestLeaverDuringAFailingWrite: what fails for a user is tried again after a
// rest, but a suspension that came meanwhile does not rest with it.
func TestLeaverDuringAFailingWrite(t *testing.T) {
	w := newWorld(t)
	ann := w.people(1)[0]
	w.skew.Add(2 * Grace)
	f := w.failing(w.binding(ann).AccountID, directory.Outcome{Status: 400, Problem: &directory.Problem{Code: "x", Kind: directory.ProblemTenant, Message: "No."}})
	f.before = func() { w.edit(ann, func(u *directory.User) { u.State = directory.StateSuspended }) }
	w.edit(ann, func(u *directory.User) { u.JobTitle = "Boss" })
	began := w.skew.Load()
	w.sync()
	if w.account(ann.Email)["accountEnabled"] != false {
		t.Errorf("the leaver is still enabled after %v", w.skew.Load()-began)
	}
}

// spin runs slices of the engine for some time.
func (w *world) spin(d time.Duration) {
	w.Helper()
	for end := w.now().Add(d); w.now().Before(end); {
		sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		w.do(err)
		if sum.Again < 0 {
			sum.Again = 5 * time.Minute // the schedule's turn
		}
		time.Sleep(max(sum.Again, 100*time.Millisecond))
	}
}

// TestNobodyWaitsForOneAccount: an account at which Microsoft always fails, and a
// creation refused for the sake of something that cannot be seen, are given up
// after a while, and others go on.
func TestNobodyWaitsForOneAccount(t *testing.T) {
	for name, refused := range map[string]directory.Outcome{
		"an update that fails":               {Status: 503, Unknown: true},
		"an update that is to be sent again": {Status: 503, Retry: true},
		"a name that nobody has":             {Status: 400, Problem: &directory.Problem{Code: directory.CodeUserPrincipalNameTaken, Kind: directory.ProblemConflict, Message: "No."}},
		"a creation that fails":              {Status: 503, Unknown: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				p := w.people(2)
				time.Sleep(2 * Grace)
				poisoned := p[0]
				if strings.HasPrefix(name, "an update") {
					w.failing(w.binding(poisoned).AccountID, refused)
					w.edit(poisoned, func(u *directory.User) { u.JobTitle = "Boss" })
				} else {
					w.failing("", refused)
					poisoned = w.user("zoe")
					w.bind(poisoned)
				}
				w.spin(10 * time.Second)
				w.edit(p[1], func(u *directory.User) { u.JobTitle = "Chief" })
				w.spin(20 * time.Minute)
				if got := w.account(p[1].Email)["jobTitle"]; got != "Chief" {
					t.Errorf("another user's title is %v", got)
				}
				if b := w.binding(poisoned); b.Problem == nil || !b.Dirty() {
					t.Errorf("the binding is %s with %v, want a problem and another try", b.Status, b.Problem)
				}
			})
		})
	}
}

// TestNameTakenDuringAnUnknownCreation: when nobody knows whether a creation took
// effect and somebody else's account has the name, that is a conflict, whatever
// the answer was.
func TestNameTakenDuringAnUnknownCreation(t *testing.T) {
	w := newWorld(t)
	zoe := w.user("zoe")
	f := w.failing("", directory.Outcome{Status: 503, Unknown: true, Problem: &directory.Problem{Code: "unavailable", Kind: directory.ProblemTransient, Message: "No."}})
	f.before = func() {
		_, err := w.sim.AddAccount(simTenant, existing("zoe", map[string]any{"displayName": "Zoe Other"}))
		w.do(err)
	}
	w.bind(zoe)
	_, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
	w.do(err)
	if b := w.binding(zoe); b.Status != directory.BindingConflict || b.Problem == nil || b.Problem.Code != directory.CodeUserPrincipalNameTaken || b.Problem.Holder == "" {
		t.Errorf("the binding is %s with %+v", b.Status, b.Problem)
	}
}

// unreadable is a tenant that cannot read one account.
type unreadable struct {
	*port
	account directory.AccountID
	found   directory.Found
}

func (f *unreadable) Lookup(ctx context.Context, refs, selected []string) ([]directory.Found, error) {
	found, err := f.port.Lookup(ctx, refs, selected)
	for i, r := range refs {
		if err == nil && r == string(f.account) {
			found[i] = f.found
		}
	}
	return found, err
}

// TestNobodyWaitsForOneReading: a suspension is not put off by that of somebody
// whose account cannot be read; and that one follows when it can be.
func TestNobodyWaitsForOneReading(t *testing.T) {
	for name, found := range map[string]directory.Found{
		"an error of Microsoft": {Retry: true, Problem: &directory.Problem{Code: "x", Kind: directory.ProblemTransient, Message: "No.", MicrosoftStatus: 500}},
		"a refusal":             {Problem: &directory.Problem{Code: "x", Kind: directory.ProblemData, Message: "No.", MicrosoftStatus: 400}},
		"not visible yet":       {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				p := w.people(2)
				if name != "not visible yet" {
					time.Sleep(2 * Grace)
				}
				f := &unreadable{w.port, w.binding(p[0]).AccountID, found}
				w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return f, nil }
				for _, u := range p {
					w.edit(u, func(u *directory.User) { u.State = directory.StateSuspended })
				}
				began := time.Now()
				_, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
				w.do(err)
				if w.account(p[1].Email)["accountEnabled"] != false || time.Since(began) > 3*time.Second {
					t.Fatalf("after %v another leaver is enabled: %v", time.Since(began), w.account(p[1].Email)["accountEnabled"])
				}
				if b := w.binding(p[0]); w.account(p[0].Email)["accountEnabled"] != true || !b.Dirty() {
					t.Fatal("what could not be read was decided")
				}
				f.account = ""
				time.Sleep(5*time.Minute + time.Second)
				w.spin(time.Minute)
				if w.account(p[0].Email)["accountEnabled"] != false {
					t.Error("who could be read at last is still enabled")
				}
			})
		})
	}
}

// TestLeaversDoNotWaitForEachOther: a leaver whose account Microsoft does not
// find yet keeps no other leaver waiting, and counts for the guard all the same.
func TestLeaversDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.people(12)
		f := w.failing(w.binding(p[0]).AccountID, directory.Outcome{Status: 404, Problem: &directory.Problem{Code: "gone", MicrosoftStatus: 404, Message: "No."}})
		f.all = true
		leave := func(u directory.User) { w.edit(u, func(u *directory.User) { u.State = directory.StateSuspended }) }
		leave(p[0])
		w.spin(3 * time.Second)
		leave(p[1])
		w.spin(time.Second)
		if w.account(p[1].Email)["accountEnabled"] != false {
			t.Error("a leaver waits for another one")
		}
		if w.account(p[0].Email)["accountEnabled"] != true {
			t.Fatal("the first one does not wait")
		}
		// Five may leave: one waits, one is blocked, three more can go.
		for _, u := range p[2:6] {
			leave(u)
		}
		w.spin(time.Second)
		for _, u := range p[2:6] {
			if w.account(u.Email)["accountEnabled"] != true {
				t.Errorf("%s is blocked beyond the guard's limit", u.Email)
			}
		}
		f.account = ""
		w.spin(time.Minute)
		if w.account(p[0].Email)["accountEnabled"] != false {
			t.Error("the leaver who waited is not blocked")
		}
	})
}

// unanswering is a tenant that does not answer questions about one address, or
// about one account among the deleted ones.
type unanswering struct {
	*port
	about string
	found directory.Found
}

func (f *unanswering) Search(ctx context.Context, addresses, selected []string) ([]directory.Found, error) {
	found, err := f.port.Search(ctx, addresses, selected)
	for i, a := range addresses {
		if err == nil && a == f.about {
			found[i] = f.found
		}
	}
	return found, err
}

func (f *unanswering) Deleted(ctx context.Context, ids []directory.AccountID, selected []string) ([]directory.Found, error) {
	found, err := f.port.Deleted(ctx, ids, selected)
	for i, id := range ids {
		if err == nil && string(id) == f.about {
			found[i] = f.found
		}
	}
	return found, err
}

// TestNobodyWaitsForOneQuestion: who has an address, and what became of an
// account, may be unknown of one user without keeping others from theirs.
func TestNobodyWaitsForOneQuestion(t *testing.T) {
	for name, found := range map[string]directory.Found{
		"an error of Microsoft": {Retry: true, Problem: &directory.Problem{Code: "x", Kind: directory.ProblemTransient, Message: "No.", MicrosoftStatus: 500}},
		"a refusal":             {Problem: &directory.Problem{Code: "x", Kind: directory.ProblemData, Message: "No.", MicrosoftStatus: 400}},
	} {
		for when, test := range map[string]func(w *world, f *unanswering){
			"planning a creation": func(w *world, f *unanswering) {
				zoe, yan := w.user("zoe"), w.user("yan")
				f.about = zoe.Email
				w.bind(zoe, yan)
				w.spin(5 * time.Second)
				w.created(yan.Email, true)
				w.created(zoe.Email, false)
				f.about = ""
				w.spin(11 * time.Minute)
				w.created(zoe.Email, true)
			},
			"sending a creation": func(w *world, f *unanswering) {
				w.conn.Settings.Mode = directory.ModeApprove
				w.saveConn()
				zoe, yan := w.user("zoe"), w.user("yan")
				w.bind(zoe, yan)
				w.spin(time.Minute)
				f.about = zoe.Email
				approve := func() bool {
					yes, err := w.approveHeld(w.runs())
					w.do(err)
					return yes
				}
				if !approve() {
					w.Fatal("nothing is held")
				}
				w.spin(time.Minute)
				w.created(yan.Email, true)
				w.created(zoe.Email, false)
				f.about = ""
				for range 12 {
					w.spin(time.Minute)
					approve()
				}
				w.spin(time.Minute)
				w.created(zoe.Email, true)
			},
			"a deletion": func(w *world, f *unanswering) {
				p := w.people(2)
				time.Sleep(2 * Grace)
				f.about = string(w.binding(p[0]).AccountID)
				for _, u := range p {
					w.do(w.sim.DeleteAccount(simTenant, u.Email))
				}
				w.spin(2 * directory.DefaultInterval)
				if b := w.binding(p[1]); b.Problem == nil || b.Problem.Code == "x" {
					w.Errorf("another one's binding is %s with %v, want what became of the account", b.Status, b.Problem)
				}
				if b := w.binding(p[0]); b.Status != directory.BindingFailed && !found.Retry {
					w.Errorf("the binding is %s, want failed", b.Status)
				}
				f.about = ""
				w.spin(11 * time.Minute)
				if b := w.binding(p[0]); b.Problem == nil || b.Problem.Code == "x" {
					w.Errorf("the binding is %s with %v, want what became of the account", b.Status, b.Problem)
				}
			},
		} {
			t.Run(when+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					f := &unanswering{port: w.port, found: found}
					w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return f, nil }
					test(w, f)
				})
			})
		}
	}
}

func (w *world) created(address string, want bool) {
	w.Helper()
	if _, there := w.sim.Account(simTenant, address); there != want {
		w.Errorf("%s has an account: %t, want %t", address, there, want)
	}
}

// TestNobodyWaitsForOneAnswer: an account that cannot be read keeps neither the
// rest of an approved run, nor of an undo, nor of a run in waves from its end.
func TestNobodyWaitsForOneAnswer(t *testing.T) {
	for name, found := range map[string]directory.Found{
		"an error of Microsoft": {Retry: true, Problem: &directory.Problem{Code: "x", Kind: directory.ProblemTransient, Message: "No.", MicrosoftStatus: 500}},
		"a refusal":             {Problem: &directory.Problem{Code: "x", Kind: directory.ProblemData, Message: "No.", MicrosoftStatus: 400}},
	} {
		for what, test := range map[string]func(w *world, p []directory.User, f *unreadable){
			"approval": func(w *world, p []directory.User, f *unreadable) {
				w.settings(func(s *directory.Settings) { s.Mode = directory.ModeApprove })
				w.edit(p[0], func(u *directory.User) { u.JobTitle = "Boss" })
				w.edit(p[1], func(u *directory.User) { u.JobTitle = "Boss" })
				w.spin(time.Minute)
				f.account = w.binding(p[0]).AccountID
				if yes, err := w.approveHeld(w.runs()); err != nil || !yes {
					w.Fatalf("nothing is held: %v", err)
				}
				w.spin(time.Minute)
				if a, b := w.account(p[0].Email)["jobTitle"], w.account(p[1].Email)["jobTitle"]; a == "Boss" || b != "Boss" {
					w.Errorf("the titles are %v and %v, want the second one written", a, b)
				}
			},
			"undo": func(w *world, p []directory.User, f *unreadable) {
				was := w.account(p[1].Email)["jobTitle"]
				w.edit(p[0], func(u *directory.User) { u.JobTitle = "Boss" })
				w.edit(p[1], func(u *directory.User) { u.JobTitle = "Boss" })
				w.spin(10 * time.Second)
				mistake, _ := w.lastRun()
				f.account = w.binding(p[0]).AccountID
				run, left := w.undo(mistake.ID, runs.UndoRequest{})
				if run.State != directory.RunDone || len(left) != 1 || left[0].Code != plan.LeftNotRead || left[0].UserID != p[0].ID {
					w.Errorf("the undo is %s and leaves %+v", run.State, left)
				}
				if a, b := w.account(p[0].Email)["jobTitle"], w.account(p[1].Email)["jobTitle"]; a != "Boss" || b != was {
					w.Errorf("the titles are %v and %v", a, b)
				}
			},
			"waves": func(w *world, p []directory.User, f *unreadable) {
				w.settings(over(2))
				w.spin(time.Minute)
				f.account = w.binding(p[3]).AccountID
				for _, u := range p {
					w.edit(u, func(u *directory.User) { u.JobTitle = "" })
				}
				w.spin(20 * time.Minute)
				if n := emptied(w, p); n == 0 {
					w.Error("no wave went out")
				}
				if run, _ := w.lastRun(); !run.State.Ended() && run.State != directory.RunHeld {
					w.Errorf("the run is %s", run.State)
				}
			},
		} {
			t.Run(what+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					p := w.people(6)
					time.Sleep(2 * Grace)
					f := &unreadable{port: w.port, found: found}
					w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return f, nil }
					test(w, p, f)
				})
			})
		}
	}
}
