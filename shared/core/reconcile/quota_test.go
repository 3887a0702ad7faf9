package reconcile

import (
	"math/rand/v2"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

// bucket is Microsoft's side of a quota.
type bucket struct {
	left, capacity, refill float64
	at                     time.Time
}

func (b *bucket) take(now time.Time, n int) bool {
	b.left = min(b.capacity, b.left+now.Sub(b.at).Seconds()*b.refill)
	b.at = now
	if b.left < float64(n) {
		b.left = 0
		return false
	}
	b.left -= float64(n)
	return true
}

// fleet is workers of many tenants that share an app's quota, in steps of time.
type fleet struct {
	*testing.T
	now    time.Time
	engine *Engine
	app    bucket
	tenant []bucket
	work   []*worker
	left   []int
	due    []time.Time
	done   []time.Time
}

func newFleet(t *testing.T, tenants int) *fleet {
	f := &fleet{T: t, now: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return f.now }
	tbl := memory.New()
	tbl.Now = clock
	f.engine = &Engine{Store: store.New(tbl, store.Options{Now: clock}), Now: clock}
	f.app = bucket{appWrites, appWrites, appRefill, f.now}
	f.left, f.due, f.done = make([]int, tenants), make([]time.Time, tenants), make([]time.Time, tenants)
	for range tenants {
		f.tenant = append(f.tenant, bucket{tenantWrites, tenantWrites, tenantRefill, f.now})
		f.work = append(f.work, &worker{Engine: f.engine})
	}
	return f
}

// step lets every tenant that has work and is not waiting send one batch.
func (f *fleet) step(d time.Duration) {
	f.Helper()
	for _, i := range rand.Perm(len(f.work)) {
		if f.left[i] == 0 || f.due[i].After(f.now) {
			continue
		}
		n := min(BatchSize, f.left[i])
		wait, err := f.work[i].pace(f.Context(), n, work{left: f.left[i]})
		if err != nil {
			f.Fatal(err)
		}
		if wait > 0 {
			f.due[i] = f.now.Add(wait)
			continue
		}
		if !f.tenant[i].take(f.now, n) {
			f.Errorf("tenant %d is throttled at %s", i, f.now)
		}
		if !f.app.take(f.now, n) {
			f.Errorf("the app is throttled at %s", f.now)
		}
		if f.left[i] -= n; f.left[i] == 0 {
			f.done[i] = f.now
		}
		f.due[i] = f.now.Add(200 * time.Millisecond)
	}
	f.now = f.now.Add(d)
}

// TestOneTenantUsesItsQuota: burst and refill are used, and never more.
func TestOneTenantUsesItsQuota(t *testing.T) {
	f := newFleet(t, 1)
	began, n := f.now, 20000
	f.left[0] = n
	for f.left[0] > 0 && !t.Failed() {
		f.step(100 * time.Millisecond)
	}
	least := (float64(n) - tenantWrites) / tenantRefill
	if ratio := least / f.done[0].Sub(began).Seconds(); ratio < 0.975 {
		t.Errorf("ratio = %.3f, want 0.975", ratio)
	}
}

// TestFleetSharesTheAppsQuota: nobody is throttled, the quota is used, and small
// ones pass by the line of the large.
func TestFleetSharesTheAppsQuota(t *testing.T) {
	f := newFleet(t, 60)
	began := f.now
	for i := range 10 {
		f.left[i] = 10000
	}
	arrived := make([]time.Time, 60)
	for f.now.Sub(began) < 20*time.Minute && !t.Failed() {
		if i := 10 + int(f.now.Sub(began)/(8*time.Second)); i < 60 && arrived[i].IsZero() {
			arrived[i], f.left[i] = f.now, 20
		}
		f.step(100 * time.Millisecond)
	}
	worst, last := time.Duration(0), began
	for i := range 60 {
		if f.done[i].IsZero() {
			t.Fatalf("tenant %d is not done", i)
		}
		if i < 10 && f.done[i].After(last) {
			last = f.done[i]
		}
		if i >= 10 {
			worst = max(worst, f.done[i].Sub(arrived[i]))
		}
	}
	if worst > time.Second {
		t.Errorf("a small tenant waited %s", worst)
	}
	least := (10*10000 + 50*20 - appWrites) / appRefill
	if ratio := least / last.Sub(began).Seconds(); ratio < 0.95 {
		t.Errorf("ratio = %.3f, want 0.95", ratio)
	}
}

// TestPacerMeasuresTheRealQuota: when Microsoft allows less than documented, two
// refusals are enough to know how much.
func TestPacerMeasuresTheRealQuota(t *testing.T) {
	f := newFleet(t, 1)
	f.tenant[0] = bucket{2100, 2100, 14, f.now}
	w, refused, left := f.work[0], 0, 20000
	began := f.now
	for left > 0 {
		wait, err := w.pace(t.Context(), BatchSize, work{left: left})
		if err != nil {
			t.Fatal(err)
		}
		if wait > 0 {
			f.now = f.now.Add(wait)
			continue
		}
		f.now = f.now.Add(200 * time.Millisecond)
		if f.tenant[0].take(f.now, BatchSize) {
			w.accepted(BatchSize)
			left -= BatchSize
			continue
		}
		refused++
		if err := w.refused(t.Context(), 2*time.Second, directory.ThrottledTenantApp); err != nil {
			t.Fatal(err)
		}
	}
	least := (20000.0 - 2100) / 14
	if ratio := least / f.now.Sub(began).Seconds(); ratio < 0.93 || refused > 4 {
		t.Errorf("ratio = %.3f with %d refusals, want 0.93 with at most 4", ratio, refused)
	}
}
