package entratest

import (
	"strings"
	"time"
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
	names    []string // set when keep can only hold for users with one of them
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
	if p.onlyNames() {
		out.names = p.names
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
