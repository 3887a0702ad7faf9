package connect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"bindery/shared/clock"
	"bindery/shared/directory"
)

// TokenSource gives access tokens of one connection and epoch. It is safe for
// concurrent use. Errors are *TokenError, or directory.ErrLeaseLost when the
// connection was let go.
type TokenSource interface {
	// Token returns an access token that lives for a while yet.
	Token(ctx context.Context) (directory.Secret, error)
	// Renew returns another token than the one that Graph has just refused. When
	// Graph refuses fresh ones too, that is transient at first: a fault at Microsoft
	// may look so. The authorisation is lost when it stays.
	Renew(ctx context.Context, rejected directory.Secret) (directory.Secret, error)
}

const (
	refreshBefore = 5 * time.Minute  // a token is refreshed this long before its end
	minLife       = 30 * time.Second // with less left, a token is not given out at all
	saveRetry     = 30 * time.Second // between two attempts to save a token
	refreshRetry  = 30 * time.Second // after a refresh that failed while the former token lives
	loopPause     = 2 * time.Minute  // after "too many equal requests"
	// refusedFor is for how long Graph must refuse tokens that it never accepted
	// before the authorisation is lost, refusedPause lies between two of them, and
	// a refusal so long ago as refusedPast has nothing to do with one of now.
	refusedFor       = 5 * time.Minute
	refusedRetry     = time.Minute
	refusalForgotten = 20 * time.Minute
	acceptTimeout    = 5 * time.Second // for noting that a token was accepted
	connectionFresh  = time.Second     // then work under way looks again whether its identity is in effect
)

// tokenKey names what tokens are for: a connection's epoch, and the sign-in and
// identity that its record shows. What a process remembers dies with any of
// them: after a new authorisation, records have another key.
type tokenKey struct {
	id       directory.ConnectionID
	epoch    int64
	signIn   directory.SignInID
	identity identity
}

// keyOf is the key of the tokens in effect; it shows nobody when there are none.
func keyOf(c *directory.Connection) tokenKey {
	key := tokenKey{id: c.ID, epoch: c.Epoch}
	if c.InEffect() {
		key.signIn, key.identity = c.SignInID, identityOf(c.Tenant, c.AuthorizedBy)
	}
	return key
}

// keyOfSignIn is the key of the tokens of a sign-in that waits.
func keyOfSignIn(c *directory.Connection, in *directory.SignIn) tokenKey {
	return tokenKey{c.ID, c.Epoch, in.ID, identityOf(&in.Tenant, &in.AuthorizedBy)}
}

// cachedTokens is what a process remembers of a key's tokens.
type cachedTokens struct {
	set             tokenSet
	unsaved         bool      // newer than what the vault holds
	savedAt         time.Time // last attempt to save, when unsaved
	noRefreshBefore time.Time // no refresh before, as long as the token lives
}

func (s *Service) cachedTokensOf(key tokenKey) (cachedTokens, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.cache[key]
	return c, ok
}

func (s *Service) cacheTokens(key tokenKey, c cachedTokens) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	// Dead tokens of epochs that nobody asks for any more need no room.
	maps.DeleteFunc(s.cache, func(k tokenKey, old cachedTokens) bool { return k != key && now.Sub(old.set.expiry) > 24*time.Hour })
	s.cache[key] = c
}

func (s *Service) dropTokens(key tokenKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.cache, key)
}

// dropPastTokens forgets the tokens of a connection's past epochs.
func (s *Service) dropPastTokens(c *directory.Connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.cache, func(k tokenKey, _ cachedTokens) bool { return k.id == c.ID && k.epoch < c.Epoch })
	maps.DeleteFunc(s.keptAlive, func(k tokenKey, _ time.Time) bool { return k.id == c.ID && k.epoch < c.Epoch })
}

// Tokens returns the source of the tokens of the identity that c shows as
// authorised. It gives no others: within a second of the connection being
// authorised anew, or let go, in whatever process, work that began before gets no
// token any more, ends with a transient error and begins again. It is cheap; the
// tokens are cached in the Service. c is to be read right before.
func (s *Service) Tokens(c *directory.Connection) TokenSource {
	return &tokens{s: s, key: keyOf(c), seen: s.now()}
}

type tokens struct {
	s   *Service
	key tokenKey

	mu   sync.Mutex // not held across a call
	seen time.Time  // when the record last showed the key's identity
}

func (t *tokens) Token(ctx context.Context) (directory.Secret, error) {
	return t.token(ctx, directory.Secret{})
}

func (t *tokens) Renew(ctx context.Context, rejected directory.Secret) (directory.Secret, error) {
	return t.token(ctx, rejected)
}

func (t *tokens) token(ctx context.Context, rejected directory.Secret) (directory.Secret, error) {
	now := t.s.now()
	t.mu.Lock()
	age := now.Sub(t.seen)
	t.mu.Unlock()
	if age < 0 || age >= connectionFresh {
		if _, err := t.s.currentConnection(ctx, t.key); err != nil {
			return directory.Secret{}, connectionUnread(err)
		}
		t.mu.Lock()
		t.seen = now
		t.mu.Unlock()
	}
	return t.s.token(ctx, t.key, rejected)
}

// connectionUnread is why it is not known that tokens are in effect, or that they are not.
func connectionUnread(err error) error {
	if errors.Is(err, directory.ErrLeaseLost) || isReplaced(err) {
		return err
	}
	return &TokenError{fmt.Errorf("%w: %w", ErrTransient, err), directory.Problem{
		Code: directory.CodeConnectionUnread, Message: "The connection could not be read for the moment.", Next: nextWait}}
}

// isUsable reports whether a set's access token may be given out without a
// refresh.
func (s *Service) isUsable(set tokenSet, rejected directory.Secret) bool {
	return set.livesFor(s.now(), refreshBefore) && (rejected.IsZero() || !set.access.Equal(rejected))
}

func (s *Service) token(ctx context.Context, key tokenKey, rejected directory.Secret) (directory.Secret, error) {
	c, cached := s.cachedTokensOf(key)
	if cached && c.unsaved && s.now().Sub(c.savedAt) >= saveRetry {
		var err error
		if c, err = s.saveLate(ctx, key, c); err != nil {
			return directory.Secret{}, err
		}
	}
	if cached && (s.isUsable(c.set, rejected) || s.waitsForRefresh(c, rejected)) {
		return c.set.access, nil
	}
	if cached && c.unsaved { // the vault has none that are newer
		return s.refresh(ctx, key, rejected)
	}
	set, err := s.readTokens(ctx, key)
	if err == nil && s.isUsable(set, rejected) {
		s.cacheTokens(key, cachedTokens{set: set})
		return set.access, nil
	}
	if err != nil && !isUnusable(err) {
		return directory.Secret{}, vaultUnavailable(err)
	}
	return s.refresh(ctx, key, rejected)
}

// waitsForRefresh reports whether a refresh failed lately, and the former token may
// be given out meanwhile.
func (s *Service) waitsForRefresh(c cachedTokens, rejected directory.Secret) bool {
	now := s.now()
	return rejected.IsZero() && now.Before(c.noRefreshBefore) && c.set.livesFor(now, minLife)
}

// isUnusable reports whether an error of readTokens says that the vault holds no
// tokens for the key, not only that it did not answer.
func isUnusable(err error) bool {
	return errors.Is(err, directory.ErrNotFound) || errors.Is(err, errSecret) || errors.Is(err, errForeign) || errors.Is(err, errUnconfirmed)
}

// vaultUnavailable says that the vault did not answer.
func vaultUnavailable(err error) error {
	return &TokenError{fmt.Errorf("%w: %w", ErrTransient, err), directory.Problem{
		Code: directory.CodeVaultUnavailable, Message: "The stored tokens could not be read for the moment.", Next: nextWait}}
}

// authorizationReplaced says that other tokens are in effect than those that were asked for.
func authorizationReplaced() error {
	return &TokenError{ErrTransient, directory.Problem{
		Code: directory.CodeAuthorizationRenewed, Message: "The connection was authorised anew while this was under way.", Next: nextWait}}
}

func isReplaced(err error) bool {
	e, ok := errors.AsType[*TokenError](err)
	return ok && e.Problem.Code == directory.CodeAuthorizationRenewed
}

func epochEnded(key tokenKey) error {
	return fmt.Errorf("connection %s was let go since epoch %d: %w", key.id, key.epoch, directory.ErrLeaseLost)
}

// refresh gets a new token under the lease. While another has the lease, its
// token is waited for.
func (s *Service) refresh(ctx context.Context, key tokenKey, rejected directory.Secret) (directory.Secret, error) {
	set, err := s.refreshOrWait(ctx, key, rejected)
	if err == nil {
		return set.access, nil
	}
	err = s.refreshError(key, err)
	if former, ok := s.formerToken(key, rejected, err); ok {
		return former, nil
	}
	return directory.Secret{}, err
}

// refreshOrWait refreshes, or takes what another refreshes meanwhile; errLeaseTaken
// when that one does not come to an end.
func (s *Service) refreshOrWait(ctx context.Context, key tokenKey, rejected directory.Secret) (tokenSet, error) {
	for giveUp := s.now().Add(tokenLease + 5*time.Second); ; {
		var set tokenSet
		err := s.withLease(ctx, key.id, key.epoch, tokenLease, func(ctx context.Context) (err error) {
			set, err = s.refreshUnderLease(ctx, key, rejected)
			return err
		})
		if !errors.Is(err, errLeaseTaken) {
			return set, err
		}
		if set, readErr := s.readTokens(ctx, key); readErr == nil && s.isUsable(set, rejected) {
			s.cacheTokens(key, cachedTokens{set: set})
			return set, nil
		}
		if !s.now().Before(giveUp) || clock.Sleep(ctx, 500*time.Millisecond) != nil {
			return tokenSet{}, err
		}
	}
}

// refreshError is an error of a refresh as callers get it: a *TokenError, or
// directory.ErrLeaseLost.
func (s *Service) refreshError(key tokenKey, err error) error {
	if errors.Is(err, errLeaseTaken) {
		return &TokenError{fmt.Errorf("%w: %w", ErrTransient, err), directory.Problem{
			Code: directory.CodeRefreshUnderWay, Message: "Another worker refreshes the token and does not come to an end.", Next: nextWait}}
	}
	e, ok := errors.AsType[*TokenError](err)
	if !ok {
		if errors.Is(err, directory.ErrLeaseLost) {
			return err
		}
		return &TokenError{fmt.Errorf("%w: %w", ErrTransient, err), directory.Problem{
			Code: directory.CodeRefreshFailed, Message: "The token could not be refreshed for the moment.", Next: nextWait}}
	}
	if errors.Is(e.Class, ErrConfiguration) {
		s.cfg.Log.Error("Bindery's own configuration is refused by Microsoft", "connectionId", string(key.id), "code", e.Problem.Code, "microsoftCode", e.Problem.MicrosoftCode)
	}
	return err
}

// formerToken is the token to go on with when an early refresh has failed: that
// costs nothing while the former one lives, and is in effect.
func (s *Service) formerToken(key tokenKey, rejected directory.Secret, err error) (directory.Secret, bool) {
	ended := errors.Is(err, ErrNeedsAuthorization) || errors.Is(err, directory.ErrLeaseLost) || isReplaced(err)
	c, cached := s.cachedTokensOf(key)
	if ended || !cached || !rejected.IsZero() || !c.set.livesFor(s.now(), minLife) {
		return directory.Secret{}, false
	}
	c.noRefreshBefore = s.now().Add(refreshRetry)
	s.cacheTokens(key, c)
	return c.set.access, true
}

// refreshUnderLease refreshes while the lease is ours. The connection is read first:
// tokens of an epoch that has passed are never used.
func (s *Service) refreshUnderLease(ctx context.Context, key tokenKey, rejected directory.Secret) (tokenSet, error) {
	c, err := s.currentConnection(ctx, key)
	if err != nil {
		return tokenSet{}, err
	}
	if err := authorizationGone(c); err != nil {
		return tokenSet{}, err
	}
	set, unsaved, err := s.newestTokens(ctx, key)
	if err != nil {
		return tokenSet{}, s.noTokens(ctx, c, err)
	}
	if s.isUsable(set, rejected) { // another was faster
		s.cacheTokens(key, cachedTokens{set: set, unsaved: unsaved})
		return set, nil
	}
	if s.now().Sub(set.loopSince) < loopPause {
		return tokenSet{}, &TokenError{ErrTransient, directory.Problem{
			Code: directory.CodeClientLoop, Message: "Microsoft saw too many equal requests; Bindery pauses.", Next: nextWait, MicrosoftCode: "AADSTS50196"}}
	}
	set, err = s.judgeRefusal(ctx, c, key, set, rejected)
	if err != nil {
		return tokenSet{}, err
	}
	s.cacheTokens(key, cachedTokens{set: set, unsaved: unsaved})
	fresh, err := s.exchangeRefresh(ctx, c, set)
	if err != nil {
		return tokenSet{}, s.handleRefusal(ctx, c, key, set, err)
	}
	fresh.renewed = !rejected.IsZero()
	fresh.refusedSince = set.refusedSince
	return fresh, s.save(ctx, key, fresh)
}

// authorizationGone says that no authorisation of a connection is in effect, or why
// it was lost.
func authorizationGone(c *directory.Connection) error {
	if !c.InEffect() {
		return &TokenError{ErrNeedsAuthorization, directory.Problem{
			Code: directory.CodeNotAuthorized, Message: "No authorisation of the connection is in effect.", Next: nextAgain}}
	}
	if c.Status == directory.StatusNeedsAuthorization && c.Problem != nil {
		return &TokenError{ErrNeedsAuthorization, *c.Problem}
	}
	return nil
}

// noTokens says what it means that the tokens in effect could not be read: the
// authorisation is lost when there are none, though not right after a sign-in, since
// Secrets Manager may need a moment for what is new.
func (s *Service) noTokens(ctx context.Context, c *directory.Connection, err error) error {
	if !isUnusable(err) || s.justAuthorized(c) {
		return vaultUnavailable(err)
	}
	return s.noteLost(ctx, c, unusableProblem(err))
}

// judgeRefusal judges the refusal of a token that Graph had never accepted. While
// that has not lasted, it is transient, and another token is asked for now and
// then; when it has, the authorisation is lost. The set that is returned is the one
// to refresh.
func (s *Service) judgeRefusal(ctx context.Context, c *directory.Connection, key tokenKey, set tokenSet, rejected directory.Secret) (tokenSet, error) {
	now := s.now()
	age := now.Sub(set.obtained)
	if age >= refusalForgotten {
		set.refusedSince = time.Time{}
	}
	if !set.renewed || rejected.IsZero() || !set.access.Equal(rejected) || age >= refusedFor || set.accepted && age >= refusedRetry {
		return set, nil // an older one may have been accepted unnoticed
	}
	problem := directory.Problem{Code: directory.CodeGraphRefusesTokens, Message: "Microsoft Graph refuses the connection's tokens, also fresh ones.", MicrosoftStatus: 401}
	switch {
	case set.accepted: // another one at once would be no better
	case set.refusedSince.IsZero():
		set.refusedSince = now
		if err := s.save(ctx, key, set); err != nil {
			return set, err
		}
	case now.Sub(set.refusedSince) >= refusedFor:
		problem.Next = nextAgain
		return set, s.noteLost(ctx, c, problem)
	case age >= refusedRetry:
		return set, nil
	}
	problem.Next = nextWait
	return set, &TokenError{ErrTransient, problem}
}

// Accepted notes that Graph has taken a token: when it refuses the same one later,
// another one may help.
func (t *tokens) Accepted(ctx context.Context, token directory.Secret) {
	if c, ok := t.s.cachedTokensOf(t.key); ok && c.set.access.Equal(token) && c.set.unproven() {
		t.s.noteAccepted(ctx, t.key, token)
	}
}

// unproven reports whether it is worth noting that Graph accepts the access token.
func (t *tokenSet) unproven() bool { return t.renewed && !t.accepted || !t.refusedSince.IsZero() }

// noteAccepted notes for all processes that Graph has accepted an access token. What
// cannot be noted is known in this process, and is judged by the token's age in
// others.
func (s *Service) noteAccepted(ctx context.Context, key tokenKey, token directory.Secret) {
	ctx, cancel := context.WithTimeout(ctx, acceptTimeout)
	defer cancel()
	err := s.withLease(ctx, key.id, key.epoch, tokenLease, func(ctx context.Context) error {
		if _, err := s.currentConnection(ctx, key); err != nil {
			return err
		}
		set, _, err := s.newestTokens(ctx, key)
		if err != nil || !set.access.Equal(token) || !set.unproven() {
			return err
		}
		set.accepted, set.refusedSince = true, time.Time{}
		return s.save(ctx, key, set)
	})
	if err != nil {
		s.cfg.Log.Debug("that Graph accepted a token was not noted", "connectionId", string(key.id), "error", err)
	}
	if c, ok := s.cachedTokensOf(key); ok && c.set.access.Equal(token) {
		c.set.accepted, c.set.refusedSince = true, time.Time{}
		s.cacheTokens(key, c)
	}
}

// justAuthorized reports whether the tokens in effect were stored or confirmed a
// moment ago.
func (s *Service) justAuthorized(c *directory.Connection) bool {
	at := c.AuthorizedAt
	if c.Confirmation != nil && c.Confirmation.At.After(at) {
		at = c.Confirmation.At
	}
	return s.now().Sub(at) < time.Minute
}

// unusableProblem says why the stored tokens cannot be used.
func unusableProblem(err error) directory.Problem {
	switch {
	case errors.Is(err, errForeign):
		return directory.Problem{Code: directory.CodeTokensOfAnotherIdentity,
			Message: "The stored tokens are not those of the identity that the connection shows as authorised, and are not used.",
			Next:    "Find out who wrote to Bindery's table or secrets. " + nextAgain}
	case errors.Is(err, errUnconfirmed):
		return directory.Problem{Code: directory.CodeTokensUnconfirmed,
			Message: "The connection shows an identity that nobody confirmed; its tokens are not used.",
			Next:    "Find out who wrote to Bindery's table. " + nextAgain}
	}
	return directory.Problem{Code: directory.CodeTokensMissing, Message: "The stored tokens are gone or cannot be read.", Next: nextAgain}
}

// currentConnection reads a connection and refuses when it has passed the key's epoch, or
// shows another sign-in or identity than the key.
func (s *Service) currentConnection(ctx context.Context, key tokenKey) (*directory.Connection, error) {
	c, err := s.stores.Connections.Connection(ctx, key.id)
	switch {
	case errors.Is(err, directory.ErrNotFound), err == nil && c.Epoch != key.epoch:
		s.dropTokens(key)
		return nil, epochEnded(key)
	case err == nil && keyOf(&c) != key:
		s.dropTokens(key)
		return nil, authorizationReplaced()
	}
	return &c, err
}

// newestTokens is the newer one of what this process and the vault have.
func (s *Service) newestTokens(ctx context.Context, key tokenKey) (tokenSet, bool, error) {
	set, err := s.readTokens(ctx, key)
	if c, ok := s.cachedTokensOf(key); ok && c.unsaved && (err != nil || c.set.obtained.After(set.obtained)) {
		return c.set, true, nil
	}
	return set, false, err
}

// exchangeRefresh asks Microsoft for new tokens.
func (s *Service) exchangeRefresh(ctx context.Context, c *directory.Connection, set tokenSet) (tokenSet, error) {
	secret, err := s.clientSecret(ctx)
	if err != nil {
		return tokenSet{}, err
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, s.http)
	tok, err := s.oauth(string(c.Tenant.ID), nil, secret).TokenSource(ctx, &oauth2.Token{RefreshToken: set.refresh.Reveal()}).Token()
	if err != nil {
		return tokenSet{}, s.tokenRefused(ctx, atRenewal, err, set.refresh, set.access, secret)
	}
	fresh, who := s.tokensOf(tok, set), identityOf(c.Tenant, c.AuthorizedBy)
	switch answered, told := identityOfAnswer(tok); {
	case told && answered != who:
		return tokenSet{}, &TokenError{ErrNeedsAuthorization, unusableProblem(errForeign)}
	case told && !fresh.hasIdentity():
		fresh.identity, fresh.confirmed = who, true
	}
	return fresh, nil
}

// identityOfAnswer returns the identity that Microsoft's answer to a refresh names; false
// when it names none. The answer comes from the token endpoint itself, so its
// id_token needs no other proof (OpenID Connect Core 1.0, 3.1.3.7).
func identityOfAnswer(tok *oauth2.Token) (identity, bool) {
	raw, _ := tok.Extra("id_token").(string)
	claims, err := unverifiedClaims(raw)
	who := identity{directory.TenantID(strings.ToLower(claims.TenantID)), directory.AccountID(strings.ToLower(claims.ObjectID))}
	return who, err == nil && who.TenantID != "" && who.ObjectID != ""
}

func (s *Service) clientSecret(ctx context.Context) (directory.Secret, error) {
	if s.cfg.ClientSecret == nil {
		s.reportFault(ctx, ClientSecretRefused)
		return directory.Secret{}, &TokenError{ErrConfiguration, directory.Problem{
			Code: directory.CodeClientSecretMissing, Message: "This process was given no client secret of the Entra app.", Next: nextOurs}}
	}
	secret, err := s.cfg.ClientSecret(ctx)
	if err != nil {
		s.reportFault(ctx, ClientSecretRefused)
		return secret, &TokenError{fmt.Errorf("%w: %w", ErrTransient, err), directory.Problem{
			Code: directory.CodeClientSecretUnread, Message: "The client secret of the Entra app could not be read.", Next: nextWait}}
	}
	return secret, nil
}

// handleRefusal deals with a refresh that Microsoft refused.
func (s *Service) handleRefusal(ctx context.Context, c *directory.Connection, key tokenKey, set tokenSet, err error) error {
	e, ok := errors.AsType[*TokenError](err)
	switch {
	case !ok:
		return err
	case errors.Is(e.Class, ErrNeedsAuthorization):
		return s.noteLost(ctx, c, e.Problem)
	case !errors.Is(e.Class, errLoop):
		return e
	case !set.loopSince.IsZero():
		e.Problem.Next = nextAgain
		return s.noteLost(ctx, c, e.Problem)
	}
	set.loopSince = s.now()
	if putErr := s.putTokens(ctx, key, set); putErr != nil {
		s.cfg.Log.Warn("a refusal could not be noted", "connectionId", string(key.id), "error", putErr)
	}
	old, _ := s.cachedTokensOf(key)
	old.set.loopSince = set.loopSince
	s.cacheTokens(key, old)
	return &TokenError{ErrTransient, e.Problem}
}

// save keeps fresh tokens, in memory at once and in the vault if it lets us. When
// the connection was let go or authorised anew meanwhile, they are of no use, and
// whoever did that deletes their secret.
func (s *Service) save(ctx context.Context, key tokenKey, set tokenSet) error {
	c := cachedTokens{set: set}
	if err := s.putTokens(ctx, key, set); err != nil {
		c.unsaved, c.savedAt = true, s.now()
		s.reportFault(ctx, TokensUnsaved)
		s.cfg.Log.Error("refreshed tokens could not be stored; they are kept in memory and stored later", "connectionId", string(key.id), "error", err)
	}
	s.cacheTokens(key, c)
	if _, err := s.currentConnection(ctx, key); errors.Is(err, directory.ErrLeaseLost) || isReplaced(err) {
		return err
	}
	return nil
}

// saveLate stores tokens that could not be stored before, unless the vault has
// newer ones. It returns what to use then, and an error when the key's tokens are
// not in effect any more.
func (s *Service) saveLate(ctx context.Context, key tokenKey, c cachedTokens) (cachedTokens, error) {
	c.savedAt = s.now()
	s.cacheTokens(key, c)
	err := s.withLease(ctx, key.id, key.epoch, tokenLease, func(ctx context.Context) error {
		if _, err := s.currentConnection(ctx, key); err != nil {
			return err
		}
		set, unsaved, err := s.newestTokens(ctx, key)
		if err != nil {
			return err
		}
		if !unsaved {
			c = cachedTokens{set: set}
			s.cacheTokens(key, c)
			return nil
		}
		return s.save(ctx, key, set)
	})
	switch {
	case errors.Is(err, directory.ErrLeaseLost), isReplaced(err):
		return c, err
	case err != nil:
		s.cfg.Log.Warn("refreshed tokens are still not stored", "connectionId", string(key.id), "error", err)
	}
	if now, ok := s.cachedTokensOf(key); ok {
		return now, nil
	}
	return c, nil
}

// errUnchanged ends a modification that has nothing to do.
var errUnchanged = errors.New("unchanged")

// LoseAuthorization notes that Microsoft refuses the connection as a whole, and why: an admin
// must authorise it again. Its error says that this could not be noted.
func (s *Service) LoseAuthorization(ctx context.Context, c *directory.Connection, p directory.Problem) error {
	if err := s.noteLost(ctx, c, p); !errors.Is(err, directory.ErrUnauthorized) {
		return err
	}
	return nil
}

// noteLost notes that an admin must authorise the connection again, with who gave
// the authorisation and since when it is gone, and returns that as the error.
func (s *Service) noteLost(ctx context.Context, c *directory.Connection, p directory.Problem) error {
	p.Since, p.Kind = s.now(), directory.ProblemAuthorization
	if a := c.AuthorizedBy; a != nil {
		// By whom is the connection's to say (authorizedBy): this text is mailed.
		p.Message += fmt.Sprintf(" It was authorised on %s.", a.At.UTC().Format(time.DateOnly))
	}
	s.dropTokens(keyOf(c))
	_, err := s.stores.Connections.ModifyConnection(ctx, directory.SystemAuditEvent(directory.AuditLoseAuthorization, p.Message), c.ID, func(now *directory.Connection) error {
		if now.Status != directory.StatusActive || keyOf(now) != keyOf(c) {
			return errUnchanged // deactivated, or authorised anew
		}
		now.Status, now.Problem = directory.StatusNeedsAuthorization, &p
		return nil
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		s.cfg.Log.Error("a lost authorisation could not be noted", "connectionId", string(c.ID), "code", p.Code, "error", err)
	} else if err == nil {
		s.cfg.Log.Warn("a connection needs authorisation", "connectionId", string(c.ID), "code", p.Code, "microsoftCode", p.MicrosoftCode)
	}
	return &TokenError{ErrNeedsAuthorization, p}
}

// TokensUsed returns when the tokens in effect were last renewed. The error is
// that of the vault when it does not answer, and a *TokenError when there are no
// tokens, or none of the identity that the connection shows.
func (s *Service) TokensUsed(ctx context.Context, c *directory.Connection) (time.Time, error) {
	set, err := s.readTokens(ctx, keyOf(c))
	if err != nil && isUnusable(err) {
		err = &TokenError{ErrNeedsAuthorization, unusableProblem(err)}
	}
	return set.obtained, err
}
