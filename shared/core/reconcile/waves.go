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

// classOf is the kind of waves that a change goes in. A declined change is in none.
func classOf(c *directory.Change, remapped bool) (directory.Effect, bool) {
	if c.Effect.Row().Gains || c.State == directory.ChangeDeclined {
		return "", false
	}
	return plan.WaveClass(c, remapped)
}

// waves parts runs into waves and looks at each.
type waves struct {
	s        *session
	settings directory.BreakerSettings
	kinds    *kinds
	queue    *runQueue
	chunks   chunkStore
}

// lay finds out which kinds of a run go in waves. Of a held run that are those
// which go all the same; the others are laid out once it is approved.
func (v *waves) lay(ctx context.Context, t *task) error {
	r, at := t.run, t.at
	if at.Laid {
		return nil
	}
	at.Laid = true
	most := 0
	for e, n := range r.Counts {
		if !e.Row().Gains && e != directory.EffectRevoke {
			most += n
		}
	}
	if len(plan.Waves(most, v.settings)) < 2 {
		return nil
	}
	if err := t.tally.complete(ctx, v.s, v.chunks); err != nil {
		return err
	}
	totals := map[directory.Effect]int{}
	for _, chunk := range t.tally.classes {
		for class, n := range chunk {
			totals[class] += n
		}
	}
	for class, n := range totals {
		if at.Waves[class] != nil || at.Exempt && !plan.Exempt(r.Held, &directory.Change{Effect: class}) {
			continue
		}
		if sizes := plan.Waves(n, v.settings); len(sizes) > 1 {
			if at.Waves == nil {
				at.Waves = map[directory.Effect]*runs.Wave{}
			}
			at.Waves[class] = &runs.Wave{Number: 1, Allowed: sizes[0], Total: n, Look: v.s.now().Add(firstLook).UTC()}
		}
	}
	return v.queue.save(ctx, r, at)
}

// look reads back the waves whose time has come, and lets the next ones go, or
// holds the run. moved says that more may be sent now.
func (v *waves) look(ctx context.Context, t *task) (moved bool, err error) {
	for _, class := range slices.Sorted(maps.Keys(t.at.Waves)) {
		w := t.at.Waves[class]
		if w.Last() || w.Look.After(v.s.now()) {
			continue
		}
		if err := v.s.inTime(ctx); err != nil {
			return false, err
		}
		out, ready, err := v.readBack(ctx, t, class, w)
		if err != nil {
			return false, err
		}
		w.Look = v.s.now().Add(nextLooks).UTC()
		if !ready {
			continue
		}
		moved = true
		v.advance(w)
		t.at.FromFront()
		if held := plan.Verdict(v.settings, out); held != nil {
			// Whoever lets it go on lets the next wave go.
			v.stop(t, held)
			break
		}
	}
	t.run.Attempts = 0
	return moved, v.queue.save(ctx, t.run, t.at)
}

// advance lets the next wave go.
func (v *waves) advance(w *runs.Wave) {
	sizes := plan.Waves(w.Total, v.settings)
	w.Number, w.Start = w.Number+1, w.Allowed
	w.Allowed = w.Total
	if w.Number < len(sizes) {
		w.Allowed = min(w.Total, w.Start+sizes[w.Number-1])
	}
	w.Look = v.s.now().Add(firstLook).UTC()
}

// stop holds a run between two waves.
func (v *waves) stop(t *task, held *directory.Held) {
	if t.at.Exempt {
		held.Reasons = append(held.Reasons, t.run.Held.Reasons...)
		held.Limits, held.Facts = t.run.Held.Limits, t.run.Held.Facts
		t.at.Exempt, t.at.Laid = false, false
	}
	t.run.Held = held
	v.queue.hold(t.run)
	out := held.Wave
	v.s.log.Warn("run stopped between two waves", "connectionId", v.s.conn.ID, "runId", t.run.ID, "class", out.Class, "wave", out.Wave,
		"sent", out.Sent, "failed", out.Failed, "mismatched", out.Mismatched)
}

// readBack compares the accounts of a wave with what was written. It is not
// ready while some of it is still to be sent, or may not be visible yet.
func (v *waves) readBack(ctx context.Context, t *task, class directory.Effect, w *runs.Wave) (out directory.WaveOutcome, ready bool, err error) {
	out = directory.WaveOutcome{Class: class, Wave: w.Number}
	ready = true
	for chunk := range t.run.Chunks {
		if t.tally.of(class, chunk) == 0 || t.tally.before(class, chunk+1) <= w.Start {
			continue
		}
		if t.tally.before(class, chunk) >= w.Allowed {
			break
		}
		changes, _, err := v.chunks.Chunk(ctx, t.run.ID, chunk)
		if err != nil {
			return out, false, err
		}
		var list []*directory.Change
		places := t.tally.places(chunk, changes)
		for i := range changes {
			if at, in := places[i]; in && at.class == class && at.ordinal >= w.Start && at.ordinal < w.Allowed {
				list = append(list, &changes[i])
			}
		}
		for part := range slices.Chunk(list, 100) {
			if err := v.s.inTime(ctx); err != nil {
				return out, false, err
			}
			ok, err := v.compareBack(ctx, t, part, &out)
			if err != nil {
				return out, false, err
			}
			ready = ready && ok
		}
	}
	return out, ready, nil
}

// mostExamples is how many mismatches are told one by one.
const mostExamples = 5

// compareBack compares the objects of changes with what was written.
func (v *waves) compareBack(ctx context.Context, t *task, list []*directory.Change, out *directory.WaveOutcome) (ready bool, err error) {
	var sent []*directory.Change
	for _, c := range list {
		switch {
		case open(c):
			return false, nil
		case c.State == directory.ChangeFailed:
			out.Sent++
			out.Failed++
			addExample(out, c, "failed")
		case c.State == directory.ChangeApplied:
			out.Sent++
			if v.s.now().Sub(c.At) < firstLook {
				return false, nil
			}
			sent = append(sent, c)
		}
	}
	ready = true
	names, parts := byKind(sent, func(c **directory.Change) directory.Ref { return (*c).Ref() })
	for _, name := range names {
		objects := v.kinds.of(name)
		if objects == nil {
			return false, nil // only a newer version can tell
		}
		verdicts, err := objects.ReadBack(ctx, v.s.workOn(t), parts[name])
		if err != nil {
			return false, err
		}
		for n, c := range parts[name] {
			switch verdicts[n] {
			case plan.ReadPending:
				ready = false
			case plan.ReadMismatches:
				out.Mismatched++
				addExample(out, c, "reads back otherwise than written")
			}
		}
	}
	return ready, nil
}

func addExample(out *directory.WaveOutcome, c *directory.Change, what string) {
	if len(out.Examples) < mostExamples {
		out.Examples = append(out.Examples, fmt.Sprintf("%s %s (change %s)", c.UserPrincipalName, what, c.ID))
	}
}
