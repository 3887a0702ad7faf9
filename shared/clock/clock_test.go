package clock

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestSleep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		if err := Sleep(t.Context(), time.Hour); err != nil || time.Since(begun) != time.Hour {
			t.Errorf("an hour took %v: %v", time.Since(begun), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begun = time.Now()
		if err := Sleep(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Minute {
			t.Errorf("an hour with a minute left took %v: %v", time.Since(begun), err)
		}
		for _, d := range []time.Duration{0, -time.Second} {
			if err := Sleep(t.Context(), d); err != nil {
				t.Errorf("Sleep(%v) = %v", d, err)
			}
			if err := Sleep(ctx, d); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Sleep(%v) when the time is over = %v", d, err)
			}
		}
	})
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	const first, most = 100 * time.Millisecond, 2 * time.Second
	for n, bound := range []time.Duration{first, 2 * first, 4 * first, 8 * first, 16 * first, most, most} {
		for range 100 {
			if d := Backoff(n, first, most); d < bound/2 || d > bound {
				t.Fatalf("after try %d: %v, want %v to %v", n, d, bound/2, bound)
			}
		}
	}
	for _, n := range []int{62, 63, 64, 1000} {
		if d := Backoff(n, first, most); d < most/2 || d > most {
			t.Errorf("after try %d: %v, want at most %v", n, d, most)
		}
	}
}
