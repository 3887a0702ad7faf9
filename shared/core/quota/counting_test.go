package quota

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"bindery/shared/directory"
)

// counter is Microsoft's side of a quota, counted in either way.
type counter interface {
	// takeOne takes a write, or says how long to wait for the next.
	takeOne(now time.Time) time.Duration
}

func (b *bucket) takeOne(now time.Time) time.Duration {
	if b.take(now, 1) {
		return 0
	}
	return seconds(1 / b.refill)
}

// sliding is a window, which fills with what is asked for in vain.
type sliding struct {
	times []time.Time
	limit int
	span  time.Duration
}

func (s *sliding) takeOne(now time.Time) time.Duration {
	for len(s.times) > 0 && now.Sub(s.times[0]) >= s.span {
		s.times = s.times[1:]
	}
	if len(s.times) >= s.limit {
		return s.times[0].Add(s.span).Sub(now)
	}
	s.times = append(s.times, now)
	return 0
}

func aBucket() counter { return &bucket{tenantWrites, tenantWrites, tenantRefill, start} }
func aWindow() counter { return &sliding{limit: tenantWrites, span: tenantWindow} }

// site is a tenant at which loads and leavers write, by workers that know of each
// other only what is stored, and whose clocks differ.
type site struct {
	*testing.T
	rng     *rand.Rand
	now     time.Time
	skew    time.Duration
	stored  []byte
	app     shared
	tenant  counter
	refused int             // refusals of whole requests or of items of them
	leavers []time.Time     // when they come, in order
	waited  []time.Duration // how long they waited until Microsoft had taken their writes
}

func newSite(t *testing.T, seed uint64, c counter) *site {
	return &site{T: t, rng: rand.New(rand.NewPCG(seed, 3)), now: start, tenant: c, stored: []byte("{}")}
}

// with lets somebody work on what is stored.
func (s *site) with(do func(Tenant)) {
	s.Helper()
	var q directory.TenantQuota
	if err := json.Unmarshal(s.stored, &q); err != nil {
		s.Fatal(err)
	}
	do(At(&q, s.now.Add(time.Duration(s.rng.Int64N(int64(2*s.skew)+1))-s.skew)))
	var err error
	if s.stored, err = json.Marshal(q); err != nil {
		s.Fatal(err)
	}
	if len(s.stored) > 470 {
		s.Fatalf("%d bytes are stored: %s", len(s.stored), s.stored)
	}
}

// send sends writes of a work and returns how many Microsoft took, or how long to
// wait first.
func (s *site) send(w Work) (taken int, wait time.Duration) {
	s.Helper()
	f, n := Flow{1, w.Left}, w.Left
	s.with(func(t Tenant) {
		if !w.Leaver {
			f = t.Flow(w.Left)
			n = min(n, f.Width*f.Size)
		}
		var err error
		if wait, err = t.Take(s.Context(), &s.app, n, w); err != nil {
			s.Fatal(err)
		}
	})
	if wait > 0 {
		return 0, wait
	}
	latency := 60*time.Millisecond + time.Duration(s.rng.ExpFloat64()*float64(60*time.Millisecond))
	s.now = s.now.Add(latency / 2)
	var after time.Duration
	for range n {
		wait := s.tenant.takeOne(s.now)
		if wait == 0 {
			taken++
		}
		after = max(after, wait)
	}
	s.now = s.now.Add(latency/2 + between)
	s.with(func(t Tenant) {
		t.Accepted(taken)
		if taken < n {
			s.refused++
			if err := t.Refused(s.Context(), &s.app, max(after, time.Second).Truncate(time.Second)+time.Second, directory.ThrottledTenantApp); err != nil {
				s.Fatal(err)
			}
		}
		var flight []Answer
		for left := n; left > 0; left -= f.Size {
			flight = append(flight, Answer{Writes: min(left, f.Size), Took: latency, Refused: taken < n})
		}
		t.Answered(flight)
	})
	return taken, 0
}

// pass lets time pass, in which leavers are served.
func (s *site) pass(d time.Duration) {
	s.Helper()
	until := s.now.Add(d)
	for len(s.leavers) > 0 && !s.leavers[0].After(until) {
		if s.leavers[0].After(s.now) {
			s.now = s.leavers[0]
		}
		s.serve()
	}
	if until.After(s.now) {
		s.now = until
	}
}

// serve blocks a leaver and ends his sessions.
func (s *site) serve() {
	s.Helper()
	for left := 2; left > 0; {
		taken, wait := s.send(Work{Left: left, Leaver: true})
		left -= taken
		s.now = s.now.Add(wait)
	}
	s.waited = append(s.waited, s.now.Sub(s.leavers[0]))
	s.leavers = s.leavers[1:]
}

// load sends writes and returns how long that took.
func (s *site) load(n int) time.Duration {
	s.Helper()
	began := s.now
	for n > 0 {
		s.pass(0)
		taken, wait := s.send(Work{Left: n})
		n -= taken
		if wait > LongestNap {
			wait += time.Duration(s.rng.Int64N(int64(300 * time.Millisecond))) // the wake-up
		}
		s.pass(wait)
	}
	return s.now.Sub(began)
}

// counted is what the tenant is known to count.
func (s *site) counted() (c directory.Counting) {
	s.with(func(t Tenant) { c = t.counting() })
	return c
}

// leastOf is the least time for writes at a tenant that is as good as unused.
func leastOf(counting directory.Counting, writes int) float64 {
	if counting == directory.CountsWindow {
		return float64(ceil(writes, tenantWrites)-1) * tenantWindow.Seconds()
	}
	return max(0, float64(writes)-tenantWrites) / tenantRefill
}

// TestLoadUsesWhatIsCounted: a load takes about the least time that the tenant's
// quota allows, however it is counted and whether that is known, and learns it with at
// most one refusal.
func TestLoadUsesWhatIsCounted(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		for _, c := range []struct {
			counting directory.Counting
			new      func() counter
		}{{directory.CountsBucket, aBucket}, {directory.CountsWindow, aWindow}} {
			s := newSite(t, seed, c.new())
			s.skew = time.Duration(seed) * 100 * time.Millisecond
			for round := range 3 {
				const n = 20000
				took := s.load(n)
				if ratio := leastOf(c.counting, n) / (took - 8*time.Second).Seconds(); ratio < 0.98 {
					t.Errorf("%s, seed %d, load %d: %s, ratio %.3f", c.counting, seed, round+1, took, ratio)
				}
				if s.counted() != c.counting {
					t.Errorf("a %s is taken for a %q", c.counting, s.counted())
				}
				s.pass(20 * time.Minute)
			}
			if most := map[directory.Counting]int{directory.CountsWindow: 1}[c.counting]; s.refused > most {
				t.Errorf("%s, seed %d: %d refusals", c.counting, seed, s.refused)
			}
		}
	}
}

// TestForecastKnowsTheCounting: when a load will have ended is foretold, for either
// kind of tenant, also right after another load.
func TestForecastKnowsTheCounting(t *testing.T) {
	t.Parallel()
	for counting, c := range map[directory.Counting]counter{directory.CountsBucket: aBucket(), directory.CountsWindow: aWindow()} {
		s := newSite(t, 1, c)
		s.load(7000) // by which the counting is learned
		s.pass(time.Hour)
		for _, n := range []int{2000, 1500, 2900, 9000} {
			var q directory.TenantQuota
			if err := json.Unmarshal(s.stored, &q); err != nil {
				t.Fatal(err)
			}
			foretold := Forecast(q, s.app.q, s.now, n).Sub(s.now)
			took := s.load(n)
			if off := took - foretold; off.Abs() > took/20+15*time.Second {
				t.Errorf("%s: %d writes took %s, foretold were %s", counting, n, took, foretold)
			}
			s.pass(10 * time.Second)
		}
	}
}

// TestLeaverAfterALoadIsSentAtOnce: on a tenant that is known to count a window, a
// leaver right after a load of any size waits for nothing, and so do those in its
// middle.
func TestLeaverAfterALoadIsSentAtOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		s := newSite(t, seed, aWindow())
		s.load(7000)
		if s.counted() != directory.CountsWindow {
			t.Fatalf("seed %d: the window was not noticed", seed)
		}
		s.refused, s.waited = 0, nil
		for _, n := range []int{2900, 3000, 3500, 5000} {
			s.pass(10 * time.Minute)
			for i := range 8 {
				s.leavers = append(s.leavers, s.now.Add(time.Duration(i)*15*time.Second))
			}
			s.load(n)
			s.pass(0)
			for range 3 {
				s.leavers = slices.Insert(s.leavers, 0, s.now)
				s.pass(0)
			}
			s.pass(2 * time.Minute)
		}
		if worst := slices.Max(s.waited); worst > LongestNap || s.refused > 0 {
			t.Errorf("seed %d: a leaver waited %s, with %d refusals", seed, worst, s.refused)
		}
	}
}

// TestLeaversOfAnUnknownTenant: the first load at a tenant that counts a window keeps
// leavers waiting once, from its test until the window's front leaves.
func TestLeaversOfAnUnknownTenant(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		s := newSite(t, seed, aWindow())
		for i := range 100 {
			s.leavers = append(s.leavers, start.Add(time.Duration(20*i)*time.Second))
		}
		s.load(20000)
		slices.Sort(s.waited)
		worst, others := s.waited[len(s.waited)-1], s.waited[len(s.waited)-1-3]
		if worst > testRoom/tenantRefill*time.Second+testAhead || others > time.Second || s.refused > 2 {
			t.Errorf("seed %d: a leaver waited %s, others %s, with %d refusals", seed, worst, others, s.refused)
		}
	}
}

// TestWindowProvesToBeABucket: a tenant that was taken for one with a window is not
// any more when a leaver's tries get through.
func TestWindowProvesToBeABucket(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, aBucket())
	s.with(func(t Tenant) { t.counts(directory.CountsWindow) })
	s.load(2900)
	for range 200 {
		s.leavers = append(s.leavers, s.now)
	}
	s.pass(time.Second)
	if s.counted() != directory.CountsBucket || s.refused > 0 {
		t.Errorf("it counts a %q after %d refusals", s.counted(), s.refused)
	}
}

// TestCountingIsForgotten: what a tenant counts is asked anew after a week.
func TestCountingIsForgotten(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, aWindow())
	s.load(7000)
	s.pass(8 * 24 * time.Hour)
	if c := s.counted(); c != directory.CountsUnknown {
		t.Errorf("after a week it still counts a %q", c)
	}
}

// TestFewRefusalsBelowTheQuotaAreNoWindow: a tenant that refuses for a reason of its
// own, long before a window could be full, is not taken for one.
func TestFewRefusalsBelowTheQuotaAreNoWindow(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, &bucket{300, 300, 5, start})
	s.load(1500)
	if c := s.counted(); c != directory.CountsUnknown {
		t.Errorf("it is taken for a %q", c)
	}
}

// TestQuotaOfTheVersionBefore: what the version before has stored is read, and what
// this one stores is what that one reads, with keys that it does not know.
func TestQuotaOfTheVersionBefore(t *testing.T) {
	t.Parallel()
	const before = `{"w":40.5,"u":3500,"at":"2026-01-02T00:00:00.123456789Z","da":"2026-01-01T00:00:00Z","n":12,"t":7,"p":100,"pe":"2026-01-02T00:02:00Z"}`
	var q directory.TenantQuota
	if err := json.Unmarshal([]byte(before), &q); err != nil {
		t.Fatal(err)
	}
	now := start.Add(time.Second)
	if left := At(&q, now).room(Work{Left: 50}); left != 57 {
		t.Errorf("%d writes are left, want 40.5 and what has flowed in since", left)
	}
	var app shared
	if wait, err := At(&q, now).Take(t.Context(), &app, 20, Work{Left: 20}); wait != 0 || err != nil {
		t.Errorf("Take: %s, %v", wait, err)
	}
	after, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	var old struct {
		Writes  float64   `json:"w"`
		At      time.Time `json:"at"`
		Portion float64   `json:"p"`
	}
	if err := json.Unmarshal(after, &old); err != nil || old.Writes != q.Writes || !old.At.Equal(q.At) || old.Portion != q.Portion {
		t.Errorf("%s is read as %+v: %v", after, old, err)
	}
}

// TestSentRemembersTimes: what is sent is told apart well enough, however it comes,
// never seems older than it is, and survives being stored.
func TestSentRemembersTimes(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	for _, gap := range []time.Duration{50 * time.Millisecond, time.Second, 9 * time.Second} {
		exact := sliding{limit: 1 << 30, span: tenantWindow}
		now, text := start, ""
		for range 2000 {
			now = now.Add(time.Duration(rng.Int64N(int64(2 * gap))))
			w := parseSent(text, tenantWindow, now)
			n := 1 + rng.IntN(20)
			w.add(now, n)
			for range n {
				exact.takeOne(now)
			}
			text = w.String()
			if got, want := w.total(), len(exact.times); got < want || float64(got) > 1.1*float64(want)+40 {
				t.Fatalf("gap %s: %d writes, in truth %d: %s", gap, got, want, text)
			}
			if len(text) > 220 {
				t.Fatalf("%d bytes: %s", len(text), text)
			}
		}
	}
}
