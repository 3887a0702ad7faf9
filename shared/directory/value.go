package directory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Value is the value of one property of an account: absent (null), a string,
// a boolean, or a list of strings. The zero Value is null. Values are
// immutable and compare with Equal.
type Value struct {
	kind byte // 0 null, 's', 'b', 'l'
	str  string
	yes  bool
	list []string
}

// Null is the absent value: Microsoft's null, for a list its empty list.
var Null = Value{}

// StringValue returns s as a Value; the empty string is Null, since Microsoft
// Graph refuses "" and clears with null.
func StringValue(s string) Value {
	if s == "" {
		return Null
	}
	return Value{kind: 's', str: s}
}

// BoolValue returns b as a Value.
func BoolValue(b bool) Value { return Value{kind: 'b', yes: b} }

// ListValue returns the strings as a Value; no strings are Null.
func ListValue(list ...string) Value {
	if len(list) == 0 {
		return Null
	}
	return Value{kind: 'l', list: slices.Clone(list)}
}

// IsNull reports whether v is absent.
func (v Value) IsNull() bool { return v.kind == 0 }

// String returns a string as it is, a list joined by ", ", a boolean as true
// or false, and Null as "". It is for people; use Text to tell kinds apart.
func (v Value) String() string {
	switch v.kind {
	case 's':
		return v.str
	case 'b':
		if v.yes {
			return "true"
		}
		return "false"
	case 'l':
		return strings.Join(v.list, ", ")
	}
	return ""
}

// Text returns the string and whether v is one.
func (v Value) Text() (string, bool) { return v.str, v.kind == 's' }

// Bool returns the boolean and whether v is one.
func (v Value) Bool() (value, ok bool) { return v.yes, v.kind == 'b' }

// List returns the strings and whether v is a list. The caller must not change them.
func (v Value) List() ([]string, bool) { return v.list, v.kind == 'l' }

// Equal reports whether two values are the same to the byte; lists in order.
func (v Value) Equal(w Value) bool {
	return v.kind == w.kind && v.str == w.str && v.yes == w.yes && slices.Equal(v.list, w.list)
}

// MarshalJSON encodes null, a string, a boolean or an array of strings.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.kind {
	case 's':
		return json.Marshal(v.str)
	case 'b':
		return json.Marshal(v.yes)
	case 'l':
		return json.Marshal(v.list)
	}
	return []byte("null"), nil
}

// UnmarshalJSON reads what MarshalJSON writes; "" and [] become Null.
func (v *Value) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return fmt.Errorf("directory: empty value")
	}
	switch data[0] {
	case 'n':
		*v = Null
		return nil
	case '"':
		var s string
		err := json.Unmarshal(data, &s)
		*v = StringValue(s)
		return err
	case 't', 'f':
		var b bool
		err := json.Unmarshal(data, &b)
		*v = BoolValue(b)
		return err
	case '[':
		var l []string
		err := json.Unmarshal(data, &l)
		*v = ListValue(l...)
		return err
	}
	return fmt.Errorf("directory: a property's value must be a string, a boolean, a list of strings or null, not %s", data)
}

// Properties are values of an account by Microsoft Graph's property names
// ("jobTitle"; the 15 extension attributes flat, "extensionAttribute1"). A
// name that is not there was not read, or is not managed; that differs from
// Null, which says that the account has no value.
type Properties map[string]Value

// Names returns the names in order.
func (p Properties) Names() []string {
	names := make([]string, 0, len(p))
	for n := range p {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Names of properties that the code reasons about.
const (
	PropAccountEnabled    = "accountEnabled"
	PropUserPrincipalName = "userPrincipalName"
	PropMailNickname      = "mailNickname"
	PropDisplayName       = "displayName"
	PropGivenName         = "givenName"
	PropSurname           = "surname"
	PropMail              = "mail"
	PropOtherMails        = "otherMails"
	PropBusinessPhones    = "businessPhones"
	PropMobilePhone       = "mobilePhone"
	PropEmployeeID        = "employeeId"
	PropUsageLocation     = "usageLocation"
)
