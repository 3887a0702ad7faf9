package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"bindery/infra/stack"
	"bindery/infra/stacktest"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// TestRestoreOnAWS rehearses "Restoring the table" of OPERATIONS.md on DynamoDB
// Local: the table of some moment is brought back under another name, the stack
// is switched to it, and what happened since is not lost at Microsoft, not done
// twice and not undone unasked.
func TestRestoreOnAWS(t *testing.T) {
	e := stacktest.AWS(t)
	const client, secret = "11111111-aaaa-4bbb-8ccc-000000000001", "not-a-secret-of-anybody"
	var sim *entratest.Server
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { sim.ServeHTTP(w, r) }))
	defer srv.Close()
	sim, err := entratest.New(entratest.Options{BaseURL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	if err := sim.RegisterApp(entratest.App{ID: client, Secret: secret, RedirectURIs: []string{"https://bindery.invalid/oauth/callback"}, MultiTenant: true}); err != nil {
		t.Fatal(err)
	}
	open := func(name string) *stacktest.World {
		t.Helper()
		o := stacktest.Open(t, stack.Config{Drivers: e.Drivers(name), External: &stack.Microsoft{LoginBaseURL: srv.URL, GraphBaseURL: srv.URL + "/v1.0", ClientID: client, ClientSecret: directory.NewSecret(secret)}})
		o.Stack.Sim = sim // for the office's helpers; closed here, not by the stack
		return o
	}
	closed := func(o *stacktest.World) {
		o.Rest()
		o.Stack.Sim = nil
	}

	// Before: two tenants, in sync.
	o := open(e.Name)
	o.Work()
	corp := o.Tenant("corp.example", map[string]any{"userPrincipalName": "ann@corp.example", "displayName": "Ann Example", "givenName": "Ann", "surname": "Example", "mailNickname": "ann", "accountEnabled": true})
	sister := o.Tenant("sister.example")
	conn, gone := o.Connect("corp.example", corp, nil), o.Connect("sister.example", sister, nil)
	// Ann's account was there and is taken as it is, so that no write of ours is
	// younger than a tenant's replicas may be: a restored table is hours old.
	job := o.Post("/v1/connections/"+conn+"/imports", object{"accountIds": []any{o.Account(corp, "ann@corp.example")["id"]}})
	o.Wait("the import does not end", func() bool { return o.Get("/v1/jobs/"+job.Text("id")).Text("state") == "done" })
	ann := o.Get("/v1/users").List("items")[0].Text("id")
	bob, cleo := o.User("bob@corp.example", nil), o.User("cleo@sister.example", nil)
	o.Bind(conn, ann, bob)
	o.Bind(gone, cleo)
	for _, b := range [][2]string{{conn, ann}, {conn, bob}, {gone, cleo}} {
		o.Binding(b[0], b[1], "in-sync")
	}
	moment := e.Export(t, e.Name)

	// Since: an edit, a new account, and a connection that was deactivated.
	o.Must(o.API.Patch(t.Context(), "/v1/users/"+ann, object{"familyName": "Married"}))
	dan := o.User("dan@corp.example", nil)
	o.Bind(conn, dan)
	o.Binding(conn, dan, "in-sync")
	o.Wait("the edit reaches the tenant", func() bool { return o.Account(corp, "ann@corp.example")["surname"] == "Married" })
	o.Post("/v1/connections/"+gone+"/deactivate", nil)
	closed(o)

	// The restored table, the stack switched to it while it is paused, each
	// connection asked to approve.
	restored := e.Name + "-restored"
	e.Load(t, restored, moment)
	o = open(restored)
	defer closed(o)
	for _, c := range []string{conn, gone} {
		if got := o.Must(o.API.Patch(t.Context(), "/v1/connections/"+c, object{"settings": object{"mode": "approve"}})).Object("settings").Text("mode"); got != "approve" {
			t.Fatalf("mode = %q", got)
		}
	}
	written := func() int { return len(sim.Mutations(corp)) + len(sim.Mutations(sister)) }
	before := written()
	o.Work()

	// The tokens of the deactivated connection are gone: it says so.
	o.Wait("the connection without tokens says that it needs to be authorised", func() bool {
		_, _ = o.API.PostJSON(t.Context(), "/v1/connections/"+gone+"/runs", object{"dryRun": true}) // what it answers is told by its status
		return o.Get("/v1/connections/"+gone).Text("status") == "needs-authorization"
	})
	if trouble := o.Get("/v1/connections/" + gone).Object("trouble"); trouble.Text("code") == "" || trouble.Text("next") == "" {
		t.Errorf("its trouble is %v, want what happened and what to do", trouble)
	}

	// A dry run shows what the past state would undo.
	run := o.Post("/v1/connections/"+conn+"/runs", object{"dryRun": true, "full": true}).Text("id")
	o.Wait("the dry run is planned", func() bool { return o.Get("/v1/runs/"+run).Text("state") == "planned" })
	changed := map[string]bool{}
	for _, c := range o.Get("/v1/runs/" + run + "/changes").List("items") {
		changed[c.Text("userId")] = true
	}
	if len(changed) != 1 || !changed[ann] {
		t.Errorf("the dry run would change %v, want ann alone: her name of before", changed)
	}

	// A run that wants to write is held.
	o.Post("/v1/connections/"+conn+"/runs", object{"full": true})
	held := func() (id string) {
		o.Wait("a run is held", func() bool {
			for _, r := range o.Get("/v1/connections/" + conn + "/runs").List("items") {
				if r.Text("state") == "held" {
					id = r.Text("id")
				}
			}
			return id != ""
		})
		return id
	}
	undoing := held()
	if after := written(); after != before {
		t.Fatalf("%d writes reached Microsoft before anybody approved", after-before)
	}

	// The admin corrects the directory and binds who came since: nobody is made twice.
	o.Post("/v1/runs/"+undoing+"/decline", nil)
	o.Must(o.API.Patch(t.Context(), "/v1/users/"+ann, object{"familyName": "Married"}))
	dan = o.User("dan@corp.example", nil)
	o.Bind(conn, dan)
	o.Post("/v1/runs/"+held()+"/approve", nil)
	o.Must(o.API.Patch(t.Context(), "/v1/connections/"+conn, object{"settings": object{"mode": "automatic"}}))
	for _, u := range []string{ann, bob, dan} {
		o.Binding(conn, u, "in-sync")
	}
	made := 0
	for _, m := range sim.Mutations(corp) {
		if m.Kind == "create" && m.UPN == "dan@corp.example" {
			made++
		}
	}
	if made != 1 || o.Account(corp, "ann@corp.example")["surname"] != "Married" {
		t.Errorf("dan was made %d times; ann's surname is %v", made, o.Account(corp, "ann@corp.example")["surname"])
	}
	run = o.Post("/v1/connections/"+conn+"/runs", object{"dryRun": true, "full": true}).Text("id")
	o.Wait("the last dry run is planned", func() bool { return o.Get("/v1/runs/"+run).Text("state") == "planned" })
	if left := o.Get("/v1/runs/" + run + "/changes").List("items"); len(left) > 0 {
		t.Errorf("afterwards a run would still change %v", left)
	}
}
