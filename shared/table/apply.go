package table

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// IsZero reports whether c asks for nothing.
func (c *Condition) IsZero() bool { return !c.Absent && !c.Present && len(c.AnyOf) == 0 }

// Holds says whether c is true of the stored item; nil stands for no item.
func (c *Condition) Holds(it *Item) bool {
	if c.IsZero() {
		return true
	}
	if it == nil {
		return c.Absent
	}
	if c.Present {
		return true
	}
	return slices.ContainsFunc(c.AnyOf, func(tests []Test) bool {
		return !slices.ContainsFunc(tests, func(t Test) bool { return !t.holds(it) })
	})
}

func (t *Test) holds(it *Item) bool {
	if t.Number == "" {
		s, ok := it.Strings[t.String]
		return compare(t.Op, s, t.S, ok)
	}
	n, ok := it.Version, true
	if t.Number != "version" {
		n, ok = it.Numbers[t.Number]
	}
	return compare(t.Op, n, t.N, ok)
}

func compare[T int64 | string](op Op, a, b T, there bool) bool {
	if op == IsMissing || !there {
		return op == IsMissing && !there
	}
	switch op {
	case Equal:
		return a == b
	case NotEqual:
		return a != b
	case Less:
		return a < b
	case AtMost:
		return a <= b
	case Greater:
		return a > b
	case AtLeast:
		return a >= b
	}
	return false
}

// Apply returns what old becomes by u; nil stands for no item. It shares
// nothing with either.
func (u *Update) Apply(old *Item) Item {
	it := Item{Key: u.Key}
	if old != nil {
		it = old.Clone()
	}
	it.Version += u.AddVersion
	if it.Numbers == nil && len(u.AddNumbers)+len(u.SetNumbers) > 0 {
		it.Numbers = make(map[string]int64)
	}
	for name, n := range u.AddNumbers {
		it.Numbers[name] += n
	}
	maps.Copy(it.Numbers, u.SetNumbers)
	for _, name := range u.RemoveNumbers {
		delete(it.Numbers, name)
	}
	if it.Strings == nil && len(u.SetStrings) > 0 {
		it.Strings = make(map[string]string)
	}
	maps.Copy(it.Strings, u.SetStrings)
	for _, name := range u.RemoveStrings {
		delete(it.Strings, name)
	}
	if u.SetBody != nil {
		it.Body = slices.Clone(u.SetBody)
	}
	if u.SetIndex1 != nil {
		it.Index1 = *u.SetIndex1
	}
	if u.SetIndex2 != nil {
		it.Index2 = *u.SetIndex2
	}
	if u.SetExpires != nil {
		it.Expires = *u.SetExpires
	}
	it.Expires = Seconds(it.Expires)
	return it
}

// Result returns what the stored item becomes by w: nil when it is gone or
// was never there. ErrTooLarge when it would grow over the limit.
func (w *Write) Result(old *Item) (*Item, error) {
	switch {
	case w.Put != nil:
		it := w.Put.Clone()
		return &it, nil
	case w.Update != nil:
		it := w.Update.Apply(old)
		if err := it.Check(); err != nil {
			return nil, err
		}
		return &it, nil
	case w.Delete != nil:
		return nil, nil
	}
	return old, nil
}

// Clone returns a copy of it that shares nothing, in the form in which a
// table gives it back: no empty maps, and Expires in whole seconds.
func (it *Item) Clone() Item {
	c := *it
	c.Numbers, c.Strings = nil, nil
	if len(it.Numbers) > 0 {
		c.Numbers = maps.Clone(it.Numbers)
	}
	if len(it.Strings) > 0 {
		c.Strings = maps.Clone(it.Strings)
	}
	if it.Body != nil {
		c.Body = make([]byte, len(it.Body))
		copy(c.Body, it.Body)
	}
	c.Expires = Seconds(it.Expires)
	return c
}

// Seconds cuts t to the second, in UTC: so far a table keeps it.
func Seconds(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.Unix(t.Unix(), 0).UTC()
}

// IndexKey returns the item's place in index 1 or 2; in "index" 0 its key.
func (it *Item) IndexKey(index int) Key {
	switch index {
	case 1:
		return it.Index1
	case 2:
		return it.Index2
	}
	return it.Key
}

// Size is the number of bytes that DynamoDB counts for the item, rounded up
// in the numbers: names and values, as the DynamoDB driver writes them.
func (it *Item) Size() int {
	n := keySize(it.Key) + len("ver") + numberSize(it.Version)
	for _, k := range []Key{it.Index1, it.Index2} {
		if k != (Key{}) {
			n += len("i1p") + len("i1s") + len(k.Partition) + len(k.Sort)
		}
	}
	for name, v := range it.Numbers {
		n += len("n_") + len(name) + numberSize(v)
	}
	for name, s := range it.Strings {
		n += len("s_") + len(name) + len(s)
	}
	if it.Body != nil {
		n += len("B") + len(it.Body)
	}
	if !it.Expires.IsZero() {
		n += len("exp") + numberSize(it.Expires.Unix())
	}
	return n
}

func keySize(k Key) int { return len("pk") + len("sk") + len(k.Partition) + len(k.Sort) }

// numberSize is about one byte for two digits, and one or two more.
func numberSize(v int64) int { return (len(strconv.FormatInt(v, 10))+1)/2 + 2 }
