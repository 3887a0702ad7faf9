// Package connect makes, keeps and ends the authorisation of a connection.
//
// # The way of an authorisation
//
//	Create, Authorize   a one-time state is stored (hashed), the admin gets the address of Start
//	Start               says who asks; its link leads to Microsoft, and marks the browser
//	Callback            the browser is the marked one → state used up → code redeemed → id_token verified → tenant, roles, account read
//	                    → nothing was written so far → the sign-in is stored, and waits
//	Confirm             somebody who may approve names tenant and account → in effect → sync woken
//	Tokens              the access token, refreshed when it is about to end
//	Expire              unconfirmed for 24 hours → deleted; the weekly keep-alive
//	Deactivate          epoch raised → secrets deleted → sweep queued
//
// What a callback refuses leaves everything as it was, but for a note of the refusal on
// the connection's record (RefusedSignIn), for whoever asked and does not see the browser;
// each refusal has a page with a cause and a next step, and a new Authorize always works.
//
// # Whose tokens
//
// Each sign-in has an ID and a secret of its own, and the secret says whose the
// tokens are: tenant, object ID, sign-in, and whether the identity was confirmed.
// The record names the sign-in in effect and shows its identity. Every reader
// compares the two and uses no tokens that are not the record's, or that were
// never confirmed; what a process remembers has the identity in its key. So the
// record and the tokens cannot part: another identity takes effect by one
// conditional write of the record, which names another secret.
//
//	sign-in                          becomes
//	of the confirmed identity        effective at once: bindings, epoch and status go on
//	of any other, or the first one   Waiting: what was in effect stays so until Confirm
//	confirmed                        effective; the former secret is deleted
//	unconfirmed for 24 hours         deleted; what was in effect stays so
//
// That an identity was confirmed is proved to the callback by a seal on the
// record, made with the key of the states, and to the readers by the mark in the
// secret. Whoever can write to the table has neither, and so makes nobody
// effective whom nobody has confirmed. States, and the sign-in that waits, bear
// seals by the same key, so that the pages and the confirmation show what was
// written by us. What such a writer can do is put back an earlier record with its
// seal: an account that was confirmed in this epoch, and replaced since, would
// count once more if its admin then signed in at a link that somebody with
// bindery/admin handed out. A deactivation ends that for good.
//
// Earlier versions had one secret for an epoch and wrote into it no word of whose
// it is. Such tokens are used for the identity that the record shows until they
// are refreshed; then Microsoft says whose they are, and that is written into
// them. A confirmation of that time left no seal: the next sign-in waits for one.
//
// # Exclusion
//
// A connection's epoch is the unit of everything here: states, claims, secrets
// and cached tokens carry it and die with it. Whatever takes more than one
// write on one epoch (the end of a callback, Confirm, Expire, Delete, a refresh)
// does so under the epoch's token lease, with a deadline that ends before the
// lease does. Deactivate takes no lease: it raises the epoch in one write, and
// what was under way on the old one fails its next conditional write.
//
// # Secrets
//
// Every secret that may exist is named by its connection's record: as the one in
// effect, as the one that waits, or among Former. A callback writes the name there
// before it makes the secret, and each write that takes a secret out of use adds
// it. Expire, the sweep and Delete delete what is listed, and strike it off some
// time after it was listed, when whoever did that is surely done. No name is used
// again, which Secrets Manager would refuse for a while; and only a callback makes
// a secret: a straggler with fresh tokens cannot bring a deleted one back.
//
// Microsoft's refresh tokens rotate softly: a crash between a refresh and its
// save loses nothing, the former refresh token still works.
//
// Graph may refuse an access token long before its end. Then another one is asked
// for; whether Graph accepts that one is noted with it, once, for all processes. A
// token that was accepted for a while and is refused later is renewed like any
// other. Only when Graph goes on refusing tokens that it never accepted, for five
// minutes, is the authorisation lost.
//
// # What a callback may touch
//
// The callback is open to the world. It reads the state, connections and claims;
// writes them and what was done (partitions S#, C#, T#, D#, ACTS#); and makes one
// secret. It reads no tokens but those that Microsoft has just sent.
package connect
