package graph

import (
	"slices"
	"strings"
	"time"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/state"
)

// patchScopes are the permissions with which anything at all of an account can be
// written.
var patchScopes = with(writeUsers, "User.ReadUpdate.All", "User.EnableDisableAccount.All", "User-PasswordProfile.ReadWrite.All",
	"User-Phone.ReadWrite.All", "User-Mail.ReadWrite.All", "User.ManageIdentities.All")

// patchUser is PATCH /users/{id}.
func patchUser(c *call) (*reply, *odata.Error) {
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	if !c.has(patchScopes...) {
		return nil, denied()
	}
	o, e := c.target(state.User, c.ref())
	if e != nil {
		return nil, e
	}
	given, e := c.checkUserBody(body, o)
	if e != nil {
		return nil, e
	}
	if e := c.mayPatch(o, given); e != nil {
		return nil, e
	}
	if e := c.patchable(o, given); e != nil {
		return nil, e
	}
	if given, e = c.treat(o, given); e != nil {
		return nil, e
	}
	if c.strike(faults.ProxyConflict) != nil {
		return nil, taken("proxyAddresses").With(conflictingObject("User", c.me.ID))
	}
	next := o.Clone()
	patch(next, given, c.now())
	if _, ok := given["passwordProfile"]; ok {
		return c.update(o, next, "passwordProfile") // a change, though none that shows
	}
	return c.update(o, next)
}

// update commits a changed account or group, or notes that nothing changed. also
// names properties that changed without showing it.
func (c *call) update(o, next *state.Object, also ...string) (*reply, *odata.Error) {
	names, before, after := state.Difference(o, next)
	names = append(names, also...)
	ch := c.tx.Change(c.t)
	if len(names) == 0 {
		ch.Log(c.mutation("noop", o))
		return commit(ch)
	}
	if e := conflictError(c.t.Conflict(next)); e != nil {
		return nil, e
	}
	m := c.mutation("update", next)
	m.Before = before
	m.After = after
	ch.Put(next, names...)
	ch.Log(m)
	return commit(ch)
}

// A right is a permission of its own and a role for the sensitive ones, which some
// properties need to be written.
type right struct {
	scopes    []string // one of them
	sensitive bool     // the role must be allowed to act on this very account
	plain     bool     // a role for ordinary properties is needed
}

var (
	ordinary = right{scopes: with(writeUsers, "User.ReadUpdate.All"), plain: true}
	naming   = right{scopes: ordinary.scopes, plain: true, sensitive: true}
	phone    = right{scopes: with(writeUsers, "User-Phone.ReadWrite.All"), sensitive: true}
)

// userRights are the rights of the properties that need others than ordinary ones.
var userRights = map[string]right{
	"accountEnabled":        {scopes: writeUsers, sensitive: true}, // or see mayEnable
	"businessPhones":        phone,
	"identities":            {scopes: []string{"User.ManageIdentities.All"}, sensitive: true},
	"mobilePhone":           phone,
	"onPremisesImmutableId": naming,
	"otherMails":            {scopes: with(writeUsers, "User-Mail.ReadWrite.All"), sensitive: true},
	"passwordProfile":       {scopes: []string{"User-PasswordProfile.ReadWrite.All"}, sensitive: true},
	"userPrincipalName":     naming,
}

// mayPatch checks the permissions and roles that the properties need.
func (c *call) mayPatch(o *state.Object, given map[string]any) *odata.Error {
	sensitive, plain := false, false
	for name := range given {
		r, special := userRights[name]
		if !special {
			r = ordinary
		}
		if !c.has(r.scopes...) && !(name == "accountEnabled" && c.mayEnable()) {
			return denied()
		}
		sensitive = sensitive || r.sensitive
		plain = plain || r.plain
	}
	if plain && !c.holds(roles.GlobalAdministrator, roles.UserAdministrator, roles.DirectoryWriters) && !(sensitive && c.holds(roles.PrivilegedAuthenticationAdministrator)) {
		return denied()
	}
	if sensitive && !mayTouch(c.roles, classOf(c.t, o.ID)) {
		return denied()
	}
	return nil
}

// mayEnable tells whether the token may write accountEnabled alone: that takes the
// permission to read accounts as well.
func (c *call) mayEnable() bool {
	return c.has("User.EnableDisableAccount.All") && c.has(readUsers...)
}

// alone are the properties that no other may accompany in a PATCH.
var alone = []string{"aboutMe", "birthday", "interests", "mySite", "pastProjects", "responsibilities", "schools", "skills"}

// syncedWritable are the properties of an account from on-premises that may be
// written in the cloud.
var syncedWritable = with(alone, "usageLocation")

// patchable refuses what this account cannot have changed.
func (c *call) patchable(o *state.Object, given map[string]any) *odata.Error {
	if len(given) > 1 {
		for _, name := range alone {
			if _, ok := given[name]; ok {
				return badRequest("The property '%s' cannot be updated together with other properties. Update it in a request of its own.", name)
			}
		}
	}
	if o.Flag("onPremisesSyncEnabled") {
		for name := range given {
			if !slices.Contains(syncedWritable, name) {
				return onPremises()
			}
		}
	}
	domain, _ := c.t.DomainOf(o.Text("userPrincipalName"))
	if _, ok := given["passwordProfile"]; ok && domain.Federated() {
		return badRequest("Unable to update the password of a user whose domain is federated.").
			With(odata.Detail{Code: "InvalidValue", Message: "The password of a federated user is not managed here.", Target: "passwordProfile"})
	}
	if _, ok := given["mail"]; ok && len(listOf(o.Props["assignedLicenses"])) > 0 {
		return badRequest("Unable to update the specified properties for objects that have originated within an external service.")
	}
	upn, renamed := given["userPrincipalName"].(string)
	if !renamed {
		return nil
	}
	to, _ := c.t.DomainOf(upn)
	if to.Federated() && domain.Federated() && to.Name != domain.Name {
		return badValue("InvalidValue", "userPrincipalName", "Property userPrincipalName cannot be changed from one federated domain to another.")
	}
	if to.Federated() && o.Text("onPremisesImmutableId") == "" && given["onPremisesImmutableId"] == nil {
		return required("User", "onPremisesImmutableId")
	}
	return nil
}

// patch applies checked values to a copy of an account.
func patch(next *state.Object, given map[string]any, now time.Time) {
	for name, v := range given {
		switch name {
		case "passwordProfile":
			if profile, ok := v.(map[string]any); ok && profile["password"] != nil {
				next.Props["lastPasswordChangeDateTime"] = state.Stamp(now)
			}
		case "onPremisesExtensionAttributes":
			attributes, _ := v.(map[string]any)
			next.MergeRecord(name, attributes)
		case "employeeOrgData":
			next.Props[name] = nil
			if in, ok := v.(map[string]any); ok {
				next.Props[name] = map[string]any{"costCenter": in["costCenter"], "division": in["division"]}
			}
		case "mail":
			next.Props[name] = v
			setPrimary(next, state.Text(v), "")
		case "userPrincipalName":
			rename(next, state.Text(v))
		default:
			next.Props[name] = v
		}
	}
}

// rename gives an account another name. One with a mailbox gets the new address as
// its primary and keeps the old ones as aliases.
func rename(next *state.Object, upn string) {
	old := next.Text("userPrincipalName")
	next.Props["userPrincipalName"] = upn
	if strings.EqualFold(old, upn) || len(next.List("proxyAddresses")) == 0 {
		return
	}
	setPrimary(next, upn, old)
	next.Props["mail"] = upn
}

// setPrimary makes an address the primary one, and keeps the former primary and
// also as aliases.
func setPrimary(next *state.Object, address, also string) {
	out := []any{"SMTP:" + address}
	seen := map[string]bool{"smtp:" + strings.ToLower(address): true}
	for _, p := range append(next.List("proxyAddresses"), "smtp:"+also) {
		key := strings.ToLower(p)
		if seen[key] || key == "smtp:" {
			continue
		}
		seen[key] = true
		if former, primary := strings.CutPrefix(p, "SMTP:"); primary {
			p = "smtp:" + former
		}
		out = append(out, p)
	}
	next.Props["proxyAddresses"] = out
}

func listOf(v any) []any { l, _ := v.([]any); return l }
