package scim

import (
	"testing"

	"bindery/shared/core/provision"
)

// A change for which nothing may be there yet is refused (RFC 9110, 13.1.2).
func TestIfNoneMatch(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		w := newWorld(t, provision.ClientEdit{Strict: ptr(strict)})
		id := w.make("a@x.example", `,"emails":[{"value":"a@x.example"}]`)
		tag := w.want(200, "GET", "/Users/"+id, nil).Header().Get("ETag")
		group := w.group("G")
		body := `{"schemas":["` + schemaUser + `"],"userName":"a@x.example","title":"T","emails":[{"value":"a@x.example"}]}`
		for _, none := range []string{"*", tag, `"x", ` + tag} {
			w.want(412, "PUT", "/Users/"+id, body, "If-None-Match", none)
			w.want(412, "PATCH", "/Users/"+id, patchOf(`{"op":"add","path":"title","value":"T"}`), "If-None-Match", none)
			w.want(412, "DELETE", "/Users/"+id, nil, "If-None-Match", none)
		}
		w.want(412, "PATCH", "/Groups/"+group, patchOf(`{"op":"replace","path":"displayName","value":"H"}`), "If-None-Match", "*")
		w.want(412, "DELETE", "/Groups/"+group, nil, "If-None-Match", "*")
		w.want(404, "PUT", "/Users/usr_nobody", body, "If-None-Match", "*")
		if u := w.user(id); u.JobTitle != "" {
			t.Errorf("%+v", u)
		}
		w.want(200, "PUT", "/Users/"+id, body, "If-None-Match", `W/"9.9"`)
		w.want(304, "GET", "/Users/"+id, nil, "If-None-Match", "*")
	}
}
