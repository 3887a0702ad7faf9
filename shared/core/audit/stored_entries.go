package audit

import (
	"context"
	"slices"
	"sort"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// storedEntry is an entry as it stands in the table.
type storedEntry struct {
	directory.ChainLeaf
	At time.Time
	// Seal says whether all that it is made of is as it was written; it is
	// looked at only where that is asked for.
	Seal     store.SealState
	Unlisted bool // it does not stand in the listings where it belongs
}

// entrySet is what stands in the table of a run, or of an hour's audit events.
type entrySet struct {
	entries []storedEntry // sorted
	expires time.Time
	run     *store.RunRecord
}

func (j *entrySet) leaves() []directory.ChainLeaf {
	list := make([]directory.ChainLeaf, len(j.entries))
	for i := range j.entries {
		list[i] = j.entries[i].ChainLeaf
	}
	return list
}

func (j *entrySet) sort() {
	sort.Slice(j.entries, func(a, b int) bool { return compareLeaves(j.entries[a].ChainLeaf, j.entries[b].ChainLeaf) < 0 })
}

// entriesOfRun reads all entries of a run, and says when the first of what they are
// made of expires. ErrNotFound when that is over. With prove, seals are looked
// at: an entry is made of the run, its plan and its results, so all three count.
func entriesOfRun(ctx context.Context, s journalReader, id directory.RunID, prove bool) (entrySet, error) {
	var j entrySet
	var whole *store.SealState
	run, expires, err := s.RunJournal(ctx, id, func(run *store.RunRecord, c *store.ChunkItems) error {
		if prove && whole == nil {
			state, err := s.RunState(ctx, run)
			if err != nil {
				return err
			}
			whole = &state
		}
		for i, results := range c.Results {
			state := store.SealGood
			if prove {
				part, err := s.ChunkState(ctx, c, i)
				if err != nil {
					return err
				}
				state = whole.Worse(part)
			}
			entries := entriesOfResults(&run.Run, c.Planned, results)
			for k := range entries {
				j.entries = append(j.entries, storedEntry{leafOf(&entries[k]), entries[k].At, state, slices.Contains(c.Misplaced, i)})
			}
		}
		return nil
	})
	j.run, j.expires = &run, expires
	j.sort()
	return j, err
}

// entriesOfHour reads the audit events of an hour.
func entriesOfHour(ctx context.Context, s auditEventReader, hour int64, prove bool) (entrySet, error) {
	var j entrySet
	acts, err := s.AuditEvents(ctx, hour)
	for i := range acts {
		a := &acts[i]
		state := store.SealGood
		if prove {
			if state, err = s.AuditState(ctx, a); err != nil {
				return j, err
			}
		}
		if j.expires.IsZero() || a.Expires.Before(j.expires) {
			j.expires = a.Expires
		}
		entries := entriesOfAuditEvent(&a.AuditEvent)
		for k := range entries {
			j.entries = append(j.entries, storedEntry{leafOf(&entries[k]), entries[k].At, state, a.Misplaced})
		}
	}
	j.sort()
	return j, err
}
