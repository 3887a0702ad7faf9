// Package doctor finds out what is wrong, or will be, with a connection, its
// tenant and its domains, before people notice.
//
// # How its parts move
//
//	Gather: table, Graph, getuserrealm, DNS ─> Facts ─> Judge ─> findings ─> Report in the table
//
// Gathering asks and decides nothing; what cannot be read becomes a fact of its
// own. Judging is pure: each rule looks at the facts and gives findings, with
// severity, evidence, consequence and next step. So every kind of trouble, and
// what only looks like it, is tested as data.
//
// A check is done by the function sync, asked for by a message: after a
// connection was made, daily by the schedule, and when an admin asks. It writes
// to no account.
//
// Clients that push by SCIM are looked at when somebody asks (clients.go): their records
// say it all, so nothing is gathered elsewhere and no report is kept.
//
// Files: facts.go what is known; gather.go how (resolver asks DNS); judge.go and the rules
// (connection.go, godaddy.go, domains.go, mail.go, people.go, groups.go). GoDaddy's signs are
// weighed in directory, since connect uses them at the authorisation as well.
package doctor
