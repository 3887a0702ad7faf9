package scim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"bindery/shared/core/people"
	"bindery/shared/core/provision"
	"bindery/shared/directory"
)

// TestWalk pushes, edits by hand and brings back at random, and holds after each step:
// what is answered is what is read; what is shown says what the user has, but for what was
// not taken; and what was read, sent back as a whole, changes nothing.
func TestWalk(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			walk(t, rand.New(rand.NewPCG(seed, 1)))
		})
	}
}

func walk(t *testing.T, r *rand.Rand) {
	w := newWorld(t, provision.ClientEdit{})
	boss := w.make("boss@x.example")
	id := w.make("u@x.example", `,"externalId":"A1","active":true,"emails":[{"type":"work","value":"u@x.example","primary":true}]`)
	ops := []string{
		`{"op":"add","path":"manager","value":"` + boss + `"}`, `{"op":"add","path":"manager","value":"nobody"}`,
		`{"op":"replace","path":"preferredLanguage","value":"rubbish!"}`, `{"op":"replace","path":"preferredLanguage","value":"de_DE"}`,
		`{"op":"replace","path":"urn:ietf:params:scim:schemas:extension:bindery:2.0:User:usageLocation","value":"Atlantis"}`,
		`{"op":"replace","path":"phoneNumbers[type eq \"work\"].value","value":"tel:+49 30 1"}`,
		`{"op":"replace","path":"userName","value":"v@x.example"}`, `{"op":"remove","path":"externalId"}`, `{"op":"replace","path":"active","value":true}`,
		`{"op":"replace","path":"name.formatted","value":" Ann  Bee "}`, `{"op":"replace","value":{"division":"North","costCenter":9}}`,
	}
	for _, p := range patches {
		ops = append(ops, p.ops)
	}
	manual := []string{`{"department":"Sales"}`, `{"jobTitle":null,"givenName":"Ada"}`, `{"phones":{"work":"+1","mobile":"+2"}}`, `{"workAddress":{"city":"Ulm","country":"DE"},"location":"B2"}`,
		`{"state":"suspended"}`, `{"alternateEmail":"alt@x.example","displayName":"By hand"}`, `{"customAttributes":{"division":"South"}}`, `{"employeeId":null}`}
	var done []string
	for range 60 {
		var answered *object
		switch n := r.IntN(10); {
		case n < 6:
			op := ops[r.IntN(len(ops))]
			done = append(done, op)
			a := w.send("PATCH", "/Users/"+id, patchOf(op))
			if a.Code != 200 && a.Code != 400 && a.Code != 409 {
				t.Fatalf("%s: %d %s", op, a.Code, a.Body)
			}
			if a.Code == 200 {
				answered = a.body
			}
		case n < 8: // by hand; what SCIM owns is refused
			edit := manual[r.IntN(len(manual))]
			done = append(done, edit)
			if _, err := w.users.Patch(t.Context(), ada, directory.UserID(id), []byte(edit), 0); err != nil && !strings.Contains(err.Error(), "owned by") {
				t.Fatal(err)
			}
		case n == 8:
			done = append(done, "PUT")
			a := w.send("PUT", "/Users/"+id, fmt.Sprintf(`{"userName":"u%d@x.example","externalId":"A1","title":"T","emails":[{"value":"e%d@x.example"}]}`, r.IntN(3), r.IntN(3)))
			if a.Code == 200 {
				answered = a.body
			}
		default:
			done = append(done, "DELETE, POST")
			w.want(200, "PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"externalId","value":"A1"}`))
			w.want(204, "DELETE", "/Users/"+id, nil)
			a := w.want(201, "POST", "/Users", `{"userName":"back@x.example","externalId":"A1","nickName":"Back"}`)
			if answered = a.body; a.body.text("id") != id {
				t.Fatalf("%v: somebody else came back: %s", done, a.Body)
			}
		}
		w.consistent(id, answered, done)
	}
}

func (w *world) consistent(id string, answered *object, done []string) {
	w.Helper()
	done = done[max(0, len(done)-6):]
	read := w.want(200, "GET", "/Users/"+id, nil)
	if answered != nil && !equal(answered, read.body) {
		w.Fatalf("%q: answered %s\nread %s", done, printed(w, answered), read.Body)
	}
	now, err := w.pushes.Get(w.Context(), &w.client, directory.UserID(id))
	w.Must(err)
	doc, err := newUserType(nil).normalise(read.body, &notes{})
	w.Must(err)
	shown := texts(userMapping, doc)
	for i := range userMapping {
		path := userMapping[i].path
		living, said := textOf(&now.User.Profile, path), people.CleanText(path, shown[path])
		if living != said && !(living == "" && slices.Contains(now.Document.Kept, path)) {
			w.Fatalf("%q: %s is %q and shown as %q: %s", done, path, living, said, read.Body)
		}
	}
	version := now.User.Version
	again := w.want(200, "PUT", "/Users/"+id, read.Body.String())
	if u := w.user(id); u.Version != version {
		w.Fatalf("%q: what was read, sent back, changed the user to %+v", done, u)
	}
	strip := func(o *object) *object {
		o = o.clone()
		o.set("meta", nil) // the document may be another one: it has now what others have set
		return o
	}
	if !equal(strip(again.body), strip(read.body)) {
		w.Fatalf("%q: read %s\nsent back, shown as %s", done, read.Body, again.Body)
	}
}
