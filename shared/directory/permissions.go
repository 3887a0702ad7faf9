package directory

import (
	"slices"
	"strings"
)

// ScopeGroupMembers is the permission to read who is in groups.
const ScopeGroupMembers = "GroupMember.Read.All"

// Permission is a delegated permission of Microsoft Graph that a connection asks for
// because something wants it, and could do without.
type Permission struct {
	Scope string `json:"scope"`
	// For is what wants it, and Without what does not work while it is missing: sentences
	// for people.
	For     string `json:"for"`
	Without string `json:"without"`
}

// optionalScope is a permission that is asked for only where something wants it.
type optionalScope struct {
	scope string
	// wider are those by which Microsoft allows the same (GG 1).
	wider []string
	// set says that a setting wants it, and setting is the sentence for that. rule is the
	// one for a rule; "" where none does.
	set           func(Settings) bool
	setting, rule string
	without       string
}

// optionalScopes are asked for beside those that no connection can do without. Microsoft
// shows an admin who authorises again no more than what is new.
var optionalScopes = []optionalScope{
	{
		scope: ScopeGroupMembers, wider: []string{"GroupMember.ReadWrite.All", "Group.Read.All", ScopeGroups, "Directory.Read.All", "Directory.ReadWrite.All"},
		set:     func(s Settings) bool { return *s.ProtectGroups },
		setting: "The setting protectGroups wants it, which is on by default.",
		without: "Who holds a directory role only through a group is not known; where groups hold roles, every run is held.",
	},
	{
		scope: ScopeAuditLog, set: func(s Settings) bool { return s.AuditLog },
		setting: "The setting auditLog wants it.",
		without: "Nothing is compared with Microsoft's own log, and who changed a value there is not known.",
	},
	{
		scope: ScopeGroups, set: func(s Settings) bool { return s.Groups },
		setting: "The setting groups wants it.", rule: "A group that is to be exported wants it.",
		without: "No group of the tenant is made or written to, and nobody becomes or ceases to be a member.",
	},
	{
		scope: ScopeLicences, set: func(s Settings) bool { return s.Licences },
		setting: "The setting licences wants it.", rule: "A rule that gives licences wants it.",
		without: "No licence is given or taken.",
	},
}

// Want notes that a rule wants a permission, and reports whether that is news.
func (c *Connection) Want(scope string) bool {
	if slices.Contains(c.RuleScopes, scope) {
		return false
	}
	c.RuleScopes = append(slices.Clone(c.RuleScopes), scope)
	return true
}

// Forget has rules want no other permissions than some, and reports whether that is news.
func (c *Connection) Forget(but []string) bool {
	kept := slices.DeleteFunc(slices.Clone(c.RuleScopes), func(scope string) bool { return !slices.Contains(but, scope) })
	news := len(kept) != len(c.RuleScopes)
	c.RuleScopes = kept
	return news
}

// Wants reports whether a setting or a rule wants a permission.
func (c *Connection) Wants(scope string) bool {
	return slices.ContainsFunc(c.Wanted(), func(p Permission) bool { return p.Scope == scope })
}

// Wanted are the permissions that settings and rules want, beside those that no connection
// can do without.
func (c *Connection) Wanted() []Permission {
	var list []Permission
	settings := c.Settings.Defaulted()
	for _, o := range optionalScopes {
		switch {
		case o.rule != "" && slices.Contains(c.RuleScopes, o.scope):
			list = append(list, Permission{o.scope, o.rule, o.without})
		case o.set(settings):
			list = append(list, Permission{o.scope, o.setting, o.without})
		}
	}
	return list
}

// Lacking are those of Wanted that the connection was not granted, as far as it is known
// what it was granted. A connection that nobody has authorised lacks none.
func (c *Connection) Lacking() []Permission {
	return slices.DeleteFunc(c.Wanted(), func(p Permission) bool {
		if c.HasScope(p.Scope) {
			return true
		}
		i := slices.IndexFunc(optionalScopes, func(o optionalScope) bool { return o.scope == p.Scope })
		return slices.ContainsFunc(optionalScopes[i].wider, c.HasScope)
	})
}

// Problem is what lacking the permission means for what the connection does.
func (p Permission) Problem() Problem {
	return Problem{Code: CodeScopeMissing, Kind: ProblemAuthorization, Message: "The connection lacks the permission " + p.Scope + ". " + p.For + " " + p.Without,
		Next: "Authorise the connection again, on its page in the console or by POST /v1/connections/{id}/authorize: Microsoft asks for that permission. What waits for it goes on by itself."}
}

// inConsole is where the console has the settings that want a permission.
const inConsole = "Settings, Permissions of the next authorisation"

// MustHave refuses what a connection lacks the permission for: setting is the one that
// wants it where no rule does, and what becomes of it without says the rest.
func (c *Connection) MustHave(scope, setting, without string) error {
	if c.HasScope(scope) {
		return nil
	}
	then := "Authorise the connection again: Microsoft asks for that permission."
	if !c.Wants(scope) {
		then = "Set " + setting + " in the connection's settings (in the console: " + inConsole + "), and authorise it again."
	}
	return Refuse(ErrConflict, CodeScopeMissing, "The connection \""+c.Name+"\" lacks the permission "+scope+", without which "+without+".", then)
}

// HasScope reports whether the connection was granted a permission, as far as it is
// known what it was granted. Microsoft may write it with Graph's address in front.
func (c *Connection) HasScope(scope string) bool {
	return len(c.Scopes) == 0 || slices.ContainsFunc(c.Scopes, func(s string) bool { return strings.EqualFold(s[strings.LastIndexByte(s, '/')+1:], scope) })
}
