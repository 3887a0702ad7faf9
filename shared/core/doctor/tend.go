package doctor

import (
	"context"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// CheckEvery is how often the schedule has each connection checked.
const CheckEvery = 24 * time.Hour

// Tend has a connection checked once a day, at a time of its own; the schedule
// calls it for each. A lost message is made up for by the next tick.
func (d *Doctor) Tend(ctx context.Context, l *store.ScheduledConnection, _ *store.Beside, _ bool) error {
	checkable := l.Status == directory.StatusActive || l.Status == directory.StatusNeedsAuthorization
	if !checkable || !d.checkDue(l.ID, l.CheckedAt) {
		return nil
	}
	// Only the report itself has the time of a check by an older version.
	at, err := d.Stores.Checks.CheckedAt(ctx, l.ID)
	if err != nil || !d.checkDue(l.ID, at) {
		return err
	}
	return d.Ask(ctx, l.ID)
}

func (d *Doctor) checkDue(id directory.ConnectionID, last time.Time) bool {
	return directory.TurnDue(string(id)+"/check", CheckEvery, last, d.now())
}
