// Package store keeps every record of Bindery in one table: keys, encodings
// and queries. It holds the invariants that a single write can hold: at most
// one binding a user, one holder a claim, one owner an e-mail address, and no
// write by a run whose lease or epoch has passed.
//
// # Keys
//
//	record        partition              sort             index 1                         index 2
//	connection    C#<connection>         connection       connections / <connection>
//	open run      C#<connection>         open#<run>
//	bound counter C#<connection>         bound#<epoch>
//	token lease   C#<connection>         tokens#<epoch>
//	app's quota   APP                    writes
//	round         APP                    schedule
//	hour's counts C#<connection>         hour#<hours since 1970>#<part>
//	living users  users#count#<shard>    count
//	lift          C#<connection>         lift#<account>
//	health        C#<connection>         health
//	named         C#<connection>         named
//	tenant claim  T#<tenant>             claim
//	domain claim  D#<domain>             claim
//	account claim A#<tenant>#<account>   claim
//	before-image  A#<tenant>#<account>   before
//	user          U#<user>               profile          users#<shard> / <user>
//	binding       U#<user>               binding          B#<connection>#<epoch>#<shard>  M#<connection>#<epoch>#<lane>
//	                                                      / <user>                        / <marked at>#<user>
//	photo         P#<user>               photo
//	photo due     Q#<connection>#<epoch> <user>
//	photo plan    C#<connection>         photos
//	e-mail        E#<address>            email
//	user name     N#<user name>          userName
//	forms         forms                  addresses
//	problem       X#<connection>#<epoch> <cause>#<user>
//	former        F#<connection>#<shard> <user>
//	run           R#<run>                run              RUNS#<connection> / <run>
//	plan chunk    R#<run>                c#<chunk>
//	results       R#<run>                c#<chunk>#<seq>
//	note of a run R#<run>                n#<name>
//	job           J#<job>                job              JOBS#<connection> / <job>
//	open job      jobs                   <job>
//	job input     J#<job>                in#<n>
//	refused       J#<job>                refused#<n>
//	job pages     J#<job>                page#<n>
//	upload        UP#<upload>            upload
//	OAuth state   S#<hash>               state
//	seen accounts R#<run>                seen#<n>
//	act           ACTS#<hour since 1970> <ms>#a#<act>     ACTIVITY#<connection> / as sort ACTIVITY / as sort
//	link          CHAIN#<chain>          link#<number>
//	leaves        CHAIN#<chain>          leaf#<digest>#<part>
//	last link of  CHAIN#<chain>          of#<run or hour>
//	head          CHAINS                 <chain>
//	unlinked run  UNLINKED               <connection>#<run>
//	day's counts  C#<connection>         day#<yyyymmdd>
//	report calls  T#<tenant>, APP        reports
//	told          C#<connection>         told; all: APP / told
//	user's hint   ACTIVITY#<user>        <ms>#a#<act>, <ms>#r#<run>#<chunk>#<seq>
//
// The bound counter counts bindings, and those with an account; an hour's counts
// have, beside what the guard counts, how many bindings got an account.
//
// Results stand in the indexes as acts do, under ACTIVITY#<connection> and
// ACTIVITY, at <ms>#r#<run>#<chunk>#<seq>.
//
// Shards are the last hexadecimal digit of a hash of the user's ID, so that a
// listing by connection is spread over 16 partitions of the index. Lanes of
// marks are "u" (urgent: a block) and "0" to "3".
//
// # What a condition must see
//
// Epoch, fence, lease, read link and status of a connection, wanted and applied version
// of a binding stand as numbers and strings of their items, beside the JSON
// body, since conditions look only there. They are filled into the types when
// an item is read.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Table is what the store needs of a table; package table has the contract.
type Table interface {
	Get(ctx context.Context, key table.Key) (table.Item, error)
	GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error)
	Query(ctx context.Context, q table.Query) (table.Page, error)
	Write(ctx context.Context, writes ...table.Write) error
}

// Store reads and writes records. The zero Now means time.Now.
type Store struct {
	Table Table
	Now   func() time.Time
	// Retention is how long runs, changes and jobs are kept; 0 means 400 days.
	Retention time.Duration
	// Sealer seals what history is made of; nil, in tests, leaves it unsealed.
	Sealer Sealer
}

// New returns a Store over a table.
func New(t Table, now func() time.Time) *Store {
	if now == nil {
		now = time.Now
	}
	s := &Store{Now: now}
	s.Table = sealing{t, s}
	return s
}

func (s *Store) retention() time.Duration {
	if s.Retention > 0 {
		return s.Retention
	}
	return 400 * 24 * time.Hour
}

const (
	shards = 16
	// markLanes spreads the marks of ordinary edits; few, since an idle run
	// asks each of them.
	markLanes = 4
)

func hashOf(s string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(s))
	return h.Sum32()
}

func shardOf(id directory.UserID) string {
	return strconv.FormatUint(uint64(hashOf(string(id))%shards), 16)
}

func connectionKey(id directory.ConnectionID) table.Key {
	return table.Key{Partition: "C#" + string(id), Sort: "connection"}
}

func openRunKey(c directory.ConnectionID, r directory.RunID) table.Key {
	return table.Key{Partition: "C#" + string(c), Sort: "open#" + string(r)}
}

func boundKey(c directory.ConnectionID, epoch int64) table.Key {
	return table.Key{Partition: "C#" + string(c), Sort: "bound#" + itoa(epoch)}
}

func profileKey(u directory.UserID) table.Key {
	return table.Key{Partition: "U#" + string(u), Sort: "profile"}
}

func bindingKey(u directory.UserID) table.Key {
	return table.Key{Partition: "U#" + string(u), Sort: "binding"}
}

func accountClaimKey(t directory.TenantID, a directory.AccountID) table.Key {
	return table.Key{Partition: "A#" + string(t) + "#" + strings.ToLower(string(a)), Sort: "claim"}
}

// importedKey leads from an account to the user that an import made of it.
func importedKey(t directory.TenantID, a directory.AccountID) table.Key {
	k := accountClaimKey(t, a)
	k.Sort = "imported"
	return k
}

// emailKey is where it stands who has an address, of which it takes one of the
// forms of directory.AddressForms.
func emailKey(form string) table.Key { return table.Key{Partition: "E#" + form, Sort: "email"} }

// userNameKey is the same of a user name.
func userNameKey(form string) table.Key { return table.Key{Partition: "N#" + form, Sort: "userName"} }

func formerKey(c directory.ConnectionID, u directory.UserID) table.Key {
	return table.Key{Partition: "F#" + string(c) + "#" + shardOf(u), Sort: string(u)}
}

func runKey(r directory.RunID) table.Key { return table.Key{Partition: "R#" + string(r), Sort: "run"} }

func chunkKey(r directory.RunID, chunk int) table.Key {
	return table.Key{Partition: "R#" + string(r), Sort: fmt.Sprintf("c#%06d", chunk)}
}

func resultsKey(r directory.RunID, chunk, seq int) table.Key {
	return table.Key{Partition: "R#" + string(r), Sort: fmt.Sprintf("c#%06d#%06d", chunk, seq)}
}

func noteKey(r directory.RunID, name string) table.Key {
	return table.Key{Partition: "R#" + string(r), Sort: "n#" + name}
}

func jobKey(j directory.JobID) table.Key { return table.Key{Partition: "J#" + string(j), Sort: "job"} }

func bindingsPartition(c directory.ConnectionID, epoch int64, shard int) string {
	return "B#" + string(c) + "#" + itoa(epoch) + "#" + strconv.FormatInt(int64(shard), 16)
}

func marksPartition(c directory.ConnectionID, epoch int64, lane string) string {
	return "M#" + string(c) + "#" + itoa(epoch) + "#" + lane
}

// ignoreAbsent makes nothing of an item that is not there.
func ignoreAbsent(err error) error {
	if errors.Is(err, table.ErrNotFound) {
		return nil
	}
	return err
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// encode marshals a record's body. The types are ours and always marshal.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("store: " + err.Error())
	}
	return b
}

func decode(it table.Item, v any) error {
	if err := json.Unmarshal(it.Body, v); err != nil {
		return fmt.Errorf("%w: %s/%s: %w", ErrRecord, it.Partition, it.Sort, err)
	}
	return nil
}

// ErrRecord says that a record does not hold what the store has put there.
var ErrRecord = errors.New("store: a record cannot be read")

// fail turns the table's errors into the vocabulary's.
func fail(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, table.ErrNotFound):
		return fmt.Errorf("%s: %w", what, directory.ErrNotFound)
	case errors.Is(err, table.ErrCursor):
		return badCursor()
	case errors.Is(err, table.ErrBusy):
		return fmt.Errorf("%s: %w: %w", what, directory.ErrBusy, err)
	case errors.Is(err, table.ErrTooLarge):
		return fmt.Errorf("%s: %w: %w", what, directory.ErrTooLarge, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// failed returns which writes' conditions failed, with what is stored there.
func failed(err error) (map[int]*table.Item, bool) {
	ce, ok := errors.AsType[*table.ConditionError](err)
	if !ok {
		return nil, false
	}
	m := make(map[int]*table.Item, len(ce.Failed))
	for i, n := range ce.Failed {
		m[n] = ce.Current[i]
	}
	return m, true
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}
