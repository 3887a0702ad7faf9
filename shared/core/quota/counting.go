package quota

import (
	"time"

	"bindery/shared/directory"
)

// Microsoft documents a token bucket, and there are tenants that count a sliding
// window of the same numbers: no more than 3,000 in any 150 seconds. Both let as much
// through in the long run; after a burst the bucket fills at once, and the window
// stays full until the burst is as old as itself.
//
// Which of them a tenant counts is learned:
//
//   - It counts a window when it refuses although a bucket would have room, at a
//     moment when a window would be full.
//   - It counts a bucket when it has taken clearly more in a time clearly shorter than
//     the window than the window holds.
//   - It counts no such window when it refuses long before one would be full, but not
//     when it does so after a few writes, for which there are other reasons.
//   - What is learned holds until the contrary is, or for a week.
//
// While it is not known, a load that comes to what would be the end of the window puts
// off the test as long as that costs it nothing: until the bucket would hold all that
// it has left, or be so full that it would run over before somebody takes over from a
// worker that dies; and no longer than until the window's front leaves, a moment
// before. If it is a window after all, leavers wait from the test until then. The test
// itself is a small flight.
//
// Where a window is counted no load takes the last leaverReserve writes of any window,
// and whoever has only a few no more than those above leaversOnly. A leaver for whom
// even this is not enough tries once in a window: that it is one may have changed.
const (
	tenantWindow = 150 * time.Second
	// late is how much later a write may be counted than the last one was, by the
	// time that it was on its way.
	late = time.Second
	// windowKnown is how long it is remembered what a tenant counts.
	windowKnown = 7 * 24 * time.Hour
	// nearlyFull is from what share on a window counts as full, hadRoom how many
	// writes a bucket holds that has room, and hadMuchRoom when it is known that it
	// is one.
	nearlyFull  = 0.97
	hadRoom     = leaverReserve / 2
	hadMuchRoom = 300
	// clearly is how many writes, and clearlyShorter what time, tell a bucket from a
	// window.
	clearly        = 200
	clearlyShorter = 5 * time.Second
	// testAhead is how long before the window's front leaves it is tested, and
	// testSize with how many writes.
	testAhead = 10 * time.Second
	testSize  = 100
	// testRoom is for how many writes the bucket must have room when it is tested.
	testRoom = 800
	// fewWrites is how many writes are so few that they need not wait for a load's
	// window; leaversOnly is what they leave of it.
	fewWrites   = 20
	leaversOnly = leaverReserve * 2 / 3
)

// counting is what a tenant is known to count.
func (t Tenant) counting() directory.Counting {
	if t.now.Sub(time.Unix(t.q.CountsAt, 0)) > windowKnown {
		return directory.CountsUnknown
	}
	return t.q.Counts
}

func (t Tenant) counts(c directory.Counting) {
	t.q.Counts, t.q.CountsAt = c, t.now.Unix()
}

// sent is what has been sent in the last window.
func (t Tenant) sent() sent { return parseSent(t.q.Sent, tenantWindow+late, t.now) }

// limit is how much of a window work may use.
func (w Work) limit() int {
	switch {
	case w.Leaver:
		return tenantWrites
	case w.Left <= fewWrites:
		return tenantWrites - leaversOnly
	}
	return tenantWrites - leaverReserve
}

// windowWait is how long n writes have to wait because of a window.
func (t Tenant) windowWait(n int, w Work) time.Duration {
	s := t.sent()
	wait := s.wait(t.now, n, w.limit())
	if wait == 0 {
		return 0
	}
	switch t.counting() {
	case directory.CountsBucket:
		return 0
	case directory.CountsWindow:
		if w.Leaver {
			if t.now.Sub(t.q.DryAt) > tenantWindow && t.q.Writes >= float64(n) {
				return 0
			}
			return wait
		}
		if wait <= LongestNap {
			return wait
		}
		// As with a bucket: as long as it takes to have something worth waking up for.
		more := s.wait(t.now, min(w.Left, portion), w.limit())
		return max(wait, min(more, wait+longestRest/2))
	}
	if w.Leaver || w.Left <= fewWrites {
		return 0
	}
	untilAll := t.timeFor(min(float64(w.Left), tenantWrites-testRoom) - t.q.Writes)
	return max(0, min(wait-testAhead, untilAll))
}

// room is how many writes of a work may go at the moment, as far as the tenant's own
// quota is concerned.
func (t Tenant) room(w Work) int {
	floor := 0.0
	if !w.small() {
		floor = leaverReserve
	}
	bucket := max(0, int(t.q.Writes-floor))
	s := t.sent()
	window := max(0, w.limit()-s.total())
	switch {
	case t.counting() == directory.CountsBucket:
		return bucket
	case t.counting() == directory.CountsWindow:
		return window
	case window >= batchSize:
		return min(bucket, window)
	case t.windowWait(batchSize, w) > 0:
		return 0
	case s.total() < tenantWrites+batchSize:
		return min(bucket, testSize)
	}
	return bucket
}

// tenantWait is how long n writes have to wait for the tenant's own quota.
func (t Tenant) tenantWait(n int, w Work) time.Duration {
	wait := t.windowWait(n, w)
	if t.counting() != directory.CountsWindow {
		wait = max(wait, t.bucketWait(n, w))
	}
	return wait
}

// takeOfWindow notes n writes as sent. They are so from now on, whatever becomes of
// us.
func (t Tenant) takeOfWindow(n int) {
	s := t.sent()
	s.add(t.now, n)
	t.q.Sent, t.q.Open = s.String(), n
}

// sparedOfWindow notes that n writes of those that were sent last do not count.
func (t Tenant) sparedOfWindow(n int) {
	t.q.Open = max(0, t.q.Open-n)
	s := t.sent()
	s.fill(t.now, max(0, s.total()-n))
	t.q.Sent = s.String()
}

// acceptedOfWindow notes that n writes have been taken, and whether a window could
// have taken them.
func (t Tenant) acceptedOfWindow(n int) {
	t.q.Open = max(0, t.q.Open-n)
	s := t.sent()
	s.answered(t.now)
	t.q.Sent = s.String()
	if s.within(tenantWindow-clearlyShorter, t.now)-t.q.Open > tenantWrites+clearly {
		t.counts(directory.CountsBucket)
	}
}

// refusedOfWindow reports whether a refusal is that of a window, and learns from it.
func (t Tenant) refusedOfWindow() bool {
	s := t.sent()
	open := t.q.Open
	t.q.Open = 0
	room := hadRoom
	if t.counting() == directory.CountsBucket {
		room = hadMuchRoom
	}
	if taken := s.total() - open; taken < nearlyFull*tenantWrites || taken > tenantWrites+clearly {
		if t.counting() == directory.CountsWindow && taken > tenantWrites/2 {
			t.counts(directory.CountsUnknown)
		}
		return false
	}
	if int(t.q.Writes)+open < room && t.counting() != directory.CountsWindow {
		return false
	}
	t.counts(directory.CountsWindow)
	s.fill(t.now, tenantWrites)
	t.q.Sent = s.String()
	return true
}
