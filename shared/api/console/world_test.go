package console

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	multipartwriter "mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/net/html"

	"bindery/shared/directory"
)

var update = flag.Bool("update", false, "write the golden pages anew")

const (
	publicURL = "https://bindery.example"
	issuerURL = "https://issuer.example"
)

var allScopes = []string{scopeRead, scopeWrite, scopeAdmin, scopeApprove}

// transport answers requests by a handler.
type transport struct{ http.Handler }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	t.ServeHTTP(w, in)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// rows are sessions in memory.
type rows struct {
	mu   sync.Mutex
	list map[string]row
	now  func() time.Time
}

type row struct {
	sealed  []byte
	version int64
	expires time.Time
}

func (r *rows) Session(_ context.Context, name string) ([]byte, int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one, ok := r.list[name]
	if !ok || !one.expires.After(r.now()) {
		return nil, 0, directory.ErrNotFound
	}
	return one.sealed, one.version, nil
}

func (r *rows) SaveSession(_ context.Context, name string, sealed []byte, version int64, expires time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.list[name].version != version {
		return directory.ErrStale
	}
	r.list[name] = row{sealed, version + 1, expires}
	return nil
}

func (r *rows) EndSession(_ context.Context, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.list, name)
	return nil
}

// world is a console before a /v1 and an issuer that a test plays.
type world struct {
	*testing.T
	c    *Console
	rows *rows
	log  bytes.Buffer
	now  time.Time

	mu      sync.Mutex
	answers map[string]any // by "GET /v1/…" without query: a value, a problem, or a func
	calls   []string       // "POST /v1/… body"
	reads   []string       // "/v1/…?…" of GETs
	tokens  []string       // that /v1 was called with

	// What the issuer says.
	scopes    []string
	signedAt  time.Duration // auth_time, from now
	noAuth    bool          // it does not say
	lives     time.Duration // of access tokens; 0: an hour
	refuse    bool          // no token for anything
	refreshes int
	challenge map[string]string // by code
	nonce     map[string]string
	key       *ecdsa.PrivateKey

	jar map[string]string
}

func newWorld(t *testing.T, scopes ...string) *world {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, now: time.Date(2026, 11, 28, 10, 42, 0, 0, time.UTC), answers: map[string]any{}, scopes: scopes, key: key,
		challenge: map[string]string{}, nonce: map[string]string{}, jar: map[string]string{}}
	if scopes == nil {
		w.scopes = allScopes
	}
	w.rows = &rows{list: map[string]row{}, now: w.clock}
	w.c, err = New(Config{PublicURL: publicURL, Issuer: issuerURL, ClientID: "console", Scopes: allScopes, Login: transport{http.HandlerFunc(w.issuer)}, API: transport{http.HandlerFunc(w.v1)},
		Sessions: w.rows, Environment: "test", RequestID: func(context.Context) string { return "req-1" }, Now: w.clock, Log: slog.New(slog.NewTextHandler(&w.log, nil)), AuthParams: url.Values{"audience": {"bindery"}}})
	if err != nil {
		t.Fatal(err)
	}
	w.c.patience = patience{time.Hour, time.Hour, time.Hour} // a page of a test has all that it asks for, however busy the machine is
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// v1 answers as the test has told.
func (w *world) v1(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	key := r.Method + " " + r.URL.Path
	w.mu.Lock()
	w.tokens = append(w.tokens, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if r.Method != http.MethodGet {
		w.calls = append(w.calls, strings.TrimSpace(key+" "+string(body)))
	} else {
		w.reads = append(w.reads, r.URL.RequestURI())
	}
	a, ok := w.answers[key]
	w.mu.Unlock()
	if f, is := a.(func(r *http.Request) any); is {
		a = f(r)
	}
	rw.Header().Set("Apigw-Requestid", "req-1")
	switch a := a.(type) {
	case nil:
		if !ok {
			answerWith(rw, http.StatusNotFound, problem{Status: 404, Code: "not-found", Detail: "There is no such thing."})
			return
		}
		rw.WriteHeader(http.StatusNoContent)
	case problem:
		answerWith(rw, a.Status, a)
	case string:
		_, _ = io.WriteString(rw, a)
	default:
		data, err := json.Marshal(a)
		if err != nil {
			w.Error(err)
		}
		sum := sha256.Sum256(data)
		tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`
		rw.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			rw.WriteHeader(http.StatusNotModified)
			return
		}
		answerWith(rw, http.StatusOK, a)
	}
}

func answerWith(rw http.ResponseWriter, status int, v any) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(v)
}

// read are the reads of /v1 since it was asked last.
func (w *world) read() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.reads
	w.reads = nil
	slices.Sort(list)
	return list
}

// told are the calls of /v1 that may change something.
func (w *world) told() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.calls
	w.calls = nil
	return list
}

// issuer is an OpenID provider.
func (w *world) issuer(rw http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		answerWith(rw, 200, map[string]any{"issuer": issuerURL, "authorization_endpoint": issuerURL + "/authorize", "token_endpoint": issuerURL + "/token",
			"jwks_uri": issuerURL + "/keys", "end_session_endpoint": issuerURL + "/logout", "id_token_signing_alg_values_supported": []string{"ES256"}})
	case "/keys":
		answerWith(rw, 200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &w.key.PublicKey, KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	case "/token":
		_ = r.ParseForm()
		w.mu.Lock()
		defer w.mu.Unlock()
		nonce := ""
		switch r.PostForm.Get("grant_type") {
		case "authorization_code":
			code := r.PostForm.Get("code")
			sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
			if w.refuse || w.challenge[code] == "" || base64.RawURLEncoding.EncodeToString(sum[:]) != w.challenge[code] {
				answerWith(rw, 400, map[string]string{"error": "invalid_grant"})
				return
			}
			nonce = w.nonce[code]
			delete(w.challenge, code)
		case "refresh_token":
			if w.refuse || r.PostForm.Get("refresh_token") != fmt.Sprint("refresh-", w.refreshes) {
				answerWith(rw, 400, map[string]string{"error": "invalid_grant"})
				return
			}
			w.refreshes++
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: w.key, KeyID: "k"}}, nil)
		if err != nil {
			w.Error(err)
			return
		}
		claims := map[string]any{"name": "Ada Lindqvist"}
		if nonce != "" {
			claims["nonce"] = nonce
		}
		if !w.noAuth {
			claims["auth_time"] = w.now.Add(-w.signedAt).Unix()
		}
		exp := jwt.NewNumericDate(w.now.Add(time.Hour))
		id, err := jwt.Signed(signer).Claims(jwt.Claims{Issuer: issuerURL, Subject: "ada", Audience: jwt.Audience{"console"}, IssuedAt: jwt.NewNumericDate(w.now), Expiry: exp}).Claims(claims).Serialize()
		if err != nil {
			w.Error(err)
		}
		access, err := jwt.Signed(signer).Claims(jwt.Claims{Subject: "ada", Expiry: exp, ID: fmt.Sprint(w.refreshes)}).Claims(map[string]any{"scope": strings.Join(w.scopes, " ")}).Serialize()
		if err != nil {
			w.Error(err)
		}
		answerWith(rw, 200, map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": int(cmp.Or(w.lives, time.Hour).Seconds()), "refresh_token": fmt.Sprint("refresh-", w.refreshes), "id_token": id})
	default:
		http.NotFound(rw, r)
	}
}

// page is an answer of the console.
type answered struct {
	*world
	code   int
	header http.Header
	body   string
	to     string // where it leads on to
}

// send sends a request with the jar's cookies, as a browser does, and keeps what is set.
func (w *world) send(method, path string, form url.Values, header ...string) answered {
	w.Helper()
	var body io.Reader = http.NoBody
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequestWithContext(w.Context(), method, publicURL+path, body)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Origin", publicURL)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	for name, value := range w.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	w.c.ServeHTTP(rec, r)
	for _, k := range rec.Result().Cookies() {
		if k.MaxAge < 0 {
			delete(w.jar, k.Name)
		} else {
			w.jar[k.Name] = k.Value
		}
	}
	return answered{w, rec.Code, rec.Header(), rec.Body.String(), rec.Header().Get("Location")}
}

func (w *world) get(path string) answered { w.Helper(); return w.send(http.MethodGet, path, nil) }

func (w *world) post(path string, pairs ...string) answered {
	w.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return w.send(http.MethodPost, path, form)
}

// authorize plays the issuer's page: it keeps what it is asked with, and gives the
// address that it sends the browser back to.
func (w *world) authorize(to string) string {
	w.Helper()
	u, err := url.Parse(to)
	if err != nil || !strings.HasPrefix(to, issuerURL+"/authorize?") {
		w.Fatalf("led to %q, not to the issuer", to)
	}
	q := u.Query()
	code := rand.Text()
	w.mu.Lock()
	w.challenge[code], w.nonce[code] = q.Get("code_challenge"), q.Get("nonce")
	w.mu.Unlock()
	back, _ := strings.CutPrefix(q.Get("redirect_uri"), publicURL)
	return back + "?" + url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {issuerURL}}.Encode()
}

// signIn signs in, and returns where that led to.
func (w *world) signIn(to string) answered {
	w.Helper()
	a := w.get("/console/login?" + url.Values{"to": {to}}.Encode())
	return w.get(w.authorize(a.to))
}

// signed is a world in which somebody is signed in, with some scopes.
func signed(t *testing.T, scopes ...string) *world {
	t.Helper()
	w := newWorld(t, scopes...)
	if a := w.signIn("/console"); a.code != http.StatusSeeOther || a.to != "/console" {
		t.Fatalf("signing in: %d to %q\n%s", a.code, a.to, a.body)
	}
	return w
}

// golden holds a page against its golden file, a tag a line.
func (a answered) golden(name string) {
	a.Helper()
	got := regexp.MustCompile(`/console/assets/[0-9a-f]+/`).ReplaceAllString(a.body, "/console/assets/HASH/")
	got = strings.ReplaceAll(got, "<p>Bindery "+directory.Version+" ·", "<p>Bindery VERSION ·") // a release changes no page
	got = strings.TrimSpace(strings.ReplaceAll(got, "><", ">\n<")) + "\n"
	path := filepath.Join("testdata", "golden", name+".html")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			a.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			a.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		a.Fatal(err)
	}
	if got != string(want) {
		have, wanted := strings.Split(got, "\n"), strings.Split(string(want), "\n")
		for i := range have {
			if i >= len(wanted) || have[i] != wanted[i] {
				line := ""
				if i < len(wanted) {
					line = wanted[i]
				}
				a.Errorf("%s: line %d is\n\t%s\nwant\n\t%s\n(go test ./shared/api/console -update writes it anew: look at the difference)", name, i+1, have[i], line)
				return
			}
		}
		a.Errorf("%s: shorter than it was", name)
	}
}

// sound holds a page to what all pages keep: one heading of the first order, a title, a
// main, a name for every field, no ID twice, and nothing inline.
func (a answered) sound(where string) {
	a.Helper()
	doc, err := html.Parse(strings.NewReader(a.body))
	if err != nil {
		a.Errorf("%s: %v", where, err)
		return
	}
	counts, ids := map[string]int{}, map[string]bool{}
	labelled := map[string]bool{}
	var named []string // IDs that something leads to, or is described by
	var walk func(n *html.Node, inLabel bool)
	walk = func(n *html.Node, inLabel bool) {
		if n.Type == html.ElementNode {
			if n.Namespace == "" { // a picture has titles of its own
				counts[n.Data]++
			}
			at := map[string]string{}
			for _, k := range n.Attr {
				at[k.Key] = k.Val
				if strings.HasPrefix(k.Key, "on") || k.Key == "style" {
					a.Errorf("%s: <%s %s> is inline", where, n.Data, k.Key)
				}
			}
			if id := at["id"]; id != "" {
				if ids[id] {
					a.Errorf("%s: the id %q is there twice", where, id)
				}
				ids[id] = true
			}
			if n.Data == "label" && at["for"] != "" {
				labelled[at["for"]] = true
			}
			if n.Data == "script" && at["src"] == "" {
				a.Errorf("%s: an inline script", where)
			}
			if to, is := strings.CutPrefix(at["href"], "#"); is {
				named = append(named, to)
			}
			named = append(named, strings.Fields(at["aria-describedby"])...)
			if (n.Data == "input" && at["type"] != "hidden" || n.Data == "select" || n.Data == "textarea") && !inLabel && at["aria-label"] == "" && !labelled[at["id"]] {
				a.Errorf("%s: <%s name=%q> has no label", where, n.Data, at["name"])
			}
			if n.Data == "form" && at["method"] == "post" && !local(at["action"]) {
				a.Errorf("%s: a form goes to %q", where, at["action"])
			}
			inLabel = inLabel || n.Data == "label"
		}
		for child := n.FirstChild; child != nil; child = child.NextSibling {
			walk(child, inLabel)
		}
	}
	walk(doc, false)
	for _, id := range named {
		if !ids[id] {
			a.Errorf("%s: there is no id %q", where, id)
		}
	}
	for _, name := range []string{"h1", "title", "main"} {
		if counts[name] != 1 {
			a.Errorf("%s: %d of <%s>", where, counts[name], name)
		}
	}
}

// nodes are the elements of a page with a name.
func (a answered) nodes(name string) (list []map[string]string) {
	doc, err := html.Parse(strings.NewReader(a.body))
	if err != nil {
		a.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			at := map[string]string{}
			for _, k := range n.Attr {
				at[k.Key] = k.Val
			}
			list = append(list, at)
		}
	}
	return list
}

func (a answered) has(texts ...string) {
	a.Helper()
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			_, main, _ := strings.Cut(a.body, "<main")
			a.Errorf("%q is not on the page: %.1500s", text, main)
		}
	}
}

// tell sets answers of /v1.
func (w *world) tell(answers map[string]any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.Copy(w.answers, answers)
}

// upload sends a form with a file, as a browser does.
func (w *world) upload(path, file string, pairs ...string) answered {
	w.Helper()
	var body bytes.Buffer
	form := multipartwriter.NewWriter(&body)
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := form.WriteField(pairs[i], pairs[i+1]); err != nil {
			w.Fatal(err)
		}
	}
	if file != "" {
		part, err := form.CreateFormFile("file", "people.csv")
		if err != nil {
			w.Fatal(err)
		}
		_, _ = io.WriteString(part, file)
	}
	form.Close()
	r := httptest.NewRequestWithContext(w.Context(), http.MethodPost, publicURL+path, &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for name, value := range w.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	w.c.ServeHTTP(rec, r)
	return answered{w, rec.Code, rec.Header(), rec.Body.String(), rec.Header().Get("Location")}
}
