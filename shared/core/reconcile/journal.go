package reconcile

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// journalled is how many results go into one transaction, if they fit.
const journalled = 2 * BatchSize

// journal makes durable what is known of the batch, with what it means for the
// bindings: in one transaction, or in several when that would be too large. Refusals
// in doubt wait until all answers of the flight are there.
func (b *batch) journal(ctx context.Context) error {
	held := map[int]store.Result{}
	if b.f.awaited > 0 && b.f.leased {
		for _, i := range b.doubtful() {
			held[i] = b.results[i]
			delete(b.results, i)
		}
	}
	now := b.results
	defer func() { b.results = held }()
	if len(now) == 0 {
		return nil
	}
	if b.f.leased && len(b.send) > 0 {
		b.f.of.Clarify(ctx, b.k.changes, now)
	}
	b.oneEach()
	var err error
	for part := range slices.Chunk(slices.Sorted(maps.Keys(now)), journalled) {
		err = errors.Join(err, inParts(part, func(part []int) error { return b.journalPart(ctx, part) }))
		if err != nil && !errors.Is(err, directory.ErrLeaseLost) {
			return err
		}
	}
	if err != nil {
		return err
	}
	looked := make([]*directory.Binding, 0, len(now))
	for i := range now {
		looked = append(looked, b.f.records[b.k.changes[i].Ref()])
	}
	b.a.moves.wake(ctx, looked)
	return b.f.of.Journalled(ctx, b.k.changes, now)
}

// moves wakes the connections that users move to. The mark of each stands in the
// table: a lost wake-up costs minutes.
type moves struct {
	s    *session
	send Send
}

func (m moves) wake(ctx context.Context, list []*directory.Binding) {
	woken := map[directory.ConnectionID]bool{}
	for _, b := range list {
		if b == nil || b.MoveTo == nil || woken[b.MoveTo.ConnectionID] {
			continue
		}
		woken[b.MoveTo.ConnectionID] = true
		if err := m.send(ctx, directory.WakeUp{ConnectionID: b.MoveTo.ConnectionID}, 0); err != nil {
			m.s.log.Warn("the connection that users moved to was not woken", "connectionId", b.MoveTo.ConnectionID, "error", err)
		}
	}
}

// inParts does something with a list, in halves when the whole is too large.
// Without the lease the other half is still told, as what was in flight.
func inParts[T any](list []T, do func([]T) error) error {
	if len(list) == 0 {
		return nil
	}
	err := do(list)
	if half := len(list) / 2; half > 0 && errors.Is(err, directory.ErrTooLarge) {
		if err = inParts(list[:half], do); err == nil || errors.Is(err, directory.ErrLeaseLost) {
			err = errors.Join(err, inParts(list[half:], do))
		}
	}
	return err
}

func (b *batch) journalPart(ctx context.Context, part []int) error {
	for {
		j := store.Journal{Run: b.k.t.run, Chunk: b.k.number, Seq: b.k.results, Counts: b.counts(part)}
		for _, i := range part {
			j.Results = append(j.Results, b.results[i])
			j.Bindings = append(j.Bindings, b.consequenceOf(i).bindingChange())
		}
		b.k.describe(&j)
		if b.ends(part) {
			j.End = b.ended()
			j.Release = b.release(j.End)
		}
		err := b.a.journal.Journal(ctx, &b.s.lease, &b.s.conn, j)
		if errors.Is(err, store.ErrRunMoved) {
			// An admin has decided about it meanwhile: the results come first.
			j.End = nil
			err = b.a.journal.Journal(ctx, &b.s.lease, &b.s.conn, j)
		}
		if err == nil && j.End != nil {
			*b.k.t.run = *j.End
			b.a.queue.noteEnd(b.k.t.run)
		}
		if claimed, ok := errors.AsType[*directory.Claimed](err); ok && b.loseClaim(claimed) {
			continue
		}
		if errors.Is(err, directory.ErrLeaseLost) {
			b.k.results++
			return b.k.journalLost(ctx, j, err)
		}
		if err != nil {
			return err
		}
		b.k.results++
		for _, r := range j.Results {
			b.count(r)
		}
		return nil
	}
}

// ends reports whether a part of the batch's results are the last ones of a run that
// has one chunk, so that the run ends with them, in their transaction.
func (b *batch) ends(part []int) bool {
	r, at := b.k.t.run, b.k.t.at
	if r.Chunks != 1 || r.State != directory.RunApplying || at.Exempt || len(at.Waves) > 0 ||
		len(part) != len(b.results) || b.lost != nil || b.stuck != nil {
		return false
	}
	for j := range b.k.changes {
		if c := &b.k.changes[j]; open(c) && b.state(j) == c.State {
			return false
		}
	}
	return true
}

// ended is the run as it is stored with its last results.
func (b *batch) ended() *store.RunRecord {
	r := *b.k.t.run
	at := *b.k.t.at
	for at.Phase <= directory.LastPhase {
		at.NextPhase()
	}
	b.a.queue.end(&r)
	r.Cursor = at.Encode()
	return &r
}

// release says with what the lease is given back as the run ends, where that is the
// last thing that this slice does: a run on the lease, of a user whom the wake-up
// names. Whatever else comes meanwhile marks the lease as wanted, which keeps it.
func (b *batch) release(r *store.RunRecord) func() *store.RunEnd {
	if b.s.lease.Run != r.ID {
		return nil
	}
	return func() *store.RunEnd {
		none, last := b.a.queue.lastRun(r.ID)
		end := b.a.cadence.over(r)
		if !last || end == nil || b.a.domains.doubted || b.a.dependents.any() {
			return nil
		}
		end.NoneOpen = none
		return end
	}
}

// counts is what was applied, as the guard remembers it.
func (b *batch) counts(part []int) map[string]int64 {
	var list []directory.Change
	for _, i := range part {
		if b.results[i].State == directory.ChangeApplied {
			list = append(list, b.k.changes[i])
		}
	}
	sum := plan.TallyOf(list).Counter()
	if n := b.touched(part); n > 0 {
		sum[numRemapped+b.s.settingsDigest()] = int64(n)
	}
	return sum
}

// touched is to how many users has been written, of a plan from before all marks
// had been planned with the settings as they are. Each counts with the last of
// their changes.
func (b *batch) touched(part []int) int {
	if !b.k.t.run.Remapped {
		return 0
	}
	n, seen := 0, map[directory.Ref]bool{}
	for _, i := range part {
		ref := b.k.changes[i].Ref()
		if seen[ref] || !b.lastOf(ref) {
			continue
		}
		seen[ref] = true
		var applied []directory.Change
		for j := range b.k.changes {
			c := &b.k.changes[j]
			if c.Ref() == ref && b.state(j) == directory.ChangeApplied {
				applied = append(applied, *c)
			}
		}
		n += plan.TouchedBy(applied)
	}
	return n
}

// oneEach sees to it that no account is gained twice in one batch: of two users
// with one address the first gets it.
func (b *batch) oneEach() {
	gained := map[directory.AccountID]directory.Ref{}
	for _, i := range slices.Sorted(maps.Keys(b.results)) {
		c, r := &b.k.changes[i], b.results[i]
		if r.State != directory.ChangeApplied || !c.Effect.Row().Gains {
			continue
		}
		id := r.AccountID
		if id == "" {
			id = c.AccountID
		}
		id = directory.AccountID(strings.ToLower(string(id)))
		if first, taken := gained[id]; taken {
			b.result(i, directory.ChangeFailed, b.f.objects.Taken(first))
			continue
		}
		gained[id] = c.Ref()
	}
}

// count brings the chunk in memory and the slice's summary up to date, with a result
// that is durable: until then its outcome stays noted as unknown.
func (b *batch) count(r store.Result) {
	c := &b.k.changes[r.Index]
	delete(b.a.outcomes, c.ID)
	c.State, c.Error, c.RequestID = r.State, r.Error, r.RequestID
	if r.AccountID != "" {
		c.AccountID = r.AccountID
	}
	switch r.State {
	case directory.ChangeApplied:
		b.s.sum.Applied++
	case directory.ChangeFailed:
		b.s.sum.Failed++
	case directory.ChangeRefused:
		b.s.sum.Refused++
	}
}

// loseClaim turns an adoption whose account somebody else got in the meantime
// into a failed change.
func (b *batch) loseClaim(claimed *directory.Claimed) bool {
	for i, r := range b.results {
		c := &b.k.changes[i]
		id := r.AccountID
		if id == "" {
			id = c.AccountID
		}
		if r.State == directory.ChangeApplied && strings.EqualFold(string(id), claimed.Name) && c.Effect.Row().Gains {
			b.result(i, directory.ChangeFailed, b.f.objects.Taken(claimed.By()))
			return true
		}
	}
	return false
}

// lastOf reports whether no change of an object is left to send in the chunk.
func (b *batch) lastOf(ref directory.Ref) bool {
	for j := range b.k.changes {
		if c := &b.k.changes[j]; c.Ref() == ref && open(c) && b.state(j) == c.State {
			return false
		}
	}
	return true
}

// state is that of a change, after the batch if that came to a result with it.
func (b *batch) state(j int) directory.ChangeState {
	if r, now := b.results[j]; now {
		return r.State
	}
	return b.k.changes[j].State
}

// describe says of a journal's results what their changes alone know: whom they
// concern, and how many of which effect came to what.
func (k *chunk) describe(j *store.Journal) {
	j.Refs, j.Tally = make([]directory.Ref, len(j.Results)), map[string]int{}
	for i, r := range j.Results {
		c := &k.changes[r.Index]
		j.Refs[i] = c.Ref()
		j.Tally[string(r.State)+"/"+string(c.Effect)]++
	}
}
