package admin

import (
	"encoding/csv"
	"encoding/json"
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
