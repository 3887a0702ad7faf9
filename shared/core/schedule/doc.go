// Package schedule finds out, every few minutes, which connections and jobs have
// work that nobody is doing, and wakes them. It does none of the work itself.
//
//	Tick ─┬─ Round: stalled jobs, then page by page each connection's turn
//	      │           turn: gauges ─> due? wake ─> the Tenders
//	      └─ Chores: what is done once in a tick
//
// # Rounds
//
// A round goes through all connections, in the order of their IDs, several at
// once. As a rule a tick is a round. A tick that runs out of time stops, and the
// next one goes on behind the last connection that had its turn; so all have
// one, however many there are and whatever becomes of some of them. Where the
// round stands is stored whenever another page of connections begins: when the
// process dies in a page, the next tick begins behind it. Two schedules at once
// do the same twice, which does no harm: each thing that is done is conditional,
// and a wake-up too many finds nothing to do.
//
// # What a connection costs
//
// A page of a hundred connections is two calls of the table, and holds where
// their work stands. Of each, one call reads what stands beside it. When it is
// due, that is all; else two lanes of marks are looked at, for edits whose
// wake-up was lost: the urgent one at each tick, the others in turn. (A run that
// the interval begins looks at all of them.)
//
// # What a crash leaves
//
// Nothing that matters: wake-ups that were not sent are still due at the next
// tick, and what a Tender or a Chore left undone is due again as well.
package schedule
