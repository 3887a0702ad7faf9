package entratest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
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

// audited names properties as the audit log does, where it does not only begin
// them with a capital.
var audited = map[string]string{
	"businessPhones": "TelephoneNumber", "mobilePhone": "Mobile", "officeLocation": "PhysicalDeliveryOfficeName", "otherMails": "OtherMail",
	"onPremisesImmutableId": "SourceAnchor", "signInSessionsValidFromDateTime": "StsRefreshTokensValidFrom",
}

func auditedName(name string) string {
	if known := audited[name]; known != "" {
		return known
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// audit writes a mutation as events, which have one correlationId; there are
// none of what leaves none. Blocking an account is told twice: as an update and
// as what it is.
func (c *call) audit(m Mutation) []any {
	a, known := activities[m.Target+" "+m.Kind]
	if !known || c.s.now().Sub(m.Time) > auditLife {
		return nil
	}
	modified := modifiedProperties(m)
	events := []any{auditEvent(m, a.name, a.operation, modified)}
	if enabled, changed := m.After["accountEnabled"].(bool); changed && m.Target == kindUser && m.Kind == "update" {
		name := "Disable account"
		if enabled {
			name = "Enable account"
		}
		only := []any{map[string]any{"displayName": "AccountEnabled", "oldValue": encoded(m.Before["accountEnabled"]), "newValue": encoded(enabled)}}
		events = append(events, auditEvent(m, name, "Update", only))
	}
	return events
}

// correlation is the id that the events of one request share. It is the
// service's own and not the request-id that the caller was answered.
func correlation(m Mutation) string {
	h := fmt.Sprintf("%x", sha256.Sum256([]byte("audit "+m.ID)))
	return fmt.Sprintf("%s-%s-4%s-8%s-%s", h[:8], h[8:12], h[12:15], h[15:18], h[18:30])
}

func auditEvent(m Mutation, name, operation string, modified []any) map[string]any {
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
	kind := map[string]string{kindUser: "User", kindGroup: "Group"}[m.Target]
	if kind == "" {
		kind = "ServicePrincipal"
	}
	sum := sha256.Sum256([]byte(m.ID + name))
	return map[string]any{
		"id": fmt.Sprintf("Directory_%s_%X_%d", correlation(m), sum[:3], m.Time.Unix()%100_000_000), "activityDateTime": m.Time.UTC().Format("2006-01-02T15:04:05.0000000Z"),
		"activityDisplayName": name, "operationType": operation, "category": category, "correlationId": correlation(m), "loggedByService": "Core Directory",
		"result": "success", "resultReason": "", "initiatedBy": map[string]any{"user": initiator, "app": nil},
		"targetResources": []any{map[string]any{
			"id": m.TargetID, "displayName": m.Name, "type": kind, "userPrincipalName": m.UPN, "groupType": nil, "modifiedProperties": modified,
		}},
		"additionalDetails": []any{map[string]any{"key": "UserType", "value": "Member"}},
	}
}

// modifiedProperties are the values of a mutation as the log has them, with the
// names of all of them in one more.
func modifiedProperties(m Mutation) []any {
	after, before := flat(m.After), flat(m.Before)
	modified, names := []any{}, []string{}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		names = append(names, auditedName(name))
		modified = append(modified, map[string]any{"displayName": auditedName(name), "oldValue": encoded(before[name]), "newValue": encoded(after[name])})
	}
	if len(names) > 0 && m.Target == kindUser {
		all, err := json.Marshal(strings.Join(names, ", "))
		if err == nil {
			modified = append(modified, map[string]any{"displayName": "Included Updated Properties", "oldValue": nil, "newValue": string(all)})
		}
	}
	return modified
}

// flat lifts the extension attributes up to the others.
func flat(values map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range values {
		if nested, ok := v.(map[string]any); ok && name == "onPremisesExtensionAttributes" {
			maps.Copy(out, nested)
			continue
		}
		out[name] = v
	}
	return out
}

// encoded is a value as the audit log has it: JSON in a string, in a list.
func encoded(v any) any {
	if v == nil {
		return "[]"
	}
	if list, ok := v.([]any); ok {
		v = list
	} else {
		v = []any{v}
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return string(raw)
}

// auditFilters are the properties of an event that can be filtered by, each with
// its operators.
var auditFilters = map[string][]string{
	"activityDateTime": {"eq", "ge", "le"}, "activityDisplayName": {"eq", "startswith"}, "loggedByService": {"eq"},
	"initiatedBy/user/id": {"eq"}, "initiatedBy/user/displayName": {"eq"}, "initiatedBy/user/userPrincipalName": {"eq", "startswith"},
	"initiatedBy/app/appId": {"eq"}, "initiatedBy/app/displayName": {"eq"},
	"targetResources/id": {"eq"}, "targetResources/displayName": {"eq", "startswith"},
	"category": {"eq"}, "correlationId": {"eq"}, "result": {"eq"},
}

// checkAuditFilter refuses what the audit log cannot be filtered by.
func checkAuditFilter(text string) *graphError {
	if text == "" {
		return nil
	}
	p := &parser{text: text, check: func(path, op string, literal any) *graphError {
		value, isText := literal.(string)
		if !slices.Contains(auditFilters[path], op) || !isText {
			return badGraph("BadRequest", "Invalid filter clause: '%s' with the operator '%s' is not supported.", path, op)
		}
		if _, err := time.Parse(time.RFC3339, value); path == "activityDateTime" && err != nil {
			return badGraph("BadRequest", "Invalid filter clause: '%s' is not a time.", value)
		}
		return nil
	}}
	_, e := p.parse()
	return e
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
	if e := checkAuditFilter(c.q["$filter"]); e != nil {
		return nil, e
	}
	items := c.events()
	if newestFirst {
		slices.Reverse(items)
	}
	c.maxTop = 1000
	return c.pagedList("auditLogs/directoryAudits", items)
}

// events are those that the log shows by now, oldest first.
func (c *call) events() []any {
	var lag time.Duration
	if f := c.strikeHere("audit-lag"); f != nil {
		lag = f.duration()
	}
	items := []any{}
	for _, m := range c.t.mutated {
		if c.s.now().Sub(m.Time) >= lag {
			items = append(items, c.audit(m)...)
		}
	}
	return items
}

func (c *call) getAudit() (*reply, *graphError) {
	if e := c.mayAudit(); e != nil {
		return nil, e
	}
	for _, event := range c.events() {
		if event.(map[string]any)["id"] == c.raw[2] {
			return c.first(c.plainList("auditLogs/directoryAudits", []any{event}))
		}
	}
	return nil, notThere(c.raw[2])
}
