package graph

import (
	"slices"
	"strings"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

// What a delta query tells of the members and owners of groups (GG 7): who came and who
// left, by id and type only, of a large group over several pages. Of members that are in
// the deleted items it says nothing, neither then nor when they come back.

// deltaLinks is how many members and owners an item has at most; a group with more is
// told again in the next page. [K]: no document gives a number.
const deltaLinks = 1000

// sliceSize is how many members and owners the items of a page have at most.
func (c *call) sliceSize() int {
	f := c.strike(faults.DeltaSlice)
	if f == nil {
		return deltaLinks
	}
	return max(f.Size, 1)
}

// linksDelta adds up to size of those who came and left to an item, and returns behind
// which relation and id the others are; "" when there are no others.
func (c *call) linksDelta(item map[string]any, o *state.Object, t odata.DeltaToken, from string, size int) (rest string) {
	former := t.Since == 0 && len(t.Relations) > 0 && c.strike(faults.DeltaFormerMember) != nil
	n := 0
	last := ""
	for _, r := range state.Relations {
		if !slices.Contains(t.Relations, string(r)) {
			continue
		}
		after, goesOn := strings.CutPrefix(from, string(r)+"/")
		if !goesOn && from > string(r) { // this relation was told with an earlier slice
			continue
		}
		if !goesOn {
			after = ""
		}
		list := []any{}
		for id, version := range c.t.LinkVersions(r, o.ID, after, c.now(), c.lag) {
			told := c.linkDelta(o, id, version, t.Since, former)
			if told == nil {
				continue
			}
			if size > 0 && n == size {
				rest = last
				break
			}
			list = append(list, told)
			last = string(r) + "/" + id
			n++
		}
		if len(list) > 0 {
			item[string(r)+"@delta"] = list
		}
		if rest != "" {
			return rest
		}
	}
	return ""
}

// linkDelta tells of one link with its version, nil when there is nothing to tell. former
// has those told that left before the client asked for the first time.
func (c *call) linkDelta(o *state.Object, id string, version, since int64, former bool) map[string]any {
	m := c.known(id)
	switch {
	case version > since, version > 0 && o.StateVersion > since:
		if m == nil || !m.Active() {
			return nil
		}
		return related(c.typeOf(id), id)
	case since > 0 && -version > since, former && version < 0:
		return unrelated(c.typeOf(id), id)
	}
	return nil
}

// typeOf is the type of an object, deleted or not.
func (c *call) typeOf(id string) string {
	if o := c.t.Object(id); o != nil {
		return resourceOf(o.Kind).odataType()
	}
	return "#microsoft.graph." + servicePrincipalKind
}

// falseRemoval is an item that says of a member who is still there that it left.
func (c *call) falseRemoval(t odata.DeltaToken) []any {
	for _, id := range c.t.IDs(t.Kind) {
		o := c.t.Object(id)
		members := c.t.Links(state.Members, id)
		if !o.Active() || len(members) == 0 || t.IDs != nil && !slices.Contains(t.IDs, strings.ToLower(id)) {
			continue
		}
		return []any{map[string]any{"id": id, "members@delta": []any{unrelated(c.typeOf(members[0]), members[0])}}}
	}
	return nil
}
