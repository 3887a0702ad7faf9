package odata

import (
	"net/url"
	"strings"
)

// Path is the path of a request below the version, segment by segment. A key in
// brackets is a segment of its own; one that is named, as in (appId='x'), has its
// name in brackets in front: (appid)x.
type Path struct {
	Names []string // words in lower case, casts and operations in one spelling
	Raw   []string // as sent, for ids and names
}

// ParsePath takes a path apart. operations are the functions and actions, in lower
// case, that may have the namespace in front; whatever else has it is a cast.
func ParsePath(method, path string, operations map[string]bool) (Path, *Error) {
	var p Path
	for _, segment := range strings.Split(strings.Trim(path, "/"), "/") {
		text, err := url.PathUnescape(segment)
		if err != nil || text == "" {
			return Path{}, NoSuchPath(method, segment)
		}
		name, key, bracketed := strings.Cut(text, "(")
		if !bracketed || !strings.HasSuffix(key, ")") || !isWord(name) {
			p.add(spelling(text, operations), text)
			continue
		}
		p.add(spelling(name, operations), name)
		if key = strings.TrimSuffix(key, ")"); key != "" {
			text = keyOf(key)
			p.add(strings.ToLower(text), text)
		}
	}
	return p, nil
}

func (p *Path) add(name, raw string) {
	p.Names = append(p.Names, name)
	p.Raw = append(p.Raw, raw)
}

// keyOf is the segment that a key in brackets stands for.
func keyOf(key string) string {
	field, value, named := strings.Cut(key, "=")
	if !named {
		return unquote(key)
	}
	return "(" + strings.ToLower(strings.TrimSpace(field)) + ")" + unquote(strings.TrimSpace(value))
}

// spelling is the one form of a segment that may be written in several.
func spelling(text string, operations map[string]bool) string {
	name := strings.ToLower(text)
	short := strings.TrimPrefix(strings.TrimPrefix(name, "microsoft."), "graph.")
	switch {
	case short == name:
		return name
	case operations[short]:
		return short
	}
	return "microsoft.graph." + short
}

func isWord(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return r != '.' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}) < 0
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return strings.ReplaceAll(s[1:len(s)-1], "''", "'")
	}
	return s
}
