package graph

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/state"
)

func managerRef(id string) string {
	return `{"@odata.id":"https://graph.microsoft.com/v1.0/users/` + id + `"}`
}

// setManager makes an account the manager of another.
func (l *lab) setManager(id, manager string) {
	l.Helper()
	l.want(204, "PUT", "/users/"+id+"/manager/$ref", managerRef(manager))
}

// The refusals of a manager, and beside each what is taken: rows 5, 16, 32 and 57 of
// GG 22.
func TestManagerRefusals(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	const none = "Resource 'manager' does not exist or one of its queried reference-property objects are not present."
	deleted := l.create("gone@fabrikam.example")
	l.want(204, "DELETE", "/users/"+deleted, "")
	ref := "/users/" + plainID + "/manager/$ref"
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		message                  string
	}{
		{"57 none to read", "GET", "/users/" + plainID + "/manager", "", 404, none},
		{"57 none to read, as a reference", "GET", ref, "", 404, none},
		{"57 none to clear", "DELETE", ref, "", 404, none},
		{"5 no body", "PUT", ref, "", 400, "An unexpected 'EndOfInput' node was found when reading from the JSON reader. A 'StartObject' node was expected."},
		{"32 no id", "PUT", ref, `{"@odata.id":"https://graph.microsoft.com/v1.0/directoryObjects/box"}`, 400, "Invalid object identifier 'box'."},
		{"32 in a PATCH", "PATCH", "/users/" + plainID, `{"manager":"` + ownerID + `"}`, 400, "Property manager in payload has a value that does not match schema."},
		{"unknown", "PUT", ref, managerRef(labApp), 404, "Resource '" + labApp + "' does not exist or one of its queried reference-property objects are not present."},
		{"deleted", "PUT", ref, managerRef(deleted), 404, "Resource '" + deleted + "' does not exist or one of its queried reference-property objects are not present."},
		{"a group", "PUT", ref, `{"@odata.id":"https://graph.microsoft.com/v1.0/directoryObjects/` + groupID + `"}`, 400, "The reference target of type 'Group' is invalid for the 'manager' reference."},
		{"16 synced", "PUT", "/users/" + syncedID + "/manager/$ref", managerRef(ownerID), 400,
			"Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration."},
		{"a synced manager", "PUT", ref, managerRef(syncedID), 204, ""},
		{"by the name, another host and version", "PUT", ref, `{"@odata.id":"https://elsewhere.example/beta/users/owner@fabrikam.example"}`, 204, ""},
		{"as a directory object", "PUT", ref, `{"@odata.id":"https://graph.microsoft.com/v1.0/directoryObjects/` + ownerID + `"}`, 204, ""},
		{"there is one to read", "GET", "/users/" + plainID + "/manager?$select=id", "", 200, ""},
		{"there is one to clear", "DELETE", ref, "", 204, ""},
	} {
		if got := l.unchecked().do(c.method, c.path, c.body); got.status != c.status || got.message() != c.message {
			t.Errorf("%s: %d %q, want %d %q", c.name, got.status, got.message(), c.status, c.message)
		}
	}
}

// Who may: permission and role of each call (GG 1).
func TestManagerRights(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	ref := "/users/" + plainID + "/manager/$ref"
	for _, c := range []struct {
		role, scope, method, path string
		status                    int
	}{
		{roles.UserAdministrator, "User.ReadWrite.All", "PUT", ref, 204},
		{roles.UserAdministrator, "User.Read.All", "PUT", ref, 403},
		{roles.LicenseAdministrator, "User.ReadWrite.All", "PUT", ref, 403},
		{roles.DirectoryReaders, "User.Read.All", "GET", "/users/" + plainID + "/manager", 200},
		{roles.DirectoryReaders, "Group.Read.All", "GET", "/users/" + plainID + "/manager", 403},
		{roles.DirectoryReaders, "User.Read.All", "GET", "/users/" + ownerID + "/directReports", 200},
		{roles.DirectoryReaders, "Group.Read.All", "GET", "/users/" + ownerID + "/directReports", 403},
		{roles.LicenseAdministrator, "User.ReadWrite.All", "DELETE", ref, 403},
		{roles.UserAdministrator, "User.ReadWrite.All", "DELETE", ref, 204},
	} {
		if err := l.s.SetRoles(labTenant, helpID, c.role); err != nil {
			t.Fatal(err)
		}
		body := ""
		if c.method == "PUT" {
			body = managerRef(ownerID)
		}
		if got := l.as(helpID, c.scope).do(c.method, c.path, body); got.status != c.status {
			t.Errorf("%s %s as %s with %s = %d %s, want %d", c.method, c.path, roles.Name(c.role), c.scope, got.status, got.raw, c.status)
		}
	}
}

// A write that changes nothing is a write all the same, and one that changes something
// is told by delta and by directReports; a deleted manager is none, until it is back.
func TestManager(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	_, link := l.round("/users/delta?$select=id,manager")
	l.setManager(plainID, ownerID)
	l.setManager(plainID, ownerID)
	kinds := []string{}
	for _, m := range l.s.Mutations(labTenant) {
		if m.TargetID == plainID {
			kinds = append(kinds, m.Kind)
		}
	}
	if !slices.Equal(kinds, []string{"update", "noop"}) {
		t.Errorf("mutations: %v", kinds)
	}
	reports := "/users/" + ownerID + "/directReports?$select=id"
	if got := l.want(200, "GET", reports, "").ids(); !slices.Equal(got, []string{plainID}) {
		t.Errorf("directReports: %v", got)
	}
	items, link := l.round(link)
	if list := listOf(items[plainID]["manager@delta"]); len(items) != 1 || len(list) != 1 || list[0].(map[string]any)["id"] != ownerID {
		t.Errorf("delta after setting: %v", items)
	}
	l.want(204, "DELETE", "/users/"+ownerID, "")
	l.want(404, "GET", "/users/"+plainID+"/manager", "")
	l.want(404, "DELETE", "/users/"+plainID+"/manager/$ref", "")
	l.want(200, "POST", "/directory/deletedItems/"+ownerID+"/restore", "")
	if got := l.want(200, "GET", "/users/"+plainID+"/manager?$select=id", ""); got.body["id"] != ownerID {
		t.Errorf("after restoring the manager: %s", got.raw)
	}
	l.want(204, "DELETE", "/users/"+plainID+"/manager/$ref", "")
	if got := l.want(200, "GET", reports, "").ids(); len(got) != 0 {
		t.Errorf("directReports after clearing: %v", got)
	}
	items, _ = l.round(link)
	list := listOf(items[plainID]["manager@delta"])
	if len(list) != 1 || removed(list[0].(map[string]any)) == "" {
		t.Errorf("delta after clearing: %v", items)
	}
}

// $levels needs an advanced query and ends at a circle; self-management is taken.
func TestManagerChain(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	l.setManager(plainID, ownerID)
	l.setManager(ownerID, mailboxID)
	chain := func(query string, headers ...string) string {
		t.Helper()
		body := l.unchecked().want(200, "GET", "/users/"+plainID+"?"+query, "", headers...).body
		var out []string
		for {
			out = append(out, state.Text(body["id"])[35:])
			next, ok := body["manager"].(map[string]any)
			if !ok {
				return strings.Join(out, " ")
			}
			body = next
		}
	}
	levels := "$select=id&$count=true&$expand=manager($levels=%s;$select=id)"
	for _, c := range []struct{ levels, want string }{{"max", "3 6 5"}, {"1", "3 6"}, {"2", "3 6 5"}} {
		if got := chain(fmt.Sprintf(levels, c.levels), eventual, "eventual"); got != c.want {
			t.Errorf("levels %s: %s, want %s", c.levels, got, c.want)
		}
	}
	l.setManager(mailboxID, plainID)
	if got := chain(fmt.Sprintf(levels, "max"), eventual, "eventual"); got != "3 6 5 3" {
		t.Errorf("a circle: %s", got)
	}
	l.setManager(plainID, plainID)
	if got := chain(fmt.Sprintf(levels, "max"), eventual, "eventual"); got != "3 3" {
		t.Errorf("its own manager: %s", got)
	}
	for _, h := range [][]string{nil, {eventual, "eventual"}} {
		query := fmt.Sprintf(levels, "max")
		if h != nil {
			query = strings.Replace(query, "&$count=true", "", 1)
		}
		if got := l.unchecked().do("GET", "/users/"+plainID+"?"+query, "", h...).code(); got != "400 Request_UnsupportedQuery" {
			t.Errorf("without being advanced = %s", got)
		}
	}
}
