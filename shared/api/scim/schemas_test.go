package scim

import (
	"slices"
	"testing"
)

// A body's schemas are named twice only where the same text is.
func TestSchemasNamedTwice(t *testing.T) {
	t.Parallel()
	const twice = "a schema is named twice"
	for schemas, want := range map[string]bool{
		`"` + schemaUser + `",{},{"a":1},null,[]`:       false,
		`"` + schemaUser + `","` + schemaUser + `"`:     true,
		`"` + schemaUser + `",{},"urn:x","URN:X"`:       true,
		`"` + schemaUser + `","` + schemaGroup + `",""`: false,
	} {
		n := &notes{}
		if _, err := users.normalise(document(t, `{"schemas":[`+schemas+`],"userName":"u"}`), n); err != nil || slices.Contains(n.list, twice) != want {
			t.Errorf("%s: %q, %v", schemas, n.list, err)
		}
	}
}
