package graph

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/licensing"
	"bindery/shared/entra/entratest/portal"
	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/skus"
	"bindery/shared/entra/entratest/state"
)

const (
	e1, e3, e5       = skus.StandardPack, skus.SPEE3, skus.SPEE5
	phoneSystem      = skus.PhoneSystem
	planTeams        = "57ff2da0-773e-42df-b2af-ffb7a2317929"
	planSkype        = "0feaeb32-d00e-4d66-bd5a-43b5b83db82c"
	planSharePoint1  = "c7699d2e-19aa-44de-8edf-1736da088ca1"
	planSharePoint2  = "5dbe027f-2339-4123-9542-606e4d348a72"
	planPhone        = "4828c8ec-dc2e-4779-b502-87ac9ce28ab7"
	planExchange2    = "efb87545-963c-4e0d-99df-69c6916d9eb0"
	planYammer       = "7547a3fe-08ee-4ccb-b430-5077c5041653"
	license1st       = "/users/" + plainID + "/assignLicense"
	licenseFieldsOf1 = "/users/" + plainID + "?$select=id,assignedLicenses,licenseAssignmentStates,assignedPlans,usageLocation,mail,proxyAddresses"
)

// seats are the subscriptions of a laboratory for licences.
func seats(t *testing.T, l *lab) {
	t.Helper()
	for part, n := range map[string]int{"STANDARDPACK": 10, "SPE_E3": 2, "SPE_E5": 2, "MCOEV": 5, "CDS_DB_CAPACITY": 9} {
		l.buy(state.SKU{SKUPartNumber: part, Enabled: n})
	}
	for _, id := range []string{plainID, ownerID, mailboxID} {
		l.want(204, "PATCH", "/users/"+id, `{"usageLocation":"CH"}`)
	}
}

// newLicenceLab is a laboratory with subscriptions, whose clock is the test's.
func newLicenceLab(t *testing.T) *lab {
	t.Helper()
	l := newLab(t, labOptions{})
	seats(t, l)
	return l
}

func (l *lab) buy(s state.SKU) {
	l.Helper()
	if err := l.s.SetLicence(labTenant, s); err != nil {
		l.Fatal(err)
	}
}

// give is the body that gives licences: ids, each with the plans that are off behind a
// slash.
func give(licences ...string) string { return change(licences, nil) }

func take(licences ...string) string { return change(nil, licences) }

func change(add, remove []string) string {
	var items []string
	for _, l := range add {
		id, plans, _ := strings.Cut(l, "/")
		off := []string{}
		if plans != "" {
			off = strings.Split(plans, "/")
		}
		items = append(items, fmt.Sprintf(`{"skuId":%q,"disabledPlans":[%s]}`, id, quoted(off)))
	}
	return `{"addLicenses":[` + strings.Join(items, ",") + `],"removeLicenses":[` + quoted(remove) + `]}`
}

func quoted(list []string) string {
	var out []string
	for _, s := range list {
		out = append(out, fmt.Sprintf("%q", s))
	}
	return strings.Join(out, ",")
}

// rows are the licenseAssignmentStates of an account as text: sku part, source, state,
// error.
func (l *lab) rows(id string) string {
	l.Helper()
	body := l.want(200, "GET", "/users/"+id+"?$select=id,licenseAssignmentStates", "").body
	var out []string
	for _, v := range listOf(body["licenseAssignmentStates"]) {
		m := v.(map[string]any)
		source := "direct"
		if m["assignedByGroup"] != nil {
			source = "group"
		}
		text := l.part(state.Text(m["skuId"])) + " " + source + " " + state.Text(m["state"])
		if m["error"] != nil {
			text += " " + state.Text(m["error"])
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func (l *lab) part(id string) string {
	list, err := l.s.Licences(labTenant)
	if err != nil {
		l.Fatal(err)
	}
	for _, s := range list {
		if s.SKUID == id {
			return s.SKUPartNumber
		}
	}
	return id
}

// held are the licences that an account has in force.
func (l *lab) held(id string) string {
	l.Helper()
	var out []string
	for _, v := range listOf(l.want(200, "GET", "/users/"+id+"?$select=id,assignedLicenses", "").body["assignedLicenses"]) {
		out = append(out, l.part(state.Text(v.(map[string]any)["skuId"])))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// sku is a subscription as Graph shows it.
func (l *lab) sku(id string) map[string]any {
	l.Helper()
	return l.want(200, "GET", "/subscribedSkus/"+labTenant+"_"+id, "").body
}

func (l *lab) consumed(id string) float64 { l.Helper(); return l.sku(id)["consumedUnits"].(float64) }

// Each refusal of a licence call in Microsoft's words, and beside it what is taken:
// rows 33 to 42, 44 and 47 of GG 22.
func TestLicenceRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		before  []string // bodies sent to the account first
		spoil   func(l *lab)
		body    string
		status  int
		message string
	}{
		{"33 no seat left", nil, func(l *lab) {
			l.buy(state.SKU{SKUPartNumber: "SPE_E3"})
			l.buy(state.SKU{SKUPartNumber: "SPE_E3", Suspended: 4})
		}, give(e3), 400,
			"Subscription with SKU " + e3 + " does not have any available licenses."},
		{"33 a seat in the time of grace", nil, func(l *lab) { l.buy(state.SKU{SKUPartNumber: "SPE_E3", Warning: 1}) }, give(e3), 200, ""},
		{"33 one that the account has needs none", []string{give(e3)}, func(l *lab) { l.buy(state.SKU{SKUPartNumber: "SPE_E3", Suspended: 1}) }, give(e3 + "/" + planYammer), 200, ""},
		{"34 no usageLocation", nil, func(l *lab) { l.portal(plainID, map[string]any{"usageLocation": nil}) }, give(e3), 400,
			"License assignment cannot be done for user with invalid usage location."},
		{"34 no usageLocation matters for taking", []string{give(e3)}, func(l *lab) { l.portal(plainID, map[string]any{"usageLocation": nil}) }, take(e3), 200, ""},
		{"34 a service that is not sold there", nil, func(l *lab) { l.buy(rare("CH")) }, give(rareSKU), 400,
			"License assignment cannot be done for user with invalid usage location."},
		{"34 that service off", nil, func(l *lab) { l.buy(rare("CH")) }, give(rareSKU + "/" + rarePlan), 200, ""},
		{"34 sold there", nil, func(l *lab) { l.buy(rare("KP")) }, give(rareSKU), 200, ""},
		{"35 a prerequisite is missing", nil, nil, give(phoneSystem), 400,
			"License assignment failed because service plan " + planPhone + " depends on the service plan(s) " + planTeams + ", " + planSkype},
		{"35 both in one call", nil, nil, give(phoneSystem, e1), 200, ""},
		{"35 one of the two suffices", []string{give(e1 + "/" + planTeams)}, nil, give(phoneSystem), 200, ""},
		{"35 the prerequisite is off", []string{give(e1 + "/" + planTeams + "/" + planSkype)}, nil, give(phoneSystem), 400,
			"License assignment failed because service plan " + planPhone + " depends on the service plan(s) " + planTeams + ", " + planSkype},
		{"35 removal would break one", []string{give(e1, phoneSystem)}, nil, take(e1), 400,
			"License assignment failed because service plan " + planPhone + " depends on the service plan(s) " + planTeams + ", " + planSkype},
		{"35 removal of both", []string{give(e1, phoneSystem)}, nil, take(e1, phoneSystem), 200, ""},
		{"35 turning a prerequisite off", []string{give(e1, phoneSystem)}, nil, give(e1 + "/" + planTeams + "/" + planSkype), 400,
			"License assignment failed because service plan " + planPhone + " depends on the service plan(s) " + planTeams + ", " + planSkype},
		{"36 exclusive", []string{give(e1)}, nil, give(e3), 400,
			"License assignment failed because service plans " + planSharePoint2 + ", " + planSharePoint1 + " are mutually exclusive"},
		{"36 a swap in one call", []string{give(e1)}, nil, change([]string{e3}, []string{e1}), 200, ""},
		{"36 the plan off, and what needs it has another", []string{give(e1)}, nil, give(e3 + "/" + planSharePoint2), 200, ""},
		{"36 the same plan twice is none", []string{give(e3)}, nil, give(e5), 200, ""},
		{"39 nothing to take", nil, nil, take(e3), 400, "User does not have a corresponding license."},
		{"40 of the company", nil, nil, give(skus.DatabaseCapacity), 400, "License " + skus.DatabaseCapacity + " cannot be assigned to a user."},
		{"40 deleted", nil, func(l *lab) { l.buy(state.SKU{SKUPartNumber: "SPE_E3"}) }, give(e3), 400, "License " + e3 + " cannot be assigned to a user."},
		{"unknown", nil, nil, give(labApp), 400, "License " + labApp + " does not correspond to a valid company License."},
		{"41 a part number", nil, nil, give("SPE_E3"), 400, "Cannot convert a primitive value to the expected type 'Edm.Guid'. See the inner exception for more details."},
		{"41 in removeLicenses", nil, nil, take("SPE_E3"), 400, "Cannot convert a primitive value to the expected type 'Edm.Guid'. See the inner exception for more details."},
		{"41 in disabledPlans", nil, nil, give(e3 + "/YAMMER"), 400, "Cannot convert a primitive value to the expected type 'Edm.Guid'. See the inner exception for more details."},
		{"42 one key", nil, nil, `{"addLicenses":[]}`, 400, "One or more parameters of the operation 'assignLicense' are missing from the request payload. The missing parameters are: removeLicenses."},
		{"42 no key", nil, nil, `{}`, 400, "One or more parameters of the operation 'assignLicense' are missing from the request payload. The missing parameters are: addLicenses, removeLicenses."},
		{"42 both empty", nil, nil, give(), 200, ""},
		{"44 a plan of another product", nil, nil, give(e1 + "/" + planExchange2), 400,
			"License assignment failed because service plan " + planExchange2 + " is not part of license " + e1 + "."},
		{"both lists", []string{give(e3)}, nil, change([]string{e3}, []string{e3}), 400, "License " + e3 + " cannot be added and removed in the same request."},
		{"47 an address clash surfaces", nil, func(l *lab) {
			l.service(portal.LicenceService{TakenAddresses: []string{"plain@fabrikam.example"}})
		}, give(e3), 400,
			"Another object with the same value for property proxyAddresses already exists."},
		{"47 no mailbox, no clash", nil, func(l *lab) {
			l.service(portal.LicenceService{TakenAddresses: []string{"plain@fabrikam.example"}})
		}, give(e3 + "/" + planExchange2), 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLicenceLab(t)
			for _, body := range c.before {
				l.want(200, "POST", license1st, body)
			}
			if c.spoil != nil {
				c.spoil(l)
			}
			before := l.want(200, "GET", licenseFieldsOf1, "").raw
			got := l.do("POST", license1st, c.body)
			if got.status != c.status || got.message() != c.message {
				t.Errorf("%d %q, want %d %q", got.status, got.message(), c.status, c.message)
			}
			if after := l.want(200, "GET", licenseFieldsOf1, "").raw; c.status != 200 && after != before {
				t.Errorf("a refused call changed the account:\n%s\n%s", before, after)
			}
		})
	}
}

const (
	rareSKU  = "77777777-aaaa-4bbb-8ccc-00000000000a"
	rarePlan = "88888888-aaaa-4bbb-8ccc-00000000000a"
)

// rare is a product of which one service is not sold in a country.
func rare(country string) state.SKU {
	return state.SKU{SKUPartNumber: "RARE", SKUID: rareSKU, Enabled: 9, Plans: []state.ServicePlan{
		{ID: rarePlan, Name: "RARE_S", Service: "Rare", ProhibitedIn: []string{country}},
		{ID: "88888888-aaaa-4bbb-8ccc-00000000000b", Name: "PLAIN_S", Service: "Rare"},
	}}
}

// service says how the licence service behaves.
func (l *lab) service(s portal.LicenceService) {
	l.Helper()
	if err := l.s.SetLicenceService(labTenant, s); err != nil {
		l.Fatal(err)
	}
}

// portal edits an account as somebody in the portal.
func (l *lab) portal(id string, edit map[string]any) {
	l.Helper()
	if err := l.s.EditAccount(labTenant, id, edit); err != nil {
		l.Fatal(err)
	}
}

// What a licence call leaves: the rows, what they give together, the services, a
// mailbox, and no more than one entry in the log.
func TestDirectLicence(t *testing.T) {
	t.Parallel()
	l := newLicenceLab(t)
	l.want(200, "POST", license1st, give(e3+"/"+planYammer))
	got := l.want(200, "GET", licenseFieldsOf1, "").body
	licence := listOf(got["assignedLicenses"])[0].(map[string]any)
	row := listOf(got["licenseAssignmentStates"])[0].(map[string]any)
	if licence["skuId"] != e3 || fmt.Sprint(licence["disabledPlans"]) != "["+planYammer+"]" || row["assignedByGroup"] != nil || row["state"] != "Active" || row["error"] != nil {
		t.Errorf("assignedLicenses %v, licenseAssignmentStates %v", licence, row)
	}
	if got["mail"] != "plain@fabrikam.example" {
		t.Errorf("mail = %v", got["mail"])
	}
	plans := map[string]any{}
	for _, p := range listOf(got["assignedPlans"]) {
		m := p.(map[string]any)
		plans[m["servicePlanId"].(string)] = m["capabilityStatus"]
	}
	if plans[planExchange2] != "Enabled" || plans[planYammer] != nil {
		t.Errorf("assignedPlans = %v", plans)
	}
	if got := l.do("PATCH", "/users/"+plainID, `{"mail":"x@fabrikam.example"}`).status; got != 400 {
		t.Errorf("mail of an account with a mailbox = %d, want 400", got)
	}
	status := map[string]any{}
	details := listOf(l.want(200, "GET", "/users/"+plainID+"/licenseDetails", "").body["value"])
	for _, p := range listOf(details[0].(map[string]any)["servicePlans"]) {
		m := p.(map[string]any)
		status[m["servicePlanName"].(string)] = m["provisioningStatus"]
	}
	if len(details) != 1 || status["YAMMER_ENTERPRISE"] != "Disabled" || status["TEAMS1"] != "Success" || status["INTUNE_A"] != "PendingInput" {
		t.Errorf("licenseDetails: %v", status)
	}
	if found := l.want(200, "GET", "/users?$select=id&$filter=assignedLicenses/any(x:x/skuId eq "+e3+")", "").ids(); !slices.Equal(found, []string{plainID}) {
		t.Errorf("found by licence: %v", found)
	}
	before := len(l.s.Mutations(labTenant))
	l.want(200, "POST", license1st, give(e3+"/"+planYammer)) // the same again
	if m := l.s.Mutations(labTenant)[before:]; len(m) != 1 || m[0].Kind != "noop" {
		t.Errorf("the same licence again: %+v", m)
	}
	l.want(200, "POST", license1st, give(e3)) // the list is the whole new one
	if got := l.s.object(plainID); len(state.LicencesOf(got)[e3]) != 0 {
		t.Errorf("disabledPlans = %v", state.LicencesOf(got))
	}
	l.want(200, "POST", license1st, take(e3))
	if l.rows(plainID) != "" || l.held(plainID) != "" {
		t.Errorf("after taking it: %s", l.rows(plainID))
	}
	names := l.audit(plainID)
	if names["Change user license"] != 3 {
		t.Errorf("the audit log has %v", names)
	}
}

// audit counts the events of a target by name.
func (l *lab) audit(target string) map[string]int {
	l.Helper()
	out := map[string]int{}
	for _, v := range listOf(l.want(200, "GET", "/auditLogs/directoryAudits?$filter=targetResources/any(t:t/id eq '"+target+"')", "").body["value"]) {
		m := v.(map[string]any)
		name := m["activityDisplayName"].(string)
		if app, ok := m["initiatedBy"].(map[string]any)["app"].(map[string]any); ok {
			name += " by " + state.Text(app["displayName"])
		}
		out[name]++
	}
	return out
}

// All services off is a licence all the same: a row of state Disabled, and a seat.
func TestLicenceWithAllPlansOff(t *testing.T) {
	t.Parallel()
	l := newLicenceLab(t)
	l.want(200, "POST", license1st, give(skus.StandardPack))
	l.want(200, "POST", license1st, give(phoneSystem+"/"+planPhone))
	if got := l.rows(plainID); got != "MCOEV direct Disabled, STANDARDPACK direct Active" {
		t.Errorf("rows: %s", got)
	}
	if n := l.consumed(phoneSystem); n != 1 {
		t.Errorf("consumedUnits = %v", n)
	}
}

// Seats: a blocked account keeps its own, a deleted one gives it back, one that is
// restored has it again as long as there is one, fewer seats take nothing away.
func TestSeats(t *testing.T) {
	t.Parallel()
	l := newLicenceLab(t)
	second := "/users/" + ownerID + "/assignLicense"
	l.want(200, "POST", license1st, give(e3))
	l.want(204, "PATCH", "/users/"+plainID, `{"accountEnabled":false}`)
	if n := l.consumed(e3); n != 1 {
		t.Errorf("with a blocked account %v seats are taken", n)
	}
	l.buy(state.SKU{SKUPartNumber: "SPE_E3", Enabled: 1})
	if got := l.do("POST", second, give(e3)); got.status != 400 {
		t.Errorf("the seat of a blocked account was given: %s", got.raw)
	}
	l.want(204, "DELETE", "/users/"+plainID, "")
	if n := l.consumed(e3); n != 0 {
		t.Errorf("with a deleted account %v seats are taken", n)
	}
	l.want(200, "POST", "/directory/deletedItems/"+plainID+"/restore", "")
	if l.consumed(e3) != 1 || l.held(plainID) != "SPE_E3" {
		t.Errorf("after restoring: %s", l.rows(plainID))
	}
	l.want(204, "DELETE", "/users/"+plainID, "")
	l.want(200, "POST", second, give(e3))
	l.want(200, "POST", "/directory/deletedItems/"+plainID+"/restore", "")
	if l.consumed(e3) != 1 || l.held(plainID) != "" {
		t.Errorf("restored without a seat: %s", l.rows(plainID))
	}
	l.buy(state.SKU{SKUPartNumber: "SPE_E3", Suspended: 1})
	if l.consumed(e3) != 1 || l.held(ownerID) != "SPE_E3" {
		t.Error("who had a licence lost it with the seats")
	}
}

// A subscription that ends: grace, in which it can be given, then suspended, then gone.
func TestExpiringSubscription(t *testing.T) {
	t.Parallel()
	l := newLicenceLab(t)
	l.want(200, "POST", license1st, give(e3))
	for _, c := range []struct {
		capability string
		units      string
		status     int
		message    string
		plan       string
	}{
		{"Enabled", "2 0 0", 200, "", "Enabled"},
		{"Warning", "0 2 0", 200, "", "Warning"},
		{"Suspended", "0 0 2", 400, "Subscription with SKU " + e3 + " does not have any available licenses.", "Suspended"},
		{"Deleted", "0 0 0", 400, "License " + e3 + " cannot be assigned to a user.", "Deleted"},
	} {
		s := l.sku(e3)
		units := s["prepaidUnits"].(map[string]any)
		if text := fmt.Sprint(units["enabled"], units["warning"], units["suspended"]); s["capabilityStatus"] != c.capability || text != c.units {
			t.Errorf("%s: %v %s", c.capability, s["capabilityStatus"], text)
		}
		got := l.do("POST", "/users/"+ownerID+"/assignLicense", give(e3))
		if got.status != c.status || got.message() != c.message {
			t.Errorf("%s: giving it = %d %s", c.capability, got.status, got.raw)
		}
		if got.status == 200 {
			l.want(200, "POST", "/users/"+ownerID+"/assignLicense", take(e3))
		}
		plans := listOf(l.want(200, "GET", licenseFieldsOf1, "").body["assignedPlans"])
		if p := plans[0].(map[string]any); p["capabilityStatus"] != c.plan {
			t.Errorf("%s: a service of who has it is %v", c.capability, p["capabilityStatus"])
		}
		if err := l.s.ExpireLicence(labTenant, "SPE_E3"); err != nil {
			t.Fatal(err)
		}
	}
	if l.held(plainID) != "SPE_E3" {
		t.Error("who had the licence lost it")
	}
}

func TestSubscribedSKUs(t *testing.T) {
	t.Parallel()
	l := newLicenceLab(t)
	got := l.want(200, "GET", "/subscribedSkus?$select=id,skuId,skuPartNumber,appliesTo,servicePlans", "")
	byPart := map[string]map[string]any{}
	for _, v := range listOf(got.body["value"]) {
		m := v.(map[string]any)
		byPart[m["skuPartNumber"].(string)] = m
	}
	s := byPart["SPE_E3"]
	if s["skuId"] != e3 || s["id"] != labTenant+"_"+e3 || s["appliesTo"] != "User" || byPart["CDS_DB_CAPACITY"]["appliesTo"] != "Company" || len(listOf(s["servicePlans"])) < 10 {
		t.Errorf("subscribedSkus: %v", byPart)
	}
	l.want(404, "GET", "/subscribedSkus/"+e3, "")
	for _, option := range []string{"$top=1", "$filter=appliesTo eq 'User'"} {
		if got := l.unchecked().do("GET", "/subscribedSkus?"+option, "").code(); got != "400 Request_UnsupportedQuery" {
			t.Errorf("%s = %s", option, got)
		}
	}
}

// Who may: permission and role of each call (GG 1).
func TestLicenceRights(t *testing.T) {
	t.Parallel()
	l := newLicenceLab(t)
	group := "/groups/" + groupID + "/assignLicense"
	reprocess := "/users/" + plainID + "/reprocessLicenseAssignment"
	for _, c := range []struct {
		role, scope, method, path, body string
		status                          int
	}{
		{roles.LicenseAdministrator, "LicenseAssignment.ReadWrite.All", "POST", license1st, give(), 200},
		{roles.UserAdministrator, "LicenseAssignment.ReadWrite.All", "POST", license1st, give(), 200},
		{roles.DirectoryWriters, "LicenseAssignment.ReadWrite.All", "POST", license1st, give(), 200},
		{roles.UserAdministrator, "User.ReadWrite.All", "POST", license1st, give(), 200},
		{roles.GroupsAdministrator, "LicenseAssignment.ReadWrite.All", "POST", license1st, give(), 403},
		{roles.HelpdeskAdministrator, "LicenseAssignment.ReadWrite.All", "POST", license1st, give(), 403},
		{roles.LicenseAdministrator, "LicenseAssignment.Read.All", "POST", license1st, give(), 403},
		{roles.LicenseAdministrator, "LicenseAssignment.ReadWrite.All", "POST", group, give(), 202},
		{roles.GroupsAdministrator, "LicenseAssignment.ReadWrite.All", "POST", group, give(), 202},
		{roles.UserAdministrator, "LicenseAssignment.ReadWrite.All", "POST", group, give(), 403},
		{roles.LicenseAdministrator, "GroupMember.ReadWrite.All", "POST", group, give(), 403},
		{roles.LicenseAdministrator, "User.ReadWrite.All", "POST", reprocess, "", 200},
		{roles.UserAdministrator, "User.ReadWrite.All", "POST", reprocess, "", 200},
		{roles.LicenseAdministrator, "LicenseAssignment.ReadWrite.All", "POST", reprocess, "", 403},
		{roles.GroupsAdministrator, "User.ReadWrite.All", "POST", reprocess, "", 403},
		{roles.DirectoryReaders, "LicenseAssignment.Read.All", "GET", "/subscribedSkus", "", 200},
		{roles.DirectoryReaders, "User.Read.All", "GET", "/subscribedSkus", "", 403},
		{roles.DirectoryReaders, "LicenseAssignment.Read.All", "GET", "/users/" + plainID + "/licenseDetails", "", 200},
		{roles.DirectoryReaders, "Group.Read.All", "GET", "/users/" + plainID + "/licenseDetails", "", 403},
		{roles.DirectoryReaders, "GroupMember.Read.All", "GET", "/groups/" + groupID + "/membersWithLicenseErrors", "", 200},
		{roles.DirectoryReaders, "LicenseAssignment.Read.All", "GET", "/groups/" + groupID + "/membersWithLicenseErrors", "", 403},
	} {
		if err := l.s.SetRoles(labTenant, helpID, c.role); err != nil {
			t.Fatal(err)
		}
		if got := l.as(helpID, c.scope).do(c.method, c.path, c.body); got.status != c.status {
			t.Errorf("%s %s as %s with %s = %d %s, want %d", c.method, c.path, roles.Name(c.role), c.scope, got.status, got.raw, c.status)
		}
	}
}

func TestLicencePrices(t *testing.T) {
	t.Parallel()
	l := newLicenceLab(t)
	for _, c := range []struct{ method, path, body, units string }{
		{"GET", "/subscribedSkus", "", "3"}, {"GET", "/users/" + plainID + "/licenseDetails", "", "2"},
		{"POST", license1st, give(e3), "1"}, {"POST", "/users/" + plainID + "/reprocessLicenseAssignment", "", "1"},
		{"GET", "/users/" + plainID + "/directReports", "", "1"},
	} {
		r := l.do(c.method, c.path, c.body)
		if got := r.header.Get("x-ms-resource-unit"); got != c.units {
			t.Errorf("%s %s cost %s units, want %s: %s", c.method, c.path, got, c.units, r.raw)
		}
	}
	writes := 0
	for _, q := range l.s.Requests() {
		if q.changesLicences() {
			writes += q.Writes
		}
	}
	if writes != 2 {
		t.Errorf("two licence calls are %d writes", writes)
	}
}

func (q Request) changesLicences() bool {
	return strings.HasSuffix(q.Path, "assignLicense") || strings.HasSuffix(q.Path, "reprocessLicenseAssignment")
}

const busy = "409 Directory_ConcurrencyViolation"

// Row 43: one licence call at a time in a tenant; one after the other is fine.
func TestOneLicenceCallAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLicenceLab(t)
		l.setFault(faults.Fault{Kind: faults.Slow, Method: "POST", Path: "^" + license1st, Seconds: 2, Times: 1})
		first := make(chan result)
		go func() {
			r, err := l.try(context.Background(), "POST", license1st, give(e3))
			if err != nil {
				t.Error(err)
			}
			first <- r
		}()
		synctest.Wait()
		for _, path := range []string{"/users/" + ownerID + "/assignLicense", "/groups/" + groupID + "/assignLicense", "/users/" + ownerID + "/reprocessLicenseAssignment"} {
			if got := l.do("POST", path, give()); got.code() != busy || got.message() != "Error due to concurrent requests being made to the tenant. Please wait briefly and retry." {
				t.Errorf("%s beside another one = %s", path, got.raw)
			}
		}
		l.want(204, "PATCH", "/users/"+ownerID, `{"city":"Bern"}`) // only licence calls
		if r := <-first; r.status != 200 {
			t.Errorf("the first = %s", r.raw)
		}
		l.want(200, "POST", "/users/"+ownerID+"/assignLicense", give(e3))
	})
}

func TestBusyLicenceService(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLicenceLab(t)
		l.service(portal.LicenceService{BusySeconds: 30})
		if got := l.do("POST", license1st, give(e3)).code(); got != busy {
			t.Errorf("while it is busy = %s", got)
		}
		time.Sleep(30 * time.Second)
		l.want(200, "POST", license1st, give(e3))
	})
}

// In a batch each licence call must wait for the one before by dependsOn.
func TestLicenceCallsOfABatch(t *testing.T) {
	t.Parallel()
	item := func(id, user, on string) string {
		return fmt.Sprintf(`{"id":%q,"method":"POST","url":"/users/%s/assignLicense","headers":{"Content-Type":"application/json"},"body":%s%s}`, id, user, give(e1), on)
	}
	for _, c := range []struct{ name, second, third, want string }{
		{"side by side", "", "", "1:200 2:409 3:409"},
		{"in a row", `,"dependsOn":["1"]`, `,"dependsOn":["2"]`, "1:200 2:200 3:200"},
		{"two behind one", `,"dependsOn":["1"]`, `,"dependsOn":["1"]`, "1:200 2:200 3:409"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLicenceLab(t)
			got := l.want(200, "POST", "/$batch", `{"requests":[`+item("1", plainID, "")+`,`+item("2", ownerID, c.second)+`,`+item("3", mailboxID, c.third)+`]}`)
			var out []string
			for _, v := range listOf(got.body["responses"]) {
				m := v.(map[string]any)
				out = append(out, fmt.Sprint(m["id"], ":", m["status"]))
			}
			if text := strings.Join(sorted(out), " "); text != c.want {
				t.Errorf("%s, want %s", text, c.want)
			}
		})
	}
}

// A delta query tells of licences and of the mailbox that they bring, by the group too.
func TestDeltaOfLicences(t *testing.T) {
	t.Parallel()
	l := groupLicenceLab(t)
	_, link := l.round("/users/delta?$select=assignedLicenses,mail")
	l.want(202, "POST", "/groups/"+groupID+"/assignLicense", give(e3))
	items, link := l.round(link)
	if len(items) != 0 {
		t.Errorf("before the time: %v", items)
	}
	l.pass()
	items, _ = l.round(link)
	if len(items) != 2 || items[plainID]["mail"] != "plain@fabrikam.example" || len(listOf(items[plainID]["assignedLicenses"])) != 1 {
		t.Errorf("after it: %v", items)
	}
}

// Work that waits survives a restart, as do rows and seats.
func TestLicencesSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	begin := time.Now()
	now := func() time.Time { return begin }
	l := newLab(t, labOptions{Now: now, Dir: dir})
	seats(t, l)
	l.want(202, "POST", "/groups/"+groupID+"/assignLicense", give(e3))
	l.want(200, "POST", "/users/"+ownerID+"/assignLicense", give(e3))
	if err := l.s.kept.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := openSim(labOptions{Now: now, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.kept.Close()
	again := &lab{TB: t, s: s, client: &http.Client{Transport: s.transport()}}
	again.signIn(globalID, allScopes...)
	if n := again.consumed(e3); n != 1 {
		t.Errorf("after the restart %v seats are taken", n)
	}
	again.pass()
	if got := again.rows(plainID) + "; " + again.rows(ownerID); got != "SPE_E3 group Active; SPE_E3 direct Active" || again.consumed(e3) != 2 {
		t.Errorf("after the restart: %s", got)
	}
}

// What somebody else gives is there at once, under their name; what a test describes an
// account with are direct licences.
func TestLicencesByOthers(t *testing.T) {
	t.Parallel()
	l := newLicenceLab(t)
	if err := l.s.AssignLicences(labTenant, userAdmID, plainID, licensing.Request{Add: []licensing.Wish{{SKUID: e3}}}); err != nil {
		t.Fatal(err)
	}
	if l.rows(plainID) != "SPE_E3 direct Active" || l.audit(plainID)["Change user license"] != 1 {
		t.Errorf("rows: %s", l.rows(plainID))
	}
	if err := l.s.AssignLicences(labTenant, userAdmID, plainID, licensing.Request{Add: []licensing.Wish{{SKUID: e1}}}); err == nil || !strings.Contains(err.Error(), "mutually exclusive") {
		t.Errorf("a conflict = %v", err)
	}
	l.portal(ownerID, map[string]any{"assignedLicenses": []map[string]any{{"skuId": e5}}})
	if l.rows(ownerID) != "SPE_E5 direct Active" || l.consumed(e5) != 1 {
		t.Errorf("described by hand: %s", l.rows(ownerID))
	}
	l.portal(ownerID, map[string]any{"licenseAssignmentStates": []map[string]any{
		{"skuId": e5, "assignedByGroup": groupID, "state": "Error", "error": "CountViolation"}, {"skuId": e1, "state": "Active"},
	}})
	if l.rows(ownerID) != "SPE_E5 group Error CountViolation, STANDARDPACK direct Active" || l.held(ownerID) != "STANDARDPACK" || l.consumed(e5) != 0 {
		t.Errorf("described by rows: %s, in force %s", l.rows(ownerID), l.held(ownerID))
	}
}

// A replica that lags has neither the place that was set a moment ago (row 34) nor the
// seat that was just taken.
func TestLicencesOfALaggingReplica(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	l := newLab(t, labOptions{Now: func() time.Time { return begin }})
	l.buy(state.SKU{SKUPartNumber: "SPE_E3", Enabled: 2})
	l.want(204, "PATCH", "/users/"+plainID, `{"usageLocation":"CH"}`)
	l.setFault(faults.Fault{ID: "lag", Kind: faults.Lag, Path: "assignLicense|subscribedSkus", Seconds: 60})
	if got := l.do("POST", license1st, give(e3)).message(); got != "License assignment cannot be done for user with invalid usage location." {
		t.Errorf("right after setting it: %q", got)
	}
	if err := l.s.kept.Advance(2 * time.Minute); err != nil {
		t.Fatal(err)
	}
	l.want(200, "POST", license1st, give(e3))
	if n := l.consumed(e3); n != 0 {
		t.Errorf("a replica that lags counts %v", n)
	}
	if err := l.s.kept.Advance(2 * time.Minute); err != nil {
		t.Fatal(err)
	}
	if n := l.consumed(e3); n != 1 {
		t.Errorf("later it counts %v", n)
	}
}
