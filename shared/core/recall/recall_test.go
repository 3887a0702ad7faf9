package recall

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/clock"
)

// source counts its reads.
type source struct {
	reads int
	value string
	err   error
	takes time.Duration
}

func (s *source) read(ctx context.Context) (string, error) {
	s.reads++
	value, err := s.value, s.err
	if err := clock.Sleep(ctx, s.takes); err != nil {
		return "", err
	}
	return value, err
}

func TestWhatIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Memory[string, string]{For: time.Minute, Errors: 10 * time.Second, Keep: func(v string) bool { return v != "doubtful" }}
		s := &source{}
		failed := errors.New("failed")
		for _, step := range []struct {
			what    string
			after   time.Duration
			value   string
			err     error
			version string
			do      func()
			want    string
			reads   int
		}{
			{"first", 0, "a", nil, "1", nil, "a", 1},
			{"kept", 59 * time.Second, "b", nil, "1", nil, "a", 1},
			{"too old", time.Second, "b", nil, "1", nil, "b", 2},
			{"of another version", 0, "c", nil, "2", nil, "c", 3},
			{"of the former version again", 0, "d", nil, "1", nil, "d", 4},
			{"forgotten", 0, "e", nil, "1", func() { m.Forget("k") }, "e", 5},
			{"what may not be kept", time.Minute, "doubtful", nil, "1", nil, "doubtful", 6},
			{"is read again", 0, "f", nil, "1", nil, "f", 7},
			{"a failure", time.Minute, "", failed, "1", nil, "failed", 8},
			{"is kept", 9 * time.Second, "g", nil, "1", nil, "failed", 8},
			{"for a shorter time", time.Second, "g", nil, "1", nil, "g", 9},
		} {
			time.Sleep(step.after)
			if step.do != nil {
				step.do()
			}
			s.value, s.err = step.value, step.err
			got, err := m.Get(t.Context(), "k", step.version, s.read)
			if err != nil {
				got = err.Error()
			}
			if got != step.want || s.reads != step.reads {
				t.Errorf("%s: got %q after %d reads, want %q after %d", step.what, got, s.reads, step.want, step.reads)
			}
		}
	})
}

func TestFailuresAreNotKeptUnlessWanted(t *testing.T) {
	m := &Memory[int, string]{For: time.Minute}
	s := &source{err: errors.New("failed")}
	for range 3 {
		if _, err := m.Get(t.Context(), 1, "", s.read); err == nil {
			t.Fatal("no error")
		}
	}
	if s.reads != 3 {
		t.Errorf("%d reads, want one for each", s.reads)
	}
}

// A clock that is set back ends a value rather than make it live on.
func TestClockSetBack(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	m := &Memory[int, string]{For: time.Minute, Now: func() time.Time { return now }}
	s := &source{value: "a"}
	m.Get(t.Context(), 1, "", s.read)
	now, s.value = now.Add(-24*time.Hour), "b"
	if got, err := m.Get(t.Context(), 1, "", s.read); got != "b" || err != nil {
		t.Errorf("Get = %q, %v", got, err)
	}
}

func TestManyAskAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Memory[string, string]{For: time.Minute}
		s := &source{value: "a", takes: time.Second}
		got := make(chan string, 20)
		ask := func(ctx context.Context) {
			v, err := m.Get(ctx, "k", "", s.read)
			if err != nil {
				v = err.Error()
			}
			got <- v
		}
		// The one who reads gives up: the others are not told, one of them reads.
		ctx, cancel := context.WithCancel(t.Context())
		go ask(ctx)
		synctest.Wait()
		for range 9 {
			go ask(t.Context())
		}
		synctest.Wait()
		cancel()
		if v := <-got; v != context.Canceled.Error() {
			t.Errorf("who gave up has %q", v)
		}
		for range 9 {
			if v := <-got; v != "a" {
				t.Errorf("got %q, want a", v)
			}
		}
		if s.reads != 2 {
			t.Errorf("%d reads for ten who ask, want 2", s.reads)
		}
		// A failure is the reader's own.
		m.Forget("k")
		s.reads, s.err = 0, errors.New("of the one")
		go ask(t.Context())
		synctest.Wait()
		s.err = nil
		go ask(t.Context())
		if first, second := <-got, <-got; first != "of the one" || second != "a" || s.reads != 2 {
			t.Errorf("got %q and %q after %d reads", first, second, s.reads)
		}
		// Who waits may give up as well.
		m.Forget("k")
		go ask(t.Context())
		synctest.Wait()
		late, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := m.Get(late, "k", "", s.read); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who waits no longer has %v", err)
		}
		<-got
	})
}

// What was read before somebody said that it changed counts neither afterwards
// nor for those who ask then.
func TestForgottenWhileItIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Memory[string, string]{For: time.Minute}
		s := &source{value: "old", takes: time.Second}
		first := make(chan string, 1)
		go func() {
			v, _ := m.Get(t.Context(), "k", "", s.read)
			first <- v
		}()
		synctest.Wait()
		m.Forget("k")
		s.value = "new"
		if v, err := m.Get(t.Context(), "k", "", s.read); v != "new" || err != nil {
			t.Errorf("Get = %q, %v, want what was read afterwards", v, err)
		}
		<-first
		if v, err := m.Get(t.Context(), "k", "", s.read); v != "new" || err != nil || s.reads != 2 {
			t.Errorf("Get = %q, %v after %d reads, want the new one kept", v, err, s.reads)
		}
	})
}

func TestNoMoreThanMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Memory[int, string]{For: time.Hour, Most: 3}
		s := &source{}
		for i := range 5 {
			s.value = fmt.Sprint(i)
			m.Get(t.Context(), i, "", s.read)
			time.Sleep(time.Second)
		}
		s.reads = 0
		for _, i := range []int{4, 3, 2} {
			if got, _ := m.Get(t.Context(), i, "", s.read); got != fmt.Sprint(i) {
				t.Errorf("%d = %q", i, got)
			}
		}
		if s.reads != 0 || len(m.known) != 3 {
			t.Errorf("%d of the newest were read again, %d are kept", s.reads, len(m.known))
		}
	})
}

func TestPanicLeavesNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Memory[string, string]{For: time.Hour, Errors: time.Hour}
		go func() {
			defer func() { _ = recover() }()
			m.Get(t.Context(), "k", "", func(context.Context) (string, error) {
				time.Sleep(time.Second)
				panic("no")
			})
		}()
		synctest.Wait()
		if v, err := m.Get(t.Context(), "k", "", (&source{value: "a"}).read); v != "a" || err != nil {
			t.Errorf("Get = %q, %v", v, err)
		}
	})
}
