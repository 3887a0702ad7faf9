package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bindery/infra/stack"
	"bindery/infra/stacktest"
	"bindery/shared/api/admin"
)

// What is too large for Lambda is refused here as API Gateway refuses it; what the
// API says that it takes, arrives, with as large headers as there may be.
func TestBodyLimits(t *testing.T) {
	o := stacktest.New(t)
	row := "someone@corp.example,Someone\n"
	file := func(n int) string {
		body := "email,familyName\n" + strings.Repeat(row, n/len(row))
		return body[:min(n, len(body))] + strings.Repeat(" ", max(0, n-len(body)))
	}
	lines := func(n int) string { return strings.Repeat(`{"email":"someone@corp.example"}`+"\n", n/33) }
	const gateway = "Request Entity Too Large"
	for _, test := range []struct {
		name, kind, body string
		status           int
		says             string
	}{
		{"csv", "text/csv", file(admin.MaxBody), 202, ""},
		{"csv as bytes", "application/octet-stream", file(admin.MaxBody), 202, ""},
		{"lines", "application/x-ndjson", lines(admin.MaxBody), 202, ""},
		{"lines as json", "application/json", lines(admin.MaxBody), 202, ""},
		{"a byte too many", "text/csv", file(admin.MaxBody + 1), 413, "POST /v1/uploads"},
		{"a byte too many as bytes", "application/octet-stream", file(admin.MaxBody + 1), 413, "POST /v1/uploads"},
		{"quotes", "text/csv", "email\n" + strings.Repeat(`"""`+"\n", admin.MaxBody/4-2), 413, gateway},
		{"quotes as bytes", "application/octet-stream", "email\n" + strings.Repeat("\"a\"b\n", 800_000), 202, ""},
		{"5 MB in base64", "application/x-ndjson", lines(5 << 20), 413, gateway},
		{"11 MB", "text/csv", file(11 << 20), 413, gateway},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/users:load", strings.NewReader(test.body))
		r.Header.Set("Authorization", "Bearer "+o.Stack.AdminToken())
		r.Header.Set("Content-Type", test.kind)
		r.Header.Set("Accept", strings.Repeat(`"`, 8000))
		w := httptest.NewRecorder()
		o.Stack.Handler().ServeHTTP(w, r)
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.says) {
			t.Errorf("%s: %d %.300s, want %d with %q", test.name, w.Code, w.Body, test.status, test.says)
		}
	}
}

// A file is uploaded and loaded by a source, past the limits of a request, and is
// gone afterwards.
func TestUploadedFile(t *testing.T) {
	state := t.TempDir()
	o := stacktest.With(t, stack.Config{Dir: state})
	bridge := o.Bridge()
	var b strings.Builder
	b.WriteString("email,familyName,customAttributes.note\n")
	const people = 1500
	for i := range people {
		fmt.Fprintf(&b, "p%d@corp.example,\"P, %d\",%s\n", i, i, strings.Repeat("x", 1000))
	}
	file := b.String() + strings.Repeat("\n", 4<<20)
	if len(file) <= admin.MaxBody {
		t.Fatalf("a file of %d bytes needs no upload", len(file))
	}
	up, err := bridge.PostJSON(t.Context(), "/v1/uploads", object{"bytes": len(file), "contentType": "text/csv"})
	if err != nil {
		t.Fatal(err)
	}
	put := func() int {
		r := httptest.NewRequestWithContext(t.Context(), up.Text("method"), up.Text("url"), strings.NewReader(file))
		headers, _ := up["headers"].(map[string]any)
		for name, value := range headers {
			r.Header.Set(name, value.(string))
		}
		w := httptest.NewRecorder()
		o.Stack.Handler().ServeHTTP(w, r)
		return w.Code
	}
	if first, second := put(), put(); first != http.StatusOK || second != http.StatusPreconditionFailed {
		t.Errorf("storing the file = %d, again = %d", first, second)
	}
	if _, err := o.API.Post(t.Context(), "/v1/users:load?upload="+up.Text("id"), "", ""); err == nil || !strings.Contains(err.Error(), "upload-not-found") {
		t.Errorf("somebody else loads the file: %v", err)
	}
	job, err := bridge.Post(t.Context(), "/v1/users:load?upload="+up.Text("id"), "", "")
	if err != nil {
		t.Fatal(err)
	}
	var done object
	o.Wait("the load does not end", func() bool {
		done = o.Get("/v1/jobs/" + job.Text("id"))
		return done.Text("state") != "queued" && done.Text("state") != "running"
	})
	if done.Text("state") != "done" || done.Number("total") != people || done.Number("done") != people || done.Number("refusedCount") != 0 {
		t.Errorf("job = %v", done)
	}
	u := o.Get("/v1/users?email=p7@corp.example").List("items")
	if len(u) != 1 || u[0].Text("source") != "ad" || u[0].Text("familyName") != "P, 7" {
		t.Errorf("loaded user = %v", u)
	}
	if left, err := os.ReadDir(filepath.Join(state, "uploads")); err != nil || len(left) != 0 {
		t.Errorf("the folder of uploads holds %v, %v", left, err)
	}
}
