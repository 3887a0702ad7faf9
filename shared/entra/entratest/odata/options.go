package odata

import (
	"net/url"
	"strconv"
	"strings"
)

// Options are the query options of a request, with names in lower case.
type Options map[string]string

// known are OData's own options, which begin with a dollar sign.
var known = map[string]bool{
	"$select": true, "$top": true, "$filter": true, "$search": true, "$orderby": true, "$count": true,
	"$expand": true, "$skiptoken": true, "$deltatoken": true, "$skip": true, "$format": true, "$id": true,
}

// ParseOptions reads a query; an option of OData may be there once, and must exist.
func ParseOptions(query string) (Options, *Error) {
	values, err := url.ParseQuery(strings.ReplaceAll(query, ";", "%3B")) // clients write it bare within $expand
	if err != nil {
		return nil, Refuse("Request_BadRequest", "The query of the request is malformed.")
	}
	out := Options{}
	for key, list := range values {
		key = strings.ToLower(key)
		if _, twice := out[key]; twice || len(list) > 1 && strings.HasPrefix(key, "$") {
			return nil, BadRequest("Query option '%s' was specified more than once, but it must be specified at most once.", key)
		}
		out[key] = list[0]
	}
	for key := range out {
		if strings.HasPrefix(key, "$") && !known[key] {
			return nil, BadRequest("The query parameter '%s' is not supported.", key)
		}
	}
	return out, nil
}

// Without is a copy that lacks some options.
func (o Options) Without(names ...string) Options {
	out := Options{}
	for k, v := range o {
		out[k] = v
	}
	for _, n := range names {
		delete(out, n)
	}
	return out
}

// Encode writes the options as a query, in the order of their names.
func (o Options) Encode() string {
	values := url.Values{}
	for k, v := range o {
		values.Set(k, v)
	}
	return values.Encode()
}

// Top reads $top: usual without it, and refused outside 1 to most.
func (o Options) Top(usual, most int) (int, *Error) {
	text, given := o["$top"]
	if !given {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, Refuse("Request_BadRequest", "Invalid page size specified: '%s'. Must be between 1 and %d inclusive.", text, most)
	}
	return n, nil
}

// Count tells whether $count asks for the number of all items.
func (o Options) Count() bool { return strings.EqualFold(o["$count"], "true") }

// Select are the names in $select, in order; nil when it asks for nothing.
func (o Options) Select() []string {
	if strings.TrimSpace(o["$select"]) == "" {
		return nil
	}
	return names(o["$select"])
}

func names(list string) []string {
	var out []string
	for _, n := range strings.Split(list, ",") {
		out = append(out, strings.TrimSpace(n))
	}
	return out
}

// Expansion is what $expand asks for: one relation, and of what it leads to these
// properties, or without a $select the usual ones.
type Expansion struct {
	Relation string // empty: nothing is expanded
	Select   []string
	Levels   int // how many steps of the relation; AllLevels with $levels=max
}

// AllLevels is what $levels=max asks for.
const AllLevels = -1

// Expand reads $expand, in which one relation can be named.
func (o Options) Expand() (Expansion, *Error) {
	text := strings.TrimSpace(o["$expand"])
	relation, inner, nested := strings.Cut(strings.TrimSuffix(text, ")"), "(")
	out := Expansion{Relation: relation, Levels: 1}
	if !nested || inner == "" {
		return out, nil
	}
	for _, part := range strings.Split(inner, ";") {
		option, value, _ := strings.Cut(part, "=")
		switch strings.ToLower(option) {
		case "$select":
			out.Select = names(value)
		case "$levels":
			n, err := strconv.Atoi(value)
			switch {
			case strings.EqualFold(value, "max"):
				n = AllLevels
			case err != nil || n < 1:
				return Expansion{}, BadRequest("Parsing OData Select and Expand failed.")
			}
			out.Levels = n
		default:
			return Expansion{}, BadRequest("Parsing OData Select and Expand failed.")
		}
	}
	return out, nil
}

// PageSize is the number of items that a Prefer header asks for, at most most; usual
// when it asks for none.
func PageSize(prefer string, usual, most int) int {
	for _, p := range strings.Split(prefer, ",") {
		v, is := strings.CutPrefix(strings.ToLower(strings.TrimSpace(p)), "odata.maxpagesize=")
		if !is {
			continue
		}
		if n, err := strconv.Atoi(v); err == nil && n > 0 {
			return min(n, most)
		}
	}
	return usual
}

// Prefers tells whether a Prefer header names a preference that has no value.
func Prefers(prefer, what string) bool {
	for p := range strings.SplitSeq(prefer, ",") {
		if strings.EqualFold(strings.TrimSpace(p), what) {
			return true
		}
	}
	return false
}

// Minimal tells whether a Prefer header asks for changed properties only.
func Minimal(prefer string) bool {
	return strings.Contains(strings.ToLower(prefer), "return=minimal")
}
