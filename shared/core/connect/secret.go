package connect

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"bindery/shared/clock"
	"bindery/shared/directory"
)

// tokenSet is the content of a secret: the tokens of one sign-in, and whose they
// are.
type tokenSet struct {
	signIn   directory.SignInID
	identity identity // zero of tokens that an earlier version stored, until Microsoft says whose they are
	// confirmed: somebody who may approve named this identity. Who can only write
	// to the table cannot make the tokens of any other effective.
	confirmed bool

	refresh, access directory.Secret
	expiry          time.Time
	scopes          []string
	obtained        time.Time
	// renewed: the access token was asked for because Graph had refused the
	// one before; accepted: Graph has accepted it since.
	renewed, accepted bool
	// refusedSince is when Graph first refused a renewed token that it had never
	// accepted; zero once it accepts one.
	refusedSince time.Time
	// loopSince is when Microsoft first said that we ask too often (50196).
	loopSince time.Time
}

// storedTokens is a tokenSet as it is stored.
type storedTokens struct {
	SignInID     directory.SignInID  `json:"signInId,omitempty"`
	TenantID     directory.TenantID  `json:"tenantId,omitempty"`
	ObjectID     directory.AccountID `json:"objectId,omitempty"`
	Confirmed    bool                `json:"confirmed,omitempty"`
	RefreshToken string              `json:"refreshToken"`
	AccessToken  string              `json:"accessToken"`
	Expiry       time.Time           `json:"expiry"`
	Scopes       []string            `json:"scopes"`
	Obtained     time.Time           `json:"obtained"`
	Renewed      bool                `json:"renewed,omitempty"`
	Accepted     bool                `json:"accepted,omitempty"`
	LoopSince    time.Time           `json:"loopSince,omitzero"`
	RefusedSince time.Time           `json:"refusedSince,omitzero"`
}

var (
	// errSecret: a secret that holds something else than tokens.
	errSecret = errors.New("the stored tokens cannot be read")
	// errForeign: tokens of another sign-in or identity than the record's.
	errForeign = errors.New("the stored tokens belong to another identity")
	// errUnconfirmed: tokens of an identity that nobody confirmed.
	errUnconfirmed = errors.New("the stored tokens were never confirmed")
)

func (t tokenSet) encode() (directory.Secret, error) {
	b, err := json.Marshal(storedTokens{
		SignInID: t.signIn, TenantID: t.identity.TenantID, ObjectID: t.identity.ObjectID, Confirmed: t.confirmed,
		RefreshToken: t.refresh.Reveal(), AccessToken: t.access.Reveal(), Expiry: t.expiry, Scopes: t.scopes, Obtained: t.obtained,
		Renewed: t.renewed, Accepted: t.accepted, LoopSince: t.loopSince, RefusedSince: t.refusedSince,
	})
	return directory.NewSecret(string(b)), err
}

func decodeTokens(secret directory.Secret) (tokenSet, error) {
	var st storedTokens
	if json.Unmarshal([]byte(secret.Reveal()), &st) != nil || st.RefreshToken == "" {
		return tokenSet{}, errSecret // the decoder's own words may quote a token
	}
	return tokenSet{
		signIn: st.SignInID, identity: identity{st.TenantID, st.ObjectID}, confirmed: st.Confirmed,
		refresh: directory.NewSecret(st.RefreshToken), access: directory.NewSecret(st.AccessToken), expiry: st.Expiry, scopes: st.Scopes, obtained: st.Obtained,
		renewed: st.Renewed, accepted: st.Accepted, loopSince: st.LoopSince, refusedSince: st.RefusedSince,
	}, nil
}

// hasIdentity reports whether it is known whose tokens these are. Earlier versions did
// not store that; the next refresh finds it out.
func (t *tokenSet) hasIdentity() bool { return t.signIn != "" || t.identity != identity{} }

// belongsTo reports whether the tokens are those of the sign-in and identity that
// a record shows.
func (t *tokenSet) belongsTo(key tokenKey) bool {
	if key.identity.TenantID == "" || key.identity.ObjectID == "" {
		return false // it shows nobody
	}
	if !t.hasIdentity() {
		return key.signIn == ""
	}
	return t.signIn == key.signIn && t.identity == key.identity
}

// livesFor reports whether the access token can still be used for margin.
func (t tokenSet) livesFor(now time.Time, margin time.Duration) bool {
	return !t.access.IsZero() && now.Add(margin).Before(t.expiry)
}

// defaultLife is taken when an answer does not say how long a token lives.
const defaultLife = 10 * time.Minute

// tokensOf makes a tokenSet of an answer. When the answer brings no new refresh
// token the former one goes on.
func (s *Service) tokensOf(tok *oauth2.Token, former tokenSet) tokenSet {
	now := s.now()
	life := time.Duration(tok.ExpiresIn) * time.Second
	if life <= 0 || life > 48*time.Hour {
		life = defaultLife
	}
	set := tokenSet{
		signIn: former.signIn, identity: former.identity, confirmed: former.confirmed,
		refresh: directory.NewSecret(tok.RefreshToken), access: directory.NewSecret(tok.AccessToken),
		expiry: now.Add(life), scopes: former.scopes, obtained: now,
	}
	if set.refresh.IsZero() {
		set.refresh = former.refresh
	}
	if scope, ok := tok.Extra("scope").(string); ok && scope != "" {
		set.scopes = strings.Fields(scope)
	}
	return set
}

// readTokens reads the tokens in effect. Those that are not the identity's that
// the record showed are an errForeign, those that nobody confirmed an
// errUnconfirmed: neither is ever used.
func (s *Service) readTokens(ctx context.Context, key tokenKey) (tokenSet, error) {
	set, err := s.readUnconfirmed(ctx, key)
	if err == nil && set.hasIdentity() && !set.confirmed {
		return tokenSet{}, errUnconfirmed
	}
	return set, err
}

// readUnconfirmed is readTokens of a sign-in that may still wait.
func (s *Service) readUnconfirmed(ctx context.Context, key tokenKey) (tokenSet, error) {
	secret, err := s.vault.Get(ctx, secretName(key.id, key.epoch, key.signIn))
	if err != nil {
		return tokenSet{}, err
	}
	set, err := decodeTokens(secret)
	if err == nil && !set.belongsTo(key) {
		return tokenSet{}, errForeign
	}
	return set, err
}

// putTokens gives a secret that exists a new set.
func (s *Service) putTokens(ctx context.Context, key tokenKey, set tokenSet) error {
	return s.writeTokens(ctx, key, set, s.vault.Put)
}

// createTokens makes the secret of a sign-in. No other sign-in has its name, so
// that one which is there already was made by a try whose answer was lost.
func (s *Service) createTokens(ctx context.Context, key tokenKey, set tokenSet) error {
	err := s.writeTokens(ctx, key, set, s.vault.Create)
	if errors.Is(err, directory.ErrConflict) {
		return nil
	}
	return err
}

// writeTokens writes a set, and tries again soon when that fails: twice, within the
// time that ctx leaves.
func (s *Service) writeTokens(ctx context.Context, key tokenKey, set tokenSet, call func(context.Context, string, directory.Secret) error) error {
	secret, err := set.encode()
	if err != nil {
		return errSecret
	}
	for wait := 200 * time.Millisecond; ; wait *= 4 {
		err = call(ctx, secretName(key.id, key.epoch, key.signIn), secret)
		if err == nil || wait > time.Second || errors.Is(err, directory.ErrNotFound) || errors.Is(err, directory.ErrConflict) {
			return err
		}
		if clock.Sleep(ctx, wait) != nil {
			return err
		}
	}
}
