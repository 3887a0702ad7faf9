package scim

import (
	"encoding/base64"
	"math"
	"sync"
	"time"

	"bindery/shared/directory"
)

func encoded(data []byte) string       { return base64.RawURLEncoding.EncodeToString(data) }
func decoded(s string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(s) }

// counts is how many requests of each client this process has answered and not yet told
// the others of.
//
// All processes count together, in the table: whoever asks whose a token is reads the
// counts of this directory.ScimWindow and of the one before in the same call, and what a
// process has answered is added in the write of the request log, tellAfter of them at
// once. So the limit costs no call. Allowed are as many requests as the limit in any
// window that slides, reckoned as if those of the window before had come evenly; in no
// stretch of that length are there more than twice the limit, and over a longer time no
// more than the limit. What other processes have not told is missed: less than tellAfter
// requests for each process and window, and those that are under way at the moment.
type counts struct {
	mu sync.Mutex
	of map[directory.ScimClientID]directory.ScimCount
}

// tellAfter is how many requests a process answers before it tells of them.
const tellAfter = 5

// take counts a request of a client of which there are known so many, up to a limit in a
// window. It returns what is to be told, or how long the client has to wait.
func (c *counts) take(id directory.ScimClientID, known directory.ScimRate, limit int64, now time.Time) (tell directory.ScimCount, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	own := c.of[id]
	if own.Window != known.Window {
		if len(c.of) >= maxBuckets {
			clear(c.of)
		}
		own = directory.ScimCount{Window: known.Window}
	}
	known.Now += own.Requests
	if wait := waitFor(known, limit, now); wait > 0 {
		return tell, wait
	}
	if own.Requests++; own.Requests >= tellAfter {
		tell, own.Requests = own, 0
	}
	c.of[id] = own
	return tell, 0
}

// back takes back what could not be told: the next request tells it.
func (c *counts) back(id directory.ScimClientID, n directory.ScimCount) {
	c.mu.Lock()
	defer c.mu.Unlock()
	own, known := c.of[id]
	if n.Requests == 0 || known && own.Window > n.Window {
		return
	}
	if known && own.Window == n.Window {
		n.Requests += own.Requests
	}
	c.of[id] = n
}

// skipped is how many requests of each client were not logged since the last that was.
type skipped struct {
	mu sync.Mutex
	of map[directory.ScimClientID]int
}

func (s *skipped) add(id directory.ScimClientID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.of) < maxBuckets {
		s.of[id]++
	}
}

func (s *skipped) take(id directory.ScimClientID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.of[id]
	delete(s.of, id)
	return n
}

// waitFor is how long it takes until one more request is within the limit; 0 when it is.
func waitFor(known directory.ScimRate, limit int64, now time.Time) time.Duration {
	window := float64(directory.ScimWindow)
	passed := float64(now.UnixNano()-known.Window*int64(directory.ScimWindow)) / window
	passed = math.Min(math.Max(passed, 0), 1)
	before, so, most := float64(known.Before), float64(known.Now), float64(limit)
	if before*(1-passed)+so+1 <= most {
		return 0
	}
	if so+1 <= most { // later in this window: those of the one before count ever less
		return time.Duration((1-(most-1-so)/before-passed)*window) + 1
	}
	return time.Duration((1-passed+math.Max(0, 1-(most-1)/so))*window) + 1
}

// limiter is a token bucket for each of some names, within this process.
type limiter struct {
	rate, burst float64 // a second, at once
	mu          sync.Mutex
	buckets     map[string]bucket
}

type bucket struct {
	left float64
	at   time.Time
}

// maxBuckets bounds the names that are remembered: beyond, those that are full go, or else
// the fullest. So nobody empties the others' by coming under many names.
const maxBuckets = 10_000

func newLimiter(rate, burst float64) *limiter {
	return &limiter{rate: rate, burst: burst, buckets: map[string]bucket{}}
}

func (l *limiter) now(name string, now time.Time) bucket {
	b, known := l.buckets[name]
	if !known {
		return bucket{l.burst, now}
	}
	if passed := now.Sub(b.at).Seconds(); passed > 0 {
		b.left, b.at = math.Min(l.burst, b.left+passed*l.rate), now
	}
	return b
}

// wait is how long the name has to wait; 0 when it has not.
func (l *limiter) wait(name string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.now(name, now); b.left < 1 {
		return time.Duration((1 - b.left) / l.rate * float64(time.Second))
	}
	return 0
}

// take counts one of the name.
func (l *limiter) take(name string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.buckets[name]; !known && len(l.buckets) >= maxBuckets {
		for other := range l.buckets {
			if l.now(other, now).left >= l.burst {
				delete(l.buckets, other)
			}
		}
		if len(l.buckets) >= maxBuckets {
			fullest, most := "", -1.0
			for other := range l.buckets {
				if left := l.now(other, now).left; left > most {
					fullest, most = other, left
				}
			}
			delete(l.buckets, fullest)
		}
	}
	b := l.now(name, now)
	b.left--
	l.buckets[name] = b
}
