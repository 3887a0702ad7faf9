package directory_test

import (
	"testing"
	"time"

	"bindery/shared/directory"
)

// A connection is overdue an hour after twice its interval, counted from its last
// success, and from its authorisation before the first one.
func TestOverdue(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	ran := func(d time.Duration) *directory.LastRun { return &directory.LastRun{SucceededAt: ago(d)} }
	daily := directory.Settings{Interval: directory.Duration(24 * time.Hour)}
	for name, row := range map[string]struct {
		c    directory.Connection
		want bool
	}{
		"a run has just ended well":                               {directory.Connection{AuthorizedAt: ago(100 * time.Hour), LastRun: ran(time.Minute)}, false},
		"within twice the default interval and hour":              {directory.Connection{LastRun: ran(90 * time.Minute)}, false},
		"a second later":                                          {directory.Connection{LastRun: ran(90*time.Minute + time.Second)}, true},
		"authorised lately, after the last run":                   {directory.Connection{AuthorizedAt: ago(time.Hour), LastRun: ran(48 * time.Hour)}, false},
		"authorised long ago, without a run":                      {directory.Connection{AuthorizedAt: ago(2 * time.Hour)}, true},
		"made long ago, by a version that noted no authorisation": {directory.Connection{Created: ago(2 * time.Hour)}, true},
		"within twice the interval of the settings":               {directory.Connection{LastRun: ran(48 * time.Hour), Settings: daily}, false},
		"behind twice the interval of the settings":               {directory.Connection{LastRun: ran(50 * time.Hour), Settings: daily}, true},
	} {
		row.c.Status = directory.StatusActive
		if got := row.c.Overdue(now); got != row.want {
			t.Errorf("%s: Overdue = %v", name, got)
		}
		row.c.Status = directory.StatusNeedsAuthorization
		if row.c.Overdue(now) {
			t.Errorf("%s: overdue while it is not active", name)
		}
	}
}
