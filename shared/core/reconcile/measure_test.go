package reconcile

import (
	"testing"

	"bindery/shared/directory"
)

// TestMeasure: changes that Microsoft did not look at, since one ahead of them in their
// request was refused, tell nothing of the tenant's quota.
func TestMeasure(t *testing.T) {
	t.Parallel()
	done, busy, full, gone := directory.Outcome{Status: 204}, directory.Outcome{Status: 503}, directory.Outcome{Status: 429}, directory.Outcome{Status: 404}
	unsaid, behind := directory.Outcome{}, directory.Outcome{Status: 424, Behind: true}
	for name, tt := range map[string]struct {
		outs                     []directory.Outcome
		asked, refused           bool
		writes, accepted, behind int
	}{
		"all done":              {[]directory.Outcome{done, done}, true, false, 2, 2, 0},
		"the second is gone":    {[]directory.Outcome{done, gone, behind, behind}, true, false, 2, 2, 2},
		"refused":               {[]directory.Outcome{full, behind, behind}, true, true, 1, 0, 2},
		"one is busy":           {[]directory.Outcome{busy, behind}, true, false, 1, 1, 1},
		"all that were are":     {[]directory.Outcome{busy, busy, behind}, true, true, 2, 2, 1},
		"some are":              {[]directory.Outcome{done, busy, busy}, true, false, 3, 3, 0},
		"nothing has been said": {[]directory.Outcome{unsaid}, false, false, 1, 0, 0},
	} {
		m := measure(&reply{outs: tt.outs})
		if m.asked != tt.asked || m.Refused != tt.refused || m.Writes != tt.writes || m.accepted != tt.accepted || m.behind != tt.behind {
			t.Errorf("%s: %+v, want %+v", name, m, tt)
		}
	}
}
