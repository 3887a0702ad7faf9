package stack

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"bindery/infra/apigateway"
	"bindery/shared/api/console"
	"bindery/shared/api/scim"
	"bindery/shared/boot/lambda"
	"bindery/shared/boot/web"
	"bindery/shared/entra/entratest/inprocess"
	"bindery/shared/platform/loopback"
	"bindery/shared/platform/upload"
)

// gateway stands where API Gateway stands on AWS: it checks bearer tokens,
// routes the pages of an authorisation past the authorizer, and hands the rest to the API. Each
// request becomes an event and its answer comes back as Lambda's does, so that
// what is too large for AWS is so here. Unlike AWS's it stands on somebody's own
// machine, and keeps pages of other sites away.
func (s *Stack) gateway(cfg *Config) (http.Handler, error) {
	u, err := url.Parse(cfg.PublicURL)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for _, path := range []string{"/oauth/start", "/oauth/callback"} {
		mux.HandleFunc(path, apigateway.Route{Key: "GET " + path, Invoke: lambda.Answer(http.HandlerFunc(s.Core.Connect.ServeSignIn))}.Serve)
	}
	if s.uploads != nil {
		mux.Handle(upload.FolderPath, s.uploads) // stands where S3 stands
	}
	api, err := web.API(s.Core, lambda.Gateway{})
	if err != nil {
		return nil, err
	}
	if err := s.console(mux, cfg); err != nil {
		return nil, err
	}
	push := s.scim(cfg)
	answer := lambda.Answer(api)
	v1 := func(w http.ResponseWriter, r *http.Request) {
		route := apigateway.Route{Key: r.Method + " /v1/{proxy+}", Invoke: answer}
		token := bearer(r)
		if token == "" {
			route.Serve(w, r) // the API refuses what needs a caller
			return
		}
		claims, err := s.Tokens.Verify(token)
		if err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			problem(w, http.StatusUnauthorized, "Unauthorized", "unauthenticated", "The bearer token is not valid.",
				"Use a token of the state folder: the file admin-token has one with every scope of an admin.")
			return
		}
		route.Claims = apigateway.Claims(claims)
		route.Serve(w, r)
	}
	guard := loopback.New(append(slices.Clone(cfg.Hosts), u.Hostname())...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused := guard.Check(r); refused != nil {
			problem(w, http.StatusForbidden, "Forbidden", refused.Code, "The request is not for this server, or another page's.", refused.Detail)
			return
		}
		if r.URL.Path == "/v1" || strings.HasPrefix(r.URL.Path, "/v1/") { // mux would send an odd path elsewhere, and API Gateway does not
			v1(w, r)
			return
		}
		if strings.HasPrefix(r.URL.Path, scim.Prefix) { // as with a base address that ends in a slash
			push(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}), nil
}

// console serves the admins' pages, and the provider that signs people in to them. Both
// of the console's ways out come back in here: to the provider, and to the API.
//
// Pages, cookies and the redirects of a sign-in are of one host. So each host under which the
// stack is reached, localhost, 127.0.0.1 or one of Config.Hosts, has a front of its own; the
// sessions are those of one table.
func (s *Stack) console(mux *http.ServeMux, cfg *Config) error {
	inside := inprocess.Transport(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }))
	f := &fronts{byHost: map[string]*front{}, make: func(publicURL string) (*front, error) {
		provider, err := NewProvider(s.Tokens, publicURL)
		if err != nil {
			return nil, err
		}
		pages, err := console.New(console.Config{
			PublicURL: publicURL, APIURL: cfg.PublicURL, Issuer: publicURL + ProviderPath, ClientID: ConsoleClient, Scopes: AdminScopes,
			Login: inside, API: inside, Sessions: s.Core.Parts().Store.Sessions, Environment: "laptop", RequestID: lambda.Gateway{}.RequestID, Log: cfg.Log,
		})
		if err != nil {
			return nil, err
		}
		return &front{lambda.Answer(pages), provider}, nil
	}}
	var err error
	if f.own, err = f.make(cfg.PublicURL); err != nil {
		return err
	}
	u, err := url.Parse(cfg.PublicURL)
	if err != nil {
		return err
	}
	f.scheme, f.byHost[strings.ToLower(u.Host)] = u.Scheme, f.own
	for _, path := range []string{"/console", "/console/"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			apigateway.Route{Key: r.Method + " /console/{proxy+}", Invoke: f.of(r).pages}.Serve(w, r)
		})
	}
	mux.HandleFunc(ProviderPath+"/", func(w http.ResponseWriter, r *http.Request) { f.of(r).provider.ServeHTTP(w, r) })
	return nil
}

// scim serves the clients that push people and groups, which bring tokens of their own.
func (s *Stack) scim(cfg *Config) http.HandlerFunc {
	p := s.Core.Parts()
	answer := lambda.Answer(scim.New(scim.Config{Pushes: s.Core.Pushes, Clients: s.Core.ScimClients, PublicURL: cfg.PublicURL, Claims: lambda.Gateway{}.Claims, RequestID: lambda.Gateway{}.RequestID, Now: p.Now, Log: p.Log}))
	return func(w http.ResponseWriter, r *http.Request) {
		if _, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, scim.Prefix), "/"); !strings.HasPrefix(rest, "oauth/v2/") {
			apigateway.Route{Key: "ANY /scim/{client}/v2/{proxy+}", Invoke: answer}.Serve(w, r)
			return
		}
		claims, err := s.Tokens.Verify(bearer(r))
		if err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			apigateway.Refuse(w, http.StatusUnauthorized, "Unauthorized")
			return
		}
		apigateway.Route{Key: "ANY /scim/{client}/oauth/v2/{proxy+}", Claims: apigateway.Claims(claims), Invoke: answer}.Serve(w, r)
	}
}

// front is the console and its provider under one host.
type front struct {
	pages    func(ctx context.Context, event []byte) ([]byte, error)
	provider *Provider
}

// mostFronts is under how many hosts and ports the console is served: whoever asks may
// name any port.
const mostFronts = 32

// fronts are those of the hosts that were asked for.
type fronts struct {
	scheme string
	own    *front // of PublicURL
	make   func(publicURL string) (*front, error)

	mu     sync.Mutex
	byHost map[string]*front
}

// of is the front of a request, whose host was looked at before.
func (f *fronts) of(r *http.Request) *front {
	host := strings.ToLower(r.Host)
	f.mu.Lock()
	defer f.mu.Unlock()
	if one := f.byHost[host]; one != nil {
		return one
	}
	if len(f.byHost) >= mostFronts {
		return f.own
	}
	one, err := f.make(f.scheme + "://" + host)
	if err != nil {
		return f.own
	}
	f.byHost[host] = one
	return one
}

// problem refuses a request before it is the API's.
func problem(w http.ResponseWriter, status int, title, code, detail, next string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{ // the client is gone
		"title": title, "status": status, "code": code, "detail": detail, "nextStep": next,
	})
}
