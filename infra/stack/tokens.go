package stack

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"bindery/shared/api/admin"
	"bindery/shared/directory"
	"bindery/shared/platform/ownfile"
)

// Who signs the bearer tokens of the API's callers, and for whom.
const (
	IssuerURL = "https://bindery.invalid/local"
	Audience  = "bindery"
	tokenLife = 365 * 24 * time.Hour
)

// AdminScopes are all scopes of an admin.
var AdminScopes = []string{admin.ScopeRead, admin.ScopeWrite, admin.ScopeAdmin, admin.ScopeApprove}

// TokenFiles are the tokens that a stack writes, a file for each part that
// somebody plays: to try out what a scope may do, and what it may not. Whoever
// sets up connections, or approves, must see them; writing is tried by itself.
var TokenFiles = map[string][]string{
	"admin-token":       AdminScopes,
	"read-token":        {admin.ScopeRead},
	"write-token":       {admin.ScopeWrite},
	"connections-token": {admin.ScopeRead, admin.ScopeAdmin},
	"approve-token":     {admin.ScopeRead, admin.ScopeApprove},
	"ad-token":          {admin.ScopeRead, admin.ScopeWrite, "bindery/source.ad"},
}

// Issuer stands where the template's OIDC issuer stands on AWS: it signs the
// admins' bearer tokens, and checks them as API Gateway's authorizer does before a
// function is called.
type Issuer struct {
	key directory.Secret // of HS256
	now func() time.Time
}

// OpenIssuer reads or makes the signing key in a folder.
func OpenIssuer(dir string) (*Issuer, error) {
	path := filepath.Join(dir, "token-key")
	key, err := ownfile.Read(path)
	if errors.Is(err, os.ErrNotExist) {
		key = make([]byte, 32)
		rand.Read(key)
		if err = ownfile.Create(path, key); errors.Is(err, os.ErrExist) {
			key, err = ownfile.Read(path) // another process was faster
		}
	}
	if err != nil {
		return nil, err
	}
	if len(key) != 32 {
		return nil, fmt.Errorf("%s is damaged; delete it to have new tokens written", path)
	}
	return &Issuer{key: directory.NewSecret(string(key)), now: time.Now}, nil
}

// Issue signs a token.
func (i *Issuer) Issue(subject string, scopes ...string) (string, error) {
	return i.IssueFor(subject, tokenLife, scopes)
}

// IssueFor signs a token that lives for a time; below zero, that is over.
func (i *Issuer) IssueFor(subject string, life time.Duration, scopes []string) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(i.key.Reveal())}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	now := i.now()
	return jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: IssuerURL, Subject: subject, Audience: jwt.Audience{Audience},
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(life)),
	}).Claims(granted(subject, scopes)).Serialize()
}

// granted are the claims of what a token grants. One that speaks for a source is an app's,
// got by client credentials, and names the app as Cognito does.
func granted(subject string, scopes []string) map[string]any {
	claims := map[string]any{"scope": strings.Join(scopes, " ")}
	if slices.ContainsFunc(scopes, func(s string) bool { return strings.HasPrefix(s, "bindery/source.") }) {
		claims["client_id"] = subject
	}
	return claims
}

// Verify checks a token as an authorizer does and returns its claims.
func (i *Issuer) Verify(token string) (map[string]any, error) {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return nil, err
	}
	var std jwt.Claims
	var all map[string]any
	if err := parsed.Claims([]byte(i.key.Reveal()), &std, &all); err != nil {
		return nil, err
	}
	if err := std.ValidateWithLeeway(jwt.Expected{Issuer: IssuerURL, AnyAudience: jwt.Audience{Audience}, Time: i.now()}, time.Minute); err != nil {
		return nil, err
	}
	return all, nil
}

// bearer returns the token of a request, or "".
func bearer(r *http.Request) string {
	kind, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(kind, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// writeFiles puts the callers' tokens into files that only their owner reads.
func (i *Issuer) writeFiles(dir string) error {
	for name, scopes := range TokenFiles {
		token, err := i.Issue(strings.TrimSuffix(name, "-token")+"@local", scopes...)
		if err != nil {
			return err
		}
		if err := ownfile.Write(filepath.Join(dir, name), []byte(token+"\n")); err != nil {
			return err
		}
	}
	return nil
}
