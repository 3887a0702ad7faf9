package crashtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"bindery/shared/boot/app"
	"bindery/shared/core/people"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// The products that the tenant of Groups has, and the group of it that others made.
const (
	basic, better, drawing = "SPE_E3", "SPE_E5", "VISIOCLIENT"

	theirGroup = "33333333-aaaa-4bbb-8ccc-000000000001"
)

// Groups is everything that Bindery does with groups, their members, managers and
// licences: who is in a group is bound by it, and its uses were there in the past.
var Groups = &Scenario{
	settings: directory.Settings{
		Groups: true, Licences: true, DefaultUsageLocation: "CH", OnRelease: directory.ReleaseBlock,
		Manager: directory.ManagerSettings{Export: true, Clear: true},
		Guard: map[directory.Effect]directory.Limit{
			directory.EffectMemberRemove: {Count: new(2), Share: new(0.0)}, directory.EffectLicenceRemove: {Count: new(0)},
		},
		Attributes: map[string]directory.AttributeRule{"department": {Export: true}},
	},
	people: []person{
		{name: "boss", account: map[string]any{}},
		{name: "mover", account: map[string]any{"department": "Old"}},
		{name: "stays"},
		{name: "leaver"},
		{name: "gone"},
		{name: "sage"},
		{name: "artist", bound: true}, // has the only seat of the drawing program
		{name: "queued", bound: true}, // waits for it
		{name: "many1"},
		{name: "many2"},
		{name: "many3"},
		{name: "head"},   // joins in the scenario, and is the manager of
		{name: "joiner"}, // who joins with them
		{name: "lone", account: map[string]any{}, bound: true},
	},
	tenant: func(spec *entratest.TenantSpec) {
		spec.Licences = []entratest.LicenceSpec{
			{SKUPartNumber: basic, Enabled: 20}, {SKUPartNumber: better, Enabled: 20},
			{SKUPartNumber: drawing, SKUID: "77777777-aaaa-4bbb-8ccc-0000000000f0", Enabled: 1,
				Plans: []entratest.LicencePlan{{ID: "77777777-aaaa-4bbb-8ccc-0000000000f1", Name: "VISIO_CLIENT"}}},
		}
		spec.Groups = append(spec.Groups, entratest.GroupSpec{ID: theirGroup, DisplayName: "Vertrieb", Members: []string{"owner@" + simDomain}})
	},
	past:     groupsPast,
	approves: true,
	steps: []step{
		{"a department gets people, and a head", joins},
		{"somebody moves between departments, one of which gets another name", moves},
		{"one group is exported, another one adopted, one put into another", exports},
		{"strangers come into an exact group, and a member is taken out by hand", disturbs},
		{"a seat comes free", freesSeat},
		{"somebody is suspended, somebody leaves the last group, services are switched off", leaves},
		{"take back the removals", undoesRemovals},
		{"more members leave than the guard allows, and an admin approves", empties},
		{"the export of a group ends, and another one's group is deleted", endsExports},
		{"deactivate, with edits under way", deactivatesAmidEdits},
	},
}

// use says what the connection does with a group.
func (w *World) use(ctx context.Context, group, rules string) error {
	r, err := directory.ParseUseRules([]byte(rules))
	if err != nil {
		return err
	}
	return w.ask(ctx, "use "+group, func(ctx context.Context, c *app.Core) error {
		_, err := c.Uses.Put(ctx, directory.Caller{Subject: admin.Subject, Approve: true}, w.conn, w.groups[group], r, 0)
		return err
	})
}

func (w *World) makeGroup(ctx context.Context, name string, members ...string) error {
	body, err := json.Marshal(map[string]any{"name": name})
	if err != nil {
		return err
	}
	err = w.ask(ctx, "make "+name, func(ctx context.Context, c *app.Core) error {
		g, err := c.Groups.Create(ctx, admin, body)
		if err == nil {
			w.groups[name] = g.ID
			return nil
		}
		// An earlier call may have made it.
		page, listed := c.Groups.List(ctx, people.GroupFilter{Name: name}, "", 10)
		if listed == nil && len(page.Groups) == 1 {
			w.groups[name] = page.Groups[0].ID
			return nil
		}
		return err
	})
	if err != nil || len(members) == 0 {
		return err
	}
	return w.members(ctx, name, true, members...)
}

// refs are the members of some names, of users or of groups.
func (w *World) refs(names []string) []directory.MemberRef {
	var list []directory.MemberRef
	for _, name := range names {
		if u, is := w.users[name]; is {
			list = append(list, directory.UserMember(u))
		} else {
			list = append(list, directory.GroupMember(w.groups[name]))
		}
	}
	return list
}

// members adds members to a group of the directory, or removes them.
func (w *World) members(ctx context.Context, group string, in bool, names ...string) error {
	return w.ask(ctx, "members of "+group, func(ctx context.Context, c *app.Core) error {
		edit := c.Groups.RemoveMembers
		if in {
			edit = c.Groups.AddMembers
		}
		out, err := edit(ctx, admin, w.groups[group], w.refs(names), 0)
		if err == nil && len(out.Refused) > 0 {
			err = fmt.Errorf("refused: %+v", out.Refused)
		}
		return err
	})
}

func (w *World) patch(ctx context.Context, name string, body map[string]any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return w.ask(ctx, "edit "+name, func(ctx context.Context, c *app.Core) error {
		if u, is := w.users[name]; is {
			_, err := c.Users.Patch(ctx, admin, u, raw, 0)
			return err
		}
		_, err := c.Groups.Patch(ctx, admin, w.groups[name], raw, 0)
		return err
	})
}

// groupsPast has the departments exported, and a club in which nobody else is to be.
func groupsPast(ctx context.Context, w *World) error {
	err := errors.Join(
		w.patch(ctx, "mover", map[string]any{"managerId": w.users["boss"]}),
		w.patch(ctx, "sage", map[string]any{"managerId": w.users["boss"]}),
		w.makeGroup(ctx, "Sales", "boss", "mover", "stays", "leaver"),
		w.makeGroup(ctx, "Guests", "gone"),
		w.makeGroup(ctx, "Research", "sage"),
		w.makeGroup(ctx, "Club", "many1", "many2", "many3", "stays", "sage"),
		w.makeGroup(ctx, "Artists", "artist"),
		w.makeGroup(ctx, "All", "boss"),
		w.use(ctx, "Sales", `{"select": {"onRelease": "block"}, "export": {"kind": "security"}, "licences": [{"sku": "SPE_E3"}]}`),
		w.use(ctx, "Research", `{"select": {}, "export": {"kind": "microsoft365"}, "licences": [{"sku": "SPE_E5"}]}`),
		w.use(ctx, "Club", `{"select": {}, "export": {"kind": "security", "members": "exact", "onRelease": "delete"}}`),
		w.use(ctx, "Guests", `{"select": {"onRelease": "block"}, "export": {"kind": "security"}}`),
		w.use(ctx, "Artists", `{"licences": [{"sku": "VISIOCLIENT"}]}`),
		w.rest(ctx),
	)
	if err != nil {
		return err
	}
	return w.members(ctx, "Artists", true, "queued") // there is no seat left
}

// joins has a new head of Research come, and with them somebody of whom they are the
// manager.
func joins(ctx context.Context, w *World) error {
	return errors.Join(
		w.patch(ctx, "head", map[string]any{"managerId": w.users["boss"]}),
		w.patch(ctx, "joiner", map[string]any{"managerId": w.users["head"]}),
		w.members(ctx, "Research", true, "head", "joiner"),
	)
}

// moves has somebody join a group before leaving another one. The other way round there is
// a moment in which nothing selects who moves: where a process dies just then, what comes
// of it depends on when the second call is repeated.
func moves(ctx context.Context, w *World) error {
	return errors.Join(
		w.members(ctx, "Research", true, "mover"),
		w.members(ctx, "Sales", false, "mover"),
		w.patch(ctx, "mover", map[string]any{"managerId": w.users["head"], "department": "Research"}),
		w.patch(ctx, "sage", map[string]any{"managerId": nil}),
		w.patch(ctx, "Sales", map[string]any{"name": "Sales EMEA", "description": "Whoever sells"}),
	)
}

func exports(ctx context.Context, w *World) error {
	return errors.Join(
		w.makeGroup(ctx, "Project", "mover", "stays", "lone"),
		w.makeGroup(ctx, "Vertrieb", "boss", "stays"),
		w.use(ctx, "Project", `{"export": {"kind": "security", "onRelease": "empty"}}`),
		w.use(ctx, "Vertrieb", `{"export": {"kind": "security", "adopt": "`+theirGroup+`"}}`),
		w.members(ctx, "All", true, "Research", "Project"),
		w.use(ctx, "All", `{"export": {"kind": "security", "nested": "keep"}}`),
	)
}

func disturbs(ctx context.Context, w *World) error {
	return errors.Join(
		w.Sim.SetMember(simTenant, "admin@"+simDomain, "Club", "owner@"+simDomain, true),
		w.Sim.SetMember(simTenant, "admin@"+simDomain, "Project", "owner@"+simDomain, true),
		w.Sim.SetMember(simTenant, "admin@"+simDomain, "Project", "stays@"+simDomain, false),
		w.syncNow(ctx),
	)
}

// syncNow asks for a run about everything.
func (w *World) syncNow(ctx context.Context) error {
	return w.ask(ctx, "sync now", func(ctx context.Context, c *app.Core) error {
		conn, err := w.store.Connections.Connection(ctx, w.conn)
		if err != nil {
			return err
		}
		_, err = c.Runs.Start(ctx, admin, &conn, runs.Request{Full: true})
		return err
	})
}

func freesSeat(ctx context.Context, w *World) error {
	return w.members(ctx, "Artists", false, "artist")
}

func leaves(ctx context.Context, w *World) error {
	return errors.Join(
		w.suspend(ctx, "leaver"),
		w.members(ctx, "Guests", false, "gone"),
		w.use(ctx, "Research", `{"select": {}, "export": {"kind": "microsoft365"}, "licences": [{"sku": "SPE_E5", "disabledPlans": ["TEAMS1"]}]}`),
	)
}

// undoesRemovals takes back that somebody left the only group by which they were bound.
func undoesRemovals(ctx context.Context, w *World) error {
	gone := w.users["gone"]
	objects := []directory.Ref{directory.MemberOf(w.groups["Guests"], gone)}
	return w.undo(ctx, w.begun[len(w.begun)-2], func(c *directory.Change) bool { return c.UserID == gone || slices.Contains(objects, c.Object) },
		runs.UndoRequest{UserIDs: []directory.UserID{gone}, Objects: objects})
}

// empties takes more out of a group than the guard allows at once.
func empties(ctx context.Context, w *World) error {
	return w.members(ctx, "Club", false, "many1", "many2", "many3", "stays", "sage")
}

func endsExports(ctx context.Context, w *World) error {
	ends := func(name string) error {
		return w.ask(ctx, "end the use of "+name, func(ctx context.Context, c *app.Core) error {
			_, err := c.Uses.End(ctx, directory.Caller{Subject: admin.Subject, Approve: true}, w.conn, w.groups[name], 0)
			if errors.Is(err, directory.ErrNotFound) {
				return nil // an earlier call did it
			}
			return err
		})
	}
	return errors.Join(ends("Project"), w.ask(ctx, "delete Club", func(ctx context.Context, c *app.Core) error {
		return c.Groups.Delete(ctx, admin, w.groups["Club"], 0)
	}))
}

// deactivatesAmidEdits lets the connection go while edits are on their way: nothing of
// them is written any more.
func deactivatesAmidEdits(ctx context.Context, w *World) error {
	before := len(w.Sim.Mutations(simTenant))
	err := errors.Join(
		w.members(ctx, "Research", false, "sage", "mover"),
		w.members(ctx, "Sales", true, "sage", "many1"),
		w.patch(ctx, "joiner", map[string]any{"managerId": w.users["boss"]}),
		deactivates(ctx, w),
	)
	if err != nil {
		return err
	}
	if err := w.rest(ctx); err != nil {
		return err
	}
	if list := w.Sim.Mutations(simTenant)[before:]; len(list) > 0 {
		var what []string
		for _, m := range list {
			what = append(what, m.Kind+" "+m.Name+m.UPN)
		}
		return fmt.Errorf("after the deactivation: %s", strings.Join(what, ", "))
	}
	return nil
}
