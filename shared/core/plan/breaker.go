package plan

import (
	"fmt"
	"time"

	"bindery/shared/core/mapping"
	"bindery/shared/directory"
)

// WaveClass returns the kind of dangerous change that a change is, if it is
// one: it takes access away, gives a new name, writes a sensitive value, empties
// one or, in the first run since a mapping changed (remapped), writes what the
// mapping says. Each kind goes in waves of its own; first loads and ordinary
// edits do not.
func WaveClass(c *directory.Change, remapped bool) (directory.Effect, bool) {
	for i := range directory.Effects {
		row := &directory.Effects[i]
		if row.Waves && is(c, row.Effect) && !(row.Effect == directory.EffectUpdateSensitive && c.FirstLoad) {
			return row.Effect, true
		}
	}
	if remapped && c.Effect == directory.EffectUpdate {
		return directory.EffectUpdate, true
	}
	return "", false
}

// Waves parts n changes of a kind: 1, then 1 %, then 10 %, then the rest. A few
// go at once.
func Waves(n int, s directory.BreakerSettings) []int {
	if n <= 0 {
		return nil
	}
	if n <= *s.Defaulted().Over {
		return []int{n}
	}
	var waves []int
	left := n
	for _, size := range []int{1, (n + 99) / 100, (n + 9) / 10, n} {
		size = min(size, left)
		if size > 0 {
			waves = append(waves, size)
			left -= size
		}
	}
	return waves
}

// Verdict looks at a wave whose changes have been sent and read back. nil means
// to go on; otherwise the run stops as held.
func Verdict(s directory.BreakerSettings, o directory.WaveOutcome) *directory.Held {
	s = s.Defaulted()
	tooMany := func(n int, share float64) bool { return n > allowance(0, share, o.Sent) }
	var what string
	switch {
	case o.Sent == 0:
		return nil
	case tooMany(o.Failed, *s.Failures):
		what = fmt.Sprintf("%d of the %d changes failed, more than %s", o.Failed, o.Sent, percent(*s.Failures))
	case tooMany(o.Mismatched, *s.Mismatches):
		what = fmt.Sprintf("%d of the %d accounts read back otherwise than written, more than %s", o.Mismatched, o.Sent, percent(*s.Mismatches))
	default:
		return nil
	}
	return &directory.Held{
		Reasons: []string{fmt.Sprintf("stopped after wave %d of the changes of the kind %s: %s", o.Wave, o.Class, what)},
		Wave:    &o,
	}
}

// ReadBack is what reading an account back says of a change.
type ReadBack string

// The outcomes of reading back.
const (
	ReadAgrees     ReadBack = "agrees"
	ReadPending    ReadBack = "pending" // look again later
	ReadMismatches ReadBack = "mismatches"
)

// Reads tell something from readBackFrom on; what may be only an old replica's
// answer counts once it still stands after readBackUntil.
const (
	readBackFrom  = 30 * time.Second
	readBackUntil = 5 * time.Minute
)

// Unread is what counts of an account that has not been read back, or not as it
// is by now. age is how long ago the change was applied.
func Unread(age time.Duration) ReadBack {
	if age >= readBackUntil {
		return ReadMismatches
	}
	return ReadPending
}

// Compare holds an account that was read back against an applied change; a nil
// account was not found. age is how long ago the change was applied.
func Compare(c *directory.Change, a *directory.Account, age time.Duration) ReadBack {
	old := Unread(age)
	gone := c.Effect == directory.EffectDelete
	switch {
	case !writes(c.Effect), c.Effect == directory.EffectCreate, c.Effect == directory.EffectRevoke:
		return ReadAgrees // creations are judged by failures alone, and the others leave nothing to read
	case age < readBackFrom:
		return ReadPending
	case (a == nil) != gone:
		return old
	case gone:
		return ReadAgrees
	}
	worst := ReadAgrees
	for _, p := range c.Properties {
		observed, read := a.Properties[p.Name]
		switch {
		case !read, mapping.Same(p.Name, p.After, observed):
		case mapping.Same(p.Name, p.Before, observed):
			if worst == ReadAgrees {
				worst = old
			}
		default:
			worst = ReadMismatches
		}
	}
	return worst
}
