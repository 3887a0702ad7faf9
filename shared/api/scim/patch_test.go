package scim

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

const (
	ent  = `"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`
	base = `{"userName":"u@x.example","title":"CEO","name":{"givenName":"G","familyName":"F"},"emails":[{"type":"work","value":"u@x.example","primary":true},{"type":"home","value":"h@x.example"}],` +
		ent + `:{"department":"d","manager":{"value":"usr_9"}}}`
)

type patchCase struct {
	name, ops, want string
	refused         string // to a strict client; "" is the same
}

// Each of the operations of a PATCH in the forms that clients send, with the document that
// it leaves of base: members that are not in want are as they were, null are gone.
var patches = []patchCase{
	{"boolean", `{"op":"Replace","path":"active","value":false}`, `{"active":false}`, ""},
	{"text False", `{"op":"Replace","path":"active","value":"False"}`, `{"active":false}`, typeInvalidValue},
	{"list of one", `{"op":"replace","path":"active","value":[false]}`, `{"active":false}`, typeInvalidValue},
	{"without path", `{"op":"replace","value":{"active":false}}`, `{"active":false}`, ""},
	{"dotted and URN keys", `{"op":"replace","value":{"displayName":"B","name.givenName":"K","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber":"A"}}`,
		`{"displayName":"B","name":{"givenName":"K","familyName":"F"},` + ent + `:{"department":"d","manager":{"value":"usr_9"},"employeeNumber":"A"}}`, ""},
	{"extension object", `{"op":"add","value":{` + ent + `:{"employeeNumber":7}}}`, `{` + ent + `:{"department":"d","manager":{"value":"usr_9"},"employeeNumber":"7"}}`, typeInvalidValue},
	{"core URN as path", `{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User","value":{"active":false}}`, `{"active":false}`, typeInvalidPath},
	{"core URN key", `{"op":"replace","value":{"urn:ietf:params:scim:schemas:core:2.0:User:active":false}}`, `{"active":false}`, ""},
	{"manager as text", `{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":"usr_1"}`, `{` + ent + `:{"department":"d","manager":{"value":"usr_1"}}}`, typeInvalidValue},
	{"manager as list", `{"op":"Add","path":"manager","value":[{"$ref":"http://x/Users/usr_1","value":"usr_1"}]}`, `{` + ent + `:{"department":"d","manager":{"value":"usr_1"}}}`, typeInvalidValue},
	{"manager emptied", `{"op":"Replace","path":"manager","value":""}`, `{` + ent + `:{"department":"d"}}`, ""},
	{"manager removed", `{"op":"remove","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"}`, `{` + ent + `:{"department":"d"}}`, ""},
	{"manager removed by value", `{"op":"remove","path":"manager[value eq \"usr_9\"]"}`, `{` + ent + `:{"department":"d"}}`, ""},
	{"another manager removed by value", `{"op":"remove","path":"manager[value eq \"usr_8\"]"}`, `{}`, typeNoTarget},
	{"a phone by type", `{"op":"Add","path":"phoneNumbers[type eq \"work\"].value","value":"+49"}`, `{"phoneNumbers":[{"type":"work","value":"+49"}]}`, ""},
	{"replace where nothing is", `{"op":"Replace","path":"phoneNumbers[type eq \"mobile\"].value","value":"+49 151"}`, `{"phoneNumbers":[{"type":"mobile","value":"+49 151"}]}`, typeNoTarget},
	{"a part in another case", `{"op":"Add","path":"addresses[type eq \"other\"].Formatted","value":"B1"}`, `{"addresses":[{"type":"other","formatted":"B1"}]}`, ""},
	{"a boolean in a filter, as text", `{"op":"Add","path":"roles[primary eq \"True\"].value","value":"admin"}`, `{"roles":[{"primary":true,"value":"admin"}]}`, ""},
	{"primary as text", `{"op":"Replace","path":"emails[type eq \"home\"].primary","value":"True"}`,
		`{"emails":[{"type":"work","value":"u@x.example","primary":false},{"type":"home","value":"h@x.example","primary":true}]}`, typeInvalidValue},
	{"by primary", `{"op":"replace","path":"emails[primary eq true].value","value":"v@x.example"}`, `{"emails":[{"type":"work","value":"v@x.example","primary":true},{"type":"home","value":"h@x.example"}]}`, ""},
	{"type in another case", `{"op":"replace","path":"emails[type eq \"WORK\"].value","value":"v@x.example"}`, `{"emails":[{"type":"work","value":"v@x.example","primary":true},{"type":"home","value":"h@x.example"}]}`, ""},
	{"a filter as key", `{"op":"replace","value":{"emails[type eq \"work\"].value":"n@x.example"}}`, `{"emails":[{"type":"work","value":"n@x.example","primary":true},{"type":"home","value":"h@x.example"}]}`, ""},
	{"a list added", `{"op":"add","path":"emails","value":[{"type":"other","value":"o@x.example","primary":true}]}`,
		`{"emails":[{"type":"work","value":"u@x.example","primary":false},{"type":"home","value":"h@x.example"},{"type":"other","value":"o@x.example","primary":true}]}`, ""},
	{"added again", `{"op":"add","path":"emails","value":[{"type":"home","value":"H@x.example"}]}`, `{"emails":[{"type":"work","value":"u@x.example","primary":true},{"type":"home","value":"H@x.example"}]}`, ""},
	{"a list replaced", `{"op":"replace","path":"emails","value":[{"value":"o@x.example"}]}`, `{"emails":[{"value":"o@x.example"}]}`, ""},
	{"an element removed", `{"op":"remove","path":"emails[type eq \"home\"]"}`, `{"emails":[{"type":"work","value":"u@x.example","primary":true}]}`, ""},
	{"an element's only value removed", `{"op":"remove","path":"emails[type eq \"home\"].value"}`, `{"emails":[{"type":"work","value":"u@x.example","primary":true}]}`, ""},
	{"some removed by value", `{"op":"Remove","path":"emails","value":[{"value":"h@x.example"}]}`, `{"emails":[{"type":"work","value":"u@x.example","primary":true}]}`, ""},
	{"all removed", `{"op":"remove","path":"emails"}`, `{"emails":null}`, ""},
	{"an element replaced by value", `{"op":"replace","path":"emails[value eq \"h@x.example\"]","value":{"value":"n@x.example","type":"home"}}`, `{"emails":[{"type":"work","value":"u@x.example","primary":true},{"type":"home","value":"n@x.example"}]}`, ""},
	{"its value replaced", `{"op":"replace","path":"emails[value eq \"h@x.example\"].value","value":"n@x.example"}`, `{"emails":[{"type":"work","value":"u@x.example","primary":true},{"type":"home","value":"n@x.example"}]}`, ""},
	{"an element replaced by type", `{"op":"replace","path":"emails[type eq \"home\"]","value":{"value":"n@x.example"}}`, `{"emails":[{"type":"work","value":"u@x.example","primary":true},{"type":"home","value":"n@x.example"}]}`, ""},
	{"an element replaced by a list", `{"op":"replace","path":"emails[type eq \"home\"]","value":[{"value":"n@x.example","type":"other"}]}`, `{"emails":[{"type":"work","value":"u@x.example","primary":true},{"type":"other","value":"n@x.example"}]}`, typeInvalidValue},
	{"several replaced by one", `{"op":"replace","path":"emails[value ew \"x.example\"]","value":{"value":"n@x.example","type":"work"}}`, `{"emails":[{"type":"work","value":"n@x.example"}]}`, ""},
	{"an element becomes another", `{"op":"replace","path":"emails[type eq \"home\"]","value":{"value":"U@x.example","type":"work"}}`, `{"emails":[{"type":"work","value":"U@x.example","primary":true}]}`, ""},
	{"an element that is not there replaced", `{"op":"replace","path":"emails[value eq \"z@x.example\"]","value":{"value":"n@x.example","type":"other"}}`, `{"emails":[{"type":"work","value":"u@x.example","primary":true},{"type":"home","value":"h@x.example"},{"type":"other","value":"n@x.example"}]}`, typeNoTarget},
	{"an element replaced by nothing", `{"op":"replace","path":"emails[type eq \"home\"]","value":null}`, `{"emails":[{"type":"work","value":"u@x.example","primary":true}]}`, ""},
	{"an address replaced", `{"op":"add","path":"addresses","value":[{"type":"work","locality":"Bonn","country":"DE"}]},{"op":"replace","path":"addresses[type eq \"work\"]","value":{"type":"work","locality":"Ulm"}}`, `{"addresses":[{"type":"work","locality":"Ulm"}]}`, ""},
	{"a phone replaced by value", `{"op":"add","path":"phoneNumbers","value":[{"type":"work","value":"1"},{"type":"mobile","value":"2"}]},{"op":"replace","path":"phoneNumbers[value eq \"2\"]","value":{"value":"3","type":"mobile"}}`, `{"phoneNumbers":[{"type":"work","value":"1"},{"type":"mobile","value":"3"}]}`, ""},
	{"a complex attribute is merged", `{"op":"replace","path":"name","value":{"givenName":"K"}}`, `{"name":{"givenName":"K","familyName":"F"}}`, ""},
	{"empty texts", `{"op":"replace","value":{"title":"","nickName":""}}`, `{"title":null}`, ""},
	{"odd case", `{"op":"REPLACE","path":"Name.GivenName","value":"Zoë"}`, `{"name":{"givenName":"Zoë","familyName":"F"}}`, ""},
	{"JSON Patch's path", `{"op":"replace","path":"/displayName","value":"D"}`, `{"displayName":"D"}`, ""},
	{"dot after the URN", `{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.department","value":"R&D"}`, `{` + ent + `:{"department":"R&D","manager":{"value":"usr_9"}}}`, ""},
	// Built part by part, in whatever order: Entra's mappings send display, primary and type before value.
	{"a value part by part", `{"op":"Add","path":"roles[primary eq \"True\"].display","value":"D"},{"op":"Add","path":"roles[primary eq \"True\"].type","value":"T"},{"op":"Add","path":"roles[primary eq \"True\"].value","value":"V"}`,
		`{"roles":[{"primary":true,"display":"D","type":"T","value":"V"}]}`, ""},
	{"primary before value", `{"op":"add","path":"phoneNumbers[type eq \"work\"].primary","value":true},{"op":"add","path":"phoneNumbers[type eq \"work\"].value","value":"1"}`, `{"phoneNumbers":[{"type":"work","primary":true,"value":"1"}]}`, ""},
	{"primary before the place", `{"op":"add","path":"addresses[type eq \"work\"].primary","value":true},{"op":"add","path":"addresses[type eq \"work\"].locality","value":"Ulm"}`, `{"addresses":[{"type":"work","primary":true,"locality":"Ulm"}]}`, ""},
	{"the new primary one, part by part", `{"op":"add","path":"emails[type eq \"other\"].primary","value":true},{"op":"add","path":"emails[type eq \"other\"].value","value":"o@x.example"}`,
		`{"emails":[{"type":"work","value":"u@x.example","primary":false},{"type":"home","value":"h@x.example"},{"type":"other","primary":true,"value":"o@x.example"}]}`, ""},
	{"as an element, then its value", `{"op":"add","path":"ims[type eq \"aim\"]","value":{"primary":true}},{"op":"add","path":"ims[type eq \"aim\"].value","value":"u"}`, `{"ims":[{"type":"aim","primary":true,"value":"u"}]}`, ""},
	{"taken away and put back", `{"op":"remove","path":"emails[type eq \"work\"].value"},{"op":"add","path":"emails[type eq \"work\"].value","value":"v@x.example"}`,
		`{"emails":[{"type":"work","primary":true,"value":"v@x.example"},{"type":"home","value":"h@x.example"}]}`, ""},
	{"emptied and filled", `{"op":"replace","path":"emails[type eq \"work\"].value","value":""},{"op":"replace","path":"emails[type eq \"work\"].value","value":"v@x.example"}`,
		`{"emails":[{"type":"work","primary":true,"value":"v@x.example"},{"type":"home","value":"h@x.example"}]}`, ""},
	{"made and taken back", `{"op":"add","path":"ims[type eq \"aim\"].value","value":"u"},{"op":"remove","path":"ims[type eq \"aim\"].value"}`, `{}`, ""},
	{"primary of a value that is there", `{"op":"add","path":"emails[type eq \"home\"]","value":{"primary":true}}`,
		`{"emails":[{"type":"work","value":"u@x.example","primary":false},{"type":"home","value":"h@x.example","primary":true}]}`, ""},
	{"display alone", `{"op":"add","path":"ims[type eq \"aim\"].display","value":"D"}`, `{"ims":[{"type":"aim","display":"D"}]}`, ""},
	{"a list with display alone", `{"op":"add","path":"roles","value":[{"display":"D"}]}`, `{"roles":[{"display":"D"}]}`, ""},
	{"a value taken away, display stays", `{"op":"add","path":"roles","value":[{"display":"D","value":"V"}]},{"op":"remove","path":"roles[value eq \"V\"].value"}`, `{"roles":[{"display":"D"}]}`, ""},
	{"values that become one", `{"op":"add","path":"addresses","value":[{"type":"work","locality":"Bonn","country":"DE"},{"type":"work","locality":"Ulm","country":"DE"}]},{"op":"remove","path":"addresses.locality"}`, `{"addresses":[{"type":"work","country":"DE"}]}`, ""},
	{"values that become one by two steps", `{"op":"add","path":"addresses","value":[{"type":"work","country":"DE","locality":"B"}]},{"op":"add","path":"addresses","value":[{"type":"work","country":"FR"}]},{"op":"replace","path":"addresses[type eq \"work\"].country","value":"US"},{"op":"remove","path":"addresses[type eq \"work\"].locality"}`,
		`{"addresses":[{"type":"work","country":"US"}]}`, ""},
	{"several that become one", `{"op":"add","path":"roles","value":[{"type":"x","value":"a"},{"type":"x","value":"b"},{"type":"y","value":"c"}]},{"op":"replace","path":"roles.value","value":"d"}`,
		`{"roles":[{"type":"x","value":"d"},{"type":"y","value":"d"}]}`, ""},
	{"primary alone, and the primary one edited", `{"op":"add","path":"roles","value":[{"type":"a","value":"A","primary":true},{"type":"b","value":"B"}]},{"op":"add","path":"roles[type eq \"x\"].primary","value":true},{"op":"add","path":"roles[type eq \"x\"].value","value":""},{"op":"replace","path":"roles[type eq \"a\"].value","value":"A2"}`,
		`{"roles":[{"type":"a","value":"A2","primary":true},{"type":"b","value":"B"}]}`, ""},
	{"primary alone, and taken away", `{"op":"add","path":"emails","value":[{"type":"home","value":"h@x.example","primary":true}]},{"op":"add","path":"emails[type eq \"other\"].primary","value":true},{"op":"remove","path":"emails[type eq \"other\"]"}`,
		`{"emails":[{"type":"work","value":"u@x.example","primary":false},{"type":"home","value":"h@x.example","primary":true}]}`, ""},
	{"primary alone", `{"op":"add","path":"emails[type eq \"other\"].primary","value":true}`, `{}`, typeInvalidValue},
	{"an address by its display alone", `{"op":"add","path":"emails[type eq \"other\"].display","value":"D"}`, `{}`, typeInvalidValue},
	{"a type alone", `{"op":"add","path":"phoneNumbers","value":[{"type":"work"}]}`, `{}`, typeInvalidValue},
	{"a value that is none", `{"op":"add","path":"phoneNumbers","value":[{"type":"work","value":""}]}`, `{}`, ""},
	{"a part that is none, where nothing is", `{"op":"add","path":"phoneNumbers[type eq \"work\"].value","value":""},{"op":"add","path":"phoneNumbers[type eq \"fax\"].value","value":null},{"op":"add","path":"addresses[type eq \"work\"].locality","value":""}`, `{}`, ""},
	{"a value that is none, where nothing is", `{"op":"add","path":"phoneNumbers[type eq \"work\"]","value":{"value":""}},{"op":"add","path":"emails[type eq \"other\"]","value":{"type":"other","value":null}}`, `{}`, ""},
	{"a part that is none, replaced where nothing is", `{"op":"replace","path":"phoneNumbers[type eq \"work\"].value","value":""}`, `{}`, typeNoTarget},
	{"a value replaced by one that is none", `{"op":"replace","path":"emails[type eq \"home\"]","value":{"value":""}}`, `{"emails":[{"type":"work","value":"u@x.example","primary":true}]}`, ""},
	{"an address that is none, with its display", `{"op":"replace","path":"emails[type eq \"home\"]","value":{"value":"","display":"D"}}`, `{"emails":[{"type":"work","value":"u@x.example","primary":true}]}`, typeInvalidValue},
	{"a value replaced by one that is none, as a list", `{"op":"replace","path":"emails[type eq \"home\"]","value":[{"value":""}]}`, `{"emails":[{"type":"work","value":"u@x.example","primary":true}]}`, typeInvalidValue},
	{"whether one is primary is none, where nothing is", `{"op":"add","path":"phoneNumbers[type eq \"work\"].primary","value":""}`, `{}`, typeInvalidValue},
	{"a value replaced by its type alone", `{"op":"replace","path":"emails[type eq \"home\"]","value":{"primary":false}}`, `{"emails":[{"type":"work","value":"u@x.example","primary":true}]}`, typeInvalidValue},
	{"two references that differ in letter case", `{"op":"add","path":"photos","value":[{"type":"photo","value":"https://x.example/a"}]},{"op":"add","path":"photos","value":[{"type":"photo","value":"https://x.example/A"}]}`,
		`{"photos":[{"type":"photo","value":"https://x.example/a"},{"type":"photo","value":"https://x.example/A"}]}`, ""},
	{"a certificate that is none", `{"op":"add","path":"x509Certificates","value":[{"value":"MIIB","type":"a"},{"value":"no, none"}]},{"op":"replace","path":"x509Certificates[type eq \"a\"].value","value":"!"}`,
		`{"x509Certificates":[{"value":"MIIB","type":"a"}]}`, typeInvalidValue},
	{"an extension as a list", `{"op":"add","value":{` + ent + `:[{"department":"x"}]}}`, `{` + ent + `:{"department":"x","manager":{"value":"usr_9"}}}`, typeInvalidValue},
	{"an extension as a list, by path", `{"op":"replace","path":` + ent + `,"value":[{"department":"x"}]}`, `{` + ent + `:{"department":"x","manager":{"value":"usr_9"}}}`, typeInvalidValue},
	{"an extension replaced by nothing", `{"op":"replace","value":{` + ent + `:null}}`, `{` + ent + `:null}`, ""},
	{"nothing of an extension added", `{"op":"add","path":` + ent + `,"value":[]}`, `{}`, ""},
	{"an unknown member of an operation", `{"op":"add","path":"title","value":"T","from":"nickName"}`, `{"title":"T"}`, typeInvalidSyntax},
	// As Java's SCIM SDK sends what has no path.
	{"without path, as a list", `{"op":"replace","value":[{"schemas":["x"],"displayName":"D","title":"A"},{"title":"B"}]}`, `{"displayName":"D","title":"B"}`, typeInvalidValue},
	{"without path, as text", `{"op":"replace","value":"{\"displayName\":\"D\"}"}`, `{"displayName":"D"}`, typeInvalidValue},
	{"without path, as texts", `{"op":"replace","value":["{\"displayName\":\"D\"}"]}`, `{"displayName":"D"}`, typeInvalidValue},
	{"core URN as path, as a list", `{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User","value":[{"active":false}]}`, `{"active":false}`, typeInvalidPath},
	{"an extension as text", `{"op":"add","path":` + ent + `,"value":["{\"department\":\"x\"}"]}`, `{` + ent + `:{"department":"x","manager":{"value":"usr_9"}}}`, typeInvalidValue},
	{"an unknown extension", `{"op":"replace","path":"urn:ietf:params:scim:schemas:extension:acme:2.0:User:badge","value":"x"}`, `{}`, typeInvalidPath},
	{"read-only", `{"op":"replace","path":"id","value":"9"}`, `{}`, typeMutability},
	{"groups are read-only", `{"op":"add","path":"groups","value":[{"value":"g"}]}`, `{}`, typeMutability},
	{"a password", `{"op":"replace","path":"password","value":"secret"}`, `{}`, ""},
	{"an extension removed", `{"op":"remove","path":` + ent + `}`, `{` + ent + `:null}`, ""},
	{"two, the second of what the first made", `{"op":"add","path":"title","value":"A"},{"op":"remove","path":"title"}`, `{"title":null}`, ""},
}

// Likewise, of a value that is made the primary one and says nothing at that moment.
var loans = []patchCase{
	{"primary alone, and the primary one merged", `{"op":"add","path":"emails[type eq \"other\"].primary","value":true},{"op":"add","path":"emails","value":[{"type":"work","value":"u@x.example","display":"U"}]}`,
		`{"emails":[{"type":"work","value":"u@x.example","primary":true,"display":"U"},{"type":"home","value":"h@x.example"}]}`, typeInvalidValue},
	{"primary alone, twice", `{"op":"add","path":"emails[type eq \"other\"].primary","value":true},{"op":"add","path":"emails[type eq \"x\"].primary","value":true}`, `{}`, typeInvalidValue},
	{"primary alone, and of the other that it is not", `{"op":"add","path":"emails[type eq \"other\"].primary","value":true},{"op":"replace","path":"emails[type eq \"work\"].primary","value":false},{"op":"remove","path":"emails[type eq \"other\"]"}`,
		`{"emails":[{"type":"work","value":"u@x.example","primary":false},{"type":"home","value":"h@x.example"}]}`, ""},
	{"primary alone, then by primary", `{"op":"add","path":"emails[type eq \"other\"].primary","value":true},{"op":"replace","path":"emails[type eq \"work\"].value","value":"v@x.example"},{"op":"add","path":"emails[primary eq true].value","value":"o@x.example"}`,
		`{"emails":[{"type":"work","value":"v@x.example","primary":false},{"type":"home","value":"h@x.example"},{"type":"other","value":"o@x.example","primary":true}]}`, ""},
}

func patched(t testing.TB, ops string, strict bool) (*object, *notes, error) {
	t.Helper()
	n := &notes{strict: strict}
	list, err := readOperations(document(t, `{"schemas":["`+schemaPatch+`"],"Operations":[`+ops+`]}`), n)
	if err != nil {
		return nil, n, err
	}
	if list, err = users.ofItself(list, n); err != nil {
		return nil, n, err
	}
	doc := document(t, base)
	steps, err := users.steps(list, n)
	if err == nil {
		err = users.patch(doc, steps, n)
	}
	return doc, n, err
}

func TestPatch(t *testing.T) {
	t.Parallel()
	for _, tt := range slices.Concat(patches, loans) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := document(t, base)
			for _, m := range document(t, tt.want).members {
				want.set(m.name, m.value)
			}
			doc, notes, err := patched(t, tt.ops, false)
			if err != nil {
				t.Fatal(err)
			}
			if !equal(doc, want) {
				t.Errorf("got %s\nwant %s", printed(t, doc), printed(t, want))
			}
			if (tt.refused != "") != (len(notes.list) > 0) && tt.name != "a password" {
				t.Errorf("notes: %q", notes.list)
			}
			doc, _, err = patched(t, tt.ops, true)
			p, is := errors.AsType[*Problem](err)
			switch {
			case tt.refused == "" && (err != nil || !equal(doc, want)):
				t.Errorf("strict: %v", err)
			case tt.refused != "" && (!is || p.Type != tt.refused || p.Status != 400):
				t.Errorf("strict: %v, want %s", err, tt.refused)
			}
		})
	}
}

// The parts of a value may come in any order, whatever attribute it is of.
func TestPartsInAnyOrder(t *testing.T) {
	t.Parallel()
	for _, a := range userAttributes {
		if !a.multi || a.readOnly() {
			continue
		}
		var parts []string
		want := obj("type", "other")
		for _, sub := range a.sub {
			var v any = "QUJD" // of any kind but these
			switch {
			case sub.name == "type":
				continue
			case sub.kind == kindBoolean:
				v = true
			}
			want.set(sub.name, v)
			value := printed(t, obj("value", v))
			parts = append(parts, `{"op":"add","path":"`+a.name+`[type eq \"other\"].`+sub.name+`",`+value[1:])
		}
		for range parts {
			for range 2 {
				for _, strict := range []bool{false, true} {
					doc, n, err := patched(t, strings.Join(parts, ","), strict)
					if err != nil || len(n.list) > 0 {
						t.Fatalf("%s: %v, %q", parts, err, n.list)
					}
					list := elements(doc.get(a.name))
					if !equal(list[len(list)-1], want) {
						t.Errorf("%s, strict %t: %s", parts, strict, printed(t, doc))
					}
				}
				slices.Reverse(parts)
			}
			parts = append(parts[1:], parts[0])
		}
	}
}

// A remove takes away what its value names, be it nothing: all go by one that has no value.
func TestRemoveOfNothing(t *testing.T) {
	t.Parallel()
	for _, value := range []string{`[]`, `null`, `""`, `[null]`, `[""]`, `[{"value":null}]`, `[{"type":"work"}]`, `[{"unknown":"x"}]`, `{}`} {
		for _, strict := range []bool{false, true} {
			doc, n, err := patched(t, `{"op":"remove","path":"emails","value":`+value+`}`, strict)
			if p, is := errors.AsType[*Problem](err); strict && is && p.Status == 400 && (strings.Contains(value, "unknown") || strings.Contains(value, "type") || value == `{}`) {
				continue
			}
			if err != nil || !equal(doc, document(t, base)) || len(n.list) == 0 {
				t.Errorf("%s: %v, %v, %q", value, err, printed(t, doc), n.list)
			}
		}
	}
}

func printed(t testing.TB, o *object) string {
	t.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestPatchRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ ops, keyword string }{
		{`{"op":"replace","path":"emails[type eq","value":"x"}`, typeInvalidPath},
		{`{"op":"move","path":"title","value":"A"}`, typeInvalidSyntax},
		{`{"op":"remove"}`, typeNoTarget},
		{`{"op":"replace","value":"x"}`, typeInvalidValue},
		{`{"op":"replace","value":[]}`, typeInvalidValue},
		{`{"op":"replace","value":[{"title":"A"},7]}`, typeInvalidValue},
		{`{"op":"replace","value":"{\"title\":"}`, typeInvalidValue},
		{`{"op":"replace","value":"[{\"title\":\"A\"}]"}`, typeInvalidValue},
		{`{"op":"replace","value":[[{"title":"A"}]]}`, typeInvalidValue},
		{`{"op":"add","path":` + ent + `,"value":7}`, typeInvalidValue},
		{`{"op":"replace","path":"title"}`, typeInvalidValue},
		{`{"op":"replace","path":"title","value":{"a":1}}`, typeInvalidValue},
		{`{"op":"replace","path":"title","value":["a","b"]}`, typeInvalidValue},
		{`{"op":"replace","path":"active","value":"maybe"}`, typeInvalidValue},
		{`{"op":"replace","path":7,"value":"x"}`, typeInvalidPath},
		{`"x"`, typeInvalidSyntax},
	} {
		_, _, err := patched(t, tt.ops, false)
		if p, is := errors.AsType[*Problem](err); !is || p.Type != tt.keyword {
			t.Errorf("%s: %v, want %s", tt.ops, err, tt.keyword)
		}
	}
	for _, body := range []string{`{}`, `{"Operations":{}}`} {
		if _, err := readOperations(document(t, body), &notes{}); err == nil {
			t.Errorf("%s was taken", body)
		}
	}
}

// Whatever the operations, a document stays one that a PUT would leave as it is.
func FuzzPatch(f *testing.F) {
	for _, tt := range slices.Concat(patches, loans) {
		f.Add(tt.ops)
	}
	f.Fuzz(func(t *testing.T, ops string) {
		body, err := readObject([]byte(`{"Operations":[` + ops + `]}`))
		if err != nil {
			return
		}
		body.set("schemas", []any{schemaPatch})
		for _, strict := range []bool{false, true} {
			n := &notes{strict: strict}
			list, err := readOperations(body, n)
			if err != nil {
				continue
			}
			doc := document(t, base)
			steps, err := users.steps(list, n)
			if err != nil || users.patch(doc, steps, n) != nil {
				continue
			}
			put := doc.clone()
			put.set("schemas", []any{schemaUser})
			again, err := users.normalise(put, &notes{strict: strict})
			if err != nil || !equal(again, doc) {
				t.Fatalf("%s made, strict %t, %s, which a PUT makes %s (%v)", ops, strict, printed(t, doc), printed(t, again), err)
			}
		}
	})
}

func FuzzDocument(f *testing.F) {
	f.Add(ann)
	f.Add(base)
	f.Add(`{"emails.value":"a@x.example","addresses":[{"locality":"Ulm","primary":true}],"name.givenName":"G"}`)
	f.Add(`{"a":[1,2.5e3,{"b":null}],"c":"<&>\u2028"}`)
	f.Fuzz(func(t *testing.T, s string) {
		o, err := readObject([]byte(s))
		if err != nil {
			return
		}
		again, err := readObject([]byte(printed(t, o)))
		if err != nil || !equal(o, again) {
			t.Fatalf("%q, written %q: %v", s, printed(t, o), err)
		}
		doc, err := users.normalise(o, &notes{})
		if err != nil {
			return
		}
		texts(userMapping, doc)
		if kept, err := users.normalise(doc, &notes{}); err != nil || !equal(kept, doc) {
			t.Fatalf("%q is kept as %s, and that as %s (%v)", s, printed(t, doc), printed(t, kept), err)
		}
	})
}

func TestReadObject(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "{", "[]", "7", `{"a":1}{}`, `{"a":1,"A":2}`, strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), `{"a":1,}`} {
		if _, err := readObject([]byte(s)); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}
