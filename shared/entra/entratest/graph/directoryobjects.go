package graph

import (
	"maps"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

var directoryObjectRoutes = []route{
	{"POST", "directoryobjects/getbyids", getByIDs},
	{"GET", "directoryobjects/{}", getDirectoryObject},
}

// maxByIDs is how many objects one getByIds can ask for.
const maxByIDs = 1000

// servicePrincipalKind is the kind of applications, which are computed and not kept.
const servicePrincipalKind = "servicePrincipal"

// known returns a user, group or application as this call sees it, nil when there is
// none with the id.
func (c *call) known(id string) *state.Object {
	if o := c.seen(id); o != nil || c.t.Object(id) != nil {
		return o
	}
	for _, sp := range c.servicePrincipals() {
		if strings.EqualFold(state.Text(sp["id"]), id) {
			return &state.Object{ID: state.Text(sp["id"]), Kind: servicePrincipalKind, Props: sp}
		}
	}
	return nil
}

// mix is what a collection of several kinds is asked for.
type mix struct {
	page

	kind   string // by a cast; empty: all kinds
	query  query  // of the kind, with a filter, a search or an order
	asks   bool   // there is such a query
	number bool   // only the number is wanted
}

// mix reads the options of such a collection; the path's segment at position may be a
// cast. Filters, searches and orders take a cast and an advanced query, and so does a
// cast of somebody's memberships.
func (c *call) mix(position int) (m mix, e *odata.Error) {
	names := c.path.Names[min(position, len(c.path.Names)):]
	if n := len(names); n > 0 && names[n-1] == "$count" {
		m.number = true
		names = names[:n-1]
	}
	if len(names) > 0 {
		kind, ok := strings.CutPrefix(names[0], "microsoft.graph.")
		if !ok {
			return m, odata.NoSuchPath(c.method, c.path.Raw[position])
		}
		m.kind = kind
	}
	advanced := c.eventual() && (c.options.Count() || m.number)
	if m.number && !c.eventual() {
		return m, odata.NeedsAdvanced("$count")
	}
	for _, option := range []string{"$filter", "$search", "$orderby"} {
		_, given := c.options[option]
		m.asks = m.asks || given
	}
	for _, option := range []string{"$skip", "$expand"} {
		if _, given := c.options[option]; given {
			return m, odata.Unsupported("The query option '%s' is not supported for this collection.", option)
		}
	}
	table := state.TableOf(m.kind)
	switch memberships := len(c.path.Names) > 2 && strings.HasSuffix(c.path.Names[2], "memberof"); {
	case m.asks && table == nil:
		return m, odata.Unsupported("Filters, searches and orders are not supported for this collection.")
	case (m.asks || memberships && m.kind != "") && !advanced:
		return m, odata.NeedsAdvanced("A query of the segment '" + c.path.Raw[2] + "'")
	case !m.asks:
		m.page, e = c.page(mostTop)
		return m, e
	}
	m.query, e = c.query(table)
	m.page = m.query.page
	return m, e
}

// mixed answers a page of users, groups, applications and roles, or how many there
// are; the path's segment at position may be a cast.
func (c *call) mixed(ids []string, position int) (*reply, *odata.Error) {
	m, e := c.mix(position)
	if e != nil {
		return nil, e
	}
	slices.Sort(ids)
	count := c.eventual() && c.options.Count()
	if !m.asks && !m.number && !count {
		objects, next := c.walkMixed(ids, m)
		return c.showMixed(objects, m, next, nil), nil
	}
	var objects []*state.Object
	for _, id := range ids {
		if o := c.related(id); m.holds(o) && (!m.asks || m.query.matches(c, o)) {
			objects = append(objects, o)
		}
	}
	if m.number {
		return &reply{status: http.StatusOK, raw: []byte(strconv.Itoa(len(objects))), kind: "text/plain"}, nil
	}
	if m.query.order != nil {
		slices.SortStableFunc(objects, func(a, b *state.Object) int { return odata.Compare(m.query.order, sortText(a), sortText(b)) })
	}
	var total any
	if count && !m.continued {
		total = len(objects)
	}
	objects, next := cutMixed(objects, m.page)
	return c.showMixed(objects, m, next, total), nil
}

// holds tells whether an object is of the kind that is asked for; none is not.
func (m mix) holds(o *state.Object) bool {
	return o != nil && (m.kind == "" || strings.EqualFold(o.Kind, m.kind))
}

// walkMixed takes one page of sorted ids, and looks no further.
func (c *call) walkMixed(ids []string, m mix) (objects []*state.Object, next *odata.PageToken) {
	for _, id := range ids[sort.SearchStrings(ids, m.from.After+"\x00"):] {
		o := c.related(id)
		if !m.holds(o) {
			continue
		}
		if len(objects) == m.top {
			return objects, &odata.PageToken{After: objects[len(objects)-1].ID}
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// showMixed is the answer with one page; total is how many there are in all, or nil.
func (c *call) showMixed(objects []*state.Object, m mix, next *odata.PageToken, total any) *reply {
	items := []any{}
	for _, o := range objects {
		items = append(items, c.directoryObject(o.ID))
	}
	body := map[string]any{"@odata.context": c.context("directoryObjects"), "value": items}
	if total != nil {
		body["@odata.count"] = total
	}
	next = c.spoil(body, m.page, next)
	c.goOn(body, m.page, next)
	return &reply{status: http.StatusOK, body: body}
}

// related is an object behind a relation: active, and as this call sees it. A role
// stands for itself.
func (c *call) related(id string) *state.Object {
	o := c.known(id)
	if o != nil && o.Active() {
		return o
	}
	if _, ok := roleOf(c.t, id); ok && o == nil {
		return &state.Object{ID: id, Kind: "directoryRole"}
	}
	return nil
}

// cutMixed takes one page; next is nil on the last.
func cutMixed(objects []*state.Object, p page) ([]*state.Object, *odata.PageToken) {
	from := min(p.from.Skip, len(objects))
	to := min(from+p.top, len(objects))
	if to == len(objects) {
		return objects[from:to], nil
	}
	return objects[from:to], &odata.PageToken{Skip: to}
}

// spoil lets the faults befall the items of a page; next is where the listing goes on
// after it.
func (c *call) spoil(body map[string]any, p page, next *odata.PageToken) *odata.PageToken {
	if c.strike(faults.PageEmpty) != nil {
		body["value"] = []any{}
		return &odata.PageToken{After: p.from.After, Skip: p.from.Skip} // this page once more
	}
	if c.strike(faults.PagePartial) != nil {
		items := listOf(body["value"])
		body["value"] = items[:len(items)/2]
		return nil
	}
	return next
}

func typeOf(item map[string]any) string { return state.Text(item["@odata.type"]) }

// directoryObject shows a user, group or role with the selected properties that its
// kind has; nil when there is none with the id.
func (c *call) directoryObject(id string) map[string]any {
	wanted := slices.DeleteFunc(c.options.Select(), func(n string) bool { return n == "" })
	o := c.known(id)
	if template, ok := roleOf(c.t, id); ok && o == nil {
		all := showRole(c.t, template)
		if len(wanted) > 0 {
			maps.DeleteFunc(all, func(k string, _ any) bool { return k != "id" && !slices.Contains(wanted, k) })
		}
		all["@odata.type"] = "#microsoft.graph.directoryRole"
		return all
	}
	if o == nil || !o.Active() {
		return nil
	}
	if o.Kind == servicePrincipalKind {
		return c.showApplication(o, wanted)
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
	if c.conceals(o.Kind, o.ID) {
		for name := range out {
			out[name] = nothing(o.Kind, name)
		}
		out["id"] = o.ID
	}
	out["@odata.type"] = resourceOf(o.Kind).odataType()
	return out
}

// showApplication is an application among other objects.
func (c *call) showApplication(o *state.Object, wanted []string) map[string]any {
	out := maps.Clone(o.Props)
	maps.DeleteFunc(out, func(name string, _ any) bool {
		return name != "id" && (c.conceals(o.Kind, o.ID) || len(wanted) > 0 && !slices.Contains(wanted, name))
	})
	out["@odata.type"] = "#microsoft.graph." + servicePrincipalKind
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
