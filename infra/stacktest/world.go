package stacktest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"bindery/infra/stack"
	"bindery/shared/clock"
	"bindery/shared/entra/entratest"
)

// World is the whole stack in one process, with tenants to connect to, called as
// an admin calls it. What does not go as it must ends the test.
type World struct {
	*testing.T
	Stack *stack.Stack
	API   *stack.Client
	// Rest ends the work on queues and schedule.
	Rest func()
}

// New opens a stack in a folder of its own, and works on its queues and schedule.
func New(t *testing.T) *World {
	t.Helper()
	return With(t, stack.Config{})
}

// With is New with a configuration.
func With(t *testing.T, cfg stack.Config) *World {
	t.Helper()
	w := Open(t, cfg)
	w.Work()
	return w
}

// Open opens a stack on whose queues and schedule nobody works yet. Without a
// folder it has one of its own.
func Open(t *testing.T, cfg stack.Config) *World {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	s, err := stack.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	w := &World{T: t, Stack: s, API: s.Client(), Rest: func() {}}
	t.Cleanup(func() {
		w.Rest()
		s.Close()
	})
	return w
}

// Work begins the work on queues and schedule.
func (w *World) Work() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Stack.Work(ctx) }()
	w.Rest = sync.OnceFunc(func() {
		stop()
		if err := <-done; err != nil {
			w.Error(err)
		}
	})
}

// As is the API with a token of some scopes.
func (w *World) As(subject string, scopes ...string) *stack.Client {
	w.Helper()
	token, err := w.Stack.Tokens.Issue(subject, scopes...)
	if err != nil {
		w.Fatal(err)
	}
	return &stack.Client{Handler: w.Stack.Handler(), Token: token}
}

// Bridge is the API with the token of the Active Directory bridge.
func (w *World) Bridge() *stack.Client {
	w.Helper()
	return w.As("ad-bridge", "bindery/read", "bindery/write", "bindery/source.ad")
}

// Must returns what an answer has, which must be good.
func (w *World) Must(got stack.Object, err error) stack.Object {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	return got
}

// Get reads an object.
func (w *World) Get(path string) stack.Object {
	w.Helper()
	return w.Must(w.API.Get(w.Context(), path))
}

// Post sends a value; nil: no body.
func (w *World) Post(path string, body any) stack.Object {
	w.Helper()
	return w.Must(w.API.PostJSON(w.Context(), path, body))
}

// Tenant makes a tenant with an admin and some accounts.
func (w *World) Tenant(domain string, accounts ...map[string]any) string {
	w.Helper()
	t, err := w.Stack.Sim.CreateTenant(entratest.TenantSpec{
		Name: domain, Accounts: accounts, Domains: []entratest.DomainSpec{{Name: domain, AuthenticationType: "Managed", IsDefault: true}},
		Admins: []entratest.AdminSpec{{UserPrincipalName: "admin@" + domain, Roles: []string{"Global Administrator"}}},
	})
	if err != nil {
		w.Fatal(err)
	}
	return t.ID
}

// Connect authorises and confirms a connection to a tenant.
func (w *World) Connect(domain, tenant string, settings stack.Object) string {
	w.Helper()
	c := w.Post("/v1/connections", stack.Object{"name": domain, "settings": settings})
	if status, page, err := w.Stack.SignIn(w.Context(), c.Text("authorizationUrl"), "admin@"+domain); err != nil || status != http.StatusOK {
		w.Fatalf("the callback answered %d: %s, %v", status, page, err)
	}
	if got := w.Confirm(c.Text("id")).Object("tenant").Text("id"); got != tenant {
		w.Fatalf("connected to %s, want %s", got, tenant)
	}
	return c.Text("id")
}

// Confirm says that who signed in is the right one.
func (w *World) Confirm(conn string) stack.Object {
	w.Helper()
	c, err := w.API.Confirm(w.Context(), "/v1/connections/"+conn)
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// User makes a user with a name from its address, and returns its ID.
func (w *World) User(email string, more stack.Object) string {
	w.Helper()
	body := stack.Object{"email": email, "givenName": strings.ToUpper(email[:1]) + email[1:3], "familyName": "Example"}
	for k, v := range more {
		body[k] = v
	}
	return w.Post("/v1/users", body).Text("id")
}

// Bind binds users, of whom none may be refused.
func (w *World) Bind(conn string, users ...string) {
	w.Helper()
	if refused := w.Post("/v1/connections/"+conn+"/bindings", stack.Object{"userIds": users}).List("refused"); len(refused) > 0 {
		w.Fatalf("refused: %v", refused)
	}
}

// Binding waits until a user's binding through a connection is as wanted.
func (w *World) Binding(conn, user, status string) stack.Object {
	w.Helper()
	var last stack.Object
	w.Wait("the binding of "+user+" is not "+status, func() bool {
		for next := ""; ; {
			page := w.Get("/v1/connections/" + conn + "/bindings?limit=500&next=" + url.QueryEscape(next))
			for _, b := range page.List("items") {
				if b.Text("userId") == user {
					last = b
					return b.Text("status") == status
				}
			}
			if next = page.Text("next"); next == "" {
				last = nil
				return status == ""
			}
		}
	})
	return last
}

// Wait looks again and again, for a minute at most, whether something is done.
func (w *World) Wait(what string, done func() bool) {
	w.Helper()
	for until := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(until) {
			w.Fatal(what)
		}
		if err := clock.Sleep(w.Context(), 200*time.Millisecond); err != nil {
			w.Fatal(err)
		}
	}
}

// Account reads an account on Microsoft's side.
func (w *World) Account(tenant, upn string) map[string]any {
	w.Helper()
	a, _ := w.Stack.Sim.Account(tenant, upn)
	return a
}

// Refused calls what must be refused and returns the problem.
func (w *World) Refused(c *stack.Client, method, path string, body any, status int) stack.Object {
	w.Helper()
	raw := ""
	if body != nil {
		raw = fmt.Sprint(body)
	}
	got, answer, err := c.Raw(w.Context(), method, path, "application/json", raw)
	if err != nil || got != status {
		w.Fatalf("%s %s answered %d %s, %v; want %d", method, path, got, answer, err, status)
	}
	return stack.Object{"answer": answer}
}

// Text gets a form other than JSON.
func (w *World) Text(path, accept string) string {
	w.Helper()
	body, _, err := w.API.As(w.Context(), path, accept)
	if err != nil {
		w.Fatal(err)
	}
	return body
}
