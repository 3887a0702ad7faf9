package admin

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"bindery/shared/directory"
)

func TestGroupUses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.permit()
	group := w.want(201, "", "POST", "/v1/groups", `{"name":"Staff"}`).text("id")
	uses := "/v1/connections/" + string(w.conn.ID) + "/groups"
	path := uses + "/" + group

	w.want(404, "group-not-used", "GET", path, "")
	w.want(404, "group-not-found", "PUT", uses+"/grp_nobody", `{"select":{}}`)
	w.want(404, "not-found", "PUT", "/v1/connections/con_nobody/groups/"+group, `{"select":{}}`)
	for body, field := range map[string]string{
		`{}`:                      "select",
		`{"select":{},"x":1}`:     "",
		`{"export":{}}`:           "export.kind",
		`{"export":{"kind":"x"}}`: "export.kind",
		`{"export":{"kind":"security","members":"some"}}`:                                 "export.members",
		`{"export":{"kind":"microsoft365","nested":"keep"}}`:                              "export.nested",
		`{"export":{"kind":"security","adopt":"grp_1"}}`:                                  "export.adopt",
		`{"export":{"kind":"security","welcomeMail":true}}`:                               "export.welcomeMail",
		`{"licences":[{"sku":"SPE_E3"},{"sku":"spe_e3"}]}`:                                "licences[1].sku",
		`{"licences":[{"sku":"SPE_E3","via":"group"}]}`:                                   "licences[0].via",
		`{"licences":[{"sku":"a b"}]}`:                                                    "licences[0].sku",
		`{"select":{"onRelease":"delete"}}`:                                               "select.onRelease",
		`{"export":{"kind":"security","onRelease":"gone"},"licences":[{"sku":"SPE_E3"}]}`: "export.onRelease",
	} {
		a := w.want(422, "invalid-use", "PUT", path, body)
		if !strings.Contains(a.raw, field) {
			t.Errorf("%s: the answer does not name %q: %s", body, field, a.raw)
		}
	}
	w.want(404, "group-not-used", "GET", path, "") // nothing was stored of them

	put := w.want(200, "", "PUT", path, `{"select":{"onRelease":"keep"},"export":{"kind":"security"},"licences":[{"sku":"SPE_E3","disabledPlans":["SWAY","SWAY"]}]}`)
	if put.header.Get("ETag") != `"1"` || !strings.Contains(put.raw, `"disabledPlans":["SWAY"]`) {
		t.Errorf("put: %s %s", put.header.Get("ETag"), put.raw)
	}
	got := w.want(200, "", "GET", path, "")
	delete(put.body, "forecast") // which only a PUT tells
	if !maps.EqualFunc(got.body, put.body, reflect.DeepEqual) {
		t.Errorf("read: %s, put %s", got.raw, put.raw)
	}
	if list := w.want(200, "", "GET", uses, ""); !strings.Contains(list.raw, group) {
		t.Errorf("listed: %s", list.raw)
	}
	if g := w.want(200, "", "GET", "/v1/groups/"+group, ""); !strings.Contains(g.raw, string(w.conn.ID)) {
		t.Errorf("the group does not say who uses it: %s", g.raw)
	}
	w.want(412, "version-mismatch", "PUT", path, `{"select":{}}`, "If-Match", `"7"`)
	w.want(409, "export-fixed", "PUT", path, `{"export":{"kind":"microsoft365"}}`)
	w.want(200, "", "GET", path+"/members", "")

	ended := w.want(202, "", "DELETE", path, "", "If-Match", `"1"`)
	if ended.body["ending"] != true {
		t.Errorf("ended: %s", ended.raw)
	}
	w.want(404, "group-not-used", "DELETE", path, "")
}

// TestGroupUsesNeedDecisions: what has Bindery take over, or take away, what others have
// made needs bindery/approve.
func TestGroupUsesNeedDecisions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.permit()
	group := w.want(201, "", "POST", "/v1/groups", `{"name":"Staff"}`).text("id")
	path := "/v1/connections/" + string(w.conn.ID) + "/groups/" + group
	admin := map[string]string{"sub": "admin", "scope": ScopeRead + " " + ScopeAdmin}
	for body, key := range map[string]string{
		`{"export":{"kind":"security","members":"exact"}}`:                              "export.members",
		`{"export":{"kind":"security","onRelease":"delete"}}`:                           "export.onRelease",
		`{"export":{"kind":"security","adopt":"6f1b2a4c-0000-4000-8000-000000000001"}}`: "export.adopt",
		`{"select":{"onRelease":"block"}}`:                                              "select.onRelease",
	} {
		a := w.as(admin, "PUT", path, body)
		if a.status != 403 || a.text("code") != "needs-approve" || !strings.Contains(a.raw, key) {
			t.Errorf("%s: %d %s", body, a.status, a.raw)
		}
	}
	if a := w.as(admin, "PUT", path, `{"select":{},"export":{"kind":"security"}}`); a.status != 200 {
		t.Errorf("what needs no decision: %d %s", a.status, a.raw)
	}
	w.want(200, "", "PUT", path, `{"export":{"kind":"security","members":"exact"}}`)
	// What is as loose as it was needs none either, and tightening never does.
	if a := w.as(admin, "PUT", path, `{"select":{},"export":{"kind":"security","members":"exact"}}`); a.status != 200 {
		t.Errorf("as loose as before: %d %s", a.status, a.raw)
	}
	if a := w.as(admin, "PUT", path, `{"select":{},"export":{"kind":"security"}}`); a.status != 200 {
		t.Errorf("tightened: %d %s", a.status, a.raw)
	}
	writer := map[string]string{"sub": "writer", "scope": ScopeRead + " " + ScopeWrite}
	if a := w.as(writer, "PUT", path, `{"select":{}}`); a.status != 403 {
		t.Errorf("who may edit groups only: %d %s", a.status, a.raw)
	}
}

// permit lets the connection export groups and give licences.
func (w *world) permit() {
	w.t.Helper()
	_, err := w.store.Connections.ModifyConnection(w.t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Settings.Groups, c.Settings.Licences = true, true
		c.Scopes = []string{directory.ScopeGroups, directory.ScopeLicences}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestGroupUsesNeedPermissions: an export, and licences, say which permission they need
// that the connection lacks, which from then on is asked for; so does the connection.
func TestGroupUsesNeedPermissions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	group := w.want(201, "", "POST", "/v1/groups", `{"name":"Staff"}`).text("id")
	path := "/v1/connections/" + string(w.conn.ID) + "/groups/" + group
	_, err := w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Scopes, c.AuthorizedBy = []string{"User.ReadWrite.All", directory.ScopeGroupMembers}, &directory.Administrator{}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	lacking := func(a answer) (scopes []string) {
		list, _ := a.body["lacking"].([]any)
		for _, p := range list {
			p, _ := p.(map[string]any)
			if scopes = append(scopes, fmt.Sprint(p["scope"])); p["for"] == "" || p["without"] == "" {
				t.Errorf("%v does not say what for", p)
			}
		}
		return scopes
	}
	connection := "/v1/connections/" + string(w.conn.ID)
	for _, tc := range []struct {
		body      string
		use, conn []string
	}{
		{`{"select":{}}`, nil, nil}, // needs none
		{`{"export":{"kind":"security"}}`, []string{directory.ScopeGroups}, []string{directory.ScopeGroups}},
		{`{"export":{"kind":"security"},"licences":[{"sku":"SPE_E3"}]}`, []string{directory.ScopeGroups, directory.ScopeLicences}, []string{directory.ScopeGroups, directory.ScopeLicences}},
	} {
		put := w.want(200, "", "PUT", path, tc.body)
		if got := lacking(put); !slices.Equal(got, tc.use) {
			t.Errorf("PUT %s lacks %q, want %q", tc.body, got, tc.use)
		}
		if got := lacking(w.want(200, "", "GET", path, "")); !slices.Equal(got, tc.use) {
			t.Errorf("GET after %s lacks %q, want %q", tc.body, got, tc.use)
		}
		if got := lacking(w.want(200, "", "GET", connection, "")); !slices.Equal(got, tc.conn) {
			t.Errorf("the connection lacks %q after %s, want %q", got, tc.body, tc.conn)
		}
	}
	w.permit()
	if got := append(lacking(w.want(200, "", "GET", path, "")), lacking(w.want(200, "", "GET", connection, ""))...); got != nil {
		t.Errorf("with all permissions it lacks %q", got)
	}
}

// TestUseForecast: who asks for a use is told what is likely to follow, and with dryRun
// nothing else happens.
func TestUseForecast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.permit()
	group := w.want(201, "", "POST", "/v1/groups", `{"name":"Staff"}`).text("id")
	conn := "/v1/connections/" + string(w.conn.ID)
	path := conn + "/groups/" + group
	ids := ""
	for _, name := range []string{"a", "b", "c"} {
		ids += `,"` + w.user(`{"email":"`+name+`@corp.example","familyName":"x"}`) + `"`
	}
	staged := w.user(`{"email":"d@corp.example","familyName":"x","state":"staged"}`)
	w.want(200, "", "POST", "/v1/groups/"+group+"/members", `{"userIds":[`+ids[1:]+`,"`+staged+`"]}`)

	rules := `{"select":{},"export":{"kind":"security"},"licences":[{"sku":"SPE_E3"}]}`
	a := w.want(200, "", "PUT", path+"?dryRun=true", rules)
	f, _ := a.body["forecast"].(map[string]any)
	for name, want := range map[string]any{"users": 4.0, "complete": true, "bound": 3.0, "notBindable": 1.0, "membersAdded": 3.0, "writes": 7.0, "seconds": 2.0} {
		if f[name] != want {
			t.Errorf("%s is %v, want %v", name, f[name], want)
		}
	}
	for _, want := range []string{`"name":"Microsoft 365 E3"`, `"needed":3`, `"free":2`, `"missing":1`, `"A group is made in the tenant."`, `\"dryRun\":true`} {
		if !strings.Contains(a.raw, want) {
			t.Errorf("%s is not in %s", want, a.raw)
		}
	}
	w.want(404, "group-not-used", "GET", path, "") // nothing was stored

	if a := w.want(200, "", "PUT", path, rules); a.body["forecast"] == nil || a.header.Get("ETag") != `"1"` {
		t.Errorf("the PUT: %s", a.raw)
	}
	if a := w.want(200, "", "GET", path, ""); a.body["forecast"] != nil {
		t.Errorf("the GET tells a forecast: %s", a.raw)
	}
	w.want(422, "invalid-use", "PUT", path+"?dryRun=true", `{}`)
	w.want(422, "invalid-parameter", "PUT", path+"?dryRun=perhaps", rules)
}

// TestAdoptionRefusedAtOnce: a group of the tenant that cannot be taken over is refused with
// its reason, by its name; what cannot be found out is left to the run.
func TestAdoptionRefusedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.permit()
	group := w.want(201, "", "POST", "/v1/groups", `{"name":"Staff"}`).text("id")
	path := "/v1/connections/" + string(w.conn.ID) + "/groups/" + group
	adopt := func(id string) string { return `{"export":{"kind":"security","adopt":"` + id + `"}}` }
	for i, code := range map[int]string{2: "group-dynamic", 3: "group-synced", 4: "group-mail-enabled", 5: "group-role-assignable", 6: "group-restricted", 7: "group-other-kind"} {
		g := w.groups.List[i]
		if a := w.want(409, code, "PUT", path, adopt(string(g.ID))); !strings.Contains(a.text("detail"), g.DisplayName) || a.text("nextStep") == "" {
			t.Errorf("%s: %s", g.DisplayName, a.raw)
		}
	}
	w.want(409, "tenant-group-not-found", "PUT", path, adopt("6f1b2a4c-0000-4000-8000-000000000001"))
	w.want(404, "group-not-used", "GET", path, "")
	w.want(200, "", "PUT", path, adopt(string(w.groups.List[0].ID)))
	activity := w.want(200, "", "GET", "/v1/activity?limit=5", "")
	if named := `takes over the group \"` + w.groups.List[0].DisplayName + `\" (` + string(w.groups.List[0].ID) + `)`; !strings.Contains(strings.ReplaceAll(activity.raw, `\`, ``), strings.ReplaceAll(named, `\`, ``)) {
		t.Errorf("the activity does not say %s: %s", named, activity.raw)
	}

	other := w.want(201, "", "POST", "/v1/groups", `{"name":"Others"}`).text("id")
	w.groups.Fail = directory.ErrUnavailable
	w.want(200, "", "PUT", "/v1/connections/"+string(w.conn.ID)+"/groups/"+other, adopt(string(w.groups.List[2].ID)))
}
