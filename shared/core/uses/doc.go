// Package uses is what connections do with groups of the directory: select their
// members, export them to the tenant, and license their members.
//
//	Service    what admins ask: put, read, list and end the use of a group
//	Expander   brings uses up to date: what follows from a use for each member
//
// # From an edit to the tenant
//
// An admin's use of a group, an edit of the group, of its members, or of a group in it,
// makes the use due (store.Groups.TellUsers). Whoever works on the connection expands
// what is due, under the lease, before a run is made of marks: it compares the members
// that the directory has with those that the use was brought to, and for each who differs
// makes, or lets go, the records that follow, which are marked by that:
//
//	select     a binding of the user's account, with the group as a path
//	export     a record of the kind group, and one of the kind member for each member
//	licences   a record of the kind licence for each member; of licences that come by the
//	           group, besides one of the kind group-licence for the group
//
// An edit says of which users it was, and those alone are looked at: what that costs does
// not depend on how many others there are. All members are gone through when the rules of
// the use have changed, groups have come to it or gone, so many were edited that listing
// all is cheaper, and with each full round of the connection (Anew).
//
// From there on the engine plans, guards, writes and journals them as it does all marks.
// Nothing here writes to a tenant.
//
// # Crashes, and two at once
//
// How far a use has been brought is noted for each member in the transaction that makes
// its records (store.Uses.Advance); bindings of accounts are made before that, and are
// made no second time. All of it is conditional on the lease. So an expansion that dies
// is repeated and finds done what was done, and there is no place in it to keep. A use
// stays due until one has come to the end without an edit meanwhile.
//
// # Who is a member
//
// Users who are in the group, directly or through groups in it, each once however many
// ways there are. Somebody who is suspended or deleted stays a member: what becomes of a
// leaver's memberships is a matter of time and policy, not of this comparison. The
// members of a deleted group are none. With nested "keep" a group in the group that the
// connection exports as well is a member itself, and what is in it is left to its own
// export.
package uses
