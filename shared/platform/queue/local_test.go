package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/platform/queue"
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

func newLocal() *queue.Local {
	q := queue.NewLocal()
	q.Log = slog.New(slog.DiscardHandler)
	return q
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

func TestLocalOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, l := newLocal(), &log{start: time.Now()}
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
	synctest.Test(t, func(t *testing.T) {
		q, l := newLocal(), &log{start: time.Now()}
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
				q, l := newLocal(), &log{start: time.Now()}
				q.Retry = test.retry
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
	synctest.Test(t, func(t *testing.T) {
		q, l := newLocal(), &log{start: time.Now()}
		q.Visibility = time.Minute
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
	synctest.Test(t, func(t *testing.T) {
		q, l := newLocal(), &log{start: time.Now()}
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
	synctest.Test(t, func(t *testing.T) {
		q := newLocal()
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

func TestEnvelope(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 600, time.UTC)
	for _, test := range []struct {
		name string
		e    queue.Envelope
		bare bool
	}{
		{"at once", queue.Envelope{Body: []byte(`{"connectionId":"a"}`)}, true},
		{"later", queue.Envelope{Body: []byte(`{"a":"<&>"}`), NotBefore: now.Add(time.Hour)}, false},
		{"an envelope itself", queue.Envelope{Body: []byte(`{"notBefore":"2030-01-01T00:00:00Z","body":1}`)}, false},
		{"an envelope with something besides", queue.Envelope{Body: []byte(`{"notBefore":"2030-01-01T00:00:00Z","body":1,"more":2}`)}, false},
		{"null", queue.Envelope{Body: []byte(`null`)}, true},
		{"like one", queue.Envelope{Body: []byte(`{"notBefore":null,"body":1}`)}, true},
	} {
		b, err := test.e.Encode()
		if err != nil {
			t.Errorf("%s: Encode = %v", test.name, err)
			continue
		}
		if bare := string(b) == string(test.e.Body); bare != test.bare {
			t.Errorf("%s: Encode = %s, want bare = %v", test.name, b, test.bare)
		}
		got, err := queue.Decode(b)
		if err != nil || string(got.Body) != string(test.e.Body) || !got.NotBefore.Equal(test.e.NotBefore) {
			t.Errorf("%s: Decode(Encode) = %+v, %v, want %+v", test.name, got, err, test.e)
		}
	}
	later := queue.Envelope{Body: []byte(`1`), NotBefore: now.Add(time.Hour)}
	if _, remaining := later.Due(now); remaining != time.Hour {
		t.Errorf("remaining = %v, want 1h", remaining)
	}
	if _, remaining := later.Due(now.Add(2 * time.Hour)); remaining != 0 {
		t.Errorf("remaining = %v, want 0", remaining)
	}
	big, _ := json.Marshal(string(make([]byte, queue.MaxBody)))
	for _, body := range []string{"", "{", "\"\xff\"", string(big)} {
		if _, err := (queue.Envelope{Body: []byte(body)}).Encode(); !errors.Is(err, queue.ErrInvalid) {
			t.Errorf("Encode of %.10q = %v, want ErrInvalid", body, err)
		}
	}
	if _, err := queue.Decode([]byte("{")); !errors.Is(err, queue.ErrInvalid) {
		t.Errorf("Decode of broken JSON = %v, want ErrInvalid", err)
	}
}
