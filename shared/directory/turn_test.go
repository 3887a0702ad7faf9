package directory

import (
	"fmt"
	"testing"
	"time"
)

const day = 24 * time.Hour

// TestTurns: of many that were last served in the same minute, few have their
// next turn in the same five minutes; each has one in every period.
func TestTurns(t *testing.T) {
	start := time.Date(2026, 11, 24, 7, 30, 0, 0, time.UTC)
	const n, tick = 500, 5 * time.Minute
	for what, last := range map[string]time.Duration{
		"served just now":             0,
		"restored from half a day":    -12 * time.Hour,
		"restored from three weeks":   -3 * 7 * day,
		"never served, and made then": -1 << 62,
	} {
		served := map[string][]time.Time{}
		most := 0
		for now := start; now.Before(start.Add(3 * day)); now = now.Add(tick) {
			began := 0
			for i := range n {
				key := fmt.Sprint("con_", i)
				at := start.Add(last)
				if list := served[key]; len(list) > 0 {
					at = list[len(list)-1]
				}
				if TurnDue(key, day, at, now) {
					served[key] = append(served[key], now)
					began++
				}
			}
			most = max(most, began)
		}
		if most > n/10 {
			t.Errorf("%s: %d of %d begin in the same tick", what, most, n)
		}
		for i := range n {
			list := served[fmt.Sprint("con_", i)]
			if len(list) < 2 || list[0].Sub(start) > day+tick {
				t.Errorf("%s: connection %d was served at %v in three days", what, i, list)
				break
			}
			for j := 1; j < len(list); j++ {
				if gap := list[j].Sub(list[j-1]); j > 1 && gap != day {
					t.Errorf("%s: connection %d: %s between two turns", what, i, gap)
				}
			}
		}
	}
}

// TestCatchUp: who missed a turn does not wait for the next one.
func TestCatchUp(t *testing.T) {
	for i := range 200 {
		key := fmt.Sprint("con_", i)
		turn := LastTurn(key, day, time.Date(2026, 11, 24, 7, 30, 0, 0, time.UTC))
		waited := time.Duration(-1)
		for late := 2 * time.Hour; late < day && waited < 0; late += 5 * time.Minute { // the schedule stood still
			if TurnDue(key, day, turn.Add(-day), turn.Add(late)) {
				waited = late - 2*time.Hour
			}
		}
		if waited < 0 || waited > catchUp {
			t.Errorf("connection %d waits for %s, want less than %s", i, waited, catchUp)
		}
	}
}
