package mapping

import (
	"hash/fnv"
	"slices"

	"bindery/shared/directory"
)

// Digester makes numbers of the managed values of accounts, so that an account
// that is as it was left can be told without reading what its user wants.
type Digester struct {
	names []string
	salt  string
}

// NewDigester returns a Digester for the managed properties of m. What salt
// stands for changes every number with it: the settings, for example. A
// mailNickname that the account keeps as it is makes no difference.
func NewDigester(m *Mapper, salt string) Digester {
	names := m.Managed()
	if !m.settings.UpdateMailNickname {
		names = slices.DeleteFunc(names, func(name string) bool { return name == directory.PropMailNickname })
	}
	return Digester{names: names, salt: salt}
}

// Of returns the number of the managed values in p; those that are missing
// count as empty. Values that are the same by Same have the same number. It is
// never 0.
func (d Digester) Of(p directory.Properties) int64 {
	h := fnv.New64a()
	h.Write([]byte(d.salt))
	for _, name := range d.names {
		v := Canonical(name, p[name])
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
