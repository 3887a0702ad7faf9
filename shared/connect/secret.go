package connect

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"bindery/shared/directory"
)

// tokenSet is the content of a connection's secret.
type tokenSet struct {
	refresh, access directory.Secret
	expiry          time.Time
	scopes          []string
	obtained        time.Time
	// renewed: the access token was asked for because Graph had refused the
	// one before. When it is refused as well, refreshing does not help.
	renewed bool
	// loopSince is when Microsoft first said that we ask too often (50196).
	loopSince time.Time
}

// storedTokens is a tokenSet as it is stored.
type storedTokens struct {
	RefreshToken string    `json:"refreshToken"`
	AccessToken  string    `json:"accessToken"`
	Expiry       time.Time `json:"expiry"`
	Scopes       []string  `json:"scopes"`
	Obtained     time.Time `json:"obtained"`
	Renewed      bool      `json:"renewed,omitempty"`
	LoopSince    time.Time `json:"loopSince,omitzero"`
}

// errSecret: a secret that holds something else than tokens.
var errSecret = errors.New("the stored tokens cannot be read")

func (t tokenSet) encode() (directory.Secret, error) {
	b, err := json.Marshal(storedTokens{
		t.refresh.Reveal(), t.access.Reveal(), t.expiry, t.scopes, t.obtained, t.renewed, t.loopSince,
	})
	return directory.NewSecret(string(b)), err
}

func decodeTokens(secret directory.Secret) (tokenSet, error) {
	var st storedTokens
	if json.Unmarshal([]byte(secret.Reveal()), &st) != nil || st.RefreshToken == "" {
		return tokenSet{}, errSecret // the decoder's own words may quote a token
	}
	return tokenSet{
		directory.NewSecret(st.RefreshToken), directory.NewSecret(st.AccessToken), st.Expiry, st.Scopes, st.Obtained, st.Renewed, st.LoopSince,
	}, nil
}

// lives reports whether the access token can still be used for margin.
func (t tokenSet) lives(now time.Time, margin time.Duration) bool {
	return !t.access.IsZero() && now.Add(margin).Before(t.expiry)
}

// defaultLife is taken when an answer does not say how long a token lives.
const defaultLife = 10 * time.Minute

// received makes a tokenSet of an answer. When the answer brings no new refresh
// token the former one goes on.
func (s *Service) received(tok *oauth2.Token, former tokenSet) tokenSet {
	now := s.now()
	life := time.Duration(tok.ExpiresIn) * time.Second
	if life <= 0 || life > 48*time.Hour {
		life = defaultLife
	}
	set := tokenSet{
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

func (s *Service) readTokens(ctx context.Context, key tokenKey) (tokenSet, error) {
	secret, err := s.vault.Get(ctx, secretName(key.id, key.epoch))
	if err != nil {
		return tokenSet{}, err
	}
	return decodeTokens(secret)
}

// putTokens stores a set, and tries again soon when that fails: twice, within
// the time that ctx leaves.
func (s *Service) putTokens(ctx context.Context, key tokenKey, set tokenSet) error {
	secret, err := set.encode()
	if err != nil {
		return errSecret
	}
	for wait := 200 * time.Millisecond; ; wait *= 4 {
		if err = s.vault.Put(ctx, secretName(key.id, key.epoch), secret); err == nil || wait > time.Second {
			return err
		}
		if sleep(ctx, wait) != nil {
			return err
		}
	}
}
