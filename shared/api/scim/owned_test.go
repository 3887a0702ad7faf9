package scim

import (
	"maps"
	"strings"
	"testing"

	"bindery/shared/core/provision"
	"bindery/shared/directory"
)

// byHand is an edit of a user by an admin.
func (w *world) byHand(id, body string) {
	w.Helper()
	_, err := w.users.Patch(w.Context(), ada, directory.UserID(id), []byte(body), 0)
	w.Must(err)
}

func (w *world) owns(id string, paths ...string) {
	w.Helper()
	want := map[string]directory.Source{}
	for _, p := range paths {
		want[p] = directory.SourceSCIM
	}
	if got := w.user(id).Owners; !maps.Equal(got, want) {
		w.Errorf("owned: %v, want %v", got, paths)
	}
}

// Of a user whom others have made, a client owns what it has changed, and nothing else.
func TestOwnsWhatItChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	u, err := w.users.Create(w.Context(), ada, []byte(`{"email":"ann@x.example","displayName":"Ann","jobTitle":"Cook","phones":{"work":"+49 1"}}`))
	w.Must(err)
	id := string(u.ID)
	w.want(200, "PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"emails[type eq \"work\"].value","value":"ann2@x.example"}`))
	if now := w.user(id); now.Email != "ann2@x.example" || now.UserName != "ann@x.example" {
		t.Errorf("%s, %s", now.Email, now.UserName)
	}
	w.owns(id, "email")
	w.want(200, "PUT", "/Users/"+id, `{"userName":"ann@x.example","displayName":"Ann","title":"Chef","emails":[{"value":"ann2@x.example","type":"work"}],"phoneNumbers":[{"value":"tel:+49 1","type":"work"}]}`)
	w.owns(id, "email", "jobTitle")
	w.byHand(id, `{"userName":"ann.new@x.example","displayName":"Ann B","phones":{"work":"+49 2"}}`)
}

// A manager who was named before they were there is the client's once they are; one whom
// somebody else has set meanwhile is not, and is not brought back.
func TestOwnsNoManagerThatOthersSet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	boss := w.make("boss@x.example")
	id := w.make("ann@x.example", `,"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"nobody-yet"}}`)
	title := func(text string) {
		w.want(200, "PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"title","value":"`+text+`"}`))
	}
	owners := maps.Clone(w.user(id).Owners)
	w.byHand(id, `{"managerId":"`+boss+`"}`)
	title("One")
	owners["jobTitle"] = directory.SourceSCIM
	if got := w.user(id).Owners; !maps.Equal(got, owners) {
		t.Errorf("owned: %v, want %v", got, owners)
	}
	w.byHand(id, `{"managerId":null}`)
	title("Two")
	if got := w.user(id).ManagerID; got != "" {
		t.Errorf("the manager whom an admin took away is back: %s", got)
	}
}

// Whoever activates somebody whom an admin has suspended is told of it in the log; whom the
// client has suspended itself it activates without.
func TestToldOfActivatingWhomAHandSuspended(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	id := w.make("ann@x.example")
	put := func(active string) string {
		w.want(200, "PUT", "/Users/"+id, `{"userName":"ann@x.example","active":`+active+`}`)
		return strings.Join(w.lastRequest().Notes, " ")
	}
	_, err := w.users.SetState(w.Context(), ada, directory.UserID(id), directory.StateSuspended, 0)
	w.Must(err)
	if notes := put("true"); !strings.Contains(notes, "by hand") || w.user(id).State != directory.StateActive {
		t.Errorf("told: %q", notes)
	}
	put("false")
	if notes := put("true"); strings.Contains(notes, "by hand") {
		t.Errorf("told: %q", notes)
	}
	// From here on the client decides, and an admin's suspension is refused.
	if _, err := w.users.SetState(w.Context(), ada, directory.UserID(id), directory.StateSuspended, 0); err == nil {
		t.Error("an admin suspends whom the client decides about")
	}
}
