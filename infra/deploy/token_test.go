package main

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestRedirectHere: the pool knows the address that the command listens at.
func TestRedirectHere(t *testing.T) {
	tmpl, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(tmpl), `CallbackURLs: ["`+redirectHere+`"]`) {
		t.Errorf("template.yaml does not let AdminClient send people back to %s", redirectHere)
	}
}

// signInWith plays Cognito and the browser: what the browser is sent back with is
// up to the test.
func signInWith(t *testing.T, answer func(authorize url.Values) string) (string, error) {
	t.Helper()
	s := newShell(t)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	asked := make(chan url.Values, 1)
	var challenge string
	cognito := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
		if r.URL.Path != "/oauth2/token" || r.PostForm.Get("code") != "good" || base64.RawURLEncoding.EncodeToString(sum[:]) != challenge || r.PostForm.Get("redirect_uri") != redirectHere {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"invalid_grant"}`)
			return
		}
		fmt.Fprint(w, `{"access_token":"the-token"}`)
	}))
	defer cognito.Close()
	s.out = printed(func(text string) {
		if m := regexp.MustCompile(`http\S+/oauth2/authorize\?(\S+)`).FindStringSubmatch(text); m != nil {
			q, err := url.ParseQuery(m[1])
			if err != nil {
				t.Error(err)
			}
			asked <- q
		}
	})
	go func() {
		q := <-asked
		challenge = q.Get("code_challenge")
		for _, path := range []string{"/favicon.ico", "/?code=good&state=another", "/?" + answer(q)} {
			resp, err := http.Get("http://" + l.Addr().String() + path)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			if bad := !strings.HasPrefix(path, "/?"+answer(q)); bad && resp.StatusCode != http.StatusBadRequest {
				t.Errorf("%s answered %d", path, resp.StatusCode)
			}
		}
	}()
	return s.signIn(t.Context(), l, cognito.URL, "client")
}

// printed is a writer that hands on what is written.
type printed func(string)

func (p printed) Write(b []byte) (int, error) {
	p(string(b))
	return len(b), nil
}

func TestSignIn(t *testing.T) {
	token, err := signInWith(t, func(q url.Values) string {
		if q.Get("code_challenge_method") != "S256" || q.Get("scope") != allScopes || q.Get("response_type") != "code" {
			t.Errorf("asked with %v", q)
		}
		return "code=good&state=" + q.Get("state")
	})
	if err != nil || token != "the-token" {
		t.Errorf("signIn = %q, %v", token, err)
	}
	if _, err := signInWith(t, func(q url.Values) string { return "code=bad&state=" + q.Get("state") }); err == nil || !strings.Contains(err.Error(), "400 invalid_grant") {
		t.Errorf("a bad code: %v", err)
	}
	if _, err := signInWith(t, func(q url.Values) string {
		return "error=access_denied&error_description=no&state=" + q.Get("state")
	}); err == nil || !strings.Contains(err.Error(), "access_denied: no") {
		t.Errorf("declined: %v", err)
	}
}

func TestTokenWithoutPool(t *testing.T) {
	s := newShell(t)
	s.aws = func(string, map[string]any) (any, error) {
		return described(nil, map[string]string{"TokenIssuer": "https://issuer.example"}), nil
	}
	if err := s.token(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "https://issuer.example") {
		t.Errorf("token = %v", err)
	}
}
