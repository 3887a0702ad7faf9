package scimtest

import (
	"net/http"
	"strings"
	"testing"
)

// fact is one assertion on an answer: what is at a path of the body ("" is the status, in
// text), and what it must be.
type fact struct {
	path string
	is   func(got any) bool
	what string
}

func answers(status string) fact { return equals("", status) }
func equals(path, text string) fact {
	return fact{path, func(got any) bool { return (object{"it": got}).text("it") == text }, "equals " + text}
}
func notEmpty(path string) fact {
	return fact{path, func(got any) bool {
		switch v := got.(type) {
		case nil:
			return false
		case string:
			return v != ""
		case []any:
			return len(v) > 0
		}
		return true
	}, "is not empty"}
}
func number(path string) fact {
	return fact{path, func(got any) bool { _, is := got.(float64); return is }, "is a number"}
}
func lists(path, text string) fact {
	return fact{path, func(got any) bool { return (object{"it": got}).has("it", text) }, "has " + text}
}

// Okta asserts what Okta's own test of a server for its catalogue does ("Okta SCIM 2.0 SPEC
// Test", okta/okta-developer-docs, Okta-SCIM-20-SPEC-Test.json, as of 2024-05): 12 requests
// with 53 assertions, of which one is what a script asks of the groups. It wants one user
// with a name, an e-mail address and a state to be there. The one on how long an answer
// takes is left to the bench.
func Okta(t *testing.T, open func(t *testing.T) *Server) {
	s := open(t)
	s.make("there@okta.example", `,"name":{"givenName":"Test","familyName":"User"},"emails":[{"primary":true,"type":"work","value":"there@okta.example"}],"active":true`)
	const (
		name  = "Runscope300Kj@okta.example"
		email = "runscope@okta.example"
		body  = `{"schemas":["` + schemaUser + `"],"userName":"` + name + `","name":{"givenName":"Given","familyName":"Family"},"emails":[{"primary":true,"value":"` + email + `","type":"work"}],"displayName":"Given Family","active":true}`
	)
	one := func(of, id string) []fact {
		facts := []fact{answers("200")}
		for _, path := range []string{"id", "name/familyName", "name/givenName", "userName", "active", "emails/0/value"} {
			facts = append(facts, notEmpty(of+path))
		}
		if id != "" {
			facts = append(facts, equals(of+"id", id))
		}
		return facts
	}
	byName := func(name string) string { return "/Users?filter=userName%20eq%20%22" + name + "%22" }
	var there, made string
	asserted := 0
	for _, step := range []struct {
		note, method, path, body, token string
		facts                           func() []fact
		keep                            func(r reply)
	}{
		{note: "users are listed", path: "/Users?count=1&startIndex=1", facts: func() []fact {
			return append(one("Resources/0/", ""), notEmpty("Resources"), lists("schemas", schemaList), number("itemsPerPage"), number("startIndex"), number("totalResults"))
		}, keep: func(r reply) { there = r.body.text("Resources/0/id") }},
		{note: "one is read", path: "/Users/{there}", facts: func() []fact { return one("", there) }},
		{note: "nobody has a name", path: byName("abcdefgh@atko.com"), facts: func() []fact {
			return []fact{answers("200"), lists("schemas", schemaList), equals("totalResults", "0")}
		}},
		{note: "nobody has an id", path: "/Users/010101001010101011001010101011", facts: func() []fact {
			return []fact{answers("404"), notEmpty("detail"), lists("schemas", schemaError)}
		}},
		{note: "nobody has the new name", path: byName(email), facts: func() []fact {
			return []fact{answers("200"), equals("totalResults", "0"), lists("schemas", schemaList)}
		}},
		{note: "a user is made", method: "POST", path: "/Users", body: body, facts: func() []fact {
			return []fact{answers("201"), equals("active", "true"), notEmpty("id"), equals("name/familyName", "Family"), equals("name/givenName", "Given"), lists("schemas", schemaUser), equals("userName", name)}
		}, keep: func(r reply) { made = r.body.text("id") }},
		{note: "the user is there", path: "/Users/{made}", facts: func() []fact {
			return []fact{answers("200"), equals("userName", name), equals("name/familyName", "Family"), equals("name/givenName", "Given")}
		}},
		{note: "the user is not made twice", method: "POST", path: "/Users", body: strings.Replace(body, email, name, 1), facts: func() []fact { return []fact{answers("409")} }},
		{note: "the letter case of a name does not count", path: byName(strings.ToUpper(name)), facts: func() []fact { return []fact{answers("200")} }},
		{note: "groups are listed", path: "/Groups", facts: func() []fact {
			return []fact{answers("200"), {"Resources", func(got any) bool { _, is := got.([]any); return is }, "is a list"}}
		}},
		{note: "a wrong token", path: byName(strings.ToUpper(name)), token: "non-token", facts: func() []fact {
			return []fact{answers("401"), notEmpty("detail"), equals("status", "401"), lists("schemas", schemaError)}
		}},
		{note: "another id that nobody has", path: "/Users/00919288221112222", facts: func() []fact {
			return []fact{answers("404"), notEmpty("detail"), equals("status", "404"), lists("schemas", schemaError)}
		}},
	} {
		token := s.Token
		if step.token != "" {
			s.Token = step.token
		}
		path := strings.NewReplacer("{there}", there, "{made}", made).Replace(step.path)
		var body any
		if step.body != "" {
			body = step.body
		}
		r := s.send(or(step.method, http.MethodGet), path, body, "Accept", "application/scim+json", "Accept-Charset", "utf-8", "User-Agent", "OKTA SCIM Integration")
		s.Token = token
		if step.keep != nil {
			step.keep(r)
		}
		for _, f := range step.facts() {
			asserted++
			var got any = float64(r.Code)
			if f.path != "" {
				got = r.body.get(f.path)
			}
			if !f.is(got) {
				t.Errorf("%s: %s is %v, which must be: %s", step.note, or(f.path, "the status"), got, f.what)
			}
		}
	}
	if asserted != 52 { // with that of the script, and without the time
		t.Errorf("%d assertions were made, want 52", asserted)
	}
}
