// Package audit answers "what was done?": reports over the runs' changes and
// over the audit events, the proof that nobody changed them afterwards, the
// comparison with Microsoft's own audit log, and the events that others hear of
// all this.
//
//	run ends ─┐                                     ┌─> Report   entries, summary, CSV
//	          ├─> results, acts (package store) ────┼─> Chain    digests, links, heads
//	admin ────┘                                     └─> Audit    joined with Microsoft's log
//
// # Entries
//
// There is no second journal: an entry is made when it is read, of a change that
// a run recorded, together with its result and the run, or of an audit event. What it
// is made of is never edited afterwards, so an entry is the same JSON each time:
// that is what the digests are of.
//
// # Proof
//
// The adversary reads and writes every row of the table: inserts, changes,
// deletes, rolls back. He cannot use our KMS key, nor write where heads are kept.
// What he must not be able to do is to have us vouch for what he wrote. So
// everything is sealed in the moment in which it is written, by the process that
// knows that it is true; whoever reads it later only checks.
//
//	what              who knows it                 sealed when                 of what
//	run               admin or worker that begins  CreateRun                   connection, kind, trigger, who asked, about whom, start, expiry
//	approval          admin that approves          the write of the approval   who, when, what of it, the changes that were named
//	plan              worker that planned          AppendChunk                 the whole item
//	results           worker that sent             Journal, JournalLate        the whole item, its place in the listings, its expiry
//	act               whoever does it              its own transaction         the whole item, likewise
//	mark              worker or admin that ended   the end of the run, late    run, time, why: ended or late; of an end
//	                  the run                      results                     the run's state, times, who asked, who approved
//	job               admin that asks              CreateJob                   kind, who asked, what for, each part of its input
//	head, told        linker                       with the link, after        chain, number, hash, hours dealt with
//	                                               telling
//	link              linker                       when it is made             its statement, by KMS itself
//
// All but links bear a seal of the process's session (package signer): one call of
// KMS a process, not one a record. Package store seals on the way to the table,
// so that no writer can forget it; an approval is sealed only by the write that
// says that an admin decides in it (RunRecord.Decided): a worker that merely saves
// a run which says that it was approved does not seal that.
//
// A worker checks a run, its approval and its plan before it carries them out
// (Attest); a job that nobody can vouch for acts in nobody's name. The linker
// puts an entry into a link only if the run, its approval, the plan and the
// result bear their seals; what does not is left out, counted in the link
// (Refused) and told at once. So nothing is digested because it stands there, but
// because somebody of ours said so when it happened.
//
// # Chains
//
// Each connection has a chain for its runs, and there is one for audit events. A link says
// its number, the hash of the link before, the digest of its entries, why it was
// made and since when it was due. A run has one link; a further one only for the
// sealed reason that results came in late, and only if it has all that was there.
// A mark is a hint to look at a run, no more. The audit chain deals with hours
// in their order, says so in its links (Through), and links each hour where the
// other chains end; their links say where it ended. So no chain can be cut off or
// made anew without the others, as soon as an hour has passed or a link was made.
// A head that does not bear its seal is not believed: the last genuine link says
// where the chain ends, and the head is set right, with an alarm.
//
// All chains together can be rolled back to what they were. That only shows
// outside: each head is kept where the table's writer cannot reach (package heads)
// and told in an event. A chain that grows anew over a kept head is an alarm at
// once. What cannot be kept or told is kept and told by the schedule.
//
// # What came before
//
// Older versions sealed links and nothing else. The first link of the sealed form
// in the audit chain (ReasonBegin) says where all chains ended then and which
// runs were open or not linked yet. Only records of those, and what was written
// within two hours of it (a deployment goes in steps), may be without a seal; a
// verification counts them, and the entries of older links, as oldForm: they are
// proved since they were linked, and not since they happened. A process of an older
// version that comes back links in the old form; only it can, since a link needs
// the key, and the form begins anew after it.
//
// # What is not proved
//
//   - What was written and taken away again before it was linked: a run is linked
//     right after its end, acts up to 70 minutes after their hour began. It cannot
//     be changed in that time, and a run that is taken away as a whole is missed.
//   - Who approved a run, where the record of a run under way was made to say that
//     nobody did: the act of the approval says it, in the chain of acts.
//   - That everything shows which is hidden by taking away the hints of a user's
//     own listing: the listings of a connection and of all are verified.
//   - Counts and sums: of a run, of an hour, of a day. They are counters.
//   - Anything against who can use the KMS key, run our functions, or write in the
//     place where heads are kept; and what happened before the first head was kept.
//   - What Bindery is told to do: who can write to the table can change a user or a
//     setting. Bindery then does that, and the history says that it did.
package audit
