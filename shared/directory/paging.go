package directory

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// Bounds of a reading in pages. Microsoft may legally send empty pages with a link
// to go on with, and in a round of changes the same object several times.
const (
	// mostKnown is how many pages in a row may hold nothing but objects that were
	// read before.
	mostKnown = 100
	// mostEmpty is how many pages in a row may hold nothing.
	mostEmpty = 500
	// mostAlike is how often a page may hold exactly the objects of one other page.
	mostAlike = 8
	// mostRestarts is how often in a row a reading may have to begin anew.
	mostRestarts = 5
)

// Paging proves that a reading in pages comes forward, by the links and the IDs
// that it has seen. The zero value is a reading that has not begun. It may be
// stored between two pages, so that a reading which goes on in another process is
// proved as well: what was seen is not stored, but one link and one page are, and
// which ones changes at doubling distances (Brent's algorithm), so that a cycle of
// whatever length meets them.
type Paging struct {
	Pages int `json:"pages,omitempty"` // read so far
	// Link and Objects are hashes of the kept page's link onward and of what it
	// held; Age is how many pages ago that was, Span after how many others are kept.
	Link    uint64 `json:"link,omitempty"`
	Objects uint64 `json:"objects,omitempty"`
	Age     int    `json:"age,omitempty"`
	Span    int    `json:"span,omitempty"`
	Alike   int    `json:"alike,omitempty"` // pages since that held the same as the kept one
	Known   int    `json:"known,omitempty"` // pages in a row without an object that is new
	Empty   int    `json:"empty,omitempty"` // pages in a row without any
	// Restarts is how often the reading had to begin anew, and has not ended since.
	Restarts int `json:"restarts,omitempty"`

	seen map[uint64]struct{} // hashes of the IDs that this process has read
}

// Add takes a page: the IDs of its objects, in any order, and the link onward, ""
// when it is the last one. It returns those positions in ids whose objects this
// process had not read before, and an error, a *Problem with CodePagingLoop, when
// the reading turns in a circle. what is what is read, as the problem names it.
func (p *Paging) Add(what string, ids []string, next string) (fresh []int, err error) {
	if p.seen == nil {
		p.seen = map[uint64]struct{}{}
	}
	p.Pages++
	objects := uint64(0)
	for i, id := range ids {
		h := hashOf(strings.ToLower(id))
		objects += h
		if _, known := p.seen[h]; !known {
			p.seen[h] = struct{}{}
			fresh = append(fresh, i)
		}
	}
	if next == "" {
		return fresh, nil
	}
	switch {
	case len(fresh) > 0:
		p.Known, p.Empty = 0, 0
	case len(ids) > 0:
		p.Known++
	default:
		p.Empty++
	}
	link := hashOf(next)
	again := p.Span > 0 && link == p.Link
	if len(ids) > 0 && p.Span > 0 && objects == p.Objects {
		p.Alike++
	}
	switch {
	case again:
		return fresh, p.loop(what, "a link leads back to a page that was read before")
	case p.Alike >= mostAlike:
		return fresh, p.loop(what, "the same objects come again and again")
	case p.Known >= mostKnown:
		return fresh, p.loop(what, fmt.Sprintf("the last %d pages brought no object that is new", p.Known))
	case p.Empty >= mostEmpty:
		return fresh, p.loop(what, fmt.Sprintf("the last %d pages were empty", p.Empty))
	}
	p.Age++
	if p.Age >= p.Span {
		p.Link, p.Objects, p.Age, p.Span, p.Alike = link, objects, 0, max(1, 2*p.Span), 0
	}
	return fresh, nil
}

// Restart begins a reading anew that a link did not lead on with; why says what
// was wrong with that. The error, a *Problem with CodePagingLoop, says that this
// goes on and on: a reading whose links always die on the way turns in a circle
// as well.
func (p *Paging) Restart(what, why string) error {
	*p = Paging{Pages: p.Pages, Restarts: p.Restarts + 1}
	if p.Restarts <= mostRestarts {
		return nil
	}
	return p.loop(what, fmt.Sprintf("%s for the %dth time", why, p.Restarts))
}

// loop is the problem of a reading that turns in a circle.
func (p *Paging) loop(what, how string) *Problem {
	return &Problem{Code: CodePagingLoop, Kind: ProblemTransient,
		Message: fmt.Sprintf("Microsoft's pages of %s do not come to an end: after %d pages, %s.", what, p.Pages, how),
		Next:    "It is tried again by itself, from the start and ever more seldom. If it stays so, open a case with Microsoft's support.",
	}
}

func hashOf(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}
