package admin

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"bindery/shared/directory"
)

var (
	ann = map[string]string{"sub": "ann", "scope": everything}
	ben = map[string]string{"sub": "ben", "scope": everything}
)

// wantAs sends a request as somebody and fails the test when status or code differ.
func (w *world) wantAs(claims map[string]string, status int, code, method, path, body string) answer {
	w.t.Helper()
	a := w.as(claims, method, path, body)
	if a.status != status || a.text("code") != code {
		w.t.Fatalf("%s %s %s by %s = %d %s, want %d %q", method, path, body, claims["sub"], a.status, a.raw, status, code)
	}
	return a
}

// withFourEyes adds the setting to others.
func withFourEyes(t *testing.T, raw json.RawMessage) json.RawMessage {
	t.Helper()
	m := map[string]any{}
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	m["fourEyes"] = true
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Under fourEyes no key of settings is loosened by one person alone, and each is
// tightened as ever.
func TestFourEyesOfEverySetting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/v1/connections/" + string(w.conn.ID)
	for _, s := range safetySamples(t) {
		tight, loose := withFourEyes(t, s.Tight), withFourEyes(t, s.Loose)
		if s.Key == "fourEyes" {
			loose = s.Loose
		}
		patch := patchBetween(t, tight, loose)
		w.set(tight)
		before := w.settings()
		if s.Neutral {
			w.wantAs(ann, 200, "", "PATCH", path, patch)
			continue
		}
		w.wantAs(map[string]string{"sub": "ann", "scope": ScopeAdmin}, 403, "needs-approve", "PATCH", path, patch)
		p := w.wantAs(ann, 202, "", "PATCH", path, patch)
		href := p.header.Get("Location")
		if p.text("by") != "ann" || p.text("href") != href || !strings.Contains(p.raw, `"`+s.Named+`"`) || p.text("expires") == "" {
			t.Errorf("%s: the proposal is %s at %s", s.Key, p.raw, href)
		}
		if directory.SettingsMark(before) != directory.SettingsMark(w.settings()) {
			t.Errorf("%s was loosened by one alone: %+v", s.Key, w.settings())
		}
		w.wantAs(ann, 403, "four-eyes", "POST", href+"/approve", "")
		w.wantAs(map[string]string{"sub": "ben", "scope": ScopeAdmin + " " + ScopeWrite}, 403, "scope-missing", "POST", href+"/approve", "")
		if a := w.wantAs(ben, 200, "", "GET", href, ""); a.body["stale"] != false {
			t.Errorf("%s: the proposal is %s", s.Key, a.raw)
		}
		w.wantAs(ben, 200, "", "POST", href+"/approve", "")
		var want directory.Settings
		want, err := directory.ParseSettings(loose)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.settings(); len(directory.SafetyOf(want, got).Loosened)+len(directory.SafetyOf(want, got).Tightened) > 0 {
			t.Errorf("%s: approved, the settings are %+v, want %+v", s.Key, got, want)
		}
		w.wantAs(ben, 404, "no-such-proposal", "POST", href+"/approve", "")
		// And back, at once, by one.
		w.set(loose)
		w.wantAs(map[string]string{"sub": "ann", "scope": ScopeAdmin}, 200, "", "PATCH", path, patchBetween(t, loose, tight))
	}
}

func TestProposalIsAboutTheSettingsItWasMadeFrom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/v1/connections/" + string(w.conn.ID)
	w.set(json.RawMessage(`{"fourEyes":true,"mode":"approve"}`))
	first := w.wantAs(ann, 202, "", "PATCH", path, `{"settings":{"mode":"automatic"}}`)
	if again := w.wantAs(ann, 202, "", "PATCH", path, `{"settings":{"mode":"automatic"}}`); again.text("id") != first.text("id") {
		t.Errorf("asked again for the same: %s, then %s", first.raw, again.raw)
	}
	// One at a time, and no name in the bargain.
	for _, by := range []map[string]string{ann, ben} {
		a := w.wantAs(by, 409, "proposal-pending", "PATCH", path, `{"settings":{"onDelete":"delete"}}`)
		if !strings.Contains(a.raw, first.text("id")) {
			t.Errorf("the refusal does not point at the proposal: %s", a.raw)
		}
	}
	w.wantAs(ann, 422, "name-apart", "PATCH", path, `{"name":"Other","settings":{"mode":"automatic"}}`)
	// Anything that moves the settings makes it void.
	w.wantAs(ben, 200, "", "PATCH", path, `{"settings":{"interval":"1h"}}`)
	if a := w.wantAs(ben, 200, "", "GET", first.text("href"), ""); a.body["stale"] != true {
		t.Errorf("after another edit the proposal is %s", a.raw)
	}
	w.wantAs(ben, 409, "proposal-stale", "POST", first.text("href")+"/approve", "")
	if s := w.settings(); s.Mode != directory.ModeApprove {
		t.Errorf("the settings are %+v", s)
	}
	second := w.wantAs(ann, 202, "", "PATCH", path, `{"settings":{"mode":"automatic"}}`) // in place of the void one
	list := w.wantAs(ben, 200, "", "GET", path+"/proposals", "")
	if strings.Count(list.raw, `"id"`) != 1 || !strings.Contains(list.raw, second.text("id")) {
		t.Errorf("proposals: %s", list.raw)
	}
	w.wantAs(ben, 404, "no-such-proposal", "GET", first.text("href"), "")
	// Declined, also by who made it, it is gone.
	w.wantAs(ann, 204, "", "POST", second.text("href")+"/decline", "")
	w.wantAs(ben, 404, "no-such-proposal", "POST", second.text("href")+"/approve", "")
	if s := w.settings(); s.Mode != directory.ModeApprove {
		t.Errorf("the settings are %+v", s)
	}
}

func TestFourEyesOfALift(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(json.RawMessage(`{"fourEyes":true}`))
	account := "22222222-aaaa-4bbb-8ccc-000000000009"
	path := "/v1/connections/" + string(w.conn.ID)
	p := w.wantAs(ann, 202, "", "POST", path+"/protection/"+account+"/lift", `{"minutes":30,"reason":"incident"}`)
	w.wantAs(ann, 422, "invalid-lift", "POST", path+"/protection/"+account+"/lift", `{"minutes":0}`)
	if l, err := w.store.Protection.ProtectionOverrides(t.Context(), w.conn.ID); err != nil || len(l) != 0 {
		t.Fatalf("lifted by one alone: %v, %v", l, err)
	}
	w.wantAs(ann, 403, "four-eyes", "POST", p.text("href")+"/approve", "")
	a := w.wantAs(ben, 200, "", "POST", p.text("href")+"/approve", "")
	l, err := w.store.Protection.ProtectionOverrides(t.Context(), w.conn.ID)
	if err != nil || len(l) != 1 || l[0].By != "ben" || l[0].AskedBy != "ann" || l[0].Reason != "incident" || !strings.Contains(a.raw, account) {
		t.Errorf("lifted: %+v, %v; %s", l, err, a.raw)
	}
	// To protect again needs nobody else.
	w.wantAs(ann, 204, "", "DELETE", path+"/protection/"+account+"/lift", "")
}

// A loosening is an act that names the keys, who proposed them and who decided.
func TestLooseningIsAudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/v1/connections/" + string(w.conn.ID)
	want := func(by string, words ...string) {
		t.Helper()
		a := w.want(200, "", "GET", "/v1/activity?connectionId="+string(w.conn.ID), "")
		items, _ := a.body["items"].([]any)
		for _, item := range items {
			e, _ := item.(map[string]any)
			detail, _ := e["reason"].(string)
			if e["by"] == by && !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(detail, word) }) {
				return
			}
		}
		t.Errorf("no act by %s says %q: %s", by, words, a.raw)
	}
	w.wantAs(ann, 200, "", "PATCH", path, `{"settings":{"guard":{"block":{"count":60}},"onDelete":"delete"}}`)
	want("ann", "Loosens guard.block, onDelete.")
	w.wantAs(ben, 200, "", "PATCH", path, `{"settings":{"fourEyes":true}}`)
	p := w.wantAs(ann, 202, "", "PATCH", path, `{"settings":{"breaker":{"over":9999}}}`)
	want("ann", "Proposed", "breaker.over")
	w.wantAs(ben, 200, "", "POST", p.text("href")+"/approve", "")
	want("ben", "ann", "Loosens breaker.over.")
}

// An edit of settings by their ETag goes onto these settings or is refused; what a run notes
// of the connection is no other version.
func TestSettingsByVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/v1/connections/" + string(w.conn.ID)
	w.set(json.RawMessage(`{"fourEyes":true}`))
	read := w.do("GET", path, "").header.Get("ETag")
	w.want(412, "version-mismatch", "PATCH", path, `{"settings":{"auditLog":true}}`, "If-Match", `junk`)
	w.want(200, "", "PATCH", path, `{"name":"Another"}`, "If-Match", read)
	if got := w.do("GET", path, "").header.Get("ETag"); got != read {
		t.Errorf("a name makes the settings %s, which were %s", got, read)
	}
	w.want(200, "", "PATCH", path, `{"settings":{"auditLog":true}}`, "If-Match", read)
	for _, patch := range []string{`{"settings":{"auditLog":false}}`, `{"settings":{"mode":"approve"}}`, `{"settings":{"fourEyes":false}}`, `{"name":"A third"}`} {
		w.want(412, "version-mismatch", "PATCH", path, patch, "If-Match", read)
	}
	if s := w.settings(); !s.AuditLog || !s.FourEyes || s.Mode != "" {
		t.Errorf("the settings are %+v", s)
	}
	if a := w.do("GET", path, ""); a.text("name") != "Another" || strings.Contains(a.raw, "proposals") {
		t.Errorf("the connection is %s", a.raw)
	}
	w.want(200, "", "PATCH", path, `{"settings":{"mode":"approve"}}`, "If-Match", `*`)
}
