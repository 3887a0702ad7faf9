package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

func TestFirstAuthorization(t *testing.T) {
	w := newWorld(t)
	c, u := w.create(" Contoso ")
	if c.Name != "Contoso" || c.Status != directory.StatusPending || c.Epoch != 1 || c.RequestedBy != "alice" {
		t.Errorf("Create = %+v", c)
	}
	if !strings.HasPrefix(u, "https://app.example/oauth/start?state=") {
		t.Errorf("the authorisation begins at %s", u)
	}
	at, err := url.Parse(w.depart(u))
	w.check(err)
	q := at.Query()
	want := map[string]string{
		"client_id": clientID, "response_type": "code", "redirect_uri": redirectURL, "code_challenge_method": "S256",
		"prompt": "select_account", "scope": "openid profile offline_access User.ReadWrite.All Organization.Read.All Domain.Read.All RoleManagement.Read.Directory GroupMember.Read.All",
	}
	for name, v := range want {
		if q.Get(name) != v {
			t.Errorf("authorize URL: %s = %q, want %q", name, q.Get(name), v)
		}
	}
	if at.Path != "/organizations/oauth2/v2.0/authorize" || len(q.Get("state")) != 43 || len(q.Get("nonce")) != 43 || len(q.Get("code_challenge")) != 43 {
		t.Errorf("authorize URL = %s", u)
	}
	w.sim.ResetRequests()
	p := w.call(w.browse(u, adminUPN, "accept"))
	if p.Status != 200 || p.Code != "awaiting-confirmation" || !strings.Contains(p.HTML(), "Contoso &lt;Ltd&gt;") || strings.Contains(p.HTML(), "<Ltd>") {
		t.Fatalf("page = %+v", p)
	}
	if n := countGraph(w); n != 4 {
		t.Errorf("the callback made %d calls to Graph, want 4", n)
	}
	c = w.read(c.ID)
	if c.Status != directory.StatusAwaitingConfirmation || c.Tenant != nil || c.AuthorizedBy != nil || c.SignInID != "" ||
		c.Waiting.Tenant.ID != tenantID || c.Waiting.AuthorizedBy.UserPrincipalName != adminUPN || c.Waiting.RequestedBy != "alice" ||
		!slices.Equal(c.Waiting.AuthorizedBy.Roles, []string{"Global Administrator"}) || len(missingScopes(c.Waiting.Scopes)) != 0 || len(w.queue.sync) != 0 {
		t.Errorf("after the callback: %+v", c)
	}
	set := w.stored(&c)
	if set.refresh.IsZero() || set.access.IsZero() || !set.livesFor(w.now(), 30*time.Minute) {
		t.Error("the secret holds no live tokens")
	}
	upper := func(s string) string { return " " + strings.ToUpper(s) }
	c, err = w.Confirm(t.Context(), chief, c.ID, directory.TenantID(upper(string(tenantID))), directory.AccountID(upper(string(w.oid(adminUPN)))))
	w.check(err)
	if c.Status != directory.StatusActive || c.Waiting != nil || c.Tenant.ID != tenantID || c.AuthorizedBy.UserPrincipalName != adminUPN || c.SignInID == "" || !slices.Equal(w.queue.sync, []directory.ConnectionID{c.ID}) {
		t.Errorf("Confirm = %+v, woken %v", c, w.queue.sync)
	}
	if _, err := w.Confirm(t.Context(), chief, c.ID, tenantID, w.oid(adminUPN)); err != nil {
		t.Errorf("confirming twice = %v", err)
	}
	u, err = w.Authorize(t.Context(), alice, c.ID)
	w.check(err)
	if u = w.depart(u); !strings.HasPrefix(u, loginBase+"/"+string(tenantID)+"/") {
		t.Errorf("authorising again goes to %.80s", u)
	}
	if token, err := w.token(w.Service, &c); err != nil || token != set.access.Reveal() {
		t.Errorf("Token: %v", err)
	}
}

func countGraph(w *world) (n int) {
	for _, r := range w.sim.Requests() {
		if !strings.Contains(r.Path, "oauth2") && !strings.Contains(r.Path, "discovery") && !strings.Contains(r.Path, "login") && !strings.Contains(r.Path, "consent") {
			n++
		}
	}
	return n
}

func TestCreateRefusals(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct {
		name, domain string
		settings     directory.Settings
		by           directory.Caller
		field        string
	}{
		{"  ", "", directory.Settings{}, alice, "name"},
		{strings.Repeat("x", 201), "", directory.Settings{}, alice, "name"},
		{"x", "admin@contoso.example", directory.Settings{}, alice, "expectedDomain"},
		{"x", "contoso", directory.Settings{}, alice, "expectedDomain"},
		{"x", "", directory.Settings{Mode: "odd"}, alice, "settings.mode"},
		{"x", "", directory.Settings{}, directory.Caller{}, "caller"},
	} {
		_, _, err := w.Create(t.Context(), tc.by, tc.name, tc.domain, tc.settings)
		r, ok := errors.AsType[*directory.Refusal](err)
		if !ok || !errors.Is(err, directory.ErrInvalid) || len(r.Fields) != 1 || r.Fields[0].Field != tc.field {
			t.Errorf("Create(%.10q, %q) = %v, want a refusal of %s", tc.name, tc.domain, err, tc.field)
		}
	}
	if w.table.Len() != 0 {
		t.Errorf("refused creations left %d records", w.table.Len())
	}
}

// Each way in which a callback is refused: the page's code and status, and that
// the connection is as it was.
func TestCallbackRefusals(t *testing.T) {
	type refusal struct {
		name   string
		domain string // expectedDomain
		login  string
		button string
		before func(w *world)                            // before the sign-in
		change func(w *world, q url.Values)              // before the callback
		after  func(w *world, id directory.ConnectionID) // undoes what hinders the next try
		code   string
		status int
		kept   bool // the link is still good: nobody got as far as using it up
	}
	edit := func(name string, values ...string) func(*world, url.Values) {
		return func(_ *world, q url.Values) {
			if values == nil {
				q.Del(name)
			} else {
				q[name] = values
			}
		}
	}
	msError := func(word, text string) func(*world, url.Values) {
		return func(_ *world, q url.Values) {
			q.Del("code")
			q.Set("error", word)
			q.Set("error_description", text)
		}
	}
	tokenFault := func(n int) func(*world) {
		return func(w *world) { w.fault(entratest.Fault{Kind: "token", Grant: "authorization_code", AADSTS: n}) }
	}
	loginFault := func(n int) func(*world) {
		return func(w *world) { w.fault(entratest.Fault{Kind: "token", Grant: "login", AADSTS: n}) }
	}
	graphFault := func(path string) func(*world) {
		return func(w *world) { w.fault(entratest.Fault{Kind: "status", Path: path, Status: 503}) }
	}
	for _, tc := range []refusal{
		{name: "state missing", change: edit("state"), code: "state-missing", status: 400},
		{name: "state empty", change: edit("state", ""), code: "state-missing", status: 400},
		{name: "state twice", change: edit("state", "a", "b"), code: "ambiguous", status: 400},
		{name: "code twice", change: edit("code", "a", "b"), code: "ambiguous", status: 400},
		{name: "state garbage", change: edit("state", `"><script>alert(1)</script>`), code: "state-unknown", status: 400},
		{name: "state unknown", change: edit("state", strings.Repeat("A", 43)), code: "state-unknown", status: 400},
		{name: "state expired", change: func(w *world, _ url.Values) { w.offset += 10 * time.Minute }, code: "state-expired", status: 400},
		{name: "code missing", change: edit("code"), code: "code-missing", status: 400},
		{name: "code wrong", change: edit("code", "1.wrong"), code: "grant-expired", status: 400},
		{name: "declined", button: "cancel", code: "declined", status: 400},
		{name: "denied", change: msError("access_denied", "<b>no</b>"), code: "declined", status: 400},
		{name: "consumer at login", change: msError("invalid_request", "AADSTS50020: x"), code: "wrong-account", status: 400},
		{name: "admin consent", change: msError("access_denied", "AADSTS90094: x"), code: "admin-consent-required", status: 403},
		{name: "approval", change: msError("access_denied", "AADSTS90095: x"), code: "admin-consent-requested", status: 403},
		{name: "no right to consent", before: loginFault(90093), code: "consent-not-allowed", status: 403},
		{name: "no such service", before: loginFault(650052), code: "service-missing", status: 403},
		{name: "account of another tenant", before: loginFault(90072), code: "account-of-another-tenant", status: 400},
		{name: "unknown error", change: msError("<i>odd</i>", "AADSTS123: x"), code: "microsoft-error", status: 400},
		{name: "number not first", change: msError("access_denied", "see AADSTS90094: x"), code: "declined", status: 400},
		{name: "their outage", change: msError("server_error", ""), code: "microsoft-unavailable", status: 503},
		{name: "our redirect", change: msError("invalid_request", "AADSTS50011: x"), code: "redirect-uri", status: 500},
		{name: "redeemed", before: tokenFault(54005), code: directory.CodeSignInExpired, status: 400},
		{name: "code of another authorisation", change: func(w *world, q url.Values) {
			_, u := w.create("Other")
			q.Set("code", w.browse(u, adminUPN, "accept").Get("code"))
		}, code: directory.CodeSignInExpired, status: 400},
		{name: "another key", change: func(w *world, _ url.Values) { w.key = "another-key-of-states-of-this-test" }, code: "state-unknown", status: 400, kept: true,
			after: func(w *world, _ directory.ConnectionID) { w.key = stateKey }},
		{name: "no key", kept: true, change: func(w *world, _ url.Values) { w.key = "short" }, code: "configuration", status: 500,
			after: func(w *world, _ directory.ConnectionID) { w.key = stateKey }},
		{name: "our secret", before: tokenFault(7000215), code: "client-secret-wrong", status: 500},
		{name: "outage", before: tokenFault(90033), code: "microsoft-unavailable", status: 503},
		{name: "too often", before: tokenFault(50196), code: "client-loop", status: 503},
		{name: "mfa", before: tokenFault(50076), code: "mfa-required", status: 400},
		{name: "connection lost", before: func(w *world) { w.fault(entratest.Fault{Kind: "drop", Path: "/token"}) }, code: "microsoft-unreachable", status: 503},
		{name: "keys lost", before: func(w *world) { w.fault(entratest.Fault{Kind: "status", Path: "/keys", Status: 500}) }, code: "microsoft-unreachable", status: 503},
		{name: "organization", before: graphFault("organization$"), code: "graph", status: 502},
		{name: "domains", before: graphFault("domains"), code: "graph", status: 502},
		{name: "me", before: graphFault("^/?me$"), code: "graph", status: 502},
		{name: "roles", before: graphFault("transitiveMemberOf"), code: "graph", status: 502},
		{name: "expected domain", domain: "wanted.example", code: "expected-domain", status: 409,
			after: func(w *world, id directory.ConnectionID) {
				_, err := w.store.Connections.ModifyConnection(context.Background(), directory.AuditEvent{}, id, func(c *directory.Connection) error { c.ExpectedDomain = "CONTOSO.example"; return nil })
				w.check(err)
			}},
		{name: "role", login: "reader@contoso.example", before: func(w *world) { grantAll(w) }, code: "role-missing", status: 403},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			c, u, err := w.Create(t.Context(), alice, "Contoso", tc.domain, directory.Settings{})
			w.check(err)
			if tc.before != nil {
				tc.before(w)
			}
			login, button := tc.login, tc.button
			if login == "" {
				login = adminUPN
			}
			if button == "" {
				button = "accept"
			}
			q := w.browse(u, login, button)
			if tc.change != nil {
				tc.change(w, q)
			}
			before := w.read(c.ID)
			was := recordOf(t, w, c.ID)
			p := w.call(q)
			if p.Code != tc.code || p.Status != tc.status || p.Title == "" || p.Message == "" || p.Next == "" {
				t.Errorf("page = %+v, want %s %d with cause and next step", p, tc.code, tc.status)
			}
			for _, bad := range []string{"<script", "<b>", "<i>", q.Get("code"), q.Get("state")} {
				if len(bad) > 2 && strings.Contains(p.HTML(), bad) {
					t.Errorf("the page repeats %q", bad)
				}
			}
			kinds, _ := w.auditEvents(c.ID)
			after := w.read(c.ID)
			if note := after.RefusedSignIn; slices.Contains(kinds, string(directory.AuditRefuseSignIn)) != (note != nil) {
				t.Errorf("noted as %+v, done were %q", note, kinds)
			} else if note != nil {
				if note.Code != p.Code || note.Message != p.Message || note.Next != p.Next || note.At.IsZero() {
					t.Errorf("noted as %+v, the page said %+v", note, p)
				}
				after.RefusedSignIn, after.Version, after.Updated = nil, before.Version, before.Updated
			}
			if is := textOf(t, &after); is != was {
				t.Errorf("the connection was changed\nfrom %s\nto   %s", was, is)
			}
			if names := w.vault.Names(); len(names) != 0 {
				t.Errorf("secrets were left: %v", names)
			}
			w.sim.ClearFaults()
			if tc.after != nil {
				tc.after(w, c.ID)
			}
			if p := w.authorize(c.ID, adminUPN); p.Status != 200 {
				t.Errorf("the next try = %+v", p)
			}
			if p := w.call(q); !tc.kept && p.Status == 200 {
				t.Errorf("the refused link worked later: %+v", p)
			}
		})
	}
}

func grantAll(w *world) {
	body := fmt.Sprintf(`{"clientId":%q,"scope":%q}`, clientID, strings.Join(scopesFor(&directory.Connection{}), " "))
	resp, err := w.http.Post(loginBase+"/_control/tenants/"+string(tenantID)+"/grants", "application/json", strings.NewReader(body))
	w.check(err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		w.Fatalf("grants = %d", resp.StatusCode)
	}
}

func recordOf(t *testing.T, w *world, id directory.ConnectionID) string {
	t.Helper()
	c := w.read(id)
	return textOf(t, &c)
}

func textOf(t *testing.T, c *directory.Connection) string {
	t.Helper()
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The note of a refused sign-in goes with the next good one, in effect or not, and with the
// epoch; a refusal of a connection that works leaves it at work.
func TestRefusedSignInIsForgotten(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	refuse := func() {
		t.Helper()
		u, err := w.Authorize(t.Context(), alice, c.ID)
		w.check(err)
		w.depart(u)
		w.call(url.Values{"state": {w.query(u).Get("state")}, "error": {"access_denied"}})
		if is := w.read(c.ID); is.RefusedSignIn == nil || is.Status != directory.StatusActive || is.SignInID != c.SignInID {
			t.Fatalf("refused: %s, %+v", is.Status, is.RefusedSignIn)
		}
	}
	refuse()
	if p := w.authorize(c.ID, adminUPN); p.Status != 200 {
		t.Fatalf("authorise again = %+v", p)
	}
	if c = w.read(c.ID); c.RefusedSignIn != nil {
		t.Errorf("after a good sign-in: %+v", c.RefusedSignIn)
	}
	refuse()
	c = w.read(c.ID)
	if c.EndEpoch(c.Updated); c.RefusedSignIn != nil {
		t.Errorf("after the epoch: %+v", c.RefusedSignIn)
	}
}

func TestReusedState(t *testing.T) {
	w := newWorld(t)
	c, u := w.create("Contoso")
	q := w.browse(u, adminUPN, "accept")
	pages := make([]Page, 8)
	var wg sync.WaitGroup
	for i := range pages {
		wg.Go(func() { pages[i] = w.call(q) })
	}
	wg.Wait()
	codes := map[string]int{}
	for _, p := range pages {
		codes[p.Code]++
	}
	if !maps.Equal(codes, map[string]int{"awaiting-confirmation": 1, "state-unknown": 7}) {
		t.Errorf("eight callbacks with one state = %v", codes)
	}
	if w.read(c.ID).Status != directory.StatusAwaitingConfirmation {
		t.Error("the one that worked was undone")
	}
}

func TestStaleState(t *testing.T) {
	w := newWorld(t)
	c := w.connected("Contoso", adminUPN)
	u, err := w.Authorize(t.Context(), alice, c.ID)
	w.check(err)
	q := w.browse(u, adminUPN, "accept")
	_, err = w.Deactivate(t.Context(), alice, c.ID)
	w.check(err)
	if p := w.call(q); p.Code != "outdated" || p.Status != 409 {
		t.Errorf("a state of an older epoch = %+v", p)
	}
	if n := w.vault.Names(); len(n) != 0 || w.read(c.ID).Status != directory.StatusDeactivated {
		t.Errorf("it left %v", n)
	}
	w.check(w.Delete(t.Context(), directory.Caller{Subject: "admin"}, c.ID))
	u, err = w.Authorize(t.Context(), alice, c.ID)
	if !errors.Is(err, directory.ErrNotFound) || u != "" {
		t.Errorf("Authorize of a deleted connection = %v", err)
	}
}

func TestCallbackHTTP(t *testing.T) {
	w := newWorld(t)
	for method, want := range map[string]int{"GET": 400, "HEAD": 405, "POST": 405} {
		rec := httptest.NewRecorder()
		w.ServeSignIn(rec, httptest.NewRequest(method, "/oauth/callback", nil))
		h := rec.Header()
		if rec.Code != want || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s = %d %v, want %d", method, rec.Code, h, want)
		}
		csp := h.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "style-src 'sha256-", "form-action 'none'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: policy %q lacks %s", method, csp, part)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(rec.Body.String(), "<script") || !strings.Contains(rec.Body.String(), "viewport") {
			t.Errorf("%s: page or policy is not as it should be", method)
		}
	}
}
