package scim

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"bindery/shared/directory"
)

// notes are what a request was bent by, for the log. A strict client is refused instead.
type notes struct {
	strict bool
	list   []string
	more   int // that are not in the list
	// told are notes as they came, with whether the list has them: a request may bend the
	// same a thousand times.
	told map[string]bool
	// tested is how many comparisons were made for the request, see test.
	tested int
	// strangers are how many members were sent that no user's ID could be.
	strangers int
}

const (
	// maxNotes bounds how much one request has in the log, maxNote each of them in bytes.
	maxNotes = 50
	maxNote  = 300
	// maxTold is how many different ones are looked at for that.
	maxTold = 1000
	// maxTested is how many comparisons one request may make with the values of an
	// attribute, or the members of a group. What clients send makes some hundreds.
	maxTested = 200_000
)

// test counts comparisons that are about to be made, and refuses those beyond maxTested.
func (n *notes) test(comparisons int) error {
	if n.tested += comparisons; n.tested > maxTested {
		return tooMuch()
	}
	return nil
}

func tooMuch() *Problem {
	return badRequest(typeTooMany, "The request would compare values more than %d times. Nothing was changed: send fewer operations at once, and name a member by members[value eq \"…\"].", maxTested)
}

// bend notes that something was taken for what it means. The error, to a strict client,
// is a *Problem with the keyword.
func (n *notes) bend(keyword, format string, args ...any) error {
	if !n.strict {
		n.tell(format, args...)
		return nil
	}
	text := fmt.Sprintf(format, args...)
	for _, done := range []string{" and was ignored", ", so it was added"} {
		text = strings.TrimSuffix(text, done)
	}
	return badRequest(keyword, "Nothing was changed, since this client is strict: %s. Send it as RFC 7643 and RFC 7644 have it, or have an admin of Bindery make the client tolerant.", text)
}

// tell notes what strict clients may do as well. Values are not kept: whatever stands in
// quotation marks is one.
func (n *notes) tell(format string, args ...any) {
	raw := fmt.Sprintf(format, args...)
	listed, known := n.told[raw]
	if !known && len(n.told) < maxTold {
		s := logged(raw)
		if listed = slices.Contains(n.list, s); !listed && len(n.list) < maxNotes {
			n.list, listed = append(n.list, s), true
		}
		if n.told == nil {
			n.told = map[string]bool{}
		}
		n.told[raw] = listed
	}
	if !listed {
		n.more++
	}
}

// all are the notes as they are kept.
func (n *notes) all() []string {
	list := n.list
	if n.strangers > 0 {
		list = append([]string{fmt.Sprintf("members who are no users here were left out: %d", n.strangers)}, list...)
	}
	if n.more > 0 {
		list = append(slices.Clone(list), fmt.Sprintf("and %d more", n.more))
	}
	return list
}

var quotedText = directory.Pattern(`"(\\.|[^"\\])*("|$)`)

// logged is a text as the log keeps it: short, and without what stands in quotation marks,
// which are values that were sent.
func logged(s string) string {
	return cut(masked(quotedText().ReplaceAllString(s, `"…"`)), maxNote)
}

var (
	tokenText = directory.Pattern(`(?i:bsc_)[A-Za-z0-9_~+=.-]*|\beyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_.-]*`)
	longText  = directory.Pattern(`[A-Za-z0-9_~+=-]{41,}`)
)

// untokened is a text without what has the form of our tokens, or of a JWT: an admin pastes
// one where an address or a name should be.
func untokened(s string) string { return tokenText().ReplaceAllString(s, "…") }

// masked is a text for a log: without tokens, and without what is longer than our IDs, those
// of identity providers and any name, and may be a part of one, or somebody else's.
func masked(s string) string { return longText().ReplaceAllString(untokened(s), "…") }

// attributeText is the name of an attribute that is not known, as it is told: without what
// no name has.
func attributeText(s string) string {
	return cut(masked(strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(".:_-$/", r)) {
			return r
		}
		return '?'
	}, s)), 100)
}

// normalise brings a body of POST or PUT to a document: members by the names that the
// schemas have, values of their kinds, and none that say nothing. What the client cannot
// write is left out.
func (t *resourceType) normalise(body *object, n *notes) (*object, error) {
	if err := n.checkSchemas(t, body); err != nil {
		return nil, err
	}
	doc := &object{}
	for _, m := range body.members {
		if strings.EqualFold(m.name, "schemas") || ignored(m.name, n) {
			continue
		}
		if s := t.extension(m.name); s != nil {
			if err := t.mergeExtension(doc, s, m.value, n, typeInvalidSyntax); err != nil {
				return nil, err
			}
			continue
		}
		p, err := t.parsePath(m.name)
		if err != nil || p.where != nil || p.whole != nil || p.attr.multi && p.sub != nil {
			if err := n.bend(typeInvalidSyntax, "the attribute %s is not known and was ignored", attributeText(m.name)); err != nil {
				return nil, err
			}
			continue
		}
		if p.extension != "" || !strings.EqualFold(m.name, p.attr.name) {
			if err := n.bend(typeInvalidSyntax, "the member %s was sent by a path, as only PATCH has them", p); err != nil {
				return nil, err
			}
		}
		if err := t.put(doc, p, m.value, n); err != nil {
			return nil, err
		}
	}
	return doc, nil
}

// ignored are members of bodies that no client means anything by.
func ignored(name string, n *notes) bool {
	if strings.EqualFold(name, "password") {
		n.tell("the password was ignored: nobody keeps it")
		return true
	}
	return false
}

// put stores one member of a body.
func (t *resourceType) put(doc *object, p place, v any, n *notes) error {
	if p.attr.readOnly() || p.sub != nil && p.sub.readOnly() {
		return nil // RFC 7644, 3.3: what is read-only SHALL be ignored
	}
	of := p.attr
	if p.sub != nil {
		of = p.sub
	}
	v, err := n.value(p.target.String(), of, v)
	if err != nil || v == nil {
		return err
	}
	t.store(doc, p.target, v)
	return nil
}

// store puts a value at an attribute of no filter; nil takes it away.
func (t *resourceType) store(doc *object, of target, v any) {
	holder := doc
	if of.extension != "" {
		holder = within(doc, of.extension, v != nil)
	}
	if of.sub != nil && holder != nil {
		holder = within(holder, of.attr.name, v != nil)
	}
	switch {
	case holder == nil:
		return
	case of.sub != nil:
		holder.set(of.sub.name, v)
	default:
		holder.set(of.attr.name, v)
	}
	tidy(doc, of)
}

// tidy takes away the objects on the way to an attribute that hold nothing any more.
func tidy(doc *object, of target) {
	holder := doc
	if of.extension != "" {
		if holder, _ = doc.get(of.extension).(*object); holder == nil {
			return
		}
	}
	if o, is := holder.get(of.attr.name).(*object); is && len(o.members) == 0 {
		holder.set(of.attr.name, nil)
	}
	if holder != doc && len(holder.members) == 0 {
		doc.set(of.extension, nil)
	}
}

// within is the object that a member is; where there is none and make says so, a new one.
func within(o *object, name string, make bool) *object {
	inner, _ := o.get(name).(*object)
	if inner == nil && make {
		inner = &object{}
		o.set(name, inner)
	}
	return inner
}

// mergeExtension stores the members of an extension.
func (t *resourceType) mergeExtension(doc *object, s *schema, v any, n *notes, keyword string) error {
	if isNone(v) {
		return nil
	}
	list, err := n.objects(s.urn, v)
	if err != nil {
		return err
	}
	for _, o := range list {
		if err := t.mergeMembers(doc, s, o, n, keyword); err != nil {
			return err
		}
	}
	return nil
}

func (t *resourceType) mergeMembers(doc *object, s *schema, o *object, n *notes, keyword string) error {
	for _, m := range o.members {
		if strings.EqualFold(m.name, "schemas") { // some libraries name an extension in itself
			continue
		}
		a := attributeNamed(s.attributes, m.name)
		if a == nil {
			if err := n.bend(keyword, "the attribute %s of %s is not known and was ignored", attributeText(m.name), s.urn); err != nil {
				return err
			}
			continue
		}
		if err := t.put(doc, place{target: target{extension: s.urn, attr: a}}, m.value, n); err != nil {
			return err
		}
	}
	return nil
}

// objects are those of a value that should be one: it, or those of a list of them, in order. A
// text that is one in JSON is, too, as some libraries send it.
func (n *notes) objects(path string, v any) ([]*object, error) {
	refused := badRequest(typeInvalidValue, "The value of %s must be an object.", path)
	list, isList := v.([]any)
	if isList {
		if err := n.bend(typeInvalidValue, "%s was sent as a list", path); err != nil {
			return nil, err
		}
	} else {
		list = []any{v}
	}
	if len(list) > maxOperations {
		return nil, tooManyOperations()
	}
	var objects []*object
	for _, v := range list {
		if text, is := v.(string); is {
			o, err := readObject([]byte(text))
			if err != nil {
				return nil, refused
			}
			if err := n.bend(typeInvalidValue, "%s was sent as text", path); err != nil {
				return nil, err
			}
			v = o
		}
		o, is := v.(*object)
		if !is {
			return nil, refused
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// checkSchemas looks at what a body says it is: that of the resource must be named, and none
// twice (RFC 7643, 3). Unknown schemas mean nothing.
func (n *notes) checkSchemas(t *resourceType, body *object) error {
	list, is := body.get("schemas").([]any)
	if !is || len(list) == 0 {
		return n.bend(typeInvalidSyntax, "the body has no schemas")
	}
	times, twice := map[string]int{}, false
	for _, s := range list {
		if urn, is := s.(string); is {
			urn = strings.ToLower(urn)
			times[urn]++
			twice = twice || times[urn] > 1
		}
	}
	if times[strings.ToLower(t.core.urn)] == 0 {
		if err := n.bend(typeInvalidSyntax, "the schemas do not name %s", t.core.urn); err != nil {
			return err
		}
	}
	if twice {
		if err := n.bend(typeInvalidSyntax, "a schema is named twice"); err != nil {
			return err
		}
	}
	for _, s := range list {
		urn, _ := s.(string)
		if known, rest := t.schemaAt(urn); known == nil || rest != "" {
			if err := n.bend(typeInvalidSyntax, "the schema %s is not known and was ignored", attributeText(urn)); err != nil {
				return err
			}
		}
	}
	return nil
}

// value brings a value to the kind of an attribute; nil says that it is none: null, "",
// and [] all do. path is how the attribute is called in an error.
func (n *notes) value(path string, a *attribute, v any) (any, error) {
	if v == nil || v == "" {
		return nil, nil
	}
	if a.multi {
		return n.values(path, a, v)
	}
	if list, is := v.([]any); is {
		switch len(list) {
		case 0:
			return nil, nil
		case 1:
			if err := n.bend(typeInvalidValue, "%s was sent as a list", path); err != nil {
				return nil, err
			}
			return n.value(path, a, list[0])
		}
		return nil, badRequest(typeInvalidValue, "%s takes one value, and the request has %d. Send the one that counts.", path, len(list))
	}
	if a.kind == kindComplex {
		return n.complex(path, a, v)
	}
	return n.simple(path, a, v)
}

// maxValues is how many values an attribute may have; members of groups are read apart.
const maxValues = 100

func (n *notes) values(path string, a *attribute, v any) (any, error) {
	list, is := v.([]any)
	if !is {
		if err := n.bend(typeInvalidValue, "%s was not sent as a list", path); err != nil {
			return nil, err
		}
		list = []any{v}
	}
	if len(list) > maxValues {
		return nil, badRequest(typeInvalidValue, "%s has %d values; at most %d are kept. Send fewer.", path, len(list), maxValues)
	}
	if err := n.test(len(list) * len(list) / 2); err != nil {
		return nil, err
	}
	var out []any
	for _, v := range list {
		if v == nil || v == "" {
			continue
		}
		e, err := n.element(path, a, v)
		if err != nil {
			return nil, err
		}
		if e == nil {
			continue
		}
		if i := slices.IndexFunc(out, func(w any) bool { return sameTwice(a, w, e) }); i >= 0 {
			n.tell("%s has a value of the same type twice, and keeps it once", path)
			if isPrimary(e) {
				out[i] = e
			}
			continue
		}
		out = append(out, e)
	}
	if out == nil {
		return nil, nil
	}
	if many := slices.DeleteFunc(slices.Clone(out), func(v any) bool { return !isPrimary(v) }); len(many) > 1 { // RFC 7643, 2.4
		if err := n.bend(typeInvalidValue, "%s has %d primary values, and the first one counts", path, len(many)); err != nil {
			return nil, err
		}
	}
	onePrimary(out, nil)
	return out, nil
}

// sameTwice reports whether two values are of the same type and say the same: of those one
// is shown (RFC 7643, 2.4).
func sameTwice(a *attribute, v, w any) bool {
	vo, is := v.(*object)
	wo, both := w.(*object)
	return sameValue(a, v, w) && (!is || !both || strings.EqualFold(vo.text("type"), wo.text("type")))
}

// element is one value of a multi-valued attribute.
func (n *notes) element(path string, a *attribute, v any) (any, error) {
	if a.kind != kindComplex {
		return n.simple(path, a, v)
	}
	e, err := n.complex(path, a, v)
	if err != nil {
		return nil, err
	}
	o, is := e.(*object)
	if is && a.says(o) {
		return o, nil
	}
	if sent, both := v.(*object); both && (!is || !more(o)) && isEmptied(sent) {
		return nil, nil // it says itself that it is none
	}
	return nil, n.saysNothing(path, a)
}

// isEmptied reports whether an element was sent with something empty of what it would say.
func isEmptied(sent *object) bool {
	return sent != nil && slices.ContainsFunc(sent.members, func(m member) bool { return isSaid(m.name) && isNone(m.value) })
}

// saysNothing is about an element that has nothing of what the attribute's values are for.
func (n *notes) saysNothing(path string, a *attribute) error {
	if value := a.child("value"); value != nil && value.required {
		return n.bend(typeInvalidValue, "an element of %s has no value and was ignored", path)
	}
	return n.bend(typeInvalidValue, "an element of %s says only what it is for and was ignored", path)
}

// says reports whether an element of an attribute is one: it has the value, where that is
// required, or more than what it is for.
func (a *attribute) says(o *object) bool {
	if value := a.child("value"); value != nil && value.required {
		return o.get("value") != nil
	}
	return more(o)
}

// more reports whether an element has more than what it is for.
func more(o *object) bool {
	return slices.ContainsFunc(o.members, func(m member) bool { return isSaid(m.name) })
}

func isSaid(name string) bool {
	return !strings.EqualFold(name, "type") && !strings.EqualFold(name, "primary") && !strings.EqualFold(name, "$ref")
}

// onePrimary leaves one element primary: that one, or else the first that is.
func onePrimary(list []any, that *object) {
	for _, v := range list {
		o, is := v.(*object)
		if !is || o.get("primary") != true {
			continue
		}
		if that == nil {
			that = o
		}
		if o != that {
			o.set("primary", false)
		}
	}
}

// complex brings an object to the sub-attributes of an attribute. A plain value is that
// of its sub-attribute value, or of a name or an address the whole.
func (n *notes) complex(path string, a *attribute, v any) (any, error) {
	o, is := v.(*object)
	if !is {
		sub := a.child("value")
		if sub == nil {
			sub = a.child("formatted")
		}
		if sub == nil {
			return nil, badRequest(typeInvalidValue, "%s must be an object.", path)
		}
		if err := n.bend(typeInvalidValue, "%s was sent as a plain value", path); err != nil {
			return nil, err
		}
		o = &object{members: []member{{sub.name, v}}}
	}
	out := &object{}
	for _, m := range o.members {
		sub := a.child(m.name)
		if sub == nil {
			if err := n.bend(typeInvalidSyntax, "the attribute %s of %s is not known and was ignored", attributeText(m.name), path); err != nil {
				return nil, err
			}
			continue
		}
		if sub.readOnly() {
			continue
		}
		v, err := n.value(path+"."+sub.name, sub, m.value)
		if errors.Is(err, errLeftOut) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out.set(sub.name, v)
	}
	if len(out.members) == 0 {
		return nil, nil
	}
	return out, nil
}

func (n *notes) simple(path string, a *attribute, v any) (any, error) {
	if o, is := v.(*object); is {
		inner := o.get("value")
		if _, deeper := inner.(*object); inner == nil || deeper {
			return nil, badRequest(typeInvalidValue, "%s must not be an object.", path)
		}
		if err := n.bend(typeInvalidValue, "%s was sent as an object", path); err != nil {
			return nil, err
		}
		return n.value(path, a, inner)
	}
	if a.kind == kindBoolean {
		switch v := v.(type) {
		case bool:
			return v, nil
		case string:
			if yes, ok := truth(v); ok {
				return yes, n.bend(typeInvalidValue, "%s was sent as text", path)
			}
		}
		return nil, badRequest(typeInvalidValue, "%s must be true or false.", path)
	}
	switch v := v.(type) {
	case string:
		if a.kind == kindBinary {
			return n.binary(path, v)
		}
		return v, nil
	case json.Number, bool:
		return plain(v), n.bend(typeInvalidValue, "%s was not sent as text", path)
	}
	return nil, badRequest(typeInvalidValue, "%s must be a text.", path)
}

// errLeftOut is of a value that a tolerant client has sent and that is left out, as it is
// told: what stands there already stays.
var errLeftOut = errors.New("the value was left out")

// binary is a value in base64, with the padding or without (RFC 7643, 2.3.6). Whatever else it
// was would be shown to clients that decode it, which then read no user of that page.
func (n *notes) binary(path, text string) (any, error) {
	if bare := strings.NewReplacer("\r", "", "\n", "").Replace(text); bare != text {
		if err := n.bend(typeInvalidValue, "%s was sent with line breaks", path); err != nil {
			return nil, err
		}
		text = bare
	}
	encoding := base64.RawStdEncoding
	if strings.HasSuffix(text, "=") {
		encoding = base64.StdEncoding
	}
	if _, err := encoding.DecodeString(text); err != nil || text == "" {
		if err := n.bend(typeInvalidValue, "%s is not base64 and was ignored", path); err != nil {
			return nil, err
		}
		return nil, errLeftOut
	}
	return text, nil
}
