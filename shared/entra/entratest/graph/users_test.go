package graph

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/entra/entratest/state"
)

func TestCreateIsRefused(t *testing.T) {
	t.Parallel()
	const conflict = "400 Request_BadRequest ObjectConflict/userPrincipalName"
	const proxy = "400 Request_BadRequest ObjectConflict/proxyAddresses ConflictingObjects/proxyAddresses"
	tests := []struct {
		name   string
		change map[string]any // nil: the member is left out
		want   string
	}{
		{"no displayName", map[string]any{"displayName": nil}, "400 Request_BadRequest"},
		{"no accountEnabled", map[string]any{"accountEnabled": nil}, "400 Request_BadRequest"},
		{"no password", map[string]any{"passwordProfile": map[string]any{}}, "400 Request_BadRequest"},
		{"weak password", map[string]any{"passwordProfile": map[string]any{"password": "alllowercase"}}, "400 Request_BadRequest InvalidValue/password"},
		{"banned password", map[string]any{"passwordProfile": map[string]any{"password": "Passw0rd!"}}, "400 Request_BadRequest InvalidValue/password"},
		{"name taken in other case", map[string]any{"userPrincipalName": "PLAIN@fabrikam.example"}, conflict},
		{"name is an alias", map[string]any{"userPrincipalName": "o'box@fabrikam.example"}, proxy},
		{"name is a group's address", map[string]any{"userPrincipalName": "staff@fabrikam.example"}, proxy},
		{"mail is an alias", map[string]any{"mail": "staff@fabrikam.example"}, proxy},
		{"foreign domain", map[string]any{"userPrincipalName": "a@elsewhere.example"}, "400 Request_BadRequest InvalidValue/userPrincipalName"},
		{"domain not verified", map[string]any{"userPrincipalName": "a@unproven.example"}, "400 Request_BadRequest InvalidValue/userPrincipalName"},
		{"accent in the name", map[string]any{"userPrincipalName": "zoë@fabrikam.example"}, "400 Request_BadRequest InvalidValue/userPrincipalName"},
		{"long local part", map[string]any{"userPrincipalName": strings.Repeat("a", 65) + "@fabrikam.example"}, "400 Request_BadRequest InvalidValue/userPrincipalName"},
		{"federated without anchor", map[string]any{"userPrincipalName": "new@fed.example"}, "400 Request_BadRequest"},
		{"anchor taken", map[string]any{"userPrincipalName": "new@fed.example", "onPremisesImmutableId": "ZmVk"}, "400 Request_BadRequest"},
		{"empty text", map[string]any{"city": ""}, "400 Request_BadRequest InvalidValue/city"},
		{"blank text", map[string]any{"department": "  "}, "400 Request_BadRequest InvalidValue/department"},
		{"employeeId of 17", map[string]any{"employeeId": "12345678901234567"}, "400 Request_BadRequest InvalidLength/employeeId"},
		{"jobTitle of 129", map[string]any{"jobTitle": strings.Repeat("é", 129)}, "400 Request_BadRequest InvalidLength/jobTitle"},
		{"two phones", map[string]any{"businessPhones": []string{"1", "2"}}, "400 Request_BadRequest InvalidValue/businessPhones"},
		{"accent in otherMails", map[string]any{"otherMails": []string{"é@private.example"}}, "400 Request_BadRequest InvalidValue/otherMails"},
		{"country of three letters", map[string]any{"usageLocation": "CHE"}, "400 Request_BadRequest InvalidValue/usageLocation"},
		{"wrong type", map[string]any{"accountEnabled": "true"}, "400 Request_BadRequest"},
		{"unknown property", map[string]any{"shoeSize": "44"}, "400 Request_BadRequest"},
		{"wrong case of a property", map[string]any{"City": "Bern"}, "400 Request_BadRequest"},
		{"read-only property", map[string]any{"proxyAddresses": []string{"SMTP:a@fabrikam.example"}}, "400 Request_BadRequest"},
		{"id", map[string]any{"id": plainID}, "400 Request_BadRequest"},
		{"unknown extension attribute", map[string]any{"onPremisesExtensionAttributes": map[string]any{"extensionAttribute16": "x"}}, "400 Request_BadRequest"},
	}
	l := newLab(t, labOptions{})
	before := len(l.s.Mutations(labTenant))
	for _, tt := range tests {
		body := map[string]any{}
		if err := json.Unmarshal([]byte(newUser("new@fabrikam.example")), &body); err != nil {
			t.Fatal(err)
		}
		for k, v := range tt.change {
			body[k] = v
			if v == nil {
				delete(body, k)
			}
		}
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.do("POST", "/users", string(raw)); got.code() != tt.want {
			t.Errorf("%s: POST /users = %s %q, want %s", tt.name, got.code(), got.message(), tt.want)
		}
	}
	if n := len(l.s.Mutations(labTenant)) - before; n != 0 {
		t.Errorf("refused creations left %d mutations", n)
	}
}

func TestErrorBody(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	got := l.do("POST", "/users", newUser("plain@fabrikam.example"), "client-request-id", "abc")
	e := got.body["error"].(map[string]any)
	const sentence = "Another object with the same value for property userPrincipalName already exists."
	want := []any{map[string]any{"code": "ObjectConflict", "message": sentence, "target": "userPrincipalName"}}
	if e["message"] != sentence || !reflect.DeepEqual(e["details"], want) {
		t.Errorf("error = %v", e)
	}
	inner := e["innerError"].(map[string]any)
	if inner["request-id"] != got.header.Get("request-id") || inner["client-request-id"] != "abc" || got.header.Get("client-request-id") != "abc" {
		t.Errorf("innerError = %v with headers %v", inner, got.header)
	}
	if strings.HasSuffix(state.Text(inner["date"]), "Z") {
		t.Errorf("date = %v, want none with a zone", inner["date"])
	}
	if got := got.header.Get("x-ms-resource-unit"); got != "0" {
		t.Errorf("a refused call cost %s resource units, want 0", got)
	}
}

func TestCreateReadUpdate(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	made := l.want(201, "POST", "/users", newUser("o'neil@fabrikam.example"))
	id := state.Text(made.body["id"])
	if made.header.Get("Location") != labBase+"/v1.0/users/"+id {
		t.Errorf("Location = %q", made.header.Get("Location"))
	}
	if len(made.body) != 12 || made.body["passwordProfile"] != nil || made.body["mail"] != nil {
		t.Errorf("POST /users answered %v, want the eleven default properties", made.body)
	}
	for _, path := range []string{"/users/" + id, "/users/" + strings.ToUpper(id), "/users/o'neil@fabrikam.example", "/users('o''neil@fabrikam.example')", "/users('" + id + "')", "/Users/O'Neil@FABRIKAM.example"} {
		if got := l.unchecked().want(200, "GET", path, ""); got.body["id"] != id {
			t.Errorf("GET %s answered %v", path, got.body["id"])
		}
	}
	patch := `{"@odata.type":"#microsoft.graph.user","city":"Zürich","businessPhones":["+41 44 1"],"employeeOrgData":{"division":"North"},
		"onPremisesExtensionAttributes":{"extensionAttribute3":"x"}}`
	l.want(204, "PATCH", "/users/"+id, patch)
	got := l.want(200, "GET", "/users/"+id+"?$Select=city,businessPhones,employeeOrgData,onPremisesExtensionAttributes,createdDateTime,passwordProfile", "")
	if got.body["city"] != "Zürich" || !reflect.DeepEqual(got.body["employeeOrgData"], map[string]any{"division": "North", "costCenter": nil}) {
		t.Errorf("after the PATCH: %v", got.body)
	}
	attributes := got.body["onPremisesExtensionAttributes"].(map[string]any)
	if len(attributes) != 15 || attributes["extensionAttribute3"] != "x" || attributes["extensionAttribute4"] != nil {
		t.Errorf("extension attributes = %v", attributes)
	}
	l.want(204, "PATCH", "/users/"+id, `{"city":null,"businessPhones":[],"employeeOrgData":{"costCenter":"7"}}`)
	a := l.raw(id)
	if a["city"] != nil || len(listOf(a["businessPhones"])) != 0 || !reflect.DeepEqual(a["employeeOrgData"], map[string]any{"division": nil, "costCenter": "7"}) {
		t.Errorf("after clearing: %v", a)
	}
	var kinds []string
	l.want(204, "PATCH", "/users/"+id, `{"city":null,"businessPhones":[],"mobilePhone":null,"otherMails":[]}`)
	for _, m := range l.s.Mutations(labTenant) {
		kinds = append(kinds, m.Kind)
	}
	if want := []string{"create", "update", "update", "noop"}; !slices.Equal(kinds, want) {
		t.Errorf("mutations = %v, want %v", kinds, want)
	}
}

func TestPatchIsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct{ id, body, want string }{
		{plainID, `{"displayName":null}`, "400 Request_BadRequest InvalidValue/displayName"},
		{plainID, `{"usageLocation":null}`, "400 Request_BadRequest InvalidValue/usageLocation"},
		{plainID, `{"mail":null}`, "400 Request_BadRequest InvalidValue/mail"},
		{plainID, `{"accountEnabled":null}`, "400 Request_BadRequest InvalidValue/accountEnabled"},
		{plainID, `{"id":"` + ownerID + `"}`, "400 Request_BadRequest"},
		{plainID, `{"aboutMe":"x","skills":[]}`, "400 Request_BadRequest"},
		{plainID, `{"createdDateTime":"2020-01-01T00:00:00Z"}`, "400 Request_BadRequest"},
		{plainID, `{"userPrincipalName":"box@fabrikam.example"}`, "400 Request_BadRequest ObjectConflict/userPrincipalName"},
		{plainID, `{"userPrincipalName":"plain@fed.example"}`, "400 Request_BadRequest"},
		{plainID, `[1]`, "400 BadRequest"},
		{plainID, `{"city":`, "400 BadRequest"},
		{fedID, `{"userPrincipalName":"fed@fed2.example"}`, "400 Request_BadRequest InvalidValue/userPrincipalName"},
		{fedID, `{"passwordProfile":{"password":"Tr0ub4dor&3-x"}}`, "400 Request_BadRequest InvalidValue/passwordProfile"},
		{syncedID, `{"jobTitle":"x"}`, "400 Request_BadRequest"},
		{syncedID, `{"accountEnabled":false}`, "400 Request_BadRequest"},
		{"00000000-aaaa-4bbb-8ccc-000000000000", `{"city":"x"}`, "404 Request_ResourceNotFound"},
		{"nobody@fabrikam.example", `{"city":"x"}`, "404 Request_ResourceNotFound"},
	}
	l := newLab(t, labOptions{})
	for _, tt := range tests {
		if got := l.do("PATCH", "/users/"+tt.id, tt.body); got.code() != tt.want {
			t.Errorf("PATCH %s %s = %s, want %s", tt.id, tt.body, got.code(), tt.want)
		}
	}
	if got := l.do("PATCH", "/users/"+syncedID, `{"jobTitle":"x"}`).message(); got != "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration." {
		t.Errorf("synced account: %q", got)
	}
	l.want(204, "PATCH", "/users/"+syncedID, `{"usageLocation":"CH"}`)
	l.want(204, "PATCH", "/users/"+plainID, `{"id":"`+plainID+`","userPrincipalName":"Plain@fabrikam.example"}`)
}

func TestRenameKeepsTheOldAddress(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	l.want(204, "PATCH", "/users/"+mailboxID, `{"userPrincipalName":"crate@fabrikam.example"}`)
	a := l.raw(mailboxID)
	want := []any{"SMTP:crate@fabrikam.example", "smtp:box@fabrikam.example", "smtp:o'box@fabrikam.example"}
	if !reflect.DeepEqual(a["proxyAddresses"], want) || a["mail"] != "crate@fabrikam.example" {
		t.Errorf("proxyAddresses = %v, mail %v, want %v", a["proxyAddresses"], a["mail"], want)
	}
	l.want(204, "PATCH", "/users/"+plainID, `{"userPrincipalName":"plainer@fabrikam.example"}`)
	if a := l.raw(plainID); a["proxyAddresses"] != nil || a["mail"] != nil {
		t.Errorf("an account without a mailbox got addresses: %v", a)
	}
	if got := l.do("POST", "/users", newUser("box@fabrikam.example")); got.status != 400 {
		t.Errorf("the old address is free: %d", got.status)
	}
	l.want(201, "POST", "/users", newUser("plain@fabrikam.example"))
}

func TestRights(t *testing.T) {
	t.Parallel()
	type row struct {
		who    string
		scopes []string
		method string
		path   string
		body   string
		want   int
	}
	block, title := `{"accountEnabled":false}`, `{"jobTitle":"x"}`
	write := []string{"User.ReadWrite.All"}
	tests := []row{
		{userAdmID, write, "PATCH", plainID, block, 204},
		{userAdmID, write, "PATCH", helpID, block, 204},
		{userAdmID, write, "PATCH", globalID, block, 403},
		{userAdmID, write, "PATCH", globalID, title, 204}, // an ordinary property of an administrator
		{userAdmID, write, "PATCH", authID, block, 403},
		{userAdmID, write, "PATCH", ownerID, block, 403}, // owns a role-assignable group
		{userAdmID, write, "PATCH", ownerID, `{"jobTitle":"x","mobilePhone":"1"}`, 403},
		{userAdmID, write, "PATCH", plainID, `{"passwordProfile":{"password":"Tr0ub4dor&3-x"}}`, 403},
		{userAdmID, []string{"User-PasswordProfile.ReadWrite.All"}, "PATCH", plainID, `{"passwordProfile":{"password":"Tr0ub4dor&3-x"}}`, 204},
		{userAdmID, []string{"User.ReadUpdate.All"}, "PATCH", plainID, title, 204},
		{userAdmID, []string{"User.ReadUpdate.All"}, "PATCH", plainID, block, 403},
		{userAdmID, []string{"User.EnableDisableAccount.All", "User.Read.All"}, "PATCH", plainID, block, 204},
		{userAdmID, []string{"User.EnableDisableAccount.All"}, "PATCH", plainID, block, 403},
		{authID, write, "PATCH", plainID, block, 204},
		{authID, write, "PATCH", authID, block, 204},
		{authID, write, "PATCH", helpID, block, 401}, // it has just blocked itself
		{helpID, write, "PATCH", plainID, block, 401},
		{plainID, write, "PATCH", ownerID, title, 401},
		{globalID, write, "PATCH", plainID, `{"accountEnabled":true}`, 204},
		{plainID, write, "PATCH", ownerID, title, 403},
		{plainID, []string{"User.Read.All"}, "GET", ownerID, "", 200},
		{plainID, []string{"User.Read"}, "GET", plainID, "", 200},
		{plainID, []string{"User.Read"}, "GET", ownerID, "", 403},
		{userAdmID, write, "DELETE", globalID, "", 403},
		{userAdmID, []string{"User.Read.All"}, "DELETE", plainID, "", 403},
		{userAdmID, write, "DELETE", plainID, "", 204},
	}
	l := newLab(t, labOptions{})
	for i, tt := range tests {
		got := l.as(tt.who, tt.scopes...).do(tt.method, "/users/"+tt.path, tt.body)
		if got.status != tt.want {
			t.Errorf("row %d: %s %s %s as %s with %v = %d %s, want %d", i, tt.method, tt.path, tt.body, tt.who, tt.scopes, got.status, got.raw, tt.want)
		}
		if tt.want == 403 && (got.code() != "403 Authorization_RequestDenied" || got.message() != "Insufficient privileges to complete the operation.") {
			t.Errorf("row %d: the refusal is %s", i, got.raw)
		}
	}
}

func TestAccessTokens(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	none := *l
	none.bearer = ""
	if got := none.do("GET", "/me", ""); got.status != 401 || got.message() != "Access token is empty." || !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer ") {
		t.Errorf("without a token: %d %s", got.status, got.raw)
	}
	none.bearer = "nonsense"
	if got := none.do("GET", "/me", ""); got.code() != "401 InvalidAuthenticationToken" {
		t.Errorf("with nonsense: %s", got.raw)
	}
	admin := l.as(userAdmID)
	if err := l.s.EditAccount(labTenant, userAdmID, map[string]any{"accountEnabled": false}); err != nil {
		t.Fatal(err)
	}
	admin.want(401, "GET", "/me", "")
	if err := l.s.kept.Advance(366 * 24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := l.do("GET", "/me", ""); got.message() != "Lifetime validation failed, the token is expired." {
		t.Errorf("expired: %s", got.raw)
	}
}

func TestDeleteAndRestore(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	l.want(204, "DELETE", "/users/"+mailboxID, "")
	l.want(404, "GET", "/users/"+mailboxID, "")
	l.want(404, "DELETE", "/users/"+mailboxID, "")
	list := l.want(200, "GET", "/directory/deleteditems/graph.user?$select=id,userPrincipalName,deletedDateTime", "")
	if ids := list.ids(); !slices.Equal(ids, []string{mailboxID}) {
		t.Fatalf("deleted items = %v", ids)
	}
	if got := list.body["value"].([]any)[0].(map[string]any)["userPrincipalName"]; got != strings.ReplaceAll(mailboxID, "-", "")+"box@fabrikam.example" {
		t.Errorf("the deleted account is called %v", got)
	}
	l.want(200, "GET", "/directory/deletedItems/"+mailboxID, "")
	l.unchecked().want(200, "GET", "/directory/deletedItems/"+mailboxID+"/microsoft.graph.user", "")
	other := l.create("box@fabrikam.example") // the name is free now
	if got := l.do("POST", "/directory/deletedItems/"+mailboxID+"/restore", ""); got.code() != "400 Request_BadRequest ObjectConflict/userPrincipalName" {
		t.Errorf("restoring onto a taken name = %s", got.code())
	}
	l.want(400, "POST", "/directory/deletedItems/"+mailboxID+"/restore", `{"newUserPrincipalName":"box2@fabrikam.example"}`)
	restored := l.want(200, "POST", "/directory/deletedItems/"+mailboxID+"/microsoft.graph.restore", `{"newUserPrincipalName":"box2@fabrikam.example","autoReconcileProxyConflict":true}`)
	if restored.body["userPrincipalName"] != "box2@fabrikam.example" {
		t.Errorf("restored = %v", restored.body)
	}
	if a := l.raw(mailboxID); !reflect.DeepEqual(a["proxyAddresses"], []any{"smtp:o'box@fabrikam.example"}) {
		t.Errorf("addresses after restoring = %v", a["proxyAddresses"])
	}
	l.want(204, "DELETE", "/users/"+other, "")
	l.want(204, "DELETE", "/directory/deletedItems/"+other, "")
	l.want(404, "POST", "/directory/deletedItems/"+other+"/restore", "")
	l.want(204, "DELETE", "/users/"+plainID, "")
	if err := l.s.kept.Advance(30 * 24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	l.want(404, "POST", "/directory/deletedItems/"+plainID+"/restore", "")
}

func TestRevokeSessions(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	got := l.want(200, "POST", "/users/"+plainID+"/revokeSignInSessions", "")
	if got.body["value"] != true || got.body["@odata.context"] != labBase+"/v1.0/$metadata#Edm.Boolean" {
		t.Errorf("revokeSignInSessions = %s", got.raw)
	}
	l.want(200, "POST", "/me/microsoft.graph.revokeSignInSessions()", "")
	if l.s.object(plainID).Revocations != 1 {
		t.Error("the revocation was not counted")
	}
}

func TestGzipBody(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	fmt.Fprint(z, `{"city":"Bern"}`)
	z.Close()
	l.want(204, "PATCH", "/users/"+plainID, b.String(), "Content-Encoding", "gzip")
	if l.raw(plainID)["city"] != "Bern" {
		t.Error("the packed body was not read")
	}
	l.want(400, "PATCH", "/users/"+plainID, "{}", "Content-Encoding", "gzip")
}

func TestTenantInPath(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	l.want(200, "GET", "/"+labTenant+"/users/"+plainID, "")
	l.want(200, "GET", "/myorganization/users/"+plainID, "")
	l.want(403, "GET", "/"+plainID+"/users", "")
	if got := l.unchecked().do("GET", "/nowhere", ""); got.status != http.StatusBadRequest {
		t.Errorf("GET /nowhere = %d", got.status)
	}
	l.want(405, "POST", "/organization", `{}`)
}
