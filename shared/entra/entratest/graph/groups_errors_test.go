package graph

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/portal"
	"bindery/shared/entra/entratest/state"
)

// groupLab is a laboratory with a group of each kind, by their names.
type groupLab struct {
	*lab
	id map[portal.GroupKind]string
}

// ordinaryID is an account without any role, that is a member and no guest.
const ordinaryID = plainID

func newGroupLab(t *testing.T, o labOptions) *groupLab {
	t.Helper()
	if o.Quota.AppTenantAudit.Capacity == 0 {
		o.Quota.AppTenantAudit = faults.Rate{Capacity: 1000, Per: time.Second}
	}
	l := &groupLab{newLab(t, o), map[portal.GroupKind]string{}}
	for _, kind := range []portal.GroupKind{
		portal.SecurityGroup, portal.UnifiedGroup, portal.DynamicGroup, portal.DynamicUnified,
		portal.MailSecurityGroup, portal.DistributionList, portal.SyncedGroup, portal.RoleGroup,
	} {
		id, err := l.s.AddGroup(labTenant, "", portal.GroupSpec{Kind: kind, DisplayName: string(kind), MailNickname: strings.ToLower(string(kind))})
		if err != nil {
			t.Fatal(err)
		}
		l.id[kind] = id
	}
	return l
}

// as is the laboratory seen by another account.
func (l *groupLab) as(id string, scopes ...string) *groupLab {
	return &groupLab{l.lab.as(id, scopes...), l.id}
}

// off is the laboratory without the description, for messages that it refuses as well.
func (l *groupLab) off() *groupLab { return &groupLab{l.unchecked(), l.id} }

// link links an account or a group by hand.
func (l *groupLab) link(group string, r state.Relation, id string) {
	l.Helper()
	if err := l.s.SetLink(labTenant, "", group, r, id, true); err != nil {
		l.Fatal(err)
	}
}

// make makes a group of a body's further properties and returns its id.
func (l *groupLab) make(more string) string {
	l.Helper()
	return state.Text(l.want(201, "POST", "/groups", groupBody(more)).body["id"])
}

// groupBody is the body of a new security group with further members; they go before
// the usual ones, of which those of the same name are left out.
func groupBody(more string) string {
	body := "{" + more
	for _, m := range []string{`"displayName":"Team"`, `"mailEnabled":false`, `"mailNickname":"team"`, `"securityEnabled":true`} {
		name, _, _ := strings.Cut(m, ":")
		if strings.Contains(more, name) {
			continue
		}
		if body != "{" {
			body += ","
		}
		body += m
	}
	return body + "}"
}

const unifiedBody = `"groupTypes":["Unified"],"mailEnabled":true,"securityEnabled":false`

func ref(id string) string {
	return fmt.Sprintf(`{"@odata.id":"https://graph.microsoft.com/v1.0/directoryObjects/%s"}`, id)
}

// bind is the member of a body that names members or owners.
func bind(relation string, ids ...string) string {
	var links []string
	for _, id := range ids {
		links = append(links, `"https://graph.microsoft.com/v1.0/directoryObjects/`+id+`"`)
	}
	return `"` + relation + `@odata.bind":[` + strings.Join(links, ",") + `]`
}

// members are the ids of those whom a listing of a group shows.
func (l *groupLab) members(group, relation string) []string {
	l.Helper()
	return l.want(200, "GET", "/groups/"+group+"/"+relation+"?$select=id", "").ids()
}

const quotaExceeded = "403 Directory_QuotaExceeded"

const (
	bad        = "400 Request_BadRequest"
	forbidden  = "403 Authorization_RequestDenied"
	notFound   = "404 Request_ResourceNotFound"
	fine       = "204 <nil>"
	made       = "201 <nil>"
	noRights   = "Insufficient privileges to complete the operation."
	inExchange = "Cannot Update a mail-enabled security groups and or distribution list."
	fromAD     = "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration."
	onlyUsers  = "Unified Groups cannot be added to Unified Groups. paramName: Members, paramValue: , objectType: Microsoft.Online.DirectoryServices.Group"
	already    = "One or more added object references already exist for the following modified properties: '%s'."
	noSegment  = "The request URI is not valid. Since the segment 'members' refers to a collection, this must be the last segment in the request URI or it must be followed by an function or action that can be bound to it otherwise all intermediate segments must refer to a single resource."
)

// errorRow is a row of GG 22: what is refused, and next to it what is not.
type errorRow struct {
	row  string
	set  func(l *groupLab) // the scene
	call func(l *groupLab) result
	code string
	text string // of the refusal; empty: only status and code are looked at
	near func(l *groupLab) result
	fine string // the code of the near miss
}

// Each refusal that users really meet, in Microsoft's words, and beside each what is
// nearly the same and goes.
func TestGroupErrors(t *testing.T) {
	t.Parallel()
	for _, row := range groupErrors {
		t.Run(row.row, func(t *testing.T) {
			t.Parallel()
			l := newGroupLab(t, labOptions{})
			if row.set != nil {
				row.set(l)
			}
			before := len(l.s.Mutations(labTenant))
			got := row.call(l)
			if got.code() != row.code || row.text != "" && got.message() != row.text {
				t.Errorf("refused with %s %q, want %s %q", got.code(), got.message(), row.code, row.text)
			}
			if now := len(l.s.Mutations(labTenant)); now != before && got.status >= 400 {
				t.Errorf("a refused call made %d changes", now-before)
			}
			if got := row.near(l); got.code() != row.fine {
				t.Errorf("the near miss = %s %q, want %s", got.code(), got.message(), row.fine)
			}
		})
	}
}

// add is POST /groups/{id}/members/$ref, or of owners.
func (l *groupLab) add(group, relation, id string) result {
	return l.do("POST", "/groups/"+group+"/"+relation+"/$ref", ref(id))
}

func (l *groupLab) remove(group, relation, id string) result {
	return l.do("DELETE", "/groups/"+group+"/"+relation+"/"+id+"/$ref", "")
}

func (l *groupLab) patch(group, body string) result {
	return l.do("PATCH", "/groups/"+group, "{"+body+"}")
}

func (l *groupLab) post(body string) result { return l.do("POST", "/groups", groupBody(body)) }

var groupErrors = []errorRow{
	{
		row: "1 member already", code: bad, text: fmt.Sprintf(already, "members"), fine: fine,
		set:  func(l *groupLab) { l.link(l.id[portal.SecurityGroup], state.Members, plainID) },
		call: func(l *groupLab) result { return l.add(l.id[portal.SecurityGroup], "members", plainID) },
		near: func(l *groupLab) result { return l.add(l.id[portal.SecurityGroup], "members", ownerID) },
	},
	{
		row: "1 owner already", code: bad, text: fmt.Sprintf(already, "owners"), fine: fine,
		set:  func(l *groupLab) { l.link(l.id[portal.SecurityGroup], state.Owners, plainID) },
		call: func(l *groupLab) result { return l.add(l.id[portal.SecurityGroup], "owners", plainID) },
		near: func(l *groupLab) result { return l.add(l.id[portal.SecurityGroup], "members", plainID) }, // an owner is no member
	},
	{
		row: "1 one of a list", code: bad, text: fmt.Sprintf(already, "members"), fine: fine,
		set: func(l *groupLab) { l.link(l.id[portal.SecurityGroup], state.Members, plainID) },
		call: func(l *groupLab) result {
			return l.patch(l.id[portal.SecurityGroup], bind("members", ownerID, plainID, mailboxID))
		},
		near: func(l *groupLab) result {
			if got := l.members(l.id[portal.SecurityGroup], "members"); !slices.Equal(got, []string{plainID}) {
				l.Errorf("of a refused list %v became members", got)
			}
			return l.patch(l.id[portal.SecurityGroup], bind("members", ownerID, mailboxID))
		},
	},
	{
		row: "2 twice in one list", code: bad, fine: fine,
		call: func(l *groupLab) result {
			got := l.patch(l.id[portal.SecurityGroup], bind("members", plainID, plainID))
			if !strings.HasPrefix(got.message(), "Object '[ResourceType=User,") || !strings.HasSuffix(got.message(), "can only be present once as an add/remove change.") {
				l.Errorf("the words are %q", got.message())
			}
			return got
		},
		near: func(l *groupLab) result {
			return l.patch(l.id[portal.SecurityGroup], bind("members", plainID)+","+bind("owners", plainID))
		},
	},
	{
		row: "3 not a member", code: bad, text: "One or more removed object references do not exist for the following modified properties: 'members'.", fine: fine,
		set:  func(l *groupLab) { l.link(l.id[portal.SecurityGroup], state.Members, plainID) },
		call: func(l *groupLab) result { return l.remove(l.id[portal.SecurityGroup], "members", ownerID) },
		near: func(l *groupLab) result { return l.remove(l.id[portal.SecurityGroup], "members", plainID) },
	},
	{
		row: "4 no such group", code: notFound, text: "Resource '" + labApp + "' does not exist or one of its queried reference-property objects are not present.", fine: fine,
		call: func(l *groupLab) result { return l.add(labApp, "members", plainID) },
		near: func(l *groupLab) result { return l.add(l.id[portal.SecurityGroup], "members", plainID) },
	},
	{
		row: "4 no such member", code: notFound, fine: fine,
		call: func(l *groupLab) result { return l.add(l.id[portal.SecurityGroup], "members", labApp) },
		near: func(l *groupLab) result { return l.add(l.id[portal.SecurityGroup], "members", syncedID) },
	},
	{
		row: "4 a deleted member", code: notFound, fine: fine,
		set: func(l *groupLab) {
			l.link(l.id[portal.SecurityGroup], state.Members, ownerID)
			l.want(204, "DELETE", "/users/"+plainID, "")
		},
		call: func(l *groupLab) result { return l.add(l.id[portal.SecurityGroup], "members", plainID) },
		near: func(l *groupLab) result { return l.remove(l.id[portal.SecurityGroup], "members", ownerID) },
	},
	{
		row: "4 one whom it is no member of any more", code: notFound, fine: fine,
		set: func(l *groupLab) {
			l.link(l.id[portal.SecurityGroup], state.Members, plainID)
			l.want(204, "DELETE", "/users/"+plainID, "")
		},
		call: func(l *groupLab) result { return l.remove(l.id[portal.SecurityGroup], "members", plainID) },
		near: func(l *groupLab) result {
			l.want(200, "POST", "/directory/deletedItems/"+plainID+"/restore", "")
			return l.remove(l.id[portal.SecurityGroup], "members", plainID)
		},
	},
	{
		row: "5 $ref without a body", code: bad, text: "An unexpected 'EndOfInput' node was found when reading from the JSON reader. A 'StartObject' node was expected.", fine: bad,
		call: func(l *groupLab) result {
			return l.do("POST", "/groups/"+l.id[portal.SecurityGroup]+"/members/$ref", "")
		},
		near: func(l *groupLab) result {
			got := l.off().do("POST", "/groups/"+l.id[portal.SecurityGroup]+"/members/$ref", "{}")
			if strings.Contains(got.message(), "EndOfInput") {
				l.Errorf("an empty object is told as no body: %q", got.message())
			}
			return got
		},
	},
	{
		row: "6 POST to members", code: "400 BadRequest", text: "Write requests are only supported on contained entities", fine: fine,
		call: func(l *groupLab) result {
			return l.off().do("POST", "/groups/"+l.id[portal.SecurityGroup]+"/members", ref(plainID))
		},
		near: func(l *groupLab) result { return l.add(l.id[portal.SecurityGroup], "members", plainID) },
	},
	{
		row: "7 PATCH of $ref", code: "400 BadRequest", text: "The request is currently not supported on the targeted entity set", fine: fine,
		call: func(l *groupLab) result {
			return l.off().do("PATCH", "/groups/"+l.id[portal.SecurityGroup]+"/members/$ref", ref(plainID))
		},
		near: func(l *groupLab) result { return l.patch(l.id[portal.SecurityGroup], bind("members", plainID)) },
	},
	{
		row: "8 behind members", code: bad, text: noSegment, fine: "200 <nil>",
		call: func(l *groupLab) result {
			return l.off().do("DELETE", "/groups/"+l.id[portal.SecurityGroup]+"/members/$ref/"+plainID, "")
		},
		near: func(l *groupLab) result {
			return l.do("GET", "/groups/"+l.id[portal.SecurityGroup]+"/members/$ref", "")
		},
	},
	{
		row: "9 not replicated", code: bad, text: "The source resource object or one of the objects being referenced do not exist.", fine: fine,
		set: func(l *groupLab) {
			l.setFault(faults.Fault{Kind: faults.MemberLag, Seconds: 60, Status: 400})
			l.id["new"] = l.make("")
		},
		call: func(l *groupLab) result { return l.patch(l.id["new"], bind("members", plainID)) },
		near: func(l *groupLab) result {
			if err := l.s.kept.Advance(time.Minute); err != nil {
				l.Fatal(err)
			}
			return l.patch(l.id["new"], bind("members", plainID))
		},
	},
	{
		row: "10 the last owner", code: bad, text: "The group must have at least one owner, hence this owner cannot be removed.", fine: fine,
		set:  func(l *groupLab) { l.link(l.id[portal.SecurityGroup], state.Owners, plainID) },
		call: func(l *groupLab) result { return l.remove(l.id[portal.SecurityGroup], "owners", plainID) },
		near: func(l *groupLab) result {
			l.add(l.id[portal.SecurityGroup], "owners", ownerID)
			return l.remove(l.id[portal.SecurityGroup], "owners", plainID)
		},
	},
	{
		row: "10 only applications would be left", code: bad, text: "The group must have at least one owner, hence this owner cannot be removed.", fine: fine,
		set: func(l *groupLab) {
			l.link(l.id[portal.SecurityGroup], state.Owners, plainID)
			l.addApplication(l.id[portal.SecurityGroup], "owners", 204)
		},
		call: func(l *groupLab) result { return l.remove(l.id[portal.SecurityGroup], "owners", plainID) },
		near: func(l *groupLab) result {
			return l.remove(l.id[portal.SecurityGroup], "owners", derivedID(l.tenant(), graphApp))
		},
	},
	{
		row: "10 the other owner is deleted", code: bad, text: "The group must have at least one owner, hence this owner cannot be removed.", fine: fine,
		set: func(l *groupLab) {
			l.link(l.id[portal.SecurityGroup], state.Owners, plainID)
			l.link(l.id[portal.SecurityGroup], state.Owners, mailboxID)
			l.want(204, "DELETE", "/users/"+mailboxID, "")
		},
		call: func(l *groupLab) result { return l.remove(l.id[portal.SecurityGroup], "owners", plainID) },
		near: func(l *groupLab) result {
			l.want(200, "POST", "/directory/deletedItems/"+mailboxID+"/restore", "")
			return l.remove(l.id[portal.SecurityGroup], "owners", plainID)
		},
	},
	{
		row: "11 too many owners", code: quotaExceeded, text: "Unable to perform operation as '101' would exceed the maximum quota count '100' for forward-link 'owners'.", fine: fine,
		set: func(l *groupLab) { l.fillOwners(100) },
		// It is told of owners who are there already, too.
		call: func(l *groupLab) result {
			return l.add(l.id[portal.SecurityGroup], "owners", l.members(l.id[portal.SecurityGroup], "owners")[0])
		},
		near: func(l *groupLab) result {
			l.remove(l.id[portal.SecurityGroup], "owners", l.members(l.id[portal.SecurityGroup], "owners")[0])
			return l.add(l.id[portal.SecurityGroup], "owners", plainID)
		},
	},
	{
		row: "12 a group in a Microsoft 365 group", code: bad + " InvalidValue/membersWithLicenseErrors.members", text: onlyUsers, fine: fine,
		call: func(l *groupLab) result { return l.add(l.id[portal.UnifiedGroup], "members", groupID) },
		near: func(l *groupLab) result { return l.add(l.id[portal.UnifiedGroup], "members", plainID) },
	},
	{
		row: "13 a group in one that can be given roles", code: bad, text: "Nesting is currently not supported for groups that can be assigned to a role.", fine: fine,
		call: func(l *groupLab) result {
			return l.as(globalID, "Group.ReadWrite.All", "RoleManagement.ReadWrite.Directory").add(l.id[portal.RoleGroup], "members", l.id[portal.SecurityGroup])
		},
		near: func(l *groupLab) result {
			return l.as(globalID, "Group.ReadWrite.All", "RoleManagement.ReadWrite.Directory").add(l.id[portal.RoleGroup], "members", plainID)
		},
	},
	{
		row: "13 one that can be given roles in a group", code: bad, text: "Nesting is currently not supported for groups that can be assigned to a role.", fine: fine,
		call: func(l *groupLab) result { return l.add(l.id[portal.SecurityGroup], "members", l.id[portal.RoleGroup]) },
		near: func(l *groupLab) result {
			return l.add(l.id[portal.SecurityGroup], "members", l.id[portal.DynamicGroup])
		},
	},
	{
		row: "14 members of a distribution list", code: bad, text: inExchange, fine: fine,
		call: func(l *groupLab) result { return l.add(l.id[portal.DistributionList], "members", plainID) },
		near: func(l *groupLab) result { return l.add(l.id[portal.UnifiedGroup], "members", plainID) },
	},
	{
		row: "14 members of a mail-enabled security group", code: bad, text: inExchange, fine: fine,
		call: func(l *groupLab) result { return l.patch(l.id[portal.MailSecurityGroup], bind("members", plainID)) },
		near: func(l *groupLab) result { return l.patch(l.id[portal.SecurityGroup], bind("members", plainID)) },
	},
	{
		row: "15 properties of a distribution list", code: bad, text: "Unable to update the specified properties for objects that have originated within an external service.", fine: fine,
		call: func(l *groupLab) result { return l.patch(l.id[portal.DistributionList], `"displayName":"x"`) },
		near: func(l *groupLab) result { return l.patch(l.id[portal.UnifiedGroup], `"displayName":"x"`) },
	},
	{
		row: "16 a synced group", code: bad, text: fromAD, fine: fine,
		call: func(l *groupLab) result { return l.patch(l.id[portal.SyncedGroup], `"description":"x"`) },
		near: func(l *groupLab) result { return l.patch(l.id[portal.SecurityGroup], `"description":"x"`) },
	},
	{
		row: "16 members of a synced group", code: bad, text: fromAD, fine: fine,
		set:  func(l *groupLab) { l.link(l.id[portal.SyncedGroup], state.Members, plainID) },
		call: func(l *groupLab) result { return l.remove(l.id[portal.SyncedGroup], "members", plainID) },
		near: func(l *groupLab) result {
			return l.add(l.id[portal.SecurityGroup], "members", l.id[portal.SyncedGroup])
		},
	},
	{
		row: "17 members of a dynamic group", code: forbidden, text: noRights, fine: fine,
		call: func(l *groupLab) result { return l.add(l.id[portal.DynamicGroup], "members", plainID) },
		near: func(l *groupLab) result { return l.add(l.id[portal.DynamicGroup], "owners", plainID) },
	},
	{
		row: "17 members of a group that can be given roles", code: forbidden, text: noRights, fine: fine,
		call: func(l *groupLab) result { return l.add(l.id[portal.RoleGroup], "members", plainID) }, // a Global Administrator without the permission
		near: func(l *groupLab) result {
			return l.as(globalID, "Group.ReadWrite.All", "RoleManagement.ReadWrite.Directory").add(l.id[portal.RoleGroup], "members", plainID)
		},
	},
	{
		row: "17 a permission is missing", code: forbidden, text: noRights, fine: fine,
		call: func(l *groupLab) result {
			return l.as(globalID, "Group.Read.All", "User.ReadWrite.All").add(l.id[portal.SecurityGroup], "members", plainID)
		},
		near: func(l *groupLab) result {
			return l.as(globalID, "GroupMember.ReadWrite.All").add(l.id[portal.SecurityGroup], "members", plainID)
		},
	},
	{
		row: "17 neither role nor owner", code: forbidden, text: noRights, fine: fine,
		set:  func(l *groupLab) { l.link(l.id[portal.SecurityGroup], state.Owners, mailboxID) },
		call: func(l *groupLab) result { return l.as(ownerID).add(l.id[portal.SecurityGroup], "members", plainID) },
		near: func(l *groupLab) result { return l.as(mailboxID).add(l.id[portal.SecurityGroup], "members", plainID) },
	},
	{
		row: "18 in a restricted management unit", code: forbidden, fine: fine,
		set: func(l *groupLab) {
			if err := l.s.EditGroup(labTenant, "", l.id[portal.SecurityGroup], map[string]any{"isManagementRestricted": true}); err != nil {
				l.Fatal(err)
			}
		},
		call: func(l *groupLab) result {
			got := l.add(l.id[portal.SecurityGroup], "members", plainID)
			if !strings.HasPrefix(got.message(), noRights+" Target object is a member of a restricted management administrative unit") || !strings.HasSuffix(got.message(), "linkid=2197831") {
				l.Errorf("the words are %q", got.message())
			}
			return got
		},
		near: func(l *groupLab) result { return l.add(l.id[portal.UnifiedGroup], "members", plainID) },
	},
	{
		row: "19 an alias that is taken", code: bad + " ObjectConflict/mailNickname", text: "Another object with the same value for property mailNickname already exists.", fine: made,
		call: func(l *groupLab) result { return l.post(unifiedBody + `,"mailNickname":"MICROSOFT365"`) },
		near: func(l *groupLab) result { return l.post(`"mailNickname":"microsoft365"`) }, // of a security group
	},
	{
		row: "19 an alias of a deleted group", code: bad + " ObjectConflict/mailNickname", fine: made,
		set:  func(l *groupLab) { l.want(204, "DELETE", "/groups/"+l.id[portal.UnifiedGroup], "") },
		call: func(l *groupLab) result { return l.post(unifiedBody + `,"mailNickname":"microsoft365"`) },
		near: func(l *groupLab) result {
			l.want(204, "DELETE", "/directory/deletedItems/"+l.id[portal.UnifiedGroup], "")
			return l.post(unifiedBody + `,"mailNickname":"microsoft365"`)
		},
	},
	{
		row: "20 a uniqueName that is taken", code: bad + " ObjectConflict/uniqueName", text: "Another object with the same value for property uniqueName already exists.", fine: made,
		set:  func(l *groupLab) { l.make(`"uniqueName":"bindery-1"`) },
		call: func(l *groupLab) result { return l.post(`"uniqueName":"Bindery-1"`) },
		near: func(l *groupLab) result { return l.post(`"uniqueName":"bindery-2"`) },
	},
	{
		row: "20 a uniqueName of a deleted group", code: bad + " ObjectConflict/uniqueName", fine: made,
		set: func(l *groupLab) { l.want(204, "DELETE", "/groups/"+l.make(`"uniqueName":"bindery-1"`), "") },
		call: func(l *groupLab) result {
			return l.do("PATCH", "/groups(uniqueName='bindery-1')", groupBody(""), "Prefer", "create-if-missing")
		},
		near: func(l *groupLab) result {
			if err := l.s.kept.Advance(state.KeepDeleted); err != nil {
				l.Fatal(err)
			}
			return l.do("PATCH", "/groups(uniqueName='bindery-1')", groupBody(""), "Prefer", "create-if-missing")
		},
	},
	{
		row: "21 a uniqueName for a group that can be given roles", code: bad, text: "Value for ArmUniqueName cannot be updated for groups assignable to role.", fine: fine,
		call: func(l *groupLab) result {
			return l.as(globalID, "Group.ReadWrite.All", "RoleManagement.ReadWrite.Directory").patch(l.id[portal.RoleGroup], `"uniqueName":"bindery-1"`)
		},
		near: func(l *groupLab) result { return l.patch(l.id[portal.SecurityGroup], `"uniqueName":"bindery-1"`) },
	},
	{
		row: "22 a required property", code: bad, text: "A value is required for property 'mailNickname' of resource 'Group'.", fine: made,
		call: func(l *groupLab) result {
			return l.do("POST", "/groups", `{"displayName":"Team","mailEnabled":false,"securityEnabled":true}`)
		},
		near: func(l *groupLab) result { return l.post("") },
	},
	{
		row: "23 who makes it as its owner", code: bad, text: "Request contains a property with duplicate values.", fine: made,
		call: func(l *groupLab) result { return l.as(ordinaryID).post(bind("owners", ordinaryID)) },
		near: func(l *groupLab) result { return l.post(bind("owners", globalID)) }, // an administrator does not become owner by itself
	},
	{
		row: "24 a member not replicated, of a new group", code: bad, text: "One or more property values specified are invalid.", fine: made,
		set: func(l *groupLab) {
			l.setFault(faults.Fault{Kind: faults.MemberLag, Seconds: 60, Status: 400})
			l.id["new"] = l.create("new@fabrikam.example")
		},
		call: func(l *groupLab) result { return l.post(bind("members", l.id["new"])) },
		near: func(l *groupLab) result {
			if err := l.s.kept.Advance(time.Minute); err != nil {
				l.Fatal(err)
			}
			return l.post(bind("members", l.id["new"]))
		},
	},
	{
		row: "24 an alias that is somebody's address", code: bad, text: "A conflicting object with one or more of the specified property values is present in the directory.", fine: made,
		call: func(l *groupLab) result { return l.post(unifiedBody + `,"mailNickname":"box"`) },
		near: func(l *groupLab) result { return l.post(unifiedBody + `,"mailNickname":"box2"`) },
	},
	{
		row: "25 a licensed group", code: bad, text: "A group with active licenses assigned cannot be deleted.", fine: fine,
		set: func(l *groupLab) {
			if err := l.s.EditGroup(labTenant, "", l.id[portal.SecurityGroup], map[string]any{"assignedLicenses": []any{map[string]any{"skuId": skuID, "disabledPlans": []any{}}}}); err != nil {
				l.Fatal(err)
			}
		},
		call: func(l *groupLab) result { return l.do("DELETE", "/groups/"+l.id[portal.SecurityGroup], "") },
		near: func(l *groupLab) result { return l.do("DELETE", "/groups/"+l.id[portal.UnifiedGroup], "") },
	},
	{
		row: "26 a classification not in the list", code: bad + " InvalidValue/classification", fine: fine,
		set:  func(l *groupLab) { l.settings("ClassificationList", "Low, High") },
		call: func(l *groupLab) result { return l.patch(l.id[portal.UnifiedGroup], `"classification":"Secret"`) },
		near: func(l *groupLab) result { return l.patch(l.id[portal.UnifiedGroup], `"classification":"High"`) },
	},
	{
		row: "27 the naming policy", code: "422 Request_UnprocessableEntity MissingPrefixSuffix/displayName MissingPrefixSuffix/mailNickname", text: "The values provided contain one or more validation errors.", fine: made,
		set: func(l *groupLab) { l.settings("PrefixSuffixNamingRequirement", "GRP_[GroupName]") },
		call: func(l *groupLab) result {
			got := l.as(ordinaryID).post(unifiedBody)
			if !strings.Contains(got.raw, `"prefix":"GRP_"`) {
				l.Errorf("the details are %s", got.raw)
			}
			return got
		},
		near: func(l *groupLab) result {
			return l.as(ordinaryID).post(unifiedBody + `,"displayName":"GRP_Team","mailNickname":"GRP_team"`)
		},
	},
	{
		row: "27 the naming policy binds not everybody", code: "422 Request_UnprocessableEntity ContainsBlockedWord/displayName", fine: made,
		set: func(l *groupLab) { l.settings("CustomBlockedWordsList", "CEO,payroll") },
		call: func(l *groupLab) result {
			return l.as(ordinaryID).post(unifiedBody + `,"displayName":"The Payroll","mailNickname":"p"`)
		},
		near: func(l *groupLab) result {
			return l.post(unifiedBody + `,"displayName":"The Payroll","mailNickname":"p"`)
		},
	},
	{
		row: "28 a dynamic group without a rule", code: forbidden, text: noRights, fine: made,
		call: func(l *groupLab) result {
			return l.post(`"groupTypes":["Unified","DynamicMembership"],"mailEnabled":true,"securityEnabled":false`)
		},
		near: func(l *groupLab) result {
			return l.post(`"groupTypes":["Unified","DynamicMembership"],"mailEnabled":true,"securityEnabled":false,"membershipRule":"(user.department -eq \"Sales\")"`)
		},
	},
	{
		row: "28 a dynamic group without the licence", code: forbidden, text: noRights, fine: made,
		set:  func(l *groupLab) { l.setFault(faults.Fault{Kind: faults.Premium, Path: "^/groups"}) },
		call: func(l *groupLab) result { return l.post(`"groupTypes":["DynamicMembership"],"membershipRule":"x"`) },
		near: func(l *groupLab) result { return l.post("") },
	},
	{
		row: "29 settings of a mailbox that is not there", code: notFound, fine: "200 <nil>",
		call: func(l *groupLab) result {
			return l.do("GET", "/groups/"+l.id[portal.SecurityGroup]+"?$select=id,allowExternalSenders", "")
		},
		near: func(l *groupLab) result {
			return l.do("GET", "/groups/"+l.id[portal.UnifiedGroup]+"?$select=id,allowExternalSenders", "")
		},
	},
	{
		row: "30 members of a team that a rule makes", code: "403 Forbidden", text: "You do not have permission to perform this operation.", fine: forbidden,
		set: func(l *groupLab) {
			if err := l.s.EditGroup(labTenant, "", l.id[portal.DynamicUnified], map[string]any{"resourceProvisioningOptions": []any{"Team"}}); err != nil {
				l.Fatal(err)
			}
		},
		call: func(l *groupLab) result { return l.add(l.id[portal.DynamicUnified], "members", plainID) },
		near: func(l *groupLab) result { // no team: the directory says it in its own words
			if err := l.s.EditGroup(labTenant, "", l.id[portal.DynamicUnified], map[string]any{"resourceProvisioningOptions": []any{}}); err != nil {
				l.Fatal(err)
			}
			got := l.add(l.id[portal.DynamicUnified], "members", plainID)
			if got.message() != noRights {
				l.Errorf("without a team the words are %q", got.message())
			}
			return got
		},
	},
	{
		row: "30 members of a team by hand", code: bad + " InvalidValue/membersWithLicenseErrors.members", text: onlyUsers, fine: fine,
		set: func(l *groupLab) {
			if err := l.s.EditGroup(labTenant, "", l.id[portal.UnifiedGroup], map[string]any{"resourceProvisioningOptions": []any{"Team"}}); err != nil {
				l.Fatal(err)
			}
		},
		call: func(l *groupLab) result { return l.add(l.id[portal.UnifiedGroup], "members", groupID) },
		near: func(l *groupLab) result { return l.add(l.id[portal.UnifiedGroup], "members", plainID) },
	},
	{
		row: "31 not replicated, where roles are given", code: bad, text: "Not a valid reference update.", fine: fine,
		set: func(l *groupLab) {
			l.setFault(faults.Fault{Kind: faults.MemberLag, Seconds: 60, Status: 400})
			l.id["new"] = l.create("new@fabrikam.example")
		},
		call: func(l *groupLab) result {
			return l.as(globalID, "Group.ReadWrite.All", "RoleManagement.ReadWrite.Directory").add(l.id[portal.RoleGroup], "members", l.id["new"])
		},
		near: func(l *groupLab) result {
			if err := l.s.kept.Advance(time.Minute); err != nil {
				l.Fatal(err)
			}
			return l.as(globalID, "Group.ReadWrite.All", "RoleManagement.ReadWrite.Directory").add(l.id[portal.RoleGroup], "members", l.id["new"])
		},
	},
	{
		row: "32 no id at all", code: bad, text: "Invalid object identifier 'staff'.", fine: notFound,
		call: func(l *groupLab) result { return l.do("GET", "/groups/staff", "") },
		near: func(l *groupLab) result { return l.do("GET", "/groups/"+labApp, "") },
	},
	{
		row: "32 no id in an address", code: bad, text: "Invalid object identifier 'ann'.", fine: notFound,
		call: func(l *groupLab) result { return l.add(l.id[portal.SecurityGroup], "members", "ann") },
		near: func(l *groupLab) result { return l.add(l.id[portal.SecurityGroup], "members", labApp) },
	},
	{
		row: "75 more than 20 in a list", code: bad, fine: fine,
		set: func(l *groupLab) { l.accounts(20) },
		call: func(l *groupLab) result {
			return l.off().patch(l.id[portal.SecurityGroup], bind("members", l.accounts(20)...)+","+bind("owners", plainID))
		},
		near: func(l *groupLab) result {
			return l.patch(l.id[portal.SecurityGroup], bind("members", l.accounts(20)[:19]...)+","+bind("owners", plainID))
		},
	},
}

// accounts are n accounts of the tenant, which are made when there are fewer.
func (l *groupLab) accounts(n int) []string {
	l.Helper()
	var ids []string
	for i := range n {
		upn := fmt.Sprintf("many%d@fabrikam.example", i)
		if a, ok := l.s.Account(labTenant, upn); ok {
			ids = append(ids, state.Text(a["id"]))
			continue
		}
		id, err := l.s.AddAccount(labTenant, map[string]any{"userPrincipalName": upn})
		if err != nil {
			l.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

func (l *groupLab) fillOwners(n int) {
	l.Helper()
	for _, id := range l.accounts(n) {
		l.link(l.id[portal.SecurityGroup], state.Owners, id)
	}
}

func (l *groupLab) settings(name, value string) {
	l.Helper()
	if err := l.s.SetGroupSettings(labTenant, map[string]string{name: value}, 0); err != nil {
		l.Fatal(err)
	}
}

// addApplication makes Graph's own application a member or an owner.
func (l *groupLab) addApplication(group, relation string, status int) {
	l.Helper()
	l.as(globalID, "Group.ReadWrite.All", "Application.ReadWrite.All").
		want(status, "POST", "/groups/"+group+"/"+relation+"/$ref", ref(derivedID(l.tenant(), graphApp)))
}

// tenant is the laboratory's, which must not be changed.
func (l *groupLab) tenant() *state.Tenant {
	tx := l.s.kept.Begin()
	defer tx.End()
	return tx.Tenant(labTenant)
}
