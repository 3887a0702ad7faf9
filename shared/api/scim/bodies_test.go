package scim

import (
	"errors"
	"strings"
	"testing"

	"bindery/shared/core/provision"
)

// What is not as RFC 7643 and RFC 7644 have a body is refused to a strict client, and of a
// tolerant one it is taken for what it means, or ignored, with a note.
func TestBodiesOfStrictClients(t *testing.T) {
	t.Parallel()
	user := `"` + schemaUser + `"`
	for _, tt := range []struct {
		sent, kept string
		keyword    string // to a strict client; "" is the same
	}{
		{`"schemas":[` + user + `,` + ent + `],` + ent + `:{"department":"x"}`, ent + `:{"department":"x"}`, ""},
		{`"schemas":[` + user + `],` + ent + `:{"department":"x"}`, ent + `:{"department":"x"}`, ""}, // which README says
		{`"schemas":[` + ent + `],"title":"T"`, `"title":"T"`, typeInvalidSyntax},
		{`"schemas":[` + user + `,` + strings.ToUpper(user) + `],"title":"T"`, `"title":"T"`, typeInvalidSyntax},
		{`"schemas":[],"title":"T"`, `"title":"T"`, typeInvalidSyntax},
		{`"schemas":[` + user + `],` + ent + `:[{"department":"x"}]`, ent + `:{"department":"x"}`, typeInvalidValue},
		{`"schemas":[` + user + `],` + ent + `:[]`, ``, ""},
		{`"schemas":[` + user + `],"name.givenName":"G"`, `"name":{"givenName":"G"}`, typeInvalidSyntax},
		{`"schemas":[` + user + `],"` + schemaUser + `:title":"T"`, `"title":"T"`, typeInvalidSyntax},
		{`"schemas":[` + user + `],"` + schemaEnterprise + `:department":"x"`, ent + `:{"department":"x"}`, typeInvalidSyntax},
		{`"schemas":[` + user + `],"department":"x"`, ent + `:{"department":"x"}`, typeInvalidSyntax},
		{`"schemas":[` + user + `],"/title":"T"`, `"title":"T"`, typeInvalidSyntax},
		{`"schemas":[` + user + `],"TITLE":"T"`, `"title":"T"`, ""}, // RFC 7643, 2.1
		{`"schemas":[` + user + `],"emails":[{"value":"a@x.example"}],"emails.value":"b@x.example"`, `"emails":[{"value":"a@x.example"}]`, typeInvalidSyntax},
		{`"schemas":[` + user + `],"addresses.locality":"Ulm"`, ``, typeInvalidSyntax},
	} {
		for _, strict := range []bool{false, true} {
			n := &notes{strict: strict}
			doc, err := users.normalise(document(t, `{`+tt.sent+`}`), n)
			if strict && tt.keyword != "" {
				if p, is := errors.AsType[*Problem](err); !is || p.Type != tt.keyword || p.Status != 400 {
					t.Errorf("%s, strict: %v", tt.sent, err)
				}
				continue
			}
			if err != nil || !equal(doc, document(t, `{`+tt.kept+`}`)) || (len(n.list) > 0) != (tt.keyword != "") {
				t.Errorf("%s, strict %t: %s, %v, %q", tt.sent, strict, printed(t, doc), err, n.list)
			}
		}
	}
}

// Java's SCIM SDK sends what has no path as a list of one, of groups as well.
func TestPatchOfGroupAsList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	a, b := w.make("a@x.example"), w.make("b@x.example")
	id := w.group("G", a)
	r := w.want(200, "PATCH", "/Groups/"+id, patchOf(`{"op":"add","value":["{\"id\":\"`+id+`\",\"displayName\":\"H\",\"members\":[{\"value\":\"`+b+`\"}]}"]}`))
	if in := w.in(id); r.body.text("displayName") != "H" || len(in) != 2 {
		t.Errorf("%v, %s", in, r.Body)
	}
	w.want(409, "PATCH", "/Users/"+a, patchOf(`{"op":"replace","value":[{"userName":"b@x.example"}]}`))
	if sent := w.lastRequest().Sent; sent != "b@x.example" {
		t.Errorf("the log names %q", sent)
	}
}
