package assign

import (
	"context"
	"errors"
	"strings"
	"testing"

	"bindery/shared/core/assign/assigntest"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// tenantGroups are the verdicts about the groups of a tenant.
func (w *world) tenantGroups(tenant *assigntest.Groups) *GroupCandidates {
	return NewGroupCandidates(GroupCandidatesConfig{Stores: StoresOf(w.store), Open: func(context.Context, *directory.Connection) (GroupTenant, error) { return tenant, nil }})
}

// group makes a group of the directory.
func (w *world) group(name string) directory.Group {
	w.t.Helper()
	g := directory.Group{ID: directory.NewGroupID(w.Now()), GroupProfile: directory.GroupProfile{Name: name}, Source: directory.SourceManual, Created: w.Now(), Updated: w.Now()}
	w.must(w.store.Groups.CreateGroups(w.t.Context(), directory.AuditEvent{}, &g))
	return g
}

func TestTenantGroups(t *testing.T) {
	w := newWorld(t)
	tenant := assigntest.GroupsOfEachKind()
	sales, unified := w.group("Sales"), w.group("Everybody")
	w.must(w.store.Bindings.Bind(t.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{
		{Object: directory.GroupRef(unified.ID), Version: 1, AccountID: "10000000-0000-4000-8000-000000000008"}}))
	groups := w.tenantGroups(tenant)
	want := map[string]struct {
		v         GroupVerdict
		adoptable bool
		reason    string
		of        directory.GroupID
		words     string
	}{
		"Free":    {GroupFree, true, "", "", "No group"},
		"SALES":   {GroupSameName, true, "", sales.ID, `"Sales" has its name`},
		"Dynamic": {GroupDynamic, false, "group-dynamic", "", "rule"},
		"Synced":  {GroupSynced, false, "group-synced", "", "Active Directory"},
		"List":    {GroupMailEnabled, false, "group-mail-enabled", "", "Exchange"},
		"Roles":   {GroupRoleAssignable, false, "group-role-assignable", "", "roles"}, "Restricted": {GroupRestricted, false, "group-restricted", "", "unit"},
		"Unified": {GroupOurs, false, "", unified.ID, `"Everybody"`},
	}
	list := func(f GroupFilter, limit int) map[string]GroupCandidate {
		t.Helper()
		got, next := map[string]GroupCandidate{}, ""
		for range 50 {
			page, more, err := groups.List(t.Context(), w.conn.ID, f, next, limit)
			if err != nil || len(page) > limit {
				t.Fatalf("%d of %d: %v", len(page), limit, err)
			}
			for _, c := range page {
				if _, twice := got[c.DisplayName]; twice {
					t.Errorf("%s is listed twice", c.DisplayName)
				}
				got[c.DisplayName] = c
			}
			if next = more; next == "" {
				return got
			}
		}
		t.Fatal("the listing does not end")
		return nil
	}
	for _, limit := range []int{1, 2, 5, 500} {
		got := list(GroupFilter{}, limit)
		if len(got) != len(want) {
			t.Errorf("limit %d: %d groups, want %d", limit, len(got), len(want))
		}
		for name, x := range want {
			c := got[name]
			if c.Verdict != x.v || c.Adoptable != x.adoptable || c.Reason != x.reason || c.GroupID != x.of || !strings.Contains(c.Detail, x.words) {
				t.Errorf("%s = %+v, want %+v", name, c, x)
			}
		}
	}
	if got := list(GroupFilter{Name: "s"}, 1); len(got) != 2 || got["SALES"].ID == "" {
		t.Errorf("by name: %v", got)
	}
	if got := list(GroupFilter{Verdict: GroupOurs}, 2); len(got) != 1 || got["Unified"].GroupName != "Everybody" {
		t.Errorf("by verdict: %v", got)
	}

	// What is ours, and what becomes read-only, is both.
	tenant.List[7].RoleAssignable = true
	if c := list(GroupFilter{}, 500)["Unified"]; c.Verdict != GroupOurs || c.Reason != "group-role-assignable" || c.Adoptable {
		t.Errorf("ours and read-only: %+v", c)
	}
	// A deactivation lets all go.
	w.again()
	if c := list(GroupFilter{}, 500)["Unified"]; c.Verdict != GroupRoleAssignable || c.GroupID != "" {
		t.Errorf("after a deactivation: %+v", c)
	}
}

func TestTenantGroupsRefused(t *testing.T) {
	w := newWorld(t)
	tenant := assigntest.GroupsOfEachKind()
	groups := w.tenantGroups(tenant)
	for _, link := range []string{
		"https://graph.example/v1.0/users", "https://graph.example/v1.0/groups?$expand=members", "https://x@graph.example/v1.0/groups",
		"https://graph.example/v1.0/me/../groups", "other://x/groups?$skiptoken=1",
	} {
		if _, _, err := groups.List(t.Context(), w.conn.ID, GroupFilter{}, ListPlace{Link: link}.String(), 10); codeOf(err) != "invalid-cursor" {
			t.Errorf("a cursor to %s = %v, want invalid-cursor", link, err)
		}
	}
	tenant.Fail = directory.ErrUnavailable
	if _, _, err := groups.List(t.Context(), w.conn.ID, GroupFilter{}, "", 10); !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("of a failing tenant: %v", err)
	}
	// Without the permission nobody is asked.
	_, err := w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Scopes = []string{"User.ReadWrite.All"}
		return nil
	})
	w.must(err)
	_, _, err = groups.List(t.Context(), w.conn.ID, GroupFilter{}, "", 10)
	if r, ok := errors.AsType[*directory.Refusal](err); !ok || r.Code != "scope-missing" || !strings.Contains(r.Next, "Set groups") {
		t.Errorf("without the permission: %v", err)
	}
	if _, err := w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Status = directory.StatusAwaitingConfirmation
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := groups.List(t.Context(), w.conn.ID, GroupFilter{}, "", 10); codeOf(err) != "connection-not-active" {
		t.Errorf("before it is active: %v", err)
	}
}
