package scim

import (
	"maps"
	"testing"

	"bindery/shared/directory"
)

func same(_, text string) string { return text }

// Each attribute of a user that SCIM feeds is shown, and read of what is shown.
func TestMappingRoundTrip(t *testing.T) {
	t.Parallel()
	p := directory.Profile{State: directory.StateActive}
	want := map[string]string{"state": "active"}
	for i := range userMapping {
		path := userMapping[i].path
		text := path + "@x.example"
		want[path] = text
		if a, known := directory.AttributeAt(path); known {
			a.SetText(&p, text)
		} else {
			p.CustomAttributes = map[string]string{"division": text}
		}
	}
	shown := overlay(userMapping, &object{}, &p, nil, same)
	if got := texts(userMapping, shown); !maps.Equal(got, want) {
		t.Errorf("%s\nreads as %v\nwant %v", printed(t, shown), got, want)
	}
	if again := overlay(userMapping, shown, &p, nil, same); !equal(again, shown) {
		t.Errorf("shown again: %s", printed(t, again))
	}
	gone := overlay(userMapping, shown, &directory.Profile{State: directory.StateSuspended}, nil, same)
	if got := texts(userMapping, gone); !maps.Equal(got, map[string]string{"state": "suspended"}) || printed(t, gone) != `{"active":false}` {
		t.Errorf("of a user without anything: %s reads as %v", printed(t, gone), got)
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ doc, path, want string }{
		{`{"userName":"a@x.example"}`, "email", "a@x.example"},
		{`{"userName":"a"}`, "email", ""},
		{`{"emails":[{"value":"h@x","type":"home"},{"value":"w@x","type":"Work"}]}`, "email", "w@x"},
		{`{"emails":[{"value":"h@x","type":"home"},{"value":"w@x","type":"work"}]}`, "alternateEmail", "h@x"},
		{`{"emails":[{"value":"h@x","type":"home"}]}`, "alternateEmail", ""},
		{`{"emails":[{"value":"h@x","type":"home"}]}`, "email", "h@x"},
		{`{"emails":[{"value":"w@x","type":"work"},{"value":"p@x","primary":true},{"value":"o@x","type":"other"}]}`, "email", "p@x"},
		{`{"emails":[{"value":"w@x","type":"work"},{"value":"p@x","primary":true},{"value":"o@x","type":"other"}]}`, "alternateEmail", "o@x"},
		{`{"name":{"formatted":"A B"}}`, "displayName", "A B"},
		{`{"displayName":"C","name":{"formatted":"A B"}}`, "displayName", "C"},
		{`{"phoneNumbers":[{"type":"work","value":"tel:+49 30"}]}`, "phones.work", "+49 30"},
		{`{"addresses":[{"type":"other","formatted":"B1"},{"locality":"Ulm"}]}`, "workAddress.city", "Ulm"},
		{`{"addresses":[{"type":"other","formatted":"B1","locality":"Ulm"}]}`, "workAddress.city", ""},
		{`{"addresses":[{"type":"other","formatted":" B1,\r\n\nHall 2\n"}]}`, "location", "B1, Hall 2"},
		{`{"addresses":[{"type":"work","streetAddress":"Main St 1\nSuite 4"}]}`, "workAddress.streetAddress", "Main St 1, Suite 4"},
		{`{"active":false}`, "state", "suspended"},
		{`{}`, "state", ""},
	} {
		if got := texts(userMapping, document(t, tt.doc))[tt.path]; got != tt.want {
			t.Errorf("%s: %s is %q, want %q", tt.doc, tt.path, got, tt.want)
		}
	}
}

// What the client sent is shown as it sent it, as long as it says what the user has.
func TestOverlayKeepsWhatWasSent(t *testing.T) {
	t.Parallel()
	doc := document(t, `{"userName":"a@x.example","phoneNumbers":[{"type":"work","value":"tel:+49 30"}],"preferredLanguage":"klingon","nickName":"A","active":true}`)
	p := directory.Profile{UserName: "a@x.example", Email: "a@x.example", Phones: directory.Phones{Work: "+49 30"}, State: directory.StateActive}
	if shown := overlay(userMapping, doc, &p, map[string]bool{"preferredLanguage": false}, same); !equal(shown, doc) {
		t.Errorf("shown as %s", printed(t, shown))
	}
	p.Phones.Work, p.State = "+49 31", directory.StateStaged
	want := document(t, `{"userName":"a@x.example","phoneNumbers":[{"type":"work","value":"+49 31"}],"nickName":"A","active":false}`)
	if shown := overlay(userMapping, doc, &p, nil, same); !equal(shown, want) {
		t.Errorf("what others set is shown as %s", printed(t, shown))
	}
}

func TestAddedMapping(t *testing.T) {
	t.Parallel()
	added := []directory.ScimMapping{{Schema: "urn:acme:User", Attribute: "badge", Path: "customAttributes.badge"}}
	doc, err := newUserType(added).normalise(document(t, `{"schemas":["urn:acme:User","`+schemaUser+`"],"userName":"a","urn:acme:User":{"Badge":"7"}}`), &notes{strict: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := texts(mappingWith(&directory.ScimClient{Mapping: added}), doc)["customAttributes.badge"]; got != "7" {
		t.Errorf("the badge is %q of %s", got, printed(t, doc))
	}
}

func TestNormalise(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ body, want string }{
		{`{"userName":"a","nickName":null,"title":"","roles":[],"phoneNumbers":[{"type":"work","value":null}],"name":{"givenName":null,"familyName":"f"}}`, `{"userName":"a","name":{"familyName":"f"}}`},
		{`{"username":"a","emails":["a@x.example"]}`, `{"userName":"a","emails":[{"value":"a@x.example"}]}`},
		{`{"emails":{"value":"o@l.example"}}`, `{"emails":[{"value":"o@l.example"}]}`},
		{`{"id":"9","meta":{"version":"1"},"groups":[{"value":"g"}],"password":"secret","x_custom":"1"}`, `{}`},
		{`{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":"m","shoe":"7"}}`, `{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"m"}}}`},
		{`{"emails":[{"value":"a@x","primary":true},{"value":"b@x","primary":"TRUE"}]}`, `{"emails":[{"value":"a@x","primary":true},{"value":"b@x","primary":false}]}`},
	} {
		doc, err := users.normalise(document(t, tt.body), &notes{})
		if err != nil || !equal(doc, document(t, tt.want)) {
			t.Errorf("%s is %s, want %s (%v)", tt.body, printed(t, doc), tt.want, err)
		}
	}
}

func TestProject(t *testing.T) {
	t.Parallel()
	doc := document(t, `{"schemas":["s"],"id":"1","userName":"a","name":{"givenName":"g","familyName":"f"},"emails":[{"value":"v","type":"work"}],`+ent+`:{"department":"d","costCenter":"c"},"meta":{"version":"1"}}`)
	for _, tt := range []struct{ attributes, excluded, want string }{
		{"", "", printed(t, doc)},
		{"userName, name.familyName", "", `{"schemas":["s"],"id":"1","userName":"a","name":{"familyName":"f"}}`},
		{"id", "", `{"schemas":["s"],"id":"1"}`},
		{"nothing", "", `{"schemas":["s"],"id":"1"}`},
		{"EMAILS.VALUE", "", `{"schemas":["s"],"id":"1","emails":[{"value":"v"}]}`},
		{"emails[type eq \"work\"]", "", `{"schemas":["s"],"id":"1","emails":[{"value":"v","type":"work"}]}`},
		{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "", `{"schemas":["s"],"id":"1",` + ent + `:{"department":"d"}}`},
		{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "", `{"schemas":["s"],"id":"1",` + ent + `:{"department":"d","costCenter":"c"}}`},
		{"", "emails,meta,id,name.givenName,costCenter,department", `{"schemas":["s"],"id":"1","userName":"a","name":{"familyName":"f"}}`},
	} {
		p, err := users.project([]string{tt.attributes}, []string{tt.excluded}, &notes{})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.of(users, doc); !equal(got, document(t, tt.want)) {
			t.Errorf("attributes=%s excluded=%s: %s", tt.attributes, tt.excluded, printed(t, got))
		}
	}
}
