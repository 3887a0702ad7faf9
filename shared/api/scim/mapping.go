package scim

import (
	"slices"
	"strings"

	"bindery/shared/core/people"
	"bindery/shared/directory"
)

// mapped says from where in a document an attribute of a user comes.
type mapped struct {
	path string // in a user: "phones.work"
	// from are the places that may feed it, in order of preference: the first that has a
	// text does. What others have set of the user is shown at the first place.
	from []source
}

// source is one place in a document: a simple attribute, a part of a complex one, or a
// part of one value of a multi-valued one.
type source struct {
	extension, attr, sub string
	// pick chooses the value of a multi-valued attribute, nil for none; made is what a new
	// one begins with.
	pick func(list []*object) *object
	made []member
	// derive makes the attribute's text of that of the source, "" for none: it says
	// something of another attribute, and what others have set is not written there. Nil:
	// it is the text itself.
	derive func(text string) string
}

func at(attr string) source        { return source{attr: attr} }
func part(attr, sub string) source { return source{attr: attr, sub: sub} }
func employer(attr string) source  { return source{extension: schemaEnterprise, attr: attr} }
func one(from ...source) []source  { return from }
func (s source) typed(t string) source {
	s.pick = func(list []*object) *object {
		told := slices.DeleteFunc(slices.Clone(list), func(o *object) bool { return o.text(s.sub) == "" })
		if o := ofType(told, t); o != nil {
			return o
		}
		return ofType(list, t)
	}
	s.made = []member{{"type", t}}
	return s
}

// userMapping is the mapping of users. The state, the manager and externalId are apart:
// stateOf, managerOf; externalId is each client's own.
var userMapping = []mapped{
	{"userName", one(at("userName"))},
	{"email", one(source{attr: "emails", sub: "value", pick: mainEmail, made: []member{{"type", "work"}, {"primary", true}}})},
	{"alternateEmail", one(source{attr: "emails", sub: "value", pick: otherEmail, made: []member{{"type", "other"}}})},
	{"givenName", one(part("name", "givenName"))},
	{"familyName", one(part("name", "familyName"))},
	{"displayName", one(at("displayName"), part("name", "formatted"))},
	{"jobTitle", one(at("title"))},
	{"employeeType", one(at("userType"))},
	{"preferredLanguage", one(at("preferredLanguage"))},
	{"phones.work", one(part("phoneNumbers", "value").typed("work"))},
	{"phones.mobile", one(part("phoneNumbers", "value").typed("mobile"))},
	{"workAddress.streetAddress", one(workAddress("streetAddress"))},
	{"workAddress.city", one(workAddress("locality"))},
	{"workAddress.state", one(workAddress("region"))},
	{"workAddress.postalCode", one(workAddress("postalCode"))},
	{"workAddress.country", one(workAddress("country"))},
	{"location", one(part("addresses", "formatted").typed("other"))}, // where Entra puts the office
	{"employeeId", one(employer("employeeNumber"))},
	{"department", one(employer("department"))},
	{"costCenter", one(employer("costCenter"))},
	{"company", one(employer("organization"))},
	{"customAttributes.division", one(employer("division"))},
	{"managerId", one(source{extension: schemaEnterprise, attr: "manager", sub: "value"})},
	{"usageLocation", one(source{extension: schemaBindery, attr: "usageLocation"})},
}

func workAddress(sub string) source {
	return source{attr: "addresses", sub: sub, pick: mainAddress, made: []member{{"type", "work"}}}
}

func ofType(list []*object, t string) *object {
	for _, o := range list {
		if strings.EqualFold(o.text("type"), t) {
			return o
		}
	}
	return nil
}

func primary(list []*object) *object {
	for _, o := range list {
		if isPrimary(o) {
			return o
		}
	}
	return nil
}

// mainEmail is the primary one, or that of work, or the first.
func mainEmail(list []*object) *object {
	list = slices.DeleteFunc(slices.Clone(list), func(o *object) bool { return o.text("value") == "" })
	if o := primary(list); o != nil {
		return o
	}
	if o := ofType(list, "work"); o != nil {
		return o
	}
	if len(list) > 0 {
		return list[0]
	}
	return nil
}

// otherEmail is that of type other, or the one at home, or a second one.
func otherEmail(list []*object) *object {
	main := mainEmail(list)
	list = slices.DeleteFunc(slices.Clone(list), func(o *object) bool { return o == main || o.text("value") == "" })
	for _, t := range []string{"other", "home"} {
		if o := ofType(list, t); o != nil {
			return o
		}
	}
	if len(list) > 0 {
		return list[0]
	}
	return nil
}

// mainAddress is that of work, or the primary one, or the first; the office is none.
func mainAddress(list []*object) *object {
	if o := ofType(list, "work"); o != nil {
		return o
	}
	list = slices.DeleteFunc(slices.Clone(list), func(o *object) bool { return strings.EqualFold(o.text("type"), "other") })
	if o := primary(list); o != nil {
		return o
	}
	if len(list) > 0 {
		return list[0]
	}
	return nil
}

// countryCode is a country as the code of two letters that it is, or "".
func countryCode(country string) string {
	code := strings.ToUpper(strings.TrimSpace(country))
	if len(code) != 2 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return ""
	}
	return code
}

// mappingWith is the mapping with what a client adds to it.
func mappingWith(c *directory.ScimClient) []mapped {
	rows := slices.Clone(userMapping)
	if c.CountryAsUsageLocation {
		country := workAddress("country")
		country.derive = countryCode
		i := slices.IndexFunc(rows, func(r mapped) bool { return r.path == "usageLocation" })
		rows[i].from = append(slices.Clone(rows[i].from), country)
	}
	for _, m := range c.Mapping {
		s := source{extension: m.Schema, attr: m.Attribute}
		i := slices.IndexFunc(rows, func(r mapped) bool { return r.path == m.Path })
		if i < 0 {
			rows = append(rows, mapped{m.Path, one(s)})
			continue
		}
		rows[i].from = append([]source{s}, rows[i].from...)
	}
	return rows
}

// holder is the object in which the source's text stands, or nil.
func (s source) holder(doc *object) *object {
	if s.extension != "" {
		doc, _ = doc.get(s.extension).(*object)
	}
	switch {
	case doc == nil || s.sub == "":
		return doc
	case s.pick == nil:
		o, _ := doc.get(s.attr).(*object)
		return o
	}
	return s.pick(elements(doc.get(s.attr)))
}

func elements(v any) []*object {
	list, _ := v.([]any)
	var objects []*object
	for _, v := range list {
		if o, is := v.(*object); is {
			objects = append(objects, o)
		}
	}
	return objects
}

// last is the name of what holds the text itself.
func (s source) last() string {
	if s.sub != "" {
		return s.sub
	}
	return s.attr
}

func (s source) read(doc *object) string {
	text := s.holder(doc).text(s.last())
	if s.derive != nil {
		text = s.derive(text)
	}
	return text
}

// write stores a text where read finds it; "" takes it away.
func (s source) write(doc *object, text string) {
	holder := s.holder(doc)
	if text == "" {
		if holder != nil {
			holder.set(s.last(), nil)
			s.tidy(doc, holder)
		}
		return
	}
	if holder == nil {
		holder = s.make(doc)
	}
	holder.set(s.last(), text)
}

// make makes the object in which the text is to stand.
func (s source) make(doc *object) *object {
	if s.extension != "" {
		doc = within(doc, s.extension, true)
	}
	switch {
	case s.sub == "":
		return doc
	case s.pick == nil:
		return within(doc, s.attr, true)
	}
	o := &object{members: slices.Clone(s.made)}
	list, _ := doc.get(s.attr).([]any)
	if s.attr == "emails" && primary(elements(list)) != nil {
		o.set("primary", nil)
	}
	doc.set(s.attr, append(slices.Clone(list), o))
	return o
}

// bare reports whether an element has no more than what its value is for, and how it is called.
func bare(o *object) bool {
	return !slices.ContainsFunc(o.members, func(m member) bool {
		return m.name != "type" && m.name != "primary" && m.name != "display" && m.name != "$ref"
	})
}

// tidy takes away what holds nothing any more: of a value that is gone its name, too.
func (s source) tidy(doc, holder *object) {
	outer := doc
	if s.extension != "" {
		outer, _ = doc.get(s.extension).(*object)
	}
	if s.pick != nil && bare(holder) {
		list, _ := outer.get(s.attr).([]any)
		list = slices.DeleteFunc(slices.Clone(list), func(v any) bool { return v == any(holder) })
		if outer.set(s.attr, list); len(list) == 0 {
			outer.set(s.attr, nil)
		}
	} else if s.sub != "" && s.pick == nil && len(holder.members) == 0 {
		outer.set(s.attr, nil)
	}
	if outer != doc && len(outer.members) == 0 {
		doc.set(s.extension, nil)
	}
}

// derives reports whether a text may be made of that of another attribute.
func (m *mapped) derives() bool {
	return slices.ContainsFunc(m.from, func(s source) bool { return s.derive != nil })
}

// read is the text of the first source that has one.
func (m *mapped) read(doc *object) string {
	for _, s := range m.from {
		if text := s.read(doc); text != "" {
			switch {
			case strings.HasPrefix(m.path, "phones."):
				text = strings.TrimPrefix(strings.TrimPrefix(text, "tel:"), "TEL:")
			case s.attr == "addresses":
				text = oneLine(text)
			}
			return text
		}
	}
	return ""
}

// oneLine is a part of an address, which may have lines (RFC 7643, 4.1.2), as a user has
// it, with commas.
func oneLine(text string) string {
	var lines []string
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = strings.Trim(strings.TrimSpace(line), ","); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, ", ")
}

// write makes read find a text.
func (m *mapped) write(doc *object, text string) {
	if text == "" {
		for _, s := range m.from {
			for s.derive == nil && s.read(doc) != "" {
				s.write(doc, "")
			}
		}
		return
	}
	m.from[0].write(doc, text)
}

// texts are what the mapping reads of a document, by path in a user; what it has no text
// for is not there. Without an e-mail address, the user name is it if it looks like one.
func texts(rows []mapped, doc *object) map[string]string {
	all := map[string]string{}
	for i := range rows {
		if text := rows[i].read(doc); text != "" {
			all[rows[i].path] = text
		}
	}
	if name := all["userName"]; all["email"] == "" && strings.Contains(name, "@") {
		all["email"] = name
	}
	if active, is := doc.get("active").(bool); is {
		all["state"] = string(directory.StateSuspended)
		if active {
			all["state"] = string(directory.StateActive)
		}
	}
	return all
}

// differences are what becomes of texts that were before; "" where there is none any more.
func differences(before, after map[string]string) map[string]string {
	edit := map[string]string{}
	for path, text := range after {
		if before[path] != text {
			edit[path] = text
		}
	}
	for path := range before {
		if _, still := after[path]; !still && path != "state" { // no active is no statement on the state
			edit[path] = ""
		}
	}
	return edit
}

// overlay shows what others have set of a user in the place of what the client sent. kept
// are the paths whose texts in the document were not taken: as long as the user has none,
// the document's stays, and where it says so (true) whatever the user has. clean is the form
// in which a text is kept of a user.
func overlay(rows []mapped, doc *object, p *directory.Profile, kept map[string]bool, clean func(path, text string) string) *object {
	doc = doc.clone()
	for i := range rows {
		m := &rows[i]
		living, sent := textOf(p, m.path), m.read(doc)
		whatever, left := kept[m.path]
		if m.path == "email" && sent == "" && p.AlternateEmail == "" { // beside another one it must be there
			sent = doc.text("userName")
		}
		if left && (living == "" || whatever && sent != "") || living == clean(m.path, sent) {
			continue
		}
		m.write(doc, living)
	}
	if !unassigned(doc) {
		doc.set("active", p.State == directory.StateActive)
	}
	return doc
}

// keptOf are the paths whose texts a client has sent that were not taken of a user. What is no
// value at all is shown as it was sent, whatever the user has: a client that is shown
// something else sends it for ever. What another source owns is shown as that has it, and so is
// a manager whom somebody else has set meanwhile.
func keptOf(u *people.PushedUser) map[string]bool {
	kept := make(map[string]bool, len(u.Document.Kept))
	for _, path := range u.Document.Kept {
		owner, owned := u.User.Owners[path]
		kept[path] = path != "managerId" && (!owned || owner == directory.SourceSCIM)
	}
	return kept
}

// unassigned reports whether a strict client has removed active, which a document has as
// null then: until it sends it again, nothing is shown of it (RFC 7644, 3.5.2.2).
func unassigned(doc *object) bool { return doc.index("active") >= 0 && doc.get("active") == nil }

// textOf is a user's text at a path.
func textOf(p *directory.Profile, path string) string {
	if key, custom := strings.CutPrefix(path, "customAttributes."); custom {
		return p.CustomAttributes[key]
	}
	if a, ok := directory.AttributeAt(path); ok {
		return a.Text(p)
	}
	return ""
}
