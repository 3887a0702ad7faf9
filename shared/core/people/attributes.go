package people

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"bindery/shared/core/mapping"
	"bindery/shared/directory"
)

const (
	customPrefix  = "customAttributes."
	maxCustom     = 100
	maxCustomText = 1024
	// maxProfileBytes keeps a user well below what one item of the table holds.
	maxProfileBytes = 100 << 10
)

// shape is what there is to know of the objects that an edit or a file is of: which
// attributes they have, and how a header row names them.
type shape struct {
	noun      string // what people call one
	code      string // of a refusal of what it says
	attribute func(path string) (*directory.Attribute, bool)
	// holders are the members of a body that hold attributes themselves.
	holders []string
	// readOnly are the members that only Bindery writes.
	readOnly []string
	// columns reads a header row, and known counts the names in it that are columns.
	columns func(s *shape, names []string, unknown UnknownColumns) (columns, error)
	known   func(s *shape, names []string) int
}

// userShape is the shape of users.
var userShape = &shape{
	noun: "user", code: directory.CodeInvalidUser, attribute: directory.AttributeAt,
	holders:  []string{"phones", "workAddress", "customAttributes"},
	readOnly: []string{"id", "source", "owners", "importedFrom", "created", "updated", "deleted", "version", "warnings"},
	columns:  readColumns,
	known:    knownNames,
}

// invalid makes one refusal of all faults, or nil of none.
func (s *shape) invalid(faults []directory.FieldError) error {
	if len(faults) == 0 {
		return nil
	}
	r := directory.Refuse(directory.ErrInvalid, s.code, "The "+s.noun+" was not accepted and nothing was changed.", "Correct the members named in errors.")
	r.Fields = faults
	return r
}

// value returns a profile's text at a path.
func value(p *directory.Profile, path string) string {
	if key, ok := strings.CutPrefix(path, customPrefix); ok {
		return p.CustomAttributes[key]
	}
	if a, ok := directory.AttributeAt(path); ok {
		return a.Text(p)
	}
	return ""
}

// set stores a text at a path; the map of custom attributes is replaced, never
// edited, so that copies of a user do not share an edit.
func set(p *directory.Profile, path, text string) {
	key, custom := strings.CutPrefix(path, customPrefix)
	if !custom {
		if a, ok := directory.AttributeAt(path); ok {
			a.SetText(p, text)
		}
		return
	}
	p.CustomAttributes = withCustom(p.CustomAttributes, key, text)
}

// withCustom is a map of custom attributes with a text in it, or without it.
func withCustom(m map[string]string, key, text string) map[string]string {
	m = maps.Clone(m)
	if text == "" {
		delete(m, key)
	} else {
		if m == nil {
			m = map[string]string{}
		}
		m[key] = text
	}
	if len(m) == 0 {
		return nil
	}
	return m
}

// paths lists the attributes of a profile that have a value, in order.
func paths(p *directory.Profile) []string {
	var list []string
	for _, a := range directory.Attributes() {
		if a.Path != "" && a.Text(p) != "" {
			list = append(list, a.Path)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(p.CustomAttributes)) {
		list = append(list, customPrefix+key)
	}
	return list
}

// customAttribute says of every custom attribute what rows of directory's table say of
// the others.
var customAttribute = &directory.Attribute{Form: directory.FormLines, MaxCharacters: maxCustomText}

// cleaned is a text in the form that is stored.
type cleaned struct {
	text     string
	fault    string // what is wrong with it, or ""
	warnings []directory.Warning
}

// clean brings a text to the form that is stored, and says what is wrong with it
// and what a person should know about it.
func (s *shape) clean(path, text string) cleaned {
	if !utf8.ValidString(text) {
		return cleaned{text: text, fault: "is not valid UTF-8"}
	}
	a, ok := s.attribute(path)
	if !ok {
		a = customAttribute
	}
	c := cleaned{text: directory.TidyText(text)}
	if a.Form.IsCode() {
		c.text = directory.TidyAddress(text)
	}
	if c.text == "" {
		return cleaned{}
	}
	c.warnings = directory.FormNotes(path, text, a.Form.IsCode())
	if n := utf8.RuneCountInString(c.text); n > a.MaxCharacters {
		c.fault = fmt.Sprintf("has %d characters; at most %d are allowed", n, a.MaxCharacters)
		return c
	}
	for _, r := range c.text {
		if unicode.IsControl(r) && !(a.Form == directory.FormLines && (r == '\n' || r == '\r' || r == '\t')) {
			c.fault = "holds a control character"
			return c
		}
		if directory.NoCharacter(r) {
			c.fault = "holds a code point that Unicode keeps from being a character"
			return c
		}
	}
	if c.fault = checkForm(a.Form, c.text); c.fault != "" {
		return c
	}
	if mended := mapping.MendedText(a, c.text); mended != "" {
		c.warnings = append(c.warnings, directory.Warning{Field: path, Code: directory.WarnMended, Detail: mended})
	}
	return c
}

// checkForm says what is wrong with a value that is not empty, by the form that
// it should have, or "".
func checkForm(f directory.Form, s string) string {
	switch f {
	case directory.FormEmail:
		return checkEmail(s)
	case directory.FormCountry:
		if _, ok := mapping.Code(f, s); !ok {
			return "is not a country, by its code of two letters such as DE, or by its name"
		}
	case directory.FormLanguage:
		if _, ok := mapping.Code(f, s); !ok {
			return "is not a language tag such as en or de-CH"
		}
	case directory.FormState:
		return checkState(s)
	}
	return ""
}

// spared reports whether a line of a file is loaded without a wrong value of an
// attribute, and says so.
func (s *shape) spared(path, fault string) (directory.Warning, bool) {
	a, ok := s.attribute(path)
	return directory.Warning{Field: path, Code: directory.WarnLeftOut, Detail: fault + "; it was left out, and the rest taken"}, ok && a.Dispensable
}

// checkKey says what is wrong with the name of a custom attribute.
func checkKey(key string) string {
	switch {
	case key == "":
		return "needs a name behind the dot"
	case utf8.RuneCountInString(key) > 64 || !utf8.ValidString(key):
		return "has a name of more than 64 characters"
	case directory.TidyAddress(key) != key:
		return "has a name with a character that nobody sees, or in a special form"
	case strings.ContainsFunc(key, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }):
		return "has a name with a blank or control character"
	}
	return ""
}

// checkProfile reports what is wrong with a profile as a whole.
func checkProfile(p *directory.Profile) []directory.FieldError {
	var f []directory.FieldError
	if p.Email == "" {
		f = append(f, directory.FieldError{Field: "email", Detail: "is required"})
	}
	if p.State == "" {
		f = append(f, directory.FieldError{Field: "state", Detail: checkState("")})
	}
	if n := len(p.CustomAttributes); n > maxCustom {
		f = append(f, directory.FieldError{Field: "customAttributes", Detail: fmt.Sprintf("has %d entries; at most %d are allowed", n, maxCustom)})
	}
	if data, err := json.Marshal(p); err != nil || len(data) > maxProfileBytes {
		f = append(f, directory.FieldError{Field: "customAttributes", Detail: fmt.Sprintf("makes the user larger than %d KB", maxProfileBytes>>10)})
	}
	return f
}

var (
	emailLocal  = directory.Pattern(`^[^\s\x00-\x1f\x7f"(),:;<>\[\\\]@]{1,64}$`)
	emailDomain = directory.Pattern(`^[\pL\pN]([\pL\pN\pM-]{0,61}[\pL\pN\pM])?(\.[\pL\pN]([\pL\pN\pM-]{0,61}[\pL\pN\pM])?)+$`)
)

func checkEmail(s string) string {
	local, domain := s, ""
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		local, domain = s[:i], s[i+1:]
	}
	if !emailLocal().MatchString(local) || strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") ||
		strings.Contains(local, "..") || !emailDomain().MatchString(domain) {
		return "is not an e-mail address such as jo@corp.example"
	}
	return ""
}

func checkState(s string) string {
	switch directory.UserState(s) {
	case directory.StateStaged, directory.StateActive, directory.StateSuspended:
		return ""
	}
	return "must be staged, active or suspended"
}
