package connect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"bindery/shared/core/incident"
	"bindery/shared/directory"
)

// verifiedSignIn is everything that a callback found out before it writes anything.
type verifiedSignIn struct {
	id       directory.SignInID
	identity identity
	state    directory.OAuthState
	tokens   tokenSet
	tenant   directory.Tenant
	admin    directory.Administrator
	at       time.Time
}

// Callback ends an authorisation: it takes the parameters that Microsoft sent
// the admin's browser back with and the browser's cookies, and returns the page
// to show. A browser that did not begin the authorisation changes nothing, and
// does not use it up.
func (s *Service) Callback(ctx context.Context, q url.Values, cookies []*http.Cookie) Page {
	ctx, cancel := context.WithTimeout(ctx, 25*time.Second)
	defer cancel()
	c, page := s.callback(ctx, q, cookies)
	if page.Status >= 400 && c != "" {
		s.refusedSignIn(ctx, c, &page)
	}
	log := s.cfg.Log.Info
	if page.Status >= 500 {
		log = s.cfg.Log.Error
	}
	log("authorisation callback", "connectionId", string(c), "outcome", page.Code, "status", page.Status)
	return page
}

func (s *Service) callback(ctx context.Context, q url.Values, cookies []*http.Cookie) (directory.ConnectionID, Page) {
	for _, name := range []string{"state", "code", "error", "error_description", "error_subcode"} {
		if len(q[name]) > 1 {
			return "", pageAmbiguous
		}
	}
	state := q.Get("state")
	switch {
	case state == "" && q.Has("admin_consent"):
		return "", pageAdminConsent
	case state == "":
		return "", pageNoState
	}
	st, refused := s.validState(ctx, state)
	if refused != nil {
		return "", *refused
	}
	key, err := s.stateKey(ctx)
	if err != nil {
		return "", *s.tokensFailed(ctx, st.ConnectionID, err)
	}
	if visitorOf(key, state, cookies).phase != phaseLeft {
		// Whoever has the link could do this again and again: a line in the log, no act.
		s.cfg.Log.Warn("a callback from a browser that did not begin the authorisation", "connectionId", string(st.ConnectionID))
		return "", pageWrongBrowser
	}
	if _, err := s.stores.States.TakeState(ctx, hashState(state)); errors.Is(err, directory.ErrNotFound) {
		return "", pageUnknownState // used up since it was read
	} else if err != nil {
		return "", *s.ourFault(ctx, pageBusy, "a state could not be used up", st.ConnectionID, err)
	}
	id, page := s.complete(ctx, q, st, key, state)
	page.Cookie = noCookie(state)
	return id, page
}

// complete works on what Microsoft answered to the browser that we sent there.
func (s *Service) complete(ctx context.Context, q url.Values, st directory.OAuthState, key directory.Secret, state string) (directory.ConnectionID, Page) {
	if q.Has("error") {
		page := callbackError(q)
		s.cfg.Log.Warn("Microsoft refused a sign-in", "connectionId", string(st.ConnectionID), "code", page.Code, "facts", page.Facts)
		return st.ConnectionID, page
	}
	c, err := s.stores.Connections.Connection(ctx, st.ConnectionID)
	switch {
	case errors.Is(err, directory.ErrNotFound):
		return st.ConnectionID, pageDeleted
	case err != nil:
		return st.ConnectionID, *s.ourFault(ctx, pageBusy, "a connection could not be read", st.ConnectionID, err)
	case c.Epoch != st.Epoch:
		return st.ConnectionID, pageOutdated
	case q.Get("code") == "":
		return st.ConnectionID, pageNoCode
	}
	g, refused := s.verifySignIn(ctx, &c, st, key, state, q.Get("code"))
	if refused != nil {
		return c.ID, *refused
	}
	return c.ID, s.commit(ctx, g)
}

// verifySignIn redeems the code and checks everything that can be checked. It writes
// nothing.
func (s *Service) verifySignIn(ctx context.Context, c *directory.Connection, st directory.OAuthState, key directory.Secret, state, code string) (*verifiedSignIn, *Page) {
	tok, err := s.redeem(ctx, st, code, derive(key, "pkce", state))
	if err != nil {
		return nil, s.tokensFailed(ctx, c.ID, err)
	}
	raw, _ := tok.Extra("id_token").(string)
	who, err := s.verify(ctx, raw, derive(key, "nonce", state))
	switch {
	case errors.Is(err, errConsumer):
		return nil, &pageConsumer
	case errors.Is(err, errKeys) || errors.Is(err, context.DeadlineExceeded):
		return nil, s.tokensFailed(ctx, c.ID, &TokenError{ErrTransient, directory.Problem{
			Code: directory.CodeMicrosoftUnreachable, Message: "Microsoft's signing keys could not be read.", Next: nextWait}})
	case err != nil:
		s.cfg.Log.Warn("an id_token was refused", "connectionId", string(c.ID), "error", redact(err.Error(), []directory.Secret{directory.NewSecret(raw)}))
		return nil, &pageIdentity
	}
	g := &verifiedSignIn{id: directory.NewSignInID(s.now()), identity: who, state: st, tokens: s.tokensOf(tok, tokenSet{}), at: s.now()}
	if g.tokens.refresh.IsZero() {
		return nil, &pageNoRefresh
	}
	if missing := missingScopes(g.tokens.scopes); len(missing) > 0 {
		return nil, pageScopes(missing)
	}
	return g, s.readTenant(ctx, c, g, who)
}

// redeem exchanges the code at the authority where it was asked for.
func (s *Service) redeem(ctx context.Context, st directory.OAuthState, code, verifier string) (*oauth2.Token, error) {
	secret, err := s.clientSecret(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, s.http), 10*time.Second)
	defer cancel()
	tok, err := s.oauth(st.Authority, st.Scopes, secret).Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, s.tokenRefused(ctx, atSignIn, err, directory.NewSecret(code), directory.NewSecret(verifier), secret)
	}
	return tok, nil
}

// missingScopes returns the permissions that we need and that were not granted.
// Microsoft may write them with Graph's address in front.
func missingScopes(scopes []string) []string {
	var missing []string
	for _, want := range graphScopes {
		has := func(s string) bool { return strings.EqualFold(s[strings.LastIndexByte(s, '/')+1:], want) }
		if !slices.ContainsFunc(scopes, has) {
			missing = append(missing, want)
		}
	}
	return missing
}

// fixedToken is the source for the few calls of a callback.
type fixedToken struct{ access directory.Secret }

func (f fixedToken) Token(context.Context) (directory.Secret, error) { return f.access, nil }

func (f fixedToken) Renew(context.Context, directory.Secret) (directory.Secret, error) {
	return directory.Secret{}, fmt.Errorf("the token of this sign-in is refused: %w", directory.ErrUnauthorized)
}

// readTenant asks Graph whom we have to do with and compares that with what is
// expected.
func (s *Service) readTenant(ctx context.Context, c *directory.Connection, g *verifiedSignIn, who identity) *Page {
	graph := s.graph(fixedToken{g.tokens.access})
	var err error
	if g.tenant, err = graph.Organization(ctx); err != nil {
		return s.graphFailed(ctx, c.ID, "organization", err)
	}
	me, err := graph.Me(ctx)
	if err != nil {
		return s.graphFailed(ctx, c.ID, "me", err)
	}
	roles, err := graph.MyRoles(ctx)
	if err != nil {
		return s.graphFailed(ctx, c.ID, "roles", err)
	}
	if !strings.EqualFold(string(g.tenant.ID), string(who.TenantID)) || !strings.EqualFold(string(me.ID), string(who.ObjectID)) {
		return &pageIdentity
	}
	if len(g.tenant.Domains) == 0 { // every tenant has its first one: this is no answer
		return s.graphFailed(ctx, c.ID, "domains", errors.New("no verified domain"))
	}
	g.tenant.ID = who.TenantID
	g.admin = directory.Administrator{
		ObjectID: who.ObjectID, UserPrincipalName: me.UserPrincipalName(),
		DisplayName: me.Properties[directory.PropDisplayName].String(), At: g.at,
	}
	for _, r := range roles {
		g.admin.Roles = append(g.admin.Roles, r.DisplayName)
	}
	slices.Sort(g.admin.Roles)
	if page := otherTenant(c, &g.tenant); page != nil {
		return page
	}
	if d := c.ExpectedDomain; d != "" && !verifiedIn(&g.tenant, d) {
		return pageDomain(d, &g.tenant)
	}
	if !directory.ManagesUsers(roles) {
		return pageRole(&g.admin)
	}
	return s.rejectGoDaddy(ctx, c, &g.tenant)
}

func verifiedIn(t *directory.Tenant, domain string) bool {
	return slices.ContainsFunc(t.Domains, func(d directory.Domain) bool {
		return directory.FoldDomain(d.Name) == directory.FoldDomain(domain)
	})
}

func domainNames(t *directory.Tenant) []string {
	names := make([]string, len(t.Domains))
	for i, d := range t.Domains {
		names[i] = d.Name
	}
	return names
}

// tokensFailed turns an error on the way to tokens into a page.
func (s *Service) tokensFailed(ctx context.Context, id directory.ConnectionID, err error) *Page {
	e, ok := errors.AsType[*TokenError](err)
	if !ok {
		p := pageBusy
		if errors.Is(err, ErrConfiguration) {
			p = Page{Status: http.StatusInternalServerError, Code: directory.CodeConfiguration, Title: "Bindery is not set up correctly",
				Message: "A key that Bindery needs is missing or unusable. Nothing was changed.", Next: nextOurs}
		}
		return s.ourFault(ctx, p, "a callback could not be worked on", id, err)
	}
	s.cfg.Log.Warn("Microsoft gave no tokens", "connectionId", string(id), "code", e.Problem.Code, "microsoftCode", e.Problem.MicrosoftCode,
		"traceId", e.Problem.RequestID, "microsoftCorrelationId", e.Problem.CorrelationID, "error", e.Class)
	p := Page{Code: e.Problem.Code, Message: e.Problem.Message + " Nothing was changed.", Next: e.Problem.Next,
		Facts: microsoftFacts(e.Problem.MicrosoftCode, e.Problem.RequestID, e.Problem.CorrelationID)}
	v, known := rowOfCode(e.Problem.Code)
	switch {
	case known:
		p.Status, p.Title = v.remedy.status(), v.title
	case errors.Is(e.Class, ErrConfiguration):
		p.Status, p.Title = http.StatusInternalServerError, titleSetUp
	case errors.Is(e.Class, ErrTransient):
		p.Status, p.Title = http.StatusServiceUnavailable, "Microsoft did not answer"
	default:
		p.Status, p.Title = http.StatusBadRequest, "Microsoft refused the sign-in"
	}
	if p.Next == nextWait { // a person at a browser does not try again by themselves
		p.Next = "Wait a minute. " + startAgain
	}
	return &p
}

func (s *Service) graphFailed(ctx context.Context, id directory.ConnectionID, what string, err error) *Page {
	return s.ourFault(ctx, pageGraph, "Microsoft Graph failed in a callback", id, err, "call", what)
}

// ourFault is a page about what is not the visitor's fault, with what to ask for: what
// Microsoft said, or the incident under which the log has the error.
func (s *Service) ourFault(ctx context.Context, p Page, line string, id directory.ConnectionID, err error, attrs ...any) *Page {
	told := incident.ProblemOf(ctx, s.cfg.Log, slog.LevelError, line, err, directory.Problem{Code: p.Code}, append(attrs, "connectionId", string(id))...)
	p.Facts = microsoftFacts(told.MicrosoftCode, told.RequestID, told.CorrelationID)
	if told.Incident != "" {
		p.Facts = append(p.Facts, Fact{factIncident, told.Incident})
	}
	return &p
}
