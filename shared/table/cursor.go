package table

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrCursor: the cursor of a query is damaged or was given for another query.
// Start again without it.
var ErrCursor = errors.New("table: the cursor does not belong to this query")

// Position is a place in the order of a query: that of the item Key, whose
// sort key in the query's index is Sort. Items with equal index sort keys are
// told apart by Key, so that paging neither loses nor repeats one.
type Position struct {
	Sort string
	Key  Key
}

// PositionOf returns the place of an item in index 0, 1 or 2.
func PositionOf(it *Item, index int) Position {
	return Position{Sort: it.IndexKey(index).Sort, Key: it.Key}
}

// cursor is a Position as JSON, with the query's partition to know it again.
type cursor struct {
	Index     int    `json:"x,omitempty"`
	Partition string `json:"p"`
	Sort      string `json:"s"`
	KeyPart   string `json:"kp,omitempty"`
	KeySort   string `json:"ks,omitempty"`
}

// CursorAfter returns the Page.Next that continues q behind p.
func (q *Query) CursorAfter(p Position) (string, error) {
	c := cursor{Index: q.Index, Partition: q.Partition, Sort: p.Sort}
	if q.Index != 0 {
		c.KeyPart, c.KeySort = p.Key.Partition, p.Key.Sort
	}
	b, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("table: cursor: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// ParseCursor returns the place where q.Cursor stands. ErrCursor when it is
// not one that CursorAfter made for a query of the same index, partition and
// prefix.
func (q *Query) ParseCursor() (Position, error) {
	b, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err != nil {
		return Position{}, ErrCursor
	}
	var c cursor
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil || d.More() {
		return Position{}, ErrCursor
	}
	key := Key{c.KeyPart, c.KeySort}
	if q.Index == 0 {
		key = Key{c.Partition, c.Sort}
	}
	here := Key{c.Partition, c.Sort}
	if c.Index != q.Index || c.Partition != q.Partition || !strings.HasPrefix(c.Sort, q.Prefix) ||
		here.Check() != nil || key.Check() != nil {
		return Position{}, ErrCursor
	}
	return Position{Sort: c.Sort, Key: key}, nil
}

// Compare orders positions as a query's answer is ordered.
func (p Position) Compare(o Position) int {
	return cmp.Or(strings.Compare(p.Sort, o.Sort),
		strings.Compare(p.Key.Partition, o.Key.Partition),
		strings.Compare(p.Key.Sort, o.Key.Sort))
}

// Bounds returns the range that q has yet to read, whatever its direction: lo
// belongs to it, hi does not. In index 0 only Position.Sort counts.
func (q *Query) Bounds() (lo, hi Position, err error) {
	lo, hi = Position{Sort: q.Prefix}, Position{Sort: q.Prefix + lastRune}
	past := Position{Sort: q.After}
	switch {
	case q.Cursor != "":
		if past, err = q.ParseCursor(); err != nil {
			return lo, hi, err
		}
		if q.Index == 0 {
			past.Key = Key{}
		}
	case q.After == "":
		return lo, hi, nil
	}
	if q.Backward {
		if past.Compare(hi) < 0 {
			hi = past
		}
		return lo, hi, nil
	}
	if next := past.next(); next.Compare(lo) > 0 {
		lo = next
	}
	return lo, hi, nil
}

// next returns the least position behind p and, when p has no key, behind all
// that share its sort key. No key holds NUL, so nothing lies in between.
func (p Position) next() Position {
	if p.Key == (Key{}) {
		p.Sort += "\x01"
	} else {
		p.Key.Sort += "\x01"
	}
	return p
}

// PageLimit is how many hits q may read at once. Hits of an index are each
// read again, so there are never more than one GetMany can take.
func (q *Query) PageLimit() int {
	switch {
	case q.Index != 0 && (q.Limit == 0 || q.Limit > MaxGet):
		return MaxGet
	case q.Limit == 0:
		return MaxPageBytes
	}
	return q.Limit
}
