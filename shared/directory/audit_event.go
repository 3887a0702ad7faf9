package directory

import (
	"strings"
	"time"
)

// AuditEvent is something that a person, or Bindery by itself, did other than a change
// to an account: a binding, a release, an edit of settings, a sign-in. Changes
// to accounts are journalled by their runs.
type AuditEvent struct {
	// ID and At are given by the store; IDs of later events sort later.
	ID   string    `json:"id"`
	At   time.Time `json:"at"`
	Kind AuditKind `json:"kind"`
	// By is the subject of the caller's token, BySystem, or who did it at
	// Microsoft (ByMicrosoft): three kinds of names that are never the same.
	By     string `json:"by"`
	Source Source `json:"source,omitempty"` // of a caller that writes as one
	// RequestID is that of the request to our API that asked for it.
	RequestID string `json:"requestId,omitempty"`
	// ConnectionID, RunID, JobID and those below are what it was done to, as far as they apply.
	ConnectionID ConnectionID `json:"connectionId,omitempty"`
	RunID        RunID        `json:"runId,omitempty"`
	JobID        JobID        `json:"jobId,omitempty"`
	UserIDs      []UserID     `json:"userIds,omitempty"`
	// GroupIDs are groups of our directory: the one that was edited, then those that
	// became its members, or no longer are. UserIDs are users then of whom that is true.
	GroupIDs  []GroupID `json:"groupIds,omitempty"`
	AccountID AccountID `json:"accountId,omitempty"`
	// Properties are what was changed, as with a change; settings are JSON texts.
	Properties []PropertyChange `json:"properties,omitempty"`
	// Detail is a sentence for people. It repeats Reason, so that reports of every version
	// tell it and digest it.
	Detail string `json:"detail,omitempty"`
	// Reason is why By did it, in their own words, where they said so.
	Reason string `json:"reason,omitempty"`
}

// ByHand reports whether it is an edit of users or groups, their members, or the move of a
// user, that somebody has made, in the console or by a token that names no source: none of a source that feeds the directory, of a job, or of
// Bindery itself.
func (e *AuditEvent) ByHand() bool {
	switch e.Kind {
	case AuditCreateUser, AuditEditUser, AuditDeleteUser, AuditSuspendUser, AuditActivateUser, AuditRestoreUser, AuditMoveUser,
		AuditCreateGroup, AuditEditGroup, AuditDeleteGroup, AuditRestoreGroup, AuditAddMembers, AuditRemoveMembers:
		return e.Source == "" && e.JobID == "" && e.By != BySystem
	}
	return false
}

// Explained is a sentence with the reason that somebody gave behind it.
func Explained(sentence, reason string) string {
	if reason == "" {
		return sentence
	}
	return strings.TrimSpace(sentence + " Reason given: “" + reason + "”.")
}

// BySystem is who did what nobody asked for. No caller has that subject.
const BySystem = "bindery"

// ByMicrosoft names an account that did something at Microsoft. No caller has
// such a subject, since those have no spaces. Events of before have the
// userPrincipalName alone.
func ByMicrosoft(userPrincipalName string) string { return userPrincipalName + " (at Microsoft)" }

// NewAuditEventID returns a fresh ID; one made in a later millisecond sorts later.
func NewAuditEventID(now time.Time) string { return newID("act_", now) }
