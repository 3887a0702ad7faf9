package reconcile

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bindery/shared/directory"
)

// TestEightWorkers lets eight processes work on one connection at once, woken
// again and again and each time twice, while users are edited: each change
// takes effect once, and one worker at a time sends.
func TestEightWorkers(t *testing.T) {
	w := newWorld(t)
	w.table.Latency = 50 * time.Microsecond
	sending := &exclusive{open: map[int]int{}}
	var users []directory.User
	for i := range 60 {
		users = append(users, w.user(fmt.Sprintf("user%02d", i)))
	}
	for i := 0; i < len(users); i += 10 {
		w.bind(users[i : i+10]...)
	}
	wakes := make(chan struct{}, 64)
	for range 16 {
		wakes <- struct{}{}
	}
	var idle atomic.Int32
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			port := *w.port
			port.rt = roundTrip(func(r *http.Request) (*http.Response, error) { return sending.send(worker, w.port.rt, r) })
			e := New(Config{Stores: StoresOf(w.store), Now: w.now, SecondLook: -1,
				Open: func(context.Context, *directory.Connection) (Tenant, error) { return &port, nil },
				Send: func(context.Context, directory.WakeUp, time.Duration) error {
					for range 2 { // every message comes twice, as long as there is room
						select {
						case wakes <- struct{}{}:
						default:
						}
					}
					return nil
				}})
			for idle.Load() < 100 {
				select {
				case <-wakes:
				default:
					time.Sleep(time.Millisecond)
				}
				idle.Add(1) // every worker ends, however many wake-ups there are
				if _, err := e.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 20 {
		w.edit(users[i], func(u *directory.User) { u.Department = "Moved" })
		time.Sleep(2 * time.Millisecond)
	}
	workers.Wait()
	w.sync()
	created := map[string]int{}
	for _, m := range w.sim.Mutations(simTenant) {
		if m.Kind == "create" {
			created[m.UPN]++
		}
	}
	for i, u := range users {
		want := any(nil)
		if i < 20 {
			want = "Moved"
		}
		if a := w.account(u.Email); a["department"] != want || created[u.Email] != 1 {
			t.Errorf("%s: department %v, created %d times", u.Email, a["department"], created[u.Email])
		}
		if b := w.binding(u); b.Status != directory.BindingInSync {
			t.Errorf("%s is %s: %+v", u.Email, b.Status, b.Problem)
		}
	}
	if sending.most != 1 {
		t.Errorf("%d workers had requests that write under way at once", sending.most)
	}
}
