package main

import (
	"maps"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Every claim is passed on, as API Gateway's authorizer does.
func TestVerifyPassesClaimsOn(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	i, err := openIssuer(t.TempDir(), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: i.key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": localIssuer, "aud": localAudience, "sub": "ada", "exp": now.Add(time.Hour).Unix(),
		"scp": "bindery/read bindery/write", "roles": []string{"bindery/approve", "bindery/read"},
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	got, err := i.verify(token)
	want := map[string]string{
		"iss": localIssuer, "aud": localAudience, "sub": "ada", "exp": "1772445600",
		"scp": "bindery/read bindery/write", "roles": "[bindery/approve bindery/read]",
	}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("verify = %v, %v, want %v", got, err, want)
	}
}
