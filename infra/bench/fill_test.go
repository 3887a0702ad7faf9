package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/mapping"
	"bindery/shared/core/reconcile"
	"bindery/shared/directory"
	"bindery/shared/store"
)

func stringReader(s string) io.Reader { return strings.NewReader(s) }

// style is how much is known of the users of a site.
type style int

const (
	rich style = iota // every property that can be exported
	slim              // names and addresses, where the number of users counts
)

// settings export every property that can be exported, and two attributes of
// the customer's own; or none but those that always are.
func (k style) settings() directory.Settings {
	// A load's leavers are more than the guard lets pass of 200 users by itself, and so is
	// whoever is taken out of many groups.
	may, out := 2*leavers, manyGroups
	s := directory.Settings{
		Attributes: map[string]directory.AttributeRule{}, Groups: true, Licences: true, DefaultUsageLocation: "CH",
		Guard: map[directory.Effect]directory.Limit{directory.EffectBlock: {Count: &may, Count24h: &may}, directory.EffectMemberRemove: {Count: &out, Count24h: &out, CountGroup: &out}},
	}
	if k == slim {
		return s
	}
	for _, name := range directory.OptionalProperties {
		s.Attributes[name] = directory.AttributeRule{Export: true, Clear: directory.Clearable(name)}
	}
	for name, from := range map[string]string{"extensionAttribute1": "badge", "extensionAttribute2": "costCode"} {
		s.Attributes[name] = directory.AttributeRule{Export: true, Clear: true, From: from}
	}
	return s
}

var (
	givenNames  = []string{"Ada", "Bruno", "Chiara", "Dénes", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Kofi", "Lena", "Milan", "Nora", "Olga", "Pavel"}
	familyNames = []string{"Lindqvist", "Moreau", "Nakamura", "Okafor", "Papadopoulos", "Quist", "Rossi", "Schäfer", "Tanaka", "Urban", "Vogel"}
	departments = []string{"Sales", "Engineering", "Finance", "Legal", "Operations", "Research"}
	cities      = []string{"Zürich", "Lyon", "Porto", "Gdańsk", "Uppsala"}
)

// person is the nth user of a site.
func (k style) person(domain string, n int) directory.User {
	u := directory.User{ID: directory.NewUserID(time.Now()), Source: directory.SourceAD, Created: time.Now().UTC(), Updated: time.Now().UTC()}
	name := fmt.Sprintf("user%06d", n)
	if k == slim {
		u.Profile = directory.Profile{UserName: name + "@" + domain, Email: name + "@" + domain, State: directory.StateActive, DisplayName: name}
		return u
	}
	given, family := givenNames[n%len(givenNames)], familyNames[n%len(familyNames)]
	u.Profile = directory.Profile{
		UserName: name + "@" + domain, Email: name + "@" + domain, AlternateEmail: name + "@home.example", State: directory.StateActive,
		GivenName: given, FamilyName: family, DisplayName: given + " " + family,
		Phones: directory.Phones{Work: fmt.Sprintf("+41 44 %03d %02d %02d", n/10000%1000, n/100%100, n%100), Mobile: fmt.Sprintf("+41 79 %03d %02d %02d", n/10000%1000, n/100%100, n%100)},
		WorkAddress: directory.WorkAddress{StreetAddress: fmt.Sprintf("Long Street %d", n%300), City: cities[n%len(cities)],
			State: "ZH", PostalCode: fmt.Sprintf("8%03d", n%1000), Country: "Switzerland"},
		Department: departments[n%len(departments)], JobTitle: "Specialist " + departments[n/7%len(departments)], Location: fmt.Sprintf("Building %d", n%40),
		Company: "Example Works", EmployeeID: fmt.Sprintf("E%06d", n), EmployeeType: "Employee", UsageLocation: "CH", PreferredLanguage: "de-CH",
		CustomAttributes: map[string]string{"badge": fmt.Sprintf("B-%06d", n), "costCode": fmt.Sprintf("C%04d", n%977)},
	}
	return u
}

func accountID(n int) directory.AccountID {
	return directory.AccountID(fmt.Sprintf("33333333-aaaa-4bbb-8ccc-%012d", n+1))
}

// fill makes n users that are bound and in sync, and returns the accounts that
// they are bound to. It writes through package store as the product does.
func fill(t *testing.T, s *store.Store, to *site, n int) []map[string]any {
	t.Helper()
	if n == 0 {
		return nil
	}
	m := mapping.New(to.conn.Settings, to.conn.Tenant.Domains)
	users := make([]directory.User, n)
	accounts := make([]map[string]any, n)
	bases := make([]directory.Properties, n)
	for i := range users {
		users[i] = to.people.person(to.domain, i)
		to.users = append(to.users, users[i].ID)
		var problems []directory.Problem
		if bases[i], problems = m.Desired(&users[i]); len(problems) > 0 {
			t.Fatalf("user %d: %v", i, problems)
		}
		accounts[i] = account(accountID(i), bases[i])
	}
	create(t, s, to, users, true)
	l, c, err := s.Leases.AcquireLease(t.Context(), to.conn.ID, "fill", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	digester := mapping.NewDigester(m, reconcile.SettingsDigest(&c))
	at := 0
	for part := range slices.Chunk(users, 30) {
		j := store.Journal{}
		for i := range part {
			base := bases[at]
			at++
			j.Bindings = append(j.Bindings, store.BindingChange{Ref: directory.AccountOf(part[i].ID), Mutate: func(b *directory.Binding) bool {
				b.Status, b.Applied, b.Agreed, b.Base, b.Digest = directory.BindingInSync, b.Wanted, b.Wanted, base, digester.Of(base)
				return true
			}})
		}
		if err := s.Runs.Journal(t.Context(), &l, &c, j); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Leases.ReleaseLease(t.Context(), &l, store.RunEnd{}, true); err != nil {
		t.Fatal(err)
	}
	return accounts
}

// create stores users and binds them, to their accounts if they have any.
func create(t *testing.T, s *store.Store, to *site, users []directory.User, bound bool) {
	t.Helper()
	for part := range slices.Chunk(users, 30) {
		list := make([]*directory.User, len(part))
		for i := range part {
			list[i] = &part[i]
		}
		if err := s.Users.CreateUsers(t.Context(), directory.AuditEvent{}, list...); err != nil {
			t.Fatal(err)
		}
	}
	at := 0
	for part := range slices.Chunk(users, store.MaxBind) {
		list := make([]store.Selection, len(part))
		for i := range part {
			list[i].User = &part[i]
			if bound {
				list[i].AccountID, list[i].UserPrincipalName = accountID(at), part[i].Email
			}
			at++
		}
		if err := s.Bindings.Bind(t.Context(), directory.AuditEvent{}, &to.conn, "bench", list); err != nil {
			t.Fatal(err)
		}
	}
}

// newcomers are users without accounts, bound: each is a creation that waits.
func newcomers(t *testing.T, s *store.Store, to *site, n int) {
	t.Helper()
	create(t, s, to, newUsers(to, n), false)
}

// newUsers are the next n people of a site, stored nowhere.
func newUsers(to *site, n int) []directory.User {
	from := len(to.users)
	users := make([]directory.User, n)
	for i := range users {
		users[i] = to.people.person(to.domain, from+i)
		to.users = append(to.users, users[i].ID)
	}
	return users
}

// account is an account as Graph has it.
func account(id directory.AccountID, p directory.Properties) map[string]any {
	a := map[string]any{"id": string(id)}
	extensions := map[string]any{}
	for name, v := range p {
		var value any
		if text, ok := v.Text(); ok {
			value = text
		} else if yes, ok := v.Bool(); ok {
			value = yes
		} else if list, ok := v.List(); ok {
			value = list
		}
		if directory.IsExtensionAttribute(name) {
			extensions[name] = value
		} else {
			a[name] = value
		}
	}
	if len(extensions) > 0 {
		a["onPremisesExtensionAttributes"] = extensions
	}
	return a
}
