package reconcile

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// leaseWatch notes, at each request, how long the lease lasts that it is sent under.
type leaseWatch struct {
	next  http.RoundTripper
	w     *world
	mu    sync.Mutex // of what follows, for requests beside each other
	lasts []time.Duration
	wrote func() // after a batch of writes
}

func (l *leaseWatch) RoundTrip(r *http.Request) (*http.Response, error) {
	lease, _, err := l.w.store.Leases.PeekLease(r.Context(), l.w.conn.ID)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.lasts = append(l.lasts, lease.Until.Sub(l.w.now()))
	l.mu.Unlock()
	writing := writes(r)
	resp, err := l.next.RoundTrip(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	if writing && l.wrote != nil {
		l.wrote()
	}
	return resp, err
}

// first is how long the lease lasted at the first request since it was asked last.
func (l *leaseWatch) first() (lasted time.Duration) {
	l.w.Helper()
	if len(l.lasts) == 0 {
		l.w.Fatal("no request was sent")
	}
	lasted, l.lasts = l.lasts[0], nil
	return lasted
}

// TestLeaseOfARunThatGoesOn: whoever goes on with a run that has few writes left takes
// the lease for a short time, so that little is lost if he dies before he renews it, and
// goes on where the slice before has ended. An edit takes it for its whole time, and
// need not renew it while it plans.
func TestLeaseOfARunThatGoesOn(t *testing.T) {
	w := newWorld(t)
	w.flow(2, 10)
	var people []directory.User
	for i := range planPage + 80 {
		people = append(people, w.user(fmt.Sprintf("p%03d", i)))
	}
	w.bind(people...)
	watch := &leaseWatch{next: w.port.rt, w: w}
	w.port.rt = watch
	slice := func() {
		t.Helper()
		_, err := w.engine.Slice(t.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
		w.do(err)
	}
	written := 0
	watch.wrote = func() {
		if written++; 10*written > planPage+20 {
			w.skew.Add(SliceTime) // more than a chunk has been sent
			watch.wrote = nil
		}
	}
	slice()
	if lasted := watch.first(); lasted <= briefLease {
		t.Errorf("the first slice has the lease for %s, want it for its whole time", lasted)
	}
	run, _ := w.lastRun()
	r, err := w.store.Runs.Run(t.Context(), run.ID)
	w.do(err)
	at, err := runs.ProgressOf(&r)
	if w.do(err); at.Phase != directory.EffectCreate.Row().Phase || at.Chunk != 1 {
		t.Errorf("the next slice begins in phase %d with chunk %d, want phase %d and chunk 1", at.Phase, at.Chunk, directory.EffectCreate.Row().Phase)
	}
	slice()
	if lasted := watch.first(); lasted > briefLease || lasted < briefLease-5*time.Second {
		t.Errorf("the second slice has the lease for %s, want %s", lasted, briefLease)
	}
	w.sync()
	w.wantInSync(people)

	watch.lasts = nil
	w.edit(people[0], func(u *directory.User) { u.JobTitle = "Boss" })
	slice()
	if lasted := watch.first(); lasted <= briefLease {
		t.Errorf("an edit has the lease for %s, want it for its whole time", lasted)
	}
}

// TestNoteBrief: a dead worker's time is lost at the end of a run, and while the bucket
// is so full that it would run over.
func TestNoteBrief(t *testing.T) {
	now := time.Now()
	for name, tt := range map[string]struct {
		left   int
		writes float64
		after  time.Duration
		want   bool
	}{
		"in the middle":                    {left: 10_000, writes: 60},
		"at the end":                       {left: lastWrites, writes: 60, want: true},
		"at the beginning":                 {left: 10_000, writes: 3000, want: true},
		"the bucket runs over in a lease":  {left: 10_000, writes: 1900, want: true},
		"it does not":                      {left: 10_000, writes: 1700},
		"it does after the wait before it": {left: 10_000, writes: 60, after: 110 * time.Second, want: true},
	} {
		s := &session{now: func() time.Time { return now }, lease: store.Lease{Pace: store.Pace{TenantQuota: directory.TenantQuota{Writes: tt.writes, Units: 3500, At: now}}}}
		s.noteBrief(tt.left, tt.after)
		if got := s.leaseTTL() == briefLease; got != tt.want {
			t.Errorf("%s: the lease lasts %s", name, s.leaseTTL())
		}
	}
}
