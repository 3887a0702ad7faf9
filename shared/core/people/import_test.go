package people

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"bindery/shared/core/assign/assigntest"
	"bindery/shared/core/jobs"
	"bindery/shared/directory"
)

// zoo fills the tenant with one account of every kind.
func (w *world) zoo() {
	tenant, settings := assigntest.Zoo()
	w.tenant = tenant
	w.settings(settings)
}

func TestImport(t *testing.T) {
	for _, bind := range []bool{false, true} {
		t.Run(fmt.Sprint(bind), func(t *testing.T) {
			w := newWorld(t)
			ctx := t.Context()
			w.zoo()
			w.tenant.Size = 3
			known := w.user(`{"email":"known@corp.example","department":"Old"}`, ad)
			for round := range 2 {
				j, err := w.StartImport(ctx, admin, w.conn.ID, ImportRequest{All: true, Bind: bind})
				w.must(err)
				done := w.run(j.ID)
				created := map[int]int{0: 3, 1: 0}[round] // new, mapped, bound
				if done.State != directory.JobDone || done.Counts["created"] != created || done.Done != 11 || done.Total != 11 || done.Counts["excluded"] != 6 || done.Counts["external"] != 1 {
					t.Fatalf("round %d: job = %+v", round, done.Job)
				}
				wantBound := 0
				if bind {
					wantBound = 3 // mapped's domain is not claimed
				}
				if n, err := w.store.Counters.BoundCount(ctx, w.conn.ID, 1); n != wantBound || err != nil {
					t.Errorf("round %d: BoundCount = %d, %v, want %d", round, n, err, wantBound)
				}
			}
			got, err := w.Get(ctx, known.ID)
			if err != nil || got.Department != "Old" {
				t.Errorf("the import overwrote a user of ad: %+v, %v", got, err)
			}
			p, err := w.List(ctx, Filter{Email: "new@corp.example"}, "", 1)
			if err != nil || len(p.Users) != 1 {
				t.Fatalf("List = %v, %v", p, err)
			}
			if u := p.Users[0]; u.Source != directory.SourceM365 || u.Department != "Sales" || u.UsageLocation != "DE" || u.FamilyName != "Surnew" ||
				u.GivenName != "Given" || u.State != directory.StateActive || u.UserName != "new@corp.example" || len(u.Owners) != 0 {
				t.Errorf("imported user = %+v", u)
			}
		})
	}
}

func TestImportNamed(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	var ids []directory.AccountID
	for i := range 500 {
		id := fmt.Sprintf("00000000-0000-0000-0000-%012d", i)
		w.tenant.Accounts = append(w.tenant.Accounts, assigntest.Account(id, fmt.Sprintf("a%d@corp.example", i)))
		ids = append(ids, directory.AccountID(id), directory.AccountID(id))
	}
	ids = append(ids, "nobody")
	w.settings(func(s *directory.Settings) { s.Import.State = directory.StateStaged })
	w.tenant.Fail = func(n int) error {
		if n == 2 {
			return &directory.ThrottledError{RetryAfter: 20 * time.Second}
		}
		return nil
	}
	j, err := w.StartImport(ctx, admin, w.conn.ID, ImportRequest{AccountIDs: ids, Bind: true})
	w.must(err)
	if j.Total != 501 {
		t.Errorf("Total = %d, want 501", j.Total)
	}
	start := w.Now()
	done := w.run(j.ID)
	if done.State != directory.JobDone || done.Counts["created"] != 500 || done.Done != 501 || w.Now().Sub(start) < 20*time.Second {
		t.Errorf("job = %+v after %s", done.Job, w.Now().Sub(start))
	}
	// Staged users are imported, and not bound.
	if got := codes(w.refusals(j.ID)); got["account-not-found"] != 1 || got["user-not-active"] != 500 {
		t.Errorf("refused = %v", got)
	}
	for _, req := range []ImportRequest{{}, {All: true, AccountIDs: ids}, {AccountIDs: []directory.AccountID{""}}} {
		if _, err := w.StartImport(ctx, admin, w.conn.ID, req); codeOf(err) != "invalid-body" {
			t.Errorf("StartImport(%t, %d) = %v", req.All, len(req.AccountIDs), err)
		}
	}
}

// TestImportClashes: accounts that share an address or a name.
func TestImportClashes(t *testing.T) {
	w := newWorld(t)
	one, two := assigntest.Account("one", "one@corp.example"), assigntest.Account("two", "two@corp.example")
	two.Properties[directory.PropMail] = directory.StringValue("one@corp.example")
	w.user(`{"email":"x@corp.example","userName":"three@corp.example"}`, admin)
	three := assigntest.Account("three", "three@corp.example")
	three.Properties[directory.PropMail] = directory.StringValue("three.mail@corp.example")
	w.tenant.Accounts = []directory.Account{one, two, three}
	j, err := w.StartImport(t.Context(), admin, w.conn.ID, ImportRequest{All: true, Bind: true})
	w.must(err)
	done := w.run(j.ID)
	if done.Counts["created"] != 2 || done.Counts["existing"] != 1 || done.Counts["bound"] != 2 {
		t.Errorf("job = %+v, refused %+v", done.Job, w.refusals(j.ID))
	}
	if got := codes(w.refusals(j.ID)); got["account-bound"] != 1 {
		t.Errorf("refused = %v", got)
	}
	p, err := w.List(t.Context(), Filter{Email: "three.mail@corp.example"}, "", 1)
	if err != nil || len(p.Users) != 1 || p.Users[0].UserName != "three.mail@corp.example" {
		t.Errorf("the user with a taken name = %+v, %v", p.Users, err)
	}
}

// TestJobPatience: a tenant that does not answer for hours costs time only.
func TestJobPatience(t *testing.T) {
	w := newWorld(t)
	w.zoo()
	w.tenant.Fail = func(n int) error {
		if n < 100 {
			return directory.ErrUnavailable
		}
		return nil
	}
	j, err := w.StartImport(t.Context(), admin, w.conn.ID, ImportRequest{All: true})
	w.must(err)
	if done := w.run(j.ID); done.State != directory.JobDone {
		t.Errorf("job = %+v, %v", done.Job, done.Error)
	}
	w.tenant.Fail = func(int) error { return directory.ErrUnavailable }
	j, err = w.StartImport(t.Context(), admin, w.conn.ID, ImportRequest{All: true})
	w.must(err)
	start := w.Now()
	done := w.run(j.ID)
	if took := w.Now().Sub(start); done.State != directory.JobFailed || took < jobs.Patience || took > jobs.Patience+time.Hour {
		t.Errorf("job = %+v after %s", done.Job, took)
	}
}

func TestJobEnds(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(*world)
		code  string
	}{
		{"deactivated", func(w *world) {
			_, _, err := w.store.Connections.DeactivateConnection(w.t.Context(), directory.AuditEvent{}, w.conn.ID)
			w.must(err)
		}, "connection-changed"},
		{"authorised anew", func(w *world) { w.again() }, "connection-changed"},
		{"token dead", func(w *world) { w.tenant.Fail = func(int) error { return directory.ErrUnauthorized } }, "needs-authorization"},
		{"always failing", func(w *world) { w.tenant.Fail = func(int) error { return errors.New("no luck") } }, "gave-up"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.zoo()
			j, err := w.StartImport(t.Context(), admin, w.conn.ID, ImportRequest{All: true})
			w.must(err)
			test.spoil(w)
			done := w.run(j.ID)
			if done.State != directory.JobFailed || done.Error == nil || done.Error.Code != test.code || done.Error.Next == "" || done.Ended.IsZero() {
				t.Errorf("job = %+v, error %+v, want failed with %s", done.Job, done.Error, test.code)
			}
			open, err := w.store.Jobs.OpenJobs(t.Context())
			if err != nil || len(open) != 0 {
				t.Errorf("OpenJobs = %v, %v", open, err)
			}
			if again, _, err := w.runner.Work(t.Context(), j.ID, w.Now().Add(time.Minute)); again || err != nil {
				t.Errorf("Work on an ended job = %t, %v", again, err)
			}
		})
	}
	w := newWorld(t)
	if again, _, err := w.runner.Work(t.Context(), "job_none", w.Now().Add(time.Minute)); again || err != nil {
		t.Errorf("Work on no job = %t, %v", again, err)
	}
	if _, err := w.started.Get(t.Context(), "job_none", ""); codeOf(err) != "job-not-found" {
		t.Errorf("Job of none = %v", err)
	}
}
