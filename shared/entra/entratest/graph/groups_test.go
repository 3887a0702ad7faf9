package graph

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/portal"
	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/state"
)

// The answer to a creation holds the default set, and what the service sets by itself.
func TestNewGroup(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	got := l.want(201, "POST", "/groups", groupBody(`"description":"d","visibility":"Private"`)).body
	want := strings.Fields(`@odata.context id deletedDateTime classification createdDateTime description displayName expirationDateTime groupTypes
		isAssignableToRole mail mailEnabled mailNickname membershipRule membershipRuleProcessingState onPremisesLastSyncDateTime onPremisesSecurityIdentifier
		onPremisesSyncEnabled onPremisesProvisioningErrors preferredDataLocation preferredLanguage proxyAddresses renewedDateTime resourceBehaviorOptions
		resourceProvisioningOptions securityEnabled securityIdentifier serviceProvisioningErrors theme uniqueName visibility`)
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, sorted(want)) {
		t.Errorf("the answer has %v", names)
	}
	if got["visibility"] != nil || got["mail"] != nil || !strings.HasPrefix(state.Text(got["securityIdentifier"]), "S-1-12-1-") {
		t.Errorf("a security group is %v", got)
	}
	got = l.want(201, "POST", "/groups", groupBody(unifiedBody+`,"mailNickname":"club"`)).body
	if got["mail"] != "club@fabrikam.example" || fmt.Sprint(got["proxyAddresses"]) != "[SMTP:club@fabrikam.example]" || got["visibility"] != "Public" {
		t.Errorf("a Microsoft 365 group is %v", got)
	}
	if sid := securityIdentifier("01020304-0506-0708-090a-0b0c0d0e0f10"); sid != "S-1-12-1-16909060-117966086-202050057-269422093" {
		t.Errorf("securityIdentifier = %s", sid)
	}
}

// What no group can be is refused when it is made, and what it cannot become later on.
func TestGroupsThatCannotBe(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{}).off()
	may := l.as(globalID, "Group.ReadWrite.All", "RoleManagement.ReadWrite.Directory").off()
	for body, status := range map[string]int{
		`"mailEnabled":true`:                             400, // a distribution list is made in Exchange
		`"securityEnabled":false`:                        400,
		`"groupTypes":["Unified"]`:                       400, // without a mailbox
		`"groupTypes":["Club"]`:                          400,
		`"visibility":"HiddenMembership"`:                400, // of a security group
		`"visibility":"Odd"`:                             400,
		`"membershipRule":"x"`:                           400, // of a group with no rule
		`"isAssignableToRole":true`:                      201,
		`"isAssignableToRole":true,` + unifiedBody:       400, // not securityEnabled
		`"uniqueName":"u"`:                               201,
		`"resourceBehaviorOptions":["Odd"]`:              400,
		`"resourceProvisioningOptions":["Team"]`:         400,
		`"allowExternalSenders":true,` + unifiedBody:     400, // only in a PATCH of its own
		`"mailNickname":"a@b"`:                           400,
		`"mailNickname":"é"`:                             400,
		`"shoes":4`:                                      400,
		`"friends@odata.bind":[]`:                        400,
		unifiedBody + `,"visibility":"HiddenMembership"`: 201,
		unifiedBody + `,"resourceBehaviorOptions":["WelcomeEmailDisabled"]`:                 201,
		`"groupTypes":["DynamicMembership"],"membershipRule":"x"`:                           201,
		`"displayName":"` + strings.Repeat("x", 257) + `"`:                                  400,
		`"description":"` + strings.Repeat("x", 1025) + `"`:                                 400,
		`"mailNickname":"` + strings.Repeat("x", 65) + `"`:                                  400,
		`"isAssignableToRole":true,"groupTypes":["DynamicMembership"],"membershipRule":"x"`: 400,
	} {
		body = strings.ReplaceAll(body, unifiedBody, unifiedBody+fmt.Sprintf(`,"mailNickname":"n%d"`, len(body)))
		if got := may.post(body); got.status != status {
			t.Errorf("POST %s = %d %s, want %d", body, got.status, got.raw, status)
		}
	}
	for _, tt := range []struct {
		kind   portal.GroupKind
		body   string
		status int
	}{
		{portal.SecurityGroup, `"mailEnabled":true`, 400},
		{portal.SecurityGroup, `"securityEnabled":false`, 400},
		{portal.UnifiedGroup, `"securityEnabled":true`, 204}, // as group licences need
		{portal.SecurityGroup, `"groupTypes":["Unified"]`, 400},
		{portal.SecurityGroup, `"isAssignableToRole":true`, 400},
		{portal.UnifiedGroup, `"visibility":"HiddenMembership"`, 400},
		{portal.UnifiedGroup, `"visibility":"Public"`, 204},
		{portal.UnifiedGroup, `"resourceBehaviorOptions":["WelcomeEmailDisabled"]`, 400},
		{portal.UnifiedGroup, `"allowExternalSenders":true`, 204},
		{portal.UnifiedGroup, `"allowExternalSenders":true,"description":"x"`, 400},
		{portal.SecurityGroup, `"allowExternalSenders":true`, 404},
		{portal.SecurityGroup, `"displayName":null`, 400},
		{portal.SecurityGroup, `"description":null`, 204},
		{portal.SecurityGroup, `"membershipRule":"x"`, 400},
		{portal.DynamicGroup, `"membershipRule":"y"`, 204},
		{portal.DynamicGroup, `"membershipRule":null`, 403},
		{portal.RoleGroup, `"groupTypes":["DynamicMembership"],"membershipRule":"x"`, 400},
		{portal.SecurityGroup, `"uniqueName":"once"`, 204},
		{portal.SecurityGroup, `"uniqueName":"twice"`, 400},
		{portal.SecurityGroup, `"id":"` + labApp + `"`, 400},
	} {
		if got := may.patch(l.id[tt.kind], tt.body); got.status != tt.status {
			t.Errorf("PATCH of %s with %s = %d %s, want %d", tt.kind, tt.body, got.status, got.raw, tt.status)
		}
	}
}

// The upsert makes a group once, whatever becomes of the first answer (GG 2.2).
func TestUpsert(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	const path = "/groups(uniqueName='bindery-c-1')"
	body := groupBody(unifiedBody + `,"resourceBehaviorOptions":["WelcomeEmailDisabled"]`)
	l.want(404, "PATCH", path, body)
	l.setFault(faults.Fault{Kind: "drop", Method: "PATCH", When: "after", Times: 1})
	if _, err := l.try(t.Context(), "PATCH", path, body, "Prefer", "create-if-missing"); err == nil {
		t.Fatal("the answer was not lost")
	}
	l.want(204, "PATCH", path, body, "Prefer", "create-if-missing")
	l.want(204, "PATCH", path, groupBody(unifiedBody+`,"displayName":"Other"`), "Prefer", "create-if-missing")
	l.want(204, "PATCH", path, `{"description":"d"}`)
	got := l.want(200, "GET", path, "").body
	if got["displayName"] != "Other" || got["description"] != "d" || got["uniqueName"] != "bindery-c-1" {
		t.Errorf("the group is %v", got)
	}
	n := 0
	for _, m := range l.s.Mutations(labTenant) {
		if m.Kind == "create" && m.TargetID == got["id"] {
			n++
		}
	}
	if n != 1 {
		t.Errorf("it was made %d times", n)
	}
	l.want(400, "PATCH", path, `{"uniqueName":"other"}`, "Prefer", "create-if-missing")
	l.want(400, "PATCH", path, groupBody(unifiedBody+`,"resourceBehaviorOptions":["ConnectorsDisabled"]`), "Prefer", "create-if-missing")
	made := l.want(201, "PATCH", "/groups(uniqueName='bindery-c-2')", groupBody(""), "Prefer", "create-if-missing")
	if made.body["uniqueName"] != "bindery-c-2" || !strings.HasSuffix(made.header.Get("Location"), "/groups/"+state.Text(made.body["id"])) {
		t.Errorf("made: %s, Location %s", made.raw, made.header.Get("Location"))
	}
	l.want(204, "DELETE", path, "")
	l.want(404, "GET", path, "")
}

// Who makes a group owns it, but for those with a role for it (GG 2.1, GG 2.5).
func TestCreators(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	if id := l.make(""); len(l.members(id, "owners")) != 0 {
		t.Errorf("the administrator owns what it makes: %v", l.members(id, "owners"))
	}
	own := l.as(ordinaryID).make("")
	if got := l.members(own, "owners"); !slices.Equal(got, []string{ordinaryID}) {
		t.Errorf("owners = %v", got)
	}
	l.as(ordinaryID).want(204, "PATCH", "/groups/"+own, `{"description":"mine"}`)
	l.as(ordinaryID).want(204, "DELETE", "/groups/"+own, "")
	l.as(ordinaryID).want(403, "PATCH", "/groups/"+l.id[portal.SecurityGroup], `{"description":"not mine"}`)
	if err := l.s.SetGroupSettings(labTenant, map[string]string{"EnableGroupCreation": "false", "GroupCreationAllowedGroupId": groupID}, 0); err != nil {
		t.Fatal(err)
	}
	l.as(ownerID).want(403, "POST", "/groups", groupBody(unifiedBody))
	l.as(ownerID).want(201, "POST", "/groups", groupBody("")) // the setting is about Microsoft 365 groups
	l.as(plainID).want(201, "POST", "/groups", groupBody(unifiedBody+`,"mailNickname":"allowed"`))
	guest, err := l.s.AddExternal(labTenant, portal.ExternalSpec{Mail: "g@else.example"})
	if err != nil {
		t.Fatal(err)
	}
	l.as(guest).want(403, "POST", "/groups", groupBody(""))
	for range maxCreated - 1 {
		l.as(ownerID).make("")
	}
	if got := l.as(ownerID).post(""); got.code() != quotaExceeded {
		t.Errorf("the group after %d = %s", maxCreated, got.code())
	}
	l.make("")
}

func TestTooManyRoleGroups(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	for i := range maxRoleGroups - 2 { // two are there
		if _, err := l.s.AddGroup(labTenant, "", portal.GroupSpec{Kind: portal.RoleGroup, DisplayName: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	may := l.as(globalID, "Group.ReadWrite.All", "RoleManagement.ReadWrite.Directory")
	if got := may.post(`"isAssignableToRole":true`); got.code() != quotaExceeded {
		t.Errorf("one too many = %s", got.code())
	}
	may.want(204, "DELETE", "/groups/"+roleGroup, "")
	may.want(201, "POST", "/groups", groupBody(`"isAssignableToRole":true`))
}

// Groups of a kind of the cloud's own can be restored with their members and owners;
// what comes from elsewhere is gone at once (GG 5).
func TestDeletedGroups(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	for _, kind := range []portal.GroupKind{portal.SecurityGroup, portal.UnifiedGroup} {
		id := l.id[kind]
		l.link(id, state.Members, plainID)
		l.link(id, state.Owners, ownerID)
		l.link(groupID, state.Members, id)
		l.want(204, "DELETE", "/groups/"+id, "")
		l.want(404, "GET", "/groups/"+id, "")
		l.want(404, "GET", "/groups/"+id+"/members", "")
		if got := l.members(groupID, "members"); slices.Contains(got, id) {
			t.Errorf("a deleted group is a member: %v", got)
		}
		if got := l.want(200, "GET", "/directory/deletedItems/microsoft.graph.group", "").ids(); !slices.Equal(got, []string{id}) {
			t.Errorf("deleted groups = %v", got)
		}
		l.want(200, "GET", "/directory/deletedItems/"+id, "")
		got := l.want(200, "POST", "/directory/deletedItems/"+id+"/restore", "")
		if got.body["@odata.type"] != "#microsoft.graph.group" || got.body["displayName"] != string(kind) {
			t.Errorf("restored: %s", got.raw)
		}
		if !slices.Equal(l.members(id, "members"), []string{plainID}) || !slices.Equal(l.members(id, "owners"), []string{ownerID}) || !slices.Contains(l.members(groupID, "members"), id) {
			t.Errorf("%s came back without its members or owners", kind)
		}
		l.want(204, "DELETE", "/groups/"+id, "")
		l.want(204, "DELETE", "/directory/deletedItems/"+id, "")
		l.want(404, "POST", "/directory/deletedItems/"+id+"/restore", "")
	}
	for _, kind := range []portal.GroupKind{portal.MailSecurityGroup, portal.DistributionList} {
		l.want(204, "DELETE", "/groups/"+l.id[kind], "")
		l.want(404, "GET", "/directory/deletedItems/"+l.id[kind], "")
	}
	if got := l.do("DELETE", "/groups/"+l.id[portal.SyncedGroup], ""); got.message() != fromAD {
		t.Errorf("a synced group: %s", got.raw)
	}
	if err := l.s.DeleteGroup(labTenant, "", l.id[portal.SyncedGroup]); err != nil { // on-premises
		t.Fatal(err)
	}
	l.want(404, "GET", "/directory/deletedItems/"+l.id[portal.SyncedGroup], "")
}

// A group that becomes dynamic has no members any more; its rule goes with it when it
// becomes an ordinary one.
func TestGroupBecomesDynamic(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	id := l.id[portal.SecurityGroup]
	l.link(id, state.Members, plainID)
	l.link(id, state.Members, ownerID)
	l.want(403, "PATCH", "/groups/"+id, `{"groupTypes":["DynamicMembership"]}`)
	l.want(204, "PATCH", "/groups/"+id, `{"groupTypes":["DynamicMembership"],"membershipRule":"(user.city -eq \"Bern\")"}`)
	if got := l.members(id, "members"); len(got) != 0 {
		t.Errorf("members = %v", got)
	}
	if n := len(l.eventsOf("activityDisplayName eq 'Remove member from group' and targetResources/any(t: t/id eq '" + id + "')")); n != 2 {
		t.Errorf("%d events tell of removed members, want 2", n)
	}
	l.link(id, state.Members, plainID) // the rule finds somebody
	l.want(204, "PATCH", "/groups/"+id, `{"groupTypes":[]}`)
	got := l.want(200, "GET", "/groups/"+id, "").body
	if got["membershipRule"] != nil || got["membershipRuleProcessingState"] != nil || !slices.Equal(l.members(id, "members"), []string{plainID}) {
		t.Errorf("static again: %v", got)
	}
	l.want(204, "DELETE", "/groups/"+id+"/members/"+plainID+"/$ref", "")
}

// A mail goes to each new member unless the group was made without (GG 6).
func TestWelcomeMail(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	quiet := l.make(unifiedBody + `,"mailNickname":"quiet","resourceBehaviorOptions":["WelcomeEmailDisabled"],` + bind("members", ownerID))
	loud := l.make(unifiedBody + `,"mailNickname":"loud",` + bind("members", ownerID))
	security := l.make("")
	welcomed := map[string]int{}
	for _, id := range []string{quiet, loud, security} {
		l.want(204, "PATCH", "/groups/"+id, "{"+bind("members", plainID)+"}")
		l.want(204, "POST", "/groups/"+id+"/owners/$ref", ref(mailboxID))
	}
	for _, m := range l.s.Mutations(labTenant) {
		if m.Linked != nil && m.Linked.Welcomed {
			welcomed[m.TargetID]++
		}
	}
	if len(welcomed) != 1 || welcomed[loud] != 2 {
		t.Errorf("mails went to members of %v, want 2 of %s", welcomed, loud)
	}
}

// Microsoft 365 groups expire where the tenant says so, and are renewed (GG 5).
func TestExpiry(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	if got := l.as(globalID, "Directory.Read.All").want(200, "GET", "/groupLifecyclePolicies", "").ids(); len(got) != 0 {
		t.Errorf("policies = %v", got)
	}
	if err := l.s.SetGroupSettings(labTenant, map[string]string{"UsageGuidelinesUrl": "https://fabrikam.example"}, 180); err != nil {
		t.Fatal(err)
	}
	got := l.as(globalID, "Directory.Read.All").want(200, "GET", "/groupLifecyclePolicies", "")
	if !strings.Contains(got.raw, `"groupLifetimeInDays":180`) {
		t.Errorf("policies = %s", got.raw)
	}
	if got := l.as(globalID, "GroupSettings.Read.All").want(200, "GET", "/groupSettings", ""); !strings.Contains(got.raw, "UsageGuidelinesUrl") {
		t.Errorf("settings = %s", got.raw)
	}
	id := l.make(unifiedBody)
	expires := func() string {
		return state.Text(l.want(200, "GET", "/groups/"+id, "").body["expirationDateTime"])
	}
	first := expires()
	if err := l.s.kept.Advance(48 * time.Hour); err != nil {
		t.Fatal(err)
	}
	l.want(204, "POST", "/groups/"+id+"/renew", "")
	if first == "" || expires() <= first {
		t.Errorf("it expires at %s, before %s", expires(), first)
	}
	l.want(400, "POST", "/groups/"+l.id[portal.SecurityGroup]+"/renew", "")
	l.as(helpID).want(403, "POST", "/groups/"+id+"/renew", "")
}

func TestValidateProperties(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	l.settings("PrefixSuffixNamingRequirement", "GRP_[GroupName]_X")
	const path = "/directoryObjects/validateProperties"
	l.want(204, "POST", path, `{"entityType":"Group","displayName":"GRP_a_X","mailNickname":"GRP_a_X"}`)
	got := l.do("POST", path, `{"entityType":"Group","displayName":"a","mailNickname":"GRP_a_X"}`)
	if got.code() != "422 Request_UnprocessableEntity MissingPrefixSuffix/displayName" || !strings.Contains(got.raw, `"suffix":"_X"`) {
		t.Errorf("validateProperties = %s", got.raw)
	}
	l.settings("x", "")
	if got := l.do("POST", path, `{"entityType":"Group","mailNickname":"microsoft365"}`); got.code() != "422 Request_UnprocessableEntity PropertyConflict/mailNickname" {
		t.Errorf("a taken alias = %s", got.code())
	}
	l.want(204, "POST", "/groups/"+l.id[portal.UnifiedGroup]+"/validateProperties", `{"mailNickname":"microsoft365"}`)
	l.want(400, "POST", path, `{"entityType":"Group"}`)
	l.as(globalID, "User.ReadWrite.All").want(403, "POST", path, `{"entityType":"Group","displayName":"a"}`)
}

// Permissions and roles of each call (GG 1).
func TestGroupRights(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	roleHolder := map[string]string{}
	for _, role := range []string{roles.GroupsAdministrator, roles.DirectoryWriters, roles.IdentityGovernanceAdministrator, roles.IntuneAdministrator,
		roles.ExchangeAdministrator, roles.SharePointAdministrator, roles.TeamsAdministrator, roles.YammerAdministrator, roles.PrivilegedRoleAdministrator} {
		id, err := l.s.AddAccount(labTenant, map[string]any{"userPrincipalName": role[:8] + "@fabrikam.example"})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.s.SetRoles(labTenant, id, role); err != nil {
			t.Fatal(err)
		}
		roleHolder[role] = id
	}
	groups := roleHolder[roles.GroupsAdministrator]
	const all = "Group.ReadWrite.All"
	security := "/groups/" + l.id[portal.SecurityGroup]
	unified := "/groups/" + l.id[portal.UnifiedGroup]
	role := "/groups/" + l.id[portal.RoleGroup]
	member := func() string { return ref(l.accounts(1)[0]) }
	for _, tt := range []struct {
		who, scopes, method, path, body string
		status                          int
	}{
		{globalID, "Group.ReadBasic.All", "GET", "/groups", "", 200},
		{globalID, "Group.Read.All", "GET", security, "", 200},
		{globalID, "User.ReadWrite.All", "GET", security, "", 403},
		{globalID, "GroupMember.ReadBasic.All", "GET", security + "/members", "", 200},
		{globalID, "GroupMember.ReadBasic.All", "GET", security + "/owners", "", 403},
		{globalID, "GroupMember.ReadBasic.All", "GET", security + "/memberOf", "", 200},
		{globalID, "GroupMember.Read.All", "GET", security + "/owners", "", 200},
		{globalID, "User.Read.All", "GET", security + "/members", "", 403},
		{plainID, "Group.Read.All", "GET", security + "/members", "", 200}, // anybody may look
		{globalID, "Group.Create", "POST", "/groups", groupBody(""), 403},  // an application's only
		{globalID, "GroupMember.ReadWrite.All", "POST", "/groups", groupBody(""), 403},
		{groups, all, "POST", "/groups", groupBody(""), 201},
		{roleHolder[roles.DirectoryWriters], all, "PATCH", security, `{"description":"a"}`, 204},
		{roleHolder[roles.IdentityGovernanceAdministrator], all, "PATCH", security, `{"description":"b"}`, 204},
		{helpID, all, "PATCH", security, `{"description":"c"}`, 403},
		{globalID, "GroupMember.ReadWrite.All", "PATCH", security, `{"description":"d"}`, 403},
		{globalID, "GroupMember.ReadWrite.All", "PATCH", security, "{" + bind("members", mailboxID) + "}", 204},
		{globalID, "GroupMember.ReadWrite.All", "PATCH", security, "{" + bind("owners", mailboxID) + "}", 403},
		{globalID, "GroupMember.ReadWrite.All", "POST", security + "/owners/$ref", ref(mailboxID), 403},
		{userAdmID, all, "POST", security + "/owners/$ref", ref(mailboxID), 204},
		{roleHolder[roles.IntuneAdministrator], all, "POST", security + "/members/$ref", member(), 204},
		{roleHolder[roles.IntuneAdministrator], all, "POST", unified + "/members/$ref", member(), 403},
		{roleHolder[roles.IntuneAdministrator], all, "POST", security + "/owners/$ref", member(), 403},
		{roleHolder[roles.IntuneAdministrator], all, "PATCH", security, "{" + bind("owners", l.accounts(1)[0]) + "}", 403},
		{roleHolder[roles.TeamsAdministrator], all, "POST", security + "/members/$ref", ref(syncedID), 403},
		{roleHolder[roles.TeamsAdministrator], all, "POST", unified + "/members/$ref", member(), 204},
		{roleHolder[roles.YammerAdministrator], all, "POST", unified + "/members/$ref", ref(syncedID), 204},
		{roleHolder[roles.SharePointAdministrator], all, "DELETE", unified + "/members/" + syncedID + "/$ref", "", 204},
		{roleHolder[roles.ExchangeAdministrator], all, "PATCH", unified, `{"description":"e"}`, 403},
		{globalID, all, "PATCH", role, `{"description":"f"}`, 403},
		{groups, all + " RoleManagement.ReadWrite.Directory", "PATCH", role, `{"description":"f"}`, 403},
		{roleHolder[roles.PrivilegedRoleAdministrator], all + " RoleManagement.ReadWrite.Directory", "PATCH", role, `{"description":"f"}`, 204},
		{globalID, "Directory.ReadWrite.All", "PATCH", security, `{"description":"g"}`, 204},
		{globalID, "Directory.ReadWrite.All", "DELETE", security, "", 403}, // which deletes no group
		{roleHolder[roles.DirectoryWriters], all, "DELETE", security, "", 403},
		{groups, all, "DELETE", security, "", 204},
		{globalID, "Directory.ReadWrite.All", "POST", "/directory/deletedItems/" + l.id[portal.SecurityGroup] + "/restore", "", 403},
		{groups, all, "POST", "/directory/deletedItems/" + l.id[portal.SecurityGroup] + "/restore", "", 200},
	} {
		if got := l.as(tt.who, strings.Fields(tt.scopes)...).do(tt.method, tt.path, tt.body); got.status != tt.status {
			t.Errorf("%s with %s: %s %s %s = %d %s, want %d", tt.who, tt.scopes, tt.method, tt.path, tt.body, got.status, got.raw, tt.status)
		}
	}
}

// A token that may not read a kind of objects sees that they are there, and no more.
func TestWhatATokenDoesNotSee(t *testing.T) {
	t.Parallel()
	l := newGroupLab(t, labOptions{})
	id := l.id[portal.SecurityGroup]
	l.link(id, state.Members, plainID)
	got := l.as(globalID, "GroupMember.Read.All").want(200, "GET", "/groups/"+id+"/members", "")
	m, _ := listOf(got.body["value"])[0].(map[string]any)
	if m["id"] != plainID || m["@odata.type"] != "#microsoft.graph.user" || m["displayName"] != nil || m["userPrincipalName"] != nil {
		t.Errorf("the member is %v", m)
	}
	got = l.as(globalID, "GroupMember.Read.All", "User.ReadBasic.All").want(200, "GET", "/groups/"+id+"/members", "")
	if m, _ := listOf(got.body["value"])[0].(map[string]any); m["displayName"] != "Plain" {
		t.Errorf("the member is %v", m)
	}
	got = l.as(globalID, "Group.ReadBasic.All").want(200, "GET", "/groups/"+id, "")
	if got.body["displayName"] != string(portal.SecurityGroup) || got.body["mailNickname"] != nil {
		t.Errorf("the name alone is %v", got.body)
	}
	hidden := l.make(unifiedBody + `,"visibility":"HiddenMembership",` + bind("members", plainID))
	l.want(403, "GET", "/groups/"+hidden+"/members", "")
	l.as(plainID).want(200, "GET", "/groups/"+hidden+"/members", "")
	l.as(globalID, "Group.Read.All", "Member.Read.Hidden").want(200, "GET", "/groups/"+hidden+"/members", "")
}
