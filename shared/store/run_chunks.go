package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// ChunkSize is how many changes a chunk of a run's plan holds at most; a chunk
// is cut earlier when its JSON comes near MaxChunkBytes.
const (
	ChunkSize     = 500
	MaxChunkBytes = 340 << 10
)

// SizeOf is how much room a change takes in a chunk, in bytes.
func SizeOf(c *directory.Change) int {
	return len(encode(c)) + 64 // its ID and state come later
}

// AppendChunk records the next chunk of a run's changes together with the run
// itself (its counts and cursor), while the connection is as it was when the lease was
// taken: see SubmitRun. It gives the changes their IDs.
func (s *Runs) AppendChunk(ctx context.Context, l *Lease, r *RunRecord, changes []directory.Change, notes ...Note) error {
	chunk := s.newChunk(r, changes)
	r.Chunks++
	writes := append(noteWrites(r.ID, notes, chunk.Put.Expires), chunk)
	err := s.saveRun(ctx, directory.AuditEvent{}, l, (*Lease).pastUnchanged, r, writes...)
	if err != nil {
		r.Chunks--
	}
	return err
}

// newChunk is the next chunk of a run. It gives the changes their IDs.
func (s *Runs) newChunk(r *RunRecord, changes []directory.Change) table.Write {
	for i := range changes {
		changes[i].ID = directory.ChangeID(fmt.Sprintf("%s.%d.%d", r.ID, r.Chunks, i))
		if changes[i].State == "" {
			changes[i].State = directory.ChangePlanned
		}
	}
	item := table.Item{Key: chunkKey(r.ID, r.Chunks), Body: encode(changes), Expires: s.db.expiry()}
	return table.Write{Put: &item, If: table.Condition{Absent: true}}
}

// Place returns the chunk and the index in it of a change.
func Place(id directory.ChangeID) (run directory.RunID, chunk, index int, ok bool) {
	parts := strings.Split(string(id), ".")
	if len(parts) != 3 {
		return "", 0, 0, false
	}
	chunk, err1 := strconv.Atoi(parts[1])
	index, err2 := strconv.Atoi(parts[2])
	return directory.RunID(parts[0]), chunk, index, err1 == nil && err2 == nil
}

// Result is what became of one change.
type Result struct {
	Index     int                   `json:"i"` // in its chunk
	State     directory.ChangeState `json:"state"`
	AccountID directory.AccountID   `json:"accountId,omitempty"`
	Error     *directory.Problem    `json:"error,omitempty"`
	RequestID string                `json:"requestId,omitempty"`
	At        time.Time             `json:"at"`
}

// Chunk returns one chunk of a run's changes with what became of them, and the
// number of results items that it has. ErrNotFound.
func (s *Runs) Chunk(ctx context.Context, id directory.RunID, chunk int) ([]directory.Change, int, error) {
	changes, results, _, err := s.chunk(ctx, id, chunk, func(*table.Item) (SealState, error) { return SealGood, nil })
	return changes, results, err
}

// SealedChunk is Chunk for whoever carries the plan out: it says as well
// whether the plan is as it was recorded.
func (s *Runs) SealedChunk(ctx context.Context, id directory.RunID, chunk int) ([]directory.Change, int, SealState, error) {
	return s.chunk(ctx, id, chunk, func(it *table.Item) (SealState, error) { return s.db.itemState(ctx, it) })
}

func (s *Runs) chunk(ctx context.Context, id directory.RunID, chunk int, look func(*table.Item) (SealState, error)) ([]directory.Change, int, SealState, error) {
	var changes []directory.Change
	var state SealState
	results := 0
	key := chunkKey(id, chunk)
	for it, err := range s.db.list(ctx, table.Query{Partition: key.Partition, Prefix: key.Sort}) {
		if err != nil {
			return nil, 0, state, fail("chunk", err)
		}
		if it.Key == key {
			if state, err = look(&it); err != nil {
				return nil, 0, state, fail("chunk", err)
			}
			if err := decode(it, &changes); err != nil {
				return nil, 0, state, err
			}
			continue
		}
		var list []Result
		if err := decode(it, &list); err != nil {
			return nil, 0, state, err
		}
		results++
		for i := range list {
			list[i].applyTo(changes)
		}
	}
	if changes == nil {
		return nil, 0, state, fail("chunk", table.ErrNotFound)
	}
	return changes, results, state, nil
}

// applyTo notes on the change of a chunk what became of it.
func (r *Result) applyTo(chunk []directory.Change) {
	if r.Index >= len(chunk) {
		return
	}
	c := &chunk[r.Index]
	c.State, c.Error, c.RequestID, c.At = r.State, r.Error, r.RequestID, r.At
	if r.AccountID != "" {
		c.AccountID = r.AccountID
	}
}

// PlannedChunk reads a chunk of a run's changes as they were planned, without
// what became of them. ErrNotFound.
func (s *Runs) PlannedChunk(ctx context.Context, id directory.RunID, chunk int) ([]directory.Change, error) {
	it, err := s.db.table.Get(ctx, chunkKey(id, chunk))
	if err != nil {
		return nil, fail("chunk", err)
	}
	var changes []directory.Change
	return changes, decode(it, &changes)
}

// Changes returns one page of a run's changes in their order. limit counts
// changes; the cursor is opaque.
func (s *Runs) Changes(ctx context.Context, r *RunRecord, cursor string, limit int) ([]directory.Change, string, error) {
	chunk, index := 0, 0
	if cursor != "" {
		if n, err := fmt.Sscanf(cursor, "%d.%d", &chunk, &index); n != 2 || err != nil || chunk < 0 || index < 0 {
			return nil, "", badCursor()
		}
	}
	var list []directory.Change
	for ; chunk < r.Chunks; chunk, index = chunk+1, 0 {
		changes, _, err := s.Chunk(ctx, r.ID, chunk)
		if err != nil {
			return nil, "", err
		}
		for ; index < len(changes); index++ {
			if len(list) == limit {
				return list, fmt.Sprintf("%d.%d", chunk, index), nil
			}
			list = append(list, changes[index])
		}
	}
	return list, "", nil
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
func (s *Runs) ChunkState(ctx context.Context, c *ChunkItems, results int) (SealState, error) {
	plan, err := s.db.itemState(ctx, &c.planned)
	if err != nil {
		return plan, err
	}
	state, err := s.db.itemState(ctx, &c.results[results])
	return plan.Worse(state), err
}

// RunJournal reads all that a run planned and did, chunk by chunk, strongly
// consistent, and says when the first of it expires. ErrNotFound when the run
// has expired; a chunk that has is without changes.
func (s *Runs) RunJournal(ctx context.Context, id directory.RunID, each func(*RunRecord, *ChunkItems) error) (RunRecord, time.Time, error) {
	it, err := s.db.table.Get(ctx, runKey(id))
	if err != nil {
		return RunRecord{}, time.Time{}, fail("run "+string(id), err)
	}
	run, err := decodeRun(it)
	if err != nil {
		return run, it.Expires, err
	}
	items := ChunkItems{Chunk: -1}
	for c, err := range s.db.list(ctx, table.Query{Partition: it.Partition, Prefix: "c#"}) {
		if err != nil {
			return run, it.Expires, fail("run journal", err)
		}
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
