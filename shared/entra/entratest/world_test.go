package entratest

import (
	"testing"

	"golang.org/x/oauth2"

	"bindery/shared/entra/entratest/browser"
)

const (
	worldBase   = "https://m365.example"
	worldApp    = "11111111-aaaa-4bbb-8ccc-000000000001"
	worldTenant = "22222222-aaaa-4bbb-8ccc-000000000001"
)

// worldScopes are what the application of the world is granted.
const worldScopes = "AuditLog.Read.All Directory.Read.All Domain-InternalFederation.Read.All Domain.Read.All Group.ReadWrite.All " +
	"Organization.Read.All RoleManagement.Read.Directory User.ReadWrite.All"

// world is a simulator with one tenant and one application.
type world struct {
	*testing.T
	s *Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := New(Options{BaseURL: worldBase, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if _, err := s.CreateTenant(TenantSpec{
		TenantID: worldTenant, Name: "Contoso",
		Domains:  []DomainSpec{{Name: "contoso.example", IsDefault: true}, {Name: "fed.example", AuthenticationType: "Federated"}},
		Licences: []LicenceSpec{{SKUPartNumber: "SPE_E3", Enabled: 5}},
		Accounts: []map[string]any{{"userPrincipalName": "plain@contoso.example", "displayName": "Plain"}},
		Admins: []AdminSpec{
			{UserPrincipalName: "admin@contoso.example", Roles: []string{"Global Administrator"}},
			{UserPrincipalName: "helper@contoso.example", Roles: []string{"User Administrator"}},
		},
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.RegisterApp(App{ID: worldApp, Name: "Bindery", Secret: "not-a-real-one", RedirectURIs: []string{"https://app.example/cb"}, MultiTenant: true}); err != nil {
		t.Fatal(err)
	}
	return &world{t, s}
}

// token signs an account in by way of the pages.
func (w *world) token(login string) *oauth2.Token {
	w.Helper()
	app := browser.Client{Base: worldBase, ID: worldApp, Secret: "not-a-real-one", RedirectURL: "https://app.example/cb"}
	tok, err := app.Token(w.Context(), w.s.Transport(), login, worldScopes)
	if err != nil {
		w.Fatal(err)
	}
	return tok
}
