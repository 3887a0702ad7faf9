package scim

import (
	"strings"
	"testing"

	"bindery/shared/core/provision"
)

// Who is deleted is no member to be put in, by whichever request (RFC 7644, 3.12): a strict
// client is refused, with nothing changed, and another one's is left out, which is told. What a
// strict client has read of a group it may always send back.
func TestDeletedMembersAreRefused(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{true, false} {
		for _, own := range []bool{false, true} {
			w := newWorld(t, provision.ClientEdit{Strict: &strict, OwnOnly: &own})
			make := func(address string) string {
				return w.make(address, `,"emails":[{"value":"`+address+`"}]`)
			}
			ann, gone := make("ann@x.example"), make("gone@x.example")
			group := w.group("Crew", ann)
			before := w.group("Before", ann, gone)
			w.want(204, "DELETE", "/Users/"+gone, nil)
			named := `"members":[{"value":"` + ann + `"},{"value":"` + gone + `"}]`
			for _, r := range []struct{ method, path, body string }{
				{"POST", "/Groups", `{"schemas":["` + schemaGroup + `"],"displayName":"New",` + named + `}`},
				{"PUT", "/Groups/" + group, `{"schemas":["` + schemaGroup + `"],"displayName":"Crew",` + named + `}`},
				{"PATCH", "/Groups/" + group, patchOf(`{"op":"add","path":"members","value":[{"value":"` + gone + `"}]}`)},
				{"PATCH", "/Groups/" + group, patchOf(`{"op":"add","value":{` + named + `}}`)},
				{"PATCH", "/Groups/" + group, patchOf(`{"op":"replace","path":"members","value":[{"value":"` + ann + `"},{"value":"` + gone + `"}]}`)},
				{"PATCH", "/Groups/" + group, patchOf(`{"op":"replace","path":"members[value eq \"` + ann + `\"]","value":{"value":"` + gone + `"}},{"op":"add","path":"members","value":[{"value":"` + ann + `"}]}`)},
			} {
				got := w.send(r.method, r.path, r.body)
				if notes := strings.Join(w.lastRequest().Notes, "; "); strict != (got.Code == 400) || !strict && !strings.Contains(notes, "left out") {
					t.Errorf("strict %t, own %t, %s %s: %d %s, told %q", strict, own, r.method, r.body, got.Code, got.Body, notes)
				}
				if strict && got.body.text("scimType") != typeInvalidValue {
					t.Errorf("%s", got.Body)
				}
				if in := w.in(group); len(in) != 1 || in[0] != ann {
					t.Errorf("%s %s: %v", r.method, r.body, in)
				}
			}
			read := w.want(200, "GET", "/Groups/"+before, nil)
			w.want(200, "PUT", "/Groups/"+before, read.Body.String())
		}
	}
}
