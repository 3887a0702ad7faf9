package gateway

import (
	"cmp"
	"slices"
	"strings"
)

// find returns the most specific route of a request and its path's parameters:
// a word before a {parameter} before a {greedy+} one, a method before ANY.
func find(routes []Route, method, path string) (*Route, map[string]string) {
	type match struct {
		route      *Route
		parameters map[string]string
		rank       []int
	}
	var found []match
	for i := range routes {
		m, pattern, _ := strings.Cut(routes[i].Key, " ")
		if m != method && m != "ANY" {
			continue
		}
		parameters, rank, ok := fit(pattern, path)
		if !ok {
			continue
		}
		if m == "ANY" {
			rank = append(rank, 1)
		}
		found = append(found, match{&routes[i], parameters, rank})
	}
	if len(found) == 0 {
		return nil, nil
	}
	best := slices.MinFunc(found, func(a, b match) int {
		return cmp.Or(slices.Compare(a.rank, b.rank), cmp.Compare(a.route.Key, b.route.Key))
	})
	return best.route, best.parameters
}

// fit reports whether a path fits a pattern; the rank has a number a segment,
// lower for what is more specific.
func fit(pattern, path string) (parameters map[string]string, rank []int, ok bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	parameters = map[string]string{}
	for i, segment := range want {
		name, isParameter := strings.CutPrefix(segment, "{")
		name = strings.TrimSuffix(name, "}")
		if greedy, is := strings.CutSuffix(name, "+"); is && isParameter {
			rest := ""
			if i < len(got) {
				rest = strings.Join(got[i:], "/")
			}
			parameters[greedy] = rest
			return parameters, append(rank, 2), rest != ""
		}
		switch {
		case i >= len(got):
			return nil, nil, false
		case isParameter && got[i] != "":
			parameters[name] = got[i]
			rank = append(rank, 1)
		case segment == got[i]:
			rank = append(rank, 0)
		default:
			return nil, nil, false
		}
	}
	return parameters, rank, len(want) == len(got)
}
