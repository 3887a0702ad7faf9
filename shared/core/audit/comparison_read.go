package audit

import (
	"context"
	"errors"
	"time"

	"bindery/shared/clock"
	"bindery/shared/directory"
)

// comparison is one page of a comparison: the time from low up to high.
type comparison struct {
	audit     *Audit
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
	r := Report{Stores: p.audit.Stores.Reports}
	p.low = p.since
	q := Query{ConnectionID: p.conn.ID, Since: p.since, Until: p.high}
	count := 0
	for next := ""; ; {
		list, more, err := r.List(ctx, q, next, 500)
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

// writesAccount reports whether an effect is a write that Microsoft logs as ours: what is
// given once more by a group is logged, if at all, as that group's doing (GG 9.4).
func writesAccount(e directory.Effect) bool {
	return !e.Row().Remembers && e != directory.EffectLicenceReprocess
}

// readMicrosofts reads Microsoft's events of the page and around it. The problem says
// why they are not, or not all, there.
func (p *comparison) readMicrosofts(ctx context.Context) (*directory.Problem, error) {
	p.readTo = p.high.Add(matchWindow)
	if problem := mayRead(p.conn); problem != nil {
		return problem, nil
	}
	tenant, err := p.audit.Open(ctx, p.conn)
	if err != nil {
		return readProblem(err), nil
	}
	q := directory.DirectoryAuditQuery{Since: p.low.Add(-matchWindow), Until: p.high.Add(matchWindow), InitiatedBy: p.conn.AuthorizedBy.ObjectID}
	give, seen := p.audit.now().Add(quotaPatience), map[string]bool{}
	var progress directory.Paging
	for link := ""; ; {
		wait, err := p.audit.wait(ctx, p.conn.Tenant.ID, give)
		if err != nil {
			return nil, err
		}
		if wait > 0 {
			return throttledProblem(wait), nil
		}
		part, err := tenant.Audits(ctx, q, link)
		if t, ok := errors.AsType[*directory.ThrottledError](err); ok {
			if t.RetryAfter <= 0 || p.audit.now().Add(t.RetryAfter).After(give) || clock.Sleep(ctx, t.RetryAfter) != nil {
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
		if err := clock.Sleep(ctx, wait); err != nil {
			return 0, err
		}
	}
}
