// Package admin is the admins' HTTP API: all of /v1 but the page that
// Microsoft sends an admin back to.
//
//	request ─> limits, headers ─> route ─> token, scope, source ─> parameters ─> body ─> a method of the core
//	answer  <─ JSON, or a problem (RFC 9457) with a stable code  <──────────────────────┘
//
// The API knows nothing that the core does not know: a handler reads a request,
// calls one method and writes down what it says. The token itself was checked
// before (API Gateway's authorizer, or the gateway of the local stack); its
// claims come with the context. How a request becomes a handler's input, and its
// output an answer, is package endpoint's; register joins the two, and costs a new
// operation next to nothing of the function's size.
//
// # Scopes
//
// Every operation declares one scope: bindery/read, bindery/write (users,
// bindings, imports, runs, undo), bindery/admin (connections) or bindery/approve
// (decisions). None implies another; who a token speaks for (getMe) any token may ask.
// A setting that an edit makes looser needs bindery/approve besides bindery/admin:
// package safety says which.
//
// The claims scope and scp alone count where a token has one of them: it was
// given to an app for a person, and what roles the person has is not what the
// app was given. The claim roles counts of a token that an app got for itself.
// The claim sub is kept to the letter, and refused when it could be taken for
// another one: see directory.SubjectFault.
//
// Who writes as which source is a scope as well, bindery/source.ad or
// bindery/source.scim; without one it is manual, with both the token is refused.
// A token of a source feeds the directory: it is let through to the operations
// on users only (operation.sources), whatever other scopes it has.
//
// # Bodies
//
// Bodies are read by hand, strictly: an unknown member is refused by name. The
// OpenAPI description at /v1/openapi.json is made of the same types and
// operations as the handlers, and each request is held to it before its handler is
// called (check.go): what the description excludes is a 4xx, never a fault of ours.
//
// # Lists
//
// The next of a page is the core's place in a list, sealed to that list with its
// filters (cursor.go): of another list it is refused. It is no signature: the core
// checks each place by itself, and takes none outside of the list.
//
// # Answers that a reader has
//
// What pages look at again and again has the digest of its answer as its ETag, and is
// left out for whoever sends that back (conditional.go).
//
// # Errors
//
// What the core says on purpose is answered in its words. Of all else only a code
// and the ID of an incident leave, under which the log has the error
// (incident.ProblemOf says why).
package admin
