package entratest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

var groupWriters = []string{"Group.ReadWrite.All", "Directory.ReadWrite.All"}

func (c *call) getGroup() (*reply, *graphError) {
	if !c.has(readGroups...) {
		return nil, denied()
	}
	o, e := c.lookup(kindGroup, c.ref())
	if e != nil {
		return nil, e
	}
	return c.one(o, "groups")
}

// checkGroupBody validates the members of a body.
func checkGroupBody(body map[string]any, own *object) (map[string]any, *graphError) {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		v := body[name]
		if strings.Contains(name, "@odata.") {
			continue
		}
		p, ok := groupProperties[name]
		creating := own == nil && name == "isAssignableToRole"
		switch {
		case !ok:
			return nil, unknownProperty(name, "Group")
		case !p.write && !creating:
			return nil, readOnly(name)
		case v == nil && own == nil:
			continue
		}
		v, e := checkValue("Group", name, p, v)
		if e != nil {
			return nil, e
		}
		out[name] = v
	}
	return out, nil
}

func (c *call) createGroup() (*reply, *graphError) {
	if !c.has(append(slices.Clone(groupWriters), "Group.Create")...) || !c.holds(globalAdmin, userAdmin, groupsAdmin, dirWriters) {
		return nil, denied()
	}
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	given, e := checkGroupBody(body, nil)
	if e != nil {
		return nil, e
	}
	for _, name := range []string{"displayName", "mailEnabled", "mailNickname", "securityEnabled"} {
		if given[name] == nil {
			return nil, required("Group", name)
		}
	}
	unified := slices.Contains(stringsOf(given["groupTypes"]), "Unified")
	if given["mailEnabled"] == true && !unified {
		return nil, request400("The service does not currently support writes of mail-enabled groups. Please ensure that the mail-enablement property is unset and the security-enablement property is set.")
	}
	if given["isAssignableToRole"] == true && (!c.has("RoleManagement.ReadWrite.Directory") || !c.holds(globalAdmin, privRoleAdmin)) {
		return nil, denied()
	}
	o := c.s.newObject(kindGroup)
	maps.Copy(o.Props, given)
	o.Props["createdDateTime"], o.Members = stamp(o.Created), map[string]int64{}
	if unified {
		mail := text(given["mailNickname"]) + "@" + c.t.initialDomain()
		o.Props["mail"], o.Props["proxyAddresses"] = mail, []any{"SMTP:" + mail}
	}
	if e := c.t.conflict(o, true); e != nil {
		return nil, e
	}
	ch := change{s: c.s, t: c.t}
	ch.put(o, slices.Collect(maps.Keys(o.Props))...)
	o.StateVersion = o.Version
	if e := c.bind(o, body["members@odata.bind"]); e != nil {
		return nil, e
	}
	m := c.mutation("create", o)
	m.After = maps.Clone(o.Props)
	ch.log = append(ch.log, m)
	if err := ch.commit(); err != nil {
		return nil, failed(err)
	}
	shown := c.t.show(o, standardSet(kindGroup))
	shown["@odata.context"] = c.context("groups/$entity")
	return &reply{status: http.StatusCreated, body: shown, header: http.Header{"Location": {c.base + "/groups/" + o.ID}}}, nil
}

// mayEditGroup checks role and kind of a group that is to be changed.
func (c *call) mayEditGroup(o *object) *graphError {
	if o.flag("isAssignableToRole") && (!c.has("RoleManagement.ReadWrite.Directory") || !c.holds(globalAdmin, privRoleAdmin)) {
		return denied()
	}
	if !c.holds(globalAdmin, userAdmin, groupsAdmin, dirWriters) && !slices.Contains(o.Owners, c.me.ID) {
		return denied()
	}
	return nil
}

func (c *call) patchGroup() (*reply, *graphError) {
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	binds := body["members@odata.bind"]
	if !c.has(groupWriters...) && !(binds != nil && len(body) == 1 && c.has("GroupMember.ReadWrite.All")) {
		return nil, denied()
	}
	o, e := c.target(kindGroup, c.ref())
	if e != nil {
		return nil, e
	}
	if e := c.mayEditGroup(o); e != nil {
		return nil, e
	}
	given, e := checkGroupBody(body, o)
	if e != nil {
		return nil, e
	}
	if o.flag("onPremisesSyncEnabled") {
		return nil, onPremises()
	}
	if binds != nil {
		if e := editableMembers(o); e != nil {
			return nil, e
		}
		return c.bindMembers(o, given, binds)
	}
	next := o.clone()
	maps.Copy(next.Props, given)
	return c.store(o, next)
}

func (c *call) deleteGroup() (*reply, *graphError) {
	if !c.has(groupWriters...) {
		return nil, denied()
	}
	o, e := c.target(kindGroup, c.ref())
	if e != nil {
		return nil, e
	}
	if e := c.mayEditGroup(o); e != nil {
		return nil, e
	}
	if o.flag("onPremisesSyncEnabled") {
		return nil, onPremises()
	}
	return c.softDelete(o)
}
