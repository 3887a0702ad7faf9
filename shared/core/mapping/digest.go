package mapping

import (
	"hash/fnv"
	"slices"

	"bindery/shared/directory"
)

// Digester makes numbers of the managed values of accounts, so that an account
// that is as it was left can be told without reading what its user wants.
type Digester struct {
	attributes []*directory.Attribute
	salt       string
}

// NewDigester returns a Digester for the managed properties of m. What salt
// stands for changes every number with it: the settings, for example. A
// mailNickname that the account keeps as it is makes no difference.
func NewDigester(m *Mapper, salt string) Digester {
	attributes := slices.Clone(m.managed)
	if !m.settings.UpdateMailNickname {
		attributes = slices.DeleteFunc(attributes, func(a *directory.Attribute) bool { return a.Property == directory.PropMailNickname })
	}
	return Digester{attributes: attributes, salt: salt}
}

// Of returns the number of the managed values in p; those that are missing
// count as empty. Values that are the same by Same have the same number. It is
// never 0.
func (d Digester) Of(p directory.Properties) int64 {
	h := fnv.New64a()
	h.Write([]byte(d.salt))
	for _, a := range d.attributes {
		v := canonical(a.Form, p[a.Property])
		if v.IsNull() {
			h.Write([]byte{0})
			continue
		}
		h.Write([]byte{1})
		h.Write([]byte(v.String()))
		h.Write([]byte{0})
	}
	return int64(h.Sum64() | 1)
}
