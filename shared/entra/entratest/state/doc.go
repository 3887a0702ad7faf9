// Package state is what the simulated Microsoft remembers: tenants with their
// objects, domains, grants and roles, applications, access tokens, records of the
// identity platform, and the clock.
//
// Everybody who reads or changes it says [Store.Begin] and gets a [Tx]; others wait
// until its End. So a Tx in hand means that nothing moves meanwhile. A [Tx.Change] is
// the only way that a tenant's state changes: it raises the version that delta queries
// count by, keeps the former state for replicas that lag behind, appends one line to
// the journal file and adds to the list of mutations. What happens to a tenant is
// never spread over two changes.
//
// A stored [Object] is immutable: a change puts a changed copy in its place, so an
// object that was read may be looked at after the End as well.
//
// A kind of object is a [Table] (users.go, groups.go): its properties with their types
// and limits, the values that no two objects share, and the names that it is found by.
// A new kind is a table in a file of its own and one line in tables; objects, lag,
// deleted items, versions and the journal file then work for it.
//
// Who is a member or an owner of a group is kept beside the objects (links.go), link by
// link, each with its version and its former states.
//
// There are no goroutines here and nothing sleeps.
package state
