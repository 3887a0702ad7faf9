package directory

import (
	"slices"
	"time"
)

// SensitiveProperties are the exported properties that Microsoft counts as
// sensitive: by them an account can be taken over, since a forgotten password
// is reset through them. Microsoft lets only a role above the target's write
// them. Of the same list, accountEnabled and userPrincipalName have effects of
// their own (block, unblock, rename) and cannot be switched off.
var SensitiveProperties = []string{PropBusinessPhones, PropMobilePhone, PropOtherMails}

// Sensitive reports whether a property, by Graph's name, is one of
// SensitiveProperties: whose export needs a decision (bindery/approve), and
// whose writing to an account that is there is the effect update-sensitive.
func Sensitive(property string) bool { return slices.Contains(SensitiveProperties, property) }

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
