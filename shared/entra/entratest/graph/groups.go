package graph

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/licensing"
	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/state"
)

// groups is the resource of groups.
var groups = &resource{
	table: state.Groups, set: "groups", relations: []string{"members", "owners"}, followed: []string{"members"},
	read: readGroupNames, readDeleted: readGroups, remove: removeGroups,
	mayRemove: mayRemoveGroup,
	audit: auditing{noun: "Group", category: "GroupManagement", activities: map[string]activity{
		"create":         {"Add group", "Add"},
		"update":         {"Update group", "Update"},
		"license":        {"Set group license", "Assign"},
		"license-start":  {"Start applying group based license to users", "Assign"},
		"license-finish": {"Finish applying group based license to users", "Assign"},
		"delete":         {"Delete group", "Delete"},
		"restore":        {"Restore Group", "Update"},
		"purge":          {"Hard Delete group", "Delete"},
		"member-add":     {"Add member to group", "Assign"},
		"member-remove":  {"Remove member from group", "Unassign"},
		"owner-add":      {"Add owner to group", "Assign"},
		"owner-remove":   {"Remove owner from group", "Unassign"},
	}},
}

var groupRoutes = []route{
	{"GET", "groups", list(groups)},
	{"POST", "groups", createGroup},
	{"GET", "groups/$count", count(groups)},
	{"GET", "groups/delta", delta(groups)},
	{"GET", "groups/{}", getGroup},
	{"PATCH", "groups/{}", patchGroup},
	{"DELETE", "groups/{}", deleteGroup},
	{"POST", "groups/{}/renew", renewGroup},
	{"GET", "directory/deleteditems/microsoft.graph.group", listDeleted(groups)},
}

// uniqueName returns the alternate key in a path, groups(uniqueName='…').
func (c *call) uniqueName() (name string, is bool) {
	ref := c.ref()
	field, value, named := strings.Cut(strings.TrimPrefix(ref, "("), ")")
	return value, named && strings.HasPrefix(ref, "(") && strings.EqualFold(field, "uniqueName")
}

// groupRef is the id of the group that a path names, by its id or by its alternate
// key. Another key than an id cannot be one of a group.
func (c *call) groupRef() (string, *odata.Error) {
	name, is := c.uniqueName()
	if !is {
		if !state.IsGUID(c.ref()) {
			return "", invalidID(c.ref())
		}
		return c.ref(), nil
	}
	o := c.t.Holder(state.ByUniqueName, name)
	if o == nil || !o.Active() {
		return "", notThere(name)
	}
	return o.ID, nil
}

// group finds the group of a path.
func (c *call) group() (*state.Object, *odata.Error) {
	id, e := c.groupRef()
	if e != nil {
		return nil, e
	}
	return c.lookup(state.Group, id)
}

// targetGroup is group for a write.
func (c *call) targetGroup() (*state.Object, *odata.Error) {
	id, e := c.groupRef()
	if e != nil {
		return nil, e
	}
	return c.target(state.Group, id)
}

func getGroup(c *call) (*reply, *odata.Error) {
	if !c.has(readGroupNames...) {
		return nil, denied()
	}
	o, e := c.group()
	if e != nil {
		return nil, e
	}
	if e := c.checkMailSettingsRead(o); e != nil {
		return nil, e
	}
	return c.one(o, "groups")
}

// createGroup is POST /groups.
func createGroup(c *call) (*reply, *odata.Error) {
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	return c.makeGroup(body)
}

// makeGroup makes a group with its first members and owners, all or nothing.
func (c *call) makeGroup(body map[string]any) (*reply, *odata.Error) {
	if !c.has(writeGroups...) {
		return nil, denied()
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
	o := c.tx.NewObject(state.Group)
	maps.Copy(o.Props, given)
	if e := c.mayCreateGroup(o); e != nil {
		return nil, e
	}
	if e := c.checkNewGroup(o); e != nil {
		return nil, e
	}
	c.fillGroup(o)
	if e := c.groupConflict(o); e != nil {
		return nil, e
	}
	b, e := c.bound(o, body)
	if e != nil {
		return nil, e
	}
	if e := c.checkFresh(o, b, bindNotReplicated()); e != nil {
		return nil, e
	}
	if !c.holds(groupCreators...) { // GG 2.1: who has no role for it owns what they make
		if b.has(state.Owners, c.me.ID) {
			return nil, badRequest("Request contains a property with duplicate values.")
		}
		b = append(b, reference{state.Owners, c.me})
	}
	return c.createGroup(o, b)
}

// fillGroup gives a new group what the service sets by itself.
func (c *call) fillGroup(o *state.Object) {
	o.Creator = c.me.ID
	stamp := state.Stamp(o.Created)
	o.Props["createdDateTime"] = stamp
	o.Props["renewedDateTime"] = stamp
	o.Props["securityIdentifier"] = securityIdentifier(o.ID)
	if o.Dynamic() && o.Text("membershipRuleProcessingState") == "" {
		o.Props["membershipRuleProcessingState"] = "On"
	}
	if !o.Unified() {
		delete(o.Props, "visibility") // GG 2.3: a security group reports none
		return
	}
	if o.Text("visibility") == "" {
		o.Props["visibility"] = "Public"
	}
	if days := c.t.GroupLifetime; days > 0 {
		o.Props["expirationDateTime"] = state.Stamp(o.Created.AddDate(0, 0, days))
	}
	mail := o.Text("mailNickname") + "@" + c.t.DefaultDomain()
	o.Props["mail"] = mail
	o.Props["proxyAddresses"] = []any{"SMTP:" + mail}
}

// securityIdentifier is the SID that the id of an object stands for.
func securityIdentifier(id string) string {
	raw, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(raw) != 16 {
		return ""
	}
	word := func(bytes ...byte) uint32 {
		return uint32(bytes[0])<<24 | uint32(bytes[1])<<16 | uint32(bytes[2])<<8 | uint32(bytes[3])
	}
	return fmt.Sprintf("S-1-12-1-%d-%d-%d-%d", word(raw[0:4]...), word(raw[6], raw[7], raw[4], raw[5]),
		word(raw[11], raw[10], raw[9], raw[8]), word(raw[15], raw[14], raw[13], raw[12]))
}

// createGroup commits a new group with its links and answers with it.
func (c *call) createGroup(o *state.Object, b references) (*reply, *odata.Error) {
	m := c.mutation("create", o)
	m.After = maps.Clone(o.Props)
	ch := c.tx.Change(c.t)
	ch.PutLifecycle(o, append(slices.Collect(maps.Keys(o.Props)), b.relations()...)...)
	ch.Log(m)
	c.setLinks(ch, o, b, true)
	if err := ch.Commit(); err != nil {
		return nil, failed(err)
	}
	shown := c.showStandard(o)
	shown["@odata.context"] = c.context("groups/$entity")
	return &reply{status: http.StatusCreated, body: shown, header: http.Header{"Location": {c.base + "/groups/" + o.ID}}}, nil
}

// patchGroup is PATCH /groups/{id}; by the alternate key, and with the header
// Prefer: create-if-missing, it makes the group that is not there (GG 2.2).
func patchGroup(c *call) (*reply, *odata.Error) {
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	if !c.has(writeGroups...) && !(onlyMembers(body) && c.has(writeMembers...)) {
		return nil, denied()
	}
	name, byName := c.uniqueName()
	if byName {
		if e := checkText("Group", "uniqueName", state.Groups.Properties["uniqueName"], name); e != nil {
			return nil, e
		}
		if other, named := body["uniqueName"]; named && other != name {
			return nil, invalidValue("Group", "uniqueName")
		}
		holder := c.t.Holder(state.ByUniqueName, name)
		if (holder == nil || !holder.Active()) && odata.Prefers(c.header.Get("Prefer"), "create-if-missing") {
			made := maps.Clone(body)
			made["uniqueName"] = name
			return c.makeGroup(made)
		}
	}
	o, e := c.targetGroup()
	if e != nil {
		return nil, e
	}
	if byName {
		body = withoutSame(o, body)
	}
	return c.editGroup(o, body)
}

// onlyMembers tells whether a body adds members and nothing else.
func onlyMembers(body map[string]any) bool {
	_, ok := body["members@odata.bind"]
	return ok && len(body) == 1
}

// withoutSame is the body of an upsert without what can only be said of a new group
// and is so already: repeating an upsert must not fail. [K]
func withoutSame(o *state.Object, body map[string]any) map[string]any {
	out := maps.Clone(body)
	maps.DeleteFunc(out, func(name string, v any) bool {
		p := state.Groups.Properties[name]
		was := o.Props[name]
		if was == nil && p.Type == state.Bool {
			was = false
		}
		return p.Create && fmt.Sprint(was) == fmt.Sprint(v)
	})
	return out
}

// editGroup changes a group and adds members and owners, all or nothing.
func (c *call) editGroup(o *state.Object, body map[string]any) (*reply, *odata.Error) {
	given, e := checkGroupBody(body, o)
	if e != nil {
		return nil, e
	}
	binds := len(body) > len(given)
	if e := c.mayPatchGroup(o, len(given) > 0 || body["owners@odata.bind"] != nil); e != nil {
		return nil, e
	}
	if e := editable(o, binds); e != nil {
		return nil, e
	}
	next := o.Clone()
	maps.Copy(next.Props, given)
	if !next.Unified() {
		next.Props["visibility"] = o.Props["visibility"]
	}
	if e := c.checkEditedGroup(o, next, given); e != nil {
		return nil, e
	}
	var b references
	if binds {
		if e := memberable(next, state.Members); e != nil && body["members@odata.bind"] != nil {
			return nil, e
		}
		if b, e = c.bound(o, body); e != nil {
			return nil, e
		}
		if e := c.checkFresh(o, b, notReplicated()); e != nil {
			return nil, e
		}
	}
	return c.commitGroup(o, next, b)
}

// commitGroup commits a changed copy of a group with further links.
func (c *call) commitGroup(o, next *state.Object, b references) (*reply, *odata.Error) {
	names, before, after := state.Difference(o, next)
	emptied := next.Dynamic() && !o.Dynamic()
	ch := c.tx.Change(c.t)
	if len(names) == 0 && len(b) == 0 {
		ch.Log(c.mutation("noop", o))
		return commit(ch)
	}
	if e := c.groupConflict(next); e != nil {
		return nil, e
	}
	changed := append(slices.Clone(names), b.relations()...)
	if emptied {
		changed = append(changed, string(state.Members))
	}
	ch.Put(next, changed...)
	if len(names) > 0 {
		m := c.mutation("update", next)
		m.Before = before
		m.After = after
		ch.Log(m)
	}
	if emptied { // GG 2.3: a rule begins with nobody
		c.setLinks(ch, next, c.referencesOf(next, state.Members), false)
	}
	c.setLinks(ch, next, b, true)
	return commit(ch)
}

// deleteGroup is DELETE /groups/{id}.
func deleteGroup(c *call) (*reply, *odata.Error) {
	if !c.has(removeGroups...) {
		return nil, denied()
	}
	o, e := c.targetGroup()
	if e != nil {
		return nil, e
	}
	return c.removeGroup(o)
}

// removeGroup deletes a group: into the deleted items, or for good where its kind has
// no place there (GG 2.4, GG 5).
func (c *call) removeGroup(o *state.Object) (*reply, *odata.Error) {
	if e := mayRemoveGroup(c, o); e != nil {
		return nil, e
	}
	switch {
	case o.Flag("onPremisesSyncEnabled"):
		return nil, onPremises()
	case licensing.Licensed(o):
		return nil, badRequest("A group with active licenses assigned cannot be deleted.")
	case !o.DeletedForGood():
		return c.softDelete(o)
	}
	next := o.Clone()
	next.Deleted = c.now()
	next.Gone = true
	ch := c.tx.Change(c.t)
	ch.PutLifecycle(next)
	ch.Unlink(o.ID)
	ch.Log(c.mutation("delete", o))
	return commit(ch)
}

// renewGroup is POST /groups/{id}/renew: the group's expiry begins anew.
func renewGroup(c *call) (*reply, *odata.Error) {
	if !c.has(removeGroups...) {
		return nil, denied()
	}
	o, e := c.targetGroup()
	if e != nil {
		return nil, e
	}
	if e := mayRemoveGroup(c, o); e != nil {
		return nil, e
	}
	if !o.Unified() {
		return nil, badRequest("Only Microsoft 365 groups can be renewed.") // [K]: that it is refused, and the words
	}
	next := o.Clone()
	next.Props["renewedDateTime"] = state.Stamp(c.now())
	if days := c.t.GroupLifetime; days > 0 {
		next.Props["expirationDateTime"] = state.Stamp(c.now().AddDate(0, 0, days))
	}
	return c.update(o, next)
}

// groupCreators are the roles with which groups are made and edited (GG 1).
var groupCreators = []string{
	roles.GlobalAdministrator, roles.UserAdministrator, roles.GroupsAdministrator, roles.DirectoryWriters, roles.IdentityGovernanceAdministrator,
}
