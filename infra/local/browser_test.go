package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"bindery/shared/entra/entratest"
)

// TestBrowserAuthorisation clicks through the authorisation in a real browser: our
// page that says who asks, Microsoft's (simulated) sign-in and consent pages, and
// back to our callback.
func TestBrowserAuthorisation(t *testing.T) {
	path := os.Getenv("BINDERY_BROWSER")
	if path == "" {
		t.Skip("needs chromium: make test-browser finds it")
	}
	api, m365 := openPort(t), openPort(t)
	stack, err := OpenStack(t.Context(), StackConfig{
		Dir: t.TempDir(), PublicURL: "http://" + api.Addr().String(), M365URL: "http://" + m365.Addr().String(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stack.Close() })
	for l, h := range map[net.Listener]http.Handler{api: stack.Handler(), m365: stack.Sim} {
		srv := &http.Server{Handler: h}
		go srv.Serve(l)
		t.Cleanup(func() { srv.Close() })
	}
	tenant, err := stack.Sim.CreateTenant(entratest.TenantSpec{
		Name: "Browser Ltd", Domains: []entratest.DomainSpec{{Name: "browser.example", AuthenticationType: "Managed", IsDefault: true}},
		Admins: []entratest.AdminSpec{{UserPrincipalName: "ada@browser.example", Roles: []string{"Global Administrator"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	admin := &client{handler: stack.Handler(), token: stack.AdminToken()}
	c, err := admin.postJSON(t.Context(), "/v1/connections", object{"name": "Browser"})
	if err != nil {
		t.Fatal(err)
	}

	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true), chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	for _, s := range []struct {
		name string
		do   chromedp.Action[chromedp.Void]
	}{
		{"open", chromedp.Navigate(c.text("authorizationUrl"))},
		{"see who asks", chromedp.WaitVisible("#continue")},
		{"go on to Microsoft", chromedp.Click("#continue")},
		{"see the sign-in page", chromedp.WaitVisible("#login")},
		{"type the name", chromedp.SendKeys("#login", "ada@browser.example")},
		{"press next", chromedp.Click("#next")},
		{"see the consent page", chromedp.WaitVisible("#accept")},
		{"press accept", chromedp.Click("#accept")},
	} {
		if err = chromedp.Do(ctx, s.do); err != nil {
			err = fmt.Errorf("%s: %w", s.name, err)
			break
		}
	}
	if err != nil {
		at, _ := chromedp.Run(ctx, chromedp.Location())
		t.Fatalf("%v at %s", err, at)
	}
	// The click sends the browser on by a redirect; what it shows then is asked
	// for until it is there.
	var page, at string
	for !strings.Contains(page, "Browser Ltd") && ctx.Err() == nil {
		time.Sleep(100 * time.Millisecond)
		at, _ = chromedp.Run(ctx, chromedp.Location())
		if strings.Contains(at, "/oauth/callback") {
			page, _ = chromedp.Run(ctx, chromedp.Text("body"))
		}
	}
	if !strings.HasPrefix(at, "http://"+api.Addr().String()+"/oauth/callback") || !strings.Contains(page, "Browser Ltd") {
		t.Errorf("the browser ended at a page that says %q", page)
	}
	c, err = admin.get(t.Context(), "/v1/connections/"+c.text("id"))
	if err != nil || c.text("status") != "awaiting-confirmation" {
		t.Errorf("after the sign-in: %v, %v", c["status"], err)
	}
	c, err = admin.confirm(t.Context(), "/v1/connections/"+c.text("id"))
	if err != nil || c.text("status") != "active" || c.object("tenant").text("id") != tenant.ID {
		t.Errorf("after confirming: %v, %v", c["status"], err)
	}
}
