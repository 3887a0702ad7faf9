package scim

import (
	"fmt"
	"testing"
	"time"

	"bindery/shared/core/provision"
)

// Whatever changes what is shown of a group changes its version and the time of its last
// modification (RFC 7643, 3.1): also of its members, and what is nothing changes neither.
func TestGroupIsModifiedByItsMembers(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		w := newWorld(t, provision.ClientEdit{Strict: &strict})
		var ids []string
		for i := range 4 {
			ids = append(ids, w.make(fmt.Sprintf("u%d@x.example", i), fmt.Sprintf(`,"externalId":"e%d","emails":[{"value":"u%d@x.example"}]`, i, i)))
		}
		g := w.group("G", ids[0])
		read := func() (version, modified string) {
			w.Helper()
			meta, _ := w.want(200, "GET", "/Groups/"+g, nil).body.get("meta").(*object)
			if bare, _ := w.want(200, "GET", "/Groups/"+g+"?excludedAttributes=members", nil).body.get("meta").(*object); !equal(meta, bare) {
				t.Errorf("without members it is %s, not %s", printed(w, bare), printed(w, meta))
			}
			return meta.text("version"), meta.text("lastModified")
		}
		member := func(op, more string) (method, path, body string) {
			return "PATCH", "/Groups/" + g, patchOf(fmt.Sprintf(`{"op":"%s","path":"members"%s}`, op, more))
		}
		put := func(member string) string {
			return fmt.Sprintf(`{"schemas":["%s"],"displayName":"G","members":[{"value":"%s"}]}`, schemaGroup, member)
		}
		for _, step := range []struct {
			changes bool
			send    func() (method, path, body string)
		}{
			{true, func() (string, string, string) { return member("add", `,"value":[{"value":"`+ids[1]+`"}]`) }},
			{false, func() (string, string, string) { return member("add", `,"value":[{"value":"`+ids[1]+`"}]`) }},
			{true, func() (string, string, string) { return member("replace", `,"value":[{"value":"`+ids[2]+`"}]`) }},
			{true, func() (string, string, string) { return "PUT", "/Groups/" + g, put(ids[3]) }},
			{false, func() (string, string, string) { return "PUT", "/Groups/" + g, put(ids[3]) }},
			{true, func() (string, string, string) { return member("remove", "") }},
			{true, func() (string, string, string) { return "PUT", "/Groups/" + g, put(ids[3]) }},
			{true, func() (string, string, string) { return "DELETE", "/Users/" + ids[3], "" }},
			{true, func() (string, string, string) {
				return "POST", "/Users", fmt.Sprintf(`{"schemas":["%s"],"userName":"u3@x.example","externalId":"e3","emails":[{"value":"u3@x.example"}]}`, schemaUser)
			}},
			{false, func() (string, string, string) {
				return "PATCH", "/Users/" + ids[3], patchOf(`{"op":"replace","path":"active","value":false}`)
			}},
			{false, func() (string, string, string) { return "DELETE", "/Users/" + ids[0], "" }},
		} {
			version, modified := read()
			w.Advance(time.Minute)
			before := w.Now()
			method, path, body := step.send()
			if r := w.send(method, path, body); r.Code >= 400 {
				t.Fatalf("%s %s %s: %d %s", method, path, body, r.Code, r.Body)
			}
			newVersion, newModified := read()
			if changed := version != newVersion; changed != step.changes || (modified != newModified) != step.changes {
				t.Errorf("strict %v, %s %s %s: %s of %s became %s of %s", strict, method, path, body, version, modified, newVersion, newModified)
			}
			status := map[bool]int{true: 200, false: 304}[step.changes]
			w.want(status, "GET", "/Groups/"+g, nil, "If-None-Match", version)
			want := map[bool]string{true: "1", false: "0"}[step.changes]
			if total, _ := results(w.want(200, "GET", "/Groups?filter="+esc(`meta.lastModified ge "`+stamp(before)+`"`), nil)); total != want {
				t.Errorf("%s %s %s: %s groups were modified since, want %s", method, path, body, total, want)
			}
		}
	}
}
