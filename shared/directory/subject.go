package directory

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSubject is how long a subject may be, in bytes: what OpenID Connect allows.
const maxSubject = 255

// reservedSubjects are names under which things are shown that no caller did.
var reservedSubjects = []string{BySystem, "system", "schedule"}

// SubjectFault says why a text cannot be the subject of a caller: a phrase that
// follows upon "the subject"; "" when it can. A subject is stored, compared and
// shown as it is, so that no two callers may look alike through characters that
// are not seen, and none may bear the name of Bindery itself.
func SubjectFault(subject string) string {
	switch {
	case subject == "":
		return "is missing or empty"
	case len(subject) > maxSubject:
		return "is longer than 255 bytes"
	case !utf8.ValidString(subject), strings.ContainsRune(subject, utf8.RuneError):
		return "is not valid UTF-8"
	case strings.ContainsFunc(subject, unseen):
		return "has white space, or characters that cannot be seen"
	case slices.ContainsFunc(reservedSubjects, func(name string) bool { return strings.EqualFold(name, subject) }):
		return "is a name that Bindery uses for itself"
	}
	return ""
}

// unseen reports whether nothing is seen of a character: white space, controls
// and formats, fillers and joiners, selectors of variants.
func unseen(r rune) bool {
	return unicode.IsSpace(r) || !unicode.IsPrint(r) ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
