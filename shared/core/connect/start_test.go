package connect

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

// The page that an authorisation begins with says who asks, for what, where and
// until when; to look at it uses nothing up.
func TestStartPage(t *testing.T) {
	w := newWorld(t)
	c, u, err := w.Create(t.Context(), directory.Caller{Subject: "alice@<our> directory"}, "Contoso <b>", "contoso.example", directory.Settings{})
	w.check(err)
	was := recordOf(t, w, c.ID)
	acts, _ := w.auditEvents(c.ID)
	var link string
	for range 3 { // previews, reloads
		rec := httptest.NewRecorder()
		w.ServeSignIn(rec, httptest.NewRequest("GET", u, nil))
		h, body := rec.Header(), rec.Body.String()
		for _, text := range []string{"alice@&lt;our&gt; directory", "Contoso &lt;b&gt;", "app.example", "contoso.example", "User.ReadWrite.All",
			w.now().Add(stateLifetime).UTC().Format("2006-01-02 15:04"), "close this page"} {
			if !strings.Contains(body, text) {
				t.Errorf("the page does not say %q", text)
			}
		}
		if rec.Code != 200 || strings.Contains(body, "<script") || strings.Contains(body, loginBase) || strings.Contains(body, "<our>") || strings.Contains(body, "offline_access") {
			t.Errorf("the page = %d %s", rec.Code, body)
		}
		cookie := h.Get("Set-Cookie")
		for _, part := range []string{"__Host-bindery-", "Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age="} {
			if !strings.Contains(cookie, part) {
				t.Errorf("cookie %q lacks %s", cookie, part)
			}
		}
		if strings.Contains(cookie, "Domain") || strings.Contains(cookie, w.query(u).Get("state")) {
			t.Errorf("cookie %q", cookie)
		}
		for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff"} {
			if h.Get(name) != want {
				t.Errorf("%s = %q", name, h.Get(name))
			}
		}
		if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("policy %q", csp)
		}
		m := regexp.MustCompile(`<a class="go" id="continue" rel="noreferrer" href="([^"]*)"`).FindStringSubmatch(body)
		if m == nil {
			t.Fatalf("no way on:\n%s", body)
		}
		link = html.UnescapeString(m[1])
	}
	if recordOf(t, w, c.ID) != was || len(w.vault.Names()) != 0 {
		t.Error("to look at the page changed something")
	}
	if kinds, _ := w.auditEvents(c.ID); !slices.Equal(kinds, acts) {
		t.Errorf("acts %v, before it was looked at %v", kinds, acts)
	}
	// A link that is fetched ahead of the click is not followed, nor one that
	// another browser was shown.
	r := httptest.NewRequest("GET", link, nil)
	r.Header.Set("Sec-Purpose", "prefetch;prerender")
	rec := httptest.NewRecorder()
	w.ServeSignIn(rec, r)
	if rec.Code != 503 || rec.Header().Get("Set-Cookie") != "" || rec.Header().Get("Location") != "" {
		t.Errorf("fetched ahead = %d %v", rec.Code, rec.Header())
	}
	if p := w.Start(t.Context(), w.query(link), nil); p.Code != "wrong-browser" || p.Location != "" || p.Cookie != nil {
		t.Errorf("the link of another browser = %+v", p)
	}
	if p := w.call(w.browse(u, adminUPN, "accept")); p.Status != 200 {
		t.Errorf("after all that = %+v", p)
	}
}

func TestStartRefusals(t *testing.T) {
	w := newWorld(t)
	c, u := w.create("Contoso")
	q := w.query(u)
	for _, tc := range []struct {
		q    url.Values
		code string
	}{
		{url.Values{}, "state-missing"},
		{url.Values{"state": {"a", "b"}}, "ambiguous"},
		{url.Values{"state": q["state"], "go": {"a", "b"}}, "ambiguous"},
		{url.Values{"state": {`"><script>`}}, "state-unknown"},
		{url.Values{"state": {strings.Repeat("A", 43)}}, "state-unknown"},
		{url.Values{"state": q["state"], "go": {""}}, "wrong-browser"},
		{url.Values{"state": q["state"], "go": {strings.Repeat("A", 43)}}, "wrong-browser"},
	} {
		if p := w.keep(w.Start(t.Context(), tc.q, w.cookies())); p.Code != tc.code || p.Location != "" || p.Cookie != nil || p.Next == "" || strings.Contains(p.HTML(), "<script") {
			t.Errorf("Start(%v) = %+v, want %s", tc.q, p, tc.code)
		}
	}
	for method, want := range map[string]int{"HEAD": 405, "POST": 405, "GET": 200} {
		rec := httptest.NewRecorder()
		w.ServeSignIn(rec, httptest.NewRequest(method, u, nil))
		if rec.Code != want {
			t.Errorf("%s = %d", method, rec.Code)
		}
	}
	w.offset += stateLifetime
	if p := w.Start(t.Context(), q, nil); p.Code != "state-expired" || p.Link != nil {
		t.Errorf("when its time is over = %+v", p)
	}
	w.offset = 0
	_, err := w.Deactivate(t.Context(), alice, c.ID)
	w.check(err)
	if p := w.Start(t.Context(), q, nil); p.Code != "outdated" {
		t.Errorf("after a deactivation = %+v", p)
	}
	w.check(w.Delete(t.Context(), directory.Caller{Subject: "admin"}, c.ID))
	if p := w.Start(t.Context(), q, nil); p.Code != "connection-deleted" {
		t.Errorf("after a deletion = %+v", p)
	}
}

// Only the browser that was shown who asks, and left that page by its link, ends
// an authorisation. Any other changes nothing and leaves it to the right one.
func TestTheWrongBrowser(t *testing.T) {
	value := func(p Page) []*http.Cookie { return []*http.Cookie{p.Cookie} }
	for name, cookies := range map[string]func(w *world, u string) []*http.Cookie{
		"no cookie": func(*world, string) []*http.Cookie { return nil },
		"was on the page and did not go on": func(w *world, u string) []*http.Cookie {
			return value(w.Start(w.Context(), w.query(u), nil))
		},
		"of another authorisation": func(w *world, u string) []*http.Cookie {
			_, other := w.create("Other")
			before := w.cookies()
			w.depart(other)
			for _, c := range w.cookies() {
				if c.Name != before[0].Name {
					return []*http.Cookie{{Name: cookieName(w.query(u).Get("state")), Value: c.Value}}
				}
			}
			return nil
		},
		"forged": func(w *world, u string) []*http.Cookie {
			c := *w.cookies()[0]
			c.Value = "x" + c.Value
			return []*http.Cookie{&c}
		},
		"empty": func(w *world, u string) []*http.Cookie {
			return []*http.Cookie{{Name: cookieName(w.query(u).Get("state")), Value: "."}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c, u := w.create("Contoso")
			q := w.browse(u, adminUPN, "accept")
			theirs := cookies(w, u)
			was := recordOf(t, w, c.ID)
			w.resetRequests()
			for range 3 {
				if p := w.Callback(t.Context(), q, theirs); p.Code != "wrong-browser" || p.Status != 403 || p.Cookie != nil || p.Warn == "" || p.Next == "" {
					t.Fatalf("page = %+v", p)
				}
				denied := url.Values{"state": q["state"], "error": {"access_denied"}}
				if p := w.Callback(t.Context(), denied, theirs); p.Code != "wrong-browser" {
					t.Fatalf("page = %+v", p)
				}
			}
			if kinds, _ := w.auditEvents(c.ID); recordOf(t, w, c.ID) != was || len(w.vault.Names()) != 0 || w.sent.all.Load() != 0 || len(kinds) != 1 { // the connection was made
				t.Errorf("it did something: %v", kinds)
			}
			if p := w.call(q); p.Status != 200 {
				t.Errorf("the right browser = %+v", p)
			}
			for _, c := range w.cookies() {
				if c.Name == cookieName(q.Get("state")) {
					t.Error("the cookie outlives the authorisation")
				}
			}
		})
	}
}

// Several authorisations go on at once in one browser, and one page may be open
// twice.
func TestSeveralTabs(t *testing.T) {
	w := newWorld(t)
	first, a := w.create("Contoso")
	second, b := w.create("Fabrikam")
	one := w.keep(w.Start(t.Context(), w.query(a), w.cookies()))
	qb := w.browse(b, "admin@fabrikam.example", "accept")
	w.keep(w.Start(t.Context(), w.query(a), w.cookies())) // the same page once more, before going on from the first
	p := w.keep(w.Start(t.Context(), w.query(one.Link.Address), w.cookies()))
	if p.Status != http.StatusSeeOther {
		t.Fatalf("going on = %+v", p)
	}
	w.keep(w.Start(t.Context(), w.query(a), w.cookies())) // and after: it is still the browser that went on
	qa := w.browse(a, adminUPN, "accept")
	if p := w.call(qa); p.Status != 200 || w.read(first.ID).Waiting == nil {
		t.Errorf("the first = %+v", p)
	}
	if p := w.call(qb); p.Status != 200 || w.read(second.ID).Waiting == nil {
		t.Errorf("the second = %+v", p)
	}
}

// The other half of the attack: somebody who may make connections here sends the
// admin of a foreign tenant a link. The admin is told who asks; and even if he
// goes on, nothing takes effect at our side by the attacker alone.
func TestAForeignAdminFollowsALink(t *testing.T) {
	w := newWorld(t)
	mallory := directory.Caller{Subject: "mallory"}
	c, u, err := w.Create(t.Context(), mallory, "Payroll", "", directory.Settings{})
	w.check(err)
	// Straight to Microsoft, past our page, by the attacker's own cookie:
	microsoft := w.depart(u)
	w.jar = map[string]*http.Cookie{} // the victim's browser
	if p := w.call(w.finish(microsoft, "admin@fabrikam.example", "accept")); p.Code != "wrong-browser" || w.read(c.ID).Waiting != nil {
		t.Fatalf("page = %+v", p)
	}
	// By our page, which says who asks:
	if p := w.Start(t.Context(), w.query(u), nil); !strings.Contains(p.HTML(), "mallory") {
		t.Errorf("the page does not name who asks: %+v", p)
	}
	if p := w.call(w.browse(u, "admin@fabrikam.example", "accept")); p.Code != "awaiting-confirmation" || !strings.Contains(p.HTML(), "mallory") {
		t.Fatalf("page = %+v", p)
	}
	c = w.read(c.ID)
	if _, err := w.Confirm(t.Context(), mallory, c.ID, otherID, c.Waiting.AuthorizedBy.ObjectID); err == nil {
		t.Error("the attacker confirmed alone")
	}
	w.edit(c.ID, func(c *directory.Connection) { c.Settings.FourEyes = true })
	if _, err := w.Confirm(t.Context(), directory.Caller{Subject: "mallory", Approve: true}, c.ID, otherID, c.Waiting.AuthorizedBy.ObjectID); err == nil {
		t.Error("with four eyes, the attacker confirmed though he asked")
	}
	if c = w.read(c.ID); c.Status == directory.StatusActive || w.actsAs(w.process(), &c) != "" {
		t.Errorf("it is in effect: %+v", c)
	}
	w.age(ConfirmWithin)
	w.check(w.Expire(t.Context(), &c))
	w.age(time.Minute)
	if n := w.vault.Names(); len(n) != 0 {
		t.Errorf("a day later its tokens are still here: %v", n)
	}
}

// A return from Microsoft's page for an admin's consent has no state, and a page.
func TestReturnFromAdminConsent(t *testing.T) {
	w := newWorld(t)
	p := w.call(url.Values{"admin_consent": {"True"}, "tenant": {string(tenantID)}, "scope": {"<b>"}})
	if p.Code != "admin-consent" || p.Status != 200 || p.Next == "" || strings.Contains(p.HTML(), "<b>") {
		t.Errorf("page = %+v", p)
	}
}
