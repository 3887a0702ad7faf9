package directory

// AuditKind says what was done: the member kind of an act, in the table and in
// GET /v1/activity. A name is never changed, since older records have it.
type AuditKind string

// What callers of the API do. Each operation that changes something has one.
const (
	AuditCreateConnection     AuditKind = "create-connection"
	AuditEditConnection       AuditKind = "edit-connection"
	AuditAuthorizeConnection  AuditKind = "authorize-connection"
	AuditConfirmConnection    AuditKind = "confirm-connection"
	AuditClaimDomains         AuditKind = "claim-domains"
	AuditReleaseDomain        AuditKind = "release-domain"
	AuditDeactivateConnection AuditKind = "deactivate-connection"
	AuditDeleteConnection     AuditKind = "delete-connection"

	AuditApproveProposal AuditKind = "approve-proposal"
	AuditDeclineProposal AuditKind = "decline-proposal"
	AuditLiftProtection  AuditKind = "lift-protection"
	AuditEndLift         AuditKind = "end-lift"

	AuditCreateUser   AuditKind = "create-user"
	AuditEditUser     AuditKind = "edit-user"
	AuditDeleteUser   AuditKind = "delete-user"
	AuditSuspendUser  AuditKind = "suspend-user"
	AuditActivateUser AuditKind = "activate-user"
	AuditRestoreUser  AuditKind = "restore-user"
	AuditMoveUser     AuditKind = "move-user"
	AuditShowPassword AuditKind = "show-password"
	AuditLoadUsers    AuditKind = "load-users"
	AuditCreateUpload AuditKind = "create-upload"

	AuditCreateGroup   AuditKind = "create-group"
	AuditEditGroup     AuditKind = "edit-group"
	AuditDeleteGroup   AuditKind = "delete-group"
	AuditRestoreGroup  AuditKind = "restore-group"
	AuditAddMembers    AuditKind = "add-members"
	AuditRemoveMembers AuditKind = "remove-members"
	AuditLoadGroups    AuditKind = "load-groups"

	AuditCreateScimClient AuditKind = "create-scim-client"
	AuditEditScimClient   AuditKind = "edit-scim-client"
	AuditDeleteScimClient AuditKind = "delete-scim-client"
	AuditCreateScimToken  AuditKind = "create-scim-token"
	AuditRevokeScimToken  AuditKind = "revoke-scim-token"
	AuditTakeBack         AuditKind = "take-back"

	AuditStartImport   AuditKind = "start-import"
	AuditBind          AuditKind = "bind" // also what a job binds
	AuditRelease       AuditKind = "release"
	AuditUseGroup      AuditKind = "use-group"
	AuditEndGroupUse   AuditKind = "end-group-use"
	AuditLicenseUser   AuditKind = "license-user"
	AuditPauseBinding  AuditKind = "pause-binding"
	AuditResumeBinding AuditKind = "resume-binding"
	AuditAdoptAccount  AuditKind = "adopt-account"
	AuditRetryBinding  AuditKind = "retry-binding"
	AuditRetryProblem  AuditKind = "retry-problem"

	AuditStartRun   AuditKind = "start-run"
	AuditCancelRun  AuditKind = "cancel-run"
	AuditApproveRun AuditKind = "approve-run"
	AuditDeclineRun AuditKind = "decline-run"
	AuditUndoRun    AuditKind = "undo-run"

	AuditVerifyActivity AuditKind = "verify-activity"
	AuditCountLicences  AuditKind = "count-licences"
	AuditCheckHealth    AuditKind = "check-health"
)

// What happens at Microsoft, and what Bindery does by itself.
const (
	AuditSignIn              AuditKind = "sign-in"
	AuditRefuseSignIn        AuditKind = "refuse-sign-in"
	AuditExpireAuthorization AuditKind = "expire-authorization"
	AuditLoseAuthorization   AuditKind = "lose-authorization"
)

// What jobs do: their edits of users and groups, and their end.
const (
	AuditImport    AuditKind = "import"
	AuditLoad      AuditKind = "load"
	AuditEndImport AuditKind = "end-import"
	AuditEndBind   AuditKind = "end-bind"
	AuditEndLoad   AuditKind = "end-load"
	AuditEndCheck  AuditKind = "end-check"
	AuditEndPhotos AuditKind = "end-photos"
	AuditEndVerify AuditKind = "end-verify-activity"
	AuditEndRenew  AuditKind = "end-renew-addresses"
	AuditEndCount  AuditKind = "end-count-licences"

	AuditEndTakeBack AuditKind = "end-take-back"
)

// endKinds are the kinds of the ends of jobs.
var endKinds = map[JobKind]AuditKind{
	JobImport: AuditEndImport, JobBind: AuditEndBind, JobLoad: AuditEndLoad, JobCheck: AuditEndCheck,
	JobLoadGroups: AuditEndLoad, JobCheckGroups: AuditEndCheck, JobPhotos: AuditEndPhotos, JobVerify: AuditEndVerify, JobAddresses: AuditEndRenew, JobLicences: AuditEndCount, JobImportGroups: AuditEndImport,
	JobTakeBack: AuditEndTakeBack, JobCheckTakeBack: AuditEndCheck,
}

// EndKind is the kind of the end of a job of this kind.
func (k JobKind) EndKind() AuditKind { return endKinds[k] }
