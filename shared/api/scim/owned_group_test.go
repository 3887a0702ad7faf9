package scim

import (
	"strings"
	"testing"

	"bindery/shared/core/people"
	"bindery/shared/core/provision"
	"bindery/shared/directory"
)

// A group of another source's is not a client's to delete, which is 403 and no value that is
// taken; what the client asks of its name is told, and its members are edited.
func TestGroupOwnedElsewhere(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		w := newWorld(t, provision.ClientEdit{Strict: ptr(strict)})
		groups := people.NewGroups(people.UsersConfig{Stores: people.StoresOf(w.Store), Wake: noWaker{}, Now: w.Now})
		made, err := groups.Create(t.Context(), directory.Caller{Subject: "bridge", Source: directory.SourceAD}, []byte(`{"name":"Works"}`))
		w.Must(err)
		path := "/Groups/" + string(made.ID)
		r := w.want(403, "DELETE", path, nil)
		if r.body.get("scimType") != nil || !strings.HasSuffix(r.body.text("detail"), " [owned-elsewhere]") {
			t.Errorf("%s", r.Body)
		}
		user := w.want(201, "POST", "/Users", `{"schemas":["`+schemaUser+`"],"userName":"ann","emails":[{"value":"ann@x.example","type":"work"}]}`).body.text("id")
		r = w.want(200, "PATCH", path, patchOf(`{"op":"replace","path":"displayName","value":"Mine"},{"op":"add","path":"members","value":[{"value":"`+user+`"}]}`))
		if r.body.text("displayName") != "Works" || len(w.in(string(made.ID))) != 1 {
			t.Errorf("%s", r.Body)
		}
		if notes := w.lastRequest().Notes; len(notes) != 1 || !strings.Contains(notes[0], "owned by ad") {
			t.Errorf("%q", notes)
		}
	}
}
