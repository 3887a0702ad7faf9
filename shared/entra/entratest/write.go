package entratest

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"
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
	if given, e = c.treat(nil, given); e != nil {
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
	if given, e = c.treat(o, given); e != nil {
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
