package assign

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"bindery/shared/directory"
)

// GroupVerdict says what a connection may do with a group of its tenant.
type GroupVerdict string

// The verdicts. Those from GroupDynamic on are of groups that are never written: they
// can be imported, and not be taken over by an export.
const (
	GroupFree           GroupVerdict = "free"
	GroupSameName       GroupVerdict = "same-name" // as a group of ours: it may be meant for its export
	GroupOurs           GroupVerdict = "ours"      // exported by this connection
	GroupDynamic        GroupVerdict = "dynamic"
	GroupSynced         GroupVerdict = "synced"
	GroupMailEnabled    GroupVerdict = "mail-enabled"
	GroupRoleAssignable GroupVerdict = "role-assignable"
	GroupRestricted     GroupVerdict = "restricted"
)

// readOnlyVerdicts are those of groups that are never written, by the code that says why.
var readOnlyVerdicts = map[string]GroupVerdict{
	directory.CodeGroupDynamic: GroupDynamic, directory.CodeGroupSynced: GroupSynced, directory.CodeGroupMailEnabled: GroupMailEnabled,
	directory.CodeGroupRoleAssignable: GroupRoleAssignable, directory.CodeGroupRestricted: GroupRestricted,
}

// GroupCandidate is a group of a tenant with its verdict.
type GroupCandidate struct {
	ID             directory.TenantGroupID   `json:"id"`
	DisplayName    string                    `json:"displayName"`
	Description    string                    `json:"description,omitempty"`
	MailNickname   string                    `json:"mailNickname,omitempty"`
	Mail           string                    `json:"mail,omitempty"`
	UniqueName     string                    `json:"uniqueName,omitempty"`
	Kind           directory.TenantGroupKind `json:"kind" doc:"security, microsoft365, mail-enabled-security or distribution"`
	MembershipRule string                    `json:"membershipRule,omitempty" doc:"Of a dynamic group, the rule by which Microsoft decides who is in it"`
	Licenses       int                       `json:"licenses,omitempty" doc:"How many products the group gives its members by Microsoft's group-based licensing"`
	Verdict        GroupVerdict              `json:"verdict"`
	Adoptable      bool                      `json:"adoptable" doc:"An export may take the group over: export.adopt takes its id."`
	// Reason is, of a group that is never written, the code that says why; Detail is the
	// verdict as a sentence.
	Reason string `json:"reason,omitempty"`
	Detail string `json:"detail"`
	// GroupID is the group of ours that is exported as it, or has its name.
	GroupID   directory.GroupID `json:"groupId,omitempty"`
	GroupName string            `json:"groupName,omitempty"`
}

// GroupTenant reads the groups of one tenant, and who is in them.
type GroupTenant interface {
	ListGroups(ctx context.Context, q directory.TenantGroupQuery, link string) (directory.TenantGroupPage, error)
	Groups(ctx context.Context, ids []directory.TenantGroupID) ([]directory.Read[directory.TenantGroup], error)
	Members(ctx context.Context, groups []directory.TenantGroupID) ([]directory.Read[directory.MemberPage], error)
	MoreMembers(ctx context.Context, link string) (directory.MemberPage, error)
}

// GroupCandidatesConfig is what GroupCandidates stand on.
type GroupCandidatesConfig struct {
	Stores Stores
	Open   func(ctx context.Context, c *directory.Connection) (GroupTenant, error)
}

// GroupCandidates gives the groups of tenants their verdicts. It may be used by many
// goroutines.
type GroupCandidates struct {
	connections connections
	groups      groupFinder
	owners      objectOwners
	open        func(ctx context.Context, c *directory.Connection) (GroupTenant, error)
}

// NewGroupCandidates returns GroupCandidates.
func NewGroupCandidates(cfg GroupCandidatesConfig) *GroupCandidates {
	return &GroupCandidates{connections: cfg.Stores.Connections, groups: cfg.Stores.Groups, owners: cfg.Stores.Objects, open: cfg.Open}
}

// GroupFilter chooses groups of a tenant; the zero filter chooses all.
type GroupFilter struct {
	Name    string // the beginning of the displayName: Microsoft looks for it
	Verdict GroupVerdict
}

// groupPages is how many pages of the tenant's groups one call looks at.
const groupPages = 3

// groupList is what a listing of groups is called in errors.
const groupList = "the tenant's groups"

// List lists the groups of a connection's tenant as they are now, each with its verdict.
// A page may hold fewer than limit, or none, and still have a next.
func (s *GroupCandidates) List(ctx context.Context, id directory.ConnectionID, f GroupFilter, cursor string, limit int) ([]GroupCandidate, string, error) {
	at, err := ParsePlace(cursor, "/groups", "$select", "$top", "$skiptoken", "$count", "$filter")
	if err != nil {
		return nil, "", err
	}
	c, err := Working(ctx, s.connections, id)
	if err != nil {
		return nil, "", err
	}
	tenant, err := s.Tenant(ctx, &c)
	if err != nil {
		return nil, "", err
	}
	var list []GroupCandidate
	for range groupPages {
		page, err := tenant.ListGroups(ctx, directory.TenantGroupQuery{Name: f.Name}, at.Link)
		if errors.Is(err, directory.ErrForeignLink) || errors.Is(err, directory.ErrResync) {
			return nil, "", BadCursor()
		}
		if err != nil {
			return nil, "", err
		}
		if err := s.fill(ctx, &c, &list, page.Groups, f, &at, limit); err != nil {
			return nil, "", err
		}
		if at.Offset >= len(page.Groups) {
			if page.Next == "" {
				return list, "", nil
			}
			if at, err = at.Next(groupList, page.IDs(), page.Next); err != nil {
				return nil, "", err
			}
		}
		if len(list) >= limit {
			break
		}
	}
	return list, at.String(), nil
}

// Tenant opens the groups of a connection's tenant. It is refused while the connection
// lacks the permission for them.
func (s *GroupCandidates) Tenant(ctx context.Context, c *directory.Connection) (GroupTenant, error) {
	if err := c.MustHave(directory.ScopeGroups, "groups", "the tenant's groups cannot be read"); err != nil {
		return nil, err
	}
	return s.open(ctx, c)
}

// fill adds groups of a page, from a place on, to a list of at most limit, and moves the
// place on.
func (s *GroupCandidates) fill(ctx context.Context, c *directory.Connection, list *[]GroupCandidate, groups []directory.TenantGroup, f GroupFilter, at *ListPlace, limit int) error {
	for at.Offset < len(groups) && len(*list) < limit {
		// Only as many as may fill the list are judged at a time.
		judged, err := s.Judge(ctx, c, groups[at.Offset:min(at.Offset+limit, len(groups))])
		if err != nil {
			return err
		}
		for i := range judged {
			if len(*list) == limit {
				break
			}
			at.Offset++
			if f.Verdict == "" || f.Verdict == judged[i].Verdict {
				*list = append(*list, judged[i])
			}
		}
	}
	return nil
}

// Judge gives groups of a connection's tenant their verdicts.
func (s *GroupCandidates) Judge(ctx context.Context, c *directory.Connection, groups []directory.TenantGroup) ([]GroupCandidate, error) {
	ids, names := make([]directory.AccountID, len(groups)), make([]string, len(groups))
	for i := range groups {
		ids[i], names[i] = directory.AccountID(groups[i].ID), groups[i].DisplayName
	}
	ours, err := s.owners.ObjectOwners(ctx, directory.KindGroup, c, ids)
	if err != nil {
		return nil, err
	}
	named, err := s.groups.GroupIDsByName(ctx, names)
	if err != nil {
		return nil, err
	}
	var known []directory.GroupID
	for _, ref := range ours {
		known = append(known, directory.GroupID(ref.ID))
	}
	for _, id := range named {
		known = append(known, id)
	}
	slices.Sort(known)
	found, err := s.groups.GroupsByID(ctx, slices.Compact(known))
	if err != nil {
		return nil, err
	}
	list := make([]GroupCandidate, len(groups))
	for i := range groups {
		g := &groups[i]
		own := directory.GroupID(ours[ids[i]].ID)
		id := cmp.Or(own, named[directory.FoldName(g.DisplayName)])
		list[i] = judgeGroup(g, own != "", id, found[id].Name)
	}
	return list, nil
}

// judgeGroup gives one group its verdict: ours comes first, then what makes it
// read-only, then its name. of is the group of ours that is exported as it or, unless it
// is ours, has its name.
func judgeGroup(g *directory.TenantGroup, ours bool, of directory.GroupID, name string) GroupCandidate {
	c := GroupCandidate{
		ID: g.ID, DisplayName: g.DisplayName, Description: g.Description, MailNickname: g.MailNickname, Mail: g.Mail, UniqueName: g.UniqueName,
		Kind: g.Kind(), Licenses: len(g.Licences), GroupID: of, GroupName: name,
	}
	if g.Dynamic() {
		c.MembershipRule = g.MembershipRule
	}
	readOnly := g.ReadOnly()
	if readOnly != nil {
		c.Reason = readOnly.Code
	}
	quoted := "\"" + name + "\""
	switch {
	case ours:
		c.Verdict, c.Detail = GroupOurs, "The connection exports the group "+quoted+" as it."
		if readOnly != nil {
			c.Detail += " It is not written any more: " + readOnly.Message
		}
	case readOnly != nil:
		c.Verdict, c.Detail = readOnlyVerdicts[readOnly.Code], strings.TrimSpace(readOnly.Advice())
		if of != "" {
			c.Detail += " The group " + quoted + " has its name."
		}
	case of != "":
		c.Verdict, c.Adoptable = GroupSameName, true
		c.Detail = "The group " + quoted + " has its name. An export takes it over only when adopt names it; else there will be two groups of that name in the tenant."
	default:
		c.Verdict, c.Adoptable, c.Detail = GroupFree, true, "No group of the directory has its name, and none is exported as it."
	}
	return c
}
