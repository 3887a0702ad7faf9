package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"bindery/shared/entra/entratest"
)

// office is the whole stack in one process, with tenants to connect to, called
// as an admin calls it.
type office struct {
	*testing.T
	stack *Stack
	api   *client
	ad    *client // writes as the Active Directory bridge
	rest  func()  // ends the work on queues and schedule
}

func newOffice(t *testing.T) *office { return newOfficeWith(t, StackConfig{}) }

func newOfficeWith(t *testing.T, cfg StackConfig) *office {
	t.Helper()
	o := openOffice(t, cfg)
	o.work()
	return o
}

// openOffice opens a stack on whose queues and schedule nobody works yet.
func openOffice(t *testing.T, cfg StackConfig) *office {
	t.Helper()
	cfg.Dir = t.TempDir()
	stack, err := OpenStack(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	o := &office{T: t, stack: stack, api: &client{handler: stack.Handler(), token: stack.AdminToken()}, rest: func() {}}
	token, err := stack.tokens.issue("ad-bridge", "bindery/read", "bindery/write", "bindery/source.ad")
	if err != nil {
		t.Fatal(err)
	}
	o.ad = &client{handler: stack.Handler(), token: token}
	t.Cleanup(func() {
		o.rest()
		stack.Close()
	})
	return o
}

// work begins the work on queues and schedule.
func (o *office) work() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.stack.Work(ctx) }()
	o.rest = sync.OnceFunc(func() {
		stop()
		if err := <-done; err != nil {
			o.Error(err)
		}
	})
}

func (o *office) must(got object, err error) object {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
	return got
}

func (o *office) get(path string) object { o.Helper(); return o.must(o.api.get(o.Context(), path)) }
func (o *office) post(path string, body any) object {
	o.Helper()
	return o.must(o.api.postJSON(o.Context(), path, body))
}

// tenant makes a tenant with an admin and some accounts.
func (o *office) tenant(domain string, accounts ...map[string]any) string {
	o.Helper()
	t, err := o.stack.Sim.CreateTenant(entratest.TenantSpec{
		Name: domain, Accounts: accounts, Domains: []entratest.DomainSpec{{Name: domain, AuthenticationType: "Managed", IsDefault: true}},
		Admins: []entratest.AdminSpec{{UserPrincipalName: "admin@" + domain, Roles: []string{"Global Administrator"}}},
	})
	if err != nil {
		o.Fatal(err)
	}
	return t.ID
}

// connect authorises and confirms a connection to a tenant.
func (o *office) connect(domain, tenant string, settings object) string {
	o.Helper()
	c := o.post("/v1/connections", object{"name": domain, "settings": settings})
	if status, page, err := o.stack.signIn(o.Context(), c.text("authorizationUrl"), "admin@"+domain); err != nil || status != http.StatusOK {
		o.Fatalf("the callback answered %d: %s, %v", status, page, err)
	}
	if got := o.confirm(c.text("id")).object("tenant").text("id"); got != tenant {
		o.Fatalf("connected to %s, want %s", got, tenant)
	}
	return c.text("id")
}

// confirm says that who signed in is the right one.
func (o *office) confirm(conn string) object {
	o.Helper()
	c, err := o.api.confirm(o.Context(), "/v1/connections/"+conn)
	if err != nil {
		o.Fatal(err)
	}
	return c
}

func (o *office) user(email string, more object) string {
	o.Helper()
	body := object{"email": email, "givenName": strings.ToUpper(email[:1]) + email[1:3], "familyName": "Example"}
	for k, v := range more {
		body[k] = v
	}
	return o.post("/v1/users", body).text("id")
}

func (o *office) bind(conn string, users ...string) {
	o.Helper()
	if refused := o.post("/v1/connections/"+conn+"/bindings", object{"userIds": users}).list("refused"); len(refused) > 0 {
		o.Fatalf("refused: %v", refused)
	}
}

// binding waits until a user's binding through a connection is as wanted.
func (o *office) binding(conn, user, status string) object {
	o.Helper()
	var last object
	o.wait("the binding of "+user+" is not "+status, func() bool {
		for next := ""; ; {
			page := o.get("/v1/connections/" + conn + "/bindings?limit=500&next=" + url.QueryEscape(next))
			for _, b := range page.list("items") {
				if b.text("userId") == user {
					last = b
					return b.text("status") == status
				}
			}
			if next = page.text("next"); next == "" {
				last = nil
				return status == ""
			}
		}
	})
	return last
}

func (o *office) wait(what string, done func() bool) {
	o.Helper()
	for until := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(until) {
			o.Fatal(what)
		}
		if err := pause(o.Context()); err != nil {
			o.Fatal(err)
		}
	}
}

// account reads an account on Microsoft's side.
func (o *office) account(tenant, upn string) map[string]any {
	o.Helper()
	a, _ := o.stack.Sim.Account(tenant, upn)
	return a
}

// refused calls what must be refused and returns the problem.
func (o *office) refused(c *client, method, path string, body any, status int) object {
	o.Helper()
	raw := ""
	if body != nil {
		raw = fmt.Sprint(body)
	}
	got, answer, err := c.raw(o.Context(), method, path, "application/json", raw)
	if err != nil || got != status {
		o.Fatalf("%s %s answered %d %s, %v; want %d", method, path, got, answer, err, status)
	}
	return object{"answer": answer}
}

// text gets a form other than JSON.
func (o *office) text(path, accept string) string {
	o.Helper()
	r := httptest.NewRequestWithContext(o.Context(), http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+o.api.token)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	o.api.handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		o.Fatalf("GET %s answered %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}
