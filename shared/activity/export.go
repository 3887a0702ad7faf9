package activity

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// ExportedLink is a link with a part of its leaves, as an export has it; a link
// of many entries comes several times, with one part after the other.
type ExportedLink struct {
	store.Link
	Part   int          `json:"part"`
	Leaves []store.Leaf `json:"leaves"`
}

// leavesOnPage bounds the answer of a page.
const leavesOnPage = 5 * store.LeavesInPart

// Links lists a chain for an export, oldest first.
func (v *Verifier) Links(ctx context.Context, chain, cursor string, limit int) ([]ExportedLink, string, error) {
	if chain != store.ActsChain {
		if _, err := v.Store.Connection(ctx, directory.ConnectionID(chain)); err != nil {
			h, headErr := v.Store.Head(ctx, chain)
			if headErr != nil || h.Version == 0 { // not one of a connection that was deleted either
				return nil, "", err
			}
		}
	}
	seq, part, err := parseLinkCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	links, err := v.Store.Links(ctx, chain, seq-1, limit)
	if err != nil {
		return nil, "", err
	}
	var list []ExportedLink
	room := leavesOnPage
	for i := range links {
		l := &links[i]
		leaves, err := v.Store.Leaves(ctx, l)
		if err != nil {
			return nil, "", err
		}
		for ; part == 0 || part*store.LeavesInPart < len(leaves); part++ {
			if len(list) == limit || room <= 0 {
				return list, fmt.Sprintf("%d.%d", l.Seq, part), nil
			}
			some := leaves[min(len(leaves), part*store.LeavesInPart):min(len(leaves), (part+1)*store.LeavesInPart)]
			list = append(list, ExportedLink{Link: *l, Part: part, Leaves: append([]store.Leaf{}, some...)})
			room -= max(1, len(some))
		}
		part = 0
	}
	if len(links) < limit {
		return list, "", nil
	}
	return list, fmt.Sprintf("%d.0", links[len(links)-1].Seq+1), nil
}

func parseLinkCursor(cursor string) (seq int64, part int, err error) {
	if cursor == "" {
		return 1, 0, nil
	}
	a, b, ok := strings.Cut(cursor, ".")
	seq, err1 := strconv.ParseInt(a, 10, 64)
	part, err2 := strconv.Atoi(b)
	if !ok || err1 != nil || err2 != nil || seq < 1 || part < 0 {
		return 0, 0, directory.Refuse(directory.ErrInvalid, "invalid-cursor", "The parameter next is not one that a page of this list gave.", "Begin again without it.")
	}
	return seq, part, nil
}

// LinkLines writes exported links as JSON lines.
func LinkLines(list []ExportedLink) []byte {
	var b []byte
	for i := range list {
		line, err := json.Marshal(&list[i])
		if err != nil {
			panic("activity: " + err.Error()) // texts, numbers and bytes always marshal
		}
		b = append(append(b, line...), '\n')
	}
	return b
}

// ExportVerdict is what VerifyExport found.
type ExportVerdict struct {
	Links, Entries int // looked at
	Differences    []Difference
	// Heads are the last links of each chain: they must be those that the events
	// told, or their seals must be checked with the key.
	Heads []KnownHead
}

// VerifyExport holds exported entries (JSON lines of GET /v1/activity) against
// exported links (JSON lines of GET /v1/activity/links), without Bindery and
// without its table. It proves that the entries are those that the links are of,
// and the links one chain. That the chain is ours is proved by heads, as events
// told them, or by check, which examines a link's seal; nil leaves that out.
// Entries of subjects that no link covers are reported as inserted.
func VerifyExport(entries, links io.Reader, heads []KnownHead, check func(statement, mac []byte) (bool, error)) (ExportVerdict, error) {
	var out ExportVerdict
	chains, err := readLinks(links)
	if err != nil {
		return out, err
	}
	covered := map[string]string{} // entry → digest, by the newest link
	seen := map[string]store.Leaf{}
	place := map[string]*ExportedLink{}
	for _, name := range slices.Sorted(maps.Keys(chains)) {
		list := chains[name]
		for i, l := range list {
			out.Links++
			previous, known := "", i == 0 && l.Seq == 1
			if i > 0 {
				previous, known = list[i-1].Hash, list[i-1].Seq == l.Seq-1
				if !known {
					out.Differences = append(out.Differences, Difference{Chain: name, Seq: l.Seq - 1, Code: DiffLinkMissing, Text: "The link is not part of the export."})
				}
			}
			d := examineLink(&l.Link, name, l.Seq, previous, known)
			if d == nil && check != nil {
				ours, err := check(statementBytes(&l.Statement), l.MAC)
				if err != nil {
					return out, err
				}
				if !ours {
					d = &Difference{Chain: name, Seq: l.Seq, Code: DiffLinkChanged, Text: "The link's seal is not ours."}
				}
			}
			if d == nil && (len(l.Leaves) != l.Entries || digestOf(l.Leaves) != l.Digest) {
				d = &Difference{Chain: name, Seq: l.Seq, Code: DiffLeaves, Text: "The digests of the link's entries are not complete, or changed."}
			}
			if d != nil {
				out.Differences = append(out.Differences, *d)
				continue
			}
			for _, leaf := range l.Leaves {
				covered[leaf.ID], place[leaf.ID] = leaf.Sum, l
			}
		}
		if n := len(list); n > 0 {
			out.Heads = append(out.Heads, KnownHead{name, list[n-1].Seq, list[n-1].Hash})
		}
	}
	out.Differences = append(out.Differences, holdHeads(chains, heads)...)
	err = eachLine(entries, func(raw []byte) error {
		var e Entry
		if err := json.Unmarshal(raw, &e); err != nil {
			return err
		}
		out.Entries++
		seen[e.ID] = leafOfLine(e.ID, raw)
		return nil
	})
	if err != nil {
		return out, err
	}
	out.Differences = append(out.Differences, holdEntries(covered, seen, place)...)
	return out, nil
}

// readLinks reads exported links by chain, in their order, the parts put together.
func readLinks(r io.Reader) (map[string][]*ExportedLink, error) {
	chains := map[string][]*ExportedLink{}
	err := eachLine(r, func(raw []byte) error {
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

func holdHeads(chains map[string][]*ExportedLink, heads []KnownHead) []Difference {
	var list []Difference
	for _, h := range heads {
		i := slices.IndexFunc(chains[h.Chain], func(l *ExportedLink) bool { return l.Seq == h.Seq })
		if i < 0 || chains[h.Chain][i].Hash != h.Hash {
			list = append(list, Difference{Chain: h.Chain, Seq: h.Seq, Code: DiffHead, Text: "The export does not have the link that was told of."})
		}
	}
	return list
}

func holdEntries(covered map[string]string, seen map[string]store.Leaf, place map[string]*ExportedLink) []Difference {
	var linked, found []store.Leaf
	for id, sum := range covered {
		linked = append(linked, store.Leaf{ID: id, Sum: sum})
	}
	for _, leaf := range seen {
		found = append(found, leaf)
	}
	sortLeaves(linked)
	sortLeaves(found)
	list := compare("", 0, linked, found)
	for i := range list {
		if l := place[list[i].Entry]; l != nil {
			list[i].Chain, list[i].Seq = l.Chain, l.Seq
		}
	}
	return list
}
