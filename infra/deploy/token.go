package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// redirectHere is where the pool's client for people sends them back to; the
// template names it as well.
const redirectHere = "http://localhost:8366/"

// allScopes are what an admin may ask for, unless SCOPES names fewer.
const allScopes = "openid bindery/read bindery/write bindery/admin bindery/approve"

// token signs an admin in to the stack's user pool by a browser, and keeps the
// access token in .local/token, for an hour.
func (t *tool) token(ctx context.Context, _ []string) error {
	is, err := t.describe(ctx)
	if err != nil {
		return err
	}
	base, client := is.outputs["SignInUrl"], is.outputs["AdminClientId"]
	if base == "" || client == "" {
		return fmt.Errorf("the stack %s has no user pool of its own: its tokens come from %s", t.stackName(), or(is.outputs["TokenIssuer"], "another issuer, or it is not deployed"))
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "localhost:8366")
	if err != nil {
		return fmt.Errorf("the browser must be able to come back to %s: %w", redirectHere, err)
	}
	defer l.Close()
	access, err := t.signIn(ctx, l, base, client)
	if err != nil {
		return err
	}
	if err := t.keep(t.ofStack("token"), []byte(access)); err != nil {
		return err
	}
	t.say("The token is in .local/%s, good for an hour.", t.ofStack("token"))
	return nil
}

// signIn goes through the authorisation code flow with PKCE.
func (t *tool) signIn(ctx context.Context, l net.Listener, base, client string) (string, error) {
	state, verifier := rand.Text(), rand.Text()+rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"client_id": {client}, "response_type": {"code"}, "redirect_uri": {redirectHere}, "scope": {or(t.getenv("SCOPES"), allScopes)},
		"state": {state}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	t.say("Open this address, and sign in:\n\n%s/oauth2/authorize?%s\n", base, q.Encode())
	type back struct {
		code string
		err  error
	}
	came := make(chan back, 1)
	srv := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := r.URL.Query()
		if r.URL.Path != "/" || got.Get("state") != state {
			http.Error(w, "This is not the sign-in that was asked for.", http.StatusBadRequest)
			return
		}
		b := back{code: got.Get("code")}
		if b.code == "" {
			b.err = fmt.Errorf("signing in ended with %s: %s", got.Get("error"), got.Get("error_description"))
		}
		fmt.Fprintln(w, "You may close this window.")
		select {
		case came <- b:
		default: // a second visit
		}
	})}
	go func() { _ = srv.Serve(l) }() // ends with the listener
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = srv.Shutdown(stop)
	}()
	var b back
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case b = <-came:
	}
	if b.err != nil {
		return "", b.err
	}
	var answer struct {
		Access string `json:"access_token"`
		Error  string `json:"error"`
	}
	status, err := t.form(ctx, strings.TrimRight(base, "/")+"/oauth2/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {client}, "code": {b.code}, "redirect_uri": {redirectHere}, "code_verifier": {verifier}}, &answer)
	if err != nil || status != http.StatusOK || answer.Access == "" {
		return "", errors.Join(fmt.Errorf("the code was not taken (%d %s)", status, answer.Error), err)
	}
	return answer.Access, nil
}
