package directory

import (
	"slices"
	"strconv"
	"strings"
)

// Attribute is what there is to know of one attribute of a user, or of one
// property of an account: a row of the table of attributes (attribute_table.go),
// which mapping, settings, imports, loads, entra and the documents read. Some
// rows have no Path, since only accounts have them; some have no Property, since
// they are kept here and not exported.
type Attribute struct {
	// Path names it in a user: "phones.work".
	Path string
	// Form says how it is written.
	Form Form
	// MaxCharacters is the most that a user's value may have.
	MaxCharacters int
	// Dispensable says that a line of a file is loaded without a value that is
	// wrong.
	Dispensable bool
	// Searchable says that a search of users looks at it.
	Searchable bool

	// Property is Microsoft Graph's name of what it feeds: "businessPhones".
	Property string
	Type     PropertyType
	Export   Use
	Import   Use
	// MaxUnits is Microsoft's limit on the property's length; 0: its form limits it,
	// or nothing that Microsoft tells. Microsoft does not say what it counts; we
	// count UTF-16 code units, of which a text never has fewer than characters, so
	// that what we let pass passes there in either reading.
	MaxUnits int
	// Clearable says that Microsoft lets the property be emptied.
	Clearable bool
	// Sensitive says that Microsoft lets only a role above the account's write the
	// property: by it, an account can be taken over.
	Sensitive bool
	// Custom is the custom attribute that feeds an extension attribute, unless the
	// settings name another one.
	Custom string

	// Note says to people what the columns do not.
	Note string

	at func(*Profile) *string
}

// Form says how an attribute is written: what of it means nothing, and what is
// the same.
type Form string

// The forms. The last six are codes: they lose every character that nobody sees
// (TidyAddress); of the others, blanks around them and what a text does not need
// to look as it does (TidyText).
const (
	FormText     Form = "text"         // one line
	FormLines    Form = "lines"        // may have line breaks
	FormPhone    Form = "phone number" // in any notation
	FormEmail    Form = "e-mail"       // an e-mail address
	FormName     Form = "sign-in name" // or another name that is unique without regard to letter case
	FormCountry  Form = "country"      // a code of ISO 3166, or the country's name
	FormLanguage Form = "language tag" // of BCP 47
	FormState    Form = "state"        // one of the states of a user
	FormID       Form = "ID of a user"
)

// IsCode reports whether values of the form are codes.
func (f Form) IsCode() bool { return f != FormText && f != FormLines && f != FormPhone }

// PropertyType is what a property holds at Microsoft.
type PropertyType string

// The types. Of a list Bindery writes one element at most: a user has one phone
// at work, and one other address.
const (
	TypeText PropertyType = "text"
	TypeFlag PropertyType = "true or false"
	TypeList PropertyType = "list"
)

// Use says whether a property is exported, or imported.
type Use string

// The uses.
const (
	UseNever     Use = "never"
	UseBySetting Use = "by setting" // settings.attributes for exports, settings.import.attributes for imports
	UseAlways    Use = "always"
)

// Text returns the attribute's text in a profile, as it is kept; "" of what only
// accounts have.
func (a *Attribute) Text(p *Profile) string {
	switch {
	case a.at != nil:
		return *a.at(p)
	case a.Custom != "":
		return p.CustomAttributes[a.Custom]
	}
	return ""
}

// SetText stores a text in a profile. Rows without a Path have no place there.
func (a *Attribute) SetText(p *Profile, text string) {
	if a.at != nil {
		*a.at(p) = text
	}
}

// Attributes returns the rows of the table, in order. The caller must not change
// them.
func Attributes() []*Attribute { return attributes }

// AttributeAt returns the attribute of a path in a user. Custom attributes have
// none.
func AttributeAt(path string) (*Attribute, bool) {
	a, ok := attributesByPath[path]
	return a, ok
}

// AttributeOf returns the attribute behind a property, by Graph's name.
func AttributeOf(property string) (*Attribute, bool) {
	a, ok := attributesByProperty[property]
	return a, ok
}

var (
	attributesByPath     = indexed(func(a *Attribute) string { return a.Path })
	attributesByProperty = indexed(func(a *Attribute) string { return a.Property })
)

func indexed(name func(*Attribute) string) map[string]*Attribute {
	index := map[string]*Attribute{}
	for _, a := range attributes {
		if n := name(a); n != "" {
			index[n] = a
		}
	}
	return index
}

// OptionalProperties are the properties that settings.attributes may switch,
// in order. The 15 extension attributes come on top.
var OptionalProperties = propertiesThat(func(a *Attribute) bool { return a.Export == UseBySetting && a.Custom == "" })

// SensitiveProperties are the exported properties that Microsoft counts as
// sensitive: by them an account can be taken over, since a forgotten password
// is reset through them. Of the same list, accountEnabled and userPrincipalName
// have effects of their own (block, unblock, rename) and cannot be switched off.
var SensitiveProperties = propertiesThat(func(a *Attribute) bool { return a.Sensitive && a.Export == UseBySetting })

// writtenProperties are all that may be written to an account.
var writtenProperties = propertiesThat(func(a *Attribute) bool { return a.Export != UseNever })

// propertiesThat returns Graph's names of the properties of some rows.
func propertiesThat(is func(*Attribute) bool) []string {
	var names []string
	for _, a := range attributes {
		if a.Property != "" && is(a) {
			names = append(names, a.Property)
		}
	}
	return names
}

// Sensitive reports whether a property, by Graph's name, is one of
// SensitiveProperties: whose export needs a decision (bindery/approve), and
// whose writing to an account that is there is the effect update-sensitive.
func Sensitive(property string) bool {
	a, ok := AttributeOf(property)
	return ok && a.Sensitive && a.Export == UseBySetting
}

// IsProperty reports whether the name is one of a property that is written to
// accounts.
func IsProperty(name string) bool {
	a, ok := AttributeOf(name)
	return ok && a.Export != UseNever
}

// Clearable reports whether Microsoft lets a property be emptied, by Graph's name.
func Clearable(property string) bool {
	a, ok := AttributeOf(property)
	return !ok || a.Clearable
}

// IsExtensionAttribute reports whether the name is one of extensionAttribute1..15.
// It is asked for each property of each user, so no name is made up for it.
func IsExtensionAttribute(name string) bool {
	number, ok := strings.CutPrefix(name, extensionAttributePrefix)
	if !ok {
		return false
	}
	n, err := strconv.Atoi(number)
	return err == nil && n >= 1 && n <= extensionAttributes && number == strconv.Itoa(n)
}

const (
	extensionAttributes      = 15 // how many there are
	extensionAttributePrefix = "extensionAttribute"
)

// withExtensionAttributes adds the rows of the extension attributes, which are
// alike.
func withExtensionAttributes(rows ...Attribute) []*Attribute {
	for i := range extensionAttributes {
		name := extensionAttributePrefix + strconv.Itoa(i+1)
		rows = append(rows, Attribute{Form: FormText, Property: name, Type: TypeText, Export: UseBySetting, Import: UseBySetting, MaxUnits: 1024, Clearable: true, Custom: name})
	}
	list := make([]*Attribute, len(rows))
	for i := range rows {
		list[i] = &rows[i]
	}
	return slices.Clip(list)
}
