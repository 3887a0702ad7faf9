package plan

import (
	"maps"
	"slices"

	"bindery/shared/directory"
)

// Pick chooses what of a run is undone; the zero Pick is all of it. With
// properties only these values are set back: nothing is given back or restored.
type Pick struct {
	Users      []directory.UserID
	Properties []string
}

func (p *Pick) user(id directory.UserID) bool {
	return len(p.Users) == 0 || slices.Contains(p.Users, id)
}

func (p *Pick) property(name string) bool {
	return len(p.Properties) == 0 || slices.Contains(p.Properties, name)
}

// Left is something that an undo leaves as it is, with both values where there
// are two.
type Left struct {
	UserID directory.UserID `json:"userId"`
	// Object is what it is about when that is no user's account.
	Object    directory.Ref       `json:"object,omitzero" hidden:"true"`
	AccountID directory.AccountID `json:"accountId,omitempty"`
	Property  string              `json:"property,omitempty"` // empty for what concerns the whole account
	Code      string              `json:"code"`
	Message   string              `json:"message"`
	Wrote     directory.Value     `json:"wrote"` // by the run that is undone
	Found     directory.Value     `json:"found"` // in the tenant now
}

// The codes of Left. Besides there are those of a protected and of a synced
// account.
const (
	LeftChanged  = directory.CodeChangedSince       // somebody changed the value since
	LeftFilled   = directory.CodeCannotBeEmptied    // Microsoft does not let the value be emptied
	LeftRefused  = directory.CodeRefusedBefore      // Microsoft has refused the value from before
	LeftBlocked  = directory.CodeBlockedAtMicrosoft // the block in force is not ours
	LeftSessions = directory.CodeSessionsEnded      // they stay ended
	LeftAddress  = directory.CodeAddressStays       // the name that was taken back may stay as a proxy address
	LeftRestored = directory.CodeRestoredStays      // a restored account is blocked, not deleted again
	LeftNotRead  = directory.CodeNotRead            // the account, or the value, could not be read
	LeftGone     = directory.CodeAccountGone        // somebody deleted the account
	LeftReleased = directory.CodeReleasedSince      // the user was released since; the account is not ours
	LeftOther    = directory.CodeBoundOtherwise     // the user has another account, or the account another user
	LeftCreated  = directory.CodeCreatedWhole       // a creation is not undone by properties
)

var leftMessages = map[string]string{
	LeftChanged:  "Somebody changed the value since; it is left as it is.",
	LeftFilled:   "Microsoft does not let the value be emptied again.",
	LeftRefused:  "Microsoft refused the value from before when it was last written.",
	LeftBlocked:  "The account is blocked at Microsoft, and not by us; it is left so.",
	LeftSessions: "Ended sessions stay ended: people sign in again.",
	LeftAddress:  "The address that is taken back may stay with the account as a proxy address.",
	LeftRestored: "The restored account is blocked; it is not deleted again.",
	LeftNotRead:  "The value in the tenant could not be read; it is left as it is.",
	LeftGone:     "The account was deleted at Microsoft.",
	LeftReleased: "The user was released since; the account is not ours to write.",
	LeftOther:    "The user has another account now, or the account another user.",
	LeftCreated:  "The account was created by that run; it is given up as a whole, or stays as it is.",
}

// LeftOf says of an object that is no user's account why an undo leaves it as it is.
func LeftOf(object directory.Ref, code string) Left {
	return Left{Object: object, Code: code, Message: leftMessages[code]}
}

// Undone is what an undo would do: changes in order, without IDs and states,
// and what it leaves as it is.
type Undone struct {
	Changes []directory.Change
	Left    []Left
}

// Undo plans the inverse of a run. changes are those of the run, in their
// order, of which the applied ones count; subjects are the users as they are
// now, each with its binding (nil when it has none), and with an account that
// was read for every property that the changes name. An undo is a run like any
// other and can be undone: the changes of one suffice for that.
//
//	applied         undone by
//	update, update-sensitive, rename
//	                the values before, where the account still has ours
//	block           unblock, if the block in force is ours
//	unblock         block, revoke
//	create          block, revoke, release; never deleted
//	adopt           the values from before the binding, release
//	release         adopt, and the values that were ours
//	delete          restore, as long as Microsoft keeps the account
//	restore         block, revoke
//	revoke          nothing; listed
func Undo(c Config, run directory.RunID, changes []directory.Change, subjects map[directory.UserID]Subject, pick Pick) Undone {
	byUser := map[directory.UserID][]directory.Change{}
	for i := range changes {
		if c := &changes[i]; c.State == directory.ChangeApplied && pick.user(c.UserID) {
			byUser[c.UserID] = append(byUser[c.UserID], *c)
		}
	}
	var out Undone
	for _, id := range slices.Sorted(maps.Keys(byUser)) {
		u := newUndoing(c, run, byUser[id], subjects[id], pick)
		u.plan()
		out.Changes, out.Left = append(out.Changes, u.changes()...), append(out.Left, u.left...)
	}
	Order(out.Changes)
	return out
}
