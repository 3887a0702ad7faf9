package scim

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"bindery/shared/core/provision"
)

// What a body has of an attribute with several values, and what is kept of it: "" where a
// strict client is refused, and of a tolerant one something is left out, or bent, with a note.
func TestValuesOfBodies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		sent, kept string
		told       bool // of something left out or bent; a strict client is refused
	}{
		{`"roles":[{"display":"Only"}]`, `"roles":[{"display":"Only"}]`, false},
		{`"emails":[{"type":"work"},{"value":"a@x.example"}]`, `"emails":[{"value":"a@x.example"}]`, true},
		{`"emails":[{"display":"A","type":"home"},{"value":"a@x.example"}]`, `"emails":[{"value":"a@x.example"}]`, true},
		{`"phoneNumbers":[{"type":"work","primary":true}]`, ``, true},
		{`"phoneNumbers":[{"type":"work","value":""}]`, ``, false},
		{`"phoneNumbers":[{"type":"work","value":null,"primary":true}]`, ``, false},
		{`"addresses":[{"type":"work","primary":true,"locality":null,"country":""}]`, ``, false},
		{`"addresses":[{"type":"work"}]`, ``, true},
		{`"photos":[{"value":"https://x.example/A.png","type":"photo"},{"value":"https://x.example/a.png","type":"photo"}]`,
			`"photos":[{"value":"https://x.example/A.png","type":"photo"},{"value":"https://x.example/a.png","type":"photo"}]`, false},
		{`"roles":[{"value":"A","type":"x"},{"value":"B","type":"x"}]`, `"roles":[{"value":"A","type":"x"},{"value":"B","type":"x"}]`, false},
		{`"x509Certificates":[{"value":"MIIB+/8="},{"value":"MIIB+/8"}]`, `"x509Certificates":[{"value":"MIIB+/8="},{"value":"MIIB+/8"}]`, false},
		{`"x509Certificates":[{"value":"not base64 !!"},{"value":"MIIB"}]`, `"x509Certificates":[{"value":"MIIB"}]`, true},
		{`"x509Certificates":[{"value":"MIIB+"},{"value":"MI_-"},{"value":"MII=="},{"value":"=="},{"value":"no base64 a"}]`, ``, true},
		{`"x509Certificates":[{"value":"MIIB\r\nMIIB\n"}]`, `"x509Certificates":[{"value":"MIIBMIIB"}]`, true},
	} {
		for _, strict := range []bool{false, true} {
			n := &notes{strict: strict}
			doc, err := users.normalise(document(t, `{"schemas":["`+schemaUser+`"],`+tt.sent+`}`), n)
			if strict && tt.told {
				if p, is := errors.AsType[*Problem](err); !is || p.Type != typeInvalidValue {
					t.Errorf("%s, strict: %v", tt.sent, err)
				}
				continue
			}
			if err != nil || !equal(doc, document(t, `{`+tt.kept+`}`)) || (len(n.list) > 0) != tt.told {
				t.Errorf("%s, strict %t: %s, %v, %q", tt.sent, strict, printed(t, doc), err, n.list)
			}
		}
	}
}

// A value of a kind that has only a name for people hides none of that kind with a value.
func TestNameHidesNoValue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	id := w.make("a@x.example", `,"phoneNumbers":[{"type":"work","display":"Desk"},{"type":"work","value":"1"}]`)
	if u := w.user(id); u.Phones.Work != "1" {
		t.Errorf("%+v", u.Phones)
	}
	r := w.want(http.StatusOK, "PATCH", "/Users/"+id, patchOf(`{"op":"add","path":"emails[type eq \"other\"].primary","value":true},{"op":"add","path":"title","value":"CTO"}`))
	if notes := w.lastRequest().Notes; !slices.ContainsFunc(notes, func(s string) bool { return strings.Contains(s, "of emails has no value") }) || r.body.text("title") != "CTO" || w.user(id).Email != "a@x.example" {
		t.Errorf("%q: %s", notes, r.Body)
	}
}
