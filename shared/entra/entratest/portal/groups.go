package portal

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/licensing"
	"bindery/shared/entra/entratest/state"
)

// GroupKind says what a group is (GG 2.4).
type GroupKind string

// The kinds that there are; without one a group is a security group, or what its other
// fields make of it.
const (
	SecurityGroup     GroupKind = "security"
	UnifiedGroup      GroupKind = "microsoft365"
	DynamicGroup      GroupKind = "dynamic"
	DynamicUnified    GroupKind = "dynamicMicrosoft365"
	MailSecurityGroup GroupKind = "mailEnabledSecurity"
	DistributionList  GroupKind = "distributionList"
	SyncedGroup       GroupKind = "synced"
	RoleGroup         GroupKind = "roleAssignable"
)

// kindProperties are what makes a group one of its kind.
var kindProperties = map[GroupKind]map[string]any{
	SecurityGroup:     {},
	UnifiedGroup:      {"groupTypes": []any{"Unified"}, "mailEnabled": true, "securityEnabled": false, "visibility": "Private"},
	DynamicGroup:      {"groupTypes": []any{"DynamicMembership"}, "membershipRule": someRule, "membershipRuleProcessingState": "On"},
	DynamicUnified:    {"groupTypes": []any{"Unified", "DynamicMembership"}, "mailEnabled": true, "securityEnabled": false, "visibility": "Private", "membershipRule": someRule, "membershipRuleProcessingState": "On"},
	MailSecurityGroup: {"mailEnabled": true},
	DistributionList:  {"mailEnabled": true, "securityEnabled": false},
	SyncedGroup:       {"onPremisesSyncEnabled": true},
	RoleGroup:         {"isAssignableToRole": true},
}

// someRule is the rule of a dynamic group of which nobody said another.
const someRule = `(user.accountEnabled -eq true)`

// newGroup makes a group out of what a test or a tenant's description gives; what
// Microsoft itself would set is completed. It is not placed yet.
func newGroup(tx *state.Tx, t *state.Tenant, g GroupSpec) (*state.Object, error) {
	if strings.TrimSpace(g.DisplayName) == "" {
		return nil, errors.New("a group needs a displayName")
	}
	of, known := kindProperties[cmp.Or(g.Kind, SecurityGroup)]
	if !known {
		return nil, fmt.Errorf("there is no kind of group %q; there are %s", g.Kind, joined(kindProperties))
	}
	more, err := plainProperties(state.Groups, g.Properties)
	if err != nil {
		return nil, err
	}
	o := tx.NewObject(state.Group)
	if g.ID != "" {
		o.ID = strings.ToLower(g.ID)
		if !state.IsGUID(o.ID) || t.Object(o.ID) != nil {
			return nil, fmt.Errorf("the id %q is not a GUID or is taken", g.ID)
		}
	}
	maps.Copy(o.Props, map[string]any{
		"displayName": g.DisplayName, "mailNickname": cmp.Or(g.MailNickname, o.ID[:8]), "mailEnabled": len(g.ProxyAddresses) > 0,
		"securityEnabled": true, "groupTypes": state.Anys(g.GroupTypes), "proxyAddresses": state.Anys(g.ProxyAddresses),
		"createdDateTime": state.Stamp(o.Created), "renewedDateTime": state.Stamp(o.Created),
	})
	maps.Copy(o.Props, of)
	if g.IsAssignableToRole {
		o.Props["isAssignableToRole"] = true
	}
	if g.OnPremisesSyncEnabled {
		o.Props["onPremisesSyncEnabled"] = true
	}
	maps.Copy(o.Props, more)
	if o.Flag("mailEnabled") && len(o.List("proxyAddresses")) == 0 {
		mail := o.Text("mailNickname") + "@" + t.DefaultDomain()
		o.Props["mail"] = mail
		o.Props["proxyAddresses"] = []any{"SMTP:" + mail}
	}
	return o, unique(t, o)
}

func joined(kinds map[GroupKind]map[string]any) string {
	var names []string
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// group finds a tenant and a group, which may be deleted, by its id, or an active one
// by its displayName.
func group(tx *state.Tx, tenantID, ref string) (*state.Tenant, *state.Object, error) {
	t, err := settled(tx, tenantID)
	if err != nil {
		return nil, nil, err
	}
	if o := t.Object(ref); o != nil && o.Kind == state.Group && !o.Gone {
		return t, o, nil
	}
	for _, id := range t.IDs(state.Group) {
		if o := t.Object(id); o.Active() && strings.EqualFold(o.Text("displayName"), ref) {
			return t, o, nil
		}
	}
	return t, nil, fmt.Errorf("there is no group %q", ref)
}

// Group returns all properties of a group by id or displayName, with the ids of its
// members and owners, without lag, as they are now. A deleted one is found by its id and
// has deletedDateTime.
func (p *Portal) Group(tenantID, idOrName string) (map[string]any, bool) {
	tx := p.state.Begin()
	defer tx.End()
	t, o, err := group(tx, tenantID, idOrName)
	if err != nil {
		return nil, false
	}
	out := maps.Clone(o.Props)
	out["id"] = o.ID
	if !o.Deleted.IsZero() {
		out["deletedDateTime"] = state.Stamp(o.Deleted)
	}
	for _, r := range state.Relations {
		out[string(r)] = append([]string{}, t.Links(r, o.ID)...)
	}
	return out, true
}

// GroupIDs returns the ids of active and deleted groups, in order.
func (p *Portal) GroupIDs(tenantID string) []string {
	tx := p.state.Begin()
	defer tx.End()
	t := tx.Tenant(tenantID)
	if t == nil {
		return nil
	}
	var ids []string
	for _, id := range t.IDs(state.Group) {
		if !t.Object(id).Gone {
			ids = append(ids, id)
		}
	}
	return ids
}

// AddGroup makes a group of any kind, as somebody in Microsoft's portal, or whatever else
// makes groups there, and returns its id. actor is an account of the tenant by id or
// userPrincipalName; empty: nobody knows who.
func (p *Portal) AddGroup(tenantID, actor string, spec GroupSpec) (string, error) {
	tx := p.state.Begin()
	defer tx.End()
	t := tx.Tenant(tenantID)
	if t == nil {
		return "", state.ErrNoTenant
	}
	if len(spec.Roles) > 0 {
		return "", errors.New("the roles of a group are given when the tenant is made")
	}
	o, err := newGroup(tx, t, spec)
	if err != nil {
		return "", err
	}
	m := byHand("create", o)
	m.After = maps.Clone(o.Props)
	if err := actedBy(tx, t, actor, &m); err != nil {
		return "", err
	}
	change := tx.Change(t)
	change.PutLifecycle(o, slices.Collect(maps.Keys(o.Props))...)
	change.Log(m)
	for r, refs := range map[state.Relation][]string{state.Members: spec.Members, state.Owners: spec.Owners} {
		for i, ref := range refs {
			if slices.Contains(refs[:i], ref) {
				return "", fmt.Errorf("%s is named twice among the %s", ref, r)
			}
			if err := link(tx, t, change, o, actor, r, ref, true); err != nil {
				return "", err
			}
		}
	}
	return o.ID, change.Commit()
}

// EditGroup changes any properties of a group, read-only ones too: it turns one into a
// dynamic, synced, role-assignable or restricted one. Who becomes dynamic has no members
// any more.
func (p *Portal) EditGroup(tenantID, actor, idOrName string, edit map[string]any) error {
	given, err := plainProperties(state.Groups, edit)
	if err != nil {
		return err
	}
	tx := p.state.Begin()
	defer tx.End()
	t, o, err := group(tx, tenantID, idOrName)
	if err != nil {
		return err
	}
	next := o.Clone()
	maps.Copy(next.Props, given)
	names, before, after := state.Difference(o, next)
	if len(names) == 0 {
		return nil
	}
	if err := unique(t, next); err != nil {
		return err
	}
	m := byHand("update", next)
	m.Before = before
	m.After = after
	if err := actedBy(tx, t, actor, &m); err != nil {
		return err
	}
	emptied := next.Dynamic() && !o.Dynamic()
	if emptied {
		names = append(names, string(state.Members))
	}
	change := tx.Change(t)
	change.Put(next, names...)
	change.Log(m)
	if emptied {
		for _, id := range t.Links(state.Members, o.ID) {
			if err := link(tx, t, change, next, actor, state.Members, id, false); err != nil {
				return err
			}
		}
	}
	return change.Commit()
}

// DeleteGroup deletes a group, of whatever kind: into the deleted items, or for good
// where its kind has no place there.
func (p *Portal) DeleteGroup(tenantID, actor, idOrName string) error {
	tx := p.state.Begin()
	defer tx.End()
	t, o, err := group(tx, tenantID, idOrName)
	if err != nil {
		return err
	}
	if !o.Active() {
		return fmt.Errorf("the group %s is deleted already", o.ID)
	}
	if licensing.Licensed(o) {
		return errors.New("a group with active licenses assigned cannot be deleted")
	}
	m := byHand("delete", o)
	if err := actedBy(tx, t, actor, &m); err != nil {
		return err
	}
	next := o.SoftDeleted(tx.Now())
	next.Gone = o.DeletedForGood()
	change := tx.Change(t)
	change.PutLifecycle(next)
	if next.Gone {
		change.Unlink(o.ID)
	}
	change.Log(m)
	return change.Commit()
}

// SetLink makes an account or a group a member or an owner of a group, or takes it
// away; Microsoft's rules of who may be in what do not hold here.
func (p *Portal) SetLink(tenantID, actor, idOrName string, r state.Relation, ref string, is bool) error {
	tx := p.state.Begin()
	defer tx.End()
	t, o, err := group(tx, tenantID, idOrName)
	if err != nil {
		return err
	}
	next := o.Clone()
	change := tx.Change(t)
	change.Put(next, string(r))
	if err := link(tx, t, change, next, actor, r, ref, is); err != nil {
		return err
	}
	return change.Commit()
}

// link adds a link of a group that was put to a change, or its end.
func link(tx *state.Tx, t *state.Tenant, change *state.Change, g *state.Object, actor string, r state.Relation, ref string, is bool) error {
	o := t.Find(ref)
	if o == nil {
		var err error
		if _, o, err = group(tx, t.ID, ref); err != nil {
			return fmt.Errorf("there is no account or group %q", ref)
		}
	}
	switch linked := t.Linked(r, g.ID, o.ID); {
	case is && !o.Active():
		return fmt.Errorf("%s is deleted", ref)
	case linked && is:
		return fmt.Errorf("%s is among the %s of %s already", ref, r, g.ID)
	case !linked && !is:
		return fmt.Errorf("%s is not among the %s of %s", ref, r, g.ID)
	}
	m := byHand(strings.TrimSuffix(string(r), "s")+map[bool]string{true: "-add", false: "-remove"}[is], g)
	m.Linked = &state.Linked{Kind: o.Kind, ID: o.ID, Name: o.Text("displayName"), UPN: o.Text("userPrincipalName"), Welcomed: is && r == state.Members && g.WelcomesMembers()}
	if err := actedBy(tx, t, actor, &m); err != nil {
		return err
	}
	change.Link(g, r, o.ID, is)
	change.Log(m)
	return nil
}

// SetGroupSettings says what a tenant demands of its Microsoft 365 groups, and after how
// many days they expire (0: never).
func (p *Portal) SetGroupSettings(tenantID string, settings map[string]string, lifetime int) error {
	if lifetime < 0 {
		return errors.New("a lifetime of groups cannot be negative")
	}
	tx := p.state.Begin()
	defer tx.End()
	t := tx.Tenant(tenantID)
	if t == nil {
		return state.ErrNoTenant
	}
	next := t.Clone()
	next.GroupSettings = maps.Clone(settings)
	next.GroupLifetime = lifetime
	change := tx.Change(t)
	change.SetOrganization(next)
	return change.Commit()
}
