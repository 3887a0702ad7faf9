package memory

import (
	"slices"

	"bindery/shared/table"
)

// chunkSize bounds what one insertion moves: half a chunk of entries, and the
// chunk headers behind it.
const chunkSize = 256

// entry is one element of a list. The item is nil in an index, whose hits are
// read again by key.
type entry struct {
	at   table.Position
	item *table.Item
}

// list keeps entries in the order of their positions, in chunks that split in
// half when they are full. No chunk is empty.
type list struct {
	chunks [][]entry
}

// find returns where the first entry not before p is: chunk, place in it, and
// whether it is at p. At the end of the list the chunk is len(chunks).
func (l *list) find(p table.Position) (c, i int, found bool) {
	c, _ = slices.BinarySearchFunc(l.chunks, p, func(chunk []entry, p table.Position) int {
		return chunk[len(chunk)-1].at.Compare(p)
	})
	if c == len(l.chunks) {
		return c, 0, false
	}
	i, found = slices.BinarySearchFunc(l.chunks[c], p, func(e entry, p table.Position) int {
		return e.at.Compare(p)
	})
	return c, i, found
}

// put inserts e, or replaces what stands at its position.
func (l *list) put(e entry) {
	c, i, found := l.find(e.at)
	if found {
		l.chunks[c][i] = e
		return
	}
	if c == len(l.chunks) {
		if c == 0 {
			l.chunks = append(l.chunks, []entry{e})
			return
		}
		c--
		i = len(l.chunks[c])
	}
	l.chunks[c] = slices.Insert(l.chunks[c], i, e)
	l.split(c, i)
}

// split halves a full chunk. Behind an insertion at the very end of the list
// it leaves the chunk full instead, which suits keys that only rise.
func (l *list) split(c, i int) {
	chunk := l.chunks[c]
	if len(chunk) <= chunkSize {
		return
	}
	middle := len(chunk) / 2
	if c == len(l.chunks)-1 && i == len(chunk)-1 {
		middle = i
	}
	l.chunks = slices.Insert(l.chunks, c+1, slices.Clone(chunk[middle:]))
	clear(chunk[middle:])
	l.chunks[c] = chunk[:middle]
}

// remove takes out what stands at p, if anything.
func (l *list) remove(p table.Position) {
	c, i, found := l.find(p)
	if !found {
		return
	}
	l.chunks[c] = slices.Delete(l.chunks[c], i, i+1)
	if len(l.chunks[c]) == 0 {
		l.chunks = slices.Delete(l.chunks, c, c+1)
	}
}

// ascend yields the entries from lo up to but without hi.
func (l *list) ascend(lo, hi table.Position, yield func(entry) bool) {
	c, i, _ := l.find(lo)
	for ; c < len(l.chunks); c, i = c+1, 0 {
		for _, e := range l.chunks[c][i:] {
			if e.at.Compare(hi) >= 0 || !yield(e) {
				return
			}
		}
	}
}

// descend yields the entries below hi down to lo.
func (l *list) descend(lo, hi table.Position, yield func(entry) bool) {
	c, i, _ := l.find(hi)
	for {
		for i--; i >= 0; i-- {
			if e := l.chunks[c][i]; e.at.Compare(lo) < 0 || !yield(e) {
				return
			}
		}
		c--
		if c < 0 {
			return
		}
		i = len(l.chunks[c])
	}
}

// space is the table or one index: a list for each partition.
type space map[string]*list

func (s space) put(partition string, e entry) {
	l := s[partition]
	if l == nil {
		l = &list{}
		s[partition] = l
	}
	l.put(e)
}

func (s space) remove(partition string, p table.Position) {
	l := s[partition]
	if l == nil {
		return
	}
	if l.remove(p); len(l.chunks) == 0 {
		delete(s, partition)
	}
}
