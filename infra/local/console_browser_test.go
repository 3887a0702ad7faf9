package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"bindery/infra/stack"
	"bindery/infra/stacktest"
)

// screens is where pictures of the pages are left, to be looked at.
const screens = "../../.build/screens"

// tab is a browser's tab at a stack's console.
type tab struct {
	*testing.T
	ctx  context.Context
	base string
	axe  string // the script of axe-core; "" where there is none
}

// served is a stack that listens, with its console's address.
func served(t *testing.T, cfg stack.Config) (*stacktest.World, string) {
	t.Helper()
	api := openPort(t)
	cfg.PublicURL = "http://" + api.Addr().String()
	o := stacktest.With(t, cfg)
	serveOn(t, api, o.Stack.Handler())
	return o, cfg.PublicURL
}

func serveOn(t *testing.T, l net.Listener, h http.Handler) {
	t.Helper()
	srv := &http.Server{Handler: h}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
}

// openTab opens a browser.
func openTab(t *testing.T, base string) *tab {
	t.Helper()
	path := os.Getenv("BINDERY_BROWSER")
	if path == "" {
		t.Skip("needs chromium: make test-browser finds it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "en"),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 900))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	axe := ""
	if at := os.Getenv("BINDERY_AXE"); at != "" {
		script, err := os.ReadFile(at)
		if err != nil {
			t.Fatal(err)
		}
		axe = string(script)
	}
	return &tab{t, ctx, base, axe}
}

func (b *tab) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	done := make(chan error, 1)
	go func() { done <- chromedp.Do(b.ctx, actions...) }()
	select {
	case err := <-done:
		if err != nil {
			b.Fatalf("%s: %v at %s", what, err, b.at())
		}
	case <-time.After(30 * time.Second):
		b.Fatalf("%s: waits too long at %s\n%s", what, b.at(), b.text())
	}
}

func (b *tab) at() string {
	at, _ := chromedp.Run(b.ctx, chromedp.Location())
	return at
}

func (b *tab) text() string {
	text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText"))
	return text
}

func (b *tab) open(path string) {
	b.Helper()
	b.do("open "+path, chromedp.Navigate(b.base+path))
}

// press clicks on what a selector names, and waits for what another one names.
func (b *tab) press(selector, then string) {
	b.Helper()
	b.do("press "+selector, chromedp.Click(selector))
	b.see(then)
}

// see waits until the page has a text.
func (b *tab) see(text string) {
	b.Helper()
	for until := time.Now().Add(30 * time.Second); !strings.Contains(b.text(), text); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(until) {
			b.Fatalf("%q is not there, at %s:\n%s", text, b.at(), b.text())
		}
	}
}

// js is what a script in the page comes to.
func js[T any](b *tab, script string) T {
	b.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%.60s: %v", script, err)
	}
	return v
}

// wide sets the size of the window.
func (b *tab) wide(width, height int64) {
	b.Helper()
	b.do("size", chromedp.EmulateViewport(width, height))
}

// scheme sets which colours the system wants.
func (b *tab) scheme(name string) {
	b.Helper()
	b.do("scheme", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
		return err
	}))
}

// script switches scripts of pages on or off.
func (b *tab) script(on bool) {
	b.Helper()
	b.do("script", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
		return err
	}))
}

// look leaves pictures of the page, wide in both themes and narrow, and holds it to
// what every page keeps: nothing that axe finds, and no scrolling sideways.
func (b *tab) look(name string) {
	b.Helper()
	if err := os.MkdirAll(screens, 0o755); err != nil {
		b.Fatal(err)
	}
	for _, as := range []struct {
		name, scheme  string
		width, height int64
	}{{"light", "light", 1280, 900}, {"dark", "dark", 1280, 900}, {"narrow", "light", 360, 740}} {
		b.scheme(as.scheme)
		b.wide(as.width, as.height)
		if as.width < 400 && js[bool](b, "document.documentElement.scrollWidth > document.documentElement.clientWidth") {
			b.Errorf("%s: at %d pixels there is something to scroll to sideways", name, as.width)
		}
		picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		if err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(screens, name+"-"+as.name+".png"), picture, 0o644); err != nil {
			b.Fatal(err)
		}
		b.findings(name + ", " + as.name)
	}
	b.scheme("light")
	b.wide(1280, 900)
}

// face leaves a small picture of a page's top for the README, where BINDERY_FACES names a
// folder for them: make screens.
func (b *tab) face(name, path string) {
	b.Helper()
	folder := os.Getenv("BINDERY_FACES")
	if folder == "" {
		return
	}
	b.do("size", chromedp.EmulateViewport(1180, 700, chromedp.EmulateScale(0.75)))
	b.open(path)
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o644); err != nil {
		b.Fatal(err)
	}
	b.wide(1280, 900)
}

// findings are what axe-core has to say of the page.
func (b *tab) findings(where string) {
	b.Helper()
	if b.axe == "" {
		return
	}
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[chromedp.Void](b.axe)); err != nil {
		b.Fatal(err)
	}
	found := js[string](b, `axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21aa','wcag22aa','best-practice']}).then(r => JSON.stringify(r.violations.map(v => ({id: v.id, help: v.help, at: v.nodes.slice(0, 4).map(n => n.html.slice(0, 200) + ' ' + n.failureSummary)}))))`)
	var list []struct {
		ID, Help string
		At       []string
	}
	if err := json.Unmarshal([]byte(found), &list); err != nil {
		b.Fatal(err)
	}
	for _, f := range list {
		b.Errorf("%s: %s: %s\n\t%s", where, f.ID, f.Help, strings.Join(f.At, "\n\t"))
	}
}

// signIn signs in by the laptop's one button.
func (b *tab) signIn() {
	b.Helper()
	b.open("/console")
	b.see("Continue with")
	b.press("a.button.primary", "This laptop signs you in")
	b.press("#continue", "Local admin")
}

// held is a stack with a run that the guard holds: fourteen people of Engineering and
// Sales were suspended.
func held(t *testing.T) (o *stacktest.World, base, conn, run string) {
	t.Helper()
	o, base = served(t, stack.Config{})
	conn = o.Connect("corp.example", o.Tenant("corp.example"), nil)
	var users []string
	for i := range 40 {
		department := "Engineering"
		if i%4 == 3 {
			department = "Sales"
		}
		given, family := []string{"Ann", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hana"}[i%8], []string{"Adler", "Brook", "Carver", "Dale", "Ember"}[i/8]
		users = append(users, o.User(fmt.Sprintf("user%02d@corp.example", i), stack.Object{"givenName": given, "familyName": family, "displayName": given + " " + family, "department": department, "jobTitle": "Member of staff"}))
	}
	o.Bind(conn, users...)
	for _, u := range users {
		o.Binding(conn, u, "in-sync")
	}
	o.Must(o.API.Patch(o.Context(), "/v1/connections/"+conn, stack.Object{"settings": stack.Object{"mode": "approve"}}))
	for _, u := range users[20:30] {
		o.Must(o.API.Patch(o.Context(), "/v1/users/"+u, stack.Object{"givenName": "Renamed", "familyName": "Person"}))
	}
	for _, u := range users[:14] {
		o.Post("/v1/users/"+u+"/suspend", nil)
	}
	// Each suspension makes a run that takes the place of the one before: the last of them
	// stays.
	last, looks := "", 0
	o.Wait("no run stays held", func() bool {
		run = ""
		for _, r := range o.Get("/v1/connections/" + conn + "/runs?limit=10").List("items") {
			if r.Text("state") == "held" && r.Object("counts").Number("block") > 5 && run == "" {
				run = r.Text("id")
			}
		}
		if looks++; run == "" || run != last {
			last, looks = run, 0
		}
		return looks >= 10
	})
	return o, base, conn, run
}

// TestBrowserConsole looks at each page of the console in a real browser, decides about
// a part of a held run on a telephone, and takes it back.
func TestBrowserConsole(t *testing.T) {
	if os.Getenv("BINDERY_BROWSER") == "" {
		t.Skip("needs chromium: make test-browser finds it")
	}
	o, base, conn, run := held(t)
	b := openTab(t, base)
	b.open("/console")
	b.see("Continue with")
	b.look("sign-in")
	b.signIn()
	b.see("need")
	b.look("home")
	b.face("console-home", "/console")
	b.open("/console/connections")
	b.look("connections")
	b.open("/console/connections/" + conn)
	b.look("connection")
	b.open("/console/connections/" + conn + "/runs")
	b.look("runs")
	b.open("/console/me")
	b.look("me")
	b.open("/console/runs/" + run)
	b.see("Nothing has been written yet")
	b.look("run-held")
	b.face("console-run", "/console/runs/"+run)
	b.open("/console/nothing-here")
	b.look("not-found")
	b.open("/console/users/load")
	b.look("load")
	group := o.Post("/v1/groups", object{"name": "Sales", "description": "Who sells"}).Text("id")
	o.Post("/v1/groups/"+group+"/members", object{"userIds": []string{o.Get("/v1/users?limit=1").List("items")[0].Text("id")}})
	b.open("/console/groups")
	b.look("groups")
	b.open("/console/groups/" + group)
	b.look("group")
	for _, tab := range []string{"groups", "groups/" + group, "tenant-groups", "licences", "problems", "settings", "protection", "health", "audit", "bind"} {
		b.open("/console/connections/" + conn + "/" + tab)
		b.look("connection-" + strings.ReplaceAll(strings.TrimSuffix(tab, group), "/", "-one"))
	}

	// In German, in one look.
	js[bool](b, "document.querySelector('button[name=lang][value=de]').click(), true")
	b.see("Benutzer binden")
	b.open("/console")
	b.see("Wartet auf eine Entscheidung")
	b.look("home-german")
	b.do("English again", chromedp.Click("details.menu summary"), chromedp.Click("button[name=lang][value=en]"))
	b.see("Needs a decision")

	// On a telephone: three of the changes.
	b.wide(360, 740)
	b.open("/console/runs/" + run)
	b.see("Why it is held")
	js[bool](b, "[...document.querySelectorAll('input[name=c]')].slice(0, 3).forEach(x => x.click()), true")
	b.see(fmt.Sprintf("3 of %d chosen", js[int](b, "document.querySelectorAll('input[name=c]').length")))
	b.press("button[value=chosen]", "Approve 3 of")
	b.look("approve")
	b.wide(360, 740)
	b.press(".decide button.primary", "3 changes approved")
	o.Wait("the run does not end", func() bool { return o.Get("/v1/runs/"+run).Text("state") == "done" })
	b.open("/console/runs/" + run)
	b.see("Ended: 3 written")
	b.look("run-done")
	b.wide(360, 740)
	b.press("a[href$='/undo']", "Take back what this run wrote")
	b.look("undo")
	b.press(".stack button.primary", "plan only")
	b.see("Put back")
	b.look("undo-plan")
	b.press("form[action$='/undo'] button.primary", "Taking back")
	b.see("It waits for a decision") // as every run of this connection
	b.press("a[href$='/approve?what=all']", "Approve 2 of 2 changes?")
	b.press(".decide button.primary", "2 changes approved")
	b.see("Ended: 2 written")
	b.look("undone")
	if got := o.Get("/v1/runs/" + run); got.Number("applied") != 3 {
		t.Errorf("the run wrote %v", got["applied"])
	}
	if slices.Contains(strings.Split(b.at(), "/"), "login") {
		t.Error("signed out on the way")
	}
}

// TestBrowserNewcomer goes the way of somebody who has just started the stack: from nothing
// to a run that is approved and taken back, without a call of the API.
func TestBrowserNewcomer(t *testing.T) {
	if os.Getenv("BINDERY_BROWSER") == "" {
		t.Skip("needs chromium: make test-browser finds it")
	}
	api, m365 := openPort(t), openPort(t)
	o := stacktest.With(t, stack.Config{PublicURL: "http://" + api.Addr().String(), Simulator: stack.Simulator{URL: "http://" + m365.Addr().String(), Served: true}})
	serveOn(t, api, o.Stack.Handler())
	serveOn(t, m365, o.Stack.Sim)
	o.Tenant("corp.example", person("ann"), person("bo"), person("cy"))
	b := openTab(t, "http://"+api.Addr().String())
	b.signIn()
	b.see("Welcome to Bindery")
	b.look("welcome")
	b.press("a.button.primary", "Add a connection")
	b.look("connect-form")
	b.do("name it", chromedp.SendKeys("#name", "Corp"), chromedp.SendKeys("#expectedDomain", "corp.example"))
	b.press("form.stack button.primary", "Continue to Microsoft")
	b.look("connect-link")
	conn := b.at()

	// In a tab of its own, as the link opens it: our page, Microsoft's pages, and back.
	to := js[string](b, "document.querySelector('a[target=_blank]').href")
	ctx, cancel := chromedp.NewContext(b.ctx)
	defer cancel()
	other := &tab{t, ctx, b.base, ""}
	other.do("authorise", chromedp.Navigate(to), chromedp.WaitVisible("#continue"), chromedp.Click("#continue"), chromedp.WaitVisible("#login"), chromedp.SendKeys("#login", "admin@corp.example"),
		chromedp.Click("#next"), chromedp.WaitVisible("#accept"), chromedp.Click("#accept"))
	other.see("corp.example")

	b.see("Is this the right tenant") // by itself
	b.look("confirm")
	b.press("form[action$='/confirm'] button", "Confirmed")
	b.look("accounts")
	js[bool](b, "document.querySelectorAll('input[name=c]').forEach(x => x.checked || x.click()), true")
	b.press("button[name=bind][value='1'].primary", "Import of accounts")
	b.see("done")
	b.look("job")
	b.open("/console/users")
	b.see("ann@corp.example")
	b.look("users")
	b.press("tbody a.who", "History")
	b.see("Accounts")
	b.look("user")
	b.press("a[href$='/edit']", "Save")
	b.look("user-edit")
	b.do("another department", chromedp.SendKeys("#in-department", "Research"))
	b.press(".decide button.primary", "Saved")

	// What follows of it waits, since every run of this connection does.
	b.open(strings.TrimPrefix(conn, b.base) + "/members")
	b.see("ann@corp.example")
	b.look("members")
	o.Wait("no run waits", func() bool {
		for _, r := range o.Get("/v1" + strings.TrimPrefix(conn, b.base+"/console") + "/runs?limit=5").List("items") {
			if r.Text("state") == "held" {
				return true
			}
		}
		return false
	})
	b.open("/console")
	b.see("Needs a decision")
	b.press(".item a.button", "Nothing has been written yet")
	b.press("a[href$='/approve?what=all']", "Approve")
	b.press(".decide button.primary", "approved")
	b.see("Ended:")
	b.look("approved")
	b.press("a[href$='/undo']", "Take back what this run wrote")
	b.press(".stack button.primary", "plan only")
	b.open("/console/activity")
	b.see("By day")
	b.look("activity")
	b.open(strings.TrimPrefix(conn, b.base) + "/end")
	b.see("Type the name")
	b.look("end")
}

func person(name string) map[string]any {
	return map[string]any{"userPrincipalName": name + "@corp.example", "displayName": strings.ToUpper(name[:1]) + name[1:] + " Example", "givenName": strings.ToUpper(name[:1]) + name[1:], "surname": "Example", "mail": name + "@corp.example", "accountEnabled": true}
}

// TestBrowserWithoutScript decides about a held run with a browser that runs no script,
// and with the keyboard alone.
func TestBrowserWithoutScript(t *testing.T) {
	if os.Getenv("BINDERY_BROWSER") == "" {
		t.Skip("needs chromium: make test-browser finds it")
	}
	o, base, _, run := held(t)
	b := openTab(t, base)
	b.signIn()
	b.script(false)
	b.open("/console/runs/" + run)
	for range 200 { // to the first change, and tick it
		b.do("tab", chromedp.KeyEvent("\t"))
		if focus(b) == "c" {
			break
		}
	}
	b.do("tick", chromedp.KeyEvent(" "))
	for range 200 { // back to the button above the table
		b.do("tab", chromedp.KeyEvent("\t", chromedp.KeyModifiers(8)))
		if focus(b) == "what" {
			break
		}
	}
	b.do("press it", chromedp.KeyEvent("\r"))
	b.see("Approve 1 of")
	for range 60 {
		b.do("tab", chromedp.KeyEvent("\t"))
		if focus(b) == "BUTTON primary" {
			break
		}
	}
	b.do("decide", chromedp.KeyEvent("\r"))
	b.see("1 change approved")
	o.Wait("the run does not end", func() bool { return o.Get("/v1/runs/"+run).Text("state") == "done" })
}

// focus is what has the focus: the name of a field, or an element with its class.
func focus(b *tab) string {
	b.Helper()
	at, err := chromedp.Run(b.ctx, chromedp.EvaluateAsDevTools[string]("(e => e.name || e.tagName + ' ' + e.className)(document.activeElement)"))
	if err != nil {
		b.Fatal(err)
	}
	return at
}

// TestBrowserSessionEnds has a session end while a decision is looked at: nothing is decided,
// the page says so, and has what was typed. Signed in again in another tab, whoever typed it
// sends it from there.
func TestBrowserSessionEnds(t *testing.T) {
	if os.Getenv("BINDERY_BROWSER") == "" {
		t.Skip("needs chromium: make test-browser finds it")
	}
	o, base, _, run := held(t)
	b := openTab(t, base)
	b.signIn()
	b.open("/console/runs/" + run + "/decline")
	b.see("Nothing of this run is written")
	b.do("say why", chromedp.SendKeys("[name=reason]", "they are on leave"))
	other := &window{T: t, base: base}
	other.cookies(b) // the same session, in another window
	if status := other.post("/console/sign-out"); status != http.StatusOK {
		t.Fatalf("signing out elsewhere: %d", status)
	}
	b.press(".decide button.primary", "Nothing was done of what you sent")
	b.look("session-ended")
	if got := o.Get("/v1/runs/" + run).Text("state"); got != "held" {
		t.Errorf("the run is %s", got)
	}
	if to := js[string](b, "document.querySelector('a.button.primary').target"); to != "_blank" {
		t.Errorf("signing in again takes this page away: %q", to)
	}
	ctx, cancel := chromedp.NewContext(b.ctx)
	t.Cleanup(cancel)
	second := &tab{t, ctx, base, b.axe}
	second.signIn()
	b.press(".again button", "Declined.")
	if got := o.Get("/v1/runs/" + run).Text("state"); got == "held" {
		t.Error("it was not declined")
	}
}

// window is another window of a browser: it has its cookies.
type window struct {
	*testing.T
	base string
	jar  []string
}

// cookies takes over those of a tab.
func (w *window) cookies(b *tab) {
	w.Helper()
	b.do("cookies", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		r, err := cdp.Call(ctx, t, network.GetCookies, network.GetCookiesParams{})
		if err != nil {
			return err
		}
		for _, c := range r.Cookies {
			w.jar = append(w.jar, c.Name+"="+c.Value)
		}
		return nil
	}))
}

func (w *window) post(path string) int {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.base+path, nil)
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Cookie", strings.Join(w.jar, "; "))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}
