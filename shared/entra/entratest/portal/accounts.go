package portal

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/state"
)

// account finds a tenant and an account, which may be deleted.
func account(tx *state.Tx, tenantID, ref string) (*state.Tenant, *state.Object, error) {
	t, err := settled(tx, tenantID)
	if err != nil {
		return nil, nil, err
	}
	o := t.Find(ref)
	if o == nil || o.Kind != state.User || o.Gone {
		return t, nil, fmt.Errorf("there is no account %q", ref)
	}
	return t, o, nil
}

// Account returns all properties of an account by id or userPrincipalName, without
// lag, as they are now. A deleted one is found by its id and has deletedDateTime.
func (p *Portal) Account(tenantID, idOrUPN string) (map[string]any, bool) {
	tx := p.state.Begin()
	defer tx.End()
	_, o, err := account(tx, tenantID, idOrUPN)
	if err != nil {
		return nil, false
	}
	out := maps.Clone(o.Props)
	out["id"] = o.ID
	if !o.Deleted.IsZero() {
		out["deletedDateTime"] = state.Stamp(o.Deleted)
	}
	if o.Manager != "" {
		out["manager"] = o.Manager
	}
	if o.Props["onPremisesExtensionAttributes"] != nil {
		out["onPremisesExtensionAttributes"] = o.Record("onPremisesExtensionAttributes")
	}
	return out, true
}

// AccountIDs returns ids of active and deleted accounts in order, after one, and
// whether there are more than limit.
func (p *Portal) AccountIDs(tenantID, after string, limit int) (ids []string, more bool) {
	tx := p.state.Begin()
	defer tx.End()
	t := tx.Tenant(tenantID)
	if t == nil {
		return nil, false
	}
	for _, id := range t.IDs(state.User) {
		if id <= after || t.Object(id).Gone {
			continue
		}
		if len(ids) == limit {
			return ids, true
		}
		ids = append(ids, id)
	}
	return ids, false
}

// Mutations returns every change in a tenant, oldest first.
func (p *Portal) Mutations(tenantID string) []state.Mutation {
	tx := p.state.Begin()
	defer tx.End()
	t, err := settled(tx, tenantID)
	if err != nil {
		return nil
	}
	return slices.Clone(t.Mutations())
}

// byHand is the mutation of somebody who works in Microsoft's own portal.
func byHand(kind string, o *state.Object) state.Mutation {
	m := state.MutationOf(kind, o)
	m.ActorUPN = "somebody-in-the-portal"
	return m
}

// EditAccount changes any properties of an account, read-only ones too, as
// somebody in Microsoft's portal or a synchronisation from on-premises.
func (p *Portal) EditAccount(tenantID, idOrUPN string, edit map[string]any) error {
	return p.EditAccountAs(tenantID, "", idOrUPN, edit)
}

// EditAccountAs is EditAccount by an account of the tenant that works in
// Microsoft's portal; actor is its id or userPrincipalName.
func (p *Portal) EditAccountAs(tenantID, actor, idOrUPN string, edit map[string]any) error {
	given, err := plainProperties(state.Users, edit)
	if err != nil {
		return err
	}
	tx := p.state.Begin()
	defer tx.End()
	t, o, err := account(tx, tenantID, idOrUPN)
	if err != nil {
		return err
	}
	next := o.Clone()
	if attributes, ok := given["onPremisesExtensionAttributes"].(map[string]any); ok {
		next.MergeRecord("onPremisesExtensionAttributes", attributes)
		delete(given, "onPremisesExtensionAttributes")
	}
	maps.Copy(next.Props, given)
	t.DescribeLicences(next, given, tx.Now())
	names, before, after := state.Difference(o, next)
	if len(names) == 0 {
		return nil
	}
	if next.Active() {
		if err := unique(t, next); err != nil {
			return err
		}
	}
	if slices.Contains(names, "signInSessionsValidFromDateTime") {
		next.Revocations++
	}
	m := byHand("update", next)
	m.Before = before
	m.After = after
	if err := actedBy(tx, t, actor, &m); err != nil {
		return err
	}
	change := tx.Change(t)
	change.Put(next, names...)
	change.Log(m)
	return change.Commit()
}

// actedBy says that an account of the tenant made a mutation; actor is its id or
// userPrincipalName, and empty for somebody whom nobody knows.
func actedBy(tx *state.Tx, t *state.Tenant, actor string, m *state.Mutation) error {
	if actor == "" {
		return nil
	}
	_, by, err := account(tx, t.ID, actor)
	if err != nil {
		return err
	}
	m.Actor = by.ID
	m.ActorUPN = by.Text("userPrincipalName")
	return nil
}

// SetManager makes an account the manager of another one as somebody in the portal;
// manager is an id or userPrincipalName, or empty for none.
func (p *Portal) SetManager(tenantID, actor, idOrUPN, manager string) error {
	tx := p.state.Begin()
	defer tx.End()
	t, o, err := account(tx, tenantID, idOrUPN)
	if err != nil {
		return err
	}
	next := o.Clone()
	next.FormerManager, next.Manager = o.Manager, ""
	if manager != "" {
		_, boss, err := account(tx, tenantID, manager)
		if err != nil {
			return err
		}
		next.Manager = boss.ID
	}
	if next.Manager == o.Manager {
		return nil
	}
	m := byHand("update", o)
	m.Before, m.After = map[string]any{"manager": o.Manager}, map[string]any{"manager": next.Manager}
	if err := actedBy(tx, t, actor, &m); err != nil {
		return err
	}
	change := tx.Change(t)
	change.Put(next, "manager")
	change.Log(m)
	return change.Commit()
}

// unique refuses an object with a value that another one has.
func unique(t *state.Tenant, o *state.Object) error {
	if c := t.Conflict(o); c != nil {
		return fmt.Errorf("another object with the same value for property %s already exists", c.Property)
	}
	return nil
}

// AddAccount adds an account as somebody in the portal and returns its id.
func (p *Portal) AddAccount(tenantID string, given map[string]any) (string, error) {
	tx := p.state.Begin()
	defer tx.End()
	t := tx.Tenant(tenantID)
	if t == nil {
		return "", state.ErrNoTenant
	}
	return AddAccount(tx, t, given)
}

// AddAccount is the method of the same name within a Tx.
func AddAccount(tx *state.Tx, t *state.Tenant, given map[string]any) (string, error) {
	o, err := newAccount(tx, t, given)
	if err != nil {
		return "", err
	}
	m := byHand("create", o)
	m.After = maps.Clone(o.Props)
	change := tx.Change(t)
	change.PutLifecycle(o, slices.Collect(maps.Keys(o.Props))...)
	change.Log(m)
	return o.ID, change.Commit()
}

// DeleteAccount deletes an account as somebody in the portal.
func (p *Portal) DeleteAccount(tenantID, idOrUPN string) error {
	tx := p.state.Begin()
	defer tx.End()
	t, o, err := account(tx, tenantID, idOrUPN)
	if err != nil {
		return err
	}
	if !o.Active() {
		return fmt.Errorf("the account %s is deleted already", o.ID)
	}
	change := tx.Change(t)
	change.PutLifecycle(o.SoftDeleted(tx.Now()), "userPrincipalName")
	change.Log(byHand("delete", o))
	return change.Commit()
}

// maxPhoto bounds a photo, as Microsoft does.
const maxPhoto = 4 << 20

// SetPhoto gives an account a photo, or takes it away (nil), as somebody in the
// portal. What it holds is not looked at, so that it may be hostile.
func (p *Portal) SetPhoto(tenantID, idOrUPN string, data []byte) error {
	if len(data) > maxPhoto {
		return errors.New("a photo has at most 4 MB")
	}
	tx := p.state.Begin()
	defer tx.End()
	t, o, err := account(tx, tenantID, idOrUPN)
	if err != nil {
		return err
	}
	next := o.Clone()
	next.Photo = nil
	if len(data) > 0 {
		next.Photo = &state.Photo{Data: slices.Clone(data)}
	}
	change := tx.Change(t)
	change.PutSilent(next) // no property of the account changes
	return change.Commit()
}

// SetRoles makes directory roles, by name or template id, the direct ones of an
// account.
func (p *Portal) SetRoles(tenantID, idOrUPN string, refs ...string) error {
	templates, err := roles.Templates(refs)
	if err != nil {
		return err
	}
	tx := p.state.Begin()
	defer tx.End()
	t, o, err := account(tx, tenantID, idOrUPN)
	if err != nil {
		return err
	}
	next := t.Clone()
	next.SetRoles(o.ID, templates)
	m := state.MutationOf("roles", o)
	m.After = map[string]any{"roles": state.Anys(templates)}
	change := tx.Change(t)
	change.SetOrganization(next)
	change.Log(m)
	return change.Commit()
}

// plainProperties checks names and makes values what JSON decodes, so that stored
// values compare the same before and after a restart.
func plainProperties(table *state.Table, given map[string]any) (map[string]any, error) {
	raw, err := json.Marshal(given)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, err
	}
	for name := range out {
		if _, ok := table.Properties[name]; !ok || name == "id" || name == "deletedDateTime" {
			return nil, fmt.Errorf("a %s has no property %q that can be set", table.Kind, name)
		}
	}
	return out, nil
}

// newAccount makes an account out of what a test or a tenant's description gives;
// what Graph itself would set is completed. It is not placed yet.
func newAccount(tx *state.Tx, t *state.Tenant, given map[string]any) (*state.Object, error) {
	rest := maps.Clone(given)
	id := strings.ToLower(state.Text(given["id"]))
	delete(rest, "id")
	props, err := plainProperties(state.Users, rest)
	if err != nil {
		return nil, err
	}
	o := tx.NewObject(state.User)
	if id != "" {
		if !state.IsGUID(id) || t.Object(id) != nil {
			return nil, fmt.Errorf("the id %q is not a GUID or is taken", id)
		}
		o.ID = id
	}
	upn := state.Text(props["userPrincipalName"])
	if _, ok := t.DomainOf(upn); !ok {
		return nil, fmt.Errorf("userPrincipalName %q is not in a verified domain of the tenant", upn)
	}
	local, _, _ := strings.Cut(upn, "@")
	created := state.Stamp(o.Created)
	o.Props = map[string]any{
		"accountEnabled": true, "displayName": local, "mailNickname": local, "userType": "Member",
		"createdDateTime": created, "signInSessionsValidFromDateTime": created, "lastPasswordChangeDateTime": created,
	}
	maps.Copy(o.Props, props)
	delete(o.Props, "passwordProfile")
	maps.DeleteFunc(o.Props, func(_ string, v any) bool { return v == nil })
	t.DescribeLicences(o, props, o.Created)
	if err := unique(t, o); err != nil {
		return nil, err
	}
	return o, nil
}
