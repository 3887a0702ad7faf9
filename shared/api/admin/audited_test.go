package admin

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"bindery/shared/directory"
)

// audited are the kinds of audit events by the operations that they are of. The
// stored names are those of the operations: older records have them.
var audited = map[string]directory.AuditKind{
	"createConnection": directory.AuditCreateConnection, "editConnection": directory.AuditEditConnection, "authorizeConnection": directory.AuditAuthorizeConnection,
	"confirmConnection": directory.AuditConfirmConnection, "claimDomains": directory.AuditClaimDomains, "releaseDomain": directory.AuditReleaseDomain,
	"deactivateConnection": directory.AuditDeactivateConnection, "deleteConnection": directory.AuditDeleteConnection,
	"approveProposal": directory.AuditApproveProposal, "declineProposal": directory.AuditDeclineProposal,
	"liftProtection": directory.AuditLiftProtection, "endLift": directory.AuditEndLift,
	"createUser": directory.AuditCreateUser, "editUser": directory.AuditEditUser, "deleteUser": directory.AuditDeleteUser, "suspendUser": directory.AuditSuspendUser,
	"activateUser": directory.AuditActivateUser, "restoreUser": directory.AuditRestoreUser, "moveUser": directory.AuditMoveUser,
	"showPassword": directory.AuditShowPassword, "loadUsers": directory.AuditLoadUsers, "createUpload": directory.AuditCreateUpload,
	"createGroup": directory.AuditCreateGroup, "editGroup": directory.AuditEditGroup, "deleteGroup": directory.AuditDeleteGroup, "restoreGroup": directory.AuditRestoreGroup,
	"addMembers": directory.AuditAddMembers, "removeMembers": directory.AuditRemoveMembers, "loadGroups": directory.AuditLoadGroups,
	"createScimClient": directory.AuditCreateScimClient, "editScimClient": directory.AuditEditScimClient, "deleteScimClient": directory.AuditDeleteScimClient,
	"createScimToken": directory.AuditCreateScimToken, "revokeScimToken": directory.AuditRevokeScimToken, "takeBack": directory.AuditTakeBack,
	"licenseUser": directory.AuditLicenseUser, "useGroup": directory.AuditUseGroup, "endGroupUse": directory.AuditEndGroupUse,
	"startImport": directory.AuditStartImport, "bind": directory.AuditBind, "release": directory.AuditRelease,
	"pauseBinding": directory.AuditPauseBinding, "resumeBinding": directory.AuditResumeBinding, "adoptAccount": directory.AuditAdoptAccount,
	"retryBinding": directory.AuditRetryBinding, "retryProblem": directory.AuditRetryProblem,
	"startRun": directory.AuditStartRun, "cancelRun": directory.AuditCancelRun, "approveRun": directory.AuditApproveRun, "declineRun": directory.AuditDeclineRun, "undoRun": directory.AuditUndoRun,
	"countLicences": directory.AuditCountLicences, "verifyActivity": directory.AuditVerifyActivity, "checkHealth": directory.AuditCheckHealth,
}

// Each operation that may change something has a kind of its own, by its own name.
func TestEachEditIsAudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := map[string]bool{}
	for path, item := range w.api.huma.OpenAPI().Paths {
		for method, op := range map[string]string{
			http.MethodPost: operationID(item.Post), http.MethodPatch: operationID(item.Patch), http.MethodPut: operationID(item.Put), http.MethodDelete: operationID(item.Delete),
		} {
			if op == "" {
				continue
			}
			seen[op] = true
			if kind, ok := audited[op]; !ok || string(kind) != dashed(op) {
				t.Errorf("%s %s (%s) is audited as %q, want %q", method, path, op, kind, dashed(op))
			}
		}
	}
	for op := range audited {
		if !seen[op] {
			t.Errorf("there is no operation %s", op)
		}
	}
}

// What was done is on record under its kind, and once, with the request that asked for it.
func TestEditsAreRecordedUnderTheirKinds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.user(`{"email":"ann@corp.example","familyName":"Ann"}`)
	conn := "/v1/connections/" + string(w.conn.ID)
	for _, step := range []struct{ method, path, body string }{
		{"PATCH", "/v1/users/" + id, `{"department":"Sales"}`},
		{"POST", "/v1/users/" + id + "/suspend", ""},
		{"POST", "/v1/users/" + id + "/activate", ""},
		{"POST", conn + "/bindings", `{"userIds":["` + id + `"]}`},
		{"POST", conn + "/bindings/" + id + "/pause", ""},
		{"POST", conn + "/bindings/" + id + "/resume", ""},
		{"POST", conn + "/runs", `{"dryRun":true}`},
		{"DELETE", conn + "/bindings/" + id, ""},
		{"PATCH", conn, `{"name":"Other"}`},
		{"DELETE", "/v1/users/" + id, ""},
		{"POST", "/v1/users/" + id + "/restore", ""},
	} {
		if a := w.do(step.method, step.path, step.body); a.status >= 300 {
			t.Fatalf("%s %s: %d %s", step.method, step.path, a.status, a.raw)
		}
	}
	want := "activate-user bind create-user delete-user edit-connection edit-user pause-binding release restore-user resume-binding start-run suspend-user"
	var got []string
	for _, entry := range w.do("GET", "/v1/activity", "").body["items"].([]any) {
		e := entry.(map[string]any)
		got = append(got, e["kind"].(string))
		if e["by"] != "admin" {
			t.Errorf("%s is by %v", e["kind"], e["by"])
		}
		if e["apiRequestId"] != testRequestID {
			t.Errorf("%s was asked for by the request %v, want %s", e["kind"], e["apiRequestId"], testRequestID)
		}
	}
	slices.Sort(got) // the clock stands still
	if strings.Join(got, " ") != want {
		t.Errorf("recorded %s\nwant     %s", strings.Join(got, " "), want)
	}
}

func operationID(op *huma.Operation) string {
	if op == nil {
		return ""
	}
	return op.OperationID
}

// dashed writes editConnection as edit-connection.
func dashed(id string) string {
	var b strings.Builder
	for _, r := range id {
		if unicode.IsUpper(r) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
