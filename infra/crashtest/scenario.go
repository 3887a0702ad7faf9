package crashtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bindery/shared/boot/app"
	"bindery/shared/core/plan"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/store"
)

// person is somebody of the scenario.
type person struct {
	name    string
	account map[string]any // what the tenant has before the past, or nil
	bound   bool           // in the past
}

// Scenario is what is done with one tenant, step by step.
type Scenario struct {
	settings directory.Settings
	people   []person
	// tenant adds to the tenant what it has besides the accounts of people; past is what
	// was asked before the scenario begins, besides that people are bound. nil: nothing.
	tenant func(*entratest.TenantSpec)
	past   func(ctx context.Context, w *World) error
	steps  []step
	// approves says that an admin lets every run go on that is held.
	approves bool
}

// Accounts is everything that Bindery does with accounts. Who is bound has an account
// that was adopted in the past.
var Accounts = &Scenario{
	settings: directory.Settings{
		OnSoftDeleted: "restore",
		Attributes: map[string]directory.AttributeRule{
			"department": {Export: true, Clear: true}, "jobTitle": {Export: true, Clear: true},
			"mobilePhone": {Export: true, Clear: true}, "extensionAttribute3": {Export: true, Clear: true, From: "badge"},
		},
	},
	people: somePeople,
	steps: []step{
		{"edit, suspend and delete users", edits},
		{"bind users", binds},
		{"sync now, after somebody deleted an account", restores},
		{"take back an edit, a block, a creation and an adoption", undoes},
		{"release a user, with the values from before", releases},
		{"suspend more users than the guard allows, and approve", approves},
		{"deactivate", deactivates},
	},
}

var somePeople = []person{
	{"moved", map[string]any{"department": "Old"}, true},
	{"edited", map[string]any{"department": "Old"}, true},
	{"suspended", map[string]any{}, true},
	{"deleted", map[string]any{}, true},
	{"revived", map[string]any{}, true},
	{"undone", map[string]any{}, true},
	{"released", map[string]any{"department": "Original", "mobilePhone": "+1 555 0999"}, true},
	{"many1", map[string]any{}, true},
	{"many2", map[string]any{}, true},
	{"many3", map[string]any{}, true},
	{"many4", map[string]any{}, true},
	{"many5", map[string]any{}, true},
	{"many6", map[string]any{}, true},
	{"new1", nil, false},
	{"new2", nil, false},
	{"new3", nil, false},
	{"old1", map[string]any{"department": "Old"}, false},
	{"old2", map[string]any{}, false},
	{"wanted", nil, false}, // somebody else's account has the address
}

func (p *person) existing() map[string]any {
	m := map[string]any{"userPrincipalName": p.name + "@" + simDomain, "displayName": p.name, "mailNickname": p.name, "accountEnabled": true}
	for k, v := range p.account {
		m[k] = v
	}
	return m
}

func (p *person) user() directory.User {
	u := directory.User{ID: directory.NewUserID(time.Now()), Source: directory.SourceManual}
	u.Email, u.UserName, u.State = p.name+"@"+simDomain, p.name, directory.StateActive
	u.GivenName, u.FamilyName = strings.ToUpper(p.name[:1])+p.name[1:], "Example"
	u.Department, u.Phones.Mobile = "Sales", "+1 555 0100"
	u.CustomAttributes = map[string]string{"badge": "b-" + p.name}
	return u
}

var admin = directory.Caller{Subject: "admin"}

// step is something that is asked of Bindery, or happens in the tenant. It may be asked
// for again when its answer is lost.
type step struct {
	name string
	do   func(ctx context.Context, w *World) error
}

func edits(ctx context.Context, w *World) error {
	patch := func(name string, body map[string]any) error {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		return w.ask(ctx, "edit "+name, func(ctx context.Context, c *app.Core) error {
			_, err := c.Users.Patch(ctx, admin, w.users[name], raw, 0)
			return err
		})
	}
	return errors.Join(
		patch("moved", map[string]any{"email": "newname@" + simDomain, "department": "Research"}),
		patch("edited", map[string]any{"department": "Research", "jobTitle": "Lead", "phones": map[string]any{"mobile": "+1 555 0101"}}),
		patch("undone", map[string]any{"department": "Mistake"}),
		w.suspend(ctx, "suspended"),
		w.ask(ctx, "delete", func(ctx context.Context, c *app.Core) error {
			return c.Users.Delete(ctx, admin, w.users["deleted"], 0)
		}),
	)
}

func (w *World) suspend(ctx context.Context, name string) error {
	return w.ask(ctx, "suspend "+name, func(ctx context.Context, c *app.Core) error {
		_, err := c.Users.SetState(ctx, admin, w.users[name], directory.StateSuspended, 0)
		return err
	})
}

func binds(ctx context.Context, w *World) error {
	var ids []directory.UserID
	for _, p := range somePeople {
		if !p.bound {
			ids = append(ids, w.users[p.name])
		}
	}
	return w.ask(ctx, "bind", func(ctx context.Context, c *app.Core) error {
		b, err := c.Bindings.Bind(ctx, admin, w.conn, ids)
		if err == nil && len(b.Bound) != len(ids) {
			err = fmt.Errorf("bound %d of %d: %+v", len(b.Bound), len(ids), b.Refused)
		}
		return err
	})
}

func restores(ctx context.Context, w *World) error {
	if err := w.Sim.DeleteAccount(simTenant, "revived@"+simDomain); err != nil {
		return err
	}
	return w.ask(ctx, "sync now", func(ctx context.Context, c *app.Core) error {
		conn, err := w.store.Connections.Connection(ctx, w.conn)
		if err != nil {
			return err
		}
		_, err = c.Runs.Start(ctx, admin, &conn, runs.Request{})
		return err
	})
}

// undoes takes back what was done to some users, run by run, the newest first.
func undoes(ctx context.Context, w *World) error {
	var ids []directory.UserID
	for _, name := range []string{"undone", "suspended", "new2", "old2"} {
		ids = append(ids, w.users[name])
	}
	return w.undo(ctx, w.opened, func(c *directory.Change) bool { return slices.Contains(ids, c.UserID) }, runs.UndoRequest{UserIDs: ids})
}

// undo takes back what was done since some time, run by run, the newest first, where
// that touched something.
func (w *World) undo(ctx context.Context, since time.Time, touches func(*directory.Change) bool, req runs.UndoRequest) error {
	j, err := w.readJournal(ctx)
	if err != nil {
		return err
	}
	for _, r := range j.runs { // newest first
		touched := func(c directory.Change) bool {
			run, _, _, _ := store.Place(c.ID)
			return run == r.ID && c.State == directory.ChangeApplied && touches(&c)
		}
		if r.StartedAt.Before(since) || !slices.ContainsFunc(j.changes, touched) {
			continue
		}
		for again := true; again; {
			var err error
			if again, err = w.undoOnce(ctx, r.Run, req); err != nil {
				return err
			}
		}
	}
	return nil
}

// undoOnce takes one run back. again says that something could not be read, and so was
// left: whoever sees that asks once more.
func (w *World) undoOnce(ctx context.Context, r directory.Run, req runs.UndoRequest) (again bool, err error) {
	var undone directory.Run
	err = w.ask(ctx, "undo", func(ctx context.Context, c *app.Core) error {
		conn, err := w.store.Connections.Connection(ctx, w.conn)
		if err == nil {
			undone, err = c.Runs.Undo(ctx, admin, &conn, r, req)
		}
		return err
	})
	if err == nil {
		err = w.rest(ctx)
	}
	if err != nil {
		return false, err
	}
	err = w.ask(ctx, "what an undo left", func(ctx context.Context, c *app.Core) error {
		left, _, err := c.Runs.Left(ctx, undone.ID, "")
		again = slices.ContainsFunc(left, func(l plan.Left) bool { return l.Code == plan.LeftNotRead })
		return err
	})
	return again, err
}

func releases(ctx context.Context, w *World) error {
	return w.ask(ctx, "release", func(ctx context.Context, c *app.Core) error {
		_, err := c.Bindings.Release(ctx, admin, w.conn, w.users["released"], directory.ReleaseRestore)
		if errors.Is(err, directory.ErrNotFound) {
			return nil // an earlier call did it
		}
		return err
	})
}

// approves suspends six users at once, which a run does not do without an admin.
// The admin lets every run go on that is held, until all of them are blocked.
func approves(ctx context.Context, w *World) error {
	var names []string
	for _, p := range somePeople {
		if strings.HasPrefix(p.name, "many") {
			names = append(names, p.name)
		}
	}
	for _, name := range names {
		if err := w.suspend(ctx, name); err != nil {
			return err
		}
	}
	blocked := func() bool {
		for _, name := range names {
			if a, ok := w.Sim.Account(simTenant, name+"@"+simDomain); !ok || a["accountEnabled"] != false {
				return false
			}
		}
		return true
	}
	approved := 0
	for !blocked() {
		var held directory.RunID
		err := w.until(ctx, func() (_ bool, err error) {
			held, err = w.held(ctx)
			return held != "" || blocked(), err
		})
		if err != nil || held == "" {
			return err
		}
		if err := w.approve(ctx, held); err != nil {
			return err
		}
		approved++
		if approved > 20 {
			return errors.New("run after run is held")
		}
		w.turn(ctx)
	}
	if approved == 0 {
		return errors.New("nothing was held")
	}
	return nil
}

// approve lets a held run go on.
func (w *World) approve(ctx context.Context, held directory.RunID) error {
	return w.ask(ctx, "approve", func(ctx context.Context, c *app.Core) error {
		_, err := c.Runs.Approve(ctx, admin, held, plan.Approval{All: true})
		if errors.Is(err, directory.ErrConflict) {
			return nil // an earlier call did it
		}
		return err
	})
}

// held is a run that waits for an admin; "" when there is none.
func (w *World) held(ctx context.Context) (directory.RunID, error) {
	ids, err := w.store.Runs.OpenRuns(ctx, w.conn)
	if err != nil {
		return "", err
	}
	for _, id := range ids {
		r, err := w.store.Runs.Run(ctx, id)
		if err != nil {
			return "", err
		}
		if r.State == directory.RunHeld {
			return id, nil
		}
	}
	return "", nil
}

func deactivates(ctx context.Context, w *World) error {
	return w.ask(ctx, "deactivate", func(ctx context.Context, c *app.Core) error {
		_, err := c.Connect.Deactivate(ctx, directory.Caller{Subject: admin.Subject, Approve: true}, w.conn)
		return err
	})
}
