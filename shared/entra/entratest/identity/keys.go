package identity

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"
)

var base64url = base64.RawURLEncoding

// signingKey is one key that id_tokens are signed with, as it is kept.
type signingKey struct {
	ID      string    `json:"id"`
	DER     []byte    `json:"der"` // PKCS#1
	Created time.Time `json:"created"`

	key *rsa.PrivateKey
}

// firstKey is what every simulator of a process signs with until its keys are rotated. To
// find the primes takes from a tenth of a second to many, by chance and by what else the
// machine does: no first sign-in waits for it again, and whoever signs in has a deadline.
var firstKey = sync.OnceValues(newKey)

func newKey() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) }

// signingKeyOf is a 2048-bit key as it is kept.
func signingKeyOf(key *rsa.PrivateKey, now time.Time) *signingKey {
	sum := sha256.Sum256(key.N.Bytes())
	return &signingKey{
		ID: base64url.EncodeToString(sum[:20]), DER: x509.MarshalPKCS1PrivateKey(key), Created: now, key: key,
	}
}

func (k *signingKey) parse() (err error) {
	k.key, err = x509.ParsePKCS1PrivateKey(k.DER)
	return err
}

// jwk is the key's public half as the key document lists it. Microsoft adds the
// issuer that the key may sign for.
func (k *signingKey) jwk(issuer string) map[string]any {
	e := binary.BigEndian.AppendUint32(nil, uint32(k.key.E))
	return map[string]any{
		"kty": "RSA", "use": "sig", "kid": k.ID, "x5t": k.ID, "alg": "RS256",
		"n": base64url.EncodeToString(k.key.N.Bytes()), "e": base64url.EncodeToString(big.NewInt(0).SetBytes(e).Bytes()),
		"issuer": issuer, "cloud_instance_name": "microsoftonline.com",
	}
}

// sign makes a JWT of claims.
func (k *signingKey) sign(claims map[string]any) (string, error) {
	head, err := json.Marshal(map[string]string{"typ": "JWT", "alg": "RS256", "kid": k.ID})
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	text := base64url.EncodeToString(head) + "." + base64url.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, k.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return text + "." + base64url.EncodeToString(sig), nil
}

// assertion is what a client says of itself in a client_assertion.
type assertion struct {
	header struct {
		Alg     string `json:"alg"`
		X5T     string `json:"x5t"`
		X5TS256 string `json:"x5t#S256"`
	}
	claims struct {
		Issuer   string      `json:"iss"`
		Subject  string      `json:"sub"`
		Audience string      `json:"aud"`
		ID       string      `json:"jti"`
		Expires  json.Number `json:"exp"`
		NotBy    json.Number `json:"nbf"`
	}
	signed    []byte
	signature []byte
}

func parseAssertion(token string) (*assertion, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("the assertion is not a JWT of three parts")
	}
	a := &assertion{signed: []byte(parts[0] + "." + parts[1])}
	for i, target := range []any{&a.header, &a.claims} {
		raw, err := base64url.DecodeString(parts[i])
		if err != nil {
			return nil, errors.New("the assertion is not base64url")
		}
		if err := json.Unmarshal(raw, target); err != nil {
			return nil, errors.New("the assertion is not JSON")
		}
	}
	var err error
	if a.signature, err = base64url.DecodeString(parts[2]); err != nil {
		return nil, errors.New("the assertion's signature is not base64url")
	}
	return a, nil
}

// verify checks the assertion of client against the certificates that are
// registered for it.
func (a *assertion) verify(client string, audiences []string, certs []string, now time.Time) error {
	if !strings.EqualFold(a.claims.Issuer, client) || !strings.EqualFold(a.claims.Subject, client) {
		return errors.New("issuer and subject must be the client_id")
	}
	fits := false
	for _, aud := range audiences {
		fits = fits || strings.EqualFold(strings.TrimSuffix(a.claims.Audience, "/"), aud)
	}
	if !fits {
		return errors.New("the audience is not this token endpoint")
	}
	const skew = 5 * time.Minute
	exp, err := a.claims.Expires.Int64()
	if err != nil || now.Add(-skew).After(time.Unix(exp, 0)) {
		return errors.New("the assertion is expired or has no expiry")
	}
	if nbf, err := a.claims.NotBy.Int64(); err == nil && now.Add(skew).Before(time.Unix(nbf, 0)) {
		return errors.New("the assertion is not valid yet")
	}
	cert, err := a.certificate(certs)
	if err != nil {
		return err
	}
	pub, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return errors.New("the registered certificate has no RSA key")
	}
	sum := sha256.Sum256(a.signed)
	switch a.header.Alg {
	case "PS256":
		err = rsa.VerifyPSS(pub, crypto.SHA256, sum[:], a.signature, nil)
	case "RS256":
		err = rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum[:], a.signature)
	default:
		err = fmt.Errorf("the algorithm %q is not accepted", a.header.Alg)
	}
	return err
}

// certificate finds the registered certificate that the header names.
func (a *assertion) certificate(certs []string) (*x509.Certificate, error) {
	for _, text := range certs {
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			continue
		}
		long, short := sha256.Sum256(block.Bytes), sha1.Sum(block.Bytes)
		if a.header.X5TS256 == base64url.EncodeToString(long[:]) || a.header.X5T == base64url.EncodeToString(short[:]) {
			return x509.ParseCertificate(block.Bytes)
		}
	}
	return nil, errors.New("no registered certificate has this thumbprint")
}

// sameSecret compares two secrets in constant time.
func sameSecret(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
