package signer_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"bindery/shared/platform/signer"
)

// counted counts how often a signer is called, and may be down.
type counted struct {
	signer.Signer
	mu    sync.Mutex
	calls int
	down  error
	asked [][]byte
}

func (c *counted) Sign(ctx context.Context, message []byte) ([]byte, string, error) {
	c.mu.Lock()
	c.calls++
	c.asked = append(c.asked, bytes.Clone(message))
	down := c.down
	c.mu.Unlock()
	if down != nil {
		return nil, "", down
	}
	return c.Signer.Sign(ctx, message)
}

func TestSessions(t *testing.T) {
	t.Parallel()
	macs := &counted{Signer: local("k")}
	writer, reader := signer.NewSessions(macs), signer.NewSessions(macs)
	one, two := []byte("one"), []byte("two")
	sealOf := func(s *signer.Sessions, message []byte) string {
		t.Helper()
		got, err := s.Seal(t.Context(), message)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	a, b := sealOf(writer, one), sealOf(writer, two)
	if macs.calls != 1 {
		t.Errorf("two seals took %d calls, want 1", macs.calls)
	}
	for _, c := range []struct {
		what    string
		message []byte
		seal    string
		want    bool
	}{
		{"its own", one, a, true}, {"its own, once more", one, a, true}, {"another message", two, a, false}, {"another seal", one, b, false},
		{"none", one, "", false}, {"of another form", one, "2" + a[1:], false}, {"cut off", one, a[:len(a)-2], false},
		{"longer", one, a + "AA", false}, {"a nonce that is none", one, "1.x" + a[3:], false},
		{"without a nonce", one, "1." + a[strings.LastIndexByte(a, '.')+1:], false},
	} {
		if got, err := reader.Sealed(t.Context(), c.message, c.seal); err != nil || got != c.want {
			t.Errorf("%s: Sealed = %v, %v, want %v", c.what, got, err, c.want)
		}
	}
	if macs.calls != 2 {
		t.Errorf("the reader took %d calls for one session, want 1", macs.calls-1)
	}
	// Somebody without the key: a session of a key of his own, and a nonce whose
	// session's key he would have to know.
	if got, err := reader.Sealed(t.Context(), one, sealOf(signer.NewSessions(local("another")), one)); err != nil || got {
		t.Errorf("a seal by another key: %v, %v", got, err)
	}
}

func TestSessionsCannotBeOpenedWithoutTheSigner(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	macs := &counted{Signer: local("k"), down: gone}
	s := signer.NewSessions(macs)
	if _, err := s.Seal(t.Context(), []byte("x")); !errors.Is(err, gone) {
		t.Errorf("Seal = %v", err)
	}
	macs.down = nil
	got, err := s.Seal(t.Context(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	macs.down = gone
	if _, err := s.Seal(t.Context(), []byte("y")); err != nil {
		t.Errorf("an open session needs the signer: %v", err)
	}
	if _, err := signer.NewSessions(macs).Sealed(t.Context(), []byte("x"), got); !errors.Is(err, gone) {
		t.Errorf("Sealed = %v, want that it cannot be found out", err)
	}
	for _, m := range macs.asked {
		if !bytes.HasPrefix(m, []byte("bindery session 1\n")) {
			t.Errorf("asked to sign %q", m)
		}
	}
}

func TestManySessions(t *testing.T) {
	t.Parallel()
	macs := &counted{Signer: local("k")}
	s := signer.NewSessions(macs)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			got, err := s.Seal(context.Background(), []byte("x"))
			if ok, checkErr := s.Sealed(context.Background(), []byte("x"), got); err != nil || checkErr != nil || !ok {
				t.Error(err, checkErr, ok)
			}
		})
	}
	group.Wait()
	for range 5000 { // the sessions of others do not fill the memory, nor drive out our own
		other, err := signer.NewSessions(local("k")).Seal(t.Context(), []byte("x"))
		if ok, checkErr := s.Sealed(t.Context(), []byte("x"), other); err != nil || checkErr != nil || !ok {
			t.Fatal(err, checkErr, ok)
		}
	}
	before := macs.calls
	if _, err := s.Seal(t.Context(), []byte("y")); err != nil || macs.calls != before {
		t.Errorf("our own session was opened anew: %v, %d calls", err, macs.calls-before)
	}
}
