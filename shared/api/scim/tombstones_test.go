package scim

import (
	"slices"
	"testing"

	"bindery/shared/core/people"
	"bindery/shared/core/provision"
	"bindery/shared/directory"
)

// Whoever is deleted while the client takes everybody out of a group, or leaves them out of
// its list, is out of it when they return; who is named in the list, or was not meant, is in.
func TestMembersLeaveWhileTheyAreDeleted(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do   func(w *world, g, gone, stays string)
		back bool // whether the one who was deleted is in again
	}{
		"PUT of nobody": {func(w *world, g, _, _ string) {
			w.want(200, "PUT", "/Groups/"+g, `{"displayName":"Admins","members":[]}`)
		}, false},
		"PUT of others": {func(w *world, g, _, stays string) {
			w.want(200, "PUT", "/Groups/"+g, `{"displayName":"Admins","members":[{"value":"`+stays+`"}]}`)
		}, false},
		"PUT that names them": {func(w *world, g, gone, stays string) {
			w.want(200, "PUT", "/Groups/"+g, `{"displayName":"Admins","members":[{"value":"`+stays+`"},{"value":"`+gone+`"}]}`)
		}, true},
		"PUT without members": {func(w *world, g, _, _ string) {
			w.want(200, "PUT", "/Groups/"+g, `{"displayName":"Admins"}`)
		}, true},
		"replace": {func(w *world, g, _, _ string) {
			w.want(200, "PATCH", "/Groups/"+g, patchOf(`{"op":"replace","path":"members","value":[]}`))
		}, false},
		"remove": {func(w *world, g, _, _ string) {
			w.want(200, "PATCH", "/Groups/"+g, patchOf(`{"op":"remove","path":"members"}`))
		}, false},
		"remove by a filter": {func(w *world, g, _, _ string) {
			w.want(200, "PATCH", "/Groups/"+g, patchOf(`{"op":"remove","path":"members[type eq \"User\"]"}`))
		}, false},
		"remove by an ID": {func(w *world, g, gone, _ string) {
			w.want(200, "PATCH", "/Groups/"+g, patchOf(`{"op":"remove","path":"members[value eq \"`+gone+`\"]"}`))
		}, false},
		"remove of another": {func(w *world, g, _, stays string) {
			w.want(200, "PATCH", "/Groups/"+g, patchOf(`{"op":"remove","path":"members[value eq \"`+stays+`\"]"}`))
		}, true},
	} {
		for _, ownOnly := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, provision.ClientEdit{OwnOnly: &ownOnly})
				gone, stays := w.make("ann@x.example", `,"externalId":"e1"`), w.make("bob@x.example", `,"externalId":"e2"`)
				g := w.group("Admins", gone, stays)
				w.want(204, "DELETE", "/Users/"+gone, nil)
				tc.do(w, g, gone, stays)
				w.want(201, "POST", "/Users", `{"userName":"ann@x.example","externalId":"e1"}`)
				if in := slices.Contains(w.in(g), gone); in != tc.back {
					t.Errorf("in again: %t, want %t", in, tc.back)
				}
			})
		}
	}
}

// What another source owns stays, of those who are deleted as well.
func TestForeignMembershipOfTheDeletedStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	ann := w.make("ann@x.example", `,"externalId":"e1"`)
	g := w.group("Admins")
	groups := people.NewGroups(people.UsersConfig{Stores: people.StoresOf(w.Store), Wake: noWaker{}, Now: w.Now})
	_, err := groups.AddMembers(w.Context(), directory.Caller{Subject: "bridge", Source: directory.SourceAD}, directory.GroupID(g), []directory.MemberRef{directory.UserMember(directory.UserID(ann))}, 0)
	w.Must(err)
	w.want(204, "DELETE", "/Users/"+ann, nil)
	w.want(200, "PATCH", "/Groups/"+g, patchOf(`{"op":"remove","path":"members"}`))
	w.want(201, "POST", "/Users", `{"userName":"ann@x.example","externalId":"e1"}`)
	if got := w.in(g); !slices.Equal(got, []string{ann}) {
		t.Errorf("in: %v", got)
	}
}
