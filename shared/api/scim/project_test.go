package scim

import (
	"slices"
	"strings"
	"testing"

	"bindery/shared/core/provision"
)

// All that a schema has is asked for, or left out, by its URN: the core one's, too.
func TestAttributesOfASchema(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{Strict: ptr(true)})
	id := w.make("a@x.example", `,"externalId":"E","title":"T","emails":[{"value":"a@x.example"}],`+ent+`:{"department":"d","costCenter":"c"}`)
	group := w.group("G", id)
	names := func(path string) string {
		var list []string
		for _, m := range w.want(200, "GET", path, nil).body.members {
			list = append(list, strings.TrimPrefix(m.name, "urn:ietf:params:scim:schemas:extension:"))
		}
		slices.Sort(list)
		return strings.Join(list, " ")
	}
	for query, want := range map[string]string{
		"/Users/" + id + "?attributes=" + schemaUser:                                                  "active emails id schemas title userName",
		"/Users/" + id + "?attributes=" + strings.ToUpper(schemaUser):                                 "active emails id schemas title userName",
		"/Users/" + id + "?attributes=" + schemaUser + "," + schemaEnterprise + ":department":         "active emails enterprise:2.0:User id schemas title userName",
		"/Users/" + id + "?attributes=" + schemaEnterprise:                                            "enterprise:2.0:User id schemas",
		"/Users/" + id + "?excludedAttributes=" + schemaUser:                                          "enterprise:2.0:User externalId id meta schemas",
		"/Users/" + id + "?attributes=" + schemaUser + "&excludedAttributes=" + schemaUser + ":title": "active emails id schemas userName",
		"/Groups/" + group + "?attributes=" + schemaGroup:                                             "displayName id members schemas",
		"/Groups/" + group + "?excludedAttributes=" + schemaGroup:                                     "id meta schemas",
	} {
		if got := names(query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	for _, slashes := range []string{"/", "//"} {
		if got := names("/Users/" + id + "?attributes=" + slashes + schemaEnterprise); !strings.HasPrefix(got, "enterprise:2.0:User") && slashes == "/" {
			t.Errorf("%s: %s", slashes, got)
		}
		names("/Users?attributes=" + slashes + schemaEnterprise)
	}
	for _, path := range []string{"/Users", "/Groups"} {
		urn := map[string]string{"/Users": schemaUser, "/Groups": schemaGroup}[path]
		if total, list := results(w.want(200, "GET", path+"?attributes="+urn, nil)); total != "1" || list[0].get("meta") != nil {
			t.Errorf("%s: %s", path, printed(t, list[0]))
		}
	}
	_ = w.want(200, "POST", "/Users/.search", `{"schemas":["`+schemaSearch+`"],"attributes":["`+schemaUser+`"]}`)
}
