package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

func (w *world) watch() (*Watch, *ear) {
	e := &ear{}
	return &Watch{Stores: WatchStoresOf(w.store), Publish: e, Now: w.Now}, e
}

// look has the watch look at the connection as it stands.
func (w *world) look(watch *Watch) error {
	w.Helper()
	c, err := w.store.Connections.Connection(w.Context(), w.conn.ID)
	w.must(err)
	return watch.NotifyConnection(w.Context(), &c)
}

func (w *world) edit(change func(*directory.Connection)) {
	w.Helper()
	c, err := w.store.Connections.ModifyConnection(w.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error { change(c); return nil })
	w.must(err)
	w.lease.Version = c.Version // a slice that goes on is one that has begun since
}

func TestWatchTellsOnceAndMakesUpForAFailure(t *testing.T) {
	w := newWorld(t)
	watch, heard := w.watch()
	w.edit(func(c *directory.Connection) { c.AuthorizedAt = w.Now() })
	w.must(w.look(watch))
	if len(heard.heard) != 0 {
		t.Fatalf("told of a healthy connection: %+v", heard.heard)
	}
	since := w.Now()
	w.edit(func(c *directory.Connection) {
		c.Status = directory.StatusNeedsAuthorization
		c.Problem = &directory.Problem{Code: "token-expired", Message: "The token has expired, says admin@corp.example.", Next: "Again.", Since: since,
			MicrosoftMessage: "AADSTS50105: The signed in user 'ada@tenant-1.example' is not assigned to a role", MicrosoftCode: "AADSTS50105"}
	})
	heard.fail = 1
	if err := w.look(watch); err == nil {
		t.Error("nobody listens, and that is no error")
	}
	for range 3 {
		w.must(w.look(watch))
		w.Advance(5 * time.Minute)
	}
	if got := heard.of(directory.NotificationNeedsAuthorization); len(got) != 1 || !strings.Contains(got[0].Text, "/authorize") || strings.Contains(got[0].Text, "admin@") || got[0].ConnectionID != w.conn.ID {
		t.Errorf("needs-authorization = %+v", got)
	} else if facts := got[0].Facts; facts != (NeedsFacts{Code: "token-expired", Message: "The token has expired, says [address].", Next: "Again.", Since: since, MicrosoftCode: "AADSTS50105"}) {
		t.Errorf("facts = %+v", facts)
	}
	w.edit(func(c *directory.Connection) {
		c.Status, c.Problem, c.AuthorizedAt = directory.StatusActive, nil, w.Now()
	})
	w.must(w.look(watch))
	w.must(w.look(watch))
	if got := heard.of(directory.NotificationAuthorized); len(got) != 1 {
		t.Errorf("authorized = %+v", got)
	}
	// Lost once more: that is news.
	w.edit(func(c *directory.Connection) {
		c.Status, c.Problem = directory.StatusNeedsAuthorization, &directory.Problem{Code: "x", Since: w.Now()}
	})
	w.must(w.look(watch))
	if got := heard.of(directory.NotificationNeedsAuthorization); len(got) != 2 || got[0].ID == got[1].ID {
		t.Errorf("needs-authorization = %+v", got)
	}
	// Deactivated: nobody need be told of anything.
	w.edit(func(c *directory.Connection) { c.Status, c.Problem = directory.StatusDeactivated, nil })
	w.must(w.look(watch))
	if got := heard.of(directory.NotificationAuthorized); len(got) != 1 {
		t.Errorf("authorized after a deactivation = %+v", got)
	}
}

func TestWatchTellsOfStaleConnections(t *testing.T) {
	w := newWorld(t)
	watch, heard := w.watch()
	w.edit(func(c *directory.Connection) { c.AuthorizedAt = w.Now() })
	for _, c := range []struct {
		after time.Duration
		told  int
	}{{89 * time.Minute, 0}, {2 * time.Minute, 1}, {24 * time.Hour, 1}} {
		w.Advance(c.after)
		w.must(w.look(watch))
		if got := len(heard.of(directory.NotificationStale)); got != c.told {
			t.Errorf("%s later: told %d times, want %d", c.after, got, c.told)
		}
	}
}

func TestWatchTellsOfDomains(t *testing.T) {
	w := newWorld(t)
	watch, heard := w.watch()
	told := func(want string) {
		t.Helper()
		for range 2 {
			w.must(w.look(watch))
		}
		got := ""
		for _, one := range heard.of(directory.NotificationDomains) {
			got += fmt.Sprint(one.Facts) + " "
		}
		if strings.TrimSpace(got) != want {
			t.Errorf("told %s, want %s", got, want)
		}
	}
	w.edit(func(c *directory.Connection) {
		c.AuthorizedAt = w.Now()
		c.Tenant.Domains = []directory.Domain{{Name: "corp.example"}, {Name: "old.example"}}
	})
	told("")
	w.edit(func(c *directory.Connection) { c.Tenant.Offered = []directory.Domain{{Name: "new.example"}} })
	told("{[] [new.example]}")
	lose := func() {
		w.edit(func(c *directory.Connection) {
			c.Tenant.Domains, c.Tenant.Offered = []directory.Domain{{Name: "corp.example"}, {Name: "old.example", LostSince: w.Now()}}, append(c.Tenant.Offered, directory.Domain{Name: "newer.example"})
		})
	}
	lose()
	told("{[] [new.example]} {[old.example] [newer.example]}")
	// It comes back, which needs nobody, and is lost again.
	w.edit(func(c *directory.Connection) {
		c.Tenant.Domains, c.Tenant.Offered = []directory.Domain{{Name: "corp.example"}, {Name: "old.example"}}, nil
	})
	told("{[] [new.example]} {[old.example] [newer.example]}")
	w.Advance(time.Hour)
	lose()
	told("{[] [new.example]} {[old.example] [newer.example]} {[old.example] [newer.example]}")
	if one := heard.of(directory.NotificationDomains)[1]; !strings.Contains(one.Text, "old.example") || !strings.Contains(one.Text, "/domains") {
		t.Errorf("the text is %s", one.Text)
	}
	w.edit(func(c *directory.Connection) { c.Status = directory.StatusDeactivated })
	told("{[] [new.example]} {[old.example] [newer.example]} {[old.example] [newer.example]}")
}

func TestWatchTellsOfHeldRuns(t *testing.T) {
	w := newWorld(t)
	watch, heard := w.watch()
	w.edit(func(c *directory.Connection) { c.AuthorizedAt = w.Now() })
	hold := func() store.RunRecord {
		r := w.begin(edits(2, func(i int) string { return fmt.Sprint("usr_", i) })...)
		r.State, r.Held = directory.RunHeld, &directory.Held{Reasons: []string{"12 blocks, and 5 are allowed."}}
		w.must(w.store.Runs.SaveRun(t.Context(), &w.lease, &r))
		return r
	}
	first := hold()
	w.must(w.look(watch))
	w.must(w.look(watch))
	second := hold()
	w.must(w.look(watch))
	w.end(&first, directory.RunSuperseded)
	w.must(w.look(watch))
	w.must(w.look(watch))
	got := heard.of(directory.NotificationRunHeld)
	if len(got) != 2 || got[0].RunID != first.ID || got[1].RunID != second.ID || !strings.Contains(got[0].Text, "12 blocks") ||
		got[0].Facts.(RunFacts).Approval != "POST /v1/runs/"+string(first.ID)+"/approve" {
		t.Errorf("held = %+v", got)
	}
}

// work records a run whose changes came to what tally says.
func (w *world) work(tally map[string]int) {
	w.Helper()
	changes := edits(1, func(int) string { return "usr_1" })
	r := w.begin(changes...)
	w.must(w.store.Runs.Journal(w.Context(), &w.lease, &w.conn, store.Journal{Run: &r, Tally: tally, Refs: []directory.Ref{directory.AccountOf("usr_1")},
		Results: []store.Result{{Index: 0, State: directory.ChangeApplied, At: w.Now()}}}))
	w.end(&r, directory.RunDone)
}

func TestDaysAndWeeks(t *testing.T) {
	w := newWorld(t) // Monday, 2 March 2026
	watch, heard := w.watch()
	w.must(watch.NotifyWeek(t.Context()))
	w.work(map[string]int{"applied/update": 3, "failed/update": 1})
	w.Advance(24 * time.Hour)
	w.work(map[string]int{"applied/member-add": 2, "applied/update": 1})
	w.work(map[string]int{"applied/update": 4})
	sums := &Summary{Stores: SummaryStoresOf(w.store), Now: w.Now}
	days, err := sums.Days(t.Context(), w.conn.ID, time.Time{}, time.Time{})
	if err != nil || len(days) != 2 || days[0].Day != "2026-03-03" || days[0].Counts["update"]["applied"] != 5 || days[0].Counts["member-add"]["applied"] != 2 ||
		days[1].Counts["update"]["failed"] != 1 || days[1].Counts["update"]["applied"] != 3 {
		t.Errorf("Days = %+v, %v", days, err)
	}
	if all, err := sums.Days(t.Context(), "", w.Now(), time.Time{}); err != nil || len(all) != 1 || all[0].Counts["update"]["applied"] != 5 {
		t.Errorf("Days of all since today = %+v, %v", all, err)
	}
	each, err := sums.ByConnection(t.Context(), time.Time{}, time.Time{})
	if err != nil || len(each) != 2 || each[0].ConnectionID != w.conn.ID || each[0].Day != "2026-03-03" || each[1].Counts["update"]["failed"] != 1 {
		t.Errorf("by connection: %+v, %v", each, err)
	}
	if got := string(DaysCSV(each[1:], true)); got != "day,effect,state,count,connectionId\r\n2026-03-02,update,applied,3,"+string(w.conn.ID)+"\r\n2026-03-02,update,failed,1,"+string(w.conn.ID)+"\r\n" {
		t.Errorf("CSV by connection: %q", got)
	}
	if got, want := string(DaysCSV(days, false)), "day,effect,state,count\r\n2026-03-03,member-add,applied,2\r\n2026-03-03,update,applied,5\r\n2026-03-02,update,applied,3\r\n2026-03-02,update,failed,1\r\n"; got != want {
		t.Errorf("DaysCSV = %q, want %q", got, want)
	}
	w.must(watch.NotifyWeek(t.Context()))
	if got := heard.of(directory.NotificationWeekly); len(got) != 0 {
		t.Errorf("told in the middle of the week: %+v", got)
	}
	w.Advance(6 * 24 * time.Hour) // Monday again
	heard.fail = 1
	if err := watch.NotifyWeek(t.Context()); err == nil {
		t.Error("nobody listens, and that is no error")
	}
	w.must(watch.NotifyWeek(t.Context()))
	w.must(watch.NotifyWeek(t.Context()))
	got := heard.of(directory.NotificationWeekly)
	if len(got) != 1 {
		t.Fatalf("weekly = %+v", got)
	}
	facts := got[0].Facts.(WeekFacts)
	if facts.From != "2026-03-02" || facts.To != "2026-03-08" || len(facts.Connections) != 1 || facts.Connections[0].Counts["update"]["applied"] != 8 ||
		!strings.Contains(got[0].Text, "10 changes were made") {
		t.Errorf("weekly = %s, %+v", got[0].Text, facts)
	}
}

// A summary up to a day that has long passed begins before that day.
func TestDaysUntilLongAgo(t *testing.T) {
	w := newWorld(t)
	w.work(map[string]int{"applied/update": 3})
	until := w.Now().Add(24 * time.Hour)
	w.Advance(60 * 24 * time.Hour)
	sums := &Summary{Stores: SummaryStoresOf(w.store), Now: w.Now}
	if days, err := sums.Days(t.Context(), w.conn.ID, time.Time{}, until); err != nil || len(days) != 1 || days[0].Counts["update"]["applied"] != 3 {
		t.Errorf("Days = %+v, %v", days, err)
	}
	if days, err := sums.Days(t.Context(), w.conn.ID, time.Time{}, time.Time{}); err != nil || len(days) != 0 {
		t.Errorf("Days of the last month = %+v, %v", days, err)
	}
}

// A loosening is told once, as is what waits for somebody else; people are not named.
func TestWatchTellsOfSafety(t *testing.T) {
	const admin = "ann@corp.example" // which no random ID in a text contains
	w := newWorld(t)
	watch, e := w.watch()
	looser, proposal := w.conn.Settings, directory.Proposal{ID: "prp_1", Kind: directory.ProposalSettings, By: admin, Loosens: []string{"mode"}, Expires: w.Now().Add(time.Hour)}
	looser.OnDelete = "delete"
	w.edit(func(c *directory.Connection) {
		c.Set(looser, admin, w.Now())
		c.Proposals = []directory.Proposal{proposal, {ID: "prp_0", By: admin, Expires: w.Now()}}
	})
	for range 2 {
		w.must(w.look(watch))
	}
	loosened, proposals := e.of(directory.NotificationLoosened), e.of(directory.NotificationProposal)
	if len(loosened) != 1 || !strings.Contains(loosened[0].Text, "onDelete") || len(proposals) != 1 || proposals[0].ID != "proposal:prp_1" || !strings.Contains(proposals[0].Text, "mode") {
		t.Fatalf("told: %+v, %+v", loosened, proposals)
	}
	for _, n := range e.heard {
		if strings.Contains(n.Text, admin) || n.ConnectionID != w.conn.ID {
			t.Errorf("%+v", n)
		}
	}
	looser.InitialAccess = "temporary-password"
	w.Advance(time.Minute)
	w.edit(func(c *directory.Connection) { c.Set(looser, admin, w.Now()); c.Proposals = nil })
	w.must(w.look(watch))
	if loosened = e.of(directory.NotificationLoosened); len(loosened) != 2 || !strings.Contains(loosened[1].Text, "initialAccess") {
		t.Errorf("told: %+v", loosened)
	}
}

// far is a store whose answers take a while.
type far struct {
	days   dayReader
	counts countReader
}

func (f far) Days(ctx context.Context, c directory.ConnectionID, since, until time.Time) ([]store.DayCounts, error) {
	time.Sleep(5 * time.Millisecond)
	return f.days.Days(ctx, c, since, until)
}

func (f far) BoundCount(ctx context.Context, id directory.ConnectionID, epoch int64) (int, error) {
	time.Sleep(5 * time.Millisecond)
	return f.counts.BoundCount(ctx, id, epoch)
}

// TestWeekOfManyConnections is told within the time that a tick has for it: it
// would otherwise be begun again at each, and never told.
func TestWeekOfManyConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, e := store.New(memory.New(), store.Options{}), &ear{}
		const n = 3000
		for i := range n {
			c := directory.Connection{ID: directory.ConnectionID(fmt.Sprintf("con_%04d", i)), Status: directory.StatusActive, Epoch: 1}
			if err := s.Connections.CreateConnection(t.Context(), directory.AuditEvent{}, &c); err != nil {
				t.Fatal(err)
			}
		}
		stores, away := WatchStoresOf(s), far{s.Audit, s.Counters}
		stores.Days, stores.Counts = away, away
		w := &Watch{Stores: stores, Publish: e}
		for range 2 {
			if err := w.NotifyWeek(t.Context()); err != nil { // the first one only notes the week
				t.Fatal(err)
			}
			time.Sleep(7 * 24 * time.Hour)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		begun := time.Now()
		if err := w.NotifyWeek(ctx); err != nil || time.Since(begun) > 10*time.Second {
			t.Fatalf("Week = %v after %s", err, time.Since(begun))
		}
		told := e.of(directory.NotificationWeekly)
		if len(told) != 2*n/connectionsInPart {
			t.Fatalf("%d notices, want those of two weeks", len(told))
		}
		at := 0
		for _, notice := range told[n/connectionsInPart:] {
			for _, c := range notice.Facts.(WeekFacts).Connections {
				if want := directory.ConnectionID(fmt.Sprintf("con_%04d", at)); c.ID != want {
					t.Fatalf("connection %d of the summary is %s, want %s", at, c.ID, want)
				}
				at++
			}
		}
	})
}

// That the token which a client uses ends is told 30 days before and 7, each once, and not
// of one that nobody uses any more.
func TestWatchTellsOfTokens(t *testing.T) {
	w := newWorld(t)
	watch, e := w.watch()
	c := directory.ScimClient{ID: "scl_1", Name: "Okta"}
	w.must(w.store.ScimClients.SaveScimClient(t.Context(), directory.AuditEvent{}, &c))
	old := directory.ScimToken{ID: "sct_old", ClientID: c.ID, Expires: w.Now().Add(3 * 24 * time.Hour)}
	used := directory.ScimToken{ID: "sct_used", ClientID: c.ID, Expires: w.Now().Add(33 * 24 * time.Hour), LastUsed: w.Now()}
	w.must(w.store.ScimClients.AddScimToken(t.Context(), directory.AuditEvent{}, &old))
	w.must(w.store.ScimClients.AddScimToken(t.Context(), directory.AuditEvent{}, &used))
	var told []string
	for day := range 40 {
		for range 2 {
			if day == 5 {
				e.fail = 1 // nobody listens: it is told by the next tick
			}
			_ = watch.NotifyTokens(t.Context())
		}
		for _, n := range e.of(directory.NotificationTokenEnding)[len(told):] {
			told = append(told, fmt.Sprint(day, " ", n.ID))
		}
		w.Advance(24 * time.Hour)
	}
	if want := []string{"3 token:sct_used:30", "26 token:sct_used:7"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}
