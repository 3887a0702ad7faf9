package scim

import (
	"strings"
	"testing"

	"bindery/shared/core/provision"
)

// The id of the resource itself is no write of it, to nobody; another one is.
func TestOwnIDIsNoWrite(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		w := newWorld(t, provision.ClientEdit{Strict: ptr(strict)})
		id := w.want(201, "POST", "/Users", `{"schemas":["`+schemaUser+`"],"userName":"ann","emails":[{"value":"ann@x.example","type":"work"}]}`).body.text("id")
		g := w.group("Crew")
		other := 200
		if strict {
			other = 400
		}
		for path, own := range map[string]string{"/Users/" + id: id, "/Groups/" + g: g} {
			urn := schemaUser
			if own == g {
				urn = schemaGroup
			}
			for _, op := range []string{`{"op":"replace","value":{"schemas":["` + urn + `"],"id":"%s","displayName":"New"}}`, `{"op":"replace","path":"id","value":"%s"},{"op":"replace","path":"displayName","value":"New"}`} {
				r := w.want(200, "PATCH", path, patchOf(strings.Replace(op, "%s", own, 1)))
				if notes := w.lastRequest().Notes; len(notes) != 0 || r.body.text("displayName") != "New" || r.body.text("id") != own {
					t.Errorf("%s, notes %q", r.Body, notes)
				}
				w.want(other, "PATCH", path, patchOf(strings.Replace(op, "%s", "usr_other", 1)))
			}
		}
	}
}
