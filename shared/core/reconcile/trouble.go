package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// ProblemGroup is one problem with all bindings that have it.
type ProblemGroup struct {
	Code       string                          `json:"code"`
	Kind       directory.ProblemKind           `json:"kind,omitempty"`
	Message    string                          `json:"message"`
	Next       string                          `json:"next,omitempty"`
	Steps      []directory.Step                `json:"steps,omitempty"`
	Users      int                             `json:"users"`
	Statuses   map[directory.BindingStatus]int `json:"statuses"`
	Holders    []string                        `json:"holders,omitempty"` // of what is contested, some of them
	Examples   []directory.UserID              `json:"examples"`          // some of the users
	FirstSince time.Time                       `json:"firstSince,omitzero"`
}

const (
	// mostTroubles is how many problems of bindings one call looks at.
	mostTroubles  = 50_000
	troublePage   = 1000
	mostPerExcuse = 10 // examples and holders
)

// Causes gathers the problems of a connection's bindings by cause: one that 300
// users have is one. More says that there are more bindings with problems than
// one call counts.
func (s *Runs) Causes(ctx context.Context, c *directory.Connection) (list []ProblemGroup, more bool, err error) {
	cursor, looked := "", 0
	for {
		page, next, err := s.Store.ListProblems(ctx, c.ID, c.Epoch, "", cursor, troublePage)
		if err != nil {
			return nil, false, err
		}
		looked += len(page)
		for i := range page {
			t := &page[i]
			if n := len(list); n == 0 || list[n-1].Code != t.Problem.Code {
				list = append(list, ProblemGroup{Code: t.Problem.Code, Kind: t.Problem.Kind, Message: t.Problem.Message, Next: t.Problem.Next,
					Steps: common(t.Problem.Steps), FirstSince: t.Problem.Since, Statuses: map[directory.BindingStatus]int{}})
			}
			list[len(list)-1].add(t)
		}
		if cursor = next; cursor == "" || looked >= mostTroubles {
			return list, cursor != "", nil
		}
	}
}

// common are the steps that do not speak of one user's account.
func common(steps []directory.Step) []directory.Step {
	return slices.DeleteFunc(slices.Clone(steps), func(s directory.Step) bool { return s.AccountID != "" })
}

func (c *ProblemGroup) add(t *store.ProblemRecord) {
	c.Users++
	c.Statuses[t.Status]++
	if len(c.Examples) < mostPerExcuse {
		c.Examples = append(c.Examples, t.UserID)
	}
	if h := t.Problem.Holder; h != "" && len(c.Holders) < mostPerExcuse && !slices.Contains(c.Holders, h) {
		c.Holders = append(c.Holders, h)
	}
	if t.Problem.Since.Before(c.FirstSince) {
		c.FirstSince = t.Problem.Since
	}
}

// Troubles lists the users who have one cause.
func (s *Runs) Troubles(ctx context.Context, c *directory.Connection, code, cursor string, limit int) ([]store.ProblemRecord, string, error) {
	return s.Store.ListProblems(ctx, c.ID, c.Epoch, code, cursor, limit)
}

// maxRetries is how many runs one retry of a cause starts.
const maxRetries = 20

// Retry plans all users with a cause again, in runs of at most MaxRunUsers. A
// paused binding stays paused. More users than one call takes are left for
// another one, which begins at the cursor that is returned.
func (s *Runs) Retry(ctx context.Context, c *directory.Connection, code, cursor, by string) (runs []directory.Run, next string, err error) {
	var users []directory.UserID
	for more := true; more; {
		page, after, err := s.Store.ListProblems(ctx, c.ID, c.Epoch, code, cursor, troublePage)
		if err != nil {
			return runs, "", err
		}
		page = slices.DeleteFunc(page, func(t store.ProblemRecord) bool { return t.Status == directory.BindingPaused })
		if len(page) > 0 && len(runs) == maxRetries {
			return runs, cursor, nil
		}
		for i := range page {
			users = append(users, page[i].UserID)
		}
		cursor, more = after, after != ""
		if len(users) > 0 && (!more || len(users)+troublePage > MaxRunUsers) {
			r, err := s.start(ctx, c, Request{UserIDs: users, By: by}, nil) // some may have been released since
			if err != nil {
				return runs, "", err
			}
			runs, users = append(runs, r), nil
		}
	}
	if len(runs) == 0 {
		return nil, "", directory.Refuse(directory.ErrNotFound, "no-such-problem", fmt.Sprintf("No binding of this connection that is not paused has the problem %q.", code),
			"GET /v1/connections/{id}/problems lists what there is.")
	}
	return runs, "", nil
}

// RetryOne plans one bound user again.
func (s *Runs) RetryOne(ctx context.Context, c *directory.Connection, u directory.UserID, by string) (directory.Run, error) {
	b, err := s.Store.Binding(ctx, u)
	switch {
	case err != nil:
		return directory.Run{}, err
	case b.ConnectionID != c.ID || b.Epoch != c.Epoch:
		return directory.Run{}, fmt.Errorf("binding of %s through %s: %w", u, c.ID, directory.ErrNotFound)
	case b.Status == directory.BindingPaused:
		return directory.Run{}, directory.Refuse(directory.ErrConflict, "binding-paused", "The binding is paused.", "Resume it.")
	}
	return s.start(ctx, c, Request{UserIDs: []directory.UserID{u}, By: by}, nil)
}

// CodePaused is the code of a binding that an admin has paused.
const CodePaused = "paused-by-admin"

// Pause keeps a binding from being synced until it is resumed. What an admin
// has paused stays so, whatever happens to the user.
func (s *Runs) Pause(ctx context.Context, c *directory.Connection, u directory.UserID, reason, by string) (directory.Binding, error) {
	return s.change(ctx, c, u, false, func(b *directory.Binding) error {
		if b.Release != "" {
			return directory.Refuse(directory.ErrConflict, "binding-released", "The binding is being released.", "")
		}
		message := "Paused by " + by + "."
		if reason != "" {
			message = "Paused by " + by + ": " + reason
		}
		b.Status = directory.BindingPaused
		b.Problem = &directory.Problem{Code: CodePaused, Message: message, Since: s.now().UTC(), Attempts: 1,
			Next: "Resume the binding.", Steps: []directory.Step{{Text: "Resume the binding.", Call: directory.CallResume}}}
		return nil
	})
}

// pausedByAdmin reports whether an admin has paused a binding: nobody else
// resumes it.
func pausedByAdmin(b *directory.Binding) bool {
	return b.Status == directory.BindingPaused && b.Problem != nil && b.Problem.Code == CodePaused
}

// resting reports whether a binding is paused, by whomever.
func resting(b *directory.Binding) bool {
	return b.Status == directory.BindingPaused && !b.Resumed()
}

// Resume lets a paused binding be synced again, at once. by, the subject of the
// caller, has then asked for what comes of it.
func (s *Runs) Resume(ctx context.Context, c *directory.Connection, u directory.UserID, by string) (directory.Binding, error) {
	b, err := s.change(ctx, c, u, true, func(b *directory.Binding) error {
		if b.Status != directory.BindingPaused {
			return directory.Refuse(directory.ErrConflict, "binding-not-paused", "The binding is "+string(b.Status)+", not paused.", "")
		}
		b.Status, b.Problem, b.ResumedBy = directory.BindingPending, nil, by
		return nil
	})
	if err == nil {
		_ = s.Wake(ctx, c.ID, 0) // the mark stands in the table; the schedule wakes it otherwise
	}
	return b, err
}

// Adopt notes that an account is a bound user's, and has it adopted by the next
// run. Only an account that the binding's problem offers can be chosen: somebody
// else's would be rewritten otherwise.
func (s *Runs) Adopt(ctx context.Context, c *directory.Connection, u directory.UserID, account directory.AccountID, by string) (directory.Binding, error) {
	b, err := s.change(ctx, c, u, true, func(b *directory.Binding) error {
		switch {
		case b.AccountID != "":
			return directory.Refuse(directory.ErrConflict, "account-known", "The user is bound to the account "+string(b.AccountID)+" already.", "")
		case b.Release != "":
			return directory.Refuse(directory.ErrConflict, "binding-released", "The binding is being released.", "")
		case resting(b):
			return directory.Refuse(directory.ErrConflict, "binding-paused", "The binding is paused.", "Resume it.")
		case !offers(b.Problem, account):
			return directory.Refuse(directory.ErrConflict, "account-not-offered", "The account is none that the binding's problem offers for adoption.",
				"GET /v1/connections/{id}/problems says which accounts can be adopted; retry the binding when the tenant has changed since.")
		}
		b.Adopt, b.ResumedBy = account, by
		return nil
	})
	if err == nil {
		_ = s.Wake(ctx, c.ID, 0) // the mark stands in the table; the schedule wakes it otherwise
	}
	return b, err
}

// offers reports whether a problem offers an account for adoption.
func offers(p *directory.Problem, account directory.AccountID) bool {
	return p != nil && slices.ContainsFunc(p.Steps, func(s directory.Step) bool {
		return s.Call == directory.CallAdopt && s.AccountID != "" && s.AccountID == account
	})
}

func (s *Runs) change(ctx context.Context, c *directory.Connection, u directory.UserID, mark bool, change func(*directory.Binding) error) (directory.Binding, error) {
	for {
		b, err := s.Store.Binding(ctx, u)
		if err == nil && (b.ConnectionID != c.ID || b.Epoch != c.Epoch) {
			err = fmt.Errorf("binding of %s through %s: %w", u, c.ID, directory.ErrNotFound)
		}
		if err != nil {
			return directory.Binding{}, err
		}
		if err := change(&b); err != nil {
			return b, err
		}
		if err := s.Store.UpdateBinding(ctx, directory.Act{}, &b, mark, false); !errors.Is(err, directory.ErrStale) {
			return b, err
		}
	}
}
