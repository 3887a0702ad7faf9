package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"bindery/infra/stack"
	"bindery/shared/core/doctor"
	"bindery/shared/entra/entratest"
)

// The demo's second tenant: its people have their mail at Google, under another
// domain; some of its accounts belong to an Active Directory.
const (
	sisterDomain = "m365.sister.example"
	sisterGoogle = "sister.example"
	sisterAdmin  = "zoe@m365.sister.example"
	shopAdmin    = "admin@netorg1234567.onmicrosoft.com"
)

// mailRecords stand for the name servers of the demo's domains, which are on no
// real ones.
type mailRecords struct {
	mu sync.Mutex
	mx map[string]string // where it is not as Microsoft asks for
}

func (m *mailRecords) set(domain, mx string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mx[domain] = mx
}

func (m *mailRecords) look(_ context.Context, domain string) *doctor.DNS {
	m.mu.Lock()
	defer m.mu.Unlock()
	mx, set := m.mx[domain]
	if !set {
		mx = strings.ReplaceAll(domain, ".", "-") + ".mail.protection.outlook.com"
	}
	return &doctor.DNS{MX: []string{mx}, TXT: []string{"v=spf1 include:spf.protection.outlook.com -all"}, Autodiscover: "autodiscover.outlook.com"}
}

// health has the doctor look at the connection, before and after an MX record
// goes wrong, and tries to connect a tenant that GoDaddy sold.
func (d *demonstration) health(ctx context.Context) error {
	worse, err := d.findings(ctx, d.conn)
	if err != nil {
		return err
	}
	d.show.check("what the doctor finds worse than information", "", strings.Join(worse, ", "))
	d.mail.set(demoDomain, "mail.global.frontbridge.com")
	if worse, err = d.findings(ctx, d.conn); err != nil {
		return err
	}
	d.show.check("with an MX record from before 2013", "mx-generic", strings.Join(worse, ", "))
	if _, err := d.sim.CreateTenant(entratest.TenantSpec{
		Name: "Shop (simulated)", Admins: []entratest.AdminSpec{{UserPrincipalName: shopAdmin, Roles: []string{"Global Administrator"}}},
		Domains: []entratest.DomainSpec{
			{Name: "shop.example", AuthenticationType: "Federated", IsDefault: true, FederationConfiguration: map[string]any{"passiveSignInUri": "https://sso.godaddy.com/?app=o365&realm=pass"}},
			{Name: "netorg1234567.onmicrosoft.com", IsInitial: true},
		},
	}); err != nil {
		return err
	}
	c, err := d.api.PostJSON(ctx, "/v1/connections", object{"name": "Shop"})
	if err != nil {
		return err
	}
	status, page, err := d.callback(ctx, c.Text("authorizationUrl"), shopAdmin)
	if err != nil {
		return err
	}
	d.show.check("a tenant that GoDaddy sold is refused, with the way out", true, status >= 400 && strings.Contains(page, "defederated"))
	return nil
}

// findings has the doctor come and returns the codes of what is worse than
// information.
func (d *demonstration) findings(ctx context.Context, conn string) ([]string, error) {
	path := "/v1/connections/" + conn + "/health"
	before, err := d.api.Get(ctx, path)
	if err != nil {
		return nil, err
	}
	if _, err := d.api.PostJSON(ctx, path, nil); err != nil {
		return nil, err
	}
	for until := time.Now().Add(d.patience); time.Now().Before(until); {
		h, err := d.api.Get(ctx, path)
		if err != nil {
			return nil, err
		}
		if h.Text("checkedAt") != before.Text("checkedAt") {
			worse := []string{}
			for _, f := range h.List("findings") {
				if f.Text("severity") != string(doctor.Info) {
					worse = append(worse, f.Text("code"))
				}
			}
			return worse, nil
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("the doctor did not come to %s", conn)
}

// beside connects a second tenant, whose people have their mail at Google and
// some of whose accounts belong to an Active Directory.
func (d *demonstration) beside(ctx context.Context) error {
	t, err := d.sim.CreateTenant(entratest.TenantSpec{
		Name: "Sister (simulated)", Domains: []entratest.DomainSpec{{Name: sisterDomain, IsDefault: true}},
		Admins: []entratest.AdminSpec{{UserPrincipalName: sisterAdmin, Roles: []string{"Global Administrator"}}},
		Accounts: []map[string]any{
			{"userPrincipalName": "adam@" + sisterDomain, "displayName": "Adam", "mailNickname": "adam", "accountEnabled": true, "onPremisesSyncEnabled": true},
			{"userPrincipalName": "berta@" + sisterDomain, "displayName": "Berta", "mailNickname": "berta", "accountEnabled": true},
		},
	})
	if err != nil {
		return err
	}
	d.sisterTenant = t.ID
	c, err := d.api.PostJSON(ctx, "/v1/connections", object{"name": "Sister", "settings": object{
		"domainMap": object{sisterGoogle: sisterDomain}, "attributes": object{"department": object{"export": true}},
	}})
	if err != nil {
		return err
	}
	d.sister = c.Text("id")
	if status, page, err := d.callback(ctx, c.Text("authorizationUrl"), sisterAdmin); err != nil || status != http.StatusOK {
		return fmt.Errorf("the callback answered %d: %s, %w", status, page, err)
	}
	if _, err := d.api.Confirm(ctx, "/v1/connections/"+d.sister); err != nil {
		return err
	}
	token, err := d.tokens.Issue("ad-bridge", "bindery/read", "bindery/write", "bindery/source.ad")
	if err != nil {
		return err
	}
	bridge := &stack.Client{Handler: d.api.Handler, Token: token}
	var ids []string
	for _, name := range []string{"adam", "berta"} {
		u, err := bridge.PostJSON(ctx, "/v1/users", object{"email": name + "@" + sisterGoogle, "givenName": name, "familyName": "Example", "department": "Works"})
		if err != nil {
			return err
		}
		ids = append(ids, u.Text("id"))
	}
	d.extra += len(ids)
	if _, err := d.api.PostJSON(ctx, "/v1/connections/"+d.sister+"/bindings", object{"userIds": ids}); err != nil {
		return err
	}
	adam, err := d.binding(ctx, d.sister, ids[0], "read-only")
	if err != nil {
		return err
	}
	d.show.check("the account that Active Directory syncs", "read-only", adam.Text("status"))
	berta, err := d.binding(ctx, d.sister, ids[1], "in-sync")
	if err != nil {
		return err
	}
	a, _ := d.sim.Account(d.sisterTenant, "berta@"+sisterDomain)
	d.show.check("account of a user whose address is at Google", "berta@"+sisterDomain, berta.Text("userPrincipalName"))
	d.show.check("its department, from Active Directory's bridge", "Works", a["department"])
	status, _, err := d.api.Raw(ctx, http.MethodPatch, "/v1/users/"+ids[1], "application/merge-patch+json", `{"department":"Mine"}`)
	d.show.check("an admin's edit of what Active Directory owns", http.StatusConflict, status)
	return err
}

// move takes a person from one tenant to the other, after a preview.
func (d *demonstration) move(ctx context.Context) error {
	u, err := d.api.PostJSON(ctx, "/v1/users", object{"email": "mona@" + demoDomain, "givenName": "Mona", "familyName": "Mover"})
	if err != nil {
		return err
	}
	d.extra++
	id := u.Text("id")
	// The botched edit may have used up the few blocks that the demo allows.
	if _, err := d.api.Patch(ctx, "/v1/connections/"+d.conn, object{"settings": object{"guard": object{"block": nil}}}); err != nil {
		return err
	}
	if _, err := d.api.PostJSON(ctx, "/v1/connections/"+d.conn+"/bindings", object{"userIds": []string{id}}); err != nil {
		return err
	}
	if _, err := d.binding(ctx, d.conn, id, "in-sync"); err != nil {
		return err
	}
	order := object{"connectionId": d.sister, "email": "mona@" + sisterGoogle, "then": "block", "dryRun": true}
	preview, err := d.api.PostJSON(ctx, "/v1/users/"+id+"/move", order)
	if err != nil {
		return err
	}
	effects := func(list []object) string {
		var out []string
		for _, c := range list {
			out = append(out, c.Text("effect"))
		}
		slices.Sort(out)
		return strings.Join(out, ", ")
	}
	d.show.check("what leaving the first tenant would do", "block, revoke", effects(preview.List("release")))
	delete(order, "dryRun")
	if _, err := d.api.PostJSON(ctx, "/v1/users/"+id+"/move", order); err != nil {
		return err
	}
	if err := d.approveMove(ctx, d.sister, id); err != nil {
		return err
	}
	if _, err := d.binding(ctx, d.sister, id, "in-sync"); err != nil {
		return err
	}
	there, _ := d.sim.Account(d.tenant, "mona@"+demoDomain)
	here, _ := d.sim.Account(d.sisterTenant, "mona@"+sisterDomain)
	d.show.check("her accounts, enabled: where she was, where she is", "false, true", fmt.Sprint(there["accountEnabled"], ", ", here["accountEnabled"]))
	return nil
}

// approveMove waits until a user is bound through a connection, and approves
// what the guard of the former one holds about it: the guard was loosened just now,
// and the blocks of the bulk edit that went through may have used up what it allows
// a day.
func (d *demonstration) approveMove(ctx context.Context, conn, user string) error {
	for until := time.Now().Add(d.patience); time.Now().Before(until); {
		list, err := d.api.All(ctx, "/v1/connections/"+conn+"/bindings")
		if err != nil || slices.ContainsFunc(list, func(b object) bool { return b.Text("userId") == user }) {
			return err
		}
		runs, err := d.api.Get(ctx, "/v1/connections/"+d.conn+"/runs?limit=5")
		if err != nil {
			return err
		}
		for _, r := range runs.List("items") {
			if users, _ := r["userIds"].([]any); r.Text("state") != "held" || len(users) != 1 || users[0] != user {
				continue
			}
			if _, err := d.answer(ctx, r, "approve", nil); err != nil {
				return err
			}
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	return errors.New("the move is not done")
}

// binding waits for a status of a user's binding.
func (d *demonstration) binding(ctx context.Context, conn, user, status string) (object, error) {
	var last object
	for until := time.Now().Add(d.patience); time.Now().Before(until); {
		list, err := d.api.All(ctx, "/v1/connections/"+conn+"/bindings")
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(list, func(b object) bool { return b.Text("userId") == user }); i >= 0 {
			if last = list[i]; last.Text("status") == status {
				return last, nil
			}
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
	return last, fmt.Errorf("the binding of %s is %v, not %s", user, last, status)
}
