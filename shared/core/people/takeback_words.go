package people

import "bindery/shared/directory"

// doneWords are what acts have done to a user or a group, for people.
var doneWords = map[directory.AuditKind]string{
	directory.AuditCreateUser: "made", directory.AuditEditUser: "edited", directory.AuditDeleteUser: "deleted", directory.AuditSuspendUser: "suspended", directory.AuditActivateUser: "activated",
	directory.AuditRestoreUser: "restored", directory.AuditMoveUser: "moved", directory.AuditShowPassword: "password shown",
	directory.AuditCreateGroup: "made", directory.AuditEditGroup: "edited", directory.AuditDeleteGroup: "deleted", directory.AuditRestoreGroup: "restored",
	directory.AuditAddMembers: "membership added", directory.AuditRemoveMembers: "membership ended",
	directory.AuditImport: "imported", directory.AuditLoad: "loaded from a file",
	directory.AuditBind: "bound", directory.AuditRelease: "released", directory.AuditUseGroup: "used in a connection", directory.AuditEndGroupUse: "taken out of use in a connection",
	directory.AuditLicenseUser: "given a licence", directory.AuditPauseBinding: "paused", directory.AuditResumeBinding: "resumed",
	directory.AuditAdoptAccount: "adopted", directory.AuditRetryBinding: "tried again", directory.AuditRetryProblem: "tried again",
}

// doneBy says what an act has done to a user or a group, and who did it.
func doneBy(kind directory.AuditKind, by string) string {
	word, known := doneWords[kind]
	if !known {
		word = string(kind)
	}
	return word + " by " + by
}
