package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"bindery/shared/api/endpoint"
	"bindery/shared/core/people"
	"bindery/shared/core/plan"
	"bindery/shared/core/protect"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Stores are the records that the API reads itself, by concern.
type Stores struct {
	Connections connectionReader
	Counts      countReader
}

// StoresOf are those of a store.
func StoresOf(s *store.Store) Stores {
	return Stores{Connections: s.Connections, Counts: s.Counters}
}

type connectionReader interface {
	Connection(ctx context.Context, id directory.ConnectionID) (directory.Connection, error)
	ListConnections(ctx context.Context, cursor string, limit int) ([]directory.Connection, string, error)
}

// countReader reads how many are bound.
type countReader interface {
	BoundCount(ctx context.Context, id directory.ConnectionID, epoch int64) (int, error)
}

// Engine says what a run would do, and to whom none may; *reconcile.Engine does.
type Engine interface {
	// Explain lays open the decision about one object: a user's account, what is
	// kept of the user besides, or what is kept of a group.
	Explain(ctx context.Context, c *directory.Connection, ref directory.Ref) (reconcile.Explanation, error)
	// IfBound and IfReleased show what a binding, and its end, would do.
	IfBound(ctx context.Context, c *directory.Connection, u *directory.User) (reconcile.Explanation, error)
	IfReleased(ctx context.Context, c *directory.Connection, u directory.UserID, then directory.ReleasePolicy) (plan.Decision, error)
	// Protection says who is protected in a connection's tenant.
	Protection(ctx context.Context, c *directory.Connection) (*protect.Protection, error)
}

// Config is what the API stands on.
type Config struct {
	Connections  Connections
	Safety       Safety
	Users        Users
	Groups       Groups
	Loads        Loads
	Uploads      Uploads
	Imports      Imports
	Photos       Photos
	Accounts     Accounts
	TenantGroups TenantGroups
	Licences     Licences
	Bindings     Bindings
	Uses         Uses
	ScimClients  ScimClients
	ClientDoctor ClientDoctor
	TakeBacks    TakeBacks
	Moves        Moves
	Jobs         Jobs
	Runs         Runs
	Passwords    Passwords
	Stores       Stores
	Lifts        Overrides
	Engine       Engine
	Activity     Activity
	Doctor       Doctor
	Attention    Attention
	Gateway      Gateway
	// Wake asks for a slice of a connection whose settings changed; may be nil.
	Wake func(ctx context.Context, id directory.ConnectionID) error
	Now  func() time.Time // nil means time.Now
	Log  *slog.Logger     // nil means silence
}

// API answers the requests of admins.
type API struct {
	Config
	huma huma.API
	mux  *http.ServeMux
	spec func() ([]byte, error) // made when it is first asked for: it takes longer than all the rest of a start
	most int                    // MaxAnswer; tests have smaller pages

	misfit error // of operations that package endpoint does not take
}

// MaxBody is how large a request's body may be. A text may be refused earlier, by
// API Gateway: bodyText says how large it may be.
const MaxBody = people.MaxBody

// New returns the API.
func New(cfg Config) (*API, error) {
	a, registry := newAPI(cfg)
	a.connections()
	a.accounts()
	a.tenantGroups()
	a.licences()
	a.bindings()
	a.userBindings()
	a.groupUses()
	a.userLicences()
	a.jobs()
	a.me()
	a.names()
	a.users()
	a.groups()
	a.scimClients()
	a.loads()
	a.runs()
	a.activity()
	a.problems()
	a.protection()
	a.proposals()
	a.moves()
	a.photos()
	a.health()
	a.attention()
	a.mux.HandleFunc("GET "+specPath, a.serveSpec)
	a.describe(registry)
	return a, a.misfit
}

// NewDeactivation returns an API of nothing but the end of a connection, whose
// function would wait at its start for the registration of all others: of the
// configuration, it needs Connections, Gateway and Log.
func NewDeactivation(cfg Config) (*API, error) {
	a, registry := newAPI(cfg)
	a.deactivation()
	a.describe(registry)
	return a, a.misfit
}

// newAPI returns an API without operations, and where its types are described.
func newAPI(cfg Config) (*API, huma.Registry) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &API{Config: cfg, mux: http.NewServeMux(), most: MaxAnswer}
	registry := huma.NewMapRegistry("#/components/schemas/", schemaName)
	describeIDs(registry)
	a.huma = humago.New(a.mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI:        "3.1.0",
			OnAddOperation: []huma.AddOpFunc{boundLists},
			Info: &huma.Info{Title: "Bindery", Version: directory.Version,
				Description: "Connects a directory of people and groups to Microsoft 365 tenants and keeps the bound accounts as the directory says. " + bodyText},
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{bearer: {
					Type: "http", Scheme: "bearer", BearerFormat: "JWT",
					Description: scopesText,
				}},
			},
		},
	})
	a.huma.UseMiddleware(a.authorize)
	a.mux.HandleFunc("/", a.unknown)
	return a, registry
}

// schemaName names a type in the description. A directory.Problem is the cause
// that something keeps; the name Problem is that of RFC 9457.
func schemaName(t reflect.Type, hint string) string {
	if t == reflect.TypeFor[directory.Problem]() || t == reflect.TypeFor[*directory.Problem]() {
		return "Cause"
	}
	return huma.DefaultSchemaNamer(t, hint)
}

const specPath = "/v1/openapi.json"

// describe finishes the OpenAPI description.
func (a *API) describe(registry huma.Registry) {
	// A property's value is a JSON value of its own, whatever its Go type.
	registry.Map()["Value"] = &huma.Schema{
		Description: "A text, true or false, a list of texts, or null for none.",
		OneOf:       []*huma.Schema{{Type: "string"}, {Type: "boolean"}, {Type: "array", Items: &huma.Schema{Type: "string"}}, {Type: "null"}},
	}
	a.spec = sync.OnceValues(func() ([]byte, error) { return json.Marshal(a.huma.OpenAPI()) })
}

// Handler returns the API as an http.Handler.
func (a *API) Handler() http.Handler { return http.HandlerFunc(a.serve) }

func (a *API) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.ContentLength > MaxBody {
		a.write(w, tooLarge())
		return
	}
	if !plainPath(r.URL.Path) {
		a.write(w, noRoute())
		return
	}
	a.mux.ServeHTTP(w, r)
}

func (a *API) serveSpec(w http.ResponseWriter, r *http.Request) {
	spec, err := a.spec()
	if err != nil {
		a.write(w, a.problem(r.Context(), "openapi.json", err))
		return
	}
	w.Header().Set("Content-Type", jsonType)
	_, _ = w.Write(spec) // the client is gone
}

// unknown answers what no operation is for: 405 when the path has others.
func (a *API) unknown(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := a.mux.Handler(other); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		a.write(w, noRoute())
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	a.write(w, &Problem{Status: http.StatusMethodNotAllowed, Code: directory.CodeMethodNotAllowed,
		Detail: "This path does not take " + r.Method + ".", NextStep: "Use " + strings.Join(allowed, " or ") + "."})
}

func noRoute() *Problem {
	return &Problem{Status: http.StatusNotFound, Code: directory.CodeNoSuchRoute, Detail: "There is nothing at this path.", NextStep: "See " + specPath + "."}
}

// operation describes one operation; register adds what all have in common.
type operation struct {
	id, method, path, summary, scope string       // without a scope, any token may do it
	more                             string       // what else the description says
	sources                          bool         // also for tokens of a source
	status                           int          // of success
	body                             *huma.Schema // of the request; nil: none
	optional                         bool         // the body may be left out
	core                             []string     // members of the body that the core reads by itself; allMembers for every one
	types                            []string     // of the body; nil means application/json
	also                             answers      // answers whose type the handler's does not say
}

// bodyText says, for the description, how large bodies may be.
const bodyText = "A body has at most 4,400,000 bytes. API Gateway hands it to Lambda inside an event of at most 6 MB (6,291,456 bytes of JSON): " +
	"as text when its type is text/*, application/json or application/xml, where each quotation mark, backslash and line break takes two bytes, and else in base64, four bytes for three, " +
	"which always fits. Above that API Gateway itself answers 413, as {\"message\":\"Request Entity Too Large\"}. " +
	"An answer has at most 4,400,000 bytes too: a page that would be larger is shorter and has a next."

const scopesText = "A token with the scope that the operation names. None implies another. " +
	"bindery/read: read. bindery/write: users, groups, bindings, imports, runs, undo. bindery/admin: connections. " +
	"bindery/approve: decisions, and whatever makes a safety rule weaker. Scopes are looked for in the claims scope and scp alone where the token has one of them, " +
	"and in roles of a token that an app got for itself. " +
	"A token with bindery/source.ad or bindery/source.scim writes as that source, and may be used for the operations on users and groups that say so, whatever other scopes it has."

// description says what the scope of an operation does not.
func (op *operation) description() string {
	text := "Needs the scope " + op.scope + "."
	if op.scope == "" {
		text = "Any token will do, whatever scopes it has."
	}
	if op.more != "" {
		text += " " + op.more
	}
	if op.sources {
		text += " Also for a token of a source (bindery/source.*)."
	}
	return text
}

// GatewayAnswer is what API Gateway answers by itself, before Bindery is asked.
type GatewayAnswer struct {
	Message string `json:"message" doc:"The status as words."`
}

// gatewayAnswers are the statuses of API Gateway's own answers, each with whether
// Bindery answers with it as well.
var gatewayAnswers = map[int]bool{http.StatusUnauthorized: true, http.StatusRequestEntityTooLarge: true, http.StatusRequestHeaderFieldsTooLarge: false}

// answers are the schemas of answers by status; nil for one without a body.
type answers map[int]*huma.Schema

func later(s *huma.Schema) answers { return answers{http.StatusAccepted: s} }

// register adds an operation to the API. Each is done in the same steps: what the
// request says is checked, its body is read, handle asks the core for the caller, and
// what it answers is written down, as JSON or as a problem. Of these only what needs
// the types stands here, since it is compiled for each operation anew.
func register[I, O any](a *API, op operation, handle func(context.Context, Caller, *I) (*O, error)) {
	a.add(op, reflect.TypeFor[I](), reflect.TypeFor[O](), func(ctx context.Context, by Caller, in any) (any, error) {
		return handle(ctx, by, in.(*I))
	})
}

// add is register, with the types as values.
func (a *API) add(op operation, in, out reflect.Type, handle func(context.Context, Caller, any) (any, error)) {
	registry := a.huma.OpenAPI().Components.Schemas
	if op.body != nil && op.types == nil {
		op.types = []string{jsonType}
	}
	var check *bodyCheck // nil when there is nothing to check
	if op.body != nil && op.body.Type != huma.TypeString {
		check = newBodyCheck(registry, op.body, op.core)
	}
	err := endpoint.Add(a.huma, op.describe(registry), in, out, func(ctx context.Context, in any) (any, error) {
		if err := admit(ctx, in, check, op.optional); err != nil {
			return nil, err
		}
		return handle(ctx, callerOf(ctx), in)
	}, a.refuse)
	a.misfit = errors.Join(a.misfit, err)
}

func scopesNeeded(scope string) []string {
	if scope == "" {
		return []string{}
	}
	return []string{scope}
}

// describe is what the description says of an operation.
func (op *operation) describe(registry huma.Registry) *huma.Operation {
	h := &huma.Operation{
		OperationID: op.id, Method: op.method, Path: op.path, Summary: op.summary, Description: op.description(), DefaultStatus: op.status,
		Security:     []map[string][]string{{bearer: scopesNeeded(op.scope)}},
		MaxBodyBytes: MaxBody,
		Responses:    op.responses(registry),
	}
	if op.sources {
		h.Metadata = map[string]any{forSources: true}
	}
	if op.body != nil {
		h.RequestBody = &huma.RequestBody{Required: !op.optional, Content: map[string]*huma.MediaType{}}
		for _, t := range op.types {
			h.RequestBody.Content[t] = &huma.MediaType{Schema: op.body}
			if t == rawType {
				h.RequestBody.Content[t] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
			}
		}
	}
	return h
}

// responses are those that the handler's type does not say: problems, API Gateway's
// own answers, and what the operation names.
func (op *operation) responses(registry huma.Registry) map[string]*huma.Response {
	problem := &huma.MediaType{Schema: registry.Schema(reflect.TypeFor[Problem](), true, "Problem")}
	gateway := &huma.MediaType{Schema: registry.Schema(reflect.TypeFor[GatewayAnswer](), true, "GatewayAnswer")}
	all := map[string]*huma.Response{"default": {Description: "Problem", Content: map[string]*huma.MediaType{problemType: problem}}}
	for status, both := range gatewayAnswers {
		answer := &huma.Response{Description: http.StatusText(status), Content: map[string]*huma.MediaType{jsonType: gateway}}
		if both {
			answer.Content[problemType] = problem
		}
		all[fmt.Sprint(status)] = answer
	}
	for status, schema := range op.also {
		answer := &huma.Response{Description: http.StatusText(status)}
		if schema != nil {
			answer.Content = map[string]*huma.MediaType{jsonType: {Schema: schema}}
		}
		all[fmt.Sprint(status)] = answer
	}
	return all
}

// admit checks what package endpoint leaves unchecked of a request, its place in a
// list and its body, and reads the body.
func admit(ctx context.Context, in any, check *bodyCheck, optional bool) error {
	if p, ok := in.(paged); ok {
		at, err := listingOf(ctx).open(*p.place())
		if err != nil {
			return err
		}
		*p.place() = at
	}
	b, ok := in.(interface{ bytes() []byte })
	if !ok || check == nil {
		return nil
	}
	data := bytes.TrimSpace(b.bytes())
	if len(data) == 0 && optional {
		return nil
	}
	if err := check.check(data); err != nil {
		return err
	}
	if s, ok := in.(interface{ read() error }); ok {
		return s.read()
	}
	return nil
}

const rawType = "application/octet-stream"

// decode reads a body strictly into v, whose JSON names are the members that
// are known.
func decode(body []byte, v any) error {
	body = bytes.TrimSpace(body)
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil && (dec.More() || body[0] != '{') {
		err = fmt.Errorf("it must be one JSON object")
	}
	if err == nil {
		return nil
	}
	return bodyFault(err)
}
