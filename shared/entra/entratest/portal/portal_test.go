package portal

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"bindery/shared/entra/entratest/state"
)

const contoso = "33333333-aaaa-4bbb-8ccc-000000000001"

// open opens the portal of a state in a folder, or in memory.
func open(t *testing.T, dir string) (*Portal, *state.Store) {
	t.Helper()
	s, err := state.Open(state.Config{Now: time.Now, Dir: dir, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return New(s), s
}

// openContoso is open with a tenant of one domain.
func openContoso(t *testing.T) *Portal {
	t.Helper()
	p, _ := open(t, "")
	if _, err := p.CreateTenant(TenantSpec{TenantID: contoso, Name: "Contoso", Domains: []state.Domain{{Name: "contoso.example"}}}); err != nil {
		t.Fatal(err)
	}
	return p
}

// objectsOf returns the accounts of a tenant as they are kept.
func objectsOf(s *state.Store, tenantID string) []*state.Object {
	tx := s.Begin()
	defer tx.End()
	var out []*state.Object
	t := tx.Tenant(tenantID)
	for _, id := range t.IDs(state.User) {
		out = append(out, t.Object(id))
	}
	return out
}

func TestExternalAccounts(t *testing.T) {
	t.Parallel()
	p := openContoso(t)
	for _, bad := range []ExternalSpec{{Mail: "x"}, {Mail: "a@b.example", UserType: "Friend"}, {Mail: "a@b.example", State: "Maybe"}} {
		if _, err := p.AddExternal(contoso, bad); err == nil {
			t.Errorf("%+v was added", bad)
		}
	}
	id, err := p.AddExternal(contoso, ExternalSpec{Mail: "yan@sister.example", UserType: "Member"})
	if err != nil {
		t.Fatal(err)
	}
	get := func() map[string]any {
		t.Helper()
		a, _ := p.Account(contoso, id)
		return a
	}
	a := get()
	if !strings.HasPrefix(a["userPrincipalName"].(string), "yan_sister.example#EXT#@") || a["creationType"] != "Invitation" || a["userType"] != "Member" || a["externalUserState"] != "Accepted" || a["identities"] == nil {
		t.Errorf("an external member is %v", a)
	}
	if err := p.ConvertToInternal(contoso, id, "yan@elsewhere.example"); err == nil {
		t.Error("an account was named in a domain that the tenant has not")
	}
	domain := strings.SplitN(a["userPrincipalName"].(string), "@", 2)[1]
	if err := p.ConvertToInternal(contoso, id, "yan@"+domain); err != nil {
		t.Fatal(err)
	}
	if a = get(); a["externalUserState"] != nil || a["identities"] != nil || a["creationType"] != "Invitation" || a["userPrincipalName"] != "yan@"+domain {
		t.Errorf("converted, it is %v", a)
	}
	if err := p.InviteAccount(contoso, id, "yan@sister.example"); err != nil {
		t.Fatal(err)
	}
	if a = get(); a["externalUserState"] != "Accepted" || a["userPrincipalName"] != "yan@"+domain {
		t.Errorf("invited, it is %v", a)
	}
}

func TestEditDomains(t *testing.T) {
	t.Parallel()
	p := openContoso(t)
	if err := p.SetDomain(contoso, state.Domain{Name: "new.example", AuthenticationType: "Managed"}); err != nil {
		t.Fatal(err)
	}
	id, err := p.AddAccount(contoso, map[string]any{"userPrincipalName": "ann@new.example", "mail": "ann@new.example"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.SetDomain(contoso, state.Domain{Name: "other.example", AuthenticationType: "Odd"}); err == nil {
		t.Error("a domain of no known kind was added")
	}
	if err := p.RemoveDomain(contoso, "new.example"); err != nil {
		t.Fatal(err)
	}
	a, _ := p.Account(contoso, id)
	if upn := a["userPrincipalName"].(string); !strings.HasSuffix(upn, ".onmicrosoft.com") || a["mail"] != nil {
		t.Errorf("after its domain is gone the account is %v", a)
	}
	if err := p.RemoveDomain(contoso, "new.example"); err == nil {
		t.Error("a domain was removed twice")
	}
}

func TestLoadOfManyAccounts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, s := open(t, dir)
	tenant, err := p.CreateTenant(TenantSpec{Name: "Big", Domains: []state.Domain{{Name: "big.example"}}, Count: 3_000, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	_, s = open(t, dir)
	if n := len(objectsOf(s, tenant.ID)); n != 3_000 {
		t.Errorf("%d accounts were loaded", n)
	}
}

func TestInventedTenantIsUglyAndTheSame(t *testing.T) {
	t.Parallel()
	spec := TenantSpec{TenantID: contoso, Name: "Contoso", Domains: []state.Domain{{Name: "contoso.example"}}, Count: 500, Seed: 9}
	var first map[string]any
	for range 2 {
		p, s := open(t, "")
		if _, err := p.CreateTenant(spec); err != nil {
			t.Fatal(err)
		}
		counts := map[string]int{}
		for _, o := range objectsOf(s, contoso) {
			count := func(name string, is bool) {
				if is {
					counts[name]++
				}
			}
			count("guests", o.Text("userType") == "Guest")
			count("blocked", !o.Flag("accountEnabled"))
			count("synced", o.Flag("onPremisesSyncEnabled"))
			count("accents", len(o.Text("displayName")) != utf8.RuneCountInString(o.Text("displayName")))
			count("apostrophes", strings.Contains(o.Text("userPrincipalName"), "'"))
			count("no mailbox", len(o.List("proxyAddresses")) == 0)
			count("mixed case", o.Text("mail") != strings.ToLower(o.Text("mail")))
		}
		for _, name := range []string{"guests", "blocked", "synced", "accents", "apostrophes", "no mailbox", "mixed case"} {
			if counts[name] == 0 {
				t.Errorf("no %s among %v", name, counts)
			}
		}
		one, _ := p.Account(contoso, objectsOf(s, contoso)[0].ID)
		for _, name := range []string{"signInSessionsValidFromDateTime", "lastPasswordChangeDateTime"} {
			delete(one, name)
		}
		if first == nil {
			first = one
		} else if !reflect.DeepEqual(first, one) {
			t.Errorf("the same seed made %v and %v", first, one)
		}
	}
}

func TestCreateTenantIsRefused(t *testing.T) {
	t.Parallel()
	p, _ := open(t, "")
	good := state.Domain{Name: "a.example"}
	for name, spec := range map[string]TenantSpec{
		"no name":         {Domains: []state.Domain{good}},
		"id":              {TenantID: "x", Name: "A"},
		"domain":          {Name: "A", Domains: []state.Domain{{Name: "a b"}}},
		"domain twice":    {Name: "A", Domains: []state.Domain{good, good}},
		"two defaults":    {Name: "A", Domains: []state.Domain{{Name: "a.example", IsDefault: true}, {Name: "b.example", IsDefault: true}}},
		"authentication":  {Name: "A", Domains: []state.Domain{{Name: "a.example", AuthenticationType: "Other"}}},
		"foreign account": {Name: "A", Domains: []state.Domain{good}, Accounts: []map[string]any{{"userPrincipalName": "x@b.example"}}},
		"account twice":   {Name: "A", Domains: []state.Domain{good}, Accounts: []map[string]any{{"userPrincipalName": "x@a.example"}, {"userPrincipalName": "X@a.example"}}},
		"property":        {Name: "A", Domains: []state.Domain{good}, Accounts: []map[string]any{{"userPrincipalName": "x@a.example", "shoeSize": 4}}},
		"role":            {Name: "A", Domains: []state.Domain{good}, Admins: []AdminSpec{{UserPrincipalName: "x@a.example", Roles: []string{"King"}}}},
		"member":          {Name: "A", Domains: []state.Domain{good}, Groups: []GroupSpec{{DisplayName: "G", Members: []string{"nobody"}}}},
	} {
		if _, err := p.CreateTenant(spec); err == nil {
			t.Errorf("%s: CreateTenant accepted it", name)
		}
	}
	if left := p.Tenants(); len(left) != 0 {
		t.Errorf("%d tenants are left behind", len(left))
	}
	made, err := p.CreateTenant(TenantSpec{Name: "Ärger & Co", Domains: []state.Domain{good}})
	if err != nil || len(made.Domains) != 2 || made.Domains[1] != "rgerco.onmicrosoft.com" {
		t.Errorf("CreateTenant = %+v, %v", made, err)
	}
}

// A manager who is set by hand is in the account, and in the log once.
func TestSetManager(t *testing.T) {
	t.Parallel()
	p := openContoso(t)
	ids := map[string]string{}
	for _, name := range []string{"ann", "bob"} {
		id, err := p.AddAccount(contoso, map[string]any{"userPrincipalName": name + "@contoso.example"})
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = id
	}
	for _, manager := range []string{"bob@contoso.example", ids["bob"], ""} { // the second is no change
		if err := p.SetManager(contoso, "ann@contoso.example", "ann@contoso.example", manager); err != nil {
			t.Fatal(err)
		}
		want := ids["bob"]
		if manager == "" {
			want = ""
		}
		if a, _ := p.Account(contoso, ids["ann"]); state.Text(a["manager"]) != want {
			t.Errorf("with %q the manager is %v", manager, a["manager"])
		}
	}
	var log []string
	for _, m := range p.Mutations(contoso)[2:] {
		log = append(log, fmt.Sprint(m.Kind, m.Before["manager"] == ids["bob"], m.After["manager"] == ids["bob"], m.ActorUPN))
	}
	if want := []string{"updatefalse trueann@contoso.example", "updatetrue falseann@contoso.example"}; !slices.Equal(log, want) {
		t.Errorf("the log has %q, want %q", log, want)
	}
	for _, names := range [][3]string{{"", "nobody@contoso.example", ""}, {"", ids["ann"], "nobody@contoso.example"}, {"nobody@contoso.example", ids["ann"], ids["bob"]}} {
		if err := p.SetManager(contoso, names[0], names[1], names[2]); err == nil {
			t.Errorf("%q was taken", names)
		}
	}
}
