package audit

import (
	"context"
	"time"

	"bindery/shared/directory"
)

// Service is what admins ask of the activity: all of it but what sync and the
// schedule do by themselves (Chain, Watch).
type Service struct {
	Reports  Report
	Sums     Summary
	Verifier *Verifier
	Audits   *Audit
}

// List returns a page of entries, newest first.
func (s *Service) List(ctx context.Context, q Query, cursor string, limit int) ([]Entry, string, error) {
	return s.Reports.List(ctx, q, cursor, limit)
}

// Days sums up by day and effect.
func (s *Service) Days(ctx context.Context, id directory.ConnectionID, since, until time.Time) ([]Day, error) {
	return s.Sums.Days(ctx, id, since, until)
}

// DaysByConnection sums up by connection besides.
func (s *Service) DaysByConnection(ctx context.Context, since, until time.Time) ([]Day, error) {
	return s.Sums.ByConnection(ctx, since, until)
}

// Links lists a chain for an export.
func (s *Service) Links(ctx context.Context, chain, cursor string, limit int) ([]ExportedLink, string, error) {
	return s.Verifier.Links(ctx, chain, cursor, limit)
}

// StartVerify begins a verification.
func (s *Service) StartVerify(ctx context.Context, by directory.Caller, req VerifyRequest) (directory.Job, error) {
	return s.Verifier.Start(ctx, by, req)
}

// Audit compares what was done through a connection with Microsoft's own log.
func (s *Service) Audit(ctx context.Context, id directory.ConnectionID, since, until time.Time, cursor string, limit int) (AuditReport, error) {
	return s.Audits.Read(ctx, id, since, until, cursor, limit)
}
