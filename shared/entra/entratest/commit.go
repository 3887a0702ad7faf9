package entratest

import (
	"encoding/json"
	"time"
)

// save stages one entry and flushes: a change of its own. The mutex is held.
func (s *Server) save(e entry, v any) error {
	if err := s.stage(e, v); err != nil {
		return err
	}
	return s.flush()
}

// stage adds an entry to the commit under way. The mutex is held.
func (s *Server) stage(e entry, v any) error {
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

// flush writes the commit as one line of the journal file, then makes it the
// state. The mutex is held.
func (s *Server) flush() error {
	batch := s.pending
	s.pending = nil
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

// change is a commit being prepared: objects that take the place of others, the
// tenant's own record when that changes, and the mutations that tell of it.
type change struct {
	s       *Server
	t       *tenant
	objects []*object
	record  *tenantRecord
	log     []Mutation
}

// put adds a changed copy of an object, whose properties in touched changed.
func (c *change) put(o *object, touched ...string) {
	c.s.version++
	o.Version = c.s.version
	if o.Touched == nil {
		o.Touched = map[string]int64{}
	}
	for _, p := range touched {
		o.Touched[p] = o.Version
	}
	c.objects = append(c.objects, o)
}

// commit makes the change durable as one line of the journal file, and then
// visible. The mutex is held.
func (c *change) commit() error {
	now := c.s.now()
	for i := range c.log {
		c.log[i].Time, c.log[i].ID = now, c.s.newID()
	}
	if err := c.write(); err != nil {
		return err
	}
	if c.record != nil {
		c.t.take(*c.record)
	}
	for _, o := range c.objects {
		old := c.t.objects[o.ID]
		o.past = nil
		if old != nil {
			o.past = old.past
		}
		o.past = append(o.past[:len(o.past):len(o.past)], snapshot{now, old.bare()})
		for len(o.past) > 1 && now.Sub(o.past[0].until) > keepPast {
			o.past = o.past[1:]
		}
		c.t.put(o)
	}
	c.t.mutated = append(c.t.mutated, c.log...)
	return nil
}

// write appends the change to the journal file, if there is one.
func (c *change) write() error {
	if c.s.journal == nil {
		return nil
	}
	if c.record != nil {
		if err := c.s.stage(entry{Kind: "tenant", ID: c.t.id}, c.record); err != nil {
			return err
		}
	}
	for _, o := range c.objects {
		if err := c.s.stage(entry{Kind: "object", Tenant: c.t.id, ID: o.ID}, o); err != nil {
			return err
		}
	}
	for _, m := range c.log {
		if err := c.s.stage(entry{Kind: "mutation", Tenant: c.t.id, ID: m.ID}, m); err != nil {
			return err
		}
	}
	batch := c.s.pending
	c.s.pending = nil
	return c.s.journal.append(batch)
}

// keepPast bounds how long former states are kept; lag cannot be longer.
const keepPast = 15 * time.Minute

// bare is the object without its own past, so that snapshots do not chain.
func (o *object) bare() *object {
	if o == nil {
		return nil
	}
	c := *o
	c.past = nil
	return &c
}
