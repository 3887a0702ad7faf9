package stack

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// ProviderPath is where the stack's OpenID provider lies, and ConsoleClient what the
// console is called there.
const (
	ProviderPath  = "/local-issuer"
	ConsoleClient = "console"
)

// How long what the provider gives out is good for.
const (
	codeLife    = time.Minute
	accessLife  = 15 * time.Minute
	refreshLife = 12 * time.Hour
)

// Parts are those whom somebody at a laptop may play in the console: the one with every
// scope first, and the others of the stack's tokens that may see it.
var Parts = parts()

func parts() []string {
	list := []string{"admin"}
	for _, file := range slices.Sorted(maps.Keys(TokenFiles)) {
		name := strings.TrimSuffix(file, "-token")
		if name != "admin" && !slices.ContainsFunc(TokenFiles[file], func(s string) bool { return strings.HasPrefix(s, "bindery/source.") }) {
			list = append(list, name)
		}
	}
	return list
}

// Provider is the OpenID provider of a laptop: it signs the console's users in by one
// button, since whoever reaches this machine's own ports is let in everywhere else as
// well. Its codes and refresh tokens are forgotten with the process.
type Provider struct {
	tokens *Issuer
	url    string // its own: the issuer
	back   string // the one address that it sends anybody back to
	key    *ecdsa.PrivateKey
	now    func() time.Time

	mu     sync.Mutex
	grants map[string]grant // by code or refresh token
}

// grant is what a code or a refresh token stands for.
type grant struct {
	part, nonce, challenge string
	at, until              time.Time
	refresh                bool
}

// NewProvider returns the provider of a stack at an address.
func NewProvider(tokens *Issuer, publicURL string) (*Provider, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return &Provider{tokens: tokens, url: publicURL + ProviderPath, back: publicURL + "/console/callback", key: key, now: time.Now, grants: map[string]grant{}}, nil
}

// ServeHTTP answers below ProviderPath.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	switch r.Method + " " + strings.TrimPrefix(r.URL.Path, ProviderPath) {
	case "GET /.well-known/openid-configuration":
		answerJSON(w, http.StatusOK, map[string]any{
			"issuer": p.url, "authorization_endpoint": p.url + "/authorize", "token_endpoint": p.url + "/token", "jwks_uri": p.url + "/keys",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
			"id_token_signing_alg_values_supported": []string{"ES256"}, "code_challenge_methods_supported": []string{"S256"},
			"token_endpoint_auth_methods_supported": []string{"none"}, "authorization_response_iss_parameter_supported": true,
		})
	case "GET /keys":
		answerJSON(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &p.key.PublicKey, KeyID: p.keyID(), Algorithm: "ES256", Use: "sig"}}})
	case "GET /authorize":
		p.page(w, r.URL.Query())
	case "POST /authorize":
		p.authorize(w, r)
	case "POST /token":
		p.token(w, r)
	default:
		http.NotFound(w, r)
	}
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone
}

// keyID is the same as long as the key is.
func (p *Provider) keyID() string {
	raw, err := p.key.PublicKey.Bytes()
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// fault says what is wrong with a request to sign somebody in; "" when nothing is.
func (p *Provider) fault(q url.Values) string {
	switch {
	case q.Get("client_id") != ConsoleClient:
		return "client_id must be " + ConsoleClient
	case q.Get("redirect_uri") != p.back:
		return "redirect_uri must be " + p.back
	case q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "":
		return "a code with an S256 challenge is all that there is"
	}
	return ""
}

const providerStyle = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{max-width:30rem;margin:12vh auto;padding:0 1rem}` +
	`button{font:inherit;padding:.6rem 1.2rem;border-radius:8px;border:1px solid #888;cursor:pointer}button.go{background:#2457c5;color:#fff;border-color:#2457c5;font-weight:600}li{list-style:none;margin:.4rem 0}ul{padding:0}`

// page asks whom somebody wants to be: one button, and the other parts beneath.
func (p *Provider) page(w http.ResponseWriter, q url.Values) {
	if why := p.fault(q); why != "" {
		http.Error(w, why, http.StatusBadRequest)
		return
	}
	sum := sha256.Sum256([]byte(providerStyle))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; form-action 'self' "+p.origin()+"; frame-ancestors 'none'; base-uri 'none'")
	var b strings.Builder
	b.WriteString(`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Sign in · this laptop</title><style>` + providerStyle + `</style></head><body><main><h1>This laptop signs you in</h1><p>It asks for no password: whoever reaches its ports may use it. An installation on AWS asks your own identity provider.</p><form method="post" action="` + ProviderPath + `/authorize">`)
	for _, name := range []string{"client_id", "redirect_uri", "response_type", "code_challenge", "code_challenge_method", "state", "nonce", "scope"} {
		b.WriteString(`<input type="hidden" name="` + name + `" value="` + html.EscapeString(q.Get(name)) + `">`)
	}
	b.WriteString(`<p><button class="go" id="continue" name="part" value="` + Parts[0] + `">Continue as local admin</button></p><details><summary>Try what others see</summary><ul>`)
	for _, part := range Parts[1:] {
		b.WriteString(`<li><button name="part" value="` + part + `">` + part + ": " + strings.Join(TokenFiles[part+"-token"], ", ") + `</button></li>`)
	}
	b.WriteString(`</ul></details></form></main></body></html>`)
	_, _ = w.Write([]byte(b.String())) // the client is gone
}

// origin is where the provider's answers go.
func (p *Provider) origin() string { return strings.TrimSuffix(p.url, ProviderPath) }

// authorize gives a code for the part that somebody chose.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form cannot be read", http.StatusBadRequest)
		return
	}
	q := r.PostForm
	if why := p.fault(q); why != "" {
		http.Error(w, why, http.StatusBadRequest)
		return
	}
	if !slices.Contains(Parts, q.Get("part")) {
		http.Error(w, "there is no such part", http.StatusBadRequest)
		return
	}
	code := p.give(grant{part: q.Get("part"), nonce: q.Get("nonce"), challenge: q.Get("code_challenge"), at: p.now(), until: p.now().Add(codeLife)})
	to := p.back + "?" + url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.url}}.Encode()
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

func (p *Provider) give(g grant) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for token, old := range p.grants {
		if p.now().After(old.until) {
			delete(p.grants, token)
		}
	}
	token := rand.Text()
	p.grants[token] = g
	return token
}

// take uses a code or a refresh token up: each is good for once.
func (p *Provider) take(token string, refresh bool) (grant, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, ok := p.grants[token]
	delete(p.grants, token)
	return g, ok && g.refresh == refresh && !p.now().After(g.until)
}

// token exchanges a code, or a refresh token.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		answerJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_request"})
		return
	}
	f := r.PostForm
	var g grant
	var ok bool
	switch f.Get("grant_type") {
	case "authorization_code":
		g, ok = p.take(f.Get("code"), false)
		sum := sha256.Sum256([]byte(f.Get("code_verifier")))
		ok = ok && base64.RawURLEncoding.EncodeToString(sum[:]) == g.challenge && f.Get("redirect_uri") == p.back
	case "refresh_token":
		g, ok = p.take(f.Get("refresh_token"), true)
	default:
		answerJSON(w, http.StatusBadRequest, map[string]string{"error": "unsupported_grant_type"})
		return
	}
	if !ok {
		answerJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	answer, err := p.answer(g)
	if err != nil {
		answerJSON(w, http.StatusInternalServerError, map[string]string{"error": "server_error"})
		return
	}
	answerJSON(w, http.StatusOK, answer)
}

// answer are the tokens of a grant. The access token is one of the stack's own, for a
// short while, of the subject that the part's file of tokens has.
func (p *Provider) answer(g grant) (map[string]any, error) {
	subject := g.part + "@local"
	access, err := p.tokens.IssueFor(subject, accessLife, TokenFiles[g.part+"-token"])
	if err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.key, KeyID: p.keyID()}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, err
	}
	now := p.now()
	claims := map[string]any{"name": "Local " + g.part, "auth_time": g.at.Unix()}
	if g.nonce != "" {
		claims["nonce"] = g.nonce
	}
	id, err := jwt.Signed(signer).Claims(jwt.Claims{Issuer: p.url, Subject: subject, Audience: jwt.Audience{ConsoleClient}, IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(accessLife))}).
		Claims(claims).Serialize()
	if err != nil {
		return nil, err
	}
	refresh := p.give(grant{part: g.part, at: g.at, until: now.Add(refreshLife), refresh: true})
	return map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": int(accessLife / time.Second), "refresh_token": refresh, "id_token": id}, nil
}
