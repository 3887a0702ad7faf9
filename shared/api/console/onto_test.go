package console

import (
	"net/http"
	"strings"
	"testing"

	"bindery/shared/directory"
)

// An act onto one version of something does nothing by a form that does not name it, and a
// form that lacks a field does not empty it.
func TestFormsThatLackSomething(t *testing.T) {
	t.Parallel()
	w := runWorld(t, directory.RunDone)
	acts := 0
	for _, r := range routes {
		if !r.onto {
			continue
		}
		acts++
		path := strings.ReplaceAll(r.path, "{id}", map[bool]string{true: "usr_1", false: "grp_1"}[strings.Contains(r.path, "/users/")])
		a := w.post(path, "name", "Sales")
		if calls := w.told(); a.code != http.StatusBadRequest || len(calls) > 0 {
			t.Errorf("%s: %d, told %v", path, a.code, calls)
		}
		a.sound(path)
	}
	if acts < 8 {
		t.Errorf("%d acts are of one version", acts)
	}
	w.post("/console/groups/grp_1/edit", "version", "3", "description", "")
	if calls := w.told(); len(calls) != 1 || calls[0] != `PATCH /v1/groups/grp_1 {"description":null}` {
		t.Errorf("told %v", calls)
	}
}
