package app

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"bindery/shared/core/people"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

// posted is a queue that remembers what was sent.
type posted struct {
	work, load, sweep []string
	delays            []time.Duration
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

func (p *posted) SendLoad(_ context.Context, w directory.WakeUp, delay time.Duration) error {
	p.load, p.delays = append(p.load, string(w.Encode())), append(p.delays, delay)
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
	for _, work := range []func(context.Context, []byte) error{core.Work, core.Load, core.Sweep} {
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
	passedOn := `{"connectionId":"con_a"}` // what is no job, from load to sync
	if !slices.Equal(q.work, []string{want, passedOn}) || !slices.Equal(q.load, []string{want}) || !slices.Equal(q.sweep, []string{want}) {
		t.Errorf("sent on %q, %q and %q, want each %s, and %s to sync", q.work, q.load, q.sweep, want, passedOn)
	}
	if delays := []time.Duration{directory.KeepFor, directory.KeepFor, 0, directory.KeepFor}; !slices.Equal(q.delays, delays) {
		t.Errorf("they come after %s, want %s", q.delays, delays)
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

// TestJobsArePassedOn: whichever of sync and load is woken for a job, the one that
// does it gets to know, and does it once. The one that does not do it leaves it alone.
func TestJobsArePassedOn(t *testing.T) {
	t.Parallel()
	s := store.New(memory.New(), store.Options{})
	fromSync, fromLoad := &posted{}, &posted{}
	sync, load := NewCore(Parts{Store: s, Queue: fromSync}), NewCore(Parts{Store: s, Queue: fromLoad})
	started, err := sync.Loads.StartLoad(t.Context(), directory.Caller{Subject: "ada"}, []byte("email,givenName\nann@corp.example,Ann\n"), people.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	message := directory.WakeUp{JobID: started.ID}.Encode()
	if len(fromSync.load) != 1 || fromSync.load[0] != string(message) || len(fromSync.work) != 0 {
		t.Fatalf("a new load wakes load by %q and sync by %q, want load by %s", fromSync.load, fromSync.work, message)
	}
	state := func() store.JobRecord {
		t.Helper()
		j, err := s.Jobs.Job(t.Context(), started.ID)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	deliver := func(to func(context.Context, []byte) error, body string) {
		t.Helper()
		if err := to(t.Context(), []byte(body)); err != nil {
			t.Fatal(err)
		}
	}

	// An older admin had sent it to sync; and the process of sync ended before the
	// message was deleted, so that it is passed on twice.
	fromSync.load = nil
	deliver(sync.Work, string(message))
	deliver(sync.Work, string(message))
	if j := state(); j.Version != 1 || j.State != directory.JobQueued || len(fromSync.load) != 2 || fromSync.load[0] != string(message) {
		t.Fatalf("woken for a load, sync made %+v of it and sent %q, want it passed on", j.Job, fromSync.load)
	}
	lease, mine, err := s.Jobs.AcquireJob(t.Context(), started.ID, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	deliver(load.Load, fromSync.load[0])
	if j := state(); j.Version != 1 {
		t.Errorf("while somebody else works on it, load made %+v of it", j.Job)
	}
	if err := s.Jobs.SaveJob(t.Context(), lease, &mine, nil, 0); err != nil {
		t.Fatal(err)
	}
	deliver(load.Load, fromSync.load[0])
	done := state()
	deliver(load.Load, fromSync.load[1])
	deliver(sync.Work, string(message))
	if again := state(); done.State != directory.JobDone || done.Done != 1 || again.Version != done.Version || len(fromSync.load) != 2 {
		t.Errorf("the load is %s with %d done, of version %d and then %d; sync sent %q", done.State, done.Done, done.Version, again.Version, fromSync.load)
	}

	// The other way round: jobs of other kinds, and what is no job.
	other := directory.Job{ID: directory.NewJobID(time.Now()), Kind: directory.JobAddresses, State: directory.JobQueued}
	if err := s.Jobs.CreateJob(t.Context(), directory.AuditEvent{}, &store.JobRecord{Job: other}); err != nil {
		t.Fatal(err)
	}
	want := []string{string(directory.WakeUp{JobID: other.ID}.Encode()), `{"connectionId":"con_a","check":true}`}
	for _, body := range want {
		deliver(load.Load, body)
	}
	if !slices.Equal(fromLoad.work, want) || len(fromLoad.load) != 0 {
		t.Fatalf("load passed on %q and %q, want %q to sync", fromLoad.work, fromLoad.load, want)
	}
	deliver(sync.Work, fromLoad.work[0])
	if j, err := s.Jobs.Job(t.Context(), other.ID); err != nil || j.State != directory.JobDone {
		t.Errorf("the other job is %s, %v, want done", j.State, err)
	}
}

// TestScheduleWakesLoads: the schedule sends a job that nobody works on to whoever does
// jobs of its kind.
func TestScheduleWakesLoads(t *testing.T) {
	t.Parallel()
	s := store.New(memory.New(), store.Options{})
	want := map[directory.JobKind]string{}
	for _, kind := range []directory.JobKind{directory.JobLoad, directory.JobBind} {
		j := directory.Job{ID: directory.NewJobID(time.Now()), Kind: kind, State: directory.JobQueued}
		if err := s.Jobs.CreateJob(t.Context(), directory.AuditEvent{}, &store.JobRecord{Job: j}); err != nil {
			t.Fatal(err)
		}
		want[kind] = string(directory.WakeUp{JobID: j.ID}.Encode())
	}
	q := &posted{}
	if err := NewCore(Parts{Store: s, Queue: q}).Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(q.load, []string{want[directory.JobLoad]}) || !slices.Contains(q.work, want[directory.JobBind]) || slices.Contains(q.work, want[directory.JobLoad]) {
		t.Errorf("sent to load %q and to sync %q, want %q", q.load, q.work, want)
	}
}
