package odata

import (
	"cmp"
	"strings"
	"time"
)

// Getter returns what a path such as displayName or initiatedBy/user/id has: a
// string, bool, float64, []any or map[string]any, or nil.
type Getter func(path string) any

// Check tells whether a path may be compared in this way, or refuses it. op is eq,
// ne, ge, le, gt, lt, in, startswith, endswith, or $count for the size of a
// collection. In an any() the path is that of the collection.
type Check func(path, op string, literal any) *Error

// predicate is a parsed part of a filter.
type predicate func(get Getter) bool

// Filter is a parsed $filter.
type Filter struct {
	match   predicate
	negated bool
	choices int
	choice  []Equality
}

// Equality is a comparison for an equal text.
type Equality struct{ Path, Value string }

// ParseFilter parses a $filter and checks each of its comparisons.
func ParseFilter(text string, check Check) (*Filter, *Error) {
	p := &parser{text: text, check: check}
	match, e := p.parse()
	if e != nil {
		return nil, e
	}
	f := &Filter{match: match, negated: p.negated, choices: p.choices}
	if !p.negated && !p.joined && p.clauses == len(p.equals) {
		f.choice = p.equals
	}
	return f, nil
}

// Match tells whether the filter holds for what get returns.
func (f *Filter) Match(get Getter) bool { return f.match(get) }

// Negated tells whether a "not" occurs.
func (f *Filter) Negated() bool { return f.negated }

// Choices is how many clauses are joined by "or", those that an "in" stands for
// among them; 0 without any.
func (f *Filter) Choices() int {
	if f.choices == 0 {
		return 0
	}
	return f.choices + 1
}

// Choice returns the comparisons of a filter that is nothing but equal texts joined
// by "or", so that an index can answer it; nil for any other.
func (f *Filter) Choice() []Equality { return f.choice }

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
		n = cmp.Compare(h, w)
	case bool:
		if w, ok := want.(bool); !ok || h != w {
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
