package graph

import (
	"slices"
	"time"

	"bindery/shared/entra/entratest/roles"
	"bindery/shared/entra/entratest/state"
)

// A class of the sensitive-actions table says who may act on an account.
type class int

const (
	targetOrdinary   class = iota // no role, or a harmless one
	targetHelpers                 // Groups, Helpdesk and User Administrator
	targetAuthAdmin               // Authentication Administrator
	targetPrivileged              // all other roles, and members and owners of role-assignable groups
)

// classOf tells how well an account is protected. With roles of two classes the
// rules of both hold, which leaves the privileged only.
func classOf(t *state.Tenant, id string) class {
	helpers, auth := false, false
	for _, role := range t.RolesOf(id) {
		switch role {
		case roles.DirectoryReaders, roles.GuestInviter, roles.MessageCenterReader, roles.PasswordAdministrator, roles.ReportsReader, roles.UsageSummaryReportsReader:
		case roles.GroupsAdministrator, roles.HelpdeskAdministrator, roles.UserAdministrator:
			helpers = true
		case roles.AuthenticationAdministrator:
			auth = true
		default:
			return targetPrivileged
		}
	}
	switch {
	case helpers && auth || inRoleGroup(t, id):
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
func inRoleGroup(t *state.Tenant, id string) bool {
	if slices.ContainsFunc(t.GroupsOf(id), func(g *state.Object) bool { return g.Flag("isAssignableToRole") }) {
		return true
	}
	return slices.ContainsFunc(t.GroupsTo(state.Owners, id, time.Time{}, 0), func(group string) bool {
		g := t.Object(group)
		return g.Active() && g.Flag("isAssignableToRole")
	})
}

// mayTouch is the sensitive-actions table: which roles may do a sensitive thing to
// a target of each class.
func mayTouch(held []string, target class) bool {
	allowed := []string{roles.GlobalAdministrator, roles.PrivilegedAuthenticationAdministrator}
	switch target {
	case targetOrdinary:
		allowed = append(allowed, roles.UserAdministrator, roles.AuthenticationAdministrator)
	case targetHelpers:
		allowed = append(allowed, roles.UserAdministrator)
	case targetAuthAdmin:
		allowed = append(allowed, roles.AuthenticationAdministrator)
	}
	return slices.ContainsFunc(held, func(r string) bool { return slices.Contains(allowed, r) })
}
