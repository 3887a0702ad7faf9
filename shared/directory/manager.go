package directory

import "strings"

// KindManager is the kind of managers: the Ref of one names the user whose manager
// it is. It is no property of an account that a write of the account could carry:
// at Microsoft it is a reference, read and written by requests of its own.
const KindManager Kind = "manager"

// KindLicence is the kind of licences: the Ref of one names the user who has them.
const KindLicence Kind = "licence"

// PropManager is the one property of that kind, by Graph's name. At Microsoft its
// value is the ID of the manager's account.
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
