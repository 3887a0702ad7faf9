package people

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"bindery/shared/core/assign/assigntest"
	"bindery/shared/core/jobs"
	"bindery/shared/directory"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

// TestJobCrashes makes every single call of the table fail once, before and
// after it took effect, and expects the same end.
func TestJobCrashes(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, method := range []string{"Write", "Get", "GetMany"} {
			for n := 1; n <= 14; n++ {
				t.Run(fmt.Sprintf("%s/%t/%d", method, after, n), func(t *testing.T) {
					crash(t, method, n, after)
				})
			}
		}
	}
}

func crash(t *testing.T, method string, n int, after bool) {
	w := newWorld(t)
	ctx := t.Context()
	for i := range 70 {
		w.tenant.Accounts = append(w.tenant.Accounts, assigntest.Account(fmt.Sprintf("a%02d", i), fmt.Sprintf("a%02d@corp.example", i)))
	}
	j, err := w.StartImport(ctx, admin, w.conn.ID, ImportRequest{All: true, Bind: true})
	w.must(err)
	var mu sync.Mutex
	calls, hit := 0, false
	hook := func(_ context.Context, c memory.Call) error {
		mu.Lock()
		defer mu.Unlock()
		if c.Method != method {
			return nil
		}
		if calls++; calls == n {
			hit = true
			return fmt.Errorf("power cut: %w", table.ErrBusy)
		}
		return nil
	}
	if after {
		w.table.After = hook
	} else {
		w.table.Before = hook
	}
	for range 30 {
		again, delay, err := w.runner.Work(ctx, j.ID, w.Now().Add(1e11))
		if err != nil {
			again, delay = true, 1e9 // the queue delivers the message again
		}
		w.Advance(delay + jobs.LeaseTime)
		if !again {
			if rec, _ := w.store.Jobs.Job(ctx, j.ID); rec.State == directory.JobDone {
				break
			}
		}
	}
	w.table.Before, w.table.After = nil, nil
	rec, err := w.store.Jobs.Job(ctx, j.ID)
	w.must(err)
	bound, err := w.store.Counters.BoundCount(ctx, w.conn.ID, 1)
	w.must(err)
	users := w.all()
	if rec.State != directory.JobDone || len(users) != 70 || bound != 70 || rec.RefusedCount != 0 || rec.Done != 70 {
		t.Errorf("after a failing call (hit %t): %s, done %d, %d users, %d bound, refused %v (%v)", hit, rec.State, rec.Done, len(users), bound, w.refusals(j.ID), rec.Error)
	}
}
