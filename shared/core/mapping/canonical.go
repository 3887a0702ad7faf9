package mapping

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"bindery/shared/directory"
)

// Text is the form in which text of one line is sent: directory.TidyText, with
// line breaks and other controls turned into spaces.
func Text(s string) string { return clean(s, false) }

// clean is Text, and keeps line breaks if lines is set (an address of a street
// may have several lines).
func clean(s string, lines bool) string {
	s = directory.TidyText(s)
	breaks := func(r rune) bool {
		return unicode.IsControl(r) && !(lines && (r == '\n' || r == '\r')) || r == '\u2028' || r == '\u2029'
	}
	if strings.IndexFunc(s, breaks) < 0 {
		return s
	}
	return directory.TidyText(strings.Map(func(r rune) rune {
		switch {
		case r == 0:
			return -1
		case breaks(r):
			return ' '
		}
		return r
	}, s))
}

// Canonical returns the form in which both sides are compared: addresses in
// lower case, phone numbers without spacing and punctuation, blanks of any
// kind and number as one space, Unicode NFC, lists sorted and without repeats.
// It is applied to nothing that is sent.
func Canonical(name string, v directory.Value) directory.Value {
	form := directory.FormText
	if a, known := directory.AttributeOf(name); known {
		form = a.Form
	}
	return canonical(form, v)
}

func canonical(form directory.Form, v directory.Value) directory.Value {
	if list, ok := v.List(); ok {
		out := make([]string, 0, len(list))
		for _, s := range list {
			if c := canonicalText(form, s); c != "" {
				out = append(out, c)
			}
		}
		slices.Sort(out)
		return directory.ListValue(slices.Compact(out)...)
	}
	if s, ok := v.Text(); ok {
		return directory.StringValue(canonicalText(form, s))
	}
	return v
}

func canonicalText(form directory.Form, s string) string {
	folded := fold(s)
	switch form {
	case directory.FormEmail, directory.FormName:
		return directory.FoldAddress(folded)
	case directory.FormLanguage:
		return norm.NFC.String(strings.ToLower(folded))
	case directory.FormCountry:
		return norm.NFC.String(strings.ToUpper(folded))
	case directory.FormPhone:
		return phone(folded)
	}
	return folded
}

// fold is Text with every run of blanks, no-break ones too, as one space.
func fold(s string) string {
	if s = Text(s); strings.IndexFunc(s, func(r rune) bool { return r != ' ' && unicode.IsSpace(r) }) < 0 && !strings.Contains(s, "  ") {
		return s
	}
	return strings.Join(strings.Fields(s), " ")
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
