package activity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// ChainStore is what a Chain needs of the store; *store.Store has it.
type ChainStore interface {
	JournalStore
	Run(ctx context.Context, id directory.RunID) (store.RunRecord, error)
	Head(ctx context.Context, chain string) (store.Head, error)
	Heads(ctx context.Context) ([]store.Head, error)
	PutLeaves(ctx context.Context, st *store.Statement, leaves []store.Leaf) error
	AddLink(ctx context.Context, h store.Head, l *store.Link, mark *store.Unlinked) error
	Link(ctx context.Context, chain string, seq int64) (store.Link, error)
	LinkOf(ctx context.Context, chain, subject string) (int64, error)
	PassHours(ctx context.Context, h store.Head, through int64) error
	ToldHead(ctx context.Context, chain string, seq int64) error
	Unlinked(ctx context.Context, c directory.ConnectionID, after *store.Unlinked, limit int) ([]store.Unlinked, error)
	StillUnlinked(ctx context.Context, u *store.Unlinked) (bool, error)
	Unmark(ctx context.Context, u *store.Unlinked) error
	Activity(ctx context.Context, q store.ActivityQuery) ([]store.ActivityRecord, string, error)
}

// Publisher tells others. A notice may be published again after an error; its
// ID tells that it is the same.
type Publisher interface {
	Publish(ctx context.Context, notices ...directory.Notice) error
}

// Chain digests what was done, links the digests and tells others the head. It
// is made so that it may die between any two lines: a run that has ended bears a
// mark until it is part of its chain, an hour is passed in the same transaction
// that links it, and a head that nobody was told of is told by the schedule.
type Chain struct {
	Store   ChainStore
	Seal    Seal
	Publish Publisher
	Now     func() time.Time // nil means time.Now
}

// Times of the chain.
const (
	// settling is how long after the end of a run that was stopped a batch that
	// was in flight may still add results, and after an hour's end an act that
	// was begun in it may still be stored.
	settling = 10 * time.Minute
	// tellAfter is how old a head must be before the schedule takes its event
	// for lost.
	tellAfter = time.Minute
	// hoursAtOnce is how many hours one call deals with.
	hoursAtOnce = 400
	// marksAtOnce is how many marks are read at once.
	marksAtOnce = 200
	// linkTries is how often a link is tried while others add to the chain.
	linkTries = 8
)

func (c *Chain) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// LinkRuns links the runs of a connection (with "", of all) that have ended and
// bear a mark. A failure with one does not keep the others from their turn.
func (c *Chain) LinkRuns(ctx context.Context, id directory.ConnectionID) error {
	var errs []error
	for last := (*store.Unlinked)(nil); ; {
		marks, err := c.Store.Unlinked(ctx, id, last, marksAtOnce)
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
		if len(marks) < marksAtOnce {
			return errors.Join(errs...)
		}
		last = &marks[len(marks)-1]
	}
}

// linkRun links one run, unless its results may still change.
func (c *Chain) linkRun(ctx context.Context, mark *store.Unlinked) error {
	run, err := c.Store.Run(ctx, mark.RunID)
	finished := run.State == directory.RunDone || run.State == directory.RunFailed
	if err == nil && !finished && c.now().Sub(mark.At) < settling {
		return nil
	}
	var leaves []store.Leaf
	var expires time.Time
	if err == nil {
		leaves, expires, err = runLeaves(ctx, c.Store, mark.RunID)
	}
	if errors.Is(err, directory.ErrNotFound) {
		return c.Store.Unmark(ctx, mark) // it has expired
	}
	if err != nil {
		return err
	}
	if run.State == directory.RunFailed {
		if err := c.Publish.Publish(ctx, failedNotice(&run.Run, c.now())); err != nil {
			return err
		}
	}
	if len(leaves) == 0 {
		return c.Store.Unmark(ctx, mark)
	}
	st := store.Statement{Chain: string(mark.ConnectionID), Subject: string(mark.RunID), Expires: expires.UTC()}
	if same, err := c.linkedAlready(ctx, &st, leaves); err != nil || same {
		return errors.Join(err, c.Store.Unmark(ctx, mark))
	}
	return c.add(ctx, &st, leaves, mark, 0)
}

// linkedAlready reports whether the subject's last link says just this.
func (c *Chain) linkedAlready(ctx context.Context, st *store.Statement, leaves []store.Leaf) (bool, error) {
	seq, err := c.Store.LinkOf(ctx, st.Chain, st.Subject)
	if err != nil || seq == 0 {
		return false, err
	}
	l, err := c.Store.Link(ctx, st.Chain, seq)
	if errors.Is(err, directory.ErrNotFound) {
		return false, nil
	}
	return err == nil && l.Digest == digestOf(leaves), err
}

// add appends a link and tells its head. through, when it is not 0, is the hour
// that the chain has dealt with then.
func (c *Chain) add(ctx context.Context, st *store.Statement, leaves []store.Leaf, mark *store.Unlinked, through int64) error {
	for try := 1; ; try++ {
		h, err := c.Store.Head(ctx, st.Chain)
		if err != nil {
			return err
		}
		if through > 0 {
			if h.Through >= through {
				return nil // another was faster
			}
			h.Through = through
		}
		l, err := c.seal(ctx, h, *st, leaves)
		if err != nil {
			return err
		}
		if err := c.Store.PutLeaves(ctx, &l.Statement, leaves); err != nil {
			return err
		}
		err = c.Store.AddLink(ctx, h, &l, mark)
		if err == nil {
			return c.tell(ctx, l.Chain, l.Seq, l.Hash, l.At)
		}
		if !errors.Is(err, directory.ErrStale) {
			return err
		}
		if mark != nil {
			return c.markMoved(ctx, mark, st, leaves, try, err)
		}
		if try == linkTries {
			return err
		}
	}
}

// markMoved sorts out a link that did not come about: another worker made it,
// the run has got more results, or only the chain has grown meanwhile.
func (c *Chain) markMoved(ctx context.Context, mark *store.Unlinked, st *store.Statement, leaves []store.Leaf, try int, cause error) error {
	if try >= linkTries {
		return cause
	}
	still, err := c.Store.StillUnlinked(ctx, mark)
	if err != nil {
		return err
	}
	if still {
		return c.add(ctx, st, leaves, mark, 0)
	}
	return nil // linked, or marked anew: then the next look links it
}

// seal makes the next link of a chain.
func (c *Chain) seal(ctx context.Context, h store.Head, st store.Statement, leaves []store.Leaf) (store.Link, error) {
	st.Seq, st.At, st.Previous = h.Seq+1, c.now().UTC().Truncate(time.Millisecond), h.Hash
	st.Entries, st.Digest, st.Parts = len(leaves), digestOf(leaves), (len(leaves)+store.LeavesInPart-1)/store.LeavesInPart
	l := store.Link{Statement: st, Hash: hashOf(&st)}
	var err error
	l.MAC, l.Key, err = c.Seal.Sign(ctx, statementBytes(&st))
	return l, err
}

// HeadFacts are the facts of a notice of a chain's head.
type HeadFacts struct {
	Chain string    `json:"chain"`
	Seq   int64     `json:"seq"`
	Hash  string    `json:"hash"`
	At    time.Time `json:"at"`
}

func (c *Chain) tell(ctx context.Context, chain string, seq int64, hash string, at time.Time) error {
	n := directory.Notice{
		ID: fmt.Sprintf("head:%s:%d", chain, seq), Type: directory.NoticeHead, At: at.UTC(),
		Text:  fmt.Sprintf("The chain %s of the activity has the link %d with the hash %s. Keep it: it proves later that nothing before it was changed.", chain, seq, hash),
		Facts: HeadFacts{chain, seq, hash, at.UTC()},
	}
	if chain != store.ActsChain {
		n.ConnectionID = directory.ConnectionID(chain)
	}
	if err := c.Publish.Publish(ctx, n); err != nil {
		return err
	}
	return c.Store.ToldHead(ctx, chain, seq)
}

// Tend is what the schedule does: it links runs whose worker died before it
// could, links the acts of the hours that have passed, and tells the heads that
// nobody was told of.
func (c *Chain) Tend(ctx context.Context) error {
	return errors.Join(c.LinkRuns(ctx, ""), c.LinkHours(ctx), c.tellAgain(ctx))
}

func (c *Chain) tellAgain(ctx context.Context) error {
	heads, err := c.Store.Heads(ctx)
	errs := []error{err}
	for _, h := range heads {
		if h.Seq > h.Told && c.now().Sub(h.At) >= tellAfter {
			errs = append(errs, c.tell(ctx, h.Chain, h.Seq, h.Hash, h.At))
		}
	}
	return errors.Join(errs...)
}

// LinkHours links the acts of every hour that has passed and was not dealt with.
func (c *Chain) LinkHours(ctx context.Context) error {
	last := c.now().Add(-settling).Unix()/3600 - 1 // the last hour that is over
	h, err := c.Store.Head(ctx, store.ActsChain)
	if err != nil {
		return err
	}
	if h.Version == 0 {
		if h.Through, err = c.beforeFirst(ctx, last); err != nil {
			return err
		}
	}
	if h.Through >= last {
		return nil
	}
	until := min(last, h.Through+hoursAtOnce)
	for hour := h.Through + 1; hour <= until; hour++ {
		leaves, expires, err := hourLeaves(ctx, c.Store, hour)
		if err != nil {
			return err
		}
		if len(leaves) == 0 {
			continue
		}
		st := store.Statement{Chain: store.ActsChain, Subject: hourSubject(hour), Expires: expires.UTC()}
		if err := c.add(ctx, &st, leaves, nil, hour); err != nil {
			return err
		}
	}
	if h, err = c.Store.Head(ctx, store.ActsChain); err != nil || h.Through >= until {
		return err
	}
	if err := c.Store.PassHours(ctx, h, until); !errors.Is(err, directory.ErrStale) {
		return err
	}
	return nil // another tick is at it
}

// beforeFirst is the hour before the oldest act, from where the chain begins.
func (c *Chain) beforeFirst(ctx context.Context, last int64) (int64, error) {
	records, _, err := c.Store.Activity(ctx, store.ActivityQuery{Forward: true, Limit: 1})
	if err != nil || len(records) == 0 {
		return last, err
	}
	at := last
	if a := records[0].Act; a != nil {
		at = a.At.Unix()/3600 - 1
	} else if r := records[0].Results; len(r) > 0 {
		at = r[0].At.Unix()/3600 - 1
	}
	return min(at, last), nil
}

func failedNotice(r *directory.Run, now time.Time) directory.Notice {
	n := directory.Notice{
		ID: "run.failed:" + string(r.ID), Type: directory.NoticeRunFailed, At: now.UTC(), ConnectionID: r.ConnectionID, RunID: r.ID,
		Text: fmt.Sprintf("The run %s was given up. The connection goes on with its next run.", r.ID), Facts: factsOf(r),
	}
	if r.Error != nil {
		n.Text = fmt.Sprintf("The run %s was given up: %s The connection goes on with its next run.", r.ID, r.Error.Message)
	}
	return n
}

// RunFacts are the facts of a notice about a run.
type RunFacts struct {
	State    directory.RunState       `json:"state"`
	Counts   map[directory.Effect]int `json:"counts"`
	Applied  int                      `json:"applied"`
	Failed   int                      `json:"failed"`
	Refused  int                      `json:"refused"`
	Code     string                   `json:"code,omitempty"`    // of what failed
	Reasons  []string                 `json:"reasons,omitempty"` // why it is held
	DryRun   bool                     `json:"dryRun,omitempty"`
	RunKind  directory.RunKind        `json:"kind"`
	Approval string                   `json:"approval,omitempty"` // the call that lets a held run go on
}

func factsOf(r *directory.Run) RunFacts {
	f := RunFacts{State: r.State, Counts: r.Counts, Applied: r.Applied, Failed: r.Failed, Refused: r.Refused, DryRun: r.DryRun, RunKind: r.Kind}
	if r.Error != nil {
		f.Code = r.Error.Code
	}
	if r.Held != nil {
		f.Reasons = r.Held.Reasons
		f.Approval = "POST /v1/runs/" + string(r.ID) + "/approve"
	}
	return f
}
