package attention

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bindery/shared/core/connect"
	"bindery/shared/core/doctor"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/testworld"
)

type world struct {
	*testworld.World
	service *Service
}

func newWorld(t *testing.T) *world {
	w := testworld.New(t)
	return &world{w, &Service{Stores: StoresOf(w.Store, w.Now), Now: w.Now}}
}

// connection makes one that is authorised, with what change makes of it.
func (w *world) connection(name string, change func(*directory.Connection)) directory.Connection {
	w.Helper()
	c := w.Connected(directory.Connection{Name: name, Tenant: &directory.Tenant{ID: directory.TenantID("tenant-" + name), DisplayName: strings.ToUpper(name)},
		AuthorizedBy: &directory.Administrator{ObjectID: "a", UserPrincipalName: "admin@" + name}, AuthorizedAt: w.Now(), Scopes: []string{"User.ReadWrite.All", "GroupMember.Read.All"}})
	c, err := w.Store.Connections.ModifyConnection(w.Context(), directory.AuditEvent{}, c.ID, func(c *directory.Connection) error {
		if change != nil {
			change(c)
		}
		return nil
	})
	w.Must(err)
	w.Advance(time.Second)
	return c
}

// run stores a run in a state.
func (w *world) run(c *directory.Connection, state directory.RunState, reasons ...string) directory.RunID {
	w.Helper()
	r := store.RunRecord{Run: directory.Run{ID: directory.NewRunID(w.Now()), ConnectionID: c.ID, Epoch: c.Epoch, Kind: directory.KindSync, State: state, AskedBy: "ada",
		StartedAt: w.Now(), Counts: map[directory.Effect]int{directory.EffectBlock: 14}, Held: &directory.Held{Reasons: reasons}}}
	w.Must(w.Store.Runs.CreateRun(w.Context(), directory.AuditEvent{}, &r))
	w.Advance(time.Second)
	return r.ID
}

// trouble gives a new binding of a connection a problem.
func (w *world) trouble(c *directory.Connection, p directory.Problem) {
	w.Helper()
	ref := directory.Ref{Kind: "lamp", ID: string(directory.NewUserID(w.Now()))}
	w.Must(w.Store.Bindings.Bind(w.Context(), directory.AuditEvent{}, c, "ada", []store.Selection{{Object: ref, Version: 1}}))
	found, err := w.Store.Bindings.BindingsOf(w.Context(), c.ID, []directory.Ref{ref})
	w.Must(err)
	b := found[ref]
	p.Since = w.Now()
	b.Status, b.Problem = directory.BindingConflict, &p
	w.Must(w.Store.Bindings.UpdateBinding(w.Context(), directory.AuditEvent{}, &b, false, false))
}

// said are the items of a query, as "urgency kind name what".
func (w *world) said(q Query) (lines []string) {
	w.Helper()
	for cursor := ""; ; {
		p, err := w.service.List(w.Context(), q, cursor, 2)
		w.Must(err)
		for _, i := range p.Items {
			if i.Message == "" || i.ConnectionID == "" && i.ScimClientID == "" {
				w.Errorf("%+v says nothing", i)
			}
			what := i.Code + i.Subject + string(i.RunID) + i.ProposalID
			if i.Count > 0 {
				what += fmt.Sprintf("x%d", i.Count)
			}
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", i.Urgency, i.Kind, i.ConnectionName+i.ScimClientName, what)))
		}
		if cursor = p.Next; cursor == "" {
			return lines
		}
	}
}

func TestAttention(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if got := w.said(Query{}); got != nil {
		t.Errorf("without connections: %v", got)
	}
	busy := w.connection("busy", func(c *directory.Connection) {
		c.Waiting = &directory.SignIn{ID: "sgn", Tenant: directory.Tenant{DisplayName: "Busy"}, AuthorizedBy: directory.Administrator{UserPrincipalName: "new@busy"}, RequestedBy: "ben", At: w.Now()}
		c.Proposals = []directory.Proposal{
			{ID: "prp_1", Kind: directory.ProposalSettings, By: "ben", At: w.Now(), Expires: w.Now().Add(time.Hour), Loosens: []string{"mode"}},
			{ID: "prp_0", By: "ben", Expires: w.Now()},
		}
	})
	held := w.run(&busy, directory.RunHeld, "14 accounts would be blocked; the limit is 5.", "b", "c", "d")
	w.run(&busy, directory.RunApplying)
	w.trouble(&busy, directory.Problem{Code: "address-in-use", Kind: directory.ProblemConflict, Message: "Taken."})
	w.trouble(&busy, directory.Problem{Code: "address-in-use", Kind: directory.ProblemConflict, Message: "Taken."})
	w.trouble(&busy, directory.Problem{Code: directory.CodeWaitingForSeat, Kind: directory.ProblemTenant, Message: "No seat."})
	w.trouble(&busy, directory.Problem{Code: "later", Kind: directory.ProblemTransient, Message: "Passes."})
	w.Must(w.Store.Connections.SaveHealth(w.Context(), busy.ID, doctor.Report{Epoch: 1, Findings: []doctor.Finding{
		{Code: "domain-lost", Severity: doctor.Critical, Subject: "busy.example", Variant: "all", Values: map[string]any{"domain": "busy.example"}, Evidence: "It is gone."}, {Code: "token-old", Severity: doctor.Warning, Evidence: "Old.", Users: 3},
		{Code: "nice", Severity: doctor.Info, Evidence: "Nice."}}}, w.Now()))
	dead := w.connection("dead", func(c *directory.Connection) {
		c.Status, c.Problem = directory.StatusNeedsAuthorization, &directory.Problem{Code: "revoked", Message: "The token was revoked.", Since: w.Now()}
	})
	gone := w.connection("gone", nil)
	w.run(&gone, directory.RunHeld, "old")
	w.trouble(&gone, directory.Problem{Code: "old", Message: "Old."})
	_, _, err := w.Store.Connections.DeactivateConnection(w.Context(), directory.AuditEvent{}, gone.ID)
	w.Must(err)
	well := w.connection("well", nil)
	w.Must(w.Store.Connections.SaveHealth(w.Context(), well.ID, doctor.Report{Epoch: 7, Findings: []doctor.Finding{{Code: "of-before", Severity: doctor.Critical}}}, w.Now()))

	want := map[Query][]string{
		{}: {"decide confirmation busy new@busy", "decide proposal busy prp_1", "decide held-run busy " + string(held), "broken finding busy domain-lostbusy.example", "broken problem busy address-in-usex2",
			"soon finding busy token-oldx3", "waiting problem busy laterx1", "waiting problem busy waiting-for-seatx1", "broken needs-authorization dead revoked"},
		{Urgency: Decide}:       {"decide confirmation busy new@busy", "decide proposal busy prp_1", "decide held-run busy " + string(held)},
		{Urgency: Broken}:       {"broken finding busy domain-lostbusy.example", "broken problem busy address-in-usex2", "broken needs-authorization dead revoked"},
		{Urgency: Soon}:         {"soon finding busy token-oldx3"},
		{Urgency: Waiting}:      {"waiting problem busy laterx1", "waiting problem busy waiting-for-seatx1"},
		{ConnectionID: dead.ID}: {"broken needs-authorization dead revoked"},
		{ConnectionID: gone.ID}: nil,
		{ConnectionID: well.ID}: nil,
	}
	for q, lines := range want {
		got := w.said(q)
		slices.Sort(got)
		slices.Sort(lines)
		if !slices.Equal(got, lines) {
			t.Errorf("%+v says\n%s\nwant\n%s", q, strings.Join(got, "\n"), strings.Join(lines, "\n"))
		}
	}
	p, err := w.service.List(t.Context(), Query{}, "", 10)
	w.Must(err)
	if p.Connections != 4 || !slices.IsSortedFunc(p.Items, func(a, b Item) int {
		return slices.Index(Urgencies, a.Urgency) - slices.Index(Urgencies, b.Urgency)
	}) {
		t.Errorf("%d connections, items in the order %v", p.Connections, p.Items)
	}
	for _, i := range p.Items {
		if i.Kind == HeldRun && (i.AskedBy != "ada" || i.Counts[directory.EffectBlock] != 14 || i.Message != "14 accounts would be blocked; the limit is 5.; b; c") {
			t.Errorf("the held run: %+v", i)
		}
		if i.Code == "domain-lost" && (i.Variant != "all" || i.Values["domain"] != "busy.example") {
			t.Errorf("the finding lacks what its sentences are about: %+v", i)
		}
		if i.Kind == Confirmation && !i.Until.Equal(i.Since.Add(connect.ConfirmWithin)) {
			t.Errorf("the confirmation: %+v", i)
		}
	}
	if _, err := w.service.List(t.Context(), Query{ConnectionID: "con_none"}, "", 10); err == nil {
		t.Error("a connection that is not there is looked at")
	}

	// What has had its time needs nobody any more; what should have run does.
	w.Advance(connect.ConfirmWithin + 24*time.Hour)
	got := w.said(Query{ConnectionID: busy.ID, Urgency: Decide})
	if want := []string{"decide held-run busy " + string(held)}; !slices.Equal(got, want) {
		t.Errorf("after a day: %v, want %v", got, want)
	}
	if got = w.said(Query{ConnectionID: well.ID}); !slices.Equal(got, []string{"broken overdue well"}) {
		t.Errorf("after a day without a run: %v", got)
	}
}

func TestLastRunFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connection("hq", nil)
	c.LastRun = &directory.LastRun{ID: "run_1", State: directory.RunFailed, EndedAt: w.Now()}
	got := w.service.ofRecord(&c)
	if len(got) != 1 || got[0].Kind != RunFailed || got[0].RunID != "run_1" || got[0].Urgency != Broken {
		t.Errorf("of a run that failed: %+v", got)
	}
	c.Scopes = []string{"User.Read.All"}
	c.LastRun = nil
	if got = w.service.ofRecord(&c); len(got) != 1 || got[0].Kind != LackingPermission || got[0].Urgency != Soon || got[0].Subject == "" {
		t.Errorf("of a connection without permissions: %+v", got)
	}
}

// counting counts what is read of the records.
type counting struct {
	*store.Store
	n atomic.Int64
}

func (c *counting) OpenRuns(ctx context.Context, id directory.ConnectionID) ([]directory.RunID, error) {
	c.n.Add(1)
	return c.Store.Runs.OpenRuns(ctx, id)
}

func (c *counting) RunsByID(ctx context.Context, ids []directory.RunID) (map[directory.RunID]store.RunRecord, error) {
	c.n.Add(1)
	return c.Store.Runs.RunsByID(ctx, ids)
}

func (c *counting) ProblemCauses(ctx context.Context, id directory.ConnectionID, epoch int64) ([]store.ProblemCause, error) {
	c.n.Add(1)
	return c.Store.Bindings.ProblemCauses(ctx, id, epoch)
}

func (c *counting) Health(ctx context.Context, id directory.ConnectionID, report any) error {
	c.n.Add(1)
	return c.Store.Connections.Health(ctx, id, report)
}

// A connection that needs nobody costs three reads, and one for decisions alone.
func TestReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 5 {
		w.connection(fmt.Sprint("c", i), nil)
	}
	reads := &counting{Store: w.Store}
	w.service.Stores = Stores{Connections: w.Store.Connections, Runs: reads, Problems: reads, Health: reads, Clients: w.service.Stores.Clients}
	for urgency, each := range map[Urgency]int64{"": 3, Decide: 1, Broken: 2, Soon: 1, Waiting: 1} {
		reads.n.Store(0)
		if _, err := w.service.List(t.Context(), Query{Urgency: urgency}, "", 100); err != nil || reads.n.Load() != 5*each {
			t.Errorf("%q reads %d times of 5 connections (%v), want %d of each", urgency, reads.n.Load(), err, each)
		}
	}
}

// TestClients: findings about SCIM clients are on the first page of all connections, and on
// no other.
func TestClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 3 {
		w.connection("well", nil)
	}
	paused := directory.ScimClient{ID: "scl_a", Name: "Okta", Created: w.Now(), Paused: true}
	w.Must(w.Store.ScimClients.SaveScimClient(w.Context(), directory.AuditEvent{}, &paused))
	silent := directory.ScimClient{ID: "scl_b", Name: "Entra", Created: w.Now(), SilentDays: 1, LastSeen: w.Now()}
	w.Must(w.Store.ScimClients.SaveScimClient(w.Context(), directory.AuditEvent{}, &silent))
	w.Advance(30 * time.Hour)
	want := []string{"soon finding Entra scim-client-silent", "waiting finding Okta scim-client-paused"}
	of := func(q Query) (lines []string) {
		return slices.DeleteFunc(w.said(q), func(l string) bool { return !strings.Contains(l, " finding ") })
	}
	if got := of(Query{}); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := of(Query{Urgency: Waiting}); !slices.Equal(got, want[1:]) {
		t.Errorf("%q, want %q", got, want[1:])
	}
	for _, q := range []Query{{Urgency: Decide}, {Urgency: Broken}} {
		if got := of(q); len(got) > 0 {
			t.Errorf("%+v: %q", q, got)
		}
	}
}
