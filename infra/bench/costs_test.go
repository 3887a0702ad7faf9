package bench

import (
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// TestCosts holds what the smallest pieces of work cost of the table and of Graph, to
// the unit: what costs more by accident is seen here, not in a bill. Whoever makes one
// cheaper writes the new number down.
func TestCosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, entratest.Quota{}, 40)
		defer w.cloud.stop()
		s := w.sites[0]
		w.meter.units = true
		w.wakeUp(s)
		// The connection is no new one any more, the roles have been read, and a part of
		// the app's quota is taken.
		time.Sleep(2 * time.Hour)
		w.wakeUp(s)
		w.cloud.rest()
		time.Sleep(time.Duration(directory.DefaultInterval))

		type cost struct {
			reads, writes   float64
			calls, requests int
		}
		check := func(what string, want cost, do func()) {
			t.Helper()
			u := w.measured(do)
			got := cost{u.ReadUnits, u.WriteUnits, u.Calls, u.Requests}
			if want.calls == 0 {
				got.calls = 0
			}
			if got != want {
				t.Errorf("%s costs %+v, want %+v", what, got, want)
			}
		}
		check("a run with nothing to do", cost{reads: 3.5, writes: 1, calls: 7, requests: 1}, func() { w.wakeUp(s) })

		w.edit(s, 1, `{"jobTitle":"Warm"}`)
		w.cloud.rest()
		time.Sleep(time.Minute)
		// The look asks whose the accounts are that it shows, since the connection gives licences.
		check("one edit, with the look after it", cost{reads: 5, writes: 35, calls: 10, requests: 3}, func() { w.edit(s, 2, `{"jobTitle":"Hot"}`) })
		check("an edit that changes nothing", cost{reads: 1, calls: 1}, func() {
			_, err := w.users.Patch(t.Context(), directory.Caller{Subject: "bench", Source: directory.SourceAD}, s.users[2], []byte(`{"jobTitle":"Hot"}`), 0)
			w.do(err)
		})
		check("a wake-up that comes twice", cost{reads: 2.5, writes: 2, calls: 5}, func() { w.do(w.cloud.WakeEdited(t.Context(), s.conn.ID, s.users[2])) })

		time.Sleep(time.Minute)
		// In how many lanes the marks lie, and so the number of calls, is chance.
		check("a run of three edits that were marked together", cost{reads: 32.5, writes: 39, requests: 3}, func() {
			for _, id := range s.users[3:6] {
				old, err := w.raw.Users.User(t.Context(), id)
				w.do(err)
				next := old
				next.JobTitle = "Together"
				_, err = w.raw.Users.UpdateUser(t.Context(), directory.AuditEvent{}, &old, &next)
				w.do(err)
			}
			w.wakeUp(s)
		})
	})
}
