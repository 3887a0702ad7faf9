package state

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// MaxLag bounds how far a replica can be behind: so long are former states kept.
const MaxLag = 15 * time.Minute

// KeepDeleted is how long a deleted object can be restored.
const KeepDeleted = 30 * 24 * time.Hour

// Object is a user, a group or whatever else has a table.
type Object struct {
	ID            string           `json:"id"`
	Kind          string           `json:"kind"`
	Props         map[string]any   `json:"props"` // a key with nil: was set once and cleared
	Created       time.Time        `json:"created"`
	Deleted       time.Time        `json:"deleted,omitzero"`
	Gone          bool             `json:"gone,omitempty"` // deleted for good; only delta queries know it
	Version       int64            `json:"version"`        // of the last change
	StateVersion  int64            `json:"stateVersion"`   // of the last creation, deletion or restoration
	Touched       map[string]int64 `json:"touched"`        // version of the last change of each property
	Manager       string           `json:"manager,omitempty"`
	FormerManager string           `json:"formerManager,omitempty"`
	Licensing     *GroupLicensing  `json:"licensing,omitempty"`   // of a group that has or had licences
	Creator       string           `json:"creator,omitempty"`     // of a group: who made it
	Photo         *Photo           `json:"photo,omitempty"`       // of a user
	Converted     bool             `json:"converted,omitempty"`   // of a user: it was an external one
	Revocations   int              `json:"revocations,omitempty"` // times that all sessions were revoked

	past []snapshot // what it was before, for replication lag
}

// Photo is the picture of an account.
type Photo struct {
	Data []byte `json:"data"`
}

// snapshot is an object as it was until a time; nil when it did not exist.
type snapshot struct {
	until time.Time
	was   *Object
}

// Active tells whether the object is there and not deleted.
func (o *Object) Active() bool { return !o.Gone && o.Deleted.IsZero() }

// Restorable tells whether the object is deleted and can still be restored.
func (o *Object) Restorable(now time.Time) bool {
	return !o.Gone && !o.Deleted.IsZero() && now.Sub(o.Deleted) < KeepDeleted
}

// Text returns a property that is a string, else "".
func (o *Object) Text(name string) string { return Text(o.Props[name]) }

// Flag returns a property that is true.
func (o *Object) Flag(name string) bool { v, _ := o.Props[name].(bool); return v }

// List returns a property that is a collection of strings.
func (o *Object) List(name string) []string { return Texts(o.Props[name]) }

// Values are those of a property that is a string or a collection of strings.
func (o *Object) Values(name string) []string {
	if s := o.Text(name); s != "" {
		return []string{s}
	}
	return o.List(name)
}

// Record returns all members of a property that is a record.
func (o *Object) Record(name string) map[string]any {
	given, _ := o.Props[name].(map[string]any)
	all := map[string]any{}
	for _, member := range TableOf(o.Kind).Properties[name].Members {
		all[member] = given[member]
	}
	return all
}

// Clone is a copy that may be changed and put.
func (o *Object) Clone() *Object {
	c := *o
	c.Props = maps.Clone(o.Props)
	c.Touched = maps.Clone(o.Touched)
	return &c
}

// SoftDeleted is a copy of the object that is in the deleted items; an account's name
// gets its id in front there, so that the name is free.
func (o *Object) SoftDeleted(now time.Time) *Object {
	next := o.Clone()
	next.Deleted = now
	if o.Kind == User {
		next.Props["userPrincipalName"] = o.deletedPrefix() + o.Text("userPrincipalName")
	}
	return next
}

// FormerName is the userPrincipalName that a deleted account had.
func (o *Object) FormerName() string {
	return strings.TrimPrefix(o.Text("userPrincipalName"), o.deletedPrefix())
}

func (o *Object) deletedPrefix() string { return strings.ReplaceAll(o.ID, "-", "") }

// MergeRecord changes single members of a property that is a record, on a copy that
// will be put. A member that was never set is not made by nil.
func (o *Object) MergeRecord(name string, given map[string]any) {
	have, _ := o.Props[name].(map[string]any)
	merged := maps.Clone(have)
	if merged == nil {
		merged = map[string]any{}
	}
	for member, v := range given {
		if _, had := merged[member]; had || v != nil {
			merged[member] = v
		}
	}
	if len(merged) > 0 || have != nil {
		o.Props[name] = merged
	}
}

// Difference lists the properties of a changed copy that differ from the object's,
// with their values before and after. An empty collection that was never set is none.
func Difference(o, next *Object) (names []string, before, after map[string]any) {
	before, after = map[string]any{}, map[string]any{}
	for name, v := range next.Props {
		was, had := o.Props[name]
		empty := v == nil || reflect.DeepEqual(v, []any{})
		if reflect.DeepEqual(was, v) || !had && empty {
			continue
		}
		names = append(names, name)
		before[name] = was
		after[name] = v
	}
	slices.Sort(names)
	return names, before, after
}

// At is the object as a replica that is lag behind has it; nil: not there yet.
func (o *Object) At(now time.Time, lag time.Duration) *Object {
	if lag <= 0 {
		return o
	}
	for _, p := range o.past {
		if p.until.After(now.Add(-lag)) {
			return p.was
		}
	}
	return o
}

// remember keeps what the object was until now; old is nil for a new one.
func (o *Object) remember(old *Object, now time.Time) {
	var past []snapshot
	if old != nil {
		past = old.past
	}
	o.past = append(past[:len(past):len(past)], snapshot{now, old.bare()})
	for len(o.past) > 1 && now.Sub(o.past[0].until) > MaxLag {
		o.past = o.past[1:]
	}
}

// bare is the object without its own past, so that snapshots do not chain.
func (o *Object) bare() *Object {
	if o == nil {
		return nil
	}
	c := *o
	c.past = nil
	return &c
}

// Text is a decoded value that is a string, else "".
func Text(v any) string { s, _ := v.(string); return s }

// Texts are the strings of a decoded value that is a collection.
func Texts(v any) []string {
	switch v := v.(type) {
	case []string:
		return slices.Clone(v)
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// Anys is a collection of strings as decoded values.
func Anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// Stamp writes a time as Graph does.
func Stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

var guidRE = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

// IsGUID tells whether a text is an id.
func IsGUID(s string) bool { return guidRE.MatchString(s) }
