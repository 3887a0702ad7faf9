package entra

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

func TestDeadLinks(t *testing.T) {
	t.Parallel()
	gone := func(code string, status int) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) {
			return answer(status, `{"error":{"code":"`+code+`","message":"m"}}`, "Location", simBase+"/v1.0/users/delta?$deltatoken="), nil
		}
	}
	w := newWorld(t, 300)
	_, _, link := w.deltaRound("")
	for name, set := range map[string]func(){
		"410":                   func() { w.fault(entratest.Fault{Kind: "delta-gone", Times: 1}) },
		"state not found":       func() { w.fault(entratest.Fault{Kind: "delta-state-not-found", Times: 1}) },
		"410 without a body":    func() { w.round = func(*http.Request) (*http.Response, error) { return answer(410, ""), nil } },
		"resyncRequired":        func() { w.round = gone("resyncRequired", 400) },
		"another case":          func() { w.round = gone("SYNCSTATENOTFOUND", 404) },
		"expired page":          func() { w.round = gone("Directory_ExpiredPageToken", 400) },
		"unknown page":          func() { w.round = gone("DirectoryPageTokenNotFoundException", 400) },
		"token of another kind": func() { link = simBase + "/v1.0/users/delta?$deltatoken=nonsense" },
	} {
		t.Run(name, func(t *testing.T) {
			set()
			defer func() { w.round = nil; w.sim.ClearFaults() }()
			if _, err := w.tenant.Delta(t.Context(), someProperties, link); !errors.Is(err, directory.ErrResync) {
				t.Errorf("Delta = %v, want ErrResync", err)
			}
		})
	}
	w.round = gone("syncStateNotFound", 410)
	if _, err := w.tenant.Delta(t.Context(), someProperties, ""); !errors.Is(err, directory.ErrUnavailable) || errors.Is(err, directory.ErrResync) {
		t.Errorf("Delta without a link = %v, want ErrUnavailable: there is no link to drop", err)
	}
	w.round = nil
	page, err := w.tenant.List(t.Context(), nil, simBase+"/v1.0/users?$top=100")
	if err != nil || page.Next == "" {
		t.Fatal(err)
	}
	w.fault(entratest.Fault{Kind: "page-expired", Times: 1})
	if _, err := w.tenant.List(t.Context(), nil, page.Next); !errors.Is(err, directory.ErrResync) {
		t.Errorf("List of an expired page = %v, want ErrResync", err)
	}
	w.sim.Advance(8 * 24 * time.Hour)
	w.tokens.current = w.tokens.fresh()
	if _, err := w.tenant.List(t.Context(), nil, page.Next); !errors.Is(err, directory.ErrResync) {
		t.Errorf("List of an old page = %v, want ErrResync", err)
	}
}

func TestForeignLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	for _, link := range []string{
		"https://evil.example/v1.0/users?$skiptoken=x", "http://m365.example/v1.0/users", "https://m365.example:8443/v1.0/users",
		"https://m365.example/beta/users", "https://m365.example/v1.0", "https://m365.example/v1.0evil/users",
		"https://u:p@m365.example/v1.0/users", "https://m365.example/v1.0/../beta/users", "https://m365.example/v1.0/%2e%2e/beta/users",
		"//evil.example/v1.0/users", "/v1.0/users", "users", "https://m365.example.evil.example/v1.0/users", "%", "https://m365.example@evil.example/v1.0/users",
		"javascript:alert(1)", "https:m365.example/v1.0/users",
	} {
		w.round = func(r *http.Request) (*http.Response, error) {
			t.Errorf("the link %q was followed to %s", link, r.URL.Host)
			return answer(500, ""), nil
		}
		if _, err := w.tenant.List(t.Context(), nil, link); !errors.Is(err, directory.ErrForeignLink) {
			t.Errorf("List(%q) = %v, want ErrForeignLink", link, err)
		}
		for what, follow := range map[string]func() error{
			"ListGroups": func() error {
				_, err := w.tenant.ListGroups(t.Context(), directory.TenantGroupQuery{}, link)
				return err
			},
			"MoreMembers":  func() error { _, err := w.tenant.MoreMembers(t.Context(), link); return err },
			"GroupDelta":   func() error { _, err := w.tenant.GroupDelta(t.Context(), nil, link); return err },
			"GroupDeltas":  func() error { _, err := w.tenant.GroupDeltas(t.Context(), []string{link}); return err },
			"ListManagers": func() error { _, err := w.tenant.ListManagers(t.Context(), link); return err },
			"ListLicences": func() error { _, err := w.tenant.ListLicences(t.Context(), link); return err },
		} {
			if err := follow(); !errors.Is(err, directory.ErrForeignLink) {
				t.Errorf("%s(%q) = %v, want ErrForeignLink", what, link, err)
			}
		}
		for _, member := range []string{"@odata.nextLink", "@odata.deltaLink"} {
			w.round = func(*http.Request) (*http.Response, error) {
				return answer(200, `{"value":[],"`+member+`":"`+link+`"}`), nil
			}
			if _, err := w.tenant.Delta(t.Context(), nil, ""); !errors.Is(err, directory.ErrForeignLink) {
				t.Errorf("Delta with %s %q = %v, want ErrForeignLink", member, link, err)
			}
		}
	}
	for _, to := range []string{"https://evil.example/v1.0/users", "https://m365.example/v1.0/users2"} {
		hosts := []string{}
		w.round = func(r *http.Request) (*http.Response, error) {
			hosts = append(hosts, r.URL.Host)
			return answer(307, "", "Location", to), nil
		}
		_, err := w.tenant.List(t.Context(), nil, "")
		if want := strings.Contains(to, "evil"); len(hosts) != 1 || errors.Is(err, directory.ErrForeignLink) != want || err == nil {
			t.Errorf("a redirect to %s: %v after %v", to, err, hosts)
		}
	}
	w.round = nil
	if _, err := w.tenant.List(t.Context(), nil, "https://M365.example:443/v1.0/users?$top=5"); err != nil {
		t.Errorf("List of our own host in another spelling = %v", err)
	}
}
