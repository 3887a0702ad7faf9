package admin

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"bindery/shared/directory"
)

// TestEveryParameterIsBounded holds the description to what refusing by it needs:
// each text has a length, each list a number of elements.
func TestEveryParameterIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := 0
	for path, item := range w.api.huma.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			for _, p := range op.Parameters {
				seen++
				s := resolve(w.api.huma.OpenAPI().Components.Schemas, p.Schema)
				if s.Type == huma.TypeArray {
					if s.MaxItems == nil {
						t.Errorf("%s %s: the list %s has no bound", op.Method, path, p.Name)
					}
					s = resolve(w.api.huma.OpenAPI().Components.Schemas, s.Items)
				}
				if s.Type == huma.TypeString && s.MaxLength == nil && len(s.Enum) == 0 {
					t.Errorf("%s %s: the text %s has no bound", op.Method, path, p.Name)
				}
			}
		}
	}
	if seen < 100 {
		t.Errorf("%d parameters", seen)
	}
}

func TestWhatIsNoTextIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := "/v1/connections/" + string(w.conn.ID)
	run := w.want(202, "", "POST", conn+"/runs", `{"dryRun":true}`).text("id")
	for _, hostile := range []string{"\x00", "a\x1fb", "\x7f", "\u0085", "\xff", "\xc3\x28", "\xed\xa0\x80", "\U0010FFFF", "\uFDD0"} {
		q := url.QueryEscape(hostile)
		for _, path := range []string{
			"/v1/users?next=" + q, "/v1/users?text=" + q, "/v1/users?email=" + q, "/v1/users?" + q + "=x", "/v1/connections?next=" + q,
			conn + "/accounts?filter=" + q, conn + "/accounts?next=" + q, conn + "/bindings?next=" + q, conn + "/runs?next=" + q,
			conn + "/problems/no-license?next=" + q, conn + "/audit?next=" + q,
			"/v1/runs/" + run + "/changes?department=" + q, "/v1/runs/" + run + "/changes?userId=" + q, "/v1/runs/" + run + "/left?next=" + q,
			"/v1/activity?connectionId=" + q, "/v1/activity?userId=" + q, "/v1/activity?effect=" + q, "/v1/activity?runId=" + q, "/v1/activity?next=" + q,
			"/v1/activity/links?chain=" + q, "/v1/activity/summary?connectionId=" + q, "/v1/users/usr_none/explain?connectionId=" + q,
		} {
			w.want(422, "invalid-parameter", "GET", path, "")
		}
		w.want(422, "invalid-parameter", "POST", "/v1/users:load?upload="+q, "")
		w.want(422, "invalid-parameter", "GET", "/v1/users/"+url.PathEscape(hostile), "")
	}
	for _, path := range []string{"/v1/users?text=%zz", "/v1/users?limit=1&limit=2", "/v1/users?text=a;limit=3", "/v1/users?text=" + strings.Repeat("a", 201),
		"/v1/users?next=" + strings.Repeat("A", maxNext+1), "/v1/runs/" + run + "/changes?effect=" + strings.Repeat("update,", 200)} {
		w.want(422, "invalid-parameter", "GET", path, "")
	}
	for _, path := range []string{"/v1//users", "/v1/./users", "/v1/x/../users", "//v1/users", "/v1/users/"} {
		w.want(404, "no-such-route", "GET", path, "")
	}
}

// Package endpoint takes a parameter without a value for one that is not given: a filter that
// was meant to be one would let everything through.
func TestParametersWithoutTheirValueAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := "/v1/connections/" + string(w.conn.ID)
	run := w.want(202, "", "POST", conn+"/runs", `{"dryRun":true}`).text("id")
	for _, call := range []string{
		"GET /v1/users?state=", "GET /v1/users?source=", "GET /v1/users?limit=", "GET /v1/users?limit", "GET " + conn + "/accounts?bound=",
		"GET " + conn + "/bindings?status=", "GET /v1/runs/" + run + "/changes?state=", "GET /v1/activity?limit=",
		"POST /v1/users:load?check=", "POST /v1/users:load?applyStatus=", "POST /v1/users:load?unknownColumns=", "DELETE " + conn + "/bindings/usr_none?then=",
	} {
		method, path, _ := strings.Cut(call, " ")
		w.want(422, "invalid-parameter", method, path, "")
	}
	for _, path := range []string{
		"/v1/users?text=&email=&next=", "/v1/connections?next=", conn + "/accounts?filter=", "/v1/activity?userId=&connectionId=&runId=&effect=&since=&until=",
		"/v1/runs/" + run + "/changes?department=",
	} {
		if r := w.do("GET", path, ""); r.status != 200 {
			t.Errorf("GET %s: %d %s", path, r.status, r.raw)
		}
	}
}

func TestBodiesAreHeldToTheirDescription(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := "/v1/connections/" + string(w.conn.ID)
	for _, test := range []struct{ path, body, field string }{
		{conn + "/runs", "{\"userIds\":[\"\xff\"]}", ""},
		{conn + "/runs", `{"userIds":["\ud800"]}`, ""},
		{conn + "/runs", `{"userIds":["\udc00\ud800"]}`, ""},
		{conn + "/runs", `{"dryRun":true,"dryRun":false}`, "dryRun"},
		{conn + "/runs", `{"dryRun":null}`, "dryRun"},
		{"/v1/activity:verify", `{"connectionId":null}`, "connectionId"},
		{"/v1/connections", `{"name":null}`, "name"},
		{conn + "/runs", `{"DRYRUN":true}`, "DRYRUN"},
		{conn + "/runs", `{"userIds":["\u0000"]}`, "userIds[0]"},
		{conn + "/runs", `{"userIds":["` + strings.Repeat("x", 101) + `"]}`, "userIds[0]"},
		{conn + "/runs", `{"dryRun":1}`, "dryRun"},
		{conn + "/runs", strings.Repeat(`{"settings":`, 40) + "1" + strings.Repeat("}", 40), ""},
		{"/v1/users/usr_none/move", `{"connectionId":"\u0000"}`, "connectionId"},
		{"/v1/users/usr_none/move", `{"connectionId":"con_x","email":"a\u0001@corp.example"}`, "email"},
		{"/v1/activity:verify", `{"connectionId":"\u0000"}`, "connectionId"},
		{conn + "/confirm", `{"tenantId":"\u0007","objectId":"x"}`, "tenantId"},
		{"/v1/users", `{"email":"a@corp.example","email":"b@corp.example"}`, "email"},
		{"/v1/users", "{\"email\":\"a@corp.example\",\"customAttributes\":{\"x\":\"\U0010FFFF\"}}", "customAttributes.x"},
		{"/v1/users", `{"email":"a@corp.example","givenName":"\ufdd0"}`, "givenName"},
		{"/v1/users", "{\"email\":\"a@corp.example\",\"givenName\":\"\xff\"}", ""},
		{"/v1/users", `{"email":"a@corp.example","givenName":"\ud83d"}`, ""},
	} {
		a := w.want(400, "invalid-body", "POST", test.path, test.body)
		if test.field == "" {
			continue
		}
		if got := a.fields(); got != test.field {
			t.Errorf("POST %s %s names %q, want %q", test.path, test.body, got, test.field)
		}
	}
	w.want(201, "", "POST", "/v1/users", `{"email":"ok@corp.example","givenName":"\ud83d\ude00 \\ud800"}`)
}

// fields are the members that a problem names.
func (a answer) fields() string {
	var names []string
	list, _ := a.body["errors"].([]any)
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			name, _ := m["field"].(string)
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// TestCursorsAreOfTheirList takes the next of one list to others.
func TestCursorsAreOfTheirList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := "/v1/connections/" + string(w.conn.ID)
	for _, name := range []string{"a", "b", "c", "d"} {
		w.user(`{"email":"` + name + `@corp.example","department":"Sales"}`)
	}
	next := w.want(200, "", "GET", "/v1/users?limit=2&text=corp", "").text("next")
	if next == "" || len(next) > maxNext {
		t.Fatalf("next = %q", next)
	}
	w.want(200, "", "GET", "/v1/users?limit=3&text=corp&next="+next, "")
	w.want(200, "", "GET", "/v1/users?next="+next+"&text=corp&email=", "")
	for _, path := range []string{"/v1/users?next=" + next, "/v1/users?text=corp2&next=" + next, "/v1/users?text=corp&state=active&next=" + next,
		"/v1/connections?next=" + next, conn + "/bindings?next=" + next, conn + "/accounts?next=" + next, "/v1/activity?next=" + next,
		"/v1/users?text=corp&next=" + next[:len(next)-2], "/v1/users?text=corp&next=" + strings.ToLower(next), "/v1/users?text=corp&next=AAAAAAAAAAAAAAAA"} {
		w.want(422, "invalid-cursor", "GET", path, "")
	}
	w.want(422, "invalid-cursor", "POST", conn+"/problems/no-license/retry?next="+next, "")
}

// TestForgedCursors seals places that no list gave out, as somebody could who reads
// this source: the core refuses them by itself.
func TestForgedCursors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := "/v1/connections/" + string(w.conn.ID)
	run := "/v1/runs/" + w.want(202, "", "POST", conn+"/runs", `{"dryRun":true}`).text("id")
	w.user(`{"email":"a@corp.example"}`)
	job := "/v1/jobs/" + w.want(202, "", "POST", conn+"/imports", `{"all":true}`).text("id")
	lists := map[string]string{"listUsers": "/v1/users", "listConnections": "/v1/connections", "listAccounts": conn + "/accounts", "listBindings": conn + "/bindings",
		"listRuns": conn + "/runs", "listChanges": run + "/changes", "listLeft": run + "/left", "getJob": job, "listProblemUsers": conn + "/problems/no-license",
		"listActivity": "/v1/activity", "listLinks": "/v1/activity/links", "readAudit": conn + "/audit"}
	for operation, path := range lists {
		for _, place := range []string{"\x00", "0:\x00", "0:\xff", "15:" + strings.Repeat("x", 3000), "-1:", "0:\U0010FFFF", "refused#\x00", "refused#" + strings.Repeat("9", 2000),
			"0.99999999999999999999", "9.-1", "999999.999999", "a\xff", "0~\x00", "1~" + strings.Repeat("z", 4000), "c#\x00", "eyJwIjoieCIsInMiOiJcdTAwMDAifQ", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999999999-12-31T00:00:00Z"} {
			u := &url.URL{Path: path}
			next, err := listing{operation, u}.seal(place)
			if err != nil {
				t.Fatal(err)
			}
			a := w.do(http.MethodGet, path+"?next="+next, "")
			if a.status >= 500 || a.status != 200 && a.text("code") == "" {
				t.Errorf("%s from %q = %d %.300s", operation, place, a.status, a.raw)
			}
		}
	}
}

// TestIDsFit has IDs of ours within what the description says of IDs.
func TestIDsFit(t *testing.T) {
	t.Parallel()
	for range 10 {
		id := string(directory.NewRunID(newWorld(t).api.Now())) + ".999999999"
		if len(id) > 100 {
			t.Errorf("%q has %d bytes", id, len(id))
		}
	}
}
