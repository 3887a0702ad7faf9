package admin

import (
	"context"
	"net/http"

	"bindery/shared/core/reconcile"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// CauseList is the problems of a connection's bindings, by cause.
type CauseList struct {
	Items []runs.ProblemGroup `json:"items"`
	More  bool                `json:"more,omitempty" doc:"There are more bindings with problems than were counted."`
}

// Pause is the body of a pause.
type Pause struct {
	Reason string `json:"reason,omitempty" maxLength:"1000" doc:"Why, for whoever resumes it."`
}

// Adopt is the body of an adoption.
type Adopt struct {
	AccountID directory.AccountID `json:"accountId" doc:"The account that is the user's, one of those that the binding's problem offers."`
}

// Retried is the answer to a retry of a cause.
type Retried struct {
	Runs []Link `json:"runs" doc:"The runs that plan its users again."`
	Next string `json:"next,omitempty" doc:"More users have the cause than one call takes: call again with this next for the others."`
}

// BindingPath names a binding in a path.
type BindingPath struct {
	ConnectionPath
	UserID string `path:"userId" maxLength:"64" pattern:"^[!-~]+$" doc:"ID of the user"`
}

// CausePath names a cause in a path.
type CausePath struct {
	ConnectionPath
	Code string `path:"code" maxLength:"100" pattern:"^[a-z0-9-]+$" doc:"Code of the cause"`
}

func (a *API) problems() {
	register(a, operation{id: "listProblems", method: http.MethodGet, path: "/v1/connections/{id}/problems", scope: ScopeRead,
		summary: "List what keeps bindings from being in sync, by cause"}, a.listProblems)
	register(a, operation{id: "listProblemUsers", method: http.MethodGet, path: "/v1/connections/{id}/problems/{code}", scope: ScopeRead,
		summary: "List the users who have a cause"}, a.listProblemUsers)
	register(a, operation{id: "retryProblem", method: http.MethodPost, path: "/v1/connections/{id}/problems/{code}/retry", scope: ScopeWrite, status: 202,
		summary: "Plan all users with a cause again", also: later(schema[Retried](a))}, a.retryProblem)
	register(a, operation{id: "retryBinding", method: http.MethodPost, path: "/v1/connections/{id}/bindings/{userId}/retry", scope: ScopeWrite, status: 202,
		summary: "Plan one user again", also: later(schema[directory.Run](a))}, a.retryBinding)
	register(a, operation{id: "pauseBinding", method: http.MethodPost, path: "/v1/connections/{id}/bindings/{userId}/pause", scope: ScopeWrite,
		summary: "Keep one user from being synced", body: schema[Pause](a), core: []string{"reason"}, optional: true}, a.pauseBinding)
	register(a, operation{id: "resumeBinding", method: http.MethodPost, path: "/v1/connections/{id}/bindings/{userId}/resume", scope: ScopeWrite,
		summary: "Let a paused user be synced again"}, a.resumeBinding)
	register(a, operation{id: "adoptAccount", method: http.MethodPost, path: "/v1/connections/{id}/bindings/{userId}/adopt", scope: ScopeWrite,
		summary: "Say which account is a bound user's, among those that its problem offers", body: schema[Adopt](a)}, a.adoptAccount)
	register(a, operation{id: "explainUser", method: http.MethodGet, path: "/v1/users/{id}/explain", scope: ScopeRead,
		summary: "Explain what the next run would do about a user, and why",
		more:    "With about, of what the connection keeps of the user besides the account."}, a.explainUser)
	register(a, operation{id: "explainGroup", method: http.MethodGet, path: "/v1/groups/{id}/explain", scope: ScopeRead,
		summary: "Explain what the next run would do about the export of a group, or about the licences that its members get by it, and why"}, a.explainGroup)
}

func (a *API) listProblems(ctx context.Context, _ Caller, in *ConnectionPath) (*output[CauseList], error) {
	c, err := a.connection(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	list, more, err := a.Runs.ProblemGroups(ctx, &c)
	for i := range list {
		list[i].Steps = directory.StepsFor(list[i].Steps, c.ID, "")
	}
	return &output[CauseList]{CauseList{orEmpty(list), more}}, err
}

func (a *API) listProblemUsers(ctx context.Context, _ Caller, in *struct {
	CausePath
	Paging
}) (*listOutput[store.ProblemRecord], error) {
	c, err := a.connection(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return listOf(ctx, a, in.Limit, func(limit int) ([]store.ProblemRecord, string, error) {
		list, next, err := a.Runs.Affected(ctx, &c, in.Code, in.Next, limit)
		for i := range list {
			list[i].Problem.Steps = directory.StepsFor(list[i].Problem.Steps, c.ID, list[i].UserID)
		}
		return list, next, err
	})
}

func (a *API) retryProblem(ctx context.Context, by Caller, in *struct {
	CausePath
	From
}) (*accepted, error) {
	c, err := a.connection(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	started, place, err := a.Runs.Retry(ctx, by.Caller, &c, in.Code, in.Next)
	if err != nil {
		return nil, err
	}
	next, err := listingOf(ctx).seal(place)
	if err != nil {
		return nil, err
	}
	out := Retried{Next: next}
	for _, r := range started {
		out.Runs = append(out.Runs, Link{string(r.ID), runPath(r.ID)})
	}
	return &accepted{http.StatusAccepted, runPath(started[0].ID), out}, nil
}

func (a *API) retryBinding(ctx context.Context, by Caller, in *BindingPath) (*accepted, error) {
	c, err := a.connection(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return acceptedRun(a.Runs.RetryOne(ctx, by.Caller, &c, directory.UserID(in.UserID)))
}

func (a *API) pauseBinding(ctx context.Context, by Caller, in *struct {
	BindingPath
	sent[Pause]
}) (*output[Binding], error) {
	reason, err := oneLine(in.body.Reason)
	if err != nil {
		return nil, err
	}
	c, err := a.connection(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	by.Reason = reason
	b, err := a.Runs.Pause(ctx, by.Caller, &c, directory.UserID(in.UserID), reason)
	return &output[Binding]{viewBinding(&b)}, err
}

func (a *API) resumeBinding(ctx context.Context, by Caller, in *BindingPath) (*output[Binding], error) {
	c, err := a.connection(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	b, err := a.Runs.Resume(ctx, by.Caller, &c, directory.UserID(in.UserID))
	return &output[Binding]{viewBinding(&b)}, err
}

func (a *API) adoptAccount(ctx context.Context, by Caller, in *struct {
	BindingPath
	sent[Adopt]
}) (*output[Binding], error) {
	c, err := a.connection(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	b, err := a.Runs.Adopt(ctx, by.Caller, &c, directory.UserID(in.UserID), in.body.AccountID)
	return &output[Binding]{viewBinding(&b)}, err
}

// Explained is the connection that an explanation is asked of.
type Explained struct {
	ConnectionID string `query:"connectionId" required:"true" maxLength:"64" pattern:"^[!-~]+$" doc:"The connection whose decision is asked for"`
}

func (a *API) explainUser(ctx context.Context, _ Caller, in *struct {
	UserPath
	Explained
	About   string `query:"about" enum:"account,manager,licences,membership" default:"account" doc:"What of the user: the account, who is the manager at Microsoft, the licences, or the membership in the tenant group of groupId"`
	GroupID string `query:"groupId" maxLength:"64" pattern:"^[!-~]*$" doc:"With about=membership: the group of the directory"`
}) (*output[reconcile.Explanation], error) {
	if (in.About == "membership") != (in.GroupID != "") {
		r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidParameter, "A membership is in a group: about=membership and groupId go together.", "Send both, or neither.")
		r.Fields = []directory.FieldError{{Field: "groupId", Detail: "goes with about=membership"}}
		return nil, r
	}
	u := directory.UserID(in.ID)
	ref := directory.AccountOf(u)
	switch in.About {
	case "manager":
		ref = directory.ManagerOf(u)
	case "licences":
		ref = directory.LicenceOf(u)
	case "membership":
		ref = directory.MemberOf(directory.GroupID(in.GroupID), u)
	}
	return a.explain(ctx, in.ConnectionID, ref)
}

func (a *API) explainGroup(ctx context.Context, _ Caller, in *struct {
	GroupPath
	Explained
	About string `query:"about" enum:"export,licences" default:"export" doc:"What of the group: its export, or the licences that it gives to its members"`
}) (*output[reconcile.Explanation], error) {
	ref := directory.GroupRef(directory.GroupID(in.ID))
	if in.About == "licences" {
		ref = directory.GroupLicenceOf(directory.GroupID(in.ID))
	}
	return a.explain(ctx, in.ConnectionID, ref)
}

func (a *API) explain(ctx context.Context, connection string, ref directory.Ref) (*output[reconcile.Explanation], error) {
	c, err := a.connection(ctx, connection)
	if err != nil {
		return nil, err
	}
	e, err := a.Engine.Explain(ctx, &c, ref)
	e.Attributes, e.Decision.Changes = orEmpty(e.Attributes), orEmpty(e.Decision.Changes)
	e.Decision.Problem = e.Decision.Problem.For(c.ID, e.UserID)
	for i := range e.Decision.Findings {
		e.Decision.Findings[i] = *e.Decision.Findings[i].For(c.ID, e.UserID)
	}
	if e.Binding != nil {
		e.Binding.Problem = e.Binding.Problem.For(c.ID, e.UserID)
	}
	return &output[reconcile.Explanation]{e}, err
}
