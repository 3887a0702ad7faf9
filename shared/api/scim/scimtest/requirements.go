package scimtest

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// requirement is what an RFC asks of a server, with how to see it. The check returns what
// it looked at, for the report.
type requirement struct {
	section string // of RFC 7643 (S) or RFC 7644 (P)
	level   string
	what    string
	check   func(s *suite) (holds bool, got any)
}

// suite is a server with a source of names that nobody has.
type suite struct {
	*Server
	names int
}

func (s *suite) name() string {
	s.names++
	return fmt.Sprintf("r%d@suite.example", s.names)
}

// fresh makes a user and returns the answer.
func (s *suite) fresh(more ...string) reply {
	s.Helper()
	return s.want(201, "POST", "/Users", userBody(s.name(), more...))
}

// patched makes a user and patches it.
func (s *suite) patched(ops string, more ...string) (before, after reply) {
	s.Helper()
	before = s.fresh(more...)
	return before, s.send("PATCH", "/Users/"+before.body.text("id"), patchOf(ops))
}

// again reads what an answer has shown.
func (s *suite) again(r reply) reply {
	s.Helper()
	return s.want(200, "GET", "/Users/"+r.body.text("id"), nil)
}

func (s *suite) filtered(filter string) reply {
	return s.send("GET", "/Users?filter="+url.QueryEscape(filter), nil)
}

func primaries(r reply) int {
	n := 0
	for _, e := range r.body.list("emails") {
		if e["primary"] == true {
			n++
		}
	}
	return n
}

var (
	attributeName = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_-]*|\$ref|urn:[^ ]+)$`)
	dateTime      = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)
)

// requirements are those that a server without bulk, sort and /Me meets, by what the suite
// scim2/test-suite (Go, as of 2026-03) asserts of servers; it is not to be had as a module.
// What it asserts of resources of its own kind (/TestResources) has no place here, and its
// users, who have no e-mail address, have one here, as our schema requires.
var requirements = []requirement{
	{"S 2.1", "MUST", "an answer is JSON and names its schemas", func(s *suite) (bool, any) {
		r := s.fresh()
		return len(r.body) > 0 && r.body.has("schemas", schemaUser), r.Body
	}},
	{"S 2.1", "MUST", "names of attributes are of the ABNF's form", func(s *suite) (bool, any) {
		r := s.fresh()
		for name := range r.body {
			if !attributeName.MatchString(name) {
				return false, name
			}
		}
		return true, nil
	}},
	{"S 2.3.5", "MUST", "a dateTime has date, time and zone", func(s *suite) (bool, any) {
		got := s.fresh().body.text("meta/created")
		return dateTime.MatchString(got), got
	}},
	{"S 2.3.6", "MUST", "binary comes back in base64", func(s *suite) (bool, any) {
		r := s.fresh(`,"x509Certificates":[{"value":"aGVsbG8="}]`)
		return r.body.text("x509Certificates/0/value") == "aGVsbG8=", r.Body
	}},
	{"S 2.3.7", "MUST", "the reference of a member leads to the user", func(s *suite) (bool, any) {
		u := s.fresh().body.text("id")
		g := s.want(200, "GET", "/Groups/"+s.group(s.name(), u), nil)
		r := s.send("GET", g.body.text("members/0/$ref"), nil)
		return r.body.text("id") == u, r.Body
	}},
	{"S 2.3.8", "MUST NOT", "attributes come in any order", func(s *suite) (bool, any) {
		r := s.send("POST", "/Users", `{"emails":[{"value":"`+s.name()+`"}],"displayName":"Order","userName":"`+s.name()+`","schemas":["`+schemaUser+`"]}`)
		return r.Code == 201, r.Body
	}},
	{"S 2.4", "MUST", "one value at most is primary", func(s *suite) (bool, any) {
		r := s.send("POST", "/Users", userBody(s.name(), `,"emails":[{"value":"`+s.name()+`","primary":true},{"value":"`+s.name()+`","primary":true}]`))
		return r.Code == 400 || primaries(r) == 1, r.Body
	}},
	{"S 2.4", "SHOULD NOT", "a value of a type is there once", func(s *suite) (bool, any) {
		e := `{"value":"` + s.name() + `","type":"work"}`
		r := s.send("POST", "/Users", userBody(s.name(), `,"emails":[`+e+`,`+e+`]`))
		return r.Code == 400 || len(r.body.list("emails")) == 1, r.Body
	}},
	{"S 2.5", "MUST", "what was not sent has no value; null and [] are none", func(s *suite) (bool, any) {
		r := s.fresh(`,"title":null,"roles":[]`)
		return r.body["displayName"] == nil && r.body["title"] == nil && r.body["roles"] == nil, r.Body
	}},
	{"S 3", "MUST NOT", "no schema is named twice", func(s *suite) (bool, any) {
		s.want(400, "POST", "/Users", `{"schemas":["`+schemaUser+`","`+schemaUser+`"],"userName":"`+s.name()+`","emails":[{"value":"`+s.name()+`"}]}`)
		r := s.fresh("")
		seen := map[any]bool{}
		list, _ := r.body["schemas"].([]any)
		for _, v := range list {
			if seen[v] {
				return false, list
			}
			seen[v] = true
		}
		return len(list) > 0, list
	}},
	{"S 3.1", "MUST", "id is the server's, whatever the client sends, and no bulkId", func(s *suite) (bool, any) {
		r := s.fresh(`,"id":"mine"`)
		id := r.body.text("id")
		return id != "" && id != "mine" && !strings.Contains(id, "bulkId"), r.Body
	}},
	{"S 3.1", "MUST", "id is one user's", func(s *suite) (bool, any) {
		a, b := s.fresh().body.text("id"), s.fresh().body.text("id")
		return a != b, a
	}},
	{"S 3.1", "MUST", "id is stable", func(s *suite) (bool, any) {
		r := s.fresh()
		one, two := s.again(r), s.again(r)
		return one.body.text("id") == r.body.text("id") && two.body.text("id") == r.body.text("id"), one.Body
	}},
	{"S 3.1", "SHALL", "meta is the server's, whatever the client sends", func(s *suite) (bool, any) {
		r := s.fresh(`,"meta":{"resourceType":"Invalid","created":"1999-01-01T00:00:00Z"}`)
		return r.body.text("meta/resourceType") == "User" && !strings.HasPrefix(r.body.text("meta/created"), "1999"), r.Body
	}},
	{"S 3.1", "MUST", "lastModified of what is new is created", func(s *suite) (bool, any) {
		r := s.fresh()
		return r.body.text("meta/created") == r.body.text("meta/lastModified"), r.body["meta"]
	}},
	{"S 3.1", "MUST", "location is the header's", func(s *suite) (bool, any) {
		r := s.fresh()
		return r.body.text("meta/location") != "" && r.body.text("meta/location") == r.Header().Get("Location"), r.body["meta"]
	}},
	{"S 3.1", "MUST", "a weak version begins with W/, and is the header's", func(s *suite) (bool, any) {
		r := s.again(s.fresh())
		v := r.body.text("meta/version")
		return strings.HasPrefix(v, "W/") && r.Header().Get("ETag") == v, v
	}},
	{"S 3.1", "MUST NOT", "externalId is not the server's", func(s *suite) (bool, any) { r := s.fresh(); return r.body["externalId"] == nil, r.Body }},
	{"S 3.3", "MUST", "an extension is named in schemas, and its attributes are under its URN", func(s *suite) (bool, any) {
		r := s.fresh(`,"` + schemaEnterprise + `":{"department":"Sales"}`)
		return r.body.has("schemas", schemaEnterprise) && r.body.text(schemaEnterprise+"/department") == "Sales", r.Body
	}},
	{"S 4.1.1", "MUST", "a user has a name", func(s *suite) (bool, any) {
		r := s.send("POST", "/Users", `{"schemas":["`+schemaUser+`"],"emails":[{"value":"`+s.name()+`"}]}`)
		return r.Code == 400 && r.scimType() == "invalidValue", r.Body
	}},
	{"S 4.1.1", "SHALL NOT", "a password is never returned", func(s *suite) (bool, any) {
		r := s.fresh(`,"password":"s3cret!"`)
		list := s.want(200, "GET", "/Users?attributes=password", nil)
		return !strings.Contains(r.Body.String()+s.again(r).Body.String()+list.Body.String(), "s3cret"), r.Body
	}},
	{"S 4.1.2", "MUST", "a country is of ISO 3166", func(s *suite) (bool, any) {
		r := s.fresh(`,"addresses":[{"type":"work","country":"US"}]`)
		return r.body.text("addresses/0/country") == "US", r.Body
	}},
	{"S 4.1.2", "MUST", "membership is changed at the group", func(s *suite) (bool, any) {
		u, g := s.fresh().body.text("id"), s.group(s.name())
		r := s.send("PATCH", "/Groups/"+g, patchOf(`{"op":"add","path":"members","value":[{"value":"`+u+`","type":"User"}]}`))
		got := s.want(200, "GET", "/Groups/"+g, nil)
		groups := s.want(200, "GET", "/Users/"+u+"?attributes=groups", nil)
		return r.Code < 300 && got.body.text("members/0/value") == u && groups.body.text("groups/0/value") == g, got.Body
	}},
	{"S 4.1.2", "MUST", "groups of a user are read-only", func(s *suite) (bool, any) {
		g := s.group(s.name())
		r := s.send("POST", "/Users", userBody(s.name(), `,"groups":[{"value":"`+g+`"}]`))
		got := s.want(200, "GET", "/Groups/"+g, nil)
		return r.Code == 201 && len(got.body.list("members")) == 0, got.Body
	}},
	{"S 5", "MUST", "the configuration tells how to authenticate", func(s *suite) (bool, any) {
		r := s.want(200, "GET", "/ServiceProviderConfig", nil)
		return len(r.body.list("authenticationSchemes")) > 0, r.Body
	}},
	{"S 5", "MUST", "the configuration tells of each part whether it is offered", func(s *suite) (bool, any) {
		r := s.want(200, "GET", "/ServiceProviderConfig", nil)
		for _, part := range []string{"patch", "bulk", "filter", "changePassword", "sort", "etag"} {
			if _, is := r.body.get(part + "/supported").(bool); !is {
				return false, part
			}
		}
		return true, nil
	}},
	{"S 6", "MUST", "each type has a name, and schemas that there are", func(s *suite) (bool, any) {
		known := map[string]bool{}
		for _, one := range s.want(200, "GET", "/Schemas", nil).body.list("Resources") {
			known[one.text("id")] = true
		}
		for _, t := range s.want(200, "GET", "/ResourceTypes", nil).body.list("Resources") {
			if t.text("name") == "" || !known[t.text("schema")] {
				return false, t
			}
			for _, e := range t.list("schemaExtensions") {
				if !known[e.text("schema")] {
					return false, e
				}
			}
		}
		return len(known) > 0, known
	}},
	{"S 7", "MUST", "each schema has a URI and a name, and is no message's (P 3.1)", func(s *suite) (bool, any) {
		list := s.want(200, "GET", "/Schemas", nil).body.list("Resources")
		for _, one := range list {
			if one.text("id") == "" || one.text("name") == "" || strings.HasPrefix(one.text("id"), "urn:ietf:params:scim:api:messages:") {
				return false, one
			}
		}
		return len(list) > 0, nil
	}},
	{"S 7", "SHALL", "letter case of a value is kept", func(s *suite) (bool, any) {
		r := s.fresh(`,"displayName":"CaSeExAcT Display"`)
		return s.again(r).body.text("displayName") == "CaSeExAcT Display", r.Body
	}},
	{"S 7", "SHALL", "letter case of externalId counts, that of userName does not (P 3.4.2.2)", func(s *suite) (bool, any) {
		r := s.fresh(`,"externalId":"CaSe"`)
		exact, other := s.filtered(`externalId eq "CaSe"`), s.filtered(`externalId eq "case"`)
		name := s.filtered(`userName eq "` + strings.ToUpper(r.body.text("userName")) + `"`)
		return exact.body.text("totalResults") == "1" && other.body.text("totalResults") == "0" && name.body.text("totalResults") == "1", other.Body
	}},

	{"P 2", "SHALL", "a refusal for want of a token names the scheme", func(s *suite) (bool, any) {
		token := s.Token
		defer func() { s.Token = token }()
		s.Token = ""
		r := s.want(401, "GET", "/Users", nil)
		return strings.HasPrefix(r.Header().Get("WWW-Authenticate"), "Bearer"), r.Header()
	}},
	{"P 3.3", "SHALL", "what was made is answered 201, with its address and body", func(s *suite) (bool, any) {
		r := s.fresh()
		return strings.HasSuffix(r.Header().Get("Location"), "/Users/"+r.body.text("id")), r.Header()
	}},
	{"P 3.3", "MUST", "the same name again is 409, uniqueness", func(s *suite) (bool, any) {
		r := s.send("POST", "/Users", userBody(s.fresh().body.text("userName")))
		return r.Code == 409 && r.scimType() == "uniqueness", r.Body
	}},
	{"P 3.4.1", "MUST", "who is not there is 404, with an error's body", func(s *suite) (bool, any) {
		r := s.want(404, "GET", "/Users/nobody", nil)
		return r.body.text("status") == "404", r.Body
	}},
	{"P 3.4.2", "MUST", "a list is a ListResponse with totalResults", func(s *suite) (bool, any) {
		r := s.want(200, "GET", "/Users", nil)
		return r.body.has("schemas", schemaList) && r.body["totalResults"] != nil, r.Body
	}},
	{"P 3.4.2", "SHALL", "nobody found is 200 and none", func(s *suite) (bool, any) {
		r := s.filtered(`userName eq "nobody"`)
		return r.Code == 200 && r.body.text("totalResults") == "0", r.Body
	}},
	{"P 3.4.2.1", "MAY", "a query of all types is answered, or not offered", func(s *suite) (bool, any) {
		r := s.send("GET", "/?filter=id%20pr", nil)
		return r.Code == 200 || r.Code == 404 || r.Code == 501, r.Body
	}},
	{"P 3.4.2.2", "MUST", "a filter finds", func(s *suite) (bool, any) {
		r := s.filtered(`userName eq "` + s.fresh().body.text("userName") + `"`)
		return r.Code == 200 && r.body.text("totalResults") == "1", r.Body
	}},
	{"P 3.4.2.2", "MUST", "an operator that is none is refused", func(s *suite) (bool, any) {
		r := s.filtered(`userName regex "test"`)
		return r.Code == 400 && r.scimType() == "invalidFilter", r.Body
	}},
	{"P 3.4.2.2", "MUST", "what is no filter is refused", func(s *suite) (bool, any) {
		r := s.filtered(`(((`)
		return r.Code == 400 && r.scimType() == "invalidFilter", r.Body
	}},
	{"P 3.4.2.2", "SHALL", "a boolean has no order", func(s *suite) (bool, any) {
		for _, op := range []string{"gt", "ge", "lt", "le"} {
			if r := s.filtered("active " + op + " true"); r.Code != 400 || r.scimType() != "invalidFilter" {
				return false, r.Body
			}
		}
		return true, nil
	}},
	{"P 3.4.2.2", "SHALL", "a binary value has no order", func(s *suite) (bool, any) {
		r := s.filtered(`x509Certificates.value gt "aGVsbG8="`)
		return r.Code == 400 && r.scimType() == "invalidFilter", r.Body
	}},
	{"P 3.4.2.2", "MUST", "a part of a complex attribute is named by its path", func(s *suite) (bool, any) {
		r := s.filtered("name.givenName pr")
		return r.Code == 200, r.Body
	}},
	{"P 3.4.2.4", "SHALL", "startIndex less than 1 is 1", func(s *suite) (bool, any) {
		zero, below := s.want(200, "GET", "/Users?startIndex=0", nil), s.want(200, "GET", "/Users?startIndex=-3", nil)
		return zero.body.text("startIndex") == "1" && below.body.text("startIndex") == "1", zero.Body
	}},
	{"P 3.4.2.4", "MUST NOT", "no more are answered than count; less than 0 is 0", func(s *suite) (bool, any) {
		s.fresh()
		s.fresh()
		one, none := s.want(200, "GET", "/Users?count=1", nil), s.want(200, "GET", "/Users?count=-1", nil)
		return len(one.body.list("Resources")) == 1 && len(none.body.list("Resources")) == 0, one.Body
	}},
	{"P 3.4.2.5", "MUST", "attributes choose, and the least is always there (P 3.9)", func(s *suite) (bool, any) {
		r := s.fresh(`,"displayName":"X"`)
		for _, path := range []string{"/Users/" + r.body.text("id") + "?attributes=userName", "/Users?attributes=userName"} {
			got := s.want(200, "GET", path, nil).body
			if one := got.list("Resources"); len(one) > 0 {
				got = one[0]
			}
			if got.text("id") == "" || got["schemas"] == nil || got.text("userName") == "" || got["displayName"] != nil || got["meta"] != nil {
				return false, got
			}
		}
		return true, nil
	}},
	{"P 3.4.2.5", "SHALL", "what is always returned cannot be left out", func(s *suite) (bool, any) {
		r := s.fresh(`,"displayName":"X"`)
		got := s.want(200, "GET", "/Users/"+r.body.text("id")+"?excludedAttributes=displayName,id,schemas", nil)
		return got.body.text("id") != "" && got.body["schemas"] != nil && got.body["displayName"] == nil, got.Body
	}},
	{"P 3.4.3", "MUST", "a search by POST is a SearchRequest, and answered as a list", func(s *suite) (bool, any) {
		r := s.want(200, "POST", "/Users/.search", `{"schemas":["`+schemaSearch+`"],"count":1}`)
		return r.body.has("schemas", schemaList) && len(r.body.list("Resources")) == 1, r.Body
	}},
	{"P 3.5.1", "MUST", "PUT replaces, and is answered 200", func(s *suite) (bool, any) {
		r := s.fresh(`,"displayName":"Old","nickName":"N"`)
		got := s.want(200, "PUT", "/Users/"+r.body.text("id"), userBody(r.body.text("userName"), `,"displayName":"New"`))
		return got.body.text("displayName") == "New" && got.body["nickName"] == nil && got.body.text("id") == r.body.text("id"), got.Body
	}},
	{"P 3.5.1", "SHALL", "what is read-only or another id is ignored in a PUT, or refused", func(s *suite) (bool, any) {
		r := s.fresh()
		got := s.send("PUT", "/Users/"+r.body.text("id"), userBody(r.body.text("userName"), `,"id":"other","meta":{"resourceType":"Invalid"}`))
		return got.Code == 400 || got.body.text("id") == r.body.text("id") && got.body.text("meta/resourceType") == "User", got.Body
	}},
	{"P 3.5.1", "MUST NOT", "PUT makes nobody", func(s *suite) (bool, any) {
		r := s.send("PUT", "/Users/nobody", userBody(s.name()))
		return r.Code == 404, r.Body
	}},
	{"P 3.5.1", "MUST", "what is required must be in a PUT", func(s *suite) (bool, any) {
		r := s.send("PUT", "/Users/"+s.fresh().body.text("id"), `{"schemas":["`+schemaUser+`"],"displayName":"X"}`)
		return r.Code == 400 && r.scimType() == "invalidValue", r.Body
	}},
	{"P 3.5.2", "SHALL", "PATCH is answered 200 with the resource, or 204", func(s *suite) (bool, any) {
		_, r := s.patched(`{"op":"add","path":"displayName","value":"X"}`)
		return r.Code == 204 || r.Code == 200 && r.body.text("displayName") == "X", r.Body
	}},
	{"P 3.5.2", "MUST", "PATCH is answered 200 where attributes are asked for, be the group large", func(s *suite) (bool, any) {
		var members []string
		for range 101 {
			members = append(members, s.fresh().body.text("id"))
		}
		g := s.group(s.name(), members...)
		name := s.name()
		for _, query := range []string{"?attributes=displayName", "?excludedAttributes=members"} {
			r := s.send("PATCH", "/Groups/"+g+query, patchOf(`{"op":"replace","path":"displayName","value":"`+name+`"}`))
			if r.Code != 200 || r.body.text("displayName") != name || r.body["members"] != nil {
				return false, r.Body
			}
		}
		return true, nil
	}},
	{"S 7", "MUST", "what is required must be in a POST", func(s *suite) (bool, any) {
		r := s.send("POST", "/Users", `{"schemas":["`+schemaUser+`"],"userName":"`+s.name()+`"}`)
		return r.Code == 400 && r.scimType() == "invalidValue", r.Body
	}},
	{"P 3.5.2", "MUST", "PATCH names its schema and has operations", func(s *suite) (bool, any) {
		id := s.fresh().body.text("id")
		without, none := s.send("PATCH", "/Users/"+id, `{"Operations":[{"op":"add","path":"title","value":"X"}]}`), s.send("PATCH", "/Users/"+id, `{"schemas":["`+schemaPatch+`"]}`)
		return without.Code == 400 && none.Code == 400, without.Body
	}},
	{"P 3.5.2", "SHALL", "PATCH does all, or nothing", func(s *suite) (bool, any) {
		for _, second := range []string{`{"op":"remove","path":"userName"}`, `{"op":"replace","path":"id","value":"9"}`, `{"op":"replace","path":"no.such","value":"9"}`} {
			r, got := s.patched(`{"op":"replace","path":"displayName","value":"Lost"},`+second, `,"displayName":"Kept"`)
			if now := s.again(r); got.Code != 400 || now.body.text("displayName") != "Kept" || now.Header().Get("ETag") != r.Header().Get("ETag") {
				return false, now.Body
			}
		}
		return true, nil
	}},
	{"P 3.5.2", "MUST NOT", "what is read-only cannot be patched", func(s *suite) (bool, any) {
		r, got := s.patched(`{"op":"replace","path":"id","value":"hacked"}`)
		return got.Code == 400 && got.scimType() == "mutability" && s.again(r).body.text("id") == r.body.text("id"), got.Body
	}},
	{"P 3.5.2", "SHALL", "a new primary value takes it from the old one", func(s *suite) (bool, any) {
		r, got := s.patched(`{"op":"add","path":"emails","value":[{"value":"`+s.name()+`","type":"home","primary":true}]}`, `,"emails":[{"value":"`+s.name()+`","type":"work","primary":true}]`)
		return got.Code == 400 || primaries(s.again(r)) == 1 && s.again(r).body["emails"].([]any)[1].(map[string]any)["primary"] == true, got.Body
	}},
	{"P 3.5.2.1", "SHALL NOT", "to add what is there changes no time", func(s *suite) (bool, any) {
		r, _ := s.patched(`{"op":"add","path":"displayName","value":"X"},{"op":"add","path":"phoneNumbers","value":[{"value":"1","type":"work"}]}`, `,"displayName":"X","phoneNumbers":[{"value":"1","type":"work"}]`)
		now := s.again(r)
		return now.body.text("meta/lastModified") == r.body.text("meta/lastModified") && now.body.text("meta/version") == r.body.text("meta/version"), now.Body
	}},
	{"P 3.5.2.1", "SHALL", "to add to a complex attribute sets its parts, and leaves others", func(s *suite) (bool, any) {
		r, _ := s.patched(`{"op":"add","path":"name","value":{"givenName":"Test"}}`, `,"name":{"familyName":"User"}`)
		now := s.again(r)
		return now.body.text("name/givenName") == "Test" && now.body.text("name/familyName") == "User", now.Body
	}},
	{"P 3.5.2.2", "SHALL", "what is removed has no value", func(s *suite) (bool, any) {
		r, got := s.patched(`{"op":"remove","path":"displayName"},{"op":"remove","path":"phoneNumbers"}`, `,"displayName":"X","phoneNumbers":[{"value":"1","type":"work"},{"value":"2","type":"home"}]`)
		now := s.again(r)
		return got.Code < 300 && now.body["displayName"] == nil && now.body["phoneNumbers"] == nil, now.Body
	}},
	{"P 3.5.2.2", "SHALL", "the last of several values that a filter removes leaves none", func(s *suite) (bool, any) {
		r, got := s.patched(`{"op":"remove","path":"phoneNumbers[type eq \"work\"]"}`, `,"phoneNumbers":[{"value":"1","type":"work"}]`)
		return got.Code < 300 && s.again(r).body["phoneNumbers"] == nil, got.Body
	}},
	{"P 3.5.2.2", "SHALL", "a remove without a path is refused, noTarget", func(s *suite) (bool, any) {
		_, got := s.patched(`{"op":"remove"}`)
		return got.Code == 400 && got.scimType() == "noTarget", got.Body
	}},
	{"P 3.5.2.2", "SHALL", "what is required cannot be removed", func(s *suite) (bool, any) {
		for _, path := range []string{"userName", "emails"} {
			if _, got := s.patched(`{"op":"remove","path":"` + path + `"}`); got.Code != 400 || got.scimType() != "mutability" {
				return false, got.Body
			}
		}
		g := s.group(s.name())
		got := s.send("PATCH", "/Groups/"+g, patchOf(`{"op":"remove","path":"displayName"}`))
		return got.Code == 400 && got.scimType() == "mutability", got.Body
	}},
	{"P 3.5.2.3", "SHALL", "replace replaces, and adds where nothing is", func(s *suite) (bool, any) {
		r, _ := s.patched(`{"op":"replace","path":"displayName","value":"New"},{"op":"replace","path":"nickName","value":"Nick"}`, `,"displayName":"Old"`)
		now := s.again(r)
		return now.body.text("displayName") == "New" && now.body.text("nickName") == "Nick", now.Body
	}},
	{"P 3.5.2.3", "SHALL", "replace at a filter replaces what it finds, and nothing else", func(s *suite) (bool, any) {
		r, _ := s.patched(`{"op":"replace","path":"phoneNumbers[type eq \"work\"].value","value":"9"}`, `,"phoneNumbers":[{"value":"1","type":"work"},{"value":"2","type":"home"}]`)
		now := s.again(r)
		return now.body.text("phoneNumbers/0/value") == "9" && now.body.text("phoneNumbers/1/value") == "2", now.Body
	}},
	{"P 3.5.2.3", "SHALL", "replace at a filter that finds nothing is refused, noTarget", func(s *suite) (bool, any) {
		_, got := s.patched(`{"op":"replace","path":"phoneNumbers[type eq \"none\"].value","value":"9"}`)
		return got.Code == 400 && got.scimType() == "noTarget", got.Body
	}},
	{"P 3.6", "MUST", "what is deleted is 404, found by nothing, and its name is free", func(s *suite) (bool, any) {
		r := s.fresh()
		id, name := r.body.text("id"), r.body.text("userName")
		gone := s.send("DELETE", "/Users/"+id, nil)
		got, twice, found := s.send("GET", "/Users/"+id, nil), s.send("DELETE", "/Users/"+id, nil), s.filtered(`userName eq "`+name+`"`)
		again := s.send("POST", "/Users", userBody(name))
		return gone.Code == 204 && gone.Body.Len() == 0 && got.Code == 404 && twice.Code == 404 && found.body.text("totalResults") == "0" && again.Code == 201, again.Body
	}},
	{"P 3.7", "MAY", "bulk is not offered, and said so", func(s *suite) (bool, any) {
		r := s.send("POST", "/Bulk", `{}`)
		return r.Code == 501 && s.want(200, "GET", "/ServiceProviderConfig", nil).body.text("bulk/supported") == "false", r.Body
	}},
	{"P 3.8", "MUST", "application/scim+json and application/json are taken, in UTF-8", func(s *suite) (bool, any) {
		for _, kind := range []string{"application/scim+json", "application/json", "application/scim+json; charset=utf-8"} {
			r := s.send("POST", "/Users", userBody(s.name(), `,"displayName":"Zoë 王"`), "Content-Type", kind, "Accept", kind)
			if charset := r.Header().Get("Content-Type"); r.Code != 201 || r.body.text("displayName") != "Zoë 王" || strings.Contains(charset, "charset") && !strings.Contains(strings.ToLower(charset), "utf-8") {
				return false, r.Body
			}
		}
		return true, nil
	}},
	{"P 3.11", "MAY", "/Me is not offered", func(s *suite) (bool, any) { r := s.send("GET", "/Me", nil); return r.Code == 501, r.Body }},
	{"P 3.12", "MUST", "errors are JSON, of the error's schema alone, with the status as text", func(s *suite) (bool, any) {
		r := s.want(404, "GET", "/Users/nobody", nil)
		list, _ := r.body["schemas"].([]any)
		_, text := r.body["status"].(string)
		return text && len(list) == 1 && strings.HasPrefix(list[0].(string), "urn:ietf:params:scim:api:messages:"), r.Body
	}},
	{"P 3.14", "MUST", "an edit of another version is refused, for each method", func(s *suite) (bool, any) {
		r := s.fresh()
		path, name := "/Users/"+r.body.text("id"), r.body.text("userName")
		put := s.send("PUT", path, userBody(name), "If-Match", `W/"wrong"`)
		patch := s.send("PATCH", path, patchOf(`{"op":"add","path":"title","value":"X"}`), "If-Match", `W/"wrong"`)
		gone := s.send("DELETE", path, nil, "If-Match", `W/"wrong"`)
		good := s.send("PUT", path, userBody(name, `,"title":"X"`), "If-Match", r.Header().Get("ETag"))
		return put.Code == 412 && patch.Code == 412 && gone.Code == 412 && good.Code == 200, put.Body
	}},
	{"P 3.14", "MAY", "what the client has is not sent again", func(s *suite) (bool, any) {
		r := s.fresh()
		got := s.send("GET", "/Users/"+r.body.text("id"), nil, "If-None-Match", r.Header().Get("ETag"))
		return got.Code == 304 && got.Body.Len() == 0, got.Body
	}},
	{"P 4", "SHALL", "what is served is told, whatever is asked of it besides", func(s *suite) (bool, any) {
		config, schemas := s.want(200, "GET", "/ServiceProviderConfig?sortBy=id&startIndex=999", nil), s.want(200, "GET", "/Schemas?startIndex=999&count=0", nil)
		return config.body.has("schemas", schemaConfig) && schemas.body.has("schemas", schemaList) && len(schemas.body.list("Resources")) > 0, schemas.Body
	}},
	{"P 4", "SHALL", "one of the schemas and types is read by its id", func(s *suite) (bool, any) {
		schema, kind := s.want(200, "GET", "/Schemas/"+schemaUser, nil), s.want(200, "GET", "/ResourceTypes/User", nil)
		return schema.body.text("id") == schemaUser && kind.body.text("endpoint") == "/Users", schema.Body
	}},
	{"P 4", "SHOULD", "a filter at what tells of the server is refused, 403", func(s *suite) (bool, any) {
		for _, path := range []string{"/ServiceProviderConfig", "/Schemas", "/ResourceTypes"} {
			if r := s.send("GET", path+"?filter=id%20pr", nil); r.Code != 403 {
				return false, r.Body
			}
		}
		return true, nil
	}},
}

// Requirements holds a server to what the RFCs require, which it must for a strict client.
func Requirements(t *testing.T, open func(t *testing.T) *Server) {
	s := &suite{Server: open(t)}
	for _, r := range requirements {
		t.Run(r.section+" "+r.what, func(t *testing.T) {
			inner := *s.Server
			inner.T = t
			one := &suite{Server: &inner, names: s.names}
			if holds, got := r.check(one); !holds {
				t.Errorf("%s: %s (%s): %v", r.section, r.what, r.level, got)
			}
			s.names = one.names
		})
	}
}
