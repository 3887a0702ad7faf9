package audit

import (
	"context"
	"log/slog"
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
	p := comparison{audit: a, conn: &c, since: since.UTC(), high: until.UTC(), limit: limit}
	if err := p.readOurs(ctx); err != nil {
		return AuditReport{}, err
	}
	problem, err := p.readMicrosofts(ctx)
	if err != nil {
		return AuditReport{}, err
	}
	return p.report(problem), nil
}
