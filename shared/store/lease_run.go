package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// # A run on the lease
//
// A small run is stored, sent and ended within a moment. So that it costs no item of
// the list of open runs, which would be written only to be deleted, it may stand on
// the lease's item instead (BeginRun): noting it there costs no more than the check
// of the lease, and the transaction of its end takes it away. One run at most stands
// there, and it does so only while nothing but its plan and its results is stored of
// it: whatever else is saved of it moves it to the list of open runs.
//
// A holder that dies leaves it there, and whoever takes the lease next goes on with
// it (OpenRunsUnder). A version that does not know of it leaves it where it is, and
// plans the users anew, whose bindings are still marked; so only runs may stand here
// of which a second plan finds what was written as what is wanted. Therefore:
//
//   - None is put here before an hour has passed in which only holders were seen that
//     know of it (mayHaveRun), so that no deployment leaves one behind.
//   - After a roll-back one may be left here by a holder that has died. Whoever rolls
//     forward finds it overtaken, and ends it: its plan is as old as the roll-back.

// strRun names, on a lease's item, a run that has not ended and does not stand in the
// list of open runs.
const strRun = "openRun"

// begin is the check of the lease by which it is renewed and a run noted on it.
// A connection that was changed since the lease was taken refuses it.
func (l *Lease) begin(id directory.RunID, until time.Time) table.Write {
	w := l.renewal(until)
	strings := map[string]string{strRun: string(id)}
	for name, s := range w.Update.SetStrings {
		strings[name] = s
	}
	w.Update.SetStrings, w.Update.AddVersion = strings, 1
	return w
}

// past is the check of the lease by whoever stores something of a run that is not to
// stand on the lease any more.
func (l *Lease) past(id directory.RunID) table.Write {
	if l.Run != id {
		return l.check()
	}
	return table.Write{Update: &table.Update{Key: leaseKey(l.ConnectionID), AddVersion: 1, RemoveStrings: []string{strRun}}, If: l.current()}
}

// pastUnchanged is past for what was decided by the settings of the connection.
func (l *Lease) pastUnchanged(id directory.RunID) table.Write { return l.unchanged(l.past(id)) }

// notePast notes that a write with past was made.
func (l *Lease) notePast(id directory.RunID) {
	if l.Run == id {
		l.Run, l.Overtaken = "", false
	}
}

// BeginRun stores a new run with the whole of its plan, of which nothing but its
// results is to be stored before it ends, and renews the lease for ttl: it is at once
// the strongly consistent check of epoch and lease, as RenewLease is, of whom the
// errors are too. l.Run says whether the run stands on the lease by that. Where
// another one does, or an older version may be at work, this one comes into the list
// of open runs, and nothing is renewed.
func (s *Runs) BeginRun(ctx context.Context, l *Lease, r *RunRecord, changes []directory.Change, ttl time.Duration, notes ...Note) error {
	now := s.db.now()
	if l.Run != "" || !l.mayHaveRun(now) {
		return s.AppendChunk(ctx, l, r, changes, notes...)
	}
	until := now.Add(ttl)
	chunk := s.newChunk(r, changes)
	r.Chunks++
	item, err := s.newRun(ctx, r)
	if err != nil {
		r.Chunks--
		return fail("begin run", err)
	}
	writes := []table.Write{l.begin(r.ID, until), {Put: item, If: table.Condition{Absent: true}}, chunk}
	err = s.db.table.Write(ctx, append(writes, noteWrites(r.ID, notes, item.Expires)...)...)
	if f, refused := failed(err); refused {
		r.Chunks--
		at, leaseFailed := f[0]
		switch {
		case leaseFailed && l.isCurrent(at):
			return ErrConnectionChanged
		case leaseFailed:
			return fmt.Errorf("begin run: %w", directory.ErrLeaseLost)
		}
		return fmt.Errorf("begin run: %w", directory.ErrStale)
	}
	l.Run = r.ID // also where it is not known whether it was stored
	if err != nil {
		r.Chunks--
		return fail("begin run", err)
	}
	l.Until = until
	r.Version, r.seals = 1, sealsOf(item)
	return nil
}

// isCurrent reports whether the lease's item, as it refused a write, is still that of
// the holder (current).
func (l *Lease) isCurrent(it *table.Item) bool {
	return it != nil && it.Numbers[numFence] == l.Fence && it.Numbers[numEpoch] == l.Epoch && it.Numbers[numLeaseUntil] > 0
}

// OpenRunsUnder is OpenRuns for whoever has the lease, or has read it and found it
// free.
func (s *Runs) OpenRunsUnder(ctx context.Context, l *Lease) ([]directory.RunID, error) {
	ids, err := s.db.openRuns(ctx, l.ConnectionID)
	return l.withRun(ids), err
}

// withRun adds the run on the lease to those of the list, in its place.
func (l *Lease) withRun(ids []directory.RunID) []directory.RunID {
	if l.Run == "" {
		return ids
	}
	if at, there := slices.BinarySearch(ids, l.Run); !there {
		ids = slices.Insert(ids, at, l.Run)
	}
	return ids
}

// allOpenRuns are those of the list and the one on the lease. That of a holder who has
// gone on since has ended: it is told apart by its record.
func (d *db) allOpenRuns(ctx context.Context, c directory.ConnectionID) ([]directory.RunID, error) {
	it, _, err := d.find(ctx, leaseKey(c)) // first: a run goes from the lease to the list
	if err != nil {
		return nil, fail("open runs", err)
	}
	ids, err := d.openRuns(ctx, c)
	if err != nil {
		return nil, err
	}
	l := Lease{Run: directory.RunID(it.Strings[strRun])}
	return l.withRun(ids), nil
}

// CloseRun takes a run off the list of open runs, and off the lease, whose record has
// expired or says that it has ended.
func (s *Runs) CloseRun(ctx context.Context, l *Lease, id directory.RunID) error {
	key := openRunKey(l.ConnectionID, id)
	writes := []table.Write{{Delete: &key}}
	if l.Run == id {
		writes = append(writes, l.past(id))
	}
	err := s.db.table.Write(ctx, writes...)
	if refused(err) {
		return fmt.Errorf("close run: %w", directory.ErrLeaseLost)
	}
	if err == nil {
		l.notePast(id)
	}
	return fail("close run", err)
}
