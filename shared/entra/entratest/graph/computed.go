package graph

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

// Collections that are computed for each call and not kept as objects: domains,
// roles, grants, the audit log. Any property that an item has can be filtered by.

// whole answers a computed collection on one page, filtered and cut to $select.
func (c *call) whole(set string, items []any) (*reply, *odata.Error) {
	items, e := c.filtered(items)
	if e != nil {
		return nil, e
	}
	return c.computed(set, items), nil
}

// paged answers a page of a computed collection, of $top items or 100.
func (c *call) paged(set string, items []any, most int) (*reply, *odata.Error) {
	p, e := c.page(most)
	if e != nil {
		return nil, e
	}
	items, e = c.filtered(items)
	if e != nil {
		return nil, e
	}
	from := min(p.from.Skip, len(items))
	to := min(from+p.top, len(items))
	var next *odata.PageToken
	if to < len(items) {
		next = &odata.PageToken{Skip: to}
	}
	out := c.computed(set, items[from:to])
	c.goOn(out.body.(map[string]any), p, next)
	return out, nil
}

// single answers with one item of a computed collection.
func (c *call) single(set string, item map[string]any) (*reply, *odata.Error) {
	items, e := c.filtered([]any{item})
	if e != nil {
		return nil, e
	}
	if len(items) == 0 {
		return nil, notThere(state.Text(item["id"]))
	}
	c.cutToSelect(item)
	item["@odata.context"] = c.contextOf(set, true)
	return &reply{status: http.StatusOK, body: item}, nil
}

func (c *call) computed(set string, items []any) *reply {
	for _, it := range items {
		c.cutToSelect(it.(map[string]any))
	}
	return &reply{status: http.StatusOK, body: map[string]any{"@odata.context": c.contextOf(set, false), "value": items}}
}

// filtered are the items for which $filter holds.
func (c *call) filtered(items []any) ([]any, *odata.Error) {
	text := c.options["$filter"]
	if text == "" {
		return items, nil
	}
	f, e := odata.ParseFilter(text, func(string, string, any) *odata.Error { return nil })
	if e != nil {
		return nil, e
	}
	return slices.DeleteFunc(items, func(it any) bool {
		return !f.Match(func(path string) any { return descend(it, path) })
	}), nil
}

// cutToSelect leaves the properties of an item that $select names.
func (c *call) cutToSelect(item map[string]any) {
	names := c.options.Select()
	if names == nil {
		return
	}
	maps.DeleteFunc(item, func(k string, _ any) bool {
		return !strings.HasPrefix(k, "@") && !slices.Contains(names, k) && k != "principal" && k != "roleDefinition"
	})
}

// descend follows a path such as initiatedBy/user/id.
func descend(v any, path string) any {
	for _, name := range strings.Split(path, "/") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}
