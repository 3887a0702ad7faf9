// Package managers is the kind of managers: who is whose manager in our directory
// (managerId) is so at Microsoft as well, where the connection's settings want it.
//
// A user's manager has a record of its own, a binding whose Ref is
// directory.ManagerOf(user), made by whoever binds the user, edits managerId or
// switches the setting on. Its base is the account that was last agreed to be the
// manager; it has no account of its own. At Microsoft a manager is a reference, read
// and written by requests of its own (GG 10), so that it is a kind and no property of
// the account: a failure of the one holds back nothing of the other.
//
// # One manager
//
//	the setting is off, or the user is not bound (any more)    the record ends; nothing is written
//	the user is deleted, or being released                     nothing is written
//	the user is released with restore                          the manager from before our first write,
//	                                                           as long as it is still ours
//	the account is read-only, or its binding paused            nothing is written, for that reason
//	no manager, without the setting clear                      not managed; what was agreed is forgotten
//	                                                           once the tenant has another
//	no manager, with clear                                     nobody is wanted
//	a manager who is not bound, was released or deleted        finding manager-not-bound
//	a manager who is not active                                finding manager-suspended
//	one of both has no account, and none comes                 finding manager-waits
//	one of both has none yet                                   planned all the same; see below
//	else                                                       the manager's account is wanted
//
// What is wanted, was agreed and is there is compared as one property of an account
// is: see package plan. A finding takes nobody's manager away.
//
// # In one run
//
// Managers are written after accounts have been made (phase 4). So a manager is
// planned while either account is still to come; the change then names the manager as
// one to come (directory.ComingManager), and Confirm puts the account in its place. When it did not
// come, the change waits: it is outdated, and planned anew later.
//
// To set a manager twice does it once, so nothing has to be looked for after a broken
// connection. That Microsoft refuses neither oneself as manager nor a circle is not
// proven (GG 10 [K]); our directory refuses both at the edit.
package managers
