package licensing

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"bindery/shared/entra/entratest/state"
)

// ServiceName is who the audit log says gave what came by a group (GG 9.4).
const ServiceName = "Microsoft Entra ID Group-Based Licensing"

// Settle does all work on the licences of groups that is due in a tenant by now.
func Settle(tx *state.Tx, t *state.Tenant) error {
	for _, g := range t.DueGroups(tx.Now()) {
		if err := process(tx, t, g); err != nil {
			return err
		}
	}
	return nil
}

// process brings a group's licences to those of its members that have not got them: all
// of them when the licences changed, else who came, left or was restored. Others with an
// error are not tried again: nothing does that by itself at once. Each member is a
// change of its own, so that a crash leaves the rest to the next time.
func process(tx *state.Tx, t *state.Tenant, g *state.Object) error {
	if err := note(tx, t, g, "license-start"); err != nil {
		return err
	}
	all := g.Touched["assignedLicenses"] > g.Licensing.Done || g.StateVersion > g.Licensing.Done
	members := maps.Collect(t.LinkVersions(state.Members, g.ID, "", tx.Now(), 0))
	for _, id := range inOrder(members) {
		o := t.Object(id)
		if o == nil || o.Kind != state.User || !o.Active() {
			continue
		}
		since := max(members[id], -members[id], o.StateVersion)
		if !all && since <= g.Licensing.Done {
			continue
		}
		if _, err := bring(tx, t, g, o); err != nil {
			return err
		}
	}
	next := g.Clone()
	next.Licensing = &state.GroupLicensing{Done: tx.Version()}
	ch := tx.Change(t)
	ch.PutSilent(next)
	ch.Log(byService("license-finish", next))
	return ch.Commit()
}

// inOrder are the members in the order in which they came or left.
func inOrder(members map[string]int64) []string {
	return slices.SortedFunc(maps.Keys(members), func(a, b string) int {
		return cmp.Or(cmp.Compare(max(members[a], -members[a]), max(members[b], -members[b])), cmp.Compare(a, b))
	})
}

func note(tx *state.Tx, t *state.Tenant, g *state.Object, kind string) error {
	ch := tx.Change(t)
	ch.Log(byService(kind, g))
	return ch.Commit()
}

func byService(kind string, o *state.Object) state.Mutation {
	m := state.MutationOf(kind, o)
	m.AppName = ServiceName
	return m
}

// Reprocess recalculates what all groups of an account give it, at once, and returns
// what one of them could not do.
func Reprocess(tx *state.Tx, t *state.Tenant, o *state.Object) (*Violation, error) {
	var first *Violation
	for _, g := range groupsFor(t, o) {
		v, err := bring(tx, t, g, t.Object(o.ID))
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = v
		}
	}
	return first, nil
}

// groupsFor are the groups that give an account something or have given it.
func groupsFor(t *state.Tenant, o *state.Object) []*state.Object {
	var out []*state.Object
	for _, g := range t.DirectGroupsOf(o.ID) {
		if g.Licensing != nil {
			out = append(out, g)
		}
	}
	for _, a := range state.Assignments(o) {
		g := t.Object(a.Group)
		if g != nil && !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	return out
}

// bring gives one account what a group gives it now, as one change; there is none when
// it has that already.
func bring(tx *state.Tx, t *state.Tenant, g, o *state.Object) (*Violation, error) {
	rows, v := member(t, g, o, tx.Now())
	next := Apply(t, o, rows, tx.Now())
	if clash := Clash(t, o, next); v == nil && clash != nil {
		v = clash
		rows = failed(t, g, o, mailProduct(t, rows, g.ID), v, tx.Now())
		next = Apply(t, o, rows, tx.Now())
	}
	names, before, after := state.Difference(o, next)
	if len(names) == 0 {
		return v, nil
	}
	m := byService("license", next)
	m.Before = before
	m.After = after
	ch := tx.Change(t)
	ch.Put(next, names...)
	ch.Log(m)
	return v, ch.Commit()
}

// mailProduct is the product among a group's by which an account gets its mailbox.
func mailProduct(t *state.Tenant, rows []state.Assignment, group string) string {
	for _, a := range rows {
		if a.Group == group && hasMailbox(t, []state.Assignment{a}) {
			return a.SKUID
		}
	}
	return ""
}

// member is what an account's assignments become by a group: all licences of the group
// or, when one of them fails, none of the new ones (GG 9.4).
func member(t *state.Tenant, g, o *state.Object, now time.Time) ([]state.Assignment, *Violation) {
	wanted := map[string][]string{}
	if g.Active() && t.Linked(state.Members, g.ID, o.ID) {
		wanted = state.LicencesOf(g)
	}
	before := state.Assignments(o)
	rows, kept := taken(t, g, before, wanted, now)
	left := rows
	for _, skuID := range slices.Sorted(maps.Keys(wanted)) {
		w := Wish{skuID, wanted[skuID]}
		if v := admitted(t, o, before, w); v != nil {
			return failed(t, g, o, skuID, v, now), v
		}
		rows = put(rows, given(t, w, g.ID, now))
	}
	if v, skuID := conflict(t, left, rows); v != nil {
		return failed(t, g, o, skuID, v, now), v
	}
	return rows, kept
}

// admitted refuses a licence of a group that an account cannot get by itself. Without a
// usageLocation the tenant's counts.
func admitted(t *state.Tenant, o *state.Object, before []state.Assignment, w Wish) *Violation {
	sku, known := t.SKU(w.SKUID)
	location := cmp.Or(o.Text("usageLocation"), t.UsageLocation())
	switch {
	case !known || !sku.ForUsers() || sku.Capability() == "Deleted":
		return violation(Other, "License %s cannot be assigned to a user.", w.SKUID)
	case prohibited(t, w, location):
		return badLocation()
	case !hasSeat(t, before, w.SKUID):
		return noSeat(w.SKUID)
	}
	return nil
}

// taken are the rows without those of a group's that it does not give any more. One
// that another licence depends on stays, with the error.
func taken(t *state.Tenant, g *state.Object, before []state.Assignment, wanted map[string][]string, now time.Time) ([]state.Assignment, *Violation) {
	rows := slices.Clone(before)
	var kept *Violation
	for _, a := range before {
		if _, stays := wanted[a.SKUID]; a.Group != g.ID || stays {
			continue
		}
		i := find(rows, a.SKUID, a.Group)
		without := slices.Delete(slices.Clone(rows), i, i+1)
		v, _ := needs(t, state.Union(rows), state.Union(without))
		if v == nil || !a.InForce() {
			rows = without
			continue
		}
		kept = v
		a.State = state.AssignmentWithError
		a.Error = v.Code
		a.Updated = now
		rows = put(rows, a)
	}
	return rows, kept
}

// failed are an account's rows when a group cannot give it one of its licences: none of
// them is given, the one tells why and the others that it is not their fault. What was
// in force by the group before stays so. [K]: that it does, after a change of the group.
func failed(t *state.Tenant, g, o *state.Object, root string, v *Violation, now time.Time) []state.Assignment {
	wanted := state.LicencesOf(g)
	before := state.Assignments(o)
	rows, _ := taken(t, g, before, wanted, now)
	for skuID, disabled := range wanted {
		a := state.Assignment{SKUID: skuID, Disabled: disabled, Group: g.ID, State: state.AssignmentError, Error: Other, Updated: now}
		if i := find(before, skuID, g.ID); i >= 0 && before[i].InForce() {
			a.State = state.AssignmentWithError
			a.Disabled = before[i].Disabled
		}
		if skuID == root {
			a.Error = v.Code
		}
		rows = put(rows, a)
	}
	return rows
}

// Licensed tells whether a group has licences, or its members may still have what it
// gave: such a group cannot be deleted (GG 5).
func Licensed(g *state.Object) bool { return len(state.LicencesOf(g)) > 0 || g.Licensing.Waits() }

// WithErrors tells whether an account has an error by a group.
func WithErrors(o *state.Object, group string) bool {
	return slices.ContainsFunc(state.Assignments(o), func(a state.Assignment) bool { return a.Group == group && a.Error != "" })
}
