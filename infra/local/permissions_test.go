package main

import (
	"slices"
	"strings"
	"testing"

	"bindery/infra/stacktest"
)

// TestPermissionsComeLater: a rule that wants a permission which nobody consented to is
// taken, told in run, problems, connection and doctor, and writes nothing; the next
// authorisation asks for the permission, and then it goes on by itself.
func TestPermissionsComeLater(t *testing.T) {
	t.Parallel()
	o := stacktest.New(t)
	w := &groupWorld{World: o, tenant: o.Tenant("corp.example")}
	w.seats("SPE_E3", 5)
	w.conn = o.Connect("corp.example", w.tenant, object{"defaultUsageLocation": "DE"})
	conn := "/v1/connections/" + w.conn
	ann := w.User("ann@corp.example", nil)
	w.Bind(w.conn, ann)
	w.Binding(w.conn, ann, "in-sync")
	before := len(w.Stack.Sim.Mutations(w.tenant))

	w.use(w.group("Sales", ann), object{"export": object{"kind": "security"}, "licences": []object{{"sku": "SPE_E3"}}})
	lacks := func() (scopes []string) {
		for _, p := range w.Get(conn).List("lacking") {
			scopes = append(scopes, p.Text("scope"))
		}
		return scopes
	}
	want := []string{"Group.ReadWrite.All", "LicenseAssignment.ReadWrite.All"}
	if got := lacks(); !slices.Equal(got, want) {
		t.Errorf("the connection lacks %q, want %q", got, want)
	}
	w.Wait("no problem is told", func() bool {
		for _, p := range w.Get(conn + "/problems").List("items") {
			if p.Text("code") == "scope-missing" && p.Number("users") >= 2 { // the group and the licence
				return true
			}
		}
		return false
	})
	dry := w.Post(conn+"/runs", object{"dryRun": true, "full": true}).Text("id")
	w.Wait("the dry run does not end", func() bool { return w.Get("/v1/runs/" + dry)["endedAt"] != nil })
	var told []string
	for _, f := range w.Get("/v1/runs/" + dry).List("findings") {
		told = append(told, f.Text("code")+" "+f.Text("message"))
	}
	if len(told) != 2 || !strings.Contains(told[0], want[0]) || !strings.Contains(told[1], want[1]) {
		t.Errorf("the plan tells %q", told)
	}
	w.Post(conn+"/health", nil)
	w.Wait("the doctor does not tell", func() bool {
		n := 0
		for _, f := range w.Get(conn + "/health").List("findings") {
			if f.Text("code") == "scope-missing" {
				n++
			}
		}
		return n == 2
	})
	if n := len(w.Stack.Sim.Mutations(w.tenant)) - before; n != 0 {
		t.Errorf("%d writes were sent without the permission", n)
	}

	again := w.Post(conn+"/authorize", nil).Text("authorizationUrl")
	if status, page, err := w.Stack.SignIn(t.Context(), again, "admin@corp.example"); err != nil || status != 200 {
		t.Fatalf("authorising again: %d, %v: %s", status, err, page)
	}
	if got := lacks(); got != nil {
		t.Errorf("after authorising again the connection lacks %q", got)
	}
	w.becomes("what waited for the permission", func() []string { return []string{w.members("Sales"), w.licences("ann")} }, "ann", "SPE_E3")
	w.settled()
}
