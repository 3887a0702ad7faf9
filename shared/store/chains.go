package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Chains are the chains of digests that make what was done provable: links, the
// leaves that they are of, where each chain ends, and what is still to be linked.
type Chains struct{ db *db }

// LeavesInPart is how many leaves one item holds.
const LeavesInPart = 2000

// Head is where a chain ends.
type Head struct {
	Chain string
	Seq   int64 // of the last link; 0: there is none yet
	Hash  string
	At    time.Time
	// Published is the last link that others have heard of, and PublishedSeal
	// whether it was one of ours who told.
	Published     int64
	PublishedSeal SealState
	// Through is the last hour (since 1970) that the chain of acts has dealt with.
	Through int64
	Version int64
	// Seal says whether the head is as one of ours wrote it. Published is apart.
	Seal SealState
}

const (
	numSeq       = "seq"
	numPublished = "told"
	numThrough   = "through"
	numAt        = "at"
	strHash      = "hash"
)

// headMessage is what a head's seal is of.
func headMessage(h *Head) []byte {
	return sealed(sealsHead, headKey(h.Chain), time.Time{}, itoa(h.Seq), h.Hash, itoa(millis(h.At)), itoa(h.Through))
}

// publishedMessage is what the seal of the last link that others have heard of is of.
func publishedMessage(chain string, seq int64) []byte {
	return sealed(sealsTold, headKey(chain), time.Time{}, itoa(seq))
}

func (s *Chains) decodeHead(ctx context.Context, it table.Item) (Head, error) {
	h := Head{
		Chain: it.Sort, Seq: it.Numbers[numSeq], Hash: it.Strings[strHash], At: fromMillis(it.Numbers[numAt]),
		Published: it.Numbers[numPublished], Through: it.Numbers[numThrough], Version: it.Version,
	}
	var err error
	if h.Seal, err = s.db.sealState(ctx, headMessage(&h), it.Strings[strSeal]); err != nil {
		return h, err
	}
	h.PublishedSeal, err = s.db.sealState(ctx, publishedMessage(h.Chain, h.Published), it.Strings[strToldSeal])
	return h, err
}

// Head reads where a chain ends; one that has no link yet has Seq and Version 0.
func (s *Chains) Head(ctx context.Context, chain string) (Head, error) {
	it, found, err := s.db.find(ctx, headKey(chain))
	if err != nil {
		return Head{}, fail("head", err)
	}
	if !found {
		return Head{Chain: chain}, nil
	}
	h, err := s.decodeHead(ctx, it)
	return h, fail("head", err)
}

// Heads reads where all chains end, in the order of their names.
func (s *Chains) Heads(ctx context.Context) ([]Head, error) {
	var list []Head
	for it, err := range s.db.list(ctx, table.Query{Partition: headsAt}) {
		if err != nil {
			return nil, fail("heads", err)
		}
		h, err := s.decodeHead(ctx, it)
		if err != nil {
			return nil, fail("heads", err)
		}
		list = append(list, h)
	}
	return list, nil
}

// PutLeaves stores the leaves of a link that is about to be made. They expire a
// good while after the entries.
func (s *Chains) PutLeaves(ctx context.Context, st *directory.ChainStatement, leaves []directory.ChainLeaf) error {
	for part := range st.Parts {
		body := leaves[part*LeavesInPart : min(len(leaves), (part+1)*LeavesInPart)]
		item := table.Item{Key: leafKey(st.Chain, st.Digest, part), Body: encode(body), Expires: st.Expires.Add(60 * 24 * time.Hour)}
		if err := s.db.table.Write(ctx, table.Write{Put: &item}); err != nil {
			return fail("put leaves", err)
		}
	}
	return nil
}

// Leaves reads the leaves of a link; what is missing or has expired is left out.
func (s *Chains) Leaves(ctx context.Context, l *directory.ChainLink) ([]directory.ChainLeaf, error) {
	var list []directory.ChainLeaf
	for part := range l.Parts {
		it, found, err := s.db.find(ctx, leafKey(l.Chain, l.Digest, part))
		if err != nil {
			return nil, fail("leaves", err)
		}
		if !found {
			continue
		}
		var some []directory.ChainLeaf
		if err := decode(it, &some); err == nil { // what cannot be read is missing
			list = append(list, some...)
		}
	}
	return list, nil
}

// AddLink appends a link to a chain whose head is as read. mark, when it is not
// nil, is the mark of the run that the link is of; it goes in the same
// transaction. ErrStale when the chain or the mark has moved.
func (s *Chains) AddLink(ctx context.Context, h Head, l *directory.ChainLink, mark *PendingLink) error {
	next := Head{Chain: l.Chain, Seq: l.Seq, Hash: l.Hash, At: l.At, Through: h.Through}
	seal, err := s.db.seal(ctx, headMessage(&next))
	if err != nil {
		return fail("add link", err)
	}
	head := table.Write{Update: &table.Update{
		Key: headKey(l.Chain), AddVersion: 1, SetStrings: map[string]string{strHash: l.Hash, strSeal: seal},
		SetNumbers: map[string]int64{numSeq: l.Seq, numAt: l.At.UnixMilli(), numThrough: h.Through},
	}, If: unchanged(h.Version)}
	writes := []table.Write{
		head,
		{Put: &table.Item{Key: linkKey(l.Chain, l.Seq), Body: encode(l)}, If: table.Condition{Absent: true}},
		{Put: &table.Item{Key: linkedKey(l.Chain, l.Subject), Numbers: map[string]int64{numSeq: l.Seq}, Expires: l.Expires.Add(60 * 24 * time.Hour)}},
	}
	if mark != nil {
		key := pendingLinkKey(mark.ConnectionID, mark.RunID)
		writes = append(writes, table.Write{Delete: &key, If: table.When(table.StringIs(strNonce, mark.nonce))})
	}
	err = s.db.table.Write(ctx, writes...)
	if refused(err) {
		return fmt.Errorf("add link: %w", directory.ErrStale)
	}
	return fail("add link", err)
}

// Link reads a link. ErrNotFound.
func (s *Chains) Link(ctx context.Context, chain string, seq int64) (directory.ChainLink, error) {
	it, err := s.db.table.Get(ctx, linkKey(chain, seq))
	if err != nil {
		return directory.ChainLink{}, fail("link", err)
	}
	return decodeLink(it), nil
}

// Links lists up to limit links of a chain, from the one after a number on.
func (s *Chains) Links(ctx context.Context, chain string, after int64, limit int) ([]directory.ChainLink, error) {
	return s.links(ctx, table.Query{Partition: "CHAIN#" + chain, Prefix: "link#", After: linkKey(chain, after).Sort, Limit: limit})
}

// LinksBefore lists up to limit links of a chain, newest first, from the one
// before a number on; 0 begins with the last.
func (s *Chains) LinksBefore(ctx context.Context, chain string, before int64, limit int) ([]directory.ChainLink, error) {
	q := table.Query{Partition: "CHAIN#" + chain, Prefix: "link#", Limit: limit, Backward: true}
	if before > 0 {
		q.After = linkKey(chain, before).Sort
	}
	return s.links(ctx, q)
}

func (s *Chains) links(ctx context.Context, q table.Query) ([]directory.ChainLink, error) {
	page, err := s.db.table.Query(ctx, q)
	if err != nil {
		return nil, fail("links", err)
	}
	list := make([]directory.ChainLink, 0, len(page.Items))
	for _, it := range page.Items {
		list = append(list, decodeLink(it))
	}
	return list, nil
}

// decodeLink reads a link. One that cannot be read has the place of its record
// and no hash, which no link has.
func decodeLink(it table.Item) directory.ChainLink {
	var l directory.ChainLink
	if err := decode(it, &l); err != nil {
		l = directory.ChainLink{}
		l.Chain = strings.TrimPrefix(it.Partition, "CHAIN#")
		l.Seq, _ = strconv.ParseInt(strings.TrimPrefix(it.Sort, "link#"), 10, 64)
	}
	return l
}

// LinksAt reads links by their numbers; those that are not
// there are left out.
func (s *Chains) LinksAt(ctx context.Context, chain string, seqs []int64) (map[int64]directory.ChainLink, error) {
	keys := make([]table.Key, len(seqs))
	for i, n := range seqs {
		keys[i] = linkKey(chain, n)
	}
	found := make(map[int64]directory.ChainLink, len(seqs))
	for it, err := range s.db.each(ctx, keys) {
		if err != nil {
			return nil, fail("links", err)
		}
		var seq int64
		if _, err := fmt.Sscanf(it.Sort, "link#%d", &seq); err == nil {
			found[seq] = decodeLink(it)
		}
	}
	return found, nil
}

// LinkOf returns the number of the last link that a subject has in a chain; 0
// when there is none.
func (s *Chains) LinkOf(ctx context.Context, chain, subject string) (int64, error) {
	it, _, err := s.db.find(ctx, linkedKey(chain, subject))
	return it.Numbers[numSeq], fail("link of "+subject, err)
}

// PassHours notes that the chain of acts has dealt with all hours up to one,
// whose head is as read. ErrStale.
func (s *Chains) PassHours(ctx context.Context, h Head, through int64) error {
	next := Head{Chain: h.Chain, Seq: h.Seq, Hash: h.Hash, At: h.At, Through: through}
	seal, err := s.db.seal(ctx, headMessage(&next))
	if err != nil {
		return fail("pass hours", err)
	}
	w := table.Write{Update: &table.Update{Key: headKey(h.Chain), AddVersion: 1,
		SetNumbers: map[string]int64{numThrough: through, numSeq: h.Seq, numAt: millis(h.At)}, SetStrings: map[string]string{strHash: h.Hash, strSeal: seal}},
		If: unchanged(h.Version)}
	err = s.db.table.Write(ctx, w)
	if refused(err) {
		return fmt.Errorf("pass hours: %w", directory.ErrStale)
	}
	return fail("pass hours", err)
}

// HeadPublished notes that others have heard of a chain's link.
func (s *Chains) HeadPublished(ctx context.Context, chain string, seq int64) error {
	seal, err := s.db.seal(ctx, publishedMessage(chain, seq))
	if err != nil {
		return fail("head published", err)
	}
	// A number that is higher than the chain's last was not put there by us.
	err = s.db.table.Write(ctx, table.Write{
		Update: &table.Update{Key: headKey(chain), SetNumbers: map[string]int64{numPublished: seq}, SetStrings: map[string]string{strToldSeal: seal}},
		If: table.Condition{AnyOf: [][]table.Test{
			{table.NumberIs(numPublished, table.AtMost, seq)}, {table.NumberIs(numSeq, table.Equal, seq)}, {{Number: numPublished, Op: table.IsMissing}, table.NumberIs(numSeq, table.AtLeast, seq)}}},
	})
	if refused(err) {
		return nil
	}
	return fail("head published", err)
}
