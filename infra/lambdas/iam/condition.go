package iam

import (
	"fmt"
	"slices"
	"strings"
)

// condition is one operator on one key of a statement's conditions.
type condition struct {
	quantifier string // "", "ForAllValues" or "ForAnyValue"
	operator   string // without IfExists
	ifExists   bool
	key        string // in lower case
	values     []string
}

// operators say whether one value of the request fits one of the policy.
var operators = map[string]func(want, got string) bool{
	"StringEquals":              func(want, got string) bool { return want == got },
	"StringEqualsIgnoreCase":    strings.EqualFold,
	"StringLike":                like,
	"StringNotEquals":           func(want, got string) bool { return want == got },
	"StringNotEqualsIgnoreCase": strings.EqualFold,
	"StringNotLike":             like,
	"ArnEquals":                 likeARN,
	"ArnLike":                   likeARN,
	"ArnNotEquals":              likeARN,
	"ArnNotLike":                likeARN,
	"Bool":                      strings.EqualFold,
	"Null":                      strings.EqualFold,
}

// readConditions reads a statement's conditions.
func readConditions(v any) ([]condition, error) {
	blocks, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%v are no conditions", v)
	}
	var list []condition
	for name, block := range blocks {
		c := condition{operator: name}
		if before, after, ok := strings.Cut(name, ":"); ok {
			c.quantifier, c.operator = before, after
		}
		c.operator, c.ifExists = strings.CutSuffix(c.operator, "IfExists")
		if operators[c.operator] == nil || !slices.Contains([]string{"", "ForAllValues", "ForAnyValue"}, c.quantifier) {
			return nil, fmt.Errorf("the operator %s is not known here", name)
		}
		keys, ok := block.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s: %v", name, block)
		}
		for key, values := range keys {
			c.key, c.values = strings.ToLower(key), texts(values)
			list = append(list, c)
		}
	}
	return list, nil
}

// holds judges the condition for a request.
func (c condition) holds(context map[string][]string) bool {
	var got []string
	exists := false
	for key, values := range context {
		if strings.ToLower(key) == c.key {
			got, exists = values, len(values) > 0
		}
	}
	if c.operator == "Null" {
		return slices.Contains(c.values, fmt.Sprint(!exists))
	}
	negated := strings.Contains(c.operator, "Not")
	fits := func(value string) bool {
		one := slices.ContainsFunc(c.values, func(want string) bool { return operators[c.operator](want, value) })
		return one != negated
	}
	switch {
	case !exists && c.quantifier == "ForAllValues": // true of no values at all: what AWS warns of
		return true
	case !exists:
		return c.ifExists || negated && c.quantifier == ""
	case c.quantifier == "ForAllValues":
		return !slices.ContainsFunc(got, func(value string) bool { return !fits(value) })
	case c.quantifier == "ForAnyValue":
		return slices.ContainsFunc(got, fits)
	}
	return len(got) == 1 && fits(got[0])
}

// likeARN compares part by part: a * does not go over the first five colons.
func likeARN(pattern, arn string) bool {
	p, a := strings.SplitN(pattern, ":", 6), strings.SplitN(arn, ":", 6)
	if len(p) != len(a) {
		return false
	}
	for i := range p {
		if !like(p[i], a[i]) {
			return false
		}
	}
	return true
}
