package entratest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Template ids of the directory roles that rules here name.
const (
	globalAdmin     = "62e90394-69f5-4237-9190-012177145e10"
	userAdmin       = "fe930be7-5e62-47db-91af-98c3a49a38b1"
	privAuthAdmin   = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
	privRoleAdmin   = "e8611ab8-c189-46e8-94e1-60213ab1f814"
	authAdmin       = "c4e39bd9-1100-46d3-8c65-fb160da0071f"
	groupsAdmin     = "fdd7a751-b60b-444a-984c-02652fe8fa1c"
	helpdeskAdmin   = "729827e3-9c14-49f7-bb1b-9608f156bbb8"
	passwordAdmin   = "966707d0-3269-4727-9be2-8c3a10f19b9d"
	dirReaders      = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
	dirWriters      = "9360feb5-f418-4baa-8175-e2a00bac4301"
	guestInviter    = "95e79109-95c0-4d8e-aee3-d01accf2d47b"
	messageReader   = "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b"
	reportsReader   = "4a5d8f65-41da-4de4-8968-e035b65339cf"
	usageReader     = "75934031-6c7e-415a-99d7-48dbd49e875e"
	globalReader    = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
	securityReader  = "5d6b6bb7-de71-4623-b4af-96380a352509"
	securityAdmin   = "194ae4cb-b126-40b2-bd5b-6091b380977d"
	licenseAdmin    = "4d6ac14f-3453-41d0-bef0-a3e0c569773a"
	appAdmin        = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
	cloudAppAdmin   = "158c047a-c907-4556-b7ef-446551a6b5f7"
	exchangeAdmin   = "29232cdf-9323-42fd-ade2-1d097af3e4de"
	domainNameAdmin = "8329153b-31d0-4727-b945-745eb3bc5f31"
	hybridAdmin     = "8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2"
)

// roleNames are the directory roles that exist, by template id.
var roleNames = map[string]string{
	globalAdmin: "Global Administrator", userAdmin: "User Administrator",
	privAuthAdmin: "Privileged Authentication Administrator", privRoleAdmin: "Privileged Role Administrator",
	authAdmin: "Authentication Administrator", groupsAdmin: "Groups Administrator",
	helpdeskAdmin: "Helpdesk Administrator", passwordAdmin: "Password Administrator",
	dirReaders: "Directory Readers", dirWriters: "Directory Writers", guestInviter: "Guest Inviter",
	messageReader: "Message Center Reader", reportsReader: "Reports Reader",
	usageReader: "Usage Summary Reports Reader", globalReader: "Global Reader",
	securityReader: "Security Reader", securityAdmin: "Security Administrator",
	licenseAdmin: "License Administrator", appAdmin: "Application Administrator",
	cloudAppAdmin: "Cloud Application Administrator", exchangeAdmin: "Exchange Administrator",
	domainNameAdmin: "Domain Name Administrator", hybridAdmin: "Hybrid Identity Administrator",
}

// roleTemplates turns names or template ids into template ids. A GUID that is
// not a built-in role stands for a custom one.
func roleTemplates(refs []string) ([]string, error) {
	var out []string
	for _, ref := range refs {
		id := ""
		for template, name := range roleNames {
			if strings.EqualFold(name, ref) {
				id = template
			}
		}
		if id == "" && isGUID(ref) {
			id = strings.ToLower(ref)
		}
		if id == "" {
			return nil, fmt.Errorf("there is no directory role %q: give the English name or the template id", ref)
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out, nil
}

func roleName(template string) string {
	if name, ok := roleNames[template]; ok {
		return name
	}
	return "Custom role " + template[:8]
}

// setRoles makes templates the direct roles of a principal.
func setRoles(roles map[string]map[string]bool, principal string, templates []string) {
	for _, members := range roles {
		delete(members, principal)
	}
	for _, template := range templates {
		if roles[template] == nil {
			roles[template] = map[string]bool{}
		}
		roles[template][principal] = true
	}
}

// rolesOf returns the template ids of an account's roles, direct ones and those
// of its role-assignable groups.
func (t *tenant) rolesOf(id string) []string {
	set := map[string]bool{}
	groups := t.groupsOf(id)
	for template, members := range t.roles {
		if members[id] {
			set[template] = true
		}
		for _, g := range groups {
			if members[g.ID] {
				set[template] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// groupsOf returns the groups that hold an object, directly or through others.
func (t *tenant) groupsOf(id string) []*object {
	var out []*object
	seen := map[string]bool{}
	for todo := []string{id}; len(todo) > 0; todo = todo[1:] {
		for _, g := range t.directGroupsOf(todo[0]) {
			if !seen[g.ID] {
				seen[g.ID] = true
				out = append(out, g)
				todo = append(todo, g.ID)
			}
		}
	}
	return out
}

// directGroupsOf returns the active groups that list an object.
func (t *tenant) directGroupsOf(id string) []*object {
	var out []*object
	for _, gid := range t.groupIDs {
		if g := t.objects[gid]; g.active() && g.Members[id] > 0 {
			out = append(out, g)
		}
	}
	return out
}

// protection classes of the sensitive-actions table, by who may act on a target.
const (
	targetOrdinary   = iota // no role, or a harmless one
	targetHelpers           // Groups, Helpdesk and User Administrator
	targetAuthAdmin         // Authentication Administrator
	targetPrivileged        // all other roles, and members and owners of role-assignable groups
)

// classOf tells how well an account is protected. With roles of two classes the
// rules of both hold, which leaves the privileged only.
func (t *tenant) classOf(id string) int {
	helpers, auth := false, false
	for _, role := range t.rolesOf(id) {
		switch role {
		case dirReaders, guestInviter, messageReader, passwordAdmin, reportsReader, usageReader:
		case groupsAdmin, helpdeskAdmin, userAdmin:
			helpers = true
		case authAdmin:
			auth = true
		default:
			return targetPrivileged
		}
	}
	switch {
	case helpers && auth || t.inRoleGroup(id):
		return targetPrivileged
	case helpers:
		return targetHelpers
	case auth:
		return targetAuthAdmin
	}
	return targetOrdinary
}

// inRoleGroup tells whether an account is a member or an owner of a group that
// can be given roles, whether it has any or not.
func (t *tenant) inRoleGroup(id string) bool {
	if slices.ContainsFunc(t.groupsOf(id), func(g *object) bool { return g.flag("isAssignableToRole") }) {
		return true
	}
	return slices.ContainsFunc(t.groupIDs, func(gid string) bool {
		g := t.objects[gid]
		return g.active() && g.flag("isAssignableToRole") && slices.Contains(g.Owners, id)
	})
}

// mayTouch is the sensitive-actions table: which roles may do a sensitive thing to
// a target of each class.
func mayTouch(roles []string, class int) bool {
	allowed := []string{globalAdmin, privAuthAdmin}
	switch class {
	case targetOrdinary:
		allowed = append(allowed, userAdmin, authAdmin)
	case targetHelpers:
		allowed = append(allowed, userAdmin)
	case targetAuthAdmin:
		allowed = append(allowed, authAdmin)
	}
	return slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(allowed, r) })
}

// SetRoles makes roles, names or template ids, the direct roles of an account.
func (s *Server) SetRoles(tenantID, idOrUPN string, roles ...string) error {
	templates, err := roleTemplates(roles)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, o, err := s.account(tenantID, idOrUPN)
	if err != nil {
		return err
	}
	r := t.record()
	direct := newTenant(r).roles
	setRoles(direct, o.ID, templates)
	r.Roles = map[string][]string{}
	for template, members := range direct {
		r.Roles[template] = slices.Sorted(maps.Keys(members))
	}
	c := change{s: s, t: t, record: &r}
	c.log = append(c.log, Mutation{
		Kind: "roles", Target: kindUser, TargetID: o.ID, Name: o.text("displayName"), UPN: o.text("userPrincipalName"),
		After: map[string]any{"roles": anyList(templates)},
	})
	return c.commit()
}
