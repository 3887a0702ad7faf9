package entratest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// account finds a tenant and an account for the raw functions. The mutex is held.
func (s *Server) account(tenantID, ref string) (*tenant, *object, error) {
	t := s.tenants[strings.ToLower(tenantID)]
	if t == nil {
		return nil, nil, errUnknownTenant
	}
	o := t.find(ref)
	if o == nil || o.Kind != kindUser || o.Gone {
		return t, nil, fmt.Errorf("there is no account %q", ref)
	}
	return t, o, nil
}

// Account returns all properties of an account by id or userPrincipalName, without
// lag, as they are now. A deleted one is found by its id and has deletedDateTime.
func (s *Server) Account(tenantID, idOrUPN string) (map[string]any, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, o, err := s.account(tenantID, idOrUPN)
	if err != nil {
		return nil, false
	}
	out := maps.Clone(o.Props)
	out["id"] = o.ID
	if !o.Deleted.IsZero() {
		out["deletedDateTime"] = stamp(o.Deleted)
	}
	if o.Manager != "" {
		out["manager"] = o.Manager
	}
	if attributes := t.value(o, "onPremisesExtensionAttributes"); o.Props["onPremisesExtensionAttributes"] != nil {
		out["onPremisesExtensionAttributes"] = attributes
	}
	return out, true
}

// portal is the mutation of somebody who works in Microsoft's own portal.
func portal(kind string, o *object) Mutation {
	return Mutation{Kind: kind, Target: o.Kind, TargetID: o.ID, Name: o.text("displayName"), UPN: o.text("userPrincipalName"), ActorUPN: "somebody-in-the-portal"}
}

// EditAccount changes any properties of an account, read-only ones too, as
// somebody in Microsoft's portal or a synchronisation from on-premises.
func (s *Server) EditAccount(tenantID, idOrUPN string, edit map[string]any) error {
	return s.EditAccountAs(tenantID, "", idOrUPN, edit)
}

// EditAccountAs is EditAccount by an account of the tenant that works in
// Microsoft's portal; actor is its id or userPrincipalName.
func (s *Server) EditAccountAs(tenantID, actor, idOrUPN string, edit map[string]any) error {
	given, err := plainProperties(edit)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, o, err := s.account(tenantID, idOrUPN)
	if err != nil {
		return err
	}
	next := o.clone()
	if attributes, ok := given["onPremisesExtensionAttributes"].(map[string]any); ok {
		patch(next, map[string]any{"onPremisesExtensionAttributes": attributes}, s.now())
		delete(given, "onPremisesExtensionAttributes")
	}
	maps.Copy(next.Props, given)
	names, before, after := difference(o, next)
	if len(names) == 0 {
		return nil
	}
	if next.active() {
		if e := t.conflict(next, false); e != nil {
			return errors.New(e.message)
		}
	}
	if slices.Contains(names, "signInSessionsValidFromDateTime") {
		next.Revocations++
	}
	c := change{s: s, t: t}
	c.put(next, names...)
	m := portal("update", next)
	if actor != "" {
		_, by, err := s.account(tenantID, actor)
		if err != nil {
			return err
		}
		m.Actor, m.ActorUPN = by.ID, by.text("userPrincipalName")
	}
	m.Before, m.After = before, after
	c.log = append(c.log, m)
	return c.commit()
}

// AddAccount adds an account as somebody in the portal and returns its id.
func (s *Server) AddAccount(tenantID string, given map[string]any) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenants[strings.ToLower(tenantID)]
	if t == nil {
		return "", errUnknownTenant
	}
	return s.addAccount(t, given)
}

func (s *Server) addAccount(t *tenant, given map[string]any) (string, error) {
	o, err := s.seedUser(t, given)
	if err != nil {
		return "", err
	}
	c := change{s: s, t: t}
	c.put(o, slices.Collect(maps.Keys(o.Props))...)
	o.StateVersion = o.Version
	m := portal("create", o)
	m.After = maps.Clone(o.Props)
	c.log = append(c.log, m)
	return o.ID, c.commit()
}

// DeleteAccount deletes an account as somebody in the portal.
func (s *Server) DeleteAccount(tenantID, idOrUPN string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, o, err := s.account(tenantID, idOrUPN)
	if err != nil {
		return err
	}
	if !o.active() {
		return fmt.Errorf("the account %s is deleted already", o.ID)
	}
	c := change{s: s, t: t}
	next := deleted(o, s.now())
	c.put(next, "userPrincipalName")
	next.StateVersion = next.Version
	c.log = append(c.log, portal("delete", o))
	return c.commit()
}

// plainProperties checks names and makes values what JSON decodes.
func plainProperties(given map[string]any) (map[string]any, error) {
	v, err := plain(given)
	if err != nil {
		return nil, err
	}
	out, _ := v.(map[string]any)
	for name := range out {
		if _, ok := userProperties[name]; !ok || name == "id" || name == "deletedDateTime" {
			return nil, fmt.Errorf("an account has no property %q that can be set", name)
		}
	}
	return out, nil
}

// seedUser makes an account out of what a test or a tenant's description gives;
// what Graph itself would set is completed. It is not placed yet.
func (s *Server) seedUser(t *tenant, given map[string]any) (*object, error) {
	rest := maps.Clone(given)
	id := strings.ToLower(text(given["id"]))
	delete(rest, "id")
	props, err := plainProperties(rest)
	if err != nil {
		return nil, err
	}
	o := s.newObject(kindUser)
	if id != "" {
		if !isGUID(id) || t.objects[id] != nil {
			return nil, fmt.Errorf("the id %q is not a GUID or is taken", id)
		}
		o.ID = id
	}
	upn := text(props["userPrincipalName"])
	if _, ok := t.domainOf(upn); !ok {
		return nil, fmt.Errorf("userPrincipalName %q is not in a verified domain of the tenant", upn)
	}
	local, _, _ := strings.Cut(upn, "@")
	defaults := map[string]any{
		"accountEnabled": true, "displayName": local, "mailNickname": local, "userType": "Member",
		"createdDateTime": stamp(o.Created), "signInSessionsValidFromDateTime": stamp(o.Created), "lastPasswordChangeDateTime": stamp(o.Created),
	}
	maps.Copy(defaults, props)
	delete(defaults, "passwordProfile")
	o.Props = defaults
	for name, v := range o.Props {
		if v == nil {
			delete(o.Props, name)
		}
	}
	if e := t.conflict(o, true); e != nil {
		return nil, errors.New(e.message)
	}
	return o, nil
}
