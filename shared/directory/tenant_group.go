package directory

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// TenantGroup is what we know of one group object in Microsoft 365.
type TenantGroup struct {
	ID             TenantGroupID `json:"id"`
	DisplayName    string        `json:"displayName"`
	Description    string        `json:"description,omitempty"`
	MailNickname   string        `json:"mailNickname,omitempty"`
	Mail           string        `json:"mail,omitempty"`
	UniqueName     string        `json:"uniqueName,omitempty"`
	GroupTypes     []string      `json:"groupTypes,omitempty"` // "Unified", "DynamicMembership"
	Security       bool          `json:"securityEnabled,omitempty"`
	MailEnabled    bool          `json:"mailEnabled,omitempty"`
	MembershipRule string        `json:"membershipRule,omitempty"`
	Visibility     string        `json:"visibility,omitempty"`
	// OnPremisesSync is true for a group mastered by an Active Directory of the tenant.
	OnPremisesSync bool `json:"onPremisesSyncEnabled,omitempty"`
	RoleAssignable bool `json:"isAssignableToRole,omitempty"`
	// Restricted is true for a group in a restricted management administrative unit.
	Restricted bool `json:"isManagementRestricted,omitempty"`
	// Licences are those that the group gives its members.
	Licences []AssignedLicence `json:"assignedLicenses,omitempty"`
	// LicenceProcessing is how far Microsoft is with giving them: "" before the first,
	// QueuedForProcessing, ProcessingInProgress or ProcessingComplete, which does not
	// say that everybody has got them.
	LicenceProcessing string    `json:"licenseProcessingState,omitempty"`
	Created           time.Time `json:"createdDateTime,omitzero"`
	// Deleted is when it was soft-deleted; nil for a living group.
	Deleted *time.Time `json:"deletedDateTime,omitempty"`
}

// TenantGroupKind is what a tenant group is used for.
type TenantGroupKind string

// The kinds of tenant groups (GG 2.4).
const (
	GroupSecurity     TenantGroupKind = "security"
	GroupMicrosoft365 TenantGroupKind = "microsoft365"
	GroupMailSecurity TenantGroupKind = "mail-enabled-security"
	GroupDistribution TenantGroupKind = "distribution"
)

// The entries of groupTypes.
const (
	typeUnified = "Unified"
	typeDynamic = "DynamicMembership"
)

// Kind is what the group is used for.
func (g *TenantGroup) Kind() TenantGroupKind {
	switch {
	case g.hasType(typeUnified):
		return GroupMicrosoft365
	case g.MailEnabled && g.Security:
		return GroupMailSecurity
	case g.MailEnabled:
		return GroupDistribution
	}
	return GroupSecurity
}

// Dynamic reports whether a rule of Microsoft's decides who the members are.
func (g *TenantGroup) Dynamic() bool {
	return g.hasType(typeDynamic) || strings.TrimSpace(g.MembershipRule) != ""
}

func (g *TenantGroup) hasType(t string) bool {
	return slices.ContainsFunc(g.GroupTypes, func(s string) bool { return strings.EqualFold(s, t) })
}

// ReadOnly is why nothing is ever written to the group, as a problem of the
// registry; nil: it may be ours. Of several reasons it is the one that weighs most.
func (g *TenantGroup) ReadOnly() *Problem {
	switch {
	case g.RoleAssignable:
		return registered(CodeGroupRoleAssignable)
	case g.OnPremisesSync:
		return registered(CodeGroupSynced)
	case g.Dynamic():
		return registered(CodeGroupDynamic)
	case g.Kind() == GroupMailSecurity, g.Kind() == GroupDistribution:
		return registered(CodeGroupMailEnabled)
	case g.Restricted:
		return registered(CodeGroupRestricted)
	}
	return nil
}

// registered is the problem that a code says by itself.
func registered(code string) *Problem {
	t := ProblemTypeOf(code)
	return &Problem{Code: t.Code, Kind: t.Kind, Message: t.Means, Next: t.Next, Steps: slices.Clone(t.Steps)}
}

// TenantGroupPage is one page of a listing.
type TenantGroupPage struct {
	Groups []TenantGroup
	Next   string
}

// IDs are those of the page's groups.
func (p *TenantGroupPage) IDs() []string {
	ids := make([]string, len(p.Groups))
	for i := range p.Groups {
		ids[i] = string(p.Groups[i].ID)
	}
	return ids
}

// TenantMemberType is what a member of a tenant group is, as Microsoft Graph calls it.
type TenantMemberType string

// The types of members that occur; others are told as Graph names them.
const (
	TenantMemberUser             TenantMemberType = "user"
	TenantMemberGroup            TenantMemberType = "group"
	TenantMemberDevice           TenantMemberType = "device"
	TenantMemberServicePrincipal TenantMemberType = "servicePrincipal"
	TenantMemberContact          TenantMemberType = "orgContact"
)

// TenantMember is a member of a tenant group. ID is a user's; of the other types it is
// the ID of such an object.
type TenantMember struct {
	ID   AccountID        `json:"id"`
	Type TenantMemberType `json:"type"`
}

// MemberPage is one page of the direct members of a group. Only all pages together,
// up to the one without a Next, say who is no member: see MemberRoll.
type MemberPage struct {
	Members []TenantMember
	Next    string
}

// MemberRoll gathers the members of one group, page by page. The zero MemberRoll is
// that of a group of which nothing was read. It tells nobody before it is complete,
// so that a page that did not come is never taken for members that are gone.
type MemberRoll struct {
	paging  Paging
	members []TenantMember
	next    string
	done    bool
}

// Add takes the next page. The error, a *Problem with CodePagingLoop, says that the
// pages do not come to an end.
func (r *MemberRoll) Add(p *MemberPage) error {
	ids := make([]string, len(p.Members))
	for i := range p.Members {
		ids[i] = string(p.Members[i].ID)
	}
	fresh, err := r.paging.Add("the members of a group", ids, p.Next)
	if err != nil {
		return err
	}
	for _, i := range fresh {
		r.members = append(r.members, p.Members[i])
	}
	r.next, r.done = p.Next, p.Next == ""
	return nil
}

// Next is the link to go on with; "" when there is none, yet or any more.
func (r *MemberRoll) Next() string { return r.next }

// Members are all members, each once; complete is false, and nobody told, as long as
// pages are missing.
func (r *MemberRoll) Members() (members []TenantMember, complete bool) {
	if !r.done {
		return nil, false
	}
	return r.members, true
}

// TenantGroupDelta is one page of a round of group changes. Next continues the round;
// DeltaLink, on its last page, starts the next one. A group may come several times, on
// one page and on several, with other members each time.
type TenantGroupDelta struct {
	Marks     []TenantGroupMark
	Next      string
	DeltaLink string
}

// IDs are those of the page's groups.
func (d *TenantGroupDelta) IDs() []string {
	ids := make([]string, len(d.Marks))
	for i := range d.Marks {
		ids[i] = string(d.Marks[i].ID)
	}
	return ids
}

// TenantGroupMark says that something about a group may have changed. It proves
// nothing: initial rounds tell of members that were removed long ago, pages are
// replayed, and the members of deleted users are not told of at all (GG 7). What is
// so, a direct read says.
type TenantGroupMark struct {
	ID TenantGroupID
	// Removed: soft-deleted, or gone for good when Permanent.
	Removed, Permanent bool
	// Profile: properties came with it that may have other values.
	Profile bool
	Members []MemberMark
	// Licences are those that the group gives; nil: they were not told.
	Licences []AssignedLicence
}

// MemberMark says that somebody may have become a member, or may be none any more.
type MemberMark struct {
	TenantMember
	Removed bool
}

// TenantGroupQuery is what tenant groups are looked for by; the zero query lists all.
type TenantGroupQuery struct {
	// Name is the beginning of the displayName.
	Name string
	// Exact asks for those whose displayName is Name.
	Exact bool
	// LicenceErrors asks for those that could not license all of their members, whatever
	// their names.
	LicenceErrors bool
}

// Read is the answer to one direct read: the value, or neither for "not there", or a
// Problem for everything else.
type Read[T any] struct {
	Value      *T
	Problem    *Problem
	Retry      bool // throttled or transient: ask again
	RetryAfter time.Duration
	Scope      ThrottleScope // whose quota a 429 speaks of
}

// Err is the error of a read without an answer; nil when there is one, were it that
// there is no such thing.
func (r *Read[T]) Err() error {
	f := Found{Problem: r.Problem, Retry: r.Retry, RetryAfter: r.RetryAfter, Scope: r.Scope}
	return f.Err()
}

// UniqueNameOf is what makes the creation of a group's export idempotent: it belongs to
// one connection and one group of ours.
func UniqueNameOf(c ConnectionID, group string) string {
	return fmt.Sprintf("bindery-%s-%s", c, group)
}
