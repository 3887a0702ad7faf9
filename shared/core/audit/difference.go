package audit

import (
	"fmt"
	"time"

	"bindery/shared/directory"
)

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
