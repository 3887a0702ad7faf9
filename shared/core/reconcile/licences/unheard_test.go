package licences

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// unheard is a way to Microsoft on which the answer to the first call about licences is
// lost, and after which so many reads of licences are answered as before it. There is one
// account.
type unheard struct {
	rt    http.RoundTripper
	lost  bool
	stale int
	read  []byte // the last answer to a read
}

func (l *unheard) RoundTrip(r *http.Request) (*http.Response, error) {
	var asked []byte
	if r.Body != nil {
		var err error
		if asked, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(asked))
	}
	what := r.Method + r.URL.String() + string(asked)
	resp, err := l.rt.RoundTrip(r)
	switch {
	case err != nil:
		return nil, err
	case bytes.Contains([]byte(what), []byte("/assignLicense")):
		if !l.lost {
			l.lost = true
			resp.Body.Close()
			return nil, context.DeadlineExceeded
		}
	case bytes.Contains([]byte(what), []byte("licenseAssignmentStates")):
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		if l.lost && l.stale > 0 {
			l.stale--
			answer = l.read
		}
		l.read = answer
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(answer)), int64(len(answer))
	}
	return resp, nil
}

// loses has the answer to the next call about licences be lost.
func (w *world) loses(stale int) *unheard {
	l := &unheard{rt: w.line.rt, stale: stale}
	w.line.rt = l
	w.Cleanup(func() {
		if !l.lost || l.stale > 0 {
			w.Errorf("lost is %v, %d reads were to be old still", l.lost, l.stale)
		}
	})
	return l
}

// TestSwapUnheard: a swap of which nobody heard is ours, also when what is read soon
// after it is older, and is taken when nobody wants it any more.
func TestSwapUnheard(t *testing.T) {
	t.Parallel()
	for name, stale := range map[string]int{"read as it is": 0, "read older": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ann := w.people("ann")[0]
			w.license(ann, w.rule(partE3))
			w.sync()
			w.pass(time.Hour)
			w.license(ann, w.rule(partE5))
			w.loses(stale)
			w.story(nil)
			w.pass(3 * reconcile.Grace)
			w.story(nil)
			w.wants(ann, partE5)
			if run, changes := w.lastRun(); len(changes) != 1 || changes[0].State != directory.ChangeApplied || run.Failed != 0 {
				t.Errorf("the run is %+v, its changes %+v", run, changes)
			}
			w.license(ann)
			w.story(nil)
			if got := w.has(ann); got != "" {
				t.Errorf("has %q when nobody wants it any more", got)
			}
		})
	}
}

// TestAddUnheard: what may have been given, of which nobody heard, is ours when it is
// there, whatever is wanted by the time that the account is looked at again; and what was
// never given is not.
func TestAddUnheard(t *testing.T) {
	t.Parallel()
	for name, wanted := range map[string]bool{"wanted still": true, "not wanted any more": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ann := w.people("ann")[0]
			w.license(ann, w.rule(partE3))
			w.loses(0)
			_, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
			w.do(err)
			if got := w.has(ann); got != partE3 {
				t.Fatalf("has %q", got)
			}
			if wanted {
				w.license(ann, w.rule(partE3)) // looked at again, nothing else
				w.pass(time.Minute)
				w.story(nil)
				w.wants(ann, partE3)
				if b := w.record(ann); len(given(&b)) != 1 {
					t.Errorf("the record says %v", b.Base)
				}
			}
			w.license(ann)
			w.pass(time.Minute)
			w.story(nil)
			if got := w.has(ann); got != "" {
				t.Errorf("has %q when nobody wants it any more", got)
			}
		})
	}
}

// TestSeatNeverGiven: a product whose call was refused is not ours when somebody else
// gives it.
func TestSeatNeverGiven(t *testing.T) {
	t.Parallel()
	none := 0
	w := newWorld(t, func(s *directory.Settings) {
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectLicenceAdd: {Count: &none}}
	})
	users := w.people("ann", "bob")
	w.license(users[0], w.rule(partVisio))
	w.sync()
	run, _ := w.lastRun()
	seat := entratest.LicenceRequest{Add: []entratest.LicenceWish{{SKUID: skuVisio}}}
	w.do(w.sim.AssignLicences(simTenant, "admin@"+simDomain, users[1].Email, seat))
	w.approve(run.ID)
	w.pass(looksForSeat)
	w.sync()
	w.wants(users[0], "", directory.CodeWaitingForSeat)
	w.do(w.sim.AssignLicences(simTenant, "admin@"+simDomain, users[1].Email, entratest.LicenceRequest{Remove: []string{skuVisio}}))
	w.do(w.sim.AssignLicences(simTenant, "admin@"+simDomain, users[0].Email, seat))
	w.license(users[0])
	w.pass(time.Hour)
	w.sync()
	if got := w.has(users[0]); got != partVisio {
		t.Errorf("has %q, others gave it", got)
	}
}
