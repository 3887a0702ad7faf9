package entratest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// managerOf returns the manager that an account has, if still there.
func (c *call) managerOf() (*object, *graphError) {
	if !c.has(readUsers...) {
		return nil, denied()
	}
	o, e := c.lookup(kindUser, c.ref())
	if e != nil {
		return nil, e
	}
	m := c.seen(o.Manager)
	if o.Manager == "" || m == nil || !m.active() {
		return nil, notThere("manager")
	}
	return m, nil
}

func (c *call) getManager() (*reply, *graphError) {
	m, e := c.managerOf()
	if e != nil {
		return nil, e
	}
	out, e := c.one(m, "directoryObjects")
	if e == nil {
		out.body.(map[string]any)["@odata.type"] = "#microsoft.graph.user"
	}
	return out, e
}

func (c *call) getManagerRef() (*reply, *graphError) {
	m, e := c.managerOf()
	if e != nil {
		return nil, e
	}
	return &reply{status: http.StatusOK, body: map[string]any{
		"@odata.context": c.context("$ref"), "@odata.id": c.base + "/directoryObjects/" + m.ID + "/Microsoft.DirectoryServices.User",
	}}, nil
}

func (c *call) putManager() (*reply, *graphError) {
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	o, e := c.managed()
	if e != nil {
		return nil, e
	}
	m, e := c.linked(text(body["@odata.id"]))
	if e != nil {
		return nil, e
	}
	if m.ID == o.ID || m.Kind != kindUser {
		return nil, request400("The manager must be another user.")
	}
	return c.setManager(o, m.ID)
}

func (c *call) deleteManager() (*reply, *graphError) {
	o, e := c.managed()
	if e != nil {
		return nil, e
	}
	if o.Manager == "" {
		return nil, notThere("manager")
	}
	return c.setManager(o, "")
}

// managed finds an account whose manager may be changed.
func (c *call) managed() (*object, *graphError) {
	if !c.has(writeUsers...) || !c.holds(globalAdmin, userAdmin, dirWriters) {
		return nil, denied()
	}
	o, e := c.target(kindUser, c.ref())
	if e == nil && o.flag("onPremisesSyncEnabled") {
		e = onPremises()
	}
	return o, e
}

func (c *call) setManager(o *object, id string) (*reply, *graphError) {
	ch := change{s: c.s, t: c.t}
	m := c.mutation("update", o)
	m.Before, m.After = map[string]any{"manager": o.Manager}, map[string]any{"manager": id}
	if o.Manager == id {
		m.Kind, m.Before, m.After = "noop", nil, nil
	} else {
		next := o.clone()
		next.FormerManager, next.Manager = o.Manager, id
		ch.put(next, "manager")
	}
	ch.log = append(ch.log, m)
	if err := ch.commit(); err != nil {
		return nil, failed(err)
	}
	return &reply{status: http.StatusNoContent}, nil
}

// consumed counts the seats of a subscription that are taken.
func (t *tenant) consumed(skuID string) int {
	n := 0
	for _, o := range t.objects {
		if o.Kind == kindUser && o.active() && slices.Contains(licencesOf(o), skuID) {
			n++
		}
	}
	return n
}

// licencesOf lists the SKU ids that an account has.
func licencesOf(o *object) []string {
	var out []string
	for _, l := range listOf(o.Props["assignedLicenses"]) {
		m, _ := l.(map[string]any)
		out = append(out, text(m["skuId"]))
	}
	return out
}

func (c *call) listSKUs() (*reply, *graphError) {
	if !c.has(append(slices.Clone(readOrg), "LicenseAssignment.Read.All", "LicenseAssignment.ReadWrite.All")...) {
		return nil, denied()
	}
	items := []any{}
	for _, s := range c.t.skus {
		items = append(items, map[string]any{
			"id": c.t.id + "_" + s.SKUID, "accountId": c.t.id, "accountName": c.t.name, "appliesTo": "User",
			"capabilityStatus": "Enabled", "consumedUnits": c.t.consumed(s.SKUID), "skuId": s.SKUID, "skuPartNumber": s.SKUPartNumber,
			"prepaidUnits":    map[string]any{"enabled": s.Enabled, "suspended": 0, "warning": 0, "lockedOut": 0},
			"servicePlans":    []any{},
			"subscriptionIds": []any{c.t.roleID(s.SKUID)},
		})
	}
	return c.plainList("subscribedSkus", items)
}

func (c *call) licenseDetails() (*reply, *graphError) {
	if !c.has(append(slices.Clone(readUsers), "LicenseAssignment.Read.All", "LicenseAssignment.ReadWrite.All")...) {
		return nil, denied()
	}
	o, e := c.lookup(kindUser, c.ref())
	if e != nil {
		return nil, e
	}
	items := []any{}
	for _, id := range licencesOf(o) {
		part := ""
		for _, s := range c.t.skus {
			if s.SKUID == id {
				part = s.SKUPartNumber
			}
		}
		items = append(items, map[string]any{"id": c.t.roleID(o.ID + id), "skuId": id, "skuPartNumber": part, "servicePlans": []any{}})
	}
	return c.plainList("users('"+o.ID+"')/licenseDetails", items)
}

// assignLicense is POST /users/{id}/assignLicense.
func (c *call) assignLicense() (*reply, *graphError) {
	if !c.has(append(slices.Clone(writeUsers), "LicenseAssignment.ReadWrite.All")...) || !c.holds(globalAdmin, userAdmin, licenseAdmin) {
		return nil, denied()
	}
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	add, ok1 := body["addLicenses"].([]any)
	remove, ok2 := body["removeLicenses"].([]any)
	if !ok1 || !ok2 {
		return nil, request400("One or more parameters of the operation 'assignLicense' are missing from the request payload. The missing parameters are: addLicenses or removeLicenses.")
	}
	o, e := c.target(kindUser, c.ref())
	if e != nil {
		return nil, e
	}
	licences, e := c.licences(o, add, remove)
	if e != nil {
		return nil, e
	}
	next := o.clone()
	next.Props["assignedLicenses"] = licences
	if len(licences) > 0 && len(o.list("proxyAddresses")) == 0 { // a licence brings a mailbox
		setPrimary(next, o.text("userPrincipalName"), "")
		next.Props["mail"] = o.text("userPrincipalName")
	}
	if _, e := c.store(o, next); e != nil {
		return nil, e
	}
	body = c.t.show(c.t.objects[o.ID], standardSet(kindUser))
	body["@odata.context"] = c.context("users/$entity")
	return &reply{status: http.StatusOK, body: body}, nil
}

// licences is the list of an account's licences after a change.
func (c *call) licences(o *object, add, remove []any) ([]any, *graphError) {
	out := slices.Clone(listOf(o.Props["assignedLicenses"]))
	have := licencesOf(o)
	for _, r := range remove {
		id := strings.ToLower(text(r))
		if !slices.Contains(have, id) {
			return nil, request400("User does not have a corresponding license.")
		}
		out = slices.DeleteFunc(out, func(l any) bool { m, _ := l.(map[string]any); return m["skuId"] == id })
	}
	for _, a := range add {
		m, _ := a.(map[string]any)
		id := strings.ToLower(text(m["skuId"]))
		i := slices.IndexFunc(c.t.skus, func(s sku) bool { return strings.EqualFold(s.SKUID, id) })
		switch {
		case i < 0:
			return nil, request400("License %s does not correspond to a valid company License.", id)
		case o.text("usageLocation") == "":
			return nil, request400("License assignment cannot be done for user with invalid usage location.")
		case !slices.Contains(have, id) && c.t.consumed(id) >= c.t.skus[i].Enabled:
			return nil, request400("%s", fmt.Sprintf("Subscription with SKU %s does not have any available licenses.", id))
		}
		disabled := listOf(m["disabledPlans"])
		if disabled == nil {
			disabled = []any{}
		}
		out = slices.DeleteFunc(out, func(l any) bool { m, _ := l.(map[string]any); return m["skuId"] == id })
		out = append(out, map[string]any{"skuId": id, "disabledPlans": disabled})
	}
	return out, nil
}
