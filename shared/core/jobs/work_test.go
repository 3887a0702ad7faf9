package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/testworld"
)

// world is a table in memory with jobs of one kind, whose steps a test gives.
type world struct {
	*testworld.World
	*Service
	*Runner
	t         *testing.T
	records   *store.Store
	step      func(ctx context.Context, j *Job) (Result, error)
	closed    int
	abandoned int
}

// WakeJob loses the wake-up.
func (*world) WakeJob(context.Context, *directory.Job, time.Duration) error {
	return errors.New("queue down")
}

// worker does the world's steps.
type worker struct{ world *world }

func (k worker) Step(ctx context.Context, j *Job) (Result, error) { return k.world.step(ctx, j) }

func (k worker) Abandon(context.Context, *Job) { k.world.abandoned++ }

func (k worker) Close() error {
	k.world.closed++
	return errors.New("it cannot be closed")
}

func newWorld(t *testing.T) *world {
	t.Helper()
	base := testworld.New(t)
	w := &world{World: base, t: t, records: base.Store}
	w.Service = New(Config{Store: w.records.Jobs, Wake: w, Now: w.Now})
	w.Runner = NewRunner(RunnerConfig{Store: w.records.Jobs, Now: w.Now, Kinds: map[directory.JobKind]Kind{
		directory.JobLoad: func(*Job) Worker { return worker{w} },
	}})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// begin starts a job of three elements, one a step.
func (w *world) begin() directory.JobID {
	w.t.Helper()
	parts, err := Parts([]string{"a", "b", "c"})
	w.must(err)
	j, err := w.Start(w.t.Context(), Order{Kind: directory.JobLoad, By: directory.Caller{Subject: "ada"}, Input: "input", Total: 3, Parts: parts})
	w.must(err)
	return j.ID
}

// element does the next element of a job; of the last one, the job has ended.
func element(ctx context.Context, j *Job) (Result, error) {
	var list List[string]
	var at Place
	if err := j.ReadPlace(&at); err != nil {
		return Result{}, err
	}
	some, next, err := list.Window(ctx, j, at, 1)
	if err != nil || len(some) == 0 {
		return Result{Ended: err == nil}, err
	}
	j.Done++
	j.Count("seen", 1)
	j.Note(directory.JobNote{Name: some[0], Warning: directory.Warning{Detail: strings.Repeat("x", 1000)}})
	return Result{Refused: []directory.RefusedItem{{Name: some[0]}}}, j.SetPlace(next)
}

// slice does one slice of a job with a minute of room.
func (w *world) slice(id directory.JobID) (store.JobRecord, bool, time.Duration) {
	w.t.Helper()
	again, delay, err := w.Work(w.t.Context(), id, w.Now().Add(time.Minute))
	w.must(err)
	j, err := w.records.Jobs.Job(w.t.Context(), id)
	w.must(err)
	return j, again, delay
}

func TestJobIsDoneStepByStep(t *testing.T) {
	w := newWorld(t)
	w.step = element
	id := w.begin()
	j, again, _ := w.slice(id)
	if again || j.State != directory.JobDone || j.Done != 3 || j.Counts["seen"] != 3 || j.RefusedCount != 3 || j.Ended.IsZero() || j.AskedBy != "ada" || w.closed != 1 || w.abandoned != 0 {
		t.Errorf("again %t, job %+v, closed %d times, abandoned %d times", again, j.Job, w.closed, w.abandoned)
	}
	if n := len([]rune(j.Notes[0].Detail)); n != maxDetail+1 {
		t.Errorf("a note of %d characters", n)
	}
	page, err := w.Get(t.Context(), id, "")
	if err != nil || len(page.Refused) != 3 || page.Refused[2].Name != "c" {
		t.Errorf("Get = %+v, %v", page, err)
	}
	if again, _, err := w.Work(t.Context(), id, w.Now().Add(time.Minute)); again || err != nil {
		t.Errorf("Work on an ended job = %t, %v", again, err)
	}
	if open, err := w.records.Jobs.OpenJobs(t.Context()); err != nil || len(open) != 0 {
		t.Errorf("OpenJobs = %v, %v", open, err)
	}
}

// A step may leave the rest to another slice; what it did is kept.
func TestAStepEndsTheSlice(t *testing.T) {
	w := newWorld(t)
	w.step = func(ctx context.Context, j *Job) (Result, error) {
		result, err := element(ctx, j)
		result.Next = time.Hour
		return result, err
	}
	id := w.begin()
	for n := 1; n <= 3; n++ {
		if j, again, delay := w.slice(id); !again || delay != 0 || j.Done != n || j.RefusedCount != n || j.State != directory.JobRunning {
			t.Fatalf("slice %d: again %t in %s, job %+v", n, again, delay, j.Job)
		}
	}
	if j, again, _ := w.slice(id); again || j.State != directory.JobDone || j.Done != 3 {
		t.Errorf("at last: again %t, job %+v", again, j.Job)
	}
}

func TestNoJob(t *testing.T) {
	w := newWorld(t)
	if again, _, err := w.Work(t.Context(), "job_none", w.Now().Add(time.Minute)); again || err != nil {
		t.Errorf("Work on no job = %t, %v", again, err)
	}
	if _, err := w.Get(t.Context(), "job_none", ""); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("Get of none = %v", err)
	}
}

// What a step that fails has done to the job is undone, and tried again; a job
// that makes no progress is given up.
func TestErrorsOfSteps(t *testing.T) {
	problem := &directory.Problem{Code: "turns", Message: "It turns.", Next: "Wait."}
	for name, test := range map[string]struct {
		err   error
		state directory.JobState // after the first slice
		delay time.Duration
		code  string             // of the error that the job shows then
		last  directory.JobState // when the step goes on failing for two days
		final string             // code of the error then
	}{
		"throttled":     {&directory.ThrottledError{RetryAfter: 7 * time.Second}, directory.JobRunning, 7 * time.Second, "", directory.JobRunning, ""},
		"unavailable":   {directory.ErrUnavailable, directory.JobRunning, time.Minute, "", directory.JobFailed, "gave-up"},
		"unauthorized":  {directory.ErrUnauthorized, directory.JobFailed, 0, "needs-authorization", directory.JobFailed, "needs-authorization"},
		"a refusal":     {directory.Refuse(directory.ErrInvalid, "bad", "Bad.", "Mend it."), directory.JobFailed, 0, "bad", directory.JobFailed, "bad"},
		"busy":          {directory.Refuse(directory.ErrBusy, "busy", "Busy.", ""), directory.JobRunning, 5 * time.Second, "try-failed", directory.JobFailed, "gave-up"},
		"any other":     {errors.New("no luck"), directory.JobRunning, 5 * time.Second, "try-failed", directory.JobFailed, "gave-up"},
		"a rest":        {&Rest{Problem: problem, For: time.Hour, Place: Place{Index: 2}}, directory.JobRunning, time.Hour, "turns", directory.JobRunning, "turns"},
		"a failure":     {&Failure{problem}, directory.JobFailed, 0, "turns", directory.JobFailed, "turns"},
		"a lost lease":  {directory.ErrLeaseLost, directory.JobRunning, 0, "", directory.JobRunning, ""},
		"wrapped twice": {fmt.Errorf("a: %w", fmt.Errorf("b: %w", &Failure{problem})), directory.JobFailed, 0, "turns", directory.JobFailed, "turns"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			steps := 0
			w.step = func(ctx context.Context, j *Job) (Result, error) {
				if steps++; steps == 1 {
					return element(ctx, j)
				}
				j.Done += 100
				j.Count("seen", 100)
				return Result{}, test.err
			}
			id := w.begin()
			codeOf := func(j store.JobRecord) string {
				if j.Error == nil {
					return ""
				}
				return j.Error.Code
			}
			j, again, delay := w.slice(id)
			if j.State != test.state || delay != test.delay || codeOf(j) != test.code || j.Done != 1 || j.Counts["seen"] != 1 {
				t.Errorf("the first slice: %s after %s, %q, done %d, %v", j.State, delay, codeOf(j), j.Done, j.Counts)
			}
			if failed := j.State == directory.JobFailed; failed == again && name != "a lost lease" {
				t.Errorf("again is %t of a job that is %s", again, j.State)
			}
			if _, rests := errors.AsType[*Rest](test.err); rests && string(j.Cursor) != `{"part":0,"index":2}` {
				t.Errorf("the place is %s", j.Cursor)
			}
			for end := w.Now().Add(48 * time.Hour); again && w.Now().Before(end); w.Advance(max(delay, time.Second)) {
				j, again, delay = w.slice(id)
			}
			if j.State != test.last || codeOf(j) != test.final {
				t.Errorf("in the end %s, %q; want %s, %q", j.State, codeOf(j), test.last, test.final)
			}
			if want := map[bool]int{true: 1}[j.State == directory.JobFailed]; w.abandoned != want {
				t.Errorf("abandoned %d times, want %d", w.abandoned, want)
			}
		})
	}
}

// A kind that nobody knows fails.
func TestUnknownKind(t *testing.T) {
	w := newWorld(t)
	j, err := w.Start(t.Context(), Order{Kind: directory.JobBind})
	w.must(err)
	if got, _, _ := w.slice(j.ID); got.State != directory.JobFailed || got.Error.Code != "unknown-job" {
		t.Errorf("job = %+v, %+v", got.Job, got.Error)
	}
}

// A doubled wake-up finds the lease held and leaves; a dead worker's lease runs out.
func TestWorkTwice(t *testing.T) {
	w := newWorld(t)
	w.step = element
	id := w.begin()
	if _, _, err := w.records.Jobs.AcquireJob(t.Context(), id, LeaseTime); err != nil { // and dies
		t.Fatal(err)
	}
	if j, again, _ := w.slice(id); again || j.Done != 0 {
		t.Errorf("Work while another works = %t, done %d", again, j.Done)
	}
	w.Advance(LeaseTime + time.Second)
	if j, _, _ := w.slice(id); j.State != directory.JobDone {
		t.Errorf("job = %+v", j.Job)
	}
}

// A slice without room does nothing and costs no attempt.
func TestDeadlines(t *testing.T) {
	w := newWorld(t)
	w.step = element
	id := w.begin()
	for range 2 * MaxAttempts {
		if again, _, err := w.Work(t.Context(), id, w.Now().Add(time.Second)); !again || err != nil {
			t.Fatalf("Work without room = %t, %v", again, err)
		}
	}
	if again, _, err := w.Work(t.Context(), id, time.Time{}); again || err != nil {
		t.Errorf("Work without a deadline = %t, %v", again, err)
	}
	if j, err := w.records.Jobs.Job(t.Context(), id); err != nil || j.State != directory.JobDone {
		t.Errorf("job = %+v, %v", j.Job, err)
	}
}

// A list is cut into parts and read by windows, whatever the sizes.
func TestLists(t *testing.T) {
	w := newWorld(t)
	var want []string
	for i := range 40 {
		want = append(want, strings.Repeat(string(rune('a'+i%26)), 30_000))
	}
	parts, err := Parts(want)
	w.must(err)
	for i, p := range parts {
		if len(p) > MaxPart {
			t.Errorf("part %d has %d bytes", i, len(p))
		}
	}
	var got []string
	w.step = func(ctx context.Context, j *Job) (Result, error) {
		var list List[string]
		var at Place
		for {
			some, next, err := list.Window(ctx, j, at, 3)
			if err != nil || len(some) == 0 {
				return Result{Ended: true}, err
			}
			got = append(got, some...)
			at = next
		}
	}
	j, err := w.Start(t.Context(), Order{Kind: directory.JobLoad, Parts: parts})
	w.must(err)
	if done, _, _ := w.slice(j.ID); done.State != directory.JobDone || !slices.Equal(got, want) || len(parts) < 4 {
		t.Errorf("%d parts, %d elements of %d read: %+v", len(parts), len(got), len(want), done.Error)
	}
}
