package template

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bindery/shared/api/scim"
	"bindery/shared/api/scim/scimtest"
	"bindery/shared/boot/app"
	"bindery/shared/core/provision"
	"bindery/shared/directory"
	"bindery/shared/platform/vault"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

// partRight is one action on the items of a resource whose partitions are like a pattern.
type partRight struct{ action, resource, pattern string }

// partRights are what a role may do by its statements of the table, each false until it is
// used.
func partRights(t *testing.T, tmpl *Template, role string) map[partRight]bool {
	t.Helper()
	unused := map[partRight]bool{}
	statements, _ := At(tmpl.Resources, role, "Properties", "Policies", 0, "PolicyDocument", "Statement").([]any)
	for _, s := range statements {
		for _, r := range list(At(s, "Resource")) {
			resource := resourceName(r, "")
			if !strings.HasPrefix(resource, "Table") {
				continue
			}
			keys := At(s, "Condition", "ForAllValues:StringLike", "dynamodb:LeadingKeys")
			if keys == nil {
				t.Errorf("%s has %v on all partitions", role, At(s, "Action"))
				continue
			}
			for _, action := range list(At(s, "Action")) {
				for _, pattern := range list(keys) {
					right := partRight{fmt.Sprint(action), resource, fmt.Sprint(pattern)}
					if _, twice := unused[right]; twice {
						t.Errorf("%s has %v twice", role, right)
					}
					unused[right] = false
				}
			}
		}
	}
	return unused
}

// among says whether rights have one, and notes those that are used.
func among(rights map[partRight]bool) func(action, resource, partition string) bool {
	return func(action, resource, partition string) bool {
		allowed := false
		for right := range rights {
			if like, err := path.Match(right.pattern, partition); err == nil && like && right.action == action && right.resource == resource {
				rights[right], allowed = true, true
			}
		}
		return allowed
	}
}

// TestScimRightsSuffice: whatever the requests of others bring about, those of real clients,
// of Okta's test of servers and of the RFCs' requirements, the role lets scim do.
func TestScimRightsSuffice(t *testing.T) {
	t.Parallel()
	for name, strict := range map[string]bool{"strict": true, "tolerant": false} {
		t.Run(name, func(t *testing.T) {
			scimtest.Okta(t, held(strict))
			scimtest.Requirements(t, held(true))
			scimtest.Corpus(t, held(false))
		})
	}
}

// held is a server that has no more rights to the table than scim's role.
func held(strict bool) func(t *testing.T) *scimtest.Server {
	return func(t *testing.T) *scimtest.Server {
		g := &guarded{Table: memory.New(), Memory: &vault.Memory{}, seen: map[string]bool{}, may: among(partRights(t, read(t), "ScimRole")), on: true}
		t.Cleanup(func() {
			if len(g.refused) > 0 {
				t.Errorf("the role lets scim not: %v", g.refused)
			}
		})
		admins := app.NewCore(app.Parts{Store: store.New(g.Table, store.Options{}), Vault: g.Memory, Queue: &waking{}})
		ctx, ada, name := t.Context(), directory.Caller{Subject: "ada"}, "Okta"
		client, err := admins.ScimClients.Create(ctx, ada, provision.ClientEdit{Name: &name, Strict: &strict})
		if err != nil {
			t.Fatal(err)
		}
		_, token, err := admins.ScimClients.NewToken(ctx, ada, client.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		core := app.NewCore(app.Parts{Store: store.New(guardedTable{g}, store.Options{}), Vault: guardedVault{g}, Queue: &waking{}})
		const host = "https://bindery.example"
		began, requests := time.Now(), atomic.Int64{} // each in a millisecond of its own: the log is ordered by it
		clock := func() time.Time { return began.Add(time.Duration(requests.Add(1)) * time.Millisecond) }
		return &scimtest.Server{
			T: t, Handler: scim.New(scim.Config{Pushes: core.Pushes, Clients: core.ScimClients, PublicURL: host, Now: clock}), URL: host + "/scim/" + string(client.ID) + "/v2", Token: token.Reveal(),
			User: func(id string) (directory.User, error) { return admins.Users.Get(ctx, directory.UserID(id)) },
			Members: func(group string) ([]string, error) {
				members, err := admins.Pushes.Members(ctx, directory.GroupID(group))
				ids := []string{}
				for _, m := range members {
					ids = append(ids, m.ID)
				}
				return ids, err
			},
			Notes: func() ([]string, error) {
				list, _, err := admins.ScimClients.Requests(ctx, client.ID, "", "", 1)
				if err != nil || len(list) == 0 {
					return nil, err
				}
				return list[0].Notes, nil
			},
		}
	}
}

// Scim does everything that it does with the rights of its role, action by action and
// partition by partition, and has none of them in vain.
func TestScimKeys(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	rights := partRights(t, tmpl, "ScimRole")
	g := &guarded{Table: memory.New(), Memory: &vault.Memory{}, seen: map[string]bool{}, may: among(rights)}
	q := &waking{}
	parts := app.Parts{Store: store.New(guardedTable{g}, store.Options{}), Vault: guardedVault{g}, Queue: q}
	core := app.NewCore(parts)
	ctx, ada := t.Context(), directory.Caller{Subject: "ada"}
	name := "Okta"
	client, err := core.ScimClients.Create(ctx, ada, provision.ClientEdit{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	_, token, err := core.ScimClients.NewToken(ctx, ada, client.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	h := scim.New(scim.Config{Pushes: core.Pushes, Clients: core.ScimClients})
	send := func(status int, method, to, body string) string {
		t.Helper()
		g.on = true
		defer func() { g.on = false }()
		r := httptest.NewRequestWithContext(ctx, method, "/scim/"+string(client.ID)+"/v2"+to, bytes.NewReader([]byte(body)))
		r.Header.Set("Authorization", "Bearer "+token.Reveal())
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != status {
			t.Fatalf("%s %s %s: %d %s", method, to, body, w.Code, w.Body)
		}
		_, id, _ := strings.Cut(w.Body.String(), `"id":"`)
		id, _, _ = strings.Cut(id, `"`)
		return id
	}
	patch := func(ops string) string {
		return `{"Operations":[` + ops + `]}`
	}
	// Groups are counted by now, as an hour after the first version that does that.
	counting := table.Item{Key: table.Key{Partition: "GROUPS", Sort: "count"}, Numbers: map[string]int64{"at": time.Now().Add(-2 * time.Hour).UnixMilli()}}
	if err := g.Table.Write(ctx, table.Write{Put: &counting}); err != nil {
		t.Fatal(err)
	}
	ann := send(http.StatusCreated, "POST", "/Users", `{"userName":"ann@corp.example","externalId":"A1"}`)
	bob := send(http.StatusCreated, "POST", "/Users", `{"userName":"bob@corp.example","externalId":"B1"}`)
	conn := directory.Connection{ID: directory.NewConnectionID(time.Now()), Status: directory.StatusActive, Epoch: 1}
	conn.Settings.Manager.Export = true
	if err := parts.Store.Connections.CreateConnection(ctx, directory.AuditEvent{}, &conn); err != nil {
		t.Fatal(err)
	}
	u, err := parts.Store.Users.User(ctx, directory.UserID(ann))
	if err != nil {
		t.Fatal(err)
	}
	if err := parts.Store.Bindings.Bind(ctx, directory.AuditEvent{}, &conn, "ada", []store.Selection{{User: &u}}); err != nil {
		t.Fatal(err)
	}
	group := send(http.StatusCreated, "POST", "/Groups", `{"displayName":"Eng","externalId":"G1","members":[{"value":"`+bob+`"}]}`)
	if err := parts.Store.Groups.SetUsed(ctx, directory.GroupID(group), conn.ID, true); err != nil {
		t.Fatal(err)
	}
	for i := range 2 { // the first makes the record of the manager, the second marks it
		send(http.StatusOK, "PATCH", "/Users/"+ann, patch(fmt.Sprintf(`{"op":"replace","value":{"userName":"ann.%d@corp.example","externalId":"A%d","nickName":"A"}},{"op":"%s","path":"manager","value":"%s"}`, i, i, []string{"add", "remove"}[i], bob)))
	}
	send(http.StatusOK, "PATCH", "/Users/"+ann, patch(`{"op":"replace","path":"nickName","value":"B"}`))
	send(http.StatusOK, "PATCH", "/Groups/"+group, patch(`{"op":"replace","path":"externalId","value":"G0"}`))
	send(http.StatusOK, "PATCH", "/Groups/"+group, patch(`{"op":"replace","value":{"displayName":"E","externalId":"G2"}},{"op":"add","path":"members","value":[{"value":"`+ann+`"}]},{"op":"remove","path":"members[value eq \"`+bob+`\"]"}`))
	for _, of := range []string{"/Users?count=1", "/Users?count=1&startIndex=2", `/Users?filter=externalId+eq+"B1"`, `/Users?filter=userName+eq+"bob@corp.example"`, `/Users?filter=emails.value+eq+"bob@corp.example"`,
		"/Users?filter=title+pr", "/Users/" + bob + "?attributes=groups", "/Groups", `/Groups?filter=displayName+eq+"E"`, "/Groups/" + group, "/Schemas"} {
		send(http.StatusOK, "GET", of, "")
	}
	send(http.StatusOK, "PATCH", "/Users/"+ann, patch(`{"op":"replace","path":"active","value":false}`))
	send(http.StatusNoContent, "DELETE", "/Users/"+bob, "")
	send(http.StatusCreated, "POST", "/Users", `{"userName":"bob.b@corp.example","externalId":"B1"}`)
	other, err := core.ScimClients.Create(ctx, ada, provision.ClientEdit{Name: new("Entra")})
	if err != nil {
		t.Fatal(err)
	}
	_, others, err := core.ScimClients.NewToken(ctx, ada, other.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	first, own := client.ID, token
	client.ID, token = other.ID, others // which has an externalId of its own for each
	send(http.StatusOK, "PATCH", "/Groups/"+group, patch(`{"op":"replace","path":"externalId","value":"E1"}`))
	client.ID, token = first, own
	inner := send(http.StatusCreated, "POST", "/Groups", `{"displayName":"Inner"}`)
	send(http.StatusOK, "PATCH", "/Groups/"+group, patch(`{"op":"add","path":"members","value":[{"value":"`+inner+`","type":"Group"}]}`))
	send(http.StatusOK, "PUT", "/Groups/"+inner, `{"displayName":"Inside","members":[{"value":"`+ann+`"}]}`)
	send(http.StatusNoContent, "DELETE", "/Groups/"+inner, "")
	send(http.StatusNoContent, "DELETE", "/Groups/"+group, "")
	send(http.StatusCreated, "POST", "/Groups", `{"displayName":"E","externalId":"G2"}`)
	send(http.StatusCreated, "POST", "/Users", `{"userName":"ann.c@corp.example","externalId":"A1"}`) // suspended since
	send(http.StatusNoContent, "DELETE", "/Users/"+ann, "")
	if _, err := core.ScimClients.Edit(ctx, ada, client.ID, provision.ClientEdit{OwnOnly: new(true)}, 0); err != nil {
		t.Fatal(err)
	}
	send(http.StatusOK, "GET", "/Users", "")
	if len(g.refused) > 0 {
		t.Errorf("the role lets scim not: %v", g.refused)
	}
	reads := []string{"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"}
	read := map[partRight]bool{} // of what is read in one way, the other two say no more
	for right, used := range rights {
		if right.resource == "Table" && slices.Contains(reads, right.action) {
			right.action = "read"
		}
		read[right] = read[right] || used
	}
	for right, used := range read {
		if !used {
			t.Errorf("scim may %s on %s of %s, and never does", right.action, right.pattern, right.resource)
		}
	}
}
