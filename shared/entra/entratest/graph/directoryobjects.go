package graph

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

var directoryObjectRoutes = []route{
	{"POST", "directoryobjects/getbyids", getByIDs},
	{"GET", "directoryobjects/{}", getDirectoryObject},
}

// maxByIDs is how many objects one getByIds can ask for.
const maxByIDs = 1000

// mixed answers a page of users, groups and roles; the path's segment at position
// may be a cast.
func (c *call) mixed(ids []string, position int) (*reply, *odata.Error) {
	cast := ""
	if len(c.path.Names) > position {
		kind, ok := strings.CutPrefix(c.path.Names[position], "microsoft.graph.")
		if !ok {
			return nil, odata.NoSuchPath(c.method, c.path.Raw[position])
		}
		cast = "#microsoft.graph." + kind
	}
	if e := c.checkMixed(cast); e != nil {
		return nil, e
	}
	p, e := c.page(mostTop)
	if e != nil {
		return nil, e
	}
	slices.Sort(ids)
	items := []any{}
	skipped := 0
	var next *odata.PageToken
	for _, id := range ids {
		item := c.directoryObject(id)
		if item == nil || cast != "" && !strings.EqualFold(typeOf(item), cast) {
			continue
		}
		if skipped < p.from.Skip {
			skipped++
			continue
		}
		if len(items) == p.top {
			next = &odata.PageToken{Skip: p.from.Skip + p.top}
			break
		}
		items = append(items, item)
	}
	body := map[string]any{"@odata.context": c.context("directoryObjects"), "value": items}
	c.goOn(body, p, next)
	return &reply{status: http.StatusOK, body: body}, nil
}

// checkMixed refuses what a collection of several kinds is not asked: filters, searches
// and orders, and a cast of somebody's memberships that is no advanced query.
func (c *call) checkMixed(cast string) *odata.Error {
	for _, option := range []string{"$filter", "$search", "$orderby", "$skip", "$expand"} {
		if _, given := c.options[option]; given {
			return odata.Unsupported("The query option '%s' is not supported for this collection.", option)
		}
	}
	memberships := strings.HasSuffix(c.path.Names[2], "memberof")
	if memberships && cast != "" && !(c.eventual() && c.options.Count()) {
		return odata.NeedsAdvanced("A cast of the segment '" + c.path.Raw[2] + "'")
	}
	return nil
}

func typeOf(item map[string]any) string { return state.Text(item["@odata.type"]) }

// directoryObject shows a user, group or role with the selected properties that its
// kind has; nil when there is none with the id.
func (c *call) directoryObject(id string) map[string]any {
	wanted := slices.DeleteFunc(c.options.Select(), func(n string) bool { return n == "" })
	if template, ok := roleOf(c.t, id); ok {
		all := showRole(c.t, template)
		if len(wanted) > 0 {
			maps.DeleteFunc(all, func(k string, _ any) bool { return k != "id" && !slices.Contains(wanted, k) })
		}
		all["@odata.type"] = "#microsoft.graph.directoryRole"
		return all
	}
	o := c.seen(id)
	if o == nil || !o.Active() {
		return nil
	}
	table := state.TableOf(o.Kind)
	names := table.Standard()
	if len(wanted) > 0 {
		names = []string{"id"}
	}
	for _, n := range wanted {
		if known, _, ok := table.Property(n); ok && known != "id" {
			names = append(names, known)
		}
	}
	out := c.show(o, names)
	out["@odata.type"] = resourceOf(o.Kind).odataType()
	return out
}

// getByIDs is POST /directoryObjects/getByIds.
func getByIDs(c *call) (*reply, *odata.Error) {
	if !c.has(with(readUsers, readGroups...)...) {
		return nil, denied()
	}
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	ids := state.Texts(body["ids"])
	if len(ids) == 0 || len(ids) > maxByIDs {
		return nil, badRequest("ids takes 1 to %d ids.", maxByIDs)
	}
	types := state.Texts(body["types"])
	items := []any{}
	for _, id := range ids {
		item := c.directoryObject(id)
		if item == nil {
			continue
		}
		kind := strings.TrimPrefix(typeOf(item), "#microsoft.graph.")
		isWanted := func(t string) bool { return strings.EqualFold(t, kind) || strings.EqualFold(t, "directoryObject") }
		if len(types) == 0 || slices.ContainsFunc(types, isWanted) {
			items = append(items, item)
		}
	}
	return &reply{status: http.StatusOK, body: map[string]any{"@odata.context": c.context("directoryObjects"), "value": items}}, nil
}

func getDirectoryObject(c *call) (*reply, *odata.Error) {
	if !c.has(with(readUsers, readGroups...)...) {
		return nil, denied()
	}
	item := c.directoryObject(c.ref())
	if item == nil {
		return nil, notThere(c.ref())
	}
	item["@odata.context"] = c.context("directoryObjects/$entity")
	return &reply{status: http.StatusOK, body: item}, nil
}
