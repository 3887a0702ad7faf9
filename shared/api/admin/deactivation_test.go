package admin

import "testing"

// The API of the function that deactivates answers as the whole one does, and does
// nothing else.
func TestDeactivationAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	api, err := NewDeactivation(Config{Connections: connections{w.store, w.now}, Gateway: gateway{}})
	if err != nil {
		t.Fatal(err)
	}
	w.http = api.Handler()
	path := "/v1/connections/" + string(w.conn.ID)
	for _, token := range []map[string]string{nil, {"sub": "x", "scope": ScopeRead + " " + ScopeWrite}} {
		whole := w.api.Handler()
		w.http = whole
		want := w.as(token, "POST", path+"/deactivate", "")
		w.http = api.Handler()
		if got := w.as(token, "POST", path+"/deactivate", ""); got.status != want.status || got.raw != want.raw || got.status < 400 {
			t.Errorf("with the claims %v: %d %s, want %d %s", token, got.status, got.raw, want.status, want.raw)
		}
	}
	w.want(404, "no-such-route", "GET", path, "")
	w.want(404, "no-such-route", "GET", "/v1/openapi.json", "")
	w.want(405, "method-not-allowed", "GET", path+"/deactivate", "")
	w.want(404, "not-found", "POST", "/v1/connections/con_nobody/deactivate", "")
	if a := w.want(200, "", "POST", path+"/deactivate", ""); a.text("status") != "deactivated" {
		t.Errorf("deactivated: %s", a.raw)
	}
}
