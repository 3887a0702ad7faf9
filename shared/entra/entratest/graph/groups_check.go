package graph

import (
	"maps"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

// What a group may be (GG 2.1, GG 2.3). That each of these is refused stands there; the
// words of a refusal that no document quotes are [K] and made by invalidValue, readOnly
// or notMail.

// binds are the members of a body that name members and owners.
var binds = []string{"members@odata.bind", "owners@odata.bind"}

// mailSettings are kept by Exchange. Each is written in a PATCH of its own (GG 2.1).
var mailSettings = []string{"allowExternalSenders", "autoSubscribeNewMembers", "hideFromAddressLists", "hideFromOutlookClients", "isSubscribedByMail"}

// choices are the properties that take one of some values.
var choices = map[string][]string{
	"groupTypes":                    {"Unified", "DynamicMembership"},
	"membershipRuleProcessingState": {"On", "Paused"},
	"theme":                         {"Teal", "Purple", "Green", "Blue", "Pink", "Orange", "Red"},
	"visibility":                    {"Public", "Private", "HiddenMembership"},
	"resourceBehaviorOptions": {"AllowOnlyMembersToPost", "CalendarMemberReadOnly", "ConnectorsDisabled", "HideGroupInOutlook", "SkipExchangeInstantOn",
		"SubscribeMembersToCalendarEventsDisabled", "SubscribeNewGroupMembers", "WelcomeEmailDisabled", "ProvisionSiteOnDemand"},
}

// checkGroupBody validates the properties of a body, which is that of a new group when
// own is nil.
func checkGroupBody(body map[string]any, own *state.Object) (map[string]any, *odata.Error) {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		v := body[name]
		if slices.Contains(binds, name) || strings.HasPrefix(name, "@odata.") {
			continue
		}
		p, ok := state.Groups.Properties[name]
		switch {
		case !ok:
			return nil, unknownProperty(name, "Group")
		case !p.Write && !(p.Create && own == nil), own == nil && slices.Contains(mailSettings, name):
			return nil, readOnly(name)
		case v == nil && own == nil:
			continue
		}
		v, e := checkValue("Group", name, p, v)
		if e != nil {
			return nil, e
		}
		for _, one := range textsOf(v) {
			if allowed := choices[name]; allowed != nil && !slices.Contains(allowed, one) {
				return nil, invalidValue("Group", name)
			}
		}
		out[name] = v
	}
	for _, name := range mailSettings {
		if _, given := out[name]; given && len(body) > 1 {
			return nil, badRequest("The property '%s' cannot be updated together with other properties. Update it in a request of its own.", name)
		}
	}
	return out, nil
}

// textsOf are the texts of a value that is one, or a collection of them.
func textsOf(v any) []string {
	if s := state.Text(v); s != "" {
		return []string{s}
	}
	return state.Texts(v)
}

// checkNewGroup refuses what no new group can be.
func (c *call) checkNewGroup(o *state.Object) *odata.Error {
	switch {
	case o.Unified() && !o.Flag("mailEnabled"):
		return invalidValue("Group", "mailEnabled")
	case o.InExchange(), !o.Unified() && !o.Flag("securityEnabled"):
		return notMail()
	case o.Text("visibility") == "HiddenMembership" && !o.Unified():
		return invalidValue("Group", "visibility")
	case len(o.List("resourceBehaviorOptions")) > 0 && !o.Unified():
		return invalidValue("Group", "resourceBehaviorOptions")
	}
	if e := c.checkRule(o); e != nil {
		return e
	}
	if o.Flag("isAssignableToRole") {
		if e := c.checkRoleGroup(o); e != nil {
			return e
		}
	}
	return c.checkPolicy(o, nil)
}

// checkRule refuses a rule without a dynamic group, and a dynamic group without a rule
// or without the licence for it, which is told as a lack of rights (row 28 of GG 22).
func (c *call) checkRule(o *state.Object) *odata.Error {
	rule := o.Text("membershipRule") != ""
	switch {
	case o.Dynamic() && !rule:
		return denied()
	case o.Dynamic():
		return c.premium()
	case rule || o.Text("membershipRuleProcessingState") == "On":
		return invalidValue("Group", "membershipRule")
	}
	return nil
}

// checkRoleGroup refuses groups that cannot be given roles, and one too many.
func (c *call) checkRoleGroup(o *state.Object) *odata.Error {
	if !o.Flag("securityEnabled") || o.Dynamic() {
		return invalidValue("Group", "isAssignableToRole")
	}
	if e := c.mayAssignRoles(); e != nil {
		return e
	}
	n := 0
	for _, id := range c.t.IDs(state.Group) {
		if g := c.t.Object(id); g.Active() && g.Flag("isAssignableToRole") {
			n++
		}
	}
	if n >= maxRoleGroups { // [K]: the words
		return overQuota("The maximum number of groups that can be assigned to roles has been reached for this tenant.")
	}
	return c.premium()
}

// checkEditedGroup refuses what a group cannot become. next is changed where a change
// brings others with it.
func (c *call) checkEditedGroup(o, next *state.Object, given map[string]any) *odata.Error {
	switch {
	case next.Unified() != o.Unified():
		return invalidValue("Group", "groupTypes")
	case next.Flag("mailEnabled") != o.Flag("mailEnabled"),
		!next.Unified() && !next.Flag("securityEnabled"):
		return notMail()
	case next.Flag("isAssignableToRole") && (next.Dynamic() || !next.Flag("securityEnabled")):
		return invalidValue("Group", "isAssignableToRole")
	case next.Text("visibility") != o.Text("visibility") && (next.Text("visibility") == "HiddenMembership" || o.Text("visibility") == "HiddenMembership"):
		return invalidValue("Group", "visibility")
	}
	if e := checkNewName(o, next); e != nil {
		return e
	}
	if o.Dynamic() && !next.Dynamic() { // [K]: the rule goes, the members stay
		next.Props["membershipRule"] = nil
		next.Props["membershipRuleProcessingState"] = nil
	}
	if next.Dynamic() && !o.Dynamic() && next.Text("membershipRuleProcessingState") == "" {
		next.Props["membershipRuleProcessingState"] = "On"
	}
	if next.Dynamic() != o.Dynamic() || given["membershipRule"] != nil || next.Dynamic() && next.Text("membershipRule") == "" {
		if e := c.checkRule(next); e != nil {
			return e
		}
	}
	if e := c.checkMailSettings(o, given); e != nil {
		return e
	}
	return c.checkPolicy(next, o)
}

// checkNewName refuses another uniqueName than the one that a group has, which is [K],
// and any for a group that can be given roles.
func checkNewName(o, next *state.Object) *odata.Error {
	was := o.Text("uniqueName")
	now := next.Text("uniqueName")
	switch {
	case now == was:
		return nil
	case o.Flag("isAssignableToRole"):
		return badRequest("Value for ArmUniqueName cannot be updated for groups assignable to role.")
	case was != "":
		return readOnly("uniqueName")
	}
	return nil
}

// checkMailSettings refuses settings of a mailbox that is not there.
func (c *call) checkMailSettings(o *state.Object, given map[string]any) *odata.Error {
	for _, name := range mailSettings {
		if _, in := given[name]; in && !c.hasMailbox(o) {
			return notThere(o.ID)
		}
	}
	return nil
}

// checkMailSettingsRead refuses a whole GET that selects such a setting of a group
// without a mailbox (row 29 of GG 22).
func (c *call) checkMailSettingsRead(o *state.Object) *odata.Error {
	for _, name := range c.options.Select() {
		if slices.Contains(mailSettings, name) && !c.hasMailbox(o) {
			return notThere(o.ID)
		}
	}
	return nil
}

// hasMailbox tells whether a group has a mailbox. [K]: a tenant without any licence is
// one without Exchange.
func (c *call) hasMailbox(o *state.Object) bool { return o.Unified() && len(c.t.SKUs) > 0 }

// groupConflict refuses values that another group has, or keeps in the deleted items,
// and an alias that is somebody else's address (rows 19, 20 and 24 of GG 22).
func (c *call) groupConflict(o *state.Object) *odata.Error {
	k := c.t.Conflict(o)
	switch {
	case k == nil:
		return nil
	case k.With.Kind != state.Group:
		return badRequest("A conflicting object with one or more of the specified property values is present in the directory.")
	case k.Property == "proxyAddresses":
		return taken("mailNickname")
	}
	return taken(k.Property)
}
