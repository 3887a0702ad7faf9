package state

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	contoso = "33333333-aaaa-4bbb-8ccc-000000000001"
	annID   = "55555555-aaaa-4bbb-8ccc-000000000001"
	bobID   = "55555555-aaaa-4bbb-8ccc-000000000002"
	staffID = "66666666-aaaa-4bbb-8ccc-000000000001"
)

var begin = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// open opens a state in a folder, or in memory, whose clock stands until it is
// advanced.
func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(Config{Now: func() time.Time { return begin }, Dir: dir, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// openContoso is open with a tenant of two users and a group.
func openContoso(t *testing.T, dir string) *Store {
	t.Helper()
	s := open(t, dir)
	tx := s.Begin()
	defer tx.End()
	d := tx.Draft(Organization{ID: contoso, Name: "Contoso", Domains: []Domain{{Name: "contoso.example", IsInitial: true}}})
	for _, o := range []*Object{
		{ID: annID, Kind: User, Props: map[string]any{"userPrincipalName": "Ann@contoso.example", "mail": "ann@contoso.example", "proxyAddresses": []any{"SMTP:ann@contoso.example"}}},
		{ID: bobID, Kind: User, Props: map[string]any{"userPrincipalName": "bob@contoso.example", "onPremisesImmutableId": "Ym9i"}},
		{ID: staffID, Kind: Group, Props: map[string]any{"displayName": "Staff"}},
	} {
		d.Put(o)
	}
	d.Link(d.Object(staffID), Members, annID)
	d.SetRoles(staffID, []string{"r-2"})
	d.SetRoles(annID, []string{"r-1"})
	if err := d.Commit(); err != nil {
		t.Fatal(err)
	}
	return s
}

// edit puts a changed copy of an object.
func edit(t *testing.T, s *Store, id, property string, v any) {
	t.Helper()
	tx := s.Begin()
	defer tx.End()
	tenant := tx.Tenant(contoso)
	next := tenant.Object(id).Clone()
	next.Props[property] = v
	c := tx.Change(tenant)
	c.Put(next, property)
	c.Log(MutationOf("update", next))
	if err := c.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openContoso(t, dir)
	edit(t, s, annID, "city", "Bern")
	s.Close()
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
	if _, err := Open(Config{Now: time.Now, Dir: dir}); err == nil || !strings.Contains(err.Error(), journalName+" line 2 is damaged") {
		t.Errorf("Open = %v, want an error that names file and line", err)
	}
}

func TestSeededIDsDoNotRepeatAfterARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var made []string
	for range 2 {
		s := open(t, dir)
		made = append(made, s.Random.ID())
		s.Close()
	}
	if made[0] == made[1] {
		t.Errorf("both starts made %s", made[0])
	}
}

// The file of a simulator from before the state was a room of its own is read.
func TestFormerJournalIsRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lines := `[{"k":"blob","t":"start","id":"n","v":1}]
[{"k":"tenant","id":"` + contoso + `","v":{"id":"` + contoso + `","name":"Contoso","created":"2026-01-01T00:00:00Z","domains":[{"name":"contoso.example","authenticationType":"Managed","isDefault":true}],"grants":{"g":{"id":"g","appId":"a","scopes":["openid"]}},"roles":{"r-1":["` + annID + `"],"r-2":null}}},{"k":"object","t":"` + contoso + `","id":"` + annID + `","v":{"id":"` + annID + `","kind":"user","props":{"userPrincipalName":"ann@contoso.example","city":null},"created":"2026-01-01T00:00:00Z","version":1,"stateVersion":1,"touched":{"city":1}}}]
[{"k":"blob","t":"clock","id":"offset","v":3600000000000}]
[{"k":"app","id":"a","v":{"clientId":"a","clientSecret":"s"}},{"k":"token","id":"x","v":{"token":"x","tenantId":"` + contoso + `","userOid":"` + annID + `","appId":"a","expires":"2026-01-09T00:00:00Z"}}]
[{"k":"mutation","t":"` + contoso + `","id":"m","v":{"time":"2026-01-01T00:00:00Z","kind":"update","targetKind":"user","targetId":"` + annID + `","id":"m"}}]
`
	if err := os.WriteFile(filepath.Join(dir, journalName), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	if got := s.Now(); !got.Equal(begin.Add(time.Hour)) {
		t.Errorf("the clock says %v", got)
	}
	tx := s.Begin()
	defer tx.End()
	tenant := tx.TenantNamed("CONTOSO.example")
	if tenant == nil || tenant.Find("Ann@contoso.example") == nil || len(tenant.Mutations()) != 1 || len(tenant.Grants) != 1 || tx.Version() != 1 {
		t.Fatalf("the tenant is %+v", tenant)
	}
	if got := tenant.RolesOf(annID); !slices.Equal(got, []string{"r-1"}) {
		t.Errorf("roles = %v", got)
	}
	if token, ok := tx.AccessToken("x"); !ok || token.UserOID != annID {
		t.Errorf("the token is %+v", token)
	}
	if _, ok := tx.App("A"); !ok {
		t.Error("the application is gone")
	}
}

// A replica that lags has what an object was, and not yet what is new.
func TestLag(t *testing.T) {
	t.Parallel()
	s := openContoso(t, "")
	s.Advance(time.Hour)
	edit(t, s, annID, "city", "Bern")
	tx := s.Begin()
	tenant := tx.Tenant(contoso)
	fresh := tx.NewObject(User)
	fresh.Props["userPrincipalName"] = "new@contoso.example"
	c := tx.Change(tenant)
	c.PutLifecycle(fresh)
	if err := c.Commit(); err != nil {
		t.Fatal(err)
	}
	tx.End()
	at := func(id string, lag time.Duration) *Object {
		tx := s.Begin()
		defer tx.End()
		return tx.Tenant(contoso).Object(id).At(tx.Now(), lag)
	}
	if got := at(annID, time.Minute); got == nil || got.Props["city"] != nil {
		t.Errorf("the replica has %v", got)
	}
	if got := at(fresh.ID, time.Minute); got != nil {
		t.Errorf("the replica has the new object: %v", got)
	}
	s.Advance(time.Minute)
	if got := at(annID, time.Minute); got.Props["city"] != "Bern" {
		t.Errorf("a minute later the replica has %v", got.Props)
	}
	if got := at(fresh.ID, time.Minute); got == nil {
		t.Error("a minute later the replica lacks the new object")
	}
}

func TestUniqueValues(t *testing.T) {
	t.Parallel()
	s := openContoso(t, "")
	tx := s.Begin()
	defer tx.End()
	tenant := tx.Tenant(contoso)
	for _, tt := range []struct {
		name  string
		kind  string
		props map[string]any
		want  string // the property, and whose it is
	}{
		{"nothing", User, map[string]any{"userPrincipalName": "new@contoso.example"}, ""},
		{"name in another case", User, map[string]any{"userPrincipalName": "ANN@contoso.example"}, "userPrincipalName " + annID},
		{"anchor", User, map[string]any{"onPremisesImmutableId": "Ym9i"}, "onPremisesImmutableId " + bobID},
		{"anchor in another case", User, map[string]any{"onPremisesImmutableId": "YM9I"}, ""},
		{"address", User, map[string]any{"proxyAddresses": []any{"smtp:Ann@contoso.example"}}, "proxyAddresses " + annID},
		{"address that is a name", User, map[string]any{"proxyAddresses": []any{"smtp:bob@contoso.example"}}, "proxyAddresses " + bobID},
		{"address of a group", Group, map[string]any{"proxyAddresses": []any{"SMTP:ann@contoso.example"}}, "proxyAddresses " + annID},
	} {
		got := ""
		if c := tenant.Conflict(&Object{ID: "x", Kind: tt.kind, Props: tt.props}); c != nil {
			got = c.Property + " " + c.With.ID
		}
		if got != tt.want {
			t.Errorf("%s: the conflict is %q, want %q", tt.name, got, tt.want)
		}
	}
	own := tenant.Object(annID).Clone()
	own.Props["city"] = "Bern"
	if c := tenant.Conflict(own); c != nil {
		t.Errorf("an object conflicts with itself: %+v", c)
	}
	c := tx.Change(tenant)
	c.PutLifecycle(tenant.Object(annID).SoftDeleted(tx.Now()), "userPrincipalName")
	if err := c.Commit(); err != nil {
		t.Fatal(err)
	}
	if c := tenant.Conflict(&Object{ID: "x", Kind: User, Props: map[string]any{"userPrincipalName": "ann@contoso.example"}}); c != nil {
		t.Errorf("a deleted account still has its name: %+v", c)
	}
	if got := tenant.Object(annID).FormerName(); got != "Ann@contoso.example" {
		t.Errorf("its former name is %q", got)
	}
	if got := tenant.Named([]string{"ann@contoso.example", "bob@contoso.example"}); !slices.Equal(got, []string{bobID}) {
		t.Errorf("the index of names has %v", got)
	}
}

func TestRolesAndGroups(t *testing.T) {
	t.Parallel()
	s := openContoso(t, "")
	tx := s.Begin()
	defer tx.End()
	tenant := tx.Tenant(contoso)
	if got := tenant.RolesOf(annID); !slices.Equal(got, []string{"r-1", "r-2"}) {
		t.Errorf("Ann's roles are %v", got)
	}
	c := tx.Change(tenant)
	next := tenant.Object(staffID).Clone()
	c.Put(next, "members")
	c.Link(next, Members, annID, false)
	c.Link(next, Members, bobID, true)
	if err := c.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := tenant.RolesOf(annID); !slices.Equal(got, []string{"r-1"}) {
		t.Errorf("out of the group, Ann's roles are %v", got)
	}
	if got := tenant.RolesOf(bobID); !slices.Equal(got, []string{"r-2"}) {
		t.Errorf("in the group, Bob's roles are %v", got)
	}
}

// Links are kept one by one: a restart finds them, those that were taken away too, and a
// file in which groups held them themselves is read.
func TestLinksAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openContoso(t, dir)
	s.Advance(time.Hour)
	relink := func(r Relation, id string, is bool) {
		t.Helper()
		tx := s.Begin()
		defer tx.End()
		c := tx.Change(tx.Tenant(contoso))
		next := tx.Tenant(contoso).Object(staffID).Clone()
		c.Put(next, string(r))
		c.Link(next, r, id, is)
		if err := c.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	relink(Members, bobID, true)
	relink(Members, annID, false)
	relink(Owners, annID, true)
	check := func(s *Store) {
		t.Helper()
		tx := s.Begin()
		defer tx.End()
		tenant := tx.Tenant(contoso)
		if got := tenant.Links(Members, staffID); !slices.Equal(got, []string{bobID}) {
			t.Errorf("members = %v", got)
		}
		if got := tenant.Links(Owners, staffID); !slices.Equal(got, []string{annID}) {
			t.Errorf("owners = %v", got)
		}
		if v := maps.Collect(tenant.LinkVersions(Members, staffID, "", time.Time{}, 0)); v[bobID] <= 0 || v[annID] >= 0 || -v[annID] <= v[bobID] {
			t.Errorf("versions = %v", v)
		}
		if tx.Version() != tenant.Object(staffID).Version {
			t.Errorf("the version is %d, of the group %d", tx.Version(), tenant.Object(staffID).Version)
		}
	}
	check(s)
	tx := s.Begin()
	tenant := tx.Tenant(contoso)
	if got := tenant.LinksAt(Members, staffID, tx.Now(), time.Minute); !slices.Equal(got, []string{annID}) {
		t.Errorf("a minute ago the members were %v", got)
	}
	if got := tenant.GroupsTo(Members, annID, tx.Now(), time.Minute); !slices.Equal(got, []string{staffID}) {
		t.Errorf("a minute ago Ann was in %v", got)
	}
	if got := tenant.GroupsTo(Members, annID, tx.Now(), 0); len(got) != 0 {
		t.Errorf("Ann is in %v", got)
	}
	tx.End()
	s.Close()
	s = open(t, dir)
	check(s)
	s.Close()
	j, err := compact(filepath.Join(dir, journalName), s)
	if err != nil {
		t.Fatal(err)
	}
	j.close()
	check(open(t, dir))

	former := t.TempDir()
	lines := `[{"k":"tenant","id":"` + contoso + `","v":{"id":"` + contoso + `","name":"Contoso","domains":[]}}]
[{"k":"object","t":"` + contoso + `","id":"` + staffID + `","v":{"id":"` + staffID + `","kind":"group","props":{},"version":7,"members":{"` + bobID + `":5,"` + annID + `":-6},"owners":["` + annID + `"]}}]
`
	if err := os.WriteFile(filepath.Join(former, journalName), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	check(open(t, former))
}

// What is gone for good is in no group any more, and of its links each is taken away
// once.
func TestUnlink(t *testing.T) {
	t.Parallel()
	s := openContoso(t, "")
	tx := s.Begin()
	defer tx.End()
	tenant := tx.Tenant(contoso)
	c := tx.Change(tenant)
	next := tenant.Object(staffID).Clone()
	c.Put(next, "owners")
	c.Link(next, Owners, annID, true)
	if err := c.Commit(); err != nil {
		t.Fatal(err)
	}
	c = tx.Change(tenant)
	c.Unlink(annID)
	if err := c.Commit(); err != nil {
		t.Fatal(err)
	}
	group := tenant.Object(staffID)
	if len(tenant.Links(Members, staffID)) != 0 || len(tenant.Links(Owners, staffID)) != 0 {
		t.Error("links are left")
	}
	if group.Touched["members"] != group.Version || group.Touched["owners"] != group.Version {
		t.Errorf("touched = %v of version %d", group.Touched, group.Version)
	}
}

// A deleted Microsoft 365 group keeps its alias and address, and every group its
// uniqueName, until it cannot be restored any more.
func TestNamesOfDeletedGroups(t *testing.T) {
	t.Parallel()
	s := openContoso(t, "")
	tx := s.Begin()
	tenant := tx.Tenant(contoso)
	add := func(props map[string]any) {
		o := tx.NewObject(Group)
		o.Props = props
		o.Deleted = tx.Now()
		c := tx.Change(tenant)
		c.PutLifecycle(o)
		if err := c.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	add(map[string]any{"groupTypes": []any{"Unified"}, "mailNickname": "club", "proxyAddresses": []any{"SMTP:club@contoso.example"}, "uniqueName": "u-1"})
	add(map[string]any{"groupTypes": []any{}, "mailNickname": "plain", "uniqueName": "u-2"})
	conflict := func(kind string, props map[string]any) string {
		if c := tenant.Conflict(&Object{ID: "x", Kind: kind, Props: props}); c != nil {
			return c.Property
		}
		return ""
	}
	tests := []struct {
		kind  string
		props map[string]any
		want  string
	}{
		{Group, map[string]any{"groupTypes": []any{"Unified"}, "mailNickname": "Club"}, "mailNickname"},
		{Group, map[string]any{"mailNickname": "Club"}, ""}, // a security group's is not unique
		{Group, map[string]any{"groupTypes": []any{"Unified"}, "mailNickname": "plain"}, ""},
		{Group, map[string]any{"uniqueName": "U-1"}, "uniqueName"},
		{Group, map[string]any{"uniqueName": "u-2"}, "uniqueName"},
		{User, map[string]any{"proxyAddresses": []any{"smtp:club@contoso.example"}}, "proxyAddresses"},
	}
	for _, tt := range tests {
		if got := conflict(tt.kind, tt.props); got != tt.want {
			t.Errorf("%s %v conflicts by %q, want %q", tt.kind, tt.props, got, tt.want)
		}
	}
	tx.End()
	s.Advance(KeepDeleted)
	tx = s.Begin()
	defer tx.End()
	for _, tt := range tests {
		if got := conflict(tt.kind, tt.props); got != "" {
			t.Errorf("after 30 days %s %v conflicts by %q", tt.kind, tt.props, got)
		}
	}
}
