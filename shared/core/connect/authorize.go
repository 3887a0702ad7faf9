package connect

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/oauth2"

	"bindery/shared/directory"
)

// oidcScopes identify the admin and give a refresh token.
var oidcScopes = []string{"openid", "profile", "offline_access"}

// graphScopes are the permissions that a connection cannot do without: a sign-in that
// does not grant them is refused. No setting needs more of accounts: User.ReadWrite.All
// also covers the password of a new account (temporary-password), blocking, ending
// sessions, deleting and restoring, managers, and photos to import.
var graphScopes = []string{"User.ReadWrite.All", "Organization.Read.All", "Domain.Read.All", "RoleManagement.Read.Directory"}

// NeededScopes are the permissions that no connection can do without.
func NeededScopes() []string { return slices.Clone(graphScopes) }

// scopesFor are the permissions that an authorisation asks for: besides the usual ones
// those that settings and rules want by then. One that is not granted refuses no sign-in;
// what wants it waits (directory.Connection.Lacking).
func scopesFor(c *directory.Connection) []string {
	scopes := slices.Concat(oidcScopes, graphScopes)
	for _, p := range c.Wanted() {
		scopes = append(scopes, p.Scope)
	}
	return scopes
}

const stateLifetime = 10 * time.Minute

// Create makes a connection and returns it with the address at which an admin
// of the tenant begins to authorise it: our own page that says who asks. expectedDomain may be empty; when it is not,
// only a tenant that has verified it is accepted.
func (s *Service) Create(ctx context.Context, by directory.Caller, name, expectedDomain string, settings directory.Settings) (directory.Connection, string, error) {
	name, expectedDomain = directory.TidyText(name), directory.FoldDomain(expectedDomain)
	if err := checkNew(name, expectedDomain, by); err != nil {
		return directory.Connection{}, "", err
	}
	if err := settings.Validate(); err != nil {
		return directory.Connection{}, "", err
	}
	now := s.now()
	c := directory.Connection{
		ID: directory.NewConnectionID(now), Name: name, Status: directory.StatusPending, Epoch: 1,
		ExpectedDomain: expectedDomain, RequestedBy: by.Subject, Settings: settings, Created: now, Updated: now,
	}
	if err := s.stores.Connections.CreateConnection(ctx, by.AuditEvent(directory.AuditCreateConnection), &c); err != nil {
		return directory.Connection{}, "", err
	}
	u, err := s.startURL(ctx, by, directory.AuditEvent{}, &c)
	return c, u, err
}

func checkNew(name, expectedDomain string, by directory.Caller) error {
	refuse := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidConnection, "The connection was not made.", "")
	if name == "" || utf8.RuneCountInString(name) > 200 || strings.ContainsFunc(name, unicode.IsControl) {
		refuse.Fields = append(refuse.Fields, directory.FieldError{Field: "name", Detail: "must have 1 to 200 characters, none of them a control character"})
	}
	if expectedDomain != "" && (!strings.Contains(expectedDomain, ".") || strings.ContainsAny(expectedDomain, "@/: \t\r\n") || len(expectedDomain) > 253) {
		refuse.Fields = append(refuse.Fields, directory.FieldError{Field: "expectedDomain", Detail: "must be a domain such as contoso.com"})
	}
	if by.Subject == "" {
		refuse.Fields = append(refuse.Fields, directory.FieldError{Field: "caller", Detail: "the token names no subject"})
	}
	if refuse.Fields == nil {
		return nil
	}
	return refuse
}

// Authorize returns the address at which an admin begins to authorise a
// connection again, or for the first time. It is allowed in every status and changes
// nothing by itself.
func (s *Service) Authorize(ctx context.Context, by directory.Caller, id directory.ConnectionID) (string, error) {
	if by.Subject == "" {
		return "", directory.Refuse(directory.ErrInvalid, directory.CodeNoSubject, "The token names no subject.", "Use a token with the claim sub.")
	}
	c, err := s.stores.Connections.Connection(ctx, id)
	if err != nil {
		return "", err
	}
	return s.startURL(ctx, by, by.AuditEvent(directory.AuditAuthorizeConnection), &c)
}

// startURL stores a one-time state and returns the address of the page that
// begins with it. act is what the state is recorded as, if it is what was asked for.
func (s *Service) startURL(ctx context.Context, by directory.Caller, act directory.AuditEvent, c *directory.Connection) (string, error) {
	key, err := s.stateKey(ctx)
	if err != nil {
		return "", err
	}
	state := randomText()
	st := directory.OAuthState{
		ConnectionID: c.ID, Epoch: c.Epoch, RequestedBy: by.Subject, Authority: anyOrganization,
		Scopes: scopesFor(c), Prompt: "select_account", Expires: s.now().Add(stateLifetime),
	}
	if c.Tenant != nil {
		st.Authority = string(c.Tenant.ID)
	}
	if c.Problem != nil && c.Problem.Code == directory.CodeConsentRemoved {
		st.Prompt = "consent"
	}
	st.Seal = sealState(key, state, st)
	if err := s.stores.States.PutState(ctx, act, hashState(state), st); err != nil {
		return "", fmt.Errorf("keep the state: %w", err)
	}
	return s.startPageURL() + "?state=" + state, nil
}

// sealState proves that a state is one of ours, and unchanged: the page that it
// begins with tells who asks, and what for.
func sealState(key directory.Secret, state string, st directory.OAuthState) string {
	st.Seal = ""
	return sealOf(key, "state", state, st)
}

// startPageURL is the address of the page that begins an authorisation: beside that
// to which Microsoft sends the browser back.
func (s *Service) startPageURL() string {
	return strings.TrimSuffix(s.cfg.RedirectURL, "/callback") + "/start"
}

// randomText is 32 random bytes as text.
func randomText() string {
	var raw [32]byte
	rand.Read(raw[:])
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// microsoftURL is where an admin signs in for a state.
func (s *Service) microsoftURL(key directory.Secret, state string, st *directory.OAuthState) string {
	return s.oauth(st.Authority, st.Scopes, directory.Secret{}).AuthCodeURL(state,
		oauth2.S256ChallengeOption(derive(key, "pkce", state)),
		oauth2.SetAuthURLParam("nonce", derive(key, "nonce", state)),
		oauth2.SetAuthURLParam("response_mode", "query"),
		oauth2.SetAuthURLParam("prompt", st.Prompt))
}

// oauth is the client's side of the protocol at one authority.
func (s *Service) oauth(authority string, scopes []string, secret directory.Secret) *oauth2.Config {
	at := s.cfg.LoginBaseURL + "/" + authority + "/oauth2/v2.0/"
	return &oauth2.Config{
		ClientID: s.cfg.ClientID, ClientSecret: secret.Reveal(), RedirectURL: s.cfg.RedirectURL, Scopes: scopes,
		Endpoint: oauth2.Endpoint{AuthURL: at + "authorize", TokenURL: at + "token", AuthStyle: oauth2.AuthStyleInParams},
	}
}

func (s *Service) stateKey(ctx context.Context) (directory.Secret, error) {
	if s.cfg.StateKey == nil {
		return directory.Secret{}, fmt.Errorf("%w: there is no key of the states", ErrConfiguration)
	}
	key, err := s.cfg.StateKey(ctx)
	if err != nil {
		return key, fmt.Errorf("key of the states: %w", err)
	}
	if len(key.Reveal()) < 16 {
		return key, fmt.Errorf("%w: the key of the states has less than 16 bytes", ErrConfiguration)
	}
	return key, nil
}

// derive makes what belongs to a state and is stored nowhere: 43 characters, as
// long as a PKCE verifier must be.
func derive(key directory.Secret, label, state string) string {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(label + "||" + state))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func hashState(state string) string {
	sum := sha256.Sum256([]byte(state))
	return hex.EncodeToString(sum[:])
}

// peekState reads a state and uses nothing up; errExpired, with the state, when
// its time is over. What cannot be one of ours is not looked for.
func (s *Service) peekState(ctx context.Context, state string) (directory.OAuthState, error) {
	if raw, err := base64.RawURLEncoding.DecodeString(state); err != nil || len(raw) != 32 {
		return directory.OAuthState{}, fmt.Errorf("state: %w", directory.ErrNotFound)
	}
	st, err := s.stores.States.State(ctx, hashState(state))
	if err == nil && !s.now().Before(st.Expires) {
		err = errExpired
	}
	return st, err
}

// errExpired: the state was ours, and too old.
var errExpired = errors.New("the state has expired")
