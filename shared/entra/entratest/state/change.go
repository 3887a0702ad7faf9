package state

import (
	"encoding/json"
	"fmt"
	"time"
)

// Mutation is one change of a tenant, from whatever side.
type Mutation struct {
	Time      time.Time      `json:"time"`
	Kind      string         `json:"kind"` // create, update, delete, restore, revoke, purge, member-add, member-remove, owner-add, owner-remove, …; noop for a PATCH that changed nothing
	Target    string         `json:"targetKind"`
	TargetID  string         `json:"targetId"`
	Name      string         `json:"targetName,omitempty"`
	UPN       string         `json:"targetUserPrincipalName,omitempty"`
	Linked    *Linked        `json:"linked,omitempty"` // of a group's members and owners: who came or went
	Method    string         `json:"method,omitempty"` // empty: somebody in the portal
	Path      string         `json:"path,omitempty"`
	Before    map[string]any `json:"before,omitempty"` // of the properties that changed
	After     map[string]any `json:"after,omitempty"`
	Actor     string         `json:"actor,omitempty"` // id of the account that did it
	ActorUPN  string         `json:"actorUserPrincipalName,omitempty"`
	AppID     string         `json:"appId,omitempty"`
	AppName   string         `json:"appName,omitempty"` // of a service of Microsoft's own, when no account did it
	RequestID string         `json:"requestId,omitempty"`
	ID        string         `json:"id"`
}

// Linked is the object that became a member or an owner of a group, or is none any
// more.
type Linked struct {
	Kind     string `json:"kind"`
	ID       string `json:"id"`
	Name     string `json:"name,omitempty"`
	UPN      string `json:"userPrincipalName,omitempty"`
	Welcomed bool   `json:"welcomeMail,omitempty"` // Microsoft sent the new member a mail
}

// MutationOf is a mutation of an object, of which nothing else is said yet.
func MutationOf(kind string, o *Object) Mutation {
	return Mutation{Kind: kind, Target: o.Kind, TargetID: o.ID, Name: o.Text("displayName"), UPN: o.Text("userPrincipalName")}
}

// Change is a commit being prepared: objects that take the place of others, the
// organization when that changes, and the mutations that tell of it.
type Change struct {
	s            *Store
	t            *Tenant
	objects      []*Object
	links        []linkChange
	organization *Organization
	log          []Mutation
}

// Change begins to change a tenant.
func (tx *Tx) Change(t *Tenant) *Change { return &Change{s: tx.s, t: t} }

// Put adds a changed copy of an object, whose properties in touched changed.
func (c *Change) Put(o *Object, touched ...string) {
	c.s.number(o, touched)
	c.objects = append(c.objects, o)
}

// PutLifecycle is Put for an object that is created, deleted, restored or purged.
func (c *Change) PutLifecycle(o *Object, touched ...string) {
	c.Put(o, touched...)
	o.StateVersion = o.Version
}

// PutSilent adds a changed copy of which no delta query tells.
func (c *Change) PutSilent(o *Object) { c.objects = append(c.objects, o) }

// SetOrganization puts a changed copy of the organization in its place.
func (c *Change) SetOrganization(o Organization) { c.organization = &o }

// Log adds mutations; the commit gives them time and id.
func (c *Change) Log(m ...Mutation) { c.log = append(c.log, m...) }

// number gives an object that is about to be placed its version.
func (s *Store) number(o *Object, touched []string) {
	s.version++
	o.Version = s.version
	if o.Touched == nil {
		o.Touched = map[string]int64{}
	}
	for _, p := range touched {
		o.Touched[p] = o.Version
	}
}

// Commit makes the change durable as one line of the journal file, and then visible.
func (c *Change) Commit() error {
	c.licensing()
	now := c.s.Now()
	for i := range c.log {
		c.log[i].Time = now
		c.log[i].ID = c.s.Random.ID()
	}
	if err := c.write(); err != nil {
		return err
	}
	if c.organization != nil {
		c.t.Organization = c.organization.Clone()
	}
	for _, o := range c.objects {
		o.remember(c.t.objects[o.ID], now)
		c.t.put(o)
	}
	for _, l := range c.links {
		c.t.set(l, now)
	}
	c.t.log = append(c.t.log, c.log...)
	return nil
}

// write appends the change to the journal file, if there is one.
func (c *Change) write() error {
	if c.s.journal == nil {
		return nil
	}
	if c.organization != nil {
		if err := c.s.stage(entry{Kind: "tenant", ID: c.t.ID}, c.organization); err != nil {
			return err
		}
	}
	for _, o := range c.objects {
		if err := c.s.stage(entry{Kind: "object", Tenant: c.t.ID, ID: o.ID}, o); err != nil {
			return err
		}
	}
	if err := c.s.stageLinks(c.t.ID, c.links); err != nil {
		return err
	}
	for _, m := range c.log {
		if err := c.s.stage(entry{Kind: "mutation", Tenant: c.t.ID, ID: m.ID}, m); err != nil {
			return err
		}
	}
	return c.s.journal.append(c.s.staged())
}

// Draft is a tenant being made, which nobody sees yet.
type Draft struct {
	*Tenant
	s *Store
}

// Draft begins a tenant, which must have an id of its own.
func (tx *Tx) Draft(o Organization) *Draft { return &Draft{newTenant(o, tx.s.Now), tx.s} }

// Put places an object.
func (d *Draft) Put(o *Object) {
	var touched []string
	for p := range o.Props {
		touched = append(touched, p)
	}
	d.s.number(o, touched)
	o.StateVersion = o.Version
	if o.Kind == Group && len(LicencesOf(o)) > 0 {
		now := d.s.Now()
		o.Licensing = &GroupLicensing{Asked: now, Due: now} // given before anybody looks
	}
	d.put(o)
}

// Commit makes the tenant durable as one line of the journal file, and then visible.
func (d *Draft) Commit() error {
	if d.s.tenants[d.ID] != nil {
		return fmt.Errorf("the tenant %s exists already", d.ID)
	}
	if d.s.journal != nil {
		if err := d.s.stage(entry{Kind: "tenant", ID: d.ID}, d.Organization); err != nil {
			return err
		}
		for _, o := range d.all() {
			if err := d.s.stage(entry{Kind: "object", Tenant: d.ID, ID: o.ID}, o); err != nil {
				return err
			}
		}
		if err := d.s.stageLinks(d.ID, d.allLinks()); err != nil {
			return err
		}
		if err := d.s.journal.append(d.s.staged()); err != nil {
			return err
		}
	}
	d.s.tenants[d.ID] = d.Tenant
	return nil
}

// all are the objects of every kind, in the order of kinds and ids.
func (t *Tenant) all() []*Object {
	var out []*Object
	for _, table := range tables {
		for _, id := range t.ids[table.Kind] {
			out = append(out, t.objects[id])
		}
	}
	return out
}

// save stages one entry and flushes: a change of its own.
func (s *Store) save(e entry, v any) error {
	if err := s.stage(e, v); err != nil {
		return err
	}
	return s.flush()
}

// stage adds an entry to the commit under way.
func (s *Store) stage(e entry, v any) error {
	if v != nil {
		raw, err := json.Marshal(v)
		if err != nil {
			return err
		}
		e.Value = raw
	}
	s.pending = append(s.pending, e)
	return nil
}

// staged takes the entries of the commit under way.
func (s *Store) staged() []entry {
	batch := s.pending
	s.pending = nil
	return batch
}

// flush writes the commit as one line of the journal file, then makes it the state.
func (s *Store) flush() error {
	batch := s.staged()
	if s.journal != nil {
		if err := s.journal.append(batch); err != nil {
			return err
		}
	}
	for _, e := range batch {
		if err := s.apply(e); err != nil {
			return err
		}
	}
	return nil
}
