package graph

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/state"

	"bindery/shared/entra/entratest/roles"
)

const eventual = "ConsistencyLevel"

// names returns the local parts of the listed accounts.
func (r result) names() []string {
	var out []string
	for _, v := range listOf(r.body["value"]) {
		local, _, _ := strings.Cut(state.Text(v.(map[string]any)["userPrincipalName"]), "@")
		out = append(out, local)
	}
	return sorted(out)
}

func TestFilter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		filter string
		header bool // ConsistencyLevel and $count
		want   string
	}{
		{"userPrincipalName eq 'PLAIN@fabrikam.example'", false, "plain"},
		{"displayName eq 'Plain' or displayName eq 'Box'", false, "box plain"},
		{"startsWith(userPrincipalName,'o') and accountEnabled eq true", false, "owner"},
		{"startswith(displayName,'P') and (accountEnabled eq false or jobTitle eq 'Clerk')", false, "plain"},
		{"userPrincipalName in ('fed@fed.example', 'box@fabrikam.example')", false, "box fed"},
		{"proxyAddresses/any(p:p eq 'smtp:o''box@fabrikam.example')", false, "box"},
		{"proxyAddresses/any(p: startsWith(p,'SMTP:BOX'))", false, "box"},
		{"onPremisesSyncEnabled eq true", false, "synced"},
		{"id eq '" + plainID + "'", false, "plain"},
		{"onPremisesExtensionAttributes/extensionAttribute1 eq 'x'", false, ""},
		{"createdDateTime ge 2001-01-01T00:00:00Z and displayName eq 'Box'", false, "box"},
		{"displayName eq 'O''Neil'", false, ""},
		{"endsWith(userPrincipalName,'@fed.example')", true, "fed"},
		{"not(startsWith(userPrincipalName,'o')) and givenName eq 'Pla'", true, "plain"},
		{"jobTitle ne null and jobTitle ne 'x'", true, "plain"},
		{"proxyAddresses/$count ne 0", true, "box"},
		{"givenName eq null and displayName eq 'Box'", true, "box"},
	}
	l := newLab(t, labOptions{})
	for _, tt := range tests {
		path := "/users?$select=userPrincipalName&$filter=" + url.QueryEscape(tt.filter)
		got := l.do("GET", path, "")
		if tt.header {
			if got.code() != "400 Request_UnsupportedQuery" {
				t.Errorf("%s without the header = %s", tt.filter, got.code())
			}
			if got = l.do("GET", path, "", eventual, "eventual"); got.status != 400 {
				t.Errorf("%s without $count = %d", tt.filter, got.status)
			}
			got = l.do("GET", path+"&$count=true", "", eventual, "eventual")
		}
		if names := strings.Join(got.names(), " "); got.status != 200 || names != tt.want {
			t.Errorf("$filter=%s = %d %q %s, want %q", tt.filter, got.status, names, got.message(), tt.want)
		}
	}
}

func TestFilterIsRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	for _, filter := range []string{
		"shoeSize eq 1", "displayName eq", "displayName eq 'x", "displayName like 'x'", "contains(displayName,'x')", "(displayName eq 'x'",
		"displayName eq 'x' displayName", "accountEnabled eq 'yes'", "displayName gt 'a'", "createdDateTime ge 'x'", "passwordProfile eq null",
		"proxyAddresses/any(p)", strings.Repeat("(", 200) + "id eq 'x'" + strings.Repeat(")", 200), "and", "endsWith(displayName,'x')",
		"displayName/first eq 'x'", "onPremisesExtensionAttributes/extensionAttribute16 eq 'x'", "proxyAddresses/any(p:p/name eq 'x')",
	} {
		got := l.do("GET", "/users?$count=true&$filter="+url.QueryEscape(filter), "", eventual, "eventual")
		if got.status != 400 {
			t.Errorf("$filter=%s = %d, want 400", filter, got.status)
		}
	}
	for _, query := range []string{"$top=0", "$top=1000", "$top=x", "$select=nothing", "$orderby=nothing", "$skip=3", "$search=\"displayName:x\"", "$select=aboutMe", "$apply=x", "$top=1&$TOP=2", "$expand=memberOf", "$skiptoken=xyz"} {
		if got := l.unchecked().do("GET", "/users?"+strings.ReplaceAll(query, "\"", "%22"), ""); got.status != 400 {
			t.Errorf("GET /users?%s = %d, want 400", query, got.status)
		}
	}
}

func TestPaging(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	var all []string
	pages := 0
	path := "/users?$top=2&$select=id&$count=true"
	for path != "" {
		r := l.want(200, "GET", path, "", eventual, "eventual")
		if _, counted := r.body["@odata.count"]; counted != (pages == 0) {
			t.Errorf("page %d: @odata.count is there: %v", pages, counted)
		}
		all = append(all, r.ids()...)
		path = state.Text(r.body["@odata.nextLink"])
		if path != "" && !strings.HasPrefix(path, labBase+"/v1.0/users?") {
			t.Fatalf("nextLink = %s", path)
		}
		pages++
	}
	if pages != 5 || len(all) != 9 || !slices.Equal(all, slices.Compact(sorted(all))) {
		t.Errorf("%d pages with %v", pages, all)
	}
	first := l.want(200, "GET", "/users?$top=2&$orderby=displayName&$filter=accountEnabled%20eq%20true&$count=true", "", eventual, "eventual")
	next := state.Text(first.body["@odata.nextLink"])
	if got := l.do("GET", next, ""); got.code() != "400 Request_UnsupportedQuery" {
		t.Errorf("the next page without the header = %s", got.code())
	}
	if got := l.want(200, "GET", next, "", eventual, "eventual"); len(got.ids()) != 2 || slices.Equal(got.ids(), first.ids()) {
		t.Errorf("second page = %v after %v", got.ids(), first.ids())
	}
	if got := l.do("GET", strings.Replace(next, "displayName", "id", 1), "", eventual, "eventual"); got.code() != "400 DirectoryPageTokenNotFoundException" {
		t.Errorf("a token with another query = %s", got.code())
	}
	if err := l.s.kept.Advance(2 * time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := l.do("GET", next, "", eventual, "eventual"); got.code() != "400 Directory_ExpiredPageToken" {
		t.Errorf("an old token = %s", got.code())
	}
}

func TestSearchAndExpand(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	got := l.want(200, "GET", `/users?$select=userPrincipalName&$search=%22displayName:pla%22%20OR%20%22userPrincipalName:box%22`, "", eventual, "eventual")
	if names := strings.Join(got.names(), " "); names != "box plain" {
		t.Errorf("$search = %q", names)
	}
	l.want(204, "PUT", "/users/"+plainID+"/manager/$ref", `{"@odata.id":"https://graph.microsoft.com/v1.0/users/`+ownerID+`"}`)
	if got := l.want(200, "GET", "/users/"+plainID+"/manager?$select=id", ""); got.body["id"] != ownerID {
		t.Errorf("manager = %s", got.raw)
	}
	for _, item := range listOf(l.unchecked().want(200, "GET", "/users?$select=id&$expand=manager($select=id)", "").body["value"]) {
		m := item.(map[string]any)
		if _, has := m["manager"]; has != (m["id"] == plainID) {
			t.Errorf("expanded item = %v", m)
		}
	}
	l.want(204, "DELETE", "/users/"+plainID+"/manager/$ref", "")
	l.want(404, "GET", "/users/"+plainID+"/manager", "")
	l.want(404, "PUT", "/users/"+plainID+"/manager/$ref", `{"@odata.id":"https://graph.microsoft.com/v1.0/users/`+labApp+`"}`)
}

func TestCountSegment(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	l.want(400, "GET", "/users/$count", "")
	if got := l.want(200, "GET", "/users/$count", "", eventual, "eventual"); got.raw != "9" {
		t.Errorf("$count = %s", got.raw)
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	ref := func(id string) string {
		return fmt.Sprintf(`{"@odata.id":"https://graph.microsoft.com/v1.0/directoryObjects/%s"}`, id)
	}
	made := l.want(201, "POST", "/groups", `{"displayName":"Team","mailEnabled":false,"mailNickname":"team","securityEnabled":true,"groupTypes":[]}`)
	id := state.Text(made.body["id"])
	l.want(204, "POST", "/groups/"+id+"/members/$ref", ref(plainID))
	if got := l.do("POST", "/groups/"+id+"/members/$ref", ref(plainID)).message(); got != "One or more added object references already exist for the following modified properties: 'members'." {
		t.Errorf("twice: %q", got)
	}
	l.want(404, "POST", "/groups/"+id+"/members/$ref", ref(labApp))
	l.want(400, "PATCH", "/groups/"+id, `{"members@odata.bind":["https://graph.microsoft.com/v1.0/users/`+ownerID+`","https://graph.microsoft.com/v1.0/users/`+plainID+`"]}`)
	if got := l.want(200, "GET", "/groups/"+id+"/members?$select=id", "").ids(); !slices.Equal(got, []string{plainID}) {
		t.Errorf("after a refused bind, members = %v", got)
	}
	l.want(204, "PATCH", "/groups/"+id, `{"members@odata.bind":["https://graph.microsoft.com/v1.0/users/`+ownerID+`"]}`)
	if got := l.want(200, "GET", "/users/"+plainID+"/memberOf?$select=id", "").ids(); !slices.Equal(got, sorted([]string{groupID, id})) {
		t.Errorf("memberOf = %v", got)
	}
	l.want(204, "DELETE", "/groups/"+id+"/members/"+plainID+"/$ref", "")
	l.want(400, "DELETE", "/groups/"+id+"/members/"+plainID+"/$ref", "")
	l.want(403, "POST", "/groups/"+roleGroup+"/members/$ref", ref(plainID)) // needs RoleManagement.ReadWrite.Directory
	l.want(400, "POST", "/groups", `{"displayName":"List","mailEnabled":true,"mailNickname":"list","securityEnabled":false}`)
	l.want(400, "POST", "/groups", `{"displayName":"List","mailEnabled":false,"mailNickname":"a b","securityEnabled":true}`)
	l.want(204, "DELETE", "/groups/"+id, "")
	if got := l.want(200, "GET", "/directory/deletedItems/microsoft.graph.group", "").ids(); !slices.Equal(got, []string{id}) {
		t.Errorf("deleted groups = %v", got)
	}
}

func TestRolesAndAssignments(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	const cast = "/me/transitiveMemberOf/microsoft.graph.directoryRole?$select=roleTemplateId,displayName"
	if got := l.do("GET", cast, ""); got.code() != "400 Request_UnsupportedQuery" {
		t.Errorf("a cast that is no advanced query = %s", got.code())
	}
	got := l.want(200, "GET", cast+"&$count=true", "", eventual, "eventual")
	items := listOf(got.body["value"])
	if len(items) != 1 || items[0].(map[string]any)["roleTemplateId"] != roles.GlobalAdministrator {
		t.Errorf("own roles = %s", got.raw)
	}
	var holders []string
	path := "/roleManagement/directory/roleAssignments?$top=3"
	for path != "" {
		r := l.want(200, "GET", path, "")
		for _, v := range listOf(r.body["value"]) {
			holders = append(holders, state.Text(v.(map[string]any)["principalId"]))
		}
		path = state.Text(r.body["@odata.nextLink"])
	}
	if !slices.Equal(sorted(holders), []string{globalID, userAdmID, helpID, authID}) {
		t.Errorf("role holders = %v", sorted(holders))
	}
	members := l.unchecked().want(200, "GET", "/directoryRoles(roleTemplateId='"+roles.UserAdministrator+"')/members?$select=id", "")
	if !slices.Equal(members.ids(), []string{userAdmID}) {
		t.Errorf("User Administrators = %v", members.ids())
	}
	if err := l.s.SetRoles(labTenant, userAdmID); err != nil {
		t.Fatal(err)
	}
	if got := l.as(userAdmID).do("PATCH", "/users/"+plainID, `{"city":"x"}`); got.status != 403 {
		t.Errorf("without its role the former administrator got %d", got.status)
	}
}

func TestAuditLog(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	l.want(204, "PATCH", "/users/"+plainID, `{"city":"Bern"}`)
	l.want(204, "PATCH", "/users/"+plainID, `{"city":"Bern"}`) // changes nothing, leaves no event
	if err := l.s.EditAccount(labTenant, plainID, map[string]any{"city": "Basel"}); err != nil {
		t.Fatal(err)
	}
	got := l.want(200, "GET", "/auditLogs/directoryAudits?$filter="+url.QueryEscape("initiatedBy/user/id eq '"+globalID+"' and targetResources/any(t: t/id eq '"+plainID+"')"), "")
	events := listOf(got.body["value"])
	if len(events) != 1 || events[0].(map[string]any)["activityDisplayName"] != "Update user" || !strings.Contains(got.raw, `"newValue":"[\"Bern\"]"`) {
		t.Errorf("events = %s", got.raw)
	}
	all := l.want(200, "GET", "/auditLogs/directoryAudits?$top=1&$orderby=activityDateTime%20desc", "")
	if !strings.Contains(all.raw, "Basel") || all.body["@odata.nextLink"] == nil {
		t.Errorf("newest event = %s", all.raw)
	}
	l.want(403, "GET", "/auditLogs/directoryAudits?$top=1001", "", "Authorization", "Bearer "+l.as(userAdmID).bearer)
	l.setFault(faults.Fault{Kind: "premium"})
	if got := l.do("GET", "/auditLogs/directoryAudits", ""); got.code() != "403 Authentication_RequestFromNonPremiumTenantOrB2CTenant" {
		t.Errorf("premium = %s", got.code())
	}
}

func TestGrants(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	l.s.grant(t, state.Grant{ID: "g-1", AppID: labApp, UserOID: globalID, Scopes: []string{"User.Read.All"}})
	sp := state.Text(l.unchecked().want(200, "GET", "/servicePrincipals(appId='"+labApp+"')?$select=id", "").body["id"])
	list := l.want(200, "GET", "/oauth2PermissionGrants?$filter="+url.QueryEscape("clientId eq '"+sp+"'"), "")
	if len(list.ids()) != 1 {
		t.Fatalf("grants = %s", list.raw)
	}
	l.want(403, "DELETE", "/oauth2PermissionGrants/"+list.ids()[0], "", "Authorization", "Bearer "+l.as(userAdmID).bearer)
	l.want(204, "DELETE", "/oauth2PermissionGrants/"+list.ids()[0], "")
	if left := l.want(200, "GET", "/oauth2PermissionGrants", "").ids(); len(left) != 0 {
		t.Errorf("grants that are left: %v", left)
	}
}

// grant puts a grant into the laboratory's tenant.
func (s *sim) grant(t *testing.T, g state.Grant) {
	t.Helper()
	tx := s.kept.Begin()
	defer tx.End()
	tenant := tx.Tenant(labTenant)
	next := tenant.Clone()
	next.Grants[g.ID] = g
	change := tx.Change(tenant)
	change.SetOrganization(next)
	if err := change.Commit(); err != nil {
		t.Fatal(err)
	}
}

// Without $ref a DELETE of a member, or of an owner, deletes the object itself.
func TestDeleteWithoutRefDeletesTheObject(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{}).unchecked() // the description leaves these paths out on purpose
	l.want(404, "DELETE", "/groups/"+groupID+"/members/"+ownerID, "")
	l.want(404, "DELETE", "/groups/"+groupID+"/owners/"+plainID, "")
	l.want(403, "DELETE", "/groups/"+groupID+"/members/"+plainID, "", "Authorization", "Bearer "+l.as(helpID).bearer)
	l.want(204, "DELETE", "/groups/"+groupID+"/members/"+plainID, "")
	l.want(204, "DELETE", "/groups/"+roleGroup+"/owners/"+ownerID, "")
	for _, id := range []string{plainID, ownerID} {
		l.want(404, "GET", "/users/"+id, "")
		l.want(200, "GET", "/directory/deletedItems/"+id, "")
	}
}

// What would be ignored is refused: the members would seem to be those of the filter.
func TestMixedCollectionsTakeNoFilter(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{}).unchecked()
	for _, path := range []string{"/groups/" + groupID + "/members", "/groups/" + groupID + "/owners", "/me/memberOf", "/groups/" + groupID + "/transitiveMembers"} {
		l.want(200, "GET", path+"?$select=id&$top=5", "")
		for _, option := range []string{"$filter=displayName%20eq%20'x'", "$orderby=displayName", "$search=%22displayName:x%22", "$skip=1"} {
			if got := l.do("GET", path+"?"+option, "", eventual, "eventual"); got.status != 400 {
				t.Errorf("GET %s?%s = %d, want 400", path, option, got.status)
			}
		}
	}
}
