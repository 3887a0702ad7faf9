package entratest

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// A tenant may treat a value as another one than was sent: a service behind the
// directory keeps its own form of it, or takes the write and does nothing, or
// refuses it for this one account. The faults kept-otherwise, value-dropped and
// value-refused say of which property, and with user of whose account. What is
// kept is what every read and every delta shows; a write that keeps what was
// there changes nothing, and no delta tells of it.

// treat lets the faults of single values befall a checked body. o is the account
// that is changed; nil when one is made.
func (c *call) treat(o *object, given map[string]any) (map[string]any, *graphError) {
	whose := []string{text(given["userPrincipalName"])}
	if o != nil {
		whose = []string{o.ID, o.text("userPrincipalName")}
	}
	at := circumstances{c.t.id, c.token.AppID, c.method, c.rel, ""}
	out := given
	for _, f := range c.s.strikeAll(ofValues, at, func(f *Fault) bool {
		v, in := member(given, f.Property)
		if f.Kind == "value-refused" && f.Value != nil && !reflect.DeepEqual(v, f.Value) {
			return false
		}
		return in && (f.User == "" || slices.ContainsFunc(whose, func(w string) bool { return strings.EqualFold(w, f.User) }))
	}) {
		c.fault = f.ID
		switch f.Kind {
		case "value-refused":
			e := invalidValue("User", f.Property)
			if f.Code != "" {
				e = taken(f.Property)
				e.details[0].Code = f.Code
			}
			if f.Message != "" {
				e.message, e.details[0].Message = f.Message, f.Message
			}
			return nil, e
		case "value-dropped":
			out = withMember(out, f.Property, nil, false)
		default:
			out = withMember(out, f.Property, f.Value, true)
		}
	}
	return out, nil
}

// member finds a value by its flat name: the members of records stand in these.
func member(given map[string]any, name string) (any, bool) {
	if v, in := given[name]; in {
		return v, true
	}
	if record := recordOf(name); record != "" {
		if r, ok := given[record].(map[string]any); ok {
			v, in := r[name]
			return v, in
		}
	}
	return nil, false
}

func recordOf(name string) string {
	for record, p := range userProperties {
		if p.kind == aRecord && slices.Contains(p.members, name) {
			return record
		}
	}
	return ""
}

// withMember is a copy with another value of one member, or without it.
func withMember(given map[string]any, name string, v any, keep bool) map[string]any {
	out := maps.Clone(given)
	in, key := out, name
	if _, flat := out[name]; !flat {
		key = recordOf(name)
		r, _ := out[key].(map[string]any)
		in = maps.Clone(r)
		out[key] = in
	}
	if keep {
		in[name] = v
	} else {
		delete(in, name)
	}
	if key != name && len(in) == 0 {
		delete(out, key)
	}
	return out
}
