package state

import (
	"encoding/json"
	"fmt"
	"strings"
)

// apply makes one entry part of the state. A Tx is open, or nobody else
// has the store yet.
func (s *Store) apply(e entry) error {
	switch e.Kind {
	case "blob":
		return s.applyBlob(e)
	case "app":
		var app App
		if err := json.Unmarshal(e.Value, &app); err != nil {
			return err
		}
		s.apps[e.ID] = app
	case "token":
		var t AccessToken
		if err := json.Unmarshal(e.Value, &t); err != nil {
			return err
		}
		s.tokens[e.ID] = t
	case "tenant":
		var o Organization
		if err := json.Unmarshal(e.Value, &o); err != nil {
			return err
		}
		if t := s.tenants[e.ID]; t != nil {
			t.Organization = o.Clone()
		} else {
			s.tenants[e.ID] = newTenant(o, s.Now)
		}
	case "object", "links", "mutation":
		return s.applyToTenant(e)
	default:
		return fmt.Errorf("there is no kind %q", e.Kind)
	}
	return nil
}

func (s *Store) applyBlob(e entry) error {
	if e.Tenant == "clock" && e.Value != nil {
		var n int64
		if err := json.Unmarshal(e.Value, &n); err != nil {
			return err
		}
		s.offset.Store(n)
	}
	if s.records[e.Tenant] == nil {
		s.records[e.Tenant] = map[string][]byte{}
	}
	if e.Value == nil {
		delete(s.records[e.Tenant], e.ID)
	} else {
		s.records[e.Tenant][e.ID] = e.Value
	}
	return nil
}

func (s *Store) applyToTenant(e entry) error {
	t := s.tenants[strings.ToLower(e.Tenant)]
	if t == nil {
		return fmt.Errorf("%s %s: %w", e.Kind, e.ID, ErrNoTenant)
	}
	if e.Kind == "mutation" {
		var m Mutation
		if err := json.Unmarshal(e.Value, &m); err != nil {
			return err
		}
		t.log = append(t.log, m)
		return nil
	}
	if e.Kind == "links" {
		return s.applyLinks(t, e)
	}
	o := new(Object)
	if err := json.Unmarshal(e.Value, o); err != nil {
		return err
	}
	if o.ID == "" || o.Props == nil {
		return fmt.Errorf("object %q has no id or no properties", e.ID)
	}
	if TableOf(o.Kind) == nil {
		return fmt.Errorf("object %s is of a kind that there is not, %q", e.ID, o.Kind)
	}
	t.put(o)
	s.version = max(s.version, o.Version)
	if o.Kind != Group {
		return nil
	}
	within, err := linksWithin(e)
	if err != nil {
		return err
	}
	return s.applyLinks(t, within)
}

// size is about how many entries everything yields.
func (s *Store) size() int {
	n := len(s.apps) + len(s.tokens) + len(s.tenants)
	for _, values := range s.records {
		n += len(values)
	}
	for _, t := range s.tenants {
		n += len(t.objects) + len(t.ids[Group]) + len(t.log)
	}
	return n
}

// everything yields the whole state as entries.
func (s *Store) everything(yield func(entry) error) error {
	emit := func(e entry, v any) error {
		raw, err := json.Marshal(v)
		if err != nil {
			return err
		}
		e.Value = raw
		return yield(e)
	}
	for kind, values := range s.records {
		for key, v := range values {
			if err := yield(entry{Kind: "blob", Tenant: kind, ID: key, Value: v}); err != nil {
				return err
			}
		}
	}
	for id, app := range s.apps {
		if err := emit(entry{Kind: "app", ID: id}, app); err != nil {
			return err
		}
	}
	now := s.Now()
	for id, t := range s.tokens {
		if now.Sub(t.Expires) > expiredTokens {
			continue
		}
		if err := emit(entry{Kind: "token", ID: id}, t); err != nil {
			return err
		}
	}
	for _, t := range s.tenants {
		if err := s.everythingOf(t, emit, yield); err != nil {
			return err
		}
	}
	return nil
}

// everythingOf yields a tenant as entries; emit yields one with a value.
func (s *Store) everythingOf(t *Tenant, emit func(entry, any) error, yield func(entry) error) error {
	if err := emit(entry{Kind: "tenant", ID: t.ID}, t.Organization); err != nil {
		return err
	}
	for _, o := range t.all() {
		if err := emit(entry{Kind: "object", Tenant: t.ID, ID: o.ID}, o); err != nil {
			return err
		}
	}
	if err := s.stageLinks(t.ID, t.allLinks()); err != nil {
		return err
	}
	for _, e := range s.staged() {
		if err := yield(e); err != nil {
			return err
		}
	}
	for _, m := range t.log {
		if err := emit(entry{Kind: "mutation", Tenant: t.ID, ID: m.ID}, m); err != nil {
			return err
		}
	}
	return nil
}
