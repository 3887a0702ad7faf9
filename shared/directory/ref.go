package directory

import (
	"cmp"
	"strings"
)

// Kind names what is kept in step: accounts, tenant groups and others. The
// engine, the guard and the reports treat all kinds alike.
type Kind string

// The kinds. Of what they name the records say:
const (
	// KindAccount: a user is managed as an account. Records of versions that knew no
	// other kind do not name it, and neither do ours of accounts.
	KindAccount Kind = "account"
	// KindGroup: a group is exported as a tenant group. The ID is the group's. It also
	// names a group in the activity.
	KindGroup Kind = "group"
	// KindMember: we gave, or want, this membership in an exported group. The ID names
	// both, see MemberOf.
	KindMember Kind = "member"
	// KindManager: who is a user's manager. The ID is the user's.
	KindManager Kind = "manager"
	// KindLicence: which licences we gave to a user. The ID is the user's.
	KindLicence Kind = "licence"
	// KindGroupLicence: which licences we gave to the tenant group of an exported group,
	// for its members. The ID is the group's.
	KindGroupLicence Kind = "group-licence"
)

// CountsAs is the kind as which the guard counts changes of the objects: what is taken
// from a group is taken from people (Change.People), and counts with what is taken from
// single ones.
func (k Kind) CountsAs() Kind {
	if k == KindGroupLicence {
		return KindLicence
	}
	return k
}

// Ref names one object of our directory that is bound to an object of a tenant:
// a user, to an account. The zero Ref names none.
type Ref struct {
	Kind Kind   `json:"kind"`
	ID   string `json:"id"`
}

// AccountOf is the Ref of a user's account; the zero Ref for no user.
func AccountOf(u UserID) Ref {
	if u == "" {
		return Ref{}
	}
	return Ref{Kind: KindAccount, ID: string(u)}
}

// GroupRef is the Ref of a group of our directory; the zero Ref for none.
func GroupRef(g GroupID) Ref {
	if g == "" {
		return Ref{}
	}
	return Ref{Kind: KindGroup, ID: string(g)}
}

// AccountsOf are the Refs of users' accounts, in their order.
func AccountsOf(users []UserID) []Ref {
	refs := make([]Ref, len(users))
	for i, u := range users {
		refs[i] = AccountOf(u)
	}
	return refs
}

// User is the user whose account r names; "" when r is of another kind.
func (r Ref) User() UserID {
	if r.Kind != KindAccount {
		return ""
	}
	return UserID(r.ID)
}

// UsersOf are the users whose accounts refs name, in their order; those of other
// kinds are left out.
func UsersOf(refs []Ref) []UserID {
	users := make([]UserID, 0, len(refs))
	for _, r := range refs {
		if u := r.User(); u != "" {
			users = append(users, u)
		}
	}
	return users
}

const (
	// memberMark parts the two IDs of a membership, of which neither has one.
	memberMark = "."
	// What the IDs of users and groups begin with.
	userPrefix, groupPrefix = "usr_", "grp_"
)

// MemberOf is the Ref of a user's membership in a group.
func MemberOf(g GroupID, u UserID) Ref {
	return Ref{Kind: KindMember, ID: string(g) + memberMark + string(u)}
}

// NestedIn is the Ref of a group's membership in another one.
func NestedIn(g, member GroupID) Ref {
	return Ref{Kind: KindMember, ID: string(g) + memberMark + string(member)}
}

// MembersOf begins the IDs of all memberships in a group.
func MembersOf(g GroupID) string { return string(g) + memberMark }

// Member is the group and the user of a membership; false when r is of another
// kind, or the member is no user of ours.
func (r Ref) Member() (g GroupID, u UserID, ok bool) {
	group, member, ok := r.membership()
	if !ok || !strings.HasPrefix(member, userPrefix) {
		return "", "", false
	}
	return group, UserID(member), true
}

// Nested is the group and its member of the membership of a group in another one;
// false when r is of another kind, or the member is no group of ours.
func (r Ref) Nested() (g, member GroupID, ok bool) {
	g, id, ok := r.membership()
	if !ok || !strings.HasPrefix(id, groupPrefix) {
		return "", "", false
	}
	return g, GroupID(id), true
}

func (r Ref) membership() (g GroupID, member string, ok bool) {
	group, member, parted := strings.Cut(r.ID, memberMark)
	if r.Kind != KindMember || !parted || group == "" || member == "" {
		return "", "", false
	}
	return GroupID(group), member, true
}

// Concerns is what r is told of with: a user's membership in a group, manager and
// licences with the user's account, a group's licences with the group, all else by
// itself.
func (r Ref) Concerns() Ref {
	if _, u, ok := r.Member(); ok {
		return AccountOf(u)
	}
	if r.Kind == KindManager || r.Kind == KindLicence {
		return AccountOf(UserID(r.ID))
	}
	if r.Kind == KindGroupLicence {
		return GroupRef(GroupID(r.ID))
	}
	return r
}

// Compare orders Refs by kind, accounts first, and by ID.
func (r Ref) Compare(other Ref) int {
	return cmp.Or(cmp.Compare(r.Kind, other.Kind), cmp.Compare(r.ID, other.ID))
}

// IsZero reports whether r names nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// String is "kind/id", for logs.
func (r Ref) String() string { return string(r.Kind) + "/" + r.ID }

// refOf is what a record names: an object of another kind, else a user's account.
func refOf(object Ref, u UserID) Ref {
	if !object.IsZero() {
		return object
	}
	return AccountOf(u)
}
