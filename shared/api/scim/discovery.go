package scim

import (
	"strings"
	"time"
)

const (
	schemaConfig   = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
	schemaResource = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
	schemaSchema   = "urn:ietf:params:scim:schemas:core:2.0:Schema"
)

// cursorLife is how long a place in a listing is remembered.
const cursorLife = time.Hour

// obj makes an object of names and values in turn; nil values are left out.
func obj(pairs ...any) *object {
	o := &object{}
	for i := 0; i < len(pairs); i += 2 {
		o.set(pairs[i].(string), pairs[i+1])
	}
	return o
}

// serviceProviderConfig says what is offered (RFC 7643, 5; RFC 9865, 4). Clients believe
// it: authentik pushes members in portions of bulk.maxOperations.
func serviceProviderConfig(base string) *object {
	supported := func(yes bool) *object { return obj("supported", yes) }
	return obj("schemas", []any{schemaConfig},
		"patch", supported(true),
		"bulk", obj("supported", false, "maxOperations", 0, "maxPayloadSize", 0),
		"filter", obj("supported", true, "maxResults", maxCount),
		"changePassword", supported(false), "sort", supported(false), "etag", supported(true),
		"pagination", obj("cursor", true, "index", true, "defaultPaginationMethod", "index", "defaultPageSize", defaultCount, "maxPageSize", maxCount,
			"cursorTimeout", int(cursorLife.Seconds())),
		"authenticationSchemes", []any{obj("type", "oauthbearertoken", "name", "Bearer token",
			"description", "A token that an admin of Bindery has made for this client, in the header Authorization", "primary", true)},
		"meta", obj("resourceType", "ServiceProviderConfig", "location", base+"/ServiceProviderConfig"))
}

// describe is the resource type as /ResourceTypes shows it (RFC 7643, 6).
func (t *resourceType) describe(base string) *object {
	var extensions []any
	for _, s := range t.extensions {
		extensions = append(extensions, obj("schema", s.urn, "required", false))
	}
	o := obj("schemas", []any{schemaResource}, "id", t.name, "name", t.name, "endpoint", t.endpoint, "description", t.about, "schema", t.core.urn)
	if extensions != nil {
		o.set("schemaExtensions", extensions)
	}
	o.set("meta", obj("resourceType", "ResourceType", "location", base+"/ResourceTypes/"+t.name))
	return o
}

// describe is the schema as /Schemas shows it (RFC 7643, 7).
func (s *schema) describe(base string) *object {
	return obj("schemas", []any{schemaSchema}, "id", s.urn, "name", s.name, "description", s.about, "attributes", describeAll(s.attributes),
		"meta", obj("resourceType", "Schema", "location", base+"/Schemas/"+s.urn))
}

func describeAll(list []*attribute) []any {
	out := make([]any, len(list))
	for i, a := range list {
		out[i] = a.describe()
	}
	return out
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (a *attribute) describe() *object {
	o := obj("name", a.name, "type", or(a.kind, "string"), "multiValued", a.multi, "description", a.about, "required", a.required)
	if a.kind == "" || a.kind == kindReference || a.kind == kindBinary {
		o.set("caseExact", a.caseExact())
	}
	o.set("mutability", or(a.mutability, "readWrite"))
	o.set("returned", or(a.returned, "default"))
	o.set("uniqueness", or(a.uniqueness, "none"))
	if a.canonical != nil {
		o.set("canonicalValues", texted(a.canonical))
	}
	if a.references != nil {
		o.set("referenceTypes", texted(a.references))
	}
	if a.sub != nil {
		o.set("subAttributes", describeAll(a.sub))
	}
	return o
}

func texted(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// listing is a list response of all that there is.
func listing(list []*object) *object {
	return (&question{start: 1}).body(page{resources: list, total: len(list)})
}

// discover answers the paths that tell what is served; ok is false for others. what is
// the path below the base, without the slash before it.
func discover(base, what string, types []*resourceType) (answer *object, ok bool) {
	kind, id, single := strings.Cut(what, "/")
	var list []*object
	var ids []string
	switch strings.ToLower(kind) {
	case "serviceproviderconfig", "serviceproviderconfigs", "serviceconfiguration": // the last is what Microsoft's tests call it
		return serviceProviderConfig(base), !single
	case "resourcetypes":
		for _, t := range types {
			list, ids = append(list, t.describe(base)), append(ids, t.name)
		}
	case "schemas":
		for _, t := range types {
			for _, s := range t.schemas() {
				list, ids = append(list, s.describe(base)), append(ids, s.urn)
			}
		}
	default:
		return nil, false
	}
	if !single {
		return listing(list), true
	}
	for i := range ids {
		if strings.EqualFold(ids[i], id) {
			return list[i], true
		}
	}
	return nil, false
}
