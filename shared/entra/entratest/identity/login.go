package identity

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"bindery/shared/entra/entratest/state"
)

// flowLife is how long a login page, and afterwards its code, may be used.
const flowLife = 10 * time.Minute

// maxFlows bounds the pages that nobody ever submits.
const maxFlows = 10_000

// flow is one authorization under way: what the application asked for, and from
// the login page on who answers. Pages carry only its id.
type flow struct {
	ID           string
	Segment      string // the authority as asked for: a tenant, organizations, common
	AppID        string
	RedirectURI  string
	State        string
	Nonce        string
	ResponseMode string
	Challenge    string
	Method       string
	Prompt       string
	LoginHint    string
	Scope        scopeRequest
	ScopeText    string
	AdminConsent bool // came through the adminconsent endpoint: no code at the end
	Created      time.Time

	TenantID string
	UserOID  string
}

// serveAuthorize validates an authorization request and shows the login page.
// What is wrong with the application or its redirect URI is shown as a page,
// since nobody can be trusted to be redirected to; the rest goes back by redirect.
func (s *Platform) serveAuthorize(w http.ResponseWriter, r *http.Request, segment string) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost || r.ParseForm() != nil {
		s.errorPage(w, r, aadsts(9002313))
		return
	}
	f := &flow{
		Segment: segment, AppID: r.Form.Get("client_id"), RedirectURI: r.Form.Get("redirect_uri"),
		State: r.Form.Get("state"), Nonce: r.Form.Get("nonce"), ResponseMode: r.Form.Get("response_mode"),
		Challenge: r.Form.Get("code_challenge"), Method: r.Form.Get("code_challenge_method"),
		Prompt: r.Form.Get("prompt"), LoginHint: r.Form.Get("login_hint"),
		ScopeText: r.Form.Get("scope"), Created: s.state.Now(),
	}
	if e := s.checkClient(f); e != nil {
		s.errorPage(w, r, e)
		return
	}
	if e := s.checkRequest(f, r.Form); e != nil {
		s.redirectError(w, r, f, e)
		return
	}
	s.startFlow(w, r, f)
}

// serveAdminConsent is the second entrance: consent for the organisation without
// signing in to an application.
func (s *Platform) serveAdminConsent(w http.ResponseWriter, r *http.Request, segment, scope string) {
	q := r.URL.Query()
	f := &flow{
		Segment: segment, AppID: q.Get("client_id"), RedirectURI: q.Get("redirect_uri"), State: q.Get("state"),
		ScopeText: scope, AdminConsent: true, Created: s.state.Now(),
	}
	if strings.EqualFold(segment, "common") {
		s.errorPage(w, r, aadsts(90023, "the adminconsent endpoint needs a tenant or 'organizations'."))
		return
	}
	if e := s.checkClient(f); e != nil {
		s.errorPage(w, r, e)
		return
	}
	if f.ScopeText == "" {
		s.redirectError(w, r, f, aadsts(900144, "scope"))
		return
	}
	var e *stsError
	if f.Scope, e = parseScope(f.ScopeText, f.AppID, false); e != nil {
		s.redirectError(w, r, f, e)
		return
	}
	s.startFlow(w, r, f)
}

// startFlow keeps a flow and shows its first page.
func (s *Platform) startFlow(w http.ResponseWriter, r *http.Request, f *flow) {
	if e := s.tokenFault(stepAuthorize, s.tenantOf(f.Segment), f.AppID); e != nil {
		s.redirectError(w, r, f, e)
		return
	}
	f.ID = s.state.Random.Secret(32)
	s.memory.keepFlow(f, s.state.Now())
	s.loginPage(w, r, f, "")
}

// checkClient finds what forbids to redirect to the application at all.
func (s *Platform) checkClient(f *flow) *stsError {
	kind, ok := s.authority(f.Segment)
	if !ok || kind == "consumers" {
		return aadsts(90002, f.Segment)
	}
	if f.AppID == "" {
		return aadsts(900144, "client_id")
	}
	app, ok := s.application(f.AppID)
	if !ok {
		return aadsts(700016, f.AppID, f.Segment)
	}
	if kind != "tenant" && !app.MultiTenant {
		return aadsts(50194, app.ID, app.Title())
	}
	if f.RedirectURI == "" {
		return aadsts(900144, "redirect_uri")
	}
	if !slices.Contains(app.RedirectURIs, f.RedirectURI) {
		return aadsts(50011, f.RedirectURI, app.ID)
	}
	return nil
}

// checkRequest finds what is wrong with an authorization request apart from the
// application.
func (s *Platform) checkRequest(f *flow, form url.Values) *stsError {
	switch rt := form.Get("response_type"); rt {
	case "code":
	case "":
		return aadsts(900144, "response_type")
	default:
		return aadsts(70007, rt)
	}
	switch f.ResponseMode {
	case "", "query", "fragment", "form_post":
	default:
		mode := f.ResponseMode
		f.ResponseMode = "query"
		return aadsts(70007, mode)
	}
	switch f.Prompt {
	case "", "login", "consent", "select_account":
	case "none": // there are no browser sessions here
		return aadsts(50058)
	default:
		return aadsts(90023, "Unsupported 'prompt' value.")
	}
	if strings.TrimSpace(f.ScopeText) == "" {
		return aadsts(900144, "scope")
	}
	var e *stsError
	if f.Scope, e = parseScope(f.ScopeText, f.AppID, false); e != nil {
		return e
	}
	return checkChallenge(f)
}

// checkChallenge validates the PKCE parameters (RFC 7636, 4.2 and 4.3).
func checkChallenge(f *flow) *stsError {
	if f.Challenge == "" {
		if f.Method != "" {
			return aadsts(900144, "code_challenge")
		}
		return nil
	}
	if f.Method == "" {
		f.Method = "plain"
	}
	switch {
	case f.Method != "plain" && f.Method != "S256":
		return aadsts(90023, "Unsupported 'code_challenge_method' value.")
	case len(f.Challenge) < 43 || len(f.Challenge) > 128 || f.Method == "S256" && len(f.Challenge) != 43:
		return aadsts(50147)
	}
	return nil
}

// serveLogin takes the login page's form.
func (s *Platform) serveLogin(w http.ResponseWriter, r *http.Request) {
	f := s.takeForm(w, r)
	if f == nil {
		return
	}
	login := strings.TrimSpace(r.PostForm.Get("login"))
	if r.PostForm.Has("cancel") {
		s.memory.dropFlow(f.ID)
		s.redirectError(w, r, f, aadsts(65004))
		return
	}
	p, e := s.signIn(f.Segment, login)
	if e != nil {
		f.LoginHint = login
		s.loginPage(w, r, f, "AADSTS"+strconv.Itoa(e.Code)+": "+e.Text)
		return
	}
	if !p.Enabled {
		s.errorPage(w, r, aadsts(50057))
		return
	}
	if e := s.tokenFault(stepLogin, p.TenantID, f.AppID); e != nil {
		s.memory.dropFlow(f.ID)
		s.redirectError(w, r, f, e)
		return
	}
	f.TenantID, f.UserOID = p.TenantID, p.OID
	s.memory.keepFlow(f, s.state.Now())
	s.afterLogin(w, r, f, p)
}

// afterLogin asks for consent, or goes straight back when there is nothing to ask.
func (s *Platform) afterLogin(w http.ResponseWriter, r *http.Request, f *flow, p principal) {
	app, ok := s.application(f.AppID)
	if !ok {
		s.errorPage(w, r, aadsts(700016, f.AppID, p.TenantName))
		return
	}
	wanted := s.wanted(f, app, p)
	granted, known := s.granted(p.TenantID, app.ID, p.OID)
	if known && len(lacking(wanted, granted)) == 0 && f.Prompt != "consent" && !f.AdminConsent {
		s.finish(w, r, f, p)
		return
	}
	if (needsAdmin(wanted) || f.AdminConsent) && !p.Consents {
		s.approvalPage(w, r, f, p, app)
		return
	}
	s.consentPage(w, r, f, p, app, wanted)
}

// wanted is what the flow asks of Graph: the scopes by name, or for .default
// everything that the application is registered with or was ever granted.
func (s *Platform) wanted(f *flow, app state.App, p principal) []string {
	if !f.Scope.Default {
		return f.Scope.Graph
	}
	granted, _ := s.granted(p.TenantID, app.ID, p.OID)
	var all []string
	for _, scope := range append(granted, app.Permissions...) {
		if _, ok := graphPermissions[scope]; ok {
			all = appendOnce(all, scope)
		}
	}
	return all
}

// serveConsent takes the consent page's form.
func (s *Platform) serveConsent(w http.ResponseWriter, r *http.Request) {
	f := s.takeForm(w, r)
	if f == nil {
		return
	}
	p, ok := s.principal(f.TenantID, f.UserOID)
	app, known := s.application(f.AppID)
	switch {
	case f.UserOID == "" || !ok || !known:
		s.errorPage(w, r, aadsts(9002313))
		return
	case r.PostForm.Has("cancel"):
		s.memory.dropFlow(f.ID)
		e := aadsts(65004)
		if r.PostForm.Get("cancel") == "approval" {
			e = aadsts(90094, p.TenantName, app.Title(), p.TenantName)
		}
		s.redirectError(w, r, f, e)
		return
	case !r.PostForm.Has("accept"):
		s.errorPage(w, r, aadsts(900144, "accept"))
		return
	case !p.Enabled:
		s.errorPage(w, r, aadsts(50057))
		return
	}
	wanted := s.wanted(f, app, p)
	if (needsAdmin(wanted) || f.AdminConsent) && !p.Consents {
		s.approvalPage(w, r, f, p, app)
		return
	}
	forAll := f.AdminConsent || r.PostForm.Has("on_behalf")
	if forAll && !p.Consents {
		s.errorPage(w, r, aadsts(90094, p.TenantName, app.Title(), p.TenantName))
		return
	}
	oid := p.OID
	if forAll {
		oid = ""
	}
	if err := s.Grant(p.TenantID, app.ID, oid, append(slices.Clone(wanted), f.Scope.OIDC...), p.OID); err != nil {
		s.redirectError(w, r, f, aadsts(90033))
		return
	}
	s.finish(w, r, f, p)
}

// finish ends a flow: with a code, or for the adminconsent endpoint without.
func (s *Platform) finish(w http.ResponseWriter, r *http.Request, f *flow, p principal) {
	if !s.memory.dropFlow(f.ID) {
		s.errorPage(w, r, aadsts(70008)) // the form was sent twice
		return
	}
	v := url.Values{}
	if f.State != "" {
		v.Set("state", f.State)
	}
	if f.AdminConsent {
		v.Set("admin_consent", "True")
		v.Set("tenant", p.TenantID)
		v.Set("scope", f.ScopeText)
		s.redirect(w, r, f, v)
		return
	}
	c := &authCode{Code: "1." + s.state.Random.Secret(32), flow: *f, Created: s.state.Now(), AuthTime: s.state.Now(), Epoch: p.Epoch, Session: s.state.Random.ID()}
	s.memory.keepCode(c, s.state.Now())
	v.Set("code", c.Code)
	v.Set("session_state", c.Session)
	s.redirect(w, r, f, v)
}

// takeForm reads a posted form and finds its flow; it answers itself when that
// is impossible.
func (s *Platform) takeForm(w http.ResponseWriter, r *http.Request) *flow {
	if r.Method != http.MethodPost || r.ParseForm() != nil {
		s.errorPage(w, r, aadsts(9002313))
		return nil
	}
	f, ok := s.memory.flow(r.PostForm.Get("flow"), s.state.Now())
	if !ok {
		s.errorPage(w, r, aadsts(90023, "this sign-in has ended or took longer than 10 minutes. Start again from the application."))
		return nil
	}
	return f
}
