package directory

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Texts of people come with characters that nobody sees: copied from a web page,
// a mail or a phone. Every text has these forms, and no package makes others:
//
//	TidyText, TidyAddress        what is stored, shown and sent
//	FoldAddress, FoldDomain, FoldName   what is compared, and unique: the key
//	FoldSearch                   what a search looks at
//
// Each is total (invalid UTF-8 is left out) and idempotent. Letters that only
// look alike, such as the Cyrillic а and the Latin a, stay different: a name may
// have both, and Microsoft refuses the first in a userPrincipalName. FormNotes
// tells them.

// TidyText is the form in which a text is stored, shown and sent: Unicode NFC,
// without blanks around it and without characters that nobody sees. Joiners stay
// where a script or an emoji needs them, and so do variation selectors, by which
// a Japanese name chooses its character.
func TidyText(s string) string {
	if plainText(s) {
		return s
	}
	return strings.TrimSpace(norm.NFC.String(dropInvisible(s)))
}

// dropInvisible leaves out what a text does not need to look as it does.
func dropInvisible(s string) string {
	var b strings.Builder
	before := rune(-1) // the last one that stayed
	for _, r := range strings.ToValidUTF8(s, "") {
		switch {
		case r == zeroWidthNonJoiner || r == zeroWidthJoiner:
			if !joins(before) {
				continue
			}
		case unicode.Is(unicode.Variation_Selector, r):
			if before < 0 || unicode.IsSpace(before) || before < utf8.RuneSelf && !strings.ContainsRune("0123456789#*", before) {
				continue
			}
		case invisible(r):
			continue
		}
		b.WriteRune(r)
		before = r
	}
	// A joiner at the end joins nothing.
	return strings.TrimRight(b.String(), "\u200c\u200d")
}

const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

// invisible reports whether nobody sees a character: Unicode's default
// ignorable code points (zero-width spaces, soft hyphens, direction marks, tags,
// fillers), which are derived like this.
func invisible(r rune) bool {
	if r < 0xad {
		return false
	}
	return unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Cf, unicode.Variation_Selector) &&
		!unicode.Is(unicode.Prepended_Concatenation_Mark, r) && !(r >= 0xfff9 && r <= 0xfffb) && !(r >= 0x13430 && r <= 0x13440)
}

// invisibleInAddress reports whether nobody sees a character in an address or a
// name to sign in with: those of any text, and marks that tell programs about
// lines and objects, which many fonts show as nothing.
func invisibleInAddress(r rune) bool {
	return invisible(r) || r == '\u2028' || r == '\u2029' || r >= 0xfff9 && r <= 0xfffc
}

// blank reports whether a character looks like a blank, though compatibility does
// not make one of it.
func blank(r rune) bool { return r == '\u1680' || r == '\u2800' }

// NoCharacter reports whether a code point is one that Unicode keeps from ever
// being a character, as U+FFFE.
func NoCharacter(r rune) bool { return r&0xFFFE == 0xFFFE || r >= 0xFDD0 && r <= 0xFDEF }

// joins reports whether a joiner behind a character may mean something: behind
// a letter of a script that joins its letters, or within an emoji.
func joins(r rune) bool {
	switch {
	case r < utf8.RuneSelf || r == zeroWidthNonJoiner || r == zeroWidthJoiner:
		return false
	case unicode.IsLetter(r), unicode.IsMark(r):
		return unicode.Is(unicode.Variation_Selector, r) || !unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Armenian, unicode.Georgian,
			unicode.Hebrew, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Common, unicode.Inherited)
	}
	return unicode.In(r, unicode.So, unicode.Sk)
}

// plainText reports whether s is printable ASCII without blanks around it, of
// which every form is the text itself but for its letter case.
func plainText(s string) bool {
	for i := range len(s) {
		if s[i] > '~' || s[i] < ' ' {
			return false
		}
	}
	return len(s) == 0 || s[0] != ' ' && s[len(s)-1] != ' '
}

// TidyAddress is the form in which an e-mail address, a user name or a domain is
// stored, shown and sent: without blanks around it and without any character
// that nobody sees, joiners too, and with fullwidth and other compatibility forms
// (＠, ａ, 。 between the labels of a domain) as the characters they stand for
// (Unicode NFKC). Letter case stays.
func TidyAddress(s string) string {
	if plainText(s) {
		return s
	}
	for {
		next := norm.NFKC.String(strings.Map(func(r rune) rune {
			switch {
			case invisibleInAddress(r):
				return -1
			case blank(r):
				return ' '
			case r == '。':
				return '.'
			}
			return r
		}, strings.ToValidUTF8(s, "")))
		if next = strings.TrimSpace(next); next == s {
			return s
		}
		s = next
	}
}

// FoldAddress is the form in which addresses and user names are compared and
// must be unique: TidyAddress in lower case, a domain behind an @ as FoldDomain
// has it.
func FoldAddress(s string) string {
	s = lower(TidyAddress(s))
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		return s[:at+1] + FoldDomain(s[at+1:])
	}
	return s
}

// FoldName is the form in which names of groups are compared and must be unique:
// TidyAddress in lower case, a run of blanks as one.
func FoldName(s string) string { return strings.Join(strings.Fields(lower(s)), " ") }

// FoldDomain is the form in which domains are compared, and Microsoft's: lower
// case, names in other letters than ASCII's in Punycode (bücher.example is
// xn--bcher-kva.example).
func FoldDomain(s string) string {
	s = lower(TidyAddress(s))
	if plainText(s) && !strings.Contains(s, "xn--") {
		return s
	}
	// What is no domain is compared as it is written.
	if strings.ContainsFunc(s, noDomain) {
		return s
	}
	if ascii, err := domains.ToASCII(s); err == nil && ascii != "" {
		return ascii
	}
	return s
}

// noDomain reports whether a character stands in no name of a domain, in any
// alphabet.
func noDomain(r rune) bool {
	if r < utf8.RuneSelf {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_')
	}
	return unicode.IsSpace(r) || unicode.IsControl(r)
}

// domains maps names of domains as browsers do (UTS 46), and takes underscores
// and hyphens as they come.
var domains = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.CheckHyphens(false))

// lower is a tidy address in lower case, and still tidy.
func lower(s string) string {
	for {
		next := TidyAddress(strings.ToLower(s))
		if next == s {
			return s
		}
		s = next
	}
}

// earlierAddress is the form in which addresses were unique before they were
// brought into the present one.
func earlierAddress(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// AddressForms lists the forms under which an address or a user name may be
// noted as taken: the present one, FoldAddress, first; then those in which
// earlier versions may have noted it, if they differ.
func AddressForms(s string) []string {
	forms := []string{FoldAddress(s)}
	add := func(form string) {
		if form != "" && !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	add(earlierAddress(s))
	if at := strings.LastIndexByte(forms[0], '@'); at >= 0 && strings.Contains(forms[0][at:], "xn--") {
		if name, err := domains.ToUnicode(forms[0][at+1:]); err == nil {
			add(forms[0][:at+1] + name)
		}
	}
	return forms
}

// FoldSearch is a text as it is searched for and in: letter case, accents,
// compatibility forms and invisible characters mean nothing ("MULLER" finds
// "Müller"). Vowel signs of scripts that write them so are no accents.
func FoldSearch(s string) string {
	if plainText(s) {
		return strings.ToLower(s)
	}
	bare := strings.Map(func(r rune) rune {
		if invisible(r) || unicode.Is(unicode.Mn, r) && unicode.Is(unicode.Inherited, r) && !voiced(r) {
			return -1
		}
		return r
	}, norm.NFKD.String(cases.Fold().String(norm.NFKD.String(strings.ToValidUTF8(s, "")))))
	return strings.TrimSpace(norm.NFKC.String(strings.ToLower(bare))) // Cherokee folds to capitals
}

// voiced reports whether a mark makes another letter of a Japanese one.
func voiced(r rune) bool { return r == '\u3099' || r == '\u309a' }

// Warning is what a person should know about a value that was taken: what of it
// was changed or left out, and why.
type Warning struct {
	Field  string `json:"field,omitempty" doc:"The member of the user"`
	Code   string `json:"code" doc:"text-tidied, letters-alike, value-mended, value-left-out or same-address"`
	Detail string `json:"detail"`
}

// The codes of warnings.
const (
	// WarnTidied: characters that nobody sees were left out, or special forms of
	// characters replaced.
	WarnTidied = "text-tidied"
	// WarnAlike: letters of several alphabets stand together in an address.
	WarnAlike = "letters-alike"
	// WarnMended: the account gets another value than the user has, which means
	// the same.
	WarnMended = "value-mended"
	// WarnLeftOut: the value is not one of the attribute, and was not taken.
	WarnLeftOut = "value-left-out"
	// WarnTwin: an earlier version took two users for different ones whose
	// addresses or names look the same.
	WarnTwin = "same-address"
)

// FormNotes says what of a text a person should know about the form that it is
// stored in: characters that nobody sees and that were left out, and letters
// that were replaced. Of an address, it says as well that letters of several
// alphabets stand together, which are easily taken for each other.
func FormNotes(field, s string, address bool) []Warning {
	if plainText(s) {
		return nil
	}
	var notes []Warning
	tidy := TidyText(s)
	if address {
		tidy = TidyAddress(s)
	}
	if gone := lost(s, tidy, address); len(gone) > 0 {
		notes = append(notes, Warning{field, WarnTidied, "had characters that nobody sees, which were left out: " + strings.Join(gone, ", ")})
	}
	if !address {
		return notes
	}
	if seen := strings.TrimSpace(dropAll(s)); norm.NFC.String(seen) != tidy {
		notes = append(notes, Warning{field, WarnTidied, fmt.Sprintf("had fullwidth or other special forms of characters, which were replaced: it is %q", tidy)})
	}
	if mixed := mixedLetters(tidy); mixed != "" {
		notes = append(notes, Warning{field, WarnAlike, "has letters of several alphabets beside each other, of which " + mixed + " may be taken for another: check that it is meant so"})
	}
	return notes
}

func dropAll(s string) string {
	return strings.Map(func(r rune) rune {
		if invisibleInAddress(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// mostNamed is how many characters a note names.
const mostNamed = 8

// lost names the invisible characters that s has more of than tidy.
func lost(s, tidy string, address bool) []string {
	unseen := invisible
	if address {
		unseen = invisibleInAddress
	}
	counts := map[rune]int{}
	for _, r := range s {
		if unseen(r) {
			counts[r]++
		}
	}
	for _, r := range tidy {
		if unseen(r) {
			counts[r]--
		}
	}
	var list []string
	for r, n := range counts {
		if n > 0 {
			list = append(list, fmt.Sprintf("U+%04X", r))
		}
	}
	slices.Sort(list)
	if n := len(list) - mostNamed; n > 0 {
		list = append(list[:mostNamed], fmt.Sprintf("and %d others", n))
	}
	return list
}

// mixedLetters names a Cyrillic or Greek letter that stands beside Latin ones in
// one part of an address.
func mixedLetters(address string) string {
	for _, part := range strings.FieldsFunc(address, func(r rune) bool { return r == '@' || r == '.' }) {
		latin, other := false, rune(0)
		for _, r := range part {
			latin = latin || unicode.Is(unicode.Latin, r)
			if other == 0 && unicode.In(r, unicode.Cyrillic, unicode.Greek) {
				other = r
			}
		}
		if latin && other != 0 {
			return fmt.Sprintf("%c (U+%04X)", other, other)
		}
	}
	return ""
}

// ContainsFolded reports whether a text occurs in one of others, in the form in
// which texts are searched (FoldSearch).
func ContainsFolded(text string, in ...string) bool {
	text = strings.TrimSpace(FoldSearch(text))
	for _, s := range in {
		if strings.Contains(FoldSearch(s), text) {
			return true
		}
	}
	return false
}
