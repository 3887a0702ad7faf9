package demo

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"bindery/infra/stack"
)

// The console's secret at its provider: the function reads it from Secrets Manager.
const (
	consoleSecretName = "bindery/console-client-secret"
	consoleSecret     = "c0nsoleSecretThatMustNeverShowInALog"
)

// open opens an address of its own, over TLS, before everything is there that answers at
// it: the API with the console, and the provider that signs admins in. It returns the file
// of its certificate, for the console's function, which calls both.
func (w *lambdaWorld) open(t *testing.T, tokens *stack.Issuer) (certificate string) {
	t.Helper()
	var provider *stack.Provider
	w.site = httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, stack.ProviderPath+"/") {
			w.Handler.ServeHTTP(rw, r)
			return
		}
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/token") {
			if _, secret, ok := r.BasicAuth(); !ok || secret != consoleSecret {
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(http.StatusUnauthorized)
				_, _ = io.WriteString(rw, `{"error":"invalid_client"}`)
				return
			}
		}
		w.Secrets.Watch(provider).ServeHTTP(rw, r)
	}))
	t.Cleanup(w.site.Close)
	var err error
	if provider, err = stack.NewProvider(tokens, w.site.URL); err != nil {
		t.Fatal(err)
	}
	certificate = filepath.Join(t.TempDir(), "site.pem")
	if err := os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.site.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return certificate
}

// console is an admin at the console: from the sign-in at the provider to a held run that
// is approved by the page's own form, a file that comes as a form too, a picture, and out.
func (w *lambdaWorld) console(ctx context.Context) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	c := &visitor{ctx: ctx, base: w.site.URL, jar: jar, client: &http.Client{Jar: jar, Transport: w.site.Client().Transport}}
	home, err := c.signIn()
	if err != nil {
		return err
	}
	conn, err := w.demonstration.api.Get(ctx, "/v1/connections/"+w.conn)
	if err != nil {
		return err
	}
	w.show.check("the console's home names the connection", true, strings.Contains(home.body, conn.Text("name")))
	w.show.check("the browser holds the session and nothing of the sign-in", sessionCookie, strings.Join(c.cookies(), " "))
	for _, step := range []func(context.Context, *visitor) error{w.heldRun, w.otherSite, w.fileByForm, w.pictureByPage} {
		if err := step(ctx, c); err != nil {
			return err
		}
	}
	if _, err := c.post("/console/sign-out", nil); err != nil {
		return err
	}
	after, err := c.get("/console")
	w.show.check("after signing out the console asks to sign in", "200 /console/sign-in", fmt.Sprint(after.status, " ", after.path))
	w.show.check("cookies that are left", "", strings.Join(c.cookies(), " "))
	return err
}

const sessionCookie = "__Host-bindery"

// heldRun edits a user while every run waits, and approves what is held as its page offers.
func (w *lambdaWorld) heldRun(ctx context.Context, c *visitor) error {
	api, row := w.demonstration.api, w.rows[30]
	if _, err := api.Patch(ctx, "/v1/connections/"+w.conn, object{"settings": object{"mode": "approve"}}); err != nil {
		return err
	}
	u, err := w.userByEmail(ctx, row["email"])
	if err != nil {
		return err
	}
	if _, err := api.Patch(ctx, "/v1/users/"+u.Text("id"), object{"department": "Console Works"}); err != nil {
		return err
	}
	approved := false
	for until := time.Now().Add(w.patience); !approved; {
		if time.Now().After(until) {
			return errors.New("no run that is held could be approved in the console")
		}
		if approved, err = w.approveHeld(ctx, c); err != nil {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	a, _ := w.sim.Account(w.tenant, row["email"])
	w.show.check("department in Microsoft 365 after the approval in the console", "Console Works", a["department"])
	_, err = api.Patch(ctx, "/v1/connections/"+w.conn, object{"settings": object{"mode": nil}})
	return err
}

// approveHeld approves the newest run if it is held, and waits for its end; false when
// there is none, or another has taken its place meanwhile.
func (w *lambdaWorld) approveHeld(ctx context.Context, c *visitor) (bool, error) {
	runs, err := w.demonstration.api.Get(ctx, "/v1/connections/"+w.conn+"/runs?limit=1")
	if err != nil || len(runs.List("items")) == 0 || runs.List("items")[0].Text("state") != "held" {
		return false, err
	}
	id := runs.List("items")[0].Text("id")
	page, err := c.get("/console/runs/" + id + "/approve?what=all")
	if err != nil || page.path != "/console/runs/"+id+"/approve" {
		return false, err // it is not held any more
	}
	form, ok := page.form("/console/runs/" + id + "/approve")
	if !ok {
		return false, fmt.Errorf("the page of approval has no form: %d", page.status)
	}
	form.Set("reason", "Gelesen & geprüft")
	answer, err := c.post("/console/runs/"+id+"/approve", form)
	if err != nil {
		return false, err
	}
	run, err := w.demonstration.api.Get(ctx, "/v1/runs/"+id)
	if err != nil || run.Text("state") == "superseded" {
		return false, err
	}
	w.show.check("an approval by form leads to the run's page", "200 /console/runs/"+id, fmt.Sprint(answer.status, " ", answer.path))
	again, err := c.get(answer.path)
	if err != nil {
		return false, err
	}
	const flash = `class="flash"`
	w.show.check("what was approved is told there, once", "true false", fmt.Sprint(strings.Contains(answer.body, flash), " ", strings.Contains(again.body, flash)))
	if run, err = w.awaitState(ctx, "/v1/runs/"+id, "done"); err != nil {
		return false, err
	}
	w.show.check("who approved the run", "admin@local", run.Text("approvedBy"))
	return true, nil
}

// otherSite sends the console a form from another site's page.
func (w *lambdaWorld) otherSite(_ context.Context, c *visitor) error {
	got, err := c.post("/console/connections/"+w.conn+"/sync", nil, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
	w.show.check("a form of another site", http.StatusForbidden, got.status)
	return err
}

// fileByForm loads a user from a file in a form, whose body is no text.
func (w *lambdaWorld) fileByForm(ctx context.Context, c *visitor) error {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	if err := form.WriteField("of", "users"); err != nil {
		return err
	}
	part, err := form.CreateFormFile("file", "people.csv")
	if err != nil {
		return err
	}
	if _, err := io.WriteString(part, "email,givenName,familyName\nzoe@corp.example,Zoë,Form\n"); err != nil {
		return err
	}
	if err := form.Close(); err != nil {
		return err
	}
	page, err := c.send(http.MethodPost, "/console/users/load", form.FormDataContentType(), &body, "Sec-Fetch-Site", "same-origin")
	if err != nil {
		return err
	}
	if !strings.HasPrefix(page.path, "/console/jobs/") {
		return fmt.Errorf("a file by form led to %d %s", page.status, page.path)
	}
	if _, err := w.await(ctx, "/v1/jobs/"+strings.TrimPrefix(page.path, "/console/jobs/"), 1); err != nil {
		return err
	}
	u, err := w.userByEmail(ctx, "zoe@"+demoDomain)
	w.show.check("given name of a user loaded by the console's form", "Zoë", u.Text("givenName"))
	return err
}

// pictureByPage looks at a user's picture, which is no text either.
func (w *lambdaWorld) pictureByPage(ctx context.Context, c *visitor) error {
	users, err := w.users(ctx)
	if err != nil {
		return err
	}
	for _, u := range users {
		if u.Text("source") != "m365" {
			continue
		}
		_, want, err := w.demonstration.api.Raw(ctx, http.MethodGet, "/v1/users/"+u.Text("id")+"/photo", "", "")
		if err != nil {
			return err
		}
		got, err := c.get("/console/users/" + u.Text("id") + "/photo")
		w.show.check("a picture by the console, byte for byte that of the API", true, got.status == http.StatusOK && got.body == want)
		return err
	}
	return errors.New("nobody has a picture")
}

// visitor is somebody with a browser at the console.
type visitor struct {
	ctx    context.Context
	base   string
	jar    http.CookieJar
	client *http.Client
}

// visited is a page that a visitor has come to.
type visited struct {
	status     int
	path, body string
}

// signIn goes to the console, to the provider's page that it leads to, and back.
func (c *visitor) signIn() (visited, error) {
	first, err := c.get("/console")
	if err != nil {
		return first, err
	}
	if first.path != "/console/sign-in" {
		return first, fmt.Errorf("without a session the console led to %d %s", first.status, first.path)
	}
	page, err := c.get("/console/login?to=/console")
	if err != nil {
		return page, err
	}
	form, ok := page.form(stack.ProviderPath + "/authorize")
	if !ok {
		return page, fmt.Errorf("the sign-in led to no form of the provider: %d %s", page.status, page.path)
	}
	form.Set("part", stack.Parts[0])
	home, err := c.post(stack.ProviderPath+"/authorize", form)
	if err == nil && (home.status != http.StatusOK || home.path != "/console") {
		err = fmt.Errorf("the provider led back to %d %s", home.status, home.path)
	}
	return home, err
}

// cookies are the names of those that the browser has for the console.
func (c *visitor) cookies() (names []string) {
	u, err := url.Parse(c.base + "/console")
	if err != nil {
		return nil
	}
	for _, k := range c.jar.Cookies(u) {
		names = append(names, k.Name)
	}
	return names
}

func (c *visitor) get(path string) (visited, error) { return c.send(http.MethodGet, path, "", nil) }

// post sends a form as a page of ours does, unless the headers say otherwise.
func (c *visitor) post(path string, form url.Values, headers ...string) (visited, error) {
	return c.send(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()), append([]string{"Sec-Fetch-Site", "same-origin", "Origin", c.base}, headers...)...)
}

func (c *visitor) send(method, path, kind string, body io.Reader, headers ...string) (visited, error) {
	r, err := http.NewRequestWithContext(c.ctx, method, c.base+path, body)
	if err != nil {
		return visited{}, err
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.client.Do(r)
	if err != nil {
		return visited{}, err
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	return visited{res.StatusCode, res.Request.URL.Path, string(all)}, err
}

// form are the fields of a page's form to an address, as they stand.
func (p visited) form(action string) (url.Values, bool) {
	doc, err := html.Parse(strings.NewReader(p.body))
	if err != nil {
		return nil, false
	}
	attribute := func(n *html.Node, name string) string {
		for _, a := range n.Attr {
			if a.Key == name {
				return a.Val
			}
		}
		return ""
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" || attribute(n, "action") != action {
			continue
		}
		form := url.Values{}
		for field := range n.Descendants() {
			if field.Type == html.ElementNode && field.Data == "input" && attribute(field, "name") != "" {
				form.Set(attribute(field, "name"), attribute(field, "value"))
			}
		}
		return form, true
	}
	return nil, false
}
