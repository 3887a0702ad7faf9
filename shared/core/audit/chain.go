package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Publisher tells others. A notification may be published again after an error; its
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

// Signer puts a seal on a message and checks one. Whoever can write to the table
// cannot make one.
type Signer interface {
	Sign(ctx context.Context, message []byte) (mac []byte, key string, err error)
	// Verify reports whether the seal is one of ours; an error means that this
	// could not be found out.
	Verify(ctx context.Context, message, mac []byte) (bool, error)
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
	// Retention is how long entries are kept; 0 means store.DefaultRetention.
	Retention time.Duration
}

// Times of the chain.
const (
	// graceAfterEnd is how long after the end of a run that was stopped a batch that
	// was in flight may still add results, and after an hour's end an audit event that
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
	// publishAtOnce is how many heads the schedule tells at once, and publishMargin how
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
	return store.DefaultRetention
}

// Tend is what the schedule does: it links runs whose worker died before it
// could, links the audit events of the hours that have passed, and tells the heads that
// nobody was told of.
func (c *Chain) Tend(ctx context.Context) error {
	return errors.Join(c.LinkRuns(ctx, ""), c.LinkHours(ctx), c.publishHeads(ctx))
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
