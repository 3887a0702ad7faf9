package graph

import (
	"net/http"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

// things are the properties whose absence is an empty collection, beside those that
// are collections of texts.
var things = []string{
	"assignedLicenses", "assignedPlans", "identities", "provisionedPlans", "onPremisesProvisioningErrors",
	"serviceProvisioningErrors", "licenseAssignmentStates",
}

// value is a property of an object as Graph shows it.
func (c *call) value(o *state.Object, name string) any {
	if o.Kind == state.Group && !slices.Contains(basicGroup, name) && !c.has(readGroups...) {
		return nothing(o.Kind, name)
	}
	switch name {
	case "id":
		return o.ID
	case "deletedDateTime":
		if o.Deleted.IsZero() {
			return nil
		}
		return state.Stamp(o.Deleted)
	case "passwordProfile":
		return nil // never shown
	case "identities":
		return c.t.Identities(o)
	case "onPremisesExtensionAttributes":
		return o.Record(name)
	}
	if v, computed := c.licenceValue(o, name); computed {
		return v
	}
	v := o.Props[name]
	if v == nil {
		return nothing(o.Kind, name)
	}
	return v
}

// nothing is what a property without a value is shown as.
func nothing(kind, name string) any {
	if state.TableOf(kind).Properties[name].Type == state.Strings || slices.Contains(things, name) {
		return []any{}
	}
	return nil
}

// show is an object with the selected properties.
func (c *call) show(o *state.Object, names []string) map[string]any {
	out := make(map[string]any, len(names)+1)
	for _, n := range names {
		if n != "hasMembersWithLicenseErrors" { // only to filter by
			out[n] = c.value(o, n)
		}
	}
	return out
}

// showStandard is an object with the properties that are shown without $select.
func (c *call) showStandard(o *state.Object) map[string]any {
	return c.show(o, state.TableOf(o.Kind).Standard())
}

// selection reads $select for objects of a kind. Names of relations are told apart.
func (c *call) selection(table *state.Table, relations []string) (names, related []string, e *odata.Error) {
	selected := c.options.Select()
	if selected == nil {
		return table.Standard(), nil, nil
	}
	for _, n := range selected {
		if slices.Contains(relations, n) {
			related = append(related, n)
			continue
		}
		name, p, ok := table.Property(n)
		if !ok {
			return nil, nil, noProperty(table, n)
		}
		if p.Single && len(c.path.Names) == 1 && c.path.Names[0] != "me" {
			return nil, nil, odata.Unsupported("The property '%s' can only be read for one object at a time.", name)
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, related, nil
}

func noProperty(table *state.Table, name string) *odata.Error {
	return badRequest("Could not find a property named '%s' on type 'microsoft.graph.%s'.", name, table.Kind)
}

// contextOf names a set and its selection for @odata.context.
func (c *call) contextOf(set string, single bool) string {
	if sel := strings.TrimSpace(c.options["$select"]); sel != "" {
		set += "(" + strings.ReplaceAll(sel, " ", "") + ")"
	}
	if single {
		set += "/$entity"
	}
	return c.context(set)
}

// one answers with one object.
func (c *call) one(o *state.Object, set string) (*reply, *odata.Error) {
	names, _, e := c.selection(state.TableOf(o.Kind), nil)
	if e != nil {
		return nil, e
	}
	body := c.show(o, names)
	if e := c.expand(o, body); e != nil {
		return nil, e
	}
	body["@odata.context"] = c.contextOf(set, true)
	return &reply{status: http.StatusOK, body: body}, nil
}

// typed adds what an object is to an answer that holds it.
func typed(o *state.Object, out *reply, e *odata.Error) (*reply, *odata.Error) {
	if e != nil {
		return nil, e
	}
	out.body.(map[string]any)["@odata.type"] = resourceOf(o.Kind).odataType()
	return out, nil
}

// expand adds the manager when $expand asks for it; nothing else can be.
func (c *call) expand(o *state.Object, body map[string]any) *odata.Error {
	expansion, e := c.options.Expand()
	if e != nil || expansion.Relation == "" {
		return e
	}
	if !strings.EqualFold(expansion.Relation, "manager") || o.Kind != state.User {
		return odata.BadRequest("Parsing OData Select and Expand failed: Could not find a property named '%s'.", expansion.Relation)
	}
	if expansion.Levels != 1 && !(c.eventual() && c.options.Count()) {
		return odata.NeedsAdvanced("$levels")
	}
	names := state.Users.Standard()
	if expansion.Select != nil {
		names = nil
	}
	for _, n := range expansion.Select {
		known, _, ok := state.Users.Property(n)
		if !ok {
			return noProperty(state.Users, n)
		}
		names = append(names, known)
	}
	c.expandManager(o, body, names, expansion.Levels)
	return nil
}

// expandManager adds the manager, and its manager in turn, as often as levels says.
// [K]: that a circle ends at who was there before.
func (c *call) expandManager(o *state.Object, body map[string]any, names []string, levels int) {
	seen := map[string]bool{}
	for m := c.managerOf(o); m != nil && levels != 0 && !seen[m.ID]; m = c.managerOf(m) {
		seen[m.ID] = true
		levels--
		out := c.show(m, names)
		out["@odata.type"] = users.odataType()
		body["manager"] = out
		body = out
	}
}
