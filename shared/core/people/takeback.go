package people

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"bindery/shared/core/jobs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// TakeBacksConfig is what TakeBacks stand on.
type TakeBacksConfig struct {
	Stores  Stores
	Acts    actReader
	Users   *Users
	Groups  *Groups
	Clients pausedClients
	Jobs    *jobs.Service
	Now     func() time.Time // nil means time.Now
	Log     *slog.Logger     // nil means silence
}

// actReader reads what was done; *store.Audit does.
type actReader interface {
	KeptSince() time.Time
	ActsOfHour(ctx context.Context, hour int64, since time.Time, after string, limit int) (acts []store.Act, next string, err error)
	ActsOn(ctx context.Context, of directory.Ref, since time.Time, after string, limit int) (acts []store.Act, next string, err error)
}

// pausedClients says which clients may not push; *provision.Clients does.
type pausedClients interface {
	Get(ctx context.Context, id directory.ScimClientID) (directory.ScimClient, error)
	Deleted(ctx context.Context, id directory.ScimClientID) (directory.ScimClient, error)
	Pause(ctx context.Context, by directory.Caller, id directory.ScimClientID) (directory.ScimClient, error)
}

// TakeBacks put back in the directory what a client of SCIM has changed since a time. They
// may be used by many goroutines.
type TakeBacks struct {
	acts      actReader
	documents documentStore
	write     pushedWriter
	writeTo   pushedGroupWriter
	users     *Users
	groups    *Groups
	clients   pausedClients
	jobs      *jobs.Service
	now       func() time.Time
	log       *slog.Logger
}

// NewTakeBacks returns TakeBacks.
func NewTakeBacks(cfg TakeBacksConfig) *TakeBacks {
	return &TakeBacks{acts: cfg.Acts, documents: cfg.Stores.Documents, write: cfg.Stores.Pushed, writeTo: cfg.Stores.PushedGroups,
		users: cfg.Users, groups: cfg.Groups, clients: cfg.Clients, jobs: cfg.Jobs, now: orNow(cfg.Now), log: orSilent(cfg.Log)}
}

// TakeBack is what an admin says of what is to be taken back.
type TakeBack struct {
	Since  time.Time
	DryRun bool // only count what would be done
	Pause  bool // pause the client first
}

// takeBackInput is the input of the job.
type takeBackInput struct {
	Client directory.ScimClientID `json:"client"`
	Name   string                 `json:"name"`
	Since  time.Time              `json:"since"`
}

// Start starts the job that takes back what a client has changed since a time, or counts
// it. The client must be paused, since it would push the same again.
func (s *TakeBacks) Start(ctx context.Context, by directory.Caller, id directory.ScimClientID, as TakeBack) (directory.Job, error) {
	c, err := s.clients.Get(ctx, id)
	gone := errors.Is(err, directory.ErrNotFound)
	if gone {
		c, err = s.clients.Deleted(ctx, id)
	}
	if err != nil {
		return directory.Job{}, err
	}
	as.Since = as.Since.UTC().Truncate(time.Millisecond) // as the activity is kept
	if now, kept := s.now().UTC(), s.acts.KeptSince(); as.Since.After(now) || as.Since.Before(kept) {
		return directory.Job{}, directory.Refuse(directory.ErrInvalid, directory.CodeInvalidSince,
			fmt.Sprintf("The time since when the client's changes are to be taken back, %s, is not between %s and now.", as.Since.Format(time.RFC3339), kept.UTC().Format(time.RFC3339)),
			"Name a time within which the activity is kept.")
	}
	kind := directory.JobTakeBack
	switch {
	case as.DryRun:
		kind = directory.JobCheckTakeBack
	case c.Paused, gone: // a client that was deleted pushes nothing
	case !as.Pause:
		return directory.Job{}, notPaused(&c)
	default:
		if c, err = s.clients.Pause(ctx, by, id); err != nil {
			return directory.Job{}, err
		}
	}
	in := takeBackInput{Client: c.ID, Name: c.Name, Since: as.Since}
	return s.jobs.Start(ctx, jobs.Order{Kind: kind, ScimClientID: c.ID, By: by, Audit: directory.AuditTakeBack, Detail: in.told(as.DryRun), Input: in})
}

// told is what is to be done, for people.
func (in *takeBackInput) told(check bool) string {
	what := "What the SCIM client %q (%s) has changed since %s is to be taken back."
	if check {
		what = "It is to be counted what the SCIM client %q (%s) has changed since %s; nothing is taken back."
	}
	return fmt.Sprintf(what, in.Name, in.Client, in.Since.Format(time.RFC3339))
}

// reason is why each of the edits was made.
func (in *takeBackInput) reason() string {
	return fmt.Sprintf("take-back of what the SCIM client %q (%s) has changed since %s", in.Name, in.Client, in.Since.Format(time.RFC3339))
}

func notPaused(c *directory.ScimClient) error {
	return directory.Refuse(directory.ErrConflict, directory.CodeScimClientNotPaused,
		fmt.Sprintf("The SCIM client %q may push, and would change again what is taken back.", c.Name),
		fmt.Sprintf("Pause it: PATCH /v1/scim-clients/%s {\"paused\":true}, or say \"pause\":true here. What was put back already stays so.", c.ID))
}

// editedMeanwhile fails a job that has told a part of what came of it already.
func editedMeanwhile(c *directory.ScimClient) error {
	return directory.Refuse(directory.ErrConflict, directory.CodeScimClientNotPaused,
		fmt.Sprintf("The SCIM client %q was edited while its changes were taken back, and may have pushed in between.", c.Name),
		"See that it is paused, or deleted, and take back once more. What was put back already stays so.")
}
