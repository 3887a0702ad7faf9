package licences

import (
	"context"
	"slices"
	"strings"

	"bindery/shared/core/reconcile/groups"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/store"
)

// licensed is an exported group of the world, with what its use says.
type licensed struct {
	group   *directory.Group
	members []directory.User
	rules   GroupRules
	ended   bool
}

// Exports make the world the Source of the kind of groups.
func (w *world) Exports(_ context.Context, _ *directory.Connection, ids []directory.GroupID) (map[directory.GroupID]groups.Export, error) {
	out := map[directory.GroupID]groups.Export{}
	for _, id := range ids {
		if g := w.groups[id]; g != nil && !g.ended {
			out[id] = groups.Export{Group: g.group, Kind: directory.GroupSecurity, Expanded: true, By: []string{"admin"}}
		}
	}
	return out, nil
}

// GroupRules and LicensedMembers make it the Source of groups' rules.
func (w *world) GroupRules(_ context.Context, _ *directory.Connection, ids []directory.GroupID) (map[directory.GroupID]GroupRules, error) {
	out := map[directory.GroupID]GroupRules{}
	for _, id := range ids {
		if g := w.groups[id]; g != nil && !g.ended {
			out[id] = g.rules
		}
	}
	return out, nil
}

func (w *world) LicensedMembers(_ context.Context, _ *directory.Connection, id directory.GroupID, do func([]directory.UserID) (bool, error)) error {
	var users []directory.UserID
	for _, u := range w.groups[id].members {
		users = append(users, u.ID)
	}
	_, err := do(users)
	return err
}

// Wishes make it the Source of the rules of all.
func (w *world) Wishes(_ context.Context, _ *directory.Connection, do func(directory.UserID, *Rule)) error {
	for u, rules := range w.rules {
		for i := range rules {
			do(u, &rules[i])
		}
	}
	return nil
}

// export exports a group with members.
func (w *world) export(name string, members ...directory.User) *licensed {
	w.Helper()
	g := &licensed{group: &directory.Group{ID: directory.NewGroupID(w.now()), Version: 1, Edition: 1}, members: members}
	g.group.Name = name
	w.groups[g.group.ID] = g
	records := []store.Selection{{Object: directory.GroupRef(g.group.ID), Version: 1}}
	for _, u := range members {
		records = append(records, store.Selection{Object: directory.MemberOf(g.group.ID, u.ID), Version: 1})
	}
	w.do(w.store.Bindings.BindMissing(w.Context(), &w.conn, "admin", records))
	return g
}

// uses says what the use of a group says from now on: rules by the group, or for each
// member.
func (w *world) uses(g *licensed, byGroup bool, rules ...Rule) {
	w.Helper()
	g.rules = GroupRules{Expanded: true}
	for i := range rules {
		rules[i].By = "the group " + g.group.Name
		if byGroup {
			g.rules.Gives = append(g.rules.Gives, rules[i])
			rules[i].Group = g.group.ID
		} else {
			g.rules.Directly = append(g.rules.Directly, rules[i])
		}
	}
	w.look(g)
	for _, u := range g.members {
		w.license(u, rules...)
	}
}

// look has the record of a group's licences made, or looked at.
func (w *world) look(g *licensed) {
	w.Helper()
	w.version++
	ref := directory.GroupLicenceOf(g.group.ID)
	w.do(w.store.Bindings.BindMissing(w.Context(), &w.conn, "admin", []store.Selection{{Object: ref, Version: w.version}}))
	w.do(w.store.Marks.MarkWanted(w.Context(), &w.conn, ref, w.version, false))
}

// gives is what a group of the tenant gives its members, in short.
func (w *world) gives(name string) string {
	w.Helper()
	g, there := w.sim.Group(simTenant, name)
	if !there {
		return "no group"
	}
	var list []string
	for _, l := range g["assignedLicenses"].([]any) {
		list = append(list, w.name(l.(map[string]any)["skuId"].(string)))
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// any is what somebody has from whatever source, as long as it is in force.
func (w *world) any(email string) string {
	w.Helper()
	a, _ := w.sim.Account(simTenant, email)
	list, _ := a["assignedLicenses"].([]any)
	var names []string
	for _, l := range list {
		names = append(names, w.name(l.(map[string]any)["skuId"].(string)))
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// groupRecord is the record of a group's licences.
func (w *world) groupRecord(g *licensed) directory.Binding {
	w.Helper()
	ref := directory.GroupLicenceOf(g.group.ID)
	found, err := w.store.Bindings.BindingsOf(w.Context(), w.conn.ID, []directory.Ref{ref})
	w.do(err)
	return found[ref]
}

// byHand is what an admin of the tenant does about the licences of a group or an account.
func (w *world) byHand(of string, r entratest.LicenceRequest) {
	w.Helper()
	if g, is := w.sim.Group(simTenant, of); is {
		of = g["id"].(string)
	}
	w.do(w.sim.AssignLicences(simTenant, "admin@"+simDomain, of, r))
}
