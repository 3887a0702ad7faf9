package console

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"bindery/shared/directory"
)

// whatIf is a plan with other settings than those that a connection has.
func whatIf(w *world) map[string]any {
	c := contoso(w.now)
	c.Settings = directory.Settings{Mode: directory.ModeApprove, DomainMap: map[string]string{"here.example": "there.example"}, Protected: []string{"boss@corp.example"}}
	r := aRun(w.now, directory.RunPlanned)
	r.Settings = &directory.Settings{FourEyes: true, DomainMap: map[string]string{"here.example": "there.example"}, Protected: []string{"boss@corp.example"}, Guard: map[directory.Effect]directory.Limit{directory.EffectBlock: {Count: new(1000)}}}
	return map[string]any{"GET /v1/runs/run_1": r, "GET /v1/connections/con_1": c}
}

// The plan of a what-if says which settings it tries, and saves just these: what is set besides
// stays, also what was on the connection and is not in the plan's settings goes.
func TestSaveTried(t *testing.T) {
	t.Parallel()
	const at = "/console/runs/run_1"
	w := runWorld(t, directory.RunPlanned)
	w.tell(whatIf(w))
	a := w.get(at)
	a.sound("a what-if")
	a.has("The settings that this plan tries", "fourEyes", "guard.block.count", "<bdi>1000</bdi>", "Save these settings")
	form := a.filled(at + "/settings")
	w.tell(map[string]any{"PATCH /v1/connections/con_1": contoso(w.now)})
	if b := w.send(http.MethodPost, at+"/settings", form); b.to != "/console/connections/con_1/settings" {
		t.Errorf("%d to %q", b.code, b.to)
	}
	want := `PATCH /v1/connections/con_1 {"settings":{"fourEyes":true,"guard":{"block":{"count":1000}},"mode":null}}`
	if told := w.told(); !slices.Equal(told, []string{want}) {
		t.Errorf("called %v, want %s", told, want)
	}

	// To go on with them, the form has what was tried.
	edit := w.get("/console/connections/con_1/settings?part=guard&tried=run_1")
	edit.sound("the form")
	edit.has(`name="guard.block.count" value="1000"`, "not what is saved")

	// Somebody has saved others meanwhile: what the page did not show is not taken back.
	c := contoso(w.now)
	c.Settings = directory.Settings{AuditLog: true}
	w.tell(map[string]any{"GET /v1/connections/con_1": c})
	if b := w.send(http.MethodPost, at+"/settings", form); b.code != http.StatusPreconditionFailed || len(w.told()) > 0 {
		t.Errorf("onto other settings: %d", b.code)
	}
	// They are saved already: a second press is no fault.
	c.Settings = *whatIf(w)["GET /v1/runs/run_1"].(directory.Run).Settings
	w.tell(map[string]any{"GET /v1/connections/con_1": c})
	w.get(at).has("has these settings by now")
	if b := w.send(http.MethodPost, at+"/settings", form); b.code != http.StatusSeeOther || len(w.told()) > 0 {
		t.Errorf("twice: %d", b.code)
	}

	reader := runWorld(t, directory.RunPlanned, scopeRead)
	reader.tell(whatIf(reader))
	if a := reader.get(at); strings.Contains(a.body, `action="`+at+`/settings"`) {
		t.Error("who may not save has the button")
	}
}

// What differs is in the merge patch, and nothing else.
func TestMergePatch(t *testing.T) {
	t.Parallel()
	old := tree{"a": "1", "b": tree{"c": 1.0, "d": "x"}, "e": []any{"p", "q"}, "f": true, "same": tree{"g": 2.0}}
	next := tree{"a": "2", "b": tree{"c": 1.0}, "e": []any{"p"}, "n": tree{"m": false}, "same": tree{"g": 2.0}}
	got := mergePatch(old, next)
	want := tree{"a": "2", "b": tree{"d": nil}, "e": []any{"p"}, "f": nil, "n": tree{"m": false}}
	if g, w := mustJSON(t, got), mustJSON(t, want); g != w {
		t.Errorf("%s, want %s", g, w)
	}
	if p := mergePatch(next, next); len(p) > 0 {
		t.Errorf("onto itself: %v", p)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
