package entratest

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// createUser is POST /users.
func (c *call) createUser() (*reply, *graphError) {
	if !c.has(append(writeUsers, "User.Create")...) || !c.holds(globalAdmin, userAdmin, dirWriters) {
		return nil, denied()
	}
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	if e := c.race(body); e != nil {
		return nil, e
	}
	given, e := c.checkUserBody(body, nil)
	if e != nil {
		return nil, e
	}
	if e := c.checkComplete(given); e != nil {
		return nil, e
	}
	o := c.s.newObject(kindUser)
	touched := fillUser(o, given)
	if e := c.t.conflict(o, true); e != nil {
		return nil, e
	}
	ch := change{s: c.s, t: c.t}
	ch.put(o, touched...)
	o.StateVersion = o.Version
	m := c.mutation("create", o)
	m.After = maps.Clone(o.Props)
	ch.log = append(ch.log, m)
	if err := ch.commit(); err != nil {
		return nil, failed(err)
	}
	shown := c.t.show(o, standardSet(kindUser))
	shown["@odata.context"] = c.context("users/$entity")
	return &reply{status: http.StatusCreated, body: shown, header: http.Header{"Location": {c.base + "/users/" + o.ID}}}, nil
}

// race is the fault in which another administrator creates the same name first.
func (c *call) race(body map[string]any) *graphError {
	upn, _ := body["userPrincipalName"].(string)
	if upn == "" {
		return nil
	}
	f := c.s.strikeLocked("race-create", circumstances{c.t.id, c.token.AppID, c.method, c.rel, ""})
	if f == nil {
		return nil
	}
	c.fault = f.ID
	given := maps.Clone(f.Account)
	if given == nil {
		given = map[string]any{}
	}
	given["userPrincipalName"] = upn
	if _, err := c.s.addAccount(c.t, given); err != nil {
		return failed(err)
	}
	return nil
}

// checkComplete demands what a new account needs.
func (c *call) checkComplete(given map[string]any) *graphError {
	for _, name := range []string{"accountEnabled", "displayName", "mailNickname", "userPrincipalName", "passwordProfile"} {
		if given[name] == nil {
			return required("User", name)
		}
	}
	profile, _ := given["passwordProfile"].(map[string]any)
	if profile["password"] == nil {
		return required("User", "password")
	}
	upn, _ := given["userPrincipalName"].(string)
	if d, _ := c.t.domainOf(upn); d.federated() && given["onPremisesImmutableId"] == nil {
		return required("User", "onPremisesImmutableId")
	}
	return nil
}

// checkUserBody validates every member of a body. own is the account that is
// changed; nil when one is made.
func (c *call) checkUserBody(body map[string]any, own *object) (map[string]any, *graphError) {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		v := body[name]
		if name == "@odata.type" {
			if t, ok := v.(string); !ok || !strings.EqualFold(strings.TrimPrefix(t, "#"), "microsoft.graph.user") {
				return nil, request400("The '@odata.type' of the body is not 'microsoft.graph.user'.")
			}
			continue
		}
		if strings.HasPrefix(name, "@odata.") {
			continue
		}
		p, ok := userProperties[name]
		switch {
		case !ok:
			return nil, unknownProperty(name, "User")
		case name == "id" && own != nil && strings.EqualFold(text(v), own.ID):
			continue // its own id changes nothing
		case !p.write:
			return nil, readOnly(name)
		case v == nil && own == nil:
			continue
		}
		var e *graphError
		if name == "passwordProfile" {
			v, e = checkPassword(v)
		} else {
			v, e = checkValue("User", name, p, v)
		}
		if e != nil {
			return nil, e
		}
		out[name] = v
	}
	if upn, ok := out["userPrincipalName"].(string); ok {
		if _, ok := c.t.domainOf(upn); !ok {
			m := "The domain portion of the userPrincipalName property is invalid. You must use one of the verified domain names in your organization."
			return nil, request400("%s", m).with(detail{"InvalidValue", m, "userPrincipalName"})
		}
	}
	return out, nil
}

func text(v any) string { s, _ := v.(string); return s }

// checkPassword validates a passwordProfile.
func checkPassword(v any) (any, *graphError) {
	profile, ok := v.(map[string]any)
	if !ok {
		return nil, invalidValue("User", "passwordProfile")
	}
	for _, name := range slices.Sorted(maps.Keys(profile)) {
		switch name {
		case "password":
			s, ok := profile[name].(string)
			if !ok {
				return nil, wrongType(name, "Edm.String")
			}
			if !complex(s) {
				m := "The specified password does not comply with password complexity requirements. Please provide a different password."
				return nil, request400("%s", m).with(detail{"InvalidValue", m, "password"})
			}
		case "forceChangePasswordNextSignIn", "forceChangePasswordNextSignInWithMfa":
			if _, ok := profile[name].(bool); !ok {
				return nil, wrongType(name, "Edm.Boolean")
			}
		case "@odata.type":
		default:
			return nil, unknownProperty(name, "PasswordProfile")
		}
	}
	return profile, nil
}

// bannedWords are a few of those that Microsoft refuses in short passwords.
var bannedWords = []string{"password", "passw0rd", "p@ssword", "p@ssw0rd", "qwerty", "welcome", "letmein"}

// complex tells whether a password has 8 to 256 characters of three classes and
// does not consist of a banned word and little else.
func complex(s string) bool {
	n := utf8.RuneCountInString(s)
	if n < 8 || n > 256 {
		return false
	}
	classes := [4]bool{}
	for _, r := range s {
		switch {
		case unicode.IsLower(r):
			classes[0] = true
		case unicode.IsUpper(r):
			classes[1] = true
		case unicode.IsDigit(r):
			classes[2] = true
		default:
			classes[3] = true
		}
	}
	have := 0
	for _, c := range classes {
		if c {
			have++
		}
	}
	for _, w := range bannedWords {
		if strings.Contains(strings.ToLower(s), w) && n-len(w) < 4 {
			return false
		}
	}
	return have >= 3
}

// fillUser gives a new account its properties and returns their names.
func fillUser(o *object, given map[string]any) []string {
	maps.Copy(o.Props, given)
	delete(o.Props, "passwordProfile")
	now := stamp(o.Created)
	o.Props["createdDateTime"] = now
	o.Props["lastPasswordChangeDateTime"] = now
	o.Props["signInSessionsValidFromDateTime"] = now
	if o.Props["userType"] == nil {
		o.Props["userType"] = "Member"
	}
	if mail := o.text("mail"); mail != "" {
		o.Props["proxyAddresses"] = []any{"SMTP:" + mail}
	}
	if attributes, ok := given["onPremisesExtensionAttributes"].(map[string]any); ok {
		o.Props["onPremisesExtensionAttributes"] = maps.Clone(attributes)
	}
	return slices.Collect(maps.Keys(o.Props))
}

// conflict finds another object with a value that must be unique. A new object has
// all its values checked, an old one those that changed.
func (t *tenant) conflict(o *object, isNew bool) *graphError {
	old := t.objects[o.ID]
	if isNew || old == nil {
		old = &object{Props: map[string]any{}}
	}
	if o.Kind == kindUser {
		upn := strings.ToLower(o.text("userPrincipalName"))
		if upn != strings.ToLower(old.text("userPrincipalName")) {
			if id, ok := t.byUPN[upn]; ok && id != o.ID {
				return taken("userPrincipalName")
			}
			if id, ok := t.byProxy["smtp:"+upn]; ok && id != o.ID {
				return proxyTaken(t.objects[id])
			}
		}
		anchor := o.text("onPremisesImmutableId")
		if id, ok := t.byAnchor[anchor]; ok && anchor != "" && id != o.ID && anchor != old.text("onPremisesImmutableId") {
			return request400("A conflicting object with one or more of the specified property values is present in the directory.")
		}
	}
	before := lowered(old.list("proxyAddresses"))
	for _, p := range lowered(o.list("proxyAddresses")) {
		if slices.Contains(before, p) {
			continue
		}
		if id, ok := t.byProxy[p]; ok && id != o.ID {
			return proxyTaken(t.objects[id])
		}
		if id, ok := t.byUPN[strings.TrimPrefix(p, "smtp:")]; ok && id != o.ID {
			return proxyTaken(t.objects[id])
		}
	}
	return nil
}

func lowered(list []string) []string {
	for i, s := range list {
		list[i] = strings.ToLower(s)
	}
	return list
}

// patchUser is PATCH /users/{id}.
func (c *call) patchUser() (*reply, *graphError) {
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	if !c.has(append(slices.Clone(writeUsers), "User.ReadUpdate.All", "User.EnableDisableAccount.All",
		"User-PasswordProfile.ReadWrite.All", "User-Phone.ReadWrite.All", "User-Mail.ReadWrite.All", "User.ManageIdentities.All")...) {
		return nil, denied()
	}
	o, e := c.target(kindUser, c.ref())
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
	if f := c.s.strikeLocked("proxy-conflict", circumstances{c.t.id, c.token.AppID, c.method, c.rel, ""}); f != nil {
		c.fault = f.ID
		return nil, taken("proxyAddresses").with(detail{"ConflictingObjects", "The conflicting object is User_" + c.me.ID + ".", "proxyAddresses"})
	}
	next := o.clone()
	patch(next, given, c.s.now())
	if _, ok := given["passwordProfile"]; ok {
		return c.store(o, next, "passwordProfile") // a change, though none that shows
	}
	return c.store(o, next)
}

// store commits a changed account or group, or notes that nothing changed. also
// names properties that changed without showing it.
func (c *call) store(o, next *object, also ...string) (*reply, *graphError) {
	names, before, after := difference(o, next)
	names = append(names, also...)
	ch := change{s: c.s, t: c.t}
	if len(names) == 0 {
		ch.log = append(ch.log, c.mutation("noop", o))
	} else {
		if e := c.t.conflict(next, false); e != nil {
			return nil, e
		}
		ch.put(next, names...)
		m := c.mutation("update", next)
		m.Before, m.After = before, after
		ch.log = append(ch.log, m)
	}
	if err := ch.commit(); err != nil {
		return nil, failed(err)
	}
	return &reply{status: http.StatusNoContent}, nil
}

// difference lists the properties that differ.
func difference(o, next *object) (names []string, before, after map[string]any) {
	before, after = map[string]any{}, map[string]any{}
	for name, v := range next.Props {
		was, had := o.Props[name]
		if empty := v == nil || reflect.DeepEqual(v, []any{}); !reflect.DeepEqual(was, v) && (had || !empty) {
			names = append(names, name)
			before[name], after[name] = was, v
		}
	}
	slices.Sort(names)
	return names, before, after
}

// mayPatch checks the permissions and roles that the properties need.
func (c *call) mayPatch(o *object, given map[string]any) *graphError {
	sensitive, plain := false, false
	for name := range given {
		allowed := false
		switch userProperties[name].rights {
		case sEnabled:
			sensitive = true
			allowed = c.has(writeUsers...) || c.has("User.EnableDisableAccount.All") && c.has(readUsers...)
		case sPassword:
			sensitive = true
			allowed = c.has("User-PasswordProfile.ReadWrite.All")
		case sPhone:
			sensitive = true
			allowed = c.has(append(slices.Clone(writeUsers), "User-Phone.ReadWrite.All")...)
		case sMail:
			sensitive = true
			allowed = c.has(append(slices.Clone(writeUsers), "User-Mail.ReadWrite.All")...)
		case sIdentity:
			sensitive = true
			allowed = c.has("User.ManageIdentities.All")
		case sName, sAnchor:
			sensitive, plain = true, true
			allowed = c.has(append(slices.Clone(writeUsers), "User.ReadUpdate.All")...)
		default:
			plain = true
			allowed = c.has(append(slices.Clone(writeUsers), "User.ReadUpdate.All")...)
		}
		if !allowed {
			return denied()
		}
	}
	if plain && !c.holds(globalAdmin, userAdmin, dirWriters) && !(sensitive && c.holds(privAuthAdmin)) {
		return denied()
	}
	if sensitive && !mayTouch(c.roles, c.t.classOf(o.ID)) {
		return denied()
	}
	return nil
}

// syncedWritable are the properties of an account from on-premises that may be
// written in the cloud.
var syncedWritable = append(slices.Clone(alone), "usageLocation")

// patchable refuses what this account cannot have changed.
func (c *call) patchable(o *object, given map[string]any) *graphError {
	if len(given) > 1 {
		for _, name := range alone {
			if _, ok := given[name]; ok {
				return request400("The property '%s' cannot be updated together with other properties. Update it in a request of its own.", name)
			}
		}
	}
	if o.flag("onPremisesSyncEnabled") {
		for name := range given {
			if !slices.Contains(syncedWritable, name) {
				return onPremises()
			}
		}
	}
	domain, _ := c.t.domainOf(o.text("userPrincipalName"))
	if _, ok := given["passwordProfile"]; ok && domain.federated() {
		return request400("Unable to update the password of a user whose domain is federated.").with(detail{"InvalidValue", "The password of a federated user is not managed here.", "passwordProfile"})
	}
	if _, ok := given["mail"]; ok && len(listOf(o.Props["assignedLicenses"])) > 0 {
		return request400("Unable to update the specified properties for objects that have originated within an external service.")
	}
	upn, ok := given["userPrincipalName"].(string)
	if !ok {
		return nil
	}
	to, _ := c.t.domainOf(upn)
	if to.federated() && domain.federated() && to.Name != domain.Name {
		m := "Property userPrincipalName cannot be changed from one federated domain to another."
		return request400("%s", m).with(detail{"InvalidValue", m, "userPrincipalName"})
	}
	if to.federated() && o.text("onPremisesImmutableId") == "" && given["onPremisesImmutableId"] == nil {
		return required("User", "onPremisesImmutableId")
	}
	return nil
}

func listOf(v any) []any { l, _ := v.([]any); return l }

// patch applies checked values to a copy of an account.
func patch(next *object, given map[string]any, now time.Time) {
	for name, v := range given {
		switch name {
		case "passwordProfile":
			if profile, ok := v.(map[string]any); ok && profile["password"] != nil {
				next.Props["lastPasswordChangeDateTime"] = stamp(now)
			}
		case "onPremisesExtensionAttributes":
			have, _ := next.Props[name].(map[string]any)
			merged := maps.Clone(have)
			if merged == nil {
				merged = map[string]any{}
			}
			attributes, _ := v.(map[string]any)
			for a, value := range attributes {
				if _, had := merged[a]; had || value != nil {
					merged[a] = value
				}
			}
			if len(merged) > 0 || have != nil {
				next.Props[name] = merged
			}
		case "employeeOrgData":
			in, ok := v.(map[string]any)
			if !ok {
				next.Props[name] = nil
				continue
			}
			next.Props[name] = map[string]any{"costCenter": in["costCenter"], "division": in["division"]}
		case "mail":
			next.Props[name] = v
			setPrimary(next, text(v), "")
		case "userPrincipalName":
			rename(next, text(v))
		default:
			next.Props[name] = v
		}
	}
}

// rename gives an account another name. One with a mailbox gets the new address as
// its primary and keeps the old ones as aliases.
func rename(next *object, upn string) {
	old := next.text("userPrincipalName")
	next.Props["userPrincipalName"] = upn
	if strings.EqualFold(old, upn) || len(next.list("proxyAddresses")) == 0 {
		return
	}
	setPrimary(next, upn, old)
	next.Props["mail"] = upn
}

// setPrimary makes an address the primary one, and keeps the former primary and
// also as aliases.
func setPrimary(next *object, address, also string) {
	out := []any{"SMTP:" + address}
	seen := map[string]bool{"smtp:" + strings.ToLower(address): true}
	for _, p := range append(next.list("proxyAddresses"), "smtp:"+also) {
		key := strings.ToLower(p)
		if seen[key] || key == "smtp:" {
			continue
		}
		seen[key] = true
		if strings.HasPrefix(p, "SMTP:") {
			p = "smtp:" + p[5:]
		}
		out = append(out, p)
	}
	next.Props["proxyAddresses"] = out
}
