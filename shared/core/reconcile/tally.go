package reconcile

import (
	"context"
	"slices"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// tally is what a run's plan adds up to, chunk by chunk.
type tally struct {
	run     *store.RunRecord
	chunks  int // how many of the first chunks are in it
	counts  plan.Tally
	changes int // of what is to be sent
	touched int // users whose accounts are changed other than by being made or adopted
	// classes counts, for each chunk, the changes that may go in waves.
	classes []map[directory.Effect]int
}

func newTally(r *store.RunRecord) *tally { return &tally{run: r, counts: plan.Tally{}} }

// add counts the changes of the next chunk.
func (t *tally) add(changes []directory.Change) {
	classes := map[directory.Effect]int{}
	for i := range changes {
		if class, in := classOf(&changes[i], t.run.Remapped); in {
			classes[class]++
		}
	}
	t.classes = append(t.classes, classes)
	t.chunks++
	sent := slices.DeleteFunc(slices.Clone(changes), func(c directory.Change) bool { return c.State == directory.ChangeRefused })
	t.changes += len(sent)
	t.counts.Add(sent)
	t.touched += plan.TouchedBy(sent)
}

// complete counts the chunks that are not in it yet: another slice has planned
// them.
func (t *tally) complete(ctx context.Context, s *session, chunks chunkStore) error {
	for t.chunks < t.run.Chunks {
		if err := s.inTime(ctx); err != nil {
			return err
		}
		changes, _, err := chunks.Chunk(ctx, t.run.ID, t.chunks)
		if err != nil {
			return err
		}
		t.add(changes)
	}
	return nil
}

// ofAccounts is the part of the counts that is about accounts: only these are users
// of the directory, with their departments.
func (t *tally) ofAccounts() plan.Tally { return t.counts.Of("") }

// reset has all chunks counted anew.
func (t *tally) reset() { *t = *newTally(t.run) }

// before is how many changes of a kind the chunks before one have.
func (t *tally) before(class directory.Effect, chunk int) int {
	n := 0
	for i := range min(chunk, len(t.classes)) {
		n += t.classes[i][class]
	}
	return n
}

// of is how many changes of a kind a chunk has.
func (t *tally) of(class directory.Effect, chunk int) int {
	if chunk >= len(t.classes) {
		return 0
	}
	return t.classes[chunk][class]
}

// place is where a change stands among those of its kind.
type place struct {
	class   directory.Effect
	ordinal int
}

// places numbers the changes of a chunk that go in waves.
func (t *tally) places(chunk int, changes []directory.Change) map[int]place {
	next := map[directory.Effect]int{}
	places := map[int]place{}
	for i := range changes {
		class, in := classOf(&changes[i], t.run.Remapped)
		if !in {
			continue
		}
		if _, begun := next[class]; !begun {
			next[class] = t.before(class, chunk)
		}
		places[i] = place{class, next[class]}
		next[class]++
	}
	return places
}

// openTally is what a run still has to send: what has been applied of it is in
// the guard's history.
func (g *guard) openTally(ctx context.Context, r *store.RunRecord) (*tally, error) {
	t := newTally(r)
	for chunk := range r.Chunks {
		if err := g.s.inTime(ctx); err != nil {
			return nil, err
		}
		changes, _, err := g.chunks.Chunk(ctx, r.ID, chunk)
		if err != nil {
			return nil, err
		}
		t.add(slices.DeleteFunc(changes, func(c directory.Change) bool { return !open(&c) }))
	}
	return t, nil
}
