// Package licensing decides who gets which licence: from what people are to have, what
// their accounts have, what we gave them, and how many seats the tenant has left. It
// does no I/O and reads no clock; the same input gives the same result.
//
// # One product of one person
//
// "Ours" is what the ledger says that we gave; "direct" is what was given to the account
// itself, by whomever; "inherited" is what comes by a group.
//
//	wished  the account has         what happens
//	------  ----------------------  ---------------------------------------------------
//	yes     direct, ours, as wished nothing
//	yes     direct, ours, otherwise other services are switched on or off; what somebody
//	                                else switched is reported, if others' changes are
//	yes     direct, not ours        nothing; a finding when a wished service is off
//	yes     inherited, all services nothing: it takes no second seat to be so
//	yes     inherited, some off     given besides; takes no seat (GG 9.4)
//	yes     not, and we gave it     somebody took it: given again, or reported
//	yes     not                     given, when there is a seat
//	no      direct, ours            taken away
//	no      not, and we gave it     the ledger forgets it
//	no      anything else           nothing: what others gave is theirs
//
// Of several wishes for one product a service is on that one of them wants on.
//
// # By a group
//
// What Microsoft gives to the members of a group is nothing that is given here. What we
// gave to the account itself of the same product is taken once the group gives it, and
// not before; and what comes by a group that is about to give it no longer is given to
// the account before. Somebody to whom it has not come yet needs a seat all the same,
// which Microsoft takes by itself, whatever our order is; where it could not for want of
// one, it is asked once more in the order of the line. Who has the product otherwise
// needs no second seat.
//
// # Seats
//
// Seats that are given back are given out again in the same plan. Who gets one: the
// highest priority first, then the oldest wish, then by the user's ID. Nobody loses a
// seat to somebody else. Whoever gets none waits, with a place in the line of the
// product; somebody without a usageLocation does not stand in it.
//
// # One call
//
// What changes of one account goes in one call, in which Microsoft gives and takes
// together (GG 9.2). A product that is taken waits for one that is given and has
// services in common with it: from the one to the other there is no moment without.
package licensing
