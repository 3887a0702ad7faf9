package admin

import (
	"encoding/csv"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Users are read as CSV and as JSON lines, page by page, with the same columns on each page,
// and nothing that a spreadsheet would compute.
func TestUsersInForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := []string{
		w.user(`{"email":"ann@corp.example","displayName":"=HYPERLINK(\"http://bad.example\")","phones":{"work":"+49 30 1234"},"customAttributes":{"badge":"7"}}`),
		w.user(`{"email":"bob@corp.example","department":"Sales, \"North\"","state":"suspended"}`),
		w.user(`{"email":"eve@corp.example","department":"@SUM(1)"}`),
	}
	w.want(204, "", "DELETE", "/v1/users/"+ids[2], "")
	rows := map[string]map[string]string{}
	var heads []string
	next := "/v1/users?limit=1"
	for next != "" {
		a := w.form(next, "text/csv")
		if a.Code != 200 || a.Header().Get("Content-Type") != csvType {
			t.Fatalf("%s = %d %s", next, a.Code, a.Body)
		}
		lines, err := csv.NewReader(strings.NewReader(a.Body.String())).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, strings.Join(lines[0], " "))
		for _, line := range lines[1:] {
			row := map[string]string{}
			for i, name := range lines[0] {
				row[name] = line[i]
			}
			rows[row["id"]] = row
		}
		next, _, _ = strings.Cut(strings.TrimPrefix(a.Header().Get("Link"), "<"), ">")
	}
	if len(rows) != 2 || len(slices.Compact(heads)) != 1 {
		t.Fatalf("%d users under the headings %q, want the two who live, under one", len(rows), heads)
	}
	for _, c := range []struct{ id, column, want string }{
		{ids[0], "email", "ann@corp.example"}, {ids[0], "displayName", `'=HYPERLINK("http://bad.example")`}, {ids[0], "phones.work", "+49 30 1234"},
		{ids[0], "customAttributes", `{"badge":"7"}`}, {ids[0], "state", "active"}, {ids[0], "source", "manual"}, {ids[0], "deleted", ""},
		{ids[1], "department", `Sales, "North"`}, {ids[1], "state", "suspended"}, {ids[1], "customAttributes", ""},
	} {
		if got := rows[c.id][c.column]; got != c.want {
			t.Errorf("%s of %s = %q, want %q", c.column, c.id, got, c.want)
		}
	}
	asked := "/v1/users?id=" + strings.Join(ids, ",")
	lines := strings.SplitAfter(strings.TrimSuffix(w.form(asked, "application/x-ndjson").Body.String(), "\n"), "\n")
	items := w.want(200, "", "GET", asked, "").body["items"].([]any)
	if len(lines) != 3 || len(items) != 3 {
		t.Fatalf("%d lines, %d items, want the three who were asked for", len(lines), len(items))
	}
	for i := range lines {
		var line map[string]any
		if err := json.Unmarshal([]byte(lines[i]), &line); err != nil || line["id"] != ids[i] || line["email"] != items[i].(map[string]any)["email"] {
			t.Errorf("line %d is %s (%v), want what the list has", i, lines[i], err)
		}
	}
	if deleted := w.form("/v1/users?deleted=true", "text/csv").Body.String(); !strings.Contains(deleted, "'@SUM(1)") || strings.Count(deleted, "\n") != 2 {
		t.Errorf("deleted ones: %s", deleted)
	}
	w.want(200, "", "GET", "/v1/users?limit=2500", "")
	w.want(422, "invalid-parameter", "GET", "/v1/users?limit=2501", "")
}

// Asked for, a list of users says what each is bound by; a binding of an epoch that has passed
// does not count, and no source is told.
func TestUsersWithBindings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.user(`{"email":"ann@corp.example"}`), w.user(`{"email":"bob@corp.example"}`)
	conn := "/v1/connections/" + string(w.conn.ID)
	w.want(200, "", "POST", conn+"/bindings", `{"userIds":["`+ann+`"]}`)
	bound := func(query string) map[string]any {
		of := map[string]any{}
		for _, item := range w.want(200, "", "GET", "/v1/users?"+query, "").body["items"].([]any) {
			if u := item.(map[string]any); u["binding"] != nil {
				of[u["id"].(string)] = u["binding"]
			}
		}
		return of
	}
	want := map[string]any{"connectionId": string(w.conn.ID), "connectionName": w.conn.Name, "status": "pending"}
	for _, query := range []string{"include=binding", "include=binding&id=" + bob + "," + ann, "include=binding&text=ann", "include=binding&email=ann@corp.example"} {
		if got := bound(query); len(got) != 1 || !maps.Equal(got[ann].(map[string]any), want) {
			t.Errorf("%s tells %v, want that ann is bound by %v", query, got, want)
		}
	}
	if got := bound("limit=50"); len(got) != 0 {
		t.Errorf("unasked it tells %v", got)
	}
	w.want(422, "invalid-parameter", "GET", "/v1/users?include=everything", "")
	if csv := w.form("/v1/users?text=ann&include=binding", "text/csv").Body.String(); !strings.Contains(csv, ",connectionId,connectionName,bindingStatus\r\n") || !strings.Contains(csv, ","+string(w.conn.ID)+","+w.conn.Name+",pending\r\n") {
		t.Errorf("as CSV: %s", csv)
	}
	ad := map[string]string{"sub": "bridge", "scope": everything + " bindery/source.ad"}
	if a := w.as(ad, "GET", "/v1/users?include=binding", ""); a.status != 403 || a.text("code") != "source-token" {
		t.Errorf("a source is answered %d %s", a.status, a.raw)
	}
	if a := w.as(ad, "GET", "/v1/users", ""); a.status != 200 {
		t.Errorf("a source is answered %d %s without it", a.status, a.raw)
	}
	w.want(200, "", "POST", conn+"/deactivate", "")
	if got := bound("include=binding"); len(got) != 0 {
		t.Errorf("of a connection that was let go: %v", got)
	}
}
