package main

import (
	"fmt"
	"slices"
	"strings"

	"bindery/shared/entra/entratest"
)

func graphRows() []row {
	return slices.Concat(rowsOfMembers, rowsOfGroups, rowsOfLicences, rowsOfOthers)
}

const inExchange = "Request_BadRequest Cannot Update a mail-enabled security groups and or distribution list."

// The rows of members.
var rowsOfMembers = []row{
	{
		name:  "1 somebody adds the member at the same moment",
		scene: func(w *rowWorld) { w.people("ann"); w.exported("Sales", object{}) },
		fact: func(w *rowWorld) {
			w.meanwhile(func() { w.put("Sales", "ann", true) }, "/groups/"+w.ids["tenant:Sales"]+"/members/$ref")
		},
		act:  func(w *rowWorld) { w.join("Sales", "ann") },
		want: rowEnd{told: []string{"member-add applied"}},
		miss: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann"}},
	},
	{
		name:  "1 somebody adds one of several at the same moment",
		scene: func(w *rowWorld) { w.people("ann", "ben", "cat"); w.exported("Sales", object{}) },
		fact: func(w *rowWorld) {
			w.meanwhile(func() { w.put("Sales", "ben", true) }, "/groups/"+w.ids["tenant:Sales"], "members@odata.bind")
		},
		act:  func(w *rowWorld) { w.join("Sales", "ann", "ben", "cat") },
		want: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann", "member-add Sales cat"}},
		miss: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann", "member-add Sales ben", "member-add Sales cat"}},
	},
	{
		name: "2 a member on two ways",
		scene: func(w *rowWorld) {
			w.people("ann", "ben")
			w.group("East", "ann")
			w.group("West", "ben")
			w.exported("Sales", object{})
		},
		fact: func(w *rowWorld) { w.join("West", "ann") },
		act:  func(w *rowWorld) { w.join("Sales", "East", "West", "ben") },
		want: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann", "member-add Sales ben"}},
		miss: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann", "member-add Sales ben"}},
	},
	{
		name: "3 somebody removes a stranger at the same moment",
		scene: func(w *rowWorld) {
			w.people("ann", "ben")
			w.exported("Sales", object{"members": "exact"}, "ann")
			w.put("Sales", "ben", true)
		},
		fact: func(w *rowWorld) {
			w.meanwhile(func() { w.put("Sales", "ben", false) }, "/groups/"+w.ids["tenant:Sales"]+"/members/", "/$ref", "DELETE")
		},
		act:  func(w *rowWorld) { w.look("group", "Sales") },
		want: rowEnd{told: []string{"member-remove applied"}},
		miss: rowEnd{told: []string{"member-remove applied"}, wrote: []string{"member-remove Sales ben"}},
	},
	{
		// A replica that lags says the same of a membership that was given moments ago.
		name:  "3 not a member, moments after it was made one",
		scene: func(w *rowWorld) { w.people("ann"); w.exported("Sales", object{}, "ann") },
		fact: func(w *rowWorld) {
			w.meanwhile(func() { w.put("Sales", "ann", false) }, "/groups/"+w.ids["tenant:Sales"]+"/members/", "/$ref", "DELETE")
		},
		act:  func(w *rowWorld) { w.leave("Sales", "ann") },
		want: rowEnd{told: []string{"member-remove outdated member-waits", "member pending member-waits"}},
		miss: rowEnd{told: []string{"member-remove applied"}, wrote: []string{"member-remove Sales ann"}},
	},
	{
		name:  "4 the group is not known everywhere yet",
		scene: func(w *rowWorld) { w.people("ann"); w.group("Sales", "ann") },
		fact:  func(w *rowWorld) { w.fault(entratest.Fault{Kind: "member-lag", Seconds: 2}) },
		act:   func(w *rowWorld) { w.export("Sales", object{}) },
		want:  rowEnd{told: []string{"group-create applied", "member-add applied"}, wrote: []string{"create Sales", "member-add Sales ann"}},
		miss:  rowEnd{told: []string{"group-create applied", "member-add applied"}, wrote: []string{"create Sales", "member-add Sales ann"}},
	},
	{
		name:  "4 somebody deleted the tenant group",
		scene: func(w *rowWorld) { w.people("ann"); w.exported("Sales", object{}) },
		fact: func(w *rowWorld) {
			if err := w.Stack.Sim.DeleteGroup(w.tenant, "", w.ids["tenant:Sales"]); err != nil {
				w.Fatal(err)
			}
		},
		act:  func(w *rowWorld) { w.look("group", "Sales"); w.join("Sales", "ann") },
		want: rowEnd{told: []string{"group conflict group-soft-deleted"}},
		miss: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann"}},
	},
	{
		name:  "4 somebody deleted the member's account",
		scene: func(w *rowWorld) { w.people("ann"); w.exported("Sales", object{}) },
		fact: func(w *rowWorld) {
			w.meanwhile(func() {
				if err := w.Stack.Sim.DeleteAccount(w.tenant, w.account("ann")); err != nil {
					w.Error(err)
				}
			}, "/groups/"+w.ids["tenant:Sales"]+"/members/$ref")
		},
		act: func(w *rowWorld) { w.join("Sales", "ann") },
		// For ten minutes it may be a replica that does not know the young account.
		want: rowEnd{told: []string{"member-add planned"}},
		miss: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann"}},
	},
	{
		name:  "5 a request without its body",
		scene: func(w *rowWorld) { w.people("ann"); w.exported("Sales", object{}) },
		fact: func(w *rowWorld) {
			w.says("POST", `/members/\$ref`, 400, "Request_BadRequest", "An unexpected 'EndOfInput' node was found when reading from the JSON reader. A 'StartObject' node was expected.")
		},
		act:  func(w *rowWorld) { w.join("Sales", "ann") },
		want: rowEnd{told: []string{"member-add failed request-form", "member failed request-form"}, raw: "Request_BadRequest An unexpected 'EndOfInput'"},
		miss: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann"}},
	},
	{
		name:  "6 a write that members do not take",
		scene: func(w *rowWorld) { w.people("ann"); w.exported("Sales", object{}) },
		fact: func(w *rowWorld) {
			w.says("POST", `/members/\$ref`, 400, "BadRequest", "Write requests are only supported on contained entities")
		},
		act:  func(w *rowWorld) { w.join("Sales", "ann") },
		want: rowEnd{told: []string{"member-add failed request-form", "member failed request-form"}, raw: "BadRequest Write requests are only supported"},
		miss: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann"}},
	},
	{
		name:  "7 a write that references do not take",
		scene: func(w *rowWorld) { w.people("ann", "ben"); w.exported("Sales", object{}) },
		fact: func(w *rowWorld) {
			w.fault(entratest.Fault{Kind: "status", Method: "PATCH", Path: "/groups/", Status: 400, Code: "BadRequest", Message: "The request is currently not supported on the targeted entity set"})
		},
		act: func(w *rowWorld) { w.join("Sales", "ann", "ben") },
		// A request of several that fails says nothing of each: they go alone.
		want: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann", "member-add Sales ben"}},
		miss: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann", "member-add Sales ben"}},
	},
	{
		name:  "8 a path that is not one",
		scene: func(w *rowWorld) { w.people("ann"); w.exported("Sales", object{}, "ann") },
		fact: func(w *rowWorld) {
			w.says("DELETE", `/members/`, 400, "Request_BadRequest", "The request URI is not valid. Since the segment 'members' refers to a collection, this must be the last segment in the request URI.")
		},
		act:  func(w *rowWorld) { w.leave("Sales", "ann") },
		want: rowEnd{told: []string{"member-remove failed request-form", "member failed request-form"}, raw: "Request_BadRequest The request URI is not valid."},
		miss: rowEnd{told: []string{"member-remove applied"}, wrote: []string{"member-remove Sales ann"}},
	},
	{
		name:  "9 the group is not known everywhere yet, in other words",
		scene: func(w *rowWorld) { w.people("ann", "ben"); w.group("Sales", "ann", "ben") },
		fact:  func(w *rowWorld) { w.fault(entratest.Fault{Kind: "member-lag", Seconds: 2, Status: 400}) },
		act:   func(w *rowWorld) { w.export("Sales", object{}) },
		want:  rowEnd{told: []string{"group-create applied", "member-add applied"}, wrote: []string{"create Sales", "member-add Sales ann", "member-add Sales ben"}},
		miss:  rowEnd{told: []string{"group-create applied", "member-add applied"}, wrote: []string{"create Sales", "member-add Sales ann", "member-add Sales ben"}},
	},
	{
		name: "10 a stranger is the last owner",
		scene: func(w *rowWorld) {
			w.people("ann", "ben")
			w.exported("Sales", object{"members": "exact"}, "ann")
		},
		fact: func(w *rowWorld) { w.own("Sales", "ben") },
		act:  func(w *rowWorld) { w.put("Sales", "ben", true); w.look("group", "Sales") },
		want: rowEnd{told: []string{"member-remove applied"}, wrote: []string{"member-remove Sales ben"}},
		miss: rowEnd{told: []string{"member-remove applied"}, wrote: []string{"member-remove Sales ben"}},
	},
	{
		name:  "11 a group that is full of owners",
		scene: func(w *rowWorld) { w.people("ann"); w.exported("Sales", object{}) },
		fact: func(w *rowWorld) {
			for i := range 100 {
				id, err := w.Stack.Sim.AddAccount(w.tenant, map[string]any{"userPrincipalName": fmt.Sprintf("owner%d@%s", i, w.domain)})
				if err != nil {
					w.Fatal(err)
				}
				w.ids["tenant:"+id] = id
				w.own("Sales", id)
			}
		},
		act:  func(w *rowWorld) { w.join("Sales", "ann") },
		want: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann"}},
		miss: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann"}},
	},
	{
		// The API does not take what Microsoft would refuse.
		name: "12 a group in a Microsoft 365 group",
		scene: func(w *rowWorld) {
			w.people("ann")
			w.exported("East", object{}, "ann")
			w.group("Sales", "East")
		},
		fact: func(w *rowWorld) {
			w.refusesUse("Sales", `{"export":{"kind":"microsoft365","nested":"keep"}}`, "export.nested")
		},
		act:  func(w *rowWorld) { w.export("Sales", object{"kind": "microsoft365"}) },
		want: rowEnd{told: []string{"group-create applied", "member-add applied"}, wrote: []string{"create Sales", "member-add Sales ann"}},
		miss: rowEnd{told: []string{"group-create applied", "member-add applied"}, wrote: []string{"create Sales", "member-add Sales ann"}},
	},
	{
		name: "13 a group that can be given roles in a group",
		scene: func(w *rowWorld) {
			w.people("ann")
			w.exported("East", object{}, "ann")
			w.group("Sales", "East")
		},
		fact: func(w *rowWorld) { w.edit("East", map[string]any{"isAssignableToRole": true}) },
		act:  func(w *rowWorld) { w.export("Sales", object{"nested": "keep"}) },
		want: rowEnd{told: []string{"group-create applied", "member-add failed group-in-role-assignable", "member read-only group-in-role-assignable"}, raw: "Request_BadRequest Nesting is currently not supported", wrote: []string{"create Sales"}},
		miss: rowEnd{told: []string{"group-create applied", "member-add applied"}, wrote: []string{"create Sales", "member-add Sales East"}},
	},
}

// The rows of groups.
var rowsOfGroups = []row{
	{
		name: "14 a distribution list is adopted",
		scene: func(w *rowWorld) {
			w.people("ann")
			w.group("Sales", "ann")
			w.theirs(entratest.SecurityGroup, "Theirs")
		},
		fact: func(w *rowWorld) {
			w.edit("Theirs", map[string]any{"mailEnabled": true, "securityEnabled": false, "mail": "theirs@" + w.domain})
		},
		act:  func(w *rowWorld) { w.adopt("Sales", "Theirs") },
		want: rowEnd{told: []string{"PUT refused group-mail-enabled"}},
		miss: rowEnd{told: []string{"group-adopt applied", "group-update applied", "member-add applied"}, wrote: []string{"update Sales", "member-add Sales ann"}},
	},
	{
		name:  "14 a group becomes Exchange's at the same moment",
		scene: func(w *rowWorld) { w.people("ann"); w.exported("Sales", object{}) },
		fact: func(w *rowWorld) {
			w.meanwhile(func() { w.edit("Sales", map[string]any{"mailEnabled": true}) }, "/groups/"+w.ids["tenant:Sales"]+"/members/$ref")
		},
		act:  func(w *rowWorld) { w.join("Sales", "ann") },
		want: rowEnd{told: []string{"member-add failed group-mail-enabled", "member read-only group-mail-enabled"}, raw: inExchange},
		miss: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann"}},
	},
	{
		name:  "15 the name of a group that becomes Exchange's",
		scene: func(w *rowWorld) { w.exported("Sales", object{}) },
		fact: func(w *rowWorld) {
			w.meanwhile(func() { w.edit("Sales", map[string]any{"mailEnabled": true}) }, "PATCH", "/groups/"+w.ids["tenant:Sales"])
		},
		act:  func(w *rowWorld) { w.rename("Sales", "Vertrieb") },
		want: rowEnd{told: []string{"group-update failed group-mail-enabled", "group read-only group-mail-enabled"}, raw: "Request_BadRequest Unable to update the specified properties for objects that have originated within an external service."},
		miss: rowEnd{told: []string{"group-update applied"}, wrote: []string{"update Vertrieb"}},
	},
	{
		name: "16 a synced group is adopted",
		scene: func(w *rowWorld) {
			w.people("ann")
			w.group("Sales", "ann")
			w.theirs(entratest.SecurityGroup, "Theirs")
		},
		fact: func(w *rowWorld) { w.edit("Theirs", map[string]any{"onPremisesSyncEnabled": true}) },
		act:  func(w *rowWorld) { w.adopt("Sales", "Theirs") },
		want: rowEnd{told: []string{"PUT refused group-synced"}},
		miss: rowEnd{told: []string{"group-adopt applied", "group-update applied", "member-add applied"}, wrote: []string{"update Sales", "member-add Sales ann"}},
	},
	{
		name:  "16 a group becomes a synced one at the same moment",
		scene: func(w *rowWorld) { w.people("ann"); w.exported("Sales", object{}, "ann") },
		fact: func(w *rowWorld) {
			w.meanwhile(func() { w.edit("Sales", map[string]any{"onPremisesSyncEnabled": true}) }, "/groups/"+w.ids["tenant:Sales"]+"/members/", "/$ref")
		},
		act:  func(w *rowWorld) { w.leave("Sales", "ann") },
		want: rowEnd{told: []string{"member-remove failed group-synced", "member read-only group-synced"}, raw: "Request_BadRequest Unable to update the specified properties for on-premises mastered"},
		miss: rowEnd{told: []string{"member-remove applied"}, wrote: []string{"member-remove Sales ann"}},
	},
	{
		name: "17 a dynamic group is adopted",
		scene: func(w *rowWorld) {
			w.people("ann")
			w.group("Sales", "ann")
			w.theirs(entratest.SecurityGroup, "Theirs")
		},
		fact: func(w *rowWorld) {
			w.edit("Theirs", map[string]any{"groupTypes": []any{"DynamicMembership"}, "membershipRule": "(user.accountEnabled -eq true)"})
		},
		act:  func(w *rowWorld) { w.adopt("Sales", "Theirs") },
		want: rowEnd{told: []string{"PUT refused group-dynamic"}},
		miss: rowEnd{told: []string{"group-adopt applied", "group-update applied", "member-add applied"}, wrote: []string{"update Sales", "member-add Sales ann"}},
	},
	{
		name:  "17 a group becomes a dynamic one at the same moment",
		scene: func(w *rowWorld) { w.people("ann"); w.exported("Sales", object{}) },
		fact: func(w *rowWorld) {
			w.ids["rule"] = "yes"
			w.meanwhile(func() {
				w.edit("Sales", map[string]any{"groupTypes": []any{"DynamicMembership"}, "membershipRule": "(user.accountEnabled -eq true)"})
			}, "/groups/"+w.ids["tenant:Sales"]+"/members/$ref")
		},
		act: func(w *rowWorld) {
			w.join("Sales", "ann")
			if w.ids["rule"] != "" { // looked at again, the group itself says more than Microsoft's one answer
				w.Wait("the refusal is not told", func() bool { told, _ := w.told(); return slices.Contains(told, "member failed group-forbidden") })
				w.look("member", "Sales.ann")
			}
		},
		want: rowEnd{told: []string{"member-add failed group-forbidden", "member read-only group-dynamic"}, raw: "Authorization_RequestDenied Insufficient privileges"},
		miss: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann"}},
	},
	{
		name: "17 a group that can be given roles is adopted",
		scene: func(w *rowWorld) {
			w.people("ann")
			w.group("Sales", "ann")
			w.theirs(entratest.SecurityGroup, "Theirs")
		},
		fact: func(w *rowWorld) { w.edit("Theirs", map[string]any{"isAssignableToRole": true}) },
		act:  func(w *rowWorld) { w.adopt("Sales", "Theirs") },
		want: rowEnd{told: []string{"PUT refused group-role-assignable"}},
		miss: rowEnd{told: []string{"group-adopt applied", "group-update applied", "member-add applied"}, wrote: []string{"update Sales", "member-add Sales ann"}},
	},
	{
		name:  "17 the admin's role does not do",
		scene: func(w *rowWorld) { w.people("ann"); w.exported("Sales", object{}) },
		fact: func(w *rowWorld) {
			if err := w.Stack.Sim.SetRoles(w.tenant, "admin@"+w.domain, "License Administrator"); err != nil {
				w.Fatal(err)
			}
		},
		act:  func(w *rowWorld) { w.join("Sales", "ann") },
		want: rowEnd{told: []string{"member-add failed group-forbidden", "member failed group-forbidden"}, raw: "Authorization_RequestDenied Insufficient privileges"},
		miss: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann"}},
	},
	{
		name: "18 a group in a restricted management unit",
		scene: func(w *rowWorld) {
			w.people("ann")
			w.group("Sales", "ann")
			w.theirs(entratest.SecurityGroup, "Theirs")
		},
		fact: func(w *rowWorld) { w.edit("Theirs", map[string]any{"isManagementRestricted": true}) },
		act:  func(w *rowWorld) { w.adopt("Sales", "Theirs") },
		want: rowEnd{told: []string{"PUT refused group-restricted"}},
		miss: rowEnd{told: []string{"group-adopt applied", "group-update applied", "member-add applied"}, wrote: []string{"update Sales", "member-add Sales ann"}},
	},
	{
		name:  "18 a group comes into a restricted management unit at the same moment",
		scene: func(w *rowWorld) { w.people("ann"); w.exported("Sales", object{}) },
		fact: func(w *rowWorld) {
			w.meanwhile(func() { w.edit("Sales", map[string]any{"isManagementRestricted": true}) }, "/groups/"+w.ids["tenant:Sales"]+"/members/$ref")
		},
		act:  func(w *rowWorld) { w.join("Sales", "ann") },
		want: rowEnd{told: []string{"member-add failed group-restricted", "member read-only group-restricted"}, raw: "Authorization_RequestDenied Insufficient privileges to complete the operation. Target object is a member of a restricted"},
		miss: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann"}},
	},
	{
		name: "19 an alias that another Microsoft 365 group has",
		scene: func(w *rowWorld) {
			w.ids["Sales"] = w.Post("/v1/groups", object{"name": "Sales " + w.tag, "mailNickname": "sales"}).Text("id")
		},
		fact: func(w *rowWorld) { w.theirs(entratest.UnifiedGroup, "Sales") },
		act:  func(w *rowWorld) { w.export("Sales", object{"kind": "microsoft365"}) },
		want: rowEnd{told: []string{"group-create failed group-mail-nickname-taken", "group-create applied"}, raw: "Request_BadRequest Another object with the same value for property mailNickname", wrote: []string{"create Sales"}},
		miss: rowEnd{told: []string{"group-create applied"}, wrote: []string{"create Sales"}},
	},
	{
		name:  "20 the uniqueName of our own deleted group",
		scene: func(w *rowWorld) { w.exported("Sales", object{"onRelease": "delete"}) },
		fact: func(w *rowWorld) {
			w.endUse("Sales")
			w.Wait("the tenant group is not deleted", func() bool { _, is := w.Stack.Sim.Group(w.tenant, "Sales "+w.tag); return !is })
			w.quiet()
		},
		act:  func(w *rowWorld) { w.export("Sales", object{"onRelease": "delete"}) },
		want: rowEnd{told: []string{"group-delete applied", "group-restore applied"}, wrote: []string{"delete Sales", "restore Sales"}},
		miss: rowEnd{nothing: true},
	},
	{
		name:  "20 the uniqueName of our own group, which others deleted",
		scene: func(w *rowWorld) { w.exported("Sales", object{"onRelease": "keep"}) },
		fact: func(w *rowWorld) {
			w.endUse("Sales")
			w.Wait("the export does not end", func() bool {
				return !slices.ContainsFunc(w.Get("/v1/connections/"+w.conn+"/tenant-groups").List("items"), func(g object) bool { return g.Text("verdict") == "ours" })
			})
			w.Must(object{}, w.Stack.Sim.DeleteGroup(w.tenant, "", "Sales "+w.tag))
		},
		act: func(w *rowWorld) { w.export("Sales", object{"onRelease": "keep"}) },
		want: rowEnd{told: []string{"group-create failed unique-name-taken", "group conflict unique-name-taken"},
			raw: "Request_BadRequest Another object with the same value for property uniqueName"},
		miss: rowEnd{nothing: true},
	},
	{
		name:  "21 a uniqueName that the group cannot get",
		scene: func(w *rowWorld) { w.people("ann"); w.group("Sales", "ann") },
		fact: func(w *rowWorld) {
			w.says("PATCH", "/groups", 400, "Request_BadRequest", "Value for ArmUniqueName cannot be updated for groups assignable to role.")
		},
		act:  func(w *rowWorld) { w.export("Sales", object{}) },
		want: rowEnd{told: []string{"group-create failed unique-name-refused", "group read-only unique-name-refused", "member-add outdated group-waits", "member pending group-waits"}, raw: "Request_BadRequest Value for ArmUniqueName"},
		miss: rowEnd{told: []string{"group-create applied", "member-add applied"}, wrote: []string{"create Sales", "member-add Sales ann"}},
	},
	{
		name:  "22 a group of whose name no alias can be made",
		scene: func(w *rowWorld) { w.ids["Sales"] = w.Post("/v1/groups", object{"name": "Sales " + w.tag}).Text("id") },
		fact: func(w *rowWorld) {
			w.Must(w.API.Patch(w.Context(), "/v1/groups/"+w.ids["Sales"], object{"name": "営業部 " + w.tag}))
		},
		act:  func(w *rowWorld) { w.export("Sales", object{}) },
		want: rowEnd{told: []string{"group-create applied"}, wrote: []string{"create 営業部"}},
		miss: rowEnd{told: []string{"group-create applied"}, wrote: []string{"create Sales"}},
	},
	{
		name:  "23 who makes the group is its owner already",
		scene: func(w *rowWorld) { w.group("Sales") },
		fact: func(w *rowWorld) {
			w.says("PATCH", "/groups", 400, "Request_BadRequest", "Request contains a property with duplicate values.")
		},
		act:  func(w *rowWorld) { w.export("Sales", object{}) },
		want: rowEnd{told: []string{"group-create failed request-form", "group failed request-form"}, raw: "Request_BadRequest Request contains a property with duplicate values"},
		miss: rowEnd{told: []string{"group-create applied"}, wrote: []string{"create Sales"}},
	},
	{
		name: "24 an alias that is somebody's address",
		scene: func(w *rowWorld) {
			w.ids["Sales"] = w.Post("/v1/groups", object{"name": "Sales " + w.tag, "mailNickname": "sales"}).Text("id")
		},
		fact: func(w *rowWorld) {
			if _, err := w.Stack.Sim.AddAccount(w.tenant, map[string]any{"userPrincipalName": "sales@" + w.domain, "mail": "sales@" + w.domain, "proxyAddresses": []any{"SMTP:sales@" + w.domain}}); err != nil {
				w.Fatal(err)
			}
		},
		act:  func(w *rowWorld) { w.export("Sales", object{"kind": "microsoft365"}) },
		want: rowEnd{told: []string{"group-create failed group-mail-nickname-taken", "group-create applied"}, raw: "Request_BadRequest A conflicting object", wrote: []string{"create Sales"}},
		miss: rowEnd{told: []string{"group-create applied"}, wrote: []string{"create Sales"}},
	},
	{
		name:  "25 a group that licenses its members",
		scene: func(w *rowWorld) { w.buy("SPE_E3", 5); w.exported("Sales", object{"onRelease": "delete"}) },
		fact: func(w *rowWorld) {
			if err := w.Stack.Sim.AssignLicences(w.tenant, "admin@"+w.domain, w.ids["tenant:Sales"], entratest.LicenceRequest{Add: []entratest.LicenceWish{{SKUID: e3ID}}}); err != nil {
				w.Fatal(err)
			}
		},
		act: func(w *rowWorld) {
			w.endUse("Sales")
		},
		want: rowEnd{told: []string{"group failed group-has-licenses"}},
		miss: rowEnd{told: []string{"group-delete applied"}, wrote: []string{"delete Sales"}},
	},
	{
		name:  "25 somebody licenses the group at the same moment",
		scene: func(w *rowWorld) { w.buy("SPE_E3", 5); w.exported("Sales", object{"onRelease": "delete"}) },
		fact: func(w *rowWorld) {
			w.meanwhile(func() {
				if err := w.Stack.Sim.AssignLicences(w.tenant, "admin@"+w.domain, w.ids["tenant:Sales"], entratest.LicenceRequest{Add: []entratest.LicenceWish{{SKUID: e3ID}}}); err != nil {
					w.Error(err)
				}
			}, "DELETE", "/groups/"+w.ids["tenant:Sales"])
		},
		act: func(w *rowWorld) {
			w.endUse("Sales")
		},
		want: rowEnd{told: []string{"group-delete failed group-has-licenses", "group failed group-has-licenses"}, raw: "Request_BadRequest A group with active licenses"},
		miss: rowEnd{told: []string{"group-delete applied"}, wrote: []string{"delete Sales"}},
	},
	{
		name: "27 the tenant's naming policy",
		scene: func(w *rowWorld) {
			w.group("Sales")
			if err := w.Stack.Sim.SetRoles(w.tenant, "admin@"+w.domain, "Groups Administrator"); err != nil {
				w.Fatal(err)
			}
		},
		fact: func(w *rowWorld) {
			if err := w.Stack.Sim.SetGroupSettings(w.tenant, map[string]string{"PrefixSuffixNamingRequirement": "GRP_[GroupName]"}, 0); err != nil {
				w.Fatal(err)
			}
		},
		act:  func(w *rowWorld) { w.export("Sales", object{"kind": "microsoft365"}) },
		want: rowEnd{told: []string{"group-create failed group-naming-policy", "group refused group-naming-policy"}, raw: "Request_UnprocessableEntity The values provided contain"},
		miss: rowEnd{told: []string{"group-create applied"}, wrote: []string{"create Sales"}},
	},
}

const e3ID = "05e9a617-0261-4cee-bb44-138d3ef5d965"

// own makes somebody an owner of a group of the tenant.
func (w *rowWorld) own(group, owner string) {
	w.Helper()
	if err := w.Stack.Sim.SetOwner(w.tenant, "", w.ids["tenant:"+group], w.account(owner), true); err != nil {
		w.Fatal(err)
	}
}

// endUse ends what the connection does with a group.
func (w *rowWorld) endUse(group string) {
	w.Helper()
	w.Must(w.API.Delete(w.Context(), "/v1/connections/"+w.conn+"/groups/"+w.ids[group], nil))
}

// refusesUse asks for a use that the API does not take, and for which reason it says so.
func (w *rowWorld) refusesUse(group, rules, field string) {
	w.Helper()
	if got := w.Refused(w.API, "PUT", "/v1/connections/"+w.conn+"/groups/"+w.ids[group], rules, 422); !strings.Contains(got.Text("answer"), field) {
		w.Errorf("the answer does not name %s: %s", field, got.Text("answer"))
	}
}
