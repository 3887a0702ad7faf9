package main

import (
	"encoding/json"
	"net/http"

	"bindery/shared/boot"
)

// gateway stands where API Gateway stands on AWS: it checks bearer tokens,
// routes the callback past the authorizer, and hands the rest to the API.
func (s *Stack) gateway() (http.Handler, error) {
	mux := http.NewServeMux()
	mux.Handle("/oauth/callback", s.Core.Connect)
	api, err := s.Core.API()
	if err != nil {
		return nil, err
	}
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		token := bearer(r)
		if token == "" {
			api.ServeHTTP(w, r) // which refuses what needs a caller
			return
		}
		claims, err := s.tokens.verify(token)
		if err != nil {
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(w).Encode(map[string]any{
				"type": "about:blank", "title": "Unauthorized", "status": http.StatusUnauthorized, "code": "unauthenticated",
				"detail": "The bearer token is not valid.", "nextStep": "Use the token in the state folder's file admin-token.",
			})
			return
		}
		api.ServeHTTP(w, r.WithContext(boot.WithClaims(r.Context(), claims)))
	})
	return mux, nil
}
