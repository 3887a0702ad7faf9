package runs

import (
	"context"
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
	Users      int                             `json:"users"` // bindings and records of other kinds
	Statuses   map[directory.BindingStatus]int `json:"statuses"`
	Holders    []string                        `json:"holders,omitempty"` // of what is contested, some of them
	Examples   []directory.UserID              `json:"examples"`          // some of the users
	Objects    []directory.Ref                 `json:"objects,omitempty"` // some of the objects of other kinds than accounts
	FirstSince time.Time                       `json:"firstSince,omitzero"`
}

const (
	// mostProblems is how many problems of bindings one call looks at.
	mostProblems = 50_000
	problemPage  = 1000
	mostExamples = 10 // examples and holders
)

// ProblemGroups gathers the problems of a connection's bindings by cause: one that
// 300 users have is one. More says that there are more bindings with problems
// than one call counts.
func (s *Service) ProblemGroups(ctx context.Context, c *directory.Connection) (list []ProblemGroup, more bool, err error) {
	cursor, looked := "", 0
	for {
		page, next, err := s.bindings.ListProblems(ctx, c.ID, c.Epoch, "", cursor, problemPage)
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
		cursor = next
		if cursor == "" || looked >= mostProblems {
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
	if t.UserID != "" && len(c.Examples) < mostExamples {
		c.Examples = append(c.Examples, t.UserID)
	}
	if !t.Object.IsZero() && len(c.Objects) < mostExamples {
		c.Objects = append(c.Objects, t.Object)
	}
	if h := t.Problem.Holder; h != "" && len(c.Holders) < mostExamples && !slices.Contains(c.Holders, h) {
		c.Holders = append(c.Holders, h)
	}
	if t.Problem.Since.Before(c.FirstSince) {
		c.FirstSince = t.Problem.Since
	}
}

// Affected lists the users who have one problem.
func (s *Service) Affected(ctx context.Context, c *directory.Connection, code, cursor string, limit int) ([]store.ProblemRecord, string, error) {
	return s.bindings.ListProblems(ctx, c.ID, c.Epoch, code, cursor, limit)
}

// maxRetries is how many runs one retry of a cause starts.
const maxRetries = 20

// Retry plans all users and objects with a cause again, in runs of at most MaxRunUsers. A
// paused binding stays paused. More users than one call takes are left for
// another one, which begins at the cursor that is returned.
func (s *Service) Retry(ctx context.Context, by directory.Caller, c *directory.Connection, code, cursor string) (runs []directory.Run, next string, err error) {
	var users []directory.UserID
	var objects []directory.Ref
	for more := true; more; {
		page, after, err := s.bindings.ListProblems(ctx, c.ID, c.Epoch, code, cursor, problemPage)
		if err != nil {
			return runs, "", err
		}
		page = slices.DeleteFunc(page, func(t store.ProblemRecord) bool {
			return t.Status == directory.BindingPaused
		})
		if len(page) > 0 && len(runs) == maxRetries {
			return runs, cursor, nil
		}
		for i := range page {
			if t := &page[i]; t.Object.IsZero() {
				users = append(users, t.UserID)
			} else {
				objects = append(objects, t.Object)
			}
		}
		cursor, more = after, after != ""
		if n := len(users) + len(objects); n > 0 && (!more || n+problemPage > MaxRunUsers) {
			r, err := s.start(ctx, by, c, Request{UserIDs: users, Objects: objects, Audit: directory.AuditRetryProblem}, nil) // some may have been released since
			if err != nil {
				return runs, "", err
			}
			runs, users, objects = append(runs, r), nil, nil
		}
	}
	if len(runs) == 0 {
		return nil, "", directory.Refuse(directory.ErrNotFound, directory.CodeNoSuchProblem, fmt.Sprintf("No binding of this connection that is not paused has the problem %q.", code),
			"GET /v1/connections/{id}/problems lists what there is.")
	}
	return runs, "", nil
}

// RetryOne plans one bound user again.
func (s *Service) RetryOne(ctx context.Context, by directory.Caller, c *directory.Connection, u directory.UserID) (directory.Run, error) {
	b, err := s.bindings.Binding(ctx, u)
	switch {
	case err != nil:
		return directory.Run{}, err
	case b.ConnectionID != c.ID || b.Epoch != c.Epoch:
		return directory.Run{}, fmt.Errorf("binding of %s through %s: %w", u, c.ID, directory.ErrNotFound)
	case b.Status == directory.BindingPaused:
		return directory.Run{}, directory.Refuse(directory.ErrConflict, directory.CodeBindingPaused, "The binding is paused.", "Resume it.")
	}
	return s.start(ctx, by, c, Request{UserIDs: []directory.UserID{u}, Audit: directory.AuditRetryBinding}, nil)
}
