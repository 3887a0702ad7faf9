package scim

import (
	"testing"

	"bindery/shared/core/people"
	"bindery/shared/core/provision"
	"bindery/shared/directory"
)

// leads demands to whom an externalId leads.
func (w *world) leads(path, externalID, want string) {
	w.Helper()
	total, list := results(w.want(200, "GET", path+"?filter=externalId%20eq%20%22"+externalID+"%22", nil))
	if want == "" && total == "0" || len(list) == 1 && list[0].text("id") == want {
		return
	}
	w.Errorf("%s %q leads to %s %v, want %s", path, externalID, total, list, want)
}

// Somebody whom the client has deleted was made anew by an admin. The client finds them by
// the user name, as the answer to its POST tells it to, and adopts them under the externalId
// that the deleted one has: they are who is meant from then on.
func TestAdoptedUnderTheExternalIDOfATombstone(t *testing.T) {
	t.Parallel()
	const body = `{"userName":"ann@x.example","externalId":"e1","title":"Boss"}`
	for name, adopt := range map[string]func(w *world, id string) reply{
		"PATCH": func(w *world, id string) reply {
			return w.want(200, "PATCH", "/Users/"+id, patchOf(`{"op":"add","path":"externalId","value":"e1"}`))
		},
		"PUT": func(w *world, id string) reply { return w.want(200, "PUT", "/Users/"+id, body) },
		"PUT of a known one": func(w *world, id string) reply {
			w.want(200, "PUT", "/Users/"+id, `{"userName":"ann@x.example","externalId":"e2"}`)
			return w.want(200, "PUT", "/Users/"+id, body)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, provision.ClientEdit{})
			old := w.make("ann@x.example", `,"externalId":"e1"`)
			w.want(204, "DELETE", "/Users/"+old, nil)
			u, err := w.users.Create(w.Context(), ada, []byte(`{"email":"ann@x.example"}`))
			w.Must(err)
			id := string(u.ID)
			w.want(409, "POST", "/Users", body)
			if r := adopt(w, id); r.body.text("externalId") != "e1" {
				t.Errorf("adopted: %s", r.Body)
			}
			w.leads("/Users", "e1", id)
			w.want(409, "POST", "/Users", body)

			// The deleted one returns, under another address, and without the externalId.
			w.byHand(id, `{"email":"ann.b@x.example","userName":"ann.b@x.example"}`)
			_, err = w.users.Restore(w.Context(), ada, directory.UserID(old), 0)
			w.Must(err)
			w.leads("/Users", "e1", id)
			if got := w.want(200, "GET", "/Users/"+old, nil).body.text("externalId"); got != "" {
				t.Errorf("the one who came back is shown with %q", got)
			}
			w.want(409, "PATCH", "/Users/"+old, patchOf(`{"op":"add","path":"externalId","value":"e1"}`))

			// Deleted themselves, they are who comes back by it.
			w.want(204, "DELETE", "/Users/"+id, nil)
			if back := w.want(201, "POST", "/Users", `{"userName":"ann.b@x.example","externalId":"e1"}`).body.text("id"); back != id {
				t.Errorf("%s came back, want %s", back, id)
			}
		})
	}
}

// The same of a group that somebody else has made anew.
func TestGroupAdoptedUnderTheExternalIDOfATombstone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	old := w.want(201, "POST", "/Groups", `{"displayName":"Crew","externalId":"g1"}`).body.text("id")
	w.want(204, "DELETE", "/Groups/"+old, nil)
	groups := people.NewGroups(people.UsersConfig{Stores: people.StoresOf(w.Store), Wake: noWaker{}, Now: w.Now})
	g, err := groups.Create(w.Context(), ada, []byte(`{"name":"Crew"}`))
	w.Must(err)
	id := string(g.Group.ID)
	w.want(409, "POST", "/Groups", `{"displayName":"Crew","externalId":"g1"}`)
	w.want(200, "PATCH", "/Groups/"+id, patchOf(`{"op":"add","path":"externalId","value":"g1"}`))
	w.leads("/Groups", "g1", id)
}

// While the one who has an externalId lives, suspended or not, nobody else gets it.
func TestExternalIDOfTheSuspendedStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	ann := w.make("ann@x.example", `,"externalId":"e1"`)
	w.want(200, "PATCH", "/Users/"+ann, patchOf(`{"op":"replace","path":"active","value":false}`))
	bob := w.make("bob@x.example")
	w.want(409, "PATCH", "/Users/"+bob, patchOf(`{"op":"add","path":"externalId","value":"e1"}`))
	w.leads("/Users", "e1", ann)
}
