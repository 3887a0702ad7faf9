package assign

import (
	"context"
	"errors"
	"fmt"

	"bindery/shared/directory"
)

// Release ends a user's membership of a connection. then says what becomes of
// the account; "" means the connection's setting. It returns the run that
// writes what is to be written; nil when there is nothing and the user is no
// member any more. Asked again before that run ended, it starts another one.
func (s *Bindings) Release(ctx context.Context, by directory.Caller, id directory.ConnectionID, user directory.UserID, then directory.ReleasePolicy) (*directory.Run, error) {
	if !isReleasePolicy(then) {
		r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidParameter, "The binding was not released.", "Correct the parameters named in errors.")
		r.Fields = []directory.FieldError{invalidThen}
		return nil, r
	}
	for range maxTries {
		run, err := s.release(ctx, by, id, user, then)
		if !errors.Is(err, directory.ErrStale) {
			return run, err
		}
	}
	return nil, fmt.Errorf("release: %w", directory.ErrBusy)
}

var invalidThen = directory.FieldError{Field: "then", Detail: "must be keep, block or restore"}

// isReleasePolicy reports whether a policy is one; "" stands for the setting.
func isReleasePolicy(p directory.ReleasePolicy) bool {
	switch p {
	case "", directory.ReleaseKeep, directory.ReleaseBlock, directory.ReleaseRestore:
		return true
	}
	return false
}

func (s *Bindings) release(ctx context.Context, by directory.Caller, id directory.ConnectionID, user directory.UserID, then directory.ReleasePolicy) (*directory.Run, error) {
	c, err := s.connections.Connection(ctx, id)
	if err != nil {
		return nil, err
	}
	b, err := s.bindings.Binding(ctx, user)
	if errors.Is(err, directory.ErrNotFound) || err == nil && (b.ConnectionID != c.ID || b.Epoch != c.Epoch) {
		return nil, directory.Refuse(directory.ErrNotFound, directory.CodeNotBound,
			fmt.Sprintf("The user %q is not bound through the connection \"%s\".", user, c.Name), "")
	}
	if err != nil {
		return nil, err
	}
	asked := then
	if then == "" {
		then = c.Settings.Defaulted().OnRelease
	}
	act := by.AuditEvent(directory.AuditRelease)
	if len(b.Groups) > 0 {
		return nil, s.endDirect(ctx, act, &c, &b, asked)
	}
	if then == directory.ReleaseKeep || b.AccountID == "" {
		return nil, s.retract(ctx, act, &c, &b)
	}
	req := RunRequest{Kind: directory.KindRelease, UserIDs: []directory.UserID{user}, Trigger: directory.TriggerBinding, By: by}
	if b.Release == then {
		req.Audit = act.Kind // what was done is the run: the binding is as it should be
	} else {
		b.Release, b.LeftGroup = then, "" // of no group's doing any more: none takes it back
		b.ReleasedBy = by.Subject
		b.Status = directory.BindingPending
		if err := s.bindings.UpdateBinding(ctx, act, &b, true, then == directory.ReleaseBlock); err != nil {
			return nil, err
		}
	}
	run, err := s.runs.Start(ctx, &c, req)
	if err != nil {
		// The release itself is stored: any next run of the connection does it.
		return nil, fmt.Errorf("run of a release: %w", err)
	}
	return &run, nil
}

// endDirect takes back that somebody selected a user whom groups select as well: the
// binding stays, and ends with the last of these.
// then is what the caller wants done to the account, which nothing is.
func (s *Bindings) endDirect(ctx context.Context, act directory.AuditEvent, c *directory.Connection, b *directory.Binding, then directory.ReleasePolicy) error {
	if b.Indirect || then != "" && then != directory.ReleaseKeep {
		return directory.Refuse(directory.ErrConflict, directory.CodeBoundByGroup,
			fmt.Sprintf("The user is bound through the connection \"%s\" as a member of %s.", c.Name, groupNames(b.Groups)),
			"Take the user out of the group, or end the connection's use of it: the binding ends with the last one.")
	}
	b.Indirect = true
	return s.bindings.UpdateBinding(ctx, act, b, false, false)
}

// groupNames names groups in a sentence.
func groupNames(ids []directory.GroupID) string {
	if len(ids) == 1 {
		return "the group " + string(ids[0])
	}
	return fmt.Sprintf("%d groups, among them %s", len(ids), ids[0])
}

// retract removes a binding without any write to the account. A deleted user
// has nothing left to be done for it then.
func (s *Bindings) retract(ctx context.Context, act directory.AuditEvent, c *directory.Connection, b *directory.Binding) error {
	if err := s.bindings.Retract(ctx, act, nil, c, b); err != nil {
		return err
	}
	u, err := s.expiry.User(ctx, b.UserID)
	if err == nil && u.Deleted != nil {
		err = s.expiry.ExpireUser(ctx, &u)
	}
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		s.log.Warn("deleted user keeps no date of expiry", "userId", b.UserID, "error", err)
	}
	return nil
}
