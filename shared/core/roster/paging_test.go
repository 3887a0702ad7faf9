package roster

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// The ways in which the list of a tenant of 120 accounts, in pages of 50, turns in
// a circle.
var circles = map[string]func(link, next string, call int) string{
	"the same link": func(link, next string, _ int) string {
		if link != "" {
			return link
		}
		return next
	},
	"a cycle of links": func(_, next string, _ int) string {
		if next == "" {
			return "https://graph.example/v1.0/users?$skiptoken=0"
		}
		return next
	},
	"ever new links": func(_, next string, call int) string {
		if next == "" {
			return fmt.Sprintf("https://graph.example/v1.0/users?$skiptoken=50&$count=%d", call)
		}
		return next
	},
}

// An import of a list that turns in a circle counts nobody twice, rests by backoff
// and ends when the list does; else it fails after a day.
func TestImportInACircle(t *testing.T) {
	for what, onward := range circles {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			w.people120()
			w.tenant.onward = onward
			j, err := w.StartImport(t.Context(), w.conn.ID, ImportRequest{All: true}, admin)
			w.must(err)
			slice := func() (store.JobRecord, time.Duration) {
				t.Helper()
				again, delay, err := w.Work(t.Context(), j.ID, w.clock().Add(time.Minute))
				w.must(err)
				got, err := w.store.Job(t.Context(), j.ID)
				w.must(err)
				if ended := got.State == directory.JobDone || got.State == directory.JobFailed; again == ended {
					t.Fatalf("again is %v of a job that is %s", again, got.State)
				}
				return got, delay
			}
			got, delay := slice()
			if got.Error == nil || got.Error.Code != directory.CodePagingLoop || delay != 5*time.Minute || w.tenant.lists > 60 {
				t.Fatalf("after %d pages the job says %+v and rests for %s", w.tenant.lists, got.Error, delay)
			}
			if got.Done > 120 || got.Counts["created"] > 120 || got.Counts["existing"] != 0 || got.Counts["created"] != got.Done {
				t.Errorf("%d done, counts %v", got.Done, got.Counts)
			}
			// Woken too early, it reads nothing.
			lists := w.tenant.lists
			w.pass(time.Minute)
			if _, delay = slice(); w.tenant.lists != lists || delay != 4*time.Minute {
				t.Errorf("%d pages were read while it rests, and the rest is %s", w.tenant.lists-lists, delay)
			}
			w.pass(delay)
			if got, delay = slice(); delay != 10*time.Minute || got.Error == nil || got.Error.Attempts != 2 {
				t.Errorf("it rests for %s, %+v", delay, got.Error)
			}
			w.pass(delay)
			w.tenant.onward = nil
			if got = w.run(j.ID); got.State != directory.JobDone || got.Error != nil || got.Done != 120 || got.Counts["created"] != 120 || got.Counts["existing"] != 0 || len(w.all()) != 120 {
				t.Errorf("the job is %s, %d done, counts %v, %d users, %+v", got.State, got.Done, got.Counts, len(w.all()), got.Error)
			}

			w.tenant.onward = onward
			last, err := w.StartImport(t.Context(), w.conn.ID, ImportRequest{All: true}, admin)
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
		w.people120()
		w.tenant.fail = func(call int) error {
			if call == dies {
				return directory.ErrResync
			}
			return nil
		}
		j, err := w.StartImport(t.Context(), w.conn.ID, ImportRequest{All: true}, admin)
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
	w.people120()
	w.tenant.fail = func(call int) error {
		if call%2 == 0 {
			return directory.ErrResync
		}
		return nil
	}
	j, err := w.StartImport(t.Context(), w.conn.ID, ImportRequest{All: true}, admin)
	w.must(err)
	again, delay, err := w.Work(t.Context(), j.ID, w.clock().Add(time.Minute))
	w.must(err)
	got, err := w.store.Job(t.Context(), j.ID)
	w.must(err)
	if !again || delay != 5*time.Minute || got.Error == nil || got.Error.Code != directory.CodePagingLoop || w.tenant.lists > 20 || got.Done > 50 {
		t.Fatalf("after %d pages the job says %+v, with %d done, and rests for %s", w.tenant.lists, got.Error, got.Done, delay)
	}
	w.pass(delay)
	w.tenant.fail = nil
	if got := w.run(j.ID); got.State != directory.JobDone || got.Done != 120 || got.Counts["created"] != 120 {
		t.Errorf("the job is %s, %d done, counts %v", got.State, got.Done, got.Counts)
	}
}

// The listing of accounts over the API ends too, though its place is with the
// caller.
func TestAccountsInACircle(t *testing.T) {
	for what, onward := range circles {
		w := newWorld(t)
		w.people120()
		w.tenant.onward = onward
		next, calls := "", 0
		var err error
		for ; calls < 100; calls++ {
			if _, next, err = w.Accounts(t.Context(), w.conn.ID, AccountFilter{}, next, 100); err != nil || next == "" {
				break
			}
		}
		p, ok := errors.AsType[*directory.Problem](err)
		if !ok || p.Code != directory.CodePagingLoop || !errors.Is(err, directory.ErrUnavailable) {
			t.Errorf("%s: after %d calls %v", what, calls, err)
		}
	}
}

func (w *world) people120() {
	for i := range 120 {
		w.tenant.accounts = append(w.tenant.accounts, account(fmt.Sprint("id-", i), fmt.Sprintf("p%d@corp.example", i)))
	}
}
