package directory

import "time"

// When a tenant is read again that nothing but time asks for. The engine and the
// schedule, which wakes it, go by the same rule.
const (
	// FullReadEvery is the longest time between two full rounds that the schedule
	// begins; each connection's turn lies somewhere in the last FullReadSpread of it.
	FullReadEvery  = 7 * 24 * time.Hour
	FullReadSpread = 24 * time.Hour
	// readEarly: that much early counts as due, since schedules tick in whole minutes.
	readEarly = 15 * time.Second
)

// ReadDue reports whether a tenant that was last read at a time is to be read now.
func ReadDue(interval time.Duration, last, now time.Time) bool {
	return now.Sub(last) >= interval-readEarly
}

// FullReadDue reports whether a full round of a connection is due, the last of
// which was at a time.
func FullReadDue(id ConnectionID, last, now time.Time) bool {
	return now.Sub(last) >= FullReadEvery-FullReadSpread && TurnDue(string(id)+"/full", FullReadSpread, last, now)
}
