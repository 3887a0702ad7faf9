package graph

import (
	"net/http"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/licensing"
	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/state"
)

var licenceRoutes = []route{
	{"GET", "subscribedskus", listSKUs},
	{"GET", "subscribedskus/{}", getSKU},
	{"GET", "users/{}/licensedetails", licenseDetails},
	{"POST", "users/{}/assignlicense", assignLicense},
	{"POST", "users/{}/reprocesslicenseassignment", reprocessLicences},
	{"POST", "groups/{}/assignlicense", assignGroupLicense},
	{"GET", "groups/{}/memberswithlicenseerrors", licenceErrors},
	{"GET", "groups/{}/memberswithlicenseerrors/{}", licenceErrors},
}

// Permissions for licences (GG 1).
var (
	readSKUs       = with(readDirectory, "LicenseAssignment.Read.All", "LicenseAssignment.ReadWrite.All")
	writeLicences  = with(writeUsers, "LicenseAssignment.ReadWrite.All")
	writeGroupSKUs = with(writeGroups, "LicenseAssignment.ReadWrite.All")
)

// consumed is how many seats are taken, as the call's replica has it.
func (c *call) consumed(skuID string) int {
	if c.lag == 0 {
		return c.t.Consumed(skuID)
	}
	n := 0
	for _, id := range c.t.IDs(state.User) {
		if o := c.seen(id); o != nil && o.Active() {
			if _, has := state.LicencesOf(o)[skuID]; has {
				n++
			}
		}
	}
	return n
}

func showSKU(t *state.Tenant, s state.SKU, consumed int) map[string]any {
	plans := []any{}
	for _, p := range s.Plans {
		plans = append(plans, showPlan(p, p.Status()))
	}
	appliesTo := "User"
	if !s.ForUsers() {
		appliesTo = s.AppliesTo
	}
	return map[string]any{
		"id": t.ID + "_" + s.SKUID, "accountId": t.ID, "accountName": t.Name, "appliesTo": appliesTo,
		"capabilityStatus": s.Capability(), "consumedUnits": consumed, "skuId": s.SKUID, "skuPartNumber": s.SKUPartNumber,
		"prepaidUnits":    map[string]any{"enabled": s.Enabled, "suspended": s.Suspended, "warning": s.Warning, "lockedOut": s.LockedOut},
		"servicePlans":    plans,
		"subscriptionIds": []any{derivedID(t, s.SKUID)},
	}
}

func showPlan(p state.ServicePlan, status string) map[string]any {
	appliesTo := "User"
	if p.AppliesTo != "" {
		appliesTo = p.AppliesTo
	}
	return map[string]any{"servicePlanId": p.ID, "servicePlanName": p.Name, "provisioningStatus": status, "appliesTo": appliesTo}
}

func listSKUs(c *call) (*reply, *odata.Error) {
	if !c.has(readSKUs...) {
		return nil, denied()
	}
	for _, option := range []string{"$filter", "$top", "$skip"} { // GG 9.1
		if _, given := c.options[option]; given {
			return nil, odata.Unsupported("The query option '%s' is not supported for this collection.", option)
		}
	}
	items := []any{}
	for _, s := range c.t.SKUs {
		items = append(items, showSKU(c.t, s, c.consumed(s.SKUID)))
	}
	return c.whole("subscribedSkus", items)
}

func getSKU(c *call) (*reply, *odata.Error) {
	if !c.has(readSKUs...) {
		return nil, denied()
	}
	id, own := strings.CutPrefix(strings.ToLower(c.ref()), c.t.ID+"_")
	s, known := c.t.SKU(id)
	if !own || !known {
		return nil, notThere(c.ref())
	}
	return c.single("subscribedSkus", showSKU(c.t, s, c.consumed(s.SKUID)))
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
	licences := state.LicencesOf(o)
	for _, s := range c.t.SKUs {
		disabled, has := licences[s.SKUID]
		if !has {
			continue
		}
		plans := []any{}
		for _, p := range s.Plans {
			status := p.Status()
			if slices.Contains(disabled, p.ID) {
				status = "Disabled"
			}
			plans = append(plans, showPlan(p, status))
		}
		items = append(items, map[string]any{"id": derivedID(c.t, o.ID+s.SKUID), "skuId": s.SKUID, "skuPartNumber": s.SKUPartNumber, "servicePlans": plans})
	}
	return c.whole("users('"+o.ID+"')/licenseDetails", items)
}

// licenceRequest reads the body of assignLicense, which must have both lists.
func (c *call) licenceRequest() (licensing.Request, *odata.Error) {
	var r licensing.Request
	body, e := c.object()
	if e != nil {
		return r, e
	}
	var missing []string
	for _, name := range []string{"addLicenses", "removeLicenses"} {
		if _, list := body[name].([]any); !list {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return r, badRequest("One or more parameters of the operation 'assignLicense' are missing from the request payload. The missing parameters are: %s.", strings.Join(missing, ", "))
	}
	for name := range body {
		if name != "addLicenses" && name != "removeLicenses" && !strings.HasPrefix(name, "@odata.") {
			return r, badRequest("The parameter '%s' in the request payload is not a valid parameter for the operation 'assignLicense'.", name)
		}
	}
	for _, item := range listOf(body["addLicenses"]) {
		m, ok := item.(map[string]any)
		if !ok {
			return r, badGUID()
		}
		if r.Add, e = addWish(r.Add, m); e != nil {
			return r, e
		}
	}
	r.Remove, e = guids(listOf(body["removeLicenses"]))
	return r, e
}

// addWish reads one item of addLicenses.
func addWish(list []licensing.Wish, m map[string]any) ([]licensing.Wish, *odata.Error) {
	id, e := guids([]any{m["skuId"]})
	if e != nil {
		return nil, e
	}
	plans, isList := m["disabledPlans"].([]any)
	if m["disabledPlans"] != nil && !isList {
		return nil, badGUID()
	}
	disabled, e := guids(plans)
	return append(list, licensing.Wish{SKUID: id[0], Disabled: disabled}), e
}

// guids demands a list of ids: a part number in their place is a frequent mistake.
func guids(list []any) ([]string, *odata.Error) {
	var out []string
	for _, v := range list {
		if !state.IsGUID(state.Text(v)) {
			return nil, badGUID()
		}
		out = append(out, strings.ToLower(state.Text(v)))
	}
	return out, nil
}

func badGUID() *odata.Error {
	return badRequest("Cannot convert a primitive value to the expected type 'Edm.Guid'. See the inner exception for more details.")
}

// refusedLicence is the refusal that a violation makes.
func refusedLicence(v *licensing.Violation) *odata.Error { return badRequest("%s", v.Message) }

// assignLicense is POST /users/{id}/assignLicense.
func assignLicense(c *call) (*reply, *odata.Error) {
	if !c.has(writeLicences...) || !c.holds(roles.GlobalAdministrator, roles.UserAdministrator, roles.LicenseAdministrator, roles.DirectoryWriters) {
		return nil, denied()
	}
	r, e := c.licenceRequest()
	if e != nil {
		return nil, e
	}
	o, e := c.target(state.User, c.ref())
	if e != nil {
		return nil, e
	}
	if e := c.oneAtATime(); e != nil {
		return nil, e
	}
	rows, v := licensing.Direct(c.t, o, r, c.seen(o.ID).Text("usageLocation"), c.now())
	if v != nil {
		return nil, refusedLicence(v)
	}
	next := licensing.Apply(c.t, o, rows, c.now())
	if v := licensing.Clash(c.t, o, next); v != nil {
		return nil, taken("proxyAddresses")
	}
	if e := c.commitLicences(o, next); e != nil {
		return nil, e
	}
	return c.licensed(o.ID)
}

// commitLicences commits a changed account or group, or notes that nothing changed.
func (c *call) commitLicences(o, next *state.Object) *odata.Error {
	names, before, after := state.Difference(o, next)
	ch := c.tx.Change(c.t)
	if len(names) == 0 {
		ch.Log(c.mutation("noop", o))
		_, e := commit(ch)
		return e
	}
	m := c.mutation("license", next)
	m.Before = before
	m.After = after
	ch.Put(next, names...)
	ch.Log(m)
	_, e := commit(ch)
	return e
}

// licensed answers with an account as it is after a licence call.
func (c *call) licensed(id string) (*reply, *odata.Error) {
	body := c.showStandard(c.t.Object(id))
	body["@odata.context"] = c.context("users/$entity")
	return &reply{status: http.StatusOK, body: body}, nil
}

// reprocessLicences is POST /users/{id}/reprocessLicenseAssignment: what the groups of
// an account give it is calculated anew, at once. What cannot be given is told.
func reprocessLicences(c *call) (*reply, *odata.Error) {
	if !c.has(writeUsers...) || !c.holds(roles.GlobalAdministrator, roles.UserAdministrator, roles.LicenseAdministrator) {
		return nil, denied()
	}
	o, e := c.target(state.User, c.ref())
	if e != nil {
		return nil, e
	}
	if e := c.oneAtATime(); e != nil {
		return nil, e
	}
	v, err := licensing.Reprocess(c.tx, c.t, o)
	if err != nil {
		return nil, failed(err)
	}
	if v != nil {
		return nil, refusedLicence(v)
	}
	return c.licensed(o.ID)
}

// assignGroupLicense is POST /groups/{id}/assignLicense: it is accepted, and reaches the
// members after a while.
func assignGroupLicense(c *call) (*reply, *odata.Error) {
	// [K]: that a User Administrator is refused (GG 22 row 46).
	if !c.has(writeGroupSKUs...) || !c.holds(roles.GlobalAdministrator, roles.LicenseAdministrator, roles.GroupsAdministrator) {
		return nil, denied()
	}
	r, e := c.licenceRequest()
	if e != nil {
		return nil, e
	}
	g, e := c.targetGroup()
	if e != nil {
		return nil, e
	}
	if e := c.oneAtATime(); e != nil {
		return nil, e
	}
	licences, v := licensing.Group(c.t, g, r)
	if v != nil {
		return nil, refusedLicence(v)
	}
	next := g.Clone()
	next.Props["assignedLicenses"] = state.Licences(licences)
	if e := c.commitLicences(g, next); e != nil {
		return nil, e
	}
	out := &reply{status: http.StatusAccepted, header: http.Header{"Location": {c.base + "/groups/" + g.ID}}}
	if c.has(readGroups...) { // [K]: without a body for who may not read it
		body := c.showStandard(c.t.Object(g.ID))
		body["@odata.context"] = c.context("groups/$entity")
		out.body = body
	}
	return out, nil
}

// licenceErrors is GET /groups/{id}/membersWithLicenseErrors.
func licenceErrors(c *call) (*reply, *odata.Error) {
	if !c.has(readMembers...) {
		return nil, denied()
	}
	g, e := c.group()
	if e != nil {
		return nil, e
	}
	return c.mixed(c.withLicenceErrors(g), 3)
}

// withLicenceErrors are the direct members of a group who did not get what it gives.
func (c *call) withLicenceErrors(g *state.Object) []string {
	var ids []string
	for _, id := range c.t.LinksAt(state.Members, g.ID, c.now(), c.lag) {
		o := c.seen(id)
		if o != nil && o.Kind == state.User && o.Active() && licensing.WithErrors(o, g.ID) {
			ids = append(ids, id)
		}
	}
	return ids
}

// licenceValue is one of the properties that follow from licences and the time; false
// for any other.
func (c *call) licenceValue(o *state.Object, name string) (any, bool) {
	switch name {
	case "licenseProcessingState":
		if s := o.Licensing.State(c.now()); s != "" {
			return map[string]any{"state": s}, true
		}
		return nil, true
	case "hasMembersWithLicenseErrors":
		return len(c.withLicenceErrors(o)) > 0, true
	case "assignedPlans":
		return c.assignedPlans(o), true
	}
	return nil, false
}

// assignedPlans are the services of an account, each in the state of the best of the
// subscriptions that it comes by.
func (c *call) assignedPlans(o *state.Object) []any {
	best := map[string]string{}
	rank := []string{"Enabled", "Warning", "Suspended", "LockedOut", "Deleted"}
	for skuID, disabled := range state.LicencesOf(o) {
		s, _ := c.t.SKU(skuID)
		for _, p := range s.Plans {
			if slices.Contains(disabled, p.ID) {
				continue
			}
			if was, seen := best[p.ID]; !seen || slices.Index(rank, s.Capability()) < slices.Index(rank, was) {
				best[p.ID] = s.Capability()
			}
		}
	}
	out := []any{}
	for _, v := range listOf(o.Props["assignedPlans"]) {
		m, _ := v.(map[string]any)
		shown := map[string]any{}
		for k, v := range m {
			shown[k] = v
		}
		if now := best[state.Text(m["servicePlanId"])]; now != "" && m["capabilityStatus"] == "Enabled" {
			shown["capabilityStatus"] = now
		}
		out = append(out, shown)
	}
	return out
}
