package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"bindery/shared/directory"
)

// Addresses of Microsoft, unless LOGIN_BASE_URL and GRAPH_BASE_URL name others.
const (
	microsoftLogin = "https://login.microsoftonline.com"
	microsoftGraph = "https://graph.microsoft.com/v1.0"
)

// commandLine is the Azure CLI's own public app: every tenant knows it, and lets
// it act for a person on app registrations without an admin's consent.
const commandLine = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"

// graph calls Microsoft Graph in a person's name.
type graph struct {
	tool  *tool
	base  string
	token directory.Secret
}

// graphError is an answer that is none of what was asked for.
type graphError struct {
	status        int
	code, message string
}

func (e *graphError) Error() string {
	return fmt.Sprintf("Microsoft Graph answered %d %s: %s", e.status, e.code, e.message)
}

func isGone(err error) bool {
	e, ok := errors.AsType[*graphError](err)
	return ok && e.status == http.StatusNotFound
}

// openGraph signs a person in: by a token that is given, by az, or by a code.
func (t *tool) openGraph(ctx context.Context) (*graph, error) {
	g := &graph{tool: t, base: or(t.getenv("GRAPH_BASE_URL"), microsoftGraph), token: directory.NewSecret(t.getenv("GRAPH_TOKEN"))}
	if !g.token.IsZero() {
		return g, nil
	}
	if raw, err := t.run(ctx, nil, "az", "account", "get-access-token", "--resource-type", "ms-graph", "--query", "accessToken", "--output", "tsv"); err == nil {
		g.token = directory.NewSecret(strings.TrimSpace(string(raw)))
		return g, nil
	}
	token, err := t.deviceCode(ctx)
	g.token = directory.NewSecret(token)
	return g, err
}

func or(s, fallback string) string {
	if s != "" {
		return s
	}
	return fallback
}

// deviceCode has a person type a code into a browser.
func (t *tool) deviceCode(ctx context.Context) (string, error) {
	login := or(t.getenv("LOGIN_BASE_URL"), microsoftLogin) + "/organizations/oauth2/v2.0/"
	var code struct {
		DeviceCode string `json:"device_code"`
		Message    string `json:"message"`
		Interval   int    `json:"interval"`
		ExpiresIn  int    `json:"expires_in"`
	}
	status, err := t.form(ctx, login+"devicecode", url.Values{"client_id": {commandLine}, "scope": {"https://graph.microsoft.com/.default"}}, &code)
	if err != nil || status != http.StatusOK || code.DeviceCode == "" {
		return "", fmt.Errorf("no code to sign in with was given (%d): %w", status, errors.Join(err, errors.New("sign in with az login instead, or set GRAPH_TOKEN")))
	}
	t.say("%s", code.Message)
	every := time.Duration(max(code.Interval, 1)) * time.Second
	for until := t.now().Add(time.Duration(code.ExpiresIn) * time.Second); t.now().Before(until); {
		if err := t.wait(ctx, every); err != nil {
			return "", err
		}
		var answer struct {
			Token string `json:"access_token"`
			Error string `json:"error"`
			Why   string `json:"error_description"`
		}
		status, err := t.form(ctx, login+"token", url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {commandLine}, "device_code": {code.DeviceCode}}, &answer)
		switch {
		case err != nil:
			return "", err
		case status == http.StatusOK && answer.Token != "":
			return answer.Token, nil
		case answer.Error == "slow_down":
			every += 5 * time.Second
		case answer.Error != "authorization_pending":
			return "", fmt.Errorf("signing in ended with %s: %s", answer.Error, answer.Why)
		}
	}
	return "", errors.New("nobody signed in with the code in time")
}

func (t *tool) form(ctx context.Context, address string, form url.Values, out any) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := t.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return resp.StatusCode, json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(out)
}

// call sends one request; in and out may be nil.
func (g *graph) call(ctx context.Context, method, path string, header http.Header, in, out any) error {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, g.base+path, body)
	if err != nil {
		return err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Authorization", "Bearer "+g.token.Reveal())
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := g.tool.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		var problem struct {
			Error struct{ Code, Message string }
		}
		_ = json.Unmarshal(raw, &problem) // an answer that is no JSON has no code
		return &graphError{resp.StatusCode, problem.Error.Code, problem.Error.Message}
	}
	if out == nil || len(raw) == 0 {
		return nil
	}
	return json.Unmarshal(raw, out)
}
