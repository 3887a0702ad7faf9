// Package table is the contract of Bindery's one table: get, query by prefix,
// and conditional atomic writes, small enough that DynamoDB, a bbolt file and
// a map can all keep it. Package store is its only user; tabletest holds the
// suite that every driver runs.
//
// An item is a JSON body that the table never looks into, beside a few named
// numbers and strings that it can compare and add to. What is compared in a
// condition must therefore be kept in Numbers or Strings, not in the body.
package table

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Limits of DynamoDB that every driver enforces alike, so that a mistake shows
// on a laptop and not first in production.
const (
	MaxWrites    = 100       // writes in one transaction
	MaxItemBytes = 400 << 10 // one item: keys, names and values
	MaxWriteSize = 4 << 20   // all items of one transaction
	MaxGet       = 100       // keys in one batch read
)

// Key names an item. Both parts are non-empty; the partition is at most 2,048
// bytes and the sort key at most 1,024.
type Key struct{ Partition, Sort string }

// Item is one record.
type Item struct {
	Key
	// Index1 and Index2 place the item in the two secondary indexes. The zero
	// Key leaves it out. Indexes are eventually consistent: a hit is a hint.
	Index1, Index2 Key
	// Version is what the writer says; the table only compares it. Put
	// stores it as given, Update adds AddVersion to it.
	Version int64
	Numbers map[string]int64
	Strings map[string]string
	Body    []byte
	// Expires, to the second, is when the table may delete the item by
	// itself; the zero time means never. An expired item may still be
	// returned for days: readers check.
	Expires time.Time
}

// Query selects items of one partition by the start of their sort key, in
// ascending byte order of the sort key.
type Query struct {
	// Index is 0 for the table itself, 1 or 2 for an index. On an index the
	// partition and sort key are those of Index1 or Index2.
	Index     int
	Partition string
	Prefix    string // of the sort key; may be empty
	After     string // sort key, exclusive; "" from the start. On an index with equal sort keys see Cursor.
	Cursor    string // opaque, from a Page; wins over After
	// Limit is how many items to give at most; 0 means as many as fit in one
	// page: 1 MB, on an index MaxGet items, since each hit is read again.
	Limit    int
	Backward bool // descending order; After is then where to start below
	// Weak asks for a cheaper, eventually consistent read. A query on an index is
	// always weak as to what it finds; with Weak its hits are as they were a moment
	// ago as well, at half the price.
	Weak bool
}

// Page is one page of a Query's answer. Next is empty on the last page. A page
// may be empty and still have a Next. The items of a query on an index are
// whole and, unless it is Weak, strongly consistent, in the order of the index;
// those that have left the place where the index still has them are not in the page.
type Page struct {
	Items []Item
	Next  string
}

// Op is a comparison.
type Op string

// The comparisons of a Test. A missing number or string fails every one of
// them but Missing.
const (
	Equal     Op = "="
	NotEqual  Op = "<>"
	Less      Op = "<"
	AtMost    Op = "<="
	Greater   Op = ">"
	AtLeast   Op = ">="
	IsMissing Op = "missing"
)

// Test compares one named number or one named string of the stored item.
// The name "version" in Number tests Item.Version.
type Test struct {
	Number string // name of the number, or
	String string // name of the string
	Op     Op
	N      int64
	S      string
}

// Condition is what must be true of the stored item for a write to happen. It
// is a list of alternatives; each alternative is a list of tests that must all
// hold. The zero Condition always holds.
type Condition struct {
	// Absent holds when there is no item; it is an alternative of its own.
	Absent bool
	// Present alone asks only that there is an item.
	Present bool
	// AnyOf are alternatives; one in which all tests hold is enough. An
	// alternative implies that the item is there.
	AnyOf [][]Test
}

// Write is one element of a transaction. Exactly one of Put, Delete, Update
// and Check is set.
type Write struct {
	Put    *Item
	Delete *Key
	Update *Update
	Check  *Key // changes nothing; only the condition counts
	If     Condition
}

// Update changes parts of an item and leaves the rest. When there is no item
// it makes one (unless the condition says otherwise).
type Update struct {
	Key           Key
	AddVersion    int64
	AddNumbers    map[string]int64 // a missing number counts as 0
	SetNumbers    map[string]int64
	SetStrings    map[string]string
	RemoveNumbers []string
	RemoveStrings []string
	SetBody       []byte // nil leaves it
	SetIndex1     *Key   // the zero Key takes the item out of the index
	SetIndex2     *Key
	SetExpires    *time.Time
}

// Errors that callers branch on. Drivers wrap them; test with errors.Is.
var (
	// ErrNotFound: Get found no such item.
	ErrNotFound = errors.New("table: no such item")
	// ErrBusy: the table was throttled or had a conflicting transaction for
	// longer than the driver was willing to repeat. Nothing was written. The
	// same call may be made again later.
	ErrBusy = errors.New("table: busy, try again")
	// ErrTooLarge: an item or a transaction is over the limits above.
	ErrTooLarge = errors.New("table: too large")
)

// ConditionError says that a transaction wrote nothing because the conditions
// of some of its writes did not hold.
//
// A driver that repeats a call after a lost answer may report it for a write
// that was in fact done by its first try. Callers that must know compare what
// Current holds with what they meant to write.
type ConditionError struct {
	// Failed are the indexes of the writes whose conditions failed, ascending.
	Failed []int
	// Current holds, for each of Failed, the stored item, or nil where there
	// is none.
	Current []*Item
}

func (e *ConditionError) Error() string {
	return fmt.Sprintf("table: condition failed for write %v", e.Failed)
}

// Table is the contract. Every method may be called at once from many
// goroutines. Any other error than those named (network, service) leaves a
// read without an answer and a write in an unknown state: done wholly or not
// at all.
type Table interface {
	// Get reads one item, strongly consistent. ErrNotFound when there is none.
	Get(ctx context.Context, key Key) (Item, error)
	// GetMany reads up to MaxGet items, strongly consistent. The answer holds
	// those that exist, in no order.
	GetMany(ctx context.Context, keys []Key) ([]Item, error)
	// Query reads one page.
	Query(ctx context.Context, q Query) (Page, error)
	// Write does all of the writes or none. At most MaxWrites; no key twice;
	// a single write is cheaper than a transaction of one. *ConditionError
	// when a condition failed.
	Write(ctx context.Context, writes ...Write) error
}

// When is the condition that all tests hold on an existing item.
func When(tests ...Test) Condition { return Condition{AnyOf: [][]Test{tests}} }

// VersionIs tests Item.Version.
func VersionIs(v int64) Test { return Test{Number: "version", Op: Equal, N: v} }

// NumberIs tests a number for a relation to n.
func NumberIs(name string, op Op, n int64) Test { return Test{Number: name, Op: op, N: n} }

// StringIs tests a string for equality.
func StringIs(name, s string) Test { return Test{String: name, Op: Equal, S: s} }
