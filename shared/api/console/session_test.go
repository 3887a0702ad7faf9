package console

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/api/admin"
)

// The scopes are those that the API knows.
func TestScopes(t *testing.T) {
	t.Parallel()
	if got, want := allScopes, []string{admin.ScopeRead, admin.ScopeWrite, admin.ScopeAdmin, admin.ScopeApprove}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Signing in asks the issuer with all that the flow is made of, leads back to where it was
// begun, and leaves no token in the browser or the table.
func TestSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.get("/console/runs/run_1?effect=block")
	if a.code != http.StatusSeeOther || a.to != "/console/sign-in?to=%2Fconsole%2Fruns%2Frun_1%3Feffect%3Dblock" {
		t.Fatalf("without a session: %d to %q", a.code, a.to)
	}
	page := w.get(a.to)
	page.sound("sign-in")
	page.golden("sign-in")
	login := w.get("/console/login?to=%2Fconsole%2Fruns%2Frun_1%3Feffect%3Dblock")
	u, err := url.Parse(login.to)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for name, want := range map[string]string{"response_type": "code", "client_id": "console", "code_challenge_method": "S256", "audience": "bindery",
		"redirect_uri": publicURL + "/console/callback", "scope": "openid " + strings.Join(allScopes, " ")} {
		if q.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, q.Get(name), want)
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(q.Get(name)) != 43 || strings.Contains(w.jar["__Host-bindery-login"], q.Get(name)) {
			t.Errorf("%s = %q, with the cookie %q", name, q.Get(name), w.jar["__Host-bindery-login"])
		}
	}
	cookie := login.header.Get("Set-Cookie")
	for _, part := range []string{"__Host-bindery-login=", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax", "; Max-Age=600"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("the cookie %q lacks %q", cookie, part)
		}
	}
	done := w.get(w.authorize(login.to))
	if done.to != "/console/runs/run_1?effect=block" || w.jar["__Host-bindery-login"] != "" {
		t.Errorf("led to %q, with %v", done.to, w.jar)
	}
	secret := w.jar["__Host-bindery"]
	for name, r := range w.rows.list {
		for _, sealed := range []string{name, string(r.sealed)} {
			if strings.Contains(sealed, "Ada") || strings.Contains(sealed, "refresh-0") || strings.Contains(sealed, secret) {
				t.Errorf("the table tells what it should not: %q", sealed)
			}
		}
	}
	if strings.Contains(w.log.String(), secret) || strings.Contains(w.log.String(), "refresh-") {
		t.Errorf("the log holds a secret: %s", w.log.String())
	}
}

// What does not belong to the sign-in that this browser began comes to nothing.
func TestCallbackRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		before func(w *world)
		change func(q url.Values)
		says   text
	}{
		"another state":        {nil, func(q url.Values) { q.Set("state", q.Get("state")[1:]+"A") }, textSignInExpired},
		"no state":             {nil, func(q url.Values) { q.Del("state") }, textSignInExpired},
		"another browser":      {func(w *world) { delete(w.jar, "__Host-bindery-login") }, nil, textSignInExpired},
		"another issuer":       {nil, func(q url.Values) { q.Set("iss", "https://evil.example") }, textWrongIssuer},
		"the issuer's no":      {nil, func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") }, textIssuerRefused},
		"another code":         {nil, func(q url.Values) { q.Set("code", "none") }, textIssuerRefused},
		"another nonce":        {func(w *world) { clear2(w.nonce) }, nil, textSignInBroken},
		"no scope of ours":     {func(w *world) { w.scopes = []string{"openid"} }, nil, textNoScopes},
		"a cookie with target": {func(w *world) { w.jar["__Host-bindery-login"] = retarget(w.jar["__Host-bindery-login"]) }, nil, textSignInExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			back := w.authorize(w.get("/console/login").to)
			path, raw, _ := strings.Cut(back, "?")
			q, _ := url.ParseQuery(raw)
			if tt.before != nil {
				tt.before(w)
			}
			if tt.change != nil {
				tt.change(q)
			}
			a := w.get(path + "?" + q.Encode())
			a.sound(name)
			if a.code != http.StatusForbidden || w.jar["__Host-bindery"] != "" || len(w.rows.list) != 0 {
				t.Errorf("%d, cookies %v, %d sessions", a.code, w.jar, len(w.rows.list))
			}
			a.has(strings.ReplaceAll(tt.says[english], "'", "&#39;"))
		})
	}
}

func clear2(m map[string]string) {
	for k := range m {
		m[k] = "other"
	}
}

// retarget makes a sign-in's cookie lead to another page.
func retarget(cookie string) string {
	parts := strings.Split(cookie, ".")
	parts[2] = base64.RawURLEncoding.EncodeToString([]byte("/console/connections"))
	return strings.Join(parts, ".")
}

// A code error that is none of OAuth's is not repeated.
func TestIssuerErrorIsNotRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	back := w.authorize(w.get("/console/login").to)
	q, _ := url.ParseQuery(back[strings.Index(back, "?")+1:])
	a := w.get("/console/callback?" + url.Values{"state": {q.Get("state")}, "error": {"Call 0800 123 to sign in"}}.Encode())
	if strings.Contains(a.body, "0800") {
		t.Errorf("the page repeats what stood in its address: %.300s", a.body[strings.Index(a.body, "0800")-200:])
	}
}

// No sign-in leads anywhere but to a page of the console.
func TestTargets(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]string{
		"/console/runs/1?x=y": "/console/runs/1?x=y", "/console": "/console", "": "/console",
		"https://evil.example/console": "/console", "//evil.example/console": "/console", `/\evil.example`: "/console", "/v1/connections": "/console",
		"/console/../v1": "/console", "/console/..": "/console", "/console/%2e%2e/v1": "/console", "/console/runs/..x": "/console/runs/..x", "/console/login?to=x": "/console", "/console//evil": "/console", "/console/x\r\nSet-Cookie: a=b": "/console",
		"/consolefake": "/console", "javascript:alert(1)": "/console", "/console/" + strings.Repeat("a", 3000): "/console",
	} {
		if got := target(to); got != want {
			t.Errorf("target(%.60q) = %q, want %q", to, got, want)
		}
	}
}

// A session ends by itself, by signing out, and when the API does not take its token.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	empty := map[string]any{"GET /v1/connections": page[connection]{}}
	for name, tt := range map[string]struct {
		do   func(w *world)
		lost bool
	}{
		"used":               {func(w *world) {}, false},
		"an hour, used":      {func(w *world) { idle(w, 50*time.Minute); idle(w, 50*time.Minute) }, false},
		"idle":               {func(w *world) { w.pass(66 * time.Minute) }, true},
		"twelve hours, used": {func(w *world) { idle(w, 12*time.Hour+time.Minute) }, true},
		"signed out":         {func(w *world) { w.post("/console/sign-out") }, true},
		"token not taken":    {func(w *world) { w.answers["GET /v1/connections"] = problem{Status: 401}; w.get("/console") }, true},
		"another's row":      {func(w *world) { spoil(w) }, true},
		"no refresh any more": {func(w *world) {
			w.refuse = true
			w.pass(61 * time.Minute)
		}, true},
		"issuer away, token good": {func(w *world) { w.refuse = true; w.pass(59 * time.Minute) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := signed(t)
			w.tell(empty)
			tt.do(w)
			w.tell(empty)
			a := w.get("/console")
			if lost := a.code == http.StatusSeeOther && strings.HasPrefix(a.to, "/console/sign-in"); lost != tt.lost {
				t.Errorf("%d to %q, want lost %v", a.code, a.to, tt.lost)
			}
		})
	}
}

// idle uses a session from time to time.
func idle(w *world, d time.Duration) {
	for ; d > 0; d -= 20 * time.Minute {
		w.pass(min(d, 20*time.Minute))
		w.get("/console")
	}
}

// spoil writes over the rows of all sessions.
func spoil(w *world) {
	for name, r := range w.rows.list {
		r.sealed = append([]byte(nil), r.sealed...)
		r.sealed[len(r.sealed)-1] ^= 1
		w.rows.list[name] = r
	}
}

// A token is exchanged before its end, once, and what was asked for with the old one
// is asked for with the new one from then on.
func TestRefresh(t *testing.T) {
	t.Parallel()
	w := signed(t)
	w.tell(map[string]any{"GET /v1/connections": page[connection]{}})
	w.get("/console")
	first := w.tokens[len(w.tokens)-1]
	w.pass(59 * time.Minute)
	w.get("/console")
	w.get("/console")
	if second := w.tokens[len(w.tokens)-1]; second == first || w.refreshes != 1 {
		t.Errorf("%d refreshes, the same token: %v", w.refreshes, second == first)
	}
}

// Of requests at once, in several processes over one table, one exchanges the refresh token,
// and all of them go on: an issuer that sees one twice would end the session.
func TestRefreshAtOnce(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]time.Duration{"the token is good": 59 * time.Minute, "the token has ended": 61 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := signed(t)
			w.tell(map[string]any{"GET /v1/connections": page[connection]{}})
			begun, onward := make(chan struct{}), make(chan struct{})
			var asked atomic.Int32
			issuer := transport{http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/token" && asked.Add(1) == 1 {
					close(begun)
					<-onward
				}
				w.issuer(rw, r)
			})}
			var processes []*Console
			for range 3 {
				cfg := w.c.cfg
				cfg.Login = issuer
				c, err := New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				processes = append(processes, c)
			}
			w.pass(late)
			cookie := &http.Cookie{Name: "__Host-bindery", Value: w.jar["__Host-bindery"]}
			codes := make(chan int, 12)
			ask := func(c *Console) {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, publicURL+"/console", nil)
				r.AddCookie(cookie)
				rec := httptest.NewRecorder()
				c.ServeHTTP(rec, r)
				codes <- rec.Code
			}
			go ask(processes[0])
			<-begun // it has the lease, and asks
			for i := range 11 {
				go ask(processes[i%3])
			}
			if late < time.Hour { // they need not wait
				for range 11 {
					if code := <-codes; code != http.StatusOK {
						t.Errorf("%d", code)
					}
				}
			}
			close(onward)
			for range 12 - map[bool]int{true: 11}[late < time.Hour] {
				if code := <-codes; code != http.StatusOK {
					t.Errorf("%d", code)
				}
			}
			if n := asked.Load(); n != 1 || w.refreshes != 1 {
				t.Errorf("asked %d times, %d refreshes", n, w.refreshes)
			}
			if w.get("/console").code != http.StatusOK {
				t.Error("the session has ended")
			}
		})
	}
}

// While its token is good no page waits long for a slow issuer, nor does each one try anew; and
// what the issuer says late is not lost.
func TestRefreshSlowly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := signed(t)
		w.tell(map[string]any{"GET /v1/connections": page[connection]{}})
		slow := time.Minute
		cfg := w.c.cfg
		cfg.Login = transport{http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(slow):
			case <-r.Context().Done():
				return
			}
			w.issuer(rw, r)
		})}
		var err error
		if w.c, err = New(cfg); err != nil {
			t.Fatal(err)
		}
		took := func() time.Duration {
			t.Helper()
			began := time.Now()
			if a := w.get("/console/connections"); a.code != http.StatusOK {
				t.Errorf("answered %d", a.code)
			}
			return time.Since(began)
		}
		w.pass(59 * time.Minute)
		if d := took(); d > 3*time.Second {
			t.Errorf("the page took %v", d)
		}
		time.Sleep(time.Minute) // it has given up
		for range 3 {
			if d := took(); d > 0 {
				t.Errorf("a page after it took %v", d)
			}
		}
		synctest.Wait()
		slow = 3 * time.Second / 2 // for the description, and for the token
		w.pass(renewPause)
		took()
		time.Sleep(time.Minute)
		synctest.Wait()
		if w.refreshes != 1 {
			t.Errorf("%d refreshes", w.refreshes)
		}
		w.pass(30 * time.Minute)
		if d := took(); d > 0 || w.refreshes != 1 {
			t.Errorf("with the token that came late: %v, %d refreshes", d, w.refreshes)
		}
	})
}

// A token that lives for less than the time before its end at which others are exchanged is
// used, too.
func TestRefreshShortLived(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.lives = time.Minute
	w.signIn("/console")
	w.tell(map[string]any{"GET /v1/connections": page[connection]{}})
	for range 3 {
		w.get("/console")
	}
	if w.refreshes != 0 {
		t.Errorf("%d refreshes of a token that is good", w.refreshes)
	}
	w.pass(50 * time.Second)
	for range 3 {
		w.get("/console")
	}
	if w.refreshes != 1 {
		t.Errorf("%d refreshes of a token that ends", w.refreshes)
	}
}

// Who held the lease and is gone holds it for a while; then another asks. A refresh token
// that is refused is asked with once.
func TestRefreshLease(t *testing.T) {
	t.Parallel()
	w := signed(t)
	w.tell(map[string]any{"GET /v1/connections": page[connection]{}})
	w.pass(59 * time.Minute)
	s, err := w.c.load(t.Context(), w.c.secretOf(w.request(), sessionCookie))
	if err != nil {
		t.Fatal(err)
	}
	s.Renewing = w.now // and its process dies
	if err := w.c.save(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if w.get("/console"); w.refreshes != 0 {
		t.Error("another asked while the lease was held")
	}
	w.pass(renewFor)
	if w.get("/console"); w.refreshes != 1 {
		t.Error("nobody asked after the lease")
	}
	w.refuse = true
	w.pass(59 * time.Minute)
	for range 3 {
		if a := w.get("/console"); a.code != http.StatusOK {
			t.Errorf("%d while the token is good", a.code)
		}
	}
	if n := strings.Count(w.log.String(), "cannot be renewed"); n != 1 {
		t.Errorf("a refresh token that was refused was sent %d times", n)
	}
}

// The new tokens are stored also when the table fails once; and a session that was signed
// out of meanwhile does not come back.
func TestRefreshStored(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"fails once": false, "signed out": true} {
		w := signed(t)
		w.tell(map[string]any{"GET /v1/connections": page[connection]{}})
		n := 0
		w.c.cfg.Sessions = &brittle{w.rows, func() error {
			switch n++; {
			case n == 2 && lost:
				clear(w.rows.list)
			case n == 2:
				return errors.New("the table does not answer")
			}
			return nil
		}}
		w.pass(59 * time.Minute)
		a := w.get("/console")
		if w.refreshes != 1 || (a.code != http.StatusOK) != lost || (len(w.rows.list) == 0) != lost {
			t.Errorf("%s: %d, %d refreshes", name, a.code, w.refreshes)
		}
	}
}

// brittle is a table that something happens to before each write.
type brittle struct {
	*rows
	before func() error
}

func (b *brittle) SaveSession(ctx context.Context, name string, sealed []byte, version int64, expires time.Time) error {
	if err := b.before(); err != nil {
		return err
	}
	return b.rows.SaveSession(ctx, name, sealed, version, expires)
}

// request is one with the jar's cookies.
func (w *world) request() *http.Request {
	r := httptest.NewRequestWithContext(w.Context(), http.MethodGet, publicURL+"/console", nil)
	for name, value := range w.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

// What is sent after a session has ended is not done, and the page says so.
func TestEndedInTheMiddle(t *testing.T) {
	t.Parallel()
	w := signed(t)
	w.pass(3 * time.Hour)
	a := w.send(http.MethodPost, "/console/runs/run_1/decline", url.Values{}, "Referer", publicURL+"/console/runs/run_1/decline")
	a.sound("ended")
	if a.code != http.StatusUnauthorized || len(w.told()) > 0 {
		t.Errorf("%d, %v", a.code, w.told())
	}
	a.has("Nothing was done of what you sent", "/console/login?to=%2Fconsole%2Fruns%2Frun_1%2Fdecline")
}

// Nobody but the console's own pages can have it change anything.
func TestCrossSite(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		header []string
		want   int
	}{
		"own page":                  {nil, http.StatusSeeOther},
		"another site":              {[]string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, http.StatusForbidden},
		"another origin":            {[]string{"Sec-Fetch-Site", "", "Origin", "https://evil.example"}, http.StatusForbidden},
		"a sister's host":           {[]string{"Sec-Fetch-Site", "same-site", "Origin", "https://other.bindery.example"}, http.StatusForbidden},
		"no origin, as a sandbox":   {[]string{"Sec-Fetch-Site", "cross-site", "Origin", "null"}, http.StatusForbidden},
		"an old browser, same":      {[]string{"Sec-Fetch-Site", "", "Origin", publicURL}, http.StatusSeeOther},
		"the user's own, no page":   {[]string{"Sec-Fetch-Site", "none"}, http.StatusSeeOther},
		"another scheme, same host": {[]string{"Sec-Fetch-Site", "", "Origin", "http://evil.example"}, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := signed(t)
			w.tell(map[string]any{"POST /v1/runs/run_1/decline": nil})
			for _, rt := range routes {
				if rt.method != http.MethodPost {
					continue
				}
				path := strings.NewReplacer("{id}", "run_1").Replace(rt.path)
				if path == "/console/sign-out" {
					continue
				}
				w.told()
				a := w.send(http.MethodPost, path, url.Values{}, tt.header...)
				if tt.want == http.StatusForbidden && (a.code != tt.want || len(w.told()) > 0) {
					t.Errorf("%s: %d, want %d and nothing done", path, a.code, tt.want)
				}
				if tt.want == http.StatusForbidden {
					a.has("came from another site")
				}
			}
			if a := w.send(http.MethodPost, "/console/runs/run_1/decline", url.Values{}, tt.header...); a.code != tt.want {
				t.Errorf("%d, want %d", a.code, tt.want)
			}
		})
	}
}

// Every answer has the headers that keep a page from being framed, kept, or filled.
func TestHeaders(t *testing.T) {
	t.Parallel()
	w := signed(t)
	w.tell(map[string]any{"GET /v1/connections": page[connection]{}})
	for _, path := range []string{"/console", "/console/none", "/console/sign-in", assetPath("style.css"), "/console/assets/x/none", "/console/runs/none", "/elsewhere"} {
		a := w.get(path)
		for name, want := range map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY", "Strict-Transport-Security": "max-age=31536000"} {
			if a.header.Get(name) != want {
				t.Errorf("%s: %s = %q", path, name, a.header.Get(name))
			}
		}
		cached := a.header.Get("Cache-Control")
		if asset := path == assetPath("style.css"); asset != strings.Contains(cached, "immutable") || !asset && cached != "no-store" {
			t.Errorf("%s: Cache-Control %q", path, cached)
		}
	}
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'"} {
		if !strings.Contains(policy, part) || strings.Contains(policy, "unsafe") {
			t.Errorf("the policy lacks %q, or is unsafe: %s", part, policy)
		}
	}
}

// Each route with a scope, with a token that lacks it: the page says which it is, and
// nothing is called.
func TestScopeMatrix(t *testing.T) {
	t.Parallel()
	for _, rt := range routes {
		if rt.scope == "" {
			continue
		}
		t.Run(rt.method+" "+rt.path, func(t *testing.T) {
			t.Parallel()
			others := slices.DeleteFunc(slices.Clone(allScopes), func(s string) bool { return s == rt.scope })
			if rt.scope == scopeRead { // without it nobody gets in: a token may lose it by a refresh
				w := signed(t)
				w.scopes = others
				w.pass(59 * time.Minute)
				lacks(t, w, rt)
				return
			}
			lacks(t, signed(t, others...), rt)
		})
	}
}

func lacks(t *testing.T, w *world, rt route) {
	t.Helper()
	w.tokens = nil
	path := strings.NewReplacer("{id}", "x", "{$}", "").Replace(rt.path)
	a := w.send(rt.method, path, map[string]url.Values{http.MethodPost: {}}[rt.method])
	if a.code != http.StatusForbidden || len(w.tokens) > 0 {
		t.Errorf("%d, and %d calls", a.code, len(w.tokens))
	}
	a.sound(path)
	a.has("needs", rt.scope)
}

// What needs a fresh sign-in asks for one, and an issuer that does not ask is told of.
func TestFresh(t *testing.T) {
	t.Parallel()
	w := signed(t)
	w.pass(10 * time.Minute)
	login := w.get("/console/login?fresh=1&to=/console/me")
	u, _ := url.Parse(login.to)
	if u.Query().Get("prompt") != "login" || u.Query().Get("max_age") != "300" {
		t.Errorf("asked with %s", u.RawQuery)
	}
	w.signedAt = 10 * time.Minute
	if a := w.get(w.authorize(login.to)); a.code != http.StatusForbidden {
		t.Errorf("an old sign-in counts as a fresh one: %d", a.code)
	}
	w.signedAt, w.noAuth = 0, true
	if a := w.get(w.authorize(w.get("/console/login?fresh=1&to=/console/me").to)); a.to != "/console/me" {
		t.Errorf("%d to %q", a.code, a.to)
	}
}

// A page that looks again by itself does not keep the session of somebody who has left, also
// where its token is exchanged for that; what they do themselves does.
func TestUnattended(t *testing.T) {
	t.Parallel()
	for look, ends := range map[string]bool{"1": true, "": false} {
		w := signed(t)
		w.lives = 15 * time.Minute
		w.tell(map[string]any{"GET /v1/connections": page[connection]{}})
		code := http.StatusOK
		for range 80 {
			w.pass(time.Minute)
			if code = w.send(http.MethodGet, "/console/connections", nil, lookHeader, look).code; code != http.StatusOK {
				break
			}
		}
		if (code == http.StatusSeeOther) != ends || w.refreshes == 0 {
			t.Errorf("with the header %q: %d, %d refreshes", look, code, w.refreshes)
		}
	}
	script, err := assets.ReadFile("assets/enhance.js")
	if err != nil || !strings.Contains(string(script), "'"+lookHeader+"'") {
		t.Errorf("the script does not send %s: %v", lookHeader, err)
	}
}

// The issuer's description is read once for many sign-ins, and again after a while; while it
// cannot be read, that is not remembered.
func TestIssuerDescribedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asked, away := 0, true
	cfg := w.c.cfg
	cfg.Login = transport{http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/openid-configuration") {
			asked++
		}
		if away {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		w.issuer(rw, r)
	})}
	var err error
	if w.c, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	if a := w.get("/console/login"); a.code < 400 {
		t.Errorf("answered %d without an issuer", a.code)
	}
	asked, away = 0, false
	for range 20 {
		if a := w.get("/console/login"); a.code != http.StatusSeeOther {
			t.Fatalf("answered %d", a.code)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times for 20 sign-ins", asked)
	}
	w.pass(issuerFor)
	if w.get("/console/login"); asked != 2 {
		t.Errorf("asked %d times after a while", asked)
	}
	if a := w.signIn("/console"); a.to != "/console" {
		t.Errorf("signing in leads to %q", a.to)
	}
}

// Signing out leads to where the issuer ends its own session, and from there back to a page of
// ours that needs none.
func TestSignOutAtIssuer(t *testing.T) {
	t.Parallel()
	w := signed(t)
	for _, name := range []string{flashCookie, linkCookie} { // which are of whoever leaves
		w.jar[w.c.cookieName(name)] = "x"
	}
	a := w.post("/console/sign-out")
	if len(w.jar) != 0 {
		t.Errorf("cookies stay: %v", w.jar)
	}
	a.has("https://issuer.example/logout?client_id=console&amp;logout_uri=" + url.QueryEscape(publicURL+signedOutPath))
	if b := w.get(signedOutPath); b.code != http.StatusOK {
		t.Errorf("%s answers %d", signedOutPath, b.code)
	}
}
