// Package scim lets identity providers feed the directory by SCIM 2.0 (RFC 7643, RFC
// 7644; cursors, RFC 9865): they push people and groups to /scim/{client}/v2.
//
//	request ─> token (client) ─> route ─> body ─normalise─> document ─┐
//	                                                                  │ change: PUT, PATCH
//	  directory.User, document of the client ─overlay─> as shown ─────┤
//	                                                                  v
//	  edit (texts by path) <─differences of what the mapping reads of both
//	    └─> core/people: whose value it is, unique, stored with the document, in one transaction
//	answer <─projection─ as shown <─overlay─ the user and the document as they are now
//
// # The document
//
// What a client sent of a user is kept as it was sent, apart from the user (a row of
// package store): a client compares what it reads with what it has sent, and sends again
// what differs, for ever. PATCH and PUT change this document, and what the mapping reads
// of it before and after is the edit of the user. Whatever the mapping reads nothing of is
// kept, shown again and means nothing. Where somebody else has changed the user, what is
// shown has the user's value in the place of the document's (overlay).
//
// # One table
//
// The attributes are declared once (schema.go), with what is said of them in /Schemas;
// the mapping (mapping.go) names those that feed an attribute of a user. Bodies, filters,
// paths, projections and discovery read these two.
//
// # Tolerant, unless the client is strict
//
// Real clients send "False" for false, a text for an object, names in another case, an
// unknown schema. A tolerant client's request is bent to what it means, and each bend is
// a note of the request log, which admins read; a strict client is refused, as the RFCs
// say. A filter on an attribute that is not there is refused to both: an empty list would
// have the client create everybody anew.
//
// A request changes all that it says, or nothing. It is refused with 4xx only for what an
// admin of the client can mend; what passes by itself is 429 or 5xx, with Retry-After.
//
// # Files
//
//	document.go          JSON that keeps the order of its members
//	schema.go            attributes; discovery.go shows them
//	filter.go path.go    the two languages: lexer, parser, meaning
//	value.go             bodies brought to what the schemas say
//	patch.go             the operations of PATCH
//	mapping.go           document ─> texts of a user, and back
//	project.go list.go   what of it is answered
//	handler.go           routes, tokens, the log; user.go, group.go what they do
//	problem.go           errors
package scim
