package entra

import "bindery/shared/directory"

// The steps that causes come to. {connectionId} and {userId} are filled in by
// whoever shows them.
var (
	callRun       = directory.Step{Text: "Try again now.", Call: "POST /v1/connections/{connectionId}/runs"}
	callEditUser  = directory.Step{Text: "Correct the user.", Call: "PATCH /v1/users/{userId}"}
	callRelease   = directory.Step{Text: "Release the user.", Call: "DELETE /v1/connections/{connectionId}/bindings/{userId}"}
	callBind      = directory.Step{Text: "Bind the user again.", Call: "POST /v1/connections/{connectionId}/bindings"}
	callAccounts  = directory.Step{Text: "Look at the tenant's accounts.", Call: "GET /v1/connections/{connectionId}/accounts"}
	callSettings  = directory.Step{Text: "Change the connection's settings.", Call: "PATCH /v1/connections/{connectionId}"}
	callAuthorize = directory.Step{Text: "Authorise the connection again.", Call: "POST /v1/connections/{connectionId}/authorize"}
)

func steps(s ...directory.Step) []directory.Step { return s }
