package bolt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/table"
	"bindery/shared/table/bolt"
	"bindery/shared/table/tabletest"

	"go.etcd.io/bbolt"
)

func TestConformance(t *testing.T) {
	tabletest.Run(t, func(t *testing.T) table.Table {
		return open(t, filepath.Join(t.TempDir(), "table.db"), time.Now())
	})
}

func open(t *testing.T, path string, now time.Time) *bolt.Table {
	t.Helper()
	tab, err := bolt.Open(path, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	return tab
}

func fill(t *testing.T, tab *bolt.Table, n int, body string) {
	t.Helper()
	for i := range n {
		k := fmt.Sprintf("k%04d", i)
		it := table.Item{Key: table.Key{Partition: "p", Sort: k}, Index1: table.Key{Partition: "i", Sort: k}, Body: []byte(body)}
		if err := tab.Write(t.Context(), table.Write{Put: &it}); err != nil {
			t.Fatal(err)
		}
	}
}

func count(t *testing.T, tab *bolt.Table, index int, partition string) int {
	t.Helper()
	n := 0
	q := table.Query{Index: index, Partition: partition}
	for {
		page, err := tab.Query(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		n += len(page.Items)
		if q.Cursor = page.Next; q.Cursor == "" {
			return n
		}
	}
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table.db")
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	tab := open(t, path, now)
	fill(t, tab, 10, "body")
	for sort, expires := range map[string]time.Time{"past": now.Add(-time.Second), "now": now, "future": now.Add(time.Second)} {
		it := table.Item{Key: table.Key{Partition: "q", Sort: sort}, Index1: table.Key{Partition: "j", Sort: sort}, Expires: expires}
		if err := tab.Write(t.Context(), table.Write{Put: &it}); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, tab, 0, "q"); n != 3 {
		t.Errorf("items before closing = %d, want 3: expired ones stay until then", n)
	}
	if err := tab.Close(); err != nil {
		t.Fatal(err)
	}
	tab = open(t, path, now)
	for _, test := range []struct {
		index     int
		partition string
		want      int
	}{{0, "p", 10}, {1, "i", 10}, {0, "q", 1}, {1, "j", 1}} {
		if n := count(t, tab, test.index, test.partition); n != test.want {
			t.Errorf("index %d, %s: %d items, want %d", test.index, test.partition, n, test.want)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v, want 0600", info.Mode(), err)
	}
}

func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table.db")
	open(t, path, time.Now())
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := bolt.Open(path, start)
		if !errors.Is(err, bolt.ErrLocked) || !strings.Contains(err.Error(), path) {
			t.Errorf("Open twice = %v, want ErrLocked with the path", err)
		}
		if waited := time.Since(start); waited > 2*time.Second {
			t.Errorf("waited %v, want about a second", waited)
		}
	})
}

func TestDamage(t *testing.T) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole.db")
	tab := open(t, whole, time.Now())
	fill(t, tab, 300, strings.Repeat("body", 50))
	if err := tab.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	zeroed := bytes.Clone(good)
	clear(zeroed[2*page:])
	noise := bytes.Clone(good)
	for i := 2 * page; i < len(noise); i += 7 {
		noise[i] ^= 0x5a
	}
	for name, content := range map[string][]byte{
		"text":        []byte("this is no table at all"),
		"long text":   []byte(strings.Repeat("this is no table at all\n", 2000)),
		"one page":    good[:page],
		"four pages":  good[:4*page],
		"half":        good[:len(good)/2/page*page],
		"zeroed":      zeroed,
		"noise":       noise,
		"zero header": append(make([]byte, 2*page), good[2*page:]...),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the first gives the lock back
				_, err := bolt.Open(path, time.Now())
				if !errors.Is(err, bolt.ErrCorrupt) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
					t.Errorf("Open = %v, want ErrCorrupt with the path, in one line", err)
				}
			}
		})
	}
}

// TestForeign opens a sound bbolt file that is not ours.
func TestForeign(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("recipes"))
		return err
	})
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := bolt.Open(path, time.Now()); !errors.Is(err, bolt.ErrCorrupt) {
		t.Errorf("Open of another program's file = %v, want ErrCorrupt", err)
	}
}

func TestUnopenable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no", "such", "folder", "table.db")
	_, err := bolt.Open(path, time.Now())
	if !errors.Is(err, os.ErrNotExist) || errors.Is(err, bolt.ErrCorrupt) || !strings.Contains(err.Error(), path) {
		t.Errorf("Open in no folder = %v, want ErrNotExist with the path", err)
	}
}

// TestCrash takes a copy of the file of an open table, as a crash would leave
// it, after many wrote at once: every transaction that was answered is there.
func TestCrash(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "table.db")
	tab := open(t, path, time.Now())
	var group sync.WaitGroup
	for w := range 4 {
		group.Go(func() {
			for i := range 50 {
				sort := fmt.Sprintf("%d-%03d", w, i)
				a := table.Item{Key: table.Key{Partition: "a", Sort: sort}, Index2: table.Key{Partition: "i", Sort: sort}}
				b := table.Item{Key: table.Key{Partition: "b", Sort: sort}}
				if err := tab.Write(context.Background(), table.Write{Put: &a}, table.Write{Put: &b}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	content, err := os.ReadFile(path) // not closed
	if err != nil {
		t.Fatal(err)
	}
	after := filepath.Join(dir, "after.db")
	if err := os.WriteFile(after, content, 0o600); err != nil {
		t.Fatal(err)
	}
	again := open(t, after, time.Now())
	for _, where := range []struct {
		index     int
		partition string
	}{{0, "a"}, {0, "b"}, {2, "i"}} {
		if n := count(t, again, where.index, where.partition); n != 200 {
			t.Errorf("index %d, %s: %d items after the crash, want 200", where.index, where.partition, n)
		}
	}
}
