package entratest

import (
	"strconv"
	"strings"
	"time"
	"unicode"
)

// getter returns what a path such as displayName or initiatedBy/user/id has.
type getter func(path string) any

// predicate is a parsed $filter.
type predicate func(get getter) bool

// filter is a parsed $filter of users or groups; advanced names the first clause
// that needs ConsistencyLevel and $count.
type filter struct {
	keep     func(o *object) bool
	advanced string
}

// parseFilter parses a filter and checks it against the property table.
func (c *call) parseFilter(kind, text string) (filter, *graphError) {
	var out filter
	p := &parser{text: text, check: func(path, op string, literal any) *graphError {
		name, _, _ := strings.Cut(path, "/")
		known, prop, ok := propertyName(kind, name)
		if !ok {
			return badGraph("Request_UnsupportedQuery", "Could not find a property named '%s' on type 'microsoft.graph.%s'.", name, kind)
		}
		if !prop.basic {
			return badGraph("Request_UnsupportedQuery", "Unsupported property filter clause operator for property '%s'.", known)
		}
		if op == "gt" || op == "lt" {
			return badGraph("Request_UnsupportedQuery", "Operator '%s' is not supported because the 'GreaterThan' and 'LessThan' operators are not supported for property '%s'.", op, known)
		}
		if op == "endswith" && known != "mail" && known != "otherMails" && known != "userPrincipalName" && known != "proxyAddresses" {
			return badGraph("Request_UnsupportedQuery", "Operator 'endsWith' is not supported for property '%s'.", known)
		}
		if e := checkLiteral(known, prop, op, literal); e != nil {
			return e
		}
		if op == "ne" || op == "not" || op == "endswith" || op == "$count" || op == "eq" && literal == nil {
			out.advanced = op
		}
		return nil
	}}
	eval, e := p.parse()
	if e != nil {
		return filter{}, e
	}
	if p.negated {
		out.advanced = "not"
	}
	t := c.t
	out.keep = func(o *object) bool {
		return eval(func(path string) any {
			name, rest, nested := strings.Cut(path, "/")
			known, _, _ := propertyName(kind, name)
			v := t.value(o, known)
			if m, ok := v.(map[string]any); ok && nested {
				return m[rest]
			}
			return v
		})
	}
	return out, nil
}

// checkLiteral refuses a value of another type than the property's.
func checkLiteral(name string, p property, op string, literal any) *graphError {
	if literal == nil || op == "$count" {
		return nil
	}
	ok := true
	switch p.kind {
	case aBool:
		_, ok = literal.(bool)
	case aText, aList:
		_, ok = literal.(string)
	case aTime:
		s, text := literal.(string)
		ok = text
		if ok {
			_, err := time.Parse(time.RFC3339, s)
			ok = err == nil
		}
	}
	if !ok {
		return badGraph("Request_BadRequest", "Invalid filter clause: A binary operator with incompatible types was detected for property '%s'.", name)
	}
	return nil
}

// parser reads OData's $filter: or, and, not, parentheses, comparisons, in,
// startsWith, endsWith and any().
type parser struct {
	text    string
	pos     int
	check   func(path, op string, literal any) *graphError
	vars    map[string]string // lambda variable -> path of its collection
	negated bool
	depth   int
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
	return func(g getter) bool { return compare(g(path), op, v) }, nil
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

// compare compares as the directory does: texts whatever their case, times as
// times.
func compare(have any, op string, want any) bool {
	if have == nil || want == nil {
		return (have == nil && want == nil) == (op == "eq") && (op == "eq" || op == "ne")
	}
	n := 0
	switch h := have.(type) {
	case string:
		w, ok := want.(string)
		if !ok {
			return false
		}
		n = compareText(h, w)
	case float64:
		w, ok := want.(float64)
		if !ok {
			return false
		}
		n = int(h - w)
	case bool:
		w, ok := want.(bool)
		if !ok || h != w {
			n = 1
		}
	default:
		return false
	}
	switch op {
	case "eq":
		return n == 0
	case "ne":
		return n != 0
	case "ge":
		return n >= 0
	case "le":
		return n <= 0
	case "gt":
		return n > 0
	}
	return n < 0
}

func compareText(a, b string) int {
	x, err1 := time.Parse(time.RFC3339, a)
	y, err2 := time.Parse(time.RFC3339, b)
	if err1 == nil && err2 == nil {
		return x.Compare(y)
	}
	return strings.Compare(strings.ToLower(a), strings.ToLower(b))
}
