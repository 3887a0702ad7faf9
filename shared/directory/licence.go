package directory

import (
	"slices"
	"strings"
	"time"
)

// LicenceSKU is a product that a tenant has licences of (subscribedSku, GG 9.1).
type LicenceSKU struct {
	ID SKUID `json:"skuId"`
	// PartNumber is Microsoft's name of it: stable, and not what people call it.
	PartNumber string `json:"skuPartNumber"`
	// Status is Enabled, Warning (its grace), Suspended, Deleted or LockedOut.
	Status string `json:"capabilityStatus"`
	// AppliesTo is User or Company; the latter cannot be given to accounts.
	AppliesTo string        `json:"appliesTo"`
	Consumed  int           `json:"consumedUnits"`
	Units     LicenceUnits  `json:"prepaidUnits"`
	Plans     []ServicePlan `json:"servicePlans"`
}

// LicenceUnits are the seats of a product, by their state.
type LicenceUnits struct {
	Enabled   int `json:"enabled"`
	Warning   int `json:"warning"`
	Suspended int `json:"suspended"`
	LockedOut int `json:"lockedOut,omitempty"`
}

// ServicePlan is a service within a product.
type ServicePlan struct {
	ID   ServicePlanID `json:"servicePlanId"`
	Name string        `json:"servicePlanName"`
	// AppliesTo is User or Company; the latter cannot be switched off for an account.
	AppliesTo string `json:"appliesTo"`
	Status    string `json:"provisioningStatus"`
}

// What a product must be to be given to accounts.
const (
	AppliesToUser = "User"
	SKUEnabled    = "Enabled"
	SKUWarning    = "Warning"
)

// Assignable reports whether the product can be given to accounts now.
func (s *LicenceSKU) Assignable() bool {
	return s.AppliesTo == AppliesToUser && (s.Status == SKUEnabled || s.Status == SKUWarning)
}

// Free is how many seats are left. That seats in their grace still count is not
// proved (GG 9.1, [K]); Microsoft's own number of used ones lags by minutes.
func (s *LicenceSKU) Free() int { return max(0, s.Units.Enabled+s.Units.Warning-s.Consumed) }

// HasPlan reports whether a service is within the product.
func (s *LicenceSKU) HasPlan(id ServicePlanID) bool {
	return slices.ContainsFunc(s.Plans, func(p ServicePlan) bool { return p.ID == id })
}

// AssignedLicence is a product that an account has or that is given to it. All of its
// services are on but the disabled ones.
type AssignedLicence struct {
	SKU           SKUID           `json:"skuId"`
	DisabledPlans []ServicePlanID `json:"disabledPlans"`
}

// Same reports whether two give the same services of the same product.
func (l AssignedLicence) Same(other AssignedLicence) bool {
	return l.SKU == other.SKU && slices.Equal(plansOf(l), plansOf(other))
}

// plansOf are the disabled services, each once and in order.
func plansOf(l AssignedLicence) []ServicePlanID {
	return slices.Compact(slices.Sorted(slices.Values(l.DisabledPlans)))
}

// LicenceState is one source of a product that an account has or should have.
type LicenceState struct {
	AssignedLicence
	// AssignedByGroup is the group that it comes by; "": given to the account itself.
	AssignedByGroup TenantGroupID `json:"assignedByGroup,omitempty"`
	// State is Active, ActiveWithError (in force, but a change of it failed), Disabled
	// (all services off) or Error (not in force).
	State   string    `json:"state"`
	Error   string    `json:"error,omitempty"` // Microsoft's word for it; "" when there is none
	Updated time.Time `json:"lastUpdatedDateTime,omitzero"`
}

// InForce reports whether the account has the product by this source.
func (s *LicenceState) InForce() bool {
	return s.State == "Active" || s.State == "ActiveWithError" || s.State == "Disabled"
}

// Problem is what is wrong with it; nil when nothing is (GG 9.5).
func (s *LicenceState) Problem() *Problem {
	code := ""
	switch s.Error {
	case "", "None":
		if s.State != "Error" && s.State != "ActiveWithError" {
			return nil
		}
		code = CodeLicenseOther
	case "CountViolation":
		code = CodeLicenseNoneLeft
	case "MutuallyExclusiveViolation":
		code = CodeLicenseExclusive
	case "DependencyViolation":
		code = CodeLicenseDependency
	case "ProhibitedInUsageLocationViolation":
		code = CodeLicenseLocationProhibited
	case "UniquenessViolation":
		code = CodeLicenseAddressTaken
	default:
		code = CodeLicenseOther
	}
	p := registered(code)
	p.Message = strings.ReplaceAll(p.Message, "{sku}", string(s.SKU))
	p.MicrosoftCode, p.Since, p.Holder = s.Error, s.Updated, string(s.SKU)
	return p
}

// AccountLicences is what an account has of licences.
type AccountLicences struct {
	AccountID     AccountID `json:"id"`
	Enabled       bool      `json:"accountEnabled"`
	UsageLocation string    `json:"usageLocation,omitempty"`
	// Assigned is the union of all sources, States one row for each of them.
	Assigned []AssignedLicence `json:"assignedLicenses"`
	States   []LicenceState    `json:"licenseAssignmentStates"`
}

// Direct is a product as it was given to the account itself; false: it was not.
func (a *AccountLicences) Direct(sku SKUID) (LicenceState, bool) {
	for _, s := range a.States {
		if s.SKU == sku && s.AssignedByGroup == "" {
			return s, true
		}
	}
	return LicenceState{}, false
}

// Inherited are the sources of a product that are groups.
func (a *AccountLicences) Inherited(sku SKUID) []LicenceState {
	var list []LicenceState
	for _, s := range a.States {
		if s.SKU == sku && s.AssignedByGroup != "" {
			list = append(list, s)
		}
	}
	return list
}

// LicencePage is one page of the accounts of a tenant with their licences.
type LicencePage struct {
	Accounts []AccountLicences
	Next     string
}

// LicenceTally is how many accounts have a product, by where it comes from. An account
// that has it directly and by a group is counted in both.
type LicenceTally struct {
	Ours      int `json:"ours"`      // given to the account itself, by us
	Others    int `json:"others"`    // given to the account itself, by others
	Inherited int `json:"inherited"` // by a group
	// OursDisabled and AllDisabled are, of accounts that are blocked, those that have it
	// from us, and all.
	OursDisabled int `json:"oursDisabled"`
	AllDisabled  int `json:"allDisabled"`
}
