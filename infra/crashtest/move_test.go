package crashtest

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestMoverKeepsAccess: whoever moves from one group to another keeps the account, also
// while the other group cannot be read: it is not blocked because of the first one, which
// can. Once it can be read, all is as if nothing had been.
func TestMoverKeepsAccess(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		snap, err := Prepare(t.Context(), Groups, dir)
		if err != nil {
			t.Fatal(err)
		}
		w, err := snap.Open(t.Context(), copied(t, dir), 2)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Sim.Close()
		before := len(w.Sim.Mutations(simTenant))
		until := time.Now().Add(20 * time.Minute)
		w.line.also = func(c Call) Mode {
			if c.Place == TableRead && strings.HasPrefix(c.What, "Query UM#") && strings.HasSuffix(c.What, string(w.groups["Research"])) && time.Now().Before(until) {
				return Lost
			}
			return ""
		}
		if err := moves(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		if err := w.until(t.Context(), func() (bool, error) { return time.Now().After(until.Add(30 * time.Minute)), nil }); err != nil {
			t.Fatal(err)
		}
		for _, m := range w.Sim.Mutations(simTenant)[before:] {
			if m.UPN == "mover@"+simDomain && m.After["accountEnabled"] == false {
				t.Errorf("%s: who moved was blocked", m.Time.Format(time.TimeOnly))
			}
		}
		g, _ := w.Sim.Group(simTenant, "Research")
		a, _ := w.Sim.Account(simTenant, "mover@"+simDomain)
		if in := g["members"].([]string); len(in) != 2 || a["accountEnabled"] != true {
			t.Errorf("Research has the members %v, the account of who moved is enabled: %v", in, a["accountEnabled"])
		}
	})
}
