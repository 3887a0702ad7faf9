package directory

import "time"

// ExportedSinceWith returns since when each sensitive property has been exported
// without a break once the connection has other settings from a time on; nil
// when none is.
func (c *Connection) ExportedSinceWith(s Settings, from time.Time) map[string]time.Time {
	var since map[string]time.Time
	for _, name := range SensitiveProperties {
		at, known := c.ExportedSince[name]
		if !c.Settings.Attributes[name].Export {
			at, known = from, true
		}
		if !known || !s.Attributes[name].Export {
			continue
		}
		if since == nil {
			since = map[string]time.Time{}
		}
		since[name] = at
	}
	return since
}
