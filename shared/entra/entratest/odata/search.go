package odata

import (
	"strings"
)

// Search is a parsed $search: terms that all hold, or those behind the next OR.
type Search [][]term

type term struct{ property, value string }

// ParseSearch reads $search: "property:text" in double quotes, joined by AND and OR.
// resolve returns a property by the name in the query, false when it cannot be
// searched.
func ParseSearch(text string, resolve func(name string) (string, bool)) (Search, *Error) {
	bad := BadRequest("Invalid $search clause '%s': expected \"property:value\" in double quotes.", text)
	var out Search
	var clause []term
	rest := strings.TrimSpace(text)
	for rest != "" {
		quoted, after, ok := cutQuoted(rest)
		if !ok {
			return nil, bad
		}
		name, value, ok := strings.Cut(quoted, ":")
		property, known := resolve(strings.TrimSpace(name))
		if !ok || !known {
			return nil, bad
		}
		clause = append(clause, term{property, strings.ToLower(strings.TrimSpace(value))})
		rest = strings.TrimSpace(after)
		switch {
		case strings.HasPrefix(rest, "AND "):
			rest = strings.TrimSpace(rest[4:])
		case strings.HasPrefix(rest, "OR "):
			rest = strings.TrimSpace(rest[3:])
			out = append(out, clause)
			clause = nil
		case rest != "":
			return nil, bad
		}
	}
	return append(out, clause), nil
}

// cutQuoted takes a text in double quotes off the front.
func cutQuoted(s string) (inner, after string, ok bool) {
	s, ok = strings.CutPrefix(s, `"`)
	if !ok {
		return "", "", false
	}
	return strings.Cut(s, `"`)
}

// Match tells whether the search finds what values returns for its properties.
func (s Search) Match(values func(property string) []string) bool {
	for _, clause := range s {
		if all(clause, values) {
			return true
		}
	}
	return false
}

func all(clause []term, values func(property string) []string) bool {
	for _, t := range clause {
		if !t.found(values(t.property)) {
			return false
		}
	}
	return true
}

// found matches as $search does: a word of a value begins so.
func (t term) found(values []string) bool {
	for _, text := range values {
		text = strings.ToLower(text)
		if text != "" && strings.HasPrefix(text, t.value) {
			return true
		}
		for i, r := range text {
			if strings.ContainsRune(" -_@.'", r) && strings.HasPrefix(text[i+1:], t.value) {
				return true
			}
		}
	}
	return false
}
