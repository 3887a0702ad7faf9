// Package identity is the simulated Microsoft identity platform: it signs an
// administrator in, asks for consent, and hands out, refreshes and refuses tokens,
// as an http.Handler.
//
// How a connection is authorised: /authorize checks the request and keeps a flow;
// /login finds the account; /consent adds to the tenant's grants; the code goes back by
// a redirect, and /token exchanges it, or later a refresh token. Every refusal is
// an AADSTS number of the catalogue in errors.go, with Microsoft's sentence: on a page
// where nobody can be trusted to be redirected to, in the query of a redirect, or as
// the answer of the token endpoint.
//
// Accounts, domains, roles, grants, applications and access tokens are the state's.
// Of its own the platform has pages, codes, refresh tokens and keys (memory.go).
package identity
