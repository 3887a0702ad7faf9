package admin

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"bindery/shared/directory"
)

// safetySamples are those of package directory: for every key of settings two
// values of which one is looser.
func safetySamples(t *testing.T) (list []struct {
	Key, Named   string
	Neutral      bool
	Tight, Loose json.RawMessage
}) {
	t.Helper()
	raw, err := os.ReadFile("../../directory/testdata/safety.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// set gives the connection settings, past the API.
func (w *world) set(raw json.RawMessage) {
	w.t.Helper()
	s, err := directory.ParseSettings(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.store.Connections.ModifyConnection(w.t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Settings = s
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) settings() directory.Settings {
	w.t.Helper()
	c, err := w.store.Connections.Connection(w.t.Context(), w.conn.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return c.Settings
}

// replacing is a merge patch that puts one JSON object in place of another: what
// only the first one has is taken away by null.
func replacing(old, next any) any {
	a, isA := old.(map[string]any)
	b, isB := next.(map[string]any)
	if !isA || !isB {
		return next
	}
	patch := map[string]any{}
	for name, v := range b {
		patch[name] = replacing(a[name], v)
	}
	for name := range a {
		if _, still := b[name]; !still {
			patch[name] = nil
		}
	}
	return patch
}

func patchBetween(t *testing.T, old, next json.RawMessage) string {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(old, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(next, &b); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]any{"settings": replacing(a, b)})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestScopesOfSettings edits every key of settings, to the looser and to the
// tighter side, with each set of scopes, at a connection and in making one.
func TestScopesOfSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/v1/connections/" + string(w.conn.ID)
	tokens := []struct {
		scope          string
		edits, decides bool
		code           string
	}{
		{ScopeRead, false, false, "scope-missing"},
		{ScopeWrite, false, false, "scope-missing"},
		{ScopeApprove, false, true, "scope-missing"},
		{ScopeRead + " " + ScopeWrite + " " + ScopeApprove, false, true, "scope-missing"},
		{ScopeAdmin, true, false, ""},
		{ScopeRead + " " + ScopeWrite + " " + ScopeAdmin, true, false, ""},
		{ScopeAdmin + " " + ScopeApprove, true, true, ""},
		{everything, true, true, ""},
		{everything + " bindery/source.ad", false, true, "source-token"},
		{everything + " bindery/source.scim", false, true, "source-token"},
	}
	try := func(scope, method, path, body string) answer {
		t.Helper()
		return w.as(map[string]string{"sub": "ann", "scope": scope}, method, path, body)
	}
	for _, s := range safetySamples(t) {
		for _, token := range tokens {
			for _, loosens := range []bool{true, false} {
				from, to := s.Tight, s.Loose
				if !loosens {
					from, to = s.Loose, s.Tight
				}
				w.set(from)
				before := w.settings()
				a := try(token.scope, "PATCH", path, patchBetween(t, from, to))
				done := token.edits && (token.decides || s.Neutral || !loosens)
				waits := done && loosens && s.Key == "fourEyes" // is switched off by two
				switch {
				case waits && a.status != 202:
					t.Errorf("%s: %s → %s with %q = %d %s, want it to wait", s.Key, from, to, token.scope, a.status, a.raw)
				case waits:
				case done && a.status != 200:
					t.Errorf("%s: %s → %s with %q = %d %s, want it done", s.Key, from, to, token.scope, a.status, a.raw)
				case done:
				case a.status != 403:
					t.Errorf("%s: %s → %s with %q = %d %s, want 403", s.Key, from, to, token.scope, a.status, a.raw)
				case token.code != "" && a.text("code") != token.code:
					t.Errorf("%s with %q is refused as %s", s.Key, token.scope, a.raw)
				case token.code == "" && (a.text("code") != "needs-approve" || !strings.Contains(a.raw, `"settings.`+s.Named+`"`)):
					t.Errorf("%s: %s → %s with %q does not name %s: %s", s.Key, from, to, token.scope, s.Named, a.raw)
				}
				if !done && directory.SettingsMark(before) != directory.SettingsMark(w.settings()) {
					t.Errorf("%s: %s → %s with %q was refused and done", s.Key, from, to, token.scope)
				}
			}
			// A new connection is compared with one that has no settings.
			for _, settings := range []json.RawMessage{s.Tight, s.Loose} {
				parsed, err := directory.ParseSettings(settings)
				if err != nil {
					t.Fatal(err)
				}
				looser := len(directory.SafetyOf(directory.Settings{}, parsed).Loosened) > 0
				a := try(token.scope, "POST", "/v1/connections", `{"name":"x","settings":`+string(settings)+`}`)
				if done := token.edits && (token.decides || !looser); done != (a.status == 201) || !done && a.status != 403 {
					t.Errorf("a connection with %s made with %q = %d %s", settings, token.scope, a.status, a.raw)
				}
			}
		}
	}
}

// Roads around the names of keys: null, everything at once, no settings at all.
func TestLooseningByOtherRoads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/v1/connections/" + string(w.conn.ID)
	admin := map[string]string{"sub": "ann", "scope": ScopeAdmin}
	w.set(json.RawMessage(`{"mode":"approve","fourEyes":true,"guard":{"block":{"count":0}},"protected":["ceo@corp.example"],"interval":"1h"}`))
	for body, keys := range map[string][]string{
		`{"settings":null}`:                                     {"fourEyes", "guard.block", "mode", "protected"},
		`{"settings":{"guard":null}}`:                           {"guard.block"},
		`{"settings":{"guard":{"block":null}}}`:                 {"guard.block"},
		`{"settings":{"guard":{"block":{"count":null}}}}`:       {"guard.block"},
		`{"settings":{"mode":null,"interval":"2h"}}`:            {"mode"},
		`{"settings":{"protected":[]}}`:                         {"protected"},
		`{"settings":{"protected":["x@corp.example"]}}`:         {"protected"},
		`{"name":"Other","settings":{"mode":"automatic"}}`:      {"mode"},
		`{"settings":{"onDelete":"delete","mode":"automatic"}}`: {"mode", "onDelete"},
	} {
		a := w.as(admin, "PATCH", path, body)
		if a.status != 403 || a.text("code") != "needs-approve" {
			t.Errorf("PATCH %s = %d %s", body, a.status, a.raw)
		}
		for _, key := range keys {
			if !strings.Contains(a.raw, `"settings.`+key+`"`) {
				t.Errorf("PATCH %s does not name %s: %s", body, key, a.raw)
			}
		}
		if n := strings.Count(a.raw, `"field"`); n != len(keys) {
			t.Errorf("PATCH %s names %d keys, want %q: %s", body, n, keys, a.raw)
		}
	}
	c, err := w.store.Connections.Connection(t.Context(), w.conn.ID)
	if err != nil || c.Name != "HQ" || c.Settings.Mode != directory.ModeApprove || c.Version != 2 {
		t.Errorf("after refusals the connection is %+v, %v", c, err)
	}
	// Tightening and neutral edits in one call are done with admin alone.
	if a := w.as(admin, "PATCH", path, `{"name":"Other","settings":{"interval":"2h","guard":{"rename":{"count":0}},"protectGroups":true}}`); a.status != 200 {
		t.Errorf("a tightening edit = %d %s", a.status, a.raw)
	}
}
