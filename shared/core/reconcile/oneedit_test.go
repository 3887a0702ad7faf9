package reconcile

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

// editWorld is a directory with a user who is in sync, and has been edited, long after
// any older version was at work.
func editWorld(t *testing.T) (*world, directory.User) {
	w := newWorld(t, existing("ann", map[string]any{"department": "Old"}))
	ann := w.user("ann", func(u *directory.User) { u.Department = "Old" })
	w.bind(ann)
	w.sync()
	w.skew.Add(2 * time.Hour)
	w.port.token = signIn(t, w.sim)
	w.sync()
	w.edit(ann, func(u *directory.User) { u.Department = "New" })
	return w, ann
}

// edited does what follows an edit: the slice of its wake-up, which names the user, and
// what the schedule wakes, until nothing is left. It reports whether a slice has died.
func (w *world) edited(u directory.User, k *trouble) (died bool) {
	w.Helper()
	wake := directory.WakeUp{ConnectionID: w.conn.ID, UserID: u.ID}
	for range 20 {
		sum, err := w.engine.Slice(w.Context(), wake, time.Time{})
		if k.dead() {
			return true
		}
		wake.UserID = ""
		if err == nil && sum.Again < 0 {
			return false
		}
		w.skew.Add(max(0, sum.Again) + LeaseTTL)
	}
	w.Fatal("the edit does not come to its end")
	return false
}

// verifyEdit holds that an edit came to the tenant once, and that nothing is left of it.
func (w *world) verifyEdit(u directory.User, what string) {
	w.Helper()
	n := 0
	for _, m := range w.sim.Mutations(simTenant) {
		if m.Kind == "update" && m.After["department"] == "New" {
			n++
		}
	}
	if a := w.account("ann@" + simDomain); n != 1 || a["department"] != "New" {
		w.Errorf("%s: the edit took effect %d times, the account has %v", what, n, a["department"])
	}
	if b := w.binding(u); b.Dirty() || b.Status != directory.BindingInSync {
		w.Errorf("%s: the binding is %s, applied %d of %d", what, b.Status, b.Applied, b.Wanted)
	}
	list, _, err := w.store.Runs.ListRuns(w.Context(), w.conn.ID, "", 100)
	w.do(err)
	applied := 0
	for _, r := range list {
		if r.State != directory.RunDone {
			w.Errorf("%s: run %s is %s", what, r.ID, r.State)
		}
		changes, _, err := w.store.Runs.Changes(w.Context(), &r, "", 100)
		w.do(err)
		for _, c := range changes {
			if c.State == directory.ChangeApplied && c.Effect == directory.EffectUpdate && len(c.Properties) > 0 && fmt.Sprint(plain(c.Properties[0].After)) == "New" {
				applied++
			}
		}
	}
	if applied != 1 {
		w.Errorf("%s: the journal tells of the edit %d times", what, applied)
	}
	open, err := w.store.Runs.OpenRuns(w.Context(), w.conn.ID)
	if w.do(err); len(open) > 0 {
		w.Errorf("%s: open runs %v", what, open)
	}
	l, _, err := w.store.Leases.PeekLease(w.Context(), w.conn.ID)
	if w.do(err); l.Run != "" || !l.Until.IsZero() {
		w.Errorf("%s: the lease has run %q, and is held until %v", what, l.Run, l.Until)
	}
}

// TestCrashOfOneEdit lets every trouble befall each call of an edit whose run stands on
// the lease, and demands the same end every time.
func TestCrashOfOneEdit(t *testing.T) {
	w, ann := editWorld(t)
	count := &trouble{}
	count.install(w)
	w.edited(ann, count)
	count.remove(w)
	w.verifyEdit(ann, "without trouble")
	if count.n < 10 || t.Failed() {
		t.Fatalf("an edit has %d calls to the outside", count.n)
	}
	begun := 0 // slices that died while the run stood on the lease
	for _, kind := range []string{killBefore, killAfter, failBefore, failAfter, throttle} {
		for at := 1; at <= count.n; at++ {
			w, ann := editWorld(t)
			k := &trouble{at: at, kind: kind}
			k.install(w)
			died := w.edited(ann, k)
			k.remove(w)
			if died {
				l, _, err := w.store.Leases.PeekLease(t.Context(), w.conn.ID)
				if w.do(err); l.Run != "" {
					begun++
				}
				w.skew.Add(LeaseTTL + time.Second)
				w.engine = New(Config{Stores: StoresOf(store.New(w.table, store.Options{Now: w.now})), Now: w.now, SecondLook: -1, Open: w.engine.config.Open, Send: w.engine.config.Send,
					PasswordKey: w.engine.config.PasswordKey, flow: w.engine.config.flow})
			}
			w.edited(directory.User{}, &trouble{})
			w.skew.Add(3 * Grace)
			w.edited(directory.User{}, &trouble{})
			w.verifyEdit(ann, fmt.Sprintf("%s call %d of %d", kind, at, count.n))
		}
	}
	if begun < 4 {
		t.Errorf("%d slices died while the run stood on the lease", begun)
	}
}

// TestEditReleasesWithItsRun: the lease is given back in the transaction that ends the
// run of a named user, and stays where a wake-up has come meanwhile.
func TestEditReleasesWithItsRun(t *testing.T) {
	for _, wanted := range []bool{false, true} {
		w, ann := editWorld(t)
		w.bind(w.user("bob"))
		if wanted {
			w.port.rt = &meanwhileWoken{RoundTripper: w.port.rt, wake: func() {
				if sum, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{}); err != nil || sum.Skipped == "" {
					t.Errorf("a slice beside the other one: %+v, %v", sum, err)
				}
			}}
		}
		w.edited(ann, &trouble{})
		w.verifyEdit(ann, fmt.Sprintf("wanted %v", wanted))
		if _, there := w.sim.Account(simTenant, "bob@"+simDomain); there != wanted {
			t.Errorf("bob has an account: %v, want %v", there, wanted)
		}
	}
}

// meanwhileWoken has a wake-up come while a write is under way.
type meanwhileWoken struct {
	http.RoundTripper
	mu   sync.Mutex // of wake, for requests beside each other
	wake func()
}

func (m *meanwhileWoken) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(raw))
		if bytes.Contains(raw, []byte("PATCH")) {
			m.mu.Lock()
			wake := m.wake
			m.wake = nil
			m.mu.Unlock()
			if wake != nil {
				wake()
			}
		}
	}
	return m.RoundTripper.RoundTrip(r)
}

// keysOf are the keys that a call reads or writes.
func keysOf(c memory.Call) []table.Key {
	keys := slices.Clone(c.Keys)
	for _, w := range c.Writes {
		switch {
		case w.Put != nil:
			keys = append(keys, w.Put.Key)
		case w.Update != nil:
			keys = append(keys, w.Update.Key)
		}
	}
	return keys
}

// calls notes what a slice does: calls of the table, and requests.
type calls struct {
	http.RoundTripper
	mu    sync.Mutex // of what follows, for calls beside each other
	last  string     // "plan", "renewal" or what else it was
	count map[string]int
}

func (c *calls) before(_ context.Context, call memory.Call) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = fmt.Sprint(call.Method, " ", keysOf(call))
	for _, w := range call.Writes {
		switch {
		case w.Update == nil || w.Update.SetNumbers["leaseUntil"] == 0:
		case begins(call):
			c.last = "plan"
		default:
			c.last = "renewal"
		}
	}
	return nil
}

func (c *calls) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	last := c.last
	c.last = r.Method + " " + r.URL.Path
	c.mu.Unlock()
	if r.Method == http.MethodPost {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(raw))
		if bytes.Contains(raw, []byte("PATCH")) {
			c.mu.Lock()
			c.count[last]++
			c.mu.Unlock()
		}
	}
	return c.RoundTripper.RoundTrip(r)
}

// TestNothingBetweenRenewalAndSending: what comes right before a write is the renewal of
// the lease, with the plan where nothing has to be asked in between, else by itself.
func TestNothingBetweenRenewalAndSending(t *testing.T) {
	w, ann := editWorld(t)
	c := &calls{RoundTripper: w.port.rt, count: map[string]int{}}
	w.port.rt, w.table.Before = c, c.before
	const edits = 12 // the portion of the app's quota is used up in between
	for n := range edits {
		w.edited(ann, &trouble{})
		ann = w.edit(ann, func(u *directory.User) { u.Department = fmt.Sprint("New ", n) })
	}
	if c.count["plan"]+c.count["renewal"] != edits || c.count["plan"] == 0 || c.count["renewal"] == 0 {
		t.Errorf("before the writes came %v", c.count)
	}
}

// TestDeactivatedBeforeSending: the connection is deactivated after its run was begun and
// before it is sent, at each of the calls in between: nothing is sent.
func TestDeactivatedBeforeSending(t *testing.T) {
	w, ann := editWorld(t)
	begun, asked := false, 0
	w.table.After = func(_ context.Context, c memory.Call) error {
		begun = begun || begins(c)
		return nil
	}
	w.table.Before = func(ctx context.Context, c memory.Call) error {
		if !begun || asked > 0 {
			return nil
		}
		asked++
		if got := w.account("ann@" + simDomain)["department"]; got != "Old" {
			t.Fatalf("no call between the plan and the sending; this is %s %v", c.Method, keysOf(c))
		}
		_, _, err := w.store.Connections.DeactivateConnection(ctx, directory.AuditEvent{}, w.conn.ID)
		return err
	}
	if _, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID, UserID: ann.ID}, time.Time{}); err != nil {
		t.Error(err)
	}
	w.table.Before, w.table.After = nil, nil
	if got := w.account("ann@" + simDomain)["department"]; got != "Old" || asked == 0 {
		t.Errorf("sent after the deactivation was done: %v", got)
	}
}

// TestOldRenewalDoesNotCount: a renewal that came with the plan is none for what is sent
// when a call has been made since, or time has passed.
func TestOldRenewalDoesNotCount(t *testing.T) {
	at := time.Now()
	r := renewal{at.UnixNano(), 7}
	for _, test := range []struct {
		what  string
		r     renewal
		now   time.Time
		calls int64
		want  bool
	}{
		{"at once", r, at, 7, true},
		{"a moment later", r, at.Add(justRenewed - time.Millisecond), 7, true},
		{"later", r, at.Add(justRenewed), 7, false},
		{"after a call", r, at, 8, false},
		{"before it", r, at.Add(-time.Second), 7, false},
		{"never", renewal{}, at, 0, false},
	} {
		if got := test.r.justBefore(test.now, test.calls); got != test.want {
			t.Errorf("%s: %v, want %v", test.what, got, test.want)
		}
	}
}

// TestGivenBackOnce: the lease was given back with the end of the run, and what follows
// fails. It is not given back again, over the run that an admin has asked for meanwhile.
func TestGivenBackOnce(t *testing.T) {
	w, ann := editWorld(t)
	var made store.RunRecord
	w.send = func() error {
		l, _, err := w.store.Leases.PeekLease(t.Context(), w.conn.ID)
		w.do(err)
		if made.ID != "" || !l.Until.IsZero() {
			return nil
		}
		made = w.asked()
		return table.ErrBusy
	}
	sum, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID, UserID: ann.ID}, time.Time{})
	if err != nil || made.ID == "" || sum.Again != 30*time.Second {
		t.Fatalf("the slice ends with %v, again in %v; asked for %q", err, sum.Again, made.ID)
	}
	w.send = nil
	w.wantFound(&made)
}

// TestGivenBackUnheard: the lease was given back with the end of the run, and the answer
// was lost. Nothing is written under it, and an admin's run is found.
func TestGivenBackUnheard(t *testing.T) {
	w, ann := editWorld(t)
	var made store.RunRecord
	w.table.After = func(_ context.Context, c memory.Call) error {
		for _, x := range c.Writes {
			if x.Update != nil && slices.Contains(x.Update.RemoveStrings, "openRun") && made.ID == "" {
				made.ID = "being asked for"
				made = w.asked()
				return context.DeadlineExceeded
			}
		}
		return nil
	}
	if _, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID, UserID: ann.ID}, time.Time{}); err != nil || made.ID == "" {
		t.Fatalf("the slice ends with %v; asked for %q", err, made.ID)
	}
	w.table.After = nil
	w.wantFound(&made)
}

// asked is a run that an admin has just asked for.
func (w *world) asked() store.RunRecord {
	w.Helper()
	r := runs.NewRecord(w.conn.ID, w.conn.Epoch, w.now())
	r.Trigger = directory.TriggerAdmin
	w.do(w.store.Runs.CreateRun(w.Context(), directory.AuditEvent{}, &r))
	return r
}

// wantFound demands that a run is not taken for none, and that the next slice does it.
func (w *world) wantFound(r *store.RunRecord) {
	w.Helper()
	l, _, err := w.store.Leases.PeekLease(w.Context(), w.conn.ID)
	if w.do(err); l.NoneOpen() {
		w.Errorf("the lease says that no run was open at %v; there is %s", l.NoneOpenAt, r.ID)
	}
	w.edited(directory.User{}, &trouble{})
	if done, err := w.store.Runs.Run(w.Context(), r.ID); err != nil || !done.State.Ended() {
		w.Errorf("the run that was asked for is %s, %v", done.State, err)
	}
}

// TestCancelledOnTheLease: a run that an admin has cancelled, and whose holder is dead, is
// no open work, and is taken off the lease by the next slice.
func TestCancelledOnTheLease(t *testing.T) {
	w, ann := editWorld(t)
	r, err := w.store.Runs.Run(t.Context(), w.dieBegun(ann, false))
	w.do(err)
	r.State, r.EndedAt = directory.RunCancelled, w.now()
	w.do(w.store.Runs.DecideRun(t.Context(), directory.AuditEvent{}, &r))
	work, err := w.store.Schedule.OpenWork(t.Context(), &w.conn, w.now())
	if w.do(err); work.Runs != 0 {
		t.Errorf("%d runs are open; the only one was cancelled", work.Runs)
	}
	w.settle()
	l, _, err := w.store.Leases.PeekLease(t.Context(), w.conn.ID)
	if w.do(err); l.Run != "" {
		t.Errorf("the lease still has %s", l.Run)
	}
}

// TestEditNotesSettledVersion: a run that ends well notes with which version of the
// settings all marks have been planned, also where it ends with the lease.
func TestEditNotesSettledVersion(t *testing.T) {
	w, ann := editWorld(t)
	var err error
	w.conn, err = w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Name = "Corp, renamed" // nothing that is planned with
		return nil
	})
	w.do(err)
	released := false
	w.table.After = func(_ context.Context, c memory.Call) error {
		for _, x := range c.Writes {
			released = released || x.Update != nil && slices.Contains(x.Update.RemoveStrings, "openRun") && slices.Contains(x.Update.RemoveStrings, "holder")
		}
		return nil
	}
	_, err = w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID, UserID: ann.ID}, time.Time{})
	w.do(err)
	l, c, err := w.store.Leases.PeekLease(t.Context(), w.conn.ID)
	if w.do(err); !released || l.SettledVersion != c.Version {
		t.Errorf("given back with the run: %v; settled at version %d, the run that has ended was planned at %d", released, l.SettledVersion, c.Version)
	}
}
