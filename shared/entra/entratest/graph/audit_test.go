package graph

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/state"
)

const audits = "/auditLogs/directoryAudits"

// eventsOf lists the events that a filter finds.
func (l *lab) eventsOf(filter string) []map[string]any {
	l.Helper()
	var list []map[string]any
	for _, e := range listOf(l.want(200, "GET", audits+"?$filter="+url.QueryEscape(filter), "").body["value"]) {
		list = append(list, e.(map[string]any))
	}
	return list
}

// Events name properties as Microsoft's log does, and a block is told twice
// under one correlation id, which is not the request's.
func TestAuditEvents(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{Quota: faults.Quota{AppTenantAudit: faults.Rate{Capacity: 1000, Per: time.Second}}})
	answer := l.want(204, "PATCH", "/users/"+plainID, `{"accountEnabled":false,"officeLocation":"B 2","businessPhones":["+41 1"]}`)
	list := l.eventsOf("targetResources/any(t: t/id eq '" + plainID + "')")
	if len(list) != 2 {
		t.Fatalf("events = %v", list)
	}
	names := map[string]bool{}
	for _, e := range list {
		names[e["activityDisplayName"].(string)] = true
		if e["correlationId"] != list[0]["correlationId"] || !state.IsGUID(e["correlationId"].(string)) || e["correlationId"] == answer.header.Get("request-id") {
			t.Errorf("correlationId = %v", e["correlationId"])
		}
		if !strings.HasPrefix(e["id"].(string), "Directory_") || e["id"] == list[0]["id"] && e["activityDisplayName"] != list[0]["activityDisplayName"] {
			t.Errorf("id = %v", e["id"])
		}
		if got := l.want(200, "GET", audits+"/"+e["id"].(string), ""); got.body["id"] != e["id"] {
			t.Errorf("read by id = %s", got.raw)
		}
	}
	if !names["Update user"] || !names["Disable account"] {
		t.Errorf("activities = %v", names)
	}
	raw := l.want(200, "GET", audits, "").raw
	for _, want := range []string{`"displayName":"PhysicalDeliveryOfficeName"`, `"displayName":"TelephoneNumber","newValue":"[\"+41 1\"]"`, `"displayName":"AccountEnabled","newValue":"[false]","oldValue":"[true]"`,
		`"displayName":"Included Updated Properties","newValue":"\"AccountEnabled, TelephoneNumber, PhysicalDeliveryOfficeName\""`} {
		if !strings.Contains(raw, want) {
			t.Errorf("the events lack %s: %s", want, raw)
		}
	}
}

func TestAuditFilters(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{Quota: faults.Quota{AppTenantAudit: faults.Rate{Capacity: 1000, Per: time.Second}}})
	l.want(204, "PATCH", "/users/"+plainID, `{"city":"Bern"}`)
	now := l.s.kept.Now().UTC()
	for filter, want := range map[string]int{
		"initiatedBy/user/id eq '" + globalID + "'": 1, "initiatedBy/user/id eq 'nobody'": 0,
		"activityDisplayName eq 'Update user'": 1, "startswith(activityDisplayName,'Update')": 1, "category eq 'GroupManagement'": 0,
		"activityDateTime ge " + now.Add(-time.Minute).Format(time.RFC3339) + " and activityDateTime le " + now.Add(time.Minute).Format(time.RFC3339): 1,
		"activityDateTime le " + now.Add(-time.Hour).Format(time.RFC3339):                                                                             0,
	} {
		if got := len(l.eventsOf(filter)); got != want {
			t.Errorf("%s finds %d, want %d", filter, got, want)
		}
	}
	for _, filter := range []string{
		"activityDateTime gt " + now.Format(time.RFC3339), "activityDateTime ge 'yesterday'", "operationType eq 'Update'", "category ne 'x'",
		"startswith(category,'U')", "initiatedBy/user/ipAddress eq '192.0.2.1'", "targetResources/any(t: t/type eq 'User')", "result eq true", "id eq 'x' or",
	} {
		if got := l.do("GET", audits+"?$filter="+url.QueryEscape(filter), ""); got.status != 400 {
			t.Errorf("%s = %d, want 400", filter, got.status)
		}
	}
}

func TestAuditComesLate(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	l.setFault(faults.Fault{Kind: "audit-lag", Seconds: 600})
	if err := l.s.EditAccountAs(labTenant, globalID, plainID, map[string]any{"city": "Bern"}); err != nil {
		t.Fatal(err)
	}
	if got := l.eventsOf("initiatedBy/user/id eq '" + globalID + "'"); len(got) != 0 {
		t.Errorf("at once = %v", got)
	}
	l.s.kept.Advance(10 * time.Minute)
	if got := l.as(globalID).eventsOf("initiatedBy/user/id eq '" + globalID + "'"); len(got) != 1 {
		t.Errorf("ten minutes later = %v", got)
	}
	if err := l.s.EditAccountAs(labTenant, "nobody", plainID, map[string]any{"city": "Basel"}); err == nil {
		t.Error("nobody edits an account")
	}
}
