package schedule

import (
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// lateAfter is how long past twice its interval a connection may be without a
// successful run before it counts as late.
const lateAfter = time.Hour

// The gauges that a round of the schedule adds up, of which the alarms are made.
const (
	GaugeActive     = "active"
	GaugeNeedsAdmin = "needsAuthorization"
	GaugeLate       = "late" // active, and without a successful run for too long
	GaugeHeld       = "held" // active, with a run that waits for an approval
)

// gauge adds a connection to the round's gauges.
func (r *results) gauge(l *store.ScheduledConnection, runs []store.RunRecord, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	addGauges(r.gauges, l, runs, now)
}

func addGauges(sum map[string]int, l *store.ScheduledConnection, runs []store.RunRecord, now time.Time) {
	switch l.Status {
	case directory.StatusActive:
		sum[GaugeActive]++
		last := l.AuthorizedAt
		if l.LastRun != nil && l.LastRun.SucceededAt.After(last) {
			last = l.LastRun.SucceededAt
		}
		if now.Sub(last) > 2*time.Duration(l.Settings.Defaulted().Interval)+lateAfter {
			sum[GaugeLate]++
		}
		for i := range runs {
			if runs[i].State == directory.RunHeld {
				sum[GaugeHeld]++
				break
			}
		}
	case directory.StatusNeedsAuthorization:
		sum[GaugeNeedsAdmin]++
	}
}
