package admin

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// upload sends a file with the request that an upload gave, and returns the
// upload's ID.
func (w *world) upload(claims map[string]string, file, kind string) string {
	w.t.Helper()
	a := w.as(claims, "POST", "/v1/uploads", fmt.Sprintf(`{"bytes":%d,"contentType":%q}`, len(file), kind))
	if a.status != http.StatusCreated {
		w.t.Fatalf("POST /v1/uploads = %d %s", a.status, a.raw)
	}
	r := httptest.NewRequest(a.text("method"), a.text("url"), strings.NewReader(file))
	headers, _ := a.body["headers"].(map[string]any)
	for name, value := range headers {
		r.Header.Set(name, value.(string))
	}
	rec := httptest.NewRecorder()
	w.files.ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		w.t.Fatalf("storing the file = %d %s", rec.Code, rec.Body)
	}
	return a.text("id")
}

func TestUploads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	me := map[string]string{"sub": "admin", "scope": everything}
	bridge := map[string]string{"sub": "bridge", "scope": ScopeWrite + " bindery/source.ad"}
	file := "email,department\na@corp.example,Sales\n"

	id := w.upload(bridge, file, "text/csv")
	for name, claims := range map[string]map[string]string{
		"another caller":              me,
		"the same without its source": {"sub": "bridge", "scope": ScopeWrite},
	} {
		if a := w.as(claims, "POST", "/v1/users:load?upload="+id, ""); a.status != 404 || a.text("code") != "upload-not-found" {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	if a := w.as(map[string]string{"sub": "bridge", "scope": ScopeRead}, "POST", "/v1/uploads", `{"bytes":1}`); a.status != 403 {
		t.Errorf("an upload without the scope = %d %s", a.status, a.raw)
	}
	a := w.as(bridge, "POST", "/v1/users:load?upload="+id, "")
	if a.status != 202 || a.text("kind") != "load" || a.header.Get("Location") != "/v1/jobs/"+a.text("id") {
		t.Errorf("load = %d %s", a.status, a.raw)
	}
	if again := w.as(bridge, "POST", "/v1/users:load?upload="+id, ""); again.status != 409 || again.text("code") != "upload-used" || !strings.Contains(again.raw, a.text("id")) {
		t.Errorf("the same upload again = %d %s", again.status, again.raw)
	}

	for _, test := range []struct {
		body, code, field string
		status            int
	}{
		{`{}`, "invalid-upload", "bytes", 422},
		{`{"bytes":0}`, "invalid-upload", "bytes", 422},
		{`{"bytes":100000001}`, "invalid-upload", "bytes", 422},
		{`{"bytes":"1"}`, "invalid-body", "bytes", 400},
		{`{"bytes":1,"name":"x"}`, "invalid-body", "name", 400},
		{`{"bytes":1,"contentType":"image/png"}`, "unsupported-media-type", "", 415},
		{`{"bytes":1,"contentType":"text/csv; charset=koi8-r"}`, "unsupported-charset", "", 415},
	} {
		a := w.want(test.status, test.code, "POST", "/v1/uploads", test.body)
		if test.field != "" && !strings.Contains(a.raw, `"field":"`+test.field+`"`) {
			t.Errorf("%s: %s", test.body, a.raw)
		}
	}
	if a := w.want(422, "two-files", "POST", "/v1/users:load?upload="+id, file); a.text("nextStep") == "" {
		t.Errorf("an upload and a body: %s", a.raw)
	}
	w.want(422, "empty-file", "POST", "/v1/users:load", "")
	w.want(404, "upload-not-found", "POST", "/v1/users:load?upload=upl_none", "")
	bad := w.upload(me, "nick\nx\n", "text/csv")
	w.want(422, "invalid-header", "POST", "/v1/users:load?upload="+bad, "")
}
