package identity

import (
	"net/http"
	"strings"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/state"
)

// consumerTenant is the tenant of all personal accounts; it is never served.
const consumerTenant = "9188040d-6c67-4c5b-b112-36a304b66dad"

// Config is what the identity platform stands on.
type Config struct {
	State   *state.Store
	Faults  *faults.Set
	BaseURL func(*http.Request) string // of the simulator, as the client of a request sees it
}

// Platform is the identity platform. It may be used by several goroutines at once.
type Platform struct {
	state  *state.Store
	faults *faults.Set
	base   func(*http.Request) string
	memory memory
}

// New makes the identity platform of a state; what it kept there is read again.
func New(c Config) (*Platform, error) {
	s := &Platform{state: c.State, faults: c.Faults, base: c.BaseURL}
	if err := s.load(); err != nil {
		return nil, err
	}
	return s, nil
}

// ServeHTTP answers everything that is neither Graph nor the control API.
func (s *Platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.faulty(w, r, s.route)
}

func (s *Platform) route(w http.ResponseWriter, r *http.Request) {
	switch strings.ToLower(r.URL.Path) {
	case "/getuserrealm.srf":
		s.serveUserRealm(w, r)
		return
	case "/":
		htmlPage(w, http.StatusOK, "Simulated Microsoft 365", "<p>Graph is under <code>/v1.0</code>, the identity platform under <code>/{tenant}/</code>, and the switches are listed at <code>/_control</code>.</p>", "")
		return
	}
	segment, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch strings.ToLower(strings.TrimSuffix(rest, "/")) {
	case "v2.0/.well-known/openid-configuration":
		s.serveDiscovery(w, r, segment)
	case "discovery/v2.0/keys":
		s.serveKeys(w, r, segment)
	case "oauth2/v2.0/authorize":
		s.serveAuthorize(w, r, segment)
	case "oauth2/v2.0/token":
		s.serveToken(w, r, segment)
	case "oauth2/v2.0/logout":
		s.serveLogout(w, r)
	case "v2.0/adminconsent":
		s.serveAdminConsent(w, r, segment, r.URL.Query().Get("scope"))
	case "adminconsent":
		s.serveAdminConsent(w, r, segment, graphResource+".default")
	case "login":
		s.serveLogin(w, r)
	case "consent":
		s.serveConsent(w, r)
	case "getcredentialtype":
		s.serveCredentialType(w, r)
	default:
		htmlPage(w, http.StatusNotFound, "Not found", "<p>The resource that you are looking for does not exist here.</p>", "")
	}
}
