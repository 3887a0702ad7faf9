package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// A run with many dangerous changes of one kind sends them in waves: a few, then
// more, then the rest. After each the accounts are read back; what failed or
// reads otherwise than written stops the run, held, with the evidence. The last
// wave has nothing behind it that could be stopped.
//
// A wave is a range of ordinals: the changes of its kind are numbered in the
// order of the plan, so that a slice that takes over finds the same waves.

const (
	firstLook = 30 * time.Second
	nextLooks = 30 * time.Second
)

// place is where a change stands among those of its kind.
type place struct {
	class   directory.Effect
	ordinal int
}

// classOf is the kind of waves that a change goes in. A declined change is in none.
func classOf(c *directory.Change, remapped bool) (directory.Effect, bool) {
	if c.Effect == directory.EffectCreate || c.State == directory.ChangeDeclined {
		return "", false
	}
	return plan.WaveClass(c, remapped)
}

// layWaves finds out which kinds of the run go in waves. Of a held run that are
// those which go all the same; the others are laid out once it is approved.
func (w *worker) layWaves(ctx context.Context, r *store.RunRecord, cur *runs.Progress) error {
	if cur.Laid {
		return nil
	}
	cur.Laid = true
	most := 0
	for e, n := range r.Counts {
		if e != directory.EffectCreate && e != directory.EffectAdopt && e != directory.EffectRevoke {
			most += n
		}
	}
	s := w.cfg.Settings.Breaker
	if len(plan.Waves(most, s)) < 2 {
		return nil
	}
	t, err := w.tally(ctx, r)
	if err != nil {
		return err
	}
	totals := map[directory.Effect]int{}
	for _, chunk := range t.classes {
		for class, n := range chunk {
			totals[class] += n
		}
	}
	for class, n := range totals {
		if cur.Waves[class] != nil || cur.Exempt && !plan.Exempt(r.Held, &directory.Change{Effect: class}) {
			continue
		}
		if sizes := plan.Waves(n, s); len(sizes) > 1 {
			if cur.Waves == nil {
				cur.Waves = map[directory.Effect]*runs.Wave{}
			}
			cur.Waves[class] = &runs.Wave{Number: 1, Allowed: sizes[0], Total: n, Look: w.now().Add(firstLook).UTC()}
		}
	}
	return w.saveRun(ctx, r, cur)
}

// placesOf numbers the changes of a chunk that go in waves.
func (w *worker) placesOf(r *store.RunRecord, chunk int, changes []directory.Change) map[int]place {
	next := map[directory.Effect]int{}
	for i := range min(chunk, len(w.tallied.classes)) {
		for class, n := range w.tallied.classes[i] {
			next[class] += n
		}
	}
	places := map[int]place{}
	for i := range changes {
		if class, in := classOf(&changes[i], r.Remapped); in {
			places[i] = place{class, next[class]}
			next[class]++
		}
	}
	return places
}

// lookAtWaves reads back the waves whose time has come, and lets the next ones
// go, or holds the run. moved says that more may be sent now.
func (w *worker) lookAtWaves(ctx context.Context, r *store.RunRecord, cur *runs.Progress) (moved bool, err error) {
	for _, class := range slices.Sorted(maps.Keys(cur.Waves)) {
		ws := cur.Waves[class]
		if ws.Allowed >= ws.Total || ws.Look.After(w.now()) {
			continue
		}
		if err := w.inTime(ctx); err != nil {
			return false, err
		}
		var out directory.WaveOutcome
		var ready bool
		err := w.attending(r, func() (err error) {
			out, ready, err = w.readBack(ctx, r, class, ws)
			return err
		})
		if err != nil {
			return false, err
		}
		ws.Look = w.now().Add(nextLooks).UTC()
		if !ready {
			continue
		}
		sizes := plan.Waves(ws.Total, w.cfg.Settings.Breaker)
		held := plan.Verdict(w.cfg.Settings.Breaker, out)
		ws.Number, ws.Start = ws.Number+1, ws.Allowed
		ws.Allowed = ws.Total
		if ws.Number < len(sizes) {
			ws.Allowed = min(ws.Total, ws.Start+sizes[ws.Number-1])
		}
		ws.Look = w.now().Add(firstLook).UTC()
		moved = true
		cur.FromFront()
		if held != nil {
			// Whoever lets it go on lets the next wave go.
			if cur.Exempt {
				held.Reasons = append(held.Reasons, r.Held.Reasons...)
				held.Limits, held.Facts = r.Held.Limits, r.Held.Facts
				cur.Exempt, cur.Laid = false, false
			}
			r.Held = held
			w.hold(r)
			w.log().Warn("run stopped between two waves", "connectionId", w.conn.ID, "runId", r.ID, "class", class, "wave", out.Wave,
				"sent", out.Sent, "failed", out.Failed, "mismatched", out.Mismatched)
			break
		}
	}
	r.Attempts = 0
	return moved, w.saveRun(ctx, r, cur)
}

// readBack compares the accounts of a wave with what was written. It is not
// ready while some of it is still to be sent, or may not be visible yet.
func (w *worker) readBack(ctx context.Context, r *store.RunRecord, class directory.Effect, ws *runs.Wave) (out directory.WaveOutcome, ready bool, err error) {
	out = directory.WaveOutcome{Class: class, Wave: ws.Number}
	ready = true
	for chunk := range r.Chunks {
		if chunk >= len(w.tallied.classes) || w.tallied.classes[chunk][class] == 0 {
			continue
		}
		if w.before(class, chunk+1) <= ws.Start {
			continue
		}
		if w.before(class, chunk) >= ws.Allowed {
			break
		}
		changes, _, err := w.Store.Chunk(ctx, r.ID, chunk)
		if err != nil {
			return out, false, err
		}
		var list []*directory.Change
		places := w.placesOf(r, chunk, changes)
		for i := range changes {
			if at, in := places[i]; in && at.class == class && at.ordinal >= ws.Start && at.ordinal < ws.Allowed {
				list = append(list, &changes[i])
			}
		}
		for part := range slices.Chunk(list, 100) {
			if err := w.inTime(ctx); err != nil {
				return out, false, err
			}
			ok, err := w.compareBack(ctx, part, &out)
			if err != nil {
				return out, false, err
			}
			ready = ready && ok
		}
	}
	return out, ready, nil
}

// before is how many changes of a kind the chunks before one have.
func (w *worker) before(class directory.Effect, chunk int) int {
	n := 0
	for i := range min(chunk, len(w.tallied.classes)) {
		n += w.tallied.classes[i][class]
	}
	return n
}

// mostExamples is how many mismatches are told one by one.
const mostExamples = 5

func (w *worker) compareBack(ctx context.Context, list []*directory.Change, out *directory.WaveOutcome) (ready bool, err error) {
	ready = true
	var refs []string
	var sent []*directory.Change
	for _, c := range list {
		switch {
		case open(c):
			return false, nil
		case c.State == directory.ChangeFailed:
			out.Sent++
			out.Failed++
			w.example(out, c, "failed")
		case c.State == directory.ChangeApplied:
			out.Sent++
			if w.now().Sub(c.At) < firstLook {
				return false, nil
			}
			refs, sent = append(refs, string(c.AccountID)), append(sent, c)
		}
	}
	if len(refs) == 0 {
		return true, nil
	}
	found, err := w.lookupAlso(ctx, refs, sent)
	if err != nil {
		return false, err
	}
	for n, c := range sent {
		age := w.now().Sub(c.At)
		verdict := plan.Compare(c, found[n].Account, age)
		if found[n].Err() != nil {
			verdict = plan.Unread(age)
		}
		switch verdict {
		case plan.ReadPending:
			ready = false
		case plan.ReadMismatches:
			out.Mismatched++
			w.example(out, c, "reads back otherwise than written")
		}
	}
	return ready, nil
}

func (w *worker) example(out *directory.WaveOutcome, c *directory.Change, what string) {
	if len(out.Examples) < mostExamples {
		out.Examples = append(out.Examples, fmt.Sprintf("%s %s (change %s)", c.UserPrincipalName, what, c.ID))
	}
}

// lookupAlso reads accounts with the properties that changes name, besides the
// managed ones. Single ones may go without an answer.
func (w *worker) lookupAlso(ctx context.Context, refs []string, changes []*directory.Change) ([]directory.Found, error) {
	selected := w.cfg.Mapper.Selected()
	for _, c := range changes {
		for _, p := range c.Properties {
			if !slices.Contains(selected, p.Name) {
				selected = append(slices.Clip(selected), p.Name)
			}
		}
	}
	found, err := w.lookupEach(ctx, refs, selected)
	if err != nil {
		return nil, err
	}
	return found, unreadAll(found)
}
