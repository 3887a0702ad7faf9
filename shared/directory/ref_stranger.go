package directory

import "strings"

// strangerMark begins, in the ID of a membership, that of a member who is nobody of
// ours.
const strangerMark = "~"

// StrangerOf is the Ref of the membership of an account, or of another object of the
// tenant, whom our directory does not want in a group.
func StrangerOf(g GroupID, a AccountID) Ref {
	return Ref{Kind: KindMember, ID: StrangersOf(g) + strings.ToLower(string(a))}
}

// StrangersOf begins the IDs of the memberships of strangers in a group.
func StrangersOf(g GroupID) string { return MembersOf(g) + strangerMark }

// Stranger is the object of the tenant that is in a group and nobody of ours, with the
// group; false when r is no such membership.
func (r Ref) Stranger() (g GroupID, a AccountID, ok bool) {
	g, id, ok := r.membership()
	if !ok || !strings.HasPrefix(id, strangerMark) {
		return "", "", false
	}
	return g, AccountID(id[len(strangerMark):]), true
}
