package mapping

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"bindery/shared/directory"
)

// Text is the form in which text of one line is sent: the user's own spelling
// in Unicode NFC, trimmed, with line breaks and other controls turned into
// spaces and without characters that nobody can see.
func Text(s string) string { return clean(s, false) }

// clean is Text, and keeps line breaks if lines is set (an address of a street
// may have several lines).
func clean(s string, lines bool) string {
	if plain(s) {
		return s
	}
	shown := strings.Map(func(r rune) rune {
		switch {
		case lines && (r == '\n' || r == '\r'):
			return r
		case invisible(r):
			return -1
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return norm.NFC.String(strings.TrimSpace(shown))
}

// invisible says which characters are left out: zero-width spaces, soft
// hyphens and the direction marks that come along when a number or an address
// is copied from a phone or a web page. Joiners stay, since scripts and emoji
// need them.
func invisible(r rune) bool {
	switch {
	case r == 0, r == '\u00ad', r == '\u200b', r == '\u2060', r == '\ufeff':
		return true
	case r == '\u200e', r == '\u200f', r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
		return true
	}
	return false
}

// plain reports whether s is printable ASCII that clean would not change.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] > '~' || s[i] < ' ' {
			return false
		}
	}
	return len(s) == 0 || s[0] != ' ' && s[len(s)-1] != ' '
}

// Canonical returns the form in which both sides are compared: addresses in
// lower case, phone numbers without spacing and punctuation, blanks of any
// kind and number as one space, Unicode NFC, lists sorted and without repeats.
// It is applied to nothing that is sent.
func Canonical(name string, v directory.Value) directory.Value {
	if list, ok := v.List(); ok {
		out := make([]string, 0, len(list))
		for _, s := range list {
			if c := canonicalText(name, s); c != "" {
				out = append(out, c)
			}
		}
		slices.Sort(out)
		return directory.ListValue(slices.Compact(out)...)
	}
	if s, ok := v.Text(); ok {
		return directory.StringValue(canonicalText(name, s))
	}
	return v
}

func canonicalText(name, s string) string {
	folded := fold(s)
	switch name {
	case directory.PropUserPrincipalName, directory.PropMail, directory.PropOtherMails, directory.PropMailNickname,
		"preferredLanguage":
		return norm.NFC.String(strings.ToLower(folded))
	case directory.PropUsageLocation:
		return norm.NFC.String(strings.ToUpper(folded))
	case directory.PropBusinessPhones, directory.PropMobilePhone:
		return phone(folded)
	}
	return folded
}

// fold is Text with every run of blanks, no-break ones too, as one space.
func fold(s string) string {
	if plain(s) && !strings.Contains(s, "  ") {
		return s
	}
	return norm.NFC.String(strings.Join(strings.Fields(Text(s)), " "))
}

// phone drops what only sets a number out: blanks, dots, hyphens, slashes and
// parentheses. Digits, the plus sign, letters (extensions) and every other
// character keep their meaning; so does a "(0)", which some countries dial and
// some do not. What has nothing else is left as it is: "-" is not "no number".
func phone(s string) string {
	bare := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || strings.ContainsRune(".-/()\u2010\u2011\u2012\u2013", r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
	if bare == "" {
		return s
	}
	return norm.NFC.String(bare)
}

// Same reports whether two values of a property are equal for our purposes.
func Same(name string, a, b directory.Value) bool {
	return a.Equal(b) || Canonical(name, a).Equal(Canonical(name, b))
}
