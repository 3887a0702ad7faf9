package directory

import (
	"slices"
	"strings"
	"time"
)

// LoosenedGuard is the guard as it was before somebody loosened it. For a while
// it holds what it held before: a limit is raised for what will come, and is no
// decision about what waits already, or was made ready for the moment.
type LoosenedGuard struct {
	At     time.Time        `json:"at"`
	Limits map[Effect]Limit `json:"limits,omitempty"`
}

// Loosening says which settings became looser, and when.
type Loosening struct {
	Keys []string  `json:"keys"`
	At   time.Time `json:"at"`
}

// LoosenedLife is how long a former guard holds, unless a run that it has held
// is approved before.
const LoosenedLife = 24 * time.Hour

// maxLoosened is how many former guards are kept, the oldest: whoever loosens
// again and again does not get rid of the first.
const maxLoosened = 10

// Set gives the connection other settings, which a caller has asked for.
func (c *Connection) Set(next Settings, by string, now time.Time) {
	keys := SafetyOf(c.Settings, next).Loosened
	if len(keys) > 0 {
		c.LastLoosening = &Loosening{Keys: keys, At: now.UTC()}
	}
	if slices.ContainsFunc(keys, func(key string) bool { return strings.HasPrefix(key, "guard.") }) {
		kept := c.FormerGuards(now, time.Time{})
		if len(kept) < maxLoosened {
			kept = append(kept, LoosenedGuard{At: now.UTC(), Limits: c.Settings.Guard})
		}
		c.Loosened = kept
	}
	if SettingsMark(c.Settings.Planned()) != SettingsMark(next.Planned()) {
		if len(c.SettingsEditors) == 0 && c.SettingsBy != "" { // from before they were kept
			c.SettingsEditors = edited(nil, Edit{By: c.SettingsBy, Version: c.Version, At: c.Updated})
		}
		c.SettingsEditors = edited(c.SettingsEditors, Edit{By: by, Version: c.Version + 1, At: now.UTC()})
	}
	c.Settings, c.SettingsBy = next, by
}

// SettingsEditorsSince returns the subjects of those who changed what plans come
// from after a version of the connection. A record from before they were kept
// names the last one.
func (c *Connection) SettingsEditorsSince(version int64) []string {
	if len(c.SettingsEditors) == 0 && c.SettingsBy != "" {
		return []string{c.SettingsBy}
	}
	var list []string
	for _, e := range c.SettingsEditors {
		if e.Version > version {
			list = append(list, e.By)
		}
	}
	return list
}

// FormerGuards returns the former guards that still hold at a time. decided is
// when a run was begun that one of them held and somebody approved: those of
// before do not hold any more. decided is kept to the millisecond.
func (c *Connection) FormerGuards(now, decided time.Time) []LoosenedGuard {
	var list []LoosenedGuard
	for _, l := range c.Loosened {
		if now.Before(l.At.Add(LoosenedLife)) && l.At.Truncate(time.Millisecond).After(decided) {
			list = append(list, l)
		}
	}
	return list
}
