// Package licences is the kind of licences: whoever is to have a product by a rule has
// it at Microsoft, as long as there are seats.
//
// A user's licences have a record, a binding whose Ref is directory.LicenceOf(user), made
// and marked by whoever licenses the user (core/uses). Its base is the ledger: which
// products we gave, and which services of them are off. Nothing else is ever taken away
// or changed: what was there before, what others gave, and what comes by a group. The
// ledger is of one account: what a user had before by another one is not looked for in it.
//
// Whoever leaves keeps what he has for as long as the rules say so: with the last rule what
// we gave goes, also while his account is let go, however that is, and from an account that
// is bound no more, as long as it is nobody else's. The ledger names the account, so that the
// order of the two does not matter. Whoever is released with the values from before loses
// what we gave, whatever the rules say. A deactivation takes nothing away.
//
// # By groups
//
// A use may have the exported group's tenant group give its members a product, which
// Microsoft does in its own time (group-based licensing, GG 9.4). What we gave to a tenant
// group is in the ledger of a record of its own (GroupKind), and its members have records
// all the same, which tell of each whether it has come, or why not. So a rule can be
// switched from the one way to the other without a moment in between: what we gave to an
// account is taken once its group gives it, and what we gave to a group once all of its
// members have it themselves.
//
// Where Microsoft could not give a product for want of a seat, the person stands in line
// with all others, and is asked for again when a seat is there; for another cause when
// something about the account is otherwise than it was, or a few times a day apart. When
// it was asked stands on the record (states.go).
//
// # Over the whole tenant
//
// Who gets a seat is decided for all who compete for one together (outlook.go), not page
// by page: for everybody who is marked, and all who wait. Package licensing decides. The
// first plan of a run reads the tenant's products, and what all of these people have;
// the pages of the run take their parts of it.
//
// Of very many no more than so many are read at once (manyCompete), so that no plan takes
// longer than a slice: when a page comes about others, the next ones are looked at, for
// the seats that are left. When seats may be short, the order is that of all the same, by
// what the rules say of those who are not read yet (claims.go). Who found none in a former part gets a seat that a later one
// gives back when the line is looked at next.
//
// # Waiting
//
// Whoever gets no seat waits: the record is pending with the problem waiting-for-seat,
// which says the place in line. It is no failure. When a seat is given back by a plan it
// is given out again by the same plan. When one comes free otherwise, whoever is first in
// line finds it, who is looked at every quarter of an hour, and everybody behind with
// him. A seat that somebody else took a moment before makes its change wait likewise.
//
// # What others change
//
// Rounds of accounts show what each has of licences, too (foreign.go), so that a licence of
// ours that somebody took is seen as soon as any other change, put back or reported, with
// who did it as far as Microsoft's log says.
//
// # Sending
//
// Microsoft makes one change of licences at a time in a tenant (GG 9.3), so each is a
// call of its own, after everything else (EffectRow.Serial). After a broken connection it
// is made again: to give a product twice gives it once, and of a swap that Microsoft
// refuses then, since what is to be taken is not there, the account says that it has been
// made. Before a product is given the record notes that it may have been, so that it is
// ours when nobody heard of it and something else is wanted by then. Soon after a write of
// ours the ledger counts, and not a read that may be older.
package licences
