package graph

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

// deltaLife is how long a link of a delta query may be followed.
const deltaLife = 7 * 24 * time.Hour

// deltaPage is the usual number of items on a page of a delta query.
const deltaPage = 200

// delta answers one page of a round.
func (c *call) delta(r *resource) (*reply, *odata.Error) {
	t, latest, e := c.deltaToken(r)
	if e != nil {
		return nil, e
	}
	if t.Begun || t.Since > 0 {
		if c.strike(faults.DeltaGone) != nil {
			return nil, c.resync(r.set)
		}
		if c.strike(faults.DeltaStateNotFound) != nil || c.now().Sub(t.Made) > deltaLife {
			return nil, odata.Refuse("syncStateNotFound", "Sync state generation is not found. Restart the synchronization without a token.")
		}
	}
	body := map[string]any{"@odata.context": c.context(r.set)}
	out := &reply{status: http.StatusOK, body: body}
	if latest {
		t.Since = c.tx.Version()
		body["value"] = []any{}
		body["@odata.deltaLink"] = c.deltaLink(r.set, "$deltatoken", t)
		return out, nil
	}
	if !t.Begun {
		t.Begun = true
		t.Until = c.tx.Version()
	}
	items, next, held := c.deltaItems(t)
	body["value"] = items
	if number, made, leads := c.loop(t.Loop, t.Made); leads {
		t.Loop = number
		t.Made = made
		body["@odata.nextLink"] = c.sealedLink(r.set, "$skiptoken", t)
	} else if next != nil {
		body["@odata.nextLink"] = c.deltaLink(r.set, "$skiptoken", *next)
	} else {
		done := odata.DeltaToken{Kind: t.Kind, Tenant: t.Tenant, Since: min(t.Until, held), Names: t.Names, Relations: t.Relations, IDs: t.IDs}
		body["@odata.deltaLink"] = c.deltaLink(r.set, "$deltatoken", done)
	}
	return out, nil
}

// resync is what a tenant's move between data centres does to a token.
func (c *call) resync(set string) *odata.Error {
	return &odata.Error{
		Status: http.StatusGone, Code: "resyncRequired", Message: "Resync required. Replace any local items with the server's version.",
		Header: map[string]string{"Location": c.base + "/" + set + "/delta?$deltatoken="},
	}
}

func (c *call) deltaLink(set, option string, t odata.DeltaToken) string {
	t.Made = c.now()
	return c.sealedLink(set, option, t)
}

func (c *call) sealedLink(set, option string, t odata.DeltaToken) string {
	return c.base + "/" + set + "/delta?" + option + "=" + url.QueryEscape(t.Seal())
}

// deltaToken reads the token of a call, or makes that of a first one. latest tells
// that the client wants to hear of later changes only.
func (c *call) deltaToken(r *resource) (t odata.DeltaToken, latest bool, e *odata.Error) {
	for _, option := range []string{"$top", "$orderby", "$expand", "$search", "$count", "$skip"} {
		if _, given := c.options[option]; given {
			return t, false, odata.Unsupported("The query option '%s' is not supported for delta queries of this resource.", option)
		}
	}
	latest = strings.EqualFold(c.options["$deltatoken"], "latest")
	if text := c.options["$skiptoken"] + c.options["$deltatoken"]; text != "" && !latest {
		t, ok := odata.OpenDelta(text)
		if !ok || t.Kind != r.table.Kind || t.Tenant != c.t.ID {
			return t, false, odata.BadRequest("Badly formed token.")
		}
		return t, false, nil
	}
	t = odata.DeltaToken{Kind: r.table.Kind, Tenant: c.t.ID}
	if t.Names, t.Relations, e = c.selection(r.table, r.relations); e != nil {
		return t, false, e
	}
	if c.options.Select() == nil {
		t.Relations = r.followed
	}
	t.IDs, e = odata.ParseIDs(c.options["$filter"])
	return t, latest, e
}

// deltaItems are the items of one page; next is nil on the last. held is the
// version before the oldest change that a lagging replica does not show yet.
func (c *call) deltaItems(t odata.DeltaToken) (items []any, next *odata.DeltaToken, held int64) {
	list, held := c.changed(t)
	if c.strike(faults.DeltaEmptyPage) != nil {
		again := t
		return []any{}, &again, held
	}
	size := odata.PageSize(c.header.Get("Prefer"), deltaPage, mostTop)
	slice := c.sliceSize()
	shown := list
	items = []any{}
	for i, o := range list {
		if i == size {
			shown = list[:size]
			next = after(t, list[:size])
			break
		}
		item, rest := c.deltaSlice(o, t, slice)
		items = append(items, item)
		if rest != "" { // the same object goes on in the next page
			shown = list[:i+1]
			next = after(t, list[:i])
			next.SliceOf = o.ID
			next.SliceAfter = rest
			break
		}
	}
	return c.disturb(items, shown, t), next, held
}

// after is the token of the page behind objects that were told whole.
func after(t odata.DeltaToken, told []*state.Object) *odata.DeltaToken {
	t.SliceOf = ""
	t.SliceAfter = ""
	if n := len(told); n > 0 {
		t.Version = told[n-1].Version
		t.ID = told[n-1].ID
	}
	return &t
}

// changed are the objects that a round still has to tell of, in the order of their
// changes.
func (c *call) changed(t odata.DeltaToken) (list []*state.Object, held int64) {
	held = c.tx.Version()
	for _, id := range c.t.IDs(t.Kind) {
		if t.IDs != nil && !slices.Contains(t.IDs, id) {
			continue
		}
		o := c.t.Object(id)
		seen := c.seen(id)
		if seen != o {
			held = min(held, o.Version-1)
		}
		if seen == nil || !shows(seen, t) {
			continue
		}
		if seen.Version > t.Version || seen.Version == t.Version && seen.ID > t.ID {
			list = append(list, seen)
		}
	}
	slices.SortFunc(list, func(a, b *state.Object) int {
		return cmp.Or(cmp.Compare(a.Version, b.Version), strings.Compare(a.ID, b.ID))
	})
	return list, held
}

// shows tells whether an object belongs to a round.
func shows(o *state.Object, t odata.DeltaToken) bool {
	if t.Since == 0 {
		return o.Active()
	}
	if o.StateVersion > t.Since {
		return true
	}
	if !o.Active() {
		return false
	}
	touched := func(name string) bool { return o.Touched[name] > t.Since }
	return slices.ContainsFunc(t.Names, touched) || slices.ContainsFunc(t.Relations, touched)
}

// deltaItem is one object as a delta query shows it, with all its relations.
func (c *call) deltaItem(o *state.Object, t odata.DeltaToken) map[string]any {
	t.SliceOf = ""
	item, _ := c.deltaSlice(o, t, 0)
	return item
}

// deltaSlice is one object as a delta query shows it, with up to size of those that came
// to and left its relations, or all for 0; rest says where the others begin.
func (c *call) deltaSlice(o *state.Object, t odata.DeltaToken, size int) (item map[string]any, rest string) {
	switch {
	case o.Gone:
		return removedItem(o.ID, "deleted"), ""
	case !o.Deleted.IsZero():
		return removedItem(o.ID, "changed"), ""
	}
	item = map[string]any{"id": o.ID}
	from := ""
	if t.SliceOf == o.ID {
		from = t.SliceAfter // the properties were told with the first slice
	} else {
		c.deltaProperties(item, o, t)
	}
	if o.Kind == state.User {
		if list := managerDelta(o, t.Since); len(list) > 0 && slices.Contains(t.Relations, "manager") {
			item["manager@delta"] = list
		}
		return item, ""
	}
	return item, c.linksDelta(item, o, t, from, size)
}

// deltaProperties adds the properties of an object that a round tells of.
func (c *call) deltaProperties(item map[string]any, o *state.Object, t odata.DeltaToken) {
	minimal := odata.Minimal(c.header.Get("Prefer")) && o.StateVersion <= t.Since
	for _, n := range t.Names {
		if _, ever := o.Props[n]; ever && (!minimal || o.Touched[n] > t.Since) {
			item[n] = c.value(o, n)
		}
	}
}

func removedItem(id, reason string) map[string]any {
	return map[string]any{"id": id, "@removed": map[string]any{"reason": reason}}
}

func managerDelta(o *state.Object, since int64) []any {
	switch {
	case o.Touched["manager"] <= since && o.StateVersion <= since:
		return nil
	case o.Manager != "":
		return []any{related(users.odataType(), o.Manager)}
	case since > 0 && o.Touched["manager"] > since:
		return []any{unrelated(users.odataType(), o.FormerManager)}
	}
	return nil
}

func related(kind, id string) map[string]any {
	return map[string]any{"@odata.type": kind, "id": id}
}

func unrelated(kind, id string) map[string]any {
	item := removedItem(id, "deleted")
	item["@odata.type"] = kind
	return item
}
