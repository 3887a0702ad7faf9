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

	"bindery/shared/clock"
	"bindery/shared/directory"
)

// How long a session lasts.
const (
	idleFor   = time.Hour
	longest   = 12 * time.Hour
	freshFor  = 5 * time.Minute // a sign-in that is good for what cannot be taken back
	saveAfter = 5 * time.Minute // a row is written again so seldom while its session is used
	// renewBefore is how long before its end a token is exchanged for a new one; of one that
	// lives shortly, the last quarter.
	renewBefore = 2 * time.Minute
	// renewWait is how long a page waits for that while its token is good, renewPause how long
	// nobody asks after the issuer did not answer.
	renewWait  = 2 * time.Second
	renewPause = 30 * time.Second
	// renewFor is how long one request may take for that before another tries, renewSpare
	// how much of it is left when the one gives up, renewLook how often who waits looks.
	renewFor   = 15 * time.Second
	renewSpare = 5 * time.Second
	renewLook  = 100 * time.Millisecond
	renewTries = 4
)

// session is what the console keeps of somebody who signed in. It lies in the table
// sealed.
type session struct {
	Subject string `json:"subject"`
	Name    string `json:"name"` // for the frame
	// The tokens are in the row by storedSession.
	AccessToken  directory.Secret `json:"-"`
	RefreshToken directory.Secret `json:"-"`
	Expires      time.Time        `json:"expires,omitzero"` // of the access token
	Lives        time.Duration    `json:"lives,omitempty"`  // how long the access token was good for when it came
	Scopes       []string         `json:"scopes"`           // that the access token says it has
	Opaque       bool             `json:"opaque,omitempty"` // it does not say
	SignedIn     time.Time        `json:"signedIn"`         // when the issuer last asked who it is
	Created      time.Time        `json:"created"`
	Seen         time.Time        `json:"seen"` // when the row was last written
	// Renewing is since when a request exchanges the refresh token; zero: none does.
	Renewing time.Time `json:"renewing,omitzero"`
	// Unanswered is when the issuer did not answer such a request; zero: it did.
	Unanswered time.Time `json:"unanswered,omitzero"`

	secret  directory.Secret // of the cookie
	version int64            // of the row
	// unattended says that a page looks again by itself: nobody uses the session by that.
	unattended bool
}

// lookHeader is on the requests by which the script looks again whether anything has changed.
const lookHeader = "X-Console-Look"

// storedSession is the form of a session in its row, before it is sealed.
type storedSession struct {
	*session
	AccessToken  string `json:"accessToken"`
	RefreshToken string `json:"refreshToken,omitempty"`
}

// has reports whether the session's token has a scope. One that does not say what it
// has may have it: the API knows.
func (s *session) has(scope string) bool {
	return s != nil && (s.Opaque || scope == "" || slices.Contains(s.Scopes, scope))
}

// fresh reports whether the issuer asked who it is a moment ago.
func (s *session) fresh(now time.Time) bool { return s != nil && now.Sub(s.SignedIn) <= freshFor }

// due reports whether the access token is to be exchanged.
func (s *session) due(now time.Time) bool {
	before := renewBefore
	if s.Lives > 0 {
		before = min(before, s.Lives/4)
	}
	return !s.Expires.IsZero() && s.Expires.Sub(now) < before
}

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

func newSecret() directory.Secret {
	b := make([]byte, secretBytes)
	rand.Read(b)
	return directory.NewSecret(string(b))
}

// rowOf is the name of a session's row, and what its content is sealed with.
func rowOf(secret directory.Secret) (name string, seal cipher.AEAD, err error) {
	sum := sha256.Sum256([]byte(secret.Reveal()))
	key, err := hkdf.Key(sha256.New, []byte(secret.Reveal()), nil, "bindery console session", 32)
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
func (c *Console) load(ctx context.Context, secret directory.Secret) (*session, error) {
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
	stored := storedSession{session: s}
	if err := json.Unmarshal(plain, &stored); err != nil {
		return nil, errNoSession // of another version
	}
	s.AccessToken, s.RefreshToken = directory.NewSecret(stored.AccessToken), directory.NewSecret(stored.RefreshToken)
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
	if !s.unattended {
		s.Seen = c.cfg.Now().UTC()
	}
	plain, err := json.Marshal(storedSession{s, s.AccessToken.Reveal(), s.RefreshToken.Reveal()})
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
func (c *Console) end(ctx context.Context, secret directory.Secret) error {
	name, _, err := rowOf(secret)
	if err != nil {
		return err
	}
	return c.cfg.Sessions.EndSession(ctx, name)
}

// signedIn returns the session of a request: with a token that is good for a while,
// and noted as used, unless it is a page that looks again by itself: that would keep the
// session of somebody who has left. errNoSession when nobody is signed in.
func (c *Console) signedIn(ctx context.Context, r *http.Request) (*session, error) {
	secret := c.secretOf(r, sessionCookie)
	if secret.IsZero() {
		return nil, errNoSession
	}
	s, err := c.load(ctx, secret)
	if err != nil {
		return nil, err
	}
	now := c.cfg.Now()
	s.unattended = r.Header.Get(lookHeader) != ""
	if s.due(now) {
		return c.renew(ctx, s)
	}
	if !s.unattended && now.Sub(s.Seen) >= saveAfter {
		if err := c.save(ctx, s); err != nil && !errors.Is(err, directory.ErrStale) {
			return nil, err
		}
	}
	return s, nil
}

// renew exchanges the refresh token of a session for new tokens. An issuer that notices a
// refresh token which comes twice takes it for stolen, and ends all that came of it (RFC 9700,
// section 4.14.2): so of requests at once, in one process or in many, one has the lease in
// the row and asks. The others go on with the token while it is good, and else wait for what
// the one stores. Who held the lease and is gone, holds it for renewFor.
func (c *Console) renew(ctx context.Context, s *session) (*session, error) {
	for unattended := s.unattended; ; s.unattended = unattended {
		now := c.cfg.Now()
		switch {
		case !s.due(now):
			return s, nil // another request was faster
		case s.RefreshToken.IsZero():
			if now.Before(s.Expires) {
				return s, nil
			}
			return nil, errNoSession
		case now.Before(s.Expires) && now.Before(s.Unanswered.Add(renewPause)):
			return s, nil
		case s.Renewing.IsZero() || !now.Before(s.Renewing.Add(renewFor)):
			mine := *s
			mine.Renewing = now.UTC()
			err := c.save(ctx, &mine)
			if err == nil {
				return c.renewedSoon(ctx, s, &mine)
			}
			if !errors.Is(err, directory.ErrStale) {
				return nil, fmt.Errorf("console: renew a session: %w", err)
			}
		case now.Before(s.Expires):
			return s, nil
		default:
			if err := clock.Sleep(ctx, renewLook); err != nil {
				return nil, fmt.Errorf("console: renew a session: %w", err)
			}
		}
		var err error
		if s, err = c.load(ctx, s.secret); err != nil {
			return nil, err
		}
	}
}

// renewedSoon does so for who has the lease. While the token that there is is good, the page
// waits for a moment only, and goes on with that: a slow issuer is no reason to wait. The
// exchange goes on beside it.
func (c *Console) renewedSoon(ctx context.Context, s, mine *session) (*session, error) {
	if !c.cfg.Now().Before(s.Expires) {
		return c.renewed(ctx, mine)
	}
	type renewal struct {
		s   *session
		err error
	}
	done := make(chan renewal, 1)
	go func() {
		fresh, err := c.renewed(ctx, mine)
		done <- renewal{fresh, err}
	}()
	wait := time.NewTimer(renewWait)
	defer wait.Stop()
	select {
	case r := <-done:
		return r.s, r.err
	case <-wait.C:
		return s, nil
	}
}

// renewed does so for who has the lease. It is not given up when the browser goes: the answer
// holds the only token by which the session goes on.
func (c *Console) renewed(ctx context.Context, s *session) (*session, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewFor-renewSpare)
	defer cancel()
	fresh, err := c.refresh(ctx, s)
	refused := errors.Is(err, errRefused)
	if refused { // it is of no use any more; the access token is until its end
		s.RefreshToken = directory.Secret{}
	}
	if err != nil {
		c.cfg.Log.WarnContext(ctx, "console: a session cannot be renewed", "refused", refused)
		fresh = s
	}
	fresh.Renewing, fresh.Unanswered = time.Time{}, time.Time{}
	if err != nil && !refused {
		fresh.Unanswered = c.cfg.Now().UTC()
	}
	if saved := c.keep(ctx, fresh); saved != nil {
		return nil, fmt.Errorf("console: renew a session: %w", saved)
	}
	switch {
	case err == nil || c.cfg.Now().Before(s.Expires):
		return fresh, nil
	case refused:
		return nil, errNoSession
	}
	return nil, fmt.Errorf("console: renew a session: %w", err)
}

// keep stores what the one who has the lease brings, also where the table fails once.
// errNoSession when the session has ended meanwhile.
func (c *Console) keep(ctx context.Context, s *session) error {
	for try := 0; ; try++ {
		err := c.save(ctx, s)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, directory.ErrStale): // by a write whose answer got lost, or signed out
			stored, err := c.load(ctx, s.secret)
			switch {
			case err != nil:
				return err
			case stored.AccessToken.Equal(s.AccessToken) && stored.Renewing.IsZero():
				s.version = stored.version
				return nil
			}
			return directory.ErrStale
		case try == renewTries-1:
			return err
		}
		if err := clock.Sleep(ctx, renewLook); err != nil {
			return err
		}
	}
}

// The names of the cookies.
const (
	sessionCookie = "bindery"
	loginCookie   = "bindery-login"
	flashCookie   = "bindery-flash"
	langCookie    = "bindery-lang"
	themeCookie   = "bindery-theme"
	densityCookie = "bindery-density"
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

// secretOf reads the secret at the beginning of a cookie, if there is one.
func (c *Console) secretOf(r *http.Request, name string) directory.Secret {
	value, _, _ := strings.Cut(c.cookie(r, name), ".")
	b, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(b) != secretBytes {
		return directory.Secret{}
	}
	return directory.NewSecret(string(b))
}
