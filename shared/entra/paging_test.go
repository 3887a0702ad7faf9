package entra

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// Readings whose pages the caller does not see end too when they turn in a circle,
// and what they read is told.
func TestReadingsInACircle(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"page-loop-same", "page-loop-cycle", "page-loop-new"} {
		w := newWorld(t, 3, "Group.Read.All")
		for path, read := range map[string]func() (what string, err error){
			"roleAssignments": func() (string, error) {
				_, err := w.tenant.RoleHolders(t.Context())
				return "role assignments", err
			},
			"groups.*isAssignableToRole": func() (string, error) {
				_, err := w.tenant.RoleHolders(t.Context())
				return "groups", err
			},
			"groups/.*/owners": func() (string, error) {
				_, err := w.tenant.RoleHolders(t.Context())
				return "owners", err
			},
			"me/transitiveMemberOf": func() (string, error) {
				_, err := w.tenant.MyRoles(t.Context())
				return "roles", err
			},
		} {
			_, err := w.sim.SetFault(entratest.Fault{Kind: kind, Path: path})
			if err != nil {
				t.Fatal(err)
			}
			w.sim.ResetRequests()
			what, err := read()
			p, ok := errors.AsType[*directory.Problem](err)
			if n := len(w.sim.Requests()); !ok || p.Code != directory.CodePagingLoop || !errors.Is(err, directory.ErrUnavailable) || !strings.Contains(p.Message, what) || n > 150 {
				t.Errorf("%s of %s: %d requests, %v", kind, path, n, err)
			}
			w.sim.ClearFaults()
		}
	}
}

// A search for an address whose pages turn in a circle says nothing about that
// address, and does not keep the others.
func TestSearchInACircle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	_, err := w.sim.SetFault(entratest.Fault{Kind: "page-loop-same", Path: "filter=.*plain"})
	if err != nil {
		t.Fatal(err)
	}
	found, err := w.tenant.Search(t.Context(), []string{"plain@fabrikam.example", "box@fabrikam.example"}, nil)
	if err != nil || found[0].Problem == nil || found[0].Problem.Code != directory.CodePagingLoop || len(found[1].Accounts) != 1 {
		t.Errorf("found %+v, %v", found, err)
	}
}

// The domains of a tenant, too, which the SDK pages.
func TestDomainsInACircle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	asked := 0
	w.round = func(r *http.Request) (*http.Response, error) {
		if !strings.HasSuffix(r.URL.Path, "/domains") {
			return nil, nil
		}
		asked++
		return answer(http.StatusOK, `{"value":[{"id":"fabrikam.example","isVerified":true,"authenticationType":"Managed"}],"@odata.nextLink":"`+simBase+`/v1.0/domains?$skiptoken=x"}`), nil
	}
	_, err := w.tenant.Organization(t.Context())
	if p, ok := errors.AsType[*directory.Problem](err); !ok || p.Code != directory.CodePagingLoop || asked > 4 {
		t.Errorf("after %d pages: %v", asked, err)
	}
}
