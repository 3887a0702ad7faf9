// Package entra speaks Microsoft Graph v1.0 for one tenant at a time and turns
// its answers into the words of package directory. It is the only package that
// knows Microsoft's SDK.
//
// How a request moves: a method of [Tenant] builds it; [Graph] sends it through
// the SDK's request adapter, whose only middleware is ours (wire.go). There it
// gets its token, ids and priority; a 401 is answered by a renewal of the token and
// the same request once more, and when that is refused as well the source of the
// tokens says what it means, since it knows which of them Graph has ever accepted;
// everything from status 300 on becomes a refusal, which the method turns into an error
// of package directory. Nothing else is ever repeated and nothing here sleeps: whether
// and when to try again is the caller's decision, since only it knows what its time and
// its lease allow, and whether a POST may be doubled.
//
// The SDK's typed models serve the small reads (organization, domains). Pages,
// delta rounds and batches are raw bodies: a model cannot tell "null" from "not
// there", cannot clear a property, and costs ten times as much. Pages are read
// by a small scanner (scan.go), which is held against encoding/json by a fuzz
// test; everything else is decoded by encoding/json. Whatever is read to its last page
// is read by items (paging.go), which gives each item once and ends circles of links.
//
// An error is read into a failure, whatever its shape (failure.go), and held
// against the catalogue (causes.go and the tables beside it), whose entries say
// what it means, what mends it and which calls of Bindery's API that comes to.
// Codes and their targets decide; words only where there is none, and never words
// within a quoted value. What the request asked for decides between causes to
// which Microsoft gives the same answer. testdata/causes has a raw answer and near
// misses of each. Who has a contested address is found by [Tenant.Holders].
//
// Tenant groups, memberships, managers and licences are read by batches of direct
// reads, each answered in its place (readEach); a round of group changes only marks.
// What is written to them goes with everything else through [Tenant.Write]: members of
// one group as one item, and nothing is deleted whose path is not on a short list
// (deletable).
//
// A link that Microsoft hands out is followed only below the configured base
// address, and the access token is attached only there.
package entra
