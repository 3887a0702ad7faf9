package reconcile

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
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
	wake func()
}

func (m *meanwhileWoken) RoundTrip(r *http.Request) (*http.Response, error) {
	if wake := m.wake; r.Method == http.MethodPost && wake != nil {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(raw))
		if bytes.Contains(raw, []byte("PATCH")) {
			m.wake = nil
			wake()
		}
	}
	return m.RoundTripper.RoundTrip(r)
}
