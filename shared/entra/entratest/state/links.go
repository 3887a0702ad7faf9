package state

import (
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
)

// Relation is what leads from a group to other objects.
type Relation string

// The relations that a group has.
const (
	Members Relation = "members"
	Owners  Relation = "owners"
)

// Relations are all relations of a group.
var Relations = []Relation{Members, Owners}

// Links are kept beside the objects and not in them: a group of 100,000 members
// changes one link at a time, and neither a copy of the group nor a line of the
// journal file should hold all of them.

// link leads from a group to one object.
type link struct {
	id      string
	version int64 // of the last change; negative: it was taken away
	past    []formerLink
}

// formerLink is what a link was until a time.
type formerLink struct {
	until   time.Time
	version int64
}

// at is the version of the link as a replica that is lag behind has it.
func (l *link) at(now time.Time, lag time.Duration) int64 {
	if lag <= 0 {
		return l.version
	}
	for _, p := range l.past {
		if p.until.After(now.Add(-lag)) {
			return p.version
		}
	}
	return l.version
}

// linkChange is a link that was made or taken away.
type linkChange struct {
	group    string
	relation Relation
	id       string
	version  int64
}

// linkTable has the links of one relation: of each group, and of each object the groups
// that ever led to it.
type linkTable struct {
	from map[string]*groupLinks
	to   map[string]map[string]bool
}

// groupLinks are all links that a group ever had.
type groupLinks struct {
	byID   map[string]*link
	list   []*link
	sorted bool // the list is in the order of ids
}

// inOrder are the links in the order of ids.
func (g *groupLinks) inOrder() []*link {
	if !g.sorted {
		slices.SortFunc(g.list, func(a, b *link) int { return strings.Compare(a.id, b.id) })
		g.sorted = true
	}
	return g.list
}

func newLinkTables() map[Relation]*linkTable {
	out := map[Relation]*linkTable{}
	for _, r := range Relations {
		out[r] = &linkTable{from: map[string]*groupLinks{}, to: map[string]map[string]bool{}}
	}
	return out
}

// set puts a link into the state; now is when a replica begins to hear of it.
func (t *Tenant) set(c linkChange, now time.Time) {
	table := t.links[c.relation]
	of := table.from[c.group]
	if of == nil {
		of = &groupLinks{byID: map[string]*link{}}
		table.from[c.group] = of
	}
	l := of.byID[c.id]
	if l == nil {
		l = &link{id: c.id}
		of.byID[c.id] = l
		of.list = append(of.list, l)
		of.sorted = false
	}
	l.past = append(l.past, formerLink{now, l.version})
	for len(l.past) > 1 && now.Sub(l.past[0].until) > MaxLag {
		l.past = l.past[1:]
	}
	l.version = c.version
	if table.to[c.id] == nil {
		table.to[c.id] = map[string]bool{}
	}
	table.to[c.id][c.group] = true
}

// find is the link of a group to an object, nil when there never was one.
func (t *linkTable) find(group, id string) *link {
	if of := t.from[group]; of != nil {
		return of.byID[id]
	}
	return nil
}

// Linked tells whether a relation of a group leads to an object, directly.
func (t *Tenant) Linked(r Relation, group, id string) bool {
	l := t.links[r].find(group, strings.ToLower(id))
	return l != nil && l.version > 0
}

// Links are the ids of what a relation of a group leads to, sorted; deleted objects
// among them.
func (t *Tenant) Links(r Relation, group string) []string {
	return t.LinksAt(r, group, time.Time{}, 0)
}

// LinksAt is Links as a replica that is lag behind has them.
func (t *Tenant) LinksAt(r Relation, group string, now time.Time, lag time.Duration) []string {
	var out []string
	for id, version := range t.LinkVersions(r, group, "", now, lag) {
		if version > 0 {
			out = append(out, id)
		}
	}
	return out
}

// LinkVersions are the ids and versions of all links that a group ever had, in the order
// of ids behind one, as a replica that is lag behind has them; a version is negative when
// the link was taken away. The links must not be changed meanwhile.
func (t *Tenant) LinkVersions(r Relation, group, after string, now time.Time, lag time.Duration) iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		of := t.links[r].from[group]
		if of == nil {
			return
		}
		list := of.inOrder()
		from, met := slices.BinarySearchFunc(list, after, func(l *link, id string) int { return strings.Compare(l.id, id) })
		if met {
			from++
		}
		for _, l := range list[from:] {
			if v := l.at(now, lag); v != 0 && !yield(l.id, v) {
				return
			}
		}
	}
}

// GroupsTo are the ids of the groups, deleted ones too, whose relation leads to an
// object directly, sorted.
func (t *Tenant) GroupsTo(r Relation, id string, now time.Time, lag time.Duration) []string {
	var out []string
	table := t.links[r]
	for group := range table.to[id] {
		if table.find(group, id).at(now, lag) > 0 {
			out = append(out, group)
		}
	}
	slices.Sort(out)
	return out
}

// Link makes an object a member or an owner of a group that was put before, or takes
// it away. The group must name the relation among what changed.
func (c *Change) Link(group *Object, r Relation, id string, is bool) {
	version := group.Version
	if !is {
		version = -version
	}
	c.links = append(c.links, linkChange{group.ID, r, strings.ToLower(id), version})
}

// Link makes an object a member or an owner of a group that was put before.
func (d *Draft) Link(group *Object, r Relation, id string) {
	d.set(linkChange{group.ID, r, strings.ToLower(id), group.Version}, time.Time{})
}

// linkVersions are links as the journal file has them: versions by relation and id.
type linkVersions map[Relation]map[string]int64

func (v linkVersions) add(c linkChange) {
	if v[c.relation] == nil {
		v[c.relation] = map[string]int64{}
	}
	v[c.relation][c.id] = c.version
}

// stageLinks adds links to the commit under way, one entry for each group.
func (s *Store) stageLinks(tenant string, changes []linkChange) error {
	byGroup := map[string]linkVersions{}
	for _, c := range changes {
		if byGroup[c.group] == nil {
			byGroup[c.group] = linkVersions{}
		}
		byGroup[c.group].add(c)
	}
	for _, group := range slices.Sorted(maps.Keys(byGroup)) {
		if err := s.stage(entry{Kind: "links", Tenant: tenant, ID: group}, byGroup[group]); err != nil {
			return err
		}
	}
	return nil
}

// allLinks are the links of a tenant as changes that would make them.
func (t *Tenant) allLinks() []linkChange {
	var out []linkChange
	for _, r := range Relations {
		for group, of := range t.links[r].from {
			for id, l := range of.byID {
				out = append(out, linkChange{group, r, id, l.version})
			}
		}
	}
	return out
}

// applyLinks makes an entry with links part of the state.
func (s *Store) applyLinks(t *Tenant, e entry) error {
	var all linkVersions
	if err := json.Unmarshal(e.Value, &all); err != nil {
		return err
	}
	for _, r := range Relations {
		for id, version := range all[r] {
			t.set(linkChange{e.ID, r, id, version}, time.Time{})
			s.version = max(s.version, version, -version)
		}
	}
	return nil
}

// linksWithin reads the links that the entry of a group held itself, before they were
// kept apart.
func linksWithin(e entry) (entry, error) {
	var former struct {
		Version int64            `json:"version"`
		Members map[string]int64 `json:"members"`
		Owners  []string         `json:"owners"`
	}
	if err := json.Unmarshal(e.Value, &former); err != nil {
		return entry{}, err
	}
	all := linkVersions{Members: former.Members, Owners: map[string]int64{}}
	for _, id := range former.Owners {
		all[Owners][id] = former.Version
	}
	raw, err := json.Marshal(all)
	return entry{ID: e.ID, Value: raw}, err
}

// Unlink takes an object that is gone for good out of all groups.
func (c *Change) Unlink(id string) {
	groups := map[string]*Object{}
	for _, r := range Relations {
		for _, group := range c.t.GroupsTo(r, id, time.Time{}, 0) {
			if groups[group] == nil {
				groups[group] = c.t.objects[group].Clone()
				c.Put(groups[group])
			}
			next := groups[group]
			next.Touched[string(r)] = next.Version
			c.Link(next, r, id, false)
		}
	}
}
