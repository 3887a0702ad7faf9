package scim

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"bindery/shared/core/provision"
)

// A token that stands where an address, a name or a value should be is in no log, no request
// log and no answer, nor is a part of one; IDs are.
func TestTokenInTheWrongPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	var log bytes.Buffer
	w.handler.Log = slog.New(slog.NewTextHandler(&log, nil))
	id := w.make("ann@x.example")
	secret := w.token[strings.LastIndex(w.token, "_")+1:]
	jwt := "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"
	own := Prefix + string(w.client.ID) + root
	for _, sent := range []string{w.token, w.token[:60], strings.ToUpper(w.token), secret, jwt} {
		e := url.QueryEscape(sent)
		for _, tt := range []struct{ method, path, body string }{
			{"GET", "/scim/" + sent + "/v2/Users", ""},
			{"GET", "/scim/" + sent + "/oauth/v2/Users", ""},
			{"GET", own + "/" + sent, ""},
			{"GET", own + "/" + sent + "/Users", ""},
			{"GET", own + "/Users/" + sent, ""},
			{"DELETE", own + "/Users/" + sent, ""},
			{"PATCH", own + "/Groups/" + sent, patchOf(`{"op":"add","path":"displayName","value":"x"}`)},
			{"GET", own + "/Users?attributes=" + e, ""},
			{"GET", own + "/Users?filter=" + e + "%20eq%201", ""},
			{"GET", own + "/Users?filter=userName%20" + e, ""},
			{"GET", own + "/Users?cursor=" + e, ""},
			{"GET", own + "/Users?count=" + e, ""},
			{"GET", own + "/Users?" + e, ""},
			{"PATCH", own + "/Users/" + id, patchOf(`{"op":"add","path":"` + sent + `","value":"x"}`)},
			{"PATCH", own + "/Users/" + id, patchOf(`{"op":"add","value":{"` + sent + `":1}}`)},
			{"PUT", own + "/Users/" + id, `{"schemas":["` + sent + `"],"userName":"ann@x.example"}`},
		} {
			log.Reset()
			r := httptest.NewRequestWithContext(t.Context(), tt.method, "https://b.example"+tt.path, strings.NewReader(tt.body))
			r.Header.Set("Authorization", "Bearer "+w.token)
			rec := httptest.NewRecorder()
			w.handler.ServeHTTP(rec, r)
			kept := log.String() + fmt.Sprintf("%+v", w.lastRequest())
			if strings.Contains(kept, sent) || strings.Contains(kept, sent[len(sent)-20:]) {
				t.Errorf("%s %s is kept: %s", tt.method, tt.path, kept)
			}
			if sent == w.token && strings.Contains(rec.Body.String(), secret) {
				t.Errorf("%s %s is answered: %s", tt.method, tt.path, rec.Body)
			}
		}
	}
	w.want(404, "GET", "/Users/1b4e28ba-2fa1-11d2-883f-0016d3cca427", nil)
	if path := w.lastRequest().Path; path != "/Users/1b4e28ba-2fa1-11d2-883f-0016d3cca427" {
		t.Errorf("an ID is kept as %s", path)
	}
	urn := "/Schemas/" + schemaEnterprise
	w.want(200, "GET", urn, nil)
	if path := w.lastRequest().Path; path != urn {
		t.Errorf("a URN is kept as %s", path)
	}
}
