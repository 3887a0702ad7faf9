// Package crashtest is scenarios of everything that Bindery does with a
// tenant, and the means to let it go wrong at each of its calls. It is code for
// tests, and its own run it through the real adapter. Package reconcile
// has a story of its own, which is small enough to go wrong at every call, and
// under the race detector.
//
// How the parts move: Prepare plays the scenario's past once and keeps it as a
// Snapshot: the table's writes, the vault, the simulator's file, the time. Count
// opens the snapshot and plays the scenario undisturbed; it returns every call
// that was made to the outside and how tenant and directory stood after each
// step. Try opens the snapshot again and plays the scenario with one fault at one
// call. After each step it waits, in virtual time, for the very same standing;
// at the end the journal is held against the simulator's own log.
//
// A process that is killed makes no call any more: each fails. What it leaves is
// what a dead Lambda leaves: table, vault, queue and tenant. Then a new Core is
// made of them. A message that was being worked on comes back after its
// visibility, the schedule ticks every five minutes, and whoever called the API
// calls again.
//
// Scenarios are of accounts, and of groups with their members, managers and licences. The
// tests go through some of their calls; BINDERY_CRASH_EACH=1 has them go through all,
// which takes an hour.
//
// Its wild tests let anything happen, by a seed, to every kind of objects: edits on both
// sides, undos, faults, other orders, parts of approvals, two workers, frozen ones.
// BINDERY_SEED tries one seed, BINDERY_SEEDS as many.
//
// Everything must be called inside a testing/synctest bubble. One goroutine
// drives a world.
package crashtest
