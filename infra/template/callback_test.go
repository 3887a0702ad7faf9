package template

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bindery/shared/core/connect"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/entra/entratest/browser"
	"bindery/shared/platform/vault"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

// guarded is what the callback's role lets through of table and vault.
type guarded struct {
	*memory.Table
	*vault.Memory

	mu      sync.Mutex // items are read in calls beside each other
	on      bool
	rights  map[right]bool
	keys    []any
	refused []string
	seen    map[string]bool // partitions by their first part
	// may is asked instead of rights and keys, where a role has several statements of the
	// table that are not all of the same partitions; nil: there is one.
	may func(action, resource, partition string) bool
}

func (g *guarded) check(action, resource, partition string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.on {
		return
	}
	kind, _, _ := strings.Cut(partition, "#")
	g.seen[kind] = true
	if g.may != nil {
		if !g.may(action, resource, partition) {
			g.refused = append(g.refused, action+" "+resource+" "+kind)
		}
		return
	}
	if !g.rights[right{action, resource}] || partition != "" && !slices.ContainsFunc(g.keys, func(pattern any) bool {
		ok, err := path.Match(fmt.Sprint(pattern), partition)
		return ok && err == nil
	}) {
		g.refused = append(g.refused, action+" "+resource+" "+kind)
	}
}

type guardedTable struct{ *guarded }

func (g guardedTable) Get(ctx context.Context, key table.Key) (table.Item, error) {
	g.check("dynamodb:GetItem", "Table", key.Partition)
	return g.Table.Get(ctx, key)
}

func (g guardedTable) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	for _, key := range keys {
		g.check("dynamodb:BatchGetItem", "Table", key.Partition)
	}
	return g.Table.GetMany(ctx, keys)
}

func (g guardedTable) Query(ctx context.Context, q table.Query) (table.Page, error) {
	resource := "Table"
	if g.may != nil && q.Index != 0 {
		resource = fmt.Sprintf("Table/index/index%d", q.Index)
	}
	g.check("dynamodb:Query", resource, q.Partition)
	return g.Table.Query(ctx, q)
}

func (g guardedTable) Write(ctx context.Context, writes ...table.Write) error {
	for i := range writes {
		action := "dynamodb:ConditionCheckItem"
		switch w := &writes[i]; {
		case w.Put != nil:
			action = "dynamodb:PutItem"
		case w.Update != nil:
			action = "dynamodb:UpdateItem"
		case w.Delete != nil:
			action = "dynamodb:DeleteItem"
		}
		g.check(action, "Table", writes[i].Key().Partition)
	}
	return g.Table.Write(ctx, writes...)
}

type guardedVault struct{ *guarded }

func (g guardedVault) Get(ctx context.Context, name string) (directory.Secret, error) {
	g.check("secretsmanager:GetSecretValue", "connections' secrets", "")
	return g.Memory.Get(ctx, name)
}

func (g guardedVault) Create(ctx context.Context, name string, value directory.Secret) error {
	g.check("secretsmanager:CreateSecret", "connections' secrets", "")
	return g.Memory.Create(ctx, name, value)
}

func (g guardedVault) Put(ctx context.Context, name string, value directory.Secret) error {
	g.check("secretsmanager:PutSecretValue", "connections' secrets", "")
	return g.Memory.Put(ctx, name, value)
}

func (g guardedVault) Delete(ctx context.Context, name string) error {
	g.check("secretsmanager:DeleteSecret", "connections' secrets", "")
	return g.Memory.Delete(ctx, name)
}

type noQueue struct{}

func (noQueue) Wake(context.Context, directory.ConnectionID, time.Duration) error      { return nil }
func (noQueue) WakeCheck(context.Context, directory.ConnectionID) error                { return nil }
func (noQueue) WakeSweep(context.Context, directory.ConnectionID, time.Duration) error { return nil }

// oneTenant answers the four questions of a callback.
type oneTenant struct {
	tenant directory.Tenant
	admin  directory.AccountID
}

func (o oneTenant) Organization(context.Context) (directory.Tenant, error) { return o.tenant, nil }

func (o oneTenant) Me(context.Context) (directory.Account, error) {
	return directory.Account{ID: o.admin, Properties: directory.Properties{}}, nil
}

func (o oneTenant) MyRoles(context.Context) ([]directory.Role, error) {
	return []directory.Role{{TemplateID: "62e90394-69f5-4237-9190-012177145e10", DisplayName: "Global Administrator"}}, nil
}

// The callback does everything that it does (a first sign-in, one more of the
// same account, one of a tenant that another connection has, one that Microsoft
// refused) with the rights of its role: the partitions of LeadingKeys, and none
// of them in vain.
func TestCallbackKeys(t *testing.T) {
	t.Parallel()
	t.Run("connections with an item of their lease", func(t *testing.T) { testCallbackKeys(t, false) })
	t.Run("connections that an older version made", func(t *testing.T) { testCallbackKeys(t, true) })
}

func testCallbackKeys(t *testing.T, older bool) {
	t.Parallel()
	tmpl := read(t)
	statements, _ := At(tmpl.Resources, "OauthCallbackRole", "Properties", "Policies", 0, "PolicyDocument", "Statement").([]any)
	g := &guarded{Table: memory.New(), Memory: &vault.Memory{}, rights: rightsOf(t, tmpl, "OauthCallbackRole", "OauthCallbackLogs"), seen: map[string]bool{}}
	for _, s := range statements {
		for _, r := range list(At(s, "Resource")) {
			keys := At(s, "Condition", "ForAllValues:StringLike", "dynamodb:LeadingKeys")
			if resourceName(r, "") == "Table" && keys == nil {
				t.Errorf("the callback has %v on all partitions", At(s, "Action"))
			}
			if keys != nil {
				g.keys = list(keys)
			}
		}
	}
	const tenantID, client, secret, back = "22222222-aaaa-4bbb-8ccc-000000000001", "11111111-aaaa-4bbb-8ccc-000000000001", "not-a-secret", "https://app.example/oauth/callback"
	sim, err := entratest.New(entratest.Options{BaseURL: "https://m365.example"})
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(err)
	t.Cleanup(func() { sim.Close() })
	_, err = sim.CreateTenant(entratest.TenantSpec{TenantID: tenantID, Name: "T", Domains: []entratest.DomainSpec{{Name: "t.example", IsDefault: true}},
		Admins: []entratest.AdminSpec{{UserPrincipalName: "ada@t.example", Roles: []string{"Global Administrator"}}}})
	check(err)
	check(sim.RegisterApp(entratest.App{ID: client, Secret: secret, RedirectURIs: []string{back}, MultiTenant: true}))
	account, _ := sim.Account(tenantID, "ada@t.example")
	graph := oneTenant{directory.Tenant{ID: tenantID, DisplayName: "T", Domains: []directory.Domain{{Name: "t.example"}}}, directory.AccountID(fmt.Sprint(account["id"]))}
	key := func(v string) func(context.Context) (directory.Secret, error) {
		return func(context.Context) (directory.Secret, error) { return directory.NewSecret(v), nil }
	}
	s := connect.New(connect.Config{LoginBaseURL: "https://m365.example", ClientID: client, ClientSecret: key(secret), StateKey: key("0123456789abcdef0123456789abcdef"),
		RedirectURL: back, HTTP: &http.Client{Transport: sim.Transport()}}, connect.StoresOf(store.New(guardedTable{g}, store.Options{})), guardedVault{g}, noQueue{},
		func(connect.TokenSource) connect.Graph { return graph })

	by := directory.Caller{Subject: "chief", Approve: true}
	signIn := func(id directory.ConnectionID, address, want string, denied bool) {
		t.Helper()
		if older {
			check(g.Table.Write(t.Context(), table.Write{Delete: &table.Key{Partition: "C#" + string(id), Sort: "connection#lease"}}))
		}
		g.on = true
		defer func() { g.on = false }()
		app := browser.Open(browser.Serve(http.HandlerFunc(s.ServeSignIn)))
		_, microsoft, err := app.Depart(t.Context(), address)
		check(err)
		back, err := browser.Authorize(t.Context(), sim.Transport(), microsoft, "ada@t.example")
		check(err)
		if denied {
			back.RawQuery = url.Values{"state": back.Query()["state"], "error": {"access_denied"}}.Encode()
		}
		if status, page, err := app.Return(t.Context(), back); err != nil || !strings.Contains(page, want) {
			t.Errorf("page %d: %s, %v, want %q", status, page, err, want)
		}
	}
	c, address, err := s.Create(t.Context(), by, "T", "", directory.Settings{})
	check(err)
	signIn(c.ID, address, "Signed in to T", false)
	_, err = s.Confirm(t.Context(), by, c.ID, tenantID, graph.admin)
	check(err)
	again := func(id directory.ConnectionID) string {
		address, err := s.Authorize(t.Context(), by, id)
		check(err)
		return address
	}
	graph.tenant.Domains = append(graph.tenant.Domains, directory.Domain{Name: "new.example"})
	signIn(c.ID, again(c.ID), "Authorised again", false)
	signIn(c.ID, again(c.ID), "declined", true)
	second, other, err := s.Create(t.Context(), by, "T again", "", directory.Settings{})
	check(err)
	signIn(second.ID, other, "Another connection has this tenant", false)
	if len(g.refused) > 0 {
		t.Errorf("the role lets the callback not: %v", g.refused)
	}
	for _, pattern := range g.keys {
		if kind := strings.TrimSuffix(fmt.Sprint(pattern), "#*"); !g.seen[kind] {
			t.Errorf("the callback may touch %v and never does", pattern)
		}
	}
}
