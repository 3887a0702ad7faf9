package assigntest

import (
	"context"
	"fmt"
	"strings"

	"bindery/shared/directory"
)

// Groups are the groups of a tenant, listed in pages of Size; they are an
// assign.GroupTenant.
type Groups struct {
	List []directory.TenantGroup
	Size int
	// InThem are the direct members of groups, told in pages of Size.
	InThem map[directory.TenantGroupID][]directory.TenantMember
	// Fail, when set, is what each call ends with.
	Fail error
}

// Members returns the first pages of groups' members.
func (t *Groups) Members(ctx context.Context, ids []directory.TenantGroupID) ([]directory.Read[directory.MemberPage], error) {
	found, err := t.Groups(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]directory.Read[directory.MemberPage], len(ids))
	for i, id := range ids {
		if found[i].Value != nil {
			p := t.page(id, 0)
			out[i].Value = &p
		}
	}
	return out, nil
}

// MoreMembers returns the page that a link leads to.
func (t *Groups) MoreMembers(_ context.Context, link string) (directory.MemberPage, error) {
	var id directory.TenantGroupID
	var from int
	if t.Fail != nil {
		return directory.MemberPage{}, t.Fail
	}
	if _, err := fmt.Sscanf(link, "https://graph.example/v1.0/members/%36s/%d", &id, &from); err != nil {
		return directory.MemberPage{}, directory.ErrForeignLink
	}
	return t.page(id, from), nil
}

func (t *Groups) page(id directory.TenantGroupID, from int) directory.MemberPage {
	all := t.InThem[id]
	end := min(from+t.Size, len(all))
	p := directory.MemberPage{Members: all[from:end]}
	if end < len(all) {
		p.Next = fmt.Sprintf("https://graph.example/v1.0/members/%s/%d", id, end)
	}
	return p
}

// ListGroups returns the page that a link leads to, as Microsoft would of names.
func (t *Groups) ListGroups(_ context.Context, q directory.TenantGroupQuery, link string) (directory.TenantGroupPage, error) {
	if t.Fail != nil {
		return directory.TenantGroupPage{}, t.Fail
	}
	from := 0
	if link != "" {
		if _, err := fmt.Sscanf(link, "https://graph.example/v1.0/groups?$skiptoken=%d", &from); err != nil {
			return directory.TenantGroupPage{}, directory.ErrForeignLink
		}
	}
	var named []directory.TenantGroup
	for _, g := range t.List {
		if strings.HasPrefix(strings.ToLower(g.DisplayName), strings.ToLower(q.Name)) {
			named = append(named, g)
		}
	}
	end := min(from+t.Size, len(named))
	p := directory.TenantGroupPage{Groups: named[from:end]}
	if end < len(named) {
		p.Next = fmt.Sprintf("https://graph.example/v1.0/groups?$skiptoken=%d", end)
	}
	return p, nil
}

// Groups returns groups by their IDs.
func (t *Groups) Groups(_ context.Context, ids []directory.TenantGroupID) ([]directory.Read[directory.TenantGroup], error) {
	if t.Fail != nil {
		return nil, t.Fail
	}
	out := make([]directory.Read[directory.TenantGroup], len(ids))
	for i, id := range ids {
		for _, g := range t.List {
			if g.ID == id {
				out[i].Value = &g
			}
		}
	}
	return out, nil
}

// GroupsOfEachKind are tenant groups, one of each verdict besides "ours": same-name is
// called Sales.
func GroupsOfEachKind() *Groups {
	return &Groups{Size: 3, List: []directory.TenantGroup{
		{ID: "10000000-0000-4000-8000-000000000001", DisplayName: "Free", Security: true},
		{ID: "10000000-0000-4000-8000-000000000002", DisplayName: "SALES", Security: true, MailNickname: "sales"},
		{ID: "10000000-0000-4000-8000-000000000003", DisplayName: "Dynamic", Security: true, GroupTypes: []string{"DynamicMembership"}, MembershipRule: "user.department -eq \"Sales\""},
		{ID: "10000000-0000-4000-8000-000000000004", DisplayName: "Synced", Security: true, OnPremisesSync: true},
		{ID: "10000000-0000-4000-8000-000000000005", DisplayName: "List", MailEnabled: true},
		{ID: "10000000-0000-4000-8000-000000000006", DisplayName: "Roles", Security: true, RoleAssignable: true},
		{ID: "10000000-0000-4000-8000-000000000007", DisplayName: "Restricted", Security: true, Restricted: true},
		{ID: "10000000-0000-4000-8000-000000000008", DisplayName: "Unified", MailEnabled: true, GroupTypes: []string{"Unified"}},
	}}
}
