package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// entra is Microsoft Graph as far as app registrations go, as strict as its
// documentation: application-upsert, application-addpassword, -removepassword.
type entra struct {
	t     *testing.T
	app   map[string]any // nil: there is none
	keys  []credential
	calls []string // of writes
	young int      // how many calls a new app is not found for
	fail  string   // a path that answers 403
	name  string   // the app's unique name; "": that of the first stack
}

func (e *entra) path() string {
	if e.name != "" {
		return "/applications(uniqueName='" + e.name + "')"
	}
	return "/applications(uniqueName='bindery-bindery')"
}

// scopeIDs are the numbers of Graph's delegated permissions.
var scopeIDs = func() map[string]string {
	ids := map[string]string{}
	for i, name := range slices.Concat(permissions, []string{"AuditLog.Read.All", "Mail.Read"}) {
		ids[name] = fmt.Sprintf("00000000-0000-4000-8000-%012d", i+1)
	}
	return ids
}()

const (
	appObject  = "0b0b0b0b-0000-4000-8000-000000000001"
	madeSecret = "Made~Secret.That-Must-Never-Be-Shown"
)

func newEntra(t *testing.T, s *shell) *entra {
	t.Helper()
	e := &entra{t: t}
	srv := httptest.NewServer(e)
	t.Cleanup(srv.Close)
	s.env["GRAPH_BASE_URL"], s.env["GRAPH_TOKEN"] = srv.URL+"/v1.0", "graph-token"
	return e
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": code, "message": message}})
}

func (e *entra) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	path, ok := strings.CutPrefix(r.URL.Path, "/v1.0")
	if !ok || r.Header.Get("Authorization") != "Bearer graph-token" {
		refuse(w, 401, "InvalidAuthenticationToken", "no")
		return
	}
	if e.fail != "" && strings.HasSuffix(path, e.fail) && r.Method != http.MethodGet {
		refuse(w, 403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
		return
	}
	var in map[string]any
	if r.Method != http.MethodGet {
		raw, _ := io.ReadAll(r.Body)
		if r.Header.Get("Content-Type") != "application/json" || json.Unmarshal(raw, &in) != nil {
			refuse(w, 400, "Request_BadRequest", "no JSON")
			return
		}
		e.calls = append(e.calls, r.Method+" "+path)
	}
	switch {
	case r.Method == http.MethodGet && path == "/servicePrincipals(appId='"+graphApp+"')":
		var scopes []map[string]any
		for name, id := range scopeIDs {
			scopes = append(scopes, map[string]any{"id": id, "value": name, "isEnabled": name != "Mail.Read"})
		}
		json.NewEncoder(w).Encode(map[string]any{"oauth2PermissionScopes": scopes})
	case path == e.path() && r.Method == http.MethodGet:
		if e.app == nil {
			refuse(w, 404, "Request_ResourceNotFound", "Resource does not exist.")
			return
		}
		json.NewEncoder(w).Encode(e.shown())
	case path == e.path() && r.Method == http.MethodPatch:
		e.upsert(w, r, in)
	case r.Method == http.MethodPost && e.app != nil && path == "/applications/"+appObject+"/addPassword":
		if e.young > 0 {
			e.young--
			refuse(w, 404, "Request_ResourceNotFound", "Resource does not exist.")
			return
		}
		e.addPassword(w, in)
	case r.Method == http.MethodPost && e.app != nil && path == "/applications/"+appObject+"/removePassword":
		key, _ := in["keyId"].(string)
		i := slices.IndexFunc(e.keys, func(c credential) bool { return c.KeyID == key })
		if i < 0 {
			refuse(w, 400, "Request_BadRequest", "No password credential found with keyId.")
			return
		}
		e.keys = slices.Delete(e.keys, i, i+1)
		w.WriteHeader(http.StatusNoContent)
	default:
		refuse(w, 404, "Request_ResourceNotFound", "Resource does not exist.")
	}
}

func (e *entra) shown() map[string]any {
	shown := maps.Clone(e.app)
	shown["passwordCredentials"] = e.keys
	return shown
}

func (e *entra) upsert(w http.ResponseWriter, r *http.Request, in map[string]any) {
	if e.app == nil && r.Header.Get("Prefer") != "create-if-missing" {
		refuse(w, 404, "Request_ResourceNotFound", "Resource does not exist.")
		return
	}
	if _, sets := in["passwordCredentials"]; sets || in["displayName"] == nil {
		refuse(w, 400, "Request_BadRequest", "passwordCredentials cannot be set, displayName must be")
		return
	}
	for _, a := range in["requiredResourceAccess"].([]any) {
		for _, p := range a.(map[string]any)["resourceAccess"].([]any) {
			if p.(map[string]any)["type"] != "Scope" && p.(map[string]any)["type"] != "Role" {
				refuse(w, 400, "Request_BadRequest", "type")
				return
			}
		}
	}
	isNew := e.app == nil
	if isNew {
		e.app = map[string]any{"id": appObject, "appId": clientID}
	}
	maps.Copy(e.app, in)
	if !isNew {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.WriteHeader(http.StatusCreated)
	json.NewEncoder(w).Encode(e.shown())
}

func (e *entra) addPassword(w http.ResponseWriter, in map[string]any) {
	raw, _ := json.Marshal(in["passwordCredential"])
	var c credential
	if json.Unmarshal(raw, &c) != nil || c.KeyID != "" || c.Secret != "" {
		refuse(w, 400, "Request_BadRequest", "keyId and secretText are made by the service")
		return
	}
	c.KeyID = fmt.Sprintf("0c0c0c0c-0000-4000-8000-%012d", len(e.calls))
	e.keys = append(e.keys, c)
	c.Secret = madeSecret
	json.NewEncoder(w).Encode(c)
}

// secrets is Secrets Manager behind the aws CLI, and CloudFormation.
type secrets struct {
	name    string            // of the secret; "": that of the first stack
	has     map[string]string // SecretString and Description; nil: there is none
	writes  int
	refuses bool
	outputs map[string]string // of the stack; nil: there is none
}

// stored is the client secret in what is stored, as the functions find it there.
func (m *secrets) stored() string {
	var told struct{ ClientSecret string }
	_ = json.Unmarshal([]byte(m.has["SecretString"]), &told)
	return told.ClientSecret
}

func (m *secrets) named() string {
	if m.name != "" {
		return m.name
	}
	return "bindery/entra-client-secret"
}

func (m *secrets) call(call string, in map[string]any) (any, error) {
	switch call {
	case "cloudformation describe-stacks":
		if m.outputs == nil {
			return nil, errNoStack
		}
		return described(nil, m.outputs), nil
	case "secretsmanager describe-secret":
		if m.has == nil || in["--secret-id"] != m.named() {
			return nil, fmt.Errorf("An error occurred (ResourceNotFoundException) when calling the DescribeSecret operation: Secrets Manager can't find the specified secret.")
		}
		return map[string]string{"ARN": "arn:secret", "Description": m.has["Description"]}, nil
	case "secretsmanager create-secret", "secretsmanager update-secret":
		if m.refuses {
			return nil, fmt.Errorf("An error occurred (AccessDeniedException)")
		}
		name, wrong := in["Name"], m.has != nil
		if call == "secretsmanager update-secret" {
			name, wrong = in["SecretId"], m.has == nil
		}
		if wrong || name != m.named() {
			return nil, fmt.Errorf("An error occurred (ResourceExistsException)")
		}
		m.writes++
		m.has = map[string]string{"SecretString": in["SecretString"].(string), "Description": in["Description"].(string)}
		return map[string]string{}, nil
	}
	return nil, fmt.Errorf("no call %s", call)
}

func registered(t *testing.T) (*shell, *entra, *secrets) {
	t.Helper()
	s, m := newShell(t), &secrets{}
	s.aws = m.call
	return s, newEntra(t, s), m
}

func (s *shell) register(args ...string) error {
	s.said.Reset()
	return s.entraApp(s.t.Context(), args)
}

// The whole life: a dry run, the app, again, with a redirect URI, rotated, tidied.
func TestEntraApp(t *testing.T) {
	s, e, m := registered(t)
	if err := s.register("-dry-run"); err != nil {
		t.Fatal(err)
	}
	if len(e.calls) > 0 || m.writes > 0 || !strings.Contains(s.said.String(), "make the app") || !strings.Contains(s.said.String(), "make a client secret for 365 days") {
		t.Fatalf("a dry run did %q and said:\n%s", e.calls, s.said.String())
	}
	if _, err := os.Stat(s.local("parameters")); err == nil {
		t.Error("a dry run left .local/parameters")
	}

	e.young = 2
	if err := s.register(); err != nil {
		t.Fatal(err)
	}
	if e.app["signInAudience"] != "AzureADMultipleOrgs" || len(e.keys) != 1 || m.stored() != madeSecret || !strings.Contains(m.has["Description"], e.keys[0].KeyID) {
		t.Errorf("the app is %v with %v; the secret is %v", e.app, e.keys, m.has["Description"])
	}
	if want := s.clock.Add(365 * 24 * time.Hour); e.keys[0].Ends.Sub(want).Abs() > time.Minute {
		t.Errorf("the client secret ends on %s, want %s", e.keys[0].Ends, want)
	}
	// What ClientSecretEndsAlarm lives from: the functions read the end there.
	var told struct{ Ends time.Time }
	if err := json.Unmarshal([]byte(m.has["SecretString"]), &told); err != nil || !told.Ends.Equal(e.keys[0].Ends) {
		t.Errorf("its end is stored as %s, want %s; %v", told.Ends, e.keys[0].Ends, err)
	}
	if got := s.read(".local/parameters"); got != "EntraClientId="+clientID+"\nEntraClientSecretName=bindery/entra-client-secret\n" {
		t.Errorf(".local/parameters = %q", got)
	}
	if !strings.Contains(s.said.String(), "run this again, for the redirect URI") {
		t.Errorf("it said:\n%s", s.said.String())
	}

	before := len(e.calls)
	if err := s.register(); err != nil || len(e.calls) != before || m.writes != 1 {
		t.Errorf("run again it does %q, %v", e.calls[before:], err)
	}

	// A person added a redirect URI and a permission: they stay.
	e.app["web"] = map[string]any{"redirectUris": []any{"https://other.example/oauth/callback"}}
	own := e.app["requiredResourceAccess"].([]any)
	e.app["requiredResourceAccess"] = append(own, map[string]any{"resourceAppId": "other", "resourceAccess": []any{map[string]any{"id": "x", "type": "Role"}}})
	m.outputs = map[string]string{"RedirectUri": "https://a1.example/oauth/callback"}
	if err := s.register("-with", "AuditLog.Read.All"); err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(e.app)
	for _, want := range []string{"https://other.example/oauth/callback", "https://a1.example/oauth/callback", scopeIDs["AuditLog.Read.All"], scopeIDs["openid"], `"resourceAppId":"other"`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("the app lacks %s: %s", want, raw)
		}
	}

	first := e.keys[0].KeyID
	if err := s.register("-rotate"); err != nil || len(e.keys) != 2 || m.writes != 2 || !strings.Contains(m.has["Description"], e.keys[1].KeyID) {
		t.Errorf("rotated: %v, keys %v, %v", err, e.keys, m.has["Description"])
	}
	if err := s.register("-remove-old"); err != nil || len(e.keys) != 1 || e.keys[0].KeyID == first {
		t.Errorf("tidied: %v, keys %v", err, e.keys)
	}

	// A month before its end it is made anew.
	s.clock = e.keys[0].Ends.Add(-29 * 24 * time.Hour)
	if err := s.register(); err != nil || len(e.keys) != 2 || m.writes != 3 {
		t.Errorf("near its end: %v, %d keys", err, len(e.keys))
	}
}

// A client secret that cannot be stored does not stay at Entra, and is not shown.
func TestSecretNotStored(t *testing.T) {
	s, e, m := registered(t)
	m.refuses = true
	err := s.register()
	if err == nil || len(e.keys) != 0 || !strings.Contains(err.Error(), "could not be stored") {
		t.Errorf("%v, keys %v", err, e.keys)
	}
	m.refuses = false
	if err := s.register(); err != nil || len(e.keys) != 1 || m.writes != 1 {
		t.Errorf("again: %v, keys %v", err, e.keys)
	}
	e.fail = "/addPassword"
	if err := s.register("-rotate"); err == nil || !strings.Contains(err.Error(), "403 Authorization_RequestDenied") || m.stored() != madeSecret {
		t.Errorf("refused: %v", err)
	}
}

// A secret that somebody put there by hand is not replaced unasked.
func TestForeignSecret(t *testing.T) {
	s, e, m := registered(t)
	m.has = map[string]string{"SecretString": "by hand", "Description": ""}
	if err := s.register(); err != nil || m.has["SecretString"] != "by hand" || len(e.keys) != 0 || !strings.Contains(s.said.String(), "not made by this command") {
		t.Errorf("%v, keys %v:\n%s", err, e.keys, s.said.String())
	}
}

// A stack beside the first one has an app of its own: it takes neither the first
// one's client secret nor its parameters.
func TestAnotherStack(t *testing.T) {
	s, e, m := registered(t)
	first := map[string]string{"SecretString": "the first one's", "Description": "Client secret of the Entra app 11111111-1111-4111-8111-111111111111, key 22222222-2222-4222-8222-222222222222, until 2027-01-01"}
	m.has = maps.Clone(first)
	s.file(".local/parameters", "EntraClientId=11111111-1111-4111-8111-111111111111\n")
	e.name = "another"
	if err := s.register("-name", "another"); err == nil || !strings.Contains(err.Error(), "of another app, 11111111-") || !maps.Equal(m.has, first) || len(e.keys) != 0 {
		t.Errorf("over the first one's secret: %v, now %v, keys %v", err, m.has, e.keys)
	}
	e.name, e.app = "bindery-bindery-test", nil
	s.env["STACK"], m.name, m.has = "bindery-test", "bindery/bindery-test/entra-client-secret", nil
	if err := s.register(); err != nil {
		t.Fatal(err)
	}
	if got := s.read(".local/bindery-test.parameters"); got != "EntraClientId="+clientID+"\nEntraClientSecretName=bindery/bindery-test/entra-client-secret\n" {
		t.Errorf("its parameters are %q", got)
	}
	if got := s.read(".local/parameters"); got != "EntraClientId=11111111-1111-4111-8111-111111111111\n" {
		t.Errorf("the first one's parameters are %q", got)
	}
}

func TestEntraAppFaults(t *testing.T) {
	for what, tt := range map[string]struct {
		args []string
		want string
	}{
		"a permission that is none":     {[]string{"-with", "Everything.ReadWrite.All"}, `no delegated permission "Everything.ReadWrite.All" is known`},
		"one that is switched off":      {[]string{"-with", "Mail.Read"}, "no delegated permission"},
		"a redirect URI of another way": {[]string{"-redirect", "http://a.example/oauth/callback"}, "is not https://"},
		"one of another path":           {[]string{"-redirect", "https://a.example/"}, "is not https://"},
		"a name with a quote":           {[]string{"-name", "o'neill"}, "letters, digits and hyphens"},
		"an unknown flag":               {[]string{"-force"}, "it takes:"},
	} {
		s, e, _ := registered(t)
		if err := s.register(tt.args...); err == nil || !strings.Contains(err.Error(), tt.want) || len(e.calls) > 0 {
			t.Errorf("%s: %v, want %q", what, err, tt.want)
		}
	}
}

// No secret is said, kept in a file or given as an argument.
func TestNoSecretShown(t *testing.T) {
	s, _, _ := registered(t)
	next := s.run
	s.run = func(ctx context.Context, stdin []byte, name string, args ...string) ([]byte, error) {
		if strings.Contains(strings.Join(args, " "), madeSecret) {
			t.Errorf("%s has the secret as an argument", name)
		}
		return next(ctx, stdin, name, args...)
	}
	if err := s.register(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(s.said.String(), madeSecret) || strings.Contains(s.read(".local/parameters"), madeSecret) {
		t.Error("the client secret is shown")
	}
}

// What the app asks for is what an authorisation asks for.
func TestPermissions(t *testing.T) {
	source, err := os.ReadFile("../../shared/core/connect/authorize.go")
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	for _, list := range []string{"oidcScopes", "graphScopes"} {
		m := regexp.MustCompile(`var ` + list + ` = \[\]string\{([^}]*)\}`).FindSubmatch(source)
		if m == nil {
			t.Fatalf("authorize.go has no %s", list)
		}
		for _, name := range regexp.MustCompile(`"([^"]+)"`).FindAllSubmatch(m[1], -1) {
			asked = append(asked, string(name[1]))
		}
	}
	if asked = append(asked, "GroupMember.Read.All"); !slices.Equal(asked, permissions) { // protectGroups is on by default
		t.Errorf("the app asks for %q, an authorisation for %q", permissions, asked)
	}
}

// Without az and a token a person types a code into a browser.
func TestDeviceCode(t *testing.T) {
	s, e, _ := registered(t)
	delete(s.env, "GRAPH_TOKEN")
	answers := []string{`{"error":"authorization_pending"}`, `{"error":"slow_down"}`, `{"access_token":"graph-token"}`}
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.PostForm.Get("client_id") != commandLine {
			t.Errorf("%s: %v, %v", r.URL.Path, err, r.PostForm)
		}
		if strings.HasSuffix(r.URL.Path, "/devicecode") {
			fmt.Fprint(w, `{"device_code":"d","message":"To sign in, open the page and enter the code ABC.","interval":5,"expires_in":900}`)
			return
		}
		if !strings.Contains(answers[0], "access_token") {
			w.WriteHeader(http.StatusBadRequest)
		}
		fmt.Fprint(w, answers[0])
		answers = answers[1:]
	}))
	defer login.Close()
	s.env["LOGIN_BASE_URL"] = login.URL
	begun := s.clock
	if err := s.register(); err != nil || e.app == nil || !strings.Contains(s.said.String(), "enter the code ABC") {
		t.Errorf("%v:\n%s", err, s.said.String())
	}
	if took := s.clock.Sub(begun); took < 20*time.Second {
		t.Errorf("asked again within %s, though told to slow down", took)
	}
	answers = []string{`{"error":"access_denied","error_description":"The person declined."}`}
	if err := s.register(); err == nil || !strings.Contains(err.Error(), "The person declined.") {
		t.Errorf("declined: %v", err)
	}
}
