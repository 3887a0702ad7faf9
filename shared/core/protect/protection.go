package protect

import (
	"maps"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Protection is who is protected in a tenant, as read at a time. It answers
// without I/O.
type Protection struct {
	privileged
	now          func() time.Time // a lift ends while the Protection is in use
	authorizedBy directory.AccountID
	names        []string                            // that the settings have
	lifts        map[string]store.ProtectionOverride // by folded ID
	// lastGlobals are the enabled Global Administrators, by folded ID, when the
	// protection of every one of them is lifted.
	lastGlobals map[string]bool
}

// Known is what a connection's record alone tells of who is protected.
func Known(c *directory.Connection, now func() time.Time) *Protection {
	p := &Protection{now: now, names: c.Settings.Protected}
	if c.AuthorizedBy != nil {
		p.authorizedBy = c.AuthorizedBy.ObjectID
	}
	return p
}

// Of says whether an account must never be written to, and why. id or the name
// may be empty.
func (p *Protection) Of(id directory.AccountID, userPrincipalName string) (reason string, yes bool) {
	return p.OfNamed(p.names, id, userPrincipalName)
}

// OfNamed is Of with the accounts that other settings name.
func (p *Protection) OfNamed(names []string, id directory.AccountID, userPrincipalName string) (reason string, yes bool) {
	reason, fixed := p.reason(names, id, userPrincipalName)
	if reason == "" {
		return "", false
	}
	if l, lifted := p.lifts[fold(id)]; lifted && !fixed && id != "" && l.Until.After(p.now()) {
		return "", false
	}
	return reason, true
}

// reason is why an account is protected, regardless of lifts; fixed says that none
// counts.
func (p *Protection) reason(names []string, id directory.AccountID, upn string) (reason string, fixed bool) {
	switch {
	case id == "":
	case strings.EqualFold(string(id), string(p.authorizedBy)):
		return "it authorised this connection", true
	case p.lastGlobals[fold(id)]:
		return "it is the last enabled Global Administrator, or the protection of all of them is lifted", true
	case p.holders[fold(id)]:
		return "it holds a directory role, or is in a group that can be given one", false
	case p.named[fold(id)]:
		return "the settings name it", false
	}
	for _, name := range names {
		name = strings.TrimSpace(name)
		if name != "" && (strings.EqualFold(name, string(id)) || directory.FoldAddress(name) == directory.FoldAddress(upn)) {
			return "the settings name it", false
		}
	}
	return "", false
}

// Unread says why it is not known of all accounts whether they are protected; ""
// when it is.
func (p *Protection) Unread() string { return p.unread }

// ReadAt is when it was read from Microsoft; zero when it was not.
func (p *Protection) ReadAt() time.Time { return p.at }

// Protected is one account that is never written to.
type Protected struct {
	AccountID directory.AccountID `json:"accountId"`
	Reason    string              `json:"reason"`
	// UserPrincipalName names the account for people, where whoever shows it has read that.
	UserPrincipalName string `json:"userPrincipalName,omitempty"`
	// Lifted says until when, by whom and why the protection is lifted.
	Lifted *store.ProtectionOverride `json:"lifted,omitempty"`
}

// List returns the accounts that are protected, those with a lift among them.
func (p *Protection) List() []Protected {
	all := maps.Clone(p.holders)
	if all == nil {
		all = map[string]bool{}
	}
	maps.Copy(all, p.named)
	if p.authorizedBy != "" {
		all[fold(p.authorizedBy)] = true
	}
	for _, name := range p.names {
		name = strings.TrimSpace(name)
		if !strings.Contains(name, "@") {
			all[strings.ToLower(name)] = true
		}
	}
	list := []Protected{}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		one := Protected{AccountID: directory.AccountID(id)}
		one.Reason, _ = p.reason(p.names, one.AccountID, "")
		if l, lifted := p.lifts[id]; lifted {
			one.Lifted = &l
		}
		list = append(list, one)
	}
	return list
}

func fold(id directory.AccountID) string { return strings.ToLower(string(id)) }
