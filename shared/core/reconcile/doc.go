// Package reconcile is the engine: it brings what is bound through a connection,
// accounts first of all, to what the directory says, slice by slice.
//
// # The way of a slice
//
//	noOp? ─> acquire ─> each run: observe ─> plan ─> guard ─> apply ─> journal ─> release
//	                    delta pages become    marks become   held?   several batches at once,
//	                    marks on bindings     recorded chunks        journalled one by one
//
// A slice is what one invocation does of one connection, while it holds the
// connection's lease. Each of its parts is a type that knows what it needs and
// nothing else, and is given what it works on:
//
//	session        the lease, the time that is left, and what stands on the lease
//	lane           serves leavers while something else is waited for (leavers; closed)
//	runQueue       the runs that have not ended, and their transitions
//	cadence        when the tenant is read
//	observer       reads users, bindings and accounts directly, before anything is decided
//	rounds         reads the tenant in rounds, and marks what differs; in a full one
//	               from a listing of the bindings (listing.go)
//	shield         who is protected, for planning and for sending (package protect)
//	planner        makes a run's plan, a runPlan: of what is marked, or the inverse of a run (undo.go)
//	kinds          decide, confirm, write and note their objects; accounts are the first (accounts.go)
//	dependents     mark what has waited for an object that a kind has made or mended
//	guard          gathers what package plan's guard looks at
//	applier        sends a plan: in flights of several batches, and in waves
//	invocation     has them do what is to be done
//
// A task is the work on one run, and goes from one to the next: the run's record,
// its place (runs.Progress), what its plan adds up to, and the lane past it.
//
// What the work is stands in the table only:
//
//   - A mark on a binding says "compare this one": an edit of the user sets it
//     in the edit's own transaction, reading the tenant sets it on accounts
//     that differ from their base, and it is cleared only in the transaction
//     that records what was done about it. Reading is thereby no more than an
//     accelerator: whatever order, repetition or gap a delta round has, each
//     marked account is read directly before anything is decided.
//   - A run holds its changes in chunks, recorded before the first of them is
//     sent, and beside each chunk the results of its batches. What has no
//     result is not done yet.
//   - Every creation is preceded by the question who has its address, a moment
//     before; and by a direct read of it where an earlier sending may have taken
//     effect unseen. See below.
//
// The wake-up of an edit names the user, who is then read by key and planned alone, if
// that is the whole matter (named.go). Otherwise, and for all other wake-ups, marks are
// listed; what was listed is what the run begins with.
//
// A run that a slice makes of marks is a draft at first (runQueue.draft): it comes into
// the table with its plan, in one transaction, once the guard has decided, or before
// that as soon as anything of it must be remembered: a further chunk, a wait, a
// trouble, a binding that names it. Of a draft that dies nothing is missing, since the
// marks are there. When all of a run's changes are in one chunk, the journal of its
// last results ends it (batch.ends). So a run of few changes is two transactions.
//
// Any step may be cut off by a crash and is repeated by the next slice; every
// write of the table that follows from a decision checks the lease's fence and
// the connection's epoch.
//
// # Order of applying
//
// Phase by phase (directory.Effects): what takes access away, what concerns
// accounts that are there, creations, groups, what holds between objects, licences.
// Within a flight no object occurs twice; an
// object's changes follow each other in their order, and a change that depends on a
// failed one is refused. Leavers have marks in a lane of their own and runs of
// their own, which are served between the pages and flights of all others.
//
// # Who has an address
//
// Before a user gets a new account it is asked who has the address: as
// userPrincipalName, as mail, or among the proxy addresses (addresses.go). Three
// ways of asking answer differently well (G 2.8, G 9):
//
//	filter   five addresses a call; from an index that lags by minutes at worst
//	listing  a thousand accounts a call; as old as its first page
//	read     one account a call, by name or ID; lags by seconds
//
// and Microsoft itself answers best: it gives a userPrincipalName once. So
//
//   - A filter or a listing that shows nobody is good for answersLife, counted from
//     before it was asked, whether planning or sending asked for it: nothing is asked
//     twice meanwhile. (A flight that was prepared may wait preparedLife more, and as
//     long as it takes to note its intentions.) That
//     long somebody may get the address as mail or proxy address, and as long as the
//     index lags; nothing but a longer wait would find him, today as before. Who gets
//     it as userPrincipalName has the creation refused.
//   - Whom they show is read directly before anything is decided about him: an index
//     still shows who is gone.
//   - A creation that may have been sent has its name read directly, each time: this
//     slice has sent one of the address, or it is not known what became of it, or a
//     former slice may have sent it. That none has left anything unseen is noted with
//     the run (runs.Progress.Clean) until something is sent of it, and again by each
//     slice that ends in order. So after one that died all that is left of the run is
//     read by name.
//   - A user with whom something went wrong is read by name as well when he is
//     planned again: Microsoft may have refused what no index shows yet. So is one
//     whom a person asks about.
//   - Deleted accounts keep no name (G 2.7) and stand in no creation's way. They are
//     looked at where a user is known to have had one, and where Microsoft refuses.
//
// # Single values
//
// A change that Microsoft refuses for one of its properties fails; in the same
// transaction the value is noted on the binding as refused, and the binding is
// marked: the next run plans the rest without it. Each such round takes one
// property away, so it ends. A run that wrote is followed by one round of reading,
// half a minute later (readback.go); what that does not show as written is read
// directly when Grace is over, and is then Microsoft's, or ours after all.
//
// A slice that has used up a quota of Microsoft's ends, and a delayed wake-up
// begins the next one. A scheduled run that finds nothing takes no lease: it is
// one request and one conditional write, see noOp.
//
// # Kinds
//
// What is kept in step are objects of kinds (directory.Ref): accounts, and what
// Config.Kinds has besides. A kind knows how to read, compare, decide, write and
// note its objects; the engine knows no kind by name where it plans, guards, sends
// and journals. See Kind, Objects and Batch (kind.go) for who is asked what:
//
//	plan          Decide, Undo       changes, or what a record needs without a write
//	after a wait  Drifted            what is not any more as an admin has seen it
//	a flight      Records, Confirm, Intend, Write, Sort, Find, Clarify, Journalled
//	              Consequence        what a result means for the record
//	waves         ReadBack           whether an object is as a change left it
//	a person      Explain
//
// What not all kinds have is asked for by interfaces that they may have besides:
//
//	Combiner  of a Batch: several changes go in one request of the tenant
//	Bundler   which changes may go in one request, so that flights are picked by it
//	Rounds    the tenant tells what has changed of the kind (kind_rounds.go)
//	Expander  records follow from users and settings, and missing ones are made
//
// and three things are said by what is planned and answered:
//
//	Verdict.Later       a change waits for another object. It is outdated, its record
//	                    rests, and is looked at when its time has come, or when
//	                    Config.Dependents names it for an object that is there now
//	                    (dependents.go). Plans may therefore be made of what the same
//	                    run is only about to make: phases put that first.
//	EffectRow.Serial    the tenant takes one such change at a time. They go last; a run
//	                    that has nothing else left lets leavers, other runs and new
//	                    marks go between any two of them (serial.go)
//	Change.Scope        a part that the guard counts by itself: a group, for those who
//	                    leave it
//
// A flight is of one kind; a chunk, a run, its guard, waves and journal are of all.
// The guard's limits hold for each kind by itself; an effect that is beyond its limit
// for one kind is held for all of a run. Accounts are decided last, since leavers are
// served while other kinds read.
//
// Accounts stand in this package: accounts*.go answer these questions, with the
// observer, names, externals, passwords, domains and single values. lamp_kind_test.go
// is a second kind, of which the engine knows nothing, and the other lamp_*_test.go
// have it ask for all of the above. One thing is accounts' own: the lane of leavers.
// Another kind's objects are marked by who changes them (store.Marks.MarkWanted,
// MarkRecheck) and by its rounds. What is of a kind that is not there is left to a newer
// version: a mark, and a run with changes of it (RunRecord.Kinds).
package reconcile
