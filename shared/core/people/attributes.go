package people

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"bindery/shared/core/mapping"
	"bindery/shared/directory"
)

// attribute is one text of a profile.
type attribute struct {
	path  string
	at    func(*directory.Profile) *string
	max   int                 // characters
	check func(string) string // says what is wrong with a value that is not empty, or ""
	code  bool                // an address or a code: not only blanks around it mean nothing (directory.TidyAddress)
	lines bool                // line breaks are allowed
	// spare says that a line of a file is loaded without a value that is wrong.
	spare bool
	// mended says what an account gets in place of the value, or "".
	mended func(string) string
}

const (
	customPrefix  = "customAttributes."
	maxCustom     = 100
	maxCustomText = 1024
	// maxProfileBytes keeps a user well below what one item of the table holds.
	maxProfileBytes = 100 << 10
)

// attributes lists every attribute but the custom ones.
var attributes = []attribute{
	{path: "userName", at: func(p *directory.Profile) *string { return &p.UserName }, max: 256, code: true},
	{path: "email", at: func(p *directory.Profile) *string { return &p.Email }, max: 254, code: true, check: checkEmail},
	{path: "alternateEmail", at: func(p *directory.Profile) *string { return &p.AlternateEmail }, max: 254, code: true, check: checkEmail, spare: true},
	{path: "givenName", at: func(p *directory.Profile) *string { return &p.GivenName }, max: 256},
	{path: "familyName", at: func(p *directory.Profile) *string { return &p.FamilyName }, max: 256},
	{path: "displayName", at: func(p *directory.Profile) *string { return &p.DisplayName }, max: 512},
	{path: "phones.work", at: func(p *directory.Profile) *string { return &p.Phones.Work }, max: 64},
	{path: "phones.mobile", at: func(p *directory.Profile) *string { return &p.Phones.Mobile }, max: 64},
	{path: "workAddress.streetAddress", at: func(p *directory.Profile) *string { return &p.WorkAddress.StreetAddress }, max: 1024, lines: true},
	{path: "workAddress.city", at: func(p *directory.Profile) *string { return &p.WorkAddress.City }, max: 256},
	{path: "workAddress.state", at: func(p *directory.Profile) *string { return &p.WorkAddress.State }, max: 256},
	{path: "workAddress.postalCode", at: func(p *directory.Profile) *string { return &p.WorkAddress.PostalCode }, max: 64},
	{path: "workAddress.country", at: func(p *directory.Profile) *string { return &p.WorkAddress.Country }, max: 256},
	{path: "department", at: func(p *directory.Profile) *string { return &p.Department }, max: 256},
	{path: "jobTitle", at: func(p *directory.Profile) *string { return &p.JobTitle }, max: 256},
	{path: "location", at: func(p *directory.Profile) *string { return &p.Location }, max: 256},
	{path: "company", at: func(p *directory.Profile) *string { return &p.Company }, max: 256},
	{path: "employeeId", at: func(p *directory.Profile) *string { return &p.EmployeeID }, max: 64},
	{path: "employeeType", at: func(p *directory.Profile) *string { return &p.EmployeeType }, max: 128},
	{path: "costCenter", at: func(p *directory.Profile) *string { return &p.CostCenter }, max: 128},
	{path: "managerId", at: func(p *directory.Profile) *string { return (*string)(&p.ManagerID) }, max: 64, code: true},
	{path: "usageLocation", at: func(p *directory.Profile) *string { return &p.UsageLocation }, max: 100, code: true, check: checkUsageLocation, mended: mends(directory.PropUsageLocation), spare: true},
	{path: "preferredLanguage", at: func(p *directory.Profile) *string { return &p.PreferredLanguage }, max: 35, code: true, check: checkLanguage, mended: mends("preferredLanguage"), spare: true},
	{path: "state", at: func(p *directory.Profile) *string { return (*string)(&p.State) }, max: 16, code: true, check: checkState},
	{path: "externalId", at: func(p *directory.Profile) *string { return &p.ExternalID }, max: 256},
}

// groups are the members of a profile that hold attributes themselves.
var groups = []string{"phones", "workAddress", "customAttributes"}

// readOnly are the members of a user that only Bindery writes.
var readOnly = []string{"id", "source", "owners", "importedFrom", "created", "updated", "deleted", "version", "warnings"}

// find returns the attribute of a path; custom attributes have none.
func find(path string) (attribute, bool) {
	i := slices.IndexFunc(attributes, func(a attribute) bool { return a.path == path })
	if i < 0 {
		return attribute{}, false
	}
	return attributes[i], true
}

// value returns a profile's text at a path.
func value(p *directory.Profile, path string) string {
	if key, ok := strings.CutPrefix(path, customPrefix); ok {
		return p.CustomAttributes[key]
	}
	if a, ok := find(path); ok {
		return *a.at(p)
	}
	return ""
}

// set stores a text at a path; the map of custom attributes is replaced, never
// edited, so that copies of a user do not share an edit.
func set(p *directory.Profile, path, text string) {
	key, custom := strings.CutPrefix(path, customPrefix)
	if !custom {
		if a, ok := find(path); ok {
			*a.at(p) = text
		}
		return
	}
	m := maps.Clone(p.CustomAttributes)
	if text == "" {
		delete(m, key)
	} else {
		if m == nil {
			m = map[string]string{}
		}
		m[key] = text
	}
	if len(m) == 0 {
		m = nil
	}
	p.CustomAttributes = m
}

// paths lists the attributes of a profile that have a value, in order.
func paths(p *directory.Profile) []string {
	var list []string
	for _, a := range attributes {
		if *a.at(p) != "" {
			list = append(list, a.path)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(p.CustomAttributes)) {
		list = append(list, customPrefix+key)
	}
	return list
}

// mends says what the property of an account gets in place of a value.
func mends(property string) func(string) string {
	return func(text string) string { return mapping.MendedText(property, text) }
}

// cleaned is a text in the form that is stored.
type cleaned struct {
	text     string
	fault    string // what is wrong with it, or ""
	warnings []directory.Warning
}

// clean brings a text to the form that is stored, and says what is wrong with it
// and what a person should know about it.
func clean(path, text string) cleaned {
	if !utf8.ValidString(text) {
		return cleaned{text: text, fault: "is not valid UTF-8"}
	}
	a, ok := find(path)
	if !ok {
		a = attribute{max: maxCustomText, lines: true}
	}
	c := cleaned{text: directory.TidyText(text)}
	if a.code {
		c.text = directory.TidyAddress(text)
	}
	if c.text == "" {
		return cleaned{}
	}
	c.warnings = directory.FormNotes(path, text, a.code)
	if n := utf8.RuneCountInString(c.text); n > a.max {
		c.fault = fmt.Sprintf("has %d characters; at most %d are allowed", n, a.max)
		return c
	}
	for _, r := range c.text {
		if unicode.IsControl(r) && !(a.lines && (r == '\n' || r == '\r' || r == '\t')) {
			c.fault = "holds a control character"
			return c
		}
		if directory.NoCharacter(r) {
			c.fault = "holds a code point that Unicode keeps from being a character"
			return c
		}
	}
	if a.check != nil {
		c.fault = a.check(c.text)
	}
	if c.fault == "" && a.mended != nil {
		if told := a.mended(c.text); told != "" {
			c.warnings = append(c.warnings, directory.Warning{Field: path, Code: directory.WarnMended, Detail: told})
		}
	}
	return c
}

// spared reports whether a line of a file is loaded without a wrong value of an
// attribute, and says so.
func spared(path, fault string) (directory.Warning, bool) {
	a, ok := find(path)
	return directory.Warning{Field: path, Code: directory.WarnLeftOut, Detail: fault + "; it was left out, and the rest taken"}, ok && a.spare
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
	emailLocal  = regexp.MustCompile(`^[^\s\x00-\x1f\x7f"(),:;<>\[\\\]@]{1,64}$`)
	emailDomain = regexp.MustCompile(`^[\pL\pN]([\pL\pN\pM-]{0,61}[\pL\pN\pM])?(\.[\pL\pN]([\pL\pN\pM-]{0,61}[\pL\pN\pM])?)+$`)
)

func checkEmail(s string) string {
	local, domain := s, ""
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		local, domain = s[:i], s[i+1:]
	}
	if !emailLocal.MatchString(local) || strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") ||
		strings.Contains(local, "..") || !emailDomain.MatchString(domain) {
		return "is not an e-mail address such as jo@corp.example"
	}
	return ""
}

func checkUsageLocation(s string) string {
	if _, ok := mapping.UsageLocation(s); !ok {
		return "is not a country, by its code of two letters such as DE, or by its name"
	}
	return ""
}

func checkLanguage(s string) string {
	if _, ok := mapping.PreferredLanguage(s); !ok {
		return "is not a language tag such as en or de-CH"
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
