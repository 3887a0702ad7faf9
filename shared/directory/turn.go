package directory

import (
	"hash/fnv"
	"time"
)

// What recurs for each connection has its turn at a time of its own, drawn from
// its ID, so that a thousand connections that were made in the same minute do
// not all do it in the same minute ever after.
//
// Whoever missed its turn (the schedule stood still, or the table is one that
// was restored) catches up in short windows some hours apart, at a time of its
// own again: otherwise all that missed theirs would begin at once.
const (
	turnOpen   = time.Hour // that a turn lasts
	catchUp    = 4 * time.Hour
	catchUpFor = 10 * time.Minute // longer than the time between two ticks of the schedule
)

// LastTurn is when what recurs each period last had its turn for a key.
func LastTurn(key string, period time.Duration, now time.Time) time.Time {
	h := fnv.New64a()
	h.Write([]byte(key))
	// The last step of this hash hardly reaches the upper bits; mix them.
	n := h.Sum64()
	n ^= n >> 33
	n *= 0xff51afd7ed558ccd
	n ^= n >> 33
	phase := int64(n % uint64(period))
	ago := (now.UnixNano() - phase) % int64(period)
	if ago < 0 {
		ago += int64(period)
	}
	return now.Add(-time.Duration(ago))
}

// TurnDue reports whether what recurs each period is to be done for a key now: its
// turn has come since it was last done, and it is not too late to begin, or time
// to catch up.
func TurnDue(key string, period time.Duration, last, now time.Time) bool {
	turn := LastTurn(key, period, now)
	if !turn.After(last) {
		return false
	}
	return now.Sub(turn) < turnOpen || now.Sub(LastTurn(key, catchUp, now)) < catchUpFor
}
