package audit

import (
	"crypto/sha256"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"time"

	"bindery/shared/directory"
)

// ExportCheck says how an export is to be verified.
type ExportCheck struct {
	// Heads are links as the events told them: the export must have them.
	Heads []KnownHead
	// Partial says that the export leaves entries out on purpose: that some are
	// missing is no difference.
	Partial bool
	// Seal examines the seal on a link; nil leaves that out.
	Seal func(statement, mac []byte) (bool, error)
	Now  time.Time // when entries that have expired need not be there
}

// ExportVerdict is what VerifyExport found.
type ExportVerdict struct {
	Links, Entries int // looked at
	// Unproved counts entries that are younger than the last link that could be
	// of them, or whose chain is not part of the export.
	Unproved int
	// OldForm counts entries that are proved only since their link was made: nobody
	// sealed them when they were written.
	OldForm     int
	Expired     int // entries that have left their digest only
	Differences []Difference
	// Heads are the last links of each chain: they must be those that the events
	// told, or their seals must be checked with the key.
	Heads []KnownHead
}

// VerifyExport holds exported entries (JSON lines of GET /v1/activity) against
// exported links (JSON lines of GET /v1/activity/links), without Bindery and
// without its table. It proves that the entries are those that the links are of,
// and that the links are one chain; that the chain is ours is proved by heads or
// by seals.
func VerifyExport(entries, links io.Reader, check ExportCheck) (ExportVerdict, error) {
	x := exportCheck{check: check, covered: map[string]coveredEntry{}}
	var err error
	if x.chains, err = readLinks(links); err != nil {
		return x.out, err
	}
	for _, name := range slices.Sorted(maps.Keys(x.chains)) {
		if err := x.verifyChain(name); err != nil {
			return x.out, err
		}
	}
	x.compareHeads()
	err = eachLine(entries, x.verifyEntry)
	x.reportMissing()
	return x.out, err
}

// coveredEntry is the digest of an entry, and the newest link that has it.
type coveredEntry struct {
	sum  string
	link *ExportedLink
	seen bool
}

// exportCheck is an export that is being verified.
type exportCheck struct {
	check   ExportCheck
	chains  map[string][]*ExportedLink
	covered map[string]coveredEntry
	known   []KnownHead // what the chains say of one another
	out     ExportVerdict
}

func (x *exportCheck) report(chain string, seq int64, entry, code, text string) {
	x.out.Differences = append(x.out.Differences, Difference{Chain: chain, Seq: seq, Entry: entry, Code: code, Text: text})
}

// verifyChain examines the links of a chain and takes what they say of entries.
func (x *exportCheck) verifyChain(name string) error {
	list := x.chains[name]
	for i, l := range list {
		x.out.Links++
		previous, known := "", i == 0 && l.Seq == 1
		if i > 0 {
			if previous, known = list[i-1].Hash, list[i-1].Seq == l.Seq-1; !known {
				x.report(name, l.Seq-1, "", DiffLinkMissing, "The link is not part of the export.")
			}
		}
		if d := checkLink(&l.ChainLink, name, l.Seq, previous, known); d != nil {
			x.out.Differences = append(x.out.Differences, *d)
			continue
		}
		if x.check.Seal != nil {
			ours, err := x.check.Seal(statementBytes(&l.ChainStatement), l.MAC)
			if err != nil {
				return err
			}
			if !ours {
				x.report(name, l.Seq, "", DiffLinkChanged, "The link's seal is not ours.")
				continue
			}
		}
		x.out.Differences = append(x.out.Differences, linkFindings(&l.ChainLink)...)
		x.out.OldForm += l.Unsealed
		if l.AuditHead != nil {
			x.known = append(x.known, KnownHead{directory.AuditChain, l.AuditHead.Seq, l.AuditHead.Hash})
		}
		switch {
		case len(l.Leaves) == l.Entries && digestOf(l.Leaves) == l.Digest:
			x.addLeaves(l)
		case x.expired(l):
			x.out.Expired += l.Entries
		default:
			x.report(name, l.Seq, "", DiffLeaves, "The digests of the link's entries are not complete, or changed.")
		}
	}
	if n := len(list); n > 0 {
		x.out.Heads = append(x.out.Heads, KnownHead{name, list[n-1].Seq, list[n-1].Hash})
	}
	return nil
}

// addLeaves takes what a link says: of entries, or of where other chains ended.
func (x *exportCheck) addLeaves(l *ExportedLink) {
	if l.Form == 0 {
		x.out.OldForm += l.Entries
	}
	for i := range l.Leaves {
		leaf := &l.Leaves[i]
		if l.Reason != directory.ChainHeads && l.Reason != directory.ChainBegin {
			x.covered[leaf.ID] = coveredEntry{sum: leaf.Sum, link: l}
		} else if h, ok := headOfLeaf(leaf); ok {
			x.known = append(x.known, KnownHead{h.Chain, h.Seq, h.Hash})
		}
	}
}

func (x *exportCheck) expired(l *ExportedLink) bool { return !x.check.Now.Before(l.Expires) }

// compareHeads holds the chains against what was told of them.
func (x *exportCheck) compareHeads() {
	for _, h := range x.check.Heads {
		i := slices.IndexFunc(x.chains[h.Chain], func(l *ExportedLink) bool { return l.Seq == h.Seq })
		if i < 0 || x.chains[h.Chain][i].Hash != h.Hash {
			x.report(h.Chain, h.Seq, "", DiffHead, "The export does not have the link that was told of.")
		}
	}
	// What the chains of the export say of one another, as far as they are part of it.
	said := map[KnownHead]bool{}
	for _, h := range x.known {
		i := slices.IndexFunc(x.chains[h.Chain], func(l *ExportedLink) bool { return l.Seq == h.Seq })
		list := x.chains[h.Chain]
		outside := len(list) == 0 || h.Seq < list[0].Seq || x.check.Partial && i < 0
		if said[h] || outside || i >= 0 && list[i].Hash == h.Hash {
			continue
		}
		said[h] = true
		x.report(h.Chain, h.Seq, "", DiffHead, "The export does not have the link that another of its chains knows.")
	}
}

// verifyEntry holds one exported line against its digest.
func (x *exportCheck) verifyEntry(raw []byte) error {
	var e Entry
	if err := json.Unmarshal(raw, &e); err != nil {
		return err
	}
	x.out.Entries++
	c, covered := x.covered[e.ID]
	switch {
	case !covered && x.isTooYoung(&e):
		x.out.Unproved++
	case !covered:
		x.report(chainOf(&e), 0, e.ID, DiffInserted, "The entry was not there when the others were digested.")
	case leafOfLine(e.ID, raw).Sum != c.sum:
		x.report(c.link.Chain, c.link.Seq, e.ID, DiffChanged, "The entry is not what it was when it was digested.")
	}
	if covered {
		c.seen = true
		x.covered[e.ID] = c
	}
	return nil
}

// isTooYoung reports whether no link of the export could have an entry yet.
func (x *exportCheck) isTooYoung(e *Entry) bool {
	list := x.chains[chainOf(e)]
	if len(list) == 0 {
		return true
	}
	last := list[len(list)-1]
	if last.Chain == directory.AuditChain {
		return e.At.Unix()/3600 > hourDealtWith(&last.ChainStatement)
	}
	return e.At.After(last.At)
}

// reportMissing reports what the links have and the export has not.
func (x *exportCheck) reportMissing() {
	for _, id := range slices.Sorted(maps.Keys(x.covered)) {
		switch c := x.covered[id]; {
		case c.seen:
		case x.expired(c.link):
			x.out.Expired++
		case !x.check.Partial:
			x.report(c.link.Chain, c.link.Seq, id, DiffMissing, "The entry was there when it was digested and is not part of the export.")
		}
	}
}

// chainOf names the chain that an entry belongs to.
func chainOf(e *Entry) string {
	if e.Kind == KindChange {
		return string(e.ConnectionID)
	}
	return directory.AuditChain
}

// readLinks reads exported links by chain, in their order, the parts put together.
// A line that was there before says nothing new: of a page that was fetched twice.
func readLinks(r io.Reader) (map[string][]*ExportedLink, error) {
	chains, read := map[string][]*ExportedLink{}, map[[sha256.Size]byte]bool{}
	err := eachLine(r, func(raw []byte) error {
		sum := sha256.Sum256(raw)
		if read[sum] {
			return nil
		}
		read[sum] = true
		var l ExportedLink
		if err := json.Unmarshal(raw, &l); err != nil {
			return err
		}
		list := chains[l.Chain]
		if n := len(list); n > 0 && list[n-1].Seq == l.Seq && l.Part > 0 {
			list[n-1].Leaves = append(list[n-1].Leaves, l.Leaves...)
			return nil
		}
		chains[l.Chain] = append(list, &l)
		return nil
	})
	return chains, err
}
