package reconcile

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/store"
)

// barred is a lane that is open, and which the second look for leavers fails in.
type barred struct {
	closed
	looks *int
	err   error
}

func (barred) open() bool { return true }

func (b barred) attend(context.Context) error {
	if *b.looks++; *b.looks > 1 {
		return b.err
	}
	return nil
}

// TestLampReadHasEnded: what a kind asks by Work.Read has ended when Read returns,
// also where serving leavers failed meanwhile: it writes to what the caller reads.
func TestLampReadHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &session{now: time.Now, lease: store.Lease{Until: time.Now().Add(LeaseTTL)}}
		failed := errors.New("leavers cannot be served")
		looks, found := 0, ""
		w := s.work(nil, barred{closed{s}, &looks, failed})
		err := w.Read(t.Context(), 1, func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second) // it is still decoding an answer
			found = "something"
			return ctx.Err()
		})
		if !errors.Is(err, failed) || found == "" {
			t.Errorf("Read returned %v, and what it asked has found %q", err, found)
		}
	})
}
