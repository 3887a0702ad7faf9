package entratest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestDurability(t *testing.T) {
	dir := t.TempDir()
	l := newLab(t, Options{Dir: dir})
	_, link := l.round("/users/delta?$select=displayName")
	id := l.create("kept@fabrikam.example")
	l.want(204, "PATCH", "/users/"+id, `{"city":"Bern","onPremisesExtensionAttributes":{"extensionAttribute1":"x"}}`)
	l.want(204, "DELETE", "/users/"+plainID, "")
	if err := l.s.Advance(time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := l.s.SetRoles(labTenant, ownerID, "Global Reader"); err != nil {
		t.Fatal(err)
	}
	before, mutations := l.raw(id), l.s.Mutations(labTenant)
	path := filepath.Join(dir, journalName)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, `[{"k":"object","t":"`+labTenant) // the process died while it wrote
	f.Close()

	for n := range 3 { // the last one reads what was compacted
		if n == 2 {
			repeat(t, path, 2000)
		}
		s, err := New(Options{Dir: dir, BaseURL: labBase, Seed: 42})
		if err != nil {
			t.Fatal(err)
		}
		again := *l.unchecked()
		again.s, again.client.Transport = s, s.Transport()
		if got := again.raw(id); !reflect.DeepEqual(got, before) {
			t.Errorf("the account is %v, was %v", got, before)
		}
		if got := s.Mutations(labTenant); len(got) != len(mutations) || !got[0].Time.Equal(mutations[0].Time) {
			t.Errorf("%d mutations, were %d", len(got), len(mutations))
		}
		if off := time.Until(s.now()); off < 59*time.Minute {
			t.Errorf("the clock was set back to %v", off)
		}
		items, _ := again.round(link)
		if len(items) != 2 || removed(items[plainID]) != "changed" {
			t.Errorf("the delta link gives %v", items)
		}
		if got := again.want(200, "GET", "/me", "").body["id"]; got != globalID {
			t.Errorf("the token is of %v", got)
		}
		if got := s.tenants[labTenant].rolesOf(ownerID); len(got) != 1 {
			t.Errorf("roles = %v", got)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if raw, err := os.ReadFile(path); err != nil || bytes.Count(raw, []byte("\n")) > 100 {
		t.Errorf("the file was not compacted: %d lines, %v", bytes.Count(raw, []byte("\n")), err)
	}
}

// repeat appends a line of the file again and again, as many changes would.
func repeat(t *testing.T, path string, times int) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(raw, []byte("\n"))
	for _, line := range lines {
		if bytes.Contains(line, []byte(`"k":"app"`)) {
			raw = append(raw, bytes.Repeat(line, times)...)
			break
		}
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedJournal(t *testing.T) {
	dir := t.TempDir()
	newLab(t, Options{Dir: dir}).s.Close()
	path := filepath.Join(dir, journalName)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(raw, []byte("\n"))
	lines[1] = []byte("{]\n")
	if err := os.WriteFile(path, bytes.Join(lines, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), journalName+" line 2 is damaged") {
		t.Errorf("New = %v, want an error that names file and line", err)
	}
}

func TestSeededIDsDoNotRepeatAfterARestart(t *testing.T) {
	dir := t.TempDir()
	var first []string
	for range 2 {
		s, err := New(Options{Dir: dir, Seed: 7})
		if err != nil {
			t.Fatal(err)
		}
		first = append(first, s.newID())
		s.Close()
	}
	if first[0] == first[1] {
		t.Errorf("both starts made %s", first[0])
	}
}

func TestLoadOfManyAccounts(t *testing.T) {
	dir := t.TempDir()
	s, err := New(Options{Dir: dir, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := s.CreateTenant(TenantSpec{Name: "Big", Domains: []DomainSpec{{Name: "big.example"}}, Count: 3_000, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if s, err = New(Options{Dir: dir, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	if n := len(s.tenants[tenant.ID].ids); n != 3_000 {
		t.Errorf("%d accounts were loaded", n)
	}
	s.Close()
}

func TestInventedTenantIsUglyAndTheSame(t *testing.T) {
	spec := TenantSpec{TenantID: labTenant, Name: "Contoso", Domains: []DomainSpec{{Name: "contoso.example"}}, Count: 500, Seed: 9}
	var first map[string]any
	for range 2 {
		s, err := New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.CreateTenant(spec); err != nil {
			t.Fatal(err)
		}
		counts := map[string]int{}
		for _, o := range s.tenants[labTenant].objects {
			count := func(name string, is bool) {
				if is {
					counts[name]++
				}
			}
			count("guests", o.text("userType") == "Guest")
			count("blocked", !o.flag("accountEnabled"))
			count("synced", o.flag("onPremisesSyncEnabled"))
			count("accents", !isASCII(o.text("displayName")))
			count("apostrophes", strings.Contains(o.text("userPrincipalName"), "'"))
			count("no mailbox", len(o.list("proxyAddresses")) == 0)
			count("mixed case", o.text("mail") != strings.ToLower(o.text("mail")))
		}
		for _, name := range []string{"guests", "blocked", "synced", "accents", "apostrophes", "no mailbox", "mixed case"} {
			if counts[name] == 0 {
				t.Errorf("no %s among %v", name, counts)
			}
		}
		one, _ := s.Account(labTenant, s.tenants[labTenant].ids[0])
		for _, name := range []string{"signInSessionsValidFromDateTime", "lastPasswordChangeDateTime"} {
			delete(one, name)
		}
		if first == nil {
			first = one
		} else if !reflect.DeepEqual(first, one) {
			t.Errorf("the same seed made %v and %v", first, one)
		}
		s.Close()
	}
}

func TestCreateTenantIsRefused(t *testing.T) {
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	good := DomainSpec{Name: "a.example"}
	for name, spec := range map[string]TenantSpec{
		"no name":         {Domains: []DomainSpec{good}},
		"id":              {TenantID: "x", Name: "A"},
		"domain":          {Name: "A", Domains: []DomainSpec{{Name: "a b"}}},
		"domain twice":    {Name: "A", Domains: []DomainSpec{good, good}},
		"two defaults":    {Name: "A", Domains: []DomainSpec{{Name: "a.example", IsDefault: true}, {Name: "b.example", IsDefault: true}}},
		"authentication":  {Name: "A", Domains: []DomainSpec{{Name: "a.example", AuthenticationType: "Other"}}},
		"foreign account": {Name: "A", Domains: []DomainSpec{good}, Accounts: []map[string]any{{"userPrincipalName": "x@b.example"}}},
		"account twice":   {Name: "A", Domains: []DomainSpec{good}, Accounts: []map[string]any{{"userPrincipalName": "x@a.example"}, {"userPrincipalName": "X@a.example"}}},
		"property":        {Name: "A", Domains: []DomainSpec{good}, Accounts: []map[string]any{{"userPrincipalName": "x@a.example", "shoeSize": 4}}},
		"role":            {Name: "A", Domains: []DomainSpec{good}, Admins: []AdminSpec{{UserPrincipalName: "x@a.example", Roles: []string{"King"}}}},
		"member":          {Name: "A", Domains: []DomainSpec{good}, Groups: []GroupSpec{{DisplayName: "G", Members: []string{"nobody"}}}},
	} {
		if _, err := s.CreateTenant(spec); err == nil {
			t.Errorf("%s: CreateTenant accepted it", name)
		}
	}
	if len(s.tenants) != 0 {
		t.Errorf("%d tenants are left behind", len(s.tenants))
	}
	made, err := s.CreateTenant(TenantSpec{Name: "Ärger & Co", Domains: []DomainSpec{good}})
	if err != nil || len(made.Domains) != 2 || made.Domains[1] != "rgerco.onmicrosoft.com" {
		t.Errorf("CreateTenant = %+v, %v", made, err)
	}
}

func TestManyAtOnce(t *testing.T) {
	l := newLab(t, Options{Dir: t.TempDir()}).unchecked()
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 20 {
				r, err := l.try(t.Context(), "POST", "/users", newUser(fmt.Sprintf("same%d@fabrikam.example", i)))
				if err != nil || r.status != 201 && r.status != 400 {
					t.Errorf("worker %d: %d %v", w, r.status, err)
				}
				l.try(t.Context(), "PATCH", "/users/"+plainID, fmt.Sprintf(`{"city":"w%d-%d"}`, w, i))
				l.try(t.Context(), "GET", "/users/delta?$select=city", "")
			}
		})
	}
	wg.Wait()
	creations, last := 0, any(nil)
	for _, m := range l.s.Mutations(labTenant) {
		switch m.Kind {
		case "create":
			creations++
		case "update":
			if m.Before["city"] != last {
				t.Errorf("a mutation says %v was before, but it was %v", m.Before["city"], last)
			}
			last = m.After["city"]
		}
	}
	if creations != 20 || l.raw(plainID)["city"] != last {
		t.Errorf("%d creations, want 20; the last city is %v, the log says %v", creations, l.raw(plainID)["city"], last)
	}
}
