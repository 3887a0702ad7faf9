package store

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// PendingLink is the mark of a run that has ended, or got late results, and is not
// part of its connection's chain yet.
type PendingLink struct {
	ConnectionID directory.ConnectionID
	RunID        directory.RunID
	At           time.Time
	Why          Because
	// Facts stand for what the run was when it ended; empty where that was not
	// known to whoever left the mark.
	Facts string
	// Seal says whether it was one of ours who left the mark.
	Seal  SealState
	nonce string
}

const (
	strNonce = "nonce" // another one in each mark, so that a renewed one is told
	strWhy   = "why"
	strFacts = "facts"
)

// Because is why a run is to be linked.
type Because string

// The reasons.
const (
	BecauseEnded Because = "ended" // it has ended: its first link
	BecauseLate  Because = "late"  // results came in after it had ended: a further one
)

// pendingLinkWrite marks a run as one that is still to be linked. It rides in the
// transaction that ends the run, or that adds to an ended one.
func pendingLinkWrite(r *directory.Run, why Because, now time.Time) table.Write {
	names := map[string]string{strNonce: rand.Text(), strWhy: string(why)}
	if why == BecauseEnded {
		names[strFacts] = FactsSum(r)
	}
	return table.Write{Put: &table.Item{Key: pendingLinkKey(r.ConnectionID, r.ID), Strings: names, Numbers: map[string]int64{numAt: now.UnixMilli()}}}
}

// FactsSum stands for the facts of a run. The mark of its end has it under its
// seal: of a run only its beginning and its approval bear one of their own, so
// that somebody could take the approval away, or make it another end, before the
// run is linked.
func FactsSum(r *directory.Run) string { return sumOf(encode(directory.FactsOf(r))) }

func (s *Chains) decodePendingLink(ctx context.Context, it *table.Item) (PendingLink, error) {
	conn, run, _ := strings.Cut(it.Sort, "#")
	state, err := s.db.itemState(ctx, it)
	return PendingLink{ConnectionID: directory.ConnectionID(conn), RunID: directory.RunID(run), At: fromMillis(it.Numbers[numAt]),
		Why: Because(it.Strings[strWhy]), Facts: it.Strings[strFacts], Seal: state, nonce: it.Strings[strNonce]}, err
}

// PendingLinks lists marks, those of one connection or (with "") of all, strongly
// consistent; at most limit, from the one behind after on.
func (s *Chains) PendingLinks(ctx context.Context, c directory.ConnectionID, after *PendingLink, limit int) ([]PendingLink, error) {
	prefix := ""
	if c != "" {
		prefix = string(c) + "#"
	}
	q := table.Query{Partition: pendingLinksAt, Prefix: prefix, Limit: limit}
	if after != nil {
		q.After = pendingLinkKey(after.ConnectionID, after.RunID).Sort
	}
	page, err := s.db.table.Query(ctx, q)
	if err != nil {
		return nil, fail("pending links", err)
	}
	list := make([]PendingLink, 0, len(page.Items))
	for i := range page.Items {
		u, err := s.decodePendingLink(ctx, &page.Items[i])
		if err != nil {
			return nil, fail("pending links", err)
		}
		list = append(list, u)
	}
	return list, nil
}

// IsPending reports whether a mark is there as it was read.
func (s *Chains) IsPending(ctx context.Context, u *PendingLink) (bool, error) {
	it, found, err := s.db.find(ctx, pendingLinkKey(u.ConnectionID, u.RunID))
	return found && it.Strings[strNonce] == u.nonce, fail("pending links", err)
}

// DropPendingLink takes a mark away, unless it was renewed.
func (s *Chains) DropPendingLink(ctx context.Context, u *PendingLink) error {
	key := pendingLinkKey(u.ConnectionID, u.RunID)
	err := s.db.table.Write(ctx, table.Write{Delete: &key, If: table.When(table.StringIs(strNonce, u.nonce))})
	if refused(err) {
		return nil
	}
	return fail("drop pending link", err)
}

// PendingLinkOf reads the mark of a run; nil when it bears none.
func (s *Chains) PendingLinkOf(ctx context.Context, c directory.ConnectionID, r directory.RunID) (*PendingLink, error) {
	it, found, err := s.db.find(ctx, pendingLinkKey(c, r))
	if err != nil {
		return nil, fail("pending link", err)
	}
	if !found {
		return nil, nil
	}
	u, err := s.decodePendingLink(ctx, &it)
	return &u, fail("pending link", err)
}
