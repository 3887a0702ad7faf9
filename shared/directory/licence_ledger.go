package directory

import (
	"slices"
	"strings"
)

// ScopeLicences is the permission to give licences and to take them away.
const ScopeLicences = "LicenseAssignment.ReadWrite.All"

// LicenceOf is the Ref of a user's licences; the zero Ref for no user.
func LicenceOf(u UserID) Ref {
	if u == "" {
		return Ref{}
	}
	return Ref{Kind: KindLicence, ID: string(u)}
}

// GroupLicenceOf is the Ref of the licences of an exported group's tenant group; the
// zero Ref for no group.
func GroupLicenceOf(g GroupID) Ref {
	if g == "" {
		return Ref{}
	}
	return Ref{Kind: KindGroupLicence, ID: string(g)}
}

// PropLicences names licences in settings: what becomes of those of ours that others
// change. Of a change and of a record each product is a property of its own, whose name
// it begins.
const PropLicences = "licences"

// LicenceProperty is the property that says whether an account has a product.
func LicenceProperty(sku SKUID) string { return PropLicences + "." + string(sku) }

// LicenceOfProperty is the product that a property is about.
func LicenceOfProperty(name string) (sku SKUID, ok bool) {
	id, ok := strings.CutPrefix(name, PropLicences+".")
	return SKUID(id), ok
}

// LicenceValue is the value of such a property of an account that has the product: true
// with all services, or the list of those that are off. Null: it does not have it.
func LicenceValue(off []ServicePlanID) Value {
	if len(off) == 0 {
		return BoolValue(true)
	}
	names := make([]string, len(off))
	for i, p := range off {
		names[i] = string(p)
	}
	return ListValue(names...)
}

// LicencePlansOff are the services that are off by such a value; has says whether the
// account has the product.
func LicencePlansOff(v Value) (off []ServicePlanID, has bool) {
	names, _ := v.List()
	for _, n := range names {
		off = append(off, ServicePlanID(n))
	}
	return off, !v.IsNull()
}

// PropAssignedLicences is Graph's name of all licences that an account has.
const PropAssignedLicences = "assignedLicenses"

// LicencesAsGiven reports whether what a record says that we gave is among what the
// account, or the tenant group, has, with the same services off. What is there by other
// sources besides may make it differ: then a direct read tells.
func LicencesAsGiven(ledger Properties, has []AssignedLicence) bool {
	for name, v := range ledger {
		sku, is := LicenceOfProperty(name)
		if !is {
			continue
		}
		off, _ := LicencePlansOff(v)
		given := AssignedLicence{SKU: sku, DisabledPlans: off}
		if !slices.ContainsFunc(has, given.Same) {
			return false
		}
	}
	return true
}

// ScopeGroups is the permission to make groups, to edit them and their members.
const ScopeGroups = "Group.ReadWrite.All"
