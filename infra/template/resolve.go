package template

import (
	"fmt"
	"regexp"
	"strings"
)

// Values are what a stack knows: of parameters and pseudo parameters by name, of
// resources by name (Ref) and by name.attribute (GetAtt).
type Values map[string]string

// Holds tells whether a condition holds, with the parameters' defaults for what
// the values lack.
func (t *Template) Holds(condition string, given Values) (bool, error) {
	v, ok := t.Conditions[condition]
	if !ok {
		return false, fmt.Errorf("there is no condition %s", condition)
	}
	return t.truth(v, given)
}

func (t *Template) truth(v any, given Values) (bool, error) {
	m, _ := v.(map[string]any)
	each := func(list any, until bool) (bool, error) {
		l, _ := list.([]any)
		for _, part := range l {
			if is, err := t.truth(part, given); err != nil || is == until {
				return is, err
			}
		}
		return !until, nil
	}
	switch {
	case m["Condition"] != nil:
		return t.Holds(fmt.Sprint(m["Condition"]), given)
	case m["Fn::Not"] != nil:
		is, err := t.truth(At(m["Fn::Not"], 0), given)
		return !is, err
	case m["Fn::And"] != nil:
		return each(m["Fn::And"], false)
	case m["Fn::Or"] != nil:
		return each(m["Fn::Or"], true)
	case m["Fn::Equals"] != nil:
		a, err := t.Resolve(At(m["Fn::Equals"], 0), given)
		if err != nil {
			return false, err
		}
		b, err := t.Resolve(At(m["Fn::Equals"], 1), given)
		return a == b, err
	}
	return false, fmt.Errorf("cannot tell whether %v holds", v)
}

var placeholder = regexp.MustCompile(`\$\{[^}]+\}`)

// Resolve does what CloudFormation does with a value that becomes a text: "" for
// AWS::NoValue.
func (t *Template) Resolve(v any, given Values) (string, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return fmt.Sprint(v), nil
	}
	switch {
	case m["Ref"] != nil:
		return t.reference(fmt.Sprint(m["Ref"]), given)
	case m["Fn::GetAtt"] != nil:
		return t.reference(fmt.Sprintf("%v.%v", At(m["Fn::GetAtt"], 0), At(m["Fn::GetAtt"], 1)), given)
	case m["Fn::If"] != nil:
		is, err := t.Holds(fmt.Sprint(At(m["Fn::If"], 0)), given)
		if err != nil {
			return "", err
		}
		if is {
			return t.Resolve(At(m["Fn::If"], 1), given)
		}
		return t.Resolve(At(m["Fn::If"], 2), given)
	case m["Fn::Join"] != nil:
		parts, err := t.texts(At(m["Fn::Join"], 1), given)
		return strings.Join(parts, fmt.Sprint(At(m["Fn::Join"], 0))), err
	case m["Fn::Split"] != nil:
		return t.Resolve(At(m["Fn::Split"], 1), given)
	case m["Fn::Select"] != nil:
		return t.selected(m["Fn::Select"], given)
	case m["Fn::Sub"] != nil:
		return t.substituted(m["Fn::Sub"], given)
	}
	return "", fmt.Errorf("cannot resolve %v", v)
}

// texts resolves a list, or a parameter that is one.
func (t *Template) texts(v any, given Values) ([]string, error) {
	l, ok := v.([]any)
	if !ok {
		s, err := t.Resolve(v, given)
		return strings.Split(s, ","), err
	}
	texts := make([]string, len(l))
	for i, part := range l {
		var err error
		if texts[i], err = t.Resolve(part, given); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

func (t *Template) selected(v any, given Values) (string, error) {
	from := At(v, 1)
	parts, err := t.texts(from, given)
	if sep, ok := At(from, "Fn::Split", 0).(string); ok && err == nil {
		parts = strings.Split(strings.Join(parts, ","), sep)
	}
	i, ok := At(v, 0).(int)
	if err == nil && (!ok || i < 0 || i >= len(parts)) {
		err = fmt.Errorf("%v selects nothing of %q", v, parts)
	}
	if err != nil {
		return "", err
	}
	return parts[i], nil
}

func (t *Template) substituted(v any, given Values) (string, error) {
	text, ok := v.(string)
	own := map[string]any{}
	if !ok {
		text, _ = At(v, 0).(string)
		own, _ = At(v, 1).(map[string]any)
	}
	var failed error
	out := placeholder.ReplaceAllStringFunc(text, func(s string) string {
		name := s[2 : len(s)-1]
		value, err := "", error(nil)
		if mine, ok := own[name]; ok {
			value, err = t.Resolve(mine, given)
		} else {
			value, err = t.reference(name, given)
		}
		if err != nil {
			failed = err
		}
		return value
	})
	return out, failed
}

func (t *Template) reference(name string, given Values) (string, error) {
	if name == "AWS::NoValue" {
		return "", nil
	}
	if s, ok := given[name]; ok {
		return s, nil
	}
	if d := At(t.Parameters, name, "Default"); d != nil {
		return fmt.Sprint(d), nil
	}
	return "", fmt.Errorf("no value for %s", name)
}
