package graph

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/state"
)

var auditRoutes = []route{
	{"GET", "auditlogs/directoryaudits", listAudits},
	{"GET", "auditlogs/directoryaudits/{}", getAudit},
}

// auditing is how the audit log tells of one kind of target.
type auditing struct {
	noun       string              // type of a target resource
	category   string              // of its activities
	activities map[string]activity // by the kind of mutation
}

// activity names a mutation as the audit log does.
type activity struct{ name, operation string }

// auditingOf finds how the log tells of a kind of target; false when it does not.
func auditingOf(target string) (auditing, bool) {
	for _, r := range resources {
		if r.table.Kind == target {
			return r.audit, true
		}
	}
	return grantAuditing, target == grantTarget
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
func audit(m state.Mutation) []any {
	how, known := auditingOf(m.Target)
	a, tells := how.activities[m.Kind]
	if !known || !tells {
		return nil
	}
	events := []any{auditEvent(m, how, a, modifiedProperties(m))}
	enabled, changed := m.After["accountEnabled"].(bool)
	if !changed || m.Target != state.User || m.Kind != "update" {
		return events
	}
	name := "Disable account"
	if enabled {
		name = "Enable account"
	}
	only := []any{map[string]any{"displayName": "AccountEnabled", "oldValue": encoded(m.Before["accountEnabled"]), "newValue": encoded(enabled)}}
	return append(events, auditEvent(m, how, activity{name, "Update"}, only))
}

// correlation is the id that the events of one request share. It is the
// service's own and not the request-id that the caller was answered.
func correlation(m state.Mutation) string {
	h := fmt.Sprintf("%x", sha256.Sum256([]byte("audit "+m.ID)))
	return fmt.Sprintf("%s-%s-4%s-8%s-%s", h[:8], h[8:12], h[12:15], h[15:18], h[18:30])
}

func auditEvent(m state.Mutation, how auditing, a activity, modified []any) map[string]any {
	category := how.category
	if m.Kind == "roles" {
		category = "RoleManagement"
	}
	sum := sha256.Sum256([]byte(m.ID + a.name))
	return map[string]any{
		"id":               fmt.Sprintf("Directory_%s_%X_%d", correlation(m), sum[:3], m.Time.Unix()%100_000_000),
		"activityDateTime": m.Time.UTC().Format("2006-01-02T15:04:05.0000000Z"), "activityDisplayName": a.name,
		"operationType": a.operation, "category": category, "correlationId": correlation(m), "loggedByService": "Core Directory",
		"result": "success", "resultReason": "", "initiatedBy": map[string]any{"user": initiator(m), "app": initiatingApp(m)},
		"targetResources":   auditTargets(m, how, modified),
		"additionalDetails": []any{map[string]any{"key": "UserType", "value": "Member"}},
	}
}

// auditTargets are what an event is about: of members and owners who came or went
// first these, with the group among what changed, and then the group. [K]: the names.
func auditTargets(m state.Mutation, how auditing, modified []any) []any {
	target := func(id, name, noun, upn string, modified []any) map[string]any {
		return map[string]any{"id": id, "displayName": name, "type": noun, "userPrincipalName": upn, "groupType": nil, "modifiedProperties": modified}
	}
	own := target(m.TargetID, m.Name, how.noun, m.UPN, modified)
	if m.Linked == nil {
		return []any{own}
	}
	var changed []any
	for name, value := range map[string]string{"Group.ObjectID": m.TargetID, "Group.DisplayName": m.Name} {
		property := map[string]any{"displayName": name, "oldValue": nil, "newValue": strconv.Quote(value)}
		if strings.HasSuffix(m.Kind, "-remove") {
			property["oldValue"], property["newValue"] = property["newValue"], nil
		}
		changed = append(changed, property)
	}
	return []any{target(m.Linked.ID, m.Linked.Name, resourceName(m.Linked.Kind), m.Linked.UPN, changed), own}
}

// initiator is the account that did it, nil when nobody is known.
func initiator(m state.Mutation) any {
	if m.ActorUPN == "" && m.Actor == "" {
		return nil
	}
	var id any
	if m.Actor != "" {
		id = m.Actor
	}
	return map[string]any{"id": id, "displayName": nil, "userPrincipalName": m.ActorUPN, "ipAddress": "192.0.2.1"}
}

// initiatingApp is the service of Microsoft's own that did it, nil when it was a person.
func initiatingApp(m state.Mutation) any {
	if m.AppName == "" {
		return nil
	}
	return map[string]any{"appId": nil, "displayName": m.AppName, "servicePrincipalId": nil, "servicePrincipalName": nil}
}

// modifiedProperties are the values of a mutation as the log has them, with the
// names of all of them in one more.
func modifiedProperties(m state.Mutation) []any {
	after := flat(m.After)
	before := flat(m.Before)
	modified := []any{}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(after)) {
		names = append(names, auditedName(name))
		modified = append(modified, map[string]any{"displayName": auditedName(name), "oldValue": encoded(before[name]), "newValue": encoded(after[name])})
	}
	if len(names) == 0 || m.Target != state.User {
		return modified
	}
	all, err := json.Marshal(strings.Join(names, ", "))
	if err != nil {
		return modified
	}
	return append(modified, map[string]any{"displayName": "Included Updated Properties", "oldValue": nil, "newValue": string(all)})
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
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	raw, err := json.Marshal(list)
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
func checkAuditFilter(text string) *odata.Error {
	if text == "" {
		return nil
	}
	_, e := odata.ParseFilter(text, func(path, op string, literal any) *odata.Error {
		value, isText := literal.(string)
		if !slices.Contains(auditFilters[path], op) || !isText {
			return odata.BadRequest("Invalid filter clause: '%s' with the operator '%s' is not supported.", path, op)
		}
		if _, err := time.Parse(time.RFC3339, value); path == "activityDateTime" && err != nil {
			return odata.BadRequest("Invalid filter clause: '%s' is not a time.", value)
		}
		return nil
	})
	return e
}

// mayAudit checks the right to read the audit log.
func (c *call) mayAudit() *odata.Error {
	if !c.has("AuditLog.Read.All") || !c.holds(roles.GlobalAdministrator, roles.GlobalReader, roles.ReportsReader, roles.SecurityReader, roles.SecurityAdministrator) {
		return denied()
	}
	if c.strike(faults.Premium) != nil {
		return &odata.Error{Status: http.StatusForbidden, Code: "Authentication_RequestFromNonPremiumTenantOrB2CTenant", Free: true,
			Message: "Neither tenant is B2C or tenant doesn't have premium license"}
	}
	return nil
}

// mostAudits is how many events a page of the audit log has at most.
const mostAudits = 1000

func listAudits(c *call) (*reply, *odata.Error) {
	if e := c.mayAudit(); e != nil {
		return nil, e
	}
	newestFirst := true
	switch strings.ToLower(strings.Join(strings.Fields(c.options["$orderby"]), " ")) {
	case "", "activitydatetime desc":
	case "activitydatetime", "activitydatetime asc":
		newestFirst = false
	default:
		return nil, odata.BadRequest("The $orderby clause is not supported.")
	}
	if e := checkAuditFilter(c.options["$filter"]); e != nil {
		return nil, e
	}
	items := c.events()
	if newestFirst {
		slices.Reverse(items)
	}
	return c.paged("auditLogs/directoryAudits", items, mostAudits)
}

// events are those that the log shows by now, oldest first.
func (c *call) events() []any {
	var lag time.Duration
	if f := c.strike(faults.AuditLag); f != nil {
		lag = f.Duration()
	}
	items := []any{}
	for _, m := range c.t.Mutations() {
		if age := c.now().Sub(m.Time); age >= lag && age <= auditLife {
			items = append(items, audit(m)...)
		}
	}
	return items
}

func getAudit(c *call) (*reply, *odata.Error) {
	if e := c.mayAudit(); e != nil {
		return nil, e
	}
	for _, event := range c.events() {
		if item := event.(map[string]any); item["id"] == c.path.Raw[2] {
			return c.single("auditLogs/directoryAudits", item)
		}
	}
	return nil, notThere(c.path.Raw[2])
}
