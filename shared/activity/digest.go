package activity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// leafOf is the digest of one entry.
func leafOf(e *Entry) store.Leaf { return leafOfLine(e.ID, e.line()) }

func leafOfLine(id string, line []byte) store.Leaf {
	sum := sha256.Sum256(line)
	return store.Leaf{ID: id, Sum: hex.EncodeToString(sum[:])}
}

// sortLeaves puts leaves into the order that digests are made in.
func sortLeaves(leaves []store.Leaf) {
	slices.SortFunc(leaves, func(a, b store.Leaf) int {
		if c := strings.Compare(a.ID, b.ID); c != 0 {
			return c
		}
		return strings.Compare(a.Sum, b.Sum)
	})
}

// digestOf is the digest of sorted leaves: SHA-256 of a line "ID SUM" for each.
func digestOf(leaves []store.Leaf) string {
	h := sha256.New()
	for _, l := range leaves {
		fmt.Fprintf(h, "%s %s\n", l.ID, l.Sum)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// statementBytes is what a link's hash and seal are made of.
func statementBytes(st *store.Statement) []byte {
	data, err := json.Marshal(st)
	if err != nil {
		panic("activity: " + err.Error()) // texts, numbers and times always marshal
	}
	return data
}

func hashOf(st *store.Statement) string {
	sum := sha256.Sum256(statementBytes(st))
	return hex.EncodeToString(sum[:])
}

// JournalStore reads what digests are made of; *store.Store does.
type JournalStore interface {
	RunJournal(ctx context.Context, id directory.RunID, each func(*store.RunRecord, *store.ChunkItems) error) (store.RunRecord, time.Time, error)
	Acts(ctx context.Context, hour int64) ([]directory.Act, time.Time, error)
}

// runLeaves makes the leaves of all entries of a run, sorted, and says when the
// first of what they are made of expires. ErrNotFound when that is over.
func runLeaves(ctx context.Context, s JournalStore, id directory.RunID) ([]store.Leaf, time.Time, error) {
	var leaves []store.Leaf
	_, expires, err := s.RunJournal(ctx, id, func(run *store.RunRecord, c *store.ChunkItems) error {
		for _, results := range c.Results {
			entries := ofResults(&run.Run, c.Planned, results)
			for i := range entries {
				leaves = append(leaves, leafOf(&entries[i]))
			}
		}
		return nil
	})
	sortLeaves(leaves)
	return leaves, expires, err
}

// hourLeaves makes the leaves of the acts of an hour.
func hourLeaves(ctx context.Context, s JournalStore, hour int64) ([]store.Leaf, time.Time, error) {
	acts, expires, err := s.Acts(ctx, hour)
	var leaves []store.Leaf
	for i := range acts {
		entries := ofAct(&acts[i])
		for j := range entries {
			leaves = append(leaves, leafOf(&entries[j]))
		}
	}
	sortLeaves(leaves)
	return leaves, expires, err
}

// hourSubject names an hour since 1970 in a link.
func hourSubject(hour int64) string { return time.Unix(hour*3600, 0).UTC().Format("2006-01-02T15Z") }

func subjectHour(subject string) (int64, bool) {
	t, err := time.Parse("2006-01-02T15Z", subject)
	return t.Unix() / 3600, err == nil
}

// Seal puts a seal on a message and checks one. Whoever can write to the table
// cannot make one.
type Seal interface {
	Sign(ctx context.Context, message []byte) (mac []byte, key string, err error)
	// Verify reports whether the seal is one of ours; an error means that this
	// could not be found out.
	Verify(ctx context.Context, message, mac []byte) (bool, error)
}

// Difference is one thing that an examination found.
type Difference struct {
	Chain string `json:"chain"`
	Seq   int64  `json:"seq,omitempty"`
	Entry string `json:"entry,omitempty"`
	Code  string `json:"code"`
	Text  string `json:"text"`
}

// The codes of differences.
const (
	DiffChanged     = "changed"      // an entry is not what it was
	DiffMissing     = "missing"      // an entry is gone before its time
	DiffInserted    = "inserted"     // an entry was not there when the link was made
	DiffExpired     = "expired"      // entries have reached their age; no fault
	DiffLinkMissing = "link-missing" // a link is gone
	DiffLinkChanged = "link-changed" // a link does not fit its hash, its seal or the one before
	DiffLeaves      = "digest-lost"  // the digests of a link are gone or changed, so that its entries prove nothing
	DiffHead        = "head-differs" // the chain is not the one that was heard of
)

// compare holds entries as they are against the leaves of their link.
func compare(chain string, seq int64, linked, found []store.Leaf) []Difference {
	var list []Difference
	add := func(id, code, text string) {
		list = append(list, Difference{Chain: chain, Seq: seq, Entry: id, Code: code, Text: text})
	}
	i, j := 0, 0
	for i < len(linked) || j < len(found) {
		switch {
		case j == len(found) || i < len(linked) && linked[i].ID < found[j].ID:
			add(linked[i].ID, DiffMissing, "The entry was there when it was digested and is gone.")
			i++
		case i == len(linked) || found[j].ID < linked[i].ID:
			add(found[j].ID, DiffInserted, "The entry was not there when the others were digested.")
			j++
		case linked[i].Sum == found[j].Sum:
			i, j = i+1, j+1
		case j+1 < len(found) && found[j+1] == linked[i]:
			add(found[j].ID, DiffInserted, "The entry stands there once more, and otherwise than when it was digested.")
			j++
		case i+1 < len(linked) && linked[i+1] == found[j]:
			add(linked[i].ID, DiffMissing, "The entry stood there once more when it was digested.")
			i++
		default:
			add(linked[i].ID, DiffChanged, "The entry is not what it was when it was digested.")
			i, j = i+1, j+1
		}
	}
	return list
}

// examineLink holds a link against the one before it. previous is empty where
// that is not known.
func examineLink(l *store.Link, chain string, seq int64, previous string, known bool) *Difference {
	d := &Difference{Chain: chain, Seq: seq, Code: DiffLinkChanged}
	switch {
	case l.Chain != chain || l.Seq != seq:
		d.Text = "The link is one of another place."
	case hashOf(&l.Statement) != l.Hash:
		d.Text = "The link does not have the hash that it says."
	case known && l.Previous != previous:
		d.Text = "The link does not follow from the one before it."
	default:
		return nil
	}
	return d
}

// errLines says that an export cannot be read.
var errLines = errors.New("not JSON lines of an export")

// eachLine calls each with every line of JSON lines that is not empty.
func eachLine(r io.Reader, each func([]byte) error) error {
	dec := json.NewDecoder(r)
	for n := 1; ; n++ {
		var raw json.RawMessage
		err := dec.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = each(raw)
		}
		if err != nil {
			return fmt.Errorf("%w: value %d: %w", errLines, n, err)
		}
	}
}
