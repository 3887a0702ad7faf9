package admin

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"bindery/shared/table/memory"
)

// What a page asks for costs calls of the table, and not the more of them the more users
// there are.
func TestCostsOfReading(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	run := "/v1/runs/" + string(w.heldRun())
	var users []string
	cost := func(method, path, body string) int64 {
		t.Helper()
		var calls atomic.Int64
		w.table.Before = func(context.Context, memory.Call) error {
			calls.Add(1)
			return nil
		}
		defer func() { w.table.Before = nil }()
		if a := w.do(method, path, body); a.status != 200 {
			t.Fatalf("%s %s = %d %s", method, path, a.status, a.raw)
		}
		return calls.Load()
	}
	grow := func(to int) {
		for len(users) < to {
			users = append(users, w.troubled(fmt.Sprintf("u%d", len(users)), "address-taken-by-group"))
		}
	}
	first := map[string]int64{}
	for _, size := range []int{10, 90} {
		grow(size)
		for path, most := range map[string]int64{
			"/v1/me":                         0,
			"/v1/jobs":                       1,
			"/v1/jobs?state=running":         1,
			run:                              1,
			run + "/counts?department=Works": 2, // the run, and its one chunk
			"/v1/users:count":                1,
			"/v1/users?id=" + strings.Join(users[:10], ","):                 1,
			"/v1/users?include=binding&id=" + strings.Join(users[:10], ","): 3, // the users, their bindings, the connection
			"/v1/names?id=" + strings.Join(users[:10], ","):                 1,
			"/v1/users/" + users[0] + "/bindings":                           3,
			"/v1/attention?urgency=decide":                                  5, // a page of connections with their leases, and of one its lease, its open runs and their records
			"/v1/attention":                                                 8, // its problems and the doctor's report besides, and the list of SCIM clients
		} {
			n := cost("GET", path, "")
			if n > most {
				t.Errorf("with %d users, GET %s makes %d calls of the table, want at most %d", size, path, n, most)
			}
			if was, seen := first[path]; seen && was != n {
				t.Errorf("GET %s makes %d calls with %d users, and %d with fewer", path, n, size, was)
			}
			first[path] = n
		}
	}
	// The run, whether four eyes are wanted, its one chunk, and the decision.
	if n := cost("POST", run+"/approve", `{"where":{"department":["Works"]}}`); n > 4 {
		t.Errorf("an approval by a filter makes %d calls of the table", n)
	}
}
