package graph

import (
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

// collection is a set of stored objects that a request lists.
type collection struct {
	*resource

	set     string // in @odata.context
	deleted bool   // the deleted items instead of the active ones
}

// find returns the object with an id as this call sees it, nil when it is not in the
// collection or the query does not find it.
func (c *call) find(l collection, id string, q query) *state.Object {
	o := c.seen(id)
	if o == nil || o.Kind != l.table.Kind {
		return nil
	}
	in := o.Active()
	if l.deleted {
		in = o.Restorable(c.now())
	}
	if !in || !q.matches(c, o) {
		return nil
	}
	return o
}

// candidates are the ids among which the objects of a query are: all, or those that
// the index of names knows.
func (c *call) candidates(l collection, q query) []string {
	if names := q.names(); names != nil && !l.deleted && c.lag == 0 {
		return c.t.Named(names)
	}
	return c.t.IDs(l.table.Kind)
}

// matching returns all objects that a query finds, in its order.
func (c *call) matching(l collection, q query) []*state.Object {
	var out []*state.Object
	for _, id := range c.candidates(l, q) {
		if o := c.find(l, id, q); o != nil {
			out = append(out, o)
		}
	}
	if q.order != nil {
		slices.SortStableFunc(out, func(a, b *state.Object) int { return odata.Compare(q.order, sortText(a), sortText(b)) })
	}
	return out
}

// sortText returns properties as objects are sorted by them.
func sortText(o *state.Object) func(property string) string {
	return func(property string) string {
		switch property {
		case "id":
			return o.ID
		case "deletedDateTime":
			return state.Stamp(o.Deleted)
		}
		return strings.ToLower(o.Text(property))
	}
}

// count answers with the number of objects that a query finds.
func (c *call) count(l collection) (*reply, *odata.Error) {
	if !c.eventual() {
		return nil, odata.NeedsAdvanced("$count")
	}
	q, e := c.query(l.table)
	if e != nil {
		return nil, e
	}
	return &reply{status: http.StatusOK, raw: []byte(strconv.Itoa(len(c.matching(l, q)))), kind: "text/plain"}, nil
}

// list answers one page of objects.
func (c *call) list(l collection) (*reply, *odata.Error) {
	names, _, e := c.selection(l.table, nil)
	if e != nil {
		return nil, e
	}
	q, e := c.query(l.table)
	if e != nil {
		return nil, e
	}
	objects, next, total := c.cut(l, q)
	items := make([]any, 0, len(objects))
	for _, o := range objects {
		item := c.show(o, names)
		if e := c.expand(o, item); e != nil {
			return nil, e
		}
		items = append(items, item)
	}
	body := map[string]any{"@odata.context": c.contextOf(l.set, false), "value": items}
	if q.count && !q.continued {
		body["@odata.count"] = total
	}
	next = c.spoil(body, q.page, next)
	c.goOn(body, q.page, next)
	return &reply{status: http.StatusOK, body: body}, nil
}

// cut takes one page; next is nil after the last. total is the number of all objects,
// when the query asks for it.
func (c *call) cut(l collection, q query) (objects []*state.Object, next *odata.PageToken, total int) {
	if q.order == nil {
		if q.count && !q.continued {
			total = len(c.matching(l, q))
		}
		objects, next = c.walk(l, q)
		return objects, next, total
	}
	all := c.matching(l, q)
	from := min(q.from.Skip, len(all))
	to := min(from+q.top, len(all))
	if to < len(all) {
		next = &odata.PageToken{Skip: to}
	}
	return all[from:to], next, len(all)
}

// walk takes one page in the order of ids, and looks no further.
func (c *call) walk(l collection, q query) (objects []*state.Object, next *odata.PageToken) {
	ids := c.candidates(l, q)
	if q.from.After != "" {
		ids = ids[sort.SearchStrings(ids, q.from.After+"\x00"):]
	}
	for _, id := range ids {
		o := c.find(l, id, q)
		if o == nil {
			continue
		}
		if len(objects) == q.top {
			return objects, &odata.PageToken{After: objects[len(objects)-1].ID}
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// goOn gives a page the link to the next one, unless it is the last.
func (c *call) goOn(body map[string]any, p page, next *odata.PageToken) {
	if next != nil {
		next.Made = c.now()
		next.Query = p.hash
	}
	if number, made, leads := c.loop(p.from.Loop, p.from.Made); leads {
		again := p.from
		again.Loop = number
		again.Made = made
		again.Query = p.hash
		next = &again
	}
	if next != nil {
		body["@odata.nextLink"] = c.link(next.Seal())
	}
}

// loopLength is how many links a cycle of links has.
const loopLength = 3

// loop tells whether the link onward of this page leads back to it, by a fault, and
// what distinguishes the link: a number, and when it was made. Of kind page-loop-same
// it is always the same link, of page-loop-cycle one of three in turn, of
// page-loop-new a new one each time.
func (c *call) loop(before int, made time.Time) (number int, when time.Time, leads bool) {
	if made.IsZero() {
		made = c.now()
	}
	switch {
	case c.strike(faults.PageLoopSame) != nil:
		return 1, made, true
	case c.strike(faults.PageLoopCycle) != nil:
		return before%loopLength + 1, made, true
	case c.strike(faults.PageLoopNew) != nil:
		return before + 1, made, true
	}
	return 0, made, false
}
