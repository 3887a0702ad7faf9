package odata

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxDepth bounds how deeply a filter is nested.
const maxDepth = 100

// parser reads OData's $filter: or, and, not, parentheses, comparisons, in,
// startsWith, endsWith and any().
type parser struct {
	text  string
	pos   int
	check Check
	vars  map[string]string // lambda variable -> path of its collection
	depth int

	clauses int        // comparisons and functions that were read
	equals  []Equality // those that ask for an equal text
	choices int        // ways of an "or" or an "in" besides the first of each
	joined  bool       // an "and" occurs
	negated bool       // a "not" occurs
}

func (p *parser) parse() (predicate, *Error) {
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.skip(); p.pos < len(p.text) {
		return nil, p.syntax()
	}
	return e, nil
}

func (p *parser) syntax() *Error {
	return BadRequest("Invalid filter clause: Syntax error at position %d in '%s'.", p.pos, p.text)
}

func (p *parser) skip() {
	for p.pos < len(p.text) && p.text[p.pos] == ' ' {
		p.pos++
	}
}

// eat takes a symbol when it is next.
func (p *parser) eat(symbol string) bool {
	p.skip()
	if strings.HasPrefix(p.text[p.pos:], symbol) {
		p.pos += len(symbol)
		return true
	}
	return false
}

// peekWord is the word that comes next: letters and what paths contain.
func (p *parser) peekWord() string {
	p.skip()
	end := p.pos
	for end < len(p.text) {
		r := rune(p.text[end])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_/$.@-:+", r) {
			break
		}
		end++
	}
	return p.text[p.pos:end]
}

// word takes the word that comes next.
func (p *parser) word() string {
	w := p.peekWord()
	p.pos += len(w)
	return w
}

// keyword takes a word when it is next.
func (p *parser) keyword(w string) bool {
	if strings.EqualFold(p.peekWord(), w) {
		p.pos += len(w)
		return true
	}
	return false
}

func (p *parser) or() (predicate, *Error) {
	left, err := p.and()
	if err != nil {
		return nil, err
	}
	for p.keyword("or") {
		p.choices++
		right, err := p.and()
		if err != nil {
			return nil, err
		}
		l := left
		left = func(get Getter) bool { return l(get) || right(get) }
	}
	return left, nil
}

func (p *parser) and() (predicate, *Error) {
	left, err := p.unary()
	if err != nil {
		return nil, err
	}
	for p.keyword("and") {
		p.joined = true
		right, err := p.unary()
		if err != nil {
			return nil, err
		}
		l := left
		left = func(get Getter) bool { return l(get) && right(get) }
	}
	return left, nil
}

func (p *parser) unary() (predicate, *Error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return nil, BadRequest("Invalid filter clause: it is nested too deeply.")
	}
	if p.keyword("not") {
		p.negated = true
		inner, err := p.unary()
		if err != nil {
			return nil, err
		}
		return func(get Getter) bool { return !inner(get) }, nil
	}
	if !p.eat("(") {
		return p.clause()
	}
	inner, err := p.or()
	if err != nil {
		return nil, err
	}
	if !p.eat(")") {
		return nil, p.syntax()
	}
	return inner, nil
}

// clause is a function, a lambda or a comparison.
func (p *parser) clause() (predicate, *Error) {
	w := p.word()
	if w == "" {
		return nil, p.syntax()
	}
	name := strings.ToLower(w)
	if strings.HasSuffix(name, "/any") {
		return p.lambda(w[:len(w)-len("/any")])
	}
	p.clauses++
	switch name {
	case "startswith", "endswith":
		return p.function(name)
	case "contains":
		return nil, Unsupported("The operator 'contains' is not supported.")
	}
	return p.comparison(w)
}

func (p *parser) function(name string) (predicate, *Error) {
	if !p.eat("(") {
		return nil, p.syntax()
	}
	path := p.word()
	if path == "" || !p.eat(",") {
		return nil, p.syntax()
	}
	v, err := p.literal()
	if err != nil {
		return nil, err
	}
	s, ok := v.(string)
	if !ok || !p.eat(")") {
		return nil, p.syntax()
	}
	if err := p.verify(path, name, v); err != nil {
		return nil, err
	}
	fits := strings.HasPrefix
	if name == "endswith" {
		fits = strings.HasSuffix
	}
	s = strings.ToLower(s)
	return func(get Getter) bool {
		have, ok := get(path).(string)
		return ok && fits(strings.ToLower(have), s)
	}, nil
}

// collection is a path in which a lambda's variable stands for its collection.
func (p *parser) collection(path string) string {
	name, rest, nested := strings.Cut(path, "/")
	collection, ok := p.vars[name]
	switch {
	case !ok:
		return path
	case nested && rest != "":
		return collection + "/" + rest
	}
	return collection
}

// verify has the caller check a path and what it is compared with.
func (p *parser) verify(path, op string, literal any) *Error {
	return p.check(p.collection(path), op, literal)
}

func (p *parser) lambda(path string) (predicate, *Error) {
	if !p.eat("(") {
		return nil, p.syntax()
	}
	name, _, _ := strings.Cut(p.peekWord(), ":") // "x:x" or "x:" or "x"
	p.pos += len(name)
	if name == "" || !p.eat(":") {
		return nil, p.syntax()
	}
	if p.vars == nil {
		p.vars = map[string]string{}
	}
	p.vars[name] = path
	inner, err := p.or()
	delete(p.vars, name)
	if err != nil {
		return nil, err
	}
	if !p.eat(")") {
		return nil, p.syntax()
	}
	return func(get Getter) bool {
		list, _ := get(path).([]any)
		for _, e := range list {
			if inner(elementGetter(get, name, e)) {
				return true
			}
		}
		return false
	}, nil
}

// elementGetter resolves a lambda's variable, and everything else as before.
func elementGetter(outer Getter, name string, e any) Getter {
	return func(path string) any {
		first, rest, nested := strings.Cut(path, "/")
		if first != name {
			return outer(path)
		}
		if !nested {
			return e
		}
		m, _ := e.(map[string]any)
		return m[rest]
	}
}

func (p *parser) comparison(path string) (predicate, *Error) {
	op := strings.ToLower(p.word())
	if base, ok := strings.CutSuffix(path, "/$count"); ok {
		return p.size(base, op)
	}
	switch op {
	case "in":
		return p.in(path)
	case "eq", "ne", "ge", "le", "gt", "lt":
	default:
		return nil, p.syntax()
	}
	v, err := p.literal()
	if err != nil {
		return nil, err
	}
	if err := p.verify(path, op, v); err != nil {
		return nil, err
	}
	if text, isText := v.(string); isText && op == "eq" {
		p.equals = append(p.equals, Equality{p.collection(path), text})
	}
	return func(get Getter) bool { return compare(get(path), op, v) }, nil
}

// size compares the number of elements of a collection.
func (p *parser) size(path, op string) (predicate, *Error) {
	v, err := p.literal()
	n, number := v.(float64)
	if err != nil || !number || op != "eq" && op != "ne" {
		return nil, p.syntax()
	}
	if err := p.verify(path, "$count", v); err != nil {
		return nil, err
	}
	return func(get Getter) bool {
		list, _ := get(path).([]any)
		return (float64(len(list)) == n) == (op == "eq")
	}, nil
}

func (p *parser) in(path string) (predicate, *Error) {
	if !p.eat("(") {
		return nil, p.syntax()
	}
	var list []any
	for {
		v, err := p.literal()
		if err != nil {
			return nil, err
		}
		if err := p.verify(path, "in", v); err != nil {
			return nil, err
		}
		list = append(list, v)
		if p.eat(")") {
			p.choices += len(list) - 1
			break
		}
		if !p.eat(",") {
			return nil, p.syntax()
		}
	}
	return func(get Getter) bool {
		have := get(path)
		for _, v := range list {
			if compare(have, "eq", v) {
				return true
			}
		}
		return false
	}, nil
}

// guidRE is how an id looks, which may stand without quotes.
var guidRE = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

// literal reads a value: 'text', true, false, null, a number, a time or a GUID.
func (p *parser) literal() (any, *Error) {
	p.skip()
	if p.pos < len(p.text) && p.text[p.pos] == '\'' {
		return p.quoted()
	}
	w := p.word()
	switch strings.ToLower(w) {
	case "":
		return nil, p.syntax()
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	}
	if n, err := strconv.ParseFloat(w, 64); err == nil {
		return n, nil
	}
	if _, err := time.Parse(time.RFC3339, w); err == nil || guidRE.MatchString(w) {
		return w, nil
	}
	return nil, p.syntax()
}

// quoted reads a text in quotes, in which two quotes stand for one.
func (p *parser) quoted() (any, *Error) {
	var b strings.Builder
	for i := p.pos + 1; i < len(p.text); i++ {
		if p.text[i] != '\'' {
			b.WriteByte(p.text[i])
			continue
		}
		if i+1 < len(p.text) && p.text[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		p.pos = i + 1
		return b.String(), nil
	}
	return nil, BadRequest("Invalid filter clause: There is an unterminated string literal at position %d in '%s'.", len(p.text), p.text)
}
