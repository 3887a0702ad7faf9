package reconcile

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

// TestNextLeavesBeforeTheLastIsJournalled: while results are journalled the next
// flight is on its way, and no more than one flight is behind.
func TestNextLeavesBeforeTheLastIsJournalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.flow(2, 2)
		a := w.airport()
		var mu sync.Mutex
		inFlight, journals, beside, sent, journalled, behind := 0, 0, 0, 0, 0, 0
		a.before = func(_ int, writes []directory.Write) error {
			mu.Lock()
			inFlight++
			sent += len(writes)
			behind = max(behind, sent-journalled)
			mu.Unlock()
			time.Sleep(80 * time.Millisecond)
			mu.Lock()
			inFlight--
			mu.Unlock()
			return nil
		}
		users := w.load(24)
		w.table.After = func(_ context.Context, c memory.Call) error {
			time.Sleep(time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			isResults := func(k table.Key) bool {
				return strings.HasPrefix(k.Partition, "R#") && strings.Count(k.Sort, "#") == 2
			}
			if c.Method == "Write" && slices.ContainsFunc(c.Keys, isResults) {
				journals++
				for _, k := range c.Keys {
					if k.Sort == "binding" {
						journalled++
					}
				}
				if inFlight > 0 {
					beside++
				}
			}
			return nil
		}
		w.slice()
		w.table.After = nil
		w.createdOnce(users)
		w.wantInSync(users)
		if journals < 6 || beside < journals-2 {
			t.Errorf("%d of %d journals were written beside the next flight", beside, journals)
		}
		if behind > 8 {
			t.Errorf("%d changes were sent and not journalled, want the 8 of two flights at most", behind)
		}
	})
}

// refusing is a tenant that refuses the connection as a whole, for one change of its
// first request.
type refusing struct {
	*airport
	problem directory.Problem
}

func (r *refusing) Write(ctx context.Context, writes []directory.Write) ([]directory.Outcome, error) {
	outs, err := r.airport.Write(ctx, writes[:len(writes)-1])
	if err != nil {
		return nil, err
	}
	return append(outs, directory.Outcome{Status: http.StatusUnauthorized, Problem: &r.problem}), nil
}

// TestNothingFollowsARefusalOfTheConnection: nothing is sent any more, although the
// next flight was ready.
func TestNothingFollowsARefusalOfTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.flow(1, 2)
		tenant := &refusing{w.airport(), directory.Problem{Code: directory.CodeSignInExpired, Kind: directory.ProblemAuthorization, Message: "The sign-in is over."}}
		tenant.before = func(int, []directory.Write) error { time.Sleep(80 * time.Millisecond); return nil }
		w.engine.config.Open = func(context.Context, *directory.Connection) (Tenant, error) { return tenant, nil }
		w.load(8)
		w.slice()
		if tenant.n != 1 {
			t.Errorf("%d requests, want one", tenant.n)
		}
		run, _ := w.lastRun()
		applied := w.states(run.ID)[directory.ChangeApplied]
		if applied != 1 {
			t.Errorf("%d changes are journalled as applied, want the one that was", applied)
		}
	})
}
