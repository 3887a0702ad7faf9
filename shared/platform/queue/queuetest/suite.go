// Package queuetest holds what every queue must do.
package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/platform/queue"
)

// How a driver that is to be tested hides messages and gives them up.
const (
	Visibility  = time.Second
	MaxReceives = 2
)

// Handler does the work of a message.
type Handler func(ctx context.Context, body []byte) error

// Driver is a queue with its other end.
type Driver struct {
	queue.Queue
	// Receive hands what is due to handle, one at a time, until the context ends.
	Receive func(ctx context.Context, handle Handler)
	// Dead returns the bodies of the dead letters.
	Dead func() [][]byte
}

// Clock is the time in which a suite runs.
type Clock func(t *testing.T, test func(t *testing.T))

// Virtual is for queues in this process, Real for those elsewhere.
var (
	Virtual Clock = synctest.Test
	Real    Clock = func(t *testing.T, test func(t *testing.T)) { test(t) }
)

// patience is how long a suite waits for what should come at once.
const patience = 20 * time.Second

// Run runs the suite; open gives an empty queue.
func Run(t *testing.T, clock Clock, open func(t *testing.T) Driver) {
	run := func(name string, test func(t *testing.T, d Driver)) {
		t.Run(name, func(t *testing.T) {
			clock(t, func(t *testing.T) { test(t, open(t)) })
		})
	}
	run("what is sent arrives, in any order", func(t *testing.T, d Driver) {
		messages, want := []queue.Message{}, []string{`"one"`}
		for i := range 12 {
			messages = append(messages, queue.Message{Body: fmt.Append(nil, i)})
			want = append(want, fmt.Sprint(i))
		}
		must(t, d.Send(t.Context(), []byte(`"one"`), 0))
		must(t, d.Send(t.Context(), []byte(`"far"`), 10*time.Minute)) // not to be seen
		must(t, d.SendMany(t.Context(), messages))
		must(t, d.SendMany(t.Context(), nil))
		slices.Sort(want)
		got := d.bodies(t, len(want))
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("received %q, want %q", got, want)
		}
	})
	run("a delay holds back, alone and in a batch", func(t *testing.T, d Driver) {
		const delay = 1500 * time.Millisecond
		sent := time.Now()
		must(t, d.Send(t.Context(), []byte(`"alone"`), delay))
		must(t, d.SendMany(t.Context(), []queue.Message{{Body: []byte(`"batch"`), Delay: delay}}))
		for _, body := range d.bodies(t, 2) {
			if passed := time.Since(sent); passed < delay {
				t.Errorf("%s came after %v, want it not before %v", body, passed, delay)
			}
		}
	})
	run("what fails comes again, hidden for a while, and is a dead letter in the end", func(t *testing.T, d Driver) {
		must(t, d.Send(t.Context(), []byte(`"never done"`), 0))
		var at []time.Time
		ctx, cancel := context.WithTimeout(t.Context(), 4*Visibility)
		defer cancel()
		d.Receive(ctx, func(context.Context, []byte) error {
			at = append(at, time.Now())
			return errors.New("no")
		})
		if len(at) != MaxReceives {
			t.Fatalf("it was seen %d times, want %d", len(at), MaxReceives)
		}
		if passed := at[1].Sub(at[0]); passed < Visibility*9/10 {
			t.Errorf("it was seen again after %v, want it hidden for %v", passed, Visibility)
		}
		if dead := d.Dead(); len(dead) != 1 || string(dead[0]) != `"never done"` {
			t.Errorf("dead letters %q, want the one message", dead)
		}
	})
	run("what is no message is refused, and nothing of its batch is sent", func(t *testing.T, d Driver) {
		for _, body := range []string{"", "{", "\"\xff\"", `"` + strings.Repeat("x", queue.MaxBody) + `"`} {
			alone := d.Send(t.Context(), []byte(body), 0)
			batch := d.SendMany(t.Context(), []queue.Message{{Body: []byte(`1`)}, {Body: []byte(body)}})
			for _, err := range []error{alone, batch} {
				if !errors.Is(err, queue.ErrInvalid) {
					t.Errorf("a body of %d bytes = %v, want ErrInvalid", len(body), err)
				}
			}
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for _, err := range []error{d.Send(ended, []byte(`1`), 0), d.SendMany(ended, []queue.Message{{Body: []byte(`1`)}})} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("in a context that has ended: %v", err)
			}
		}
		must(t, d.Send(t.Context(), []byte(`"whole"`), 0))
		if got := d.bodies(t, 1); !slices.Equal(got, []string{`"whole"`}) {
			t.Errorf("received %q, want the whole one alone", got)
		}
	})
	run("many at once", func(t *testing.T, d Driver) {
		const n = 8
		var group sync.WaitGroup
		for i := range n {
			group.Go(func() {
				if err := d.Send(t.Context(), fmt.Append(nil, i), 0); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		got := d.bodies(t, n)
		slices.Sort(got)
		if len(slices.Compact(got)) != n {
			t.Errorf("received %q, want each of %d", got, n)
		}
	})
}

// bodies receives n messages and returns their bodies.
func (d Driver) bodies(t *testing.T, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var got []string
	d.Receive(ctx, func(_ context.Context, body []byte) error {
		got = append(got, string(body))
		if len(got) == n {
			cancel()
		}
		return nil
	})
	return got
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
