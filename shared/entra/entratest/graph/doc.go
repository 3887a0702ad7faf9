// Package graph is the simulated Microsoft Graph v1.0 over a state, as an
// http.Handler.
//
// How a request moves: [Service.ServeHTTP] takes it apart into a call, and a $batch
// takes its items apart into calls of their own (batch.go). Every call then goes
// through the same gates (gates.go): the access token, the faults that are set, the
// price against the quota, the operation itself, the faults that strike after the
// operation took effect, the log of requests. An operation has the state to itself
// while it runs, and nothing sleeps or is written to a client meanwhile.
//
// What Microsoft refuses is refused here, with the same status, code and sentence
// (refusals.go). A write reads a strict body, checks permission and role of the
// signed-in administrator against the target (protection.go), then the values
// (values.go) and what must be unique, and commits one change.
//
// A new kind of object is one file here, beside its table in package state: a
// resource with its permissions and the words of the audit log, the routes, which
// take what is the same for all kinds from resource.go (list, count, delta, deleted
// items), and what is its own; then its name in resources and the routes in routes.go.
// What is computed and not kept as objects (domains, roles, grants, the audit log) has
// routes and answers by way of computed.go. groups.go and grants.go are the models.
package graph
