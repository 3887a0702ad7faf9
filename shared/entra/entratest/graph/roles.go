package graph

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/state"
)

var roleRoutes = []route{
	{"GET", "directoryroles", listRoles},
	{"GET", "directoryroles/{}", getRole},
	{"GET", "directoryroles/{}/members", roleMembers},
	{"GET", "directoryroletemplates", listRoleTemplates},
	{"GET", "rolemanagement/directory/roleassignments", roleAssignments},
	{"GET", "rolemanagement/directory/roledefinitions", roleDefinitions},
}

var readRoles = []string{"RoleManagement.Read.Directory", "RoleManagement.Read.All", "RoleManagement.ReadWrite.Directory", "Directory.Read.All", "Directory.ReadWrite.All"}

// derivedID is the id of something in a tenant that has none of its own in the
// state: it is the same each time.
func derivedID(t *state.Tenant, name string) string {
	b := sha256.Sum256([]byte(t.ID + name))
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// roleOf finds the template of a role by the id of the tenant's own copy.
func roleOf(t *state.Tenant, id string) (string, bool) {
	for template := range t.Roles {
		if derivedID(t, template) == strings.ToLower(id) {
			return template, true
		}
	}
	return "", false
}

func describeRole(template string) string { return "Holders of the role " + roles.Name(template) + "." }

func showRole(t *state.Tenant, template string) map[string]any {
	return map[string]any{
		"id": derivedID(t, template), "deletedDateTime": nil, "displayName": roles.Name(template),
		"description": describeRole(template), "roleTemplateId": template,
	}
}

func showDefinition(template string) map[string]any {
	return map[string]any{
		"id": template, "templateId": template, "displayName": roles.Name(template), "isBuiltIn": roles.IsBuiltIn(template), "isEnabled": true,
		"description": describeRole(template), "resourceScopes": []any{"/"}, "version": "1",
	}
}

func listRoles(c *call) (*reply, *odata.Error) {
	if !c.has(readRoles...) {
		return nil, denied()
	}
	items := []any{}
	for _, template := range slices.Sorted(maps.Keys(c.t.Roles)) {
		items = append(items, showRole(c.t, template))
	}
	return c.whole("directoryRoles", items)
}

func listRoleTemplates(c *call) (*reply, *odata.Error) {
	if !c.has(readRoles...) {
		return nil, denied()
	}
	items := []any{}
	for _, template := range roles.BuiltIn() {
		items = append(items, map[string]any{"id": template, "displayName": roles.Name(template), "deletedDateTime": nil, "description": describeRole(template)})
	}
	return c.whole("directoryRoleTemplates", items)
}

// role resolves the role of a path: an id, or (roleTemplateId='…').
func (c *call) role() (template string, e *odata.Error) {
	ref := c.path.Raw[1]
	if template, named := strings.CutPrefix(strings.ToLower(ref), "(roletemplateid)"); named {
		if _, active := c.t.Roles[template]; !active {
			return "", notThere(template)
		}
		return template, nil
	}
	template, ok := roleOf(c.t, ref)
	if !ok {
		return "", notThere(ref)
	}
	return template, nil
}

func getRole(c *call) (*reply, *odata.Error) {
	if !c.has(readRoles...) {
		return nil, denied()
	}
	template, e := c.role()
	if e != nil {
		return nil, e
	}
	body := showRole(c.t, template)
	body["@odata.context"] = c.context("directoryRoles/$entity")
	return &reply{status: http.StatusOK, body: body}, nil
}

func roleMembers(c *call) (*reply, *odata.Error) {
	if !c.has(readRoles...) {
		return nil, denied()
	}
	template, e := c.role()
	if e != nil {
		return nil, e
	}
	return c.mixed(slices.Clone(c.t.Roles[template]), 3)
}

// roleAssignments lists who has which role, in pages.
func roleAssignments(c *call) (*reply, *odata.Error) {
	if !c.has(readRoles...) {
		return nil, denied()
	}
	items := []any{}
	for _, template := range slices.Sorted(maps.Keys(c.t.Roles)) {
		for _, id := range c.t.Roles[template] {
			o := c.seen(id)
			if o == nil || !o.Active() {
				continue
			}
			item, e := c.roleAssignment(template, o)
			if e != nil {
				return nil, e
			}
			items = append(items, item)
		}
	}
	return c.paged("roleManagement/directory/roleAssignments", items, mostTop)
}

func (c *call) roleAssignment(template string, o *state.Object) (map[string]any, *odata.Error) {
	item := map[string]any{
		"id": derivedID(c.t, template+o.ID), "principalId": o.ID, "roleDefinitionId": template, "directoryScopeId": "/",
		"appScopeId": nil, "condition": nil, "principalOrganizationId": c.t.ID,
	}
	switch c.options["$expand"] {
	case "":
	case "principal":
		principal := c.showStandard(o)
		principal["@odata.type"] = resourceOf(o.Kind).odataType()
		item["principal"] = principal
	case "roleDefinition":
		item["roleDefinition"] = showDefinition(template)
	default:
		return nil, odata.BadRequest("Parsing OData Select and Expand failed.")
	}
	return item, nil
}

func roleDefinitions(c *call) (*reply, *odata.Error) {
	if !c.has(readRoles...) {
		return nil, denied()
	}
	templates := append(roles.BuiltIn(), slices.Collect(maps.Keys(c.t.Roles))...)
	slices.Sort(templates)
	items := []any{}
	for _, template := range slices.Compact(templates) {
		items = append(items, showDefinition(template))
	}
	return c.whole("roleManagement/directory/roleDefinitions", items)
}
