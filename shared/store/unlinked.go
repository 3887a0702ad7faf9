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
	Why          Because
	// Facts stand for what the run was when it ended; empty where that was not
	// known to whoever left the mark.
	Facts string
	// Seal says whether it was one of ours who left the mark.
	Seal  SealState
	nonce string
}

// Because is why a run is to be linked.
type Because string

// The reasons.
const (
	BecauseEnded Because = "ended" // it has ended: its first link
	BecauseLate  Because = "late"  // results came in after it had ended: a further one
)

func (u *Unlinked) key() table.Key {
	return table.Key{Partition: unlinkedAt, Sort: string(u.ConnectionID) + "#" + string(u.RunID)}
}

// unlinkedWrite marks a run as one that is still to be linked. It rides in the
// transaction that ends the run, or that adds to an ended one.
func (s *Store) unlinkedWrite(r *directory.Run, why Because) table.Write {
	u := Unlinked{ConnectionID: r.ConnectionID, RunID: r.ID}
	names := map[string]string{strNonce: rand.Text(), strWhy: string(why)}
	if why == BecauseEnded {
		names[strFacts] = FactsSum(r)
	}
	return table.Write{Put: &table.Item{Key: u.key(), Strings: names, Numbers: map[string]int64{numAt: s.Now().UnixMilli()}}}
}

// FactsSum stands for the facts of a run. The mark of its end has it under its
// seal: of a run only its beginning and its approval bear one of their own, so
// that somebody could take the approval away, or make it another end, before the
// run is linked.
func FactsSum(r *directory.Run) string { return sumOf(encode(FactsOf(r))) }

func (s *Store) decodeMark(ctx context.Context, it *table.Item) (Unlinked, error) {
	conn, run, _ := strings.Cut(it.Sort, "#")
	state, err := s.itemState(ctx, it)
	return Unlinked{ConnectionID: directory.ConnectionID(conn), RunID: directory.RunID(run), At: fromMillis(it.Numbers[numAt]),
		Why: Because(it.Strings[strWhy]), Facts: it.Strings[strFacts], Seal: state, nonce: it.Strings[strNonce]}, err
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
	for i := range page.Items {
		u, err := s.decodeMark(ctx, &page.Items[i])
		if err != nil {
			return nil, fail("unlinked", err)
		}
		list = append(list, u)
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

// MarkOf reads the mark of a run; nil when it bears none.
func (s *Store) MarkOf(ctx context.Context, c directory.ConnectionID, r directory.RunID) (*Unlinked, error) {
	u := Unlinked{ConnectionID: c, RunID: r}
	it, err := s.Table.Get(ctx, u.key())
	if errors.Is(err, table.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fail("unlinked", err)
	}
	u, err = s.decodeMark(ctx, &it)
	return &u, fail("unlinked", err)
}

// ChunkItems are the changes of a chunk as planned, and the results of it, item
// by item.
type ChunkItems struct {
	Chunk   int
	Planned []directory.Change
	Results [][]Result
	// Misplaced are those of the results (by index) that do not stand in the
	// listings where they belong: they would be missing there.
	Misplaced []int

	planned table.Item
	results []table.Item
}

// ChunkState says whether a chunk's plan and one item of its results are as they
// were written. The items must be those that RunJournal gave.
func (s *Store) ChunkState(ctx context.Context, c *ChunkItems, results int) (SealState, error) {
	plan, err := s.itemState(ctx, &c.planned)
	if err != nil {
		return plan, err
	}
	state, err := s.itemState(ctx, &c.results[results])
	return plan.Worse(state), err
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
				return run, it.Expires, fmt.Errorf("%w: %s/%s is no chunk: %w", ErrRecord, c.Partition, c.Sort, err)
			}
			if chunk != items.Chunk {
				if items.Chunk >= 0 {
					if err := each(&run, &items); err != nil {
						return run, it.Expires, err
					}
				}
				items = ChunkItems{Chunk: chunk}
			}
			if err := items.add(c, n == 1, run.ConnectionID); err != nil {
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

func (c *ChunkItems) add(it table.Item, planned bool, conn directory.ConnectionID) error {
	if planned {
		c.planned = it
		return decode(it, &c.Planned)
	}
	var results []Result
	if err := decode(it, &results); err != nil {
		return err
	}
	if !placed(&it, conn, results) {
		c.Misplaced = append(c.Misplaced, len(c.Results))
	}
	c.Results, c.results = append(c.Results, results), append(c.results, it)
	return nil
}
