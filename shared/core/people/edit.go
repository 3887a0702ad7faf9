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
	edit     edit
	warnings []directory.Warning
	faults   []directory.FieldError
	// spare leaves out wrong values of attributes that a line of a file can do
	// without.
	spare bool
}

// parseEdit reads a JSON object as a merge patch of a profile. Every fault is
// reported, unknown and read-only members by name.
func parseEdit(data []byte) (edit, []directory.Warning, error) {
	return (&editReader{edit: edit{}}).read(data)
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
		switch _, plain := directory.AttributeAt(name); {
		case slices.Contains(readOnly, name):
			r.bad(name, "is read-only; leave it out")
		case slices.Contains(groups, name):
			r.group(name, members[name])
		case !plain || strings.Contains(name, "."):
			r.bad(name, "is not a member of a user")
		default:
			r.put(name, members[name])
		}
	}
	return r.edit, r.warnings, invalid(r.faults)
}

func (r *editReader) bad(field, detail string) {
	r.faults = append(r.faults, directory.FieldError{Field: field, Detail: detail})
}

func (r *editReader) group(group string, raw json.RawMessage) {
	if string(raw) == "null" {
		r.edit[group] = ""
		return
	}
	members, err := object(raw)
	if err != nil {
		r.bad(group, "must be an object or null")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		path := group + "." + name
		if group == "customAttributes" {
			fault := checkKey(name)
			if r.spare && strings.ContainsRune(name, utf8.RuneError) {
				fault = lostCharacter
			}
			if fault != "" {
				r.bad(path, fault)
				continue
			}
		} else if _, ok := directory.AttributeAt(path); !ok {
			r.bad(path, "is not a member of "+group)
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
	c := clean(path, text)
	if r.spare && strings.ContainsRune(text, utf8.RuneError) { // in a file: half of a surrogate pair is read as such a one
		r.bad(path, lostCharacter)
		return
	}
	if c.fault != "" {
		if w, ok := spared(path, c.fault); ok && r.spare {
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

// expand replaces the paths that clear a whole group by those of its
// attributes that have a value in p and are not set by the edit itself.
func (e edit) expand(p *directory.Profile) edit {
	out := make(edit, len(e))
	for path, text := range e {
		if !slices.Contains(groups, path) {
			out[path] = text
		}
	}
	for _, group := range groups {
		if _, all := e[group]; !all {
			continue
		}
		for _, path := range paths(p) {
			if _, said := out[path]; !said && strings.HasPrefix(path, group+".") {
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
	want := e.expand(&u.Profile)
	var foreign []directory.FieldError
	for _, path := range slices.Sorted(maps.Keys(want)) {
		old, text := value(&u.Profile, path), want[path]
		owner, owned := owners[path]
		if old != text && owned && owner != src {
			if isAddress(path) && directory.FoldAddress(old) == directory.FoldAddress(text) {
				continue // the same address in other letters: the owner's spelling stays
			}
			foreign = append(foreign, directory.FieldError{Field: path, Detail: fmt.Sprintf("is owned by the source %q", owner)})
			continue
		}
		if old != text {
			set(&next.Profile, path, text)
		}
		own(&owners, path, text, src)
	}
	if foreign != nil {
		return false, ownedElsewhere(foreign)
	}
	if email := want["email"]; email != "" {
		follow(&next.Profile, u, owners, src, email, want)
	}
	if next.UserName == "" {
		next.UserName = next.Email
	}
	if f := checkProfile(&next.Profile); f != nil {
		return false, invalid(f)
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

// isAddress reports whether an attribute's letter case means nothing.
func isAddress(path string) bool {
	return path == "email" || path == "alternateEmail" || path == "userName"
}

// own gives a path to the source that writes it, or takes it away when the
// owner empties it. An equal value of another owner stays that owner's.
func own(owners *map[string]directory.Source, path, text string, src directory.Source) {
	owner, owned := (*owners)[path]
	switch {
	case src != directory.SourceAD && src != directory.SourceSCIM, owned && owner != src:
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

// invalid makes one refusal of all faults, or nil of none.
func invalid(faults []directory.FieldError) error {
	if len(faults) == 0 {
		return nil
	}
	r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidUser, "The user was not accepted and nothing was changed.", "Correct the members named in errors.")
	r.Fields = faults
	return r
}

func ownedElsewhere(faults []directory.FieldError) error {
	r := directory.Refuse(directory.ErrConflict, directory.CodeOwnedElsewhere,
		fmt.Sprintf("The attribute %s %s, and only that source can change it.", faults[0].Field, faults[0].Detail),
		"Change the value in that source, or leave it out here.")
	r.Fields = faults
	return r
}
