// Package recall keeps in a warm process what was read elsewhere, and says until
// when it counts and what ends it. A function's process lives for hours beside
// others of its kind: what one of them changes, the others must not go on without
// for longer than stands here.
//
// # What a warm process remembers
//
// A row for every value that outlives an invocation; a test holds that there is
// no other memory.
//
//	what                            where                  until                  ended before by
//	------------------------------  ---------------------  ---------------------  ------------------------------------------
//	client secret, state key,       boot.App.Secret        5 minutes              nothing: who rotates one keeps the former
//	password key                                                                  for so long
//	password key, to be shown       boot.App.readSecret    not remembered
//	protected accounts of a tenant  reconcile.Engine       1 hour                 another authorisation (epoch, tenant, sign-in),
//	(role holders, named ones)                                                    another list of protected accounts,
//	                                                                              Microsoft's refusal to write to one of them;
//	                                                                              what could not be read is not remembered
//	role holders, for candidates    roster.Service         10 minutes             another authorisation
package recall
