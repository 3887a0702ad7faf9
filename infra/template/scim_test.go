package template

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/api/scim"
	"bindery/shared/boot/app"
	"bindery/shared/core/provision"
	"bindery/shared/directory"
	"bindery/shared/platform/vault"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

// Scim does everything that it does with the rights of its role: the partitions of
// LeadingKeys, and none of them in vain.
func TestScimKeys(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	g := &guarded{Table: memory.New(), Memory: &vault.Memory{}, rights: rightsOf(t, tmpl, "ScimRole", "ScimLogs"), seen: map[string]bool{}}
	statements, _ := At(tmpl.Resources, "ScimRole", "Properties", "Policies", 0, "PolicyDocument", "Statement").([]any)
	for _, s := range statements {
		keys := At(s, "Condition", "ForAllValues:StringLike", "dynamodb:LeadingKeys")
		if keys == nil {
			if strings.HasPrefix(resourceName(At(s, "Resource"), ""), "Table") {
				t.Errorf("scim has %v on all partitions", At(s, "Action"))
			}
			continue
		}
		g.keys = append(g.keys, list(keys)...)
		if slices.Contains(list(keys), any("C#*")) && !slices.Equal(list(At(s, "Action")), []any{"dynamodb:Query", "dynamodb:UpdateItem"}) {
			t.Errorf("scim may %v connections", At(s, "Action"))
		}
	}
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
	send := func(status int, method, path, body string) string {
		t.Helper()
		g.on = true
		defer func() { g.on = false }()
		r := httptest.NewRequestWithContext(ctx, method, "/scim/"+string(client.ID)+"/v2"+path, bytes.NewReader([]byte(body)))
		r.Header.Set("Authorization", "Bearer "+token.Reveal())
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != status {
			t.Fatalf("%s %s %s: %d %s", method, path, body, w.Code, w.Body)
		}
		_, id, _ := strings.Cut(w.Body.String(), `"id":"`)
		id, _, _ = strings.Cut(id, `"`)
		return id
	}
	patch := func(ops string) string {
		return `{"Operations":[` + ops + `]}`
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
	send(http.StatusOK, "PATCH", "/Groups/"+group, patch(`{"op":"replace","value":{"displayName":"E","externalId":"G2"}},{"op":"add","path":"members","value":[{"value":"`+ann+`"}]},{"op":"remove","path":"members[value eq \"`+bob+`\"]"}`))
	for _, path := range []string{"/Users?count=1", "/Users?count=1&startIndex=2", `/Users?filter=externalId+eq+"B1"`, `/Users?filter=userName+eq+"bob@corp.example"`, `/Users?filter=emails.value+eq+"bob@corp.example"`,
		"/Users?filter=title+pr", "/Users/" + bob + "?attributes=groups", "/Groups", `/Groups?filter=displayName+eq+"E"`, "/Groups/" + group, "/Schemas"} {
		send(http.StatusOK, "GET", path, "")
	}
	send(http.StatusOK, "PATCH", "/Users/"+ann, patch(`{"op":"replace","path":"active","value":false}`))
	send(http.StatusNoContent, "DELETE", "/Users/"+bob, "")
	send(http.StatusCreated, "POST", "/Users", `{"userName":"bob.b@corp.example","externalId":"B1"}`)
	send(http.StatusNoContent, "DELETE", "/Groups/"+group, "")
	own := true
	if _, err := core.ScimClients.Edit(ctx, ada, client.ID, provision.ClientEdit{OwnOnly: &own}, 0); err != nil {
		t.Fatal(err)
	}
	send(http.StatusOK, "GET", "/Users", "")
	if len(g.refused) > 0 {
		t.Errorf("the role lets scim not: %v", g.refused)
	}
	for _, pattern := range g.keys {
		if kind := strings.TrimSuffix(fmt.Sprint(pattern), "#*"); !g.seen[kind] {
			t.Errorf("scim may touch %v and never does", pattern)
		}
	}
}
