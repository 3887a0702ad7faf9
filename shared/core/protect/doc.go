// Package protect says which accounts are never written to, and holds the one gate
// through which every write to a tenant goes.
//
//	it authorised the connection                        never lifted
//	it is the last enabled Global Administrator,
//	    or the protection of all of them is lifted      never lifted
//	it holds a directory role, or is in a group that
//	    can be given one                                can be lifted, for some hours
//	the settings name it                                can be lifted, for some hours
//
// Besides, accounts that are synced from on-premises, guests and external members
// are not ours to write: package plan refuses them when they are read.
//
// Reader reads who that is and remembers it: for judging and planning as long as
// directory.RolesLife, for sending what Microsoft guards by roles no longer than
// directory.RolesFresh. What it returns is a Protection, a value that answers
// without I/O. Where Microsoft does not let us read who holds roles, it says so
// (Unread), and the guard holds what would be written.
//
// Overrides are what admins do about it. Gate is the only caller of a tenant's Write
// in the product; a test of the source holds that.
package protect
