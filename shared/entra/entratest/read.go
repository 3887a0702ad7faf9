package entratest

import (
	"net/http"
	"slices"
	"strings"
)

// listThings are the properties whose absence is an empty collection.
var listThings = []string{
	"assignedLicenses", "assignedPlans", "identities", "provisionedPlans", "onPremisesProvisioningErrors",
	"serviceProvisioningErrors", "licenseAssignmentStates",
}

// value is a property as Graph shows it.
func (t *tenant) value(o *object, name string) any {
	props, _ := table(o.Kind)
	switch name {
	case "id":
		return o.ID
	case "deletedDateTime":
		if !o.Deleted.IsZero() {
			return stamp(o.Deleted)
		}
		return nil
	case "passwordProfile":
		return nil // never shown
	case "identities":
		invited := o.text("creationType") == "Invitation" || o.text("creationType") == "SelfServiceSignUp"
		switch given, _ := o.Props[name].([]any); {
		case len(given) > 0:
			return given
		case invited && !o.Converted:
			return externalIdentities(t, "ExternalAzureAD", o.text("userPrincipalName"))
		}
		return []any{map[string]any{"signInType": "userPrincipalName", "issuer": t.initialDomain(), "issuerAssignedId": o.text("userPrincipalName")}}
	case "onPremisesExtensionAttributes":
		all := map[string]any{}
		given, _ := o.Props[name].(map[string]any)
		for _, a := range extensionAttributes {
			all[a] = given[a]
		}
		return all
	}
	v := o.Props[name]
	if v == nil && (props[name].kind == aList || slices.Contains(listThings, name)) {
		return []any{}
	}
	return v
}

func (t *tenant) initialDomain() string {
	for _, d := range t.domains {
		if d.IsInitial {
			return d.Name
		}
	}
	return ""
}

// show is an object with the selected properties.
func (t *tenant) show(o *object, names []string) map[string]any {
	out := make(map[string]any, len(names)+1)
	for _, n := range names {
		out[n] = t.value(o, n)
	}
	return out
}

// selection reads $select. extra are names that stand for relations.
func (c *call) selection(kind string, extra ...string) (names, relations []string, e *graphError) {
	text, ok := c.q["$select"]
	if !ok || strings.TrimSpace(text) == "" {
		return standardSet(kind), nil, nil
	}
	_, resource := table(kind)
	for _, n := range strings.Split(text, ",") {
		n = strings.TrimSpace(n)
		if slices.Contains(extra, n) {
			relations = append(relations, n)
			continue
		}
		name, p, ok := propertyName(kind, n)
		if !ok {
			return nil, nil, request400("Could not find a property named '%s' on type 'microsoft.graph.%s'.", n, strings.ToLower(resource))
		}
		if p.single && len(c.names) == 1 && c.names[0] != "me" {
			return nil, nil, badGraph("Request_UnsupportedQuery", "The property '%s' can only be read for one object at a time.", name)
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, relations, nil
}

// contextOf names a set and its selection for @odata.context.
func (c *call) contextOf(set string, single bool) string {
	if sel := strings.TrimSpace(c.q["$select"]); sel != "" {
		set += "(" + strings.ReplaceAll(sel, " ", "") + ")"
	}
	if single {
		set += "/$entity"
	}
	return c.context(set)
}

func (c *call) getUser() (*reply, *graphError) {
	scopes := readUsers
	if strings.EqualFold(c.ref(), c.me.ID) || strings.EqualFold(c.ref(), c.me.text("userPrincipalName")) {
		scopes = readSelf
	}
	if !c.has(scopes...) {
		return nil, denied()
	}
	o, e := c.lookup(kindUser, c.ref())
	if e != nil {
		return nil, e
	}
	return c.one(o, "users")
}

// one answers with one object.
func (c *call) one(o *object, set string) (*reply, *graphError) {
	names, _, e := c.selection(o.Kind)
	if e != nil {
		return nil, e
	}
	body := c.t.show(o, names)
	if e := c.expand(o, body); e != nil {
		return nil, e
	}
	body["@odata.context"] = c.contextOf(set, true)
	return &reply{status: http.StatusOK, body: body}, nil
}

// expand adds the manager when $expand asks for it; nothing else can be.
func (c *call) expand(o *object, body map[string]any) *graphError {
	text := strings.TrimSpace(c.q["$expand"])
	if text == "" {
		return nil
	}
	name, inner, _ := strings.Cut(strings.TrimSuffix(text, ")"), "(")
	if !strings.EqualFold(name, "manager") || o.Kind != kindUser {
		return badGraph("BadRequest", "Parsing OData Select and Expand failed: Could not find a property named '%s'.", name)
	}
	m := c.seen(o.Manager)
	if o.Manager == "" || m == nil || !m.active() {
		return nil
	}
	names := standardSet(kindUser)
	if inner != "" {
		option, list, _ := strings.Cut(inner, "=")
		if !strings.EqualFold(option, "$select") {
			return badGraph("BadRequest", "Parsing OData Select and Expand failed.")
		}
		names = nil
		for _, n := range strings.Split(list, ",") {
			known, _, ok := propertyName(kindUser, strings.TrimSpace(n))
			if !ok {
				return request400("Could not find a property named '%s' on type 'microsoft.graph.user'.", n)
			}
			names = append(names, known)
		}
	}
	out := c.t.show(m, names)
	out["@odata.type"] = "#microsoft.graph.user"
	body["manager"] = out
	return nil
}
