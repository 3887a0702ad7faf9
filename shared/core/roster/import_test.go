package roster

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"bindery/shared/directory"
)

// zoo fills the tenant with one account of every kind.
func (w *world) zoo() {
	guest := account("guest", "guest@corp.example")
	guest.UserType = "Guest"
	external := account("external", "yan_sister.example#EXT#@corp.example", directory.PropMail, "yan@sister.example")
	synced := account("synced", "synced@corp.example")
	synced.OnPremisesSync = true
	blocked := account("blocked", "blocked@corp.example")
	blocked.Properties[directory.PropAccountEnabled] = directory.BoolValue(false)
	nameless := account("nameless", "nameless@corp.example")
	nameless.Properties[directory.PropSurname] = directory.Null
	w.tenant.accounts = []directory.Account{
		account("new", "new@corp.example", "department", "Sales", "usageLocation", "DE"),
		account("known", "Known@corp.example"), account("mapped", "mapped@m365.example"),
		account("bound", "bound@corp.example"), guest, external, synced, blocked, nameless,
		account("role", "role@corp.example"), account("listed", "listed@corp.example"),
	}
	w.tenant.holders = []directory.AccountID{"ROLE"}
	w.settings(func(s *directory.Settings) {
		s.Protected = []string{"LISTED@corp.example"}
		s.DomainMap = map[string]string{"sub.example": "m365.example"}
		s.Import.Attributes = []string{"department", "usageLocation"}
	})
}

func TestAccounts(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.zoo()
	w.tenant.size = 4
	known := w.user(`{"email":"KNOWN@corp.example"}`, admin)
	mapped := w.user(`{"email":"mapped@sub.example"}`, admin)
	w.user(`{"email":"yan@sister.example"}`, admin) // an external member is nobody of ours
	b := w.user(`{"email":"bound@corp.example"}`, admin)
	if err := w.binder(&w.conn, "admin").bind(ctx, []choice{{user: b.ID, account: "bound", upn: "bound@corp.example"}}); err != nil {
		t.Fatal(err)
	}
	want := map[directory.AccountID]struct {
		v      Verdict
		reason string
		user   directory.UserID
	}{
		"new": {VerdictNew, "", ""}, "known": {VerdictInDirectory, "", known.ID}, "mapped": {VerdictInDirectory, "", mapped.ID},
		"bound": {VerdictBound, "", b.ID}, "guest": {VerdictExcluded, "guest", ""}, "external": {VerdictExternal, "external-member", ""}, "synced": {VerdictExcluded, "synced-on-premises", ""},
		"blocked": {VerdictExcluded, "blocked", ""}, "nameless": {VerdictExcluded, "no-last-name", ""},
		"role": {VerdictExcluded, "protected", ""}, "listed": {VerdictExcluded, "protected", ""},
	}
	list := func(f AccountFilter, limit int) map[directory.AccountID]Candidate {
		t.Helper()
		got := map[directory.AccountID]Candidate{}
		next := ""
		for range 50 {
			page, more, err := w.Accounts(ctx, w.conn.ID, f, next, limit)
			if err != nil || len(page) > limit {
				t.Fatalf("Accounts = %d of %d, %v", len(page), limit, err)
			}
			for _, c := range page {
				if _, twice := got[c.ID]; twice {
					t.Errorf("%s is listed twice", c.ID)
				}
				got[c.ID] = c
			}
			if next = more; next == "" {
				return got
			}
		}
		t.Fatal("the listing does not end")
		return nil
	}
	for _, limit := range []int{1, 3, 500} {
		got := list(AccountFilter{}, limit)
		if len(got) != len(want) {
			t.Errorf("limit %d: %d accounts, want %d", limit, len(got), len(want))
		}
		for id, x := range want {
			if c := got[id]; c.Verdict != x.v || c.Reason != x.reason || c.UserID != x.user {
				t.Errorf("%s = %s %s %s, want %+v", id, c.Verdict, c.Reason, c.UserID, x)
			}
		}
	}
	yes, no := true, false
	for _, test := range []struct {
		f    AccountFilter
		want int
	}{{AccountFilter{Bound: &yes}, 1}, {AccountFilter{Bound: &no}, 10}, {AccountFilter{Text: "external"}, 1}, {AccountFilter{Text: "excluded"}, 6}, {AccountFilter{Text: "mApp"}, 1}, {AccountFilter{Text: "nobody"}, 0}} {
		if got := list(test.f, 2); len(got) != test.want {
			t.Errorf("Accounts(%+v) = %d, want %d", test.f, len(got), test.want)
		}
	}
}

func TestAccountCursors(t *testing.T) {
	w := newWorld(t)
	for _, link := range []string{
		"https://graph.example/v1.0/me/messages", "https://graph.example/v1.0/users?$expand=manager", "https://x@graph.example/v1.0/users",
		"https://graph.example/v1.0/../users", "https://graph.example/v1.0/users?$filter=x", "other://x/users?$skiptoken=1",
	} {
		if _, _, err := w.Accounts(t.Context(), w.conn.ID, AccountFilter{}, accountCursor{Link: link}.String(), 10); codeOf(err) != "invalid-cursor" {
			t.Errorf("a cursor to %s = %v, want invalid-cursor", link, err)
		}
	}
	for _, cursor := range []string{"!", "bm90IGpzb24", "eyJvZmZzZXQiOi0xfQ"} {
		if _, _, err := w.Accounts(t.Context(), w.conn.ID, AccountFilter{}, cursor, 10); codeOf(err) != "invalid-cursor" {
			t.Errorf("the cursor %q = %v, want invalid-cursor", cursor, err)
		}
	}
	w.tenant.fail = func(int) error { return directory.ErrUnavailable }
	if _, _, err := w.Accounts(t.Context(), w.conn.ID, AccountFilter{}, "", 10); !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("Accounts of a failing tenant = %v", err)
	}
}

func TestImport(t *testing.T) {
	for _, bind := range []bool{false, true} {
		t.Run(fmt.Sprint(bind), func(t *testing.T) {
			w := newWorld(t)
			ctx := t.Context()
			w.zoo()
			w.tenant.size = 3
			known := w.user(`{"email":"known@corp.example","department":"Old"}`, ad)
			for round := range 2 {
				j, err := w.StartImport(ctx, w.conn.ID, ImportRequest{All: true, Bind: bind}, admin)
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
				if n, err := w.store.BoundCount(ctx, w.conn.ID, 1); n != wantBound || err != nil {
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
		w.tenant.accounts = append(w.tenant.accounts, account(id, fmt.Sprintf("a%d@corp.example", i)))
		ids = append(ids, directory.AccountID(id), directory.AccountID(id))
	}
	ids = append(ids, "nobody")
	w.settings(func(s *directory.Settings) { s.Import.State = directory.StateStaged })
	w.tenant.fail = func(n int) error {
		if n == 2 {
			return &directory.ThrottledError{RetryAfter: 20 * time.Second}
		}
		return nil
	}
	j, err := w.StartImport(ctx, w.conn.ID, ImportRequest{AccountIDs: ids, Bind: true}, admin)
	w.must(err)
	if j.Total != 501 {
		t.Errorf("Total = %d, want 501", j.Total)
	}
	start := w.clock()
	done := w.run(j.ID)
	if done.State != directory.JobDone || done.Counts["created"] != 500 || done.Done != 501 || w.clock().Sub(start) < 20*time.Second {
		t.Errorf("job = %+v after %s", done.Job, w.clock().Sub(start))
	}
	// Staged users are imported, and not bound.
	if got := codes(w.refusals(j.ID)); got["account-not-found"] != 1 || got["user-not-active"] != 500 {
		t.Errorf("refused = %v", got)
	}
	for _, req := range []ImportRequest{{}, {All: true, AccountIDs: ids}, {AccountIDs: []directory.AccountID{""}}} {
		if _, err := w.StartImport(ctx, w.conn.ID, req, admin); codeOf(err) != "invalid-body" {
			t.Errorf("StartImport(%t, %d) = %v", req.All, len(req.AccountIDs), err)
		}
	}
}

// TestImportClashes: accounts that share an address or a name.
func TestImportClashes(t *testing.T) {
	w := newWorld(t)
	one, two := account("one", "one@corp.example"), account("two", "two@corp.example")
	two.Properties[directory.PropMail] = directory.StringValue("one@corp.example")
	w.user(`{"email":"x@corp.example","userName":"three@corp.example"}`, admin)
	three := account("three", "three@corp.example")
	three.Properties[directory.PropMail] = directory.StringValue("three.mail@corp.example")
	w.tenant.accounts = []directory.Account{one, two, three}
	j, err := w.StartImport(t.Context(), w.conn.ID, ImportRequest{All: true, Bind: true}, admin)
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

func TestJobEnds(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(*world)
		code  string
	}{
		{"deactivated", func(w *world) {
			_, _, err := w.store.DeactivateConnection(w.t.Context(), directory.Act{}, w.conn.ID)
			w.must(err)
		}, "connection-changed"},
		{"authorised anew", func(w *world) { w.again() }, "connection-changed"},
		{"token dead", func(w *world) { w.tenant.fail = func(int) error { return directory.ErrUnauthorized } }, "needs-authorization"},
		{"always failing", func(w *world) { w.tenant.fail = func(int) error { return errors.New("no luck") } }, "gave-up"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.zoo()
			j, err := w.StartImport(t.Context(), w.conn.ID, ImportRequest{All: true}, admin)
			w.must(err)
			test.spoil(w)
			done := w.run(j.ID)
			if done.State != directory.JobFailed || done.Error == nil || done.Error.Code != test.code || done.Error.Next == "" || done.Ended.IsZero() {
				t.Errorf("job = %+v, error %+v, want failed with %s", done.Job, done.Error, test.code)
			}
			open, err := w.store.OpenJobs(t.Context())
			if err != nil || len(open) != 0 {
				t.Errorf("OpenJobs = %v, %v", open, err)
			}
			if again, _, err := w.Work(t.Context(), j.ID, w.clock().Add(time.Minute)); again || err != nil {
				t.Errorf("Work on an ended job = %t, %v", again, err)
			}
		})
	}
	w := newWorld(t)
	if again, _, err := w.Work(t.Context(), "job_none", w.clock().Add(time.Minute)); again || err != nil {
		t.Errorf("Work on no job = %t, %v", again, err)
	}
	if _, err := w.Job(t.Context(), "job_none", ""); codeOf(err) != "job-not-found" {
		t.Errorf("Job of none = %v", err)
	}
}

// TestJobPatience: a tenant that does not answer for hours costs time only.
func TestJobPatience(t *testing.T) {
	w := newWorld(t)
	w.zoo()
	w.tenant.fail = func(n int) error {
		if n < 100 {
			return directory.ErrUnavailable
		}
		return nil
	}
	j, err := w.StartImport(t.Context(), w.conn.ID, ImportRequest{All: true}, admin)
	w.must(err)
	if done := w.run(j.ID); done.State != directory.JobDone {
		t.Errorf("job = %+v, %v", done.Job, done.Error)
	}
	w.tenant.fail = func(int) error { return directory.ErrUnavailable }
	j, err = w.StartImport(t.Context(), w.conn.ID, ImportRequest{All: true}, admin)
	w.must(err)
	start := w.clock()
	done := w.run(j.ID)
	if took := w.clock().Sub(start); done.State != directory.JobFailed || took < patience || took > patience+time.Hour {
		t.Errorf("job = %+v after %s", done.Job, took)
	}
}

// TestWorkTwice: a doubled wake-up finds the lease held and leaves; a dead
// worker's lease runs out.
func TestWorkTwice(t *testing.T) {
	w := newWorld(t)
	w.zoo()
	j, err := w.StartImport(t.Context(), w.conn.ID, ImportRequest{All: true}, admin)
	w.must(err)
	if _, _, err := w.store.AcquireJob(t.Context(), j.ID, jobLease); err != nil { // and dies
		t.Fatal(err)
	}
	if again, _, err := w.Work(t.Context(), j.ID, w.clock().Add(time.Minute)); again || err != nil {
		t.Errorf("Work while another works = %t, %v", again, err)
	}
	w.pass(jobLease + time.Second)
	if done := w.run(j.ID); done.State != directory.JobDone {
		t.Errorf("job = %+v", done.Job)
	}
}

// TestDeadlines: a slice without room does nothing and costs no attempt.
func TestDeadlines(t *testing.T) {
	w := newWorld(t)
	w.zoo()
	j, err := w.StartImport(t.Context(), w.conn.ID, ImportRequest{All: true}, admin)
	w.must(err)
	for range 2 * maxAttempts {
		if again, _, err := w.Work(t.Context(), j.ID, w.clock().Add(time.Second)); !again || err != nil {
			t.Fatalf("Work without room = %t, %v", again, err)
		}
	}
	if again, _, err := w.Work(t.Context(), j.ID, time.Time{}); again || err != nil {
		t.Errorf("Work without a deadline = %t, %v", again, err)
	}
	if done, err := w.store.Job(t.Context(), j.ID); err != nil || done.State != directory.JobDone {
		t.Errorf("job = %+v, %v", done.Job, err)
	}
}

// A role that is given while a process remembers who holds one counts after ten
// minutes there, and at once under another authorisation.
func TestRoleHoldersInAnotherProcess(t *testing.T) {
	w := newWorld(t)
	w.zoo()
	w.tenant.holders = nil
	verdict := func(s *Service) Verdict {
		t.Helper()
		list, _, err := s.Accounts(t.Context(), w.conn.ID, AccountFilter{}, "", 100)
		w.must(err)
		for _, c := range list {
			if c.ID == "role" {
				return c.Verdict
			}
		}
		return ""
	}
	warm := w.Service
	if v := verdict(warm); v != VerdictNew {
		t.Fatalf("before: %s", v)
	}
	w.tenant.holders = []directory.AccountID{"role"}
	fresh := &Service{Store: w.store, Open: warm.Open, Now: warm.Now, Log: warm.Log}
	if v := verdict(fresh); v != VerdictExcluded {
		t.Errorf("another process: %s", v)
	}
	if v := verdict(warm); v != VerdictNew {
		t.Errorf("what is remembered: %s", v)
	}
	_, err := w.store.ModifyConnection(t.Context(), directory.Act{}, w.conn.ID, func(c *directory.Connection) error {
		c.AuthorizedAt = w.clock()
		return nil
	})
	w.must(err)
	if v := verdict(warm); v != VerdictExcluded {
		t.Errorf("under another authorisation: %s", v)
	}
	w.tenant.holders = nil
	w.pass(directory.RolesLife)
	if v := verdict(warm); v != VerdictNew {
		t.Errorf("when its time is over: %s", v)
	}
}
