package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// sealedForm is the link of the audit chain with which the sealed form began: from
// then on what bears no seal is not ours, but for the runs that were open then.
type sealedForm struct {
	seq  int64
	at   time.Time
	runs map[directory.RunID]bool
}

// mayBeUnsealed reports whether records of a run may be without a seal.
func (b *sealedForm) mayBeUnsealed(id directory.RunID, now time.Time) bool {
	return b.runs[id] || now.Before(b.at.Add(rolloutTime))
}

// mayBeUnsealedEvent reports whether an audit event of that time may be.
func (b *sealedForm) mayBeUnsealedEvent(at time.Time) bool { return at.Before(b.at.Add(rolloutTime)) }

// readOrBeginSealedForm reads how the sealed form began; when it has not, it begins now. An
// older version that links once more has it begin anew: only its link, which
// nobody else can make, does that.
func (c *Chain) readOrBeginSealedForm(ctx context.Context) (*sealedForm, error) {
	for range linkTries {
		h, err := c.head(ctx, directory.AuditChain)
		if err != nil {
			return nil, err
		}
		l, err := c.lastGenuineLink(ctx, directory.AuditChain)
		switch {
		case err != nil:
			return nil, err
		case l != nil && l.Form == directory.ChainFormSealed:
			return c.sealedFormOf(ctx, l)
		}
		b, err := c.beginSealedForm(ctx, h)
		if b != nil { // if its head could not be told, the schedule tells it
			return b, nil
		}
		if err != nil && !errors.Is(err, directory.ErrStale) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("begin the sealed form: %w", directory.ErrStale)
}

func (c *Chain) sealedFormOf(ctx context.Context, last *directory.ChainLink) (*sealedForm, error) {
	l := *last
	if last.Reason != directory.ChainBegin {
		var err error
		if l, err = c.Stores.Links.Link(ctx, directory.AuditChain, last.Begun); err != nil {
			return nil, fmt.Errorf("how the sealed form began: %w", err)
		}
	}
	return readSealedForm(ctx, c.Stores.Leaves, c.Signer, &l)
}

// readSealedForm reads what a link says of how the sealed form began.
func readSealedForm(ctx context.Context, s leafStore, seal Signer, l *directory.ChainLink) (*sealedForm, error) {
	ours, err := seal.Verify(ctx, statementBytes(&l.ChainStatement), l.MAC)
	if err != nil {
		return nil, err
	}
	leaves, err := s.Leaves(ctx, l)
	if err != nil {
		return nil, err
	}
	b := &sealedForm{seq: l.Seq, at: l.At, runs: map[directory.RunID]bool{}}
	if !ours || l.Reason != directory.ChainBegin || digestOf(leaves) != l.Digest {
		return &sealedForm{seq: l.Seq}, nil // a link that was changed allows nothing
	}
	for i := range leaves {
		if id, ok := strings.CutPrefix(leaves[i].ID, leafRun); ok {
			b.runs[directory.RunID(id)] = true
		}
	}
	return b, nil
}

// beginSealedForm links where all chains end, and which runs have no link yet: they may
// hold records of an older version, which did not seal them.
func (c *Chain) beginSealedForm(ctx context.Context, h store.Head) (*sealedForm, error) {
	heads, err := c.Stores.Heads.Heads(ctx)
	if err != nil {
		return nil, err
	}
	var leaves []directory.ChainLeaf
	for i := range heads {
		if heads[i].Chain != directory.AuditChain && heads[i].Seq > 0 {
			leaves = append(leaves, headLeaf(heads[i].Chain, heads[i].Seq, heads[i].Hash))
		}
	}
	runs := map[directory.RunID]directory.ConnectionID{}
	for last := (*store.PendingLink)(nil); ; {
		marks, err := c.Stores.Pending.PendingLinks(ctx, "", last, pendingAtOnce)
		if err != nil {
			return nil, err
		}
		for i := range marks {
			runs[marks[i].RunID] = marks[i].ConnectionID
		}
		if len(marks) < pendingAtOnce {
			break
		}
		last = &marks[len(marks)-1]
	}
	open, err := readEach(ctx, c.Stores.Connections, func(ctx context.Context, conn *directory.Connection) ([]directory.RunID, error) {
		return c.Stores.Runs.OpenRuns(ctx, conn.ID)
	})
	if err != nil {
		return nil, err
	}
	for i := range open {
		for _, id := range open[i].value {
			runs[id] = open[i].conn.ID
		}
	}
	for id, conn := range runs {
		leaves = append(leaves, directory.ChainLeaf{ID: leafRun + string(id), Sum: string(conn)})
	}
	through := h.Through
	if h.Seq == 0 && through == 0 {
		if through, err = c.hourBeforeFirst(ctx, c.lastHour()); err != nil {
			return nil, err
		}
	}
	l, err := c.addAuditLink(ctx, directory.ChainBegin, 0, leaves, through)
	if l == nil {
		return nil, err
	}
	b := &sealedForm{seq: l.Seq, at: l.At, runs: map[directory.RunID]bool{}}
	for id := range runs {
		b.runs[id] = true
	}
	return b, err
}

// hourBeforeFirst is the hour before the oldest audit event, from where the chain begins.
func (c *Chain) hourBeforeFirst(ctx context.Context, last int64) (int64, error) {
	records, _, err := c.Stores.Listing.Activity(ctx, store.ActivityQuery{Forward: true, Limit: 1})
	if err != nil || len(records) == 0 {
		return last, err
	}
	at := last
	if a := records[0].AuditEvent; a != nil {
		at = a.At.Unix()/3600 - 1
	} else if r := records[0].Results; len(r) > 0 {
		at = r[0].At.Unix()/3600 - 1
	}
	return min(at, last), nil
}
