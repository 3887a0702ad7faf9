package scim

import (
	"slices"
	"strings"
	"testing"

	"bindery/shared/core/people"
	"bindery/shared/core/provision"
	"bindery/shared/directory"
)

// A client that sees only what it has pushed sees no member of its groups whom others have put
// in, finds no group by them, and takes none of them out, whatever it sends: what it has read it
// may send back, and whom it has pushed it takes out as before, who is deleted too.
func TestMembersOfOthers(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{true, false} {
		w := newWorld(t, provision.ClientEdit{})
		foreign := w.make("foreign@x.example")
		w.client, w.token = w.newClient(provision.ClientEdit{Name: ptr("Own"), OwnOnly: ptr(true), Strict: &strict})
		make := func(address string) string {
			return w.make(address, `,"emails":[{"value":"`+address+`"}]`)
		}
		ann, bob, gone := make("ann@x.example"), make("bob@x.example"), make("gone@x.example")
		groups := people.NewGroups(people.UsersConfig{Stores: people.StoresOf(w.Store), Wake: noWaker{}, Now: w.Now})
		crew := func(name string) string {
			g := w.group(name, ann, bob, gone)
			_, err := groups.AddMembers(t.Context(), ada, directory.GroupID(g), []directory.MemberRef{directory.UserMember(directory.UserID(foreign))}, 0)
			w.Must(err)
			return g
		}
		read, put, patched := crew("Read"), crew("Put"), crew("Patched")
		all := crew("All")
		w.want(204, "DELETE", "/Users/"+gone, nil)

		body := w.want(200, "GET", "/Groups/"+read, nil).Body.String()
		if strings.Contains(body, foreign) || !strings.Contains(body, ann) || !strings.Contains(body, bob) {
			t.Errorf("%s", body)
		}
		if list := w.want(200, "GET", "/Groups", nil).Body.String(); strings.Contains(list, foreign) || !strings.Contains(list, ann) {
			t.Errorf("%s", list)
		}
		for filter, want := range map[string]string{
			`members.value eq "` + foreign + `"`: "0", `members eq "` + foreign + `"`: "0", `members[value eq "` + foreign + `"]`: "0", `members.value eq "` + ann + `"`: "4",
			`not (members.value eq "` + foreign + `")`: "4", `members.value eq "` + foreign + `" and displayName eq "Read"`: "0", `members.value eq "` + foreign + `" or displayName eq "Read"`: "1",
		} {
			if total, _ := results(w.want(200, "GET", "/Groups?filter="+esc(filter), nil)); total != want {
				t.Errorf("%s: %s, want %s", filter, total, want)
			}
		}
		is := func(group string, want ...string) {
			t.Helper()
			var in []string
			for _, id := range []string{ann, bob, gone, foreign} {
				there, err := w.pushes.AreMembers(t.Context(), directory.GroupID(group), []directory.UserID{directory.UserID(id)})
				w.Must(err)
				if there[directory.UserID(id)] {
					in = append(in, id)
				}
			}
			if !slices.Equal(in, want) {
				t.Errorf("strict %t: %v, want %v", strict, in, want)
			}
		}
		w.want(200, "PUT", "/Groups/"+read, body)
		is(read, ann, bob, foreign)
		w.want(200, "PUT", "/Groups/"+put, `{"schemas":["`+schemaGroup+`"],"displayName":"Put","members":[{"value":"`+ann+`"}]}`)
		is(put, ann, foreign)

		out := patchOf(`{"op":"remove","path":"members[value eq \"` + foreign + `\"]"}`)
		if r := w.send("PATCH", "/Groups/"+patched, out); strict != (r.Code == 400) || strict && r.body.text("scimType") != typeNoTarget {
			t.Errorf("strict %t: %d %s", strict, r.Code, r.Body)
		}
		if r := w.send("PATCH", "/Groups/"+patched, patchOf(`{"op":"remove","path":"members","value":[{"value":"`+foreign+`"}]}`)); strict != (r.Code == 400) {
			t.Errorf("strict %t: %d %s", strict, r.Code, r.Body)
		}
		is(patched, ann, bob, gone, foreign)
		w.want(200, "PATCH", "/Groups/"+patched, patchOf(`{"op":"replace","path":"members","value":[{"value":"`+bob+`"}]}`))
		is(patched, bob, foreign)
		w.want(200, "PATCH", "/Groups/"+patched, patchOf(`{"op":"remove","path":"members[type eq \"User\"]"}`))
		is(patched, foreign)
		w.want(200, "PATCH", "/Groups/"+all, patchOf(`{"op":"remove","path":"members"}`))
		is(all, foreign)
		if body := w.want(200, "GET", "/Groups/"+all, nil).Body.String(); strings.Contains(body, "members") {
			t.Errorf("%s", body)
		}
		w.want(201, "POST", "/Groups", `{"schemas":["`+schemaGroup+`"],"displayName":"Last","members":[{"value":"`+ann+`"}]}`)
	}
}
