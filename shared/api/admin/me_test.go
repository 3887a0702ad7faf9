package admin

import (
	"fmt"
	"maps"
	"testing"
)

func TestMe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.as(map[string]string{"sub": "ada", "scope": "openid bindery/approve bindery/read other/write", "client_id": "console", "exp": "1772449200"}, "GET", "/v1/me", "")
	if a.status != 200 || a.text("subject") != "ada" || a.text("client") != "console" || a.text("source") != "manual" || a.text("expires") != "2026-03-02T11:00:00Z" {
		t.Errorf("me %s", a.raw)
	}
	if fmt.Sprint(a.body["scopes"]) != "[bindery/approve bindery/read]" || !maps.Equal(a.body["may"].(map[string]any), map[string]any{"read": true, "write": false, "admin": false, "approve": true}) {
		t.Errorf("me %s", a.raw)
	}
	a = w.as(map[string]string{"sub": "bridge", "scope": everything + " bindery/source.ad", "exp": "soon"}, "GET", "/v1/me", "")
	if a.status != 200 || a.text("source") != "ad" || a.body["expires"] != nil || !maps.Equal(a.body["may"].(map[string]any), map[string]any{"read": true, "write": true, "admin": false, "approve": false}) {
		t.Errorf("a source is %s", a.raw)
	}
	a = w.as(map[string]string{"sub": "nobody"}, "GET", "/v1/me", "")
	if a.status != 200 || fmt.Sprint(a.body["scopes"]) != "[]" {
		t.Errorf("a token without scopes is %s", a.raw)
	}
	if a = w.as(nil, "GET", "/v1/me", ""); a.status != 401 {
		t.Errorf("without a token: %d %s", a.status, a.raw)
	}
	if a = w.as(map[string]string{"scope": everything}, "GET", "/v1/me", ""); a.status != 401 || a.text("code") != "invalid-subject" {
		t.Errorf("without a subject: %d %s", a.status, a.raw)
	}
}

func TestClaimedTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0": "1970-01-01T00:00:00Z", "1772449200": "2026-03-02T11:00:00Z", "1.7724492E9": "2026-03-02T11:00:00Z", "1772449200.9": "2026-03-02T11:00:00Z",
		"253402300799": "9999-12-31T23:59:59Z", "253402300800": "", "-1": "", "NaN": "", "Inf": "", "": "", "tomorrow": "",
	} {
		got := ""
		if at := claimedTime(text); at != nil {
			got = at.Format("2006-01-02T15:04:05Z07:00")
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
