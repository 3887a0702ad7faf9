package directory

import "strings"

// PropManager is the one property of the kind of managers, by Graph's name. It is no
// property of an account that a write of the account could carry: at Microsoft it is a
// reference, read and written by requests of its own. Its value is the ID of the
// manager's account.
const PropManager = "manager"

// comingManager begins the value of a change that was planned before the manager has
// an account. It is in no account's ID.
const comingManager = "user:"

// ComingManager is the value of PropManager while the manager has no account yet.
func ComingManager(u UserID) Value { return StringValue(comingManager + string(u)) }

// ManagerToCome is the user whose account a value of PropManager stands for, while
// there is none.
func ManagerToCome(v Value) (u UserID, yes bool) {
	id, yes := strings.CutPrefix(v.String(), comingManager)
	return UserID(id), yes
}

// ManagerOf is the Ref of a user's manager; the zero Ref for no user.
func ManagerOf(u UserID) Ref {
	if u == "" {
		return Ref{}
	}
	return Ref{Kind: KindManager, ID: string(u)}
}
