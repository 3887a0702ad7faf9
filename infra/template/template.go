// Package template holds Bindery's packaging together. What it gives is its
// tests: they read template.yaml, functions/, events/, the environment that
// package app reads and the source itself, and fail when one of them says
// something that another does not.
//
//	template_test.go   functions, variables, events, routes, table, queues, alarms
//	routes_test.go     each operation of the API reaches its function
//	loops_test.go      which functions come back to themselves through a queue
//	notices_test.go    notices reach their topic, and people can read them
//	metrics_test.go    each metric has an alarm or a reason; a new stack is silent
//	readme_test.go     the documents tell each parameter, output and alarm
//	rights_test.go     what each function may do, as a table with reasons
//	binary_test.go     the real binaries under a fake Lambda runtime, with every sample event
//	links_test.go      what the binaries link and must not link
//	arrows_test.go     which package may import which, each arrow with its reason
//	transform.py       the SAM transform, for `make validate`
//
// The code beside them reads a template as plain values and resolves them as
// CloudFormation does.
package template

import (
	"fmt"
	"os"
	"strings"

	yaml "github.com/oasdiff/yaml3"
)

// Template is a SAM template as plain values: maps, lists, strings, numbers
// and booleans. CloudFormation's short tags are in their long form: !Ref x is
// {"Ref": "x"}, !Sub x is {"Fn::Sub": "x"}.
type Template struct {
	Parameters map[string]any
	Conditions map[string]any
	Globals    map[string]any
	Resources  map[string]any
	Outputs    map[string]any
}

// Read reads a template file.
func Read(path string) (*Template, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	v, err := plain(&doc)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	top, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: is not a mapping", path)
	}
	t := &Template{}
	for name, member := range map[string]*map[string]any{"Parameters": &t.Parameters, "Conditions": &t.Conditions, "Globals": &t.Globals, "Resources": &t.Resources, "Outputs": &t.Outputs} {
		*member, _ = top[name].(map[string]any)
	}
	return t, nil
}

// plain turns a node into a plain value.
func plain(n *yaml.Node) (any, error) {
	var v any
	var err error
	switch n.Kind {
	case yaml.DocumentNode:
		return plain(n.Content[0])
	case yaml.AliasNode:
		return nil, fmt.Errorf("line %d: CloudFormation knows no aliases", n.Line)
	case yaml.MappingNode:
		v, err = mapping(n)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, c := range n.Content {
			if list[i], err = plain(c); err != nil {
				return nil, err
			}
		}
		v = list
	default:
		if tagged(n) {
			v = n.Value
		} else {
			err = n.Decode(&v)
		}
	}
	if err != nil || !tagged(n) {
		return v, err
	}
	name := strings.TrimPrefix(n.Tag, "!")
	if name == "GetAtt" {
		if s, ok := v.(string); ok {
			resource, attribute, _ := strings.Cut(s, ".")
			v = []any{resource, attribute}
		}
	}
	if name != "Ref" && name != "Condition" {
		name = "Fn::" + name
	}
	return map[string]any{name: v}, nil
}

func mapping(n *yaml.Node) (map[string]any, error) {
	m := make(map[string]any, len(n.Content)/2)
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i].Value
		if _, twice := m[key]; twice {
			return nil, fmt.Errorf("line %d: %s is there twice", n.Content[i].Line, key)
		}
		v, err := plain(n.Content[i+1])
		if err != nil {
			return nil, err
		}
		m[key] = v
	}
	return m, nil
}

// tagged reports whether a node has one of CloudFormation's short tags.
func tagged(n *yaml.Node) bool {
	return strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!")
}

// At follows names and list indexes into a value; nil when there is nothing.
func At(v any, path ...any) any {
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[s]
		case int:
			l, _ := v.([]any)
			if s < 0 || s >= len(l) {
				return nil
			}
			v = l[s]
		}
	}
	return v
}

// Of returns the properties of all resources of one type, by name.
func (t *Template) Of(kind string) map[string]map[string]any {
	found := map[string]map[string]any{}
	for name, r := range t.Resources {
		if At(r, "Type") == kind {
			found[name], _ = At(r, "Properties").(map[string]any)
		}
	}
	return found
}
