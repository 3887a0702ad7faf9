package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// BindingChange edits one binding in a Journal. Mutate is given the binding as
// stored and may be called again when the binding moved meanwhile; false
// leaves it alone. Returning true with Applied raised to the version that
// was dealt with clears the mark, unless a newer version is wanted.
type BindingChange struct {
	Ref    directory.Ref
	Mutate func(*directory.Binding) bool
	// Claim is set when the binding gets its account: the account is claimed
	// in the same transaction.
	Claim directory.AccountID
	// Create makes the binding anew if the user has none: the undo of a release.
	// The user must be at the version that it wants.
	Create *directory.Binding
	// Remove lets the binding go, with its claim on the account.
	Remove bool
	// Deleted, with Remove, is the object in the tenant that the end of the binding has
	// deleted by a request of ours: an export of a group that begins again finds it.
	Deleted directory.AccountID
	// Later, when not 0, has the binding looked at again after that time; an
	// edit that came meanwhile keeps its mark, and its urgency.
	Later time.Duration
	// Urgent keeps the urgency of a mark that Later moves.
	Urgent bool
	// Leave moves the mark by Later and touches nothing else: the binding is of a
	// kind that only a newer version knows, and so may be what it holds.
	Leave bool
}

// Journal is what one batch did.
type Journal struct {
	Run      *RunRecord
	Chunk    int
	Seq      int // of the results item; one that is there already is not written again
	Results  []Result
	Bindings []BindingChange
	// Counts has the number of changes applied in the form of plan.Counter; that
	// of a run that nobody approved is remembered for the guard.
	Counts map[string]int64
	// Refs are what the results concern, and Tally is the number of results by state
	// and effect ("applied/update"): for what is reported of them.
	Refs  []directory.Ref
	Tally map[string]int
	// Read are users as they were read before, if they were: a binding that nobody has
	// written since is not read again.
	Read map[directory.UserID]Subject
	// End, when not nil, ends the run with these results, its last ones: the run as
	// it is to be stored then, at the version read.
	End *RunRecord
	// Release, when not nil, says with End whether the lease is to be given back in the
	// same transaction, and with what; it is asked once the bindings have been changed.
	// The lease stays when a wake-up came meanwhile; l.Released says that it did not.
	Release func() *RunEnd

	counted bool // the lease's item counts the results
}

// ErrRunMoved says that a run was changed meanwhile that was to be ended with its
// last results: nothing was written.
var ErrRunMoved = errors.New("store: the run was changed since it was read")

// Journal writes the results of a batch, the bindings that they change and the
// run's counters in one transaction, while the lease is ours. *directory.Claimed when an
// account is bound to somebody else. ErrLeaseLost when the epoch or the fence
// has passed; ErrStale when this results item was written before; ErrRunMoved.
func (s *Runs) Journal(ctx context.Context, l *Lease, c *directory.Connection, j Journal) error {
	for attempt := 0; ; attempt++ {
		err := s.journal(ctx, l, c, j)
		if errors.Is(err, errKept) {
			j.Release = nil
			continue
		}
		if !errors.Is(err, errBindingMoved) || attempt == 20 {
			return err
		}
		j.Read = nil
	}
}

func (s *Runs) journal(ctx context.Context, l *Lease, c *directory.Connection, j Journal) error {
	items, err := s.journalled(ctx, l, c, &j)
	if err != nil {
		return err
	}
	j.counted = j.End != nil && l.Run == j.End.ID && len(j.Results) > 0
	writes := []table.Write{{}} // the lease's
	at := journalPlaces{results: -1, run: -1}
	ended := func() {}
	counts := map[string]int64{}
	if j.Run != nil {
		if len(j.Results) > 0 {
			at.results = len(writes)
			writes = append(writes, s.resultsWrites(&j)...)
		}
		at.run = len(writes)
		own, saved, err := s.countWrites(ctx, l, &j)
		if err != nil {
			return fail("journal", err)
		}
		writes, ended = append(writes, own...), saved
		if j.Run.ApprovedBy == "" {
			maps.Copy(counts, j.Counts)
		}
	}
	at.bindings = len(writes)
	w := bindingWriter{db: s.db, lease: l, conn: c, items: items, bound: map[directory.Kind]gains{}, arrivals: arrivals{}}
	for _, bc := range j.Bindings {
		more, err := w.change(ctx, bc)
		if err != nil {
			return err
		}
		writes = append(writes, more...)
	}
	for name, n := range w.newAccounts {
		counts[name] += n // approved or not: what is new raises no allowance yet
	}
	writes = append(writes, w.counters()...)
	if len(counts) > 0 {
		writes = append(writes, hourWrite(l.ConnectionID, j.Chunk, counts, s.db.now()))
	}
	var released bool
	writes[0], released = j.lease(l, s.db.now())
	today := l.today
	if j.counted {
		var over []dayCount
		at, _ := s.resultsPlace(&j)
		today, over = l.today.count(writes[0].Update, at, j.Tally)
		for _, d := range over {
			writes = append(writes, d.write(l.ConnectionID, s.db.retention))
		}
	}
	writes, err = s.withHints(ctx, writes, &j)
	if err != nil {
		return err
	}
	err = s.db.table.Write(ctx, writes...)
	if f, refused := failed(err); refused {
		if held, kept := f[0]; released && kept && l.isCurrent(held) {
			return errKept
		}
		return at.refusal(f, j.End != nil, err)
	}
	if err == nil && j.Run != nil {
		j.Run.Attempts = 0
		ended()
		if j.End != nil {
			l.notePast(j.End.ID)
			l.Released, l.today = released, today
		}
	}
	return fail("journal", err)
}

// errKept says that a lease that was to be given back is wanted by a wake-up.
var errKept = errors.New("store: the lease is kept")

// lease is the check of the lease. A run that ends leaves it with that, and the lease
// is given back if that is wished.
func (j *Journal) lease(l *Lease, now time.Time) (w table.Write, released bool) {
	if j.End == nil {
		return l.check(), false
	}
	if j.Release == nil {
		return l.past(j.End.ID), false
	}
	end := j.Release()
	if end == nil {
		return l.past(j.End.ID), false
	}
	w = l.release(*end, false, now)
	w.Update.AddVersion = 1 // with it go the run, and what was counted
	if l.Run == j.End.ID {
		w.Update.RemoveStrings = append(w.Update.RemoveStrings, strRun)
	}
	return w, true
}

// journalled reads the bindings of changes, and the claims of accounts that they gain.
func (s *Runs) journalled(ctx context.Context, l *Lease, c *directory.Connection, j *Journal) (map[table.Key]table.Item, error) {
	var keys []table.Key
	items := map[table.Key]table.Item{}
	for _, b := range j.Bindings {
		if read := j.Read[b.Ref.User()]; read.Binding != nil {
			items[read.binding.Key] = read.binding
		} else {
			keys = append(keys, bindingKey(b.Ref, l.ConnectionID))
		}
		if b.Claim != "" {
			keys = append(keys, claimKey(c.Tenant.ID, b.Ref.Kind, b.Claim))
		}
	}
	for it, err := range s.db.each(ctx, keys) {
		if err != nil {
			return nil, fail("journal", err)
		}
		items[it.Key] = it
	}
	return items, nil
}

// journalPlaces are where the parts of a journal stand in its transaction, after
// the check of the lease; -1: it has none. What follows the first binding is theirs.
type journalPlaces struct{ results, run, bindings int }

// refusal is what it means that writes of the transaction were refused; ends says
// that it was to end the run.
func (at journalPlaces) refusal(f map[int]*table.Item, ends bool, err error) error {
	_, lost := f[0]
	_, done := f[at.results]
	_, moved := f[at.run]
	switch {
	case lost:
		return fmt.Errorf("journal: %w", directory.ErrLeaseLost)
	case done:
		return fmt.Errorf("journal: results are there: %w", directory.ErrStale)
	case moved && ends:
		return ErrRunMoved
	case moved:
		return fmt.Errorf("journal: run: %w", directory.ErrStale)
	}
	for i := range f {
		if i >= at.bindings {
			return errBindingMoved
		}
	}
	return err
}

// countWrites add what became of a batch to the counters of its run, the first of
// them, and end it if it ends with that. ended is to be called when that has been done.
func (s *Runs) countWrites(ctx context.Context, l *Lease, j *Journal) (writes []table.Write, ended func(), err error) {
	count := countWrite(j)
	if j.End == nil {
		return []table.Write{count}, func() {}, nil
	}
	j.End.Attempts = 0
	writes, saved, err := s.runWrites(ctx, l, j.End, nil)
	if err != nil {
		return nil, nil, err
	}
	writes[0].Update.AddNumbers = count.Update.AddNumbers
	return writes, saved, nil
}

// countWrite adds what became of a batch to the counters of its run.
func countWrite(j *Journal) table.Write {
	add := map[string]int64{}
	for _, r := range j.Results {
		switch r.State {
		case directory.ChangeApplied:
			add[numDone]++
		case directory.ChangeFailed:
			add[numFailed]++
		case directory.ChangeRefused, directory.ChangeOutdated, directory.ChangeDeclined:
			add[numRefused]++
		}
	}
	return table.Write{Update: &table.Update{Key: runKey(j.Run.ID), AddNumbers: add, SetNumbers: map[string]int64{numAttempts: 0}}, If: table.Condition{Present: true}}
}

// JournalLate records what a batch did that was in flight when the epoch
// passed: the run's results only, since the bindings do not count any more.
func (s *Runs) JournalLate(ctx context.Context, j Journal) error {
	writes := append(s.resultsWrites(&j), countWrite(&Journal{Run: j.Run, Results: j.Results}), pendingLinkWrite(&j.Run.Run, BecauseLate, s.db.now()))
	if j.Run.ApprovedBy == "" && len(j.Counts) > 0 {
		writes = append(writes, hourWrite(j.Run.ConnectionID, j.Chunk, j.Counts, s.db.now()))
	}
	writes, err := s.withHints(ctx, writes, &j)
	if err != nil {
		return err
	}
	err = s.db.table.Write(ctx, writes...)
	if refused(err) {
		return nil // done before
	}
	return fail("journal late", err)
}

// resultsPlace is where a batch's results stand among other activity.
func (s *Runs) resultsPlace(j *Journal) (time.Time, string) {
	var at time.Time
	for _, r := range j.Results {
		at = latest(at, r.At)
	}
	if at.IsZero() {
		at = s.db.now()
	}
	return at, place(at, fmt.Sprintf("%s%s#%06d#%06d", resultsRef, j.Run.ID, j.Chunk, j.Seq))
}

// resultsWrites are the results of a batch as the table keeps them, and what they
// add to the counts of the day. The first fails when they are there already.
func (s *Runs) resultsWrites(j *Journal) []table.Write {
	at, place := s.resultsPlace(j)
	writes := []table.Write{{
		Put: &table.Item{
			Key: resultsKey(j.Run.ID, j.Chunk, j.Seq), Body: encode(j.Results), Expires: s.db.expiry(),
			Index1: table.Key{Partition: connectionActivity(j.Run.ConnectionID), Sort: place},
			Index2: table.Key{Partition: activityPartition, Sort: place},
		},
		If: table.Condition{Absent: true},
	}}
	if len(j.Tally) > 0 && !j.counted {
		writes = append(writes, dayWrite(j.Run.ConnectionID, at, j.Tally, s.db.retention))
	}
	return writes
}

// withHints adds the hints for what a journal concerns to its writes. When there is no
// room for them in the transaction they go ahead of it: a hint that leads to
// nothing does no harm.
func (s *Runs) withHints(ctx context.Context, writes []table.Write, j *Journal) ([]table.Write, error) {
	if len(j.Results) == 0 {
		return writes, nil
	}
	_, place := s.resultsPlace(j)
	hints := hintWrites(j.Refs, place, s.db.expiry())
	if len(writes)+len(hints) <= table.MaxWrites {
		return append(writes, hints...), nil
	}
	for part := range slices.Chunk(hints, table.MaxWrites) {
		if err := s.db.table.Write(ctx, part...); err != nil {
			return nil, fail("journal", err)
		}
	}
	return writes, nil
}
