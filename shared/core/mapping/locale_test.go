package mapping_test

import (
	"testing"

	"bindery/shared/core/mapping"
	"bindery/shared/directory"
)

func TestUsageLocation(t *testing.T) {
	for in, want := range map[string]string{
		"DE": "DE", "de": "DE", " gb ": "GB", "UK": "GB", "uk": "GB", "EL": "GR", "DEU": "DE", "gbr": "GB", "USA": "US", "276": "DE", "840": "US", "U.S.A.": "US", "ＤＥ": "DE", "D\u200bE": "DE",
		"Germany": "DE", "Deutschland": "DE", "Allemagne": "DE", "Alemania": "DE", "Germania": "DE", "Duitsland": "DE", "Niemcy": "DE", "ドイツ": "DE", "Österreich": "AT", "Oesterreich": "",
		"united kingdom": "GB", "United States": "US", "The Netherlands": "NL", "Holland": "NL", "Schweiz": "CH", "Suisse": "CH", "SVIZZERA": "CH", "Türkiye": "TR", "Turkey": "TR",
		"Côte d’Ivoire": "CI", "cote d'ivoire": "CI", "Tschechien": "CZ", "Czech Republic": "CZ", "España": "ES", "Espana": "ES", "Bosnia & Herzegovina": "BA", "Polska": "PL", "XK": "XK",
		"Korea, Republic of": "KR", "Korea (the Republic of)": "KR", "Korea, Democratic People's Republic of": "KP", "IRAN (ISLAMIC REPUBLIC OF)": "IR", "Bahamas (the)": "BS", "Taiwan, Province of China": "TW",
		"Netherlands (Kingdom of the)": "NL", "Congo (the Democratic Republic of the)": "CD", "Congo": "CG", "Virgin Islands (U.S.)": "VI", "U.S.A": "US",
		"Germany (DE)": "DE", "DE - Germany": "DE", "GB-ENG": "GB", "US (USA)": "US", "Guinea-Bissau": "GW", "Timor-Leste": "TL", "Germany (AT)": "", "sv-SE": "", "DE/AT": "", "Germany (office)": "",
		"": "", "ZZ": "", "QQ": "", "EU": "", "XYZ": "", "001": "", "Narnia": "", "Europe": "", "-": "", "n/a": "", "Bavaria": "",
	} {
		code, ok := mapping.UsageLocation(in)
		if code != want || ok != (want != "") {
			t.Errorf("UsageLocation(%q) = %q, %v, want %q", in, code, ok, want)
		}
	}
}

func TestPreferredLanguage(t *testing.T) {
	for in, want := range map[string]string{
		"en-US": "en-US", "en_US": "en-US", "EN-us": "en-US", "de": "de", "deu": "de", "de_DE.UTF-8": "de-DE", "de_DE@euro": "de-DE", "zh-hans-cn": "zh-Hans-CN", "iw": "he", "en-UK": "en-GB", "sr-Latn-RS": "sr-Latn-RS",
		"": "", "english": "", "xx-YY": "", "und": "", "-": "", "de-": "", "e": "", "x-klingon": "",
	} {
		tag, ok := mapping.PreferredLanguage(in)
		if tag != want || ok != (want != "") {
			t.Errorf("PreferredLanguage(%q) = %q, %v, want %q", in, tag, ok, want)
		}
	}
}

// What an account gets is mended, and what nobody can read is left out alone.
func TestDesiredMendsCodes(t *testing.T) {
	m := mapping.New(directory.Settings{Attributes: map[string]directory.AttributeRule{"usageLocation": {Export: true}, "preferredLanguage": {Export: true}, "department": {Export: true}}},
		[]directory.Domain{{Name: "corp.example"}})
	u := &directory.User{}
	u.Email, u.DisplayName, u.Department, u.State = "jo@corp.example", "Jo", "Sales", directory.StateActive
	u.UsageLocation, u.PreferredLanguage = "UK", "en_US"
	want, problems := m.Desired(u)
	if want["usageLocation"].String() != "GB" || want["preferredLanguage"].String() != "en-US" || len(problems) > 0 {
		t.Errorf("%v, %v", want, problems)
	}
	u.UsageLocation, u.PreferredLanguage = "Narnia", "klingonish"
	want, problems = m.Desired(u)
	if _, there := want["usageLocation"]; there || want["department"].String() != "Sales" || len(problems) != 2 {
		t.Errorf("%v, %v", want, problems)
	}
	for _, p := range problems {
		if p.Code != "usage-location-invalid" && p.Code != "preferred-language-invalid" {
			t.Error(p)
		}
	}
}

// A code is its own mend.
func FuzzCodes(f *testing.F) {
	for _, s := range []string{"UK", "Deutschland", "en_US", "x", "\xff", "ZZ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if code, ok := mapping.UsageLocation(s); ok {
			if again, ok := mapping.UsageLocation(code); again != code || !ok || len(code) != 2 {
				t.Errorf("%q is %q, which is %q", s, code, again)
			}
		}
		if tag, ok := mapping.PreferredLanguage(s); ok {
			if again, ok := mapping.PreferredLanguage(tag); again != tag || !ok {
				t.Errorf("%q is %q, which is %q", s, tag, again)
			}
		}
	})
}
