// Package adminapi is the admins' HTTP API: all of /v1 but the page that
// Microsoft sends an admin back to.
//
//	request ─> limits, headers ─> route ─> token, scope, source ─> parameters ─> body ─> a method of the core
//	answer  <─ JSON, or a problem (RFC 9457) with a stable code  <──────────────────────┘
//
// The API knows nothing that the core does not know: a handler reads a request,
// calls one method and writes down what it says. The token itself was checked
// before (API Gateway's authorizer, or the gateway of the local stack); its
// claims come with the context.
//
// # Scopes
//
// Every operation declares one scope: bindery/read, bindery/write or
// bindery/approve. None implies another. Scopes are looked for in the claims
// scope, scp and roles. Who writes as which source is a scope as well,
// bindery/source.ad or bindery/source.scim; without one it is manual, with
// both the token is refused.
//
// # Bodies
//
// Bodies are read by hand, strictly: an unknown member is refused by name. The
// OpenAPI description at /v1/openapi.json is made of the same types and
// operations as the handlers.
package adminapi
