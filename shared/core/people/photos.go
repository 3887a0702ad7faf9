package people

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"bindery/shared/core/assign"
	"bindery/shared/core/jobs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Pictures are read by a job of their own, apart from runs and their lease: it
// writes nothing to the tenant, and Microsoft throttles the service that keeps
// photos apart, so that it may wait for hours while accounts are synced. An
// import makes the pictures of its users due at once. After that each bound
// user has a turn on one day of thirty, chosen by a hash of its ID: the tenant
// is asked for the media etag, and for the picture when that is another one. So
// "no picture" is remembered for thirty days, and an idle run knows nothing of
// all this: the schedule looks at one record of the connection. A day that was
// missed is made up for. Each connection's day begins at a time of its own, so
// that they do not all begin at midnight.
const (
	// photoWindow is about how many pictures one step reads.
	photoWindow = 10
	// photoPages bounds the pages of members that one step looks at.
	photoPages = 40
	// photoPause lies between two requests.
	photoPause = 200 * time.Millisecond
	// photoMaking is how long a job may be named in the plan and not be there:
	// after that whoever named it is dead.
	photoMaking = time.Minute
	// photoRest is how long the schedule waits after a job that failed.
	photoRest = time.Hour
	day       = 24 * time.Hour
)

// PhotoReader reads pictures of one tenant: the media etag and the file; "" and
// nil when an account has none. An account that is not there is a
// *directory.Problem with the code account-not-found.
type PhotoReader interface {
	PhotoETag(ctx context.Context, id directory.AccountID) (string, error)
	PhotoFile(ctx context.Context, id directory.AccountID) ([]byte, error)
}

// OpenPhotos returns the reader of the pictures of a connection's tenant.
type OpenPhotos func(ctx context.Context, c *directory.Connection) (PhotoReader, error)

// PhotosConfig is what Photos stand on.
type PhotosConfig struct {
	Stores Stores
	Users  *Users
	Jobs   *jobs.Service
	Open   OpenPhotos
	// Pause lies between two requests for pictures; 0 means 200 ms, negative none.
	Pause time.Duration
	Now   func() time.Time // nil means time.Now
	Log   *slog.Logger     // nil means silence
}

// Photos keeps the pictures of users as Microsoft has them. It may be used by many
// goroutines.
type Photos struct {
	connections connectionReader
	bindings    bindingLister
	records     photoRecords
	pending     photosDue
	plans       photoPlans
	users       *Users
	jobs        *jobs.Service
	open        OpenPhotos
	pause       time.Duration
	now         func() time.Time
	log         *slog.Logger
}

// NewPhotos returns Photos.
func NewPhotos(cfg PhotosConfig) *Photos {
	st := cfg.Stores
	p := &Photos{connections: st.Connections, bindings: st.Bindings, records: st.Photos, pending: st.PhotosDue, plans: st.PhotoPlans,
		users: cfg.Users, jobs: cfg.Jobs, open: cfg.Open, pause: cfg.Pause, now: orNow(cfg.Now), log: orSilent(cfg.Log)}
	if p.pause == 0 {
		p.pause = photoPause
	}
	return p
}

// Get returns a user's picture. A user without one is a refusal.
func (s *Photos) Get(ctx context.Context, id directory.UserID) (directory.Photo, error) {
	u, err := s.users.Get(ctx, id)
	if err != nil {
		return directory.Photo{}, err
	}
	p, err := s.records.Photo(ctx, id)
	if err == nil && p.Type != "" && u.Deleted == nil {
		return p, nil
	}
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return directory.Photo{}, err
	}
	detail, next := "There is no picture of the user.", "Pictures come from Microsoft 365 when import.photos is true in the connection's settings."
	if p.Refused != "" {
		detail, next = "The user's picture in Microsoft 365 was not kept: "+p.Refused+".", "Set another one in Microsoft 365."
	}
	return directory.Photo{}, directory.Refuse(directory.ErrNotFound, directory.CodePhotoNotFound, detail, next)
}

func unixDay(t time.Time) int64 { return t.Unix() / int64(day/time.Second) }

// photoInput is the input of a job that reads pictures: the days, after From up
// to To, whose turns it reads.
type photoInput struct {
	Epoch int64 `json:"epoch"`
	From  int64 `json:"from"`
	To    int64 `json:"to"`
}

// due makes the pictures of an import's users due.
func (s *Photos) due(ctx context.Context, c *directory.Connection, list []assign.Candidate) error {
	if !c.Settings.Import.Photos {
		return nil
	}
	var due []store.PhotoDue
	for i := range list {
		switch list[i].Verdict {
		case assign.VerdictNew, assign.VerdictInDirectory, assign.VerdictBound:
			if list[i].UserID != "" {
				due = append(due, store.PhotoDue{UserID: list[i].UserID, AccountID: list[i].ID})
			}
		}
	}
	return s.pending.AddPhotosDue(ctx, c.ID, c.Epoch, due)
}

// Start starts a job that reads pictures when some are due, the setting
// asks for them, and no such job is open.
func (s *Photos) Start(ctx context.Context, c *directory.Connection) error {
	if !c.Settings.Import.Photos || !c.Authorized() {
		return nil
	}
	plan, err := s.plans.PhotoPlan(ctx, c.ID)
	if err != nil {
		return err
	}
	return s.startDue(ctx, c, plan, true)
}

// Tend is Start for the schedule, which calls it for each connection.
func (s *Photos) Tend(ctx context.Context, l *store.ScheduledConnection, b *store.Beside, seldom bool) error {
	return s.startDue(ctx, &l.Connection, b.Photos, seldom)
}

// startDue is Start for one who has read the plan. Unless seldom is true
// it looks for no pictures that an import made due: the import starts their job
// itself, and that is only for one that died before.
func (s *Photos) startDue(ctx context.Context, c *directory.Connection, plan store.PhotoPlan, seldom bool) error {
	if !c.Settings.Import.Photos || !c.Authorized() {
		return nil
	}
	// Each connection's day begins at a time of its own.
	turn := string(c.ID) + "/photos"
	today := unixDay(directory.LastTurn(turn, day, s.now()))
	if plan.Epoch != c.Epoch {
		plan = store.PhotoPlan{Epoch: c.Epoch, Day: today - 1, Version: plan.Version}
	}
	busy, err := s.busy(ctx, &plan)
	if err != nil || busy {
		return err
	}
	if plan.Day < today && directory.TurnDue(turn, day, time.Time{}, s.now()) {
		return s.startJob(ctx, c, plan, today)
	}
	if !seldom {
		return nil
	}
	due, err := s.pending.PhotosDue(ctx, c.ID, c.Epoch, 1)
	if err != nil || len(due) == 0 {
		return err
	}
	return s.startJob(ctx, c, plan, today)
}

// busy reports whether the job that a plan names is under way, about to be made, or
// has failed so lately that another one must wait.
func (s *Photos) busy(ctx context.Context, plan *store.PhotoPlan) (bool, error) {
	if plan.Job == "" {
		return false, nil
	}
	age := s.now().Sub(plan.At)
	j, err := s.jobs.Find(ctx, plan.Job)
	if errors.Is(err, directory.ErrNotFound) {
		return age < photoMaking, nil // whoever named it is about to make it
	}
	if err != nil {
		return false, err
	}
	if !jobs.Ended(j.State) {
		return true, nil
	}
	return j.State == directory.JobFailed && age < photoRest, nil
}

// startJob names the job in the plan before it makes it: of two that start
// one at once, one does.
func (s *Photos) startJob(ctx context.Context, c *directory.Connection, plan store.PhotoPlan, today int64) error {
	now := s.now().UTC()
	in := photoInput{Epoch: c.Epoch, From: plan.Day, To: today}
	plan.Job = directory.NewJobID(now)
	plan.At = now
	err := s.plans.SavePhotoPlan(ctx, c.ID, &plan)
	if errors.Is(err, directory.ErrStale) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = s.jobs.Start(ctx, jobs.Order{ID: plan.Job, Kind: directory.JobPhotos, ConnectionID: c.ID, Input: in})
	return err
}
