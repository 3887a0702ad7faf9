package admin

import (
	"fmt"
	"strings"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// TestUserLicences: which licences one bound user is to have is said, read and taken back,
// by who may edit bindings; what follows is a record that is marked, and audited.
func TestUserLicences(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := directory.UserID(w.user(`{"email":"ann@corp.example","userName":"ann"}`))
	path := "/v1/connections/" + string(w.conn.ID) + "/bindings/" + string(id) + "/licences"
	w.want(404, "not-bound", "GET", path, "")
	w.want(404, "not-bound", "PUT", path, `{"licences":[{"sku":"SPE_E3"}]}`)
	u, err := w.store.Users.User(t.Context(), id)
	if err == nil {
		err = w.store.Bindings.Bind(t.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{User: &u}})
	}
	if err != nil {
		t.Fatal(err)
	}
	w.permit()
	for body, field := range map[string]string{
		`{}`:                                                 "licences",
		`{"licences":[],"x":1}`:                              "",
		`{"licences":[{"sku":"a b"}]}`:                       "licences[0].sku",
		`{"licences":[{"sku":"A"},{"sku":"a"}]}`:             "licences[1].sku",
		`{"licences":[{"sku":"A","via":"group"}]}`:           "licences[0].via",
		`{"licences":[{"sku":"A","priority":-1}]}`:           "licences[0].priority",
		`{"licences":[{"sku":"A","disabledPlans":["a b"]}]}`: "licences[0].disabledPlans",
	} {
		if a := w.want(422, "invalid-use", "PUT", path, body); !strings.Contains(a.raw, field) {
			t.Errorf("%s: the answer does not name %q: %s", body, field, a.raw)
		}
	}
	none := w.want(200, "", "GET", path, "")
	if !strings.Contains(none.raw, `"licences":[]`) || none.body["status"] != nil {
		t.Errorf("none: %s", none.raw)
	}
	put := w.want(200, "", "PUT", path, `{"licences":[{"sku":" SPE_E3 ","disabledPlans":["SWAY"],"priority":5}]}`)
	if put.header.Get("ETag") != `"1"` || !strings.Contains(put.raw, `"sku":"SPE_E3"`) {
		t.Errorf("put: %s %s", put.header.Get("ETag"), put.raw)
	}
	if got := w.want(200, "", "GET", path, ""); got.body["status"] != string(directory.BindingPending) || !strings.Contains(got.raw, `"priority":5`) {
		t.Errorf("read: %s", got.raw)
	}
	ref := directory.LicenceOf(id)
	found, err := w.store.Bindings.BindingsOf(t.Context(), w.conn.ID, []directory.Ref{ref})
	if b := found[ref]; err != nil || !b.Marked {
		t.Errorf("the record is %+v, %v", b, err)
	}
	w.want(412, "version-mismatch", "PUT", path, `{"licences":[]}`, "If-Match", `"7"`)
	w.want(200, "", "PUT", path, `{"licences":[]}`, "If-Match", `"1"`)
	writer := map[string]string{"sub": "writer", "scope": ScopeRead + " " + ScopeWrite}
	if a := w.as(writer, "PUT", path, `{"licences":[{"sku":"SPE_E3"}]}`); a.status != 200 {
		t.Errorf("who may edit bindings: %d %s", a.status, a.raw)
	}
	if a := w.as(map[string]string{"sub": "ad", "scope": ScopeWrite + " bindery/source.ad"}, "PUT", path, `{"licences":[]}`); a.status != 403 {
		t.Errorf("a source: %d %s", a.status, a.raw)
	}
}

// TestUserLicencesWithoutPermission: rules are taken before the connection may give
// licences, and the answer says what it lacks.
func TestUserLicencesWithoutPermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user(`{"email":"ann@corp.example","userName":"ann"}`)
	w.want(200, "", "POST", "/v1/connections/"+string(w.conn.ID)+"/bindings", `{"userIds":["`+ann+`"]}`)
	_, err := w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Scopes, c.AuthorizedBy = []string{"User.ReadWrite.All"}, &directory.Administrator{}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	path := "/v1/connections/" + string(w.conn.ID) + "/bindings/" + ann + "/licences"
	if a := w.want(200, "", "PUT", path, `{"licences":[{"sku":"SPE_E3"}]}`); !strings.Contains(fmt.Sprint(a.body["lacking"]), directory.ScopeLicences) {
		t.Errorf("without the permission: %s", a.raw)
	}
	w.permit()
	if a := w.want(200, "", "GET", path, ""); a.body["lacking"] != nil {
		t.Errorf("with the permission: %s", a.raw)
	}
}
