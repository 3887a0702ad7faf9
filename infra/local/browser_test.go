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

	"bindery/infra/stack"
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
	s, err := stack.Open(t.Context(), stack.Config{
		Dir: t.TempDir(), PublicURL: "http://" + api.Addr().String(), Simulator: stack.Simulator{URL: "http://" + m365.Addr().String(), Served: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for l, h := range map[net.Listener]http.Handler{api: s.Handler(), m365: s.Sim} {
		srv := &http.Server{Handler: h}
		go srv.Serve(l)
		t.Cleanup(func() { srv.Close() })
	}
	tenant, err := s.Sim.CreateTenant(entratest.TenantSpec{
		Name: "Browser Ltd", Domains: []entratest.DomainSpec{{Name: "browser.example", AuthenticationType: "Managed", IsDefault: true}},
		Admins: []entratest.AdminSpec{{UserPrincipalName: "ada@browser.example", Roles: []string{"Global Administrator"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	admin := s.Client()
	c, err := admin.PostJSON(t.Context(), "/v1/connections", object{"name": "Browser"})
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
	for _, step := range []struct {
		name string
		do   chromedp.Action[chromedp.Void]
	}{
		{"open", chromedp.Navigate(c.Text("authorizationUrl"))},
		{"see who asks", chromedp.WaitVisible("#continue")},
		{"go on to Microsoft", chromedp.Click("#continue")},
		{"see the sign-in page", chromedp.WaitVisible("#login")},
		{"type the name", chromedp.SendKeys("#login", "ada@browser.example")},
		{"press next", chromedp.Click("#next")},
		{"see the consent page", chromedp.WaitVisible("#accept")},
		{"press accept", chromedp.Click("#accept")},
	} {
		if err = chromedp.Do(ctx, step.do); err != nil {
			err = fmt.Errorf("%s: %w", step.name, err)
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
	c, err = admin.Get(t.Context(), "/v1/connections/"+c.Text("id"))
	if err != nil || c.Text("status") != "awaiting-confirmation" {
		t.Errorf("after the sign-in: %v, %v", c["status"], err)
	}
	c, err = admin.Confirm(t.Context(), "/v1/connections/"+c.Text("id"))
	if err != nil || c.Text("status") != "active" || c.Object("tenant").Text("id") != tenant.ID {
		t.Errorf("after confirming: %v, %v", c["status"], err)
	}
}
