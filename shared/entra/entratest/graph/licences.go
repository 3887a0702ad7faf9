package graph

import (
	"net/http"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/state"
)

var licenceRoutes = []route{
	{"POST", "users/{}/assignlicense", assignLicense},
	{"GET", "users/{}/licensedetails", licenseDetails},
	{"GET", "subscribedskus", listSKUs},
}

// consumed counts the seats of a subscription that are taken.
func consumed(t *state.Tenant, skuID string) int {
	n := 0
	for _, id := range t.IDs(state.User) {
		if o := t.Object(id); o.Active() && slices.Contains(licencesOf(o), skuID) {
			n++
		}
	}
	return n
}

// licencesOf lists the SKU ids that an account has.
func licencesOf(o *state.Object) []string {
	var out []string
	for _, l := range listOf(o.Props["assignedLicenses"]) {
		m, _ := l.(map[string]any)
		out = append(out, state.Text(m["skuId"]))
	}
	return out
}

func listSKUs(c *call) (*reply, *odata.Error) {
	if !c.has(with(readDirectory, "LicenseAssignment.Read.All", "LicenseAssignment.ReadWrite.All")...) {
		return nil, denied()
	}
	items := []any{}
	for _, s := range c.t.SKUs {
		items = append(items, map[string]any{
			"id": c.t.ID + "_" + s.SKUID, "accountId": c.t.ID, "accountName": c.t.Name, "appliesTo": "User",
			"capabilityStatus": "Enabled", "consumedUnits": consumed(c.t, s.SKUID), "skuId": s.SKUID, "skuPartNumber": s.SKUPartNumber,
			"prepaidUnits":    map[string]any{"enabled": s.Enabled, "suspended": 0, "warning": 0, "lockedOut": 0},
			"servicePlans":    []any{},
			"subscriptionIds": []any{derivedID(c.t, s.SKUID)},
		})
	}
	return c.whole("subscribedSkus", items)
}

func licenseDetails(c *call) (*reply, *odata.Error) {
	if !c.has(with(readUsers, "LicenseAssignment.Read.All", "LicenseAssignment.ReadWrite.All")...) {
		return nil, denied()
	}
	o, e := c.lookup(state.User, c.ref())
	if e != nil {
		return nil, e
	}
	items := []any{}
	for _, id := range licencesOf(o) {
		part := ""
		for _, s := range c.t.SKUs {
			if s.SKUID == id {
				part = s.SKUPartNumber
			}
		}
		items = append(items, map[string]any{"id": derivedID(c.t, o.ID+id), "skuId": id, "skuPartNumber": part, "servicePlans": []any{}})
	}
	return c.whole("users('"+o.ID+"')/licenseDetails", items)
}

// assignLicense is POST /users/{id}/assignLicense.
func assignLicense(c *call) (*reply, *odata.Error) {
	if !c.has(with(writeUsers, "LicenseAssignment.ReadWrite.All")...) || !c.holds(roles.GlobalAdministrator, roles.UserAdministrator, roles.LicenseAdministrator) {
		return nil, denied()
	}
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	add, ok1 := body["addLicenses"].([]any)
	remove, ok2 := body["removeLicenses"].([]any)
	if !ok1 || !ok2 {
		return nil, badRequest("One or more parameters of the operation 'assignLicense' are missing from the request payload. The missing parameters are: addLicenses or removeLicenses.")
	}
	o, e := c.target(state.User, c.ref())
	if e != nil {
		return nil, e
	}
	licences, e := c.licences(o, add, remove)
	if e != nil {
		return nil, e
	}
	next := o.Clone()
	next.Props["assignedLicenses"] = licences
	if len(licences) > 0 && len(o.List("proxyAddresses")) == 0 { // a licence brings a mailbox
		setPrimary(next, o.Text("userPrincipalName"), "")
		next.Props["mail"] = o.Text("userPrincipalName")
	}
	if _, e := c.update(o, next); e != nil {
		return nil, e
	}
	body = c.showStandard(c.t.Object(o.ID))
	body["@odata.context"] = c.context("users/$entity")
	return &reply{status: http.StatusOK, body: body}, nil
}

// licences is the list of an account's licences after a change.
func (c *call) licences(o *state.Object, add, remove []any) ([]any, *odata.Error) {
	out := slices.Clone(listOf(o.Props["assignedLicenses"]))
	have := licencesOf(o)
	for _, r := range remove {
		id := strings.ToLower(state.Text(r))
		if !slices.Contains(have, id) {
			return nil, badRequest("User does not have a corresponding license.")
		}
		out = withoutLicence(out, id)
	}
	for _, a := range add {
		m, _ := a.(map[string]any)
		id := strings.ToLower(state.Text(m["skuId"]))
		if e := c.assignable(o, id, slices.Contains(have, id)); e != nil {
			return nil, e
		}
		disabled := listOf(m["disabledPlans"])
		if disabled == nil {
			disabled = []any{}
		}
		out = append(withoutLicence(out, id), map[string]any{"skuId": id, "disabledPlans": disabled})
	}
	return out, nil
}

// assignable refuses a licence that an account cannot get; one that it has already
// takes no further seat.
func (c *call) assignable(o *state.Object, skuID string, has bool) *odata.Error {
	i := slices.IndexFunc(c.t.SKUs, func(s state.SKU) bool { return strings.EqualFold(s.SKUID, skuID) })
	switch {
	case i < 0:
		return badRequest("License %s does not correspond to a valid company License.", skuID)
	case o.Text("usageLocation") == "":
		return badRequest("License assignment cannot be done for user with invalid usage location.")
	case !has && consumed(c.t, skuID) >= c.t.SKUs[i].Enabled:
		return badRequest("Subscription with SKU %s does not have any available licenses.", skuID)
	}
	return nil
}

// withoutLicence takes a subscription out of a list of licences.
func withoutLicence(list []any, skuID string) []any {
	return slices.DeleteFunc(list, func(l any) bool {
		m, _ := l.(map[string]any)
		return m["skuId"] == skuID
	})
}
