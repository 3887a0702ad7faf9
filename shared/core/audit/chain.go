package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Publisher tells others. A notice may be published again after an error; its
// ID tells that it is the same.
type Publisher interface {
	Publish(ctx context.Context, notices ...directory.Notification) error
}

// Keeper keeps heads where whoever can write to the table cannot. Package heads
// has the contract.
type Keeper interface {
	// Keep keeps a head. directory.ErrConflict when another one is kept under the
	// same number of the same chain.
	Keep(ctx context.Context, h directory.ChainHead) error
	// Chains lists the chains of which heads are kept.
	Chains(ctx context.Context) ([]string, error)
	// Kept lists heads of a chain in the order of their numbers, from the one
	// after a number on; at most limit.
	Kept(ctx context.Context, chain string, after int64, limit int) ([]directory.ChainHead, error)
}

// Chain digests what was done, links the digests and tells others the head. It
// is made so that it may die between any two lines: a run that has ended bears a
// mark until it is part of its chain, an hour is passed in the same transaction
// that links it, and a head that nobody was told of is told by the schedule.
type Chain struct {
	Stores  ChainStores
	Signer  Signer
	Publish Publisher
	// Keep keeps the heads outside of the table; nil: only events tell them.
	Keep Keeper
	Now  func() time.Time // nil means time.Now
	// Retention is how long entries are kept; 0 means 400 days.
	Retention time.Duration
}

// Times of the chain.
const (
	// graceAfterEnd is how long after the end of a run that was stopped a batch that
	// was in flight may still add results, and after an hour's end an act that
	// was begun in it may still be stored.
	graceAfterEnd = 10 * time.Minute
	// rolloutTime is how long after the beginning of the sealed form processes of
	// an older version may still write: a deployment in steps takes its time.
	rolloutTime = 2 * time.Hour
	// linkWithin is how long after it is due a link may be made without being a
	// finding: the schedule makes up for what failed within minutes, and a day is
	// what an operator may need to mend it.
	linkWithin = 24 * time.Hour
	// clockSkew is how far the clocks of two processes may differ.
	clockSkew = 5 * time.Minute
	// publishAfter is how old a head must be before the schedule takes its event
	// for lost.
	publishAfter = time.Minute
	// publishAtOnce is how many heads the schedule tells at once, and tellMargin how
	// long before its end it tells no further one.
	publishAtOnce = 8
	publishMargin = 3 * time.Second
	// hoursAtOnce is how many hours one call deals with.
	hoursAtOnce = 400
	// pendingAtOnce is how many marks are read at once.
	pendingAtOnce = 200
	// linkTries is how often a link is tried while others add to the chain.
	linkTries = 8
	// linksAtOnce is how many links are read at once on the way back through a chain.
	linksAtOnce = 25
)

func (c *Chain) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func (c *Chain) retention() time.Duration {
	if c.Retention > 0 {
		return c.Retention
	}
	return 400 * 24 * time.Hour
}

// LinkRuns links the runs of a connection (with "", of all) that have ended and
// bear a mark. A failure with one does not keep the others from their turn.
func (c *Chain) LinkRuns(ctx context.Context, id directory.ConnectionID) error {
	var errs []error
	for last := (*store.PendingLink)(nil); ; {
		marks, err := c.Stores.Pending.PendingLinks(ctx, id, last, pendingAtOnce)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for i := range marks {
			if ctx.Err() != nil {
				return errors.Join(append(errs, ctx.Err())...)
			}
			if err := c.linkRun(ctx, &marks[i]); err != nil {
				errs = append(errs, fmt.Errorf("link %s: %w", marks[i].RunID, err))
			}
		}
		if len(marks) < pendingAtOnce {
			return errors.Join(errs...)
		}
		last = &marks[len(marks)-1]
	}
}

// linkRun links one run, unless its results may still change. A mark is a wish
// to look at the run, no more: what is linked is what bears the seal of the
// worker that did it, whoever left the mark.
func (c *Chain) linkRun(ctx context.Context, mark *store.PendingLink) error {
	if err := c.checkPending(ctx, mark); err != nil {
		return err
	}
	run, err := c.Stores.Runs.Run(ctx, mark.RunID)
	due := mark.At
	if err == nil && mark.Seal != store.SealGood {
		due = run.EndedAt // what the mark says of it is worth nothing
	}
	finished := run.State == directory.RunDone || run.State == directory.RunFailed
	if err == nil && !finished && c.now().Sub(due) < graceAfterEnd {
		return nil
	}
	var j entrySet
	if err == nil {
		j, err = entriesOfRun(ctx, c.Stores.Journals, mark.RunID, true)
	}
	if errors.Is(err, directory.ErrNotFound) {
		return c.linkGoneRun(ctx, mark)
	}
	if err != nil {
		return err
	}
	if !run.State.Ended() || run.DryRun || run.ConnectionID != mark.ConnectionID {
		if err := c.alarm(ctx, string(mark.ConnectionID), DiffForged, string(mark.RunID), "A mark says that the run is to be linked, and the run is not one that could be."); err != nil {
			return err
		}
		return c.Stores.Pending.DropPendingLink(ctx, mark)
	}
	if run.State == directory.RunFailed {
		if err := c.Publish.Publish(ctx, failedNotification(&run.Run, c.now())); err != nil {
			return err
		}
	}
	facts := directory.FactsOf(&run.Run)
	st := directory.ChainStatement{Chain: string(mark.ConnectionID), Subject: string(mark.RunID), Expires: j.expires.UTC(),
		Reason: directory.ChainEnded, Due: due.UTC(), Run: &facts}
	asEnded := mark.Seal != store.SealGood || mark.Facts == "" || mark.Facts == store.FactsSum(&run.Run)
	if !asEnded { // then nothing of it is taken for what it was
		if still, err := c.Stores.Pending.IsPending(ctx, mark); err != nil || !still {
			return err // marked anew since it was read: the next look links it
		}
		for i := range j.entries {
			j.entries[i].Seal = store.SealBroken
		}
	}
	leaves, err := c.sealedLeaves(ctx, &st, j.entries, func(b *sealedForm, _ *storedEntry) bool { return b.mayBeUnsealed(mark.RunID, c.now()) })
	if err != nil {
		return err
	}
	if !asEnded && st.Refused == 0 {
		st.Refused = 1
		if err := c.alarm(ctx, st.Chain, DiffForged, st.Subject, "The run is not what it was when it ended."); err != nil {
			return err
		}
	}
	if len(leaves) == 0 && st.Refused == 0 {
		return c.Stores.Pending.DropPendingLink(ctx, mark)
	}
	again, err := c.needsLink(ctx, &st, leaves, mark, &run)
	if err != nil {
		return err // the mark stays until it is known that the run has its link
	}
	if !again {
		return c.Stores.Pending.DropPendingLink(ctx, mark)
	}
	_, err = c.addLink(ctx, &st, leaves, mark)
	return err
}

// checkPending raises an alarm for a mark that none of ours has left.
func (c *Chain) checkPending(ctx context.Context, mark *store.PendingLink) error {
	if mark.Seal == store.SealGood {
		return nil
	}
	if mark.Seal == store.SealNone {
		b, err := c.readOrBeginSealedForm(ctx)
		if err != nil || b.mayBeUnsealed(mark.RunID, c.now()) {
			return err
		}
	}
	return c.alarm(ctx, string(mark.ConnectionID), DiffForged, string(mark.RunID), "The mark of a run that is to be linked bears no seal of ours.")
}

// linkGoneRun deals with the mark of a run that is not there. After its time that is
// as it should be. Before, somebody has taken it away: that is what is linked.
func (c *Chain) linkGoneRun(ctx context.Context, mark *store.PendingLink) error {
	if mark.Seal != store.SealGood || c.now().Sub(mark.At) > c.retention()-linkWithin {
		return c.Stores.Pending.DropPendingLink(ctx, mark)
	}
	st := directory.ChainStatement{Chain: string(mark.ConnectionID), Subject: string(mark.RunID), Expires: mark.At.Add(c.retention()).UTC(),
		Reason: directory.ChainEnded, Due: mark.At.UTC()}
	l, err := c.lastLinkOf(ctx, &st, mark, time.Time{})
	if err != nil {
		return err
	}
	if l != nil {
		return c.Stores.Pending.DropPendingLink(ctx, mark) // its entries are linked: a verification misses them
	}
	if err := c.alarm(ctx, st.Chain, DiffMissing, st.Subject, "A run that has ended was gone before it could be linked."); err != nil {
		return err
	}
	_, err = c.addLink(ctx, &st, nil, mark)
	return err
}

// sealedLeaves takes those entries that bear the seal of whoever did what they say,
// and counts the others: those from before records were sealed, which old says,
// and those that are not ours, which are left out.
func (c *Chain) sealedLeaves(ctx context.Context, st *directory.ChainStatement, entries []storedEntry, old func(*sealedForm, *storedEntry) bool) ([]directory.ChainLeaf, error) {
	leaves := make([]directory.ChainLeaf, 0, len(entries))
	var b *sealedForm
	for i := range entries {
		e := &entries[i]
		if e.Seal == store.SealNone {
			if b == nil {
				var err error
				if b, err = c.readOrBeginSealedForm(ctx); err != nil {
					return nil, err
				}
			}
			if old(b, e) {
				st.Unsealed++
				leaves = append(leaves, e.ChainLeaf)
				continue
			}
		}
		if e.Seal != store.SealGood {
			st.Refused++
			continue
		}
		leaves = append(leaves, e.ChainLeaf)
	}
	if st.Refused == 0 {
		return leaves, nil
	}
	return leaves, c.alarm(ctx, st.Chain, DiffForged, st.Subject,
		fmt.Sprintf("%d entries of %s bear no seal of ours. They were left out of its link.", st.Refused, st.Subject))
}

// needsLink says whether a run is to get a link: its first one, or one more since
// results came in late. Of one more it must be a sealed mark that says so, and
// all that was linked before must be among it.
func (c *Chain) needsLink(ctx context.Context, st *directory.ChainStatement, leaves []directory.ChainLeaf, mark *store.PendingLink, run *store.RunRecord) (bool, error) {
	l, err := c.lastLinkOf(ctx, st, mark, run.StartedAt)
	if err != nil || l == nil {
		return err == nil, err
	}
	if l.Digest == digestOf(leaves) {
		return false, nil
	}
	st.Reason, st.Earlier = directory.ChainLate, l.Seq
	before, err := c.Stores.Leaves.Leaves(ctx, l)
	if err != nil {
		return false, err
	}
	late := mark.Seal == store.SealGood && mark.Why == store.BecauseLate || mark.Seal == store.SealNone && l.Form == 0
	if late && containsLeaves(leaves, before) && digestOf(before) == l.Digest {
		return true, nil
	}
	return false, c.alarm(ctx, st.Chain, DiffTwice, st.Subject, "A linked run is to be linked once more, without results of ours that came in late, or without some that were there.")
}

// containsLeaves reports whether sorted leaves hold all of others.
func containsLeaves(leaves, others []directory.ChainLeaf) bool {
	for _, l := range others {
		if _, there := slices.BinarySearchFunc(leaves, l, compareLeaves); !there {
			return false
		}
	}
	return true
}

// lastLinkOf finds the last link of a statement's subject; nil when it has none. The
// pointer to it may have been taken away, so that without one the chain itself
// is searched: back to when the run ended, as the mark says, before which it
// cannot have had a link; or to when it began, where the mark says that it has
// one.
func (c *Chain) lastLinkOf(ctx context.Context, st *directory.ChainStatement, mark *store.PendingLink, began time.Time) (*directory.ChainLink, error) {
	seq, err := c.Stores.Links.LinkOf(ctx, st.Chain, st.Subject)
	if err != nil {
		return nil, err
	}
	if seq > 0 {
		l, err := c.Stores.Links.Link(ctx, st.Chain, seq)
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return nil, err
		}
		if err == nil && l.Subject == st.Subject {
			if ours, err := c.isGenuine(ctx, &l, st.Chain, seq); err != nil || ours {
				return &l, err
			}
		}
	}
	since := began
	if mark.Seal == store.SealGood && mark.Why == store.BecauseEnded {
		since = mark.At
	}
	since = since.Add(-clockSkew)
	limit := 1 // most often nothing was linked since
	for before := int64(0); ; limit = linksAtOnce {
		list, err := c.Stores.Links.LinksBefore(ctx, st.Chain, before, limit)
		if err != nil || len(list) == 0 {
			return nil, err
		}
		for i := range list {
			l := &list[i]
			if l.Subject == st.Subject {
				if ours, err := c.isGenuine(ctx, l, st.Chain, l.Seq); err != nil || ours {
					return l, err
				}
			}
			if l.Hash != "" && l.At.Before(since) {
				return nil, nil
			}
		}
		before = list[len(list)-1].Seq
	}
}

// isGenuine reports whether a link is one of ours, and of its place.
func (c *Chain) isGenuine(ctx context.Context, l *directory.ChainLink, chain string, seq int64) (bool, error) {
	if checkLink(l, chain, seq, "", false) != nil {
		return false, nil
	}
	return c.Signer.Verify(ctx, statementBytes(&l.ChainStatement), l.MAC)
}

// head reads where a chain ends. A head that is not as one of ours wrote it is
// not believed: the chain's last genuine link says where it ends.
func (c *Chain) head(ctx context.Context, chain string) (store.Head, error) {
	h, err := c.Stores.Heads.Head(ctx, chain)
	if err != nil || h.Version > 0 && h.Seal == store.SealGood {
		return h, err
	}
	return c.trueHead(ctx, h)
}

// trueHead finds the end of a chain from its links and sets the head right. It
// raises an alarm when the head was changed; that an older version has moved it
// is no reason for one.
func (c *Chain) trueHead(ctx context.Context, h store.Head) (store.Head, error) {
	l, err := c.lastGenuineLink(ctx, h.Chain)
	if err != nil {
		return h, err
	}
	real := store.Head{Chain: h.Chain, Version: h.Version, Published: h.Published, PublishedSeal: h.PublishedSeal}
	if l != nil {
		real.Seq, real.Hash, real.At, real.Through = l.Seq, l.Hash, l.At, hourDealtWith(&l.ChainStatement)
	}
	same := h.Seq == real.Seq && h.Hash == real.Hash
	if !same || h.Seal == store.SealBroken && l != nil && l.Form != 0 {
		if err := c.alarm(ctx, h.Chain, DiffHeadChanged, fmt.Sprint(h.Seq),
			fmt.Sprintf("The head of the chain says link %d; its last link is %d.", h.Seq, real.Seq)); err != nil {
			return h, err
		}
	}
	if same && h.Seal == store.SealGood || l == nil {
		return real, nil
	}
	switch err := c.Stores.Heads.PassHours(ctx, real, real.Through); {
	case errors.Is(err, directory.ErrStale): // whoever was faster has set it right
	case err != nil:
		return h, err
	default:
		real.Version++
	}
	return real, nil
}

// lastGenuineLink finds the last link of a chain that is ours; nil when there is none.
func (c *Chain) lastGenuineLink(ctx context.Context, chain string) (*directory.ChainLink, error) {
	for before := int64(0); ; {
		list, err := c.Stores.Links.LinksBefore(ctx, chain, before, linksAtOnce)
		if err != nil || len(list) == 0 {
			return nil, err
		}
		for i := range list {
			if ours, err := c.isGenuine(ctx, &list[i], chain, list[i].Seq); err != nil || ours {
				return &list[i], err
			}
		}
		before = list[len(list)-1].Seq
	}
}

// hourDealtWith is the last hour that a link of the chain of acts says was dealt with.
func hourDealtWith(st *directory.ChainStatement) int64 {
	if hour, ok := subjectHour(st.Subject); ok && st.Form == 0 && st.Chain == directory.AuditChain {
		return hour
	}
	return st.Through
}

// addLink appends a link and tells its head. The statement's own part is given; its
// place in the chain is found here, anew for as long as others are faster. The
// link is nil when another has made it.
func (c *Chain) addLink(ctx context.Context, st *directory.ChainStatement, leaves []directory.ChainLeaf, mark *store.PendingLink) (*directory.ChainLink, error) {
	var last store.Head
	for try := 1; ; try++ {
		h, err := c.head(ctx, st.Chain)
		if err == nil && try > 1 && h == last {
			h, err = c.trueHead(ctx, h) // nobody was faster: the head was put back
		}
		if err != nil {
			return nil, err
		}
		last = h
		if st.Chain == directory.AuditChain {
			if st.Reason == directory.ChainHour && h.Through >= st.Through {
				return nil, nil // another was faster
			}
			h.Through = max(h.Through, st.Through)
			st.Through = h.Through
		} else if st.AuditHead, err = c.auditHead(ctx); err != nil {
			return nil, err
		}
		l, err := c.nextLink(ctx, h, *st, leaves)
		if err != nil {
			return nil, err
		}
		if err := c.Stores.Leaves.PutLeaves(ctx, &l.ChainStatement, leaves); err != nil {
			return nil, err
		}
		err = c.Stores.Links.AddLink(ctx, h, &l, mark)
		if err == nil {
			return &l, c.publishHead(ctx, l.Chain, l.Seq, l.Hash, l.At)
		}
		if !errors.Is(err, directory.ErrStale) || try == linkTries || st.Reason == directory.ChainBegin { // it begins once
			return nil, err
		}
		if mark != nil {
			still, stillErr := c.Stores.Pending.IsPending(ctx, mark)
			if stillErr != nil || !still {
				return nil, stillErr // linked, or marked anew: then the next look links it
			}
		}
	}
}

// auditHead is where the chain of acts ends: links of the others say it, so that
// neither can be cut off without the other.
func (c *Chain) auditHead(ctx context.Context) (*directory.ChainLinkRef, error) {
	h, err := c.head(ctx, directory.AuditChain)
	if err != nil || h.Seq == 0 {
		return nil, err
	}
	return &directory.ChainLinkRef{Seq: h.Seq, Hash: h.Hash}, nil
}

// nextLink makes the next link of a chain.
func (c *Chain) nextLink(ctx context.Context, h store.Head, st directory.ChainStatement, leaves []directory.ChainLeaf) (directory.ChainLink, error) {
	st.Seq, st.At, st.Previous, st.Form = h.Seq+1, c.now().UTC().Truncate(time.Millisecond), h.Hash, directory.ChainFormSealed
	st.Entries, st.Digest, st.Parts = len(leaves), digestOf(leaves), (len(leaves)+store.LeavesInPart-1)/store.LeavesInPart
	l := directory.ChainLink{ChainStatement: st, Hash: hashOf(&st)}
	var err error
	l.MAC, l.Key, err = c.Signer.Sign(ctx, statementBytes(&st))
	return l, err
}

// HeadFacts are the facts of a notice of a chain's head.
type HeadFacts struct {
	Chain string    `json:"chain"`
	Seq   int64     `json:"seq"`
	Hash  string    `json:"hash"`
	At    time.Time `json:"at"`
}

// publishHead keeps a head outside of the table and tells others of it. Whatever of it
// fails, the schedule does all of it again.
func (c *Chain) publishHead(ctx context.Context, chain string, seq int64, hash string, at time.Time) error {
	n := directory.Notification{
		ID: fmt.Sprintf("head:%s:%d", chain, seq), Type: directory.NotificationHead, At: at.UTC(),
		Text:  fmt.Sprintf("The chain %s of the activity has the link %d with the hash %s. Keep it: it proves later that nothing before it was changed.", chain, seq, hash),
		Facts: HeadFacts{chain, seq, hash, at.UTC()},
	}
	if chain != directory.AuditChain {
		n.ConnectionID = directory.ConnectionID(chain)
	}
	var kept error
	if c.Keep != nil {
		kept = c.Keep.Keep(ctx, directory.ChainHead{Chain: chain, Seq: seq, Hash: hash, At: at.UTC()})
	}
	if errors.Is(kept, directory.ErrConflict) { // an earlier one stays; this is told, since others may keep it
		kept = c.alarm(ctx, chain, DiffHead, fmt.Sprint(seq), fmt.Sprintf("Another link %d of the chain was told of before: the chain was cut off and made anew.", seq))
	}
	if err := errors.Join(kept, c.Publish.Publish(ctx, n)); err != nil {
		return err
	}
	return c.Stores.Heads.HeadPublished(ctx, chain, seq)
}

// alarm tells that something was found without a verification.
func (c *Chain) alarm(ctx context.Context, chain, code, subject, text string) error {
	n := directory.Notification{
		ID: fmt.Sprintf("tampered:%s:%s:%s", chain, code, subject), Type: directory.NotificationTampered, At: c.now().UTC(),
		Text: text + " Begin a verification: POST /v1/activity:verify.", Facts: Difference{Chain: chain, Entry: subject, Code: code, Text: text},
	}
	if chain != directory.AuditChain {
		n.ConnectionID = directory.ConnectionID(chain)
	}
	return c.Publish.Publish(ctx, n)
}

// Tend is what the schedule does: it links runs whose worker died before it
// could, links the acts of the hours that have passed, and tells the heads that
// nobody was told of.
func (c *Chain) Tend(ctx context.Context) error {
	return errors.Join(c.LinkRuns(ctx, ""), c.LinkHours(ctx), c.publishHeads(ctx))
}

// publishHeads tells heads that nobody was told of. That one was told counts only
// when one of ours says so. There are many when heads begin to be kept: what this
// tick has no time for is the next one's, and so is all when none gets through.
func (c *Chain) publishHeads(ctx context.Context) error {
	heads, err := c.Stores.Heads.Heads(ctx)
	if err != nil {
		return err
	}
	due := make(chan *store.Head)
	var mu sync.Mutex
	var errs []error
	var group sync.WaitGroup
	for range publishAtOnce {
		group.Go(func() {
			for h := range due {
				if err := c.publishDueHead(ctx, h); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	for i := range heads {
		h := &heads[i]
		if h.Seal == store.SealGood && isPublished(h) || c.now().Sub(h.At) < publishAfter {
			continue
		}
		mu.Lock()
		failed := len(errs)
		mu.Unlock()
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < publishMargin || failed >= publishAtOnce {
			break
		}
		due <- h
	}
	close(due)
	group.Wait()
	return errors.Join(errs...)
}

// publishDueHead tells one head, of what it truly is.
func (c *Chain) publishDueHead(ctx context.Context, h *store.Head) error {
	if h.Seal != store.SealGood {
		real, err := c.trueHead(ctx, *h)
		if err != nil {
			return err
		}
		h = &real
	}
	if isPublished(h) {
		return nil
	}
	return c.publishHead(ctx, h.Chain, h.Seq, h.Hash, h.At)
}

// isPublished reports whether one of ours says that a head was told, or there is none
// to tell.
func isPublished(h *store.Head) bool {
	return h.Seq == 0 || h.Seq <= h.Published && h.PublishedSeal == store.SealGood
}

func failedNotification(r *directory.Run, now time.Time) directory.Notification {
	n := directory.Notification{
		ID: "run.failed:" + string(r.ID), Type: directory.NotificationRunFailed, At: now.UTC(), ConnectionID: r.ConnectionID, RunID: r.ID,
		Text: fmt.Sprintf("The run %s was given up. The connection goes on with its next run.", r.ID), Facts: runFactsOf(r),
	}
	if r.Error != nil {
		n.Text = fmt.Sprintf("The run %s was given up: %s The connection goes on with its next run.", r.ID, directory.Impersonal(r.Error.Sentence()))
	}
	return n
}

// RunFacts are the facts of a notice about a run.
type RunFacts struct {
	State   directory.RunState       `json:"state"`
	Counts  map[directory.Effect]int `json:"counts"`
	Applied int                      `json:"applied"`
	Failed  int                      `json:"failed"`
	Refused int                      `json:"refused"`
	Code    string                   `json:"code,omitempty"` // of what failed
	// What Microsoft's support asks for, where Microsoft answered; else Incident,
	// under which Bindery's log says more.
	MicrosoftCode string            `json:"microsoftCode,omitempty"`
	RequestID     string            `json:"requestId,omitempty"`
	Incident      string            `json:"incident,omitempty"`
	Reasons       []string          `json:"reasons,omitempty"` // why it is held
	DryRun        bool              `json:"dryRun,omitempty"`
	RunKind       directory.RunKind `json:"kind"`
	Approval      string            `json:"approval,omitempty"` // the call that lets a held run go on
}

func runFactsOf(r *directory.Run) RunFacts {
	f := RunFacts{State: r.State, Counts: r.Counts, Applied: r.Applied, Failed: r.Failed, Refused: r.Refused, DryRun: r.DryRun, RunKind: r.Kind}
	if r.Error != nil {
		f.Code, f.MicrosoftCode, f.RequestID, f.Incident = r.Error.Code, r.Error.MicrosoftCode, r.Error.RequestID, r.Error.Incident
	}
	if r.Held != nil {
		for _, reason := range r.Held.Reasons {
			f.Reasons = append(f.Reasons, directory.Impersonal(reason))
		}
		f.Approval = "POST /v1/runs/" + string(r.ID) + "/approve"
	}
	return f
}
