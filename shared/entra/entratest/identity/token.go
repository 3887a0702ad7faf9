package identity

import (
	"crypto/sha256"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"bindery/shared/entra/entratest/state"
)

const (
	codeLife    = 10 * time.Minute
	refreshLife = 90 * 24 * time.Hour // sliding: counted from the token's last use
	idTokenLife = time.Hour
)

// authCode is an authorization code with the flow that it ends.
type authCode struct {
	flow

	Code     string
	Created  time.Time
	AuthTime time.Time
	Epoch    int // the account's revocations when it signed in
	Session  string
	Redeemed bool
}

// refreshToken is bound to an account and an application. Using it does not end
// it (rotation is soft); 90 days without use do, and so does a revocation after
// the sign-in that it goes back to.
type refreshToken struct {
	Token    string       `json:"token"`
	TenantID string       `json:"tenantId"`
	UserOID  string       `json:"userOid"`
	AppID    string       `json:"appId"`
	Scope    scopeRequest `json:"scope"`
	AuthTime time.Time    `json:"authTime"`
	Epoch    int          `json:"epoch"`
	Session  string       `json:"session"`
	Issued   time.Time    `json:"issued"`
	LastUsed time.Time    `json:"lastUsed"`
}

// serveToken is the token endpoint.
func (s *Platform) serveToken(w http.ResponseWriter, r *http.Request, segment string) {
	if r.Method != http.MethodPost {
		s.writeTokenError(w, r, aadsts(900561, r.Method))
		return
	}
	if ct, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || ct != "application/x-www-form-urlencoded" {
		s.writeTokenError(w, r, aadsts(900144, "grant_type"))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if r.ParseForm() != nil {
		s.writeTokenError(w, r, aadsts(9002313))
		return
	}
	answer, e := s.token(r, segment, r.PostForm)
	if e != nil {
		s.writeTokenError(w, r, e)
		return
	}
	s.writeIdentityJSON(w, r, http.StatusOK, answer)
}

// token decides over one request to the token endpoint.
func (s *Platform) token(r *http.Request, segment string, form url.Values) (map[string]any, *stsError) {
	kind, ok := s.authority(segment)
	if !ok || kind == "consumers" {
		return nil, aadsts(90002, segment)
	}
	grant := form.Get("grant_type")
	if grant == "" {
		return nil, aadsts(900144, "grant_type")
	}
	app, e := s.authenticateClient(r, segment, form)
	if e != nil {
		return nil, e
	}
	switch grant {
	case "authorization_code":
		return s.redeem(r, segment, app, form)
	case "refresh_token":
		return s.refresh(r, segment, app, form)
	case "client_credentials": // no application here has permissions of its own
		return nil, aadsts(700016, app.ID, segment)
	}
	return nil, aadsts(70003, grant)
}

// authenticateClient checks the credential that an application brings: a secret
// in the body or as Basic, or an assertion signed by a registered certificate.
func (s *Platform) authenticateClient(r *http.Request, segment string, form url.Values) (state.App, *stsError) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if user, pass, ok := r.BasicAuth(); ok {
		// RFC 6749, 2.3.1: both halves are form-encoded first.
		u, err1 := url.QueryUnescape(user)
		p, err2 := url.QueryUnescape(pass)
		if err1 != nil || err2 != nil {
			return state.App{}, aadsts(9002313)
		}
		if id != "" && !strings.EqualFold(id, u) {
			return state.App{}, aadsts(9002313)
		}
		id, secret = u, p
	}
	if id == "" {
		return state.App{}, aadsts(900144, "client_id")
	}
	app, ok := s.application(id)
	if !ok {
		return state.App{}, aadsts(700016, id, segment)
	}
	if e := s.tokenFault(stepClient, s.tenantOf(segment), app.ID); e != nil {
		return state.App{}, e
	}
	switch {
	case form.Get("client_assertion") != "":
		if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
			return state.App{}, aadsts(900144, "client_assertion_type")
		}
		a, err := parseAssertion(form.Get("client_assertion"))
		if err == nil {
			err = a.verify(app.ID, s.audiences(r, segment), app.Certificates, s.state.Now())
		}
		if err != nil {
			return state.App{}, aadsts(700027, err.Error())
		}
		if a.claims.ID != "" && !s.memory.firstUse(app.ID+" "+a.claims.ID, s.state.Now()) {
			return state.App{}, aadsts(700027, "the assertion's jti was used before")
		}
	case secret != "":
		if e := checkSecret(app, secret, s.state.Now()); e != nil {
			return state.App{}, e
		}
	default:
		return state.App{}, aadsts(7000218)
	}
	return app, nil
}

// audiences are the values that an assertion's aud may have.
func (s *Platform) audiences(r *http.Request, segment string) []string {
	out := []string{s.base(r) + "/" + segment + "/oauth2/v2.0/token", s.base(r) + "/" + segment + "/v2.0"}
	if id := s.tenantOf(segment); id != "" {
		out = append(out, s.base(r)+"/"+id+"/oauth2/v2.0/token", s.base(r)+"/"+id+"/v2.0")
	}
	return out
}

// redeem exchanges an authorization code.
func (s *Platform) redeem(r *http.Request, segment string, app state.App, form url.Values) (map[string]any, *stsError) {
	text := form.Get("code")
	if text == "" {
		return nil, aadsts(900144, "code")
	}
	c, ok := s.memory.code(text)
	if !ok || !strings.EqualFold(c.AppID, app.ID) {
		return nil, aadsts(70000)
	}
	if e := s.checkCode(c, segment, form); e != nil {
		return nil, e
	}
	if e := s.tokenFault(stepCode, c.TenantID, app.ID); e != nil {
		return nil, e
	}
	p, e := s.live(c.TenantID, c.UserOID, c.AuthTime, c.Epoch)
	if e != nil {
		return nil, e
	}
	scope := c.Scope
	if strings.TrimSpace(form.Get("scope")) != "" {
		if scope, e = parseScope(form.Get("scope"), app.ID, true); e != nil {
			return nil, e
		}
	}
	granted, e := s.consented(p, app, scope)
	if e != nil {
		return nil, e
	}
	if !s.memory.redeem(text) { // by another request at the same time
		return nil, aadsts(54005)
	}
	scope.OIDC = mergeOIDC(scope.OIDC, c.Scope.OIDC)
	return s.answer(r, app, p, scope, granted, sessionOf{c.AuthTime, c.Epoch, c.Session, c.Nonce})
}

// checkCode compares a code with the request that redeems it.
func (s *Platform) checkCode(c authCode, segment string, form url.Values) *stsError {
	uri := form.Get("redirect_uri")
	switch {
	case c.Redeemed:
		return aadsts(54005)
	case s.state.Now().Sub(c.Created) >= codeLife:
		return aadsts(70008)
	case !s.sameAuthority(c.Segment, segment):
		return aadsts(700005)
	case uri == "":
		return aadsts(900144, "redirect_uri")
	case uri != c.RedirectURI:
		return aadsts(500112, uri, c.RedirectURI)
	}
	verifier := form.Get("code_verifier")
	switch {
	case c.Challenge == "" && verifier == "":
		return nil
	case c.Challenge == "" || verifier == "":
		return aadsts(501481)
	case len(verifier) < 43 || len(verifier) > 128:
		return aadsts(501491)
	}
	if c.Method == "S256" {
		sum := sha256.Sum256([]byte(verifier))
		verifier = base64url.EncodeToString(sum[:])
	}
	if !sameSecret(verifier, c.Challenge) {
		return aadsts(501481)
	}
	return nil
}

// refresh exchanges a refresh token.
func (s *Platform) refresh(r *http.Request, segment string, app state.App, form url.Values) (map[string]any, *stsError) {
	text := form.Get("refresh_token")
	if text == "" {
		return nil, aadsts(900144, "refresh_token")
	}
	t, ok := s.memory.refreshToken(text)
	if !ok || !strings.EqualFold(t.AppID, app.ID) {
		return nil, aadsts(70000)
	}
	if id := s.tenantOf(segment); id != "" && id != t.TenantID {
		return nil, aadsts(50020, t.UserOID, segment)
	}
	if e := s.tokenFault(stepRefresh, t.TenantID, app.ID); e != nil {
		return nil, e
	}
	if s.state.Now().Sub(t.LastUsed) >= refreshLife {
		return nil, aadsts(700082, t.Issued.UTC().Format("2006-01-02T15:04:05.0000000Z"))
	}
	p, e := s.live(t.TenantID, t.UserOID, t.AuthTime, t.Epoch)
	if e != nil {
		return nil, e
	}
	scope := t.Scope
	if asked := strings.TrimSpace(form.Get("scope")); asked != "" {
		if scope, e = parseScope(firstResource(asked), app.ID, true); e != nil {
			return nil, e
		}
	}
	granted, e := s.consented(p, app, scope)
	if e != nil {
		return nil, e
	}
	t.LastUsed = s.state.Now()
	if err := s.keepRefresh(t); err != nil {
		return nil, aadsts(90033)
	}
	// A refreshed grant keeps its right to refresh, whatever the scope says.
	scope.OIDC = mergeOIDC(scope.OIDC, []string{"offline_access"})
	return s.answer(r, app, p, scope, granted, sessionOf{t.AuthTime, t.Epoch, t.Session, ""})
}

// firstResource leaves the scopes of the first resource that is named: at a
// refresh the first one wins.
func firstResource(scope string) string {
	var out []string
	first := ""
	for _, name := range strings.Fields(scope) {
		resource := graphResource
		if _, ok := oidcScopes[strings.ToLower(name)]; ok {
			out = append(out, name)
			continue
		}
		if strings.Contains(name, "://") {
			resource = resourceOf(name)
		}
		if first == "" {
			first = resource
		}
		if resource == first {
			out = append(out, name)
		}
	}
	return strings.Join(out, " ")
}

// mergeOIDC adds offline_access when the authorization had it; the other scopes
// are the request's own.
func mergeOIDC(asked, authorized []string) []string {
	out := append([]string(nil), asked...)
	for _, s := range authorized {
		if s == "offline_access" {
			out = appendOnce(out, s)
		}
	}
	return out
}

// live finds the account behind a grant and refuses when it may no longer use it.
func (s *Platform) live(tenantID, oid string, authTime time.Time, epoch int) (principal, *stsError) {
	p, ok := s.principal(tenantID, oid)
	switch {
	case !ok:
		return p, aadsts(50034, s.tenantName(tenantID))
	case !p.Enabled:
		return p, aadsts(50057)
	case p.Epoch != epoch:
		return p, aadsts(50173, authTime.UTC().Format("2006-01-02T15:04:05.0000000Z"), p.ValidFrom)
	}
	return p, nil
}

// consented returns everything that is granted, or a refusal when something that
// is asked for is not.
func (s *Platform) consented(p principal, app state.App, scope scopeRequest) ([]string, *stsError) {
	granted, known := s.granted(p.TenantID, app.ID, p.OID)
	if !known || len(lacking(scope.Graph, granted)) > 0 {
		return nil, aadsts(65001, app.ID, app.Title())
	}
	return granted, nil
}
