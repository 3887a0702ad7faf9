package directory

// KindManager is the kind of managers: the Ref of one names the user whose manager
// it is. It is no property of an account that a write of the account could carry:
// at Microsoft it is a reference, read and written by requests of its own.
const KindManager Kind = "manager"

// PropManager is the one property of that kind, by Graph's name. At Microsoft its
// value is the ID of the manager's account. A change that was planned before the
// manager has an account has the manager's ID of our directory in its place.
const PropManager = "manager"

// ManagerOf is the Ref of a user's manager; the zero Ref for no user.
func ManagerOf(u UserID) Ref {
	if u == "" {
		return Ref{}
	}
	return Ref{Kind: KindManager, ID: string(u)}
}
