package admin

import (
	"context"
	"net/http"
	"time"

	"bindery/shared/core/roster"
	"bindery/shared/core/runs"
	"bindery/shared/directory"
)

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
		MoveTo: b.MoveTo, MovedFrom: b.MovedFrom,
		Release: b.Release, SelectedBy: b.SelectedBy, SelectedAt: b.SelectedAt, RunID: b.RunID,
	}
	v.Problem = fillProblem(b.Problem, b.ConnectionID, b.UserID)
	if !b.LastWrite.IsZero() {
		v.LastWrite = &b.LastWrite
	}
	return v
}

// Import is the body of an import: accountIds or all.
type Import struct {
	AccountIDs []directory.AccountID `json:"accountIds,omitempty"`
	All        bool                  `json:"all,omitempty"`
	Bind       bool                  `json:"bind,omitempty" doc:"Bind the users in the same step."`
}

// Bind is the body of a binding: userIds, all or previous.
type Bind struct {
	UserIDs  []directory.UserID `json:"userIds,omitempty" doc:"At most 500."`
	All      bool               `json:"all,omitempty" doc:"Every active or suspended user."`
	Previous bool               `json:"previous,omitempty" doc:"Whom the connection had when it was last deactivated."`
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

// accepted is the answer to what is done later.
type accepted struct {
	Status   int
	Location string `header:"Location"`
	Body     any
}

// Job is a job as the API shows it.
type Job struct {
	directory.Job
	Total *int `json:"total" doc:"How many elements there are. Null until that is known."`
}

// JobPage is a job with a page of what it refused.
type JobPage struct {
	roster.JobPage
	Total *int `json:"total" doc:"How many elements there are. Null until that is known."`
}

// totalOf is a job's total; nil while nobody knows it.
func totalOf(j *directory.Job) *int {
	if j.Total == 0 && (j.State == directory.JobQueued || j.State == directory.JobRunning) {
		return nil
	}
	return &j.Total
}

func acceptedJob(j directory.Job, err error) (*accepted, error) {
	return &accepted{http.StatusAccepted, "/v1/jobs/" + string(j.ID), Job{j, totalOf(&j)}}, err
}

func acceptedRun(r directory.Run, err error) (*accepted, error) {
	return &accepted{http.StatusAccepted, runPath(r.ID), viewRun(r)}, err
}

func (a *API) bindings() {
	register(a, operation{id: "listAccounts", method: http.MethodGet, path: "/v1/connections/{id}/accounts", scope: ScopeRead,
		summary: "List the tenant's accounts, each with its verdict"}, a.listAccounts)
	register(a, operation{id: "startImport", method: http.MethodPost, path: "/v1/connections/{id}/imports", scope: ScopeWrite, status: 202,
		summary: "Make users of accounts", body: schema[Import](a), also: later(schema[Job](a))}, a.startImport)
	register(a, operation{id: "listBindings", method: http.MethodGet, path: "/v1/connections/{id}/bindings", scope: ScopeRead,
		summary: "List the members of a connection"}, a.listBindings)
	register(a, operation{id: "bind", method: http.MethodPost, path: "/v1/connections/{id}/bindings", scope: ScopeWrite, status: 200,
		summary: "Make users members of a connection", body: schema[Bind](a),
		also: answers{200: schema[BindResult](a), 202: schema[Job](a)}}, a.bind)
	register(a, operation{id: "release", method: http.MethodDelete, path: "/v1/connections/{id}/bindings/{userId}", scope: ScopeWrite, status: 202,
		summary: "End a membership", also: answers{202: schema[directory.Run](a), 204: nil}}, a.release)
	register(a, operation{id: "getJob", method: http.MethodGet, path: "/v1/jobs/{id}", scope: ScopeRead, sources: true, more: "A token of a source sees the loads that it started only.",
		summary: "Read the progress of an import, a bulk binding or a load, and what it refused"}, a.getJob)
}

type accountsInput struct {
	ConnectionPath
	Paging
	Filter string `query:"filter" maxLength:"200" pattern:"^[^\\x00-\\x1F\\x7F-\\x9F]*$" doc:"A verdict (new, in-directory, bound, external, excluded), or a part of a name or address"`
	Bound  string `query:"bound" enum:"true,false" doc:"Only accounts that are, or are not, bound through this connection"`
}

func (a *API) listAccounts(ctx context.Context, _ Caller, in *accountsInput) (*listOutput[roster.Candidate], error) {
	f := roster.AccountFilter{Text: in.Filter}
	if in.Bound != "" {
		yes := in.Bound == "true"
		f.Bound = &yes
	}
	return listOf(ctx, a, in.Limit, func(limit int) ([]roster.Candidate, string, error) {
		return a.Roster.Accounts(ctx, directory.ConnectionID(in.ID), f, in.Next, limit)
	})
}

func (a *API) startImport(ctx context.Context, by Caller, in *struct {
	ConnectionPath
	raw
}) (*accepted, error) {
	var body Import
	if err := decode(in.RawBody, &body, false); err != nil {
		return nil, err
	}
	return acceptedJob(a.Roster.StartImport(ctx, directory.ConnectionID(in.ID), roster.ImportRequest(body), by.roster()))
}

// bindingPages is how many pages one call looks at for a status.
const bindingPages = 8

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
		views, next, err := a.someBindings(ctx, &c, in, limit)
		if err != nil {
			return nil, "", err
		}
		return views, next, a.expect(ctx, &c, views)
	})
}

func (a *API) someBindings(ctx context.Context, c *directory.Connection, in *bindingsInput, limit int) ([]Binding, string, error) {
	var views []Binding
	next := in.Next
	for range bindingPages {
		var bindings []directory.Binding
		var err error
		bindings, next, err = a.Store.ListBindings(ctx, directory.KindAccount, c.ID, c.Epoch, next, limit-len(views))
		if err != nil {
			return nil, "", err
		}
		for i := range bindings {
			if in.Status == "" || string(bindings[i].Status) == in.Status {
				views = append(views, viewBinding(&bindings[i]))
			}
		}
		if next == "" || len(views) >= limit {
			break
		}
	}
	return views, next, nil
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
	raw
}) (*accepted, error) {
	var body Bind
	if err := decode(in.RawBody, &body, false); err != nil {
		return nil, err
	}
	id := directory.ConnectionID(in.ID)
	if body.All || body.Previous {
		if body.UserIDs != nil {
			return nil, directory.Refuse(directory.ErrInvalid, "invalid-body", "A binding is of the users in userIds, of all, or of the previous ones.",
				"Set only one of userIds, all and previous.")
		}
		return acceptedJob(a.Roster.StartBind(ctx, id, roster.Selection{All: body.All, Previous: body.Previous}, by.roster()))
	}
	done, err := a.Roster.Bind(ctx, id, body.UserIDs, by.roster())
	if err != nil {
		return nil, err
	}
	result := BindResult{Bound: orEmpty(done.Bound), Refused: orEmpty(done.Refused)}
	if done.DryRun != nil {
		result.DryRun = &Link{string(done.DryRun.ID), runPath(done.DryRun.ID)}
	}
	return &accepted{Status: http.StatusOK, Body: result}, nil
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (a *API) release(ctx context.Context, by Caller, in *struct {
	ConnectionPath
	UserID string `path:"userId" maxLength:"64" pattern:"^[!-~]+$" doc:"ID of the user"`
	Then   string `query:"then" enum:"keep,block,restore" doc:"What becomes of the account; without it, as the connection's setting says"`
}) (*accepted, error) {
	run, err := a.Roster.Release(ctx, directory.ConnectionID(in.ID), directory.UserID(in.UserID), directory.ReleasePolicy(in.Then), by.roster())
	if err != nil {
		return nil, err
	}
	if run == nil {
		return &accepted{Status: http.StatusNoContent}, nil
	}
	return acceptedRun(*run, nil)
}

func (a *API) getJob(ctx context.Context, by Caller, in *struct {
	ID string `path:"id" maxLength:"64" pattern:"^[!-~]+$" doc:"ID of the job"`
	From
}) (*struct{ Body JobPage }, error) {
	j, err := a.Roster.Job(ctx, directory.JobID(in.ID), in.Next)
	if err != nil {
		return nil, err
	}
	if by.feeds() && (j.Kind != directory.JobLoad && j.Kind != directory.JobCheck || j.AskedBy != by.Subject) {
		return nil, refuseSource(by.Source)
	}
	j.Next, err = listingOf(ctx).seal(j.Next)
	return &struct{ Body JobPage }{JobPage{j, totalOf(&j.Job)}}, err
}
