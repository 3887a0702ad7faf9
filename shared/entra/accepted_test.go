package entra

import (
	"context"
	"errors"
	"sync"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// accounting is a source that keeps account of its tokens, and gives no third one.
type accounting struct {
	*tokens

	mu       sync.Mutex
	accepted []string
	given    int
}

var errWait = errors.New("wait")

func (a *accounting) Accepted(_ context.Context, token directory.Secret) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.accepted = append(a.accepted, token.Reveal())
}

func (a *accounting) Renew(ctx context.Context, rejected directory.Secret) (directory.Secret, error) {
	if a.given++; a.given > 1 {
		return directory.Secret{}, errWait
	}
	return a.tokens.Renew(ctx, rejected)
}

// A source that keeps account hears which tokens Graph has accepted, and says what
// it means that a renewed one is refused as well.
func TestAcceptedTokens(t *testing.T) {
	t.Parallel()
	for _, read := range []struct {
		name string
		do   func(w *world) error
	}{
		{"a read", func(w *world) error { _, err := w.tenant.Me(t.Context()); return err }},
		{"a batch", func(w *world) error { _, err := w.tenant.Lookup(t.Context(), []string{plainID}, nil); return err }},
		{"a write", func(w *world) error {
			_, err := w.tenant.Write(t.Context(), []directory.Write{{Effect: directory.EffectUpdate, AccountID: plainID,
				Properties: directory.Properties{"jobTitle": directory.StringValue("Boss")}}})
			return err
		}},
	} {
		w := newWorld(t, 1)
		a := &accounting{tokens: w.tokens}
		w.tenant = w.graph.Tenant(a)
		first := w.tokens.current
		if err := read.do(w); err != nil || len(a.accepted) != 1 || a.accepted[0] != first {
			t.Errorf("%s: %d tokens accepted, %v", read.name, len(a.accepted), err)
		}
		a.accepted = nil
		if _, err := w.sim.SetFault(entratest.Fault{Kind: "unauthorized", Times: 1}); err != nil {
			t.Fatal(err)
		}
		if err := read.do(w); err != nil || len(a.accepted) != 1 || a.accepted[0] == first {
			t.Errorf("%s after a renewal: %d tokens accepted, %v", read.name, len(a.accepted), err)
		}
		a.accepted, a.given = nil, 0
		if _, err := w.sim.SetFault(entratest.Fault{Kind: "unauthorized"}); err != nil {
			t.Fatal(err)
		}
		if err := read.do(w); !errors.Is(err, errWait) || errors.Is(err, directory.ErrUnauthorized) || len(a.accepted) != 0 {
			t.Errorf("%s refused for good: %d tokens accepted, %v", read.name, len(a.accepted), err)
		}
	}
}
