package directory

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// What people see as one address is one.
func TestFoldAddressSeenAsEqual(t *testing.T) {
	for want, others := range map[string][]string{
		"ann.zw@corp.example": {
			"ann.zw\u200b@corp.example", "\u202aann.zw@corp.example\u202c", "\ufeffAnn.ZW@Corp.Example", " ann.zw@corp.example\u00a0",
			"ann\u00ad.zw@corp.example", "ann.zw\uff20corp.example", "ａｎｎ.zw@corp.example", "ann.zw@corp\uff0eexample", "ann.zw@corp。example",
			"ann\u200d.zw@corp.example", "ann\u200c.zw@corp.example", "ann.zw\ufe0f@corp.example", "ann.zw\u3164@corp.example", "ann.zw\U000e0061@corp.example",
			"ann.zw@corp\u2060.example", "ann\u034f.zw@corp.example", "ann.zw@\u202ecorp.example", "ann.zw\xff@corp.example",
			"ann\u2028.zw@corp.example", "ann.zw\u2029@corp.example", "ann.zw@corp.exam\ufff9ple", "ann\ufffb.zw@corp.example", "\ufffcann.zw@corp.example",
			"\u2800ann.zw@corp.example\u1680",
		},
		"jo@xn--bcher-kva.example": {"Jo@BÜCHER.example", "jo@bu\u0308cher.example", "jo@XN--BCHER-KVA.example", "jo@bü\u200bcher.example"},
		"josé@corp.example":        {"jose\u0301@corp.example", "JOSÉ@corp.example"},
		"jo":                       {"JO", " jo\u200b", "ｊｏ", "jo\u2028"},
		"jo doe":                   {"jo\u00a0doe", "jo\u1680doe", "jo\u2800doe", "jo\u3000doe", "jo\u2028 doe"},
	} {
		for _, other := range append(others, want) {
			if got := FoldAddress(other); got != want {
				t.Errorf("FoldAddress(%+q) = %+q, want %+q", other, got, want)
			}
		}
	}
	for _, differ := range [][2]string{
		{"anna@corp.example", "\u0430nna@corp.example"}, // Cyrillic
		{"jo@bücher.example", "jo@bucher.example"}, {"josé@corp.example", "jose@corp.example"},
	} {
		if FoldAddress(differ[0]) == FoldAddress(differ[1]) {
			t.Errorf("%+q and %+q are one", differ[0], differ[1])
		}
	}
}

func TestTidyText(t *testing.T) {
	for in, want := range map[string]string{
		"Jo Doe": "Jo Doe", "  Jo  Doe ": "Jo  Doe", "Jo\u200b\u202aDoe\u202c": "JoDoe", "e\u0301": "é", "\u3164": "", "a\u00adb": "ab",
		"می\u200cخواهم":        "می\u200cخواهم",  // Persian
		"می\u200c\u200cخوا":    "می\u200cخوا",    // one is enough
		"क्\u200dष":            "क्\u200dष",      // Hindi
		"A\u200dnn":            "Ann",            // joins nothing
		"Ann\u200d":            "Ann",            //
		"\u200cمی":             "می",             //
		"👩\u200d💻":             "👩\u200d💻",       // an emoji
		"❤\ufe0f\u200d🔥":       "❤\ufe0f\u200d🔥", //
		"葛\U000e0100城":         "葛\U000e0100城",   // the variant that a Japanese name is written with
		"J\ufe0fo":             "Jo",             //
		"two\nlines\u200b\n":   "two\nlines",     // whoever takes one line says so
		"\ufeffＡnn":            "Ａnn",            // a name may be fullwidth
		"x\xffy":               "xy",             //
		"ن\u0600":              "ن\u0600",        // a visible format character
		"Αννα\u200e":           "Αννα",           //
		"שלום\u200f עולם":      "שלום עולם",      //
		"🏳\ufe0f\u200d🌈\u200d": "🏳\ufe0f\u200d🌈", //
	} {
		if got := TidyText(in); got != want {
			t.Errorf("TidyText(%+q) = %+q, want %+q", in, got, want)
		}
	}
}

func TestFoldSearch(t *testing.T) {
	for _, same := range [][2]string{
		{"MULLER", "Müller"}, {"strasse", "Straße"}, {"jose\u0301", "JOSE"}, {"Ａnn", "ann"}, {"Jo\u200bDoe", "jodoe"}, {"Ñandú", "nandu"},
	} {
		if a, b := FoldSearch(same[0]), FoldSearch(same[1]); a != b {
			t.Errorf("FoldSearch(%q) = %q, of %q %q", same[0], a, same[1], b)
		}
	}
	for _, differ := range [][2]string{{"か", "が"}, {"की", "का"}, {"Jo", "Ja"}} {
		if FoldSearch(differ[0]) == FoldSearch(differ[1]) {
			t.Errorf("%q and %q are one", differ[0], differ[1])
		}
	}
}

func TestFormNotes(t *testing.T) {
	for _, row := range []struct {
		in      string
		address bool
		want    string // parts, joined by |
	}{
		{"ann@corp.example", true, ""},
		{"José Ñ", false, ""},
		{"jose\u0301@corp.example", true, ""},
		{"ann\u200b@corp.example\u202c", true, "left out: U+200B, U+202C"},
		{"Jo\u200b", false, "U+200B"},
		{"می\u200cخواهم", false, ""},
		{"ann\uff20corp.example", true, `replaced: it is "ann@corp.example"`},
		{"\u0430nn@corp.example", true, "\u0430 (U+0430)"},
		{"анна@пример.example", true, ""},
		{"a\u200b\uff20corp.example", true, "U+200B|replaced"},
		{"a\u2028nn\ufff9@corp.example", true, "left out: U+2028, U+FFF9"},
		{"jo\u2800doe", true, `replaced: it is "jo doe"`},
	} {
		var got string
		for _, w := range FormNotes("email", row.in, row.address) {
			got += w.Detail + "; "
		}
		if row.want == "" && got != "" {
			t.Errorf("%+q: %q", row.in, got)
		}
		for part := range strings.SplitSeq(row.want, "|") {
			if !strings.Contains(got, part) {
				t.Errorf("%+q: %q, want %q in it", row.in, got, part)
			}
		}
	}
}

func TestAddressForms(t *testing.T) {
	for in, want := range map[string]string{
		"Ann@Corp.example":         "ann@corp.example",
		"ann\u200b@corp.example":   "ann@corp.example ann\u200b@corp.example",
		"jo@Bücher.example":        "jo@xn--bcher-kva.example jo@bücher.example",
		"jo@xn--bcher-kva.example": "jo@xn--bcher-kva.example jo@bücher.example",
		"":                         "",
	} {
		if got := strings.Join(AddressForms(in), " "); got != want {
			t.Errorf("AddressForms(%+q) = %+q, want %+q", in, got, want)
		}
	}
}

// Every form is made once: again, it changes nothing; and a tidy text is the
// same person as the text it came of.
func FuzzForms(f *testing.F) {
	for _, s := range []string{
		"", "ann.zw\u200b@corp.example", "\u202abea@corp.example", "ａ＠ｂ。ｃ", "İ@ı.example", "ẞ@ß.example", "ς@Σ.example", "\u1160\uffa0", "xn--a@xn--\u200b-", "a\u0345\u0301",
		"xn--bcher-kva", "ﷺ@ﷺ", "\u2126K\u212b@x", "e\u200d\u0301", "a@b@c", "😀\u200d", "\u0130\u0307", "℀@℁.x", "@", "a@", "⒈@⒈.com", "a@xn--0", "\u0600\u200d", "\u2800\u2028a\u1680",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		forms := map[string]func(string) string{"TidyText": TidyText, "TidyAddress": TidyAddress, "FoldAddress": FoldAddress, "FoldDomain": FoldDomain, "FoldSearch": FoldSearch}
		for name, form := range forms {
			once := form(s)
			if twice := form(once); twice != once {
				t.Errorf("%s(%+q) = %+q, and of that %+q", name, s, once, twice)
			}
			if !utf8.ValidString(once) {
				t.Errorf("%s(%+q) = %+q", name, s, once)
			}
		}
		if a, b := FoldAddress(s), FoldAddress(TidyAddress(s)); a != b {
			t.Errorf("%+q is %+q, tidied %+q", s, a, b)
		}
		if a, b := FoldAddress(s), FoldAddress(norm.NFD.String(s)); a != b && utf8.ValidString(s) {
			t.Errorf("%+q is %+q, decomposed %+q", s, a, b)
		}
		for i := range s {
			if with := s[:i] + "\u200b" + s[i:]; utf8.ValidString(s) && FoldAddress(with) != FoldAddress(s) && !strings.ContainsAny(s, "\u0300\u0301") {
				t.Errorf("%+q is %+q, with a zero-width space %+q", s, FoldAddress(s), FoldAddress(with))
			}
		}
		if FormNotes("", TidyText(s), false) != nil {
			t.Errorf("%+q is tidy and has notes: %q", TidyText(s), FormNotes("", TidyText(s), false))
		}
		if !norm.NFC.IsNormalString(TidyText(s)) {
			t.Errorf("TidyText(%+q) is not composed", s)
		}
	})
}

// Settings name domains and accounts without what nobody sees.
func TestSettingsAreTidy(t *testing.T) {
	s, err := ParseSettings([]byte(`{"domainMap":{"corp\u200b.example":"Theirs.example\u202c"},"defaultDomain":"\ufeffcorp.example","protected":["boss\u200b@corp.example","ops\uff20corp.example"]}`))
	if err != nil || s.DomainMap["corp.example"] != "Theirs.example" || s.DefaultDomain != "corp.example" || strings.Join(s.Protected, " ") != "boss@corp.example ops@corp.example" {
		t.Errorf("%+v, %v", s, err)
	}
	for _, twice := range []string{
		`{"domainMap":{"corp.example":"a.example","CORP.example":"b.example"}}`, `{"domainMap":{"corp.example":"a.example","corp\u200b.example":"b.example"}}`,
		`{"domainMap":{"b\u00fccher.example":"a.example","xn--bcher-kva.example":"b.example"}}`,
	} {
		if _, err := ParseSettings([]byte(twice)); err == nil || !strings.Contains(err.Error(), "one domain, mapped to two") && !strings.Contains(err.Error(), "not a domain") {
			t.Errorf("%s: %v", twice, err)
		}
	}
}
