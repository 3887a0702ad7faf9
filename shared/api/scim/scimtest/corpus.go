package scimtest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"bindery/shared/directory"
)

// corpusCase is a request as a real client sends it, with what it must be answered.
type corpusCase struct {
	Name, Method, Path, Given string
	Body                      any
	Headers                   map[string]string
	Want                      struct {
		Status int
		Effect any
	}
}

func corpus(t *testing.T) []corpusCase {
	t.Helper()
	var file struct{ Cases []corpusCase }
	if err := json.Unmarshal(Reference(t, "scim-corpus.json"), &file); err != nil {
		t.Fatal(err)
	}
	return file.Cases
}

// corpusWorld is what the cases take for made before.
type corpusWorld struct {
	*Server
	u1, u2, one, group string
}

func newCorpusWorld(s *Server, c *corpusCase) *corpusWorld {
	w := &corpusWorld{Server: s}
	w.u1, w.u2 = w.make("first@x.example"), w.make("second@x.example")
	manager := w.u2
	if strings.Contains(c.Name, "remove manager") {
		manager = w.u1
	}
	w.one = w.make("one@x.example", `,"title":"CEO","externalId":"one","emails":[{"type":"work","primary":true,"value":"one@x.example"}],`+jsonEnterprise+`:{"manager":{"value":"`+manager+`"}}`)
	switch {
	case !strings.Contains(c.Path, "Groups") || c.Method == http.MethodPost:
	case strings.Contains(c.Name, "add members") || strings.Contains(c.Name, "add by"):
		w.group = w.Server.group("d")
	default:
		w.group = w.Server.group("d", w.u1)
	}
	known := `,"externalId":"0a21","displayName":"U",` + jsonEnterprise + `:{"employeeNumber":"7"}`
	if c.Method == http.MethodGet || strings.Contains(c.Path, ".search") || strings.Contains(c.Name, "again after a time-out") {
		w.make("u@x.example", known)
	}
	if strings.Contains(c.Given, "00u1") {
		id := w.make("isaac@o.example", `,"externalId":"00u1"`)
		if strings.Contains(c.Given, "suspended") {
			w.want(200, "PATCH", "/Users/"+id, patchOf(`{"op":"replace","value":{"active":false}}`))
		}
	}
	return w
}

// filled is a text of a case with the IDs that there are.
func (w *corpusWorld) filled(s string) string {
	for from, to := range map[string]string{`"u1"`: w.u1, `"id1"`: w.u1, `"7f4b"`: w.u1, `"u2"`: w.u2, `"g1"`: w.group} {
		s = strings.ReplaceAll(s, from, `"`+to+`"`)
		s = strings.ReplaceAll(s, strings.ReplaceAll(from, `"`, `\"`), `\"`+to+`\"`)
		s = strings.ReplaceAll(s, strings.ReplaceAll(from, `"`, "%22"), "%22"+to+"%22")
	}
	s = strings.ReplaceAll(s, "/Users/1", "/Users/"+w.one)
	s = strings.ReplaceAll(s, "/Groups/1", "/Groups/"+w.group)
	return strings.TrimPrefix(s, "/scim/v2")
}

func results(r reply) (total string, list []object) {
	return r.body.text("totalResults"), r.body.list("Resources")
}

// wantFound demands one user of a name, or none.
func wantFound(name string) func(*corpusWorld, reply) {
	return func(w *corpusWorld, r reply) {
		total, list := results(r)
		if name == "" && (total != "0" || len(list) != 0 || r.body.get("Resources") == nil) || name != "" && (total != "1" || len(list) != 1 || list[0].text("userName") != name) {
			w.Errorf("found %s", r.Body)
		}
	}
}

func wantListed(names ...string) func(*corpusWorld, reply) {
	return func(w *corpusWorld, r reply) {
		_, list := results(r)
		var got []string
		for _, o := range list {
			got = append(got, o.text("userName"))
		}
		if slices.Sort(got); len(names) > 0 && !slices.Equal(got, names) || r.body.get("Resources") == nil {
			w.Errorf("listed %v, want %v", got, names)
		}
	}
}

func wantMembers(who func(*corpusWorld) []string) func(*corpusWorld, reply) {
	return func(w *corpusWorld, _ reply) {
		want := who(w)
		slices.Sort(want)
		got, err := w.Members(w.group)
		if slices.Sort(got); err != nil || !slices.Equal(got, want) {
			w.Errorf("in the group are %v, want %v (%v)", got, want, err)
		}
	}
}

const jsonEnterprise = `"` + schemaEnterprise + `"`

func first(w *corpusWorld) []string  { return []string{w.u1} }
func second(w *corpusWorld) []string { return []string{w.u2} }
func bothUsers(w *corpusWorld) []string {
	return []string{w.u1, w.u2}
}
func nobody(*corpusWorld) []string { return []string{} }

func wantType(keyword string) func(*corpusWorld, reply) {
	return func(w *corpusWorld, r reply) {
		if r.body.text("scimType") != keyword {
			w.Errorf("refused as %s", r.Body)
		}
	}
}

// wantSame demands that the user is as it was made.
func wantSame(w *corpusWorld, _ reply) {
	if u := w.user(w.one); u.JobTitle != "CEO" || u.Email != "one@x.example" || u.Version != 1 {
		w.Errorf("changed to %+v", u)
	}
}

func wantNote(part string) func(*corpusWorld, reply) {
	return func(w *corpusWorld, _ reply) {
		if notes, err := w.Notes(); err != nil || !strings.Contains(strings.Join(notes, "\n"), part) {
			w.Errorf("notes %q have nothing of %q (%v)", notes, part, err)
		}
	}
}

func wantText(path, text string) func(*corpusWorld, reply) {
	return func(w *corpusWorld, r reply) {
		u := w.user(or(r.body.text("id"), w.one))
		if got := textOf(&u.Profile, path); got != text {
			w.Errorf("%s is %q, want %q", path, got, text)
		}
	}
}

// textOf is a user's text at a path.
func textOf(p *directory.Profile, path string) string {
	if key, custom := strings.CutPrefix(path, "customAttributes."); custom {
		return p.CustomAttributes[key]
	}
	if a, ok := directory.AttributeAt(path); ok {
		return a.Text(p)
	}
	return ""
}

// wantShown demands what the answer has somewhere.
func wantShown(part string) func(*corpusWorld, reply) {
	return func(w *corpusWorld, r reply) {
		if !strings.Contains(r.Body.String(), part) {
			w.Errorf("%s has nothing of %s", r.Body, part)
		}
	}
}

func wantHidden(part string) func(*corpusWorld, reply) {
	return func(w *corpusWorld, r reply) {
		if strings.Contains(r.Body.String(), part) {
			w.Errorf("%s has %s", r.Body, part)
		}
	}
}

func allOf(checks ...func(*corpusWorld, reply)) func(*corpusWorld, reply) {
	return func(w *corpusWorld, r reply) {
		w.Helper()
		for _, check := range checks {
			check(w, r)
		}
	}
}

// effects are those that the corpus tells in words.
var effects = map[string]func(*corpusWorld, reply){
	"entra filter userName": wantFound("u@x.example"), "entra filter externalId": wantFound("u@x.example"),
	"entra filter emails[type eq work].value": wantFound("u@x.example"), "entra filter employeeNumber": wantFound("u@x.example"),
	"entra is manager: id and manager": wantFound(""), "entra group member check": wantFound(""),
	"entra flag: replace without path, dotted keys and urn key": allOf(wantText("displayName", "B"), wantText("givenName", "K"), wantText("familyName", "U"), wantText("employeeId", "A")),
	"entra roles primary True string":                           wantShown(`"roles":[{"primary":true,"value":"admin"}]`),
	"entra replace with primary True string in a filter":        wantShown(`"primary":true`),
	"entra create group":                                        allOf(wantHidden(`"members"`), wantNote("ADSCIM")),
	"entra add members with $ref null":                          wantMembers(first),
	"entra remove members with value array":                     wantMembers(nobody),
	"entra remove member flag":                                  wantMembers(nobody),
	"entra group by displayName excluding members":              allOf(wantShown(`"totalResults":1`), wantHidden(`"members"`)),
	"okta test credentials":                                     allOf(wantShown(`"totalResults":4,"itemsPerPage":2,"startIndex":1`)),
	"okta PUT with password and groups":                         allOf(wantHidden("1mz050nq"), wantHidden(`"groups"`), wantText("userName", "t@o.example"), wantShown(`"locale":"en-US"`)),
	"okta group rename with id in value":                        allOf(wantShown(`"displayName":"new"`), wantMembers(first)),
	"okta group replace members":                                wantMembers(first),
	"okta group add and remove":                                 wantMembers(second),
	"unknown attribute in patch (custom ext not declared)":      allOf(wantSame, wantNote("badge")),
	"lower-case schema in create, extra attribute":              allOf(wantNote("x_custom"), wantHidden("x_custom")),
	"create with null values":                                   allOf(wantHidden("null"), wantHidden("phoneNumbers"), wantShown(`"familyName":"f"`)),
	"create without schemas":                                    wantNote("no schemas"),
	"base path /scim/v2/Users":                                  wantListed(),
	"count=0":                                                   wantShown(`"totalResults":4,"itemsPerPage":0,"startIndex":1,"Resources":[]`),
	"startIndex=0":                                              wantShown(`"startIndex":1`),
	"entra test connection: random guid":                        wantFound(""),
	"entra unquoted value as in Microsoft's example":            wantFound(""),
	"entra two blanks in a filter":                              wantFound("u@x.example"),
	"entra flag left in the tenant URL":                         wantFound("u@x.example"),
	"entra filter in another case":                              wantFound("u@x.example"),
	"entra enterprise URN of version 1.0":                       wantNote("enterprise:1.0"),
	"entra replace on a value that is not there":                wantText("phones.mobile", "+49 151"),
	"entra same create again after a time-out":                  wantType("uniqueness"),
	"entra delete": func(w *corpusWorld, _ reply) {
		w.want(404, "GET", "/Users/"+w.one, nil)
		w.want(404, "DELETE", "/Users/"+w.one, nil)
	},
	"entra boolean role":         wantShown(`"roles":[{"primary":true,"value":"admin"}]`),
	"okta look-up before create": wantFound(""),
	"okta create":                allOf(wantShown(`"id":"usr_`), wantHidden("1mz050nq")),
	"okta create again after a reassignment (user is suspended)":           allOf(wantText("state", "active"), wantText("userName", "isaac@o.example"), cameBack),
	"okta create with a new userName, same externalId (user is suspended)": allOf(wantText("state", "active"), wantText("userName", "isaac.b@o.example"), cameBack),
	"okta create, same externalId, user active":                            wantType("uniqueness"),
	"PUT without active":                   wantText("state", "active"),
	"okta empty strings":                   allOf(wantText("jobTitle", ""), wantHidden(`"title"`)),
	"okta push group":                      allOf(wantShown(`"displayName":"Eng"`), wantShown(`"id":"grp_`)),
	"okta push of an empty group":          wantMembers(nobody),
	"okta membership with the name beside": allOf(wantMembers(bothUsers), wantShown(`"displayName":"Eng"`)),
	"unknown member":                       allOf(wantMembers(bothUsers), wantNote("nobody")),
	"jumpcloud test":                       wantShown(`"Resources":[`),
	"onelogin add by filter path":          wantMembers(first),
	"google probe":                         wantShown(`"itemsPerPage":1`),
	"rippling probe":                       wantShown(`"patch":{"supported":true}`),
	"authentik group patch without path":   allOf(wantMembers(first), wantShown(`"displayName":"Eng"`), wantShown(`"externalId":"ak1"`)),
	"ping filter with capital operator and lower-case name":              wantFound("u@x.example"),
	"pingfederate user update is a PUT; groups are all read to find one": wantShown(`"startIndex":1`),
	"remove all members by name":                                         allOf(wantMembers(nobody), wantNote("all 1 members")),
	"one bad operation among good ones":                                  allOf(wantType("invalidPath"), wantSame),
	"unknown op":                                                         allOf(wantType("invalidSyntax"), wantSame),
	"no operations":                                                      wantSame,
	"read-only attribute":                                                wantSame,
	"filter with and, or, not, pr":                                       wantListed("one@x.example"),
	"broken filter":                                                      wantType("invalidFilter"),
	"filter on an attribute that is not there":                           wantType("invalidFilter"),
	"search by POST":                                                     allOf(wantFound("u@x.example"), wantHidden("emails")),
	"attributes":                                                         allOf(wantHidden("emails"), wantHidden("meta"), wantShown(`"id":"usr_`), wantShown(`"schemas":`)),
	"cursor of RFC 9865":                                                 allOf(wantHidden("nextCursor"), wantHidden("startIndex"), wantShown(`"itemsPerPage":4`)),
	"bad cursor":                                                         wantType("invalidCursor"),
	"If-Match of an old version":                                         wantSame,
	"bulk":                                                               wantShown(`"status":"501"`),
	"me":                                                                 wantShown(`"status":"501"`),
	"no token": func(w *corpusWorld, r reply) {
		if r.Header().Get("WWW-Authenticate") != `Bearer realm="bindery"` || r.body.text("status") != "401" {
			w.Errorf("%v %s", r.Header(), r.Body)
		}
	},
	"body is no JSON": wantType("invalidSyntax"),
}

// cameBack demands that there is one user of the externalId, and that it is told.
func cameBack(w *corpusWorld, r reply) {
	wantNote("came back")(w, r)
	if total, _ := results(w.want(200, "GET", `/Users?filter=externalId+eq+"00u1"`, nil)); total != "1" {
		w.Errorf("%s users of the externalId", total)
	}
}

// noAddress are the cases whose user has a name that is no address and no e-mail: what
// Bindery cannot bind. It refuses them by the attribute's name, and takes them with an
// address.
var noAddress = []string{"lower-case schema in create, extra attribute", "create with null values", "create without schemas"}

// Corpus tries the requests that real clients send, each on a server of its own: the
// status and the effect that a tolerant server owes.
func Corpus(t *testing.T, open func(t *testing.T) *Server) {
	cases := corpus(t)
	if len(cases) != 101 {
		t.Errorf("the corpus has %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			w := newCorpusWorld(open(t), &c)
			r := w.ask(&c)
			w.hasEffect(&c, r)
			if c.Want.Status < 400 && c.Method != http.MethodDelete && r.body == nil {
				t.Error("the answer has no body")
			}
		})
	}
	for name := range effects {
		if !slices.ContainsFunc(cases, func(c corpusCase) bool { return c.Name == name }) {
			t.Errorf("the corpus has no case %q", name)
		}
	}
}

// ask sends the request of a case, which must be answered with its status.
func (w *corpusWorld) ask(c *corpusCase) reply {
	w.Helper()
	body, isText := c.Body.(string)
	if !isText && c.Body != nil {
		data, err := json.Marshal(c.Body)
		if err != nil {
			w.Fatal(err)
		}
		body = w.filled(string(data))
	}
	var headers []string
	for name, value := range c.Headers {
		headers = append(headers, name, value)
	}
	if slices.Contains(noAddress, c.Name) {
		r := w.want(400, c.Method, c.Path, body)
		if !strings.Contains(r.body.text("detail"), "emails") || r.scimType() != "invalidValue" {
			w.Errorf("without an address: %s", r.Body)
		}
		body = strings.Replace(body, `"userName":"a"`, `"userName":"a@x.example"`, 1)
	}
	return w.want(c.Want.Status, c.Method, w.filled(c.Path), body, headers...)
}

// hasEffect demands the effect of a case: texts of the user, or one told in words.
func (w *corpusWorld) hasEffect(c *corpusCase, r reply) {
	w.Helper()
	want, is := c.Want.Effect.(map[string]any)
	if !is {
		check, known := effects[c.Name]
		if !known {
			w.Fatalf("the effect is not looked at: %v", c.Want.Effect)
		}
		check(w, r)
		return
	}
	u := w.user(or(r.body.text("id"), w.one))
	for path, text := range want {
		s, _ := text.(string)
		if s == "the user of that id" {
			s = w.u1
		}
		got := textOf(&u.Profile, path)
		if path == "externalId" {
			got = u.ExternalID
		}
		if got != s {
			w.Errorf("%s is %q, want %q", path, got, s)
		}
	}
}
