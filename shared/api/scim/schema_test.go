package scim

import (
	"testing"

	"bindery/shared/core/provision"
)

// Providers show their admins what an attribute is (RFC 7643, 7: description).
func TestEveryAttributeIsDescribed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	var seen int
	var look func(at string, list []*object)
	look = func(at string, list []*object) {
		for _, o := range list {
			path := at + "." + o.text("name")
			if seen++; o.text("description") == "" {
				t.Errorf("%s has no description", path)
			}
			look(path, elements(o.get("subAttributes")))
		}
	}
	for _, schema := range elements(w.want(200, "GET", "/Schemas", nil).body.get("Resources")) {
		look(schema.text("id"), elements(schema.get("attributes")))
	}
	if seen < 80 {
		t.Errorf("%d attributes", seen)
	}
}
