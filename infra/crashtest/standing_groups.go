package crashtest

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// unheard is the base of a membership that was refused after a sending of which nobody
// heard: it may have been given, for all that our records say.
var unheard = regexp.MustCompile(`base \{"sent":[^}]*\}`)

// ofGroups describes groups on both sides, memberships, managers and licences, and our
// records of them.
func (w *World) ofGroups(ctx context.Context, b *strings.Builder, epoch int64) error {
	if w.scenario.past == nil {
		return nil
	}
	names := w.named()
	lines := []string{}
	add := func(format string, args ...any) { lines = append(lines, names.Replace(fmt.Sprintf(format, args...))) }
	for _, name := range slices.Sorted(maps.Keys(w.groups)) {
		g, err := w.store.Groups.Group(ctx, w.groups[name])
		if err != nil {
			return err
		}
		members, _, err := w.store.Groups.Members(ctx, store.MembersQuery{Group: g.ID})
		if err != nil {
			return err
		}
		var in []string
		for _, m := range members {
			in = append(in, names.Replace(m.Member.ID))
		}
		slices.Sort(in)
		add("directory's group %s: %q, deleted %t, members %v", name, g.Name, g.Deleted != nil, in)
	}
	w.tenantGroups(add)
	for _, p := range w.scenario.people {
		if a, ok := w.Sim.Account(simTenant, p.name+"@"+simDomain); ok {
			add("account %s: manager %v, licences %s", p.name, a["manager"], licences(a["assignedLicenses"]))
		}
	}
	slices.Sort(lines)
	for _, kind := range []directory.Kind{directory.KindGroup, directory.KindMember, directory.KindManager, directory.KindLicence} {
		for e := int64(1); e <= epoch; e++ {
			list, _, err := w.store.Bindings.ListBindings(ctx, kind, w.conn, e, "", 1000)
			if err != nil {
				return err
			}
			var records []string
			for i := range list {
				if idle(&list[i]) {
					continue
				}
				var line strings.Builder
				describe(&line, e, string(list[i].Object.Kind)+" "+list[i].Object.ID, &list[i])
				// That strangers have been looked for may be noted earlier or later.
				text := names.Replace(strings.Replace(strings.TrimSpace(line.String()), `"exact":true,`, "", 1))
				if list[i].Status == directory.BindingRefused {
					text = unheard.ReplaceAllString(text, "base null")
				}
				records = append(records, text)
			}
			slices.Sort(records)
			lines = append(lines, records...)
		}
	}
	b.WriteString(strings.Join(lines, "\n") + "\n")
	return nil
}

// idle reports whether a record says nothing, so that it may be there or not: that of a
// manager who is to be looked at once the account's pause ends, which makes it again.
func idle(b *directory.Binding) bool {
	return b.Object.Kind == directory.KindManager && b.Base == nil && b.Status == directory.BindingPending
}

// tenantGroups describes every group of the tenant.
func (w *World) tenantGroups(add func(format string, args ...any)) {
	ids := map[string]bool{theirGroup: true}
	for _, m := range w.Sim.Mutations(simTenant) {
		if m.Target == "group" {
			ids[m.TargetID] = true
		}
	}
	for id := range ids {
		g, ok := w.Sim.Group(simTenant, id)
		if !ok {
			add("tenant's group that is gone for good")
			continue
		}
		members, _ := g["members"].([]string)
		var in []string
		for _, m := range members {
			in = append(in, w.memberName(m))
		}
		slices.Sort(in)
		add("tenant's group %v, %v, deleted %t, members %v", g["displayName"], g["description"], g["deletedDateTime"] != nil, in)
	}
}

// memberName names an account or a group of the tenant.
func (w *World) memberName(id string) string {
	if a, ok := w.Sim.Account(simTenant, id); ok {
		return fmt.Sprint(a["userPrincipalName"])
	}
	if g, ok := w.Sim.Group(simTenant, id); ok {
		return fmt.Sprint(g["displayName"])
	}
	return id
}

// licences describes what an account holds.
func licences(v any) string {
	list, _ := v.([]any)
	var held []string
	for _, l := range list {
		held = append(held, text(l))
	}
	slices.Sort(held)
	return strings.Join(held, " ")
}
