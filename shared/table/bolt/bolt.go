// Package bolt keeps the table in one file of a laptop, by bbolt: crash-safe,
// one process at a time.
//
// The file holds four buckets. "items" maps partition NUL sort key to the
// encoded item; "index1" and "index2" hold keys of the form
// partition NUL sort NUL item's partition NUL item's sort key, with no value,
// so that they lie in the order of a query; "meta" holds the file's format.
// Keys hold no NUL (table.Key.Check), so the order of bytes is that of the
// parts. Indexes are written in the same transaction as the items.
//
// Writers that come at once share one commit, see Table.Write.
package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"bindery/shared/platform/ownfile"
	"bindery/shared/table"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Errors of Open.
var (
	// ErrLocked: another process has the file open.
	ErrLocked = errors.New("another process has it open; stop that one first")
	// ErrCorrupt: the file is not one of ours, or is damaged.
	ErrCorrupt = errors.New("not a Bindery table, or damaged; restore it from a backup, or move it away to start empty")
)

const (
	lockWait   = time.Second // for another process to let the file go
	fileFormat = "bindery-table-1"
)

var (
	itemsBucket = []byte("items")
	metaBucket  = []byte("meta")
	formatKey   = []byte("format")
	indexBucket = [3][]byte{1: []byte("index1"), 2: []byte("index2")}
)

// Table is an open file.
type Table struct {
	db *bbolt.DB

	queue   sync.Mutex // guards waiting
	waiting []*job
	commit  sync.Mutex // held by the writer that commits for all
}

var _ table.Table = (*Table)(nil)

// Open opens the file, or makes it, readable by its owner only, in a folder
// that exists. It reads the whole file, so that damage is found here and not
// in the middle of a run, and removes the items that have expired by now.
func Open(path string, now time.Time) (*Table, error) {
	var file *os.File // to give the lock back when bbolt stopped half-way
	options := &bbolt.Options{
		Timeout:      lockWait,
		FreelistType: bbolt.FreelistMapType,
		OpenFile: func(name string, flag int, _ os.FileMode) (f *os.File, err error) {
			file, err = ownfile.Open(name, flag)
			return file, err
		},
	}
	t := &Table{}
	err := guard(func() (err error) {
		if t.db, err = bbolt.Open(path, 0o600, options); err != nil {
			return err
		}
		return t.prepare(now)
	})
	if err == nil {
		return t, nil
	}
	if file != nil {
		// What bbolt has mapped would hold the lock beyond Close. Both may fail
		// where bbolt has closed the file; the error that matters is err.
		_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
		_ = file.Close()
	}
	var system *os.PathError
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("state file %s: %w", path, ErrLocked)
	case errors.As(err, &system):
		return nil, fmt.Errorf("state file: %w", err)
	}
	return nil, fmt.Errorf("state file %s: %w (%w)", path, ErrCorrupt, err)
}

// guard turns what bbolt does on a damaged file, panics and faults on mapped
// memory beyond its end, into an error.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return f()
}

// prepare makes the buckets of a new file, and reads an old one through.
func (t *Table) prepare(now time.Time) error {
	return t.db.Update(func(tx *bbolt.Tx) error {
		if first, _ := tx.Cursor().First(); first == nil {
			return create(tx)
		}
		meta := tx.Bucket(metaBucket)
		if meta == nil || !bytes.Equal(meta.Get(formatKey), []byte(fileFormat)) {
			return errors.New("it holds something else")
		}
		return sweep(tx, now)
	})
}

func create(tx *bbolt.Tx) error {
	for _, name := range [][]byte{itemsBucket, indexBucket[1], indexBucket[2], metaBucket} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return tx.Bucket(metaBucket).Put(formatKey, []byte(fileFormat))
}

// sweep decodes every item, compares the number of index entries with it, and
// removes what has expired.
func sweep(tx *bbolt.Tx, now time.Time) error {
	s, err := open(tx)
	if err != nil {
		return err
	}
	var expired []*table.Item
	var entries [3]int
	err = s.items.ForEach(func(k, v []byte) error {
		it, err := decode(k, v)
		if err != nil {
			return err
		}
		for index := 1; index <= 2; index++ {
			if it.IndexKey(index) != (table.Key{}) {
				entries[index]++
			}
		}
		if !it.Expires.IsZero() && !it.Expires.After(now) {
			expired = append(expired, it)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for index := 1; index <= 2; index++ {
		err := s.indexes[index].ForEach(func(_, _ []byte) error {
			entries[index]--
			return nil
		})
		if err != nil {
			return err
		}
		if entries[index] != 0 {
			return fmt.Errorf("index %d does not fit the items", index)
		}
	}
	for _, it := range expired {
		if err := s.replace(it.Key, it, nil); err != nil {
			return err
		}
	}
	return nil
}

// Close waits for the calls under way and closes the file.
func (t *Table) Close() error { return t.db.Close() }
