package crashtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/infra/stack"
	"bindery/shared/boot/app"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/platform/heads"
	"bindery/shared/platform/vault"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

// Base is the address of the simulated Microsoft 365.
const Base = "https://m365.example"

const (
	simTenant = "22222222-aaaa-4bbb-8ccc-000000000001"
	simSecret = "not-a-secret-of-anybody"
	simDomain = "corp.example"
	publicURL = "https://bindery.example"

	tickEvery = 5 * time.Minute
)

// World is one tenant, one directory, and the Bindery between them.
type World struct {
	Sim *entratest.Server

	scenario *Scenario
	table    *memory.Table
	store    *store.Store // past all faults, for looking at what is there
	vault    *vault.Memory
	mail     *mailbox
	line     *line
	core     *app.Core
	conn     directory.ConnectionID
	users    map[string]directory.UserID  // by the name before the @ at the start
	groups   map[string]directory.GroupID // by the name at the start
	opened   time.Time
	begun    []time.Time // the steps
	approved int         // runs that were held
	nextTick time.Time
	audit    auditor
	keep     heads.Memory // heads of what was done; no fault reaches them
	told     bulletins

	microsoft stack.Microsoft // through the line
}

func newWorld(scenario *Scenario, sim *entratest.Server) (*World, error) {
	w := &World{
		Sim: sim, scenario: scenario, table: memory.New(), vault: &vault.Memory{}, mail: &mailbox{}, line: &line{},
		users: map[string]directory.UserID{}, groups: map[string]directory.GroupID{}, opened: time.Now(), nextTick: time.Now().Add(tickEvery),
	}
	w.store = store.New(w.table, store.Options{})
	m, err := stack.Simulated(sim, Base, directory.NewSecret(simSecret), publicURL)
	m.Transport = wire{m.Transport, w.line, &w.audit}
	w.microsoft = m
	return w, err
}

// start makes a new process of what outlives processes.
func (w *World) start() {
	w.startOver(w.table)
}

func (w *World) startOver(t table.Table) {
	w.core = w.process(stack.Drivers{Table: wiredTable{t, w.line}, Vault: wiredVault{w.vault, w.line}, Queue: wiredQueue{w.mail, w.line}})
}

// process joins a core to drivers.
func (w *World) process(d stack.Drivers) *app.Core {
	d.Heads = &w.keep
	core, err := stack.Process{
		Drivers: d, Microsoft: w.microsoft, PublicURL: publicURL, Notices: &w.told,
		Key: stack.OneKey(directory.NewSecret("0123456789abcdef0123456789abcdef")),
	}.Start()
	if err != nil {
		panic("crashtest: " + err.Error()) // the address is right
	}
	return core
}

// invoke calls a function of the process. When it was killed by that, there is a
// new one afterwards.
func (w *World) invoke(ctx context.Context, f func(ctx context.Context, c *app.Core) error) error {
	ctx, cancel := context.WithTimeout(ctx, stack.FunctionTime)
	defer cancel()
	err := f(ctx, w.core)
	if w.line.revive() {
		w.start()
		return errors.Join(errDead, err)
	}
	return err
}

// ask calls the API as a client does: again after an error, since the answer
// may have been lost.
func (w *World) ask(ctx context.Context, what string, f func(ctx context.Context, c *app.Core) error) error {
	var err error
	for range 5 {
		if err = w.invoke(ctx, f); err == nil {
			return nil
		}
		time.Sleep(time.Second)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// turn does what is due next: a message of the queue, or a tick of the schedule.
// It reports whether that was a tick after which nothing waits.
func (w *World) turn(ctx context.Context) (quiet bool) {
	next := w.mail.next()
	if next.IsZero() || w.nextTick.Before(next) {
		time.Sleep(time.Until(w.nextTick))
		w.nextTick = w.nextTick.Add(tickEvery)
		// A tick that failed comes again, as on AWS.
		err := w.invoke(ctx, func(ctx context.Context, c *app.Core) error { return c.Tick(ctx) })
		return err == nil && w.mail.next().IsZero()
	}
	time.Sleep(time.Until(next))
	msg := w.mail.take()
	err := w.invoke(ctx, func(ctx context.Context, c *app.Core) error {
		switch msg.to {
		case toLoad:
			return c.Load(ctx, msg.body)
		case toDeactivate:
			return c.Sweep(ctx, msg.body)
		}
		return c.Work(ctx, msg.body)
	})
	w.mail.settle(msg, err == nil)
	return false
}

// patience is how long, in virtual time, a world may take to come to rest.
const patience = 6 * time.Hour

// until takes turns until done says so.
func (w *World) until(ctx context.Context, done func() (bool, error)) error {
	for end := time.Now().Add(patience); ; w.turn(ctx) {
		if _, err := w.decide(ctx); err != nil {
			return err
		}
		ok, err := done()
		if ok || err != nil {
			return err
		}
		if time.Now().After(end) {
			return errRestless
		}
	}
}

// rest takes turns until nothing is due any more.
func (w *World) rest(ctx context.Context) error {
	for end := time.Now().Add(patience); ; {
		for !w.turn(ctx) {
			if time.Now().After(end) {
				return errRestless
			}
		}
		if decided, err := w.decide(ctx); !decided || err != nil {
			return err
		}
	}
}

// decide approves a run that is held, if the scenario's admin does so.
func (w *World) decide(ctx context.Context) (decided bool, err error) {
	if !w.scenario.approves {
		return false, nil
	}
	held, err := w.held(ctx)
	if err != nil || held == "" {
		return false, err
	}
	w.approved++
	return true, w.approve(ctx, held)
}

var errRestless = fmt.Errorf("it does not come to rest within %s", patience)
