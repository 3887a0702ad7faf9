// Package assign says which users are bound, through which connection and as which
// account.
//
//	Candidates   the accounts of a tenant, each with a verdict: what an import would do with it
//	Bindings     Bind, StartBind (many, as a job), Release
//	Moves        from one connection to another, bound through one of the two at any moment
//
// # Verdicts
//
// Who is named gets a verdict: bound, or refused with a code and a sentence. A user
// has at most one binding; one whose epoch has passed counts for nothing and is
// written over.
//
// An account is taken to be a user's when the user's e-mail address is the account's
// mail address, its userPrincipalName, or maps to that by the connection's
// domainMap; or when the user was imported from it.
//
// # What is written to accounts
//
// Nothing, here: a binding, a release that writes and a move are stored, and a run
// of the engine does what they ask for. A release or a move that has nothing to
// write is done at once.
package assign
