package scim

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A filter (RFC 7644, 3.4.2.2) as clients write it: names and operators in any letter
// case, blanks wherever there may be one, texts with quotation marks or without.
//
//	filter  = and *("or" and)          comparison = attribute ("pr" | op value)
//	and     = not *("and" not)         attribute  = [urn ":"] name ["." name]
//	not     = ["not"] "(" filter ")" | comparison | name "[" filter "]" ["." name [op value]]

// expr is a filter, or a part of one.
type expr interface {
	// holds says whether it is true of an object.
	holds(o *object) bool
	String() string
}

// both and either join two filters.
type (
	both   struct{ a, b expr }
	either struct{ a, b expr }
	not    struct{ of expr }
)

func (e both) holds(o *object) bool   { return e.a.holds(o) && e.b.holds(o) }
func (e either) holds(o *object) bool { return e.a.holds(o) || e.b.holds(o) }
func (e not) holds(o *object) bool    { return !e.of.holds(o) }

// comparisons is how many a filter makes of one object; of none, 0.
func comparisons(e expr) int {
	switch e := e.(type) {
	case both:
		return comparisons(e.a) + comparisons(e.b)
	case either:
		return comparisons(e.a) + comparisons(e.b)
	case not:
		return comparisons(e.of)
	case compare:
		return 1 + comparisons(e.of.where)
	}
	return 0
}

func (e both) String() string   { return "(" + e.a.String() + " and " + e.b.String() + ")" }
func (e either) String() string { return "(" + e.a.String() + " or " + e.b.String() + ")" }
func (e not) String() string    { return "not (" + e.of.String() + ")" }

// target is the attribute that a comparison, or an operation of PATCH, is of.
type target struct {
	extension string // URN; "" for the core schema
	attr      *attribute
	where     expr       // of the values of a multi-valued attribute; nil for all
	sub       *attribute // nil for the attribute itself
}

func (t target) String() string {
	var b strings.Builder
	if t.extension != "" {
		b.WriteString(t.extension + ":")
	}
	b.WriteString(t.attr.name)
	if t.where != nil {
		b.WriteString("[" + t.where.String() + "]")
	}
	if t.sub != nil {
		b.WriteString("." + t.sub.name)
	}
	return b.String()
}

// leaf is the attribute whose values are compared: of one that holds others, its value.
func (t target) leaf() *attribute {
	switch {
	case t.sub != nil:
		return t.sub
	case t.attr.kind == kindComplex:
		if v := t.attr.child("value"); v != nil {
			return v
		}
	}
	return t.attr
}

// compare is a comparison; of op "pr" there is no value.
type compare struct {
	of    target
	op    string
	value any // a text, a boolean, a json.Number, or nil
}

func (e compare) String() string {
	if e.op == "pr" {
		return e.of.String() + " pr"
	}
	v, _ := json.Marshal(e.value)
	return e.of.String() + " " + e.op + " " + string(v)
}

func (e compare) holds(o *object) bool {
	values := e.of.values(o)
	switch e.op {
	case "pr":
		return len(values) > 0
	case "ne":
		return !compare{e.of, "eq", e.value}.holds(o)
	}
	if e.value == nil || e.value == "" && e.op == "eq" {
		return e.op == "eq" && len(values) == 0
	}
	leaf := e.of.leaf()
	for _, v := range values {
		if matches(leaf, e.op, v, e.value) {
			return true
		}
	}
	return false
}

// takes refuses a comparison that could be true of nobody, or says nothing: an answer to it,
// empty or not, would be taken for one about users.
func (t target) takes(op string, value any) error {
	leaf := t.leaf()
	orders := slices.Contains([]string{"gt", "ge", "lt", "le"}, op)
	equals := op == "eq" || op == "ne"
	switch {
	case (leaf.kind == kindBoolean || leaf.kind == kindBinary) && orders:
		return fmt.Errorf("%s has no order, so %s says nothing of it", t, op) // RFC 7644, 3.4.2.2
	case leaf.kind == kindBoolean && !equals:
		return fmt.Errorf("%s is true or false, so %s says nothing of it", t, op)
	case value == nil && !equals:
		return fmt.Errorf("null can only be asked for by eq and ne, and of %s it is %s", t, op)
	case value == nil || value == "":
		return nil
	case leaf.kind == kindComplex:
		return fmt.Errorf("%s is none of its parts: name one, such as %s.%s", t, t, leaf.sub[0].name)
	}
	switch leaf.kind {
	case kindBoolean:
		if _, ok := truth(plain(value)); !ok {
			return fmt.Errorf("%s is true or false, and nothing else", t)
		}
	case kindDateTime:
		if _, ok := moment(plain(value)); !ok && (orders || equals) {
			return fmt.Errorf("%s is a time, such as 2026-01-31T08:00:00Z", t)
		}
	}
	return nil
}

// moment reads a time, which may lack its zone, or be a day: then it is UTC, and its begin.
func moment(s string) (time.Time, bool) {
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.Parse(form, strings.ToUpper(s)); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// values are those of the target in an object that are there.
func (t target) values(o *object) []any {
	if t.extension != "" {
		o, _ = o.get(t.extension).(*object)
	}
	v := o.get(t.attr.name)
	list, many := v.([]any)
	if !many {
		list = []any{v}
	}
	var values []any
	for _, v := range list {
		element, isObject := v.(*object)
		if t.where != nil && (!isObject || !t.where.holds(element)) {
			continue
		}
		if isObject && t.leaf() != t.attr {
			v = element.get(t.leaf().name)
		}
		if v != nil && v != "" {
			values = append(values, v)
		}
	}
	return values
}

// matches compares one value with what a filter says.
func matches(a *attribute, op string, have, want any) bool {
	if yes, is := have.(bool); is {
		w, ok := want.(bool)
		if text, isText := want.(string); isText {
			w, ok = truth(text)
		}
		return op == "eq" && ok && yes == w
	}
	h, w := plain(have), plain(want)
	if a.kind == kindDateTime {
		if ht, ok := moment(h); ok && op != "co" && op != "sw" && op != "ew" {
			if wt, ok := moment(w); ok {
				return ordered(op, ht.Compare(wt))
			}
		}
	}
	if !a.caseExact() {
		h, w = strings.ToLower(h), strings.ToLower(w)
	}
	switch op {
	case "co":
		return strings.Contains(h, w)
	case "sw":
		return strings.HasPrefix(h, w)
	case "ew":
		return strings.HasSuffix(h, w)
	}
	return ordered(op, strings.Compare(h, w))
}

func ordered(op string, c int) bool {
	switch op {
	case "eq":
		return c == 0
	case "gt":
		return c > 0
	case "ge":
		return c >= 0
	case "lt":
		return c < 0
	case "le":
		return c <= 0
	}
	return false
}

// plain is a plain value as a text.
func plain(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	return ""
}

// truth reads the words true and false, in any letter case, and nothing else.
func truth(s string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

// errUnknown says that there is no such attribute.
type errUnknown struct {
	name string
	hint string // what may have been meant
}

func (e *errUnknown) Error() string {
	if e.hint != "" {
		return fmt.Sprintf("there is no attribute %s; it may be %s that was meant", attributeText(e.name), e.hint)
	}
	return "there is no attribute " + attributeText(e.name)
}

// hints are attributes that people look for under another name.
var hints = map[string]string{"email": "emails.value", "mail": "emails.value", "firstname": "name.givenName", "lastname": "name.familyName", "surname": "name.familyName", "jobtitle": "title", "employeeid": "employeeNumber"}

var errNotUTF8 = errors.New("it is not UTF-8")

// maxFilter is how long a filter may be, and maxNested how deep its parentheses.
const (
	maxFilter = 4 << 10
	maxNested = 32
)

// parseFilter reads a filter of a resource. The error, a *Problem, is invalidFilter.
func (t *resourceType) parseFilter(s string, n *notes) (expr, error) {
	p := &parser{lexer: lexer{rest: s}, resource: t, n: n}
	e, err := p.whole(s)
	if err == nil {
		return e, nil
	}
	return nil, badRequest(typeInvalidFilter, "The filter %q cannot be followed: %v. Correct it where the identity provider has it; /Schemas lists the attributes.", shortened(s), err)
}

func shortened(s string) string {
	return cut(s, 200)
}

// cut is a text of so many bytes at most, and three.
func cut(s string, most int) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// parser reads filters and paths. Within brackets names are those of within's
// sub-attributes.
type parser struct {
	lexer
	resource *resourceType
	within   *attribute
	depth    int
	n        *notes // nil: of a path
}

func (p *parser) whole(s string) (expr, error) {
	if len(s) > maxFilter {
		return nil, fmt.Errorf("it has more than %d bytes", maxFilter)
	}
	if !utf8.ValidString(s) {
		return nil, errNotUTF8
	}
	e, err := p.filter()
	if err != nil {
		return nil, err
	}
	if t := p.next(); t.kind != end {
		return nil, fmt.Errorf("%s stands where it should end", t)
	}
	return e, nil
}

func (p *parser) filter() (expr, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxNested {
		return nil, fmt.Errorf("it is more than %d levels deep", maxNested)
	}
	e, err := p.and()
	for err == nil && p.word("or") {
		var b expr
		b, err = p.and()
		e = either{e, b}
	}
	return e, err
}

func (p *parser) and() (expr, error) {
	e, err := p.term()
	for err == nil && p.word("and") {
		var b expr
		b, err = p.term()
		e = both{e, b}
	}
	return e, err
}

// word takes the next token if it is this word.
func (p *parser) word(w string) bool {
	if t := p.peek(); t.kind == name && strings.EqualFold(t.text, w) {
		p.next()
		return true
	}
	return false
}

// symbol takes the next token if it is this one.
func (p *parser) symbol(s string) bool {
	if t := p.peek(); t.kind == symbol && t.text == s {
		p.next()
		return true
	}
	return false
}

func (p *parser) term() (expr, error) {
	if p.symbol("(") {
		return p.closed()
	}
	if t := p.peek(); t.kind == name && strings.EqualFold(t.text, "not") {
		at := p.lexer
		p.next()
		if p.symbol("(") {
			e, err := p.closed()
			return not{e}, err
		}
		p.lexer = at
	}
	of, err := p.target()
	if err != nil {
		return nil, err
	}
	op := p.peek()
	if of.where != nil && of.sub == nil && (op.kind != name || strings.EqualFold(op.text, "and") || strings.EqualFold(op.text, "or")) {
		return compare{of, "pr", nil}, nil // emails[type eq "work"] says that there is one
	}
	p.next()
	switch o := strings.ToLower(op.text); {
	case op.kind != name:
		return nil, fmt.Errorf("an operator such as eq is missing behind %s", of)
	case o == "pr":
		return compare{of, o, nil}, p.present(of)
	case o == "eq" || o == "ne" || o == "co" || o == "sw" || o == "ew" || o == "gt" || o == "ge" || o == "lt" || o == "le":
		v, err := p.value()
		if err != nil {
			return nil, fmt.Errorf("%w behind %s %s", err, of, o)
		}
		if err := of.takes(o, v); err != nil {
			return nil, err
		}
		return compare{of, o, v}, nil
	}
	return nil, fmt.Errorf("%q is no operator", op.text)
}

// present reads behind pr a value that has no meaning there, of a client that is not strict.
func (p *parser) present(of target) error {
	t := p.peek()
	joins := strings.EqualFold(t.text, "and") || strings.EqualFold(t.text, "or")
	if p.n == nil || p.n.strict || t.kind != quoted && (t.kind != name || joins) {
		return nil
	}
	p.n.tell("the value behind %s pr was ignored", of)
	_, err := p.value()
	return err
}

// closed reads what stands in parentheses.
func (p *parser) closed() (expr, error) {
	e, err := p.filter()
	if err == nil && !p.symbol(")") {
		err = errors.New("a parenthesis is not closed")
	}
	return e, err
}

// value reads what is compared with. A word without quotation marks is a text, but for
// true, false, null and numbers.
func (p *parser) value() (any, error) {
	t := p.peek()
	switch t.kind {
	case quoted:
		p.next()
		return t.text, nil
	case broken:
		return nil, errors.New("a text is not closed, or cannot be read")
	case end, symbol:
		return nil, errors.New("a value is missing")
	}
	word := p.bare()
	if yes, ok := truth(word); ok {
		return yes, nil
	}
	if strings.EqualFold(word, "null") {
		return nil, nil
	}
	var n json.Number
	if json.Unmarshal([]byte(word), &n) == nil {
		return n, nil
	}
	return word, nil
}

// target reads an attribute with what stands in brackets behind it.
func (p *parser) target() (target, error) {
	t := p.next()
	switch {
	case t.kind == end:
		return target{}, errors.New("an attribute is missing")
	case t.kind != name:
		return target{}, fmt.Errorf("%s stands where an attribute should", t)
	}
	of, rest, err := p.named(t.text)
	if err != nil {
		return target{}, err
	}
	if rest != "" {
		if of.sub = of.attr.child(rest); of.sub == nil {
			return target{}, &errUnknown{name: t.text}
		}
		return of, nil
	}
	if !p.symbol("[") {
		return of, nil
	}
	if len(of.attr.sub) == 0 || p.within != nil {
		return target{}, fmt.Errorf("%s has no parts that brackets could choose by", of.attr.name)
	}
	inner := &parser{lexer: p.lexer, resource: p.resource, within: of.attr, depth: p.depth, n: p.n}
	of.where, err = inner.filter()
	p.lexer = inner.lexer
	if err != nil {
		return target{}, err
	}
	if !p.symbol("]") {
		return target{}, errors.New("a bracket is not closed")
	}
	if !strings.HasPrefix(p.rest, ".") {
		return of, nil
	}
	t = p.next()
	if of.sub = of.attr.child(strings.TrimPrefix(t.text, ".")); of.sub == nil {
		return target{}, &errUnknown{name: of.attr.name + t.text}
	}
	return of, nil
}

// named finds the attribute that a name begins with, and what stands behind its dot.
func (p *parser) named(s string) (of target, rest string, err error) {
	if p.within != nil {
		if a := p.within.child(s); a != nil {
			return target{attr: a}, "", nil
		}
		return target{}, "", &errUnknown{name: p.within.name + "." + s}
	}
	plainName := s
	var attr *attribute
	if sc, behind := p.resource.schemaAt(s); sc != nil {
		plainName, rest, _ = strings.Cut(behind, ".")
		if attr = attributeNamed(sc.attributes, plainName); attr == nil && sc == p.resource.core {
			attr = attributeNamed(p.resource.common, plainName)
		}
		if sc != p.resource.core {
			of.extension = sc.urn
		}
	} else if !strings.HasPrefix(strings.ToLower(s), "urn:") {
		plainName, rest, _ = strings.Cut(s, ".")
		f, _ := p.resource.lookup(plainName)
		of.extension, attr = f.extension, f.attr
	}
	if attr == nil {
		return target{}, "", &errUnknown{name: s, hint: hints[strings.ToLower(plainName)]}
	}
	of.attr = attr
	return of, rest, nil
}

type tokenKind int

const (
	end tokenKind = iota
	name
	quoted
	symbol
	broken
)

type token struct {
	kind tokenKind
	text string
}

func (t token) String() string {
	if t.kind == end {
		return "the end"
	}
	return fmt.Sprintf("%q", t.text)
}

// lexer cuts a filter into names, quoted texts and the symbols ( ) [ ].
type lexer struct{ rest string }

func (l *lexer) skip() { l.rest = strings.TrimLeftFunc(l.rest, unicode.IsSpace) }

func (l *lexer) peek() token {
	at := *l
	return at.next()
}

func (l *lexer) next() token {
	l.skip()
	if l.rest == "" {
		return token{}
	}
	switch c := l.rest[0]; c {
	case '(', ')', '[', ']':
		l.rest = l.rest[1:]
		return token{symbol, string(c)}
	case '"', '\'':
		return l.quoted(c)
	}
	n := strings.IndexFunc(l.rest, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`()[]"'`, r) })
	if n < 0 {
		n = len(l.rest)
	}
	t := token{name, l.rest[:n]}
	l.rest = l.rest[n:]
	return t
}

// bare takes a value without quotation marks: all up to a blank or what closes.
func (l *lexer) bare() string {
	l.skip()
	n := strings.IndexFunc(l.rest, func(r rune) bool { return unicode.IsSpace(r) || r == ')' || r == ']' })
	if n < 0 {
		n = len(l.rest)
	}
	s := l.rest[:n]
	l.rest = l.rest[n:]
	return s
}

// quoted takes a text in quotation marks, with JSON's escapes.
func (l *lexer) quoted(mark byte) token {
	for i := 1; i < len(l.rest); i++ {
		switch l.rest[i] {
		case '\\':
			i++
		case mark:
			raw := l.rest[1:i]
			l.rest = l.rest[i+1:]
			if mark == '\'' {
				return token{quoted, raw}
			}
			var s string
			if !utf8.ValidString(raw) || json.Unmarshal([]byte(`"`+raw+`"`), &s) != nil {
				return token{broken, raw}
			}
			return token{quoted, s}
		}
	}
	t := token{broken, l.rest}
	l.rest = ""
	return t
}
