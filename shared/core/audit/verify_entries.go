package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// verifyEntries holds the entries of a link's subject against its leaves.
func (x *verifyStep) verifyEntries(ctx context.Context, c *chainPlace, l *directory.ChainLink, leaves []directory.ChainLeaf) error {
	j, err := x.readEntries(ctx, l, false)
	if errors.Is(err, store.ErrRecord) {
		x.report(c.Chain, l.Seq, l.Subject, DiffChanged, "A record of it cannot be read any more.")
		return nil
	}
	if err != nil {
		return err
	}
	last, err := x.lastLinkOf(ctx, l)
	if err != nil {
		return err
	}
	diffs := compareEntries(c.Chain, l.Seq, leaves, j.leaves())
	if last.Seq == l.Seq {
		if diffs, err = x.dropLateResults(ctx, l, diffs); err != nil {
			return err
		}
		for i := range j.entries {
			if j.entries[i].Unlisted {
				x.report(c.Chain, l.Seq, j.entries[i].ID, DiffUnlisted, "The entry does not stand in the listings where it belongs, so that reports leave it out.")
			}
		}
		x.compareRunFacts(c, l, j.run)
	} else {
		diffs = slices.DeleteFunc(diffs, func(d Difference) bool { return d.Code == DiffInserted }) // the later link covers them
	}
	x.addDifferences(diffs...)
	return nil
}

// compareRunFacts holds a run against what its last link says of it.
func (x *verifyStep) compareRunFacts(c *chainPlace, l *directory.ChainLink, run *store.RunRecord) {
	switch {
	case l.Form != directory.ChainFormSealed || c.Chain == directory.AuditChain:
	case l.Run == nil:
		x.report(c.Chain, l.Seq, l.Subject, DiffMissing, "The run had ended, and was gone before it could be linked.")
	case run != nil && directory.FactsOf(&run.Run) != *l.Run:
		x.report(c.Chain, l.Seq, l.Subject, DiffChanged, "The run's record is not what it was: its kind, state, times, or who asked for it or approved it.")
	}
}

// readEntries reads what stands in the table of a link's subject now.
func (x *verifyStep) readEntries(ctx context.Context, l *directory.ChainLink, prove bool) (entrySet, error) {
	if hour, ok := subjectHour(l.Subject); ok && l.Chain == directory.AuditChain {
		return entriesOfHour(ctx, x.verifier.Chains.AuditEvents, hour, prove)
	}
	j, err := entriesOfRun(ctx, x.verifier.Chains.Journals, directory.RunID(l.Subject), prove)
	if errors.Is(err, directory.ErrNotFound) {
		return entrySet{}, nil // before its time: every entry is missing
	}
	return j, err
}

// dropLateResults deals with entries that the subject's last link does not have. Results of
// ours that came in since, and wait for the link that their mark asks for, are
// no difference.
func (x *verifyStep) dropLateResults(ctx context.Context, l *directory.ChainLink, diffs []Difference) ([]Difference, error) {
	if l.Chain == directory.AuditChain || !slices.ContainsFunc(diffs, func(d Difference) bool { return d.Code == DiffInserted }) {
		return diffs, nil
	}
	mark, err := x.verifier.Stores.Pending.PendingLinkOf(ctx, directory.ConnectionID(l.Chain), directory.RunID(l.Subject))
	if err != nil {
		return nil, err
	}
	waits := mark != nil && (mark.Seal == store.SealGood && mark.Why == store.BecauseLate || mark.Seal == store.SealNone && l.Form == 0) &&
		x.verifier.now().Sub(mark.At) < linkWithin
	if !waits {
		return diffs, nil
	}
	j, err := x.readEntries(ctx, l, true)
	if err != nil {
		return nil, err
	}
	ours := map[string]bool{}
	for _, e := range j.entries {
		ok, err := x.isOurs(ctx, directory.RunID(l.Subject), e.Seal)
		if err != nil {
			return nil, err
		}
		ours[e.ID] = ok
	}
	return slices.DeleteFunc(diffs, func(d Difference) bool { return d.Code == DiffInserted && ours[d.Entry] }), nil
}

// isOurs reports whether a record of a run is ours: sealed, or from before
// there were seals.
func (x *verifyStep) isOurs(ctx context.Context, id directory.RunID, state store.SealState) (bool, error) {
	if state != store.SealNone {
		return state == store.SealGood, nil
	}
	b, err := x.readSealedForm(ctx)
	if err != nil {
		return false, err
	}
	return b == nil || b.mayBeUnsealed(id, x.at.Began), nil
}

// readSealedForm reads how the sealed form began; nil when it has not yet.
func (x *verifyStep) readSealedForm(ctx context.Context) (*sealedForm, error) {
	if x.sealedForm != nil || x.at.Unbegun {
		return x.sealedForm, nil
	}
	chain := Chain{Stores: x.verifier.Chains, Signer: x.verifier.Signer}
	l, err := chain.lastGenuineLink(ctx, directory.AuditChain)
	if err != nil {
		return nil, err
	}
	if l == nil || l.Form != directory.ChainFormSealed {
		x.at.Unbegun = true
		return nil, nil
	}
	x.sealedForm, err = chain.sealedFormOf(ctx, l)
	if errors.Is(err, directory.ErrNotFound) { // its link is gone, which is reported
		x.sealedForm, err = &sealedForm{}, nil
	}
	return x.sealedForm, err
}

// lastLinkOf finds the last link of a link's subject. The pointer says which it is
// and proves nothing: it must lead to a link of the subject, from which this one
// is reached by what the links themselves say.
func (x *verifyStep) lastLinkOf(ctx context.Context, l *directory.ChainLink) (*directory.ChainLink, error) {
	seq, err := x.verifier.Chains.Links.LinkOf(ctx, l.Chain, l.Subject)
	if err != nil {
		return nil, err
	}
	if seq == l.Seq {
		return l, nil
	}
	last, err := x.verifier.Chains.Links.Link(ctx, l.Chain, seq)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return nil, err
	}
	chain := Chain{Stores: x.verifier.Chains, Signer: x.verifier.Signer}
	if err == nil && last.Subject == l.Subject {
		ours, err := chain.isGenuine(ctx, &last, l.Chain, seq)
		if err != nil {
			return nil, err
		}
		if ours {
			return x.leadsBackTo(ctx, &last, l)
		}
	}
	x.report(l.Chain, l.Seq, l.Subject, DiffPointer, "What leads from the run or the hour to its link is gone or wrong. The link itself is there.")
	return l, nil
}

// leadsBackTo follows the links of a subject back from its last one.
func (x *verifyStep) leadsBackTo(ctx context.Context, last, l *directory.ChainLink) (*directory.ChainLink, error) {
	for at := *last; ; {
		if at.Seq <= l.Seq || at.Form != directory.ChainFormSealed { // older versions did not say which link was before
			if at.Seq == l.Seq || at.Form != directory.ChainFormSealed && at.Seq > l.Seq {
				return last, nil
			}
			x.report(l.Chain, l.Seq, l.Subject, DiffTwice, fmt.Sprintf("The link %d is of the same run or hour, and does not follow from this one.", last.Seq))
			return l, nil
		}
		before, err := x.verifier.Chains.Links.Link(ctx, l.Chain, at.Earlier)
		if errors.Is(err, directory.ErrNotFound) || err == nil && before.Seq >= at.Seq {
			before = directory.ChainLink{}
		} else if err != nil {
			return nil, err
		}
		at = before
		if at.Seq == 0 {
			at.Form = directory.ChainFormSealed
		}
	}
}
