package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Unlinked is the mark of a run that has ended, or got late results, and is not
// part of its connection's chain yet.
type Unlinked struct {
	ConnectionID directory.ConnectionID
	RunID        directory.RunID
	At           time.Time
	nonce        string
}

func (u *Unlinked) key() table.Key {
	return table.Key{Partition: unlinkedAt, Sort: string(u.ConnectionID) + "#" + string(u.RunID)}
}

// unlinkedWrite marks a run as one that is still to be linked. It rides in the
// transaction that ends the run, or that adds to an ended one.
func (s *Store) unlinkedWrite(r *directory.Run) table.Write {
	u := Unlinked{ConnectionID: r.ConnectionID, RunID: r.ID}
	return table.Write{Put: &table.Item{Key: u.key(),
		Strings: map[string]string{strNonce: rand.Text()}, Numbers: map[string]int64{numAt: s.Now().UnixMilli()}}}
}

// Unlinked lists marks, those of one connection or (with "") of all, strongly
// consistent; at most limit, from the one behind after on.
func (s *Store) Unlinked(ctx context.Context, c directory.ConnectionID, after *Unlinked, limit int) ([]Unlinked, error) {
	prefix := ""
	if c != "" {
		prefix = string(c) + "#"
	}
	q := table.Query{Partition: unlinkedAt, Prefix: prefix, Limit: limit}
	if after != nil {
		q.After = after.key().Sort
	}
	page, err := s.Table.Query(ctx, q)
	if err != nil {
		return nil, fail("unlinked", err)
	}
	list := make([]Unlinked, 0, len(page.Items))
	for _, it := range page.Items {
		conn, run, _ := strings.Cut(it.Sort, "#")
		list = append(list, Unlinked{directory.ConnectionID(conn), directory.RunID(run), fromMillis(it.Numbers[numAt]), it.Strings[strNonce]})
	}
	return list, nil
}

// StillUnlinked reports whether a mark is there as it was read.
func (s *Store) StillUnlinked(ctx context.Context, u *Unlinked) (bool, error) {
	it, err := s.Table.Get(ctx, u.key())
	if errors.Is(err, table.ErrNotFound) {
		return false, nil
	}
	return err == nil && it.Strings[strNonce] == u.nonce, fail("unlinked", err)
}

// Unmark takes a mark away, unless it was renewed.
func (s *Store) Unmark(ctx context.Context, u *Unlinked) error {
	key := u.key()
	err := s.Table.Write(ctx, table.Write{Delete: &key, If: table.When(table.StringIs(strNonce, u.nonce))})
	if _, moved := failed(err); moved {
		return nil
	}
	return fail("unmark", err)
}

// IsUnlinked reports whether a run is marked.
func (s *Store) IsUnlinked(ctx context.Context, c directory.ConnectionID, r directory.RunID) (bool, error) {
	u := Unlinked{ConnectionID: c, RunID: r}
	_, err := s.Table.Get(ctx, u.key())
	if errors.Is(err, table.ErrNotFound) {
		return false, nil
	}
	return err == nil, fail("unlinked", err)
}

// ChunkItems are the changes of a chunk as planned, and the results of it, item
// by item.
type ChunkItems struct {
	Chunk   int
	Planned []directory.Change
	Results [][]Result
}

// RunJournal reads all that a run planned and did, chunk by chunk, strongly
// consistent, and says when the first of it expires. ErrNotFound when the run
// has expired; a chunk that has is without changes.
func (s *Store) RunJournal(ctx context.Context, id directory.RunID, each func(*RunRecord, *ChunkItems) error) (RunRecord, time.Time, error) {
	it, err := s.Table.Get(ctx, runKey(id))
	if err != nil {
		return RunRecord{}, time.Time{}, fail("run "+string(id), err)
	}
	run, err := decodeRun(it)
	if err != nil {
		return run, it.Expires, err
	}
	items := ChunkItems{Chunk: -1}
	cursor := ""
	for {
		page, err := s.Table.Query(ctx, table.Query{Partition: "R#" + string(id), Prefix: "c#", Cursor: cursor})
		if err != nil {
			return run, it.Expires, fail("run journal", err)
		}
		for _, c := range page.Items {
			var chunk, seq int
			n, err := fmt.Sscanf(c.Sort, "c#%06d#%06d", &chunk, &seq)
			if n == 0 {
				return run, it.Expires, fmt.Errorf("store: record %s/%s is no chunk: %w", c.Partition, c.Sort, err)
			}
			if chunk != items.Chunk {
				if items.Chunk >= 0 {
					if err := each(&run, &items); err != nil {
						return run, it.Expires, err
					}
				}
				items = ChunkItems{Chunk: chunk}
			}
			if err := items.add(c, n == 1); err != nil {
				return run, it.Expires, err
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if items.Chunk >= 0 {
		err = each(&run, &items)
	}
	return run, it.Expires, err
}

func (c *ChunkItems) add(it table.Item, planned bool) error {
	if planned {
		return decode(it, &c.Planned)
	}
	var results []Result
	if err := decode(it, &results); err != nil {
		return err
	}
	c.Results = append(c.Results, results)
	return nil
}
