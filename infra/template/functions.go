package template

import (
	"fmt"
	"strconv"
	"strings"
)

// call is one of CloudFormation's functions with its argument still unresolved.
func (s *Stack) call(name string, argument any) (any, error) {
	switch name {
	case "Ref":
		return s.reference(fmt.Sprint(argument))
	case "Condition":
		return s.condition(fmt.Sprint(argument))
	case "Fn::Sub":
		return s.sub(argument)
	case "Fn::If":
		return s.choose(argument)
	}
	got, err := s.value(argument)
	if err != nil {
		return nil, err
	}
	list, _ := got.([]any)
	switch {
	case name == "Fn::GetAtt" && len(list) == 2:
		return s.attribute(fmt.Sprint(list[0]), fmt.Sprint(list[1]))
	case name == "Fn::Equals" && len(list) == 2:
		return fmt.Sprint(list[0]) == fmt.Sprint(list[1]), nil
	case name == "Fn::Not" && len(list) == 1:
		holds, err := s.truth(list[0])
		return !holds, err
	case name == "Fn::And", name == "Fn::Or":
		return s.join(name == "Fn::And", list)
	case name == "Fn::Join" && len(list) == 2:
		return strings.Join(texts(listed(list[1])), fmt.Sprint(list[0])), nil
	case name == "Fn::Split" && len(list) == 2:
		var parts []any
		for _, p := range strings.Split(fmt.Sprint(list[1]), fmt.Sprint(list[0])) {
			parts = append(parts, p)
		}
		return parts, nil
	case name == "Fn::Select" && len(list) == 2:
		i, err := strconv.Atoi(fmt.Sprint(list[0]))
		if from := listed(list[1]); err == nil && i >= 0 && i < len(from) {
			return from[i], nil
		}
	}
	return nil, fmt.Errorf("%s of %v is not known here", name, argument)
}

func (s *Stack) choose(argument any) (any, error) {
	list, _ := argument.([]any)
	if len(list) != 3 {
		return nil, fmt.Errorf("Fn::If of %v", argument)
	}
	holds, err := s.condition(fmt.Sprint(list[0]))
	if err != nil {
		return nil, err
	}
	if holds {
		return s.value(list[1])
	}
	return s.value(list[2])
}

// join holds when all of the conditions do, or one.
func (s *Stack) join(all bool, conditions []any) (any, error) {
	for _, c := range conditions {
		holds, err := s.truth(c)
		if err != nil {
			return nil, err
		}
		if holds != all {
			return holds, nil
		}
	}
	return all, nil
}

// listed is a list, or the text of a parameter that is one.
func listed(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	var list []any
	for _, part := range strings.Split(fmt.Sprint(v), ",") {
		list = append(list, part)
	}
	return list
}

func texts(list []any) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = fmt.Sprint(v)
	}
	return out
}
