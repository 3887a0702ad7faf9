package stack

import (
	"testing"

	"bindery/shared/api/scim/scimtest"
	"bindery/shared/directory"
)

// scimServer is a stack of its own, over HTTP's events and the table in a file, with a
// client of SCIM.
func scimServer(strict bool) func(t *testing.T) *scimtest.Server {
	return func(t *testing.T) *scimtest.Server {
		const host = "http://localhost:8080"
		s, err := Open(t.Context(), Config{Dir: t.TempDir(), PublicURL: host})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		c := s.Client()
		client, err := c.PostJSON(t.Context(), "/v1/scim-clients", Object{"name": "Okta", "strict": strict})
		if err != nil {
			t.Fatal(err)
		}
		id := client.Text("id")
		issued, err := c.PostJSON(t.Context(), "/v1/scim-clients/"+id+"/tokens", nil)
		if err != nil {
			t.Fatal(err)
		}
		return &scimtest.Server{
			T: t, Handler: s.Handler(), URL: host + client.Text("basePath"), Token: issued.Text("token"),
			User: func(id string) (directory.User, error) { return s.Core.Users.Get(t.Context(), directory.UserID(id)) },
			Members: func(group string) ([]string, error) {
				members, err := s.Core.Pushes.Members(t.Context(), directory.GroupID(group))
				ids := []string{}
				for _, m := range members {
					ids = append(ids, m.ID)
				}
				return ids, err
			},
			Notes: func() ([]string, error) {
				list, _, err := s.Core.ScimClients.Requests(t.Context(), directory.ScimClientID(id), "", "", 1)
				if err != nil || len(list) == 0 {
					return nil, err
				}
				return list[0].Notes, nil
			},
		}
	}
}

// TestScimCorpus: the requests that real clients send are answered by the whole stack as
// by the handler alone.
func TestScimCorpus(t *testing.T) {
	t.Parallel()
	scimtest.Corpus(t, scimServer(false))
}

// TestScimOkta: Okta's test of servers holds.
func TestScimOkta(t *testing.T) {
	t.Parallel()
	for name, strict := range map[string]bool{"strict": true, "tolerant": false} {
		t.Run(name, func(t *testing.T) { scimtest.Okta(t, scimServer(strict)) })
	}
}

// TestScimRequirements: the RFCs' requirements are met for a strict client.
func TestScimRequirements(t *testing.T) {
	t.Parallel()
	scimtest.Requirements(t, scimServer(true))
}
