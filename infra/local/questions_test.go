package main

import (
	"fmt"
	"image"
	"net/http"
	"strings"
	"testing"

	"bindery/infra/demo"
	"bindery/infra/stack"
	"bindery/infra/stacktest"
	"bindery/shared/entra/entratest"
)

// Each test here is the proof of one answer in shared/README.md, section "Questions".

// TestQuestionMethod: how does Bindery get access, and as whom?
func TestQuestionMethod(t *testing.T) {
	o := stacktest.New(t)
	tenant := o.Tenant("corp.example")
	id := o.Connect("corp.example", tenant, nil)
	c := o.Get("/v1/connections/" + id)
	by, _ := c["authorizedBy"].(map[string]any)
	if c.Text("status") != "active" || object(by).Text("userPrincipalName") != "admin@corp.example" || len(c["scopes"].([]any)) < 4 {
		t.Errorf("the connection is %v", c)
	}
	ann := o.User("ann@corp.example", nil)
	o.Bind(id, ann)
	o.Binding(id, ann, "in-sync")
	for _, m := range o.Stack.Sim.Mutations(tenant) {
		if m.Kind == "create" && m.UPN == "ann@corp.example" && m.ActorUPN != "admin@corp.example" {
			t.Errorf("the account was made by %q", m.ActorUPN)
		}
	}
}

// TestQuestionReport: how can I see a report on the actions?
func TestQuestionReport(t *testing.T) {
	o := stacktest.New(t)
	tenant := o.Tenant("corp.example")
	id := o.Connect("corp.example", tenant, nil)
	ann := o.User("ann@corp.example", nil)
	o.Bind(id, ann)
	o.Binding(id, ann, "in-sync")
	done := ""
	for _, e := range o.Get("/v1/activity?userId=" + ann).List("items") {
		done += fmt.Sprint(e) + "\n"
	}
	if !strings.Contains(done, "create") || !strings.Contains(done, "bind") {
		t.Errorf("the report on the user is\n%s", done)
	}
	if csv := o.Text("/v1/activity?connectionId="+id, "text/csv"); !strings.Contains(csv, "ann@corp.example") {
		t.Errorf("as CSV it is\n%s", csv)
	}
}

// TestQuestionDeactivation: what happens to people when the connection is
// deactivated?
func TestQuestionDeactivation(t *testing.T) {
	o := stacktest.New(t)
	tenant := o.Tenant("corp.example")
	id := o.Connect("corp.example", tenant, nil)
	ann := o.User("ann@corp.example", nil)
	o.Bind(id, ann)
	o.Binding(id, ann, "in-sync")
	before := len(o.Stack.Sim.Mutations(tenant))
	out := o.Post("/v1/connections/"+id+"/deactivate", nil)
	if out.Number("released") != 1 || out.Text("status") != "deactivated" {
		t.Errorf("deactivating answers %v", out)
	}
	if a := o.Account(tenant, "ann@corp.example"); a["accountEnabled"] != true || o.Get("/v1/users/"+ann).Text("state") != "active" {
		t.Errorf("the account is %v", a)
	}
	if n := len(o.Stack.Sim.Mutations(tenant)) - before; n != 0 {
		t.Errorf("deactivating wrote %d times", n)
	}
}

// TestQuestionActiveDirectoryBridge: can users come from Active Directory?
func TestQuestionActiveDirectoryBridge(t *testing.T) {
	o := stacktest.New(t)
	// One tenant, both ways: Entra Connect syncs some accounts, Bindery the rest.
	tenant := o.Tenant("corp.example",
		map[string]any{"userPrincipalName": "synced@corp.example", "displayName": "Synced", "mailNickname": "synced", "accountEnabled": true, "onPremisesSyncEnabled": true, "department": "From AD"},
		map[string]any{"userPrincipalName": "cloud@corp.example", "displayName": "Cloud", "mailNickname": "cloud", "accountEnabled": true})
	id := o.Connect("corp.example", tenant, object{"attributes": object{"department": object{"export": true}}, "import": object{"attributes": []string{"department"}}})
	fromAD := func(email string) string {
		u := o.Must(o.Bridge().PostJSON(t.Context(), "/v1/users", object{"email": email, "givenName": "A", "familyName": "D", "department": "Works"}))
		if u.Text("source") != "ad" {
			t.Errorf("the source is %q", u.Text("source"))
		}
		return u.Text("id")
	}
	cloud, synced, fresh := fromAD("cloud@corp.example"), fromAD("synced@corp.example"), fromAD("fresh@corp.example")
	o.Bind(id, cloud, synced, fresh)
	o.Binding(id, cloud, "in-sync")
	o.Binding(id, fresh, "in-sync")
	if b := o.Binding(id, synced, "read-only"); !strings.Contains(fmt.Sprint(b["problem"]), "synced-on-premises") {
		t.Errorf("the problem is %v", b["problem"])
	}
	if a := o.Account(tenant, "cloud@corp.example"); a["department"] != "Works" {
		t.Errorf("the account's department is %v", a["department"])
	}
	if a := o.Account(tenant, "synced@corp.example"); a["department"] != "From AD" {
		t.Errorf("an account synced from on-premises was written: %v", a["department"])
	}
	// What AD owns stays AD's: an admin's edit is refused with the owner named, an
	// import leaves it alone, AD itself may change it.
	o.Refused(o.API, "PATCH", "/v1/users/"+cloud, `{"department":"Mine"}`, 409)
	if err := o.Stack.Sim.EditAccount(tenant, "cloud@corp.example", map[string]any{"department": "Theirs"}); err != nil {
		t.Fatal(err)
	}
	job := o.Post("/v1/connections/"+id+"/imports", object{"all": true})
	o.Wait("the import does not end", func() bool { return o.Get("/v1/jobs/"+job.Text("id")).Text("state") == "done" })
	if d := o.Get("/v1/users/" + cloud).Text("department"); d != "Works" {
		t.Errorf("an import overwrote what AD owns: %q", d)
	}
	o.Must(o.Bridge().Patch(t.Context(), "/v1/users/"+cloud, object{"department": "Sales"}))
	o.Wait("AD's change does not arrive", func() bool { return o.Account(tenant, "cloud@corp.example")["department"] == "Sales" })
}

// TestQuestionSeveralTenants: twenty connections at once, each with the users of
// its domain; a user is bound through one at most.
func TestQuestionSeveralTenants(t *testing.T) {
	o := stacktest.New(t)
	const n = 20
	var conns, tenants, users []string
	for i := range n {
		domain := fmt.Sprintf("corp%02d.example", i)
		tenants = append(tenants, o.Tenant(domain))
		conns = append(conns, o.Connect(domain, tenants[i], nil))
		users = append(users, o.User("ann@"+domain, nil))
	}
	for i := range n {
		o.Bind(conns[i], users[i])
	}
	for i := range n {
		o.Binding(conns[i], users[i], "in-sync")
		if a := o.Account(tenants[i], fmt.Sprintf("ann@corp%02d.example", i)); a["accountEnabled"] != true {
			t.Errorf("tenant %d has the account %v", i, a)
		}
	}
	out := o.Post("/v1/connections/"+conns[1]+"/bindings", object{"userIds": []string{users[0]}})
	if refused := out.List("refused"); len(refused) != 1 {
		t.Errorf("binding a user twice answers %v", out)
	}
}

// TestQuestionMove: can a person go from one tenant to another?
func TestQuestionMove(t *testing.T) {
	o := stacktest.New(t)
	first, second := o.Tenant("corp.example"), o.Tenant("daughter.example")
	from, to := o.Connect("corp.example", first, nil), o.Connect("daughter.example", second, nil)
	ann := o.User("ann@corp.example", nil)
	o.Bind(from, ann)
	o.Binding(from, ann, "in-sync")
	body := object{"connectionId": to, "email": "ann@daughter.example", "then": "block", "dryRun": true}
	preview := o.Post("/v1/users/"+ann+"/move", body)
	if len(preview.List("release")) == 0 || !strings.Contains(fmt.Sprint(preview["binding"]), "create") || o.Get("/v1/users/"+ann).Text("email") != "ann@corp.example" {
		t.Fatalf("the preview is %v", preview)
	}
	delete(body, "dryRun")
	if out := o.Post("/v1/users/"+ann+"/move", body); out.Text("state") != "moving" {
		t.Fatalf("the move answers %v", out)
	}
	b := o.Binding(to, ann, "in-sync")
	if b.Text("movedFrom") != from || o.Account(first, "ann@corp.example")["accountEnabled"] != false || o.Account(second, "ann@daughter.example")["accountEnabled"] != true {
		t.Errorf("the binding is %v", b)
	}
	o.Binding(from, ann, "")
	if !strings.Contains(fmt.Sprint(o.Get("/v1/activity?userId="+ann)), "move-user") {
		t.Error("the move is not in the report")
	}
}

// TestQuestionGoogleInTandem: the same people in Google Workspace and Microsoft
// 365, by one address: their Google address stays, the account gets another domain.
func TestQuestionGoogleInTandem(t *testing.T) {
	o := stacktest.New(t)
	// corp.example belongs to Google; Microsoft has a subdomain of it.
	tenant := o.Tenant("m365.corp.example",
		map[string]any{"userPrincipalName": "ann@m365.corp.example", "displayName": "Old Ann", "mailNickname": "ann", "accountEnabled": true},
		map[string]any{"userPrincipalName": "desk@m365.corp.example", "displayName": "Desk", "mailNickname": "desk", "accountEnabled": true,
			"mail": "info@m365.corp.example", "proxyAddresses": []any{"SMTP:info@m365.corp.example"}})
	id := o.Connect("m365.corp.example", tenant, object{"domainMap": object{"corp.example": "m365.corp.example"}})
	ann, ben, info := o.User("ann@corp.example", nil), o.User("ben@corp.example", nil), o.User("info@corp.example", nil)
	o.Bind(id, ann, ben, info)
	for _, name := range []string{"ann", "ben"} {
		u := map[string]string{"ann": ann, "ben": ben}[name]
		o.Binding(id, u, "in-sync")
		if a := o.Account(tenant, name+"@m365.corp.example"); a["surname"] != "Example" {
			t.Errorf("the account of %s is %v", name, a)
		}
		if got := o.Get("/v1/users/" + u).Text("email"); got != name+"@corp.example" {
			t.Errorf("the user's own address became %s", got)
		}
	}
	// An alias of somebody else's account is respected.
	if b := o.Binding(id, info, "conflict"); !strings.Contains(fmt.Sprint(b["problem"]), "desk") && !strings.Contains(fmt.Sprint(b["problem"]), "holder") {
		t.Errorf("the problem is %v", b["problem"])
	}
}

// TestQuestionGoDaddy: does it work with Microsoft 365 from GoDaddy? Such a
// tenant is told apart and refused, with the way out, unless the settings take
// it; one that is federated with somebody else is not.
func TestQuestionGoDaddy(t *testing.T) {
	o := stacktest.New(t)
	sold := func(name, signIn string) string {
		made, err := o.Stack.Sim.CreateTenant(entratest.TenantSpec{
			Name: name, Domains: []entratest.DomainSpec{
				{Name: name, AuthenticationType: "Federated", IsDefault: true, FederationConfiguration: map[string]any{"passiveSignInUri": signIn}},
				{Name: "netorg" + fmt.Sprint(1000000+len(name)) + ".onmicrosoft.com", IsInitial: true},
			},
			Admins: []entratest.AdminSpec{{UserPrincipalName: "admin@netorg" + fmt.Sprint(1000000+len(name)) + ".onmicrosoft.com", Roles: []string{"Global Administrator"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return made.ID
	}
	sold("shop.example", "https://sso.godaddy.com/?app=o365&realm=pass")
	sold("federated.example", "https://idp.example/sso")
	authorise := func(name string, settings object) (id, page string) {
		c := o.Post("/v1/connections", object{"name": name, "settings": settings})
		_, page, err := o.Stack.SignIn(o.Context(), c.Text("authorizationUrl"), "admin@netorg"+fmt.Sprint(1000000+len(name))+".onmicrosoft.com")
		if err != nil {
			t.Fatal(err)
		}
		return c.Text("id"), page
	}
	id, page := authorise("shop.example", nil)
	if !strings.Contains(page, "GoDaddy") || !strings.Contains(page, "defederated") || !strings.Contains(page, "sso.godaddy.com") {
		t.Errorf("the page does not explain: %s", page)
	}
	if status := o.Get("/v1/connections/" + id).Text("status"); status != "pending" {
		t.Errorf("the connection is %s", status)
	}
	id, page = authorise("federated.example", nil)
	if status := o.Get("/v1/connections/" + id).Text("status"); status != "awaiting-confirmation" {
		t.Errorf("a tenant that is federated with another: %s: %s", status, page)
	}
	id, _ = authorise("shop.example", object{"allowGoDaddy": true})
	o.Confirm(id)
	if found := findings(o, id); !strings.Contains(found, "godaddy critical") {
		t.Errorf("the doctor found %s", found)
	}
}

// findings has the doctor look and tells what it found.
func findings(o *stacktest.World, conn string) string {
	o.Helper()
	before := o.Get("/v1/connections/" + conn + "/health").Text("checkedAt")
	o.Post("/v1/connections/"+conn+"/health", nil)
	var h object
	o.Wait("the doctor does not come", func() bool {
		h = o.Get("/v1/connections/" + conn + "/health")
		return h.Text("checkedAt") != before
	})
	var out []string
	for _, f := range h.List("findings") {
		out = append(out, f.Text("code")+" "+f.Text("severity")+" "+f.Text("subject")+" "+f.Text("next"))
	}
	return strings.Join(out, "\n")
}

// TestQuestionMailDelay: why does mail to Microsoft 365 come late, or not at all?
// The doctor names the domain whose MX record is a generic one from before 2013.
func TestQuestionMailDelay(t *testing.T) {
	zones := map[string][]string{
		"corp.example": {"@ MX 10 mail.global.frontbridge.com.", `@ TXT "v=spf1 include:spf.protection.outlook.com -all"`, "autodiscover CNAME autodiscover.outlook.com."},
	}
	o := stacktest.With(t, stack.Config{Look: nameServer(t, zones, nil).Look})
	id := o.Connect("corp.example", o.Tenant("corp.example"), nil)
	if found := findings(o, id); !strings.Contains(found, "mx-generic critical corp.example") || !strings.Contains(found, "corp-example.mail.protection.outlook.com") || strings.Contains(found, "\n") {
		t.Errorf("the doctor found %s", found)
	}
}

// TestQuestionPictures: are profile pictures imported? On request.
func TestQuestionPictures(t *testing.T) {
	o := stacktest.New(t)
	tenant := o.Tenant("corp.example", map[string]any{"userPrincipalName": "ann@corp.example", "displayName": "Ann", "givenName": "Ann", "surname": "Example", "mailNickname": "ann", "accountEnabled": true})
	id := o.Connect("corp.example", tenant, nil)
	if err := o.Stack.Sim.SetPhoto(tenant, "ann@corp.example", demo.Portrait(1)); err != nil {
		t.Fatal(err)
	}
	take := func() string {
		job := o.Post("/v1/connections/"+id+"/imports", object{"accountIds": []any{o.Account(tenant, "ann@corp.example")["id"]}})
		o.Wait("the import does not end", func() bool { return o.Get("/v1/jobs/"+job.Text("id")).Text("state") == "done" })
		return o.Get("/v1/users").List("items")[0].Text("id")
	}
	user := take()
	if status, _, _ := o.API.Raw(o.Context(), http.MethodGet, "/v1/users/"+user+"/photo", "", ""); status != http.StatusNotFound {
		t.Errorf("a picture was imported without the setting: %d", status)
	}
	o.Must(o.API.Patch(o.Context(), "/v1/connections/"+id, object{"settings": object{"import": object{"photos": true}}}))
	take()
	var body string
	o.Wait("the picture does not come", func() bool {
		status, got, err := o.API.Raw(o.Context(), http.MethodGet, "/v1/users/"+user+"/photo", "", "")
		body = got
		return err == nil && status == http.StatusOK
	})
	if cfg, kind, err := image.DecodeConfig(strings.NewReader(body)); err != nil || kind != "jpeg" || cfg.Width != 240 || len(body) > 64<<10 {
		t.Errorf("the picture is %s of %d pixels and %d bytes, %v", kind, cfg.Width, len(body), err)
	}
}
