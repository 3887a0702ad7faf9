// Package plan decides what is to be written: from what the directory wants
// (desired), what was last agreed (base) and what the tenant has (observed) to
// a list of changes. It does no I/O and reads no clock; the same input gives
// the same bytes.
//
// # One property of a bound account
//
//	desired  base     observed   what happens
//	-------  -------  ---------  ---------------------------------------------------
//	a        any      a          nothing; the base becomes a
//	b        a        a          only we changed: write b
//	a        a        c          only the tenant changed: revert (write a) or report
//	b        a        c          both changed: write b, and report with both values
//	b        none     c          managed for the first time: write b
//	a        a        c, fresh   our own write may not be visible yet: nothing
//	none     any      any        not managed: nothing
//
// # accountEnabled
//
//	desired  observed  block is ours   what happens
//	-------  --------  -------------   -------------------------------------------
//	false    true      any             block, and end the sessions
//	true     false     yes             unblock
//	true     false     no              finding blocked-at-microsoft (invariant 11)
//
// # A bound user without an account
//
//	an account has the mapped address as userPrincipalName
//	    bound, protected, guest, disabled, other employeeId    conflict
//	    synced from on-premises                                read-only
//	    else                                                   adopt, then update or block
//	another account has the address as mail or proxy address   conflict
//	nobody has it                                              create
//	nobody has it, and the user is suspended                   nothing
//
// # Order
//
// Blocks come first, then what concerns existing accounts, then creations;
// within a phase by user. Properties that Microsoft guards by the target's
// role are written in a change of their own, so that the others still land.
package plan
