package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"bindery/shared/api/endpoint"
	"bindery/shared/core/connect"
	"bindery/shared/core/safety"
	"bindery/shared/directory"
)

// Connections makes, authorises and lets go connections; *connect.Service does.
type Connections interface {
	Create(ctx context.Context, by directory.Caller, name, expectedDomain string, settings directory.Settings) (directory.Connection, string, error)
	Authorize(ctx context.Context, by directory.Caller, id directory.ConnectionID) (string, error)
	ClaimDomains(ctx context.Context, by directory.Caller, id directory.ConnectionID, names []string) (directory.Connection, error)
	ReleaseDomain(ctx context.Context, by directory.Caller, id directory.ConnectionID, name string) (directory.Connection, error)
	Confirm(ctx context.Context, by directory.Caller, id directory.ConnectionID, tenant directory.TenantID, admin directory.AccountID) (directory.Connection, error)
	Deactivate(ctx context.Context, by directory.Caller, id directory.ConnectionID) (connect.Deactivated, error)
	Delete(ctx context.Context, by directory.Caller, id directory.ConnectionID) error
}

// Connection is a connection as the API shows it. No secret is part of it.
type Connection struct {
	ID             directory.ConnectionID     `json:"id"`
	Name           string                     `json:"name"`
	Status         directory.ConnectionStatus `json:"status" enum:"pending,awaiting-confirmation,active,needs-authorization,deactivated"`
	Epoch          int64                      `json:"epoch" doc:"How often it was let go."`
	ExpectedDomain string                     `json:"expectedDomain,omitempty"`
	Tenant         *directory.Tenant          `json:"tenant,omitempty" doc:"The tenant in effect: confirmed."`
	AuthorizedBy   *directory.Administrator   `json:"authorizedBy,omitempty" doc:"The account in effect: confirmed. Only its tokens are used."`
	SignInID       directory.SignInID         `json:"signInId,omitempty" doc:"Of the sign-in whose tokens are used."`
	Scopes         []string                   `json:"scopes,omitempty" doc:"As Microsoft granted them."`
	Lacking        []directory.Permission     `json:"lacking,omitempty" doc:"Permissions that settings or rules want and Microsoft did not grant: for what, and what does not work without. POST …/authorize asks for them."`
	RequestedBy    string                     `json:"requestedBy,omitempty" doc:"Who asked for the authorisation in effect."`
	Confirmation   *Decision                  `json:"confirmation,omitempty" doc:"Who confirmed tenant and account, and when."`
	Deactivation   *directory.Deactivation    `json:"deactivation,omitempty" doc:"While it is deactivated: who let it go, when, and why."`
	Waiting        *WaitingSignIn             `json:"waiting,omitempty" doc:"A sign-in that takes effect when it is confirmed; until then none of its tokens is used."`
	RefusedSignIn  *directory.RefusedSignIn   `json:"refusedSignIn,omitempty" doc:"The last sign-in that came to nothing, and why; gone with the next good one."`
	Settings       directory.Settings         `json:"settings"`
	SettingsBy     string                     `json:"settingsBy,omitempty" doc:"Who last had the settings changed."`
	Proposals      []Proposal                 `json:"proposals,omitempty" doc:"What waits for somebody else to approve it."`
	Trouble        *directory.Problem         `json:"trouble,omitempty" doc:"Why the status is needs-authorization."`
	LastRun        *directory.LastRun         `json:"lastRun,omitempty"`
	AuthorizedAt   *time.Time                 `json:"authorizedAt,omitempty"`
	Created        time.Time                  `json:"created"`
	Updated        time.Time                  `json:"updated"`
	Version        int64                      `json:"version"`
	BoundCount     int                        `json:"boundCount" doc:"How many users are its members."`
	// AuthorizationURL is where an admin of the tenant begins; only in the answer
	// to a create.
	AuthorizationURL string `json:"authorizationUrl,omitempty" doc:"A page of ours that says who asks, and leads on to Microsoft. For one use within ten minutes, in one browser."`
}

// Decision is who decided, and when.
type Decision struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// WaitingSignIn is a sign-in that waits for its confirmation.
type WaitingSignIn struct {
	SignInID     directory.SignInID      `json:"signInId,omitempty"`
	Tenant       directory.Tenant        `json:"tenant"`
	AuthorizedBy directory.Administrator `json:"authorizedBy" doc:"The account that signed in."`
	Scopes       []string                `json:"scopes,omitempty" doc:"As Microsoft granted them."`
	RequestedBy  string                  `json:"requestedBy" doc:"Who asked for this authorisation."`
	At           time.Time               `json:"at" doc:"When the account signed in."`
	Until        time.Time               `json:"until" doc:"Unconfirmed, its tokens are deleted then."`
}

// view adds to a connection how many users are bound through it.
func (a *API) view(ctx context.Context, c *directory.Connection) (Connection, error) {
	v := Connection{
		ID: c.ID, Name: c.Name, Status: c.Status, Epoch: c.Epoch, ExpectedDomain: c.ExpectedDomain, Tenant: c.Tenant,
		AuthorizedBy: c.AuthorizedBy, SignInID: c.SignInID, Scopes: c.Scopes, RequestedBy: c.RequestedBy, RefusedSignIn: c.RefusedSignIn, Settings: c.Settings, Trouble: c.Problem,
		LastRun: c.LastRun, Created: c.Created, Updated: c.Updated, Version: c.Version,
	}
	if c.InEffect() {
		v.Lacking = c.Lacking()
	}
	if d := c.Confirmation; d != nil {
		v.Confirmation = &Decision{d.By, d.At}
	}
	if c.Status == directory.StatusDeactivated {
		v.Deactivation = c.Deactivation
	}
	if in := c.Waiting; in != nil {
		v.Waiting = &WaitingSignIn{in.ID, in.Tenant, in.AuthorizedBy, in.Scopes, in.RequestedBy, in.At, in.At.Add(connect.ConfirmWithin)}
	}
	v.SettingsBy = c.SettingsBy
	for _, p := range c.Open(a.Now()) {
		v.Proposals = append(v.Proposals, viewProposal(c, p))
	}
	if !c.AuthorizedAt.IsZero() {
		v.AuthorizedAt = &c.AuthorizedAt
	}
	var err error
	v.BoundCount, err = a.Stores.Counts.BoundCount(ctx, c.ID, c.Epoch)
	return v, err
}

// ConnectionPath names a connection in a path.
type ConnectionPath struct {
	ID string `path:"id" maxLength:"64" pattern:"^[!-~]+$" doc:"ID of the connection"`
}

// list is one page of a list.
type list[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"Give it as the parameter next for the next page; a page may be short, or empty, and have one."`

	encoded []byte // the page as JSON, when it was measured already
}

// MarshalJSON writes a page that was measured as it was measured.
func (l list[T]) MarshalJSON() ([]byte, error) {
	if l.encoded != nil {
		return l.encoded, nil
	}
	return endpoint.JSON(struct {
		Items []T    `json:"items"`
		Next  string `json:"next,omitempty"`
	}{l.Items, l.Next})
}

type listOutput[T any] = output[list[T]]

// Paging is what every list takes.
type Paging struct {
	From
	Limit int `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"How many items at most"`
}

// schema returns the schema of a type for the description.
func schema[T any](a *API) *huma.Schema {
	return a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, reflect.TypeFor[T]().Name())
}

// raw is a body that the core reads by itself.
type raw struct {
	RawBody []byte
}

func (r *raw) bytes() []byte { return r.RawBody }

// sent is a body that is one JSON object: register has read it, strictly, when the
// handler is called. An optional one that was left out is zero.
type sent[B any] struct {
	raw
	body B
}

func (s *sent[B]) read() error { return decode(s.RawBody, &s.body) }

// NewConnection is the body of a create.
type NewConnection struct {
	Name           string        `json:"name"`
	ExpectedDomain string        `json:"expectedDomain,omitempty" doc:"Accept only a tenant that has verified it."`
	Settings       SettingsPatch `json:"settings,omitempty"`
}

// newConnectionBody is a NewConnection as it is read: its settings are merged into
// the defaults.
type newConnectionBody struct {
	Name           string          `json:"name"`
	ExpectedDomain string          `json:"expectedDomain"`
	Settings       json.RawMessage `json:"settings"`
}

// ConnectionEdit is the body of a patch: a JSON merge patch (RFC 7396).
type ConnectionEdit struct {
	Name     string        `json:"name,omitempty"`
	Settings SettingsPatch `json:"settings,omitempty"`
}

// connectionEditBody is a ConnectionEdit as it is read: what is null in it is not
// what is missing.
type connectionEditBody struct {
	Name     *string         `json:"name"`
	Settings json.RawMessage `json:"settings"`
}

// SettingsPatch is how settings are described where they are merged into those that
// there are: null takes each back, and all of them.
type SettingsPatch directory.Settings

// Schema is for huma.
func (SettingsPatch) Schema(r huma.Registry) *huma.Schema {
	return patchOf(r, r.Schema(reflect.TypeFor[directory.Settings](), true, "Settings"))
}

// patchOf describes a merge patch (RFC 7396) of what a schema describes.
func patchOf(r huma.Registry, s *huma.Schema) *huma.Schema {
	p := *resolve(r, s)
	if p.Type == "" {
		return &p
	}
	if p.Nullable = true; len(p.Enum) > 0 {
		p.Enum = append(slices.Clone(p.Enum), nil)
	}
	if p.Type == huma.TypeObject {
		p.Required = nil
		p.Properties = maps.Clone(p.Properties)
		for name, member := range p.Properties {
			p.Properties[name] = patchOf(r, member)
		}
		if member, one := p.AdditionalProperties.(*huma.Schema); one {
			p.AdditionalProperties = patchOf(r, member)
		}
	}
	p.PrecomputeMessages()
	return &p
}

// Confirmation is the body of a confirm.
type Confirmation struct {
	TenantID directory.TenantID  `json:"tenantId" doc:"Of the tenant that was signed in to."`
	ObjectID directory.AccountID `json:"objectId" doc:"Object ID of the account that signed in."`
}

// Domains is the body of a claim.
type Domains struct {
	Domains []string `json:"domains" doc:"At most 100, of tenant.offeredDomains."`
}

// maxDomains is how many domains one call claims.
const maxDomains = 100

// Authorization is the answer to an authorize.
type Authorization struct {
	AuthorizationURL string `json:"authorizationUrl" doc:"A page of ours that says who asks, and leads on to Microsoft. For one use within ten minutes, in one browser."`
}

func (a *API) connections() {
	register(a, operation{id: "createConnection", method: http.MethodPost, path: "/v1/connections", scope: ScopeAdmin, status: 201, more: "Settings that are looser than the defaults need bindery/approve as well.",
		summary: "Make a connection; an admin of the tenant authorises it at authorizationUrl", body: schema[NewConnection](a), core: []string{"name", "expectedDomain", "settings"}}, a.createConnection)
	register(a, operation{id: "listConnections", method: http.MethodGet, path: "/v1/connections", scope: ScopeRead,
		summary: "List connections"}, a.listConnections)
	register(a, operation{id: "getConnection", method: http.MethodGet, path: "/v1/connections/{id}", scope: ScopeRead,
		summary: "Read a connection", more: "The ETag stands for the settings alone: the rest changes with every run."}, a.getConnection)
	register(a, operation{id: "editConnection", method: http.MethodPatch, path: "/v1/connections/{id}", scope: ScopeAdmin,
		more:    "With If-Match the edit goes onto the settings of that ETag, or is refused (412). Each setting that becomes looser by the edit needs bindery/approve as well; the refusal (403 needs-approve) names them in errors. With fourEyes such an edit waits as a proposal (202) until somebody else approves it.",
		summary: "Edit name and settings, as a JSON merge patch", body: schema[ConnectionEdit](a), core: []string{"name", "settings"}, types: patchTypes, status: 200,
		also: answers{200: schema[Connection](a), 202: schema[Proposal](a)}}, a.editConnection)
	register(a, operation{id: "authorizeConnection", method: http.MethodPost, path: "/v1/connections/{id}/authorize", scope: ScopeAdmin,
		summary: "Authorise again, with the same tenant; another account than before waits for its confirmation"}, a.authorizeConnection)
	register(a, operation{id: "confirmConnection", method: http.MethodPost, path: "/v1/connections/{id}/confirm", scope: ScopeApprove,
		summary: "Confirm which tenant and account signed in; only then does the authorisation take effect", body: schema[Confirmation](a)}, a.confirmConnection)
	register(a, operation{id: "claimDomains", method: http.MethodPost, path: "/v1/connections/{id}/domains", scope: ScopeApprove,
		summary: "Claim domains that the tenant has verified since it was authorised (tenant.offeredDomains)", body: schema[Domains](a)}, a.claimDomains)
	register(a, operation{id: "releaseDomain", method: http.MethodDelete, path: "/v1/connections/{id}/domains/{domain}", scope: ScopeApprove, status: 200,
		summary: "Give up a claimed domain that the tenant has lost"}, a.releaseDomain)
	a.deactivation()
	register(a, operation{id: "deleteConnection", method: http.MethodDelete, path: "/v1/connections/{id}", scope: ScopeAdmin,
		summary: "Remove a deactivated connection"}, a.deleteConnection)
}

// patchTypes are what a merge patch may be sent as.
var patchTypes = []string{"application/merge-patch+json", "application/json"}

type locatedConnection struct {
	Location string `header:"Location"`
	Body     Connection
}

func (a *API) createConnection(ctx context.Context, by Caller, in *sent[newConnectionBody]) (*locatedConnection, error) {
	settings, err := mergeSettings(directory.Settings{}, in.body.Settings)
	if err != nil {
		return nil, err
	}
	if err := safety.New(settings, by.Caller); err != nil {
		return nil, err
	}
	c, url, err := a.Connections.Create(ctx, by.Caller, in.body.Name, in.body.ExpectedDomain, settings)
	if err != nil {
		return nil, err
	}
	v, err := a.view(ctx, &c)
	v.AuthorizationURL = url
	return &locatedConnection{"/v1/connections/" + string(c.ID), v}, err
}

func (a *API) listConnections(ctx context.Context, _ Caller, in *Paging) (*listOutput[Connection], error) {
	return listOf(ctx, a, in.Limit, func(limit int) ([]Connection, string, error) {
		connections, next, err := a.Stores.Connections.ListConnections(ctx, in.Next, limit)
		if err != nil {
			return nil, "", err
		}
		views := make([]Connection, len(connections))
		for i := range connections {
			if views[i], err = a.view(ctx, &connections[i]); err != nil {
				return nil, "", err
			}
		}
		return views, next, nil
	})
}

// connection reads a connection; the refusal names the ID.
func (a *API) connection(ctx context.Context, id string) (directory.Connection, error) {
	return a.Stores.Connections.Connection(ctx, directory.ConnectionID(id))
}

// readConnection is a connection with the ETag of its settings.
type readConnection struct {
	ETag string `header:"ETag"`
	Body Connection
}

// settingsTag is the ETag of a connection's settings. What else it is, changes with each
// run: an edit by the version of all of it would hardly ever go through.
func settingsTag(c *directory.Connection) string {
	return `"` + directory.SettingsMark(c.Settings) + `"`
}

// settingsBase reads an If-Match header as the mark of settings; empty for none or any.
func settingsBase(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" || s == "*" {
		return "", nil
	}
	mark, opened := strings.CutPrefix(strings.TrimPrefix(s, "W/"), `"`)
	mark, closed := strings.CutSuffix(mark, `"`)
	if !opened || !closed || mark == "" {
		return "", directory.Refuse(directory.ErrStale, directory.CodeVersionMismatch, "If-Match is not the ETag of any settings.",
			"Read the connection again and send its ETag, with its quotation marks.")
	}
	return mark, nil
}

func (a *API) getConnection(ctx context.Context, _ Caller, in *ConnectionPath) (*readConnection, error) {
	c, err := a.connection(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	v, err := a.view(ctx, &c)
	return &readConnection{settingsTag(&c), v}, err
}

func (a *API) editConnection(ctx context.Context, by Caller, in *struct {
	ConnectionPath
	IfMatch string `header:"If-Match" maxLength:"200" doc:"The ETag of the settings that are edited; without it the edit goes onto whatever is there"`
	sent[connectionEditBody]
}) (*accepted, error) {
	base, err := settingsBase(in.IfMatch)
	if err != nil {
		return nil, err
	}
	edit := safety.Edit{Name: in.body.Name, Base: base}
	if in.body.Settings != nil {
		edit.Settings = func(old directory.Settings) (directory.Settings, error) { return mergeSettings(old, in.body.Settings) }
	}
	done, err := a.Safety.Edit(ctx, by.Caller, directory.ConnectionID(in.ID), edit)
	if err != nil {
		return nil, err
	}
	if done.Proposal != nil {
		return proposed(&done.Connection, done.Proposal), nil
	}
	if done.Changed {
		a.wake(ctx, &done.Connection)
	}
	v, err := a.view(ctx, &done.Connection)
	return &accepted{Status: http.StatusOK, Body: v}, err
}

func (a *API) authorizeConnection(ctx context.Context, by Caller, in *ConnectionPath) (*output[Authorization], error) {
	if err := a.Uses.ForgetScopes(ctx, directory.ConnectionID(in.ID)); err != nil { // it is not asked for what nothing wants any more
		return nil, err
	}
	url, err := a.Connections.Authorize(ctx, by.Caller, directory.ConnectionID(in.ID))
	return &output[Authorization]{Authorization{url}}, err
}

func (a *API) confirmConnection(ctx context.Context, by Caller, in *struct {
	ConnectionPath
	sent[Confirmation]
}) (*output[Connection], error) {
	c, err := a.Connections.Confirm(ctx, by.Caller, directory.ConnectionID(in.ID), in.body.TenantID, in.body.ObjectID)
	if err != nil {
		return nil, err
	}
	v, err := a.view(ctx, &c)
	return &output[Connection]{v}, err
}

func (a *API) claimDomains(ctx context.Context, by Caller, in *struct {
	ConnectionPath
	sent[Domains]
}) (*output[Connection], error) {
	if n := len(in.body.Domains); n == 0 || n > maxDomains {
		return nil, directory.Refuse(directory.ErrInvalid, directory.CodeInvalidBody, fmt.Sprintf("The call names %d domains; 1 to %d are allowed.", n, maxDomains),
			"Name domains of tenant.offeredDomains.")
	}
	c, err := a.Connections.ClaimDomains(ctx, by.Caller, directory.ConnectionID(in.ID), in.body.Domains)
	if err != nil {
		return nil, err
	}
	v, err := a.view(ctx, &c)
	return &output[Connection]{v}, err
}

func (a *API) releaseDomain(ctx context.Context, by Caller, in *struct {
	ConnectionPath
	Domain string `path:"domain" maxLength:"253" pattern:"^[!-~]+$" doc:"The domain"`
}) (*output[Connection], error) {
	c, err := a.Connections.ReleaseDomain(ctx, by.Caller, directory.ConnectionID(in.ID), in.Domain)
	if err != nil {
		return nil, err
	}
	v, err := a.view(ctx, &c)
	return &output[Connection]{v}, err
}

// deactivation registers the end of a connection, which has a function of its own.
func (a *API) deactivation() {
	register(a, operation{id: "deactivateConnection", method: http.MethodPost, path: "/v1/connections/{id}/deactivate", scope: ScopeAdmin,
		summary: "Let the connection go: every member is un-selected, no account is written", body: schema[WithReason](a), core: []string{"reason"}, optional: true}, a.deactivateConnection)
}

func (a *API) deactivateConnection(ctx context.Context, by Caller, in *struct {
	ConnectionPath
	sent[WithReason]
}) (*output[connect.Deactivated], error) {
	why, err := in.body.explained(by)
	if err != nil {
		return nil, err
	}
	d, err := a.Connections.Deactivate(ctx, why, directory.ConnectionID(in.ID))
	return &output[connect.Deactivated]{d}, err
}

func (a *API) deleteConnection(ctx context.Context, by Caller, in *ConnectionPath) (*struct{}, error) {
	return nil, a.Connections.Delete(ctx, by.Caller, directory.ConnectionID(in.ID))
}

// mergeSettings applies a merge patch to settings. null resets them.
func mergeSettings(old directory.Settings, patch json.RawMessage) (directory.Settings, error) {
	if patch == nil {
		return old, nil
	}
	data, err := json.Marshal(old)
	if err != nil {
		return old, err
	}
	var have, edit any
	if err := json.Unmarshal(data, &have); err != nil {
		return old, err
	}
	if err := json.Unmarshal(patch, &edit); err != nil {
		return old, bodyFault(err)
	}
	if edit == nil {
		return directory.Settings{}, nil
	}
	if _, ok := edit.(map[string]any); !ok {
		r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidSettings, "The settings were not accepted and nothing was changed.", "See shared/directory/README.md, which lists every key.")
		r.Fields = []directory.FieldError{{Field: "settings", Detail: "must be an object or null"}}
		return old, r
	}
	merged, err := json.Marshal(merge(have, edit))
	if err != nil {
		return old, err
	}
	s, err := directory.ParseSettings(merged)
	if err != nil {
		return old, err
	}
	return s, nil
}

// merge is RFC 7396, section 2.
func merge(have, edit any) any {
	patch, ok := edit.(map[string]any)
	if !ok {
		return edit
	}
	target, ok := have.(map[string]any)
	if !ok {
		target = map[string]any{}
	}
	for name, v := range patch {
		if v == nil {
			delete(target, name)
		} else {
			target[name] = merge(target[name], v)
		}
	}
	return target
}
