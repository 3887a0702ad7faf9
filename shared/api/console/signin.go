package console

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"bindery/shared/directory"
)

// loginFor is how long somebody may take at the issuer.
const loginFor = 10 * time.Minute

// maxTarget is how long the address may be that a sign-in leads back to: a cookie
// takes 4,096 bytes.
const maxTarget = 2600

// errRefused says that the issuer gave no token: the refresh token is not good any
// more.
var errRefused = errors.New("console: the issuer gave no token")

// attempt is one sign-in under way, as the browser's cookie holds it. What goes to
// the issuer is derived from its secret, so that nothing need be stored.
type attempt struct {
	secret directory.Secret
	fresh  bool
	to     string
}

func (a attempt) cookie() string {
	fresh := "0"
	if a.fresh {
		fresh = "1"
	}
	return base64.RawURLEncoding.EncodeToString([]byte(a.secret.Reveal())) + "." + fresh + "." + base64.RawURLEncoding.EncodeToString([]byte(a.to))
}

func (c *Console) attemptOf(r *http.Request) (attempt, bool) {
	parts := strings.Split(c.cookie(r, loginCookie), ".")
	secret := c.secretOf(r, loginCookie)
	if len(parts) != 3 || secret.IsZero() {
		return attempt{}, false
	}
	to, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !local(string(to)) {
		to = []byte("/console")
	}
	return attempt{secret, parts[1] == "1", string(to)}, true
}

// derived is a value of the sign-in that only who has its cookie can know. It is bound to
// where the sign-in leads to, and whether it is to be fresh.
func (a attempt) derived(what string) string {
	key, err := hkdf.Key(sha256.New, []byte(a.secret.Reveal()), nil, what+" "+a.cookie(), 32)
	if err != nil {
		panic(err) // of a length that is fixed above
	}
	return base64.RawURLEncoding.EncodeToString(key)
}

// signedOutPath is where an issuer leads on to that has ended its session.
const signedOutPath = "/console/sign-in"

func (c *Console) callbackURL() string { return c.cfg.PublicURL + "/console/callback" }

// issuerFor is how long the issuer's description is used. Its keys are asked for by
// themselves, when a token names another one.
const issuerFor = 5 * time.Minute

// described is the issuer's description as it was last read.
type described struct {
	mu       sync.Mutex
	provider *oidc.Provider
	at       time.Time
}

// provider is the issuer's description, with the context to call it by. Whoever opens the
// page of the sign-in again and again has it not asked each time.
func (c *Console) provider(ctx context.Context) (context.Context, *oidc.Provider, error) {
	ctx = oidc.ClientContext(ctx, c.login)
	now := c.cfg.Now()
	c.issuer.mu.Lock()
	p, at := c.issuer.provider, c.issuer.at
	c.issuer.mu.Unlock()
	if p != nil && now.Sub(at) < issuerFor {
		return ctx, p, nil
	}
	p, err := oidc.NewProvider(ctx, c.cfg.Issuer) // not under the lock: a slow issuer is waited for once, not in a row
	if err != nil {
		return ctx, nil, err
	}
	c.issuer.mu.Lock()
	defer c.issuer.mu.Unlock()
	c.issuer.provider, c.issuer.at = p, now
	return ctx, p, nil
}

func (c *Console) oauth(ctx context.Context, p *oidc.Provider) (*oauth2.Config, error) {
	cfg := &oauth2.Config{ClientID: c.cfg.ClientID, Endpoint: p.Endpoint(), RedirectURL: c.callbackURL(), Scopes: append([]string{oidc.ScopeOpenID}, c.cfg.Scopes...)}
	if c.cfg.ClientSecret != nil {
		secret, err := c.cfg.ClientSecret(ctx)
		if err != nil {
			return nil, fmt.Errorf("the console's client secret: %w", err)
		}
		cfg.ClientSecret = secret.Reveal()
	}
	return cfg, nil
}

// login begins a sign-in and leads on to the issuer.
func login(v *visit) (answer, error) {
	a := attempt{newSecret(), v.r.FormValue("fresh") == "1", target(v.r.FormValue("to"))}
	ctx, p, err := v.c.provider(v.ctx)
	if err != nil {
		v.c.cfg.Log.ErrorContext(v.ctx, "console: the issuer cannot be reached", "error", err)
		return v.signInFailed(textIssuerAway, "")
	}
	cfg, err := v.c.oauth(ctx, p)
	if err != nil {
		v.c.cfg.Log.ErrorContext(v.ctx, "console: cannot sign in", "error", err)
		return v.signInFailed(textSignInBroken, "")
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(a.derived("nonce")), oauth2.S256ChallengeOption(a.derived("verifier"))}
	for name, values := range v.c.cfg.AuthParams {
		for _, value := range values {
			options = append(options, oauth2.SetAuthURLParam(name, value))
		}
	}
	if a.fresh {
		// [K] That Cognito heeds them: its managed login may, its older hosted pages are said to
		// take the session that they have. Then auth_time stays as old as it is, and fresh says
		// no: nobody gets past it, and whoever wants to signs out at the issuer first.
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "300"))
	}
	v.c.setCookie(v.w, loginCookie, a.cookie(), loginFor)
	return redirectOut{cfg.AuthCodeURL(a.derived("state"), options...)}, nil
}

// target is where a sign-in leads back to: a page of ours, or home.
func target(to string) string {
	if !local(to) || len(to) > maxTarget || strings.HasPrefix(to, "/console/login") || strings.HasPrefix(to, "/console/callback") || strings.HasPrefix(to, "/console/sign-in") {
		return "/console"
	}
	return to
}

// callback ends a sign-in: the code becomes tokens, and these a session.
func callback(v *visit) (answer, error) {
	q := v.r.URL.Query()
	a, ok := v.c.attemptOf(v.r)
	state := q.Get("state")
	if !ok || subtle.ConstantTimeCompare([]byte(state), []byte(a.derived("state"))) != 1 {
		if v.s != nil { // a second window was faster
			return redirect{"/console"}, nil
		}
		return v.signInFailed(textSignInExpired, "")
	}
	v.c.dropCookie(v.w, loginCookie)
	if iss := q.Get("iss"); iss != "" && iss != v.c.cfg.Issuer {
		return v.signInFailed(textWrongIssuer, "")
	}
	if code := q.Get("error"); code != "" || q.Get("code") == "" {
		return v.signInFailed(textIssuerRefused, plainCode(code))
	}
	s, err := v.c.redeem(v.ctx, a, q.Get("code"))
	if err != nil {
		if refusal, is := errors.AsType[*oauth2.RetrieveError](err); is {
			// What the issuer writes beside its code is not for the log: it may repeat what it was sent.
			v.c.cfg.Log.ErrorContext(v.ctx, "console: the issuer gave no token", "code", plainCode(refusal.ErrorCode))
			return v.signInFailed(textIssuerRefused, plainCode(refusal.ErrorCode))
		}
		v.c.cfg.Log.ErrorContext(v.ctx, "console: sign-in failed", "error", err)
		return v.signInFailed(textSignInBroken, "")
	}
	if !s.Opaque && !s.has(scopeRead) {
		return v.signInFailed(textNoScopes, strings.Join(s.Scopes, " "))
	}
	if a.fresh && !s.fresh(v.c.cfg.Now()) {
		return v.signInFailed(textNotFresh, "")
	}
	if old := v.c.secretOf(v.r, sessionCookie); !old.IsZero() {
		if err := v.c.end(v.ctx, old); err != nil {
			return nil, err
		}
	}
	if err := v.c.save(v.ctx, s); err != nil {
		return nil, err
	}
	v.c.setCookie(v.w, sessionCookie, base64.RawURLEncoding.EncodeToString([]byte(s.secret.Reveal())), 0)
	return redirect{a.to}, nil
}

// plainCode is an error code of OAuth's if a text is one: what else stands in an
// address is not ours to repeat.
func plainCode(code string) string {
	if code == "" || len(code) > 60 || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return code
}

// redeem exchanges a code for tokens and makes a session of them.
func (c *Console) redeem(ctx context.Context, a attempt, code string) (*session, error) {
	ctx, p, err := c.provider(ctx)
	if err != nil {
		return nil, err
	}
	cfg, err := c.oauth(ctx, p)
	if err != nil {
		return nil, err
	}
	tokens, err := cfg.Exchange(ctx, code, oauth2.VerifierOption(a.derived("verifier")))
	if err != nil {
		return nil, err
	}
	raw, _ := tokens.Extra("id_token").(string)
	id, err := p.VerifierContext(ctx, &oidc.Config{ClientID: c.cfg.ClientID, Now: c.cfg.Now}).Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(a.derived("nonce"))) != 1 {
		return nil, errors.New("id_token: the nonce is another one")
	}
	var who struct {
		Name     string `json:"name"`
		Email    string `json:"email"`
		Username string `json:"preferred_username"`
		AuthTime int64  `json:"auth_time"`
	}
	if err := id.Claims(&who); err != nil {
		return nil, errors.New("id_token: its claims are of wrong types")
	}
	now := c.cfg.Now().UTC()
	s := &session{secret: newSecret(), Subject: id.Subject, Created: now, Seen: now}
	for _, name := range []string{who.Name, who.Email, who.Username, id.Subject} {
		if s.Name == "" {
			s.Name = name
		}
	}
	switch {
	case who.AuthTime > 0:
		s.SignedIn = time.Unix(who.AuthTime, 0).UTC()
	case a.fresh: // an issuer that does not say when was told to ask
		s.SignedIn = now
	}
	s.take(tokens, now)
	return s, nil
}

// take puts the tokens of an answer into a session.
func (s *session) take(t *oauth2.Token, now time.Time) {
	s.AccessToken, s.Expires, s.Lives = directory.NewSecret(t.AccessToken), time.Time{}, 0
	if t.ExpiresIn > 0 {
		s.Lives = time.Duration(t.ExpiresIn) * time.Second
		s.Expires = now.Add(s.Lives)
	}
	if t.RefreshToken != "" {
		s.RefreshToken = directory.NewSecret(t.RefreshToken)
	}
	s.Scopes, s.Opaque = scopesOf(t.AccessToken)
}

// scopesOf reads what an access token says that it grants. The token is the API's to
// check: this only tells which buttons are of use. opaque says that it tells nothing.
func scopesOf(token string) (scopes []string, opaque bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, true
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims map[string]any
	if err != nil || json.Unmarshal(body, &claims) != nil {
		return nil, true
	}
	for _, name := range []string{"scope", "scp"} {
		switch v := claims[name].(type) {
		case string:
			scopes = append(scopes, strings.Fields(v)...)
		case []any:
			for _, s := range v {
				if text, is := s.(string); is {
					scopes = append(scopes, text)
				}
			}
		}
	}
	return scopes, false
}

// refresh asks for new tokens. errRefused when the issuer gives none any more.
func (c *Console) refresh(ctx context.Context, s *session) (*session, error) {
	ctx, p, err := c.provider(ctx)
	if err != nil {
		return nil, err
	}
	cfg, err := c.oauth(ctx, p)
	if err != nil {
		return nil, err
	}
	tokens, err := cfg.TokenSource(ctx, &oauth2.Token{RefreshToken: s.RefreshToken.Reveal()}).Token()
	if refusal, is := errors.AsType[*oauth2.RetrieveError](err); is {
		return nil, fmt.Errorf("%w: %s", errRefused, plainCode(refusal.ErrorCode))
	}
	if err != nil {
		return nil, err
	}
	renewed := *s
	renewed.take(tokens, c.cfg.Now().UTC())
	return &renewed, nil
}

// signOut ends the session, here and, by a link, at the issuer.
func signOut(v *visit) (answer, error) {
	if secret := v.c.secretOf(v.r, sessionCookie); !secret.IsZero() {
		if err := v.c.end(v.ctx, secret); err != nil && !errors.Is(err, directory.ErrNotFound) {
			return nil, err
		}
	}
	away := ""
	if v.s != nil {
		away = v.c.endAtIssuer(v.ctx, v.s)
	}
	for _, name := range []string{sessionCookie, flashCookie, linkCookie} { // the next one at this browser is somebody else
		v.c.dropCookie(v.w, name)
	}
	v.s = nil
	return signedOutPage(v, away), nil
}

// endAtIssuer is the address that ends the issuer's own session; "" when it has none.
func (c *Console) endAtIssuer(ctx context.Context, s *session) string {
	_, p, err := c.provider(ctx)
	if err != nil {
		return ""
	}
	var more struct {
		End string `json:"end_session_endpoint"`
	}
	if p.Claims(&more) != nil || more.End == "" {
		return ""
	}
	u, err := url.Parse(more.End)
	if err != nil || u.Scheme != "https" && c.secure || u.Host == "" {
		return ""
	}
	q := u.Query()
	q.Set("client_id", c.cfg.ClientID)
	// [K] Amazon Cognito wants to know where to lead on to, by a name of its own, and it must be
	// one of the client's LogoutURLs. OpenID Connect RP-Initiated Logout 1.0 (section 2) has
	// post_logout_redirect_uri instead, which an issuer that does not know the address may
	// refuse: it ends its session without as well. What it does not know, it ignores.
	q.Set("logout_uri", c.cfg.PublicURL+signedOutPath)
	u.RawQuery = q.Encode()
	return u.String()
}

// issuerHost names the issuer to people.
func (c *Console) issuerHost() string {
	u, err := url.Parse(c.cfg.Issuer)
	if err != nil || u.Host == "" {
		return c.cfg.Issuer
	}
	return u.Host
}
