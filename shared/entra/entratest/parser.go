package entratest

import (
	"strconv"
	"strings"
	"time"
	"unicode"
)

// parser reads OData's $filter: or, and, not, parentheses, comparisons, in,
// startsWith, endsWith and any().
type parser struct {
	text    string
	pos     int
	check   func(path, op string, literal any) *graphError
	vars    map[string]string // lambda variable -> path of its collection
	negated bool
	depth   int
	// clauses counts comparisons; names holds the values of those that ask for
	// an equal name or address; joined says that an "and" occurs.
	clauses int
	names   []string
	joined  bool
}

// onlyNames reports whether the filter is a choice of equal names.
func (p *parser) onlyNames() bool {
	return !p.negated && !p.joined && p.clauses == len(p.names)
}

func (p *parser) parse() (predicate, *graphError) {
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.skip(); p.pos < len(p.text) {
		return nil, p.syntax()
	}
	return e, nil
}

func (p *parser) syntax() *graphError {
	return badGraph("BadRequest", "Invalid filter clause: Syntax error at position %d in '%s'.", p.pos, p.text)
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

// word takes a word when it is next: letters and what paths contain.
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

func (p *parser) keyword(w string) bool {
	if strings.EqualFold(p.peekWord(), w) {
		p.pos += len(w)
		return true
	}
	return false
}

func (p *parser) or() (predicate, *graphError) {
	left, err := p.and()
	for err == nil && p.keyword("or") {
		var right predicate
		if right, err = p.and(); err == nil {
			l := left
			left = func(g getter) bool { return l(g) || right(g) }
		}
	}
	return left, err
}

func (p *parser) and() (predicate, *graphError) {
	left, err := p.unary()
	for err == nil && p.keyword("and") {
		p.joined = true
		var right predicate
		if right, err = p.unary(); err == nil {
			l := left
			left = func(g getter) bool { return l(g) && right(g) }
		}
	}
	return left, err
}

func (p *parser) unary() (predicate, *graphError) {
	if p.depth++; p.depth > 100 {
		return nil, badGraph("BadRequest", "Invalid filter clause: it is nested too deeply.")
	}
	defer func() { p.depth-- }()
	if w := p.peekWord(); strings.EqualFold(w, "not") {
		p.pos += 3
		p.negated = true
		inner, err := p.unary()
		if err != nil {
			return nil, err
		}
		return func(g getter) bool { return !inner(g) }, nil
	}
	if p.eat("(") {
		inner, err := p.or()
		if err != nil {
			return nil, err
		}
		if !p.eat(")") {
			return nil, p.syntax()
		}
		return inner, nil
	}
	return p.clause()
}

// clause is a function, a lambda or a comparison.
func (p *parser) clause() (predicate, *graphError) {
	w := p.peekWord()
	if w == "" {
		return nil, p.syntax()
	}
	p.pos += len(w)
	name := strings.ToLower(w)
	if !strings.HasSuffix(name, "/any") {
		p.clauses++
	}
	switch {
	case name == "startswith" || name == "endswith":
		return p.function(name)
	case name == "contains":
		return nil, badGraph("Request_UnsupportedQuery", "The operator 'contains' is not supported.")
	case strings.HasSuffix(name, "/any"):
		return p.lambda(w[:len(w)-4])
	}
	return p.comparison(w)
}

func (p *parser) function(name string) (predicate, *graphError) {
	if !p.eat("(") {
		return nil, p.syntax()
	}
	path := p.peekWord()
	p.pos += len(path)
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
	s = strings.ToLower(s)
	return func(g getter) bool {
		have, ok := g(path).(string)
		if name == "startswith" {
			return ok && strings.HasPrefix(strings.ToLower(have), s)
		}
		return ok && strings.HasSuffix(strings.ToLower(have), s)
	}, nil
}

// verify checks a path, or the collection behind a lambda's variable.
func (p *parser) verify(path, op string, literal any) *graphError {
	name, rest, _ := strings.Cut(path, "/")
	if collection, ok := p.vars[name]; ok {
		path = collection
		if rest != "" {
			path += "/" + rest
		}
	}
	return p.check(path, op, literal)
}

func (p *parser) lambda(path string) (predicate, *graphError) {
	if !p.eat("(") {
		return nil, p.syntax()
	}
	w := p.peekWord() // "x:x" or "x:" or "x"
	name, _, _ := strings.Cut(w, ":")
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
	return func(g getter) bool {
		list, _ := g(path).([]any)
		for _, e := range list {
			if inner(elementGetter(g, name, e)) {
				return true
			}
		}
		return false
	}, nil
}

// elementGetter resolves a lambda's variable, and everything else as before.
func elementGetter(outer getter, name string, e any) getter {
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

func (p *parser) comparison(path string) (predicate, *graphError) {
	op := strings.ToLower(p.peekWord())
	p.pos += len(op)
	if base, ok := strings.CutSuffix(path, "/$count"); ok {
		v, err := p.literal()
		n, number := v.(float64)
		if err != nil || !number || op != "eq" && op != "ne" {
			return nil, p.syntax()
		}
		if err := p.verify(base, "$count", v); err != nil {
			return nil, err
		}
		return func(g getter) bool {
			list, _ := g(base).([]any)
			return (float64(len(list)) == n) == (op == "eq")
		}, nil
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
	p.note(path, op, v)
	return func(g getter) bool { return compare(g(path), op, v) }, nil
}

// note remembers a comparison that the index of names can answer.
func (p *parser) note(path, op string, v any) {
	if collection, ok := p.vars[path]; ok {
		path = collection
	}
	text, isText := v.(string)
	switch strings.ToLower(path) {
	case "userprincipalname", "mail", "proxyaddresses":
		if isText && op == "eq" {
			p.names = append(p.names, text)
		}
	}
}

func (p *parser) in(path string) (predicate, *graphError) {
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
			break
		}
		if !p.eat(",") {
			return nil, p.syntax()
		}
	}
	return func(g getter) bool {
		have := g(path)
		for _, v := range list {
			if compare(have, "eq", v) {
				return true
			}
		}
		return false
	}, nil
}

// literal reads a value: 'text', true, false, null, a number, a time or a GUID.
func (p *parser) literal() (any, *graphError) {
	p.skip()
	if p.pos < len(p.text) && p.text[p.pos] == '\'' {
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
		return nil, badGraph("BadRequest", "Invalid filter clause: There is an unterminated string literal at position %d in '%s'.", len(p.text), p.text)
	}
	w := p.peekWord()
	p.pos += len(w)
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
	if _, err := time.Parse(time.RFC3339, w); err == nil || isGUID(w) {
		return w, nil
	}
	return nil, p.syntax()
}
