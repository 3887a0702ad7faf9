package directory

// groupProblems are what is wrong with tenant groups, their members and licences.
// Package entra has the signs by which those are told that Microsoft answers with.
var groupProblems = []ProblemType{
	{Code: CodeGroupRoleAssignable, Kind: ProblemReadOnly,
		Means: "The group can be given directory roles; Bindery never writes to such a group.",
		Next:  "Take another group, or manage its members in Entra."},
	{Code: CodeGroupSynced, Kind: ProblemReadOnly,
		Means: "The group is synchronised from an Active Directory of the tenant, where alone it can be changed.",
		Next:  "Change it there, or take a group of the cloud."},
	{Code: CodeGroupDynamic, Kind: ProblemReadOnly,
		Means: "A rule decides who the members of the group are; nobody can be added or removed by hand.",
		Next:  "Change the rule in Entra, or take a group with assigned members."},
	{Code: CodeGroupMailEnabled, Kind: ProblemReadOnly,
		Means: "The group is a mail-enabled security group or a distribution list, which Exchange alone changes.",
		Next:  "Manage it in the Exchange admin center, or take a security group or a Microsoft 365 group."},
	{Code: CodeGroupRestricted, Kind: ProblemReadOnly,
		Means: "The group is in a restricted management administrative unit, whose own admins alone may change it.",
		Next:  "Give the admin who authorised the connection a role in that unit, or take another group."},
	{Code: CodeLicenseAddressTaken, Kind: ProblemConflict,
		Means: "The licence cannot take effect: one of the account's e-mail addresses is another object's as well.",
		Next:  "Take the address from one of the two in Microsoft 365; it is tried again by itself."},
	{Code: CodeLicenseOther, Kind: ProblemTenant,
		Means: "Microsoft could not give or change the licence, and names no reason, or another licence of the same group is the reason.",
		Next:  "Look at the other licences of the group and at the account in the Microsoft 365 admin center."},
}

// exportProblems are what keeps exported groups and their members from being in sync,
// and what is found out about them.
var exportProblems = []ProblemType{
	{Code: CodeGroupGone, Means: "The tenant group was deleted at Microsoft for good, or is not there."},
	{Code: CodeGroupSoftDeleted, Means: "Somebody deleted the tenant group at Microsoft; it can be restored for 30 days."},
	{Code: CodeGroupOtherKind, Means: "The tenant group that is to be adopted is of another kind than the export."},
	{Code: CodeGroupTaken, Means: "The tenant group is the export of another group."},
	{Code: CodeGroupNotRead, Means: "The tenant group could not be read, so it is not known what to write."},
	{Code: CodeGroupLicensed, Means: "The tenant group gives licences to its members; Microsoft deletes none that does."},
	{Code: CodeGroupMembersLeft, Means: "Memberships are still to be dealt with before the tenant group is let go."},
	{Code: CodeGroupWaits, Means: "The tenant group of the export is not there, so nobody can be a member of it."},
	{Code: CodeMemberNotBound, Means: "The member has no account through this connection, and so is no member of the tenant group."},
	{Code: CodeMemberWaits, Means: "The member's account is not there yet; the membership follows it."},
}
