package scim

import (
	"errors"
	"slices"
	"strings"
)

// projection is which attributes an answer has (RFC 7644, 3.9). The zero value is those
// that are returned by default.
type projection struct {
	only    []target // nil: all that are returned by default
	without []target
	limited bool // only was given, be it nothing that is known
}

// project reads the parameters attributes and excludedAttributes: names with commas in
// between. What is not known is left out.
func (t *resourceType) project(attributes, excluded []string, n *notes) (projection, error) {
	var p projection
	var err error
	if p.only, p.limited, err = t.names(attributes, n); err != nil {
		return p, err
	}
	p.without, _, err = t.names(excluded, n)
	return p, err
}

func (t *resourceType) names(list []string, n *notes) (targets []target, any bool, err error) {
	for _, s := range list {
		for name := range strings.SplitSeq(s, ",") {
			if name = strings.TrimSpace(name); name == "" {
				continue
			}
			any = true
			p, err := t.parsePath(name)
			if s, rest := t.schemaAt(strings.TrimPrefix(name, "/")); s == t.core && rest == "" {
				p.whole, err = s, nil
			}
			if p.whole != nil {
				targets = append(targets, t.targetsOf(p.whole)...)
				continue
			}
			if _, unknown := errors.AsType[*errUnknown](err); unknown {
				n.tell("the attribute %s is not known and was not asked for", attributeText(name))
				continue
			}
			if err != nil {
				return nil, any, badRequest(typeInvalidValue, "The attribute %q cannot be followed: %v. Ask for attributes by their names, with commas in between.", shortened(name), err)
			}
			targets = append(targets, p.target)
		}
	}
	return targets, any, nil
}

// targetsOf are the attributes of a schema, but for those that must be named themselves.
func (t *resourceType) targetsOf(s *schema) []target {
	urn := s.urn
	if s == t.core {
		urn = ""
	}
	var targets []target
	for _, a := range s.attributes {
		if a.returned != returnedRequest {
			targets = append(targets, target{extension: urn, attr: a})
		}
	}
	return targets
}

// wants reports whether an answer has an attribute at all.
func (p *projection) wants(name string) bool {
	is := func(t target) bool { return strings.EqualFold(t.attr.name, name) }
	if p.limited {
		return slices.ContainsFunc(p.only, is)
	}
	return !slices.ContainsFunc(p.without, func(t target) bool { return is(t) && t.sub == nil && t.where == nil })
}

// asks reports whether a request names an attribute that is not returned by default.
func (p *projection) asks(name string) bool {
	return slices.ContainsFunc(p.only, func(t target) bool { return strings.EqualFold(t.attr.name, name) })
}

// of is the part of a resource that is answered.
func (p *projection) of(t *resourceType, o *object) *object {
	out := o
	if p.limited {
		out = &object{}
		for _, m := range o.members {
			if v := p.part(t, m); v != nil {
				out.members = append(out.members, member{m.name, v})
			}
		}
	}
	if len(p.without) == 0 {
		return out
	}
	out = out.clone()
	for _, w := range p.without {
		if w.attr.returned == returnedAlways {
			continue
		}
		holder := out
		if w.extension != "" {
			holder, _ = out.get(w.extension).(*object)
		}
		if holder == nil {
			continue
		}
		strip(holder, w)
		if holder != out && len(holder.members) == 0 {
			out.set(w.extension, nil)
		}
	}
	return out
}

// strip takes an attribute away, or a part of it and what has nothing else.
func strip(holder *object, w target) {
	if w.sub == nil {
		holder.set(w.attr.name, nil)
		return
	}
	switch v := holder.get(w.attr.name).(type) {
	case *object:
		if v.set(w.sub.name, nil); len(v.members) == 0 {
			holder.set(w.attr.name, nil)
		}
	case []any:
		var left []any
		for _, o := range elements(v) {
			if o.set(w.sub.name, nil); len(o.members) > 0 {
				left = append(left, o)
			}
		}
		if left == nil {
			holder.set(w.attr.name, nil)
			return
		}
		holder.set(w.attr.name, left)
	}
}

// part is what of a member was asked for, or nil.
func (p *projection) part(t *resourceType, m member) any {
	if s := t.extension(m.name); s != nil {
		inner, _ := m.value.(*object)
		out := &object{}
		for _, im := range inner.members {
			if v := p.chosen(s.urn, attributeNamed(s.attributes, im.name), im.value); v != nil {
				out.members = append(out.members, member{im.name, v})
			}
		}
		if len(out.members) == 0 {
			return nil
		}
		return out
	}
	f, ok := t.lookup(m.name)
	if !ok {
		return nil
	}
	return p.chosen("", f.attr, m.value)
}

func (p *projection) chosen(extension string, a *attribute, v any) any {
	if a == nil {
		return nil
	}
	if a.returned == returnedAlways {
		return v
	}
	var subs []*attribute
	for _, t := range p.only {
		if t.attr != a || t.extension != extension {
			continue
		}
		if t.sub == nil {
			return v
		}
		subs = append(subs, t.sub)
	}
	if subs == nil {
		return nil
	}
	switch v := v.(type) {
	case *object:
		if o := parts(v, subs); len(o.members) > 0 {
			return o
		}
	case []any:
		list := []any{}
		for _, o := range elements(v) {
			if o = parts(o, subs); len(o.members) > 0 {
				list = append(list, o)
			}
		}
		if len(list) > 0 {
			return list
		}
	}
	return nil
}

func parts(o *object, subs []*attribute) *object {
	out := &object{}
	for _, m := range o.members {
		if slices.ContainsFunc(subs, func(a *attribute) bool { return strings.EqualFold(a.name, m.name) }) {
			out.members = append(out.members, m)
		}
	}
	return out
}
