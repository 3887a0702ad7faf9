package scim

import (
	"fmt"
	"strings"
	"testing"

	"bindery/shared/core/provision"
	"bindery/shared/directory"
)

// What is kept of a request has no value of it, be it refused or bent, and is short.
func TestNoValueInTheLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	id, g := w.make("ann@x.example"), w.group("Eng")
	const secret = "secret.person@x.example"
	for _, tt := range []struct{ method, path, body string }{
		{"GET", "/Users?filter=" + esc(`email eq "`+secret+`"`), ""},
		{"GET", "/Users?filter=" + esc(`userName eq "a" or "`+secret+`"`), ""},
		{"GET", "/Users?filter=" + esc(`userName eq "`+secret), ""},
		{"GET", "/Users?filter=" + esc(`emails[value eq "`+secret+`"].type eq "work"`), ""},
		{"GET", "/Users?filter=" + esc(secret), ""},
		{"PATCH", "/Users/" + id, patchOf(`{"op":"remove","path":"emails[value eq \"` + secret + `\"]"}`)},
		{"PATCH", "/Users/" + id, patchOf(`{"op":"add","path":"foo[value eq \"` + secret + `\"]","value":"x"}`)},
		{"PATCH", "/Users/" + id, patchOf(`{"op":"add","path":"manager","value":"` + secret + `"},{"op":"add","path":"preferredLanguage","value":"` + secret + `"}`)},
		{"PATCH", "/Users/" + id, patchOf(`{"op":"add","path":"emails[` + secret + `","value":"x"}`)},
		{"PATCH", "/Groups/" + g, patchOf(`{"op":"add","path":"members","value":[{"value":"` + secret + `"},{"value":"` + secret + `","type":"Group"}]}`)},
		{"POST", "/Groups", `{"displayName":"eng","nobody knows ` + secret + `":1}`},
	} {
		w.send(tt.method, tt.path, tt.body)
		if got := fmt.Sprintf("%+v", w.lastRequest()); strings.Contains(got, "secret") && strings.Contains(got, "@") {
			t.Errorf("%s %s: %s", tt.method, tt.path, got)
		}
	}
}

func esc(s string) string {
	return strings.NewReplacer(" ", "%20", `"`, "%22", "[", "%5B", "]", "%5D").Replace(s)
}

// However large what a request names is, it is logged, and counted.
func TestLargeIsLogged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	g, u := w.group("G"), w.make("ann@x.example")
	big := strings.Repeat("x", 450_000)
	const n = 5
	for _, tt := range []struct{ method, path, body string }{
		{"PATCH", "/Groups/" + g, patchOf(`{"op":"add","path":"members","value":[{"value":"` + big + `"}]}`)},
		{"PATCH", "/Groups/" + g, patchOf(`{"op":"add","path":"members","value":[{"value":"usr_06eavhmtk000005gt7s1mvd460","` + big + `":1}]}`)},
		{"PATCH", "/Users/" + u, patchOf(`{"op":"add","path":"manager","value":"` + big + `"}`)},
		{"PATCH", "/Users/" + u, patchOf(`{"op":"` + big + `","path":"manager"}`)},
		{"PUT", "/Users/" + u, `{"schemas":["urn:` + big + `"],"userName":"ann@x.example","` + big + `":1}`},
		{"POST", "/Groups", `{"displayName":"` + big + `"}`},
		{"GET", "/Users/" + big, ""},
	} {
		before, _, err := w.clients.Requests(t.Context(), w.client.ID, "", "", 100)
		w.Must(err)
		_, _, was, err := w.Store.ScimClients.ScimAccess(t.Context(), w.client.ID, "")
		w.Must(err)
		for range n {
			w.send(tt.method, tt.path, tt.body)
		}
		after, _, err := w.clients.Requests(t.Context(), w.client.ID, "", "", 100)
		w.Must(err)
		if len(after)-len(before) != n {
			t.Errorf("%s %s: %d of %d are logged", tt.method, cut(tt.path, 30), len(after)-len(before), n)
		}
		if _, _, is, err := w.Store.ScimClients.ScimAccess(t.Context(), w.client.ID, ""); err != nil || is.Now-was.Now != n {
			t.Errorf("%s %s: counted %+v after %+v, %v", tt.method, cut(tt.path, 30), is, was, err)
		}
		for _, r := range after {
			if text := fmt.Sprintf("%+v", r); len(text) > 5000 {
				t.Errorf("%s: %d bytes", tt.method, len(text))
			}
		}
	}
}

// What does not fit into the log is told by its number.
func TestNotesAreCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	g := w.group("G")
	var members []string
	for range 100 {
		members = append(members, `{"value":"`+string(directory.NewUserID(w.Now()))+`"}`, `{"value":"no one"}`)
	}
	w.want(200, "PATCH", "/Groups/"+g, patchOf(`{"op":"add","path":"members","value":[`+strings.Join(members, ",")+`]}`))
	notes := w.lastRequest().Notes
	if len(notes) != maxNotes+2 || notes[0] != "members who are no users here were left out: 100" || notes[len(notes)-1] != "and 50 more" {
		t.Errorf("%d: %q", len(notes), notes)
	}
}

// A path that does not parse is refused to everybody, and one of an attribute that nobody
// knows is ignored.
func TestBrokenPath(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	id := w.make("ann@x.example")
	for path, status := range map[string]int{
		`foo[bar`: 400, `foo]`: 400, `foo bar`: 400, `foo[]`: 400, `foo[a eq \"b\"]c`: 400, `foo(`: 400, `\"title\"`: 400, `emails[type eq \"work\"`: 400,
		`foo`: 200, `foo.bar`: 200, `foo[a eq \"b\"]`: 200, `foo[a eq \"b\"].c`: 200, `/title`: 200, ` title `: 200, `urn:acme:User:badge`: 200,
	} {
		r := w.want(status, "PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"`+path+`","value":"x"}`))
		if status == 400 && (r.body.text("scimType") != typeInvalidPath || !strings.HasSuffix(r.body.text("detail"), " [invalid-path]")) {
			t.Errorf("%s: %s", path, r.Body)
		}
	}
}

// Of a refused request the log has whom it was about, by the name that it sent, and who has the
// value that it was refused for, if the client sees them; of others it has neither.
func TestRefusedIsMended(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	ann := w.make("ann@x.example", `,"externalId":"e1","emails":[{"value":"ann@mail.example","type":"work"}]`)
	ben := w.make("ben@x.example")
	eng := w.want(201, "POST", "/Groups", `{"displayName":"Eng","externalId":"g1"}`).body.text("id")
	ops := w.group("Ops")
	type asked struct {
		status             int
		method, path, body string
		sent, holder       string
	}
	check := func(tt asked) {
		t.Helper()
		w.want(tt.status, tt.method, tt.path, tt.body)
		if r := w.lastRequest(); r.Sent != tt.sent || r.HolderID != tt.holder {
			t.Errorf("%s %s %s: sent %q, holder %q", tt.method, tt.path, tt.body, r.Sent, r.HolderID)
		}
	}
	for _, tt := range []asked{
		{409, "POST", "/Users", `{"userName":"Ann@x.example","emails":[{"value":"new@x.example"}]}`, "Ann@x.example", ann},
		{409, "POST", "/Users", `{"userName":"new","emails":[{"value":"ann@mail.example"}]}`, "new", ann},
		{409, "POST", "/Users", `{"userName":"new@x.example","externalId":"e1"}`, "new@x.example", ann},
		{409, "PUT", "/Users/" + ben, `{"userName":"ben@x.example","emails":[{"value":"ann@mail.example","type":"work"}]}`, "ben@x.example", ann},
		{409, "PATCH", "/Users/" + ben, patchOf(`{"op":"replace","path":"userName","value":"ann@x.example"}`), "ann@x.example", ann},
		{409, "PATCH", "/Users/" + ben, patchOf(`{"op":"replace","value":{"userName":["ann@x.example"]}}`), "ann@x.example", ann},
		{409, "PATCH", "/Users/" + ben, patchOf(`{"op":"replace","path":"emails[type eq \"work\"].value","value":"ann@mail.example"}`), "", ann},
		{409, "PATCH", "/Users/" + ben, patchOf(`{"op":"add","path":"externalId","value":"e1"}`), "", ann},
		{409, "POST", "/Groups", `{"displayName":"eng"}`, "eng", eng},
		{409, "POST", "/Groups", `{"displayName":"New","externalId":"g1"}`, "New", eng},
		{409, "PATCH", "/Groups/" + ops, patchOf(`{"op":"replace","path":"displayName","value":"ENG"}`), "ENG", eng},
		{400, "POST", "/Users", `{"userName":"new@x.example","emails":[{"value":"none"}]}`, "new@x.example", ""},
		{400, "POST", "/Groups", `{"members":[]}`, "", ""},
		{201, "POST", "/Users", `{"userName":"cy@x.example"}`, "", ""},
		{200, "PATCH", "/Users/" + ben, patchOf(`{"op":"replace","path":"userName","value":"b@x.example"}`), "", ""},
		{404, "PUT", "/Users/nobody", `{"userName":"d@x.example"}`, "d@x.example", ""},
	} {
		check(tt)
	}
	w.want(400, "POST", "/Users", `{"userName":"`+strings.Repeat("long ", 1000)+`"}`)
	if r := w.lastRequest(); r.Sent == "" || len(r.Sent) > maxNote+3 {
		t.Errorf("%d bytes of a long name", len(r.Sent))
	}
	w.client, w.token = w.newClient(provision.ClientEdit{Name: ptr("B"), OwnOnly: ptr(true)})
	check(asked{409, "POST", "/Users", `{"userName":"ann@x.example"}`, "ann@x.example", ""})
	check(asked{409, "POST", "/Groups", `{"displayName":"eng"}`, "eng", ""})
}
