package directory

import (
	"slices"
	"time"
)

// BindingStatus is the state of one binding.
type BindingStatus string

// The statuses of a binding. paused, read-only and refused come with a
// Problem that says why.
const (
	BindingPending  BindingStatus = "pending"   // something is to be planned or written
	BindingInSync   BindingStatus = "in-sync"   // the account is as the directory says
	BindingConflict BindingStatus = "conflict"  // an admin must decide
	BindingRefused  BindingStatus = "refused"   // the user breaks a rule of mapping or Microsoft; corrected data mends it
	BindingReadOnly BindingStatus = "read-only" // the account cannot be written
	BindingPaused   BindingStatus = "paused"    // an admin resumes it
	BindingFailed   BindingStatus = "failed"    // Microsoft answered with an error; tried again
)

// ReleasePolicy says what becomes of the account when a binding ends.
type ReleasePolicy string

// The release policies. Those of accounts:
const (
	ReleaseKeep    ReleasePolicy = "keep"    // stays as it is, no longer ours
	ReleaseBlock   ReleasePolicy = "block"   // is blocked, then no longer ours
	ReleaseRestore ReleasePolicy = "restore" // gets back the values from before the binding
	// Of tenant groups that are not exported any more, besides keep and restore.
	ReleaseEmpty  ReleasePolicy = "empty"  // loses the members that we gave it, then no longer ours
	ReleaseDelete ReleasePolicy = "delete" // is deleted if we made it, and stays as it is otherwise
	// ReleaseRemove is of a membership: it is taken away if we gave it. With keep it
	// stays, and with restore whom an exact export has removed comes back.
	ReleaseRemove ReleasePolicy = "remove"
)

// Binding says "this user is managed as this account through this
// connection". A user has at most one: the key makes a second impossible. It
// counts only while Epoch is the connection's.
type Binding struct {
	UserID UserID `json:"userId"`
	// Object is what is bound when it is no user's account; UserID is empty then.
	// See Ref.
	Object       Ref          `json:"object,omitzero"`
	ConnectionID ConnectionID `json:"connectionId"`
	Epoch        int64        `json:"epoch"`
	// TenantID is the connection's in that epoch; empty in records of versions
	// that did not note it.
	TenantID TenantID `json:"tenantId,omitempty"`
	// AccountID is the object in the tenant, of whatever kind; empty until it is
	// adopted or created.
	AccountID AccountID `json:"accountId,omitempty"`
	// Adopt is the account of which an admin has said that it is the user's, until
	// it is adopted. It counts only while it is a candidate.
	Adopt AccountID `json:"adopt,omitempty"`
	// AccountSince is when the binding got its account; zero without one, and in
	// records of versions that did not note it.
	AccountSince time.Time `json:"accountSince,omitzero"`
	// UserPrincipalName of the account as last written or read, for people.
	UserPrincipalName string        `json:"userPrincipalName,omitempty"`
	Status            BindingStatus `json:"status"`
	Problem           *Problem      `json:"problem,omitempty"`
	// Findings are reported without being acted on: values that only the
	// tenant changed, a block that is not ours.
	Findings []Problem `json:"findings,omitempty"`
	// Base holds the values last agreed: written by us, or read and found as
	// the directory wants them.
	Base Properties `json:"base,omitempty"`
	// Before holds the managed values of an adopted account from before the
	// binding; it only gains names. Created says that the account is ours from
	// its birth and has no before.
	Before  Properties `json:"before,omitempty"`
	Created bool       `json:"created,omitempty"`
	// OwnName is the sign-in name that an adopted account had, not made of its
	// user's address, until we renamed it. Having it back, it is its own again.
	OwnName string `json:"ownName,omitempty"`
	// TemporaryPassword says that the account was created with a password that
	// can be shown once; Password says how it is derived. Password alone is that
	// of a creation that may have been sent.
	TemporaryPassword bool             `json:"temporaryPassword,omitempty"`
	Password          *InitialPassword `json:"password,omitempty"`
	// Blocked says that the block in force is ours; one that is not ours is
	// never reverted.
	Blocked bool `json:"blocked,omitempty"`
	// Declined are the fingerprints of changes that an admin declined; they are
	// not proposed again while they would be the same.
	Declined []string `json:"declined,omitempty"`
	// Wanted is the user version that must reach the account, Applied the one
	// that did. A binding is dirty while Applied < Wanted.
	Wanted  int64 `json:"wanted"`
	Applied int64 `json:"applied"`
	// Agreed is the user version up to which edits do not count any more as what
	// somebody asks for (see Run.EditedBy): the account has been brought to it,
	// with an approval where one was needed. What is declined or undone, and what
	// could not be planned or written, raises Applied and not Agreed. 0 means
	// never; then whoever bound the user asks as well.
	Agreed int64 `json:"agreed"`
	// ResumedBy is the subject of who resumed the binding since.
	ResumedBy string `json:"resumedBy,omitempty"`
	// Recheck says that the account is to be read and compared although the
	// user did not change: it changed in the tenant, or a try failed before.
	Recheck bool `json:"-"`
	// Marked says that somebody is to look at the binding, now or later.
	Marked bool `json:"-"`
	// Digest is that of the account's managed values while nothing is left to
	// do about them, or 0. It lets a full reconcile pass over an account
	// without reading what its user wants.
	Digest int64 `json:"-"`
	// Release is set while the binding is being let go.
	Release    ReleasePolicy `json:"release,omitempty"`
	ReleasedBy string        `json:"releasedBy,omitempty"` // subject of who asked for it
	SelectedBy string        `json:"selectedBy,omitempty"` // subject of the admin
	SelectedAt time.Time     `json:"selectedAt"`
	// Groups are those by whose use the user is bound; see GroupUse. Indirect says that
	// nobody selected the user besides, so that the binding ends with the last of them.
	Groups   []GroupID `json:"groups,omitempty"`
	Indirect bool      `json:"indirect,omitempty"`
	// LeftGroup is the group with which the last path ended, while the binding is being
	// let go for that.
	LeftGroup GroupID `json:"leftGroup,omitempty"`
	// LeftGroupName is what that group was called then, for people.
	LeftGroupName string `json:"leftGroupName,omitempty"`
	// AskedBy are the subjects of those whose edits of groups, or of their uses, have made
	// the binding be as it is, or be let go: they ask for what comes of it.
	AskedBy []string `json:"askedBy,omitempty"`
	// MoveTo is set while the binding is being let go in favour of another
	// connection; MovedFrom is the one that the user came from.
	MoveTo    *Move        `json:"moveTo,omitempty"`
	MovedFrom ConnectionID `json:"movedFrom,omitempty"`
	// LastWrite is when an account's value was last changed by us.
	LastWrite time.Time `json:"lastWrite,omitzero"`
	// Writes are what we wrote to the account lately, oldest first; see Recent.
	Writes []PropertyWrites `json:"writes,omitempty"`
	// Refused holds the values that Microsoft refused, by property. They are
	// not sent again, and the rest of the account is kept in sync without them.
	Refused map[string]RefusedValue `json:"refused,omitempty"`
	// Kept holds, by property, what Microsoft keeps instead of what the
	// directory wants; both sides count as agreed.
	Kept map[string]KeptValue `json:"kept,omitempty"`
	// RunID is the run that last planned this binding.
	RunID   RunID `json:"runId,omitempty"`
	Version int64 `json:"version"`
}

// Ref names what is bound.
func (b *Binding) Ref() Ref { return refOf(b.Object, b.UserID) }

// PropMember says, in the base of a membership's record, whether there is the membership.
const PropMember = "member"

// Holds reports whether something in the tenant is there by the binding: an object that
// belongs to it or, of a kind without objects of its own, what its base tells of.
func (b *Binding) Holds() bool {
	switch b.Ref().Kind {
	case KindMember:
		yes, _ := b.Base[PropMember].Bool()
		return yes
	case KindManager:
		return !b.Base[PropManager].IsNull()
	case KindLicence:
		for name := range b.Base {
			if _, is := LicenceOfProperty(name); is {
				return true
			}
		}
		return false
	}
	return b.AccountID != ""
}

// AddPath notes that a use of a group binds the user. A binding that was being let go
// since its last path had ended goes on. It reports whether anything is new.
func (b *Binding) AddPath(g GroupID) bool {
	if slices.Contains(b.Groups, g) && b.LeftGroup == "" {
		return false
	}
	if b.LeftGroup != "" {
		b.Release, b.ReleasedBy, b.LeftGroup, b.LeftGroupName = "", "", "", ""
		if b.Status != BindingPaused { // an admin's pause is for an admin to end
			b.Status = BindingPending
		}
	}
	if !slices.Contains(b.Groups, g) {
		b.Groups = append(slices.Clone(b.Groups), g)
		slices.Sort(b.Groups)
	}
	return true
}

// EndPath notes that a use of a group binds the user no longer. last says that this was
// the last path, so that the binding is to be let go.
func (b *Binding) EndPath(g GroupID) (changed, last bool) {
	if !slices.Contains(b.Groups, g) {
		return false, false
	}
	b.Groups = slices.DeleteFunc(slices.Clone(b.Groups), func(other GroupID) bool { return other == g })
	return true, b.Indirect && len(b.Groups) == 0
}

// PropertyWrites is one write of ours to an account.
type PropertyWrites struct {
	At time.Time `json:"at"`
	// Names are the properties that were written; nil: all of them, by a
	// creation or a restoration.
	Names []string `json:"names,omitempty"`
	// Before holds their values from before the write, as far as Binding.Before
	// does not hold the same.
	Before Properties `json:"before,omitempty"`
	// Seen holds what the first look at the account after the write showed of
	// them instead of what was written. It may have been an old copy; the next
	// direct read tells.
	Seen Properties `json:"seen,omitempty"`
}

// RefusedValue is a value of one property that Microsoft refused.
type RefusedValue struct {
	Value Value `json:"value"`
	// Rule stands for the attribute's setting that the value came from.
	Rule    string  `json:"rule,omitempty"`
	Problem Problem `json:"problem"`
	// RetryAt is when it is tried again although neither the value nor the
	// setting has changed, since what is in its way may be gone; zero: never.
	RetryAt time.Time `json:"retryAt,omitzero"`
}

// KeptValue is what Microsoft keeps of one property.
type KeptValue struct {
	Wanted Value     `json:"wanted"` // what the directory wants, and was written
	Kept   Value     `json:"kept"`
	Code   string    `json:"code"` // CodeNormalised, CodeNotKept or CodeSuffixed, as of the finding that tells of it
	Since  time.Time `json:"since"`
}

// Recent says which properties were written so lately that a read may be older.
type Recent struct {
	All   bool
	Names []string
}

// Has reports whether a property is among them.
func (r Recent) Has(name string) bool { return r.All || slices.Contains(r.Names, name) }

// Any reports whether there is one.
func (r Recent) Any() bool { return r.All || len(r.Names) > 0 }

// Recent returns what we wrote after a time. A record of a version that did not
// note properties stands for all of them.
func (b *Binding) Recent(after time.Time) Recent {
	var r Recent
	if len(b.Writes) == 0 {
		r.All = b.LastWrite.After(after)
		return r
	}
	for i := range b.Writes {
		if w := &b.Writes[i]; w.At.After(after) {
			r.All = r.All || w.Names == nil
			r.Names = append(r.Names, w.Names...)
		}
	}
	return r
}

// Written returns the last write of a property that is noted, or nil.
func (b *Binding) Written(name string) *PropertyWrites {
	for i := len(b.Writes) - 1; i >= 0; i-- {
		if w := &b.Writes[i]; w.Names == nil || slices.Contains(w.Names, name) {
			return w
		}
	}
	return nil
}

// InitialPassword says how the password of a new account is derived, and holds
// nothing of it.
type InitialPassword struct {
	ChangeID ChangeID `json:"changeId"` // the creation that it was made for
	Key      string   `json:"key"`      // version of the key that it is derived under
	// At is when the creation was first to be sent, and once the account is
	// there, when that became known.
	At time.Time `json:"at"`
	// Doubt says that an earlier creation with another password may have taken
	// effect.
	Doubt bool `json:"doubt,omitempty"`
	// Seal holds the rest to the user and its account; only who has the key can
	// write it.
	Seal string `json:"seal,omitempty"`
}

// Move says where a binding goes.
type Move struct {
	ConnectionID ConnectionID `json:"connectionId"`
	By           string       `json:"by,omitempty"`
	At           time.Time    `json:"at"`
}

// CallResume is the step that lets a paused binding be synced again.
const CallResume = "POST /v1/connections/{connectionId}/bindings/{userId}/resume"

// CallAdopt is the step that says which account is the user's.
const CallAdopt = "POST /v1/connections/{connectionId}/bindings/{userId}/adopt"

// OpenProblems are what keeps a binding from being in sync: its problem, and what
// else nobody may overlook.
func (b *Binding) OpenProblems() []Problem {
	var list []Problem
	if b.Problem != nil {
		list = append(list, *b.Problem)
	}
	for _, f := range b.Findings {
		if f.Code == CodePausedLeaver && b.Status == BindingPaused {
			list = append(list, f)
		}
	}
	return list
}

// Resumed reports whether a binding that an undo paused goes on since its user
// was edited.
func (b *Binding) Resumed() bool {
	return b.Problem != nil && b.Problem.Code == CodeUndone && b.Applied < b.Wanted
}

// Resting reports whether a binding is paused, by whomever, and nothing is written
// to its account.
func (b *Binding) Resting() bool {
	// An admin pauses users alone, which is noted on the record of the account: neither a
	// group nor a membership can be paused by one. A record of another kind that says so was
	// stored by a version that noted the account's pause on it too, where nobody could end it.
	ofAccount := !b.Object.IsZero() && b.PausedByAdmin()
	return b.Status == BindingPaused && !b.Resumed() && !ofAccount
}

// PausedByAdmin reports whether an admin has paused a binding: nobody else resumes
// it.
func (b *Binding) PausedByAdmin() bool {
	return b.Status == BindingPaused && b.Problem != nil && b.Problem.Code == CodePausedByAdmin
}

// Agree notes that the account is as a version of the user wants it. While
// something of it stays declined, who asked for that still asks.
func (b *Binding) Agree(version int64) {
	if len(b.Declined) == 0 {
		b.Agreed, b.ResumedBy = max(b.Agreed, version), ""
	}
}

// Dirty reports whether the account may not be as the directory says.
func (b *Binding) Dirty() bool { return b.Applied < b.Wanted || b.Recheck || b.Release != "" }

// Former is a binding of an epoch that has passed, or one that gave way to
// another connection's: whom an admin had selected, and with which account.
type Former struct {
	ConnectionID ConnectionID `json:"connectionId"`
	// TenantID is that of the account; empty in records of versions that did not
	// note it.
	TenantID          TenantID  `json:"tenantId,omitempty"`
	UserID            UserID    `json:"userId"`
	Object            Ref       `json:"object,omitzero"` // see Binding.Object
	AccountID         AccountID `json:"accountId,omitempty"`
	UserPrincipalName string    `json:"userPrincipalName,omitempty"`
	// Groups and Indirect are as in the binding: who was bound by groups alone is
	// nobody's choice.
	Groups   []GroupID `json:"groups,omitempty"`
	Indirect bool      `json:"indirect,omitempty"`
	Epoch    int64     `json:"epoch"`
	At       time.Time `json:"at"` // when it was swept
}

// Ref names what was bound.
func (f *Former) Ref() Ref { return refOf(f.Object, f.UserID) }
