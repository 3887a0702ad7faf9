package entratest

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// bind adds members by their addresses, all or none, to a copy of a group that was
// put.
func (c *call) bind(o *object, v any) *graphError {
	if v == nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok || len(list) > 20 {
		return request400("members@odata.bind takes up to 20 addresses.")
	}
	if o.Members == nil {
		o.Members = map[string]int64{}
	}
	for _, link := range list {
		m, e := c.linked(text(link))
		if e != nil {
			return e
		}
		if o.Members[m.ID] > 0 {
			return alreadyMember()
		}
		o.Members[m.ID] = o.Version
	}
	return nil
}

func alreadyMember() *graphError {
	return request400("One or more added object references already exist for the following modified properties: 'members'.")
}

// linked finds the object that an absolute address names.
func (c *call) linked(link string) (*object, *graphError) {
	u, err := url.Parse(link)
	parts := strings.Split(strings.Trim(link, "/"), "/")
	if err != nil || !u.IsAbs() || len(parts) < 2 {
		return nil, request400("Invalid URL format specified in @odata.id: '%s'.", link)
	}
	sub := &call{method: c.method}
	if e := sub.parsePath(u.Path); e != nil || len(sub.raw) < 2 {
		return nil, request400("Invalid URL format specified in @odata.id: '%s'.", link)
	}
	set, id := sub.names[len(sub.names)-2], sub.raw[len(sub.raw)-1]
	if set != "users" && set != "directoryobjects" && set != "groups" {
		return nil, request400("Invalid URL format specified in @odata.id: '%s'.", link)
	}
	o := c.seen(id)
	if o == nil && set == "users" {
		o, _ = c.lookup(kindUser, id)
	}
	if o == nil || !o.active() {
		return nil, notThere(id)
	}
	return c.t.objects[o.ID], nil
}

// editableMembers refuses groups whose members come from elsewhere.
func editableMembers(o *object) *graphError {
	types := o.list("groupTypes")
	switch {
	case slices.Contains(types, "DynamicMembership"):
		return denied()
	case o.flag("onPremisesSyncEnabled"):
		return onPremises()
	case o.flag("mailEnabled") && !slices.Contains(types, "Unified"):
		return request400("Cannot Update a mail-enabled security groups and or distribution list.")
	}
	return nil
}

func (c *call) bindMembers(o *object, given map[string]any, binds any) (*reply, *graphError) {
	next := o.clone()
	maps.Copy(next.Props, given)
	names, _, after := difference(o, next)
	ch := change{s: c.s, t: c.t}
	ch.put(next, append(names, "members")...)
	if e := c.bind(next, binds); e != nil {
		return nil, e
	}
	m := c.mutation("member-add", next)
	m.After = after
	m.After["members"] = binds
	ch.log = append(ch.log, m)
	if err := ch.commit(); err != nil {
		return nil, failed(err)
	}
	return &reply{status: http.StatusNoContent}, nil
}

// addMember is POST /groups/{id}/members/$ref.
func (c *call) addMember() (*reply, *graphError) {
	body, e := c.object()
	if e != nil {
		return nil, e
	}
	o, e := c.memberTarget()
	if e != nil {
		return nil, e
	}
	m, e := c.linked(text(body["@odata.id"]))
	if e != nil {
		return nil, e
	}
	if o.Members[m.ID] > 0 {
		return nil, alreadyMember()
	}
	return c.setMember(o, m.ID, true)
}

func (c *call) memberTarget() (*object, *graphError) {
	if !c.has(append(slices.Clone(groupWriters), "GroupMember.ReadWrite.All")...) {
		return nil, denied()
	}
	o, e := c.target(kindGroup, c.ref())
	if e != nil {
		return nil, e
	}
	if e := c.mayEditGroup(o); e != nil {
		return nil, e
	}
	return o, editableMembers(o)
}

func (c *call) setMember(o *object, id string, in bool) (*reply, *graphError) {
	next := o.clone()
	if next.Members == nil {
		next.Members = map[string]int64{}
	}
	ch := change{s: c.s, t: c.t}
	ch.put(next, "members")
	next.Members[id] = next.Version
	kind := "member-add"
	if !in {
		next.Members[id], kind = -next.Version, "member-remove"
	}
	m := c.mutation(kind, next)
	m.After = map[string]any{"member": id}
	ch.log = append(ch.log, m)
	if err := ch.commit(); err != nil {
		return nil, failed(err)
	}
	return &reply{status: http.StatusNoContent}, nil
}

// removeMember is DELETE /groups/{id}/members/{id}/$ref, or with ?$id= and @id=.
func (c *call) removeMember() (*reply, *graphError) {
	o, e := c.memberTarget()
	if e != nil {
		return nil, e
	}
	id := strings.ToLower(c.raw[3])
	if len(c.raw) == 4 {
		link := c.q["$id"] + c.q["@id"]
		m, e := c.linked(link)
		if e != nil {
			return nil, e
		}
		id = m.ID
	}
	if o.Members[id] <= 0 {
		return nil, notThere(id)
	}
	return c.setMember(o, id, false)
}

// groupMembers lists members, with a cast or without.
func (c *call) groupMembers() (*reply, *graphError) {
	if !c.has(readGroups...) {
		return nil, denied()
	}
	o, e := c.lookup(kindGroup, c.ref())
	if e != nil {
		return nil, e
	}
	var ids []string
	var walk func(g *object, seen map[string]bool)
	walk = func(g *object, seen map[string]bool) {
		for id, v := range g.Members {
			m := c.seen(id)
			if v <= 0 || seen[id] || m == nil || !m.active() {
				continue
			}
			seen[id] = true
			ids = append(ids, id)
			if m.Kind == kindGroup && c.names[2] == "transitivemembers" {
				walk(m, seen)
			}
		}
	}
	walk(o, map[string]bool{})
	return c.mixed(ids, 3)
}

func (c *call) groupOwners() (*reply, *graphError) {
	if !c.has(readGroups...) {
		return nil, denied()
	}
	o, e := c.lookup(kindGroup, c.ref())
	if e != nil {
		return nil, e
	}
	return c.mixed(slices.Clone(o.Owners), 3)
}

// mixed answers a page of users, groups and roles; the path's segment at position
// may be a cast.
func (c *call) mixed(ids []string, position int) (*reply, *graphError) {
	cast := ""
	if len(c.names) > position {
		var ok bool
		if cast, ok = strings.CutPrefix(c.names[position], "microsoft.graph."); !ok {
			return nil, noSuchPath(c.method, c.raw[position])
		}
	}
	q, e := c.query(kindUser)
	if e != nil {
		return nil, e
	}
	slices.Sort(ids)
	items := []any{}
	skipped := 0
	var next *pageToken
	for _, id := range ids {
		item := c.memberItem(id)
		kind := text(item["@odata.type"])
		if item == nil || cast != "" && !strings.EqualFold(kind, "#microsoft.graph."+cast) {
			continue
		}
		if skipped < q.from.Skip {
			skipped++
			continue
		}
		if len(items) == q.top {
			next = &pageToken{Skip: q.from.Skip + q.top}
			break
		}
		items = append(items, item)
	}
	body := map[string]any{"@odata.context": c.context("directoryObjects"), "value": items}
	c.goOn(body, q, next)
	return &reply{status: http.StatusOK, body: body}, nil
}

// memberItem shows a user, group or role with the selected properties that its
// kind has.
func (c *call) memberItem(id string) map[string]any {
	wanted := []string{}
	for _, n := range strings.Split(c.q["$select"], ",") {
		if n = strings.TrimSpace(n); n != "" {
			wanted = append(wanted, n)
		}
	}
	if template, ok := c.t.roleOf(id); ok {
		all := c.t.showRole(template)
		if len(wanted) > 0 {
			maps.DeleteFunc(all, func(k string, _ any) bool { return k != "id" && !slices.Contains(wanted, k) })
		}
		all["@odata.type"] = "#microsoft.graph.directoryRole"
		return all
	}
	o := c.seen(id)
	if o == nil || !o.active() {
		return nil
	}
	names := standardSet(o.Kind)
	if len(wanted) > 0 {
		names = []string{"id"}
		for _, n := range wanted {
			if known, _, ok := propertyName(o.Kind, n); ok && known != "id" {
				names = append(names, known)
			}
		}
	}
	out := c.t.show(o, names)
	out["@odata.type"] = "#microsoft.graph." + o.Kind
	return out
}
