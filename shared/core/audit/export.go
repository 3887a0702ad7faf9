package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// ExportedLink is a link with a part of its leaves, as an export has it; a link
// of many entries comes several times, with one part after the other.
type ExportedLink struct {
	directory.ChainLink
	Part   int                   `json:"part"`
	Leaves []directory.ChainLeaf `json:"leaves"`
}

// leavesOnPage bounds the answer of a page.
const leavesOnPage = 5 * store.LeavesInPart

// Links lists a chain for an export, oldest first.
func (v *Verifier) Links(ctx context.Context, chain, cursor string, limit int) ([]ExportedLink, string, error) {
	if chain != directory.AuditChain {
		if _, err := v.Stores.Connections.Connection(ctx, directory.ConnectionID(chain)); err != nil {
			h, headErr := v.Chains.Heads.Head(ctx, chain)
			if headErr != nil || h.Version == 0 { // not one of a connection that was deleted either
				return nil, "", err
			}
		}
	}
	seq, part, err := parseLinkCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	links, err := v.Stores.Links.Links(ctx, chain, seq-1, limit)
	if err != nil {
		return nil, "", err
	}
	var list []ExportedLink
	room := leavesOnPage
	for i := range links {
		l := &links[i]
		leaves, err := v.Chains.Leaves.Leaves(ctx, l)
		if err != nil {
			return nil, "", err
		}
		for ; part == 0 || part*store.LeavesInPart < len(leaves); part++ {
			if len(list) == limit || room <= 0 {
				return list, fmt.Sprintf("%d.%d", l.Seq, part), nil
			}
			some := leaves[min(len(leaves), part*store.LeavesInPart):min(len(leaves), (part+1)*store.LeavesInPart)]
			list = append(list, ExportedLink{ChainLink: *l, Part: part, Leaves: append([]directory.ChainLeaf{}, some...)})
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
		return 0, 0, directory.Refuse(directory.ErrInvalid, directory.CodeInvalidCursor, "The parameter next is not one that a page of this list gave.", "Begin again without it.")
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
