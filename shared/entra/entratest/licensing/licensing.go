// Package licensing is Microsoft's licence service: what an account may be given, what
// is taken from it, and how the licences of a group reach its members. Graph and the
// portal ask it; it stands on the state and knows neither permissions nor HTTP.
//
// An account's licences are its [state.Assignment] rows, one for each source, direct or
// a group. [Direct] makes the rows that a call on the account leads to, or refuses all of
// it. [Group] does the same for what a group gives; its members get it later, when
// [Settle] is called at or after the time at which it is due: nothing here sleeps.
package licensing

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bindery/shared/entra/entratest/skus"
	"bindery/shared/entra/entratest/state"
)

// The errors of licenseAssignmentStates (GG 9.5).
const (
	CountViolation      = "CountViolation"
	MutuallyExclusive   = "MutuallyExclusiveViolation"
	DependencyViolation = "DependencyViolation"
	Prohibited          = "ProhibitedInUsageLocationViolation"
	Uniqueness          = "UniquenessViolation"
	Other               = "Other"
)

// Violation is why a licence cannot be given or taken: the sentence that a caller is
// told, and the word that a row has.
type Violation struct {
	Code    string
	Message string
}

func (v *Violation) Error() string { return v.Message }

func violation(code, format string, args ...any) *Violation {
	return &Violation{code, fmt.Sprintf(format, args...)}
}

// Sentences that are not documented. [K]: only that these are refused with 400.
func bothLists(sku string) *Violation {
	return violation(Other, "License %s cannot be added and removed in the same request.", sku)
}

func twice(sku string) *Violation {
	return violation(Other, "License %s is listed more than once.", sku)
}

func foreignPlan(plan, sku string) *Violation {
	return violation(Other, "License assignment failed because service plan %s is not part of license %s.", plan, sku)
}

func groupLacks(sku string) *Violation {
	return violation(Other, "Group does not have a corresponding license %s.", sku)
}

// Wish is a licence to be given, with the services that are to be off.
type Wish struct {
	SKUID    string   `json:"skuId"`
	Disabled []string `json:"disabledPlans"`
}

// Request is the body of assignLicense. A wish for what is there already changes its
// services.
type Request struct {
	Add    []Wish   `json:"addLicenses"`
	Remove []string `json:"removeLicenses"`
}

// check refuses what no account and no group could be given, and returns the request
// with ids in lower case.
func (r Request) check(t *state.Tenant) (Request, *Violation) {
	out := Request{}
	for _, id := range r.Remove {
		out.Remove = append(out.Remove, strings.ToLower(id))
	}
	for _, w := range r.Add {
		own := Wish{SKUID: strings.ToLower(w.SKUID)}
		for _, plan := range w.Disabled {
			own.Disabled = append(own.Disabled, strings.ToLower(plan))
		}
		sku, known := t.SKU(own.SKUID)
		switch {
		case slices.Contains(out.Remove, own.SKUID):
			return out, bothLists(own.SKUID)
		case slices.ContainsFunc(out.Add, func(w Wish) bool { return w.SKUID == own.SKUID }):
			return out, twice(own.SKUID)
		case !known:
			return out, violation(Other, "License %s does not correspond to a valid company License.", own.SKUID)
		case !sku.ForUsers() || sku.Capability() == "Deleted":
			return out, violation(Other, "License %s cannot be assigned to a user.", own.SKUID)
		}
		for _, plan := range own.Disabled {
			if _, has := sku.Plan(plan); !has {
				return out, foreignPlan(plan, own.SKUID)
			}
		}
		out.Add = append(out.Add, own)
	}
	return out, nil
}

// Direct is what an account's assignments become by a call on the account, or why the
// whole call is refused. usageLocation is the account's as the caller's replica has it.
func Direct(t *state.Tenant, o *state.Object, r Request, usageLocation string, now time.Time) ([]state.Assignment, *Violation) {
	r, v := r.check(t)
	if v != nil {
		return nil, v
	}
	before := state.Assignments(o)
	rows := slices.Clone(before)
	for _, skuID := range r.Remove {
		i := find(rows, skuID, "")
		if i >= 0 {
			rows = slices.Delete(rows, i, i+1)
			continue
		}
		if slices.ContainsFunc(rows, func(a state.Assignment) bool { return a.SKUID == skuID }) {
			return nil, violation(Other, "User license is inherited from a group membership and it cannot be removed directly from the user.")
		}
		return nil, violation(Other, "User does not have a corresponding license.")
	}
	for _, w := range r.Add {
		if usageLocation == "" || prohibited(t, w, usageLocation) {
			return nil, badLocation()
		}
		if !hasSeat(t, before, w.SKUID) {
			return nil, noSeat(w.SKUID)
		}
		rows = put(rows, given(t, w, "", now))
	}
	if v, _ := conflict(t, before, rows); v != nil {
		return nil, v
	}
	return rows, nil
}

// Group is what a group's licences become by a call on the group, or why it is refused.
// Seats, places and what members have otherwise are looked at when it reaches them.
func Group(t *state.Tenant, g *state.Object, r Request) (map[string][]string, *Violation) {
	if !g.Flag("securityEnabled") || g.InExchange() {
		// [K]: the sentence.
		return nil, violation(Other, "License assignment cannot be done for a group that is not security enabled.")
	}
	r, v := r.check(t)
	if v != nil {
		return nil, v
	}
	has := state.LicencesOf(g)
	for _, skuID := range r.Remove {
		if _, ok := has[skuID]; !ok {
			return nil, groupLacks(skuID)
		}
		delete(has, skuID)
	}
	for _, w := range r.Add {
		has[w.SKUID] = w.Disabled
	}
	if v, _ := needs(t, nil, has); v != nil { // what a service needs must be in the same group
		return nil, v
	}
	return has, nil
}

// find is the place of the row of a source.
func find(rows []state.Assignment, skuID, group string) int {
	return slices.IndexFunc(rows, func(a state.Assignment) bool { return a.SKUID == skuID && a.Group == group })
}

// put adds a row, or puts it in the place of the one of its source. One that says the
// same stays as it is.
func put(rows []state.Assignment, a state.Assignment) []state.Assignment {
	rows = slices.Clone(rows)
	i := find(rows, a.SKUID, a.Group)
	if i < 0 {
		return append(rows, a)
	}
	former := rows[i]
	if former.State != a.State || former.Error != a.Error || !sameSet(former.Disabled, a.Disabled) {
		rows[i] = a
	}
	return rows
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// given is the row of a licence that is in force.
func given(t *state.Tenant, w Wish, group string, now time.Time) state.Assignment {
	a := state.Assignment{SKUID: w.SKUID, Disabled: w.Disabled, Group: group, State: state.AssignmentActive, Updated: now}
	sku, _ := t.SKU(w.SKUID)
	off := func(p state.ServicePlan) bool { return slices.Contains(w.Disabled, p.ID) }
	if len(sku.Plans) > 0 && !slices.ContainsFunc(sku.Plans, func(p state.ServicePlan) bool { return !off(p) }) {
		a.State = state.AssignmentAllDisabled
	}
	return a
}

// hasSeat tells whether an account can have a licence: it takes a seat, or there is one.
func hasSeat(t *state.Tenant, rows []state.Assignment, skuID string) bool {
	if _, holds := state.Union(rows)[skuID]; holds {
		return true
	}
	sku, _ := t.SKU(skuID)
	return t.Consumed(skuID) < sku.Seats()
}

func badLocation() *Violation {
	return violation(Prohibited, "License assignment cannot be done for user with invalid usage location.")
}

func noSeat(skuID string) *Violation {
	return violation(CountViolation, "Subscription with SKU %s does not have any available licenses.", skuID)
}

// prohibited tells whether a service that is to be on is not sold in a country.
func prohibited(t *state.Tenant, w Wish, location string) bool {
	sku, _ := t.SKU(w.SKUID)
	return slices.ContainsFunc(sku.Plans, func(p state.ServicePlan) bool {
		return !slices.Contains(w.Disabled, p.ID) && slices.ContainsFunc(p.ProhibitedIn, func(c string) bool { return strings.EqualFold(c, location) })
	})
}

// plan is a service that is on, and the product that it comes by.
type plan struct {
	state.ServicePlan

	sku string
}

// plansOf are the services that licences turn on, each once.
func plansOf(t *state.Tenant, licences map[string][]string) map[string]plan {
	out := map[string]plan{}
	for skuID, disabled := range licences {
		sku, _ := t.SKU(skuID)
		for _, p := range sku.Plans {
			if _, has := out[p.ID]; !has && !slices.Contains(disabled, p.ID) {
				out[p.ID] = plan{p, skuID}
			}
		}
	}
	return out
}

// conflict finds what the services of an account have against each other after a change
// of its rows, and the product of the service that has it. What was so before is no
// reason.
func conflict(t *state.Tenant, before, after []state.Assignment) (*Violation, string) {
	had, has := state.Union(before), state.Union(after)
	if v, sku := excludes(t, had, has); v != nil {
		return v, sku
	}
	return needs(t, had, has)
}

func excludes(t *state.Tenant, before, after map[string][]string) (*Violation, string) {
	had, has := plansOf(t, before), plansOf(t, after)
	for _, id := range sorted(has) {
		for _, other := range has[id].Excludes {
			o, both := has[other]
			_, old1 := had[id]
			_, old2 := had[other]
			if !both || old1 && old2 {
				continue
			}
			sku := has[id].sku
			if old1 {
				sku = o.sku
			}
			return violation(MutuallyExclusive, "License assignment failed because service plans %s, %s are mutually exclusive", id, other), sku
		}
	}
	return nil, ""
}

// needs finds a service that lacks what it needs; the product is that of the service.
func needs(t *state.Tenant, before, after map[string][]string) (*Violation, string) {
	had, has := plansOf(t, before), plansOf(t, after)
	for _, id := range sorted(has) {
		p := has[id]
		_, old := had[id]
		if met(p, has) || old && !met(p, had) {
			continue
		}
		return violation(DependencyViolation, "License assignment failed because service plan %s depends on the service plan(s) %s", id, strings.Join(p.DependsOn, ", ")), p.sku
	}
	return nil, ""
}

func met(p plan, among map[string]plan) bool {
	return len(p.DependsOn) == 0 || slices.ContainsFunc(p.DependsOn, func(id string) bool { _, ok := among[id]; return ok })
}

func sorted(m map[string]plan) []string {
	var out []string
	for id := range m {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// Apply is a copy of an account with these assignments and what they bring: the first
// plan of Exchange brings a mailbox at the account's name.
func Apply(t *state.Tenant, o *state.Object, rows []state.Assignment, now time.Time) *state.Object {
	next := o.Clone()
	t.SetAssignments(next, rows, now)
	upn := o.Text("userPrincipalName")
	if hasMailbox(t, rows) && len(o.List("proxyAddresses")) == 0 {
		next.Props["proxyAddresses"] = []any{"SMTP:" + upn}
		next.Props["mail"] = upn
	}
	return next
}

// Clash refuses a copy made by [Apply] whose mailbox has an address of somebody else's.
func Clash(t *state.Tenant, o, next *state.Object) *Violation {
	mail := next.Text("mail")
	gets := len(o.List("proxyAddresses")) == 0 && len(next.List("proxyAddresses")) > 0
	hidden := gets && slices.ContainsFunc(t.Licensing.TakenAddresses, func(a string) bool { return strings.EqualFold(a, mail) })
	if hidden || t.Conflict(next) != nil {
		return violation(Uniqueness, "Another object with the same value for property proxyAddresses already exists.")
	}
	return nil
}

func hasMailbox(t *state.Tenant, rows []state.Assignment) bool {
	for _, p := range plansOf(t, state.Union(rows)) {
		if p.Service == skus.Exchange && p.AppliesTo != "Company" {
			return true
		}
	}
	return false
}
