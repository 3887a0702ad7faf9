package people

import (
	"testing"
	"time"

	"bindery/shared/core/assign/assigntest"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// An import of a list that turns in a circle counts nobody twice, rests by backoff
// and ends when the list does; else it fails after a day.
func TestImportInACircle(t *testing.T) {
	for what, onward := range assigntest.Circles {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			w.tenant.Accounts = assigntest.Many(120)
			w.tenant.Onward = onward
			j, err := w.StartImport(t.Context(), admin, w.conn.ID, ImportRequest{All: true})
			w.must(err)
			slice := func() (store.JobRecord, time.Duration) {
				t.Helper()
				again, delay, err := w.runner.Work(t.Context(), j.ID, w.Now().Add(time.Minute))
				w.must(err)
				got, err := w.store.Jobs.Job(t.Context(), j.ID)
				w.must(err)
				if ended := got.State == directory.JobDone || got.State == directory.JobFailed; again == ended {
					t.Fatalf("again is %v of a job that is %s", again, got.State)
				}
				return got, delay
			}
			got, delay := slice()
			if got.Error == nil || got.Error.Code != directory.CodePagingLoop || delay != 5*time.Minute || w.tenant.Calls() > 60 {
				t.Fatalf("after %d pages the job says %+v and rests for %s", w.tenant.Calls(), got.Error, delay)
			}
			if got.Done > 120 || got.Counts["created"] > 120 || got.Counts["existing"] != 0 || got.Counts["created"] != got.Done {
				t.Errorf("%d done, counts %v", got.Done, got.Counts)
			}
			// Woken too early, it reads nothing.
			lists := w.tenant.Calls()
			w.Advance(time.Minute)
			if _, delay = slice(); w.tenant.Calls() != lists || delay != 4*time.Minute {
				t.Errorf("%d pages were read while it rests, and the rest is %s", w.tenant.Calls()-lists, delay)
			}
			w.Advance(delay)
			if got, delay = slice(); delay != 10*time.Minute || got.Error == nil || got.Error.Attempts != 2 {
				t.Errorf("it rests for %s, %+v", delay, got.Error)
			}
			w.Advance(delay)
			w.tenant.Onward = nil
			if got = w.run(j.ID); got.State != directory.JobDone || got.Error != nil || got.Done != 120 || got.Counts["created"] != 120 || got.Counts["existing"] != 0 || len(w.all()) != 120 {
				t.Errorf("the job is %s, %d done, counts %v, %d users, %+v", got.State, got.Done, got.Counts, len(w.all()), got.Error)
			}

			w.tenant.Onward = onward
			last, err := w.StartImport(t.Context(), admin, w.conn.ID, ImportRequest{All: true})
			w.must(err)
			if got := w.run(last.ID); got.State != directory.JobFailed || got.Error.Code != directory.CodePagingLoop || got.Done > 120 {
				t.Errorf("the job is %s with %d done: %+v", got.State, got.Done, got.Error)
			}
		})
	}
}

// An import whose link expires begins anew and counts nobody twice.
func TestImportBegunAnewCountsOnce(t *testing.T) {
	for _, dies := range []int{2, 3} {
		w := newWorld(t)
		w.tenant.Accounts = assigntest.Many(120)
		w.tenant.Fail = func(call int) error {
			if call == dies {
				return directory.ErrResync
			}
			return nil
		}
		j, err := w.StartImport(t.Context(), admin, w.conn.ID, ImportRequest{All: true})
		w.must(err)
		if got := w.run(j.ID); got.State != directory.JobDone || got.Done != 120 || got.Counts["created"] != 120 || got.Counts["existing"] != 0 {
			t.Errorf("at call %d: the job is %s, %d done, counts %v", dies, got.State, got.Done, got.Counts)
		}
	}
}

// An import whose links die on the way each time it has begun anew rests, as one
// that turns in a circle does.
func TestImportBegunAnewAgainAndAgain(t *testing.T) {
	w := newWorld(t)
	w.tenant.Accounts = assigntest.Many(120)
	w.tenant.Fail = func(call int) error {
		if call%2 == 0 {
			return directory.ErrResync
		}
		return nil
	}
	j, err := w.StartImport(t.Context(), admin, w.conn.ID, ImportRequest{All: true})
	w.must(err)
	again, delay, err := w.runner.Work(t.Context(), j.ID, w.Now().Add(time.Minute))
	w.must(err)
	got, err := w.store.Jobs.Job(t.Context(), j.ID)
	w.must(err)
	if !again || delay != 5*time.Minute || got.Error == nil || got.Error.Code != directory.CodePagingLoop || w.tenant.Calls() > 20 || got.Done > 50 {
		t.Fatalf("after %d pages the job says %+v, with %d done, and rests for %s", w.tenant.Calls(), got.Error, got.Done, delay)
	}
	w.Advance(delay)
	w.tenant.Fail = nil
	if got := w.run(j.ID); got.State != directory.JobDone || got.Done != 120 || got.Counts["created"] != 120 {
		t.Errorf("the job is %s, %d done, counts %v", got.State, got.Done, got.Counts)
	}
}
