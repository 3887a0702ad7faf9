// Package clock waits: for a time, and between the tries of a call that failed.
// Whoever waits does it through this package, so that a wait always ends with its
// context. What time it is comes as a function, Now, from whoever constructs what
// asks for it; in tests it is the bubble's (testing/synctest).
package clock

import (
	"context"
	"math/rand/v2"
	"time"
)

// Sleep waits for d, or until ctx ends, whose error it returns then. A d of zero or
// less only looks at ctx.
func Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Backoff is how long to wait after the nth try, counted from 0, has failed: a
// random time between half of a bound and the bound, which is first at the
// beginning, doubles with each try and is never more than most. So those who failed
// together do not come back together.
func Backoff(n int, first, most time.Duration) time.Duration {
	bound := most
	if n < 62 && first <= most>>n {
		bound = first << n
	}
	return bound/2 + rand.N(bound/2+1)
}
