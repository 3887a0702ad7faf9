package directory

// Kind names what is kept in step: accounts, and in time tenant groups. The
// engine, the guard and the reports treat all kinds alike.
type Kind string

// KindAccount is the kind of accounts. Records of versions that knew no other do
// not name it, and neither do ours of accounts.
const KindAccount Kind = "account"

// KindGroup is the kind of tenant groups: of the groups of our directory, as far as they
// are something at Microsoft. It also names a group in the activity.
const KindGroup Kind = "group"

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
