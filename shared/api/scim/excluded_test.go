package scim

import (
	"strings"
	"testing"

	"bindery/shared/core/provision"
)

// What has no value is left out (RFC 7643, 2.5): where all parts of an attribute are excluded
// nothing of it is answered, and no element that has none left.
func TestExcludedParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	boss := w.make("boss@x.example")
	id := w.make("ann@x.example", `,"name":{"givenName":"Ann"},"roles":[{"value":"a"},{"value":"b","display":"B"}],"emails":[{"value":"ann@x.example"}],"`+schemaEnterprise+`":{"manager":{"value":"`+boss+`"}}`)
	group := w.group("Eng", id)
	for excluded, want := range map[string]string{
		"/Users/" + id + "?excludedAttributes=name.givenName,roles.value,emails.value":                                                           `"roles":[{"display":"B"}]`,
		"/Users/" + id + "?excludedAttributes=roles.value,roles.display,addresses.country,manager.value,manager.$ref,manager.displayName":        `"givenName":"Ann"`,
		"/Users/" + id + "?excludedAttributes=" + schemaEnterprise + ":manager.value,manager.displayName,manager.$ref":                           `"givenName":"Ann"`,
		"/Groups/" + group + "?excludedAttributes=members.value,members.type,members.$ref":                                                       `"displayName":"Eng"`,
		"/Groups/" + group + "?excludedAttributes=members.value":                                                                                 `"members":[{"$ref"`,
		"/Groups/" + group + "?attributes=members&excludedAttributes=members.value,members.type,members.$ref":                                    group,
		"/Users/" + id + "?attributes=name,roles.value&excludedAttributes=name.givenName,roles.value":                                            id,
		"/Users?excludedAttributes=name.givenName,roles.value,roles.display,emails.value,manager.value,manager.displayName,manager.$ref&count=9": id,
	} {
		body := w.want(200, "GET", excluded, nil).Body.String()
		if strings.Contains(body, "{}") || strings.Contains(body, "[]") || !strings.Contains(body, want) {
			t.Errorf("%s: %s", excluded, body)
		}
	}
}
