package reconcile

import (
	"errors"
	"time"
)

// errPause ends a slice; a wake-up follows after the delay.
type errPause struct {
	after  time.Duration
	why    string
	cause  error
	second bool // the next look is the second one
	queued bool // the wake-up was sent by whoever began the wait
	single bool // the wait is for single accounts, and not for the tenant
}

func (p *errPause) Error() string { return "paused: " + p.why }

func (p *errPause) Unwrap() error { return p.cause }

// pauseOf is the pause that an error is, if it is one.
func pauseOf(err error) (*errPause, bool) { return errors.AsType[*errPause](err) }
