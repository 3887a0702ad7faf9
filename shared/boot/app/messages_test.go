package app

import (
	"context"
	"errors"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

// posted is a queue that remembers what was sent.
type posted struct {
	work, sweep []string
	delays      []time.Duration
}

func (p *posted) Send(_ context.Context, w directory.WakeUp, delay time.Duration) error {
	p.work, p.delays = append(p.work, string(w.Encode())), append(p.delays, delay)
	return nil
}

func (p *posted) SendAll(ctx context.Context, list []directory.WakeUp) error {
	for _, w := range list {
		if err := p.Send(ctx, w, 0); err != nil {
			return err
		}
	}
	return nil
}

func (p *posted) SendSweep(_ context.Context, w directory.WakeUp, delay time.Duration) error {
	p.sweep, p.delays = append(p.sweep, string(w.Encode())), append(p.delays, delay)
	return nil
}

// TestMessagesOfANewerVersion: while a version is deployed, the older one
// receives its messages too. It loses none and makes no dead letter of one that
// a deployment leaves behind.
func TestMessagesOfANewerVersion(t *testing.T) {
	t.Parallel()
	q := &posted{}
	core := NewCore(Parts{Store: store.New(memory.New(), store.Options{}), Queue: q})
	for _, work := range []func(context.Context, []byte) error{core.Work, core.Sweep} {
		if err := work(t.Context(), []byte(`{"needs":9,"tenantGroup":"g"}`)); err != nil {
			t.Errorf("a newer version's message: %v, want it to be kept", err)
		}
		if err := work(t.Context(), []byte(`{"needs":9,"tenantGroup":"g","kept":30}`)); !errors.Is(err, directory.ErrNewer) {
			t.Errorf("one that was kept for long: %v, want ErrNewer", err)
		}
		if err := work(t.Context(), []byte(`{"connectionId":"con_a","color":"blue"}`)); err != nil {
			t.Errorf("a message with a member more: %v, want a wake-up like others", err)
		}
	}
	want := `{"kept":1,"needs":9,"tenantGroup":"g"}`
	if len(q.work) != 1 || q.work[0] != want || len(q.sweep) != 1 || q.sweep[0] != want {
		t.Errorf("sent on %q and %q, want each %s", q.work, q.sweep, want)
	}
	for _, d := range q.delays {
		if d != directory.KeepFor {
			t.Errorf("it comes again after %s, want %s", d, directory.KeepFor)
		}
	}
}

// TestJobOfANewerVersion: a job that this version cannot do is not touched, and
// stays open for who can.
func TestJobOfANewerVersion(t *testing.T) {
	t.Parallel()
	s := store.New(memory.New(), store.Options{})
	core := NewCore(Parts{Store: s, Queue: &posted{}})
	for _, j := range []directory.Job{
		{ID: directory.NewJobID(time.Now()), Kind: "merge-directories", State: directory.JobQueued},
		{ID: directory.NewJobID(time.Now()), Kind: directory.JobLoad, State: "paused"},
	} {
		if err := s.Jobs.CreateJob(t.Context(), directory.AuditEvent{}, &store.JobRecord{Job: j}); err != nil {
			t.Fatal(err)
		}
		for range 7 {
			if err := core.Work(t.Context(), directory.WakeUp{JobID: j.ID}.Encode()); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.Jobs.Job(t.Context(), j.ID)
		if err != nil || got.State != j.State || got.Attempts != 0 || got.Version != 1 {
			t.Errorf("job %s %s became %+v, %v, want it as it was", j.Kind, j.State, got, err)
		}
	}
	if open, err := s.Jobs.OpenJobs(t.Context()); err != nil || len(open) != 2 {
		t.Errorf("%d jobs are open, %v, want both", len(open), err)
	}
}
