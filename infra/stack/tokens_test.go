package stack

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"bindery/infra/apigateway"
)

// Every claim is passed on, as API Gateway's authorizer does.
func TestVerifyPassesClaimsOn(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	i, err := OpenIssuer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	i.now = func() time.Time { return now }
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(i.key.Reveal())}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": IssuerURL, "aud": Audience, "sub": "ada", "exp": now.Add(time.Hour).Unix(),
		"scp": "bindery/read bindery/write", "roles": []string{"bindery/approve", "bindery/read"},
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	all, err := i.Verify(token)
	got := apigateway.Claims(all)
	want := map[string]string{
		"iss": IssuerURL, "aud": Audience, "sub": "ada", "exp": "1772445600",
		"scp": "bindery/read bindery/write", "roles": "[bindery/approve bindery/read]",
	}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("verify = %v, %v, want %v", got, err, want)
	}
}

// Each part has a file with its scopes, and the subjects differ: who asked for a
// thing with one of them may approve it with another.
func TestTokenFiles(t *testing.T) {
	dir := t.TempDir()
	i, err := OpenIssuer(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := i.writeFiles(dir); err != nil {
		t.Fatal(err)
	}
	subjects := map[string]bool{}
	for name, scope := range map[string]string{
		"admin-token":       "bindery/read bindery/write bindery/admin bindery/approve",
		"read-token":        "bindery/read",
		"write-token":       "bindery/write",
		"connections-token": "bindery/read bindery/admin",
		"approve-token":     "bindery/read bindery/approve",
		"ad-token":          "bindery/read bindery/write bindery/source.ad",
	} {
		token, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		all, err := i.Verify(strings.TrimSpace(string(token)))
		claims := apigateway.Claims(all)
		if err != nil || claims["scope"] != scope || claims["sub"] == "" || subjects[claims["sub"]] {
			t.Errorf("%s has the claims %v, %v, want the scope %q and a subject of its own", name, claims, err, scope)
		}
		subjects[claims["sub"]] = true
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s may be read by others: %v, %v", name, info, err)
		}
	}
}
