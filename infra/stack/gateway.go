package stack

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"bindery/infra/apigateway"
	"bindery/shared/api/console"
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
		mux.ServeHTTP(w, r)
	}), nil
}

// console serves the admins' pages, and the provider that signs people in to them. Both
// of the console's ways out come back in here: to the provider, and to the API.
func (s *Stack) console(mux *http.ServeMux, cfg *Config) error {
	provider, err := NewProvider(s.Tokens, cfg.PublicURL)
	if err != nil {
		return err
	}
	inside := inprocess.Transport(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }))
	pages, err := console.New(console.Config{
		PublicURL: cfg.PublicURL, Issuer: cfg.PublicURL + ProviderPath, ClientID: ConsoleClient, Scopes: AdminScopes,
		Login: inside, API: inside, Sessions: s.Core.Parts().Store.Sessions, Environment: "laptop", RequestID: lambda.Gateway{}.RequestID, Log: cfg.Log,
	})
	if err != nil {
		return err
	}
	answer := lambda.Answer(pages)
	for _, path := range []string{"/console", "/console/"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			apigateway.Route{Key: r.Method + " /console/{proxy+}", Invoke: answer}.Serve(w, r)
		})
	}
	mux.Handle(ProviderPath+"/", provider)
	return nil
}

// problem refuses a request before it is the API's.
func problem(w http.ResponseWriter, status int, title, code, detail, next string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{ // the client is gone
		"title": title, "status": status, "code": code, "detail": detail, "nextStep": next,
	})
}
