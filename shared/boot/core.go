package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"bindery/shared/api/admin"
	"bindery/shared/core/assign"
	"bindery/shared/core/audit"
	"bindery/shared/core/connect"
	"bindery/shared/core/doctor"
	"bindery/shared/core/jobs"
	"bindery/shared/core/people"
	"bindery/shared/core/protect"
	"bindery/shared/core/reconcile"
	"bindery/shared/core/runs"
	"bindery/shared/core/safety"
	"bindery/shared/core/schedule"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Tenant is what the core asks of one tenant's API.
type Tenant interface {
	reconcile.Tenant
	assign.Tenant
	people.PhotoReader
	connect.Graph
	audit.AuditTenant
	doctor.Tenant
}

// Queue carries wake-ups.
type Queue interface {
	// Send queues a wake-up for sync.
	Send(ctx context.Context, w directory.WakeUp, delay time.Duration) error
	// SendAll queues wake-ups for sync, without delay. On an error some may have
	// been queued.
	SendAll(ctx context.Context, list []directory.WakeUp) error
	// SendSweep queues a wake-up for deactivate.
	SendSweep(ctx context.Context, w directory.WakeUp, delay time.Duration) error
}

// Parts are the drivers that a core is joined to: those of AWS in a function,
// others on a laptop.
type Parts struct {
	Store *store.Store
	// Retention is how long history is kept; 0 means store.DefaultRetention.
	Retention time.Duration
	Vault     connect.Vault
	Queue     Queue
	Connect   connect.Config
	// PasswordKey is the key that temporary passwords are derived with; ShowingKey
	// reads it as it is now, for one that is to be shown.
	PasswordKey func(ctx context.Context) (directory.Secret, error)
	ShowingKey  func(ctx context.Context) (directory.Secret, error)
	// Files are the uploaded files; nil in a function that has nothing to do with
	// them.
	Files jobs.Files
	// ClientSecretEnds is when the client secret of the Entra app ends; zero when
	// that is not known. nil: nobody looks.
	ClientSecretEnds func(ctx context.Context) (time.Time, error)
	// Seal and Publish are of those functions that link and tell what was done;
	// nil in the others.
	Seal    audit.Seal
	Publish audit.Publisher
	// Keep keeps the heads of the chains outside of the table.
	Keep audit.Keeper
	// Tenant opens a tenant's API; nil in a function that never reaches Graph.
	Tenant func(ts connect.TokenSource) Tenant
	// Look asks name servers about a domain's mail; nil: nobody does.
	Look func(ctx context.Context, domain string) *doctor.DNS
	Now  func() time.Time // nil means time.Now
	Log  *slog.Logger
}

// Core is the whole of what Bindery does, without a way in: functions and the
// local stack call it.
type Core struct {
	Connect   *connect.Service
	Users     *people.Users
	Loads     *people.Loads
	Imports   *people.Imports
	Photos    *people.Photos
	Forms     *people.Forms
	Accounts  *assign.Candidates
	Bindings  *assign.Bindings
	Moves     *assign.Moves
	Jobs      *jobs.Service
	Uploads   *jobs.Uploads
	Runs      *runs.Service
	Engine    *reconcile.Engine
	Passwords *reconcile.Passwords
	Activity  *audit.Service
	Chain     *audit.Chain
	Watch     *audit.Watch
	Doctor    *doctor.Doctor

	worker    *jobs.Runner
	scheduler *schedule.Scheduler
	parts     Parts
}

// wakes is a Queue by the names that the core's packages use.
type wakes struct{ Queue }

func (q wakes) Wake(ctx context.Context, id directory.ConnectionID, delay time.Duration) error {
	return q.Send(ctx, directory.WakeUp{ConnectionID: id}, delay)
}

func (q wakes) WakeCheck(ctx context.Context, id directory.ConnectionID) error {
	return q.Send(ctx, directory.WakeUp{ConnectionID: id, Check: true}, 0)
}

func (q wakes) WakeSweep(ctx context.Context, id directory.ConnectionID, delay time.Duration) error {
	return q.SendSweep(ctx, directory.WakeUp{ConnectionID: id, Sweep: true}, delay)
}

func (q wakes) WakeJob(ctx context.Context, c directory.ConnectionID, j directory.JobID, delay time.Duration) error {
	return q.Send(ctx, directory.WakeUp{ConnectionID: c, JobID: j}, delay)
}

// NewCore joins the core's packages to drivers.
func NewCore(p Parts) *Core {
	p.Queue = counting{p.Queue}
	p.Connect.Report = countFault
	q := wakes{p.Queue}
	c := &Core{parts: p}
	c.Connect = connect.New(p.Connect, p.Store, p.Vault, q, func(ts connect.TokenSource) connect.Graph { return p.Tenant(ts) })
	open := c.open
	s := p.Store
	c.Runs = runs.New(runs.Config{Records: s, Open: s, Notes: s, Changes: s, Bindings: s, Pace: s, Wake: q.Wake, Now: p.Now})
	c.joinActivity()
	c.joinDoctor()
	c.Passwords = &reconcile.Passwords{Store: p.Store, Key: p.ShowingKey, Now: p.Now}
	c.Engine = &reconcile.Engine{
		Store: p.Store, Send: p.Queue.Send, PasswordKey: p.PasswordKey, Now: p.Now, Log: p.Log,
		Open: func(ctx context.Context, conn *directory.Connection) (reconcile.Tenant, error) {
			return open(ctx, conn)
		},
		Lost: c.Connect.Lose,
		Who:  c.Activity.Audits.Who,
	}
	if p.Publish != nil {
		c.Engine.Attest = c.Chain.Attest
	}
	c.joinPeople(q)
	c.scheduler = schedule.New(c.scheduled())
	return c
}

// joinPeople joins users, bindings and jobs to the drivers.
func (c *Core) joinPeople(q wakes) {
	p := c.parts
	c.Jobs = jobs.New(jobs.Config{Store: p.Store, Wake: q, Now: p.Now, Log: p.Log})
	c.Uploads = jobs.NewUploads(jobs.UploadsConfig{Store: p.Store, Files: p.Files, Jobs: c.Jobs, Now: p.Now})
	c.Users = people.NewUsers(people.UsersConfig{Store: p.Store, Wake: q, Now: p.Now, Log: p.Log})
	c.Accounts = assign.NewCandidates(assign.CandidatesConfig{Store: p.Store, Now: p.Now,
		Open: func(ctx context.Context, conn *directory.Connection) (assign.Tenant, error) { return c.open(ctx, conn) }})
	runs := runStarter{c.Runs}
	c.Bindings = assign.NewBindings(assign.BindingsConfig{Store: p.Store, Runs: runs, Jobs: c.Jobs, Wake: q, Now: p.Now, Log: p.Log})
	c.Moves = assign.NewMoves(assign.MovesConfig{Store: p.Store, Users: c.Users, Runs: runs, Wake: q, Now: p.Now, Log: p.Log})
	c.Photos = people.NewPhotos(people.PhotosConfig{Store: p.Store, Users: c.Users, Jobs: c.Jobs, Now: p.Now, Log: p.Log,
		Open: func(ctx context.Context, conn *directory.Connection) (people.PhotoReader, error) {
			return c.open(ctx, conn)
		}})
	c.Loads = people.NewLoads(people.LoadsConfig{Store: p.Store, Users: c.Users, Jobs: c.Jobs, Uploads: c.Uploads, Log: p.Log})
	c.Imports = people.NewImports(people.ImportsConfig{
		Store: p.Store, Users: c.Users, Accounts: c.Accounts, Bindings: c.Bindings, Photos: c.Photos, Jobs: c.Jobs, Now: p.Now, Log: p.Log,
	})
	c.Forms = people.NewForms(people.FormsConfig{Store: p.Store, Jobs: c.Jobs, Now: p.Now, Log: p.Log})
	c.worker = jobs.NewRunner(jobs.RunnerConfig{Store: p.Store, Now: p.Now, Log: p.Log, Kinds: map[directory.JobKind]jobs.Kind{
		directory.JobImport: c.Imports.Import, directory.JobBind: c.Bindings.Bulk, directory.JobLoad: c.Loads.Load, directory.JobCheck: c.Loads.Load,
		directory.JobPhotos: c.Photos.Read, directory.JobAddresses: c.Forms.Renew,
	}})
}

// runStarter starts runs for who binds and releases users.
type runStarter struct{ runs *runs.Service }

func (s runStarter) Start(ctx context.Context, c *directory.Connection, req assign.RunRequest) (directory.Run, error) {
	return s.runs.Start(ctx, req.By, c, runs.Request{
		Kind: req.Kind, DryRun: req.DryRun, UserIDs: req.UserIDs, Trigger: req.Trigger, Audit: req.Audit,
	})
}

// scheduled is what the schedule works with. What links and tells what was done
// belongs to it where that can be published.
func (c *Core) scheduled() schedule.Config {
	p := c.parts
	cfg := schedule.Config{
		Store: p.Store, Queue: p.Queue, Now: p.Now,
		Tenders: []schedule.Tender{c.Connect},
	}
	if p.Publish != nil {
		cfg.Tenders = append(cfg.Tenders, c.Watch)
		cfg.Chores = append(cfg.Chores, c.tendActivity)
	}
	cfg.Tenders = append(cfg.Tenders, c.Doctor, c.Photos)
	cfg.Chores = append(cfg.Chores, c.tendClientSecret, c.Forms.Tend)
	return cfg
}

// open opens the API of a connection's tenant.
func (c *Core) open(_ context.Context, conn *directory.Connection) (Tenant, error) {
	if c.parts.Tenant == nil {
		return nil, fmt.Errorf("this function does not reach Microsoft Graph: %w", directory.ErrForbidden)
	}
	return c.parts.Tenant(c.Connect.Tokens(conn)), nil
}

func (c *Core) now() time.Time {
	if c.parts.Now != nil {
		return c.parts.Now()
	}
	return time.Now()
}

// Tick is one tick of the schedule. Its error tells of what failed; the next tick
// makes up for it.
func (c *Core) Tick(ctx context.Context) error {
	t, err := c.scheduler.Tick(ctx)
	countTick(InvocationOf(ctx), &t)
	return err
}

// Work does what a wake-up asks for: a slice of a connection, or of a job. The
// context's deadline is the function's.
func (c *Core) Work(ctx context.Context, body []byte) error {
	w, err := directory.ParseWakeUp(body)
	if err != nil {
		return keep(ctx, w, err, c.parts.Queue.Send)
	}
	i := InvocationOf(ctx)
	i.Set("connectionId", string(w.ConnectionID))
	deadline, _ := ctx.Deadline()
	if w.JobID != "" {
		i.Set("jobId", string(w.JobID))
		return c.workJob(ctx, w, deadline)
	}
	if w.Check {
		return c.check(ctx, w.ConnectionID)
	}
	sum, err := c.Engine.Slice(ctx, w, deadline)
	c.follow(ctx, &sum)
	i.Set("runId", string(sum.RunID))
	i.Set("state", string(sum.State))
	i.Set("skipped", sum.Skipped)
	i.Set("pages", sum.Pages)
	i.Set("sent", sum.Sent)
	i.Set("againMs", sum.Again.Milliseconds())
	i.Count(Planned, sum.Planned)
	i.Count(Applied, sum.Applied)
	i.Count(Failed, sum.Failed)
	i.Count(Refused, sum.Refused)
	i.Count(ProtectedLeavers, sum.ProtectedLeavers)
	if sum.Broken && err == nil { // else the message fails, and is counted
		i.Count(SyncFailures, 1)
	}
	switch sum.State {
	case directory.RunDone:
		i.Count(RunsDone, 1)
	case directory.RunFailed:
		i.Count(RunsFailed, 1)
	case directory.RunHeld:
		i.Count(RunsHeld, 1)
	}
	return err
}

// keep puts back what only a newer version of Bindery understands: while one is
// deployed, both receive. What is still there long after is an error, and in the
// end a dead letter, which can be redriven when the newer version is back.
func keep(ctx context.Context, w directory.WakeUp, err error, send func(context.Context, directory.WakeUp, time.Duration) error) error {
	if !errors.Is(err, directory.ErrNewer) {
		return err
	}
	again, ok := w.Keep()
	if !ok {
		return err
	}
	InvocationOf(ctx).Set("skipped", "a newer version must read it")
	return send(ctx, again, directory.KeepFor)
}

// API returns the admins' API over this core.
func (c *Core) API() (http.Handler, error) {
	lifts := &protect.Lifter{Store: c.parts.Store, Now: c.parts.Now}
	api, err := admin.New(admin.Config{
		Connections: c.Connect, Safety: &safety.Service{Store: c.parts.Store, Lifts: lifts, Now: c.parts.Now}, Runs: c.Runs,
		Users: c.Users, Loads: c.Loads, Uploads: c.Uploads, Imports: c.Imports, Photos: c.Photos, Accounts: c.Accounts, Bindings: c.Bindings, Moves: c.Moves, Jobs: c.Jobs,
		Passwords: c.Passwords, Explain: c.Engine.Explain, Protection: c.Engine.Protection,
		IfBound: c.Engine.IfBound, IfReleased: c.Engine.IfReleased,
		Lifts: lifts, Now: c.now, Store: c.parts.Store, Activity: c.Activity, Doctor: c.Doctor,
		Wake: func(ctx context.Context, id directory.ConnectionID) error {
			return wakes{c.parts.Queue}.Wake(ctx, id, 0)
		},
		Claims: ClaimReader,
		Log:    c.parts.Log,
	})
	if err != nil {
		return nil, err
	}
	return api.Handler(), nil
}

// sweepAgain is how soon a sweep goes on that has more to clear away.
const sweepAgain = time.Second

// Sweep clears away what past epochs of a connection left: rows become former
// members, secrets are deleted until they are gone.
func (c *Core) Sweep(ctx context.Context, body []byte) error {
	w, err := directory.ParseWakeUp(body)
	if err != nil {
		return keep(ctx, w, err, c.parts.Queue.SendSweep)
	}
	i := InvocationOf(ctx)
	i.Set("connectionId", string(w.ConnectionID))
	conn, err := c.parts.Store.Connection(ctx, w.ConnectionID)
	if errors.Is(err, directory.ErrNotFound) {
		i.Set("skipped", "there is no such connection")
		return nil // deleted since the message was sent
	}
	if err != nil {
		return err
	}
	var tenant directory.TenantID
	if conn.Tenant != nil {
		tenant = conn.Tenant.ID
	}
	swept := 0
	for epoch := int64(1); epoch < conn.Epoch; epoch++ {
		for more := true; more; {
			var n int
			n, more, err = c.parts.Store.Sweep(ctx, &conn, tenant, epoch)
			swept += n
			if err != nil {
				break
			}
			if deadline, ok := ctx.Deadline(); ok && c.now().Add(20*time.Second).After(deadline) {
				i.Count(RowsSwept, swept)
				return c.parts.Queue.SendSweep(ctx, w, sweepAgain)
			}
		}
		if err != nil {
			break
		}
	}
	i.Count(RowsSwept, swept)
	if err = errors.Join(err, c.Runs.LetGo(ctx, &conn)); err != nil {
		return err
	}
	return c.Connect.SweepSecrets(ctx, conn.ID)
}
