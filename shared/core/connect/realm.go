package connect

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"bindery/shared/directory"
)

const (
	maxRealm = 64 << 10
	// realmsLooked is how many federated domains of a tenant are looked at when
	// it is authorised.
	realmsLooked = 5
)

// Realm asks Microsoft's sign-in how the people of a domain sign in; that needs
// no rights (G 6).
func (s *Service) Realm(ctx context.Context, domain string) (directory.Realm, error) {
	u := strings.TrimSuffix(s.cfg.LoginBaseURL, "/") + "/getuserrealm.srf?login=" + url.QueryEscape("nobody@"+domain) + "&json=1"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return directory.Realm{}, err
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return directory.Realm{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRealm))
	if err != nil {
		return directory.Realm{}, err
	}
	var answer struct{ NameSpaceType, AuthURL, FederationBrandName string }
	if resp.StatusCode != http.StatusOK || json.Unmarshal(body, &answer) != nil || answer.NameSpaceType == "" {
		return directory.Realm{}, fmt.Errorf("the realm of %s was answered with %d", domain, resp.StatusCode)
	}
	return directory.Realm(answer), nil
}

// rejectGoDaddy refuses a tenant that GoDaddy sold, unless the settings take it. What
// cannot be found out refuses nobody.
func (s *Service) rejectGoDaddy(ctx context.Context, c *directory.Connection, t *directory.Tenant) *Page {
	if c.Settings.AllowGoDaddy {
		return nil
	}
	realms := map[string]directory.Realm{}
	for _, d := range t.Domains {
		if d.AuthenticationType != "Federated" || len(realms) == realmsLooked {
			continue
		}
		r, err := s.Realm(ctx, d.Name)
		if err != nil {
			s.cfg.Log.Info("how a domain signs in was not found out", "connectionId", string(c.ID), "error", err)
		}
		realms[d.Name] = r
	}
	score, evidence := directory.GoDaddySigns(t.Domains, realms)
	if score < directory.GoDaddyScore {
		return nil
	}
	return pageGoDaddy(t, evidence)
}
