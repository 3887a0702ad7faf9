// Package entratest is a simulated Microsoft 365: the identity platform that
// signs an administrator in and Microsoft Graph v1.0 behind it, with state, as an
// http.Handler. Tests and the local stack talk to it as they would to Microsoft.
//
// It is a thin server in front of rooms, each with its own tests:
//
//	identity   sign-in, consent, tokens, keys, and their refusals
//	graph      users, groups, roles, domains and what else Graph has, by permission and role
//	odata      the protocol of Graph: paths, options, filters, pages, batches, errors; pure
//	portal     what people do elsewhere than through Graph: make tenants, edit accounts
//	control    all switches over HTTP, under /_control
//	licensing  what an account may be given, and how a group's licences reach its members
//	state      what is remembered: tenants, objects, versions, lag, the journal file, the clock
//	faults     limits as documented, and faults on demand
//	roles      the catalogue of directory roles
//	skus       the catalogue of products, with their services
//
// An arrow goes down only: graph, identity and portal stand on state and faults, and
// these know nobody above. inprocess carries requests without a socket, browser is an
// admin at the sign-in pages, contract holds messages against an independent
// description of Graph, simclient calls the control API for the tests of the rooms.
//
// There are no goroutines and no sockets in here, so that it works inside a
// testing/synctest bubble by way of [Server.Transport]. [Server] has what tests say;
// where it is done, and how a new type of resource is added, stand in the rooms.
package entratest
