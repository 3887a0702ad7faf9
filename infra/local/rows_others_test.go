package main

import (
	"fmt"
	"net/http"
	"strings"

	"bindery/shared/entra/entratest"
)

// reports makes a user whose manager stands in the tenant.
func (w *rowWorld) reports(name, boss string) {
	w.Helper()
	w.people(boss)
	w.ids[name] = w.User(name+"@"+w.domain, object{"managerId": w.ids[boss]})
	w.Bind(w.conn, w.ids[name])
	w.Wait("the manager is not written", func() bool { m, _ := w.Account(w.tenant, w.account(name))["manager"].(string); return m != "" })
	w.quiet()
}

// The rows of managers, and of what befalls all calls.
var rowsOfOthers = []row{
	{
		name:  "57 somebody takes the manager at the same moment",
		scene: func(w *rowWorld) { w.reports("ann", "boss") },
		fact: func(w *rowWorld) {
			w.meanwhile(func() {
				if err := w.Stack.Sim.SetManager(w.tenant, "", w.account("ann"), ""); err != nil {
					w.Error(err)
				}
			}, "DELETE", w.userID("ann")+"/manager")
		},
		act: func(w *rowWorld) {
			w.Must(w.API.Patch(w.Context(), "/v1/users/"+w.ids["ann"], object{"managerId": nil}))
		},
		want: rowEnd{told: []string{"manager-clear applied"}},
		miss: rowEnd{told: []string{"manager-clear applied"}, wrote: []string{"update ann"}},
	},
	{
		name:  "71 the link to what changed is dead",
		scene: func(w *rowWorld) { w.people("ann", "ben"); w.exported("Sales", object{"members": "exact"}, "ann") },
		fact: func(w *rowWorld) {
			w.fault(entratest.Fault{Kind: "delta-gone", Path: "/groups/delta", Times: 1})
		},
		act: func(w *rowWorld) {
			w.Post("/v1/connections/"+w.conn+"/runs", object{})
			w.quiet()
			w.put("Sales", "ben", true) // is told of by the link that was begun anew
			w.Post("/v1/connections/"+w.conn+"/runs", object{})
		},
		want: rowEnd{told: []string{"member-remove applied"}, wrote: []string{"member-remove Sales ben"}},
		miss: rowEnd{told: []string{"member-remove applied"}, wrote: []string{"member-remove Sales ben"}},
	},
	{
		name:  "73 somebody changes the group at the same moment",
		scene: func(w *rowWorld) { w.exported("Sales", object{}) },
		fact: func(w *rowWorld) {
			w.says("PATCH", "/groups/", 409, "Directory_ConcurrencyViolation", "A conflicting request is under way.")
		},
		act:  func(w *rowWorld) { w.rename("Sales", "Vertrieb") },
		want: rowEnd{told: []string{"group-update applied"}, wrote: []string{"update Vertrieb"}},
		miss: rowEnd{told: []string{"group-update applied"}, wrote: []string{"update Vertrieb"}},
	},
	{
		// The group is found by its uniqueName: a second one is never made.
		name:  "74 an error after the group was made",
		scene: func(w *rowWorld) { w.people("ann"); w.group("Sales", "ann") },
		fact: func(w *rowWorld) {
			w.fault(entratest.Fault{Kind: "status", Method: "PATCH", Path: "/groups", Times: 1, Status: 504, When: "after"})
		},
		act:  func(w *rowWorld) { w.export("Sales", object{}) },
		want: rowEnd{told: []string{"group-create applied", "member-add applied"}, wrote: []string{"create Sales", "member-add Sales ann"}},
		miss: rowEnd{told: []string{"group-create applied", "member-add applied"}, wrote: []string{"create Sales", "member-add Sales ann"}},
	},
	{
		name:  "74 an error after the member was added",
		scene: func(w *rowWorld) { w.people("ann"); w.exported("Sales", object{}) },
		fact: func(w *rowWorld) {
			w.fault(entratest.Fault{Kind: "status", Method: "POST", Path: "/members/", Times: 1, Status: 503, When: "after"})
		},
		act:  func(w *rowWorld) { w.join("Sales", "ann") },
		want: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann"}},
		miss: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann"}},
	},
	{
		name:  "75 more members than one request takes",
		scene: func(w *rowWorld) { w.people(many(45)...); w.exported("Sales", object{}) },
		fact:  func(w *rowWorld) { w.ids["all"] = "yes" },
		act: func(w *rowWorld) {
			if w.ids["all"] != "" {
				w.join("Sales", many(45)...)
			} else {
				w.join("Sales", many(3)...)
			}
			w.Wait("they are not members", func() bool {
				g, _ := w.Stack.Sim.Group(w.tenant, w.ids["tenant:Sales"])
				n := len(g["members"].([]string))
				return n == 45 || w.ids["all"] == "" && n == 3
			})
			requests := 0
			for _, q := range w.Stack.Sim.Requests() {
				if q.Tenant == w.tenant && q.Method == http.MethodPatch && strings.HasPrefix(q.Path, "/groups/"+w.ids["tenant:Sales"]) {
					requests++
				}
			}
			// A request takes 20; on a busy machine fewer may go, since requests are
			// sized by how long earlier ones took.
			if w.ids["all"] != "" && (requests < 3 || requests > 15) {
				w.Errorf("the 45 members went in %d requests", requests)
			}
		},
		want: rowEnd{told: []string{"member-add applied"}, wrote: joined(45)},
		miss: rowEnd{told: []string{"member-add applied"}, wrote: joined(3)},
	},
	{
		name: "30 a group becomes a team that a rule makes, at the same moment",
		scene: func(w *rowWorld) {
			w.people("ann")
			w.exported("Sales", object{"kind": "microsoft365"})
		},
		fact: func(w *rowWorld) {
			w.meanwhile(func() {
				w.edit("Sales", map[string]any{"groupTypes": []any{"Unified", "DynamicMembership"}, "membershipRule": "(user.accountEnabled -eq true)", "resourceProvisioningOptions": []any{"Team"}})
			}, "/groups/"+w.ids["tenant:Sales"]+"/members/$ref")
		},
		act:  func(w *rowWorld) { w.join("Sales", "ann") },
		want: rowEnd{told: []string{"member-add failed group-forbidden", "member failed group-forbidden"}, raw: "Forbidden You do not have permission to perform this operation."},
		miss: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann"}},
	},
	{
		name:  "31 a reference to what is not known everywhere yet",
		scene: func(w *rowWorld) { w.people("ann"); w.exported("Sales", object{}) },
		fact: func(w *rowWorld) {
			w.says("POST", `/members/\$ref`, 400, "Request_BadRequest", "Not a valid reference update.")
		},
		act:  func(w *rowWorld) { w.join("Sales", "ann") },
		want: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann"}},
		miss: rowEnd{told: []string{"member-add applied"}, wrote: []string{"member-add Sales ann"}},
	},
	{
		name: "32 an ID that is none",
		scene: func(w *rowWorld) {
			w.people("ann")
			w.group("Sales", "ann")
			w.theirs(entratest.SecurityGroup, "Theirs")
		},
		fact: func(w *rowWorld) {
			w.refusesUse("Sales", `{"export":{"kind":"security","adopt":"theirs"}}`, "export.adopt")
		},
		act:  func(w *rowWorld) { w.adopt("Sales", "Theirs") },
		want: rowEnd{told: []string{"group-adopt applied", "group-update applied", "member-add applied"}, wrote: []string{"update Sales", "member-add Sales ann"}},
		miss: rowEnd{told: []string{"group-adopt applied", "group-update applied", "member-add applied"}, wrote: []string{"update Sales", "member-add Sales ann"}},
	},
}

// many are names of n people.
func many(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("one%02d", i)
	}
	return list
}

func joined(n int) []string {
	var list []string
	for _, name := range many(n) {
		list = append(list, "member-add Sales "+name)
	}
	return list
}
