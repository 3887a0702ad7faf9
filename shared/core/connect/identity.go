package connect

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"bindery/shared/core/recall"
	"bindery/shared/directory"
)

// consumerTenant is the tenant of all personal Microsoft accounts.
const consumerTenant = "9188040d-6c67-4c5b-b112-36a304b66dad"

// guid is the only form of a tenant's ID that may become part of an address.
var guid = directory.Pattern(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

var (
	errConsumer = errors.New("id_token: a personal account")
	errKeys     = errors.New("id_token: Microsoft's keys cannot be read")
)

// identity is what a verified id_token says. TenantID and ObjectID are the
// keys; the name is for people.
type identity struct {
	TenantID directory.TenantID
	ObjectID directory.AccountID
}

// identityOf is the identity that a record shows; the zero one for nobody.
func identityOf(t *directory.Tenant, a *directory.Administrator) identity {
	if t == nil || a == nil {
		return identity{}
	}
	return identity{directory.TenantID(strings.ToLower(string(t.ID))), directory.AccountID(strings.ToLower(string(a.ObjectID)))}
}

type claimSet struct {
	Issuer   string `json:"iss"`
	TenantID string `json:"tid"`
	ObjectID string `json:"oid"`
	Version  string `json:"ver"`
}

// verify checks an id_token: signature, issuer of its own tenant, audience,
// times and nonce.
func (s *Service) verify(ctx context.Context, raw, nonce string) (identity, error) {
	claimed, err := unverifiedClaims(raw)
	if err != nil {
		return identity{}, err
	}
	tid := strings.ToLower(claimed.TenantID)
	switch {
	case !guid().MatchString(tid):
		return identity{}, errors.New("id_token: tid is not a tenant's ID")
	case tid == consumerTenant:
		return identity{}, errConsumer
	}
	keys := &keyRecorder{keySet: s.keys}
	verifier := oidc.NewVerifier(s.issuer(claimed.TenantID), keys, &oidc.Config{
		ClientID: s.cfg.ClientID, SupportedSigningAlgs: []string{oidc.RS256}, Now: s.cfg.Now,
	})
	token, err := verifier.Verify(ctx, raw)
	if errors.Is(keys.err, errKeys) {
		return identity{}, keys.err
	}
	if err != nil {
		return identity{}, fmt.Errorf("id_token: %w", err)
	}
	var c claimSet
	if err := token.Claims(&c); err != nil {
		return identity{}, errors.New("id_token: its claims are of wrong types")
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(nonce)) != 1:
		return identity{}, errors.New("id_token: the nonce is another one")
	case c.Version != "2.0":
		return identity{}, errors.New("id_token: not of version 2.0")
	case c.ObjectID == "":
		return identity{}, errors.New("id_token: without oid")
	}
	return identity{directory.TenantID(tid), directory.AccountID(strings.ToLower(c.ObjectID))}, nil
}

// unverifiedClaims reads claims that only choose what the token is verified against.
func unverifiedClaims(raw string) (claimSet, error) {
	var c claimSet
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return c, errors.New("id_token: not a signed token")
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(body, &c) != nil {
		return c, errors.New("id_token: its claims cannot be read")
	}
	return c, nil
}

// keyRecorder keeps a key set's error, of which go-oidc passes on the words only.
type keyRecorder struct {
	*keySet

	err error
}

// VerifySignature is the key set's.
func (n *keyRecorder) VerifySignature(ctx context.Context, raw string) (payload []byte, err error) {
	payload, n.err = n.keySet.VerifySignature(ctx, raw)
	return payload, n.err
}

const (
	keysFor = 24 * time.Hour // then the keys are read again: a withdrawn one must not live on
	maxKeys = 1 << 20        // bytes of the document
)

// keySet is Microsoft's set of signing keys. Unlike oidc.RemoteKeySet it forgets
// a withdrawn key within a day, and holds each key to the issuer that the key
// itself names.
type keySet struct {
	url    string
	issuer func(tenant string) string
	client *http.Client
	known  recall.Memory[string, []signingKey] // by url
}

type signingKey struct {
	jose.JSONWebKey

	issuer string // with {tenantid} in it, of one tenant, or empty
}

// VerifySignature checks a token's signature and returns its payload.
func (k *keySet) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil || len(jws.Signatures) != 1 {
		return nil, errors.New("not a token with one RS256 signature")
	}
	claimed, err := unverifiedClaims(raw)
	if err != nil {
		return nil, err
	}
	kid := jws.Signatures[0].Header.KeyID
	key, ok, err := k.find(ctx, kid)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errKeys, err)
	case !ok:
		return nil, errors.New("signed with a key that Microsoft does not list")
	}
	if key.issuer != "" && strings.ReplaceAll(key.issuer, "{tenantid}", claimed.TenantID) != claimed.Issuer {
		return nil, errors.New("signed with a key of another issuer")
	}
	return jws.Verify(key.Key)
}

func (k *keySet) find(ctx context.Context, kid string) (signingKey, bool, error) {
	for fetched := false; ; {
		keys, err := k.known.Get(ctx, k.url, "", func(ctx context.Context) ([]signingKey, error) {
			fetched = true
			return k.fetch(ctx)
		})
		if err != nil {
			return signingKey{}, false, err
		}
		if key, ok := byID(keys, kid); ok || fetched {
			return key, ok, nil
		}
		// Read again for each unknown kid: tokens come from Microsoft's token
		// endpoint only, so nobody else can make us do that.
		k.known.Forget(k.url)
	}
}

func byID(keys []signingKey, kid string) (signingKey, bool) {
	for _, key := range keys {
		if kid != "" && key.KeyID == kid {
			return key, true
		}
	}
	return signingKey{}, false
}

func (k *keySet) fetch(ctx context.Context) ([]signingKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeys))
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if resp.StatusCode != http.StatusOK || json.Unmarshal(body, &set) != nil {
		return nil, fmt.Errorf("the key document was answered with %d and is no key document", resp.StatusCode)
	}
	keys := make([]signingKey, 0, len(set.Keys))
	for _, raw := range set.Keys {
		var named struct {
			Issuer string `json:"issuer"`
			Use    string `json:"use"`
		}
		var key jose.JSONWebKey
		// A key of a kind that we do not know is none that RS256 needs.
		if json.Unmarshal(raw, &named) == nil && json.Unmarshal(raw, &key) == nil && named.Use != "enc" {
			keys = append(keys, signingKey{key, named.Issuer})
		}
	}
	return keys, nil
}
