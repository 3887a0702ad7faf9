package graph

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/portal"
	"bindery/shared/entra/entratest/state"
)

// Up to 20 members and owners come in one request, in a third of the writes, and so do
// those of a new group.
func TestBinds(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	many := l.accounts(20)
	for _, tt := range []struct {
		members, owners, writes int
	}{{1, 0, 1}, {3, 0, 1}, {4, 0, 2}, {10, 5, 5}, {20, 0, 7}} {
		id := l.make("")
		l.s.ResetRequests()
		parts := []string{bind("members", many[:tt.members]...)}
		if tt.owners > 0 {
			parts = append(parts, bind("owners", many[:tt.owners]...))
		}
		l.want(204, "PATCH", "/groups/"+id, "{"+strings.Join(parts, ",")+"}")
		r := l.s.Requests()[0]
		if r.Writes != tt.writes || r.ResourceUnits != 1 {
			t.Errorf("%d members and %d owners cost %d writes and %g units, want %d and 1", tt.members, tt.owners, r.Writes, r.ResourceUnits, tt.writes)
		}
		if got := l.members(id, "members"); !slices.Equal(got, sorted(many[:tt.members])) {
			t.Errorf("members = %v", got)
		}
		if got := l.members(id, "owners"); !slices.Equal(got, sorted(many[:tt.owners])) {
			t.Errorf("owners = %v", got)
		}
	}
	id := l.make(bind("members", many[:15]...) + "," + bind("owners", many[:5]...))
	if len(l.members(id, "members")) != 15 || len(l.members(id, "owners")) != 5 {
		t.Error("a group was made without its members and owners")
	}
	l.s.ResetRequests()
	l.want(204, "POST", "/groups/"+id+"/members/$ref", ref(many[16]))
	l.want(204, "DELETE", "/groups/"+id+"/members/"+many[16]+"/$ref", "")
	for _, r := range l.s.Requests() {
		if r.Writes != 1 || r.ResourceUnits != 1 {
			t.Errorf("%s %s costs %d writes and %g units", r.Method, r.Path, r.Writes, r.ResourceUnits)
		}
	}
	// Members and properties in one request are one change: none without the other.
	if got := l.patch(id, `"description":"x",`+bind("members", many[0])); got.status != 400 {
		t.Errorf("a member that is there already = %d", got.status)
	}
	if got := l.want(200, "GET", "/groups/"+id, "").body; got["description"] != nil {
		t.Errorf("a refused request left a description: %v", got["description"])
	}
	l.want(204, "PATCH", "/groups/"+id, `{"description":"x",`+bind("members", many[17])+"}")
}

// Whom a group may hold depends on both (GG 4); circles are taken.
func TestNesting(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	may := l.as(globalID, append([]string{"RoleManagement.ReadWrite.Directory"}, allScopes...)...)
	for _, tt := range []struct {
		container, member portal.GroupKind
		status            int
	}{
		{portal.SecurityGroup, portal.SecurityGroup, 204}, // itself
		{portal.SecurityGroup, portal.DynamicGroup, 204},
		{portal.SecurityGroup, portal.SyncedGroup, 204},
		{portal.SecurityGroup, portal.MailSecurityGroup, 204},
		{portal.SecurityGroup, portal.UnifiedGroup, 400},
		{portal.SecurityGroup, portal.RoleGroup, 400},
		{portal.UnifiedGroup, portal.SecurityGroup, 400},
		{portal.UnifiedGroup, portal.UnifiedGroup, 400},
		{portal.RoleGroup, portal.SecurityGroup, 400},
		{portal.DynamicGroup, portal.SecurityGroup, 403},
		{portal.DistributionList, portal.SecurityGroup, 400},
		{portal.SyncedGroup, portal.SecurityGroup, 400},
	} {
		if got := may.add(l.id[tt.container], "members", l.id[tt.member]); got.status != tt.status {
			t.Errorf("%s in %s = %d %s, want %d", tt.member, tt.container, got.status, got.message(), tt.status)
		}
	}
	if got := may.add(l.id[portal.SecurityGroup], "owners", l.make("")); got.status != 400 {
		t.Errorf("a group as an owner = %d", got.status)
	}
	l.addApplication(l.id[portal.SecurityGroup], "members", 204)
	l.addApplication(l.id[portal.UnifiedGroup], "members", 400)
	if got := l.add(l.id[portal.SecurityGroup], "owners", derivedID(l.tenant(), graphApp)); got.status != 403 {
		t.Errorf("an application without the permission for it = %d", got.status)
	}
}

// Reads through groups end, also in a circle, and tell each object once.
func TestTransitiveReads(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	var ring []string
	for i := range 3 {
		ring = append(ring, l.make(fmt.Sprintf(`"displayName":"Ring %d"`, i)))
	}
	for i, id := range ring {
		l.link(id, state.Members, ring[(i+1)%3])
	}
	l.link(ring[0], state.Members, plainID)
	l.link(ring[2], state.Members, plainID)
	l.link(ring[2], state.Members, ownerID)
	l.want(204, "DELETE", "/users/"+ownerID, "")
	want := sorted(append(slices.Clone(ring), plainID))
	if got := l.members(ring[0], "transitiveMembers"); !slices.Equal(got, want) {
		t.Errorf("transitiveMembers = %v, want %v", got, want)
	}
	if got := l.members(ring[0], "members"); !slices.Equal(got, sorted([]string{ring[1], plainID})) {
		t.Errorf("members = %v", got)
	}
	ids := func(path string) []string {
		t.Helper()
		return l.want(200, "GET", path, "", eventual, "eventual").ids()
	}
	if got := ids("/groups/" + ring[0] + "/memberOf?$select=id"); !slices.Equal(got, []string{ring[2]}) {
		t.Errorf("memberOf = %v", got)
	}
	if got := ids("/groups/" + ring[0] + "/transitiveMemberOf?$select=id"); !slices.Equal(got, sorted(ring)) {
		t.Errorf("transitiveMemberOf = %v", got)
	}
	if got := ids("/users/" + plainID + "/memberOf?$select=id"); !slices.Equal(got, sorted([]string{ring[0], ring[2], groupID})) {
		t.Errorf("memberOf of an account = %v", got)
	}
	const cast = "/microsoft.graph.group"
	if got := ids("/users/" + plainID + "/transitiveMemberOf" + cast + "?$count=true&$filter=" + url.QueryEscape("startswith(displayName,'Ring')")); !slices.Equal(got, sorted(ring)) {
		t.Errorf("filtered memberships = %v", got)
	}
	for path, want := range map[string]string{
		"/groups/" + ring[0] + "/members/$count": "2", "/groups/" + ring[0] + "/transitiveMembers/$count": "4",
		"/groups/" + ring[0] + "/memberOf/$count": "1", "/users/" + plainID + "/transitiveMemberOf/$count": "4", "/groups/" + ring[0] + "/owners/$count": "0",
	} {
		if got := l.want(200, "GET", path, "", eventual, "eventual").raw; got != want {
			t.Errorf("%s = %s, want %s", path, got, want)
		}
		if got := l.do("GET", path, ""); got.code() != "400 Request_UnsupportedQuery" {
			t.Errorf("%s without the header = %s", path, got.code())
		}
	}
	for path, want := range map[string][]string{
		"/users/" + plainID + "/getMemberGroups":  sorted(append(slices.Clone(ring), groupID)),
		"/groups/" + ring[1] + "/getMemberGroups": sorted(ring),
	} {
		var got []string
		for _, v := range listOf(l.want(200, "POST", path, `{"securityEnabledOnly":false}`).body["value"]) {
			got = append(got, state.Text(v))
		}
		if !slices.Equal(sorted(got), want) {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
	got := l.want(200, "POST", "/groups/"+ring[1]+"/checkMemberGroups", `{"groupIds":["`+ring[0]+`","`+groupID+`"]}`)
	if list := listOf(got.body["value"]); len(list) != 1 || list[0] != ring[0] {
		t.Errorf("checkMemberGroups = %v", list)
	}
}

// Members of one kind are filtered, ordered and counted as an advanced query, and in no
// other.
func TestQueriesOfMembers(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	id := l.make("")
	for i, account := range l.accounts(25) {
		if err := l.s.EditAccount(labTenant, account, map[string]any{"displayName": fmt.Sprintf("Person %02d", i)}); err != nil {
			t.Fatal(err)
		}
		l.link(id, state.Members, account)
	}
	l.link(id, state.Members, groupID)
	path := "/groups/" + id + "/members"
	const cast = "/microsoft.graph.user"
	filter := "?$filter=" + url.QueryEscape("startswith(displayName,'Person 1')")
	got := l.want(200, "GET", path+cast+filter+"&$count=true&$orderby=displayName%20desc&$top=4", "", eventual, "eventual")
	if got.body["@odata.count"] != 10.0 || len(got.ids()) != 4 || listOf(got.body["value"])[0].(map[string]any)["displayName"] != "Person 19" {
		t.Errorf("the filtered members are %s", got.raw)
	}
	next := l.want(200, "GET", state.Text(got.body["@odata.nextLink"]), "", eventual, "eventual")
	if len(next.ids()) != 4 || next.body["@odata.count"] != nil || slices.Contains(got.ids(), next.ids()[0]) {
		t.Errorf("the next page is %s", next.raw)
	}
	for _, refused := range []string{path + cast + filter, path + cast + filter + "&$count=true", path + filter + "&$count=true", path + "/$count"} {
		headers := []string{}
		if strings.HasPrefix(refused, path+"?") {
			headers = []string{eventual, "eventual"} // the members are of several kinds
		}
		if got := l.do("GET", refused, "", headers...); got.code() != "400 Request_UnsupportedQuery" {
			t.Errorf("GET %s = %s", refused, got.code())
		}
	}
	if got := l.want(200, "GET", path+"/microsoft.graph.group?$select=id,displayName", ""); !slices.Equal(got.ids(), []string{groupID}) {
		t.Errorf("groups among the members = %v", got.ids())
	}
	seen := map[string]bool{}
	for link := path + "?$select=id&$top=7"; link != ""; {
		page := l.want(200, "GET", link, "")
		for _, id := range page.ids() {
			if seen[id] {
				t.Errorf("%s is on two pages", id)
			}
			seen[id] = true
		}
		link = state.Text(page.body["@odata.nextLink"])
	}
	if len(seen) != 26 {
		t.Errorf("the pages have %d members, want 26", len(seen))
	}
	refs := l.want(200, "GET", path+"/$ref?$top=5", "")
	if len(listOf(refs.body["value"])) != 5 || !strings.Contains(refs.raw, "/directoryObjects/") || refs.body["@odata.nextLink"] == nil {
		t.Errorf("references = %s", refs.raw)
	}
	l.want(200, "GET", path+"/"+groupID+"/$ref", "")
	l.want(404, "GET", path+"/"+plainID+"/$ref", "")
}

func TestPriceOfGroups(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	id := "/groups/" + l.id[portal.SecurityGroup]
	for path, want := range map[string]string{
		"/groups": "1", id: "1", "/groups/delta": "1", id + "/members": "3", id + "/members?$select=id": "2", id + "/owners": "1",
		id + "/transitiveMembers": "5", id + "/transitiveMembers?$select=id": "4", id + "/memberOf": "2", id + "/transitiveMemberOf": "2", id + "/transitiveMemberOf?$select=id": "1",
	} {
		if got := l.want(200, "GET", path, "").header.Get("x-ms-resource-unit"); got != want {
			t.Errorf("GET %s costs %s, want %s", path, got, want)
		}
	}
	for path, body := range map[string]string{"/getMemberGroups": `{"securityEnabledOnly":true}`, "/checkMemberGroups": `{"groupIds":["` + groupID + `"]}`} {
		want := map[string]string{"/getMemberGroups": "2", "/checkMemberGroups": "4"}[path]
		if got := l.want(200, "POST", id+path, body).header.Get("x-ms-resource-unit"); got != want {
			t.Errorf("POST %s costs %s, want %s", path, got, want)
		}
	}
}

// A write that adds members takes as many tokens as it counts for: of 20 members 7.
func TestBindsAreThrottled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newGroupLab(t, labOptions{Quota: faults.Quota{AppTenantWrites: faults.Rate{Capacity: 10, Per: 100 * time.Second}}})
		many := l.accounts(20)
		id := l.make("") // one write
		l.want(204, "PATCH", "/groups/"+id, "{"+bind("members", many...)+"}")
		l.want(204, "POST", "/groups/"+id+"/members/$ref", ref(plainID))
		l.want(204, "POST", "/groups/"+id+"/members/$ref", ref(ownerID))
		if got := l.do("POST", "/groups/"+id+"/members/$ref", ref(mailboxID)); got.status != 429 {
			t.Errorf("the eleventh write = %d", got.status)
		}
	})
}

// Without $ref a DELETE of a group among the members deletes that group.
func TestDeleteOfANestedGroup(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{}).off()
	l.link(l.id[portal.SecurityGroup], state.Members, groupID)
	l.want(403, "DELETE", "/groups/"+l.id[portal.SecurityGroup]+"/members/"+groupID, "", "Authorization", "Bearer "+l.as(globalID, "GroupMember.ReadWrite.All").bearer)
	l.want(204, "DELETE", "/groups/"+l.id[portal.SecurityGroup]+"/members/"+groupID, "")
	l.want(404, "GET", "/groups/"+groupID, "")
	l.want(200, "GET", "/directory/deletedItems/"+groupID, "")
	if got := l.members(l.id[portal.SecurityGroup], "members"); len(got) != 0 {
		t.Errorf("members = %v", got)
	}
}

// A deleted account keeps its memberships until it is gone for good.
func TestMembershipsOfDeletedAccounts(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	id := l.id[portal.SecurityGroup]
	l.link(id, state.Members, plainID)
	l.link(id, state.Owners, plainID)
	l.want(204, "DELETE", "/users/"+plainID, "")
	if len(l.members(id, "members")) != 0 || len(l.members(id, "owners")) != 0 {
		t.Error("a deleted account is shown")
	}
	l.want(200, "POST", "/directory/deletedItems/"+plainID+"/restore", "")
	if len(l.members(id, "members")) != 1 || len(l.members(id, "owners")) != 1 {
		t.Error("a restored account lost its memberships")
	}
	l.want(204, "DELETE", "/users/"+plainID, "")
	l.want(204, "DELETE", "/directory/deletedItems/"+plainID, "")
	if tenant := l.tenant(); tenant.Linked(state.Members, id, plainID) || tenant.Linked(state.Owners, id, plainID) {
		t.Error("an account that is gone is a member")
	}
}

// Replicas lag: a group that was just made is not found, a member who was just added is
// not shown, and one who left still is (GG 8).
func TestLagOfGroups(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	old := l.id[portal.SecurityGroup]
	l.link(old, state.Members, ownerID)
	if err := l.s.kept.Advance(time.Hour); err != nil {
		t.Fatal(err)
	}
	l.setFault(faults.Fault{ID: "reads", Kind: faults.Lag, Seconds: 30, Method: "GET"})
	id := l.make(bind("members", plainID))
	l.want(404, "GET", "/groups/"+id, "")
	l.want(404, "GET", "/groups/"+id+"/members", "")
	l.want(204, "POST", "/groups/"+old+"/members/$ref", ref(plainID))
	l.want(204, "DELETE", "/groups/"+old+"/members/"+ownerID+"/$ref", "")
	if got := l.members(old, "members"); !slices.Equal(got, []string{ownerID}) {
		t.Errorf("the replica shows %v", got)
	}
	if got := l.want(200, "GET", "/users/"+ownerID+"/memberOf?$select=id", "").ids(); !slices.Equal(got, []string{old}) {
		t.Errorf("the replica shows memberships %v", got)
	}
	l.want(204, "DELETE", "/groups/"+old, "")
	l.want(200, "GET", "/groups/"+old, "") // for a while a deleted group answers
	if err := l.s.kept.Advance(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	if got := l.members(id, "members"); !slices.Equal(got, []string{plainID}) {
		t.Errorf("later the members are %v", got)
	}
	l.want(404, "GET", "/groups/"+old, "")

	l.setFault(faults.Fault{Kind: faults.MemberLag, Seconds: 60})
	fresh := l.make("")
	for _, got := range []result{l.add(fresh, "members", plainID), l.patch(fresh, bind("members", plainID)), l.add(l.id[portal.UnifiedGroup], "members", l.create("fresh@fabrikam.example"))} {
		if got.code() != notFound {
			t.Errorf("a reference too early = %s", got.code())
		}
	}
	l.want(204, "PATCH", "/groups/"+fresh, `{"description":"x"}`) // the group itself is there
	if err := l.s.kept.Advance(time.Minute); err != nil {
		t.Fatal(err)
	}
	l.want(204, "POST", "/groups/"+fresh+"/members/$ref", ref(plainID))
}

// Pages of members go wrong as those of others do.
func TestFaultsOfMembers(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	id := l.id[portal.SecurityGroup]
	for _, account := range l.accounts(8) {
		l.link(id, state.Members, account)
	}
	path := "/groups/" + id + "/members?$select=id"
	l.setFault(faults.Fault{Kind: faults.PageEmpty, Path: "/members", Times: 1})
	got := l.want(200, "GET", path, "")
	if len(got.ids()) != 0 || len(l.want(200, "GET", state.Text(got.body["@odata.nextLink"]), "").ids()) != 8 {
		t.Errorf("an empty page: %s", got.raw)
	}
	l.setFault(faults.Fault{Kind: faults.PagePartial, Path: "/members", Times: 1})
	if got := l.want(200, "GET", path, ""); len(got.ids()) != 4 || got.body["@odata.nextLink"] != nil {
		t.Errorf("a partial page: %s", got.raw)
	}
	l.setFault(faults.Fault{Kind: faults.Throttle, Path: "^/groups/", RetryAfter: "3", Times: 1})
	l.want(200, "GET", "/users/"+plainID, "")
	if got := l.want(429, "GET", path, ""); got.header.Get("Retry-After") != "3" {
		t.Errorf("Retry-After = %q", got.header.Get("Retry-After"))
	}
	if got := l.want(200, "GET", path, "").ids(); len(got) != 8 {
		t.Errorf("members = %v", got)
	}
}

// The audit log tells who put whom into which group.
func TestAuditOfGroups(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	id := l.make(bind("owners", ownerID))
	l.want(204, "POST", "/groups/"+id+"/members/$ref", ref(plainID))
	l.want(204, "DELETE", "/groups/"+id+"/members/"+plainID+"/$ref", "")
	l.want(204, "PATCH", "/groups/"+id, `{"description":"x"}`)
	if err := l.s.SetLink(labTenant, userAdmID, id, state.Members, mailboxID, true); err != nil { // a foreign administrator
		t.Fatal(err)
	}
	l.want(204, "DELETE", "/groups/"+id, "")
	l.want(200, "POST", "/directory/deletedItems/"+id+"/restore", "")
	var names []string
	for _, e := range l.eventsOf("targetResources/any(t: t/id eq '" + id + "')") {
		by := e["initiatedBy"].(map[string]any)["user"].(map[string]any)
		names = append(names, e["activityDisplayName"].(string)+" by "+state.Text(by["id"]))
		if e["category"] != "GroupManagement" {
			t.Errorf("category = %v", e["category"])
		}
	}
	slices.Reverse(names)
	want := []string{"Add group by " + globalID, "Add owner to group by " + globalID, "Add member to group by " + globalID, "Remove member from group by " + globalID,
		"Update group by " + globalID, "Add member to group by " + userAdmID, "Delete group by " + globalID, "Restore Group by " + globalID}
	if !slices.Equal(names, want) {
		t.Errorf("events = %q\nwant %q", names, want)
	}
	events := l.eventsOf("activityDisplayName eq 'Remove member from group'")
	targets := listOf(events[0]["targetResources"])
	member := targets[0].(map[string]any)
	if member["id"] != plainID || member["type"] != "User" || member["userPrincipalName"] != "plain@fabrikam.example" || targets[1].(map[string]any)["id"] != id {
		t.Errorf("targets = %v", targets)
	}
	if !strings.Contains(fmt.Sprint(member["modifiedProperties"]), "Group.ObjectID") {
		t.Errorf("modified = %v", member["modifiedProperties"])
	}
}

// Items of a batch add and remove members each at its own cost; a number among the
// answers is in base64, as all that is no JSON.
func TestGroupsInABatch(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	id := l.id[portal.SecurityGroup]
	many := l.accounts(8)
	l.link(id, state.Members, plainID)
	item := func(n int, method, url, body string) string {
		if body != "" {
			body = `,"headers":{"Content-Type":"application/json"},"body":` + body
		}
		return fmt.Sprintf(`{"id":"%d","method":%q,"url":%q%s}`, n, method, url, body)
	}
	l.s.ResetRequests()
	got := l.want(200, "POST", "/$batch", `{"requests":[`+strings.Join([]string{
		item(1, "PATCH", "/groups/"+id, "{"+bind("members", many[:7]...)+"}"),
		item(2, "POST", "/groups/"+id+"/members/$ref", ref(many[7])),
		item(3, "DELETE", "/groups/"+id+"/members/"+plainID+"/$ref", ""),
		item(4, "DELETE", "/groups/"+id+"/members/"+ownerID+"/$ref", ""),
		`{"id":"5","method":"GET","url":"/groups/` + id + `/members/$count","headers":{"ConsistencyLevel":"eventual"}}`,
	}, ",")+`]}`)
	want := map[string]string{"1": "204 <nil>", "2": "204 <nil>", "3": "204 <nil>", "5": "200 OA=="}
	for _, v := range listOf(got.body["responses"]) {
		answer := v.(map[string]any)
		if n := state.Text(answer["id"]); want[n] != "" && fmt.Sprint(answer["status"], " ", answer["body"]) != want[n] || n == "4" && answer["status"] != 400.0 {
			t.Errorf("item %s = %v", n, answer)
		}
	}
	writes := 0
	for _, r := range l.s.Requests() {
		writes += r.Writes
	}
	if writes != 3+1+1+1 {
		t.Errorf("the batch cost %d writes, want 6", writes)
	}
}
