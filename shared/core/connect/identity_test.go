package connect

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// keysOf serves a key document.
type keysOf struct {
	keys  []map[string]any
	fails bool
	asked int
}

func (k *keysOf) RoundTrip(*http.Request) (*http.Response, error) {
	k.asked++
	if k.fails {
		return nil, io.ErrUnexpectedEOF
	}
	b, err := json.Marshal(map[string]any{"keys": k.keys})
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(b)))}, err
}

func (k *keysOf) add(t *testing.T, key *rsa.PrivateKey, kid, issuer string) {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKey{Key: key.Public(), KeyID: kid, Use: "sig"})
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	if issuer != "" {
		m["issuer"] = issuer
	}
	k.keys = append(k.keys, m)
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestVerify(t *testing.T) {
	var good, strange, narrow *rsa.PrivateKey
	for _, k := range []**rsa.PrivateKey{&good, &strange, &narrow} {
		var err error
		if *k, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			t.Fatal(err)
		}
	}
	served := &keysOf{}
	served.add(t, good, "good", loginBase+"/{tenantid}/v2.0")
	served.add(t, narrow, "narrow", loginBase+"/"+string(otherID)+"/v2.0")
	now := time.Now()
	s := New(Config{LoginBaseURL: loginBase, ClientID: clientID, HTTP: &http.Client{Transport: served}, Now: func() time.Time { return now }}, Stores{}, nil, nil, nil)
	claims := func(change map[string]any) map[string]any {
		c := map[string]any{
			"iss": loginBase + "/" + string(tenantID) + "/v2.0", "aud": clientID, "tid": string(tenantID), "oid": "0000000A-1111-4222-8333-444444444444",
			"nonce": "n", "ver": "2.0", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		}
		maps.Copy(c, change)
		for name, v := range change {
			if v == nil {
				delete(c, name)
			}
		}
		return c
	}
	who, err := s.verify(t.Context(), sign(t, jose.RS256, good, "good", claims(nil)), "n")
	if err != nil || who != (identity{tenantID, "0000000a-1111-4222-8333-444444444444"}) {
		t.Fatalf("verify(good) = %+v, %v", who, err)
	}
	elsewhere := "https://evil.example/" + string(tenantID) + "/v2.0"
	for name, change := range map[string]map[string]any{
		"issuer of another tenant": {"iss": loginBase + "/" + string(otherID) + "/v2.0"},
		"issuer of another host":   {"iss": elsewhere},
		"template as issuer":       {"iss": loginBase + "/{tenantid}/v2.0"},
		"version 1 issuer":         {"iss": "https://sts.windows.net/" + string(tenantID) + "/"},
		"tid of another tenant":    {"tid": string(otherID)},
		"no tid":                   {"tid": nil},
		"tid with a path":          {"tid": "../" + string(tenantID)},
		"consumer":                 {"tid": consumerTenant, "iss": loginBase + "/" + consumerTenant + "/v2.0"},
		"other audience":           {"aud": "00000000-aaaa-4bbb-8ccc-000000000009"},
		"no audience":              {"aud": nil},
		"expired":                  {"exp": now.Add(-time.Second).Unix()},
		"no expiry":                {"exp": nil},
		"not yet":                  {"nbf": now.Add(6 * time.Minute).Unix()},
		"other nonce":              {"nonce": "m"},
		"no nonce":                 {"nonce": nil},
		"no oid":                   {"oid": nil},
		"version 1":                {"ver": "1.0"},
	} {
		if _, err := s.verify(t.Context(), sign(t, jose.RS256, good, "good", claims(change)), "n"); err == nil || errors.Is(err, errConsumer) != (name == "consumer") {
			t.Errorf("verify(%s) = %v, want a refusal", name, err)
		}
	}
	ok := claims(nil)
	for name, raw := range map[string]string{
		"empty": "", "garbage": "a.b.c", "two parts": "a.b",
		"another key, known kid": sign(t, jose.RS256, strange, "good", ok),
		"unknown kid":            sign(t, jose.RS256, strange, "strange", ok),
		"no kid":                 sign(t, jose.RS256, good, "", ok),
		"key of another issuer":  sign(t, jose.RS256, narrow, "narrow", ok),
		"another algorithm":      sign(t, jose.PS256, good, "good", ok),
		"HMAC":                   sign(t, jose.HS256, []byte(strings.Repeat("k", 32)), "good", ok),
		"cut signature":          strings.TrimRight(sign(t, jose.RS256, good, "good", ok), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
	} {
		if _, err := s.verify(t.Context(), raw, "n"); err == nil || errors.Is(err, errKeys) {
			t.Errorf("verify(%s) = %v, want a refusal", name, err)
		}
	}

	// A key that is published later is found; one that is withdrawn is
	// forgotten within a day; when the keys cannot be read, that is said.
	served.add(t, strange, "strange", "")
	if _, err := s.verify(t.Context(), sign(t, jose.RS256, strange, "strange", ok), "n"); err != nil {
		t.Errorf("verify(new key) = %v", err)
	}
	asked := served.asked
	if _, err := s.verify(t.Context(), sign(t, jose.RS256, good, "good", ok), "n"); err != nil || served.asked != asked {
		t.Errorf("a known key was asked for again: %v", err)
	}
	served.keys = served.keys[1:]
	now = now.Add(25 * time.Hour)
	fresh := claims(nil)
	if _, err := s.verify(t.Context(), sign(t, jose.RS256, good, "good", fresh), "n"); err == nil {
		t.Error("a withdrawn key is good for more than a day")
	}
	served.fails = true
	if _, err := s.verify(t.Context(), sign(t, jose.RS256, good, "good", fresh), "n"); !errors.Is(err, errKeys) {
		t.Errorf("without keys = %v, want errKeys", err)
	}
}
