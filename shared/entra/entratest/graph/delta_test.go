package graph

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/state"
)

// round follows a delta query to its end and returns the items by id, the last one
// of each, and the link for the next round.
func (l *lab) round(path string, headers ...string) (map[string]map[string]any, string) {
	l.Helper()
	items := map[string]map[string]any{}
	for range 100 {
		r := l.want(200, "GET", path, "", headers...)
		for _, v := range listOf(r.body["value"]) {
			m := v.(map[string]any)
			old := items[state.Text(m["id"])]
			for k, v := range old {
				if _, ok := m[k]; !ok {
					m[k] = v
				}
			}
			items[state.Text(m["id"])] = m
		}
		if link := state.Text(r.body["@odata.deltaLink"]); link != "" {
			return items, link
		}
		path = state.Text(r.body["@odata.nextLink"])
	}
	l.Fatal("the round does not end")
	return nil, ""
}

func removed(m map[string]any) string {
	r, _ := m["@removed"].(map[string]any)
	return state.Text(r["reason"])
}

func TestDeltaLifeCycle(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	items, link := l.round("/users/delta?$select=displayName,city,jobTitle", "Prefer", "odata.maxpagesize=2")
	if len(items) != 9 {
		t.Fatalf("first round: %d items", len(items))
	}
	if _, ever := items[plainID]["city"]; ever || items[plainID]["jobTitle"] != "Clerk" {
		t.Errorf("item = %v, want only what was ever set", items[plainID])
	}
	if items, link = l.round(link); len(items) != 0 {
		t.Errorf("nothing changed, but: %v", items)
	}
	l.want(204, "PATCH", "/users/"+plainID, `{"city":"Bern"}`)
	l.want(204, "PATCH", "/users/"+ownerID, `{"mobilePhone":"1"}`) // not selected
	id := l.create("new@fabrikam.example")
	items, next := l.round(link, "Prefer", "return=minimal")
	if len(items) != 2 || items[plainID]["city"] != "Bern" || items[plainID]["jobTitle"] != nil || items[id]["displayName"] != "new" {
		t.Errorf("second round = %v", items)
	}
	if items, _ := l.round(link); items[plainID]["jobTitle"] != "Clerk" {
		t.Errorf("without return=minimal: %v", items[plainID])
	}
	l.want(204, "PATCH", "/users/"+plainID, `{"city":null}`)
	l.want(204, "DELETE", "/users/"+id, "")
	items, link = l.round(next, "Prefer", "return=minimal")
	if v, there := items[plainID]["city"]; !there || v != nil || removed(items[id]) != "changed" {
		t.Errorf("third round = %v", items)
	}
	l.want(204, "DELETE", "/directory/deletedItems/"+id, "")
	l.want(204, "DELETE", "/users/"+plainID, "")
	l.want(200, "POST", "/directory/deletedItems/"+plainID+"/restore", "")
	items, link = l.round(link, "Prefer", "return=minimal")
	if removed(items[id]) != "deleted" || items[plainID]["displayName"] != "Plain" {
		t.Errorf("fourth round = %v", items)
	}
	if err := l.s.kept.Advance(7*24*time.Hour + time.Second); err != nil {
		t.Fatal(err)
	}
	if got := l.do("GET", link, ""); got.code() != "400 syncStateNotFound" {
		t.Errorf("after seven days: %s", got.code())
	}
}

func TestDeltaWhilePaging(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	r := l.want(200, "GET", "/users/delta?$select=displayName", "", "Prefer", "odata.maxpagesize=3")
	seen := r.ids()
	l.want(204, "DELETE", "/users/"+plainID, "")
	l.want(204, "PATCH", "/users/"+ownerID, `{"displayName":"Boss"}`)
	items, link := l.round(state.Text(r.body["@odata.nextLink"]))
	later, _ := l.round(link)
	if slices.Contains(seen, plainID) && removed(items[plainID])+removed(later[plainID]) == "" {
		t.Error("the deletion during the round is lost")
	}
	if items[ownerID]["displayName"] != "Boss" && later[ownerID]["displayName"] != "Boss" {
		t.Error("the change during the round is lost")
	}
}

func TestDeltaSpellingsAndRefusals(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	for _, path := range []string{"/users/delta", "/users/delta()", "/users/microsoft.graph.delta", "/users/microsoft.graph.delta()"} {
		if items, link := l.round(path); len(items) != 9 || !strings.HasPrefix(link, labBase+"/v1.0/users/delta?$deltatoken=") {
			t.Errorf("%s = %d items, %s", path, len(items), link)
		}
	}
	for _, option := range []string{"$top=5", "$orderby=displayName", "$expand=manager", "$search=%22displayName:x%22", "$filter=displayName%20eq%20'x'", "$deltatoken=nonsense", "$select=nothing"} {
		if got := l.do("GET", "/users/delta?"+option, ""); got.status != 400 {
			t.Errorf("delta with %s = %d, want 400", option, got.status)
		}
	}
	items, _ := l.round("/users/delta?$filter=" + url.QueryEscape("id eq '"+plainID+"' or id eq '"+ownerID+"'"))
	if len(items) != 2 {
		t.Errorf("filtered by two ids: %d items", len(items))
	}
	latest := l.want(200, "GET", "/users/delta?$deltatoken=latest", "")
	if len(latest.ids()) != 0 {
		t.Errorf("latest = %v", latest.ids())
	}
	l.want(204, "PATCH", "/users/"+plainID, `{"jobTitle":"Head"}`)
	if items, _ := l.round(state.Text(latest.body["@odata.deltaLink"])); len(items) != 1 {
		t.Errorf("from now on: %v", items)
	}
}

func TestDeltaOfRelations(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	_, users := l.round("/users/delta?$select=id,manager")
	_, groups := l.round("/groups/delta?$select=displayName,members")
	l.want(204, "PUT", "/users/"+plainID+"/manager/$ref", `{"@odata.id":"https://graph.microsoft.com/v1.0/users/`+ownerID+`"}`)
	l.want(204, "DELETE", "/groups/"+groupID+"/members/"+plainID+"/$ref", "")
	l.want(204, "POST", "/groups/"+groupID+"/members/$ref", `{"@odata.id":"https://graph.microsoft.com/v1.0/users/`+ownerID+`"}`)
	items, _ := l.round(users)
	if list := listOf(items[plainID]["manager@delta"]); len(items) != 1 || len(list) != 1 || list[0].(map[string]any)["id"] != ownerID {
		t.Errorf("manager: %v", items)
	}
	items, _ = l.round(groups)
	list := listOf(items[groupID]["members@delta"])
	if len(list) != 2 || removed(list[0].(map[string]any)) != "deleted" || removed(list[1].(map[string]any)) != "" {
		t.Errorf("members: %v", list)
	}
}

func TestDeltaFaults(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"delta-duplicate", "delta-replay", "delta-split", "delta-shuffle", "delta-empty-page", "delta-removed"} {
		t.Run(kind, func(t *testing.T) {
			l := newLab(t, labOptions{})
			l.setFault(faults.Fault{Kind: kind, Times: 3})
			items, link := l.round("/users/delta?$select=displayName,userPrincipalName", "Prefer", "odata.maxpagesize=4")
			n := 0
			for _, m := range items {
				if removed(m) == "" && m["displayName"] != nil && m["userPrincipalName"] != nil {
					n++
				}
			}
			if n != 9 {
				t.Errorf("a client that merges sees %d accounts, want 9", n)
			}
			if l.s.faults.List()[0].Struck == 0 {
				t.Error("the fault did not strike")
			}
			l.want(204, "PATCH", "/users/"+plainID, `{"displayName":"x"}`)
			if items, _ := l.round(link); items[plainID]["displayName"] != "x" {
				t.Errorf("the next round = %v", items)
			}
		})
	}
	l := newLab(t, labOptions{})
	_, link := l.round("/users/delta")
	l.setFault(faults.Fault{Kind: "delta-gone", Times: 1})
	got := l.do("GET", link, "")
	if got.status != 410 || got.header.Get("Location") != labBase+"/v1.0/users/delta?$deltatoken=" {
		t.Fatalf("410: %d %s", got.status, got.header.Get("Location"))
	}
	if items, _ := l.round(got.header.Get("Location")); len(items) != 9 {
		t.Errorf("the link of the 410 gives %d items", len(items))
	}
	l.setFault(faults.Fault{Kind: "delta-state-not-found", Times: 1})
	if got := l.do("GET", link, ""); got.code() != "400 syncStateNotFound" {
		t.Errorf("state not found = %s", got.code())
	}
}
