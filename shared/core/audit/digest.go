package audit

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
func leafOf(e *Entry) directory.ChainLeaf { return leafOfLine(e.ID, e.line()) }

func leafOfLine(id string, line []byte) directory.ChainLeaf {
	sum := sha256.Sum256(line)
	return directory.ChainLeaf{ID: id, Sum: hex.EncodeToString(sum[:])}
}

// compareLeaves is the order that digests are made in.
func compareLeaves(a, b directory.ChainLeaf) int {
	if c := strings.Compare(a.ID, b.ID); c != 0 {
		return c
	}
	return strings.Compare(a.Sum, b.Sum)
}

// digestOf is the digest of sorted leaves: SHA-256 of a line "ID SUM" for each.
func digestOf(leaves []directory.ChainLeaf) string {
	h := sha256.New()
	for _, l := range leaves {
		fmt.Fprintf(h, "%s %s\n", l.ID, l.Sum)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// statementBytes is what a link's hash and seal are made of.
func statementBytes(st *directory.ChainStatement) []byte {
	data, err := json.Marshal(st)
	if err != nil {
		panic("activity: " + err.Error()) // texts, numbers and times always marshal
	}
	return data
}

func hashOf(st *directory.ChainStatement) string {
	sum := sha256.Sum256(statementBytes(st))
	return hex.EncodeToString(sum[:])
}

// storedEntry is an entry as it stands in the table.
type storedEntry struct {
	directory.ChainLeaf
	At time.Time
	// Seal says whether all that it is made of is as it was written; it is
	// looked at only where that is asked for.
	Seal     store.SealState
	Unlisted bool // it does not stand in the listings where it belongs
}

// entrySet is what stands in the table of a run, or of an hour's acts.
type entrySet struct {
	entries []storedEntry // sorted
	expires time.Time
	run     *store.RunRecord
}

func (j *entrySet) leaves() []directory.ChainLeaf {
	list := make([]directory.ChainLeaf, len(j.entries))
	for i := range j.entries {
		list[i] = j.entries[i].ChainLeaf
	}
	return list
}

func (j *entrySet) sort() {
	slices.SortFunc(j.entries, func(a, b storedEntry) int { return compareLeaves(a.ChainLeaf, b.ChainLeaf) })
}

// entriesOfRun reads all entries of a run, and says when the first of what they are
// made of expires. ErrNotFound when that is over. With prove, seals are looked
// at: an entry is made of the run, its plan and its results, so all three count.
func entriesOfRun(ctx context.Context, s journalReader, id directory.RunID, prove bool) (entrySet, error) {
	var j entrySet
	var whole *store.SealState
	run, expires, err := s.RunJournal(ctx, id, func(run *store.RunRecord, c *store.ChunkItems) error {
		if prove && whole == nil {
			state, err := s.RunState(ctx, run)
			if err != nil {
				return err
			}
			whole = &state
		}
		for i, results := range c.Results {
			state := store.SealGood
			if prove {
				part, err := s.ChunkState(ctx, c, i)
				if err != nil {
					return err
				}
				state = whole.Worse(part)
			}
			entries := entriesOfResults(&run.Run, c.Planned, results)
			for k := range entries {
				j.entries = append(j.entries, storedEntry{leafOf(&entries[k]), entries[k].At, state, slices.Contains(c.Misplaced, i)})
			}
		}
		return nil
	})
	j.run, j.expires = &run, expires
	j.sort()
	return j, err
}

// entriesOfHour reads the acts of an hour.
func entriesOfHour(ctx context.Context, s auditEventReader, hour int64, prove bool) (entrySet, error) {
	var j entrySet
	acts, err := s.AuditEvents(ctx, hour)
	for i := range acts {
		a := &acts[i]
		state := store.SealGood
		if prove {
			if state, err = s.AuditState(ctx, a); err != nil {
				return j, err
			}
		}
		if j.expires.IsZero() || a.Expires.Before(j.expires) {
			j.expires = a.Expires
		}
		entries := entriesOfAuditEvent(&a.AuditEvent)
		for k := range entries {
			j.entries = append(j.entries, storedEntry{leafOf(&entries[k]), entries[k].At, state, a.Misplaced})
		}
	}
	j.sort()
	return j, err
}

// hourSubject names an hour since 1970 in a link.
func hourSubject(hour int64) string { return time.Unix(hour*3600, 0).UTC().Format("2006-01-02T15Z") }

func subjectHour(subject string) (int64, bool) {
	t, err := time.Parse("2006-01-02T15Z", subject)
	return t.Unix() / 3600, err == nil
}

// Signer puts a seal on a message and checks one. Whoever can write to the table
// cannot make one.
type Signer interface {
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
	DiffChanged     = "changed"         // an entry, or a run, is not what it was
	DiffMissing     = "missing"         // an entry is gone before its time
	DiffInserted    = "inserted"        // an entry was not there when the link was made
	DiffExpired     = "expired"         // entries have reached their age; no fault
	DiffForged      = "forged"          // an entry or a record does not bear the seal of one of ours
	DiffUnlinked    = "unlinked"        // what was done is not part of its chain, long after it should be
	DiffLate        = "linked-late"     // a link was made long after it was due
	DiffTwice       = "linked-twice"    // a run or an hour has two links that do not belong together
	DiffUnlisted    = "unlisted"        // an entry does not stand in the listings where it belongs
	DiffLinkMissing = "link-missing"    // a link is gone
	DiffLinkChanged = "link-changed"    // a link does not fit its hash, its seal or the one before
	DiffLeaves      = "digest-lost"     // the digests of a link are gone or changed, so that its entries prove nothing
	DiffPointer     = "pointer-changed" // the way from a run or an hour to its link is gone or wrong
	DiffHead        = "head-differs"    // the chain is not the one that was heard of
	DiffHeadChanged = "head-changed"    // where the chain ends is not written by us
)

// compareEntries holds entries as they are against the leaves of their link.
func compareEntries(chain string, seq int64, linked, found []directory.ChainLeaf) []Difference {
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

// checkLink holds a link against the one before it. previous is empty where
// that is not known.
func checkLink(l *directory.ChainLink, chain string, seq int64, previous string, known bool) *Difference {
	d := &Difference{Chain: chain, Seq: seq, Code: DiffLinkChanged}
	switch {
	case l.Chain != chain || l.Seq != seq:
		d.Text = "The link is one of another place."
	case hashOf(&l.ChainStatement) != l.Hash:
		d.Text = "The link does not have the hash that it says."
	case known && l.Previous != previous:
		d.Text = "The link does not follow from the one before it."
	default:
		return nil
	}
	return d
}

// linkFindings are what a genuine link of the sealed form says of itself.
func linkFindings(l *directory.ChainLink) []Difference {
	var list []Difference
	if l.Refused > 0 {
		list = append(list, Difference{Chain: l.Chain, Seq: l.Seq, Code: DiffForged,
			Text: fmt.Sprintf("When the link was made, %d entries of %s bore no seal of ours. They were left out.", l.Refused, l.Subject)})
	}
	if late := l.At.Sub(l.Due); l.Form == directory.ChainFormSealed && late > linkWithin {
		list = append(list, Difference{Chain: l.Chain, Seq: l.Seq, Code: DiffLate,
			Text: fmt.Sprintf("The link of %s was made %s after it was due: the schedule stood still, or an earlier link was taken away.", l.Subject, late.Round(time.Minute))})
	}
	return list
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
