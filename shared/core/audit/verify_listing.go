package audit

import (
	"context"
	"errors"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// verifyListing looks at everything that stands in the listing of what was done: all that
// reports can show must be part of a chain, or wait for it.
func (x *verifyStep) verifyListing(ctx context.Context) error {
	records, next, err := x.verifier.Chains.Listing.Activity(ctx, store.ActivityQuery{Connection: x.req.ConnectionID, Since: x.req.Since, After: x.at.Record, Limit: recordsInStep, Forward: true})
	if errors.Is(err, store.ErrRecord) {
		x.reportUnreadable(ctx, "", directory.Problem{Message: "A record of what was done cannot be read any more."}, err)
		x.at.Walked = true
		return nil
	}
	if err != nil {
		return err
	}
	hours := map[int64]bool{}
	for i := range records {
		rec := &records[i]
		if rec.AuditEvent != nil {
			if x.req.ConnectionID == "" && !hours[rec.Hour] {
				hours[rec.Hour] = true
				err = x.verifyUnlinkedHour(ctx, rec.Hour)
			}
		} else {
			err = x.verifyListedResults(ctx, rec)
		}
		if err != nil {
			return err
		}
	}
	x.at.Record, x.at.Walked = next, next == ""
	return nil
}

// verifyUnlinkedHour looks at the audit events of an hour that no link covers.
func (x *verifyStep) verifyUnlinkedHour(ctx context.Context, hour int64) error {
	if over := x.at.Began.Add(-graceAfterEnd).Unix()/3600 > hour; over {
		if covered, err := x.hasLink(ctx, directory.AuditChain, hourSubject(hour)); err != nil || covered {
			return err
		}
	}
	j, err := entriesOfHour(ctx, x.verifier.Chains.AuditEvents, hour, true)
	if errors.Is(err, store.ErrRecord) {
		x.report(directory.AuditChain, 0, hourSubject(hour), DiffChanged, "The record of an act cannot be read any more.")
		return nil
	}
	if err != nil {
		return err
	}
	passed := hour <= x.auditHourDealtWith()
	for _, e := range j.entries {
		ours := e.Seal == store.SealGood
		if e.Seal == store.SealNone {
			b, err := x.readSealedForm(ctx)
			if err != nil {
				return err
			}
			ours = b == nil || b.mayBeUnsealedEvent(e.At)
		}
		switch {
		case passed:
			x.report(directory.AuditChain, 0, e.ID, DiffInserted, "The act was not there when the acts of its hour were digested.")
		case !ours:
			x.report(directory.AuditChain, 0, e.ID, DiffForged, "The act does not bear the seal of one of ours.")
		case x.at.Began.Sub(time.Unix((hour+1)*3600, 0)) > linkWithin:
			x.report(directory.AuditChain, 0, e.ID, DiffUnlinked, "The act is ours and no link has it, long after its hour was over.")
		}
	}
	return nil
}

// auditHourDealtWith is the last hour that the audit chain had dealt with when the
// verification began.
func (x *verifyStep) auditHourDealtWith() int64 {
	at := slices.IndexFunc(x.at.Chains, func(c chainPlace) bool { return c.Chain == directory.AuditChain })
	if at < 0 {
		return 0
	}
	return x.at.Chains[at].Through
}

// verifyListedResults looks at results in the listing whose run was not looked at yet: it
// stands in no listing of runs, or began before what is verified.
func (x *verifyStep) verifyListedResults(ctx context.Context, rec *store.ActivityRecord) error {
	r, err := x.verifier.Chains.Runs.Run(ctx, rec.RunID)
	if errors.Is(err, directory.ErrNotFound) {
		return nil // reports leave it out; that it is gone is found by its link
	}
	if errors.Is(err, store.ErrRecord) {
		x.report("", 0, string(rec.RunID), DiffChanged, "The record of the run cannot be read any more.")
		return nil
	}
	if err != nil {
		return err
	}
	key := "record " + string(rec.RunID)
	if x.linked[key] {
		return nil
	}
	x.linked[key] = true
	listed, err := x.isListed(ctx, &r)
	if err != nil {
		return err
	}
	if !listed {
		x.report(string(r.ConnectionID), 0, string(r.ID), DiffUnlisted, "The run does not stand in the list of its connection's runs.")
	}
	if listed && !r.StartedAt.Before(x.req.Since) {
		return nil // looked at among its connection's runs
	}
	return x.verifyUnlinkedRun(ctx, string(r.ConnectionID), &r)
}

// isListed reports whether a run stands in the list of its connection's runs, and
// that list was looked at.
func (x *verifyStep) isListed(ctx context.Context, r *store.RunRecord) (bool, error) {
	if !slices.ContainsFunc(x.at.Chains, func(c chainPlace) bool { return c.Chain == string(r.ConnectionID) }) {
		return false, nil
	}
	return x.verifier.Stores.Runs.RunListed(ctx, r.ID)
}
