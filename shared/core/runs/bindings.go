package runs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"bindery/shared/directory"
)

// Pause keeps a binding from being synced until it is resumed. What an admin
// has paused stays so, whatever happens to the user.
func (s *Service) Pause(ctx context.Context, by directory.Caller, c *directory.Connection, u directory.UserID, reason string) (directory.Binding, error) {
	return s.change(ctx, by.AuditEvent(directory.AuditPauseBinding), c, u, false, func(b *directory.Binding) error {
		if b.Release != "" {
			return directory.Refuse(directory.ErrConflict, directory.CodeBindingReleased, "The binding is being released.", "")
		}
		message := "Paused by " + by.Subject + "."
		if reason != "" {
			message = "Paused by " + by.Subject + ": " + reason
		}
		b.Status = directory.BindingPaused
		b.Problem = &directory.Problem{Code: directory.CodePausedByAdmin, Message: message, Since: s.now().UTC(), Attempts: 1,
			Next: "Resume the binding.", Steps: []directory.Step{{Text: "Resume the binding.", Call: directory.CallResume}}}
		return nil
	})
}

// Resume lets a paused binding be synced again, at once. by has then asked
// for what comes of it.
func (s *Service) Resume(ctx context.Context, by directory.Caller, c *directory.Connection, u directory.UserID) (directory.Binding, error) {
	b, err := s.change(ctx, by.AuditEvent(directory.AuditResumeBinding), c, u, true, func(b *directory.Binding) error {
		if b.Status != directory.BindingPaused {
			return directory.Refuse(directory.ErrConflict, directory.CodeBindingNotPaused, "The binding is "+string(b.Status)+", not paused.", "")
		}
		b.Status, b.Problem, b.ResumedBy = directory.BindingPending, nil, by.Subject
		return nil
	})
	if err == nil {
		_ = s.wake(ctx, c.ID, 0) // the mark stands in the table; the schedule wakes it otherwise
	}
	return b, err
}

// Adopt notes that an account is a bound user's, and has it adopted by the next
// run. Only an account that the binding's problem offers can be chosen: somebody
// else's would be rewritten otherwise.
func (s *Service) Adopt(ctx context.Context, by directory.Caller, c *directory.Connection, u directory.UserID, account directory.AccountID) (directory.Binding, error) {
	b, err := s.change(ctx, by.AuditEvent(directory.AuditAdoptAccount), c, u, true, func(b *directory.Binding) error {
		switch {
		case b.AccountID != "":
			return directory.Refuse(directory.ErrConflict, directory.CodeAccountKnown, "The user is bound to the account "+string(b.AccountID)+" already.", "")
		case b.Release != "":
			return directory.Refuse(directory.ErrConflict, directory.CodeBindingReleased, "The binding is being released.", "")
		case b.Resting():
			return directory.Refuse(directory.ErrConflict, directory.CodeBindingPaused, "The binding is paused.", "Resume it.")
		case !offers(b.Problem, account):
			return directory.Refuse(directory.ErrConflict, directory.CodeAccountNotOffered, "The account is none that the binding's problem offers for adoption.",
				"GET /v1/connections/{id}/problems says which accounts can be adopted; retry the binding when the tenant has changed since.")
		}
		b.Adopt, b.ResumedBy = account, by.Subject
		return nil
	})
	if err == nil {
		_ = s.wake(ctx, c.ID, 0) // the mark stands in the table; the schedule wakes it otherwise
	}
	return b, err
}

// offers reports whether a problem offers an account for adoption.
func offers(p *directory.Problem, account directory.AccountID) bool {
	return p != nil && slices.ContainsFunc(p.Steps, func(s directory.Step) bool {
		return s.Call == directory.CallAdopt && s.AccountID != "" && s.AccountID == account
	})
}

func (s *Service) change(ctx context.Context, act directory.AuditEvent, c *directory.Connection, u directory.UserID, mark bool, change func(*directory.Binding) error) (directory.Binding, error) {
	for {
		b, err := s.bindings.Binding(ctx, u)
		if err == nil && (b.ConnectionID != c.ID || b.Epoch != c.Epoch) {
			err = fmt.Errorf("binding of %s through %s: %w", u, c.ID, directory.ErrNotFound)
		}
		if err != nil {
			return directory.Binding{}, err
		}
		if err := change(&b); err != nil {
			return b, err
		}
		if err := s.bindings.UpdateBinding(ctx, act, &b, mark, false); !errors.Is(err, directory.ErrStale) {
			return b, err
		}
	}
}
