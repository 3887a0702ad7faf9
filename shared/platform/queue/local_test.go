package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/platform/queue"
	"bindery/shared/platform/queue/queuetest"
)

// log notes what arrived and when, after the start of the bubble.
type log struct {
	mu    sync.Mutex
	start time.Time
	lines []string
}

func (l *log) add(body []byte) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf("%s %v", body, time.Since(l.start)))
	return len(l.lines)
}

func (l *log) want(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.lines, want) {
		t.Errorf("arrived:\n%q, want\n%q", l.lines, want)
	}
}

func send(t *testing.T, q *queue.Local, body string, delay time.Duration) {
	t.Helper()
	if err := q.Send(t.Context(), []byte(body), delay); err != nil {
		t.Fatal(err)
	}
}

// run runs the queue for a time of the bubble, and waits for its workers.
func run(q *queue.Local, d time.Duration, workers int, handle func(context.Context, []byte) error) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	q.Run(ctx, workers, handle)
}

// TestLocal runs the suite in virtual time.
func TestLocal(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, queuetest.Virtual, func(t *testing.T) queuetest.Driver {
		q := queue.NewLocal(queue.LocalConfig{Visibility: queuetest.Visibility, MaxReceives: queuetest.MaxReceives})
		return queuetest.Driver{Queue: q, Receive: func(ctx context.Context, handle queuetest.Handler) { q.Run(ctx, 1, handle) }, Dead: q.Dead}
	})
}

func TestLocalOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, l := queue.NewLocal(queue.LocalConfig{}), &log{start: time.Now()}
		send(t, q, `"day"`, 24*time.Hour)
		send(t, q, `"a"`, 0)
		send(t, q, `"hour"`, time.Hour)
		send(t, q, `"b"`, -time.Second)
		go func() {
			time.Sleep(10 * time.Minute)
			if err := q.Send(context.Background(), []byte(`"late"`), time.Minute); err != nil {
				t.Error(err)
			}
		}()
		run(q, 48*time.Hour, 1, func(_ context.Context, body []byte) error {
			l.add(body)
			return nil
		})
		l.want(t, `"a" 0s`, `"b" 0s`, `"late" 11m0s`, `"hour" 1h0m0s`, `"day" 24h0m0s`)
		if q.Len() != 0 {
			t.Errorf("Len = %d, want 0", q.Len())
		}
	})
}

func TestLocalWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, l := queue.NewLocal(queue.LocalConfig{}), &log{start: time.Now()}
		for range 6 {
			send(t, q, `1`, 0)
		}
		run(q, time.Hour, 3, func(_ context.Context, body []byte) error {
			time.Sleep(time.Minute)
			l.add(body)
			return nil
		})
		l.want(t, "1 1m0s", "1 1m0s", "1 1m0s", "1 2m0s", "1 2m0s", "1 2m0s")
	})
}

func TestLocalFailures(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		retry time.Duration
		want  []string
	}{
		{"by visibility", 0, []string{"1 0s", "1 18m0s", "1 36m0s", "1 54m0s", "1 1h12m0s"}},
		{"by retry", time.Minute, []string{"1 0s", "1 1m0s", "1 2m0s", "1 3m0s", "1 4m0s"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q, l := queue.NewLocal(queue.LocalConfig{Retry: test.retry}), &log{start: time.Now()}
				send(t, q, `1`, 0)
				run(q, 10*time.Hour, 2, func(_ context.Context, body []byte) error {
					l.add(body)
					return errors.New("no")
				})
				l.want(t, test.want...)
				if dead := q.Dead(); len(dead) != 1 || string(dead[0]) != "1" || q.Len() != 0 {
					t.Errorf("dead = %q, Len = %d, want the one", dead, q.Len())
				}
			})
		})
	}
}

// TestLocalVisibility lets a handler overstay: the message comes again, and
// the first success takes it off.
func TestLocalVisibility(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, l := queue.NewLocal(queue.LocalConfig{Visibility: time.Minute}), &log{start: time.Now()}
		send(t, q, `1`, 0)
		run(q, time.Hour, 2, func(_ context.Context, body []byte) error {
			if l.add(body) == 1 {
				time.Sleep(90 * time.Second)
			}
			return nil
		})
		l.want(t, "1 0s", "1 1m0s")
		if q.Len() != 0 {
			t.Errorf("Len = %d, want 0", q.Len())
		}
	})
}

// TestLocalStops ends Run in the middle of a handler: what was not done stays.
func TestLocalStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, l := queue.NewLocal(queue.LocalConfig{}), &log{start: time.Now()}
		send(t, q, `1`, 0)
		send(t, q, `2`, 0)
		ended := false
		run(q, time.Minute, 1, func(ctx context.Context, body []byte) error {
			l.add(body)
			<-ctx.Done()
			time.Sleep(time.Second) // cleaning up
			ended = true
			return ctx.Err()
		})
		l.want(t, "1 0s")
		if !ended || q.Len() != 2 {
			t.Errorf("ended = %v, Len = %d, want the handler to end and both to stay", ended, q.Len())
		}
		if err := q.Send(t.Context(), []byte(`{`), 0); !errors.Is(err, queue.ErrInvalid) {
			t.Errorf("Send of broken JSON = %v, want ErrInvalid", err)
		}
	})
}

func TestLocalCopies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := queue.NewLocal(queue.LocalConfig{})
		body := []byte(`"a"`)
		if err := q.SendMany(t.Context(), []queue.Message{{Body: body}, {Body: []byte(`2`), Delay: time.Second}}); err != nil {
			t.Fatal(err)
		}
		body[1] = 'x'
		var got []string
		run(q, time.Hour, 1, func(_ context.Context, b []byte) error {
			got = append(got, string(b))
			b[0] = '!'
			if len(got) == 1 {
				return errors.New("again")
			}
			return nil
		})
		if want := []string{`"a"`, `2`, `"a"`}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
