// Package connect makes, keeps and ends the authorisation of a connection.
//
// # The way of an authorisation
//
//	Create, Authorize   a one-time state is stored (hashed), the admin gets Microsoft's address
//	Callback            state used up → code redeemed → id_token verified → tenant, roles, account read
//	                    → nothing was written so far → awaiting-confirmation → tenant claimed → tokens kept
//	Confirm             the admin has seen which tenant it is → domains claimed → active → sync woken
//	Tokens              the access token, refreshed when it is about to end
//	Expire              unconfirmed for 24 hours → let go, back to pending; the weekly keep-alive
//	Deactivate          epoch raised → secret deleted → sweep queued
//
// What a callback refuses leaves everything as it was; each refusal has a page
// with a cause and a next step, and a new Authorize always works. While a
// connection is active or needs authorisation, a callback of the same tenant
// only replaces the tokens: epoch and bindings stay, and the sync goes on.
//
// # Exclusion
//
// A connection's epoch is the unit of everything here: states, claims, secrets
// and cached tokens carry it and die with it. Whatever takes more than one
// write on one epoch (the end of a callback, Confirm, Expire, a refresh) does
// so under the epoch's token lease, with a deadline that ends before the lease
// does. Deactivate takes no lease: it raises the epoch in one write, and what
// was under way on the old one fails its next conditional write. A secret that
// such a straggler may still write is gone at the latest with the sweep, which
// is queued for a time when every lease of the old epoch has ended.
//
// The name of a secret holds the connection and the epoch. Letting go always
// raises the epoch, so no name is used again after its secret was deleted,
// which Secrets Manager would refuse for a while.
//
// # Crashes
//
// The record goes to awaiting-confirmation before the tenant is claimed and
// the tokens are kept, so that every claim and every secret has a record that
// Expire or Deactivate will find. Confirm claims the tenant again and looks
// for the secret, so it never makes active what a crash left half done.
// Microsoft's refresh tokens rotate softly: a crash between a refresh and its
// save loses nothing, the former refresh token still works.
package connect
