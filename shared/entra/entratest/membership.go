package entratest

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// roleID is the id of a tenant's own copy of a directory role.
func (t *tenant) roleID(template string) string {
	b := sha256.Sum256([]byte(t.id + template))
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// roleOf finds the template of a role's id.
func (t *tenant) roleOf(id string) (string, bool) {
	for template := range t.roles {
		if t.roleID(template) == strings.ToLower(id) {
			return template, true
		}
	}
	return "", false
}

func (t *tenant) showRole(template string) map[string]any {
	return map[string]any{
		"id": t.roleID(template), "deletedDateTime": nil, "displayName": roleName(template),
		"description": "Holders of the role " + roleName(template) + ".", "roleTemplateId": template,
	}
}

// memberOf lists groups and directory roles of an account: direct ones, or for
// transitiveMemberOf those through groups too.
func (c *call) memberOf() (*reply, *graphError) {
	own := strings.EqualFold(c.ref(), c.me.ID) || strings.EqualFold(c.ref(), c.me.text("userPrincipalName"))
	scopes := append(slices.Clone(readUsers), readGroups...)
	scopes = append(scopes, readRoles...)
	if own {
		scopes = append(scopes, "User.Read", "User.ReadWrite")
	}
	if !c.has(scopes...) {
		return nil, denied()
	}
	o, e := c.lookup(kindUser, c.ref())
	if e != nil {
		return nil, e
	}
	groups := c.t.directGroupsOf(o.ID)
	if c.names[2] == "transitivememberof" {
		groups = c.t.groupsOf(o.ID)
	}
	var ids []string
	for _, g := range groups {
		ids = append(ids, g.ID)
	}
	for template, members := range c.t.roles {
		through := c.names[2] == "transitivememberof" && slices.ContainsFunc(groups, func(g *object) bool { return members[g.ID] })
		if members[o.ID] || through {
			ids = append(ids, c.t.roleID(template))
		}
	}
	return c.mixed(ids, 3)
}

// getMemberGroups is POST /users/{id}/getMemberGroups.
func (c *call) getMemberGroups() (*reply, *graphError) {
	o, body, e := c.membershipCall()
	if e != nil {
		return nil, e
	}
	only := body["securityEnabledOnly"] == true
	ids := []any{}
	for _, g := range c.t.groupsOf(o.ID) {
		if !only || g.flag("securityEnabled") {
			ids = append(ids, g.ID)
		}
	}
	return &reply{status: http.StatusOK, body: map[string]any{"@odata.context": c.context("Collection(Edm.String)"), "value": ids}}, nil
}

func (c *call) checkMemberGroups() (*reply, *graphError) {
	o, body, e := c.membershipCall()
	if e != nil {
		return nil, e
	}
	asked := stringsOf(body["groupIds"])
	if len(asked) == 0 || len(asked) > 20 {
		return nil, request400("groupIds takes 1 to 20 ids.")
	}
	ids := []any{}
	for _, g := range c.t.groupsOf(o.ID) {
		if slices.ContainsFunc(asked, func(a string) bool { return strings.EqualFold(a, g.ID) }) {
			ids = append(ids, g.ID)
		}
	}
	return &reply{status: http.StatusOK, body: map[string]any{"@odata.context": c.context("Collection(Edm.String)"), "value": ids}}, nil
}

func (c *call) membershipCall() (*object, map[string]any, *graphError) {
	if !c.has(append(slices.Clone(readUsers), readGroups...)...) {
		return nil, nil, denied()
	}
	body, e := c.object()
	if e != nil {
		return nil, nil, e
	}
	o, e := c.lookup(kindUser, c.ref())
	return o, body, e
}

func (c *call) listRoles() (*reply, *graphError) {
	if !c.has(readRoles...) {
		return nil, denied()
	}
	items := []any{}
	for _, template := range slices.Sorted(maps.Keys(c.t.roles)) {
		items = append(items, c.t.showRole(template))
	}
	return c.plainList("directoryRoles", items)
}

func (c *call) listRoleTemplates() (*reply, *graphError) {
	if !c.has(readRoles...) {
		return nil, denied()
	}
	items := []any{}
	for _, template := range slices.Sorted(maps.Keys(roleNames)) {
		items = append(items, map[string]any{"id": template, "displayName": roleNames[template], "deletedDateTime": nil,
			"description": "Holders of the role " + roleNames[template] + "."})
	}
	return c.plainList("directoryRoleTemplates", items)
}

// plainList answers a whole collection on one page, cut to $select and filtered.
func (c *call) plainList(set string, items []any) (*reply, *graphError) {
	if text := c.q["$filter"]; text != "" {
		p := &parser{text: text, check: func(string, string, any) *graphError { return nil }}
		keep, e := p.parse()
		if e != nil {
			return nil, e
		}
		items = slices.DeleteFunc(items, func(it any) bool {
			return !keep(func(path string) any { return descend(it, path) })
		})
	}
	if sel := c.q["$select"]; sel != "" {
		names := strings.Split(strings.ReplaceAll(sel, " ", ""), ",")
		for _, it := range items {
			maps.DeleteFunc(it.(map[string]any), func(k string, _ any) bool {
				return !strings.HasPrefix(k, "@") && !slices.Contains(names, k) && k != "principal" && k != "roleDefinition"
			})
		}
	}
	return &reply{status: http.StatusOK, body: map[string]any{"@odata.context": c.contextOf(set, false), "value": items}}, nil
}

// descend follows a path such as initiatedBy/user/id.
func descend(v any, path string) any {
	for _, name := range strings.Split(path, "/") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

// role resolves the role of a path: an id, or (roleTemplateId='…').
func (c *call) role() (string, *graphError) {
	ref := c.raw[1]
	if template, ok := strings.CutPrefix(strings.ToLower(ref), "(roletemplateid)"); ok {
		if _, active := c.t.roles[template]; active {
			return template, nil
		}
		return "", notThere(template)
	}
	if template, ok := c.t.roleOf(ref); ok {
		return template, nil
	}
	return "", notThere(ref)
}

func (c *call) getRole() (*reply, *graphError) {
	if !c.has(readRoles...) {
		return nil, denied()
	}
	template, e := c.role()
	if e != nil {
		return nil, e
	}
	body := c.t.showRole(template)
	body["@odata.context"] = c.context("directoryRoles/$entity")
	return &reply{status: http.StatusOK, body: body}, nil
}

func (c *call) roleMembers() (*reply, *graphError) {
	if !c.has(readRoles...) {
		return nil, denied()
	}
	template, e := c.role()
	if e != nil {
		return nil, e
	}
	return c.mixed(slices.Collect(maps.Keys(c.t.roles[template])), 3)
}

// roleAssignments lists who has which role, in pages.
func (c *call) roleAssignments() (*reply, *graphError) {
	if !c.has(readRoles...) {
		return nil, denied()
	}
	items := []any{}
	for _, template := range slices.Sorted(maps.Keys(c.t.roles)) {
		for _, id := range slices.Sorted(maps.Keys(c.t.roles[template])) {
			o := c.seen(id)
			if o == nil || !o.active() {
				continue
			}
			item := map[string]any{
				"id": c.t.roleID(template + id), "principalId": id, "roleDefinitionId": template, "directoryScopeId": "/",
				"resourceScope": "/", "appScopeId": nil, "condition": nil, "principalOrganizationId": c.t.id,
			}
			switch c.q["$expand"] {
			case "":
			case "principal":
				item["principal"] = c.principal(o)
			case "roleDefinition":
				item["roleDefinition"] = showDefinition(template)
			default:
				return nil, badGraph("BadRequest", "Parsing OData Select and Expand failed.")
			}
			items = append(items, item)
		}
	}
	return c.pagedList("roleManagement/directory/roleAssignments", items)
}

func (c *call) principal(o *object) map[string]any {
	out := c.t.show(o, standardSet(o.Kind))
	out["@odata.type"] = "#microsoft.graph." + o.Kind
	return out
}

func showDefinition(template string) map[string]any {
	_, builtIn := roleNames[template]
	return map[string]any{
		"id": template, "templateId": template, "displayName": roleName(template), "isBuiltIn": builtIn, "isEnabled": true,
		"description": "Holders of the role " + roleName(template) + ".", "resourceScopes": []any{"/"}, "version": "1",
	}
}

func (c *call) roleDefinitions() (*reply, *graphError) {
	if !c.has(readRoles...) {
		return nil, denied()
	}
	all := maps.Clone(roleNames)
	for template := range c.t.roles {
		all[template] = roleName(template)
	}
	items := []any{}
	for _, template := range slices.Sorted(maps.Keys(all)) {
		items = append(items, showDefinition(template))
	}
	return c.plainList("roleManagement/directory/roleDefinitions", items)
}

// pagedList is plainList in pages of $top, 100 without.
func (c *call) pagedList(set string, items []any) (*reply, *graphError) {
	filter, order := c.q["$filter"], c.q["$orderby"]
	delete(c.q, "$filter") // the generic options follow; the filter is plainList's
	delete(c.q, "$orderby")
	q, e := c.query(kindUser)
	if e != nil {
		return nil, e
	}
	if filter != "" {
		c.q["$filter"] = filter
	}
	if order != "" {
		c.q["$orderby"] = order
	}
	out, e := c.plainList(set, items)
	if e != nil {
		return nil, e
	}
	body := out.body.(map[string]any)
	items = body["value"].([]any)
	from := min(q.from.Skip, len(items))
	to := min(from+q.top, len(items))
	body["value"] = items[from:to]
	var next *pageToken
	if to < len(items) {
		next = &pageToken{Skip: to}
	}
	c.goOn(body, q, next)
	return out, nil
}

// getByIDs is POST /directoryObjects/getByIds.
func (c *call) getByIDs() (*reply, *graphError) {
	if !c.has(append(slices.Clone(readUsers), readGroups...)...) {
		return nil, denied()
	}
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	ids := stringsOf(body["ids"])
	if len(ids) == 0 || len(ids) > 1000 {
		return nil, request400("ids takes 1 to 1000 ids.")
	}
	types := stringsOf(body["types"])
	items := []any{}
	for _, id := range ids {
		item := c.memberItem(id)
		kind := strings.TrimPrefix(text(item["@odata.type"]), "#microsoft.graph.")
		if item != nil && (len(types) == 0 || slices.ContainsFunc(types, func(t string) bool {
			return strings.EqualFold(t, kind) || strings.EqualFold(t, "directoryObject")
		})) {
			items = append(items, item)
		}
	}
	return &reply{status: http.StatusOK, body: map[string]any{"@odata.context": c.context("directoryObjects"), "value": items}}, nil
}

func (c *call) getDirectoryObject() (*reply, *graphError) {
	if !c.has(append(slices.Clone(readUsers), readGroups...)...) {
		return nil, denied()
	}
	item := c.memberItem(c.ref())
	if item == nil {
		return nil, notThere(c.ref())
	}
	item["@odata.context"] = c.context("directoryObjects/$entity")
	return &reply{status: http.StatusOK, body: item}, nil
}
