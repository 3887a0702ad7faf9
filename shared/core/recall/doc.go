// Package recall keeps in a warm process what was read elsewhere, and says until
// when it counts and what ends it. A function's process lives for hours beside
// others of its kind: what one of them changes, the others must not go on without
// for longer than stands here.
//
// # What a warm process remembers
//
// A row for every value that outlives the invocation that read it. A test of the
// source (infra/template) holds that there is no memory without one.
//
//	what                            where              until               ended before by
//	------------------------------  -----------------  ------------------  -----------------------------------------------
//	client secret                   app.Secret         5 minutes           Microsoft's refusal of it
//	state key, password key         app.Secret         5 minutes           nothing: who asked for an authorisation just
//	                                                                       before a rotation asks again. A password is
//	                                                                       shown under the key as it is then, read for it
//	tokens of a connection          connect.Service    their end, less     another epoch, sign-in or identity on the
//	                                                   5 minutes           connection's record: at once for what begins
//	                                                                       afterwards, within a second (seenFor) for what
//	                                                                       is under way; Graph's refusal. Those that the
//	                                                                       vault did not take live here alone, so this
//	                                                                       is no Memory
//	when the keep-alive last looked connect.Service    6 hours             a look that failed; the epoch
//	keys that sign id_tokens        connect.keySet     24 hours            a token that names another key
//	protected accounts of a tenant  protect.Reader     5 minutes           another authorisation (epoch, tenant, sign-in),
//	(role holders, named ones)                         (directory.         another list of protected accounts, Microsoft's
//	                                                   RolesLife)          refusal to write to one of them; 30 s before
//	                                                                       what takes access, names or sensitive values
//	                                                                       away is sent (RolesFresh). What could not be
//	                                                                       read is not remembered
//	role holders, for candidates    assign.Candidates  5 minutes (same)    another authorisation
//	keys of sealing sessions        seal.Sessions      the process's end   nothing can: the key of KMS and the session's
//	                                                                       name make it what it is; 4,096 of them
//	how many things wait for a      console.marks      30 seconds          an act of the same session in this process, and
//	decision, of a session                                                 home, which asks; the console imports nothing of
//	                                                                       the core, so this is no Memory; 1,000 of them
//	the issuer's description, by    console.described  5 minutes           nothing: its keys are asked for by themselves, when
//	which people sign in                                                   a token names another one. No Memory, as above
//	ticks of the schedule           schedule.Scheduler,  the process's end: they only say whose turn it is
//
// # What an invocation remembers
//
// It ends with the invocation, after two minutes at most.
//
//	settings, authorisation         reconcile.session  the slice           the next batch, or 20 s, after the connection's
//	                                                                       version has risen (Store.RenewLease)
//	lifted protections              protect.Protection  the slice           a lift's own end
//	who has which address           reconcile.observer the slice           a creation: it is preceded by a direct read
//	quotas                          the lease          they stand in the table, and ride on the lease's renewals
//
// Not remembered at all: name servers' answers, what the doctor found, heads
// of chains, users, bindings, runs.
package recall
