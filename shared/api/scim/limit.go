package scim

import (
	"encoding/base64"
	"math"
	"sync"
	"time"
)

func encoded(data []byte) string       { return base64.RawURLEncoding.EncodeToString(data) }
func decoded(s string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(s) }

// limiter is a token bucket for each of some names, within this process. On AWS the
// route's throttle bounds all processes together.
type limiter struct {
	rate, burst float64 // a second, at once
	mu          sync.Mutex
	buckets     map[string]bucket
}

type bucket struct {
	left float64
	at   time.Time
}

// maxBuckets bounds the names that are remembered: beyond, those that are full go.
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
	if len(l.buckets) >= maxBuckets {
		for other := range l.buckets {
			if l.now(other, now).left >= l.burst {
				delete(l.buckets, other)
			}
		}
		if len(l.buckets) >= maxBuckets {
			clear(l.buckets)
		}
	}
	b := l.now(name, now)
	b.left--
	l.buckets[name] = b
}
