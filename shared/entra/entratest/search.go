package entratest

import (
	"slices"
	"strings"
)

// parseOrder reads $orderby; simple ones need no advanced query.
func parseOrder(kind, text string) (order func(a, b *object) int, simple bool, e *graphError) {
	type key struct {
		name string
		desc bool
	}
	var keys []key
	simple = true
	for _, part := range strings.Split(text, ",") {
		words := strings.Fields(part)
		if len(words) == 0 || len(words) > 2 || len(words) == 2 && !strings.EqualFold(words[1], "asc") && !strings.EqualFold(words[1], "desc") {
			return nil, false, badGraph("BadRequest", "Syntax error in $orderby '%s'.", text)
		}
		name, p, ok := propertyName(kind, words[0])
		if !ok || p.kind != aText && p.kind != aTime {
			return nil, false, badGraph("Request_UnsupportedQuery", "Unsupported sort property '%s' for '%s'.", words[0], kind)
		}
		simple = simple && slices.Contains([]string{"displayName", "userPrincipalName"}, name)
		keys = append(keys, key{name, len(words) == 2 && strings.EqualFold(words[1], "desc")})
	}
	sortText := func(o *object, name string) string {
		switch name {
		case "id":
			return o.ID
		case "deletedDateTime":
			return stamp(o.Deleted)
		}
		return strings.ToLower(o.text(name))
	}
	return func(a, b *object) int {
		for _, k := range keys {
			if n := strings.Compare(sortText(a, k.name), sortText(b, k.name)); n != 0 {
				if k.desc {
					return -n
				}
				return n
			}
		}
		return 0
	}, simple, nil
}

// parseSearch reads $search: "property:text" joined by AND and OR.
func parseSearch(kind, text string) (func(*object) bool, *graphError) {
	bad := badGraph("BadRequest", "Invalid $search clause '%s': expected \"property:value\" in double quotes.", text)
	var any [][]func(*object) bool
	clause := []func(*object) bool{}
	rest := strings.TrimSpace(text)
	for rest != "" {
		if rest[0] != '"' {
			return nil, bad
		}
		end := strings.IndexByte(rest[1:], '"')
		if end < 0 {
			return nil, bad
		}
		name, value, ok := strings.Cut(rest[1:1+end], ":")
		known, p, exists := propertyName(kind, strings.TrimSpace(name))
		if !ok || !exists || p.kind != aText && p.kind != aList {
			return nil, bad
		}
		value = strings.ToLower(strings.TrimSpace(value))
		clause = append(clause, func(o *object) bool { return searched(o, known, value) })
		rest = strings.TrimSpace(rest[end+2:])
		switch {
		case strings.HasPrefix(rest, "AND "):
			rest = strings.TrimSpace(rest[4:])
		case strings.HasPrefix(rest, "OR "):
			rest = strings.TrimSpace(rest[3:])
			any, clause = append(any, clause), nil
		case rest != "":
			return nil, bad
		}
	}
	any = append(any, clause)
	return func(o *object) bool {
		return slices.ContainsFunc(any, func(all []func(*object) bool) bool {
			return !slices.ContainsFunc(all, func(f func(*object) bool) bool { return !f(o) })
		})
	}, nil
}

// searched matches as $search does: a word of the property begins so.
func searched(o *object, name, value string) bool {
	for _, text := range append(o.list(name), o.text(name)) {
		text = strings.ToLower(text)
		if text != "" && strings.HasPrefix(text, value) {
			return true
		}
		for i, r := range text {
			if strings.ContainsRune(" -_@.'", r) && strings.HasPrefix(text[i+1:], value) {
				return true
			}
		}
	}
	return false
}
