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

// Forms that say what is meant are taken of a tolerant client, with a note, and refused to a
// strict one.
func TestMoreForms(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		w := newWorld(t, provision.ClientEdit{Strict: ptr(strict)})
		id := w.want(201, "POST", "/Users", `{"schemas":["`+schemaUser+`"],"userName":"ann","emails":[{"value":"ann@x.example","type":"work"}]}`).body.text("id")
		g := w.group("Crew")
		at := "https://b.example" + Prefix + string(w.client.ID) + root
		for _, tt := range []struct{ path, op, shows string }{
			{"/Users/" + id, `{"op":"replace","path":"` + schemaUser + `","value":{"title":"Cook"}}`, `"title":"Cook"`},
			{"/Users/" + id, `{"op":"replace","path":"name","value":"Ann Bee"}`, `"formatted":"Ann Bee"`},
			{"/Users/" + id, `{"op":"replace","value":{"addresses":"1 Main Street"}}`, `"formatted":"1 Main Street"`},
			{"/Groups/" + g, `{"op":"add","path":"members","value":[{"$ref":"` + at + `/Users/` + id + `"}]}`, `"value":"` + id + `"`},
		} {
			if strict {
				w.want(400, "PATCH", tt.path, patchOf(tt.op))
				continue
			}
			if r := w.want(200, "PATCH", tt.path, patchOf(tt.op)); !strings.Contains(r.Body.String(), tt.shows) || len(w.lastRequest().Notes) == 0 {
				t.Errorf("%s: %s, notes %q", tt.op, r.Body, w.lastRequest().Notes)
			}
		}
		if !strict {
			w.want(200, "PATCH", "/Groups/"+g, patchOf(`{"op":"add","path":"members","value":[{"$ref":"../Groups/`+g+`"}]}`))
			if n := len(w.in(g)); n != 1 {
				t.Errorf("%d members", n)
			}
		}
		w.want(201, "POST", "/Users", "\xef\xbb\xbf"+`{"schemas":["`+schemaUser+`"],"userName":"ben","emails":[{"value":"ben@x.example","type":"work"}]}`)
		if r := w.want(415, "POST", "/Users", "\x1f\x8b\x08", "Content-Encoding", "gzip"); !strings.HasSuffix(r.body.text("detail"), " [unsupported-media-type]") {
			t.Errorf("%s", r.Body)
		}
	}
}

// HEAD is answered as GET, without a body.
func TestHead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	id := w.make("ann@x.example")
	for path, status := range map[string]int{"/Users": 200, "/Users/" + id: 200, "/ServiceProviderConfig": 200, "/Users/usr_none": 404} {
		got, want := w.send("HEAD", path, nil), w.want(status, "GET", path, nil)
		if got.Code != status || got.Body.Len() != 0 || got.Header().Get("ETag") != want.Header().Get("ETag") {
			t.Errorf("%s: %d, %s", path, got.Code, got.Body)
		}
	}
}

// What a strict client is refused of several primary values, and of groups as members, a
// tolerant one is told of.
func TestStrictLists(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		w := newWorld(t, provision.ClientEdit{Strict: ptr(strict)})
		g := w.group("Crew")
		for path, body := range map[string]string{
			"/Users":  `{"schemas":["` + schemaUser + `"],"userName":"ann","emails":[{"value":"ann@x.example","primary":true},{"value":"b@x.example","primary":true}]}`,
			"/Groups": `{"schemas":["` + schemaGroup + `"],"displayName":"All","members":[{"value":"` + g + `","type":"Group"}]}`,
		} {
			if strict {
				w.want(400, "POST", path, body)
				continue
			}
			w.want(201, "POST", path, body)
			if notes := w.lastRequest().Notes; len(notes) != 1 {
				t.Errorf("%s: %q", path, notes)
			}
		}
	}
}
