package groups_test

import (
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

// TestUnheardAddition: who was added to a group by a request of which nobody heard leaves
// it with the end of the membership, whatever befell the record, and the worker, meanwhile.
func TestUnheardAddition(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(w *world, ref directory.Ref){
		"released": func(*world, directory.Ref) {},
		"edited":   func(w *world, ref directory.Ref) { w.mark(ref); w.sync(); w.calm(); w.sync() },
		"cancelled": func(w *world, _ directory.Ref) {
			for _, r := range w.allRuns() {
				if !r.State.Ended() {
					_, err := w.runs().Cancel(w.Context(), directory.Caller{Subject: "boss"}, r.ID)
					w.must(err)
				}
			}
		},
		"another worker": func(w *world, _ directory.Ref) { w.renew(); w.wait(time.Minute) },
	} {
		for _, new := range []string{"", ", an account just made"} {
			t.Run(name+new, func(t *testing.T) {
				t.Parallel()
				w, users := bound(t, 2)
				sales := w.export("Sales")
				w.sync()
				w.calm()
				lost := false
				w.rt = &meddler{rt: w.rt, lose: func(body string) bool {
					now := strings.Contains(body, "members@odata.bind") || strings.Contains(body, "/members/$ref")
					lost = lost || now
					return now
				}}
				var ref directory.Ref
				if new == "" {
					ref = w.add(sales, users[0])[0]
				} else {
					u := w.user("new")
					w.bind(u)
					ref = w.add(sales, u)[0]
				}
				for range 20 {
					_, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
					if lost {
						break
					}
					w.must(err)
					w.wait(time.Second)
				}
				if !lost {
					t.Fatal("no addition was sent")
				}
				w.rt = w.sim.Transport()
				meanwhile(w, ref)
				w.release(directory.ReleaseRemove, ref)
				w.wait(time.Minute)
				w.sync()
				w.calm()
				w.sync()
				if in := w.members(w.record(directory.GroupRef(sales)).AccountID); len(in) != 0 || !w.record(ref).Object.IsZero() {
					t.Errorf("in the group are %v, the record is %+v", in, w.record(ref))
				}
			})
		}
	}
}

// TestUnheardCreation: a group that was made by a request of which nobody heard is deleted
// with its export, when that is to be so, and stays otherwise.
func TestUnheardCreation(t *testing.T) {
	t.Parallel()
	for policy, left := range map[directory.ReleasePolicy]bool{directory.ReleaseDelete: false, directory.ReleaseKeep: true} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			sales := w.export("Sales")
			lost := false
			w.rt = &meddler{rt: w.rt, lose: func(body string) bool {
				now := strings.Contains(body, directory.UniqueNameOf(w.conn.ID, string(sales))) && strings.Contains(body, "PATCH")
				lost = lost || now
				return lost
			}}
			for range 5 {
				_, _ = w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
				if lost {
					break
				}
				w.wait(time.Second)
			}
			if !lost {
				t.Fatal("no creation was sent")
			}
			w.rt = w.sim.Transport()
			w.mu.Lock()
			delete(w.exports, sales)
			w.mu.Unlock()
			w.release(policy, directory.GroupRef(sales))
			w.wait(time.Minute)
			w.sync()
			w.calm()
			w.sync()
			if _, is := w.sim.Group(simTenant, "Sales"); is != left || !w.record(directory.GroupRef(sales)).Object.IsZero() {
				t.Errorf("the group is there: %v, the record is %+v", is, w.record(directory.GroupRef(sales)))
			}
		})
	}
}
