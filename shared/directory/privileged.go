package directory

import "time"

// How long it counts what was read about who holds roles in a tenant.
const (
	// RolesLife is for judging and planning.
	RolesLife = 5 * time.Minute
	// RolesFresh is for sending what Microsoft guards by roles: so long ago may
	// their reading have ended at most when a batch is begun that blocks, deletes,
	// renames, or writes sensitive properties.
	RolesFresh = 30 * time.Second
)

// Privileged is who can do more in a tenant than others, as far as it can be
// read.
type Privileged struct {
	// Holders have a directory role, by themselves or through a group, or are
	// members or owners of a group that can be given roles. Sorted, once each.
	Holders []AccountID
	// GlobalAdministrators are those of them that hold that role, by
	// themselves or as members of a group.
	GlobalAdministrators []AccountID
	// Unread says why some holders may be missing; empty when none are.
	Unread string
	// At is when the answer was there; zero: just now.
	At time.Time
}
