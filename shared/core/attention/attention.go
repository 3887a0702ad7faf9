package attention

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"bindery/shared/core/connect"
	"bindery/shared/core/doctor"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Stores are the records that are gathered, by concern.
type Stores struct {
	Connections connections
	Runs        openRuns
	Problems    problems
	Health      health
	Clients     clients
}

// StoresOf are those of a store, at a time of day.
func StoresOf(s *store.Store, now func() time.Time) Stores {
	return Stores{Connections: s.Connections, Runs: s.Runs, Problems: s.Bindings, Health: s.Connections, Clients: doctor.ClientsOf(s, now)}
}

type connections interface {
	Connection(ctx context.Context, id directory.ConnectionID) (directory.Connection, error)
	ListConnections(ctx context.Context, cursor string, limit int) ([]directory.Connection, string, error)
}

// openRuns are the runs that have not ended.
type openRuns interface {
	OpenRuns(ctx context.Context, c directory.ConnectionID) ([]directory.RunID, error)
	RunsByID(ctx context.Context, ids []directory.RunID) (map[directory.RunID]store.RunRecord, error)
}

type problems interface {
	ProblemCauses(ctx context.Context, c directory.ConnectionID, epoch int64) ([]store.ProblemCause, error)
}

// health reads the doctor's last report; directory.ErrNotFound.
type health interface {
	Health(ctx context.Context, c directory.ConnectionID, report any) error
}

// clients looks at the clients that push by SCIM.
type clients interface {
	All(ctx context.Context) ([]doctor.JudgedClient, error)
}

// Service gathers. It may be used by many goroutines.
type Service struct {
	Stores Stores
	Now    func() time.Time
}

// Page is what needs somebody at some of the connections.
type Page struct {
	Items []Item
	// Connections is how many were looked at, and Next where to go on; "" at the end.
	Connections int
	Next        string
}

// Query says of which connections, and what of them.
type Query struct {
	ConnectionID directory.ConnectionID // "" for all
	Urgency      Urgency                // "" for any
}

const (
	// atOnce is of how many connections something is read at the same time.
	atOnce = 8
	// most is how many items of one kind a connection has at most.
	most = 20
)

// List looks at up to limit connections from a cursor on; the first page of all of them
// looks at the SCIM clients as well. Its items are in the order of urgency, and the older one
// first.
func (s *Service) List(ctx context.Context, q Query, cursor string, limit int) (Page, error) {
	conns, next, err := s.connections(ctx, q, cursor, limit)
	if err != nil {
		return Page{}, err
	}
	found := make([][]Item, len(conns)+1)
	reads, ctx := errgroup.WithContext(ctx)
	reads.SetLimit(atOnce)
	for i := range conns {
		reads.Go(func() (err error) {
			found[i], err = s.of(ctx, &conns[i], q.Urgency)
			return err
		})
	}
	if cursor == "" && q.ConnectionID == "" && q.Urgency != Decide { // a client has nothing to be decided
		reads.Go(func() (err error) {
			found[len(conns)], err = s.ofClients(ctx, q.Urgency)
			return err
		})
	}
	if err := reads.Wait(); err != nil {
		return Page{}, err
	}
	items := slices.Concat(found...)
	slices.SortStableFunc(items, func(a, b Item) int {
		return cmp.Or(cmp.Compare(slices.Index(Urgencies, a.Urgency), slices.Index(Urgencies, b.Urgency)), a.Since.Compare(b.Since))
	})
	return Page{Items: items, Connections: len(conns), Next: next}, nil
}

func (s *Service) connections(ctx context.Context, q Query, cursor string, limit int) ([]directory.Connection, string, error) {
	if q.ConnectionID == "" {
		return s.Stores.Connections.ListConnections(ctx, cursor, limit)
	}
	c, err := s.Stores.Connections.Connection(ctx, q.ConnectionID)
	return []directory.Connection{c}, "", err
}

// of gathers what needs somebody at one connection.
func (s *Service) of(ctx context.Context, c *directory.Connection, only Urgency) ([]Item, error) {
	var list []Item
	add := func(items ...Item) {
		for _, i := range items[:min(len(items), most)] {
			if only == "" || i.Urgency == only {
				i.ConnectionID, i.ConnectionName = c.ID, c.Name
				list = append(list, i)
			}
		}
	}
	add(s.ofRecord(c)...)
	if c.Status != directory.StatusActive && c.Status != directory.StatusNeedsAuthorization {
		return list, nil // it has no runs, and what was known of its accounts does not count
	}
	wants := func(u ...Urgency) bool { return only == "" || slices.Contains(u, only) }
	if wants(Decide) {
		held, err := s.held(ctx, c)
		if err != nil {
			return nil, err
		}
		add(held...)
	}
	if wants(Broken, Waiting) {
		causes, err := s.Stores.Problems.ProblemCauses(ctx, c.ID, c.Epoch)
		if err != nil {
			return nil, err
		}
		var items []Item
		for i := range causes {
			items = append(items, ofCause(&causes[i]))
		}
		add(items...)
	}
	if wants(Broken, Soon) {
		var r doctor.Report
		err := s.Stores.Health.Health(ctx, c.ID, &r)
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return nil, err
		}
		add(ofReport(c, &r)...)
	}
	return list, nil
}

// ofRecord are the items that the connection's own record tells of.
func (s *Service) ofRecord(c *directory.Connection) []Item {
	var list []Item
	now := s.Now()
	if in := c.Waiting; in != nil && in.At.Add(connect.ConfirmWithin).After(now) {
		list = append(list, Item{Kind: Confirmation, Urgency: Decide, Since: in.At, Until: in.At.Add(connect.ConfirmWithin), Subject: in.AuthorizedBy.UserPrincipalName, AskedBy: in.RequestedBy,
			Message: "Somebody has signed in as " + in.AuthorizedBy.UserPrincipalName + " of " + cmp.Or(in.Tenant.DisplayName, string(in.Tenant.ID)) + "; that takes effect when it is confirmed.",
			Next:    "Look whether it is the right tenant and account, and confirm them, on the connection's page in the console or by POST /v1/connections/{id}/confirm. Unconfirmed, its tokens are deleted."})
	}
	for _, p := range c.Open(now) {
		what := "to loosen " + strings.Join(p.Loosens, ", ")
		if p.Lift != nil {
			what = "to lift the protection of the account " + string(p.Lift.AccountID)
		}
		list = append(list, Item{Kind: Proposal, Urgency: Decide, ProposalID: p.ID, Since: p.At, Until: p.Expires, AskedBy: p.By,
			Message: p.By + " proposes " + what + ".", Next: "Somebody else approves or declines it."})
	}
	if c.Status == directory.StatusNeedsAuthorization {
		i := Item{Kind: NeedsAuthorization, Urgency: Broken, Message: "Microsoft does not accept the connection's authorisation any more; nothing is synced.", Next: "Authorise the connection again, on its page in the console or by POST /v1/connections/{id}/authorize."}
		if p := c.Problem; p != nil {
			i.Code, i.Message, i.Next, i.Since = p.Code, p.Message, cmp.Or(p.Next, i.Next), p.Since
		}
		list = append(list, i)
	}
	if r := c.LastRun; r != nil && r.State == directory.RunFailed && c.Status == directory.StatusActive {
		list = append(list, Item{Kind: RunFailed, Urgency: Broken, RunID: r.ID, Since: r.EndedAt, Message: "The last run has failed.", Next: "GET /v1/runs/{id} says why."})
	}
	if c.Overdue(now) {
		list = append(list, Item{Kind: Overdue, Urgency: Broken, Since: c.LastSuccess(), Message: "No run has ended well for longer than twice the interval.", Next: "Look at the connection's runs, and at its health."})
	}
	if !c.InEffect() {
		return list
	}
	for _, p := range c.Lacking() {
		is := p.Problem()
		list = append(list, Item{Kind: LackingPermission, Urgency: Soon, Code: is.Code, Subject: p.Scope, Message: is.Message, Next: is.Next})
	}
	return list
}

// held are the runs that wait for a decision, oldest first.
func (s *Service) held(ctx context.Context, c *directory.Connection) ([]Item, error) {
	ids, err := s.Stores.Runs.OpenRuns(ctx, c.ID)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	runs, err := s.Stores.Runs.RunsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	var list []Item
	for _, id := range ids {
		r, there := runs[id]
		if !there || r.State != directory.RunHeld || r.Epoch != c.Epoch {
			continue
		}
		i := Item{Kind: HeldRun, Urgency: Decide, RunID: id, Since: r.StartedAt, AskedBy: r.AskedBy, Counts: r.Counts, Message: "The run is held.",
			Next: "Look at its changes, and approve or decline it. Until then nothing of it is written."}
		i.Held = r.Held
		if r.Held != nil && len(r.Held.Reasons) > 0 {
			i.Message = strings.Join(r.Held.Reasons[:min(len(r.Held.Reasons), mostReasons)], "; ")
			for _, f := range r.Held.Facts { // whose reason, the last, may be cut off
				if f.Code == directory.HeldPushed && !strings.Contains(i.Message, f.Name) {
					i.Message += "; edits of the SCIM client " + strconv.Quote(f.Name) + " led to it"
				}
			}
		}
		list = append(list, i)
	}
	return list, nil
}

// mostReasons is how many of the sentences why a run is held are told.
const mostReasons = 3

// ofCause is a cause as an item. What somebody has stopped, what waits for a seat and what
// passes by itself is not broken. A leaver whose account stays enabled is, whoever has paused it.
func ofCause(p *store.ProblemCause) Item {
	i := Item{Kind: Problem, Urgency: Broken, Code: p.Code, Message: p.Message, Next: p.Next, Since: p.Since, Count: p.Count, More: p.More}
	switch {
	case p.Code == directory.CodeWaitingForSeat, p.Code == directory.CodePausedByAdmin, p.Code == directory.CodeUndone, p.Kind == directory.ProblemTransient:
		i.Urgency = Waiting
	}
	return i
}

// ofReport are the doctor's findings that are more than worth knowing.
func ofReport(c *directory.Connection, r *doctor.Report) []Item {
	if r.Epoch != 0 && r.Epoch != c.Epoch {
		return nil // of another authorisation
	}
	return ofFindings(r.Findings, r.CheckedAt)
}

func ofFindings(findings []doctor.Finding, at time.Time) []Item {
	var list []Item
	for _, f := range findings {
		i := Item{Kind: Finding, Urgency: Soon, Code: f.Code, Variant: f.Variant, Values: f.Values, Subject: f.Subject, Message: strings.TrimSpace(f.Evidence + " " + f.Consequence), Next: f.Next, Since: f.Since, Count: f.Users + f.Groups}
		if i.Since.IsZero() {
			i.Since = at
		}
		switch f.Severity {
		case doctor.Critical:
			i.Urgency = Broken
		case doctor.Warning:
		default:
			continue
		}
		list = append(list, i)
	}
	return list
}

// ofClients are the findings about the clients that push by SCIM. One that somebody has
// paused waits for that somebody.
func (s *Service) ofClients(ctx context.Context, only Urgency) ([]Item, error) {
	clients, err := s.Stores.Clients.All(ctx)
	if err != nil {
		return nil, err
	}
	var list []Item
	for _, c := range clients {
		for _, i := range ofFindings(c.Findings, s.Now()) {
			if i.Code == directory.CodeScimClientPaused || i.Code == directory.CodeScimClientWaiting {
				i.Urgency = Waiting
			}
			if only == "" || i.Urgency == only {
				i.ScimClientID, i.ScimClientName = c.ID, c.Name
				list = append(list, i)
			}
		}
	}
	return list, nil
}
