package admin

import (
	"context"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"bindery/shared/core/people"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Users keeps the users of the directory; *people.Users does.
type Users interface {
	Create(ctx context.Context, by directory.Caller, body []byte) (people.Edited, error)
	Get(ctx context.Context, id directory.UserID) (directory.User, error)
	List(ctx context.Context, f people.Filter, cursor string, limit int) (store.UserPage, error)
	ByID(ctx context.Context, ids []directory.UserID) ([]directory.User, error)
	Count(ctx context.Context) (int, error)
	Patch(ctx context.Context, by directory.Caller, id directory.UserID, body []byte, version int64) (people.Edited, error)
	SetState(ctx context.Context, by directory.Caller, id directory.UserID, state directory.UserState, version int64) (directory.User, error)
	Delete(ctx context.Context, by directory.Caller, id directory.UserID, version int64) error
	Restore(ctx context.Context, by directory.Caller, id directory.UserID, version int64) (directory.User, error)
	Manager(ctx context.Context, u *directory.User) (name string, gone bool, err error)
}

// Passwords shows temporary passwords; *passwords.Service does.
type Passwords interface {
	Show(ctx context.Context, by directory.Caller, u directory.UserID) (directory.Secret, error)
}

// UserPath names a user in a path.
type UserPath struct {
	ID string `path:"id" maxLength:"64" pattern:"^[!-~]+$" doc:"ID of the user"`
}

// Editing is what every edit of a user takes: its version, if the caller cares.
type Editing struct {
	UserPath
	IfMatch string `header:"If-Match" maxLength:"200" doc:"The ETag of the version that is edited; without it the edit goes onto whatever is there"`
}

type userOutput struct {
	ETag string `header:"ETag"`
	Body directory.User
}

// ReadUser is a user as it is read by itself.
type ReadUser struct {
	directory.User
	ManagerName string           `json:"managerName,omitempty" doc:"What the user of managerId is called."`
	ManagerGone bool             `json:"managerGone,omitempty" doc:"The user of managerId is deleted, or no longer there; nobody is manager until another one is named, or that one is restored."`
	PushedBy    []ScimClientName `json:"pushedBy,omitempty" doc:"The SCIM clients that have pushed the user."`
}

// ScimClientName is a client that pushes by SCIM, by name.
type ScimClientName struct {
	ID   directory.ScimClientID `json:"id"`
	Name string                 `json:"name"`
}

type readUser struct {
	ETag string `header:"ETag"`
	Body ReadUser
}

type createdUser struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     people.Edited
}

type editedUser struct {
	ETag string `header:"ETag"`
	Body people.Edited
}

// Password is a temporary password, shown once.
type Password struct {
	Password string `json:"password" doc:"To be changed at the first sign-in; it is not shown again."`
}

func (a *API) users() {
	create, edit := a.profileSchemas()
	register(a, operation{id: "createUser", method: http.MethodPost, path: "/v1/users", scope: ScopeWrite, sources: true, status: 201,
		summary: "Create a user", body: create, core: []string{allMembers}}, a.createUser)
	register(a, operation{id: "listUsers", method: http.MethodGet, path: "/v1/users", scope: ScopeRead, sources: true,
		summary: "List users: the living ones, or the deleted ones that can be restored; JSON, CSV (text/csv) or JSON lines (application/x-ndjson) by Accept",
		more:    "The columns of CSV are the attributes by their names. Custom attributes, of which each user may have others, are one column with a JSON object. With include=binding, which no token of a source may, each user has its binding; to a page of users come one read of the table for each of them, by its key, and one for each of their connections.",
		also:    answers{200: schema[list[ListedUser]](a)}}, a.listUsers)
	register(a, operation{id: "countUsers", method: http.MethodGet, path: "/v1/users:count", scope: ScopeRead, sources: true,
		summary: "Say how many users there are, deleted ones left out"}, a.countUsers)
	register(a, operation{id: "getUser", method: http.MethodGet, path: "/v1/users/{id}", scope: ScopeRead, sources: true,
		summary: "Read a user, also a deleted one that can be restored"}, a.getUser)
	register(a, operation{id: "editUser", method: http.MethodPatch, path: "/v1/users/{id}", scope: ScopeWrite, sources: true,
		summary: "Edit a user, as a JSON merge patch", body: edit, types: patchTypes, core: []string{allMembers}}, a.editUser)
	register(a, operation{id: "deleteUser", method: http.MethodDelete, path: "/v1/users/{id}", scope: ScopeWrite, sources: true,
		summary: "Delete a user: its account is blocked, its address is free, it can be restored for 30 days"}, a.deleteUser)
	register(a, operation{id: "suspendUser", method: http.MethodPost, path: "/v1/users/{id}/suspend", scope: ScopeWrite, sources: true,
		summary: "Suspend a user: its account is blocked"}, a.setState(directory.StateSuspended))
	register(a, operation{id: "activateUser", method: http.MethodPost, path: "/v1/users/{id}/activate", scope: ScopeWrite, sources: true,
		summary: "Activate a user"}, a.setState(directory.StateActive))
	register(a, operation{id: "restoreUser", method: http.MethodPost, path: "/v1/users/{id}/restore", scope: ScopeWrite, sources: true,
		summary: "Bring a deleted user back"}, a.restoreUser)
	register(a, operation{id: "showPassword", method: http.MethodPost, path: "/v1/users/{id}/temporary-password", scope: ScopeApprove,
		summary: "Show the temporary password of a user's new account, once"}, a.showPassword)
}

// profileSchemas describes the bodies of a create and of an edit.
func (a *API) profileSchemas() (create, edit *huma.Schema) {
	registry := a.huma.OpenAPI().Components.Schemas
	profile := registry.Schema(reflect.TypeFor[directory.Profile](), false, "Profile")
	c, e := *profile, *profile
	c.Required, e.Required = []string{"email"}, nil
	return &c, &e
}

func (a *API) createUser(ctx context.Context, by Caller, in *raw) (*createdUser, error) {
	u, err := a.Users.Create(ctx, by.Caller, in.RawBody)
	return &createdUser{etagOf(u.Version), "/v1/users/" + string(u.ID), u}, err
}

// ListedUser is a user in a list.
type ListedUser struct {
	directory.User
	Binding *BoundUser `json:"binding,omitempty" doc:"With include=binding: what the user is bound by, if anything."`
}

// BoundUser is what a user is bound by, in short.
type BoundUser struct {
	ConnectionID   directory.ConnectionID  `json:"connectionId"`
	ConnectionName string                  `json:"connectionName"`
	Status         directory.BindingStatus `json:"status" enum:"pending,in-sync,conflict,refused,read-only,paused,failed"`
}

func (a *API) listUsers(ctx context.Context, by Caller, in *struct {
	From
	Limit   int                `query:"limit" minimum:"1" maximum:"2500" default:"100" doc:"How many items at most; more than in other lists, for exports"`
	Email   string             `query:"email" maxLength:"320" pattern:"^[^\\x00-\\x1F\\x7F-\\x9F]*$" doc:"The whole address"`
	State   string             `query:"state" enum:"staged,active,suspended"`
	Source  string             `query:"source" enum:"manual,scim,ad,m365"`
	Text    string             `query:"text" maxLength:"200" pattern:"^[^\\x00-\\x1F\\x7F-\\x9F]*$" doc:"A part of a name, an address or an ID"`
	Deleted bool               `query:"deleted" doc:"Deleted users that can be restored, and no others"`
	IDs     []directory.UserID `query:"id" doc:"These users, deleted ones as well; with no other filter. Those that are not there are left out."`
	Include string             `query:"include" enum:"binding" doc:"Tell of each user by what it is bound as well"`
	Accept  string             `header:"Accept" maxLength:"1000" doc:"text/csv or application/x-ndjson for another form than JSON; the next page is then in the header Link"`
}) (*document, error) {
	f := people.Filter{Email: in.Email, State: directory.UserState(in.State), Source: directory.Source(in.Source), Text: in.Text, Deleted: in.Deleted}
	read := func(limit int) ([]directory.User, string, error) {
		p, err := a.Users.List(ctx, f, in.Next, limit)
		return p.Users, p.Next, err
	}
	if len(in.IDs) > 0 {
		read = named(ctx, in.IDs, in.Next, f == people.Filter{}, a.Users.ByID)
	}
	bound := in.Include != ""
	if bound && by.Feeds() {
		return nil, refuseSource(by.Source)
	}
	return listIn(ctx, a, in.Accept, in.Limit, forms[ListedUser]{usersCSV(bound), usersLines}, func(limit int) ([]ListedUser, string, error) {
		users, next, err := read(limit)
		if err != nil {
			return nil, "", err
		}
		listed, err := a.listed(ctx, users, bound)
		return listed, next, err
	})
}

// listed shows users in a list, and what they are bound by where that is asked for.
func (a *API) listed(ctx context.Context, users []directory.User, bound bool) ([]ListedUser, error) {
	list, ids := make([]ListedUser, len(users)), make([]directory.UserID, len(users))
	for i := range users {
		list[i].User, ids[i] = users[i], users[i].ID
	}
	if !bound {
		return list, nil
	}
	of, err := a.Bindings.OfUsers(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if b, there := of[list[i].ID]; there {
			list[i].Binding = &BoundUser{b.Connection.ID, b.Connection.Name, b.Binding.Status}
		}
	}
	return list, nil
}

// UserCount is how many users there are.
type UserCount struct {
	Users int `json:"users" doc:"Living ones, of any state."`
}

func (a *API) countUsers(ctx context.Context, _ Caller, _ *struct{}) (*output[UserCount], error) {
	n, err := a.Users.Count(ctx)
	return &output[UserCount]{UserCount{n}}, err
}

func (a *API) getUser(ctx context.Context, _ Caller, in *UserPath) (*readUser, error) {
	u, err := a.Users.Get(ctx, directory.UserID(in.ID))
	if err != nil {
		return nil, err
	}
	read := ReadUser{User: u}
	if read.ManagerName, read.ManagerGone, err = a.Users.Manager(ctx, &u); err != nil {
		return nil, err
	}
	read.PushedBy, err = a.pushedBy(ctx, &u)
	return &readUser{etagOf(u.Version), read}, err
}

// pushedBy names the clients of SCIM that have pushed a user; of whom SCIM owns nothing, it
// does not look.
func (a *API) pushedBy(ctx context.Context, u *directory.User) ([]ScimClientName, error) {
	if u.Source != directory.SourceSCIM && !slices.Contains(slices.Collect(maps.Values(u.Owners)), directory.SourceSCIM) {
		return nil, nil
	}
	clients, err := a.ScimClients.Of(ctx, directory.UserMember(u.ID))
	var list []ScimClientName
	for _, c := range clients {
		list = append(list, ScimClientName{c.ID, c.Name})
	}
	return list, err
}

func answerUser(u directory.User, err error) (*userOutput, error) {
	return &userOutput{etagOf(u.Version), u}, err
}

func (a *API) editUser(ctx context.Context, by Caller, in *struct {
	Editing
	raw
}) (*editedUser, error) {
	version, err := parseIfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	u, err := a.Users.Patch(ctx, by.Caller, directory.UserID(in.ID), in.RawBody, version)
	return &editedUser{etagOf(u.Version), u}, err
}

func (a *API) deleteUser(ctx context.Context, by Caller, in *Editing) (*struct{}, error) {
	version, err := parseIfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	return nil, a.Users.Delete(ctx, by.Caller, directory.UserID(in.ID), version)
}

func (a *API) setState(state directory.UserState) func(context.Context, Caller, *Editing) (*userOutput, error) {
	return func(ctx context.Context, by Caller, in *Editing) (*userOutput, error) {
		version, err := parseIfMatch(in.IfMatch)
		if err != nil {
			return nil, err
		}
		return answerUser(a.Users.SetState(ctx, by.Caller, directory.UserID(in.ID), state, version))
	}
}

func (a *API) restoreUser(ctx context.Context, by Caller, in *Editing) (*userOutput, error) {
	version, err := parseIfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	return answerUser(a.Users.Restore(ctx, by.Caller, directory.UserID(in.ID), version))
}

func (a *API) showPassword(ctx context.Context, by Caller, in *UserPath) (*output[Password], error) {
	secret, err := a.Passwords.Show(ctx, by.Caller, directory.UserID(in.ID))
	if err != nil {
		return nil, err
	}
	return &output[Password]{Password{secret.Reveal()}}, nil
}

// parseIfMatch reads the version of an If-Match header; 0 for none or any.
func parseIfMatch(s string) (int64, error) {
	s = strings.TrimSpace(s)
	if s == "" || s == "*" {
		return 0, nil
	}
	text, ok := strings.CutPrefix(strings.TrimPrefix(s, "W/"), `"`)
	text, closed := strings.CutSuffix(text, `"`)
	if version, err := strconv.ParseInt(text, 10, 64); ok && closed && err == nil && version > 0 {
		return version, nil
	}
	return 0, directory.Refuse(directory.ErrStale, directory.CodeVersionMismatch, "If-Match is not the ETag of any version.",
		"Read it again and send its ETag, with its quotation marks.")
}
