package scim

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"bindery/shared/directory"
)

// place is where an operation of PATCH is to do something: at an attribute, or at an
// extension as a whole.
type place struct {
	target
	whole *schema // an extension; the target is none then
}

func (p place) String() string {
	if p.whole != nil {
		return p.whole.urn
	}
	return p.target.String()
}

// wellFormed reports whether a path is of the form of one, be it of an attribute that
// nobody knows: a name, a filter in brackets, a name behind a dot. The filter itself is
// read where the attribute is known.
func wellFormed(path string) bool { return pathForm().MatchString(strings.TrimSpace(path)) }

var pathForm = directory.Pattern(`^[^\[\]()"'\s]+(\[.+\](\.[^\[\]()"'\s]+)?)?$`)

// parsePath reads a path of PATCH (RFC 7644, 3.5.2), or the key of a value that has none,
// which is one as well. The error is an *errUnknown where there is no such attribute.
func (t *resourceType) parsePath(s string) (place, error) {
	s = strings.TrimPrefix(strings.TrimSpace(s), "/") // as in JSON Patch, which some clients speak
	if len(s) > maxFilter {
		return place{}, fmt.Errorf("it has more than %d bytes", maxFilter)
	}
	if !utf8.ValidString(s) {
		return place{}, errNotUTF8
	}
	if sc, rest := t.schemaAt(s); sc != nil && rest == "" {
		if sc == t.core {
			return place{}, errors.New("it names the resource itself")
		}
		return place{whole: sc}, nil
	}
	p := &parser{lexer: lexer{rest: s}, resource: t}
	of, err := p.target()
	if err != nil {
		return place{}, err
	}
	if rest := p.next(); rest.kind != end {
		return place{}, fmt.Errorf("%s stands where it should end", rest)
	}
	return place{target: of}, nil
}
