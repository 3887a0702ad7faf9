package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"bindery/infra/stack"
	"bindery/infra/stacktest"
	"bindery/shared/entra/entratest"
)

// groupWorld is a connection that exports groups, gives licences and writes managers,
// with what the tests here ask of it.
type groupWorld struct {
	*stacktest.World
	tenant, conn string
}

// newGroupWorld has a tenant with seats of some products.
func newGroupWorld(t *testing.T, seats map[string]int) *groupWorld {
	t.Helper()
	return groupWorldOf(stacktest.New(t), seats)
}

// groupWorldOf makes one of a stack.
func groupWorldOf(o *stacktest.World, seats map[string]int) *groupWorld {
	o.Helper()
	w := &groupWorld{World: o, tenant: o.Tenant("corp.example")}
	for sku, n := range seats {
		w.seats(sku, n)
	}
	w.conn = o.Connect("corp.example", w.tenant, object{"groups": true, "licences": true, "manager": object{"export": true}, "defaultUsageLocation": "DE"})
	return w
}

func (w *groupWorld) seats(sku string, n int) {
	w.Helper()
	if err := w.Stack.Sim.SetLicence(w.tenant, entratest.LicenceSpec{SKUPartNumber: sku, Enabled: n}); err != nil {
		w.Fatal(err)
	}
}

// group makes a group with members.
func (w *groupWorld) group(name string, users ...string) string {
	w.Helper()
	id := w.Post("/v1/groups", object{"name": name}).Text("id")
	w.add(id, users...)
	return id
}

func (w *groupWorld) add(group string, users ...string) {
	w.Helper()
	w.Post("/v1/groups/"+group+"/members", object{"userIds": users})
}

func (w *groupWorld) remove(group string, users ...string) {
	w.Helper()
	w.Must(w.API.Delete(w.Context(), "/v1/groups/"+group+"/members", object{"userIds": users}))
}

func (w *groupWorld) use(group string, rules object) {
	w.Helper()
	w.Must(w.API.Put(w.Context(), "/v1/connections/"+w.conn+"/groups/"+group, rules))
}

// members are the names before the @ of who is in a group of the tenant, sorted, or "no
// group".
func (w *groupWorld) members(name string) string {
	w.Helper()
	g, is := w.Stack.Sim.Group(w.tenant, name)
	if !is {
		return "no group"
	}
	var names []string
	for _, id := range g["members"].([]string) {
		upn, _ := w.Account(w.tenant, id)["userPrincipalName"].(string)
		local, _, _ := strings.Cut(upn, "@")
		names = append(names, local)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// licences are the part numbers of what an account holds, sorted.
func (w *groupWorld) licences(name string) string {
	w.Helper()
	all, err := w.Stack.Sim.Licences(w.tenant)
	if err != nil {
		w.Fatal(err)
	}
	list, _ := w.Account(w.tenant, name+"@corp.example")["assignedLicenses"].([]any)
	var names []string
	for _, l := range list {
		for _, s := range all {
			if s.SKUID == l.(map[string]any)["skuId"] {
				names = append(names, s.SKUPartNumber)
			}
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// manager is the name before the @ of an account's manager.
func (w *groupWorld) manager(name string) string {
	w.Helper()
	id, _ := w.Account(w.tenant, name+"@corp.example")["manager"].(string)
	upn, _ := w.Account(w.tenant, id)["userPrincipalName"].(string)
	local, _, _ := strings.Cut(upn, "@")
	return local
}

// becomes waits until all of some things are as wanted, and tells what the connection's
// runs did when they do not become so.
func (w *groupWorld) becomes(what string, state func() []string, want ...string) {
	w.Helper()
	var last []string
	defer func() {
		if w.Failed() {
			w.Logf("%s: it is %q, want %q\n%s", what, last, want, w.runs())
		}
	}()
	w.Wait(what, func() bool {
		last = state()
		return slices.Equal(last, want)
	})
}

// runs tells what the runs of the connection did, as an admin reads it.
func (w *groupWorld) runs() string {
	var b strings.Builder
	runs := w.Get("/v1/connections/" + w.conn + "/runs").List("items")
	slices.Reverse(runs)
	for _, r := range runs {
		fmt.Fprintf(&b, "%s %s %s %v failed %v refused %v waiting %v error %v held %v\n", r.Text("id"), r.Text("trigger"), r.Text("state"), r["counts"], r["failed"], r["refused"], r["waiting"], r["error"], r["held"])
		for _, c := range w.Get("/v1/runs/" + r.Text("id") + "/changes?limit=100").List("items") {
			fmt.Fprintf(&b, "   %s %s %s %s: %v %v\n", c.Text("effect"), c.Text("userPrincipalName"), c.Text("state"), c.Text("reason"), c["error"], c["findings"])
		}
	}
	return b.String()
}

// settled has everything planned once more: nothing is to be done.
func (w *groupWorld) settled() {
	w.Helper()
	id := w.Post("/v1/connections/"+w.conn+"/runs", object{"dryRun": true, "full": true}).Text("id")
	var run object
	w.Wait("the dry run does not end", func() bool {
		run = w.Get("/v1/runs/" + id)
		return run["endedAt"] != nil
	})
	if counts, _ := run["counts"].(map[string]any); len(counts) > 0 || run.Text("state") != "planned" {
		w.Fatalf("a run after that plans %v (%s)\n%s", counts, run.Text("state"), w.runs())
	}
}

// TestGroupsEndToEnd: what an admin does with groups, from the first use to the end.
func TestGroupsEndToEnd(t *testing.T) {
	groupsEndToEnd(newGroupWorld(t, map[string]int{"SPE_E3": 10, "SPE_E5": 10}))
}

// TestGroupsOnAWS does the same over the drivers that AWS's engines have.
func TestGroupsOnAWS(t *testing.T) {
	e := stacktest.AWS(t)
	o := stacktest.With(t, stack.Config{Drivers: e.Drivers(e.Name)})
	groupsEndToEnd(groupWorldOf(o, map[string]int{"SPE_E3": 10, "SPE_E5": 10}))
}

// explains asks why somebody in a group of the directory, with a manager and a licence by
// it, has what she has, and has not what she has not.
func (w *groupWorld) explains(in, who, notIn string) {
	w.Helper()
	for what, want := range map[string]string{
		"/v1/users/" + who + "/explain?about=manager":                     "manager",
		"/v1/users/" + who + "/explain?about=licences":                    "licence",
		"/v1/users/" + who + "/explain?about=membership&groupId=" + in:    "member",
		"/v1/groups/" + in + "/explain?about=export":                      "group",
		"/v1/users/" + who + "/explain?about=membership&groupId=" + notIn: "",
		"/v1/groups/" + in + "/explain?about=licences":                    "",
		"/v1/users/" + who + "/explain?about=account":                     "account",
	} {
		a := w.Get(what + "&connectionId=" + w.conn)
		if bound := a["bound"] == true; bound != (want != "") || bound && a.Text("summary") != "Nothing is to be written." || a.Text("summary") == "" {
			w.Errorf("%s is explained as %v", what, a)
		}
	}
}

func groupsEndToEnd(w *groupWorld) {
	t := w.T
	boss := w.User("boss@corp.example", nil)
	ann := w.User("ann@corp.example", object{"managerId": boss})
	ben := w.User("ben@corp.example", object{"managerId": boss})
	cat := w.User("cat@corp.example", object{"managerId": boss})
	sales, board := w.group("Sales", ann, ben, cat), w.group("Board", boss)

	w.use(sales, object{"select": object{"onRelease": "block"}, "export": object{"kind": "security", "onRelease": "empty"}, "licences": []object{{"sku": "SPE_E3"}}})
	w.use(board, object{"select": object{}, "export": object{"kind": "security"}, "licences": []object{{"sku": "SPE_E5"}}})
	members := func() []string { return []string{w.members("Sales"), w.members("Board")} }
	state := func() []string {
		return append(members(), w.licences("ann"), w.licences("ben"), w.licences("boss"), w.manager("ann"), w.manager("boss"))
	}
	w.becomes("the first load", state, "ann ben cat", "boss", "SPE_E3", "SPE_E3", "SPE_E5", "boss", "")
	w.settled()
	w.explains(sales, ann, board)

	// ann goes from one department to the other: her licence is swapped in one call.
	w.Rest()
	before := len(w.Stack.Sim.Mutations(w.tenant))
	w.remove(sales, ann)
	w.add(board, ann)
	w.Work()
	w.becomes("the move", state, "ben cat", "ann boss", "SPE_E5", "SPE_E3", "SPE_E5", "boss", "")
	w.settled()
	var calls []string
	for _, m := range w.Stack.Sim.Mutations(w.tenant)[before:] {
		calls = append(calls, m.Kind)
	}
	slices.Sort(calls)
	if !slices.Equal(calls, []string{"license", "member-add", "member-remove"}) {
		t.Errorf("the move wrote %v\n%s", calls, w.runs())
	}

	// ben leaves his department and stays bound, since an admin bound him; for cat the
	// group was the only path.
	w.Bind(w.conn, ben)
	w.remove(sales, ben, cat)
	w.becomes("the removal", state, "", "ann boss", "SPE_E5", "", "SPE_E5", "boss", "")
	w.Binding(w.conn, cat, "")
	w.settled()
	if a := w.Account(w.tenant, "cat@corp.example"); a["accountEnabled"] != false {
		t.Errorf("the account of who was released is %v", a["accountEnabled"])
	}

	// What was done is told of the group's members as of all else that was theirs.
	told := ""
	for _, e := range w.Get("/v1/activity?userId=" + ann).List("items") {
		told += e.Text("effect") + " "
	}
	for _, effect := range []string{"create", "member-add", "manager-set", "licence-add", "licence-swap", "member-remove"} {
		if !strings.Contains(told, effect+" ") {
			t.Errorf("the activity of a user does not tell of %s: %s", effect, told)
		}
	}

	// The use of a group ends as it says: the members that were given are taken back.
	w.add(sales, ben)
	w.becomes("the return", state, "ben", "ann boss", "SPE_E5", "SPE_E3", "SPE_E5", "boss", "")
	w.Must(w.API.Delete(w.Context(), "/v1/connections/"+w.conn+"/groups/"+sales, nil))
	w.becomes("the end of the use", state, "", "ann boss", "SPE_E5", "", "SPE_E5", "boss", "")
	if e := w.Get("/v1/activity?effect=member-remove&userId=" + ben).List("items")[0]; !strings.Contains(e.Text("reason"), "\"Sales\"") {
		t.Errorf("the end of the use took ben out of no group that is named: %v", e)
	}
	w.Wait("the use is still listed", func() bool {
		return len(w.Get("/v1/connections/"+w.conn+"/groups").List("items")) == 1
	})
	w.settled()

	// Deactivation writes nothing, and nothing comes after it.
	before = len(w.Stack.Sim.Mutations(w.tenant))
	w.Post("/v1/connections/"+w.conn+"/deactivate", nil)
	w.remove(board, ann)
	w.add(board, cat)
	if n := len(w.Stack.Sim.Mutations(w.tenant)) - before; n != 0 {
		t.Errorf("deactivating wrote %d times", n)
	}
	if got := members(); !slices.Equal(got, []string{"", "ann boss"}) {
		t.Errorf("after the deactivation the groups have %q", got)
	}
}
