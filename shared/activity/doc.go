// Package activity answers "what was done?": reports over the runs' changes and
// over the acts of admins, the proof that nobody changed them afterwards, the
// comparison with Microsoft's own audit log, and the events that others hear of
// all this.
//
//	run ends ─┐                                     ┌─> Report   entries, summary, CSV
//	          ├─> results, acts (package store) ────┼─> Chain    digests, links, head
//	admin ────┘                                     └─> Audit    joined with Microsoft's log
//
// # Entries
//
// There is no second journal: an entry is made when it is read, of a change that
// a run recorded, together with its result and the run, or of an act. What it
// is made of is never edited afterwards, so an entry is the same JSON each time:
// that is what the digests are of.
package activity
