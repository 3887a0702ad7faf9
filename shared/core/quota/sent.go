package quota

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// mostUses is how finely times are told apart: so many times are remembered, which a
// lease's item has room for.
const mostUses = 20

// sent is what was sent within a span of time, as a sliding window counts it.
type sent struct {
	span time.Duration
	uses []use // oldest first
}

// use is so many writes, the last of them at a moment.
type use struct {
	at     time.Time
	writes int
}

// parseSent reads what String has written, and leaves out what is older than span.
func parseSent(s string, span time.Duration, now time.Time) sent {
	w := sent{span: span}
	var at int64 // tenths of a second
	for field := range strings.FieldsSeq(s) {
		after, writes, _ := strings.Cut(field, ".")
		d, err := strconv.ParseInt(after, 36, 64)
		n, err2 := strconv.ParseInt(writes, 36, 64)
		if err != nil || err2 != nil {
			break
		}
		at += d
		w.uses = append(w.uses, use{time.UnixMilli(at * 100), int(n)})
	}
	w.forget(now)
	return w
}

// String is a short form: tenths of a second from one use to the next, and the
// writes, to the base of 36.
func (w *sent) String() string {
	var fields []string
	var at int64
	for _, u := range w.uses {
		tenths := (u.at.UnixMilli() + 99) / 100
		fields = append(fields, strconv.FormatInt(tenths-at, 36)+"."+strconv.FormatInt(int64(u.writes), 36))
		at = tenths
	}
	return strings.Join(fields, " ")
}

func (w *sent) forget(now time.Time) {
	for len(w.uses) > 0 && now.Sub(w.uses[0].at) >= w.span {
		w.uses = w.uses[1:]
	}
}

// add notes writes of a moment. Where there are too many times, those two become one,
// the later, of which that costs least.
func (w *sent) add(at time.Time, writes int) {
	if writes <= 0 {
		return
	}
	i := len(w.uses)
	for i > 0 && w.uses[i-1].at.After(at) {
		i--
	}
	w.uses = slices.Insert(w.uses, i, use{at, writes})
	if len(w.uses) <= mostUses {
		return
	}
	best, least := 1, w.lost(1)
	for i := 2; i < len(w.uses); i++ {
		if lost := w.lost(i); lost < least {
			best, least = i, lost
		}
	}
	w.uses[best].writes += w.uses[best-1].writes
	w.uses = append(w.uses[:best-1], w.uses[best:]...)
}

// lost is by how many seconds how many writes would seem younger, if the use before
// the i-th became one with it.
func (w *sent) lost(i int) float64 {
	return float64(w.uses[i-1].writes) * w.uses[i].at.Sub(w.uses[i-1].at).Seconds()
}

// answered notes that the last writes had been counted by now at the latest.
func (w *sent) answered(now time.Time) {
	if n := len(w.uses); n > 0 && now.After(w.uses[n-1].at) {
		w.uses[n-1].at = now
	}
}

// total is all writes of the span.
func (w *sent) total() int {
	n := 0
	for _, u := range w.uses {
		n += u.writes
	}
	return n
}

// within is the writes of a moment and before that are younger than an age.
func (w *sent) within(age time.Duration, now time.Time) int {
	n := 0
	for _, u := range w.uses {
		if old := now.Sub(u.at); old >= 0 && old < age {
			n += u.writes
		}
	}
	return n
}

// fill makes the writes of the span so many.
func (w *sent) fill(now time.Time, writes int) {
	missing := writes - w.total()
	for n := len(w.uses) - 1; n >= 0 && missing < 0; n-- {
		off := min(w.uses[n].writes, -missing)
		w.uses[n].writes -= off
		missing += off
	}
	w.add(now, missing)
}

// wait is how long it takes until so many writes more are within a limit.
func (w *sent) wait(now time.Time, writes, limit int) time.Duration {
	room := limit - w.total()
	if room >= writes {
		return 0
	}
	for _, u := range w.uses {
		room += u.writes
		if room >= writes {
			return max(0, u.at.Add(w.span).Sub(now))
		}
	}
	return w.span
}

// waitForAll is how long it takes until so many writes have gone, each as soon as it
// is within a limit.
func (w *sent) waitForAll(now time.Time, writes, limit int) time.Duration {
	rounds := 0
	if writes > limit {
		rounds = ceil(writes-limit, limit)
	}
	return time.Duration(rounds)*w.span + w.wait(now, writes-rounds*limit, limit)
}
