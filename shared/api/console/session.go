package console

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
)

// How long a session lasts.
const (
	idleFor   = time.Hour
	longest   = 12 * time.Hour
	freshFor  = 5 * time.Minute // a sign-in that is good for what cannot be taken back
	saveAfter = 5 * time.Minute // a row is written again so seldom while its session is used
	// renewBefore is how long before its end a token is exchanged for a new one.
	renewBefore = 2 * time.Minute
)

// session is what the console keeps of somebody who signed in. It lies in the table
// sealed.
type session struct {
	Subject      string    `json:"subject"`
	Name         string    `json:"name"` // for the frame
	AccessToken  string    `json:"accessToken"`
	RefreshToken string    `json:"refreshToken,omitempty"`
	Expires      time.Time `json:"expires,omitzero"` // of the access token
	Scopes       []string  `json:"scopes"`           // that the access token says it has
	Opaque       bool      `json:"opaque,omitempty"` // it does not say
	SignedIn     time.Time `json:"signedIn"`         // when the issuer last asked who it is
	Created      time.Time `json:"created"`
	Seen         time.Time `json:"seen"` // when the row was last written

	secret  []byte // of the cookie
	version int64  // of the row
}

// has reports whether the session's token has a scope. One that does not say what it
// has may have it: the API knows.
func (s *session) has(scope string) bool {
	return s != nil && (s.Opaque || scope == "" || slices.Contains(s.Scopes, scope))
}

// fresh reports whether the issuer asked who it is a moment ago.
func (s *session) fresh(now time.Time) bool { return s != nil && now.Sub(s.SignedIn) <= freshFor }

// over reports whether the session's time has passed.
func (s *session) over(now time.Time) bool {
	return !now.Before(s.Created.Add(longest)) || !now.Before(s.Seen.Add(idleFor+saveAfter))
}

// ends is when the row of a session that is written now is of no use any more.
func (s *session) ends() time.Time {
	end := s.Seen.Add(idleFor + saveAfter)
	if last := s.Created.Add(longest); last.Before(end) {
		end = last
	}
	return end
}

// secretBytes is how long the secret of a cookie is.
const secretBytes = 32

func newSecret() []byte {
	b := make([]byte, secretBytes)
	rand.Read(b)
	return b
}

// rowOf is the name of a session's row, and what its content is sealed with.
func rowOf(secret []byte) (name string, seal cipher.AEAD, err error) {
	sum := sha256.Sum256(secret)
	key, err := hkdf.Key(sha256.New, secret, nil, "bindery console session", 32)
	if err != nil {
		return "", nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", nil, err
	}
	seal, err = cipher.NewGCMWithRandomNonce(block)
	return hex.EncodeToString(sum[:]), seal, err
}

// errNoSession says that nobody is signed in by a cookie.
var errNoSession = errors.New("console: no session")

// load reads the session of a secret.
func (c *Console) load(ctx context.Context, secret []byte) (*session, error) {
	name, seal, err := rowOf(secret)
	if err != nil {
		return nil, err
	}
	sealed, version, err := c.cfg.Sessions.Session(ctx, name)
	if errors.Is(err, directory.ErrNotFound) {
		return nil, errNoSession
	}
	if err != nil {
		return nil, err
	}
	plain, err := seal.Open(nil, nil, sealed, []byte(name))
	if err != nil {
		return nil, errNoSession // somebody wrote over it
	}
	s := &session{secret: secret, version: version}
	if err := json.Unmarshal(plain, s); err != nil {
		return nil, errNoSession // of another version
	}
	if s.over(c.cfg.Now()) {
		return nil, errNoSession
	}
	return s, nil
}

// save stores a session over the version that was read. directory.ErrStale when
// another request was faster.
func (c *Console) save(ctx context.Context, s *session) error {
	name, seal, err := rowOf(s.secret)
	if err != nil {
		return err
	}
	s.Seen = c.cfg.Now().UTC()
	plain, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := c.cfg.Sessions.SaveSession(ctx, name, seal.Seal(nil, nil, plain, []byte(name)), s.version, s.ends()); err != nil {
		return err
	}
	s.version++
	return nil
}

// end deletes the row of a secret.
func (c *Console) end(ctx context.Context, secret []byte) error {
	name, _, err := rowOf(secret)
	if err != nil {
		return err
	}
	return c.cfg.Sessions.EndSession(ctx, name)
}

// signedIn returns the session of a request: with a token that is good for a while,
// and noted as used. errNoSession when nobody is signed in.
func (c *Console) signedIn(ctx context.Context, r *http.Request) (*session, error) {
	secret := c.secretOf(r, sessionCookie)
	if secret == nil {
		return nil, errNoSession
	}
	s, err := c.load(ctx, secret)
	if err != nil {
		return nil, err
	}
	now := c.cfg.Now()
	if !s.Expires.IsZero() && s.Expires.Sub(now) < renewBefore {
		return c.renew(ctx, s)
	}
	if now.Sub(s.Seen) >= saveAfter {
		if err := c.save(ctx, s); err != nil && !errors.Is(err, directory.ErrStale) {
			return nil, err
		}
	}
	return s, nil
}

// renew exchanges the refresh token of a session. Of requests at once one does so with
// success where the issuer takes each refresh token once; the others find what it
// stored.
func (c *Console) renew(ctx context.Context, s *session) (*session, error) {
	now := c.cfg.Now()
	if s.RefreshToken == "" {
		if now.Before(s.Expires) {
			return s, nil
		}
		return nil, errNoSession
	}
	renewed, err := c.refresh(ctx, s)
	if err == nil {
		err = c.save(ctx, renewed)
	}
	if err == nil {
		return renewed, nil
	}
	stored, loadErr := c.load(ctx, s.secret)
	switch {
	case loadErr == nil && stored.version != s.version:
		return stored, nil
	case now.Before(s.Expires):
		return s, nil // still good; the next request tries again
	case errors.Is(err, errRefused):
		return nil, errNoSession
	}
	return nil, fmt.Errorf("console: renew a session: %w", err)
}

// The names of the cookies.
const (
	sessionCookie = "bindery"
	loginCookie   = "bindery-login"
	flashCookie   = "bindery-flash"
	langCookie    = "bindery-lang"
	themeCookie   = "bindery-theme"
	keysCookie    = "bindery-keys"
)

// cookieName bears the prefix by which a browser lets no other host and no plain
// connection set it; on a laptop there is no https.
func (c *Console) cookieName(name string) string {
	if c.secure {
		return "__Host-" + name
	}
	return name
}

// setCookie sets a cookie for a time; without one, it is of the browser's session.
func (c *Console) setCookie(w http.ResponseWriter, name, value string, age time.Duration) {
	cookie := &http.Cookie{Name: c.cookieName(name), Value: value, Path: "/", HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteLaxMode}
	switch {
	case age > 0:
		cookie.MaxAge = int(age / time.Second)
	case age < 0:
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
}

func (c *Console) dropCookie(w http.ResponseWriter, name string) { c.setCookie(w, name, "", -1) }

func (c *Console) cookie(r *http.Request, name string) string {
	k, err := r.Cookie(c.cookieName(name))
	if err != nil {
		return ""
	}
	return k.Value
}

// secretOf reads the secret at the beginning of a cookie; nil when there is none.
func (c *Console) secretOf(r *http.Request, name string) []byte {
	value, _, _ := strings.Cut(c.cookie(r, name), ".")
	b, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(b) != secretBytes {
		return nil
	}
	return b
}
