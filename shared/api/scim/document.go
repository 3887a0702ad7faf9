package scim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// A value of JSON is nil, a bool, a string, a json.Number, a []any of values or an
// *object.

// object is an object of JSON: its members in the order in which they came. Names know
// no letter case (RFC 7643, 2.1).
type object struct{ members []member }

type member struct {
	name  string
	value any
}

const (
	// maxDepth is how deep objects and lists may be in each other. SCIM needs five.
	maxDepth = 32
	// maxMembers is how many members an object may have. SCIM has some forty attributes, and
	// a client's mapping a hundred at most.
	maxMembers = 1000
	// maxBodyValues is how many values a body may have, those in others counted as well: a
	// megabyte of a group's members, which no more fit in, has some 55,000.
	maxBodyValues = 100_000
)

var (
	errManyMembers = fmt.Errorf("an object of it has more than %d members", maxMembers)
	errManyValues  = fmt.Errorf("it has more than %d values", maxBodyValues)
)

// readObject reads one object and nothing behind it.
func readObject(data []byte) (*object, error) {
	if !utf8.Valid(data) {
		return nil, errNotUTF8
	}
	dec := &reader{Decoder: json.NewDecoder(bytes.NewReader(data))}
	dec.UseNumber()
	v, err := dec.value(0)
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("it is empty, or ends too early")
	case err != nil:
		return nil, err
	}
	o, ok := v.(*object)
	if !ok {
		return nil, errors.New("it must be a JSON object")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands behind the JSON object")
	}
	return o, nil
}

// reader reads values one in the other.
type reader struct {
	*json.Decoder
	parts int // that were read
}

func (dec *reader) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it is more than %d levels deep", maxDepth)
	}
	if dec.parts++; dec.parts > maxBodyValues {
		return nil, errManyValues
	}
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		return dec.members(depth)
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, err := dec.value(depth + 1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.Token()
		return list, err
	}
	return t, nil
}

func (dec *reader) members(depth int) (*object, error) {
	o := &object{}
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, ok := t.(string)
		if !ok {
			return nil, errors.New("a member has no name")
		}
		if fold := strings.ToLower(name); seen[fold] {
			return nil, fmt.Errorf("the member %q is there twice", name) // readers disagree on which one counts
		} else {
			seen[fold] = true
		}
		if len(o.members) == maxMembers {
			return nil, errManyMembers
		}
		v, err := dec.value(depth + 1)
		if err != nil {
			return nil, err
		}
		o.members = append(o.members, member{name, v})
	}
	_, err := dec.Token()
	return o, err
}

func (o *object) index(name string) int {
	return slices.IndexFunc(o.members, func(m member) bool { return strings.EqualFold(m.name, name) })
}

// get is the value of a member; nil when there is none.
func (o *object) get(name string) any {
	if o == nil {
		return nil
	}
	if i := o.index(name); i >= 0 {
		return o.members[i].value
	}
	return nil
}

// text is a member that is a text; "" when it is none.
func (o *object) text(name string) string {
	s, _ := o.get(name).(string)
	return s
}

// set stores a member where one of the name is, or behind all others; nil takes it away.
func (o *object) set(name string, v any) {
	i := o.index(name)
	switch {
	case v == nil && i >= 0:
		o.members = slices.Delete(o.members, i, i+1)
	case v == nil:
	case i >= 0:
		o.members[i].value = v
	default:
		o.members = append(o.members, member{name, v})
	}
}

// drop takes a member away, be it null.
func (o *object) drop(name string) {
	o.members = slices.DeleteFunc(o.members, func(m member) bool { return strings.EqualFold(m.name, name) })
}

// clone is a copy that shares nothing that can be changed.
func clone(v any) any {
	switch v := v.(type) {
	case *object:
		return v.clone()
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = clone(v[i])
		}
		return list
	}
	return v
}

func (o *object) clone() *object {
	c := &object{members: slices.Clone(o.members)}
	for i := range c.members {
		c.members[i].value = clone(c.members[i].value)
	}
	return c
}

// MarshalJSON writes the members in order.
func (o *object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	err := writeValue(&b, o)
	return b.Bytes(), err
}

func writeValue(b *bytes.Buffer, v any) error {
	switch v := v.(type) {
	case *object:
		b.WriteByte('{')
		for i, m := range v.members {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writePlain(b, m.name); err != nil {
				return err
			}
			b.WriteByte(':')
			if err := writeValue(b, m.value); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeValue(b, v[i]); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	default:
		return writePlain(b, v)
	}
	return nil
}

// writePlain writes texts as they are: & < > as well.
func writePlain(b *bytes.Buffer, v any) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the line break that Encode ends with
	return nil
}

// equal reports whether two values say the same; members in any order.
func equal(a, b any) bool {
	switch a := a.(type) {
	case *object:
		b, ok := b.(*object)
		if !ok || len(a.members) != len(b.members) {
			return false
		}
		for _, m := range a.members {
			if b.index(m.name) < 0 || !equal(m.value, b.get(m.name)) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	}
	switch b.(type) {
	case *object, []any:
		return false
	}
	return a == b
}

// weight is at least how many bytes a value has in an answer that is put as a text into
// the JSON of an event, as AWS Lambda's are: what is escaped is so twice.
func weight(v any) int {
	switch v := v.(type) {
	case *object:
		n := 2
		for _, m := range v.members {
			n += weight(m.name) + weight(m.value) + 2
		}
		return n
	case []any:
		n := 2
		for _, e := range v {
			n += weight(e) + 1
		}
		return n
	case string:
		n := 4
		for _, r := range v {
			switch {
			case r == '"' || r == '\\':
				n += 4
			case r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029:
				n += 7
			case r == '<' || r == '>' || r == '&':
				n += 6
			default:
				n += utf8.RuneLen(r)
			}
		}
		return n
	}
	return len(plain(v)) + 4
}
