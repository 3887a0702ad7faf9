package state

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// SKU is a subscription: a number of seats of a product, and the services that the
// product is made of.
type SKU struct {
	SKUPartNumber string        `json:"skuPartNumber"`
	SKUID         string        `json:"skuId,omitempty"`
	AppliesTo     string        `json:"appliesTo,omitempty"` // User, also when empty; Company: no user can be given it
	Enabled       int           `json:"enabled"`             // seats that are paid
	Warning       int           `json:"warning,omitempty"`   // seats in the time of grace after their end
	Suspended     int           `json:"suspended,omitempty"` // seats whose services are off
	LockedOut     int           `json:"lockedOut,omitempty"` // seats that were cancelled
	Plans         []ServicePlan `json:"servicePlans,omitempty"`
}

// ServicePlan is one service of a product.
type ServicePlan struct {
	ID                 string   `json:"servicePlanId"`
	Name               string   `json:"servicePlanName"`
	Service            string   `json:"service,omitempty"`            // that it is part of, such as exchange
	AppliesTo          string   `json:"appliesTo,omitempty"`          // User, also when empty; Company
	ProvisioningStatus string   `json:"provisioningStatus,omitempty"` // of whoever has it; empty: Success
	DependsOn          []string `json:"dependsOn,omitempty"`          // ids of plans of which it needs one
	Excludes           []string `json:"excludes,omitempty"`           // ids of plans beside which it cannot be
	ProhibitedIn       []string `json:"prohibitedIn,omitempty"`       // usage locations where it is not sold
}

// Status is the provisioningStatus of the service for whoever has it.
func (p ServicePlan) Status() string { return cmp.Or(p.ProvisioningStatus, "Success") }

// Plan finds a service of the product.
func (s SKU) Plan(id string) (ServicePlan, bool) {
	for _, p := range s.Plans {
		if strings.EqualFold(p.ID, id) {
			return p, true
		}
	}
	return ServicePlan{}, false
}

// ForUsers tells whether users can be given the product.
func (s SKU) ForUsers() bool { return s.AppliesTo != "Company" }

// Capability is the capabilityStatus: Enabled while a seat is paid, else how far the
// end of the subscription has come (GG 9.1). [K]: that it follows from the seats alone.
func (s SKU) Capability() string {
	switch {
	case s.Enabled > 0:
		return "Enabled"
	case s.Warning > 0:
		return "Warning"
	case s.Suspended > 0:
		return "Suspended"
	case s.LockedOut > 0:
		return "LockedOut"
	}
	return "Deleted"
}

// Seats are those that can be given to users. [K]: those in the time of grace too (GG 9.1).
func (s SKU) Seats() int { return s.Enabled + s.Warning }

// Expire is the subscription after the next step of its end: paid seats come into the
// time of grace, those in it are suspended, and suspended ones are gone.
func (s SKU) Expire() SKU {
	switch {
	case s.Enabled > 0:
		s.Warning += s.Enabled
		s.Enabled = 0
	case s.Warning > 0:
		s.Suspended += s.Warning
		s.Warning = 0
	default:
		s.Suspended = 0
		s.LockedOut = 0
	}
	return s
}

// Assignment is where a user's licence comes from, with what came of it: a row of
// licenseAssignmentStates (GG 9.5).
type Assignment struct {
	SKUID    string
	Disabled []string // ids of service plans
	Group    string   // that it comes by; empty: it was given directly
	State    string   // one of the Assignment… below
	Error    string   // a violation; empty: none
	Updated  time.Time
}

// The states of an assignment.
const (
	AssignmentActive      = "Active"
	AssignmentWithError   = "ActiveWithError" // in force, but a change or removal of it failed
	AssignmentAllDisabled = "Disabled"        // with all services turned off
	AssignmentError       = "Error"           // not in force
)

// InForce tells whether the user has the licence by this assignment.
func (a Assignment) InForce() bool { return a.State != AssignmentError }

// Assignments reads those of an account. An account that was described with
// assignedLicenses alone has them directly.
func Assignments(o *Object) []Assignment {
	rows, kept := o.Props["licenseAssignmentStates"].([]any)
	if !kept {
		rows, _ = o.Props["assignedLicenses"].([]any)
	}
	var out []Assignment
	for _, r := range rows {
		m, _ := r.(map[string]any)
		updated, _ := time.Parse(time.RFC3339, Text(m["lastUpdatedDateTime"]))
		out = append(out, Assignment{
			SKUID: strings.ToLower(Text(m["skuId"])), Disabled: Texts(m["disabledPlans"]), Group: Text(m["assignedByGroup"]),
			State: cmp.Or(Text(m["state"]), AssignmentActive), Error: Text(m["error"]), Updated: updated,
		})
	}
	return out
}

// LicencesOf reads the assignedLicenses of a user or a group: the ids of the plans
// that are turned off, by the id of the SKU.
func LicencesOf(o *Object) map[string][]string {
	out := map[string][]string{}
	list, _ := o.Props["assignedLicenses"].([]any)
	for _, l := range list {
		m, _ := l.(map[string]any)
		out[strings.ToLower(Text(m["skuId"]))] = Texts(m["disabledPlans"])
	}
	return out
}

// Licences writes assignedLicenses, in the order of the SKUs' ids.
func Licences(licences map[string][]string) []any {
	out := []any{}
	for _, id := range sortedKeys(licences) {
		out = append(out, map[string]any{"skuId": id, "disabledPlans": Anys(licences[id])})
	}
	return out
}

// SKU finds a subscription of the tenant by its id.
func (o *Organization) SKU(id string) (SKU, bool) {
	for _, s := range o.SKUs {
		if strings.EqualFold(s.SKUID, id) {
			return s, true
		}
	}
	return SKU{}, false
}

// Consumed is how many users hold a seat of a subscription: everyone who has it in
// force from wherever, once each, blocked ones too. Deleted ones do not.
func (t *Tenant) Consumed(skuID string) int { return t.seats[strings.ToLower(skuID)] }

// SetAssignments gives a copy of an account that will be put these assignments, and
// what follows of them: assignedLicenses, which is what all together give, and
// assignedPlans.
func (t *Tenant) SetAssignments(o *Object, rows []Assignment, now time.Time) {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b Assignment) int {
		return cmp.Or(strings.Compare(a.SKUID, b.SKUID), strings.Compare(a.Group, b.Group))
	})
	_, had := o.Props["licenseAssignmentStates"]
	if len(rows) == 0 && !had && o.Props["assignedLicenses"] == nil {
		return
	}
	states := []any{}
	for _, r := range rows {
		var group, reason any
		if r.Group != "" {
			group = r.Group
		}
		if r.Error != "" {
			reason = r.Error
		}
		states = append(states, map[string]any{
			"skuId": r.SKUID, "disabledPlans": Anys(r.Disabled), "assignedByGroup": group, "state": r.State, "error": reason,
			"lastUpdatedDateTime": Stamp(r.Updated),
		})
	}
	union := Union(rows)
	o.Props["licenseAssignmentStates"] = states
	o.Props["assignedLicenses"] = Licences(union)
	o.Props["assignedPlans"] = t.plansOf(o, union, now)
}

// Union is what assignments give together: a service is off only when each of those
// that are in force turns it off.
func Union(rows []Assignment) map[string][]string {
	out := map[string][]string{}
	for _, r := range rows {
		if !r.InForce() {
			continue
		}
		former, also := out[r.SKUID]
		disabled := slices.Clone(r.Disabled)
		if also {
			disabled = slices.DeleteFunc(disabled, func(id string) bool { return !slices.Contains(former, id) })
		}
		out[r.SKUID] = disabled
	}
	return out
}

// plansOf writes assignedPlans: the services of an account's licences, and as deleted
// those that it had before. [K]: that those which it had stay in the list.
func (t *Tenant) plansOf(o *Object, union map[string][]string, now time.Time) []any {
	before, _ := o.Props["assignedPlans"].([]any)
	since := map[string]string{}
	var out []any
	for _, p := range before {
		m, _ := p.(map[string]any)
		if m["capabilityStatus"] == "Enabled" {
			since[Text(m["servicePlanId"])] = Text(m["assignedDateTime"])
		}
	}
	has := map[string]bool{}
	for _, skuID := range sortedKeys(union) {
		s, _ := t.SKU(skuID)
		for _, p := range s.Plans {
			if has[p.ID] || slices.Contains(union[skuID], p.ID) {
				continue
			}
			has[p.ID] = true
			out = append(out, map[string]any{
				"servicePlanId": p.ID, "service": p.Service, "capabilityStatus": "Enabled", "assignedDateTime": cmp.Or(since[p.ID], Stamp(now)),
			})
		}
	}
	for _, p := range before {
		m, _ := p.(map[string]any)
		if id := Text(m["servicePlanId"]); !has[id] {
			has[id] = true
			out = append(out, map[string]any{
				"servicePlanId": id, "service": m["service"], "capabilityStatus": "Deleted", "assignedDateTime": m["assignedDateTime"],
			})
		}
	}
	if out == nil {
		return []any{}
	}
	return out
}

// DescribeLicences completes an account of which somebody set licences by hand: rows of
// licenseAssignmentStates, or assignedLicenses, which are those that it has directly.
func (t *Tenant) DescribeLicences(o *Object, given map[string]any, now time.Time) {
	_, byRows := given["licenseAssignmentStates"]
	_, byLicences := given["assignedLicenses"]
	switch {
	case byRows:
		t.SetAssignments(o, Assignments(o), now)
	case byLicences:
		t.SetAssignments(o, directly(o, now), now)
	}
}

// directly are an account's assignments when it has its assignedLicenses directly,
// beside what it has by groups.
func directly(o *Object, now time.Time) []Assignment {
	var rows []Assignment
	for skuID, disabled := range LicencesOf(o) {
		rows = append(rows, Assignment{SKUID: skuID, Disabled: disabled, State: AssignmentActive, Updated: now})
	}
	if _, kept := o.Props["licenseAssignmentStates"]; kept {
		for _, r := range Assignments(o) {
			if r.Group != "" {
				rows = append(rows, r)
			}
		}
	}
	return rows
}

// countSeats counts the seats that an account takes, or gives them back.
func (t *Tenant) countSeats(o *Object, add bool) {
	if o.Kind != User || o.Props["assignedLicenses"] == nil {
		return
	}
	n := 1
	if !add {
		n = -1
	}
	for skuID := range LicencesOf(o) {
		t.seats[skuID] += n
	}
}

func sortedKeys(m map[string][]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
