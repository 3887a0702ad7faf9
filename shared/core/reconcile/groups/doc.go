// Package groups is the two kinds of objects that tenant groups are kept in step with:
// group, of the groups of our directory that a connection exports, and member, of who is
// in them. Who makes and releases their records, and how a group is exported, is for
// others to say (Source, package uses).
//
//	kind     Ref.ID                    its record says
//	group    the group's               "this group is exported as that tenant group";
//	                                   base: name and description last agreed; before: those
//	                                   of a group that was adopted
//	member   group.user, group.group   "this membership is wanted"; base: which membership is
//	                                   agreed; Created: it is there by us
//	member   group.~object             "this object of the tenant is in the group, and nobody
//	                                   of ours": of exact exports
//
// # What is ours
//
// A membership is ours to take back only if we gave it: it was not there when it was
// planned, by a direct and complete read, and Microsoft did not say that it was there
// already when it was sent. Where that answer may be to our own sending, whose first
// answer was lost, it counts as ours: to leave an access behind weighs more. What somebody
// took and gave again between two looks of ours cannot be told from what was always
// there.
//
// The record holds the IDs of the tenant group and of the account that the membership was
// given to. So it can be taken back when the group is not exported any more, its record
// has gone, or the user has another account by now.
//
// Which members an adopted group had before us needs no list: whom our directory wants
// as well has a record that is not Created, others have none, and whoever is removed as a
// stranger keeps a record that says so. A release with restore gives back by these.
//
// # Strangers
//
// In an exact export everybody goes whom our directory does not want. Their removals are
// no changes of the group but of records of their own, which the group's decision makes
// (tenantGroups.addStrangers), durable and marked, before anything is planned. So
// each removal goes like any change: it waits for no other one of the group, fails,
// is declined, is undone and is found again after a crash by itself, the guard counts
// them one by one, and a removal that an admin has undone or declined stands on a record
// where nothing proposes it again. Hung on the group's record they would go one after the
// other, each as a version of the group, and one failure would be the group's. A dry run,
// which leaves no records, shows them by records that it does not store.
//
// Nobody is a stranger before all members that our directory wants have records
// (Export.Expanded), nor while a listing of these may be behind: whoever may be one is
// looked for by a direct read of the records (opened.owned); nor while a member has no
// account yet that may be there and become his (opened.unsettled). A protected account is left
// where others put it.
//
// # What is read, and when
//
// Everything that is decided is read directly: the group, what kind it is by now, and all
// pages of its members; a page that does not come is an error, and no membership that is
// gone (invariant 10). A group's members are read once for all memberships that a slice
// plans; of a group of several pages of which few accounts are asked about, it is read
// what these are members of. Large groups are in memory one at a time. What has changed at Microsoft is told by changes of groups (tenantGroups.Round),
// as marks only; a full round has every group compared with all of its members.
//
// # How it is sent
//
// A group is made by its uniqueName (directory.UniqueNameOf), so that sending it twice
// makes one. Members of one group are added twenty in a request, removed one by one, and
// never two requests to one group side by side. A membership is planned although its
// group or its account is yet to be made by the same run: Confirm finds them in the
// records, or has the change wait (reconcile.Verdict.Later; Dependents). Before a member is
// added the record notes that this may have been done (propSent), so that what nobody heard
// of is ours to take away, whatever becomes of change, run and record meanwhile.
//
// Files: group.go and member.go decide, undo.go takes back, ledger.go says what an
// applied change means, nickname.go names: all without I/O. reads.go reads the tenant;
// group_kind.go, group_batch.go, member_kind.go and member_batch.go are the kinds;
// rounds.go and dependents.go say what is to be looked at; ports.go what is needed.
package groups
