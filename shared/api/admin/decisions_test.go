package admin

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// approved are the places of the changes that the last approval of a run named; nil when
// it names none.
func (w *world) approved(id directory.RunID) (*store.Approval, map[int][]int) {
	w.t.Helper()
	r, err := w.store.Runs.Run(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	if r.Approval == nil || r.Approval.Chosen == 0 {
		return r.Approval, nil
	}
	places := map[int][]int{}
	if err := w.store.Runs.Note(w.t.Context(), id, store.NoteApproved, &places); err != nil {
		w.t.Fatal(err)
	}
	return r.Approval, places
}

// What a filter selects is approved, written down change by change, as the listing with
// the same filter shows it.
func TestApprovalByFilter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, test := range []struct {
		body string
		want []int // indexes of the run's three changes; nil: all of them
	}{
		{`{"where":{"effect":["block"]}}`, []int{0, 1}},
		{`{"where":{"department":["works"],"effect":["block"]}}`, []int{1}},
		{`{"where":{"department":["sales","Works"]}}`, nil},
		{`{"where":{"property":["jobTitle"]}}`, []int{2}},
		{`{"where":{"userId":["usr_2","usr_0"]}}`, []int{0, 2}},
		{`{"where":{"domain":["CORP.example"]}}`, nil},
		{`{"where":{"department":["sales"]},"changeIds":["%s.0.2"]}`, []int{2, 0}},
		{`{"where":{"department":["sales"]},"changeIds":["%s.0.0"]}`, []int{0}},
		{`{"where":{"department":["sales"]},"effects":["update"]}`, []int{0}}, // the effects are looked at by the engine
		{`{"where":{"department":["works"]},"effects":["block"]}`, nil},
	} {
		id := w.heldRun()
		a := w.want(200, "", "POST", "/v1/runs/"+string(id)+"/approve", strings.ReplaceAll(test.body, "%s", string(id)))
		got, places := w.approved(id)
		if a.text("state") != "applying" || got == nil || got.All != (test.want == nil) || !slices.Equal(places[0], test.want) {
			t.Errorf("%s approves %+v %v, want %v", test.body, got, places, test.want)
		}
	}
	run := "/v1/runs/" + string(w.heldRun())
	for body, want := range map[string]struct {
		status int
		code   string
	}{
		`{"where":{"department":["Nobody"]}}`:                           {422, "nothing-chosen"},
		`{"where":{}}`:                                                  {422, "nothing-chosen"},
		`{"where":{"department":[],"effect":["block"]}}`:                {422, "nothing-chosen"},
		`{"where":{"effect":["explode"]}}`:                              {422, "unknown-effect"},
		`{"where":{"state":["planned"]}}`:                               {400, "invalid-body"},
		`{"where":{"department":"Sales"}}`:                              {400, "invalid-body"},
		`{"where":{"domain":["x"` + strings.Repeat(`,"x"`, 100) + `]}}`: {400, "invalid-body"},
		`{"where":null}`:                                                {400, "invalid-body"},
		`{"reason":"` + strings.Repeat("ö", 1001) + `"}`:                {422, "invalid-reason"},
		`{"reason":"two\nlines"}`:                                       {422, "invalid-reason"},
		`{"reason":7}`:                                                  {400, "invalid-body"},
		`{"where":{"groupId":["grp_1"]},"changeIds":["none"]}`:          {422, "no-such-change"},
	} {
		w.want(want.status, want.code, "POST", run+"/approve", body)
	}
	if a := w.want(200, "", "GET", run, ""); a.text("state") != "held" || a.body["decisions"] != nil {
		t.Errorf("what was refused has decided: %s", a.raw)
	}
}

// A list that is null is not one that was left out, which would be everything.
func TestNullIsNotEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.heldRun()
	run := "/v1/runs/" + string(id)
	for path, bodies := range map[string][]string{
		run + "/approve": {`{"changeIds":null}`, `{"effects":null}`, `{"effects":null,"changeIds":null,"reason":"only these"}`, `{"changeIds":["` + string(id) + `.0.0"],"effects":null}`,
			`{"where":{"effect":["block"],"department":null}}`, `{"where":{"effect":null,"department":["Sales"]}}`, `{"where":{"effect":["block"],"userId":null}}`, `{"where":{"effect":["block"],"groupId":null}}`,
			`{"where":{"effect":["block"],"property":null}}`, `{"where":{"effect":["block"],"domain":null}}`},
		run + "/undo": {`{"userIds":null}`, `{"objects":null}`, `{"properties":null}`},
		"/v1/connections/" + string(w.conn.ID) + "/runs": {`{"userIds":null}`, `{"objects":null}`, `{"dryRun":true,"userIds":null}`},
	} {
		for _, body := range bodies {
			if a := w.want(400, "invalid-body", "POST", path, body); !strings.Contains(a.raw, "must not be null") {
				t.Errorf("%s: %s", body, a.raw)
			}
		}
	}
	if a := w.want(200, "", "GET", run, ""); a.text("state") != "held" || a.body["decisions"] != nil {
		t.Errorf("what was refused has decided: %s", a.raw)
	}
}

// What the filter of an approval selects can be counted before, by the same filter.
func TestCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	run := "/v1/runs/" + string(w.heldRun())
	for query, want := range map[string]int{"": 3, "?effect=block": 2, "?department=works&effect=block": 1, "?groupId=grp_1": 0, "?state=planned": 3, "?state=applied": 0} {
		a := w.want(200, "", "GET", run+"/counts"+query, "")
		if a.body["changes"] != float64(want) || a.body["of"] != float64(3) {
			t.Errorf("%s counts %s, want %d", query, a.raw, want)
		}
		if list := w.want(200, "", "GET", run+"/changes"+query, ""); len(list.body["items"].([]any)) != want {
			t.Errorf("%s lists %s, want %d", query, list.raw, want)
		}
	}
	a := w.want(200, "", "GET", run+"/counts", "")
	if effects := a.body["effects"].(map[string]any); effects["block"] != float64(2) || effects["update"] != float64(1) {
		t.Errorf("counts %s", a.raw)
	}
	if written, _ := w.want(200, "", "GET", run+"/counts?effect=block", "").body["written"].(map[string]any); written["changes"] != float64(2) {
		t.Errorf("an approval of the blocks would write %v", written)
	}
	for query, want := range map[string]int{"?place=0.0": 1, "?place=0.1-2": 2, "?place=0.0,0.2": 2, "?place=0.0-2&effect=block": 2, "?place=0.7": 0, "?place=3.0": 0} {
		if a := w.want(200, "", "GET", run+"/counts"+query, ""); a.body["changes"] != float64(want) {
			t.Errorf("%s counts %s, want %d", query, a.raw, want)
		}
		if list := w.want(200, "", "GET", run+"/changes"+query, ""); len(list.body["items"].([]any)) != want {
			t.Errorf("%s lists %s, want %d", query, list.raw, want)
		}
	}
	for _, none := range []string{"0", "0.", ".0", "0.-1", "-1.0", "0.01", "0.1-0", "0.0-500", "0.0-1-2", "x.0", "0.0.0", "run_1.0.0", "0.1,,0.2"} {
		w.want(422, "no-such-change", "GET", run+"/counts?place="+none, "")
		w.want(422, "no-such-change", "GET", run+"/changes?place="+none, "")
	}
	var many []string
	for i := range 41 {
		many = append(many, fmt.Sprintf("%d.0-499", i))
	}
	w.want(413, "too-many-changes", "GET", run+"/counts?place="+strings.Join(many, ","), "")
	w.want(422, "unknown-effect", "GET", run+"/counts?effect=explode", "")
	w.want(404, "not-found", "GET", "/v1/runs/run_none/counts", "")
}

// The reason that goes with a decision is kept with what it is about, and in the activity.
func TestReasons(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := "/v1/connections/" + string(w.conn.ID)
	user := w.user(`{"email":"ann@corp.example","userName":"ann","givenName":"Ann","familyName":"X"}`)
	w.want(200, "", "POST", conn+"/bindings", `{"userIds":["`+user+`"]}`)
	long := strings.Repeat("ö", 1000)
	id := string(w.heldRun())
	for _, step := range []struct{ kind, path, reason string }{
		{"approve-run", "/v1/runs/" + id + "/approve", "HR has “confirmed” <them>"},
		{"cancel-run", "/v1/runs/" + id + "/cancel", long},
		{"decline-run", "/v1/runs/" + string(w.heldRun()) + "/decline", "not today"},
		{"pause-binding", conn + "/bindings/" + user + "/pause", "on leave"},
		{"deactivate-connection", conn + "/deactivate", "the contract has ended"},
	} {
		if a := w.do("POST", step.path, `{"reason":" `+step.reason+` "}`); a.status != 200 {
			t.Fatalf("%s: %d %s", step.kind, a.status, a.raw)
		}
		found := w.want(200, "", "GET", "/v1/activity?effect="+step.kind, "").body["items"].([]any)
		if e := found[0].(map[string]any); len(found) != 1 || e["comment"] != step.reason || !strings.Contains(e["reason"].(string), "Reason given: “"+step.reason+"”.") {
			t.Errorf("%s stands in the activity as %v", step.kind, found)
		}
		// Exports have the text that digests are made of, of which older versions know all.
		if lines := w.text("/v1/activity?effect="+step.kind, "application/x-ndjson"); strings.Contains(lines, `"comment"`) || !strings.Contains(lines, step.reason[:5]) {
			t.Errorf("%s is exported as %s", step.kind, lines)
		}
	}
	decisions := w.want(200, "", "GET", "/v1/runs/"+id, "").body["decisions"].([]any)
	if len(decisions) != 2 {
		t.Fatalf("decisions %v", decisions)
	}
	for i, want := range []map[string]any{{"kind": "approve-run", "reason": "HR has “confirmed” <them>"}, {"kind": "cancel-run", "reason": long}} {
		d := decisions[i].(map[string]any)
		if d["kind"] != want["kind"] || d["reason"] != want["reason"] || d["by"] != "admin" || d["at"] == nil {
			t.Errorf("decision %d is %v, want %v", i, d, want)
		}
	}
	d, _ := w.want(200, "", "GET", conn, "").body["deactivation"].(map[string]any)
	if d["by"] != "admin" || d["reason"] != "the contract has ended" || d["at"] == nil {
		t.Errorf("the connection was deactivated by %v", d)
	}
}

// Who decides without a body decides as ever.
func TestDecisionsWithoutReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	run := "/v1/runs/" + string(w.heldRun())
	a := w.want(200, "", "POST", run+"/decline", "")
	if d := a.body["decisions"].([]any)[0].(map[string]any); d["reason"] != nil || d["kind"] != "decline-run" {
		t.Errorf("decision %v", d)
	}
	w.want(200, "", "POST", run+"/cancel", "{}")
	for _, e := range w.want(200, "", "GET", "/v1/activity", "").body["items"].([]any) {
		if e := e.(map[string]any); e["comment"] != nil || strings.Contains(e["reason"].(string), "given") {
			t.Errorf("without a reason, the activity has %v", e)
		}
	}
}

// A run lists the latest decisions only.
func TestDecisionsAreBounded(t *testing.T) {
	t.Parallel()
	var r directory.Run
	for i := range directory.MaxDecisions + 3 {
		r.NoteDecision(directory.AuditApproveRun, directory.Caller{Subject: string(rune('a' + i))}, r.StartedAt)
	}
	if len(r.Decisions) != directory.MaxDecisions || r.Decisions[0].By != "d" {
		t.Errorf("decisions %v", r.Decisions)
	}
}
