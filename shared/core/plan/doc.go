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
//	none     a        a          not managed any more: nothing
//	none     a        c          likewise, and it is the tenant's now: the base forgets it
//
// The mailNickname of an account that has one stays as it is, whatever the
// directory would give to a new one, unless the settings want it to follow
// (updateMailNickname); so does its displayName while the user has no name at all
// and the address would stand in for it.
//
// Values are compared in mapping's canonical form. Shortly after a write of ours
// (Subject.Fresh, by property) a read that differs from the base may come from a
// replica that has not heard of the write; then the base counts as observed, so
// that nothing is taken for a foreign change, and an edit back to the former
// value is written although the read shows it already.
//
// # Values that Microsoft does not take as they are
//
//	what is known                        desired          observed   what happens
//	---------------------------------    ---------------  ---------  ------------------------
//	it refused a (Binding.Refused)       a, same rule     any        left out; a problem of this property
//	it refused a                         b, or new rule   any        as in the table above
//	a breaks a rule of mapping           a                any        left out; a problem of this property
//	it keeps k for a (Binding.Kept)      a                k          nothing, and a finding; the base is k
//	it keeps k for a                     b                k          write b
//	it keeps k for a                     a                c          only the tenant changed
//
// Judge says when k is what Microsoft keeps, and not somebody's change.
//
// # accountEnabled
//
//	desired  observed  block is ours   what happens
//	-------  --------  -------------   -------------------------------------------
//	false    true      any             block, and end the sessions
//	true     false     yes             unblock
//	true     false     no              finding blocked-at-microsoft (invariant 11)
//
// A block is ours if we made it (Binding.Blocked) and the account was not agreed
// to be enabled since.
//
// # What holds writes back
//
//	the binding is paused                                      nothing
//	the account is synced from on-premises, or protected       read-only
//	the account is a guest's or an external member's           read-only
//	a value breaks a rule of mapping, or Microsoft refused it  refused; the rest is written
//	...and no account can be created without it                refused; no account is created
//	the user is deleted                                        block (or delete, by onDelete), nothing else
//	the account is soft-deleted                                conflict, or restore by onSoftDeleted
//	the account is gone for good                               conflict; never made anew in silence
//	...and the user is not active                              in-sync, with a finding
//
// # A bound user without an account
//
//	it is known which account it has (an import, the binding before)
//	    and another one has the mapped address                     conflict
//	    bound to another user, guest, external member, disabled    conflict
//	    soft-deleted, and nobody has the mapped address            conflict
//	    else                                                       adopt, then update or block
//	an account has the mapped address as userPrincipalName
//	    bound to another user, guest, external member, disabled,
//	    other employeeId                                           conflict
//	    synced from on-premises, protected                         read-only
//	    else                                                       adopt, then update or block
//	an external account has the user's address at home             conflict
//	another account has the address as mail or proxy address       conflict; a single
//	    one that may be the person's can be adopted by an admin
//	nobody has it                                                  create
//	nobody has it, and the user is not active                      nothing, with a finding
//
// A binding that was given its account (by an import, or a former selection) is
// adopted likewise, but its employeeId is not asked about: an import that knows the
// user by an address alone has asked (OtherEmployee).
//
// # Order
//
// Blocks come first, then what concerns existing accounts, then creations;
// within a phase by user. Sensitive properties (directory.Sensitive) are written
// in a change of their own, update-sensitive: Microsoft checks the target's
// roles for them, an admin may decline them, and the ordinary ones must land all
// the same. Neither change waits for the other. A rename has a change of its own
// and comes after the updates.
//
// # From decisions to what may go
//
//	Decide, Release, Undo ─> changes ─> Withhold: without what was declined
//	                            │
//	                         Tally ─> Guard ─> Held ─> Exempt: leavers go all the same
//	                            │               └────> Select: what an admin approves
//	                       WaveClass ─> Waves ─> Compare ─> Verdict: on, or held again
//
// All of these look at the same list of changes and nothing else: it is plan
// and journal at once. A Tally counts it by effect, department and domain; as a
// Counter it is added up in the table by the hour, and Sums gives the guard the
// day and the week. Text, WriteCSV, Filter and Tally.By show it.
//
// Files: plan.go, match.go, diff.go and release.go decide; kept.go knows what
// Microsoft refused and keeps; order.go puts in order; reversal.go marks what
// cannot be taken back; tally.go, guard.go and limits.go guard; approve.go chooses;
// breaker.go sends in waves; undo.go and undo_user.go take a run back; explain.go
// and view.go show.
package plan
