package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
)

// AuditTenant reads Microsoft's audit log of one tenant.
type AuditTenant interface {
	Audits(ctx context.Context, q directory.DirectoryAuditQuery, link string) (directory.DirectoryAuditPage, error)
}

// Audit holds what we say that we did against what Microsoft says that the
// authorising admin's account did, and finds out who else changed something.
type Audit struct {
	Stores AuditStores
	Open   func(ctx context.Context, c *directory.Connection) (AuditTenant, error)
	Now    func() time.Time // nil means time.Now
	Log    *slog.Logger     // nil means silence
}

// Match says who knows of something.
type Match string

// The matches.
const (
	MatchBoth      Match = "both"      // seen by both
	MatchPossibly  Match = "possibly"  // there are several candidates
	MatchOurs      Match = "ours"      // only by us: not yet logged, or never
	MatchMicrosoft Match = "microsoft" // only by Microsoft: the account was used for something else
	MatchUnchecked Match = "unchecked" // Microsoft's log could not be read
)

// AuditItem is one thing that was done, with who knows of it.
type AuditItem struct {
	Match Match     `json:"match"`
	At    time.Time `json:"at"`
	Entry *Entry    `json:"entry,omitempty"` // ours
	// Events are Microsoft's: those of one request, or the candidates.
	Events []directory.DirectoryAudit `json:"events,omitempty"`
}

// AuditReport is one page of the comparison, newest first.
type AuditReport struct {
	// Available says whether Microsoft's log could be read; Problem says why not,
	// or not all of it.
	Available bool                     `json:"available"`
	Problem   *directory.Problem       `json:"problem,omitempty"`
	Admin     *directory.Administrator `json:"admin,omitempty"` // whose acts are asked for
	Since     time.Time                `json:"since"`           // of this page
	Until     time.Time                `json:"until"`
	Items     []AuditItem              `json:"items"`
	Counts    map[Match]int            `json:"counts"` // of this page
	Advice    []string                 `json:"advice,omitempty"`
	Next      string                   `json:"next,omitempty"`
}

// Times and sizes of the comparison.
const (
	// matchWindow is how far apart the two times of one act may lie.
	matchWindow = 5 * time.Minute
	// consentWindow is that for what a sign-in at our app leaves in the log.
	consentWindow = 15 * time.Minute
	// defaultSpan is what a comparison goes back when nothing else is said: as far
	// as a free tenant's log does.
	defaultSpan = 7 * 24 * time.Hour
	// quotaPatience is how long one page may wait for the quota of reports.
	quotaPatience = 18 * time.Second
	// maxEntriesRead bounds what is read of ours around a page.
	maxEntriesRead = 20000
)

func (a *Audit) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

// Read compares from since (zero: seven days back) until until (zero: now), a
// page at a time, newest first. That Microsoft's log cannot be read is part of
// the report and no error.
func (a *Audit) Read(ctx context.Context, id directory.ConnectionID, since, until time.Time, cursor string, limit int) (AuditReport, error) {
	c, err := a.Stores.Connections.Connection(ctx, id)
	if err != nil {
		return AuditReport{}, err
	}
	now := a.now().UTC()
	if until.IsZero() || until.After(now) {
		until = now
	}
	if since.IsZero() {
		since = until.Add(-defaultSpan)
	}
	if cursor != "" {
		if until, err = time.Parse(time.RFC3339Nano, cursor); err != nil || until.UTC().Year() > 9999 {
			return AuditReport{}, directory.Refuse(directory.ErrInvalid, directory.CodeInvalidCursor, "The parameter next is not one that a page of this list gave.", "Begin again without it.")
		}
	}
	if cursor == "" {
		if err := (&Query{Since: since, Until: until}).check(); err != nil {
			return AuditReport{}, err
		}
	}
	p := comparison{Audit: a, conn: &c, since: since.UTC(), high: until.UTC(), limit: limit}
	if err := p.readOurs(ctx); err != nil {
		return AuditReport{}, err
	}
	problem, err := p.readMicrosofts(ctx)
	if err != nil {
		return AuditReport{}, err
	}
	return p.report(problem), nil
}

// comparison is one page of a comparison: the time from low up to high.
type comparison struct {
	*Audit
	conn      *directory.Connection
	since     time.Time
	low, high time.Time
	limit     int
	entries   []Entry // ours, from low-2·around up to high+2·around
	events    []directory.DirectoryAudit
	// readTo is the time down to which Microsoft's log was read.
	readTo time.Time
	read   bool // at all
}

// readOurs reads our entries of the page, which decide how far it goes, and those
// around it, which are candidates for the same events.
func (p *comparison) readOurs(ctx context.Context) error {
	r := Report{Stores: p.Stores.Reports}
	p.low = p.since
	q := Query{ConnectionID: p.conn.ID, Since: p.since, Until: p.high}
	count := 0
	for next := ""; ; {
		list, more, err := r.List(ctx, q, next, min(500, max(p.limit, 50)))
		if err != nil {
			return err
		}
		for i := range list {
			if !isComparable(&list[i]) {
				continue
			}
			// All of one moment are on one page.
			if count >= p.limit && list[i].At.Before(p.low) {
				more = ""
				break
			}
			p.low = list[i].At
			count++
		}
		if next = more; next == "" {
			if count < p.limit || p.low.Before(p.since) {
				p.low = p.since
			}
			break
		}
		if count > maxEntriesRead {
			break
		}
	}
	q.Since, q.Until = p.low.Add(-2*matchWindow), p.high.Add(2*matchWindow)
	for next := ""; ; {
		list, more, err := r.List(ctx, q, next, 500)
		if err != nil {
			return err
		}
		p.entries = append(p.entries, list...)
		if next = more; next == "" || len(p.entries) > maxEntriesRead {
			return nil
		}
	}
}

// isComparable reports whether Microsoft would log what an entry says: a write to an
// account that was made.
func isComparable(e *Entry) bool {
	return e.Kind == KindChange && e.State == directory.ChangeApplied && writesAccount(e.Effect)
}

func writesAccount(e directory.Effect) bool {
	return e != directory.EffectAdopt && e != directory.EffectRelease
}

// readMicrosofts reads Microsoft's events of the page and around it. The problem says
// why they are not, or not all, there.
func (p *comparison) readMicrosofts(ctx context.Context) (*directory.Problem, error) {
	p.readTo = p.high.Add(matchWindow)
	if problem := mayRead(p.conn); problem != nil {
		return problem, nil
	}
	tenant, err := p.Open(ctx, p.conn)
	if err != nil {
		return readProblem(err), nil
	}
	q := directory.DirectoryAuditQuery{Since: p.low.Add(-matchWindow), Until: p.high.Add(matchWindow), InitiatedBy: p.conn.AuthorizedBy.ObjectID}
	give, seen := p.now().Add(quotaPatience), map[string]bool{}
	var progress directory.Paging
	for link := ""; ; {
		wait, err := p.wait(ctx, p.conn.Tenant.ID, give)
		if err != nil {
			return nil, err
		}
		if wait > 0 {
			return throttledProblem(wait), nil
		}
		part, err := tenant.Audits(ctx, q, link)
		if t, ok := errors.AsType[*directory.ThrottledError](err); ok {
			if t.RetryAfter <= 0 || p.now().Add(t.RetryAfter).After(give) || pause(ctx, t.RetryAfter) != nil {
				return throttledProblem(t.RetryAfter), nil
			}
			continue
		}
		if err != nil {
			return readProblem(err), nil
		}
		p.read = true
		for _, e := range part.Events {
			if !seen[e.ID] { // events that came in meanwhile push others onto the next page
				seen[e.ID], p.events = true, append(p.events, e)
			}
			if e.At.Before(p.readTo) {
				p.readTo = e.At
			}
		}
		if _, err := progress.Add("the audit log", part.IDs(), part.Next); err != nil {
			return readProblem(err), nil
		}
		if link = part.Next; link == "" {
			p.readTo = q.Since
			return nil, nil
		}
	}
}

// wait takes a call out of the quota of reports, and waits for it, but no longer
// than until give; then it says how long it would take.
func (a *Audit) wait(ctx context.Context, tenant directory.TenantID, give time.Time) (time.Duration, error) {
	for {
		wait, err := a.Stores.Pace.TakeReport(ctx, tenant)
		if err != nil || wait == 0 {
			return 0, err
		}
		if a.now().Add(wait).After(give) {
			return wait, nil
		}
		if err := pause(ctx, wait); err != nil {
			return 0, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// mayRead says why Microsoft's log need not be asked for.
func mayRead(c *directory.Connection) *directory.Problem {
	granted := slices.ContainsFunc(c.Scopes, func(s string) bool {
		return strings.EqualFold(s[strings.LastIndexByte(s, '/')+1:], directory.ScopeAuditLog)
	})
	switch {
	case c.Tenant == nil || c.AuthorizedBy == nil || c.Status != directory.StatusActive:
		return &directory.Problem{Code: directory.CodeAuditNeedsAuthorization, Kind: directory.ProblemAuthorization,
			Message: fmt.Sprintf("The connection is %s, so that Microsoft's audit log cannot be read.", c.Status), Next: "Authorise the connection, then ask again."}
	case granted:
		return nil
	case c.Settings.AuditLog:
		return &directory.Problem{Code: directory.CodeAuditScopeMissing, Kind: directory.ProblemAuthorization,
			Message: "The setting auditLog is on, and the connection was authorised without the permission " + directory.ScopeAuditLog + ".",
			Next:    "Authorise the connection again and accept the permission; nothing else changes.",
			Steps:   []directory.Step{{Text: "Get the address to authorise at", Call: "POST /v1/connections/{connectionId}/authorize"}}}
	}
	return &directory.Problem{Code: directory.CodeAuditNotWanted, Kind: directory.ProblemAuthorization,
		Message: "Microsoft's audit log is not asked for: the setting auditLog is off.",
		Next:    "Set auditLog to true, then authorise the connection again and accept the permission " + directory.ScopeAuditLog + ".",
		Steps: []directory.Step{{Text: "Set auditLog to true", Call: "PATCH /v1/connections/{connectionId}"},
			{Text: "Get the address to authorise at", Call: "POST /v1/connections/{connectionId}/authorize"}}}
}

// readProblem says which of licence, scope, role or service is missing.
func readProblem(err error) *directory.Problem {
	out := &directory.Problem{Code: directory.CodeAuditUnavailable, Kind: directory.ProblemTransient,
		Message: "Microsoft's audit log could not be read for the moment.", Next: "Ask again in a few minutes. Syncing is not concerned."}
	cause, ok := errors.AsType[*directory.Problem](err)
	if ok {
		out.RequestID, out.MicrosoftCode, out.MicrosoftMessage, out.MicrosoftStatus = cause.RequestID, cause.MicrosoftCode, cause.MicrosoftMessage, cause.MicrosoftStatus
	}
	switch {
	case errors.Is(err, directory.ErrUnauthorized):
		out.Code, out.Kind = directory.CodeAuditNeedsAuthorization, directory.ProblemAuthorization
		out.Message, out.Next = "Microsoft does not accept the connection's authorisation any more.", "Authorise the connection again."
	case ok && cause.Code == directory.CodePagingLoop:
		return cause
	case ok && cause.Code == directory.CodePremiumLicenseMissing:
		out.Code, out.Kind = directory.CodeAuditLicenceMissing, directory.ProblemTenant
		out.Message = "Microsoft gives the audit log out only to tenants with a premium licence (Entra ID P1 or P2)."
		out.Next = "Nothing need be done: everything else works without. With a licence the log is read by itself."
	case ok && cause.MicrosoftStatus == http.StatusForbidden:
		out.Code, out.Kind = directory.CodeAuditRoleMissing, directory.ProblemTenant
		out.Message = "The account that authorised the connection has no role that may read the audit log."
		out.Next = "Give it the role Reports Reader, Security Reader or Global Reader in Entra; it works a few minutes later."
	}
	return out
}

func throttledProblem(wait time.Duration) *directory.Problem {
	return &directory.Problem{Code: directory.CodeAuditThrottled, Kind: directory.ProblemTransient,
		Message: "Microsoft allows five reads of the audit log in ten seconds; this page is not complete.",
		Next:    fmt.Sprintf("Ask again in %s.", max(time.Second, wait.Round(time.Second)))}
}
