package main

import (
	"encoding/json"
	"net/http"

	"bindery/infra/apigateway"
	"bindery/shared/boot"
	"bindery/shared/upload"
)

// gateway stands where API Gateway stands on AWS: it checks bearer tokens,
// routes the pages of an authorisation past the authorizer, and hands the rest to the API. Each
// request becomes an event and its answer comes back as Lambda's does, so that
// what is too large for AWS is so here.
func (s *Stack) gateway() (http.Handler, error) {
	mux := http.NewServeMux()
	for _, path := range []string{"/oauth/start", "/oauth/callback"} {
		mux.HandleFunc(path, apigateway.Route{Key: "GET " + path, Invoke: boot.Answer(s.Core.Connect)}.Serve)
	}
	if s.uploads != nil {
		mux.Handle(upload.FolderPath, s.uploads) // stands where S3 stands
	}
	api, err := s.Core.API()
	if err != nil {
		return nil, err
	}
	answer := boot.Answer(api)
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		route := apigateway.Route{Key: r.Method + " /v1/{proxy+}", Invoke: answer}
		token := bearer(r)
		if token == "" {
			route.Serve(w, r) // the API refuses what needs a caller
			return
		}
		claims, err := s.tokens.verify(token)
		if err != nil {
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(w).Encode(map[string]any{
				"type": "about:blank", "title": "Unauthorized", "status": http.StatusUnauthorized, "code": "unauthenticated",
				"detail": "The bearer token is not valid.", "nextStep": "Use a token of the state folder: the file admin-token has one with every scope of an admin.",
			})
			return
		}
		route.Claims = apigateway.Claims(claims)
		route.Serve(w, r)
	})
	return mux, nil
}
