package mapping_test

import (
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"bindery/shared/core/mapping"
	"bindery/shared/directory"
)

func TestText(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "Ann Smith", "Ann Smith"},
		{"trimmed", " \t Ann\u00a0", "Ann"},
		{"the user's own blanks stay", "Ann  Smith", "Ann  Smith"},
		{"composed", "Jose\u0301", "Jos\u00e9"},
		{"line break", "Ann\r\nSmith", "Ann  Smith"},
		{"invisible", "\u202d+49 30 1234\u202c\u200b", "+49 30 1234"},
		{"joiners stay", "👩\u200d💻", "👩\u200d💻"},
		{"only blanks", " \u200b\u3000 ", ""},
		{"invalid UTF-8", "A\xffB", "AB"},
		{"composes once something invisible is gone", "e\u200b\u0301", "\u00e9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := mapping.Text(tt.in); got != tt.want {
				t.Errorf("Text(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestSame(t *testing.T) {
	text, list := directory.StringValue, directory.ListValue
	for _, tt := range []struct {
		name     string
		property string
		a, b     directory.Value
		want     bool
	}{
		{"address case", "userPrincipalName", text("Ann@Corp.Example"), text("ann@corp.example"), true},
		{"name case", "displayName", text("Ann"), text("ann"), false},
		{"unicode form", "surname", text("Mu\u0308ller"), text("Müller"), true},
		{"accents", "surname", text("Müller"), text("Muller"), false},
		{"blanks", "jobTitle", text(" Head  of\u00a0IT "), text("Head of IT"), true},
		{"street lines", "streetAddress", text("Main St 1\r\nFloor 2"), text("Main St 1\nFloor 2"), true},
		{"phone spacing", "mobilePhone", text("+49 (30) 12-34.56"), text("+49 30 123456"), true},
		{"phone plus", "mobilePhone", text("+49 30"), text("49 30"), false},
		{"phone extension", "mobilePhone", text("030 12 ext. 5"), text("030 12 EXT 5"), true},
		{"phone other extension", "mobilePhone", text("030 12 ext 5"), text("030 125"), false},
		{"phone trunk zero", "mobilePhone", text("+39 (0)6 12"), text("+39 6 12"), false},
		{"phone placeholder", "mobilePhone", text("-"), directory.Null, false},
		{"list order", "otherMails", list("b@x.example", "A@x.example"), list("a@x.example", "b@x.example"), true},
		{"list length", "otherMails", list("a@x.example"), list("a@x.example", "b@x.example"), false},
		{"list of blanks", "businessPhones", list(" "), directory.Null, true},
		{"country", "usageLocation", text("de"), text("DE"), true},
		{"language", "preferredLanguage", text("en-us"), text("en-US"), true},
		{"false is a value", "accountEnabled", directory.BoolValue(false), directory.Null, false},
		{"kinds", "businessPhones", list("1"), text("1"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := mapping.Same(tt.property, tt.a, tt.b); got != tt.want {
				t.Errorf("Same(%s, %q, %q) = %v, want %v", tt.property, tt.a, tt.b, got, tt.want)
			}
			if got := mapping.Same(tt.property, tt.b, tt.a); got != tt.want {
				t.Errorf("Same(%s, %q, %q) = %v, want %v", tt.property, tt.b, tt.a, got, tt.want)
			}
		})
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"", "Ann", " +49 (0)30 / 12-34 ext. 5 ", "İstanbul", "e\u200b\u0301", "\u1e9e@X.example", "ﬁ\u0300", "\xff\x00", "K\u212a"} {
		for i := range properties {
			f.Add(uint8(i), s)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, s string) {
		name := properties[int(which)%len(properties)]
		v := directory.StringValue(s)
		once := mapping.Canonical(name, v)
		if twice := mapping.Canonical(name, once); !twice.Equal(once) {
			t.Errorf("Canonical(%s, %q) = %q, and again %q", name, s, once, twice)
		}
		// What is sent is the same as what was typed, and valid.
		sent := mapping.Text(s)
		if !mapping.Same(name, directory.StringValue(sent), v) {
			t.Errorf("Text(%q) = %q, which is not the same %s", s, sent, name)
		}
		if !utf8.ValidString(sent) || !norm.NFC.IsNormalString(sent) || mapping.Text(sent) != sent {
			t.Errorf("Text(%q) = %q, want valid NFC that stays as it is", s, sent)
		}
		list := mapping.Canonical(name, directory.ListValue(s, "x", s))
		if !mapping.Canonical(name, list).Equal(list) {
			t.Errorf("Canonical(%s, list of %q) is not stable", name, s)
		}
	})
}

// properties are one of each kind that Canonical tells apart.
var properties = []string{"displayName", "userPrincipalName", "otherMails", "mobilePhone", "businessPhones", "usageLocation", "preferredLanguage", "streetAddress"}
