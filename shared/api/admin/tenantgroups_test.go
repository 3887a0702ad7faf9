package admin

import (
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

// TestTenantGroups: an admin sees which groups of the tenant an export may take over, and
// why not the others.
func TestTenantGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.permit()
	sales := w.want(201, "", "POST", "/v1/groups", `{"name":"Sales"}`).text("id")
	path := "/v1/connections/" + string(w.conn.ID) + "/tenant-groups"

	got, next := map[string]map[string]any{}, ""
	for range 20 {
		a := w.want(200, "", "GET", path+"?limit=3&next="+next, "")
		for _, item := range a.body["items"].([]any) {
			g := item.(map[string]any)
			got[g["displayName"].(string)] = g
		}
		if next = a.text("next"); next == "" {
			break
		}
	}
	for name, verdict := range map[string]string{
		"Free": "free", "SALES": "same-name", "Dynamic": "dynamic", "Synced": "synced", "List": "mail-enabled", "Roles": "role-assignable", "Restricted": "restricted", "Unified": "free",
	} {
		g := got[name]
		if g["verdict"] != verdict || g["detail"] == "" || g["adoptable"] != (verdict == "free" || verdict == "same-name") {
			t.Errorf("%s: %v, want %s", name, g, verdict)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("listed besides: %v", got)
	}
	if a := w.want(200, "", "GET", path+"?name=sAl", ""); !strings.Contains(a.raw, sales) || strings.Contains(a.raw, "Free") {
		t.Errorf("by name: %s", a.raw)
	}
	if a := w.want(200, "", "GET", path+"?verdict=dynamic", ""); strings.Contains(a.raw, "Free") || !strings.Contains(a.raw, "membershipRule") {
		t.Errorf("by verdict: %s", a.raw)
	}
	w.want(422, "invalid-parameter", "GET", path+"?verdict=mine", "")
	w.want(404, "not-found", "GET", "/v1/connections/con_nobody/tenant-groups", "")
	// The next of a list is good for that list only.
	next = w.want(200, "", "GET", path+"?limit=3", "").text("next")
	w.want(422, "invalid-cursor", "GET", path+"?limit=3&name=s&next="+next, "")

	w.groups.Fail = &directory.ThrottledError{RetryAfter: 7 * time.Second}
	if a := w.want(503, "throttled", "GET", path, ""); a.header.Get("Retry-After") != "7" {
		t.Errorf("throttled: %v", a.header)
	}
	w.groups.Fail = directory.ErrUnauthorized
	w.want(409, "needs-authorization", "GET", path, "")
}

// TestTenantGroupsNeedPermission: without the permission for groups they are not asked
// for, and the answer says what to do.
func TestTenantGroupsNeedPermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.conn.Scopes = []string{"User.ReadWrite.All"}
	w.saveConn(w.conn)
	if a := w.want(409, "scope-missing", "GET", "/v1/connections/"+string(w.conn.ID)+"/tenant-groups", ""); !strings.Contains(a.text("nextStep"), "Set groups") {
		t.Errorf("the next step: %s", a.raw)
	}
}

// TestImportOfGroups: an import of groups is a job, and takes groups by their IDs alone.
func TestImportOfGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.permit()
	path := "/v1/connections/" + string(w.conn.ID) + "/imports"
	id := string(w.groups.List[0].ID)
	if a := w.want(202, "", "POST", path, `{"groupIds":["`+id+`"]}`); a.text("kind") != "import-groups" || a.body["total"] != float64(1) {
		t.Errorf("the job: %s", a.raw)
	}
	w.want(400, "invalid-body", "POST", path, `{"groupIds":["`+id+`"],"all":true}`)
	w.want(400, "invalid-body", "POST", path, `{"groupIds":["`+id+`"],"managers":true}`)
	if a := w.want(400, "invalid-body", "POST", path, `{"groupIds":["`+id+`","me/messages"]}`); !strings.Contains(a.raw, "groupIds[1]") {
		t.Errorf("no ID: %s", a.raw)
	}
	if a := w.want(202, "", "POST", path, `{"all":true,"managers":true}`); a.text("kind") != "import" {
		t.Errorf("the job: %s", a.raw)
	}
}
