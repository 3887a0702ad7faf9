package directory

import "slices"

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
