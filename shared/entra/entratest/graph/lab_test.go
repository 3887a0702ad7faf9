package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/entra/entratest/contract"
	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/inprocess"
	"bindery/shared/entra/entratest/portal"
	"bindery/shared/entra/entratest/state"
)

// lab is a simulator with one tenant, and a client that is signed in already.
// Every message is held against the description of Graph.
type lab struct {
	testing.TB
	s      *sim
	client *http.Client
	bearer string
}

const (
	labBase   = "https://graph.example"
	labTenant = "33333333-aaaa-4bbb-8ccc-000000000001"
	labApp    = "44444444-aaaa-4bbb-8ccc-000000000001"
	globalID  = "55555555-aaaa-4bbb-8ccc-000000000001"
	userAdmID = "55555555-aaaa-4bbb-8ccc-000000000002"
	plainID   = "55555555-aaaa-4bbb-8ccc-000000000003"
	syncedID  = "55555555-aaaa-4bbb-8ccc-000000000004"
	mailboxID = "55555555-aaaa-4bbb-8ccc-000000000005"
	ownerID   = "55555555-aaaa-4bbb-8ccc-000000000006"
	helpID    = "55555555-aaaa-4bbb-8ccc-000000000007"
	authID    = "55555555-aaaa-4bbb-8ccc-000000000008"
	fedID     = "55555555-aaaa-4bbb-8ccc-000000000009"
	groupID   = "66666666-aaaa-4bbb-8ccc-000000000001"
	roleGroup = "66666666-aaaa-4bbb-8ccc-000000000002"
	skuID     = "77777777-aaaa-4bbb-8ccc-000000000001"
)

func labSpec() portal.TenantSpec {
	return portal.TenantSpec{
		TenantID: labTenant, Name: "Fabrikam",
		Domains: []state.Domain{
			{Name: "fabrikam.example", IsDefault: true},
			{Name: "fed.example", AuthenticationType: "Federated"},
			{Name: "fed2.example", AuthenticationType: "Federated"},
			{Name: "unproven.example", IsVerified: new(bool)},
		},
		Accounts: []map[string]any{
			{"id": plainID, "userPrincipalName": "plain@fabrikam.example", "displayName": "Plain", "givenName": "Pla", "jobTitle": "Clerk"},
			{"id": syncedID, "userPrincipalName": "synced@fabrikam.example", "displayName": "Synced", "onPremisesSyncEnabled": true, "onPremisesImmutableId": "c3luYw=="},
			{"id": mailboxID, "userPrincipalName": "box@fabrikam.example", "displayName": "Box", "mail": "box@fabrikam.example", "proxyAddresses": []string{"SMTP:box@fabrikam.example", "smtp:o'box@fabrikam.example"}},
			{"id": ownerID, "userPrincipalName": "owner@fabrikam.example", "displayName": "Owner"},
			{"id": fedID, "userPrincipalName": "fed@fed.example", "displayName": "Fed", "onPremisesImmutableId": "ZmVk"},
		},
		Admins: []portal.AdminSpec{
			{ID: globalID, UserPrincipalName: "global@fabrikam.example", Roles: []string{"Global Administrator"}},
			{ID: userAdmID, UserPrincipalName: "useradmin@fabrikam.example", Roles: []string{"User Administrator"}},
			{ID: helpID, UserPrincipalName: "help@fabrikam.example", Roles: []string{"Helpdesk Administrator"}},
			{ID: authID, UserPrincipalName: "auth@fabrikam.example", Roles: []string{"Authentication Administrator"}},
		},
		Groups: []portal.GroupSpec{
			{ID: groupID, DisplayName: "Staff", Members: []string{"plain@fabrikam.example"}, ProxyAddresses: []string{"SMTP:staff@fabrikam.example"}, GroupTypes: []string{"Unified"}},
			{ID: roleGroup, DisplayName: "Trusted", IsAssignableToRole: true, Owners: []string{ownerID}},
		},
		Licences: []state.SKU{{SKUPartNumber: "EXCHANGESTANDARD", SKUID: skuID, Enabled: 1}},
	}
}

// allScopes are more than anybody should ask for.
var allScopes = []string{
	"User.ReadWrite.All", "Group.ReadWrite.All", "Organization.Read.All", "Domain.Read.All", "RoleManagement.Read.Directory",
	"User-PasswordProfile.ReadWrite.All", "LicenseAssignment.ReadWrite.All", "AuditLog.Read.All", "User.RevokeSessions.All",
	"Domain-InternalFederation.Read.All", "DelegatedPermissionGrant.ReadWrite.All", "User.ManageIdentities.All",
}

// sim is a Graph with what it stands on, and the portal to change it by hand.
type sim struct {
	*portal.Portal
	*Service

	kept *state.Store
}

// labOptions are those of a laboratory; the zero value is usable.
type labOptions struct {
	Now   func() time.Time
	Dir   string
	Quota faults.Quota
}

func openSim(o labOptions) (*sim, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	kept, err := state.Open(state.Config{Now: o.Now, Dir: o.Dir, Seed: 42})
	if err != nil {
		return nil, err
	}
	service := New(Config{State: kept, Faults: faults.NewSet(), Quota: o.Quota, BaseURL: func(*http.Request) string { return labBase }})
	return &sim{portal.New(kept), service, kept}, nil
}

func (s *sim) transport() http.RoundTripper { return inprocess.Transport(s) }

// object returns an object of the laboratory's tenant as it is kept.
func (s *sim) object(id string) *state.Object {
	tx := s.kept.Begin()
	defer tx.End()
	return tx.Tenant(labTenant).Object(id)
}

// rolesOf returns the roles of an account of the laboratory's tenant.
func (s *sim) rolesOf(id string) []string {
	tx := s.kept.Begin()
	defer tx.End()
	return tx.Tenant(labTenant).RolesOf(id)
}

func newLab(t testing.TB, o labOptions) *lab {
	t.Helper()
	s, err := openSim(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.kept.Close() })
	if _, err := s.CreateTenant(labSpec()); err != nil {
		t.Fatal(err)
	}
	if err := s.kept.RegisterApp(state.App{ID: labApp, Name: "Bindery", RedirectURIs: []string{"https://app.example/cb"}}); err != nil {
		t.Fatal(err)
	}
	l := &lab{TB: t, s: s, client: &http.Client{Transport: inprocess.Transport(contract.New(t).Wrap(s))}}
	l.signIn(globalID, allScopes...)
	return l
}

// as returns the same laboratory seen by another account.
func (l *lab) as(id string, scopes ...string) *lab {
	l.Helper()
	c := *l
	if scopes == nil {
		scopes = allScopes
	}
	c.signIn(id, scopes...)
	return &c
}

// unchecked is the laboratory without the description, which lacks some of the
// spellings that Graph takes.
func (l *lab) unchecked() *lab {
	c := *l
	c.client = &http.Client{Transport: l.s.transport()}
	return &c
}

func (l *lab) signIn(id string, scopes ...string) {
	l.Helper()
	bearer, err := l.s.kept.IssueToken(state.AccessToken{TenantID: labTenant, UserOID: id, AppID: labApp, Scopes: scopes, Expires: l.s.kept.Now().Add(365 * 24 * time.Hour)})
	if err != nil {
		l.Fatal(err)
	}
	l.bearer = bearer
}

// result is an answer.
type result struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

// code is the error's code, with the details' codes and targets behind.
func (r result) code() string {
	e, _ := r.body["error"].(map[string]any)
	out := fmt.Sprintf("%d %v", r.status, e["code"])
	details, _ := e["details"].([]any)
	for _, d := range details {
		m := d.(map[string]any)
		out += fmt.Sprintf(" %v/%v", m["code"], m["target"])
	}
	return out
}

func (r result) message() string {
	e, _ := r.body["error"].(map[string]any)
	return state.Text(e["message"])
}

// ids are the ids of the items of a list, in order.
func (r result) ids() []string {
	var out []string
	for _, v := range listOf(r.body["value"]) {
		out = append(out, state.Text(v.(map[string]any)["id"]))
	}
	return out
}

func (l *lab) try(ctx context.Context, method, path, body string, headers ...string) (result, error) {
	l.Helper()
	if !strings.HasPrefix(path, "http") {
		path = labBase + "/v1.0" + strings.ReplaceAll(path, " ", "%20")
	}
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, path, in)
	if err != nil {
		l.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if l.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+l.bearer)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := l.client.Do(r)
	if err != nil {
		return result{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return result{}, err
	}
	out := result{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	if bytes.HasPrefix(raw, []byte("{")) {
		if err := json.Unmarshal(raw, &out.body); err != nil {
			l.Fatal(err)
		}
	}
	return out, nil
}

func (l *lab) do(method, path, body string, headers ...string) result {
	l.Helper()
	r, err := l.try(context.Background(), method, path, body, headers...)
	if err != nil {
		l.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

// want demands a status.
func (l *lab) want(status int, method, path, body string, headers ...string) result {
	l.Helper()
	r := l.do(method, path, body, headers...)
	if r.status != status {
		l.Fatalf("%s %s = %d %s, want %d", method, path, r.status, r.raw, status)
	}
	return r
}

// create makes an account and returns its id.
func (l *lab) create(upn string) string {
	l.Helper()
	return state.Text(l.want(201, "POST", "/users", newUser(upn)).body["id"])
}

func newUser(upn string) string {
	local, _, _ := strings.Cut(upn, "@")
	return fmt.Sprintf(`{"accountEnabled":true,"displayName":%q,"mailNickname":"nick","userPrincipalName":%q,"passwordProfile":{"password":"Tr0ub4dor&3-x"}}`, local, upn)
}

func (l *lab) raw(id string) map[string]any {
	l.Helper()
	a, ok := l.s.Account(labTenant, id)
	if !ok {
		l.Fatalf("there is no account %s", id)
	}
	return a
}

func (l *lab) setFault(f faults.Fault) {
	l.Helper()
	if _, err := l.s.faults.Add(f); err != nil {
		l.Fatal(err)
	}
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }
