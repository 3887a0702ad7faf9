package schedule

import (
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

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
		if l.Overdue(now) {
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
