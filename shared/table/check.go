package table

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// More limits of DynamoDB, see MaxWrites.
const (
	MaxPartitionBytes = 2048    // a partition
	MaxSortBytes      = 1024    // a sort key
	MaxPageBytes      = 1 << 20 // items of one page; the item that passes it is the last
	maxNameBytes      = 200     // name of a number or string
)

// lastRune ends every range of sort keys in a driver, so no key may hold it.
const lastRune = "\U0010FFFF"

// ErrInvalid: a call that no table could answer: a malformed key, a write
// that is two things at once, a test without a name. It is a mistake of the
// caller's code, found before anything is sent.
var ErrInvalid = errors.New("table: invalid call")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// Check says whether a key can be kept. Parts must be UTF-8, and hold neither
// NUL nor U+10FFFF: drivers use them as separator and as end of a range.
func (k Key) Check() error {
	if err := checkPart("partition", k.Partition, MaxPartitionBytes); err != nil {
		return err
	}
	return checkPart("sort key", k.Sort, MaxSortBytes)
}

func checkPart(what, s string, limit int) error {
	switch {
	case s == "":
		return invalid("empty %s", what)
	case len(s) > limit:
		return invalid("%s of %d bytes, at most %d", what, len(s), limit)
	}
	return checkText(what, s)
}

func checkText(what, s string) error {
	switch {
	case !utf8.ValidString(s):
		return invalid("%s is not UTF-8: %q", what, s)
	case strings.Contains(s, "\x00") || strings.Contains(s, lastRune):
		return invalid("%s holds NUL or U+10FFFF: %q", what, s)
	}
	return nil
}

// Check refuses a transaction that breaks the contract or the limits. Every
// driver calls it first, so that all refuse the same.
func Check(writes []Write) error {
	if len(writes) == 0 {
		return invalid("no writes")
	}
	if len(writes) > MaxWrites {
		return fmt.Errorf("%w: %d writes in one transaction, at most %d", ErrTooLarge, len(writes), MaxWrites)
	}
	seen := make(map[Key]bool, len(writes))
	total := 0
	for i := range writes {
		size, err := writes[i].check()
		if err != nil {
			return fmt.Errorf("write %d: %w", i, err)
		}
		key := writes[i].Key()
		if seen[key] {
			return fmt.Errorf("write %d: %w", i, invalid("key %q %q is written twice", key.Partition, key.Sort))
		}
		seen[key] = true
		total += size
	}
	return CheckTotal(total)
}

// CheckTotal refuses a transaction whose items have more bytes than allowed.
func CheckTotal(bytes int) error {
	if bytes > MaxWriteSize {
		return fmt.Errorf("%w: transaction of %d bytes, at most %d", ErrTooLarge, bytes, MaxWriteSize)
	}
	return nil
}

// Key returns the key of the item that w is about.
func (w *Write) Key() Key {
	switch {
	case w.Put != nil:
		return w.Put.Key
	case w.Update != nil:
		return w.Update.Key
	case w.Delete != nil:
		return *w.Delete
	case w.Check != nil:
		return *w.Check
	}
	return Key{}
}

// check returns the bytes that w brings.
func (w *Write) check() (int, error) {
	n := 0
	for _, set := range []bool{w.Put != nil, w.Delete != nil, w.Update != nil, w.Check != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		return 0, invalid("exactly one of Put, Delete, Update, Check must be set, not %d", n)
	}
	if err := w.Key().Check(); err != nil {
		return 0, err
	}
	if err := w.If.check(); err != nil {
		return 0, err
	}
	switch {
	case w.Put != nil:
		return w.Put.Size(), w.Put.Check()
	case w.Update != nil:
		return w.Update.check()
	case w.Check != nil && w.If.IsZero():
		return 0, invalid("a Check without a condition")
	}
	return keySize(w.Key()), nil
}

// Check says whether an item can be kept: shapes and size.
func (it *Item) Check() error {
	if err := it.Key.Check(); err != nil {
		return err
	}
	if err := errors.Join(checkIndex(it.Index1), checkIndex(it.Index2)); err != nil {
		return err
	}
	for name := range it.Numbers {
		if err := checkNumber(name); err != nil {
			return err
		}
	}
	for name, s := range it.Strings {
		if err := checkString(name, s); err != nil {
			return err
		}
	}
	if n := it.Size(); n > MaxItemBytes {
		return fmt.Errorf("%w: item %q %q of %d bytes, at most %d", ErrTooLarge, it.Partition, it.Sort, n, MaxItemBytes)
	}
	return nil
}

func checkIndex(k Key) error {
	if k == (Key{}) {
		return nil
	}
	if err := k.Check(); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return nil
}

func checkNumber(name string) error {
	if name == "version" {
		return invalid("a number must not be named version: that is Item.Version")
	}
	return checkPart("name", name, maxNameBytes)
}

func checkString(name, s string) error {
	if err := checkPart("name", name, maxNameBytes); err != nil {
		return err
	}
	if !utf8.ValidString(s) {
		return invalid("string %q is not UTF-8", name)
	}
	return nil
}

// check returns the bytes that u brings; the size of the item that results is
// known to the table only.
func (u *Update) check() (int, error) {
	it := Item{Key: u.Key, Numbers: map[string]int64{}, Strings: u.SetStrings, Body: u.SetBody}
	touch := func(name string, n int64) error {
		if _, twice := it.Numbers[name]; twice {
			return invalid("number %q is changed twice", name)
		}
		it.Numbers[name] = n
		return nil
	}
	var errs []error
	for name, n := range u.SetNumbers {
		errs = append(errs, touch(name, n))
	}
	for name, n := range u.AddNumbers {
		errs = append(errs, touch(name, n))
	}
	for _, name := range u.RemoveNumbers {
		errs = append(errs, touch(name, 0))
	}
	removed := map[string]bool{}
	for _, name := range u.RemoveStrings {
		if _, set := u.SetStrings[name]; set || removed[name] {
			errs = append(errs, invalid("string %q is changed twice", name))
		}
		removed[name] = true
		errs = append(errs, checkPart("name", name, maxNameBytes))
	}
	if u.SetIndex1 != nil {
		it.Index1 = *u.SetIndex1
	}
	if u.SetIndex2 != nil {
		it.Index2 = *u.SetIndex2
	}
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	return it.Size(), it.Check()
}

// check says whether a driver can put c into words of its own.
func (c *Condition) check() error {
	for _, tests := range c.AnyOf {
		for _, t := range tests {
			if err := t.check(); err != nil {
				return fmt.Errorf("condition: %w", err)
			}
		}
	}
	return nil
}

func (t *Test) check() error {
	switch t.Op {
	case Equal, NotEqual, Less, AtMost, Greater, AtLeast, IsMissing:
	default:
		return invalid("no such comparison: %q", t.Op)
	}
	if (t.Number == "") == (t.String == "") {
		return invalid("a test names one number or one string")
	}
	return checkString(t.Number+t.String, t.S)
}

// CheckGet refuses keys that no batch read could answer.
func CheckGet(keys []Key) error {
	if len(keys) > MaxGet {
		return fmt.Errorf("%w: %d keys in one read, at most %d", ErrTooLarge, len(keys), MaxGet)
	}
	for _, k := range keys {
		if err := k.Check(); err != nil {
			return err
		}
	}
	return nil
}

// Check refuses a query that no table could answer.
func (q *Query) Check() error {
	if q.Index < 0 || q.Index > 2 {
		return invalid("there is no index %d", q.Index)
	}
	if q.Limit < 0 {
		return invalid("limit %d", q.Limit)
	}
	if err := checkPart("partition", q.Partition, MaxPartitionBytes); err != nil {
		return err
	}
	for what, s := range map[string]string{"prefix": q.Prefix, "after": q.After} {
		if len(s) > MaxSortBytes {
			return invalid("%s of %d bytes, at most %d", what, len(s), MaxSortBytes)
		}
		if err := checkText(what, s); err != nil {
			return err
		}
	}
	return nil
}
