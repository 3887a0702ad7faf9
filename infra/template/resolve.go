package template

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Stack is a template with values: what CloudFormation knows when it resolves
// a template's functions.
type Stack struct {
	*Template
	// Given are the parameters' values, over their defaults, and those of the
	// pseudo parameters: AWS::Region and its likes.
	Given map[string]string
	// Physical is what a resource is called by a reference (attribute "") or
	// by one of its attributes; false when there is no such thing.
	Physical func(resource, attribute string) (string, bool)
}

// noValue stands for AWS::NoValue: what has it is not there.
type noValue struct{}

// Value resolves the functions in a value. A member or an element that comes to
// AWS::NoValue is left out; a value that does by itself is nil.
func (s *Stack) Value(v any) (any, error) {
	got, err := s.value(v)
	if _, none := got.(noValue); none {
		got = nil
	}
	return got, err
}

// Text resolves a value that is text, a number or a boolean. AWS::NoValue is "".
func (s *Stack) Text(v any) (string, error) {
	got, err := s.Value(v)
	switch got := got.(type) {
	case nil:
		return "", err
	case map[string]any, []any:
		return "", fmt.Errorf("%v is no text", got)
	}
	return fmt.Sprint(got), err
}

// Exists reports whether a resource is made: whether it is there and its
// condition holds.
func (s *Stack) Exists(resource string) (bool, error) {
	r, ok := s.Resources[resource].(map[string]any)
	if !ok {
		return false, nil
	}
	name, conditional := r["Condition"].(string)
	if !conditional {
		return true, nil
	}
	return s.condition(name)
}

// Made returns the resources of one type that are made, with their properties
// resolved, by name.
func (s *Stack) Made(kind string) (map[string]map[string]any, error) {
	found := map[string]map[string]any{}
	for name, p := range s.Of(kind) {
		exists, err := s.Exists(name)
		if err != nil || !exists {
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			continue
		}
		v, err := s.Value(map[string]any(p))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		found[name], _ = v.(map[string]any)
	}
	return found, nil
}

// Environment is what the template sets for a function with those properties:
// the globals' variables under its own.
func (s *Stack) Environment(properties map[string]any) (map[string]string, error) {
	env := map[string]string{}
	for _, from := range []any{s.Globals["Function"], properties} {
		set, _ := At(from, "Environment", "Variables").(map[string]any)
		for name, v := range set {
			text, err := s.Text(v)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			env[name] = text
		}
	}
	return env, nil
}

func (s *Stack) value(v any) (any, error) {
	switch v := v.(type) {
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			got, err := s.value(e)
			if err != nil {
				return nil, err
			}
			if _, none := got.(noValue); !none {
				out = append(out, got)
			}
		}
		return out, nil
	case map[string]any:
		if len(v) == 1 {
			for name, argument := range v {
				if name == "Ref" || name == "Condition" || strings.HasPrefix(name, "Fn::") {
					return s.call(name, argument)
				}
			}
		}
		out := make(map[string]any, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			got, err := s.value(v[name])
			if err != nil {
				return nil, err
			}
			if _, none := got.(noValue); !none {
				out[name] = got
			}
		}
		return out, nil
	}
	return v, nil
}

func (s *Stack) reference(name string) (any, error) {
	if name == "AWS::NoValue" {
		return noValue{}, nil
	}
	if given, ok := s.Given[name]; ok {
		return given, nil
	}
	if d := At(s.Parameters, name, "Default"); d != nil {
		return d, nil
	}
	if got, ok := s.Physical(name, ""); ok {
		return got, nil
	}
	return nil, fmt.Errorf("nothing is called %s", name)
}

func (s *Stack) attribute(resource, attribute string) (string, error) {
	got, ok := s.Physical(resource, attribute)
	if !ok {
		return "", fmt.Errorf("%s has no attribute %s", resource, attribute)
	}
	return got, nil
}

var substitute = regexp.MustCompile(`\$\{[^}]+\}`)

func (s *Stack) sub(v any) (any, error) {
	text, ok := v.(string)
	local := map[string]any{}
	if pair, isList := v.([]any); isList && len(pair) == 2 {
		text, ok = pair[0].(string)
		local, _ = pair[1].(map[string]any)
	}
	if !ok {
		return nil, fmt.Errorf("Fn::Sub of %v", v)
	}
	var fault error
	out := substitute.ReplaceAllStringFunc(text, func(found string) string {
		name := found[2 : len(found)-1]
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			return "${" + literal + "}"
		}
		var got any
		var err error
		switch resource, attribute, dotted := strings.Cut(name, "."); {
		case local[name] != nil:
			got, err = s.Text(local[name])
		case dotted:
			got, err = s.attribute(resource, attribute)
		default:
			got, err = s.reference(name)
		}
		if err != nil {
			fault = err
		}
		return fmt.Sprint(got)
	})
	return out, fault
}

// condition is one of the template's conditions.
func (s *Stack) condition(name string) (bool, error) {
	v, ok := s.Conditions[name]
	if !ok {
		return false, fmt.Errorf("there is no condition %s", name)
	}
	return s.truth(v)
}

func (s *Stack) truth(v any) (bool, error) {
	got, err := s.value(v)
	if err != nil {
		return false, err
	}
	b, ok := got.(bool)
	if !ok {
		return false, fmt.Errorf("%v is no condition", v)
	}
	return b, nil
}

// Values are what is known of parameters and pseudo parameters by name, of
// resources by name (Ref) and by name.attribute (GetAtt).
type Values map[string]string

// with is a stack that knows these values and no more.
func (t *Template) with(given Values) *Stack {
	return &Stack{Template: t, Given: given, Physical: func(resource, attribute string) (string, bool) {
		if attribute != "" {
			resource += "." + attribute
		}
		s, ok := given[resource]
		return s, ok
	}}
}

// Holds tells whether a condition holds, with the parameters' defaults for what
// the values lack.
func (t *Template) Holds(condition string, given Values) (bool, error) {
	return t.with(given).condition(condition)
}

// Resolve does what CloudFormation does with a value that becomes a text: "" for
// AWS::NoValue.
func (t *Template) Resolve(v any, given Values) (string, error) { return t.with(given).Text(v) }
