// Package people keeps the users and groups of our directory: edited one by one,
// loaded from files, users imported from a tenant's accounts, with their pictures.
//
//	Users     Create, Patch, SetState, Delete, Restore, List     one request each
//	Groups    the same, Members, AddMembers, RemoveMembers, GroupsOfUser
//	Nesting   Users, Below                                       who is in a group, however deep
//	Loads     StartLoad, LoadUpload ─> Load     a file of users or of groups, as a job
//	Imports   StartImport ─> Import             users of accounts, as a job; bound in the same step
//	          StartImport ─> ImportGroups       groups of a tenant's groups, with their members, as a job
//	Photos    Start, Tend ─> Read               pictures, as a job
//	Forms     Tend ─> Renew                     addresses of earlier versions, as a job, once
//	Pushes    Create, Edit, Delete, Find, List  what clients of SCIM push
//	TakeBacks Start ─> TakeBack                 what such a client has changed, put back, as a job
//
// What jobs have in common is in package jobs; the verdicts on accounts, and
// bindings, are in package assign.
//
// # Whose value it is
//
// A source that writes an attribute owns it when it is ad or scim; manual
// (an admin) and m365 (an import) own nothing. Whoever else would change an
// owned value is refused with code owned-elsewhere; writing the value that is
// there already is no change and refused to nobody. An owner that empties an
// attribute gives it up. Suspending, activating, deleting and restoring are
// edits of "state".
//
// # Edits
//
// Every attribute of a profile is a text, so an edit is a set of paths and
// texts ("phones.work": "+49 30 1"), whether it came as a JSON merge patch
// (RFC 7396), as a line of JSON or as a row of CSV; the empty text clears. All
// faults of an edit are reported at once. An edit that changes nothing writes
// nothing and keeps the version.
//
// # Loads
//
// A load never has its file in memory: it is read by windows, from the job's
// parts (the body of a request) or from where it was uploaded, and the job's
// place is the offset of a line (layout.scan). An uploaded file is of one version,
// is counted before anything is loaded, and deleted behind the last line. Only a
// workbook is read whole, once, and its sheet loaded as a text (workbook.go). A step
// that is done twice finds its lines already as it wants them.
//
//	bytes ─encoding.go─> text ─parse.go─> rows ─header.go, foreign.go─> edits ─loader.go─> users
//
// What is not said of a file is recognised from its beginning, but for one thing
// that its end may tell: whether it is UTF-8 or Windows-1252. A check is a load
// whose last step counts instead of writing.
//
// A load finds the user of a line by its e-mail address, and by nothing else:
// an externalId is the source's own and may change hands there. A line of JSON that
// has an ID too is about that user or nobody. An empty cell of a CSV file says
// nothing; null in a line of JSON clears.
//
// A file of groups (group_load.go) goes the same way, by another shape of its lines and
// another loader. A load adds members and takes none away, since a file that was cut off
// would empty groups.
//
// # Groups
//
// Whose value it is holds for groups as for users, and for each membership: a source that
// owns what it writes owns those that it brings. The deletion and the restoration of a
// group are edits of its name. That somebody is deleted ends no membership: it counts for
// nothing until they are restored, or no longer can be (store.Groups).
//
// An edit of members takes up to 500, in transactions of some twenty; each member has its
// result, and what is done again is unchanged.
//
// # Taking back
//
// What a client of SCIM has changed since a time is read from the acts, which say what
// stood there before: of each user, group and membership, at the client's first act on it,
// all acts since are looked at (past, memberPast), and it is decided what is put back
// (decide). A thing is what the client left while nobody else has changed it after the
// client, on record or not. Each user and group is written once, on the condition that it
// is as it was before its acts were read, so that a step that is done twice, and two
// workers at once, find it done. What needs another one to be put back first, an address
// that was given on, is left to a next walk; only the last walk counts, by what stands on
// record as the job's own, and is begun once no request of the client can be under way.
//
// The client must be paused, rather than be paused by the job: whoever takes back decides
// that nothing is pushed until they have put right what was wrong.
//
// # Imports
//
// An import leaves users alone that are in the directory already (package assign
// says which account is whose). E-mail addresses are unique and a user is bound
// once, so that a step that is done twice makes nobody twice. Managers are taken over when
// all of its users are there (importmanagers.go). What becomes of groups of a tenant that
// are imported stands in groupimport.go.
package people
