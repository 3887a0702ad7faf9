package graph

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/entra/entratest/licensing"
	"bindery/shared/entra/entratest/portal"
	"bindery/shared/entra/entratest/skus"
	"bindery/shared/entra/entratest/state"
)

// groupLicenceLab is a laboratory in whose group the plain account and the owner are, and
// whose clock stands but for what a test advances.
func groupLicenceLab(t *testing.T) *lab {
	t.Helper()
	begin := time.Now()
	l := newLab(t, labOptions{Now: func() time.Time { return begin }})
	seats(t, l)
	l.join(groupID, ownerID)
	return l
}

func (l *lab) join(group, id string) {
	l.Helper()
	l.want(204, "POST", "/groups/"+group+"/members/$ref", `{"@odata.id":"https://graph.microsoft.com/v1.0/directoryObjects/`+id+`"}`)
}

func (l *lab) leave(group, id string) {
	l.Helper()
	l.want(204, "DELETE", "/groups/"+group+"/members/"+id+"/$ref", "")
}

// pass lets the group engine do what waits.
func (l *lab) pass() {
	l.Helper()
	if err := l.s.kept.Advance(time.Minute); err != nil {
		l.Fatal(err)
	}
}

func (l *lab) processing() string {
	l.Helper()
	s, _ := l.want(200, "GET", "/groups/"+groupID+"?$select=id,assignedLicenses,licenseProcessingState", "").body["licenseProcessingState"].(map[string]any)
	return state.Text(s["state"])
}

// The way of a group's licence: accepted, queued, in progress, complete; members who
// come and go later; removal.
func TestGroupLicence(t *testing.T) {
	t.Parallel()
	l := groupLicenceLab(t)
	path := "/groups/" + groupID + "/assignLicense"
	if s := l.processing(); s != "" {
		t.Errorf("before the first use: %q", s)
	}
	got := l.want(202, "POST", path, give(e3+"/"+planYammer))
	if got.body["id"] != groupID || got.header.Get("Location") == "" {
		t.Errorf("answer: %v %s", got.header, got.raw)
	}
	var way []string
	for range 4 {
		way = append(way, l.processing()+":"+l.held(plainID))
		if err := l.s.kept.Advance(12 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if text := strings.Join(way, " "); text != "QueuedForProcessing: QueuedForProcessing: ProcessingInProgress: ProcessingComplete:SPE_E3" {
		t.Errorf("the way: %s", text)
	}
	row := listOf(l.want(200, "GET", licenseFieldsOf1, "").body["licenseAssignmentStates"])[0].(map[string]any)
	if row["assignedByGroup"] != groupID || row["state"] != "Active" || fmt.Sprint(row["disabledPlans"]) != "["+planYammer+"]" {
		t.Errorf("row: %v", row)
	}
	if n := l.consumed(e3); n != 2 {
		t.Errorf("consumedUnits = %v", n)
	}
	if got := l.do("POST", license1st, take(e3)).message(); got != "User license is inherited from a group membership and it cannot be removed directly from the user." { // 38
		t.Errorf("taking it from the account: %q", got)
	}
	if got := l.do("DELETE", "/groups/"+groupID, "").message(); got != "A group with active licenses assigned cannot be deleted." { // 25
		t.Errorf("deleting the group: %q", got)
	}
	l.want(200, "POST", license1st, give(e3)) // directly as well: one seat, both services
	if got := l.want(200, "GET", licenseFieldsOf1, "").body; l.consumed(e3) != 2 || fmt.Sprint(listOf(got["assignedLicenses"])[0].(map[string]any)["disabledPlans"]) != "[]" {
		t.Errorf("direct and by the group: %v", got)
	}
	l.want(200, "POST", license1st, take(e3)) // only the direct one
	if got := l.rows(plainID); got != "SPE_E3 group Active" {
		t.Errorf("after taking the direct one: %s", got)
	}
	l.leave(groupID, plainID)
	if l.held(plainID) != "SPE_E3" {
		t.Error("leaving took the licence before the time")
	}
	l.pass()
	if l.rows(plainID) != "" || l.consumed(e3) != 1 {
		t.Errorf("after leaving: %s", l.rows(plainID))
	}
	l.join(groupID, mailboxID)
	l.pass()
	if l.rows(mailboxID) != "SPE_E3 group Active" {
		t.Errorf("after joining: %s", l.rows(mailboxID))
	}
	l.want(202, "POST", path, take(e3))
	if got := l.do("DELETE", "/groups/"+groupID, ""); got.status != 400 {
		t.Errorf("deleting while members have it: %d", got.status)
	}
	l.pass()
	if l.rows(mailboxID) != "" || l.consumed(e3) != 0 {
		t.Errorf("after the group lost it: %s", l.rows(mailboxID))
	}
	l.leave(groupID, ownerID) // no work: the group gives nothing
	l.want(204, "DELETE", "/groups/"+groupID, "")
	names := l.audit(mailboxID)
	if names["Change user license by "+licensing.ServiceName] != 2 {
		t.Errorf("the audit log has %v", names)
	}
	if names := l.audit(groupID); names["Set group license"] != 2 || names["Start applying group based license to users by "+licensing.ServiceName] == 0 {
		t.Errorf("the audit log of the group has %v", names)
	}
}

// What a group cannot give (GG 9.5), row 45 among them: the error of each kind, that
// the other licences of the group are not given either, and the cure by reprocess.
func TestGroupLicenceErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		before  func(l *lab)
		give    string
		rows    string // of the first account
		cure    func(l *lab)
		message string // of reprocess before the cure
		cured   string
	}{
		{"CountViolation", func(l *lab) { l.buy(state.SKU{SKUPartNumber: "SPE_E3", Suspended: 1}) }, give(e3),
			"SPE_E3 group Error CountViolation", func(l *lab) { l.buy(state.SKU{SKUPartNumber: "SPE_E3", Enabled: 2}) },
			"Subscription with SKU " + e3 + " does not have any available licenses.", "SPE_E3 group Active"},
		{"MutuallyExclusiveViolation", func(l *lab) { l.want(200, "POST", license1st, give(e1)) }, give(e3, phoneSystem),
			"MCOEV group Error Other, SPE_E3 group Error MutuallyExclusiveViolation, STANDARDPACK direct Active", func(l *lab) { l.want(200, "POST", license1st, take(e1)) },
			"License assignment failed because service plans " + planSharePoint2 + ", " + planSharePoint1 + " are mutually exclusive", "MCOEV group Active, SPE_E3 group Active"},
		{"ProhibitedInUsageLocationViolation", func(l *lab) { l.buy(rare("CH")) }, give(rareSKU),
			"RARE group Error ProhibitedInUsageLocationViolation", func(l *lab) { l.want(204, "PATCH", "/users/"+plainID, `{"usageLocation":"DE"}`) },
			"License assignment cannot be done for user with invalid usage location.", "RARE group Active"},
		{"the place of the tenant counts", func(l *lab) { l.buy(rare("CH")); l.portal(plainID, map[string]any{"usageLocation": nil}) }, give(rareSKU),
			"RARE group Error ProhibitedInUsageLocationViolation", func(l *lab) { l.buy(rare("DE")) },
			"License assignment cannot be done for user with invalid usage location.", "RARE group Active"},
		{"UniquenessViolation", func(l *lab) {
			l.service(portal.LicenceService{TakenAddresses: []string{"plain@fabrikam.example"}})
		}, give(e3),
			"SPE_E3 group Error UniquenessViolation", func(l *lab) {
				l.service(portal.LicenceService{})
			},
			"Another object with the same value for property proxyAddresses already exists.", "SPE_E3 group Active"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := groupLicenceLab(t)
			c.before(l)
			l.want(202, "POST", "/groups/"+groupID+"/assignLicense", c.give)
			l.pass()
			if got := l.rows(plainID); got != c.rows {
				t.Errorf("rows: %s, want %s", got, c.rows)
			}
			if l.processing() != "ProcessingComplete" {
				t.Error("complete is not without errors")
			}
			errors := "/groups?$select=id&$filter=hasMembersWithLicenseErrors eq true"
			if got := l.want(200, "GET", errors, "").ids(); !slices.Equal(got, []string{groupID}) {
				t.Errorf("groups with errors: %v", got)
			}
			if got := l.want(200, "GET", "/groups/"+groupID+"/membersWithLicenseErrors?$select=id", "").ids(); !slices.Contains(got, plainID) {
				t.Errorf("members with errors: %v", got)
			}
			reprocess := "/users/" + plainID + "/reprocessLicenseAssignment"
			if got := l.do("POST", reprocess, ""); got.status != 400 || got.message() != c.message {
				t.Errorf("reprocess before the cure = %d %s", got.status, got.message())
			}
			c.cure(l)
			l.leave(groupID, ownerID) // the group is worked on, for somebody else
			l.pass()
			if got := l.rows(plainID); strings.Contains(got, "group Active") {
				t.Errorf("it was tried again by itself: %s", got)
			}
			l.want(200, "POST", reprocess, "")
			if got := l.rows(plainID); got != c.cured {
				t.Errorf("after the cure: %s, want %s", got, c.cured)
			}
			if got := l.want(200, "GET", "/groups/"+groupID+"/membersWithLicenseErrors", "").ids(); slices.Contains(got, plainID) {
				t.Errorf("members with errors: %v", got)
			}
		})
	}
}

// What another licence depends on stays when the member leaves, until that one is gone.
func TestGroupLicenceThatIsNeeded(t *testing.T) {
	t.Parallel()
	l := groupLicenceLab(t)
	l.want(202, "POST", "/groups/"+groupID+"/assignLicense", give(e1))
	l.pass()
	l.want(200, "POST", license1st, give(phoneSystem))
	l.leave(groupID, plainID)
	l.pass()
	if got := l.rows(plainID); got != "MCOEV direct Active, STANDARDPACK group ActiveWithError DependencyViolation" {
		t.Errorf("rows: %s", got)
	}
	if l.held(plainID) != "MCOEV STANDARDPACK" {
		t.Errorf("in force: %s", l.held(plainID))
	}
	l.want(200, "POST", license1st, take(phoneSystem))
	l.want(200, "POST", "/users/"+plainID+"/reprocessLicenseAssignment", "")
	if got := l.rows(plainID); got != "" {
		t.Errorf("after reprocessing: %s", got)
	}
}

// What a group is refused: kinds that cannot have licences, services that need others,
// what it has not got. Who is in a group of the group gets nothing.
func TestGroupLicenceRefusals(t *testing.T) {
	t.Parallel()
	l := groupLicenceLab(t)
	path := "/groups/" + groupID + "/assignLicense"
	for _, c := range []struct{ body, message string }{
		{give(phoneSystem), "License assignment failed because service plan " + planPhone + " depends on the service plan(s) " + planTeams + ", " + planSkype},
		{take(e3), "Group does not have a corresponding license " + e3 + "."},
		{give(skus.DatabaseCapacity), "License " + skus.DatabaseCapacity + " cannot be assigned to a user."},
		{`{"removeLicenses":[]}`, "One or more parameters of the operation 'assignLicense' are missing from the request payload. The missing parameters are: addLicenses."},
	} {
		if got := l.do("POST", path, c.body); got.status != 400 || got.message() != c.message {
			t.Errorf("%s = %d %s", c.body, got.status, got.message())
		}
	}
	unified := state.Text(l.want(201, "POST", "/groups", `{"displayName":"Team","mailNickname":"team","mailEnabled":true,"securityEnabled":false,"groupTypes":["Unified"]}`).body["id"])
	if got := l.do("POST", "/groups/"+unified+"/assignLicense", give(e3)).status; got != 400 {
		t.Errorf("a group without security = %d", got)
	}
	security := func(name string) string {
		return state.Text(l.want(201, "POST", "/groups", `{"displayName":"`+name+`","mailNickname":"`+name+`","mailEnabled":false,"securityEnabled":true}`).body["id"])
	}
	outer, inner := security("outer"), security("inner")
	l.join(outer, inner)
	l.join(inner, plainID)
	l.want(202, "POST", "/groups/"+outer+"/assignLicense", give(e3))
	l.pass()
	if got := l.rows(plainID); got != "" {
		t.Errorf("a member of a member got %s", got)
	}
}

// A deleted member gives back what came by the group, and gets it anew when restored.
func TestGroupLicenceOfADeletedMember(t *testing.T) {
	t.Parallel()
	l := groupLicenceLab(t)
	l.want(202, "POST", "/groups/"+groupID+"/assignLicense", give(e3))
	l.pass()
	l.want(204, "DELETE", "/users/"+plainID, "")
	if n := l.consumed(e3); n != 1 {
		t.Errorf("with a deleted member %v seats are taken", n)
	}
	l.want(200, "POST", "/directory/deletedItems/"+plainID+"/restore", "")
	if got := l.rows(plainID); got != "" {
		t.Errorf("restored, before the time: %s", got)
	}
	l.pass()
	if got := l.rows(plainID); got != "SPE_E3 group Active" {
		t.Errorf("restored: %s", got)
	}
}
