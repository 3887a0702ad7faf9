package scim

import (
	"net/http"
	"testing"
	"time"

	"bindery/shared/api/scim/scimtest"
	"bindery/shared/core/provision"
	"bindery/shared/directory"
)

// served is a server for the tests of what others wrote.
func served(strict bool) func(t *testing.T) *scimtest.Server {
	return func(t *testing.T) *scimtest.Server {
		w := newWorld(t, provision.ClientEdit{Strict: ptr(strict)})
		return &scimtest.Server{
			T: t, URL: "https://b.example" + Prefix + string(w.client.ID) + root, Token: w.token,
			Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				w.Advance(time.Millisecond)
				w.handler.ServeHTTP(rw, r)
			}),
			User:    func(id string) (directory.User, error) { return w.users.Get(t.Context(), directory.UserID(id)) },
			Members: func(group string) ([]string, error) { return w.in(group), nil },
			Notes:   func() ([]string, error) { return w.lastRequest().Notes, nil },
		}
	}
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	scimtest.Corpus(t, served(false))
}

func TestOkta(t *testing.T) {
	t.Parallel()
	for name, strict := range map[string]bool{"strict": true, "tolerant": false} {
		t.Run(name, func(t *testing.T) { scimtest.Okta(t, served(strict)) })
	}
}

func TestRequirements(t *testing.T) {
	t.Parallel()
	scimtest.Requirements(t, served(true))
}
