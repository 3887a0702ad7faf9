package admin

import (
	"context"
	"net/http"
	"time"

	"bindery/shared/core/assign"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
)

// Bindings binds users to connections and releases them; *assign.Bindings does.
type Bindings interface {
	Bind(ctx context.Context, by directory.Caller, id directory.ConnectionID, users []directory.UserID) (assign.Bound, error)
	StartBind(ctx context.Context, by directory.Caller, id directory.ConnectionID, sel assign.Selection) (directory.Job, error)
	List(ctx context.Context, c *directory.Connection, status directory.BindingStatus, cursor string, limit int) ([]directory.Binding, string, error)
	OfUser(ctx context.Context, id directory.UserID) (*assign.UserBinding, error)
	OfUsers(ctx context.Context, ids []directory.UserID) (map[directory.UserID]assign.UserBinding, error)
	Release(ctx context.Context, by directory.Caller, id directory.ConnectionID, user directory.UserID, then directory.ReleasePolicy) (*directory.Run, error)
}

// Binding is a membership as the API shows it.
type Binding struct {
	UserID            directory.UserID        `json:"userId"`
	ConnectionID      directory.ConnectionID  `json:"connectionId"`
	AccountID         directory.AccountID     `json:"accountId,omitempty" doc:"Empty until an account is adopted or created."`
	UserPrincipalName string                  `json:"userPrincipalName,omitempty"`
	Status            directory.BindingStatus `json:"status" enum:"pending,in-sync,conflict,refused,read-only,paused,failed"`
	Problem           *directory.Problem      `json:"problem,omitempty"`
	Findings          []directory.Problem     `json:"findings,omitempty" doc:"Reported without being acted on."`
	Created           bool                    `json:"created" doc:"The account is ours from its birth."`
	Blocked           bool                    `json:"blocked" doc:"The block in force is ours."`
	Release           directory.ReleasePolicy `json:"release,omitempty" doc:"Set while the user is being released."`
	SelectedBy        string                  `json:"selectedBy,omitempty"`
	SelectedAt        time.Time               `json:"selectedAt"`
	Groups            []directory.GroupID     `json:"groups,omitempty" doc:"By whose use the user is bound."`
	Indirect          bool                    `json:"indirect,omitempty" doc:"Nobody selected the user besides: the binding ends with the last of the groups."`
	MoveTo            *directory.Move         `json:"moveTo,omitempty" doc:"Set while the user is being moved to another connection."`
	MovedFrom         directory.ConnectionID  `json:"movedFrom,omitempty" doc:"The connection that the user came from."`
	LastWrite         *time.Time              `json:"lastWrite,omitempty"`
	ExpectedBy        *time.Time              `json:"expectedBy,omitempty" doc:"While pending: when the account is expected to be as the directory says, by Microsoft's write quota. A user who loses access does not wait for others."`
	RunID             directory.RunID         `json:"runId,omitempty" doc:"The run that last planned it."`
}

func viewBinding(b *directory.Binding) Binding {
	v := Binding{
		UserID: b.UserID, ConnectionID: b.ConnectionID, AccountID: b.AccountID, UserPrincipalName: b.UserPrincipalName,
		Status: b.Status, Problem: b.Problem, Findings: b.Findings, Created: b.Created, Blocked: b.Blocked,
		Groups: b.Groups, Indirect: b.Indirect,
		MoveTo: b.MoveTo, MovedFrom: b.MovedFrom,
		Release: b.Release, SelectedBy: b.SelectedBy, SelectedAt: b.SelectedAt, RunID: b.RunID,
	}
	v.Problem = b.Problem.For(b.ConnectionID, b.UserID)
	if !b.LastWrite.IsZero() {
		v.LastWrite = &b.LastWrite
	}
	return v
}

// Bind is the body of a binding: userIds, all or previous.
type Bind struct {
	UserIDs  []directory.UserID `json:"userIds,omitempty" doc:"At most 500."`
	All      bool               `json:"all,omitempty" doc:"Every active or suspended user."`
	Previous bool               `json:"previous,omitempty" doc:"Whom the connection had when it was last deactivated. Whom it had by groups alone comes back by their uses, which are said anew."`
}

// Link names something else of the API.
type Link struct {
	ID   string `json:"id"`
	Href string `json:"href"`
}

// BindResult is the answer to a binding of named users.
type BindResult struct {
	Bound   []directory.UserID      `json:"bound"`
	Refused []directory.RefusedItem `json:"refused"`
	// DryRun shows what the first sync will do.
	DryRun *Link `json:"dryRun,omitempty"`
}

func (a *API) bindings() {
	register(a, operation{id: "listBindings", method: http.MethodGet, path: "/v1/connections/{id}/bindings", scope: ScopeRead,
		summary: "List the members of a connection"}, a.listBindings)
	register(a, operation{id: "bind", method: http.MethodPost, path: "/v1/connections/{id}/bindings", scope: ScopeWrite, status: 200,
		summary: "Make users members of a connection", body: schema[Bind](a),
		also: answers{200: schema[BindResult](a), 202: schema[Job](a)}}, a.bind)
	register(a, operation{id: "release", method: http.MethodDelete, path: "/v1/connections/{id}/bindings/{userId}", scope: ScopeWrite, status: 202,
		summary: "End a membership", also: answers{202: schema[directory.Run](a), 204: nil}}, a.release)
}

type bindingsInput struct {
	ConnectionPath
	Paging
	Status string `query:"status" enum:"pending,in-sync,conflict,refused,read-only,paused,failed" doc:"Only bindings with this status"`
}

func (a *API) listBindings(ctx context.Context, _ Caller, in *bindingsInput) (*listOutput[Binding], error) {
	c, err := a.connection(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return listOf(ctx, a, in.Limit, func(limit int) ([]Binding, string, error) {
		list, next, err := a.Bindings.List(ctx, &c, directory.BindingStatus(in.Status), in.Next, limit)
		if err != nil {
			return nil, "", err
		}
		views := make([]Binding, len(list))
		for i := range list {
			views[i] = viewBinding(&list[i])
		}
		return views, next, a.expect(ctx, &c, views)
	})
}

// expect tells those who wait when their turn will be over.
func (a *API) expect(ctx context.Context, c *directory.Connection, views []Binding) error {
	var forecast *runs.Forecast
	for i := range views {
		if views[i].Status != directory.BindingPending {
			continue
		}
		if forecast == nil {
			f, err := a.Runs.Forecast(ctx, c)
			if err != nil {
				return err
			}
			forecast = &f
		}
		if !forecast.By.IsZero() {
			views[i].ExpectedBy = &forecast.By
		}
	}
	return nil
}

func (a *API) bind(ctx context.Context, by Caller, in *struct {
	ConnectionPath
	sent[Bind]
}) (*accepted, error) {
	id := directory.ConnectionID(in.ID)
	if in.body.All || in.body.Previous {
		if in.body.UserIDs != nil {
			return nil, directory.Refuse(directory.ErrInvalid, directory.CodeInvalidBody, "A binding is of the users in userIds, of all, or of the previous ones.",
				"Set only one of userIds, all and previous.")
		}
		return acceptedJob(a.Bindings.StartBind(ctx, by.Caller, id, assign.Selection{All: in.body.All, Previous: in.body.Previous}))
	}
	done, err := a.Bindings.Bind(ctx, by.Caller, id, in.body.UserIDs)
	if err != nil {
		return nil, err
	}
	result := BindResult{Bound: orEmpty(done.Bound), Refused: orEmpty(done.Refused)}
	if done.DryRun != nil {
		result.DryRun = &Link{string(done.DryRun.ID), runPath(done.DryRun.ID)}
	}
	return &accepted{Status: http.StatusOK, Body: result}, nil
}

func (a *API) release(ctx context.Context, by Caller, in *struct {
	ConnectionPath
	UserID string `path:"userId" maxLength:"64" pattern:"^[!-~]+$" doc:"ID of the user"`
	Then   string `query:"then" enum:"keep,block,restore" doc:"What becomes of the account; without it, as the connection's setting says"`
}) (*accepted, error) {
	run, err := a.Bindings.Release(ctx, by.Caller, directory.ConnectionID(in.ID), directory.UserID(in.UserID), directory.ReleasePolicy(in.Then))
	if err != nil {
		return nil, err
	}
	if run == nil {
		return &accepted{Status: http.StatusNoContent}, nil
	}
	return acceptedRun(*run, nil)
}
