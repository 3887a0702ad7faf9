package entratest

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// consumerTenant is the tenant of all personal accounts; it is never served.
const consumerTenant = "9188040d-6c67-4c5b-b112-36a304b66dad"

// identityState is what the identity platform remembers. Pages and codes live in
// memory, since they die after ten minutes anyway; refresh tokens and signing
// keys are durable. Its mutex is never held across a call to the rest.
type identityState struct {
	mu     sync.Mutex
	flows  map[string]*flow
	codes  map[string]*authCode
	tokens map[string]*refreshToken
	jtis   map[string]time.Time
	keys   []*signingKey // the last one signs
}

func (i *identityState) keepFlow(f *flow, now time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.flows == nil {
		i.flows = map[string]*flow{}
	}
	for id, old := range i.flows {
		if now.Sub(old.Created) >= flowLife || len(i.flows) >= maxFlows {
			delete(i.flows, id)
		}
	}
	i.flows[f.ID] = f
}

// flow returns a copy of a flow, so that a page that is sent twice at once
// cannot mix two accounts; keepFlow stores what became of it.
func (i *identityState) flow(id string, now time.Time) (*flow, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f, ok := i.flows[id]
	if !ok || now.Sub(f.Created) >= flowLife {
		delete(i.flows, id)
		return nil, false
	}
	c := *f
	return &c, true
}

// dropFlow ends a flow; only one caller is told that it did.
func (i *identityState) dropFlow(id string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	_, ok := i.flows[id]
	delete(i.flows, id)
	return ok
}

func (i *identityState) keepCode(c *authCode, now time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.codes == nil {
		i.codes = map[string]*authCode{}
	}
	for id, old := range i.codes { // kept for a day to tell a reused one from an unknown
		if now.Sub(old.Created) > 24*time.Hour {
			delete(i.codes, id)
		}
	}
	i.codes[c.Code] = c
}

func (i *identityState) code(text string) (authCode, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	c, ok := i.codes[text]
	if !ok {
		return authCode{}, false
	}
	return *c, true
}

// redeem marks a code as used; only one caller is told that it was free.
func (i *identityState) redeem(text string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	c, ok := i.codes[text]
	if !ok || c.Redeemed {
		return false
	}
	c.Redeemed = true
	return true
}

// firstUse remembers the id of a client assertion.
func (i *identityState) firstUse(jti string, now time.Time) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.jtis == nil {
		i.jtis = map[string]time.Time{}
	}
	for k, at := range i.jtis {
		if now.Sub(at) > time.Hour {
			delete(i.jtis, k)
		}
	}
	_, seen := i.jtis[jti]
	i.jtis[jti] = now
	return !seen
}

func (i *identityState) refreshToken(text string) (refreshToken, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	t, ok := i.tokens[text]
	if !ok {
		return refreshToken{}, false
	}
	return *t, true
}

// putRefresh keeps a refresh token and returns those it forgot on the way: an
// expired one is told from an unknown one for as long as it lived.
func (i *identityState) putRefresh(t refreshToken, now time.Time) (dead []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.tokens == nil {
		i.tokens = map[string]*refreshToken{}
	}
	for id, old := range i.tokens {
		if now.Sub(old.LastUsed) > 2*refreshLife {
			delete(i.tokens, id)
			dead = append(dead, id)
		}
	}
	i.tokens[t.Token] = &t
	return dead
}

// serveIdentity answers everything that is neither Graph nor the control API.
func (s *Server) serveIdentity(w http.ResponseWriter, r *http.Request) {
	s.faulty(w, r, s.routeIdentity)
}

func (s *Server) routeIdentity(w http.ResponseWriter, r *http.Request) {
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
