package assign

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"bindery/shared/core/jobs"
	"bindery/shared/directory"
)

// MaxBindUsers is how many users one Bind names.
const MaxBindUsers = 500

// BindingsConfig is what Bindings stand on.
type BindingsConfig struct {
	Stores Stores
	Runs   Runs // nil in a process that starts none: then a binding has no dry run
	Jobs   *jobs.Service
	Wake   Waker
	Now    func() time.Time // nil means time.Now
	Log    *slog.Logger     // nil means silence
}

// Bindings binds users to connections and releases them. It may be used by many
// goroutines.
type Bindings struct {
	connections connections
	bindings    bindingStore
	subjects    subjectReader
	selections  selectionLister
	uses        useReader
	users       userLister
	expiry      userExpiry
	runs        Runs
	jobs        *jobs.Service
	waker       Waker
	now         func() time.Time
	log         *slog.Logger
}

// NewBindings returns Bindings.
func NewBindings(cfg BindingsConfig) *Bindings {
	st := cfg.Stores
	return &Bindings{connections: st.Connections, bindings: st.Bindings, subjects: st.Subjects, selections: st.Selections, uses: st.Uses, users: st.AllUsers, expiry: st.Expiry,
		runs: cfg.Runs, jobs: cfg.Jobs, waker: cfg.Wake, now: orNow(cfg.Now), log: orSilent(cfg.Log)}
}

// Bound is what a Bind did.
type Bound struct {
	Bound   []directory.UserID      // members now, also those who were before
	Refused []directory.RefusedItem // not bound, and why
	// DryRun shows what the first sync will do for Bound; nil when there is
	// nobody, or when it could not be started.
	DryRun *directory.Run
}

// Bind makes users members of a connection, with a verdict for each.
func (s *Bindings) Bind(ctx context.Context, by directory.Caller, id directory.ConnectionID, users []directory.UserID) (Bound, error) {
	if len(users) == 0 || len(users) > MaxBindUsers {
		r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidUserIDs, fmt.Sprintf("The call names %d users; 1 to %d are allowed.", len(users), MaxBindUsers),
			"Split the list, or bind all users by {\"all\": true}.")
		r.Fields = []directory.FieldError{{Field: "userIds", Detail: fmt.Sprintf("must hold 1 to %d IDs", MaxBindUsers)}}
		return Bound{}, r
	}
	c, err := Working(ctx, s.connections, id)
	if err != nil {
		return Bound{}, err
	}
	choices := make([]Choice, len(users))
	for i, u := range users {
		choices[i] = Choice{User: u}
	}
	b := s.binder(c, by)
	if err := b.bind(ctx, choices); err != nil {
		return Bound{}, err
	}
	out := Bound{Bound: b.out.Bound, Refused: b.out.Refused}
	if len(out.Bound) > 0 {
		out.DryRun = s.dryRun(ctx, by, &b.conn, out.Bound)
		wake(ctx, s.waker, s.log, id)
	}
	return out, nil
}

// dryRun starts the run that shows what a binding will do; nil when it could not be
// started. What was done is the binding, so that it is no act of its own.
func (s *Bindings) dryRun(ctx context.Context, by directory.Caller, c *directory.Connection, users []directory.UserID) *directory.Run {
	if s.runs == nil {
		return nil
	}
	run, err := s.runs.Start(ctx, c, RunRequest{DryRun: true, UserIDs: users, Trigger: directory.TriggerBinding, By: by})
	if err != nil {
		s.log.Warn("dry run of a binding not started", "connectionId", c.ID, "error", err)
		return nil
	}
	return &run
}

// BindChoices gives each choice its verdict and binds those who can be bound, for
// a job that names the accounts.
func (s *Bindings) BindChoices(ctx context.Context, by directory.Caller, c *directory.Connection, list []Choice) (Verdicts, error) {
	b := s.binder(*c, by)
	err := b.bind(ctx, list)
	return b.out, err
}
