package directory

import "strings"

// KindMember is the kind of memberships in tenant groups: one record for each, so that
// results are journalled one by one and a group of a hundred thousand needs no record
// of that size.
const KindMember Kind = "member"

// Of the ID of a membership: what parts the group from its member, and the sign of a
// member that is nobody of ours.
const (
	memberSeparator = "."
	strangerMark    = "~"
)

// MemberOf is the Ref of a user's membership in the export of a group.
func MemberOf(g GroupID, u UserID) Ref { return MembershipOf(g, UserMember(u)) }

// MembershipOf is the Ref of a membership in the export of a group.
func MembershipOf(g GroupID, m MemberRef) Ref {
	return Ref{Kind: KindMember, ID: MembershipsOf(g) + m.ID}
}

// StrangerOf is the Ref of the membership of an account, or of another object of the
// tenant, whom our directory does not want in a group.
func StrangerOf(g GroupID, a AccountID) Ref {
	return Ref{Kind: KindMember, ID: MembershipsOf(g) + strangerMark + strings.ToLower(string(a))}
}

// MembershipsOf is how the IDs of all memberships in the export of a group begin.
func MembershipsOf(g GroupID) string { return string(g) + memberSeparator }

// Membership is the group and the member that the Ref of a membership names; of a
// stranger the zero MemberRef. ok is false when r is of another kind.
func (r Ref) Membership() (g GroupID, m MemberRef, ok bool) {
	group, member, parted := strings.Cut(r.ID, memberSeparator)
	switch {
	case r.Kind != KindMember || !parted || group == "" || member == "":
		return "", MemberRef{}, false
	case strings.HasPrefix(member, strangerMark):
		return GroupID(group), MemberRef{}, true
	case strings.HasPrefix(member, groupPrefix):
		return GroupID(group), GroupMember(GroupID(member)), true
	}
	return GroupID(group), UserMember(UserID(member)), true
}

// Stranger is the object of the tenant that the Ref of a stranger's membership names;
// "" when r is none.
func (r Ref) Stranger() AccountID {
	_, member, _ := strings.Cut(r.ID, memberSeparator)
	id, stranger := strings.CutPrefix(member, strangerMark)
	if r.Kind != KindMember || !stranger {
		return ""
	}
	return AccountID(id)
}
