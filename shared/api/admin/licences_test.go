package admin

import (
	"strings"
	"testing"

	"bindery/shared/directory"
)

// TestLicences: an admin sees the tenant's products by the names that people know.
func TestLicences(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.permit()
	path := "/v1/connections/" + string(w.conn.ID) + "/licences"
	a := w.want(200, "", "GET", path, "")
	for _, want := range []string{`"name":"Microsoft 365 E3"`, `"skuPartNumber":"SPE_E3"`, `"free":2`, `"used":3`, `"given":0`, `"waiting":{"users":0}`} {
		if !strings.Contains(a.raw, want) {
			t.Errorf("%s is not in %s", want, a.raw)
		}
	}
	if strings.Contains(a.raw, "counted") {
		t.Errorf("nobody has counted yet: %s", a.raw)
	}
	job := w.want(202, "", "POST", path+"/count", "")
	if got := w.want(200, "", "GET", job.header.Get("Location"), ""); got.text("kind") != string(directory.JobLicences) {
		t.Errorf("the job: %s", got.raw)
	}
	w.want(404, "not-found", "GET", "/v1/connections/con_nobody/licences", "")
}

func TestLicencesNeedPermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.conn.Scopes = []string{"User.ReadWrite.All"}
	w.saveConn(w.conn)
	path := "/v1/connections/" + string(w.conn.ID) + "/licences"
	for _, a := range []answer{w.want(409, "scope-missing", "GET", path, ""), w.want(409, "scope-missing", "POST", path+"/count", "")} {
		if !strings.Contains(a.text("nextStep"), "Set licences") {
			t.Errorf("the next step: %s", a.raw)
		}
	}
}
