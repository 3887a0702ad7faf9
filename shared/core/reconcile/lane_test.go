package reconcile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// waiting is a transport on which some requests take a while.
type waiting struct {
	next http.RoundTripper
	took time.Duration
	is   func(r *http.Request, body []byte) bool
	open atomic.Bool  // requests take a while now
	met  atomic.Int32 // requests that did
}

func (s *waiting) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	if s.open.Load() && s.is(r, body) {
		s.met.Add(1)
		select {
		case <-time.After(s.took):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	return s.next.RoundTrip(r)
}

// reads counts the reads in a batch.
func reads(body []byte) int { return bytes.Count(body, []byte(`"method":"GET"`)) }

// TestLeaversDoNotWaitForReads: whatever reading is under way, and however long
// its requests take, a leaver is blocked within three seconds.
func TestLeaversDoNotWaitForReads(t *testing.T) {
	delta := func(r *http.Request, _ []byte) bool { return strings.HasSuffix(r.URL.Path, "/users/delta") }
	many := func(r *http.Request, body []byte) bool { return reads(body) > 10 }
	for name, test := range map[string]struct {
		is    func(r *http.Request, body []byte) bool
		took  time.Duration
		users int
		begin func(w *world, users []directory.User)
		least int32 // requests that are slow
	}{
		"pages of the first round": {delta, 4 * time.Second, 3, func(w *world, _ []directory.User) {
			w.emptyPages(35)
			w.settings(func(s *directory.Settings) { s.Attributes["city"] = directory.AttributeRule{Export: true} })
		}, 30},
		"pages of an admin's full run": {delta, 4 * time.Second, 3, func(w *world, _ []directory.User) {
			w.emptyPages(35)
			_, err := w.runs().Start(w.Context(), directory.Caller{}, &w.conn, runs.Request{Full: true})
			w.do(err)
		}, 30},
		"a page that takes longer than requests may": {delta, 55 * time.Second, 3, func(w *world, _ []directory.User) {
			w.settings(func(s *directory.Settings) { s.Attributes["city"] = directory.AttributeRule{Export: true} })
		}, 1},
		"pages without an end": {delta, 4 * time.Second, 3, func(w *world, _ []directory.User) {
			_, err := w.sim.SetFault(entratest.Fault{Kind: "page-loop-new", Path: "users/delta"})
			w.do(err)
			w.settings(func(s *directory.Settings) { s.Attributes["city"] = directory.AttributeRule{Export: true} })
		}, 8},
		"direct reads of a plan": {many, 4 * time.Second, 200, func(w *world, users []directory.User) {
			for _, u := range users[1:] {
				w.edit(u, func(u *directory.User) { u.JobTitle = "Other" })
			}
		}, 9},
		"direct reads of an undo": {many, 4 * time.Second, 200, func(w *world, users []directory.User) {
			for _, u := range users[1:] {
				w.edit(u, func(u *directory.User) { u.JobTitle = "Other" })
			}
			w.sync()
			r, _ := w.lastRun()
			_, err := w.runs().Undo(w.Context(), caller("admin"), &w.conn, r, runs.UndoRequest{})
			w.do(err)
		}, 9},
		"direct reads of an approved run": {many, 8 * time.Second, 500, func(w *world, users []directory.User) {
			w.settings(func(s *directory.Settings) {
				one := 1
				s.Guard = map[directory.Effect]directory.Limit{directory.EffectUpdateToEmpty: {Count: &one}}
			})
			for _, u := range users[1:] {
				w.edit(u, func(u *directory.User) { u.JobTitle = "" })
			}
			w.sync()
			for _, r := range w.allRuns() {
				if r.State == directory.RunHeld {
					_, err := w.runs().Approve(w.Context(), caller("boss"), r.ID, all)
					w.do(err)
				}
			}
		}, 24},
		"the question who has the addresses of a load": {many, 12 * time.Second, 3, func(w *world, _ []directory.User) {
			for i := range 90 {
				w.bind(w.user("new" + string(rune('a'+i/26)) + string(rune('a'+i%26))))
			}
		}, 1},
		"the question who changed accounts": {func(*http.Request, []byte) bool { return false }, 0, 20, func(w *world, users []directory.User) {
			w.engine.config.Attribution = func(ctx context.Context, _ *directory.Connection, _ directory.AccountID, _ []string, _ time.Time) (map[string]directory.Actor, error) {
				select {
				case <-time.After(4900 * time.Millisecond):
				case <-ctx.Done():
				}
				return nil, nil
			}
			time.Sleep(2 * Grace)
			for _, u := range users[1:] {
				w.patch(u.Email, map[string]any{"department": "Theirs"})
			}
			_, err := w.runs().Start(w.Context(), directory.Caller{}, &w.conn, runs.Request{})
			w.do(err)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.settings(func(s *directory.Settings) {
					s.Guard = map[directory.Effect]directory.Limit{}
				})
				slow := &waiting{next: w.port.rt, took: test.took, is: test.is}
				w.port.rt = slow
				users := w.people(test.users)
				time.Sleep(w.skew.Load())
				w.skew.Store(0)
				test.begin(w, users)
				slow.open.Store(true)
				ended := make(chan struct{})
				stop := atomic.Bool{}
				go func() {
					defer close(ended)
					for !stop.Load() {
						sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
						if err != nil {
							t.Error(err)
							return
						}
						if sum.Again < 0 {
							sum.Again = time.Second
						}
						time.Sleep(max(sum.Again, 100*time.Millisecond))
					}
				}()
				time.Sleep(6500 * time.Millisecond)
				began := time.Now()
				w.edit(users[0], func(u *directory.User) { u.State = directory.StateSuspended })
				for w.account(users[0].Email)["accountEnabled"] != false && time.Since(began) < 5*time.Minute {
					time.Sleep(50 * time.Millisecond)
				}
				if took := time.Since(began); took > 3*time.Second {
					t.Errorf("blocked after %s", took)
				}
				time.Sleep(4 * time.Minute)
				stop.Store(true)
				<-ended
				if slow.met.Load() < test.least {
					t.Errorf("%d requests were slow, so nothing is shown", slow.met.Load())
				}
				if b := w.binding(users[0]); b.Status != directory.BindingInSync || b.Dirty() {
					t.Errorf("the leaver's binding is %s: %+v", b.Status, b.Problem)
				}
			})
		})
	}
}

// emptyPages has the next round begin with so many pages without accounts.
func (w *world) emptyPages(n int) {
	w.Helper()
	_, err := w.sim.SetFault(entratest.Fault{Kind: "delta-empty-page", Times: n})
	w.do(err)
}

// TestNoQuestionOutlivesWhoAsked: what is awaited is called off when what is done
// meanwhile fails, and has ended before anybody goes on.
func TestNoQuestionOutlivesWhoAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost, ended := errors.New("the lease is lost"), false
		_, err := meanwhile(t.Context(), func(ctx context.Context) (int, error) {
			<-ctx.Done()
			time.Sleep(time.Minute) // a request that takes its time to give up
			ended = true
			return 0, ctx.Err()
		}, nil, func() error { return lost })
		if !errors.Is(err, lost) || !ended {
			t.Errorf("error %v; the question has ended: %t", err, ended)
		}
	})
}
