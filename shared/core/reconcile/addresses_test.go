package reconcile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

// listener counts what is asked of the tenant, the items of batches each.
type listener struct {
	mu       sync.Mutex
	next     http.RoundTripper
	filters  int // questions who has addresses
	named    int // accounts that were read by their names
	listed   int // pages of all accounts
	created  int
	answered func() error // befalls the answer to creations; nil: nothing
}

func (l *listener) RoundTrip(r *http.Request) (*http.Response, error) {
	calls := []item{{Method: r.Method, URL: strings.TrimPrefix(r.URL.RequestURI(), "/v1.0")}}
	creates := 0
	if strings.HasSuffix(r.URL.Path, "/$batch") {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		var batch struct{ Requests []item }
		if err := json.Unmarshal(body, &batch); err != nil {
			return nil, err
		}
		calls = batch.Requests
	}
	l.mu.Lock()
	for _, c := range calls {
		switch {
		case c.Method == "POST" && strings.HasPrefix(c.URL, "/users"):
			creates++
		case c.Method != "GET":
		case strings.HasPrefix(c.URL, "/users?$filter="):
			l.filters++
		case strings.HasPrefix(c.URL, "/users?"):
			l.listed++
		case strings.HasPrefix(c.URL, "/users/") && strings.Contains(c.URL, "@"), strings.Contains(c.URL, "%40"):
			l.named++
		}
	}
	l.created += creates
	l.mu.Unlock()
	resp, err := l.next.RoundTrip(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && creates > 0 && l.answered != nil {
		err = l.answered()
	}
	return resp, err
}

// listen counts what is asked of the tenant from now on.
func (w *world) listen() *listener {
	l := &listener{next: w.port.rt}
	w.port.rt = l
	return l
}

// joiners are users who are bound and have no account.
func (w *world) joiners(n int) []directory.User {
	w.Helper()
	users := make([]directory.User, n)
	for i := range users {
		users[i] = w.user(fmt.Sprintf("new%d", i))
		w.bind(users[i])
	}
	return users
}

// TestOneQuestionForEachCreation: two people cost one question and two creations, and
// many one page of a listing; what was found out when they were planned is not asked
// again when they are created.
func TestOneQuestionForEachCreation(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ people, filters, listed int }{{2, 1, 0}, {100, 20, 0}, {130, 0, 1}} {
		w := newWorld(t)
		users := w.joiners(test.people)
		heard := w.listen()
		w.sync()
		for _, u := range users {
			if b := w.binding(u); b.Status != directory.BindingInSync {
				t.Fatalf("%s is %s: %+v", u.Email, b.Status, b.Problem)
			}
		}
		if heard.filters != test.filters || heard.listed != test.listed || heard.named != 0 || heard.created != test.people {
			t.Errorf("%d people: %d filters, %d pages, %d reads by name, %d creations; want %d, %d, 0, %d", test.people,
				heard.filters, heard.listed, heard.named, heard.created, test.filters, test.listed, test.people)
		}
	}
}

// held has the next run wait for an admin, and returns it.
func (w *world) held() directory.Run {
	w.Helper()
	w.settings(func(s *directory.Settings) { s.Mode = directory.ModeApprove })
	w.sync()
	run, _ := w.lastRun()
	if run.State != directory.RunHeld {
		w.Fatalf("the run is %s", run.State)
	}
	return run
}

// TestHolderComesAfterThePlan: whoever gets an address after it was asked about is
// found when the answer is too old, by a filter for many; and an account of that name
// by Microsoft's refusal when it is not. Nobody gets a second account.
func TestHolderComesAfterThePlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.joiners(12)
	run := w.held()
	holder, err := w.sim.AddAccount(simTenant, map[string]any{"displayName": "Other", "userPrincipalName": "other@" + simDomain,
		"proxyAddresses": []string{"SMTP:" + strings.ToUpper(users[3].Email)}})
	w.do(err)
	w.skew.Add(answersLife)
	_, err = w.runs().Approve(w.Context(), caller("boss"), run.ID, all)
	w.do(err)
	heard := w.listen()
	w.sync()
	// Nothing had been sent of the run: no name is read directly. The 12 of the run,
	// and the one who is planned again.
	if heard.filters != 3+1 || heard.named != 0 || heard.created != 11 {
		t.Errorf("%d filters, %d reads by name, %d creations", heard.filters, heard.named, heard.created)
	}
	for i, u := range users {
		b := w.binding(u)
		if i != 3 && b.Status != directory.BindingInSync || i == 3 && (b.Status == directory.BindingInSync && string(b.AccountID) != holder) {
			t.Errorf("%s is %s with %s: %+v", u.Email, b.Status, b.AccountID, b.Problem)
		}
	}
}

// TestNameIsTakenUnseen: an index that does not show an account yet makes no double.
// Microsoft refuses the name, and the next plan reads it directly.
func TestNameIsTakenUnseen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := w.joiners(2)
	id, err := w.sim.AddAccount(simTenant, map[string]any{"displayName": "Other", "userPrincipalName": users[0].Email})
	w.do(err)
	_, err = w.sim.SetFault(entratest.Fault{Kind: "lag", Seconds: 500, Path: "filter="})
	w.do(err)
	w.sync()
	if b := w.binding(users[0]); b.Problem == nil || b.Problem.Code != directory.CodeUserPrincipalNameTaken {
		t.Errorf("%s is %s: %+v", users[0].Email, b.Status, b.Problem)
	}
	w.skew.Add(6 * time.Minute)
	heard := w.listen()
	w.sync()
	if b := w.binding(users[0]); string(b.AccountID) != id || heard.named == 0 {
		t.Errorf("%s has %s after %d reads by name: %+v; want %s", users[0].Email, b.AccountID, heard.named, b.Problem, id)
	}
}

// TestIndexShowsWhoIsGone: whoever an index still shows is read before anything is
// decided about him.
func TestIndexShowsWhoIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gone, err := w.sim.AddAccount(simTenant, map[string]any{"displayName": "Gone", "userPrincipalName": "gone@" + simDomain, "mail": "new0@" + simDomain})
	w.do(err)
	w.skew.Add(time.Hour)
	w.do(w.sim.DeleteAccount(simTenant, gone))
	_, err = w.sim.SetFault(entratest.Fault{Kind: "lag", Seconds: 500, Path: "filter="})
	w.do(err)
	users := w.joiners(1)
	w.sync()
	if b := w.binding(users[0]); b.Status != directory.BindingInSync || !b.Created {
		t.Errorf("%s is %s: %+v", users[0].Email, b.Status, b.Problem)
	}
}

// silent is a Microsoft that answers nothing but 503.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	return refusal(r, http.StatusServiceUnavailable), nil
}

// mortal has the table refuse everything while the answer is set: the worker is dead.
func (w *world) mortal() *atomic.Bool {
	var dead atomic.Bool
	w.table.Before = func(context.Context, memory.Call) error {
		if dead.Load() {
			return io.ErrClosedPipe
		}
		return nil
	}
	return &dead
}

// TestWhatMayHaveBeenSentIsReadDirectly: a creation is looked for by its name when a
// slice that is not known to have ended in order may have sent it, and when this one
// has; not when the slice before has journalled all that it sent.
func TestWhatMayHaveBeenSentIsReadDirectly(t *testing.T) {
	t.Parallel()
	t.Run("after a death", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		users := w.joiners(3)
		dead := w.mortal()
		heard := w.listen()
		heard.answered = func() error { // the worker dies with it
			dead.Store(true)
			return io.ErrUnexpectedEOF
		}
		_, _ = w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		if !dead.Load() || heard.named != 0 {
			t.Fatalf("%d reads by name before anything was sent, sent: %t", heard.named, dead.Load())
		}
		dead.Store(false)
		heard.answered = nil
		w.skew.Add(2 * LeaseTTL)
		w.sync()
		if heard.named < 3 || heard.created != 3 {
			t.Errorf("%d reads by name, %d creations sent", heard.named, heard.created)
		}
		w.wantInSync(users)
	})
	t.Run("after a death, and a slice that sent nothing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.joiners(3)
		dead := w.mortal()
		heard := w.listen()
		heard.answered = func() error {
			dead.Store(true)
			return io.ErrUnexpectedEOF
		}
		_, _ = w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		dead.Store(false)
		heard.answered = nil
		_, err := w.sim.SetFault(entratest.Fault{Kind: "lag", Seconds: 900, Path: "filter="})
		w.do(err)
		w.skew.Add(2 * LeaseTTL)
		microsoft := w.port.rt
		w.port.rt = silent{}
		sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		w.do(err)
		if sum.Again <= 0 || heard.created != 3 {
			t.Fatalf("the second slice: %+v, %d creations sent", sum, heard.created)
		}
		w.port.rt = microsoft
		w.skew.Add(sum.Again)
		w.sync()
		if heard.named < 3 || heard.created != 3 {
			t.Errorf("%d reads by name, %d creations sent", heard.named, heard.created)
		}
	})
	t.Run("after Microsoft has asked to wait", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.joiners(3)
		_, err := w.sim.SetFault(entratest.Fault{Kind: "throttle", Method: "POST", Path: "^/users", RetryAfter: "300", Times: 3})
		w.do(err)
		heard := w.listen()
		w.sync()
		if heard.named != 0 || heard.created != 6 {
			t.Errorf("%d reads by name, %d creations sent", heard.named, heard.created)
		}
	})
	t.Run("sent again", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		users := w.joiners(3)
		_, err := w.sim.SetFault(entratest.Fault{Kind: "throttle", Method: "POST", Path: "^/users", RetryAfter: "1", Times: 2})
		w.do(err)
		heard := w.listen()
		w.sync()
		if heard.named < 2 || heard.created < 5 {
			t.Errorf("%d reads by name, %d creations sent", heard.named, heard.created)
		}
		w.wantInSync(users)
	})
	t.Run("after an orderly end", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.joiners(130)
		heard := w.listen()
		var late atomic.Bool
		w.engine.config.Now = func() time.Time {
			if late.Load() {
				return w.now().Add(11 * time.Second)
			}
			return w.now()
		}
		heard.answered = func() error { // the slice's time is over then
			late.Store(true)
			return nil
		}
		sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, w.now().Add(25*time.Second))
		w.do(err)
		heard.answered = nil
		first := heard.created
		if first == 0 || first == 130 || sum.Again < 0 {
			t.Fatalf("the first slice has sent %d", first)
		}
		w.sync()
		if heard.named != 0 || heard.created != 130 || heard.filters != (130-first+4)/5 {
			t.Errorf("%d reads by name, %d filters, %d creations sent, the first slice %d of them", heard.named, heard.filters, heard.created, first)
		}
	})
}

// holds has another worker have the lease for a moment, who touches no run.
func (w *world) holds() {
	w.Helper()
	l, _, err := w.store.Leases.AcquireLease(w.Context(), w.conn.ID, "another", LeaseTTL)
	w.do(err)
	w.do(w.store.Leases.ReleaseLease(w.Context(), &l, store.RunEnd{}, true))
}

// endAfterAnswers has the time of each slice be over when its first creations are
// answered.
func (w *world) endAfterAnswers(heard *listener) (slice func() Summary) {
	var over sync.Once
	heard.answered = func() error {
		over.Do(func() { w.skew.Add(11 * time.Second) })
		return nil
	}
	return func() Summary {
		w.Helper()
		over = sync.Once{}
		sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, w.now().Add(25*time.Second))
		w.do(err)
		return sum
	}
}

// TestPausedLoadIsAskedAboutOnce: slices that go on with a load read no name, whoever
// has had the lease in between, until one of them has died.
func TestPausedLoadIsAskedAboutOnce(t *testing.T) {
	t.Parallel()
	t.Run("the slices' time is over", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.flow(2, 5)
		users := w.joiners(50)
		heard := w.listen()
		slice := w.endAfterAnswers(heard)
		slices := 1
		for slice().Again >= 0 {
			slices++
			w.holds()
		}
		if slices < 4 || heard.named != 0 || heard.created != 50 {
			t.Errorf("%d slices, %d reads by name, %d creations sent", slices, heard.named, heard.created)
		}
		w.wantInSync(users)
	})
	t.Run("wake-ups while Microsoft asks to wait", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		users := w.joiners(3)
		_, err := w.sim.SetFault(entratest.Fault{Kind: "throttle", Method: "POST", Path: "^/users", RetryAfter: "300", Times: 3})
		w.do(err)
		heard := w.listen()
		for range 2 { // the second finds a run that waits
			w.slice()
		}
		lease, _, err := w.store.Leases.PeekLease(w.Context(), w.conn.ID)
		w.do(err)
		if lease.Fence != 2 {
			t.Fatalf("the lease was taken %d times", lease.Fence)
		}
		w.skew.Add(301 * time.Second)
		w.sync()
		if heard.named != 0 || heard.created != 6 {
			t.Errorf("%d reads by name, %d creations sent", heard.named, heard.created)
		}
		w.wantInSync(users)
	})
	t.Run("a slice died", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.flow(2, 5)
		users := w.joiners(50)
		dead := w.mortal()
		heard := w.listen()
		slice := w.endAfterAnswers(heard)
		slice()
		w.holds()
		inOrder := heard.answered
		heard.answered = func() error {
			dead.Store(true)
			return io.ErrUnexpectedEOF
		}
		before := heard.created
		_, _ = w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		if sent := heard.created - before; sent == 0 || heard.named != 0 {
			t.Fatalf("the slice that died has sent %d creations, %d reads by name", sent, heard.named)
		}
		dead.Store(false)
		heard.answered = inOrder
		_, err := w.sim.SetFault(entratest.Fault{Kind: "lag", Seconds: 900, Path: "filter="})
		w.do(err)
		w.skew.Add(2 * LeaseTTL)
		for slice().Again >= 0 { // those after it doubt what it sent, and whoever ends in order
			w.holds()
		}
		if heard.created != 50 || heard.named < 50-before {
			t.Errorf("%d creations sent, %d of them before; %d reads by name", heard.created, before, heard.named)
		}
		w.createdOnce(users)
	})
}

// TestDeathAfterAnOrderlyEnd: whichever call is the last of the slice that goes on with
// a load which has ended in order, and others have had the lease in between: nothing is
// sent twice, although no index shows what was created.
func TestDeathAfterAnOrderlyEnd(t *testing.T) {
	t.Parallel()
	for at, died := 1, true; died && !t.Failed(); at += crashStride {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.flow(2, 1)
			users := w.joiners(6)
			heard := w.listen()
			w.endAfterAnswers(heard)()
			w.holds()
			_, err := w.sim.SetFault(entratest.Fault{Kind: "lag", Seconds: 900, Path: "filter="})
			w.do(err)
			heard.answered = nil
			k := &trouble{at: at, kind: killAfter}
			k.install(w)
			_, _ = w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
			k.remove(w)
			w.skew.Add(2 * LeaseTTL)
			w.holds()
			w.sync()
			w.createdOnce(users)
			if heard.created != len(users) {
				t.Errorf("at call %d: %d creations sent for %d people", at, heard.created, len(users))
			}
			died = k.dead()
		})
	}
}

// TestCleanOfAnOlderVersion: a run that an older version has worked on meanwhile is
// not taken for clean, since it takes that back or drops it.
func TestCleanOfAnOlderVersion(t *testing.T) {
	t.Parallel()
	for name, cursor := range map[string]string{
		"that notes the lease at its end": `{"read":true,"planned":true,"ready":1,"journalled":1}`,
		"that knows of neither":           `{"read":true,"planned":true,"ready":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.flow(2, 5)
			users := w.joiners(20)
			heard := w.listen()
			w.endAfterAnswers(heard)()
			before := heard.created
			open, err := w.store.Runs.OpenRuns(w.Context(), w.conn.ID)
			w.do(err)
			run, err := w.store.Runs.Run(w.Context(), open[0])
			w.do(err)
			if !strings.Contains(string(run.Cursor), `"unsent":true`) { // by which name the older version takes it back
				t.Fatalf("the slice that ended in order has noted %s", run.Cursor)
			}
			run.Cursor = json.RawMessage(cursor)
			w.do(w.store.Runs.DecideRun(w.Context(), directory.AuditEvent{}, &run))
			heard.answered = nil
			w.sync()
			if heard.named != 20-before || heard.created != 20 {
				t.Errorf("%d reads by name, %d creations sent, %d of them before", heard.named, heard.created, before)
			}
			w.wantInSync(users)
		})
	}
}

// TestResume: of which runs that a slice takes over creations may have been sent that
// nobody knows of.
func TestResume(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		state  directory.RunState
		chunks int
		at     runs.Progress
		unseen bool
	}{
		"a new run":                           {directory.RunPlanning, 0, runs.Progress{}, false},
		"a plan under way":                    {directory.RunPlanning, 3, runs.Progress{Clean: true}, false},
		"of another version":                  {directory.RunPlanning, 3, runs.Progress{}, true},
		"approved, nothing sent":              {directory.RunApplying, 3, runs.Progress{Clean: true}, false},
		"the former slice died":               {directory.RunApplying, 3, runs.Progress{}, true},
		"before the guard again, partly sent": {directory.RunPlanning, 3, runs.Progress{}, true},
	} {
		a := newAddressAnswers(nil)
		r := &store.RunRecord{Chunks: test.chunks}
		r.ID, r.State = "run_1", test.state
		a.resume(r, &test.at)
		if a.unseen[r.ID] != test.unseen {
			t.Errorf("%s: unseen %t, want %t", name, a.unseen[r.ID], test.unseen)
		}
		test.at.Clean = !test.at.Clean
		if a.resume(r, &test.at); a.unseen[r.ID] != test.unseen {
			t.Errorf("%s: another answer when the slice comes to it again", name)
		}
	}
}

// TestLeavesClean: a slice says that it leaves nothing unseen of a run only when the
// slices before have left nothing either, and each of its own creations has come to a
// result, has not been looked at by Microsoft, or is noted as unknown.
func TestLeavesClean(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		unseen    map[directory.RunID]bool
		sent      directory.ChangeID
		was, want bool
	}{
		"nothing sent":                             {map[directory.RunID]bool{"run_1": false}, "", false, true},
		"nothing sent, a former slice died":        {map[directory.RunID]bool{"run_1": true}, "", true, false},
		"the run not come to, a former slice died": {nil, "", false, false},
		"the run not come to":                      {nil, "", true, true},
		"a creation without a result":              {map[directory.RunID]bool{"run_1": false}, "run_1.0.1", true, false},
		"a creation that is noted as unknown":      {map[directory.RunID]bool{"run_1": false}, "run_1.0.2", false, true},
	} {
		a := newAddressAnswers(outcomes{"run_1.0.2": {}})
		a.unseen = test.unseen
		if test.sent != "" {
			a.sent[test.sent] = true
		}
		if got := a.leavesClean("run_1", test.was); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
}

// TestRenameGivesAnAddress: that nobody has an address is forgotten when a rename that
// gives it is sent, and a creation of it is preceded by a direct read.
func TestRenameGivesAnAddress(t *testing.T) {
	t.Parallel()
	a := newAddressAnswers(outcomes{})
	a.noteAbsent("X@corp.example", time.Now())
	name := []directory.PropertyChange{{Name: directory.PropUserPrincipalName, After: directory.StringValue("x@corp.example")}}
	a.noteSent(&directory.Change{ID: "run_1.0.1", Effect: directory.EffectUpdate})
	if a.maySent("run_1", &directory.Change{ID: "run_1.0.2", Effect: directory.EffectCreate, Properties: name}) || len(a.absent) != 1 {
		t.Error("forgotten at another change")
	}
	a.noteSent(&directory.Change{ID: "run_1.0.1", Effect: directory.EffectRename, Properties: name})
	if !a.maySent("run_1", &directory.Change{ID: "run_1.0.2", Effect: directory.EffectCreate, Properties: name}) || len(a.absent) != 0 || len(a.sent) != 0 {
		t.Errorf("%+v", a)
	}
}
