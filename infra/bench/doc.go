// Package bench measures Bindery: `make bench` prints a table and writes
// .local/bench.json. It is a test package because virtual time needs one; its
// long parts run only when the environment variable BINDERY_BENCH names them
// (the Makefile does), so that `go test ./...` runs a smoke test of the harness
// alone.
//
// # The world
//
// Most parts happen in virtual time, in a bubble of testing/synctest:
//
//	edit ──> queue (50 ms a hop) ──> invocation ──> engine ──> meter ──> table in memory (5 ms a call)
//	schedule (each 5 min) ──┘       (3 min each)      └──> wire (80 ms a round trip) ──> simulated Microsoft 365
//
// The engine, the store and the adapter to Graph are the product's own; each
// invocation has the warm process of an earlier one, or a new one, as on AWS. How
// many there are at once, how long each may take, when a failed message comes
// back and when it is a dead letter is read from template.yaml, and Lambda stops
// a chain of messages after 16 invocations unless the template says that it is
// meant.
// Between them and the simulators stand the meter, which counts DynamoDB's
// request units by AWS's rules, and the wire, which counts requests to Graph,
// the items of batches, resource units and refusals. A fate decides at which of
// its calls an invocation dies: from then on each call fails and nothing is sent.
//
// Rows of CPU time are ratios to a floor of the same run, such as decoding the same
// pages: seconds wander with the machine. See floor_test.go.
//
// Groups are loaded, not made up: a part stores groups of the directory and what the
// connection does with them, and has the engine bring them to the tenant. The least time
// of a load of memberships counts twenty in a request as seven writes (GG 1), as the
// simulated tenant does; which of several calls about licences were under way at once is
// seen on the wire.
//
// The parts join the engine by themselves, where it meets store, tenant and queue:
// what stands around it in a function would be measured with it. The admin's
// function is one of package stack.
//
// # The console
//
// Its pages are measured on the wall's clock over a stack of its own with the table in
// memory, by a browser that is signed in: the address of each GET of the console's table
// of routes, those with filters that make them dearer, and the second page of each list.
// Console and API are called as functions are, by events. Their CPU time is told in
// milliseconds, since it is what an admin waits for; garbage is not collected meanwhile
// (most of it would be the table), and what the tenant answers was asked once before.
//
// # SCIM
//
// What an identity provider pushes goes through the handler that the function has, over
// the table in memory, one request after the other, and each is measured by itself: CPU
// time in milliseconds, as with the console, and calls of the table, counted with what
// asks whose the token is and what writes the request log. Garbage is collected between
// requests. The directories in which is looked up and listed are stored at once, each
// user with what the client has pushed of it; of each kind of request the dearest counts.
//
// # Beside scripts
//
// What others do instead is measured in the same run, over the same wire in front of
// a simulated tenant like ours, and counted alike: a request to Graph is one over the
// wire, a call each item of a batch and each request that is none. The loop that
// admins write (naive_test.go) reads each person, compares and writes, with Microsoft's
// SDK; the best script (script_test.go) lists the tenant once, compares, and sends
// batches of 20, four at a time. Neither keeps anything, asks twice or waits for a
// guard. Ours are counted from the wake-up, or the call that binds people, until the
// look at the tenant after the run; its time ends with the run.
//
// A part fills its world while nothing is measured and no call takes time. Loads begin
// in a tenant that has been read, as when its connection was confirmed.
//
// Files: world, cloud (queue, schedule, invocations), meter, wire and fill make the
// world, script and naive what it is compared with; report holds the rows and what
// they must reach; each other file is a part.
package bench
