package mapping

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"bindery/shared/directory"
)

// Text is the form in which text is sent: Unicode NFC, blanks of every kind
// trimmed and collapsed to one space, control characters dropped.
func Text(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	space := false
	for _, r := range norm.NFC.String(strings.ToValidUTF8(s, "")) {
		switch {
		case unicode.IsSpace(r):
			space = true
			continue
		case unicode.IsControl(r) || r == '\u200b' || r == '\ufeff':
			continue
		}
		if space && b.Len() > 0 {
			b.WriteByte(' ')
		}
		space = false
		b.WriteRune(r)
	}
	// Dropping a character may bring two together that compose.
	return norm.NFC.String(b.String())
}

// plain reports whether s is printable ASCII that Text would not change.
func plain(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c > '~' || c < ' ' || c == ' ' && (i == 0 || i == len(s)-1 || s[i-1] == ' ') {
			return false
		}
	}
	return true
}

// Canonical returns the form in which both sides are compared: addresses in
// lower case, phone numbers without spacing and punctuation, text as Text
// makes it, lists sorted and without repeats.
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
	switch name {
	case directory.PropUserPrincipalName, directory.PropMail, directory.PropOtherMails, directory.PropMailNickname:
		return strings.ToLower(Text(s))
	case directory.PropUsageLocation:
		return strings.ToUpper(Text(s))
	case "preferredLanguage":
		return strings.ToLower(Text(s))
	case directory.PropBusinessPhones, directory.PropMobilePhone:
		return phone(Text(s))
	}
	return Text(s)
}

// phone drops what only formats a number: blanks, dots, hyphens, slashes and
// parentheses, and the "(0)" that is written into international numbers. Every
// other character stays, so that extensions and letters keep their meaning.
func phone(s string) string {
	if strings.HasPrefix(s, "+") {
		s = strings.Replace(s, "(0)", "", 1)
	}
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), strings.ContainsRune(".-/()\u2010\u2011\u2012\u2013", r):
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// Same reports whether two values of a property are equal for our purposes.
func Same(name string, a, b directory.Value) bool {
	return a.Equal(b) || Canonical(name, a).Equal(Canonical(name, b))
}
