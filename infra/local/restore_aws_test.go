package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"testing"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/table/dynamodb"
)

// TestRestoreOnAWS rehearses "Restoring the table" of OPERATIONS.md on DynamoDB
// Local: the table of some moment is brought back under another name, the stack
// is switched to it, and what happened since is not lost at Microsoft, not done
// twice and not undone unasked.
func TestRestoreOnAWS(t *testing.T) {
	table, messages, others := os.Getenv("BINDERY_DYNAMODB_ENDPOINT"), os.Getenv("BINDERY_SQS_ENDPOINT"), os.Getenv("BINDERY_AWS_ENDPOINT")
	if table == "" || messages == "" || others == "" {
		t.Skip("needs DynamoDB Local, ElasticMQ and moto: make test-aws starts them")
	}
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
	e := newEngines(t, table, messages, others)
	open := func(name string) *office {
		t.Helper()
		o := openOffice(t, StackConfig{Drivers: e.drivers(t, name), External: &settings{LoginBaseURL: srv.URL, GraphBaseURL: srv.URL + "/v1.0", ClientID: client, ClientSecret: directory.NewSecret(secret)}})
		o.stack.Sim = sim // for the office's helpers; closed here, not by the stack
		return o
	}
	closed := func(o *office) {
		o.rest()
		o.stack.Sim = nil
	}

	// Before: two tenants, in sync.
	o := open(e.name)
	o.work()
	corp := o.tenant("corp.example", map[string]any{"userPrincipalName": "ann@corp.example", "displayName": "Ann Example", "givenName": "Ann", "surname": "Example", "mailNickname": "ann", "accountEnabled": true})
	sister := o.tenant("sister.example")
	conn, gone := o.connect("corp.example", corp, nil), o.connect("sister.example", sister, nil)
	// Ann's account was there and is taken as it is, so that no write of ours is
	// younger than a tenant's replicas may be: a restored table is hours old.
	job := o.post("/v1/connections/"+conn+"/imports", object{"accountIds": []any{o.account(corp, "ann@corp.example")["id"]}})
	o.wait("the import does not end", func() bool { return o.get("/v1/jobs/"+job.text("id")).text("state") == "done" })
	ann := o.get("/v1/users").list("items")[0].text("id")
	bob, cleo := o.user("bob@corp.example", nil), o.user("cleo@sister.example", nil)
	o.bind(conn, ann, bob)
	o.bind(gone, cleo)
	for _, b := range [][2]string{{conn, ann}, {conn, bob}, {gone, cleo}} {
		o.binding(b[0], b[1], "in-sync")
	}
	moment := e.export(t, e.name)

	// Since: an edit, a new account, and a connection that was deactivated.
	o.must(o.api.patch(t.Context(), "/v1/users/"+ann, object{"familyName": "Married"}))
	dan := o.user("dan@corp.example", nil)
	o.bind(conn, dan)
	o.binding(conn, dan, "in-sync")
	o.wait("the edit reaches the tenant", func() bool { return o.account(corp, "ann@corp.example")["surname"] == "Married" })
	o.post("/v1/connections/"+gone+"/deactivate", nil)
	closed(o)

	// The restored table, the stack switched to it while it is paused, each
	// connection asked to approve.
	restored := e.name + "-restored"
	e.load(t, restored, moment)
	o = open(restored)
	defer closed(o)
	for _, c := range []string{conn, gone} {
		if got := o.must(o.api.patch(t.Context(), "/v1/connections/"+c, object{"settings": object{"mode": "approve"}})).object("settings").text("mode"); got != "approve" {
			t.Fatalf("mode = %q", got)
		}
	}
	written := func() int { return len(sim.Mutations(corp)) + len(sim.Mutations(sister)) }
	before := written()
	o.work()

	// The tokens of the deactivated connection are gone: it says so.
	o.wait("the connection without tokens says that it needs to be authorised", func() bool {
		_, _ = o.api.postJSON(t.Context(), "/v1/connections/"+gone+"/runs", object{"dryRun": true}) // what it answers is told by its status
		return o.get("/v1/connections/"+gone).text("status") == "needs-authorization"
	})
	if trouble := o.get("/v1/connections/" + gone).object("trouble"); trouble.text("code") == "" || trouble.text("next") == "" {
		t.Errorf("its trouble is %v, want what happened and what to do", trouble)
	}

	// A dry run shows what the past state would undo.
	run := o.post("/v1/connections/"+conn+"/runs", object{"dryRun": true, "full": true}).text("id")
	o.wait("the dry run is planned", func() bool { return o.get("/v1/runs/"+run).text("state") == "planned" })
	changed := map[string]bool{}
	for _, c := range o.get("/v1/runs/" + run + "/changes").list("items") {
		changed[c.text("userId")] = true
	}
	if len(changed) != 1 || !changed[ann] {
		t.Errorf("the dry run would change %v, want ann alone: her name of before", changed)
	}

	// A run that wants to write is held.
	o.post("/v1/connections/"+conn+"/runs", object{"full": true})
	held := func() (id string) {
		o.wait("a run is held", func() bool {
			for _, r := range o.get("/v1/connections/" + conn + "/runs").list("items") {
				if r.text("state") == "held" {
					id = r.text("id")
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
	o.post("/v1/runs/"+undoing+"/decline", nil)
	o.must(o.api.patch(t.Context(), "/v1/users/"+ann, object{"familyName": "Married"}))
	dan = o.user("dan@corp.example", nil)
	o.bind(conn, dan)
	o.post("/v1/runs/"+held()+"/approve", nil)
	o.must(o.api.patch(t.Context(), "/v1/connections/"+conn, object{"settings": object{"mode": "automatic"}}))
	for _, u := range []string{ann, bob, dan} {
		o.binding(conn, u, "in-sync")
	}
	made := 0
	for _, m := range sim.Mutations(corp) {
		if m.Kind == "create" && m.UPN == "dan@corp.example" {
			made++
		}
	}
	if made != 1 || o.account(corp, "ann@corp.example")["surname"] != "Married" {
		t.Errorf("dan was made %d times; ann's surname is %v", made, o.account(corp, "ann@corp.example")["surname"])
	}
	run = o.post("/v1/connections/"+conn+"/runs", object{"dryRun": true, "full": true}).text("id")
	o.wait("the last dry run is planned", func() bool { return o.get("/v1/runs/"+run).text("state") == "planned" })
	if left := o.get("/v1/runs/" + run + "/changes").list("items"); len(left) > 0 {
		t.Errorf("afterwards a run would still change %v", left)
	}
}

// export reads all items of a table, as a backup has them.
func (e *engines) export(t *testing.T, name string) []map[string]types.AttributeValue {
	t.Helper()
	var items []map[string]types.AttributeValue
	pages := ddb.NewScanPaginator(e.tables, &ddb.ScanInput{TableName: &name, ConsistentRead: new(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, page.Items...)
	}
	if len(items) == 0 {
		t.Fatalf("%s is empty", name)
	}
	return items
}

// load makes a table of items.
func (e *engines) load(t *testing.T, name string, items []map[string]types.AttributeValue) {
	t.Helper()
	if _, err := dynamodb.Create(t.Context(), e.tables, name); err != nil {
		t.Fatal(err)
	}
	for part := range slices.Chunk(items, 25) {
		var puts []types.WriteRequest
		for _, it := range part {
			puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: it}})
		}
		out, err := e.tables.BatchWriteItem(context.Background(), &ddb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{name: puts}})
		if err != nil || len(out.UnprocessedItems) > 0 {
			t.Fatalf("%d items were not written: %v", len(out.UnprocessedItems[name]), err)
		}
	}
}
