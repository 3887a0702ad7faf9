package entratest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// activities names a mutation as the audit log does.
var activities = map[string]struct{ name, operation string }{
	kindUser + " create":           {"Add user", "Add"},
	kindUser + " update":           {"Update user", "Update"},
	kindUser + " delete":           {"Delete user", "Delete"},
	kindUser + " restore":          {"Restore user", "Update"},
	kindUser + " purge":            {"Hard Delete user", "Delete"},
	kindUser + " revoke":           {"Update StsRefreshTokenValidFrom Timestamp", "Update"},
	kindUser + " roles":            {"Add member to role", "Assign"},
	kindGroup + " create":          {"Add group", "Add"},
	kindGroup + " update":          {"Update group", "Update"},
	kindGroup + " delete":          {"Delete group", "Delete"},
	kindGroup + " restore":         {"Restore Group", "Update"},
	kindGroup + " purge":           {"Hard Delete group", "Delete"},
	kindGroup + " member-add":      {"Add member to group", "Assign"},
	kindGroup + " member-remove":   {"Remove member from group", "Unassign"},
	"oauth2PermissionGrant create": {"Add delegated permission grant", "Assign"},
	"oauth2PermissionGrant update": {"Add delegated permission grant", "Update"},
	"oauth2PermissionGrant delete": {"Remove delegated permission grant", "Unassign"},
}

// auditLife is how long events are kept, as in a tenant with a premium licence.
const auditLife = 30 * 24 * time.Hour

// audit writes a mutation as an event; ok is false for what leaves none.
func (c *call) audit(m Mutation) (event map[string]any, ok bool) {
	a, known := activities[m.Target+" "+m.Kind]
	if !known || c.s.now().Sub(m.Time) > auditLife {
		return nil, false
	}
	category := map[string]string{kindUser: "UserManagement", kindGroup: "GroupManagement"}[m.Target]
	if category == "" {
		category = "ApplicationManagement"
	}
	if m.Kind == "roles" {
		category = "RoleManagement"
	}
	var initiator any
	if m.ActorUPN != "" || m.Actor != "" {
		id := any(m.Actor)
		if m.Actor == "" {
			id = nil
		}
		initiator = map[string]any{"id": id, "displayName": nil, "userPrincipalName": m.ActorUPN, "ipAddress": "192.0.2.1"}
	}
	modified := []any{}
	for _, name := range slices.Sorted(maps.Keys(m.After)) {
		modified = append(modified, map[string]any{"displayName": name, "oldValue": encoded(m.Before[name]), "newValue": encoded(m.After[name])})
	}
	kind := map[string]string{kindUser: "User", kindGroup: "Group"}[m.Target]
	if kind == "" {
		kind = "ServicePrincipal"
	}
	return map[string]any{
		"id": "Directory_" + m.ID, "activityDateTime": m.Time.UTC().Format("2006-01-02T15:04:05.0000000Z"), "activityDisplayName": a.name,
		"operationType": a.operation, "category": category, "correlationId": m.RequestID, "loggedByService": "Core Directory",
		"result": "success", "resultReason": "", "initiatedBy": map[string]any{"user": initiator, "app": nil},
		"targetResources": []any{map[string]any{
			"id": m.TargetID, "displayName": m.Name, "type": kind, "userPrincipalName": m.UPN, "groupType": nil, "modifiedProperties": modified,
		}},
		"additionalDetails": []any{},
	}, true
}

// encoded is a value as the audit log has it: JSON in a string, in a list.
func encoded(v any) any {
	if v == nil {
		return "[]"
	}
	raw, err := json.Marshal([]any{v})
	if err != nil {
		return nil
	}
	return string(raw)
}

// mayAudit checks the right to read the audit log.
func (c *call) mayAudit() *graphError {
	if !c.has("AuditLog.Read.All") || !c.holds(globalAdmin, globalReader, reportsReader, securityReader, securityAdmin) {
		return denied()
	}
	if c.strikeHere("premium") != nil {
		return &graphError{status: http.StatusForbidden, code: "Authentication_RequestFromNonPremiumTenantOrB2CTenant", free: true,
			message: "Neither tenant is B2C or tenant doesn't have premium license"}
	}
	return nil
}

func (c *call) listAudits() (*reply, *graphError) {
	if e := c.mayAudit(); e != nil {
		return nil, e
	}
	newestFirst := true
	switch strings.ToLower(strings.Join(strings.Fields(c.q["$orderby"]), " ")) {
	case "", "activitydatetime desc":
	case "activitydatetime", "activitydatetime asc":
		newestFirst = false
	default:
		return nil, badGraph("BadRequest", "The $orderby clause is not supported.")
	}
	items := []any{}
	for _, m := range c.t.mutated {
		if event, ok := c.audit(m); ok {
			items = append(items, event)
		}
	}
	if newestFirst {
		slices.Reverse(items)
	}
	c.maxTop = 1000
	return c.pagedList("auditLogs/directoryAudits", items)
}

func (c *call) getAudit() (*reply, *graphError) {
	if e := c.mayAudit(); e != nil {
		return nil, e
	}
	for _, m := range c.t.mutated {
		if event, ok := c.audit(m); ok && event["id"] == c.raw[2] {
			return c.first(c.plainList("auditLogs/directoryAudits", []any{event}))
		}
	}
	return nil, notThere(c.raw[2])
}
