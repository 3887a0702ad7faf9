package graph

import (
	"maps"
	"slices"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

// maxReplayed is how many items that did not change a replay brings.
const maxReplayed = 5

// disturb lets the faults befall a page of a delta query: what Microsoft's documents
// say a client must bear.
func (c *call) disturb(items []any, list []*state.Object, t odata.DeltaToken) []any {
	if c.strike(faults.DeltaDuplicate) != nil {
		items = append(items, items...)
	}
	if c.strike(faults.DeltaReplay) != nil {
		items = append(items, c.replayed(list, t)...)
	}
	if c.strike(faults.DeltaSplit) != nil {
		items = split(items)
	}
	if t.Since == 0 && c.strike(faults.DeltaRemoved) != nil {
		items = append([]any{c.removed(t)}, items...)
	}
	if slices.Contains(t.Relations, string(state.Members)) && c.strike(faults.DeltaFalseRemoval) != nil {
		items = append(items, c.falseRemoval(t)...)
	}
	if c.strike(faults.DeltaShuffle) != nil {
		c.s.state.Random.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	}
	return items
}

// replayed are items that are not on the page.
func (c *call) replayed(list []*state.Object, t odata.DeltaToken) []any {
	var out []any
	for _, id := range c.t.IDs(t.Kind) {
		o := c.t.Object(id)
		if len(out) < maxReplayed && o.Active() && !slices.Contains(list, o) {
			out = append(out, c.deltaItem(o, t))
		}
	}
	return out
}

// removed is an item of an object that is gone, or never was.
func (c *call) removed(t odata.DeltaToken) any {
	gone := removedItem(c.s.state.Random.ID(), "deleted")
	for _, id := range c.t.IDs(t.Kind) {
		if o := c.t.Object(id); !o.Active() {
			gone = c.deltaItem(o, t)
		}
	}
	return gone
}

// split spreads the properties of each item over two items of the same id.
func split(items []any) []any {
	var out []any
	for _, it := range items {
		m, _ := it.(map[string]any)
		if m["@removed"] != nil || len(m) < 3 {
			out = append(out, it)
			continue
		}
		halves := [2]map[string]any{{"id": m["id"]}, {"id": m["id"]}}
		for i, name := range slices.Sorted(maps.Keys(m)) {
			halves[i%2][name] = m[name]
		}
		out = append(out, halves[0], halves[1])
	}
	return out
}
