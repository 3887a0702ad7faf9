package people

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"bindery/shared/directory"
)

// edit is what somebody wants of a profile: texts by path, "" to clear. The
// paths "phones", "workAddress" and "customAttributes" clear all below them.
type edit map[string]string

// editReader reads a JSON object as a merge patch of a profile.
type editReader struct {
	shape    *shape
	edit     edit
	warnings []directory.Warning
	faults   []directory.FieldError
	// spare leaves out wrong values of attributes that a line of a file can do
	// without.
	spare bool
	// about is where the ID goes that says who is meant; nil where none may be said.
	about *directory.UserID
}

// parseEdit reads a JSON object as a merge patch of a profile. Every fault is
// reported, unknown and read-only members by name.
func (s *shape) parseEdit(data []byte) (edit, []directory.Warning, error) {
	return (&editReader{shape: s, edit: edit{}}).read(data)
}

func (r *editReader) read(data []byte) (edit, []directory.Warning, error) {
	if !utf8.Valid(data) {
		return nil, nil, badBody("The body is not valid UTF-8.")
	}
	members, err := object(data)
	if err != nil {
		return nil, nil, badBody("The body cannot be read: " + err.Error() + ".")
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		switch _, plain := r.shape.attribute(name); {
		case name == "id" && r.about != nil:
			if json.Unmarshal(members[name], r.about) != nil || *r.about == "" {
				r.bad(name, "must be the ID of a user")
			}
		case slices.Contains(r.shape.readOnly, name):
			r.bad(name, "is read-only; leave it out")
		case slices.Contains(r.shape.holders, name):
			r.within(name, members[name])
		case !plain || strings.Contains(name, "."):
			r.bad(name, "is not a member of a "+r.shape.noun)
		default:
			r.put(name, members[name])
		}
	}
	return r.edit, r.warnings, r.shape.invalid(r.faults)
}

func (r *editReader) bad(field, detail string) {
	r.faults = append(r.faults, directory.FieldError{Field: field, Detail: detail})
}

// within reads the attributes that a member of a body holds.
func (r *editReader) within(holder string, raw json.RawMessage) {
	if string(raw) == "null" {
		r.edit[holder] = ""
		return
	}
	members, err := object(raw)
	if err != nil {
		r.bad(holder, "must be an object or null")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		path := holder + "." + name
		if holder == "customAttributes" {
			fault := checkKey(name)
			if r.spare && strings.ContainsRune(name, utf8.RuneError) {
				fault = lostCharacter
			}
			if fault != "" {
				r.bad(path, fault)
				continue
			}
		} else if _, ok := r.shape.attribute(path); !ok {
			r.bad(path, "is not a member of "+holder)
			continue
		}
		r.put(path, members[name])
	}
}

func (r *editReader) put(path string, raw json.RawMessage) {
	if string(raw) == "null" {
		r.edit[path] = ""
		return
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		r.bad(path, "must be a text or null")
		return
	}
	c := r.shape.clean(path, text)
	if r.spare && strings.ContainsRune(text, utf8.RuneError) { // in a file: half of a surrogate pair is read as such a one
		r.bad(path, lostCharacter)
		return
	}
	if c.fault != "" {
		if w, ok := r.shape.spared(path, c.fault); ok && r.spare {
			r.warnings = append(r.warnings, w)
		} else {
			r.bad(path, c.fault)
		}
		return
	}
	r.edit[path] = c.text
	r.warnings = append(r.warnings, c.warnings...)
}

// object reads one JSON object and nothing behind it; a member that is there
// twice is refused, since readers disagree on which one counts.
func object(data []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	open, err := dec.Token()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("it is empty")
	}
	if err != nil {
		return nil, err
	}
	if open != json.Delim('{') {
		return nil, errors.New("it must be a JSON object")
	}
	members := map[string]json.RawMessage{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		key, _ := name.(string)
		if _, twice := members[key]; twice {
			return nil, fmt.Errorf("the member %q is there twice", key)
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, err
		}
		members[key] = raw
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands behind the JSON object")
	}
	return members, nil
}

// expand replaces the paths that clear a whole holder by those of its attributes
// that have a value, of which present are the paths, and are not set by the edit
// itself.
func (e edit) expand(s *shape, present []string) edit {
	out := make(edit, len(e))
	for path, text := range e {
		if !slices.Contains(s.holders, path) {
			out[path] = text
		}
	}
	for _, holder := range s.holders {
		if _, all := e[holder]; !all {
			continue
		}
		for _, path := range present {
			if _, said := out[path]; !said && strings.HasPrefix(path, holder+".") {
				out[path] = ""
			}
		}
	}
	return out
}

// apply edits u as a caller of the source may: ownership is checked, kept and
// given. It reports whether anything changed. u is unchanged after an error.
func (e edit) apply(u *directory.User, src directory.Source) (bool, error) {
	next := *u
	owners := maps.Clone(u.Owners)
	want := e.expand(userShape, paths(&u.Profile))
	err := want.write(&owners, src, func(path string) string { return value(&u.Profile, path) },
		func(path, text string) { set(&next.Profile, path, text) })
	if err != nil {
		return false, err
	}
	if email := want["email"]; email != "" {
		follow(&next.Profile, u, owners, src, email, want)
	}
	if next.UserName == "" {
		next.UserName = next.Email
	}
	if f := checkProfile(&next.Profile); f != nil {
		return false, userShape.invalid(f)
	}
	if len(owners) == 0 {
		owners = nil
	}
	next.Owners = owners
	if reflect.DeepEqual(next, *u) {
		return false, nil
	}
	*u = next
	return true, nil
}

// write sets what differs, as a caller of the source may, and gives and takes
// ownership. What was set before an error is not to be kept.
func (e edit) write(owners *map[string]directory.Source, src directory.Source, value func(path string) string, set func(path, text string)) error {
	var foreign []directory.FieldError
	for _, path := range slices.Sorted(maps.Keys(e)) {
		old, text := value(path), e[path]
		owner, owned := (*owners)[path]
		if old != text && owned && owner != src {
			if isAddress(path) && directory.FoldAddress(old) == directory.FoldAddress(text) || path == "name" && directory.FoldName(old) == directory.FoldName(text) {
				continue // the same in other letters: the owner's spelling stays
			}
			foreign = append(foreign, directory.FieldError{Field: path, Detail: fmt.Sprintf("is owned by the source %q", owner)})
			continue
		}
		if old != text {
			set(path, text)
		}
		own(owners, path, text, src)
	}
	if foreign != nil {
		return ownedElsewhere(foreign)
	}
	return nil
}

// isAddress reports whether an attribute's letter case means nothing.
func isAddress(path string) bool {
	return path == "email" || path == "alternateEmail" || path == "userName"
}

// owns reports whether a source owns what it writes.
func owns(src directory.Source) bool { return src == directory.SourceAD || src == directory.SourceSCIM }

// own gives a path to the source that writes it, or takes it away when the
// owner empties it. An equal value of another owner stays that owner's.
func own(owners *map[string]directory.Source, path, text string, src directory.Source) {
	owner, owned := (*owners)[path]
	switch {
	case !owns(src), owned && owner != src:
	case text == "":
		delete(*owners, path)
	case !owned:
		if *owners == nil {
			*owners = map[string]directory.Source{}
		}
		(*owners)[path] = src
	}
}

// follow lets the user name go with the e-mail address that it was a copy of,
// or starts as one: else a freed address would stay taken as a name.
func follow(p *directory.Profile, old *directory.User, owners map[string]directory.Source, src directory.Source, email string, want edit) {
	if name, said := want["userName"]; said && name != "" {
		return
	}
	copied := p.UserName == "" || directory.FoldAddress(p.UserName) == directory.FoldAddress(old.Email)
	if owner, owned := owners["userName"]; copied && (!owned || owner == src) {
		p.UserName = email
	}
}

func badBody(detail string) error {
	return directory.Refuse(directory.ErrInvalid, directory.CodeInvalidBody, detail, "Send one JSON object in UTF-8.")
}

func ownedElsewhere(faults []directory.FieldError) error {
	r := directory.Refuse(directory.ErrConflict, directory.CodeOwnedElsewhere,
		fmt.Sprintf("The attribute %s %s, and only that source can change it.", faults[0].Field, faults[0].Detail),
		"Change the value in that source, or leave it out here.")
	r.Fields = faults
	return r
}
