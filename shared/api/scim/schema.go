package scim

import (
	"strings"

	"bindery/shared/directory"
)

// The schemas that are served.
const (
	schemaUser       = "urn:ietf:params:scim:schemas:core:2.0:User"
	schemaEnterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	schemaBindery    = "urn:ietf:params:scim:schemas:extension:bindery:2.0:User"
	schemaGroup      = "urn:ietf:params:scim:schemas:core:2.0:Group"
)

// attribute is what is declared of an attribute (RFC 7643, 7). Where a member is zero,
// it is what most attributes are: a text, readWrite, returned by default, unique to
// nobody, in any letter case.
type attribute struct {
	name       string
	about      string
	kind       string
	multi      bool
	required   bool
	exact      bool // of a text: its letter case counts; see caseExact
	mutability string
	returned   string
	uniqueness string
	canonical  []string
	references []string
	sub        []*attribute
}

const (
	kindBoolean   = "boolean"
	kindComplex   = "complex"
	kindReference = "reference"
	kindDateTime  = "dateTime"
	kindBinary    = "binary"

	readOnly  = "readOnly"
	immutable = "immutable"

	returnedAlways  = "always"
	returnedRequest = "request"
)

func (a *attribute) readOnly() bool { return a.mutability == readOnly }

// caseExact reports whether two values that differ in letter case are two: /Schemas says so,
// and they are compared like that. Of references and of what is binary it always counts (RFC
// 7643, 2.3.6 and 2.3.7).
func (a *attribute) caseExact() bool {
	return a.exact || a.kind == kindReference || a.kind == kindBinary
}

// child is a sub-attribute by its name, or nil.
func (a *attribute) child(name string) *attribute { return attributeNamed(a.sub, name) }

func attributeNamed(list []*attribute, name string) *attribute {
	for _, a := range list {
		if strings.EqualFold(a.name, name) {
			return a
		}
	}
	return nil
}

// schema is a schema with its attributes.
type schema struct {
	urn, name, about string
	attributes       []*attribute
}

// resourceType is what there is to know of users, or of groups, as one client pushes
// them.
type resourceType struct {
	name, endpoint, about string
	core                  *schema
	extensions            []*schema
	// common are those of every resource, which no schema lists (RFC 7643, 3.1).
	common []*attribute
}

var commonAttributes = []*attribute{
	{name: "schemas", kind: kindReference, multi: true, returned: returnedAlways},
	{name: "id", mutability: readOnly, returned: returnedAlways, exact: true},
	{name: "externalId", exact: true},
	{name: "meta", kind: kindComplex, mutability: readOnly, sub: []*attribute{
		{name: "resourceType", mutability: readOnly}, {name: "created", kind: kindDateTime, mutability: readOnly},
		{name: "lastModified", kind: kindDateTime, mutability: readOnly}, {name: "location", kind: kindReference, mutability: readOnly},
		{name: "version", exact: true, mutability: readOnly},
	}},
}

// found is an attribute with where it is.
type found struct {
	extension string // the URN of an extension; "" for the core schema
	attr      *attribute
}

// lookup finds an attribute by its plain name: of the core schema, of all resources, or,
// since clients leave URNs out, of an extension.
func (t *resourceType) lookup(name string) (found, bool) {
	if a := attributeNamed(t.core.attributes, name); a != nil {
		return found{"", a}, true
	}
	if a := attributeNamed(t.common, name); a != nil {
		return found{"", a}, true
	}
	for _, s := range t.extensions {
		if a := attributeNamed(s.attributes, name); a != nil {
			return found{s.urn, a}, true
		}
	}
	return found{}, false
}

// schemaAt finds the schema whose URN a name begins with, and what stands behind it.
// Some clients put a dot there instead of a colon.
func (t *resourceType) schemaAt(name string) (s *schema, rest string) {
	for _, s := range t.schemas() {
		if len(name) < len(s.urn) || !strings.EqualFold(name[:len(s.urn)], s.urn) {
			continue
		}
		rest := name[len(s.urn):]
		if rest == "" || rest[0] == ':' || rest[0] == '.' {
			return s, strings.TrimLeft(rest, ":.")
		}
	}
	return nil, ""
}

func (t *resourceType) schemas() []*schema { return append([]*schema{t.core}, t.extensions...) }

// extension is an extension by its URN, or nil.
func (t *resourceType) extension(urn string) *schema {
	for _, s := range t.extensions {
		if strings.EqualFold(s.urn, urn) {
			return s
		}
	}
	return nil
}

const (
	aboutType    = "What the value is for"
	aboutPrimary = "Whether it is the preferred one"
)

func text(name, about string) *attribute { return &attribute{name: name, about: about} }

// plural is a multi-valued attribute of the usual kind: values of some types, one of
// which may be primary.
func plural(name, about string, value *attribute, types ...string) *attribute {
	return &attribute{name: name, about: about, kind: kindComplex, multi: true, sub: []*attribute{
		value, text("display", "A name of the value, for people"), {name: "type", about: aboutType, canonical: types},
		{name: "primary", about: aboutPrimary, kind: kindBoolean},
	}}
}

var userAttributes = []*attribute{
	{name: "userName", about: "The name that the user signs in with; unique, in any letter case", required: true, uniqueness: "server"},
	{name: "name", about: "The parts of the name", kind: kindComplex, sub: []*attribute{
		text("formatted", "The whole name; without displayName it is that"), text("familyName", "The family name"), text("givenName", "The given name"),
		text("middleName", "Names between the given and the family name"), text("honorificPrefix", "What stands before the name, such as Dr."), text("honorificSuffix", "What stands behind the name, such as III"),
	}},
	text("displayName", "The name as it is shown"),
	text("nickName", "What the user is called among colleagues"),
	{name: "profileUrl", about: "A page about the user", kind: kindReference, references: []string{"external"}},
	text("title", "The job title"),
	text("userType", "The kind of employment"),
	{name: "preferredLanguage", about: "A language tag of BCP 47", canonical: []string{"de-DE", "en-GB", "en-US", "es-ES", "fr-FR", "it-IT", "ja-JP", "nl-NL", "pl-PL", "pt-BR"}},
	text("locale", "How dates and numbers are written for the user, such as de-DE"),
	text("timezone", "A name of the time zone database, such as Europe/Berlin"),
	{name: "active", about: "Whether the user may sign in; false suspends the user", kind: kindBoolean},
	required(plural("emails", "E-mail addresses: the primary one, else that of type work, else the first is the user's, and unique", &attribute{name: "value", about: "The address", required: true}, "work", "home", "other")),
	plural("phoneNumbers", "Those of type work and of type mobile are the user's; others are kept", text("value", "The number"), "work", "home", "mobile", "fax", "pager", "other"),
	plural("ims", "Addresses of instant messages", text("value", "The address")),
	plural("photos", "Pictures of the user", &attribute{name: "value", about: "Where the picture is", kind: kindReference, references: []string{"external"}}, "photo", "thumbnail"),
	{name: "addresses", about: "The one of type work is where the user works; formatted of type other is the office", kind: kindComplex, multi: true, sub: []*attribute{
		text("formatted", "The whole address, with its lines"), text("streetAddress", "Street and number"), text("locality", "The city"),
		text("region", "The state or province"), text("postalCode", "The postal code"), text("country", "The country, best as a code of two letters such as DE"),
		{name: "type", about: aboutType, canonical: []string{"work", "home", "other"}}, {name: "primary", about: aboutPrimary, kind: kindBoolean},
	}},
	{name: "groups", about: "The groups that the user is directly in", kind: kindComplex, multi: true, mutability: readOnly, returned: returnedRequest, sub: []*attribute{
		{name: "value", about: "The id of the group", mutability: readOnly, exact: true}, {name: "$ref", about: "The address of the group", kind: kindReference, references: []string{"Group"}, mutability: readOnly},
		{name: "display", about: "The name of the group", mutability: readOnly}, {name: "type", about: "That the user is a member itself", mutability: readOnly, canonical: []string{"direct"}},
	}},
	plural("entitlements", "What the user may use", text("value", "The name or id of it")),
	plural("roles", "What the user is elsewhere; gives no rights here", text("value", "The name or id of the role")),
	plural("x509Certificates", "Certificates of the user", &attribute{name: "value", about: "The certificate, as DER in base64", kind: kindBinary, exact: true}),
}

func required(a *attribute) *attribute {
	a.required = true
	return a
}

var enterpriseAttributes = []*attribute{
	text("employeeNumber", "The number that the employer has given"), text("costCenter", "The cost centre"), text("organization", "The company"),
	text("division", "The division"), text("department", "The department"),
	{name: "manager", about: "Whom the user reports to: the id of a user", kind: kindComplex, sub: []*attribute{
		{name: "value", about: "The id of the manager", exact: true}, {name: "$ref", about: "The address of the manager", kind: kindReference, references: []string{"User"}, mutability: readOnly},
		{name: "displayName", about: "The name of the manager", mutability: readOnly},
	}},
}

// usageLocations are offered for usageLocation, so that whoever makes up values from the
// schema, as testers do, makes up countries.
var usageLocations = []string{"AT", "AU", "BE", "BR", "CA", "CH", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IN", "IT", "JP", "NL", "NO", "PL", "SE", "US"}

var binderyAttributes = []*attribute{
	{name: "usageLocation", about: "The country in which licences are used, which Microsoft wants before it gives one", canonical: usageLocations},
}

var groupAttributes = []*attribute{
	{name: "displayName", about: "The name; unique among groups, in any letter case", required: true, uniqueness: "server"},
	{name: "members", about: "The users in the group", kind: kindComplex, multi: true, sub: []*attribute{
		{name: "value", about: "The id of the user", mutability: immutable, exact: true}, {name: "$ref", about: "The address of the user", kind: kindReference, references: []string{"User"}, mutability: immutable},
		{name: "type", about: "What the member is", mutability: immutable, canonical: []string{"User"}},
	}},
}

// newUserType is the type of users as a client pushes them, with the attributes that its
// own mapping adds.
func newUserType(added []directory.ScimMapping) *resourceType {
	t := &resourceType{
		name: "User", endpoint: "/Users", about: "A person in the directory", common: commonAttributes,
		core: &schema{schemaUser, "User", "User Account", userAttributes},
		extensions: []*schema{
			{schemaEnterprise, "EnterpriseUser", "What an employer says of a person", enterpriseAttributes},
			{schemaBindery, "BinderyUser", "What Bindery keeps besides", binderyAttributes},
		},
	}
	for _, m := range added {
		s := t.extension(m.Schema)
		if s == nil {
			s = &schema{m.Schema, m.Schema, "Attributes that this client's mapping names", nil}
			t.extensions = append(t.extensions, s)
		}
		if attributeNamed(s.attributes, m.Attribute) == nil {
			s.attributes = append(append([]*attribute(nil), s.attributes...), text(m.Attribute, "Kept as "+m.Path))
		}
	}
	return t
}

// newGroupType is the type of groups.
func newGroupType() *resourceType {
	return &resourceType{name: "Group", endpoint: "/Groups", about: "A group of persons in the directory", common: commonAttributes,
		core: &schema{schemaGroup, "Group", "A group of persons in the directory", groupAttributes}}
}
