package quota

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"bindery/shared/directory"
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

// shared is the app's quota as workers of one process share it.
type shared struct{ q directory.AppQuota }

func (s *shared) AppQuota(context.Context) (directory.AppQuota, error) { return s.q, nil }

func (s *shared) ChangeAppQuota(_ context.Context, change func(*directory.AppQuota) bool) error {
	q := s.q
	if change(&q) {
		s.q = q
	}
	return nil
}

// fleet is workers of many tenants that share an app's quota, in steps of time.
type fleet struct {
	*testing.T
	now    time.Time
	shared shared // as we believe
	quotas []directory.TenantQuota
	app    bucket // as Microsoft counts
	tenant []bucket
	left   []int
	due    []time.Time
	done   []time.Time
}

func newFleet(t *testing.T, tenants int) *fleet {
	f := &fleet{T: t, now: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), quotas: make([]directory.TenantQuota, tenants)}
	f.app = bucket{appWrites, appWrites, appRefill, f.now}
	f.left, f.due, f.done = make([]int, tenants), make([]time.Time, tenants), make([]time.Time, tenants)
	for range tenants {
		f.tenant = append(f.tenant, bucket{tenantWrites, tenantWrites, tenantRefill, f.now})
	}
	return f
}

// step lets every tenant that has work and is not waiting send one batch.
func (f *fleet) step(d time.Duration) {
	f.Helper()
	for _, i := range rand.Perm(len(f.quotas)) {
		if f.left[i] == 0 || f.due[i].After(f.now) {
			continue
		}
		n := min(batchSize, f.left[i])
		wait, err := At(&f.quotas[i], f.now).Take(f.Context(), &f.shared, n, Work{Left: f.left[i]})
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
		At(&f.quotas[i], f.now).Accepted(n)
		if f.left[i] -= n; f.left[i] == 0 {
			f.done[i] = f.now
		}
		f.due[i] = f.now.Add(200 * time.Millisecond)
	}
	f.now = f.now.Add(d)
}

// TestOneTenantUsesItsQuota: burst and refill are used, and never more.
func TestOneTenantUsesItsQuota(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
	f := newFleet(t, 1)
	f.tenant[0] = bucket{2100, 2100, 14, f.now}
	refused, left := 0, 20000
	began := f.now
	for left > 0 {
		wait, err := At(&f.quotas[0], f.now).Take(f.Context(), &f.shared, batchSize, Work{Left: left})
		if err != nil {
			t.Fatal(err)
		}
		if wait > 0 {
			f.now = f.now.Add(wait)
			continue
		}
		f.now = f.now.Add(200 * time.Millisecond)
		if f.tenant[0].take(f.now, batchSize) {
			At(&f.quotas[0], f.now).Accepted(batchSize)
			left -= batchSize
			continue
		}
		refused++
		if err := At(&f.quotas[0], f.now).Refused(t.Context(), &f.shared, 2*time.Second, directory.ThrottledTenantApp); err != nil {
			t.Fatal(err)
		}
	}
	least := (20000.0 - 2100) / 14
	if ratio := least / f.now.Sub(began).Seconds(); ratio < 0.93 || refused > 4 {
		t.Errorf("ratio = %.3f with %d refusals, want 0.93 with at most 4", ratio, refused)
	}
}

// TestFleetSharesAWindow: an app that is counted in a window is found out by few
// refusals; from then on nobody is refused, the window is used, and small ones are not
// kept waiting. Workers of two processes alternate, which know of each other only what
// is stored.
func TestFleetSharesAWindow(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 80)
	app := &sliding{limit: appWrites, span: appWindow}
	refused := 0
	round := func(heavy, each int, small bool) (took, worst time.Duration) {
		began, arrived := f.now, map[int]time.Time{}
		for i := range heavy {
			f.left[i] = each
		}
		busy := true
		for busy && f.now.Sub(began) < time.Hour {
			if i := heavy + int(f.now.Sub(began)/(20*time.Second)); small && i < len(f.left) && arrived[i].IsZero() {
				arrived[i], f.left[i] = f.now, 20
			}
			busy = false
			for _, i := range rand.Perm(len(f.left)) {
				if f.left[i] == 0 {
					continue
				}
				busy = busy || i < heavy
				if f.due[i].After(f.now) {
					continue
				}
				n := min(160, f.left[i])
				wait, err := At(&f.quotas[i], f.now).Take(t.Context(), &f.shared, n, Work{Left: f.left[i]})
				if err != nil {
					t.Fatal(err)
				}
				if f.due[i] = f.now.Add(wait); wait > 0 {
					continue
				}
				taken := 0
				var after time.Duration
				for range n {
					if w := app.takeOne(f.now); w > 0 {
						after = w
					} else {
						taken++
					}
				}
				At(&f.quotas[i], f.now).Accepted(taken)
				f.left[i] -= taken
				if f.due[i] = f.now.Add(200 * time.Millisecond); taken < n {
					refused++
					if err := At(&f.quotas[i], f.now).Refused(t.Context(), &f.shared, after, directory.ThrottledApp); err != nil {
						t.Fatal(err)
					}
				}
				if f.left[i] == 0 && !arrived[i].IsZero() {
					worst = max(worst, f.now.Sub(arrived[i]))
				}
			}
			f.now = f.now.Add(100 * time.Millisecond)
		}
		return f.now.Sub(began), worst
	}
	round(30, 2500, false)
	if f.shared.q.Counts != directory.CountsWindow || refused > 40 {
		t.Fatalf("it is taken for a %q after %d refusals", f.shared.q.Counts, refused)
	}
	refused = 0
	f.now = f.now.Add(time.Hour)
	took, worst := round(40, 2500, true)
	least := 2 * appWindow
	if ratio := least.Seconds() / took.Seconds(); ratio < 0.9 || refused > 0 || worst > time.Second {
		t.Errorf("ratio %.3f, %d refusals, a small one waited %s", ratio, refused, worst)
	}
	if n := len(f.shared.q.Sent); n > 250 {
		t.Errorf("%d bytes are stored", n)
	}
}
