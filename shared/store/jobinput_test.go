package store

import (
	"errors"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table/memory"
)

// A part that a worker adds to a job's input is stored with the job's place, and
// neither of them by a worker whose lease somebody else has.
func TestAddJobInput(t *testing.T) {
	ctx, now := t.Context(), time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	table := memory.New()
	table.Now = clock
	s := New(table, Options{Now: clock})
	j := JobRecord{Job: directory.Job{ID: directory.NewJobID(now), Kind: directory.JobLoad, State: directory.JobQueued}}
	must(t, s.Jobs.CreateJob(ctx, directory.AuditEvent{}, &j, []byte("0")))
	lost, mine, err := s.Jobs.AcquireJob(ctx, j.ID, time.Minute)
	must(t, err)
	mine.Cursor = []byte(`1`)
	must(t, s.Jobs.AddJobInput(ctx, lost, &mine, 1, []byte("one"), time.Minute))
	if _, _, err := s.Jobs.AcquireJob(ctx, j.ID, time.Minute); !errors.Is(err, ErrLeaseHeld) {
		t.Errorf("the lease of whoever adds a part: %v", err)
	}
	now = now.Add(2 * time.Minute)
	lease, other, err := s.Jobs.AcquireJob(ctx, j.ID, time.Minute)
	must(t, err)
	if string(other.Cursor) != "1" || other.Inputs != 1 {
		t.Errorf("job behind the part: %+v", other)
	}
	mine.Cursor = []byte(`2`)
	if err := s.Jobs.AddJobInput(ctx, lost, &mine, 1, []byte("two"), time.Minute); !errors.Is(err, directory.ErrLeaseLost) {
		t.Errorf("a part of whoever lost the lease: %v", err)
	}
	if part, err := s.Jobs.JobInput(ctx, &other, 1); err != nil || string(part) != "one" {
		t.Errorf("the part is %q, %v", part, err)
	}
	must(t, s.Jobs.AddJobInput(ctx, lease, &other, 2, []byte("three"), time.Minute))
	must(t, s.Jobs.SaveJob(ctx, lease, &other, nil, 0))
}
