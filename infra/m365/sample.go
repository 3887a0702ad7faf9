package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"bindery/shared/entra/entratest"
)

// sample gives an empty simulator a tenant of realistic size and an application
// that may ask it for access.
func sample(m365 *entratest.Server) error {
	if len(m365.Tenants()) > 0 {
		return nil
	}
	_, err := m365.CreateTenant(entratest.TenantSpec{
		Name: "Contoso",
		Domains: []entratest.DomainSpec{
			{Name: "contoso.example", IsDefault: true},
			{Name: "contoso.onmicrosoft.com", IsInitial: true},
		},
		Count: 200, Seed: 1,
		Admins: []entratest.AdminSpec{
			{UserPrincipalName: "admin@contoso.example", DisplayName: "Contoso Admin", Roles: []string{"Global Administrator"}},
			{UserPrincipalName: "helpdesk@contoso.example", DisplayName: "Contoso User Admin", Roles: []string{"User Administrator"}},
		},
	})
	return err
}

// announce prints where the simulator is and who can sign in, at once, so that a
// program that waits for the address has all of it.
func announce(m365 *entratest.Server, base string, out io.Writer) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Simulated Microsoft 365 on %s\n  Graph      %s/v1.0\n  sign-in    %s/organizations/oauth2/v2.0/authorize\n  switches   %s/_control\n", base, base, base, base)
	for _, t := range m365.Tenants() {
		fmt.Fprintf(&b, "Tenant %s %s (%s), %d accounts\n", t.ID, t.Name, strings.Join(t.Domains, ", "), t.Count)
		for _, a := range t.Admins {
			fmt.Fprintf(&b, "  admin      %s\n", a.UserPrincipalName)
		}
	}
	fmt.Fprintln(&b, "Register an application with POST /_control/apps. Ctrl-C stops.")
	fmt.Fprint(out, b.String())
}
