package admin

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A token is shown once, and nowhere else; what is edited is seen at once.
func TestScimClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.want(422, "invalid-scim-client", "POST", "/v1/scim-clients", `{"name":""}`)
	w.want(422, "invalid-scim-client", "POST", "/v1/scim-clients", `{"name":"Okta","mapping":[{"schema":"urn:x","attribute":"a","path":"email"}]}`)
	w.want(422, "invalid-scim-client", "POST", "/v1/scim-clients", `{"name":"Okta","provider":"octa"}`)
	a := w.want(201, "", "POST", "/v1/scim-clients", `{"name":"Okta","ownOnly":true,"provider":"okta"}`)
	id, path := a.text("id"), "/v1/scim-clients/"+a.text("id")
	if a.text("basePath") != "/scim/"+id+"/v2" || a.header.Get("Location") != path || a.body["ownOnly"] != true || a.body["strict"] != false {
		t.Errorf("%s, %v", a.raw, a.header)
	}
	w.want(412, "version-mismatch", "PATCH", path, `{"paused":true}`, "If-Match", `"7"`)
	if a = w.want(200, "", "PATCH", path, `{"paused":true}`, "If-Match", a.header.Get("ETag")); a.body["paused"] != true || a.text("name") != "Okta" {
		t.Errorf("%s", a.raw)
	}
	w.want(400, "invalid-body", "PATCH", path, `{"shoe":true}`)
	for app, want := range map[string]string{`"app"`: "/scim/" + id + "/oauth/v2", `""`: ""} {
		w.want(200, "", "PATCH", path, `{"oauthClientId":`+app+`}`)
		if a := w.want(200, "", "GET", path, ""); a.text("oauthBasePath") != want || a.text("basePath") != "/scim/"+id+"/v2" {
			t.Errorf("of the app %s: %s", app, a.raw)
		}
	}

	issued := w.want(201, "", "POST", path+"/tokens", "")
	token := issued.text("token")
	if !strings.HasPrefix(token, "bsc_") || strings.Contains(issued.raw, "hash") {
		t.Errorf("%s", issued.raw)
	}
	w.want(400, "invalid-body", "POST", path+"/tokens", `{"days":0}`)
	for _, read := range []string{path, path + "/tokens", "/v1/scim-clients", path + "/requests", "/v1/activity"} {
		if a := w.want(200, "", "GET", read, ""); strings.Contains(a.raw, token) || strings.Contains(a.raw, token[len(token)-30:]) || strings.Contains(a.raw, "hash") {
			t.Errorf("%s shows a token: %s", read, a.raw)
		}
	}
	if a := w.want(200, "", "GET", "/v1/scim-clients", ""); !strings.Contains(a.raw, `"tokens":{"alive":1,"expires":"20`) || !strings.Contains(a.raw, `"provider":"okta"`) {
		t.Errorf("%s", a.raw)
	}
	w.want(200, "", "GET", path+"/requests?only=refused", "")
	if a := w.do("GET", path+"/requests?only=odd", ""); a.status < 400 {
		t.Errorf("%d %s", a.status, a.raw)
	}
	var list struct {
		Items []struct{ ID, Revoked string }
	}
	if a = w.want(200, "", "DELETE", path+"/tokens/"+issued.text("id"), ""); a.text("revoked") == "" {
		t.Errorf("%s", a.raw)
	}
	if err := json.Unmarshal([]byte(w.want(200, "", "GET", path+"/tokens", "").raw), &list); err != nil || len(list.Items) != 1 || list.Items[0].Revoked == "" {
		t.Errorf("%+v, %v", list, err)
	}
	if a = w.want(200, "", "GET", path, ""); !strings.Contains(a.raw, `"scim-client-paused"`) {
		t.Errorf("%s", a.raw)
	}
	var needs struct {
		Items []struct{ Urgency, Code, ScimClientID, ScimClientName, ConnectionID string }
	}
	paused := w.want(200, "", "GET", "/v1/attention", "")
	if err := json.Unmarshal([]byte(paused.raw), &needs); err != nil || len(needs.Items) != 1 || needs.Items[0].Urgency != "waiting" || needs.Items[0].ScimClientID != id || needs.Items[0].ScimClientName != "Okta" {
		t.Errorf("%s, %v", paused.raw, err)
	}
	w.want(304, "", "GET", "/v1/attention", "", "If-None-Match", paused.header.Get("ETag"))
	if a = w.want(200, "", "GET", "/v1/attention?urgency=decide", ""); strings.Contains(a.raw, "scim") {
		t.Errorf("%s", a.raw)
	}
	if a := w.want(422, "invalid-scim-client", "PATCH", path, `{"silentDays":91,"name":""}`); !strings.Contains(a.raw, "must be 0 to 90") || !strings.Contains(a.raw, "1 to 100 characters") {
		t.Errorf("not all faults are told at once: %s", a.raw)
	}
	w.want(422, "invalid-scim-client", "POST", "/v1/scim-clients", `{"name":"okta"}`)
	w.want(200, "", "PATCH", path, `{"paused":false,"silentDays":0}`)
	if a = w.want(200, "", "GET", path, ""); !strings.Contains(a.raw, `"scim-token-ended"`) {
		t.Errorf("%s", a.raw)
	}
	w.want(404, "scim-client-not-found", "GET", "/v1/scim-clients/scm_x", "")
	w.want(404, "scim-token-not-found", "DELETE", path+"/tokens/sct_x", "")
	w.want(204, "", "DELETE", path, "")
	w.want(404, "scim-client-not-found", "GET", path, "")
	w.want(404, "scim-client-not-found", "POST", path+"/tokens", "")
	w.want(404, "scim-client-not-found", "GET", path+"/requests", "")
}

// What a client has changed is taken back as a job, by who may set clients up and write
// people, and only while the client may not push.
func TestTakeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/v1/scim-clients/" + w.want(201, "", "POST", "/v1/scim-clients", `{"name":"Okta"}`).text("id")
	since := func(d time.Duration, more string) string {
		return fmt.Sprintf(`{"since":%q%s}`, w.now().Add(d).Format(time.RFC3339), more)
	}
	today := since(-time.Hour, "")
	for _, scopes := range []string{ScopeAdmin, ScopeWrite, ScopeRead + " " + ScopeApprove, ScopeAdmin + " " + ScopeRead} {
		w.wantAs(map[string]string{"sub": "ada", "scope": scopes}, 403, "scope-missing", "POST", path+"/take-back", today)
	}
	w.wantAs(map[string]string{"sub": "okta", "scope": everything + " bindery/source.scim"}, 403, "source-token", "POST", path+"/take-back", today)
	w.want(409, "scim-client-not-paused", "POST", path+"/take-back", today)
	w.want(422, "invalid-since", "POST", path+"/take-back", since(time.Hour, ""))
	w.want(422, "invalid-since", "POST", path+"/take-back", since(-500*24*time.Hour, ""))
	w.want(400, "invalid-body", "POST", path+"/take-back", `{}`)
	w.want(400, "invalid-body", "POST", path+"/take-back", `{"since":"yesterday"}`)
	w.want(400, "invalid-body", "POST", path+"/take-back", "")
	w.want(404, "scim-client-not-found", "POST", "/v1/scim-clients/scc_none/take-back", today)

	dry := w.want(202, "", "POST", path+"/take-back", since(-time.Hour, `,"dryRun":true`))
	if dry.text("kind") != "check-take-back" || dry.header.Get("Location") != "/v1/jobs/"+dry.text("id") || w.want(200, "", "GET", path, "").body["paused"] != false {
		t.Errorf("%s", dry.raw)
	}
	both := map[string]string{"sub": "ada", "scope": ScopeAdmin + " " + ScopeWrite}
	done := w.wantAs(both, 202, "", "POST", path+"/take-back", since(-time.Hour, `,"pause":true`))
	if done.text("kind") != "take-back" || done.text("askedBy") != "ada" || w.want(200, "", "GET", path, "").body["paused"] != true {
		t.Errorf("%s", done.raw)
	}
	w.want(200, "", "GET", "/v1/jobs/"+done.text("id"), "")
	w.want(202, "", "POST", path+"/take-back", today)
	if acts := w.want(200, "", "GET", "/v1/activity", ""); !strings.Contains(acts.raw, `"take-back"`) || !strings.Contains(acts.raw, "Okta") {
		t.Errorf("%s", acts.raw)
	}
}
