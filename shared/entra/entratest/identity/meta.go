package identity

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// issuer is the issuer of a tenant's id_tokens.
func (s *Platform) issuer(r *http.Request, tenantID string) string {
	return s.base(r) + "/" + tenantID + "/v2.0"
}

// issuerFor is the issuer in the metadata of an authority: the tenant's own, or
// the template when the authority stands for many.
func (s *Platform) issuerFor(r *http.Request, segment string) string {
	if id := s.tenantOf(segment); id != "" {
		return s.issuer(r, id)
	}
	return s.issuer(r, "{tenantid}")
}

func (s *Platform) serveDiscovery(w http.ResponseWriter, r *http.Request, segment string) {
	kind, ok := s.authority(segment)
	if !ok || kind == "consumers" {
		s.writeTokenError(w, r, aadsts(90002, segment))
		return
	}
	at := s.base(r) + "/" + url.PathEscape(segment)
	if id := s.tenantOf(segment); id != "" { // a domain's metadata names the tenant by its id
		at = s.base(r) + "/" + id
	}
	s.writeIdentityJSON(w, r, http.StatusOK, map[string]any{
		"issuer":                                s.issuerFor(r, segment),
		"authorization_endpoint":                at + "/oauth2/v2.0/authorize",
		"token_endpoint":                        at + "/oauth2/v2.0/token",
		"jwks_uri":                              at + "/discovery/v2.0/keys",
		"end_session_endpoint":                  at + "/oauth2/v2.0/logout",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		"response_modes_supported":              []string{"query", "fragment", "form_post"},
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
		"claims_supported": []string{"sub", "iss", "cloud_instance_name", "cloud_graph_host_name", "msgraph_host", "aud",
			"exp", "iat", "auth_time", "acr", "nonce", "preferred_username", "name", "tid", "ver", "at_hash", "c_hash", "email"},
		"request_uri_parameter_supported": false,
		"http_logout_supported":           true,
		"frontchannel_logout_supported":   true,
		"tenant_region_scope":             nil,
		"cloud_instance_name":             "microsoftonline.com",
	})
}

func (s *Platform) serveKeys(w http.ResponseWriter, r *http.Request, segment string) {
	if kind, ok := s.authority(segment); !ok || kind == "consumers" {
		s.writeTokenError(w, r, aadsts(90002, segment))
		return
	}
	if _, err := s.signingKey(); err != nil {
		s.writeTokenError(w, r, aadsts(90033))
		return
	}
	s.memory.mu.Lock()
	keys := []any{}
	for _, k := range s.memory.keys {
		keys = append(keys, k.jwk(s.issuerFor(r, segment)))
	}
	s.memory.mu.Unlock()
	s.writeIdentityJSON(w, r, http.StatusOK, map[string]any{"keys": keys})
}

// signingKey returns the key that signs now, and the first one at first.
func (s *Platform) signingKey() (*signingKey, error) {
	s.memory.mu.Lock()
	keys := s.memory.keys
	s.memory.mu.Unlock()
	if n := len(keys); n > 0 {
		return keys[n-1], nil
	}
	first, err := firstKey()
	if err != nil {
		return nil, err
	}
	k := signingKeyOf(first, s.state.Now())
	return k, s.signWith(k, false)
}

// RotateKeys signs from now on with a new key. With retire the old ones vanish
// from the key document at once, as after a compromise; otherwise they stay. It
// returns the new key's kid.
func (s *Platform) RotateKeys(retire bool) (string, error) {
	key, err := newKey()
	if err != nil {
		return "", err
	}
	k := signingKeyOf(key, s.state.Now())
	return k.ID, s.signWith(k, retire)
}

// signWith signs from now on with a key. One that several sign-ins bring at once is kept once.
func (s *Platform) signWith(k *signingKey, retire bool) error {
	s.memory.mu.Lock()
	if retire {
		s.memory.keys = nil
	}
	if !slices.ContainsFunc(s.memory.keys, func(other *signingKey) bool { return other.ID == k.ID }) {
		s.memory.keys = append(slices.Clone(s.memory.keys), k)
	}
	keys := s.memory.keys
	s.memory.mu.Unlock()
	return s.persistKeys(keys)
}

// serveLogout ends a browser session, of which there are none: it only sends the
// browser on, to an address that is registered.
func (s *Platform) serveLogout(w http.ResponseWriter, r *http.Request) {
	if to := r.URL.Query().Get("post_logout_redirect_uri"); to != "" && s.registered(to) {
		http.Redirect(w, r, to, http.StatusFound)
		return
	}
	htmlPage(w, http.StatusOK, "You signed out", "<p>You signed out of your account.</p>", "")
}

// serveUserRealm tells how the domain of a login signs in, without any rights.
func (s *Platform) serveUserRealm(w http.ResponseWriter, r *http.Request) {
	login := r.URL.Query().Get("login")
	_, domain, ok := strings.Cut(login, "@")
	if !ok {
		s.writeTokenError(w, r, aadsts(900144, "login"))
		return
	}
	out := map[string]any{
		"State": 4, "UserState": 1, "Login": login, "NameSpaceType": "Unknown",
		"DomainName": domain, "CloudInstanceName": "microsoftonline.com",
	}
	if d, brand, ok := s.realm(domain); ok {
		out["NameSpaceType"], out["FederationBrandName"] = d.AuthenticationType, brand
		if d.Federated() {
			out["State"], out["UserState"] = 3, 2
			out["FederationGlobalVersion"], out["AuthURL"] = -1, signInURL(d)
		}
	}
	s.writeIdentityJSON(w, r, http.StatusOK, out)
}

// serveCredentialType is what Microsoft's own login page asks of a login.
func (s *Platform) serveCredentialType(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Username string `json:"username"`
	}
	if r.Method != http.MethodPost || json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&in) != nil {
		s.writeTokenError(w, r, aadsts(9002313))
		return
	}
	_, domain, _ := strings.Cut(in.Username, "@")
	exists, kind := 1, 1 // IfExistsResult 1: no such account; DomainType 1: unknown
	credentials := map[string]any{"PrefCredential": 1, "HasPassword": true, "FidoParams": nil}
	if d, _, ok := s.realm(domain); ok {
		kind = 3
		if d.Federated() {
			kind = 4
			credentials["PrefCredential"], credentials["FederationRedirectUrl"] = 4, signInURL(d)
		}
		if _, e := s.signIn("organizations", in.Username); e == nil {
			exists = 0
		}
	}
	s.writeIdentityJSON(w, r, http.StatusOK, map[string]any{
		"Username": in.Username, "Display": in.Username, "IfExistsResult": exists, "ThrottleStatus": 0,
		"IsUnmanaged": false, "Credentials": credentials,
		"EstsProperties": map[string]any{"DomainType": kind},
	})
}
