package bolt

import (
	"context"
	"fmt"

	"bindery/shared/table"

	"go.etcd.io/bbolt"
)

// job is one caller's transaction on its way to the file.
type job struct {
	writes []table.Write
	done   bool
	err    error
}

// Write implements table.Table. A commit waits for the disk, so callers that
// come while one is under way line up, and the next commit takes them all:
// whoever gets the commit lock first does the work of everyone in the line,
// one after the other, and the others find theirs done.
func (t *Table) Write(ctx context.Context, writes ...table.Write) error {
	if err := table.Check(writes); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("table: %w", err)
	}
	j := &job{writes: writes}
	t.queue.Lock()
	t.waiting = append(t.waiting, j)
	t.queue.Unlock()

	t.commit.Lock()
	defer t.commit.Unlock()
	if !j.done {
		t.queue.Lock()
		jobs := t.waiting
		t.waiting = nil
		t.queue.Unlock()
		t.commitAll(jobs)
	}
	return j.err
}

// commitAll does the jobs in one commit. A refused job has written nothing,
// so it does not hinder the others; a fault of the file fails them all.
func (t *Table) commitAll(jobs []*job) {
	err := t.db.Update(func(tx *bbolt.Tx) error {
		s, err := open(tx)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			if err := s.write(j); err != nil {
				return err
			}
		}
		return nil
	})
	for _, j := range jobs {
		j.done = true
		if err != nil {
			j.err = fmt.Errorf("table: %w", err)
		}
	}
}

// write decides everything before it changes anything. Its own error is a
// fault of the file; the verdict on the job is in the job.
func (s *state) write(j *job) error {
	old := make([]*table.Item, len(j.writes))
	var failed table.ConditionError
	for i := range j.writes {
		var err error
		if old[i], err = s.find(j.writes[i].Key()); err != nil {
			return err
		}
		if !j.writes[i].If.Holds(old[i]) {
			failed.Failed = append(failed.Failed, i)
			failed.Current = append(failed.Current, old[i])
		}
	}
	if len(failed.Failed) > 0 {
		j.err = &failed
		return nil
	}
	fresh := make([]*table.Item, len(j.writes))
	total := 0
	for i := range j.writes {
		if fresh[i], j.err = j.writes[i].Result(old[i]); j.err != nil {
			return nil
		}
		if fresh[i] != nil {
			total += fresh[i].Size()
		}
	}
	if j.err = table.CheckTotal(total); j.err != nil {
		return nil
	}
	for i := range j.writes {
		if j.writes[i].Check != nil {
			continue
		}
		if err := s.replace(j.writes[i].Key(), old[i], fresh[i]); err != nil {
			return err
		}
	}
	return nil
}

// replace puts an item, or nothing, in the place of another, or of nothing.
func (s *state) replace(key table.Key, old, fresh *table.Item) error {
	for index := 1; index <= 2; index++ {
		if err := s.move(index, key, old, fresh); err != nil {
			return err
		}
	}
	if fresh == nil {
		return s.items.Delete(keyBytes(key))
	}
	value, err := encode(fresh)
	if err != nil {
		return err
	}
	return s.items.Put(keyBytes(key), value)
}

// move changes an item's place in one index.
func (s *state) move(index int, key table.Key, old, fresh *table.Item) error {
	var from, to table.Key
	if old != nil {
		from = old.IndexKey(index)
	}
	if fresh != nil {
		to = fresh.IndexKey(index)
	}
	if from == to {
		return nil
	}
	if from != (table.Key{}) {
		place := placeBytes(from.Partition, table.Position{Sort: from.Sort, Key: key})
		if err := s.indexes[index].Delete(place); err != nil {
			return err
		}
	}
	if to == (table.Key{}) {
		return nil
	}
	return s.indexes[index].Put(placeBytes(to.Partition, table.Position{Sort: to.Sort, Key: key}), nil)
}
