package audit

import (
	"context"
	"errors"
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

// log is Microsoft's audit log: pages of per events, newest first.
type auditLog struct {
	events []directory.DirectoryAudit
	per    int
	calls  []time.Time
	now    func() time.Time
	fail   func(call int) error
}

func (l *auditLog) Audits(_ context.Context, q directory.DirectoryAuditQuery, link string) (directory.DirectoryAuditPage, error) {
	l.calls = append(l.calls, l.now())
	if l.fail != nil {
		if err := l.fail(len(l.calls)); err != nil {
			return directory.DirectoryAuditPage{}, err
		}
	}
	var hits []directory.DirectoryAudit
	for _, e := range l.events {
		about := slices.ContainsFunc(e.Targets, func(t directory.TargetResource) bool { return t.ID == string(q.Target) })
		if e.At.Before(q.Since) || e.At.After(q.Until) || q.InitiatedBy != "" && (e.ByUser == nil || e.ByUser.ID != q.InitiatedBy) || q.Target != "" && !about {
			continue
		}
		hits = append(hits, e)
	}
	slices.SortStableFunc(hits, func(a, b directory.DirectoryAudit) int { return b.At.Compare(a.At) })
	from := 0
	fmt.Sscanf(link, "%d", &from)
	per := l.per
	if per == 0 {
		per = 1000
	}
	page := directory.DirectoryAuditPage{Events: hits[from:min(len(hits), from+per)]}
	if from+per < len(hits) {
		page.Next = fmt.Sprint(from + per)
	}
	return page, nil
}

// event is one that the admin's account did.
func event(id, account, activity string, at time.Time, properties ...string) directory.DirectoryAudit {
	target := directory.TargetResource{ID: account, Type: "User"}
	for _, p := range properties {
		target.Properties = append(target.Properties, directory.ModifiedProperty{Name: p, Before: `["a"]`, After: `["b"]`})
	}
	return directory.DirectoryAudit{ID: id, At: at, Activity: activity, Category: "UserManagement", CorrelationID: "corr-" + id, Result: "success",
		ByUser: &directory.UserIdentity{ID: "admin-oid", UserPrincipalName: "ada@tenant-1.example"}, Targets: []directory.TargetResource{target}}
}

// auditWorld is a world whose connection may read the log.
func auditWorld(t *testing.T, log *auditLog) (*world, *Audit) {
	t.Helper()
	w := newWorld(t)
	log.now = w.Now
	c, err := w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Scopes = []string{"https://graph.microsoft.com/AuditLog.Read.All"}
		return nil
	})
	w.must(err)
	w.conn = c
	w.hold()
	return w, &Audit{Stores: AuditStoresOf(w.store), Now: w.Now, Open: func(context.Context, *directory.Connection) (AuditTenant, error) { return log, nil }}
}

// compareAll reads a comparison in pages and returns "match entry/events" lines.
func (w *world) compareAll(a *Audit, limit int) ([]string, []AuditReport) {
	w.Helper()
	var lines []string
	var reports []AuditReport
	for next := ""; ; {
		r, err := a.Read(w.Context(), w.conn.ID, w.Now().Add(-24*time.Hour), time.Time{}, next, limit)
		w.must(err)
		reports = append(reports, r)
		for _, item := range r.Items {
			line := string(item.Match)
			if item.Entry != nil {
				line += " " + string(item.Entry.UserID)
			}
			for _, e := range item.Events {
				line += " " + e.ID
			}
			lines = append(lines, line)
		}
		if next = r.Next; next == "" {
			return lines, reports
		}
		if len(reports) > 200 {
			w.Fatal("the comparison does not end")
		}
		w.Advance(11 * time.Second) // the quota of reports
	}
}

func TestAuditJoin(t *testing.T) {
	log := &auditLog{}
	w, a := auditWorld(t, log)
	at := func(d time.Duration) time.Time { return w.Now().Add(d) }
	change := func(user, account string, effect directory.Effect, property string) directory.Change {
		c := edit(user, account, property, "a", "b")
		c.Effect = effect
		return c
	}
	add := func(e directory.DirectoryAudit) { log.events = append(log.events, e) }
	// Seen by both: other names, another correlation, seconds apart; a block is told twice.
	add(event("e1", "ACC-1", "Update user", at(3*time.Second), "PhysicalDeliveryOfficeName"))
	add(event("e2", "acc-2", "Update user", at(time.Second), "AccountEnabled"))
	twin := event("e2b", "acc-2", "Disable account", at(time.Second), "AccountEnabled")
	twin.CorrelationID = "corr-e2"
	add(twin)
	w.run(20, change("u1", "acc-1", directory.EffectUpdate, "officeLocation"), change("u2", "acc-2", directory.EffectBlock, "accountEnabled"),
		change("u3", "acc-3", directory.EffectCreate, "displayName"), change("u4", "acc-4", directory.EffectAdopt, "displayName"),
		change("u5", "acc-5", directory.EffectUpdate, "city"), change("u6", "acc-6", directory.EffectUpdate, "city"))
	add(event("e3", "acc-3", "Add user", at(0), "DisplayName"))
	// Only by us: nothing, another property, too late.
	add(event("e6", "acc-6", "Update user", at(-time.Second), "Department"))
	w.Advance(time.Hour)
	// Several candidates: twice the same property within five minutes.
	add(event("e7", "acc-7", "Update user", at(time.Second), "Department"))
	w.run(20, change("u7", "acc-7", directory.EffectUpdate, "department"))
	w.Advance(2 * time.Minute)
	add(event("e7b", "acc-7", "Update user", at(time.Second), "Department"))
	w.run(20, change("u7", "acc-7", directory.EffectUpdate, "department"))
	w.Advance(time.Hour)
	// A request-id decides.
	named := event("e8", "acc-8", "Update user", at(time.Second), "Department")
	named.CorrelationID = "req-0"
	add(named)
	w.run(20, change("u8", "acc-8", directory.EffectUpdate, "department"))
	w.Advance(time.Minute)
	add(event("e8b", "acc-8", "Update user", at(time.Second), "Department"))
	w.Advance(time.Hour)
	// Two of ours and one event: it may be of either.
	add(event("e11", "acc-11", "Update user", at(30*time.Second), "City"))
	w.run(20, change("u11", "acc-11", directory.EffectUpdate, "city"))
	w.Advance(time.Minute)
	w.run(20, change("u11", "acc-11", directory.EffectUpdate, "city"))
	w.Advance(time.Hour)
	// What failed is no other use of the account, and no account of what did not.
	refused := event("e12", "acc-12", "Update user", at(time.Second), "City")
	refused.Result = "failure"
	add(refused)
	failing := []directory.Change{change("u12", "acc-12", directory.EffectUpdate, "city")}
	r := w.begin(failing...)
	w.must(w.store.Runs.Journal(t.Context(), &w.lease, &w.conn, store.Journal{Run: &r, Refs: []directory.Ref{directory.AccountOf("u12")},
		Results: []store.Result{{Index: 0, State: directory.ChangeFailed, At: w.Now()}}}))
	w.end(&r, directory.RunDone)
	again := event("e13", "acc-13", "Update user", at(time.Second), "City")
	again.Result = "failure"
	add(again)
	w.run(20, change("u13", "acc-13", directory.EffectUpdate, "city"))
	w.Advance(time.Hour)
	// Somebody else's use of the account, and somebody else.
	add(event("e9", "acc-9", "Reset user password", at(0)))
	stranger := event("e10", "acc-1", "Update user", at(0), "City")
	stranger.ByUser = &directory.UserIdentity{ID: "eve"}
	add(stranger)
	w.Advance(10 * time.Minute)

	want := []string{
		"both u1 e1", "both u2 e2 e2b", "both u3 e3", "both u8 e8", "microsoft e13", "microsoft e6", "microsoft e8b", "microsoft e9",
		"ours u13", "ours u5", "ours u6", "possibly u11 e11", "possibly u11 e11", "possibly u7 e7b e7", "possibly u7 e7b e7",
	}
	for _, limit := range []int{1, 2, 100} {
		lines, reports := w.compareAll(a, limit)
		slices.Sort(lines)
		if !slices.Equal(lines, want) {
			t.Errorf("by %d = %q, want %q", limit, lines, want)
		}
		if !reports[0].Available || reports[0].Problem != nil || !strings.Contains(strings.Join(reports[0].Advice, " "), "an account of its own") {
			t.Errorf("by %d: report = %+v", limit, reports[0])
		}
	}
}

// What an authorisation leaves in the log is not somebody's other use.
func TestAuditKnowsOurOwnSignIn(t *testing.T) {
	log := &auditLog{}
	w, a := auditWorld(t, log)
	w.must(w.store.Audit.RecordAuditEvent(t.Context(), directory.AuditEvent{Kind: "sign-in", By: "ada", ConnectionID: w.conn.ID}))
	consent := event("c1", "sp-1", "Add delegated permission grant", w.Now().Add(-time.Minute), "DelegatedPermissionGrant.Scope")
	consent.Category = "ApplicationManagement"
	log.events = append(log.events, consent)
	w.Advance(time.Hour)
	lines, reports := w.compareAll(a, 10)
	if !slices.Equal(lines, []string{"both  c1"}) || len(reports[0].Advice) != 0 {
		t.Errorf("items = %q, advice %q", lines, reports[0].Advice)
	}
}

func TestAuditSaysWhatIsMissing(t *testing.T) {
	forbidden := func(code string) error {
		return &directory.Problem{Code: code, MicrosoftStatus: 403, MicrosoftCode: "Authorization_RequestDenied"}
	}
	for _, c := range []struct {
		what string
		edit func(*directory.Connection)
		fail error
		want string
	}{
		{"not wanted", func(c *directory.Connection) { c.Scopes = []string{"User.ReadWrite.All"} }, nil, directory.CodeAuditNotWanted},
		{"wanted and not granted", func(c *directory.Connection) { c.Scopes, c.Settings.AuditLog = nil, true }, nil, directory.CodeAuditScopeMissing},
		{"not authorised", func(c *directory.Connection) { c.Status = directory.StatusNeedsAuthorization }, nil, directory.CodeAuditNeedsAuthorization},
		{"no licence", func(*directory.Connection) {}, &directory.Problem{Code: "premium-license-missing", MicrosoftStatus: 403}, directory.CodeAuditLicenceMissing},
		{"no role", func(*directory.Connection) {}, forbidden("insufficient-privileges"), directory.CodeAuditRoleMissing},
		{"tokens refused", func(*directory.Connection) {}, fmt.Errorf("read: %w", directory.ErrUnauthorized), directory.CodeAuditNeedsAuthorization},
		{"Microsoft is down", func(*directory.Connection) {}, directory.ErrUnavailable, directory.CodeAuditUnavailable},
		{"throttled for long", func(*directory.Connection) {}, &directory.ThrottledError{RetryAfter: time.Hour}, directory.CodeAuditThrottled},
	} {
		t.Run(c.what, func(t *testing.T) {
			log := &auditLog{fail: func(int) error { return c.fail }}
			w, a := auditWorld(t, log)
			w.run(20, edit("u1", "acc-1", "city", "a", "b"))
			_, err := w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(conn *directory.Connection) error { c.edit(conn); return nil })
			w.must(err)
			r, err := a.Read(t.Context(), w.conn.ID, time.Time{}, time.Time{}, "", 10)
			if err != nil || r.Available || r.Problem == nil || r.Problem.Code != c.want || r.Problem.Next == "" {
				t.Fatalf("Read = %+v, %v; want %s", r, err, c.want)
			}
			if len(r.Items) != 1 || r.Items[0].Match != MatchUnchecked {
				t.Errorf("items = %+v", r.Items)
			}
		})
	}
}

// However many events there are, no more than five calls go out in ten seconds,
// a page does not outlast a call of the API, and in the end all are told.
func TestAuditKeepsToTheQuotaOfReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &auditLog{per: 10, now: time.Now}
		s := store.New(memory.New(), store.Options{})
		c := directory.Connection{ID: "con_1", Name: "HQ", Status: directory.StatusActive, Epoch: 1, Scopes: []string{directory.ScopeAuditLog},
			Tenant: &directory.Tenant{ID: "tenant-1"}, AuthorizedBy: &directory.Administrator{ObjectID: "admin-oid"}}
		if err := s.Connections.CreateConnection(t.Context(), directory.AuditEvent{}, &c); err != nil {
			t.Fatal(err)
		}
		for i := range 500 {
			log.events = append(log.events, event(fmt.Sprint(i), "acc", "Reset user password", time.Now().Add(-time.Duration(i)*time.Minute)))
		}
		a := &Audit{Stores: AuditStoresOf(s), Open: func(context.Context, *directory.Connection) (AuditTenant, error) { return log, nil }}
		seen := map[string]bool{}
		time.Sleep(time.Second) // what is done at this very moment is for the next report
		first := time.Now()
		for next, pages := "", 0; ; pages++ {
			begun := time.Now()
			r, err := a.Read(t.Context(), c.ID, first.Add(-9*time.Hour), first.Add(time.Second), next, 100)
			if err != nil || pages > 60 {
				t.Fatalf("page %d: %v", pages, err)
			}
			if d := time.Since(begun); d > 25*time.Second {
				t.Errorf("page %d took %s", pages, d)
			}
			for _, item := range r.Items {
				if seen[item.Events[0].ID] {
					t.Errorf("%s comes twice", item.Events[0].ID)
				}
				seen[item.Events[0].ID] = true
			}
			if next = r.Next; next == "" {
				break
			}
		}
		if len(seen) != 500 {
			t.Errorf("events told = %d, want 500", len(seen))
		}
		for i := 5; i < len(log.calls); i++ {
			if d := log.calls[i].Sub(log.calls[i-5]); d < 10*time.Second {
				t.Fatalf("six calls within %s", d)
			}
		}
	})
}

func TestWho(t *testing.T) {
	log := &auditLog{}
	w, a := auditWorld(t, log)
	by := func(e directory.DirectoryAudit, user *directory.UserIdentity, app *directory.AppIdentity) directory.DirectoryAudit {
		e.ByUser, e.ByApp = user, app
		return e
	}
	now := w.Now()
	failed := event("5", "acc-1", "Update user", now.Add(-time.Second), "Department")
	failed.Result = "failure"
	log.events = []directory.DirectoryAudit{
		by(event("1", "acc-1", "Update user", now.Add(-time.Hour), "Department"), &directory.UserIdentity{ID: "bob", UserPrincipalName: "bob@x"}, nil),
		by(event("2", "acc-1", "Update user", now.Add(-time.Minute), "Department", "JobTitle"), nil, &directory.AppIdentity{AppID: "app", DisplayName: "HR tool"}),
		event("3", "acc-1", "Disable account", now.Add(-time.Minute), "AccountEnabled"),
		by(event("4", "acc-2", "Update user", now.Add(-time.Minute), "City"), &directory.UserIdentity{ID: "eve"}, nil),
		failed,
	}
	got, err := a.LastEditors(t.Context(), &w.conn, "acc-1", []string{"department", "accountEnabled", "city"}, now.Add(-2*time.Hour))
	if err != nil || len(got) != 2 || got["department"].Name != "HR tool" || !got["accountEnabled"].Admin || got["department"].Admin {
		t.Errorf("Who = %+v, %v", got, err)
	}
	for range 4 {
		if _, err := a.LastEditors(t.Context(), &w.conn, "acc-1", []string{"city"}, now); err != nil {
			t.Fatal(err)
		}
	}
	_, err = a.LastEditors(t.Context(), &w.conn, "acc-1", []string{"city"}, now)
	if throttled, ok := errors.AsType[*directory.ThrottledError](err); !ok || throttled.RetryAfter <= 0 || len(log.calls) != 5 {
		t.Errorf("the sixth Who = %v after %d calls", err, len(log.calls))
	}
	w.conn.Scopes = nil
	if _, err := a.LastEditors(t.Context(), &w.conn, "acc-1", nil, now); err == nil {
		t.Error("Who without the scope = nil error")
	}
}

func TestWhoOfMembers(t *testing.T) {
	log := &auditLog{}
	w, a := auditWorld(t, log)
	now := w.Now()
	of := func(id, member, group string, at time.Time, by string) directory.DirectoryAudit {
		return directory.DirectoryAudit{ID: id, At: at, Activity: "Add member to group", Result: "success", ByUser: &directory.UserIdentity{UserPrincipalName: by},
			Targets: []directory.TargetResource{{ID: member, Type: "User"}, {ID: group, Type: "Group"}}}
	}
	log.events = []directory.DirectoryAudit{
		of("1", "ann", "sales", now.Add(-time.Hour), "old@x"), of("2", "ANN", "sales", now.Add(-time.Minute), "bob@x"), of("3", "ben", "works", now.Add(-time.Minute), "eve@x"),
	}
	got, err := a.LastMemberEditors(t.Context(), &w.conn, "sales", []directory.AccountID{"ann", "ben"}, now.Add(-2*time.Hour))
	if err != nil || len(got) != 1 || got["ann"].Name != "bob@x" {
		t.Errorf("LastMemberEditors = %+v, %v", got, err)
	}
}

// TestWhoOfLicences: who changed the licences of an account, or of a group, is the last one
// whom the log tells of.
func TestWhoOfLicences(t *testing.T) {
	log := &auditLog{}
	w, a := auditWorld(t, log)
	now := w.Now()
	of := func(id, activity, target string, at time.Time, by string) directory.DirectoryAudit {
		return directory.DirectoryAudit{ID: id, At: at, Activity: activity, Result: "success", ByUser: &directory.UserIdentity{UserPrincipalName: by}, Targets: []directory.TargetResource{{ID: target}}}
	}
	log.events = []directory.DirectoryAudit{
		of("1", "Change user license", "ann", now.Add(-time.Hour), "old@x"), of("2", "Change user license", "ann", now.Add(-time.Minute), "eve@x"),
		of("3", "Update user", "ann", now, "bob@x"), of("4", "Change user license", "ben", now, "bob@x"), of("5", "Set group license", "staff", now.Add(-time.Minute), "kim@x"),
	}
	for of, want := range map[directory.AccountID]string{"ann": "eve@x", "staff": "kim@x"} {
		if got, err := a.LastLicensor(t.Context(), &w.conn, of, now.Add(-2*time.Hour)); err != nil || got == nil || got.Name != want {
			t.Errorf("LastLicensor(%s) = %+v, %v", of, got, err)
		}
	}
	if got, err := a.LastLicensor(t.Context(), &w.conn, "kim", now.Add(-2*time.Hour)); err != nil || got != nil {
		t.Errorf("of nobody: %+v, %v", got, err)
	}
}
