package graph

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/state"
)

// What a tenant demands of its Microsoft 365 groups (GG 5): names, words that are
// blocked, classifications, how long they live.
var groupPolicyRoutes = []route{
	{"GET", "groupsettings", groupSettings},
	{"GET", "grouplifecyclepolicies", groupLifecyclePolicies},
	{"POST", "groups/{}/validateproperties", validateGroup},
	{"POST", "directoryobjects/validateproperties", validateNewGroup},
}

// unifiedSettings is the id of the template that the settings follow.
const unifiedSettings = "62375ab9-6b52-47ed-826b-58e47e0e304b"

func groupSettings(c *call) (*reply, *odata.Error) {
	if !c.has("GroupSettings.Read.All", "GroupSettings.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All") {
		return nil, denied()
	}
	items := []any{}
	if len(c.t.GroupSettings) > 0 {
		values := []any{}
		for _, name := range slices.Sorted(maps.Keys(c.t.GroupSettings)) {
			values = append(values, map[string]any{"name": name, "value": c.t.GroupSettings[name]})
		}
		items = append(items, map[string]any{"id": derivedID(c.t, unifiedSettings), "displayName": "Group.Unified", "templateId": unifiedSettings, "values": values})
	}
	return c.whole("groupSettings", items)
}

func groupLifecyclePolicies(c *call) (*reply, *odata.Error) {
	if !c.has("Directory.Read.All", "Directory.ReadWrite.All") {
		return nil, denied()
	}
	items := []any{}
	if days := c.t.GroupLifetime; days > 0 {
		items = append(items, map[string]any{"id": derivedID(c.t, "lifecycle"), "groupLifetimeInDays": days, "managedGroupTypes": "All", "alternateNotificationEmails": nil})
	}
	return c.whole("groupLifecyclePolicies", items)
}

// outsidePolicy are the roles whose holders name groups as they like. [K]: the document
// says "and some others".
var outsidePolicy = []string{roles.GlobalAdministrator, roles.UserAdministrator, roles.DirectoryWriters}

// checkPolicy refuses a Microsoft 365 group that the tenant does not want so. old is
// what it was before; nil for a new one.
func (c *call) checkPolicy(o, old *state.Object) *odata.Error {
	changed := func(name string) bool { return old == nil || old.Text(name) != o.Text(name) }
	if value := o.Text("classification"); value != "" && changed("classification") {
		if allowed := c.t.GroupSettings["ClassificationList"]; !slices.Contains(splitList(allowed), value) { // [K]: the words
			return badValue("InvalidValue", "classification", "Invalid value specified for property 'classification' of resource 'Group'.")
		}
	}
	if !o.Unified() || c.holds(outsidePolicy...) {
		return nil
	}
	names := map[string]string{}
	for _, name := range []string{"displayName", "mailNickname"} {
		if changed(name) {
			names[name] = o.Text(name)
		}
	}
	return c.misnamed(names)
}

// splitList is a list of texts with commas between them.
func splitList(text string) []string {
	var out []string
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// misnamed refuses names that break the naming policy; of each property it tells the
// first reason only.
func (c *call) misnamed(names map[string]string) *odata.Error {
	prefix, suffix, _ := strings.Cut(c.t.GroupSettings["PrefixSuffixNamingRequirement"], "[GroupName]")
	e := &odata.Error{Status: http.StatusUnprocessableEntity, Code: "Request_UnprocessableEntity", Message: "The values provided contain one or more validation errors."}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		value := names[name]
		blocked := slices.IndexFunc(splitList(c.t.GroupSettings["CustomBlockedWordsList"]), func(word string) bool { return strings.EqualFold(word, value) || hasWord(value, word) })
		switch {
		case !strings.HasPrefix(value, prefix) || !strings.HasSuffix(value, suffix):
			e.With(odata.Detail{Code: "MissingPrefixSuffix", Target: name, Prefix: prefix, Suffix: suffix,
				Message: name + " is missing a required prefix/suffix per your organization's Group naming requirements."})
		case blocked >= 0: // [K]: the name of the member and the words
			word := splitList(c.t.GroupSettings["CustomBlockedWordsList"])[blocked]
			e.With(odata.Detail{Code: "ContainsBlockedWord", Target: name, BlockedWord: word, Message: name + " contains a blocked word per your organization's Group naming requirements."})
		}
	}
	if len(e.Details) == 0 {
		return nil
	}
	return e
}

// hasWord tells whether a word stands in a text as a whole word.
func hasWord(text, word string) bool {
	parts := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" -_.,;:/", r) })
	return slices.ContainsFunc(parts, func(part string) bool { return strings.EqualFold(part, word) })
}

// validateGroup is POST /groups/{id}/validateProperties.
func validateGroup(c *call) (*reply, *odata.Error) {
	if !c.has("Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All") {
		return nil, denied()
	}
	o, e := c.group()
	if e != nil {
		return nil, e
	}
	return c.validate(o.ID)
}

// validateNewGroup is POST /directoryObjects/validateProperties.
func validateNewGroup(c *call) (*reply, *odata.Error) {
	if !c.has("Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All") {
		return nil, denied()
	}
	return c.validate("")
}

// validate answers whether names can be those of a Microsoft 365 group; id is the
// group's when there is one.
func (c *call) validate(id string) (*reply, *odata.Error) {
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	if kind := body["entityType"]; id == "" && kind != nil && kind != "Group" {
		return nil, invalidValue("Group", "entityType")
	}
	names := map[string]string{}
	for _, name := range []string{"displayName", "mailNickname"} {
		if value := state.Text(body[name]); value != "" {
			names[name] = value
		}
	}
	if len(names) == 0 {
		return nil, required("Group", "displayName")
	}
	if e := c.misnamed(names); e != nil {
		return nil, e
	}
	holder := c.t.Holder(state.ByAlias, names["mailNickname"])
	if holder != nil && holder.ID != id && (holder.Active() || holder.Restorable(c.now())) {
		return nil, (&odata.Error{Status: http.StatusUnprocessableEntity, Code: "Request_UnprocessableEntity", Message: "The values provided contain one or more validation errors."}).
			With(odata.Detail{Code: "PropertyConflict", Target: "mailNickname", Message: "Another object with the same value for property mailNickname already exists."})
	}
	return &reply{status: http.StatusNoContent}, nil
}
