package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Marks say which bindings have something to be written, or to be looked at. A
// mark is a place of the binding's item in an index, set in the transaction that
// makes it necessary.
type Marks struct{ db *db }

const laneUrgent = "u"

var lanes = []string{"0", "1", "2", "3"} // as many as markLanes

// MarkLanes is in how many lanes the marks of a connection lie; the first is
// that of the urgent ones.
const MarkLanes = 1 + markLanes

// laneOf is the lane of a mark. Nobody but a user leaves: marks of other objects are
// planned with all others, however urgent. Memberships of one group lie in one lane, so
// that they are planned after each other: added together they cost a third (GG 3.2).
func laneOf(r directory.Ref, urgent bool) string {
	if urgent && r.Kind == directory.KindAccount {
		return laneUrgent
	}
	of := r.ID
	if r.Kind == directory.KindMember {
		of, _, _ = strings.Cut(of, ".")
	}
	return strconv.Itoa(int(hashOf(of) % markLanes))
}

// markPlace is where a mark of a time stands.
func markPlace(c directory.ConnectionID, epoch int64, r directory.Ref, urgent bool, at time.Time) table.Key {
	return table.Key{
		Partition: marksPartition(c, epoch, laneOf(r, urgent)),
		Sort:      fmt.Sprintf("%013d#%s", at.UnixMilli(), refName(r)),
	}
}

// markWrite says that version of the user must reach the account. It changes
// only numbers and the mark, and holds while the binding is of the same
// connection and epoch. A mark that is there already keeps its urgency; its
// time moves, so that a plan made before can be seen to be out of date.
func markWrite(b table.Item, version int64, urgent bool, at time.Time) table.Write {
	urgent = urgent || b.Numbers[numUrgent] != 0
	key := markPlace(directory.ConnectionID(b.Strings[strConnection]), b.Numbers[numEpoch], refOf(b.Key), urgent, at)
	up := &table.Update{Key: b.Key, SetIndex2: &key, SetNumbers: map[string]int64{numUserVersion: version, numMarked: at.UnixMilli()}}
	if urgent {
		up.SetNumbers[numUrgent] = 1
	}
	return table.Write{Update: up, If: table.When(
		table.NumberIs(numEpoch, table.Equal, b.Numbers[numEpoch]),
		table.StringIs(strConnection, b.Strings[strConnection]),
		table.NumberIs(numMarked, table.Equal, b.Numbers[numMarked]),
		table.NumberIs(numUrgent, table.Equal, b.Numbers[numUrgent]),
	)}
}

// Mark is a hint that a binding has something to be written.
type Mark struct {
	Ref    directory.Ref
	At     time.Time
	Urgent bool
}

// UrgentMarks lists bindings whose block must not wait, oldest first, up to
// limit from a cursor; next is "" at the end.
func (s *Marks) UrgentMarks(ctx context.Context, c directory.ConnectionID, epoch int64, cursor string, limit int) (list []Mark, next string, err error) {
	return s.db.marks(ctx, c, epoch, laneUrgent, cursor, limit)
}

// MarksAfter is the cursor of UrgentMarks that begins with marks after a time.
func MarksAfter(at time.Time) string { return fmt.Sprintf("%013d$", at.UnixMilli()) }

// ListMarks lists the other bindings with something to be written, up to limit from
// a cursor; next is "" at the end. Marks of a time to come are left out.
func (s *Marks) ListMarks(ctx context.Context, c directory.ConnectionID, epoch int64, cursor string, limit int) (list []Mark, next string, err error) {
	at, after := 0, ""
	if cursor != "" {
		if at = slices.Index(lanes, cursor[:1]); at < 0 || len(cursor) < 2 {
			return nil, "", fmt.Errorf("marks: bad cursor: %w", directory.ErrInvalid)
		}
		after = cursor[2:]
	}
	for ; at < len(lanes); at, after = at+1, "" {
		marks, more, err := s.db.marks(ctx, c, epoch, lanes[at], after, limit-len(list))
		if err != nil {
			return nil, "", err
		}
		list = append(list, marks...)
		if more != "" {
			return list, lanes[at] + ":" + more, nil
		}
		if len(list) >= limit && at+1 < len(lanes) {
			return list, lanes[at+1] + ":", nil
		}
	}
	return list, "", nil
}

// MarkedSince lists the marks that are not urgent from after a time, in parts.
func (s *Marks) MarkedSince(ctx context.Context, c directory.ConnectionID, epoch int64, since time.Time) iter.Seq2[[]Mark, error] {
	return func(yield func([]Mark, error) bool) {
		for _, lane := range lanes {
			for after := MarksAfter(since); after != ""; {
				marks, next, err := s.db.marks(ctx, c, epoch, lane, after, 100)
				if err != nil {
					yield(nil, err)
					return
				}
				after = next
				if len(marks) > 0 && !yield(marks, nil) {
					return
				}
			}
		}
	}
}

// marks lists up to limit marks of a lane; more is where to go on, "" at the end.
func (d *db) marks(ctx context.Context, c directory.ConnectionID, epoch int64, lane, after string, limit int) (list []Mark, more string, err error) {
	page, err := d.table.Query(ctx, table.Query{Index: 2, Partition: marksPartition(c, epoch, lane), After: after, Limit: limit})
	if err != nil {
		return nil, "", fail("marks", err)
	}
	now := d.now().UnixMilli()
	for _, it := range page.Items {
		if it.Numbers[numMarked] > now {
			return list, "", nil
		}
		list = append(list, Mark{Ref: refOf(it.Key), At: fromMillis(it.Numbers[numMarked]), Urgent: lane == laneUrgent})
		more = it.Index2.Sort
	}
	if page.Next == "" {
		more = ""
	}
	return list, more, nil
}

// OldMark reports whether a lane holds a binding that was marked before a time,
// and after another one (zero: at any time).
func (s *Marks) OldMark(ctx context.Context, c *directory.Connection, lane int, after, before time.Time) (bool, error) {
	name, from := laneUrgent, ""
	if lane > 0 {
		name = lanes[lane-1]
	}
	if !after.IsZero() {
		from = MarksAfter(after)
	}
	marks, _, err := s.db.marks(ctx, c.ID, c.Epoch, name, from, 1)
	return len(marks) > 0 && marks[0].At.Before(before), err
}

// MarkWanted says that a version of an object must reach the tenant, for kinds
// whose objects lie elsewhere than in the store; an edit of a user marks by itself.
// Nothing is done when the binding is not of this connection and epoch, or that
// version, or a later one, is known. Only accounts are marked as urgent.
func (s *Marks) MarkWanted(ctx context.Context, c *directory.Connection, r directory.Ref, version int64, urgent bool) error {
	for {
		it, bound, err := s.db.find(ctx, bindingKey(r, c.ID))
		if err != nil {
			return fail("mark", err)
		}
		ours := bound && it.Numbers[numEpoch] == c.Epoch && it.Strings[strConnection] == string(c.ID)
		if !ours || it.Numbers[numUserVersion] >= version {
			return nil
		}
		err = s.db.table.Write(ctx, markWrite(it, version, urgent, s.db.now()))
		if !refused(err) {
			return fail("mark", err)
		}
	}
}

// MarkRecheck asks for bindings to be read and compared, from a time on, while
// the lease is ours. Bindings that are not of this connection and epoch are
// left alone.
func (s *Marks) MarkRecheck(ctx context.Context, l *Lease, refs []directory.Ref, at time.Time) error {
	for part := range slices.Chunk(refs, table.MaxWrites-1) { // the lease is checked too
		for {
			err := s.markRecheck(ctx, l, part, at)
			if err == nil {
				break
			}
			if !errors.Is(err, errBindingMoved) {
				return err
			}
		}
	}
	return nil
}

func (s *Marks) markRecheck(ctx context.Context, l *Lease, part []directory.Ref, at time.Time) error {
	writes := []table.Write{l.check()}
	for it, err := range s.db.each(ctx, bindingKeys(l.ConnectionID, part)) {
		if err != nil {
			return fail("mark", err)
		}
		n := it.Numbers
		ours := n[numEpoch] == l.Epoch && it.Strings[strConnection] == string(l.ConnectionID)
		marked := n[numMarked] != 0 && n[numMarked] <= at.UnixMilli()
		asked := marked && n[numRecheck] != 0
		sooner := marked && at.After(s.db.now()) // an edit came meanwhile, which does not wait until then
		if !ours || asked || sooner {
			continue
		}
		w := markWrite(it, n[numUserVersion], false, at)
		w.Update.SetNumbers[numRecheck] = 1
		w.If.AnyOf[0] = append(w.If.AnyOf[0], table.NumberIs(numUserVersion, table.Equal, n[numUserVersion]))
		writes = append(writes, w)
	}
	if len(writes) == 1 {
		return nil
	}
	err := s.db.table.Write(ctx, writes...)
	f, moved := failed(err)
	if !moved {
		return fail("mark", err)
	}
	if _, lost := f[0]; lost {
		return fmt.Errorf("mark: %w", directory.ErrLeaseLost)
	}
	return errBindingMoved
}
