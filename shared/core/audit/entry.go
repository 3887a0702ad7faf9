package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// KindChange is the kind of entries that are changes of runs; all other kinds
// are those of audit events.
const KindChange = "change"

// Entry is one thing that was done. Its JSON is what digests are made of:
// members may be added, with omitempty, and none may change its meaning.
type Entry struct {
	// ID is that of the change, or of the audit event; of an audit event that concerns several
	// users there is one entry each.
	ID           string                 `json:"id"`
	At           time.Time              `json:"at"`
	Kind         string                 `json:"kind"`
	ConnectionID directory.ConnectionID `json:"connectionId,omitempty"`
	RunID        directory.RunID        `json:"runId,omitempty"`
	JobID        directory.JobID        `json:"jobId,omitempty"`
	UserID       directory.UserID       `json:"userId,omitempty"`
	// GroupIDs are groups of our directory: that of the audit event, then those that
	// became its members, or no longer are.
	GroupIDs []directory.GroupID `json:"groupIds,omitempty"`
	// Object is what was changed when that is no user's account.
	Object    directory.Ref       `json:"object,omitzero" hidden:"true"`
	AccountID directory.AccountID `json:"accountId,omitempty"`
	// UserPrincipalName is the account's, for people.
	UserPrincipalName string                     `json:"userPrincipalName,omitempty"`
	Effect            directory.Effect           `json:"effect,omitempty"`
	State             directory.ChangeState      `json:"state,omitempty"`
	Properties        []directory.PropertyChange `json:"properties,omitempty"`
	// Reason says why, or what exactly, in a sentence; what whoever did it said of it is
	// quoted in it.
	Reason string `json:"reason,omitempty"`
	// By is who did it or asked for it; empty for a run that nobody asked for.
	By         string            `json:"by,omitempty"`
	Source     directory.Source  `json:"source,omitempty"`
	Trigger    directory.Trigger `json:"trigger,omitempty"`
	ApprovedBy string            `json:"approvedBy,omitempty"`
	// RequestID is Microsoft's.
	RequestID string `json:"requestId,omitempty"`
	ErrorCode string `json:"errorCode,omitempty"`
	Error     string `json:"error,omitempty"`
	// APIRequestID is that of the request to our API that asked for an audit event; the log
	// has it under the same name.
	APIRequestID string `json:"apiRequestId,omitempty"`
	// Comment is what whoever did it gave as the reason, in their own words.
	Comment string `json:"comment,omitempty"`
}

// line is the entry's JSON, as an export has it and as digests are made of. The
// request's ID and the comment are left out: versions that do not know them link and
// verify the same entries while a deployment, or its rollback, is under way. The comment
// is quoted in the reason, which is digested.
func (e Entry) line() []byte {
	e.APIRequestID, e.Comment = "", ""
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		panic("activity: " + err.Error()) // texts, times and values always marshal
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// entryOfChange makes the entry of a change that has a result.
func entryOfChange(run *directory.Run, c *directory.Change, r *store.Result) Entry {
	e := Entry{
		ID: string(c.ID), At: r.At.UTC(), Kind: KindChange, ConnectionID: run.ConnectionID, RunID: run.ID,
		UserID: c.UserID, Object: c.Object, AccountID: c.AccountID, UserPrincipalName: c.UserPrincipalName,
		Effect: c.Effect, State: r.State, Properties: c.Properties, Reason: c.Reason,
		By: run.AskedBy, Trigger: run.Trigger, ApprovedBy: run.ApprovedBy, RequestID: r.RequestID,
	}
	if r.AccountID != "" {
		e.AccountID = r.AccountID
	}
	if r.Error != nil {
		e.ErrorCode, e.Error = r.Error.Code, r.Error.Message
		if e.RequestID == "" {
			e.RequestID = r.Error.RequestID
		}
	}
	return e
}

// entriesOfAuditEvent makes the entries of an audit event: one, or one for each user, and
// one for groups that became members of a group beside users.
func entriesOfAuditEvent(a *directory.AuditEvent) []Entry {
	e := Entry{
		ID: a.ID, At: a.At.UTC(), Kind: string(a.Kind), ConnectionID: a.ConnectionID, RunID: a.RunID, JobID: a.JobID,
		AccountID: a.AccountID, Properties: a.Properties, Reason: a.Detail, By: a.By, Source: a.Source,
		APIRequestID: a.RequestID, Comment: a.Reason,
	}
	if len(a.UserIDs) == 0 {
		e.GroupIDs = a.GroupIDs
		return []Entry{e}
	}
	e.GroupIDs = a.GroupIDs[:min(1, len(a.GroupIDs))]
	list := make([]Entry, len(a.UserIDs))
	for i, u := range a.UserIDs {
		list[i] = e
		list[i].UserID = u
	}
	if len(a.GroupIDs) > 1 {
		e.GroupIDs = a.GroupIDs
		list = append(list, e)
	}
	if len(list) > 1 {
		for i := range list {
			list[i].ID = fmt.Sprintf("%s.%d", a.ID, i)
		}
	}
	return list
}

// Query says which entries are wanted. The zero Query wants all.
type Query struct {
	ConnectionID directory.ConnectionID
	UserID       directory.UserID
	Object       directory.Ref // of another kind than accounts; a group also as one of our directory
	RunID        directory.RunID
	Effect       string // an effect of changes, or the kind of an audit event
	ByHand       bool   // only edits of users and groups that were made by hand
	Since        time.Time
	Until        time.Time
}

func (q *Query) wants(e *Entry) bool {
	switch {
	case q.ConnectionID != "" && e.ConnectionID != q.ConnectionID,
		q.UserID != "" && e.UserID != q.UserID && e.Object.Concerns() != directory.AccountOf(q.UserID),
		!q.Object.IsZero() && e.Object != q.Object && !e.isOf(q.Object),
		q.RunID != "" && e.RunID != q.RunID,
		q.Effect != "" && string(e.Effect) != q.Effect && e.Kind != q.Effect,
		q.ByHand && !e.byHand(),
		!q.Since.IsZero() && e.At.Before(q.Since),
		!q.Until.IsZero() && !e.At.Before(q.Until):
		return false
	}
	return true
}

func (e *Entry) byHand() bool {
	event := directory.AuditEvent{Kind: directory.AuditKind(e.Kind), By: e.By, Source: e.Source, JobID: e.JobID}
	return event.ByHand()
}

// isOf reports whether the entry concerns a group of our directory.
func (e *Entry) isOf(r directory.Ref) bool {
	return slices.ContainsFunc(e.GroupIDs, func(g directory.GroupID) bool { return directory.GroupRef(g) == r })
}

func (q *Query) check() error {
	if !q.Since.IsZero() && !q.Until.IsZero() && !q.Since.Before(q.Until) {
		r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidParameter, "The times leave nothing to be listed.", "Let since be before until.")
		r.Fields = []directory.FieldError{{Field: "until", Detail: "must be after since, " + q.Since.Format(time.RFC3339)}}
		return r
	}
	return nil
}

// valueText is a value as people read it in a list.
func valueText(v directory.Value) string {
	if list, ok := v.List(); ok {
		return strings.Join(list, "; ")
	}
	return v.String()
}
