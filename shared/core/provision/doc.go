// Package provision keeps the clients that push people and groups by SCIM: how admins set
// them up, the tokens by which they are known, and what they have asked for lately. What
// their requests mean is package api/scim's, what they do to the directory people's.
//
//	Clients   Create, Edit, Pause, Delete, Get, List an admin, with the scope admin
//	          NewToken, Tokens, RevokeToken           a token is shown once, when it is made
//	          Requests, Standing, Of                  the log of some days, what of it and of the tokens is news, and who pushed whom
//	          Authenticate, Log, Mark, MarkBelow      a request of a client
//
// # Tokens
//
// A token is bsc_, its ID, 256 random bits and a checksum, by which scanners find leaked
// ones and typing errors are told from others. Of the random bits the SHA-256 is kept, and
// compared in constant time; so many bits need no slow hash. A client may have several that
// are alive: the next is made and put to use before the last is revoked. Whatever is wrong
// with a token, the client is told the same.
package provision
