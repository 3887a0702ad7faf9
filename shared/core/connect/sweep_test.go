package connect

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"bindery/shared/directory"
)

// leftover plays what a Sweeper works with: a connection in its third epoch, and
// pages of bindings in each of the past ones.
type leftover struct {
	pages  map[int64]int
	uses   int // pages of uses of groups besides the last
	failAt int // which call for bindings fails; 0: none
	calls  []string
	takes  time.Duration
	now    time.Time
}

var errTable = errors.New("the table is busy")

func (l *leftover) Connection(_ context.Context, id directory.ConnectionID) (directory.Connection, error) {
	if id != "con_a" {
		return directory.Connection{}, directory.ErrNotFound
	}
	return directory.Connection{ID: id, Epoch: 3, Tenant: &directory.Tenant{ID: "t"}}, nil
}

func (l *leftover) Sweep(_ context.Context, c *directory.Connection, tenant directory.TenantID, epoch int64) (int, bool, error) {
	l.calls = append(l.calls, "bindings")
	l.now = l.now.Add(l.takes)
	if tenant != "t" || len(l.calls) == l.failAt {
		return 1, true, errTable
	}
	l.pages[epoch]--
	return 300, l.pages[epoch] > 0, nil
}

func (l *leftover) SweepUses(_ context.Context, c *directory.Connection) (bool, error) {
	l.calls = append(l.calls, "uses")
	l.now = l.now.Add(l.takes)
	l.uses--
	return l.uses >= 0, nil
}

func (l *leftover) EndOpenRuns(context.Context, *directory.Connection) error {
	l.calls = append(l.calls, "runs")
	return nil
}

func (l *leftover) SweepSecrets(context.Context, directory.ConnectionID) error {
	l.calls = append(l.calls, "secrets")
	return nil
}

func TestSweeper(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 24, 7, 30, 0, 0, time.UTC)
	for what, tt := range map[string]struct {
		id    directory.ConnectionID
		left  leftover
		want  Swept
		calls []string
		err   error
	}{
		"all":                      {"con_a", leftover{}, Swept{Bindings: 900}, []string{"bindings", "bindings", "bindings", "uses", "runs", "secrets"}, nil},
		"many uses":                {"con_a", leftover{uses: 2}, Swept{Bindings: 900}, []string{"bindings", "bindings", "bindings", "uses", "uses", "uses", "runs", "secrets"}, nil},
		"uses of one deleted":      {"con_b", leftover{uses: 9, takes: 25 * time.Second}, Swept{Gone: true, More: true}, []string{"uses", "uses"}, nil},
		"one that was deleted":     {"con_b", leftover{}, Swept{Gone: true}, []string{"uses"}, nil},
		"the bindings take long":   {"con_a", leftover{takes: 25 * time.Second}, Swept{Bindings: 600, More: true}, []string{"bindings", "bindings"}, nil},
		"the bindings cannot go":   {"con_a", leftover{failAt: 2}, Swept{Bindings: 301}, []string{"bindings", "bindings", "uses", "runs"}, errTable},
		"and the first cannot, so": {"con_a", leftover{failAt: 1}, Swept{Bindings: 1}, []string{"bindings", "uses", "runs"}, errTable},
	} {
		l := tt.left
		l.pages, l.now = map[int64]int{1: 1, 2: 2}, start
		ctx, cancel := context.WithDeadline(t.Context(), start.Add(time.Minute))
		s := NewSweeper(SweeperConfig{Connections: &l, Bindings: &l, Uses: &l, Runs: &l, Secrets: &l, Now: func() time.Time { return l.now }})
		got, err := s.Sweep(notOver{ctx}, tt.id)
		cancel()
		if got != tt.want || !errors.Is(err, tt.err) || !slices.Equal(l.calls, tt.calls) {
			t.Errorf("%s: Sweep = %+v, %v by %v, want %+v, %v by %v", what, got, err, l.calls, tt.want, tt.err, tt.calls)
		}
	}
}

// notOver is a context with a deadline of the test's clock.
type notOver struct{ context.Context }

func (notOver) Done() <-chan struct{} { return nil }
func (notOver) Err() error            { return nil }
