package admin

import (
	"encoding/csv"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"context"

	"bindery/shared/directory"
)

// form sends a GET with all scopes whose answer need not be JSON.
func (w *world) form(path, accept string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), "GET", path, nil)
	r.Header.Set("Accept", accept)
	r = r.WithContext(context.WithValue(r.Context(), tokenKey{}, map[string]string{"sub": "admin", "scope": everything}))
	rec := httptest.NewRecorder()
	w.http.ServeHTTP(rec, r)
	return rec
}

// kinds lists the kinds of acts that the API reports, sorted: the test's clock
// stands still.
func (w *world) kinds(query string) []string {
	w.t.Helper()
	var list []string
	items, _ := w.want(200, "", "GET", "/v1/activity?"+query, "").body["items"].([]any)
	for _, it := range items {
		e := it.(map[string]any)
		list = append(list, e["kind"].(string)+" by "+e["by"].(string))
	}
	slices.Sort(list)
	return list
}

func TestActsOfTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user(`{"email":"ann@corp.example","givenName":"Ann","familyName":"Example"}`)
	w.want(200, "", "PATCH", "/v1/users/"+ann, `{"department":"Sales"}`)
	w.want(200, "", "POST", "/v1/users/"+ann+"/suspend", "")
	w.want(200, "", "POST", "/v1/users/"+ann+"/restore", "") // nothing to be done, nothing to tell
	if a := w.do("PATCH", "/v1/users/"+ann, `{"nobody":"knows"}`); a.status < 400 {
		t.Errorf("an unknown attribute = %d", a.status)
	}
	conn := "/v1/connections/" + string(w.conn.ID)
	w.want(200, "", "PATCH", conn, `{"settings":{"interval":"1h"}}`)
	w.want(200, "", "POST", conn+"/bindings", `{"userIds":["`+ann+`"]}`)
	w.want(202, "", "POST", conn+"/runs", `{"dryRun":true}`)
	w.want(204, "", "DELETE", conn+"/bindings/"+ann+"?then=keep", "")
	w.want(202, "", "POST", conn+"/bindings", `{"all":true}`)
	w.want(404, "not-found", "PATCH", "/v1/connections/con_none", `{"name":"x"}`)
	ad := map[string]string{"sub": "bridge", "scope": ScopeWrite + " bindery/source.ad"}
	if a := w.as(ad, "POST", "/v1/users", `{"email":"bob@corp.example","givenName":"Bob","familyName":"Example"}`); a.status != 201 {
		t.Fatal(a.raw)
	}
	if got, want := w.kinds("userId="+ann), []string{"bind by admin", "create-user by admin", "edit-user by admin", "release by admin", "suspend-user by admin"}; !slices.Equal(got, want) {
		t.Errorf("of the user = %q, want %q", got, want)
	}
	if got, want := w.kinds("connectionId="+string(w.conn.ID)), []string{"bind by admin", "bind by admin", "edit-connection by admin", "release by admin", "start-run by admin"}; !slices.Equal(got, want) {
		t.Errorf("of the connection = %q, want %q", got, want)
	}
	if got := w.kinds("effect=create-user"); !slices.Equal(got, []string{"create-user by admin", "create-user by bridge"}) {
		t.Errorf("of a kind = %q", got)
	}
	group := w.want(201, "", "POST", "/v1/groups", `{"name":"Crew"}`).text("id")
	w.want(200, "", "POST", "/v1/groups/"+group+"/members", `{"userIds":["`+ann+`"]}`)
	if a := w.as(ad, "POST", "/v1/groups", `{"name":"Bridged"}`); a.status != 201 {
		t.Fatal(a.raw)
	}
	if got, want := w.kinds("byHand=true"), []string{"add-members by admin", "create-group by admin", "create-user by admin", "edit-user by admin", "suspend-user by admin"}; !slices.Equal(got, want) {
		t.Errorf("by hand = %q, want %q", got, want)
	}
	if got := w.kinds("byHand=true&effect=edit-user&userId=" + ann); !slices.Equal(got, []string{"edit-user by admin"}) {
		t.Errorf("edits by hand of the user = %q", got)
	}
	edit := w.want(200, "", "GET", "/v1/activity?effect=edit-connection", "").body["items"].([]any)[0].(map[string]any)
	change := edit["properties"].([]any)[0].(map[string]any)
	if change["name"] != "settings.interval" || change["before"] != nil || change["after"] != `"1h0m0s"` {
		t.Errorf("edit = %v", edit)
	}
	if got := w.kinds("until=2000-01-01"); len(got) != 0 {
		t.Errorf("long ago = %q", got)
	}
	if got := w.kinds("since=2000-01-01T00:00:00Z&effect=suspend-user"); len(got) != 1 {
		t.Errorf("since long ago = %q", got)
	}
}

func TestActivityRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, code := range map[string]string{
		"/v1/activity?since=yesterday":                            "invalid-parameter",
		"/v1/activity?until=1960-01-01":                           "invalid-parameter",
		"/v1/activity?since=2026-01-02&until=2026-01-01":          "invalid-parameter",
		"/v1/activity?next=nonsense":                              "invalid-cursor",
		"/v1/activity?limit=0":                                    "invalid-parameter",
		"/v1/activity?user=x":                                     "invalid-parameter",
		"/v1/activity/summary?since=x":                            "invalid-parameter",
		"/v1/activity/links?next=0.1":                             "invalid-parameter",
		"/v1/activity/links?next=MC4x":                            "invalid-cursor",
		"/v1/connections/" + string(w.conn.ID) + "/audit?since=x": "invalid-parameter",
		"/v1/connections/" + string(w.conn.ID) + "/audit?next=x":  "invalid-cursor",
	} {
		if a := w.do("GET", path, ""); (a.status != 400 && a.status != 422) || a.text("code") != code {
			t.Errorf("GET %s = %d %s, want %s", path, a.status, a.text("code"), code)
		}
	}
	w.want(404, "not-found", "GET", "/v1/activity?runId=run_none", "")
	w.want(404, "not-found", "GET", "/v1/activity/summary?connectionId=con_none", "")
	w.want(422, "invalid-filter", "GET", "/v1/activity/summary?by=connection&connectionId="+string(w.conn.ID), "")
	w.want(422, "invalid-parameter", "GET", "/v1/activity/summary?by=moon", "")
	w.want(200, "", "GET", "/v1/activity/summary?by=connection", "")
	w.want(404, "not-found", "GET", "/v1/activity/links?chain=con_none", "")
	w.want(404, "not-found", "GET", "/v1/connections/con_none/audit", "")
	w.want(404, "not-found", "POST", "/v1/activity:verify", `{"connectionId":"con_none"}`)
	for _, body := range []string{`{"heads":[{"chain":"acts","seq":0,"hash":"x"}]}`, `{"since":"x"}`, `{"chain":"acts"}`, `[]`} {
		if a := w.do("POST", "/v1/activity:verify", body); a.status != 400 && a.status != 422 {
			t.Errorf("verify %s = %d %s", body, a.status, a.raw)
		}
	}
	a := w.want(200, "", "GET", "/v1/connections/"+string(w.conn.ID)+"/audit", "")
	if problem, _ := a.body["problem"].(map[string]any); a.body["available"] != false || problem["next"] == "" {
		t.Errorf("audit = %s", a.raw)
	}
}

func TestFormsOfTheReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"ann", "bob", "cem"} {
		w.user(`{"email":"` + name + `@corp.example","givenName":"=1+1","familyName":"Example"}`)
	}
	for _, c := range []struct{ accept, want string }{
		{"", "application/json"}, {"*/*", "application/json"}, {"text/html, text/csv;q=0.5", csvType}, {"text/csv, application/json;q=0.9", csvType},
		{"text/csv;q=0.1, application/json", "application/json"}, {"application/x-ndjson", linesType}, {"nonsense", "application/json"},
	} {
		if got := w.form("/v1/activity", c.accept).Header().Get("Content-Type"); got != c.want {
			t.Errorf("Accept %q answers %q, want %q", c.accept, got, c.want)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(w.form("/v1/activity", "text/csv").Body.String())).ReadAll()
	if err != nil || len(rows) != 4 || rows[0][0] != "at" || rows[1][1] != "create-user" {
		t.Errorf("CSV = %q, %v", rows, err)
	}
	// JSON lines, page by page as the header says.
	var ids []string
	for target := "/v1/activity?limit=1&effect=create-user"; target != ""; {
		rec := w.form(target, "application/x-ndjson")
		for line := range strings.Lines(rec.Body.String()) {
			var e struct{ ID string }
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("line %q: %v", line, err)
			}
			ids = append(ids, e.ID)
		}
		next, _, _ := strings.Cut(strings.TrimPrefix(rec.Header().Get("Link"), "<"), ">")
		if u, err := url.Parse(next); err != nil || next != "" && u.Query().Get("effect") != "create-user" {
			t.Fatalf("Link %q", next)
		}
		target = next
	}
	if slices.Sort(ids); len(slices.Compact(ids)) != 3 {
		t.Errorf("lines of all pages = %q", ids)
	}
	if got := w.form("/v1/activity/summary", "text/csv"); got.Header().Get("Content-Type") != csvType || !strings.HasPrefix(got.Body.String(), "day,effect,state,count") {
		t.Errorf("summary = %q", got.Body)
	}
	j := w.want(202, "", "POST", "/v1/activity:verify", "")
	if j.text("kind") != string(directory.JobVerify) || j.header.Get("Location") != "/v1/jobs/"+j.text("id") {
		t.Errorf("verify = %s", j.raw)
	}
}
