// Package jobs does what takes longer than a request: imports, loads, bindings of
// many, pictures.
//
//	Service.Start ─> stored, woken ─> Runner.Work: lease ─> step, save, step, save … ─> paused, done or failed
//
// A kind of jobs is a function that opens a Worker for one slice (Kind). The worker
// does one step at a time; the Runner has all that jobs have in common: the lease,
// the deadline, the count of tries, what becomes of an error.
//
// # Steps
//
// A job's place in its input is saved after each step, together with what the
// step refused, while the job's lease is ours. A step that is done twice (a
// crash before the save, a doubled wake-up) must do no harm. What a step needs is
// in the table; a wake-up only says that there is something. What a step that
// fails has changed of the job is undone.
//
//	error of a step                     what becomes of the job
//	directory.ErrLeaseLost              nothing: another worker has it
//	*Rest                               paused for so long, and says why
//	*Failure                            failed, with that problem
//	*directory.ThrottledError           paused as long as Microsoft asks for
//	directory.ErrUnavailable            paused for a minute, for a day at most
//	directory.ErrUnauthorized           failed: the connection needs authorisation
//	*directory.Refusal                  failed
//	any other                           tried again, five times in a row at most
//
// # Inputs
//
// What a job is to do is a JSON value on its record, and a long list, or a file, in
// parts beside it. The record bears a seal of who asked for it, over the parts as
// well: a job that nobody can vouch for acts in nobody's name (store.JobRecord.By).
// A file that is too large for a request is uploaded (Uploads), and loaded from
// where it lies.
package jobs
