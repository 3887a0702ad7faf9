// Package reconcile is the engine: it brings the bound accounts of a
// connection to what the directory says, slice by slice.
//
// # The way of a slice
//
//	noOp? ─> acquire ─> each run: observe ─> plan ─> guard ─> apply ─> journal ─> release
//	                    delta pages become    marks become   held?   batches of 20,
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
//	rounds         reads the tenant in rounds, and marks what differs
//	shield         who is protected, for planning and for sending (package protect)
//	planner        makes a run's plan, a runPlan: of what is marked, or the inverse of a run (undo.go)
//	guard          gathers what package plan's guard looks at
//	applier        sends a plan: a chunk at a time, a batch of it at a time, in waves
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
//   - Every creation is preceded by a direct read of its address, a moment
//     before. Whoever takes over a run thereby finds what took effect unseen.
//
// Any step may be cut off by a crash and is repeated by the next slice; every
// write of the table that follows from a decision checks the lease's fence and
// the connection's epoch.
//
// # Order of applying
//
// Phase by phase (directory.Effects): what takes access away, what concerns
// accounts that are there, creations. Within a batch no account occurs twice; a
// user's changes follow each other in their order, and a change that depends on a
// failed one is refused. Leavers have marks in a lane of their own and runs of
// their own, which are served between the pages and batches of all others.
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
// Accounts are the only kind of objects so far. The records name what they are
// about by a directory.Ref; the engine goes from there to the user (Ref.User) and
// its account. Another kind (tenant groups) will come as a package of its own. What
// a kind has to know is in few places by now, and makes its interface:
//
//	Observe      the objects of marks, directly; who cannot be read is deferred      observer
//	Decide       changes, or what a record needs without a write                     runPlan: decideOne, acknowledge, postpone; undoOf
//	Confirm      right before a write: send it, or what became of it                 batch: check, confirm, adopt
//	Write, Sort  the request of a change, and what an answer means                   batch: write, sort, findOutcomes
//	Consequence  what a result means for the record                                  consequence
//	ReadBack     whether an object is as a change left it, or found it               waves: compareBack; chunk: movedOn
//	Round        which objects differ, by what the tenant reports                    rounds
//
// The rest works on changes and effects alone, and stays as it is: session, lane,
// queue, guard, waves, chunks and their journal, tasks and their places.
package reconcile
