package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"bindery/events"
	"bindery/infra/stacktest"
	"bindery/shared/boot/lambda"
	"bindery/shared/boot/web"
)

// TestOpenEndpointsTakeAnything sends odd queries and cookies to what anybody may
// call: the pages of an authorisation, and the requests that store a file.
func TestOpenEndpointsTakeAnything(t *testing.T) {
	o := stacktest.New(t)
	begun, err := url.Parse(o.Post("/v1/connections", object{"name": "x"}).Text("authorizationUrl"))
	if err != nil {
		t.Fatal(err)
	}
	state := begun.Query().Get("state")
	values := append(append([]string{state, strings.Repeat("x", 8000), "AADSTS50011: \x00<script>alert(1)</script>"}, hostile...), odd...)
	for _, v := range values {
		q := url.QueryEscape(v)
		for _, target := range []string{
			"/oauth/start?state=" + q, "/oauth/start?state=" + state + "&go=" + q, "/oauth/start?" + q, "/oauth/start?state=%zz&" + q,
			"/oauth/callback?state=" + q + "&code=x", "/oauth/callback?state=" + state + "&code=" + q, "/oauth/callback?state=" + state + "&error=" + q,
			"/oauth/callback?state=" + q + "&error=access_denied&error_description=" + q, "/oauth/callback?admin_consent=" + q + "&tenant=" + q, "/oauth/callback?" + q,
			"/uploads/" + url.PathEscape(v), "/uploads/x?" + q, "/uploads/x?expires=" + q + "&signature=" + q + "&bytes=" + q,
		} {
			for _, method := range []string{http.MethodGet, http.MethodPut} {
				r := httptest.NewRequestWithContext(t.Context(), method, "/", strings.NewReader("abc"))
				if r.URL, err = url.Parse(target); err != nil {
					t.Fatal(err)
				}
				r.RequestURI = target
				r.Header.Set("Cookie", "bindery-"+strings.ToValidUTF8(v, "")+"="+strings.ToValidUTF8(v, ""))
				w := httptest.NewRecorder()
				o.Stack.Handler().ServeHTTP(w, r)
				if w.Code >= 500 || !utf8.Valid(w.Body.Bytes()) || strings.Contains(w.Body.String(), "<script>") || strings.ContainsRune(w.Body.String(), 0) {
					t.Errorf("%s %.200s = %d %.300s", method, target, w.Code, w.Body)
				}
			}
		}
	}
}

// TestValuesThatGrow sends values that are as described, and too large or too late
// once they are in the form in which Bindery compares and keeps them.
func TestValuesThatGrow(t *testing.T) {
	o := stacktest.New(t)
	conn := o.Post("/v1/connections", object{"name": "x"}).Text("id")
	grows := strings.Repeat("\ufdfa", 300) // each is eighteen letters in Unicode NFKC
	late := "9999-12-31T23:59:59-12:00"    // in UTC it is of the year 10000
	for _, r := range []struct {
		method, target, body string
		status               int
	}{
		{"GET", "/v1/users?email=" + url.QueryEscape(grows), "", http.StatusOK},
		{"GET", "/v1/users?email=" + url.QueryEscape(grows+"@x.example"), "", http.StatusOK},
		{"GET", "/v1/users?text=" + url.QueryEscape(grows[:len("\ufdfa")*200]), "", http.StatusOK},
		{"POST", "/v1/users", `{"email":"a@x.example","userName":"` + grows[:len("\ufdfa")*256] + `"}`, http.StatusUnprocessableEntity},
		{"POST", "/v1/activity:verify", `{"since":"` + late + `"}`, http.StatusUnprocessableEntity},
		{"GET", "/v1/activity?until=" + url.QueryEscape(late), "", http.StatusUnprocessableEntity},
		{"GET", "/v1/activity/summary?since=" + url.QueryEscape(late), "", http.StatusUnprocessableEntity},
		{"GET", "/v1/connections/" + conn + "/audit?until=" + url.QueryEscape(late), "", http.StatusUnprocessableEntity},
	} {
		status, answer, err := o.API.Raw(t.Context(), r.method, r.target, "application/json", r.body)
		if err != nil || status != r.status {
			t.Errorf("%s %.80s = %d %.300s, %v; want %d", r.method, r.target, status, answer, err, r.status)
		}
	}
}

// TestGatewayAnswersAsDescribed: what the local gateway answers before the API is
// asked is as the API's description has it, and it sends no odd path elsewhere.
func TestGatewayAnswersAsDescribed(t *testing.T) {
	o := stacktest.New(t)
	known := o.Get("/v1/openapi.json").Object("components").Object("schemas").Object("Problem").Object("properties")
	for _, r := range []struct {
		path, token string
		status      int
	}{
		{"/v1/users", "of nobody", http.StatusUnauthorized}, {"/v1//users", o.API.Token, http.StatusNotFound}, {"/v1/./users", o.API.Token, http.StatusNotFound},
		{"/v1/users/../users", o.API.Token, http.StatusNotFound}, {"/v1", o.API.Token, http.StatusNotFound},
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		req.URL.Path = r.path
		req.Header.Set("Authorization", "Bearer "+r.token)
		w := httptest.NewRecorder()
		o.Stack.Handler().ServeHTTP(w, req)
		var got object
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != r.status {
			t.Errorf("%s = %d %.300s, want %d", r.path, w.Code, w.Body, r.status)
		}
		for name := range got {
			if known[name] == nil {
				t.Errorf("%s: the answer has %q, which the description does not", r.path, name)
			}
		}
	}
}

// TestOddEvents calls the API with events that API Gateway would not send.
func TestOddEvents(t *testing.T) {
	o := stacktest.New(t)
	api, err := web.API(o.Stack.Core, lambda.Gateway{})
	if err != nil {
		t.Fatal(err)
	}
	sample := events.Get("admin.list-users")
	for name, edit := range map[string]func(e, ctx object){
		"as it is":          func(object, object) {},
		"another stage":     func(e, ctx object) { ctx["stage"] = "prod" },
		"stage as path":     func(e, ctx object) { ctx["stage"], e["rawPath"] = "v1", "/v1" },
		"no path":           func(e, ctx object) { e["rawPath"] = "" },
		"path of bytes":     func(e, ctx object) { e["rawPath"] = "/v1/users/%00%ff%C3%28" },
		"path half encoded": func(e, ctx object) { e["rawPath"] = "/v1/users/%zz" },
		"a host in it":      func(e, ctx object) { e["rawPath"] = "//evil.example/v1/users" },
		"path with dots":    func(e, ctx object) { e["rawPath"] = "/v1/../v1/users" },
		"no base64":         func(e, ctx object) { e["isBase64Encoded"], e["body"] = true, "%%%" },
		"no claims":         func(e, ctx object) { delete(ctx, "authorizer") },
		"empty claims":      func(e, ctx object) { ctx["authorizer"] = object{"jwt": object{"claims": object{}}} },
		"no subject": func(e, ctx object) {
			ctx["authorizer"] = object{"jwt": object{"claims": object{"scope": "bindery/read"}}}
		},
		"a query of bytes": func(e, ctx object) { e["rawQueryString"] = "text=%ff&text=%zz;x" },
		"odd headers": func(e, ctx object) {
			e["headers"] = object{"if-match": "\x00", "content-type": "\x00", "accept": "\x7f", "": "x", "a b": "y"}
		},
		"odd cookies":   func(e, ctx object) { e["cookies"] = []string{"", "\x00", "=;=;"} },
		"no http":       func(e, ctx object) { ctx["http"] = object{} },
		"an odd method": func(e, ctx object) { ctx["http"] = object{"method": "GET / HTTP/1.1\r\nx: y"} },
		"no context":    func(e, ctx object) { delete(e, "requestContext") },
		"nothing":       func(e, ctx object) { clear(e) },
	} {
		t.Run(name, func(t *testing.T) {
			var e object
			if err := json.Unmarshal(sample, &e); err != nil {
				t.Fatal(err)
			}
			edit(e, e.Object("requestContext"))
			event, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := lambda.Answer(api)(t.Context(), event)
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				StatusCode int               `json:"statusCode"`
				Headers    map[string]string `json:"headers"`
				Body       string            `json:"body"`
			}
			if err := json.NewDecoder(bytes.NewReader(answer)).Decode(&got); err != nil {
				t.Fatal(err)
			}
			if got.StatusCode < 200 || got.StatusCode >= 500 || name != "as it is" && got.StatusCode < 400 && name != "odd cookies" && name != "odd headers" && name != "another stage" {
				t.Errorf("%d %.300s", got.StatusCode, got.Body)
			}
		})
	}
}
