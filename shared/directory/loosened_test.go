package directory

import (
	"testing"
	"time"
)

func TestLoosenedGuardsAreKept(t *testing.T) {
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	limit := func(n int) Settings { return Settings{Guard: map[Effect]Limit{EffectBlock: {Count: &n}}} }
	var c Connection
	c.Set(limit(2), "ann", start) // tightens
	if len(c.Loosened) != 0 || c.SettingsBy != "ann" || *c.Settings.Guard[EffectBlock].Count != 2 {
		t.Fatalf("tightened: %+v", c)
	}
	other := limit(2)
	other.OnDelete = "delete" // loosens, but not the guard
	c.Set(other, "ann", start)
	if len(c.Loosened) != 0 {
		t.Errorf("another setting loosened: %+v", c.Loosened)
	}
	for i := range 30 { // again and again: the first stays
		c.Set(limit(3+i), "ben", start.Add(time.Duration(i)*time.Minute))
	}
	former := c.FormerGuards(start.Add(time.Hour), time.Time{})
	if len(former) != maxLoosened || *former[0].Limits[EffectBlock].Count != 2 || *c.Settings.Guard[EffectBlock].Count != 32 {
		t.Errorf("former guards: %+v", former)
	}
	if got := c.FormerGuards(start.Add(time.Hour), start.Add(30*time.Second)); len(got) != maxLoosened-1 {
		t.Errorf("after a decision about the first: %d", len(got))
	}
	if got := c.FormerGuards(start.Add(LoosenedLife), time.Time{}); len(got) != maxLoosened-1 {
		t.Errorf("a day after the first: %d", len(got))
	}
	c.Set(limit(100), "ben", start.Add(2*LoosenedLife))
	if len(c.Loosened) != 1 || *c.Loosened[0].Limits[EffectBlock].Count != 32 {
		t.Errorf("two days later: %+v", c.Loosened)
	}
}
