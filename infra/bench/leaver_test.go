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

// Loads in a tenant that counts a window: the first one shows that it does, the second
// one is as much as the window allows, the third one is more.
const (
	firstInWindow  = 3_500
	secondInWindow = 3_000
	thirdInWindow  = 3_200
	windowLeavers  = 5 // after the second, and as many while the third waits
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

// window measures the same right after a load in a tenant that counts a window.
func window(t *testing.T, r *report) {
	synctest.Test(t, func(t *testing.T) { leaverInWindow(t, r) })
}

func leaverInWindow(t *testing.T, r *report) {
	l := &load{world: newWorld(t, entratest.Quota{AppTenantWrites: entratest.Rate{Window: true}}, oldHands)}
	defer l.cloud.stop()
	l.to = l.sites[0]
	l.settle(l.to)
	l.cloud.tick()
	loaded := func() bool { return l.loaded(l.to) }
	bring := func(n int, until func() bool) (took time.Duration, throttled int) {
		time.Sleep(time.Hour)
		newcomers(t, l.raw, l.to, n)
		before := l.ledger.read()
		l.wakeUp(l.to)
		took = l.until("loaded", time.Hour, 20*time.Millisecond, until)
		return took, l.ledger.read().minus(before).Throttled
	}
	asked := make([]time.Time, 2*windowLeavers)
	suspend := func(list []time.Time, from int) {
		for n := range list {
			l.suspend(from+n, asked)
			time.Sleep(leaverEvery)
		}
	}
	learned, refused := bring(firstInWindow, loaded)
	took, throttled := bring(secondInWindow, loaded)
	suspend(asked[:windowLeavers], 0)
	begun := l.ledger.read().Changes
	bring(thirdInWindow, func() bool { return l.ledger.read().Changes-begun >= tenantBucket*9/10 })
	suspend(asked[windowLeavers:], windowLeavers)
	l.until("loaded", time.Hour, time.Second, loaded)
	time.Sleep(10 * time.Minute)
	l.complete(l.to, oldHands+firstInWindow+secondInWindow+thirdInWindow)
	blocked := l.blocked(asked)
	r.add("leaver.window_s", longest(blocked).Seconds(), "s", lower, fmt.Sprintf("a tenant that counts %d writes in any 150 s, and is known to: the worst of 5 suspensions, the first right after a load of %d, one each 10 s (%.2f s), and of 5 from the 2,700th write of a load of %d on (%.2f s)",
		tenantBucket, secondInWindow, longest(blocked[:windowLeavers]).Seconds(), thirdInWindow, longest(blocked[windowLeavers:]).Seconds()))
	r.add("leaver.window_load_s", took.Seconds(), "s", lower, fmt.Sprintf("the load of %d, %d answers 429; the one of %d before, by which it was learned, took %.0f s and had %d", secondInWindow, throttled, firstInWindow, learned.Seconds(), refused))
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
