package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"bindery/shared/core/assign"
	"bindery/shared/core/audit"
	"bindery/shared/core/connect"
	"bindery/shared/core/doctor"
	"bindery/shared/core/jobs"
	"bindery/shared/core/passwords"
	"bindery/shared/core/people"
	"bindery/shared/core/provision"
	"bindery/shared/core/reconcile"
	"bindery/shared/core/runs"
	"bindery/shared/core/schedule"
	"bindery/shared/core/seats"
	"bindery/shared/core/uses"
	"bindery/shared/directory"
)

// Core is the whole of what Bindery does, without a way in: functions and the
// local stack call it.
type Core struct {
	Connect      *connect.Service
	Users        *people.Users
	Groups       *people.Groups
	Pushes       *people.Pushes
	ScimClients  *provision.Clients
	TakeBacks    *people.TakeBacks
	Loads        *people.Loads
	Imports      *people.Imports
	Photos       *people.Photos
	Forms        *people.Forms
	Accounts     *assign.Candidates
	TenantGroups *assign.GroupCandidates
	Seats        *seats.Service
	Bindings     *assign.Bindings
	Uses         *uses.Service
	Moves        *assign.Moves
	Jobs         *jobs.Service
	Uploads      *jobs.Uploads
	Runs         *runs.Service
	Engine       *reconcile.Engine
	Passwords    *passwords.Service
	Activity     *audit.Service
	Chain        *audit.Chain
	Watch        *audit.Watch
	Doctor       *doctor.Doctor

	parts     Parts
	wakes     wakes
	worker    *jobs.Runner
	sweeper   *connect.Sweeper
	upkeep    *audit.Upkeep
	scheduler *schedule.Scheduler
}

// NewCore joins the core's packages to drivers.
func NewCore(p Parts) *Core {
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	if p.ShowingKey == nil {
		p.ShowingKey = func(context.Context) (directory.Secret, error) {
			return directory.Secret{}, fmt.Errorf("this function shows no passwords: %w", directory.ErrForbidden)
		}
	}
	p.Queue = counting{p.Queue}
	p.Connect.Report = countFault
	c := &Core{parts: p, wakes: wakes{p.Queue}}
	c.Connect = connect.New(p.Connect, connect.StoresOf(p.Store), p.Vault, c.wakes, func(ts connect.TokenSource) connect.Graph { return p.Tenant(ts) })
	c.Jobs = jobs.New(jobs.Config{Store: p.Store.Jobs, Wake: c.wakes, Now: p.Now, Log: p.Log})
	c.joinAudit()
	c.joinEngine()
	c.joinPeople()
	c.Doctor = &doctor.Doctor{
		Stores: doctor.StoresOf(p.Store), Now: p.Now, Log: p.Log, Look: p.Look,
		Open:  func(_ context.Context, conn *directory.Connection) (doctor.Tenant, error) { return c.open(conn) },
		Realm: c.Connect.Realm, TokensUsed: c.Connect.TokensUsed, Needed: connect.NeededScopes(),
		Ask: c.wakes.WakeCheck,
	}
	c.sweeper = connect.NewSweeper(connect.SweeperConfig{Connections: p.Store.Connections, Bindings: p.Store.Bindings, Uses: p.Store.Uses, Runs: c.Runs, Secrets: c.Connect, Now: p.Now})
	c.scheduler = schedule.New(c.scheduled())
	return c
}

// joinAudit joins what links, tells and reports what was done.
func (c *Core) joinAudit() {
	p := c.parts
	c.Chain = &audit.Chain{Stores: audit.ChainStoresOf(p.Store), Signer: p.Signer, Publish: p.Publisher, Keep: p.Heads, Now: p.Now, Retention: p.Retention}
	c.Watch = &audit.Watch{Stores: audit.WatchStoresOf(p.Store), Publish: p.Publisher, Now: p.Now}
	c.upkeep = audit.NewUpkeep(audit.UpkeepConfig{Connections: p.Store.Connections, Chain: c.Chain, Watch: c.Watch, Log: p.Log})
	c.Activity = &audit.Service{
		Reports: audit.Report{Stores: audit.ReportStoresOf(p.Store)},
		Sums:    audit.Summary{Stores: audit.SummaryStoresOf(p.Store), Now: p.Now},
		Verifier: &audit.Verifier{Chains: audit.ChainStoresOf(p.Store), Stores: audit.VerifyStoresOf(p.Store),
			Signer: p.Signer, Publish: p.Publisher, Keep: p.Heads, Jobs: c.Jobs, Now: p.Now, Log: p.Log},
		Audits: &audit.Audit{Stores: audit.AuditStoresOf(p.Store), Now: p.Now, Log: p.Log,
			Open: func(_ context.Context, conn *directory.Connection) (audit.AuditTenant, error) { return c.open(conn) }},
	}
}

// joinEngine joins what synchronises, and what admins ask of that.
func (c *Core) joinEngine() {
	p := c.parts
	c.Runs = runs.New(runs.Config{Stores: runs.StoresOf(p.Store), Wake: c.wakes.Wake, Now: p.Now})
	c.Passwords = passwords.New(passwords.Config{Connections: p.Store.Connections, Bindings: p.Store.Bindings, Key: p.ShowingKey, Now: p.Now})
	engine := reconcile.Config{
		Stores: reconcile.StoresOf(p.Store), Send: p.Queue.Send, PasswordKey: p.PasswordKey, Now: p.Now, Log: p.Log,
		Open:        func(_ context.Context, conn *directory.Connection) (reconcile.Tenant, error) { return c.open(conn) },
		Lost:        c.Connect.LoseAuthorization,
		Attribution: c.Activity.Audits.LastEditors,
	}
	if p.Publisher != nil {
		engine.Attest = c.Chain.Attest
	}
	JoinKinds(&engine, p.Store, c.Activity.Audits.LastMemberEditors, c.Activity.Audits.LastLicensor)
	c.Engine = reconcile.New(engine)
}

// joinPeople joins users, bindings and jobs.
func (c *Core) joinPeople() {
	p := c.parts
	c.Uploads = jobs.NewUploads(jobs.UploadsConfig{Store: p.Store.Jobs, Files: p.Files, Jobs: c.Jobs, Now: p.Now})
	c.Users = people.NewUsers(people.UsersConfig{Stores: people.StoresOf(p.Store), Wake: c.wakes, Now: p.Now, Log: p.Log})
	c.Groups = people.NewGroups(people.UsersConfig{Stores: people.StoresOf(p.Store), Wake: c.wakes, Now: p.Now, Log: p.Log})
	c.Pushes, c.ScimClients = Provisioning(p)
	c.TakeBacks = people.NewTakeBacks(people.TakeBacksConfig{Stores: people.StoresOf(p.Store), Acts: p.Store.Audit, Users: c.Users, Groups: c.Groups, Clients: c.ScimClients, Jobs: c.Jobs, Now: p.Now, Log: p.Log})
	c.Accounts = assign.NewCandidates(assign.CandidatesConfig{Stores: assign.StoresOf(p.Store), Now: p.Now,
		Open: func(_ context.Context, conn *directory.Connection) (assign.Tenant, error) { return c.open(conn) }})
	c.TenantGroups = assign.NewGroupCandidates(assign.GroupCandidatesConfig{Stores: assign.StoresOf(p.Store),
		Open: func(_ context.Context, conn *directory.Connection) (assign.GroupTenant, error) { return c.open(conn) }})
	runs := runStarter{c.Runs}
	c.Bindings = assign.NewBindings(assign.BindingsConfig{Stores: assign.StoresOf(p.Store), Runs: runs, Jobs: c.Jobs, Wake: c.wakes, Now: p.Now, Log: p.Log})
	c.Uses = uses.New(uses.Config{Store: p.Store, Wake: c.Wake, Candidates: c.TenantGroups, Now: p.Now, Log: p.Log,
		Products: func(ctx context.Context, conn *directory.Connection) ([]directory.LicenceSKU, error) {
			tenant, err := c.open(conn)
			if err != nil {
				return nil, err
			}
			return tenant.SKUs(ctx)
		}})
	c.Moves = assign.NewMoves(assign.MovesConfig{Stores: assign.StoresOf(p.Store), Users: c.Users, Runs: runs, Wake: c.wakes, Now: p.Now, Log: p.Log})
	c.Photos = people.NewPhotos(people.PhotosConfig{Stores: people.StoresOf(p.Store), Users: c.Users, Jobs: c.Jobs, Now: p.Now, Log: p.Log,
		Open: func(_ context.Context, conn *directory.Connection) (people.PhotoReader, error) { return c.open(conn) }})
	c.Loads = people.NewLoads(people.LoadsConfig{Stores: people.StoresOf(p.Store), Users: c.Users, Groups: c.Groups, Jobs: c.Jobs, Uploads: c.Uploads, Sheets: p.OpenSheet, Log: p.Log})
	c.Imports = people.NewImports(people.ImportsConfig{
		Stores: people.StoresOf(p.Store), Users: c.Users, Groups: c.Groups, Accounts: c.Accounts, TenantGroups: c.TenantGroups, Bindings: c.Bindings, Photos: c.Photos, Jobs: c.Jobs,
		Managers: func(_ context.Context, conn *directory.Connection) (people.ManagerReader, error) { return c.open(conn) }, Now: p.Now, Log: p.Log,
	})
	c.Seats = seats.New(seats.Config{Stores: seats.StoresOf(p.Store), Jobs: c.Jobs, Now: p.Now,
		Open: func(_ context.Context, conn *directory.Connection) (seats.Tenant, error) { return c.open(conn) }})
	c.Forms = people.NewForms(people.FormsConfig{Stores: people.StoresOf(p.Store), Jobs: c.Jobs, Now: p.Now, Log: p.Log})
	c.worker = jobs.NewRunner(jobs.RunnerConfig{Store: p.Store.Jobs, Now: p.Now, Log: p.Log, Kinds: map[directory.JobKind]jobs.Kind{
		directory.JobImport: c.Imports.Import, directory.JobImportGroups: c.Imports.ImportGroups, directory.JobBind: c.Bindings.Bulk, directory.JobLoad: c.Loads.Load, directory.JobCheck: c.Loads.Load,
		directory.JobLoadGroups: c.Loads.Load, directory.JobCheckGroups: c.Loads.Load,
		directory.JobPhotos: c.Photos.Read, directory.JobAddresses: c.Forms.Renew, directory.JobVerify: c.Activity.Verifier.Verify,
		directory.JobLicences: c.Seats.Count, directory.JobTakeBack: c.TakeBacks.TakeBack, directory.JobCheckTakeBack: c.TakeBacks.TakeBack,
	}})
}

// Provisioning is what identity providers need of the core, for a function that has
// nothing else of it.
func Provisioning(p Parts) (*people.Pushes, *provision.Clients) {
	return people.NewPushes(people.UsersConfig{Stores: people.StoresOf(p.Store), Wake: wakes{p.Queue}, Now: p.Now, Log: p.Log}),
		provision.New(provision.Config{Records: p.Store.ScimClients, Now: p.Now, Log: p.Log})
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
		Stores: schedule.StoresOf(p.Store), Queue: p.Queue, Now: p.Now,
		Tenders: []schedule.Tender{c.Connect},
	}
	if p.Publisher != nil {
		cfg.Tenders = append(cfg.Tenders, c.Watch)
		cfg.Chores = append(cfg.Chores, c.upkeep.Tend)
	}
	cfg.Tenders = append(cfg.Tenders, c.Doctor, c.Photos)
	if p.ClientSecret != nil {
		cfg.Chores = append(cfg.Chores, c.countClientSecret)
	}
	cfg.Chores = append(cfg.Chores, c.Forms.Tend, c.Groups.Tend)
	return cfg
}

// open opens the API of a connection's tenant.
func (c *Core) open(conn *directory.Connection) (Tenant, error) {
	if c.parts.Tenant == nil {
		return nil, fmt.Errorf("this function does not reach Microsoft Graph: %w", directory.ErrForbidden)
	}
	return c.parts.Tenant(c.Connect.Tokens(conn)), nil
}

// Parts are those that the core was joined to, with what NewCore filled in.
func (c *Core) Parts() Parts { return c.parts }

// Wake asks for a slice of a connection, soon.
func (c *Core) Wake(ctx context.Context, id directory.ConnectionID) error {
	return c.wakes.Wake(ctx, id, 0)
}
