// Package entratest is a simulated Microsoft 365: the identity platform that
// signs an administrator in and Microsoft Graph v1.0 behind it, with state, as an
// http.Handler. Tests and the local stack talk to it as they would to Microsoft.
//
// How a request to Graph moves: [Server.ServeHTTP] takes it apart into a call, and
// $batch takes its items apart into calls of their own. Every call then goes
// through the same gates in [Server.run]: the access token, the faults that a test
// has set, the quota, the operation itself, the faults that strike after the
// operation took effect, the log. An operation holds the one mutex of the state
// while it runs and never while anything sleeps or is written to a client.
//
// What Microsoft refuses is refused here, with the same body: an operation gets a
// strict body, checks the rights of the signed-in administrator against the target
// (rights.go), the values (properties.go) and uniqueness (state.go), and commits.
// A commit is the only way that state changes: it raises the version that delta
// queries count by, keeps the former state for replication lag, writes the journal
// file and adds a [Mutation].
//
// There are no goroutines and no sockets in here, so that it works inside a
// testing/synctest bubble by way of [Server.Transport].
package entratest
