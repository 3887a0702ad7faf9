package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// ActsChain is the chain of the acts of admins; every connection has one of its
// own, named by its ID, for its runs.
const ActsChain = "acts"

// Statement is what a link of a chain says: these entries, with these digests,
// stood there at that time.
type Statement struct {
	Chain string    `json:"chain"`
	Seq   int64     `json:"seq"` // from 1
	At    time.Time `json:"at"`
	// Subject is the run, or the hour ("2026-03-02T09Z"), that the entries are of.
	Subject string `json:"subject"`
	Entries int    `json:"entries"`
	// Digest is of the leaves, in hexadecimal; Parts is how many items they fill.
	Digest string `json:"digest"`
	Parts  int    `json:"parts"`
	// Expires is when the first of the entries expires; from then on those that
	// are missing prove nothing.
	Expires time.Time `json:"expires"`
	// Previous is the hash of the link before; empty in the first.
	Previous string `json:"previous,omitempty"`
}

// Link is a statement with its hash and the seal on it.
type Link struct {
	Statement
	Hash string `json:"hash"`
	Key  string `json:"key"` // that the seal was made with
	MAC  []byte `json:"mac"`
}

// Leaf is the digest of one entry.
type Leaf struct {
	ID  string `json:"id"`
	Sum string `json:"sum"` // SHA-256 of the entry's JSON, in hexadecimal
}

// LeavesInPart is how many leaves one item holds.
const LeavesInPart = 2000

// Head is where a chain ends.
type Head struct {
	Chain string
	Seq   int64 // of the last link; 0: there is none yet
	Hash  string
	At    time.Time
	// Told is the last link that others have heard of.
	Told int64
	// Through is the last hour (since 1970) that the chain of acts has dealt with.
	Through int64
	Version int64
}

const (
	numSeq     = "seq"
	numTold    = "told"
	numThrough = "through"
	numAt      = "at"
	strHash    = "hash"
	strNonce   = "nonce"
	headsAt    = "CHAINS"
	unlinkedAt = "UNLINKED"
)

func headKey(chain string) table.Key { return table.Key{Partition: headsAt, Sort: chain} }

func linkKey(chain string, seq int64) table.Key {
	return table.Key{Partition: "CHAIN#" + chain, Sort: fmt.Sprintf("link#%010d", seq)}
}

// leafKey holds the digest, so that two who make the same link at once, of
// different entries, do not write over each other's leaves.
func leafKey(chain, digest string, part int) table.Key {
	return table.Key{Partition: "CHAIN#" + chain, Sort: fmt.Sprintf("leaf#%s#%04d", digest, part)}
}

func linkedKey(chain, subject string) table.Key {
	return table.Key{Partition: "CHAIN#" + chain, Sort: "of#" + subject}
}

func decodeHead(it table.Item) Head {
	return Head{
		Chain: it.Sort, Seq: it.Numbers[numSeq], Hash: it.Strings[strHash], At: fromMillis(it.Numbers[numAt]),
		Told: it.Numbers[numTold], Through: it.Numbers[numThrough], Version: it.Version,
	}
}

// Head reads where a chain ends; one that has no link yet has Seq and Version 0.
func (s *Store) Head(ctx context.Context, chain string) (Head, error) {
	it, err := s.Table.Get(ctx, headKey(chain))
	if errors.Is(err, table.ErrNotFound) {
		return Head{Chain: chain}, nil
	}
	return decodeHead(it), fail("head", err)
}

// Heads reads where all chains end, in the order of their names.
func (s *Store) Heads(ctx context.Context) ([]Head, error) {
	var list []Head
	cursor := ""
	for {
		page, err := s.Table.Query(ctx, table.Query{Partition: headsAt, Cursor: cursor})
		if err != nil {
			return nil, fail("heads", err)
		}
		for _, it := range page.Items {
			list = append(list, decodeHead(it))
		}
		if cursor = page.Next; cursor == "" {
			return list, nil
		}
	}
}

// PutLeaves stores the leaves of a link that is about to be made. They expire a
// good while after the entries.
func (s *Store) PutLeaves(ctx context.Context, st *Statement, leaves []Leaf) error {
	for part := range st.Parts {
		body := leaves[part*LeavesInPart : min(len(leaves), (part+1)*LeavesInPart)]
		item := table.Item{Key: leafKey(st.Chain, st.Digest, part), Body: encode(body), Expires: st.Expires.Add(60 * 24 * time.Hour)}
		if err := s.Table.Write(ctx, table.Write{Put: &item}); err != nil {
			return fail("put leaves", err)
		}
	}
	return nil
}

// Leaves reads the leaves of a link; what is missing or has expired is left out.
func (s *Store) Leaves(ctx context.Context, l *Link) ([]Leaf, error) {
	var list []Leaf
	for part := range l.Parts {
		it, err := s.Table.Get(ctx, leafKey(l.Chain, l.Digest, part))
		if errors.Is(err, table.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fail("leaves", err)
		}
		var some []Leaf
		if err := decode(it, &some); err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	return list, nil
}

// AddLink appends a link to a chain whose head is as read. mark, when it is not
// nil, is the mark of the run that the link is of; it goes in the same
// transaction. ErrStale when the chain or the mark has moved.
func (s *Store) AddLink(ctx context.Context, h Head, l *Link, mark *Unlinked) error {
	head := table.Write{Update: &table.Update{
		Key: headKey(l.Chain), AddVersion: 1, SetStrings: map[string]string{strHash: l.Hash},
		SetNumbers: map[string]int64{numSeq: l.Seq, numAt: l.At.UnixMilli(), numThrough: h.Through},
	}, If: table.When(table.VersionIs(h.Version))}
	if h.Version == 0 {
		head.If = table.Condition{Absent: true}
	}
	writes := []table.Write{
		head,
		{Put: &table.Item{Key: linkKey(l.Chain, l.Seq), Body: encode(l)}, If: table.Condition{Absent: true}},
		{Put: &table.Item{Key: linkedKey(l.Chain, l.Subject), Numbers: map[string]int64{numSeq: l.Seq}, Expires: l.Expires.Add(60 * 24 * time.Hour)}},
	}
	if mark != nil {
		key := mark.key()
		writes = append(writes, table.Write{Delete: &key, If: table.When(table.StringIs(strNonce, mark.nonce))})
	}
	err := s.Table.Write(ctx, writes...)
	if _, moved := failed(err); moved {
		return fmt.Errorf("add link: %w", directory.ErrStale)
	}
	return fail("add link", err)
}

// Link reads a link. ErrNotFound.
func (s *Store) Link(ctx context.Context, chain string, seq int64) (Link, error) {
	it, err := s.Table.Get(ctx, linkKey(chain, seq))
	if err != nil {
		return Link{}, fail("link", err)
	}
	var l Link
	return l, decode(it, &l)
}

// Links lists up to limit links of a chain, from the one after a number on.
func (s *Store) Links(ctx context.Context, chain string, after int64, limit int) ([]Link, error) {
	page, err := s.Table.Query(ctx, table.Query{Partition: "CHAIN#" + chain, Prefix: "link#", After: linkKey(chain, after).Sort, Limit: limit})
	if err != nil {
		return nil, fail("links", err)
	}
	list := make([]Link, 0, len(page.Items))
	for _, it := range page.Items {
		var l Link
		if err := decode(it, &l); err != nil {
			return nil, err
		}
		list = append(list, l)
	}
	return list, nil
}

// LinkOf returns the number of the last link that a subject has in a chain; 0
// when there is none.
func (s *Store) LinkOf(ctx context.Context, chain, subject string) (int64, error) {
	it, err := s.Table.Get(ctx, linkedKey(chain, subject))
	if errors.Is(err, table.ErrNotFound) {
		return 0, nil
	}
	return it.Numbers[numSeq], fail("link of "+subject, err)
}

// PassHours notes that the chain of acts has dealt with all hours up to one,
// whose head is as read. ErrStale.
func (s *Store) PassHours(ctx context.Context, h Head, through int64) error {
	w := table.Write{Update: &table.Update{Key: headKey(h.Chain), AddVersion: 1, SetNumbers: map[string]int64{numThrough: through}},
		If: table.When(table.VersionIs(h.Version))}
	if h.Version == 0 {
		w.If = table.Condition{Absent: true}
	}
	err := s.Table.Write(ctx, w)
	if _, moved := failed(err); moved {
		return fmt.Errorf("pass hours: %w", directory.ErrStale)
	}
	return fail("pass hours", err)
}

// ToldHead notes that others have heard of a chain's link.
func (s *Store) ToldHead(ctx context.Context, chain string, seq int64) error {
	err := s.Table.Write(ctx, table.Write{
		Update: &table.Update{Key: headKey(chain), SetNumbers: map[string]int64{numTold: seq}},
		If: table.Condition{AnyOf: [][]table.Test{
			{table.NumberIs(numTold, table.Less, seq)}, {{Number: numTold, Op: table.IsMissing}, table.NumberIs(numSeq, table.AtLeast, seq)}}},
	})
	if _, later := failed(err); later {
		return nil
	}
	return fail("told head", err)
}
