package directory

import (
	"slices"
	"time"
)

// GroupProfile is what can be said of a group: everything that a source may bring
// but its members.
type GroupProfile struct {
	// Name is unique among living groups, as people see it.
	Name             string            `json:"name"`
	Description      string            `json:"description,omitempty"`
	MailNickname     string            `json:"mailNickname,omitempty"`
	ExternalID       string            `json:"externalId,omitempty"`
	CustomAttributes map[string]string `json:"customAttributes,omitempty"`
}

// Group is a group of persons in our directory. Its members are users and groups,
// and are kept apart from it (Membership): there may be a hundred thousand.
//
// Members that a rule makes come with a later version: the rule will be a member of
// Group beside GroupProfile, and what it makes will be Memberships whose Source is
// the rule, so that whoever reads members need not know of it.
type Group struct {
	ID GroupID `json:"id"`
	GroupProfile
	Source Source `json:"source"`
	// Owners names, by attribute ("description", "customAttributes.badge"), the
	// source whose value others must not overwrite.
	Owners map[string]Source `json:"owners,omitempty"`
	// ImportedFrom is the group of a tenant that an import made the group of.
	ImportedFrom *ImportedGroup `json:"importedFrom,omitempty"`
	Created      time.Time      `json:"created"`
	Updated      time.Time      `json:"updated"`
	// Deleted is when the group became a tombstone; nil for a living group. A
	// tombstone keeps its members, and its place in other groups, for its return;
	// until then it has none and is in none.
	Deleted *time.Time `json:"deleted,omitempty"`
	// Version rises by one with every edit of the attributes, with the deletion and
	// the restoration; it is the ETag of the group.
	Version int64 `json:"version"`
	// MembersVersion rises by one with every edit of the direct members, and a moment after
	// one of them was deleted or has come back; it is the ETag of the list of members.
	MembersVersion int64 `json:"membersVersion"`
	// MembersUpdated is when MembersVersion rose last, as far as that was recorded.
	MembersUpdated time.Time `json:"-"`
	// Members is how many direct members are recorded: users and groups that are
	// deleted and can be restored are among them.
	Members int `json:"members"`
	// UsedBy are the connections that use the group, in order.
	UsedBy []ConnectionID `json:"usedBy,omitempty"`
	// Editors are who edited the group or its members lately. It is for Bindery's own
	// use, like User.Editors.
	Editors []Edit `json:"-"`
	// Parents is in how many groups this one is, deleted ones included. It is for the
	// store's own use.
	Parents int `json:"-"`
	// Edition rises by one with every write of the record, whatever it was: of
	// attributes, of members, of uses. It is for the store's own use.
	Edition int64 `json:"-"`
	// Counted says that the number of groups has this one in it. It is for the store's own
	// use.
	Counted bool `json:"-"`
}

// ImportedGroup names the group of a tenant that an import made a group of.
type ImportedGroup struct {
	TenantID TenantID      `json:"tenantId"`
	GroupID  TenantGroupID `json:"groupId"`
	// Version is that of the group as the last import left it. While it is still that,
	// nobody has edited the group since, and the next import brings it up to date.
	Version int64 `json:"version"`
}

// EditedBy notes that the next edition of the group is of a caller.
func (g *Group) EditedBy(subject string, now time.Time) {
	g.Editors = edited(g.Editors, Edit{By: subject, Version: g.Edition + 1, At: now.UTC()})
}

// EditorsSince returns the subjects of those who edited the group, or its direct
// members, after a time.
func (g *Group) EditorsSince(at time.Time) []string {
	var list []string
	for _, e := range g.Editors {
		if e.At.After(at) && e.By != "" {
			list = append(list, e.By)
		}
	}
	return list
}

// IsUsedBy reports whether a connection uses the group.
func (g *Group) IsUsedBy(c ConnectionID) bool { return slices.Contains(g.UsedBy, c) }

// MemberType says what a member is.
type MemberType string

// The types of members.
const (
	MemberUser  MemberType = "user"
	MemberGroup MemberType = "group"
)

// MemberRef names a member of a group. The zero MemberRef names none.
type MemberRef struct {
	Type MemberType `json:"type"`
	ID   string     `json:"id"`
}

// UserMember is a user as a member.
func UserMember(u UserID) MemberRef { return MemberRef{MemberUser, string(u)} }

// GroupMember is a group as a member.
func GroupMember(g GroupID) MemberRef { return MemberRef{MemberGroup, string(g)} }

// User is the user whom m names; "" when m is a group.
func (m MemberRef) User() UserID {
	if m.Type != MemberUser {
		return ""
	}
	return UserID(m.ID)
}

// Group is the group that m names; "" when m is a user.
func (m MemberRef) Group() GroupID {
	if m.Type != MemberGroup {
		return ""
	}
	return GroupID(m.ID)
}

// Compare is the order in which members are listed: groups first, each type by ID.
func (m MemberRef) Compare(other MemberRef) int {
	a, b := string(m.Type)+"#"+m.ID, string(other.Type)+"#"+other.ID
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// String is "type/id", for logs.
func (m MemberRef) String() string { return string(m.Type) + "/" + m.ID }

// Membership says that somebody is a direct member of a group.
type Membership struct {
	Group  GroupID
	Member MemberRef
	// Source is whose membership it is, when it is one that owns what it writes:
	// nobody else may end it then. "" is nobody's.
	Source Source
	Added  time.Time
}
