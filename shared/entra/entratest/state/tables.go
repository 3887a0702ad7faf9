package state

import (
	"slices"
	"strings"
)

// tables are all kinds of objects that a tenant has.
var tables = []*Table{Users, Groups}

// Table is what is kept of one kind of object.
type Table struct {
	Kind       string              // of an Object
	Resource   string              // the kind's name in messages
	Properties map[string]Property // those that exist
	Unique     []Unique            // values that no two active objects share
	Names      []string            // properties that Tenant.Named finds an object by
}

// Type is that of a property's values.
type Type int

// The types that there are. A Thing is anything: only Graph itself writes it.
const (
	String Type = iota + 1
	Bool
	Strings
	Time
	Record
	Thing
)

// Property is what Graph knows of one property.
type Property struct {
	Type     Type
	Max      int      // characters of a text, or of each in a list; 0: no limit
	Write    bool     // a client may set it
	Create   bool     // a client may set it when it makes the object, and never again
	Clear    bool     // it may be null
	Basic    bool     // it can be filtered without ConsistencyLevel
	Single   bool     // it is read with one object only
	Standard bool     // it is in the default set
	Members  []string // of a record
}

// Unique is a property whose values stand in an index for one object only.
type Unique struct {
	Index    Index
	Property string
	Of       func(*Object) bool // only of these objects; nil: of all
}

// values are those of an object that stand in the index.
func (u Unique) values(o *Object) []string {
	if u.Of != nil && !u.Of(o) {
		return nil
	}
	return o.Values(u.Property)
}

// Index leads from unique values to the objects of a tenant that have them: active
// ones, and deleted ones that keep them. An
// index may be shared by several kinds.
type Index string

// The indexes that there are.
const (
	ByName    Index = "name"    // userPrincipalName, whatever its case
	ByAnchor  Index = "anchor"  // onPremisesImmutableId
	ByAddress Index = "address" // proxy address with its prefix, whatever its case

	ByUniqueName Index = "uniqueName" // of groups, whatever its case
	ByAlias      Index = "alias"      // mailNickname of Microsoft 365 groups, whatever its case
)

func (i Index) key(value string) string {
	if i == ByAnchor {
		return value
	}
	return strings.ToLower(value)
}

func (i Index) keys(values []string) []string {
	out := make([]string, 0, len(values))
	for _, v := range values {
		out = append(out, i.key(v))
	}
	return out
}

// TableOf returns the table of a kind, nil when there is none.
func TableOf(kind string) *Table {
	for _, t := range tables {
		if t.Kind == kind {
			return t
		}
	}
	return nil
}

// Property finds a property whatever the case of its name.
func (t *Table) Property(name string) (known string, p Property, ok bool) {
	if p, ok := t.Properties[name]; ok {
		return name, p, true
	}
	for known, p := range t.Properties {
		if strings.EqualFold(known, name) {
			return known, p, true
		}
	}
	return "", Property{}, false
}

// Standard lists the properties that are answered without $select, sorted.
func (t *Table) Standard() []string {
	var out []string
	for name, p := range t.Properties {
		if p.Standard {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// RecordOf returns the property whose record has a member, or "".
func (t *Table) RecordOf(member string) string {
	for name, p := range t.Properties {
		if p.Type == Record && slices.Contains(p.Members, member) {
			return name
		}
	}
	return ""
}

// Writable tells whether a single value can be written: a property, or a member of a
// record by its own name.
func (t *Table) Writable(name string) bool {
	p := t.Properties[name]
	return p.Write && p.Type != Record || t.RecordOf(name) != ""
}
