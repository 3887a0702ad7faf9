package admin

import (
	"context"
	"net/http"
	"time"

	"bindery/shared/core/doctor"
	"bindery/shared/core/people"
	"bindery/shared/core/provision"
	"bindery/shared/directory"
)

// ScimClients keeps the clients that push by SCIM; *provision.Clients does.
type ScimClients interface {
	Create(ctx context.Context, by directory.Caller, e provision.ClientEdit) (directory.ScimClient, error)
	Edit(ctx context.Context, by directory.Caller, id directory.ScimClientID, e provision.ClientEdit, version int64) (directory.ScimClient, error)
	Get(ctx context.Context, id directory.ScimClientID) (directory.ScimClient, error)
	List(ctx context.Context, after string, limit int) ([]directory.ScimClient, string, error)
	Delete(ctx context.Context, by directory.Caller, id directory.ScimClientID, version int64) error
	NewToken(ctx context.Context, by directory.Caller, id directory.ScimClientID, days int) (directory.ScimToken, directory.Secret, error)
	Tokens(ctx context.Context, id directory.ScimClientID) ([]directory.ScimToken, error)
	RevokeToken(ctx context.Context, by directory.Caller, c directory.ScimClientID, id directory.ScimTokenID) (directory.ScimToken, error)
	Requests(ctx context.Context, id directory.ScimClientID, only, cursor string, limit int) ([]directory.ScimRequest, string, error)
	Standing(ctx context.Context, id directory.ScimClientID) (provision.Standing, error)
	Of(ctx context.Context, of directory.MemberRef) ([]directory.ScimClient, error)
}

// ClientDoctor looks at a client that pushes by SCIM; *doctor.Clients does.
type ClientDoctor interface {
	Of(ctx context.Context, c *directory.ScimClient) ([]doctor.Finding, error)
	Lately(ctx context.Context, id directory.ScimClientID) (doctor.Lately, error)
}

// ScimClientPath names a client in a path.
type ScimClientPath struct {
	ID string `path:"id" maxLength:"64" pattern:"^[!-~]+$" doc:"ID of the client"`
}

// ScimClientView is a client as the API shows it.
type ScimClientView struct {
	directory.ScimClient
	BasePath string `json:"basePath" doc:"Where the client pushes to by a token of its own, below the address of this API"`
	// OAuthBasePath is another one, since a gateway checks the token.
	OAuthBasePath string `json:"oauthBasePath,omitempty" doc:"Where it pushes to by a JWT of the app that is its oauthClientId; a JWT opens nothing at basePath"`
}

// ListedScimClient is a client in the list of all, with how it stands with it.
type ListedScimClient struct {
	ScimClientView
	LastRequest *directory.ScimRequest `json:"lastRequest,omitempty" doc:"The newest of the last seven days"`
	Tokens      ScimTokenCount         `json:"tokens"`
}

// ScimTokenCount says how many tokens of a client open something.
type ScimTokenCount struct {
	Alive   int       `json:"alive"`
	Expires time.Time `json:"expires,omitzero" doc:"When the last of them ends"`
}

type scimClientOutput struct {
	ETag string `header:"ETag"`
	Body ScimClientView
}

// JudgedScimClient is a client with how it stands with it, what it has done lately, and what
// the doctor finds about it.
type JudgedScimClient struct {
	ListedScimClient
	Findings []doctor.Finding    `json:"findings" doc:"What is wrong with the client, or will be, the gravest first"`
	Lately   directory.ScimTally `json:"lately" doc:"How many users it has suspended and deleted in the last 24 hours"`
	HeldRuns []doctor.HeldRun    `json:"heldRuns" doc:"Runs that are held and come from what it has pushed; none of their changes is written until somebody decides"`
}

type judgedScimClient struct {
	ETag string `header:"ETag"`
	Body JudgedScimClient
}

type createdScimClient struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     ScimClientView
}

// NewScimToken is the body of a new token.
type NewScimToken struct {
	Days int `json:"days,omitempty" minimum:"1" maximum:"730" doc:"How long it lives; 365 by default."`
}

// IssuedScimToken is the answer to a new token, the only one that has the token itself.
type IssuedScimToken struct {
	directory.ScimToken
	Token string `json:"token" doc:"The token. It is shown this once; what is kept is a hash of its secret."`
}

func viewScimClient(c directory.ScimClient) ScimClientView {
	v := ScimClientView{ScimClient: c, BasePath: "/scim/" + string(c.ID) + "/v2"}
	if c.OAuthClientID != "" {
		v.OAuthBasePath = "/scim/" + string(c.ID) + "/oauth/v2"
	}
	return v
}

const scimTokenText = "The answer alone has the token itself: of its secret a hash is kept. A client may have several that are alive, so that the next is put to use before the last is revoked."

func (a *API) scimClients() {
	register(a, operation{id: "createScimClient", method: http.MethodPost, path: "/v1/scim-clients", scope: ScopeAdmin, status: 201,
		summary: "Set up a client that pushes people and groups by SCIM", more: "It has no token yet.", body: schema[provision.ClientEdit](a)}, a.createScimClient)
	register(a, operation{id: "listScimClients", method: http.MethodGet, path: "/v1/scim-clients", scope: ScopeRead,
		summary: "List the clients that push by SCIM, oldest first", more: "Each with its newest request, and how long its tokens last."}, a.listScimClients)
	register(a, operation{id: "getScimClient", method: http.MethodGet, path: "/v1/scim-clients/{id}", scope: ScopeRead,
		summary: "Read a client that pushes by SCIM, and what is wrong with it",
		more:    "The findings are judged on the spot by its record, its tokens and its last 200 requests of 24 hours; they are in GET /v1/attention as well. lately and heldRuns tell what a wrong scope at the identity provider has done."}, a.getScimClient)
	register(a, operation{id: "editScimClient", method: http.MethodPatch, path: "/v1/scim-clients/{id}", scope: ScopeAdmin,
		summary: "Edit a client, or pause it", body: schema[provision.ClientEdit](a), types: patchTypes}, a.editScimClient)
	register(a, operation{id: "deleteScimClient", method: http.MethodDelete, path: "/v1/scim-clients/{id}", scope: ScopeAdmin,
		summary: "Delete a client with its tokens", more: "What it has pushed stays in the directory, and can be taken back afterwards, too. What it owned there can be edited by hand, and by other sources, once no other client pushes the same."}, a.deleteScimClient)
	register(a, operation{id: "createScimToken", method: http.MethodPost, path: "/v1/scim-clients/{id}/tokens", scope: ScopeAdmin, status: 201,
		summary: "Make a token of a client", more: scimTokenText, body: schema[NewScimToken](a), optional: true}, a.createScimToken)
	register(a, operation{id: "listScimTokens", method: http.MethodGet, path: "/v1/scim-clients/{id}/tokens", scope: ScopeRead,
		summary: "List the tokens of a client, without the tokens themselves", more: "Those that have expired or were revoked are among them."}, a.listScimTokens)
	register(a, operation{id: "revokeScimToken", method: http.MethodDelete, path: "/v1/scim-clients/{id}/tokens/{tokenId}", scope: ScopeAdmin, status: 200,
		summary: "Revoke a token of a client: from here on it opens nothing"}, a.revokeScimToken)
	register(a, operation{id: "takeBack", method: http.MethodPost, path: "/v1/scim-clients/{id}/take-back", scope: ScopeAdmin, status: 202,
		summary: "Put back in the directory what a client has changed since a time, as one act", more: takeBackText,
		body: schema[TakeBack](a), also: later(schema[Job](a))}, a.takeBack)
	register(a, operation{id: "listScimRequests", method: http.MethodGet, path: "/v1/scim-clients/{id}/requests", scope: ScopeRead,
		summary: "List the requests of a client of the last seven days, the newest first",
		more:    "Each with what it was answered, what of the user or group it changed, and how it was bent to what it means."}, a.listScimRequests)
}

const takeBackText = "Needs " + ScopeWrite + " as well, as a load of users does. It is a job. " +
	"Of each user and group it puts back what the client has changed since then and nobody else after it: values and whose they are, who is suspended, deleted or brought back; what the client has made is deleted (it can be restored for 30 days); members are put back and taken out. " +
	"What somebody else has changed since stays, and is listed among refused with the code changed-since. Each edit is in the activity, with the reason. " +
	"Unless dryRun is said the client must be paused, and stay so until the job has ended: it would push the same again. pause does that in the same request. " +
	"Counts, of users: edited, restored, deleted; of groups: groupsEdited, groupsRestored, groupsDeleted, membersAdded, membersRemoved; of all: kept, unchanged. " +
	"A dry run (a job of the kind check-take-back) writes nothing and counts the same, but does not foresee that a name or an address is taken."

// TakeBack is the body of a request to take back what a client has changed.
type TakeBack struct {
	Since  time.Time `json:"since" doc:"What the client changed then or later is put back; not longer ago than the activity is kept."`
	DryRun bool      `json:"dryRun,omitempty" doc:"Only count what would be done, and write nothing."`
	Pause  bool      `json:"pause,omitempty" doc:"Pause the client first. It stays paused until an admin lets it go on."`
}

// TakeBacks takes back what a client has changed; *people.TakeBacks does.
type TakeBacks interface {
	Start(ctx context.Context, by directory.Caller, c directory.ScimClientID, as people.TakeBack) (directory.Job, error)
}

func (a *API) takeBack(ctx context.Context, by Caller, in *struct {
	ScimClientPath
	sent[TakeBack]
}) (*accepted, error) {
	if !by.has(ScopeWrite) {
		return nil, scopeMissing(ScopeWrite)
	}
	return acceptedJob(a.TakeBacks.Start(ctx, by.Caller, directory.ScimClientID(in.ID), people.TakeBack(in.body)))
}

func (a *API) createScimClient(ctx context.Context, by Caller, in *sent[provision.ClientEdit]) (*createdScimClient, error) {
	c, err := a.ScimClients.Create(ctx, by.Caller, in.body)
	return &createdScimClient{etagOf(c.Version), "/v1/scim-clients/" + string(c.ID), viewScimClient(c)}, err
}

func (a *API) listScimClients(ctx context.Context, _ Caller, in *struct{ Paging }) (*listOutput[ListedScimClient], error) {
	return listOf(ctx, a, in.Limit, func(limit int) ([]ListedScimClient, string, error) {
		list, next, err := a.ScimClients.List(ctx, in.Next, limit)
		if err != nil {
			return nil, "", err
		}
		views := make([]ListedScimClient, len(list))
		for i := range list { // few installations have more than a handful
			if views[i], err = a.listedScimClient(ctx, list[i]); err != nil {
				return nil, "", err
			}
		}
		return views, next, nil
	})
}

func (a *API) getScimClient(ctx context.Context, _ Caller, in *ScimClientPath) (*judgedScimClient, error) {
	c, err := a.ScimClients.Get(ctx, directory.ScimClientID(in.ID))
	if err != nil {
		return nil, err
	}
	listed, err := a.listedScimClient(ctx, c)
	if err != nil {
		return nil, err
	}
	lately, err := a.ClientDoctor.Lately(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	found, err := a.ClientDoctor.Of(ctx, &c)
	return &judgedScimClient{etagOf(c.Version), JudgedScimClient{listed, orEmpty(found), lately.ScimTally, orEmpty(lately.Held)}}, err
}

// listedScimClient is a client with how it stands with it.
func (a *API) listedScimClient(ctx context.Context, c directory.ScimClient) (ListedScimClient, error) {
	now, err := a.ScimClients.Standing(ctx, c.ID)
	return ListedScimClient{viewScimClient(c), now.LastRequest, ScimTokenCount{now.Alive, now.Expires}}, err
}

// scimClientEditing is what every edit of a client takes.
type scimClientEditing struct {
	ScimClientPath
	IfMatch string `header:"If-Match" maxLength:"200" doc:"The ETag of the version that is edited; without it the edit goes onto whatever is there"`
}

func (a *API) editScimClient(ctx context.Context, by Caller, in *struct {
	scimClientEditing
	sent[provision.ClientEdit]
}) (*scimClientOutput, error) {
	version, err := parseIfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	c, err := a.ScimClients.Edit(ctx, by.Caller, directory.ScimClientID(in.ID), in.body, version)
	return &scimClientOutput{etagOf(c.Version), viewScimClient(c)}, err
}

func (a *API) deleteScimClient(ctx context.Context, by Caller, in *scimClientEditing) (*struct{}, error) {
	version, err := parseIfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	return nil, a.ScimClients.Delete(ctx, by.Caller, directory.ScimClientID(in.ID), version)
}

func (a *API) createScimToken(ctx context.Context, by Caller, in *struct {
	ScimClientPath
	sent[NewScimToken]
}) (*output[IssuedScimToken], error) {
	t, secret, err := a.ScimClients.NewToken(ctx, by.Caller, directory.ScimClientID(in.ID), in.body.Days)
	return &output[IssuedScimToken]{IssuedScimToken{t, secret.Reveal()}}, err
}

func (a *API) listScimTokens(ctx context.Context, _ Caller, in *ScimClientPath) (*output[list[directory.ScimToken]], error) {
	tokens, err := a.ScimClients.Tokens(ctx, directory.ScimClientID(in.ID))
	return &output[list[directory.ScimToken]]{list[directory.ScimToken]{Items: orEmpty(tokens)}}, err
}

func (a *API) revokeScimToken(ctx context.Context, by Caller, in *struct {
	ScimClientPath
	TokenID string `path:"tokenId" maxLength:"64" pattern:"^[!-~]+$" doc:"ID of the token"`
}) (*output[directory.ScimToken], error) {
	t, err := a.ScimClients.RevokeToken(ctx, by.Caller, directory.ScimClientID(in.ID), directory.ScimTokenID(in.TokenID))
	return &output[directory.ScimToken]{t}, err
}

func (a *API) listScimRequests(ctx context.Context, _ Caller, in *struct {
	ScimClientPath
	Paging
	Only string `query:"only" enum:"refused,noted,changed" doc:"Those that were refused, or bent or not taken as a whole, or that changed or deleted something"`
}) (*listOutput[directory.ScimRequest], error) {
	return listOf(ctx, a, in.Limit, func(limit int) ([]directory.ScimRequest, string, error) {
		return a.ScimClients.Requests(ctx, directory.ScimClientID(in.ID), in.Only, in.Next, limit)
	})
}
