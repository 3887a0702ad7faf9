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
	"bindery/shared/boot"
)

// TestOpenEndpointsTakeAnything sends odd queries and cookies to what anybody may
// call: the pages of an authorisation, and the requests that store a file.
func TestOpenEndpointsTakeAnything(t *testing.T) {
	o := newOffice(t)
	begun, err := url.Parse(o.post("/v1/connections", object{"name": "x"}).text("authorizationUrl"))
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
				o.stack.Handler().ServeHTTP(w, r)
				if w.Code >= 500 || !utf8.Valid(w.Body.Bytes()) || strings.Contains(w.Body.String(), "<script>") || strings.ContainsRune(w.Body.String(), 0) {
					t.Errorf("%s %.200s = %d %.300s", method, target, w.Code, w.Body)
				}
			}
		}
	}
}

// TestOddEvents calls the API with events that API Gateway would not send.
func TestOddEvents(t *testing.T) {
	o := newOffice(t)
	api, err := o.stack.Core.API()
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
			edit(e, e.object("requestContext"))
			event, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := boot.Answer(api)(t.Context(), event)
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
