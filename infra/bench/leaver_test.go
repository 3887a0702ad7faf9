package bench

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

const (
	leavers      = 50
	leaverEvery  = 10 * time.Second
	leaversBegin = 20 * time.Second
)

// leaver measures how soon an account is blocked, its sessions ended, while a
// load of 20,000 accounts runs.
func leaver(t *testing.T, r *report) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoad(t, entratest.Quota{})
		asked := make([]time.Time, 2*leavers)
		l.cloud.wait.Go(func() {
			time.Sleep(leaversBegin)
			for n := range leavers {
				l.suspend(n, asked)
				time.Sleep(leaverEvery)
			}
			time.Sleep(time.Minute)
			var all sync.WaitGroup
			for n := range leavers {
				all.Go(func() { l.suspend(leavers+n, asked) })
			}
			all.Wait()
		})
		l.run()
		took := l.blocked(asked)
		sum := time.Duration(0)
		for _, d := range took[:leavers] {
			sum += d
		}
		r.add("leaver.latency_s", longest(took[:leavers]).Seconds(), "s", lower, fmt.Sprintf("the worst of 50 single suspensions during that load, from the call to block and end of sessions; the mean is %.2f s", sum.Seconds()/leavers))
		r.add("leaver.burst_s", longest(took[leavers:]).Seconds(), "s", lower, "50 suspensions at once during that load, the last one")
		r.add("leaver.load_ratio", leastTime(exported, tenantBucket, tenantRefill)/l.took.Seconds(), "ratio", higher, "what that load itself came to")
	})
}

func (l *load) suspend(n int, asked []time.Time) {
	asked[n] = time.Now()
	_, err := l.users.SetState(l.Context(), directory.Caller{Subject: "bench", Source: directory.SourceAD}, l.to.users[n], directory.StateSuspended, 0)
	if err != nil {
		l.Errorf("suspend: %v", err)
	}
}

// blocked finds how long each leaver's account stayed usable.
func (l *load) blocked(asked []time.Time) []time.Duration {
	l.Helper()
	took := make([]time.Duration, len(asked))
	steps := make([]int, len(asked))
	at := map[string]int{}
	for n := range asked {
		at[string(accountID(n))] = n
	}
	for _, m := range l.sim.Mutations(string(l.to.conn.Tenant.ID)) {
		n, leaves := at[m.TargetID]
		if !leaves || m.Kind != "revoke" && m.After["accountEnabled"] != false {
			continue
		}
		took[n] = m.Time.Sub(asked[n])
		steps[n]++
	}
	for n := range steps {
		if steps[n] < 2 {
			l.Errorf("leaver %d: block and end of sessions are %d changes, want 2", n, steps[n])
		}
	}
	return took
}

func longest(list []time.Duration) time.Duration {
	var worst time.Duration
	for _, d := range list {
		worst = max(worst, d)
	}
	return worst
}
