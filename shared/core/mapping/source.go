package mapping

import (
	"cmp"
	"strings"

	"bindery/shared/directory"
)

// DisplayName is the user's own, else the names, else the address's local part.
func DisplayName(u *directory.User) string {
	if d := Text(u.DisplayName); d != "" {
		return d
	}
	if d := Text(Text(u.GivenName) + " " + Text(u.FamilyName)); d != "" {
		return d
	}
	local, _, _ := strings.Cut(directory.TidyAddress(u.Email), "@")
	return Text(local)
}

// Nameless reports whether a user has no name: the address's local part stands
// in for it.
func Nameless(u *directory.User) bool {
	return Text(u.DisplayName) == "" && Text(u.GivenName) == "" && Text(u.FamilyName) == ""
}

// export is one property that the settings switch on.
type export struct {
	*directory.Attribute
	from  string // the custom attribute of an extension attribute
	clear bool   // an empty value empties the account's
}

func newExport(a *directory.Attribute, rule directory.AttributeRule) export {
	e := export{Attribute: a, clear: rule.Clear && a.Clearable}
	if a.Custom != "" {
		e.from = cmp.Or(rule.From, a.Custom)
	}
	return e
}

// value is what the user has of the property, in the form in which it is sent.
// Microsoft takes one business phone and any number of other addresses; a user
// has one of each.
func (e *export) value(u *directory.User) directory.Value {
	text := e.text(u)
	if e.Type == directory.TypeList && text != "" {
		return directory.ListValue(text)
	}
	return directory.StringValue(text)
}

func (e *export) text(u *directory.User) string {
	if e.from != "" {
		return Text(u.CustomAttributes[e.from])
	}
	text := e.Text(&u.Profile)
	switch e.Form {
	case directory.FormEmail:
		return directory.FoldAddress(text)
	case directory.FormLines:
		return clean(text, true)
	case directory.FormCountry, directory.FormLanguage:
		if code, ok := Code(e.Form, text); ok {
			return code
		}
		// Nobody knows what it means: check says so.
	}
	return Text(text)
}
