package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"bindery/shared/core/incident"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// examination is one step of a verification.
type examination struct {
	*Verifier
	req        *VerifyRequest
	at         *verifyPlace
	found      []Difference
	counts     map[string]int
	sealedForm *sealedForm // how the sealed form began, once it was read
	// linked remembers which runs and hours have a link, within the step.
	linked map[string]bool
}

func (x *examination) addDifferences(list ...Difference) {
	for i, d := range list {
		x.counts[d.Code]++
		if i < maxNamedInLink {
			x.found = append(x.found, d)
		}
	}
}

func (x *examination) report(chain string, seq int64, entry, code, text string) {
	x.addDifferences(Difference{Chain: chain, Seq: seq, Entry: entry, Code: code, Text: text})
}

// reportUnreadable says that a record cannot be read. Why is for the log: it names keys.
func (x *examination) reportUnreadable(ctx context.Context, chain string, p directory.Problem, err error) {
	x.report(chain, 0, "", DiffChanged, incident.ProblemOf(ctx, x.Log, slog.LevelError, "a record cannot be read", err, p, "chain", chain).Sentence())
}

// listChains lists the chains that are to be verified: those that have a head, those
// of all connections, and those that are known outside of the table.
func (x *examination) listChains(ctx context.Context) error {
	names := map[string]bool{directory.AuditChain: true}
	heads, err := x.Chains.Heads.Heads(ctx)
	if err != nil {
		return err
	}
	for _, h := range heads {
		names[h.Chain] = true
	}
	for _, k := range x.req.Heads {
		names[k.Chain] = true
	}
	if x.Keep != nil {
		kept, err := x.Keep.Chains(ctx)
		if err != nil {
			return fmt.Errorf("heads that are kept: %w", err)
		}
		for _, name := range kept {
			names[name] = true
		}
	}
	err = eachConnection(ctx, x.Chains.Connections, func(c *directory.Connection) error { names[string(c.ID)] = true; return nil })
	if err != nil {
		return err
	}
	if x.req.ConnectionID != "" {
		names = map[string]bool{string(x.req.ConnectionID): true}
	}
	for _, name := range sortedNames(names) {
		c := chainPlace{Chain: name, Known: true}
		if err := x.findEnd(ctx, &c); err != nil {
			return err
		}
		if err := x.skipOldLinks(ctx, &c); err != nil {
			return err
		}
		x.at.Chains = append(x.at.Chains, c)
	}
	return nil
}

// findEnd finds where a chain ends. The links themselves are read first: a head that
// says less than they do was put back.
func (x *examination) findEnd(ctx context.Context, c *chainPlace) error {
	last, err := x.Chains.Links.LinksBefore(ctx, c.Chain, 0, 1)
	if err != nil {
		return err
	}
	h, err := x.Chains.Heads.Head(ctx, c.Chain)
	if err != nil {
		return err
	}
	c.Last, c.Hash, c.Through, c.Sealed = h.Seq, h.Hash, h.Through, h.Version > 0 && h.Seal == store.SealGood
	var l directory.ChainLink
	if len(last) > 0 {
		l = last[0]
	}
	switch {
	case l.Seq > h.Seq:
		x.report(c.Chain, h.Seq, "", DiffHeadChanged, fmt.Sprintf("The head of the chain says link %d, and there is link %d.", h.Seq, l.Seq))
		c.Last, c.Hash, c.Through = l.Seq, "", hourDealtWith(&l.ChainStatement)
	case h.Seal == store.SealBroken && !(l.Form == 0 && l.Seq == h.Seq && l.Hash == h.Hash),
		h.Seal == store.SealNone && h.Version > 0 && l.Form != 0:
		x.report(c.Chain, h.Seq, "", DiffHeadChanged, "The head of the chain bears no seal of ours.")
		c.Through = hourDealtWith(&l.ChainStatement)
	case h.Seal != store.SealGood: // of an older version
		c.Through = hourDealtWith(&l.ChainStatement)
	}
	return nil
}

// skipOldLinks goes to the first link that is young enough; links are in the order of
// their times.
func (x *examination) skipOldLinks(ctx context.Context, c *chainPlace) error {
	if x.req.Since.IsZero() {
		return nil
	}
	low, high := int64(1), c.Last+1
	for low < high {
		mid := (low + high) / 2
		l, err := x.Chains.Links.Link(ctx, c.Chain, mid)
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return err
		}
		if err == nil && l.At.Before(x.req.Since) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	c.Seq, c.Known = low-1, low == 1
	c.From = c.Seq
	return nil
}

// verifyChain goes on with a chain: its links, then what was kept of it, then its runs.
func (x *examination) verifyChain(ctx context.Context, c *chainPlace) error {
	switch {
	case !c.Linked:
		return x.verifyLinks(ctx, c)
	case !c.Held:
		return x.compareKeptHeads(ctx, c)
	case c.Chain != directory.AuditChain:
		return x.verifyRuns(ctx, c)
	}
	x.checkAuditLag(c)
	c.Done = true
	return nil
}

// checkAuditLag reports that the chain of acts has not dealt with hours that are long
// over.
func (x *examination) checkAuditLag(c *chainPlace) {
	through := time.Unix((c.Through+1)*3600, 0)
	if c.Sealed && x.at.Began.Sub(through) > linkWithin {
		x.report(c.Chain, c.Last, "", DiffUnlinked, fmt.Sprintf("The acts since %s are not part of the chain yet: the schedule stands still, or the head was put back.", through.UTC().Format(time.RFC3339)))
	}
}

// verifyLinks verifies the next links of a chain.
func (x *examination) verifyLinks(ctx context.Context, c *chainPlace) error {
	list, err := x.Stores.Links.Links(ctx, c.Chain, c.Seq, linksInStep)
	if err != nil {
		return err
	}
	entries := 0
	for i := range list {
		l := &list[i]
		seq := c.Seq + 1
		if l.Seq > c.Last && seq > c.Last {
			break // newer than the verification
		}
		if l.Seq > seq { // read by its place: those between are gone
			x.reportMissingLinks(c, seq, min(l.Seq-1, c.Last))
			if c.Known, c.Seq = false, min(l.Seq-1, c.Last); l.Seq > c.Last {
				break
			}
			seq = l.Seq
		}
		genuine, err := x.verifyLink(ctx, c, seq, l)
		if err != nil {
			return err
		}
		c.Seq, c.Previous, c.Known = seq, l.Hash, genuine          // what is wrong with one link is said once
		if entries += l.Entries; entries > 20*store.LeavesInPart { // a step has its time
			return nil
		}
	}
	if c.Seq < c.Last && len(list) == linksInStep {
		return nil
	}
	if c.Seq < c.Last {
		x.reportMissingLinks(c, c.Seq+1, c.Last)
		c.Seq = c.Last
	} else if c.Last > 0 && c.Known && c.Previous != c.Hash && c.Hash != "" && c.Seq > c.From {
		x.report(c.Chain, c.Last, "", DiffLinkChanged, "The last link is not the one that the head of the chain names.")
	}
	c.Linked = true
	return x.compareRequestedHeads(ctx, c)
}

// reportMissingLinks reports links that are missing: each, up to a number.
func (x *examination) reportMissingLinks(c *chainPlace, from, to int64) {
	for seq := from; seq <= to; seq++ {
		if seq-from == maxNamedInLink {
			x.counts[DiffLinkMissing] += int(to - seq + 1)
			return
		}
		x.report(c.Chain, seq, "", DiffLinkMissing, "The link is gone, and with it the proof for its entries.")
	}
}

// compareRequestedHeads holds the chain against the heads that the request names.
func (x *examination) compareRequestedHeads(ctx context.Context, c *chainPlace) error {
	var list []directory.ChainHead
	for _, k := range x.req.Heads {
		if k.Chain == c.Chain {
			list = append(list, directory.ChainHead{Chain: k.Chain, Seq: k.Seq, Hash: k.Hash})
		}
	}
	return x.compareHeads(ctx, list, "The chain does not have the link that was told of: it was cut off, or made anew.")
}

// compareKeptHeads holds the chain against the heads that are kept where the table's writer
// cannot reach, some at a time.
func (x *examination) compareKeptHeads(ctx context.Context, c *chainPlace) error {
	if x.Keep == nil {
		c.Held = true
		return nil
	}
	list, err := x.Keep.Kept(ctx, c.Chain, max(c.Kept, c.From), keptInStep)
	if err != nil {
		return fmt.Errorf("heads that are kept: %w", err)
	}
	x.counts["heads"] += len(list)
	if err := x.compareHeads(ctx, list, "The chain does not have the link whose head is kept outside: it was cut off, or made anew."); err != nil {
		return err
	}
	if len(list) < keptInStep {
		c.Held = true
		return nil
	}
	c.Kept = list[len(list)-1].Seq
	if list[0].Seq < c.Kept {
		c.Kept-- // of the last one there may be more
	}
	return nil
}

// compareHeads holds links against heads.
func (x *examination) compareHeads(ctx context.Context, heads []directory.ChainHead, text string) error {
	for part := range slices.Chunk(heads, linksReadAtOnce) {
		seqs := make([]int64, 0, len(part))
		for _, h := range part {
			if !slices.Contains(seqs, h.Seq) {
				seqs = append(seqs, h.Seq)
			}
		}
		links, err := x.Stores.Links.LinksAt(ctx, part[0].Chain, seqs)
		if err != nil {
			return err
		}
		for _, h := range part {
			if l, there := links[h.Seq]; !there || l.Hash != h.Hash || hashOf(&l.ChainStatement) != h.Hash {
				x.report(h.Chain, h.Seq, "", DiffHead, text)
			}
		}
	}
	return nil
}

// verifyLink verifies one link and the entries that it covers, and reports whether the
// link is one of ours.
func (x *examination) verifyLink(ctx context.Context, c *chainPlace, seq int64, l *directory.ChainLink) (genuine bool, err error) {
	x.counts["links"]++
	if d := checkLink(l, c.Chain, seq, c.Previous, c.Known); d != nil {
		x.addDifferences(*d)
		return false, nil // what it says of entries is worth nothing
	}
	ours, err := x.Signer.Verify(ctx, statementBytes(&l.ChainStatement), l.MAC)
	if err != nil {
		return false, err
	}
	if !ours {
		x.report(c.Chain, seq, "", DiffLinkChanged, "The link's seal is not ours.")
		return false, nil
	}
	if err := x.verifyStatement(ctx, c, l); err != nil {
		return false, err
	}
	return true, x.verifyCovered(ctx, c, l)
}

// verifyCovered verifies what a genuine link covers.
func (x *examination) verifyCovered(ctx context.Context, c *chainPlace, l *directory.ChainLink) error {
	of := l.Reason != directory.ChainHeads && l.Reason != directory.ChainBegin // entries
	if !x.now().Before(l.Expires) {
		if of {
			x.counts[DiffExpired] += l.Entries
		}
		return nil
	}
	leaves, err := x.Chains.Leaves.Leaves(ctx, l)
	if err != nil {
		return err
	}
	if len(leaves) != l.Entries || digestOf(leaves) != l.Digest {
		x.report(c.Chain, l.Seq, "", DiffLeaves, fmt.Sprintf("The digests of %d entries of %s are gone or changed.", l.Entries, l.Subject))
		return nil
	}
	if !of {
		return x.compareOtherChains(ctx, leaves)
	}
	if x.counts["entries"] += len(leaves); l.Form == 0 {
		x.counts[countOld] += len(leaves)
	}
	x.counts[countOld] += l.Unsealed
	return x.verifyEntries(ctx, c, l, leaves)
}

// countOld counts entries that are proved only since their link was made: nobody
// sealed them when they were written.
const countOld = "oldForm"

// countOldRuns counts runs from before records were sealed that have no entries,
// and so no link.
const countOldRuns = "oldRuns"

// verifyStatement holds what a link of the sealed form says against the rest.
func (x *examination) verifyStatement(ctx context.Context, c *chainPlace, l *directory.ChainLink) error {
	if l.Form != directory.ChainFormSealed {
		return nil
	}
	x.addDifferences(linkFindings(l)...)
	if c.Chain == directory.AuditChain {
		if l.Through < c.Passed {
			x.report(c.Chain, l.Seq, "", DiffLinkChanged, "The link says that fewer hours were dealt with than the one before.")
		}
		c.Passed = l.Through
		return nil
	}
	if l.AuditHead == nil || l.AuditHead.Seq == c.Crossed {
		return nil
	}
	c.Crossed = l.AuditHead.Seq
	return x.compareHeads(ctx, []directory.ChainHead{{Chain: directory.AuditChain, Seq: l.AuditHead.Seq, Hash: l.AuditHead.Hash}},
		fmt.Sprintf("The chain of acts does not have the link that link %d of %s was made beside: it was cut off, or made anew.", l.Seq, l.Chain))
}

// compareOtherChains holds the other chains against where the chain of acts says that they
// ended.
func (x *examination) compareOtherChains(ctx context.Context, leaves []directory.ChainLeaf) error {
	for i := range leaves {
		h, ok := headOfLeaf(&leaves[i])
		if !ok {
			continue
		}
		err := x.compareHeads(ctx, []directory.ChainHead{h}, "The chain does not have the link that the chain of acts knows: it was cut off, or made anew.")
		if err != nil {
			return err
		}
	}
	return nil
}

// verifyEntries holds the entries of a link's subject against its leaves.
func (x *examination) verifyEntries(ctx context.Context, c *chainPlace, l *directory.ChainLink, leaves []directory.ChainLeaf) error {
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
func (x *examination) compareRunFacts(c *chainPlace, l *directory.ChainLink, run *store.RunRecord) {
	switch {
	case l.Form != directory.ChainFormSealed || c.Chain == directory.AuditChain:
	case l.Run == nil:
		x.report(c.Chain, l.Seq, l.Subject, DiffMissing, "The run had ended, and was gone before it could be linked.")
	case run != nil && directory.FactsOf(&run.Run) != *l.Run:
		x.report(c.Chain, l.Seq, l.Subject, DiffChanged, "The run's record is not what it was: its kind, state, times, or who asked for it or approved it.")
	}
}

// readEntries reads what stands in the table of a link's subject now.
func (x *examination) readEntries(ctx context.Context, l *directory.ChainLink, prove bool) (entrySet, error) {
	if hour, ok := subjectHour(l.Subject); ok && l.Chain == directory.AuditChain {
		return entriesOfHour(ctx, x.Chains.AuditEvents, hour, prove)
	}
	j, err := entriesOfRun(ctx, x.Chains.Journals, directory.RunID(l.Subject), prove)
	if errors.Is(err, directory.ErrNotFound) {
		return entrySet{}, nil // before its time: every entry is missing
	}
	return j, err
}

// dropLateResults deals with entries that the subject's last link does not have. Results of
// ours that came in since, and wait for the link that their mark asks for, are
// no difference.
func (x *examination) dropLateResults(ctx context.Context, l *directory.ChainLink, diffs []Difference) ([]Difference, error) {
	if l.Chain == directory.AuditChain || !slices.ContainsFunc(diffs, func(d Difference) bool { return d.Code == DiffInserted }) {
		return diffs, nil
	}
	mark, err := x.Stores.Pending.PendingLinkOf(ctx, directory.ConnectionID(l.Chain), directory.RunID(l.Subject))
	if err != nil {
		return nil, err
	}
	waits := mark != nil && (mark.Seal == store.SealGood && mark.Why == store.BecauseLate || mark.Seal == store.SealNone && l.Form == 0) &&
		x.now().Sub(mark.At) < linkWithin
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
func (x *examination) isOurs(ctx context.Context, id directory.RunID, state store.SealState) (bool, error) {
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
func (x *examination) readSealedForm(ctx context.Context) (*sealedForm, error) {
	if x.sealedForm != nil || x.at.Unbegun {
		return x.sealedForm, nil
	}
	chain := Chain{Stores: x.Chains, Signer: x.Signer}
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
func (x *examination) lastLinkOf(ctx context.Context, l *directory.ChainLink) (*directory.ChainLink, error) {
	seq, err := x.Chains.Links.LinkOf(ctx, l.Chain, l.Subject)
	if err != nil {
		return nil, err
	}
	if seq == l.Seq {
		return l, nil
	}
	last, err := x.Chains.Links.Link(ctx, l.Chain, seq)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return nil, err
	}
	chain := Chain{Stores: x.Chains, Signer: x.Signer}
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
func (x *examination) leadsBackTo(ctx context.Context, last, l *directory.ChainLink) (*directory.ChainLink, error) {
	for at := *last; ; {
		if at.Seq <= l.Seq || at.Form != directory.ChainFormSealed { // older versions did not say which link was before
			if at.Seq == l.Seq || at.Form != directory.ChainFormSealed && at.Seq > l.Seq {
				return last, nil
			}
			x.report(l.Chain, l.Seq, l.Subject, DiffTwice, fmt.Sprintf("The link %d is of the same run or hour, and does not follow from this one.", last.Seq))
			return l, nil
		}
		before, err := x.Chains.Links.Link(ctx, l.Chain, at.Earlier)
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

// verifyRuns looks at the runs of a connection: each that did something must have a
// link, and each must be as one of ours began and ended it.
func (x *examination) verifyRuns(ctx context.Context, c *chainPlace) error {
	runs, next, err := x.Stores.Runs.ListRuns(ctx, directory.ConnectionID(c.Chain), c.Cursor, runsInStep)
	if errors.Is(err, store.ErrRecord) {
		x.reportUnreadable(ctx, c.Chain, directory.Problem{Message: "The record of a run cannot be read any more."}, err)
		c.Done = true
		return nil
	}
	if err != nil {
		return err
	}
	c.Cursor = next
	for i := range runs {
		r := &runs[i]
		if r.StartedAt.Before(x.req.Since) {
			continue // its results may be younger: those are walked
		}
		if err := x.verifyUnlinkedRun(ctx, c.Chain, r); err != nil {
			return err
		}
	}
	c.Done = c.Cursor == ""
	return nil
}

// verifyUnlinkedRun looks at a run that no link covers.
func (x *examination) verifyUnlinkedRun(ctx context.Context, chain string, r *store.RunRecord) error {
	covered, err := x.hasLink(ctx, chain, string(r.ID))
	if err != nil || covered {
		return err
	}
	j, err := entriesOfRun(ctx, x.Chains.Journals, r.ID, true)
	if errors.Is(err, directory.ErrNotFound) {
		return nil
	}
	if errors.Is(err, store.ErrRecord) {
		x.report(chain, 0, string(r.ID), DiffChanged, "A record of the run cannot be read any more.")
		return nil
	}
	if err != nil {
		return err
	}
	state, err := x.Chains.Journals.RunState(ctx, r)
	if err != nil {
		return err
	}
	ok, err := x.isOurs(ctx, r.ID, state)
	if err != nil {
		return err
	}
	if !ok && state == store.SealNone && len(j.entries) == 0 && x.sealedForm != nil && !r.StartedAt.After(x.sealedForm.at) {
		x.counts[countOldRuns]++ // it did nothing, and nothing of it is proved
		return nil
	}
	if !ok {
		x.report(chain, 0, string(r.ID), DiffForged, "The run, or who approved it, does not bear the seal of one of ours.")
	}
	waits, err := x.mayStillBeLinked(ctx, r)
	if err != nil {
		return err
	}
	for _, e := range j.entries {
		ours, err := x.isOurs(ctx, r.ID, e.Seal)
		switch {
		case err != nil:
			return err
		case !ours && ok:
			x.report(chain, 0, e.ID, DiffForged, "The entry does not bear the seal of one of ours.")
		case !ours || waits:
		case r.DryRun:
			x.report(chain, 0, e.ID, DiffForged, "The entry is of a run that wrote nothing.")
		default:
			x.report(chain, 0, e.ID, DiffUnlinked, "The entry is ours and no link has it, long after its run has ended.")
		}
	}
	return nil
}

// mayStillBeLinked reports whether it is in order that a run has no link yet: it has not
// ended, or not long ago, or its mark has not waited for long.
func (x *examination) mayStillBeLinked(ctx context.Context, r *store.RunRecord) (bool, error) {
	if !r.State.Ended() || x.now().Sub(r.EndedAt) < graceAfterEnd {
		return true, nil
	}
	mark, err := x.Stores.Pending.PendingLinkOf(ctx, r.ConnectionID, r.ID)
	if err != nil || mark == nil {
		return false, err
	}
	ours, err := x.isOurs(ctx, r.ID, mark.Seal)
	return ours && x.now().Sub(mark.At) < linkWithin, err
}

// hasLink reports whether a run or an hour has a link, or had one that is
// reported as gone. The pointer to it is no proof: the link itself must name the
// subject, and be one that is verified, or is genuine.
func (x *examination) hasLink(ctx context.Context, chain, subject string) (bool, error) {
	key := chain + " " + subject
	if covered, known := x.linked[key]; known {
		return covered, nil
	}
	covered, err := x.findLink(ctx, chain, subject)
	if err == nil {
		x.linked[key] = covered
	}
	return covered, err
}

func (x *examination) findLink(ctx context.Context, chain, subject string) (bool, error) {
	at := slices.IndexFunc(x.at.Chains, func(c chainPlace) bool { return c.Chain == chain })
	seq, err := x.Chains.Links.LinkOf(ctx, chain, subject)
	if err != nil {
		return false, err
	}
	if seq > 0 {
		l, err := x.Chains.Links.Link(ctx, chain, seq)
		verified := at >= 0 && seq > x.at.Chains[at].From && seq <= x.at.Chains[at].Last
		switch {
		case errors.Is(err, directory.ErrNotFound):
			if verified {
				return true, nil // reported as gone
			}
		case err != nil:
			return false, err
		case l.Subject == subject:
			if verified {
				return true, nil
			}
			chain := Chain{Stores: x.Chains, Signer: x.Signer}
			if ours, err := chain.isGenuine(ctx, &l, string(l.Chain), seq); err != nil || ours {
				return ours, err
			}
		}
	}
	// Without the pointer the links are searched, from when the run began or the
	// hour ended.
	since, ok := x.earliestLinkTime(ctx, chain, subject)
	if !ok {
		return false, nil
	}
	low, high := int64(1), int64(1)
	if at >= 0 {
		high = x.at.Chains[at].Last + 1
	}
	for low < high {
		mid := (low + high) / 2
		l, err := x.Chains.Links.Link(ctx, chain, mid)
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return false, err
		}
		if err == nil && l.At.Before(since) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	for after, read := low-1, 0; read < maxLinksSearched; {
		list, err := x.Stores.Links.Links(ctx, chain, after, linksInStep)
		if err != nil || len(list) == 0 {
			return false, err
		}
		for i := range list {
			if list[i].Subject == subject {
				return true, nil // its own verification has found the pointer wrong
			}
		}
		after, read = list[len(list)-1].Seq, read+len(list)
	}
	return false, nil
}

// earliestLinkTime is when a subject's link can have been made at the earliest.
func (x *examination) earliestLinkTime(ctx context.Context, chain, subject string) (time.Time, bool) {
	if hour, ok := subjectHour(subject); ok && chain == directory.AuditChain {
		return time.Unix((hour+1)*3600, 0), true
	}
	r, err := x.Chains.Runs.Run(ctx, directory.RunID(subject))
	return r.StartedAt.Add(-clockSkew), err == nil && r.State.Ended()
}

// verifyListing looks at everything that stands in the listing of what was done: all that
// reports can show must be part of a chain, or wait for it.
func (x *examination) verifyListing(ctx context.Context) error {
	records, next, err := x.Chains.Listing.Activity(ctx, store.ActivityQuery{Connection: x.req.ConnectionID, Since: x.req.Since, After: x.at.Record, Limit: recordsInStep, Forward: true})
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

// verifyUnlinkedHour looks at the acts of an hour that no link covers.
func (x *examination) verifyUnlinkedHour(ctx context.Context, hour int64) error {
	if over := x.at.Began.Add(-graceAfterEnd).Unix()/3600 > hour; over {
		if covered, err := x.hasLink(ctx, directory.AuditChain, hourSubject(hour)); err != nil || covered {
			return err
		}
	}
	j, err := entriesOfHour(ctx, x.Chains.AuditEvents, hour, true)
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

// auditHourDealtWith is the last hour that the chain of acts had dealt with when the
// verification began.
func (x *examination) auditHourDealtWith() int64 {
	at := slices.IndexFunc(x.at.Chains, func(c chainPlace) bool { return c.Chain == directory.AuditChain })
	if at < 0 {
		return 0
	}
	return x.at.Chains[at].Through
}

// verifyListedResults looks at results in the listing whose run was not looked at yet: it
// stands in no listing of runs, or began before what is verified.
func (x *examination) verifyListedResults(ctx context.Context, rec *store.ActivityRecord) error {
	r, err := x.Chains.Runs.Run(ctx, rec.RunID)
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
func (x *examination) isListed(ctx context.Context, r *store.RunRecord) (bool, error) {
	if !slices.ContainsFunc(x.at.Chains, func(c chainPlace) bool { return c.Chain == string(r.ConnectionID) }) {
		return false, nil
	}
	return x.Stores.Runs.RunListed(ctx, r.ID)
}

func sortedNames(names map[string]bool) []string {
	list := make([]string, 0, len(names))
	for name := range names {
		list = append(list, name)
	}
	slices.SortFunc(list, strings.Compare)
	return list
}
