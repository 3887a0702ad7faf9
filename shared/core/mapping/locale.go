package mapping

import (
	_ "embed" // countryTable
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/language"

	"bindery/shared/directory"
)

// The directory keeps what people write for a country or a language; an account
// gets the code that Microsoft takes. "UK", "deu", "Deutschland" and "en_US" are
// as good as GB, DE, DE and en-US: everybody knows what is meant.

// UsageLocation is the code of the country that a text means, as Microsoft takes
// it (ISO 3166-1 alpha-2): the code itself in any letter case, one that is often
// taken for it (UK, EL), an alpha-3 or numeric code, or the country's name in one
// of the languages that countryTable has, or a code and a name that mean the
// same ("Germany (DE)"). false says that it means none.
func UsageLocation(s string) (code string, ok bool) {
	s = directory.TidyAddress(s)
	if code, ok = country(s); ok {
		return code, true
	}
	for i, part := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("()[]-–:/|,", r) }) {
		also, means := country(strings.TrimSpace(part))
		if !means || i > 0 && also != code {
			return "", false
		}
		code = also
	}
	return code, code != ""
}

func country(s string) (code string, ok bool) {
	upper := strings.ToUpper(s)
	if alias, known := takenForCodes[upper]; known {
		return alias, true
	}
	if len(s) == 2 || len(s) == 3 {
		region, err := language.ParseRegion(upper)
		if err != nil {
			return "", false
		}
		region = region.Canonicalize()
		if code = region.String(); region.IsCountry() && len(code) == 2 {
			return code, true
		}
		return "", false
	}
	code, ok = countryNames()[foldCountry(s)]
	return code, ok
}

// takenForCodes are abbreviations that are no codes of ISO 3166: those of the
// European Union's own offices, and those that stand in addresses.
var takenForCodes = map[string]string{
	"UK": "GB", "EL": "GR", "U.K.": "GB", "U.K": "GB", "U.S.": "US", "U.S": "US", "U.S.A.": "US", "U.S.A": "US", "U.A.E.": "AE", "UAE": "AE", "ENG": "GB", "GER": "DE", "SUI": "CH", "NED": "NL", "DEN": "DK", "POR": "PT",
}

// otherCountryNames are names in common use that CLDR does not have, or has
// another one for.
var otherCountryNames = map[string]string{
	"United States of America": "US", "America": "US", "Great Britain": "GB", "Britain": "GB", "England": "GB", "Scotland": "GB", "Wales": "GB", "Northern Ireland": "GB",
	"United Kingdom of Great Britain and Northern Ireland": "GB", "Großbritannien": "GB", "Grande-Bretagne": "GB", "Gran Bretaña": "GB", "Gran Bretagna": "GB",
	"Holland": "NL", "The Netherlands": "NL", "Czech Republic": "CZ", "Czechia": "CZ", "Tschechische Republik": "CZ", "Türkiye": "TR", "Turkey": "TR", "Russian Federation": "RU",
	"Republic of Korea": "KR", "Korea": "KR", "Viet Nam": "VN", "Republic of Ireland": "IE", "Macedonia": "MK", "North Macedonia": "MK", "Ivory Coast": "CI", "Swaziland": "SZ", "Eswatini": "SZ",
	"Hong Kong": "HK", "Macau": "MO", "Macao": "MO", "Federal Republic of Germany": "DE", "Bundesrepublik Deutschland": "DE", "BRD": "DE", "People's Republic of China": "CN", "Burma": "MM", "Myanmar": "MM",
	"Cape Verde": "CV", "East Timor": "TL", "USA": "US", "Slovak Republic": "SK", "Kyrgyz Republic": "KG", "Eire": "IE", "Hong Kong SAR": "HK", "Macao SAR": "MO",
	// As ISO 3166 lists them.
	"Bolivia, Plurinational State of": "BO", "Congo": "CG", "Congo, Democratic Republic of the": "CD", "Democratic Republic of the Congo": "CD", "Falkland Islands (Malvinas)": "FK",
	"Holy See": "VA", "Iran, Islamic Republic of": "IR", "Korea, Democratic People's Republic of": "KP", "Korea, Republic of": "KR", "Lao People's Democratic Republic": "LA",
	"Macedonia, former Yugoslav Republic of": "MK", "Micronesia, Federated States of": "FM", "Moldova, Republic of": "MD", "Netherlands, Kingdom of the": "NL", "Palestine, State of": "PS",
	"Saint Martin (French part)": "MF", "Sint Maarten (Dutch part)": "SX", "Syrian Arab Republic": "SY", "Taiwan, Province of China": "TW", "Tanzania, United Republic of": "TZ",
	"Venezuela, Bolivarian Republic of": "VE", "Virgin Islands, British": "VG", "Virgin Islands, U.S.": "VI",
}

// countryTable has a line for each country: its code and its folded names in the
// languages that the test beside knows, by tabs. A name that means one country here and
// another one there is none. The test makes it of golang.org/x/text/language/display,
// which has them of Unicode's CLDR (© Unicode, Inc., Unicode License v3); linked, that
// package would bring the names of everything in all languages, a tenth of a function's
// zip, and make its tables at each start.
//
//go:embed countries.txt
var countryTable string

// countryNames are the codes of countries by their folded names.
var countryNames = sync.OnceValue(func() map[string]string {
	names := map[string]string{}
	for line := range strings.Lines(countryTable) {
		code, list, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		for name := range strings.SplitSeq(list, "\t") {
			names[name] = code
		}
	}
	for name, code := range otherCountryNames {
		names[foldCountry(name)] = code
	}
	return names
})

// foldCountry is a name of a country without what people write differently in it.
func foldCountry(s string) string {
	words := strings.FieldsFunc(directory.FoldSearch(s), func(r rune) bool { return strings.ContainsRune(" \u00a0.,-–'’()&", r) })
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "the" }), " ") // "Bahamas (the)"
}

// PreferredLanguage is the tag that a text means, as Microsoft takes it (BCP 47):
// letter case and separators put right, names of locales such as en_US.UTF-8
// and codes that have given way to others as well. false says that it means none,
// or one with extensions, which Microsoft does not take.
func PreferredLanguage(s string) (tag string, ok bool) {
	s = directory.TidyAddress(s)
	s, _, _ = strings.Cut(s, ".")
	s, _, _ = strings.Cut(s, "@")
	t, err := language.Parse(s)
	if err != nil || t.IsRoot() || len(t.Extensions()) > 0 {
		return "", false
	}
	return t.String(), true
}

// Code is the code that a text means, of the forms that have codes of others:
// countries and languages. false says that it means none.
func Code(form directory.Form, text string) (code string, ok bool) {
	switch form {
	case directory.FormCountry:
		return UsageLocation(text)
	case directory.FormLanguage:
		return PreferredLanguage(text)
	}
	return "", false
}

// Mended says what an account gets in place of a user's value that is not
// written as Microsoft takes it; ok is false when it gets the value itself, or
// when nobody knows what the value means.
func Mended(a *directory.Attribute, value string) (sent string, ok bool) {
	sent, ok = Code(a.Form, value)
	return sent, ok && sent != value
}

// MendedText is Mended as a sentence for people.
func MendedText(a *directory.Attribute, value string) string {
	sent, ok := Mended(a, value)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%q is no %s as Microsoft takes it; the account gets %s", value, a.Property, sent)
}

// Note says how the value that an account gets of an exported property differs
// from what the user has: it means the same and is written as Microsoft takes it.
func (m *Mapper) Note(u *directory.User, name string) string {
	a, known := directory.AttributeOf(name)
	if !known || !m.settings.Attributes[name].Export {
		return ""
	}
	return MendedText(a, a.Text(&u.Profile))
}
