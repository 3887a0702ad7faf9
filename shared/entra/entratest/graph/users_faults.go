package graph

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

// A tenant may treat a value as another one than was sent: a service behind the
// directory keeps its own form of it, or takes the write and does nothing, or
// refuses it for this one account. The faults kept-otherwise, value-dropped and
// value-refused say of which property, and with user of whose account. What is
// kept is what every read and every delta shows; a write that keeps what was
// there changes nothing, and no delta tells of it.

// treat lets the faults of single values befall a checked body. o is the account
// that is changed; nil when one is made.
func (c *call) treat(o *state.Object, given map[string]any) (map[string]any, *odata.Error) {
	whose := []string{state.Text(given["userPrincipalName"])}
	if o != nil {
		whose = []string{o.ID, o.Text("userPrincipalName")}
	}
	out := given
	for _, f := range c.s.faults.StrikeValues(c.circumstances(), func(f *faults.Fault) bool { return befalls(f, whose, given) }) {
		c.fault = f.ID
		switch f.Kind {
		case faults.ValueRefused:
			return nil, refusedValue(f)
		case faults.ValueDropped:
			out = withMember(out, f.Property, nil, false)
		default:
			out = withMember(out, f.Property, f.Value, true)
		}
	}
	return out, nil
}

// befalls tells whether a fault of a value applies to a body; whose are the id and the
// name of the account.
func befalls(f *faults.Fault, whose []string, given map[string]any) bool {
	v, in := member(given, f.Property)
	if f.Kind == faults.ValueRefused && f.Value != nil && !reflect.DeepEqual(v, f.Value) {
		return false
	}
	return in && (f.User == "" || slices.ContainsFunc(whose, func(w string) bool { return strings.EqualFold(w, f.User) }))
}

// refusedValue is the refusal that a fault of a value stands for.
func refusedValue(f faults.Fault) *odata.Error {
	e := invalidValue("User", f.Property)
	if f.Code != "" {
		e = taken(f.Property)
		e.Details[0].Code = f.Code
	}
	if f.Message != "" {
		e.Message = f.Message
		e.Details[0].Message = f.Message
	}
	return e
}

// member finds a value by its flat name: the members of records stand in these.
func member(given map[string]any, name string) (any, bool) {
	if v, in := given[name]; in {
		return v, true
	}
	if record := state.Users.RecordOf(name); record != "" {
		if r, ok := given[record].(map[string]any); ok {
			v, in := r[name]
			return v, in
		}
	}
	return nil, false
}

// withMember is a copy with another value of one member, or without it.
func withMember(given map[string]any, name string, v any, keep bool) map[string]any {
	out := maps.Clone(given)
	in := out
	key := name
	if _, flat := out[name]; !flat {
		key = state.Users.RecordOf(name)
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
