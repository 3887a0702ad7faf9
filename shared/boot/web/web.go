package web

import (
	"net/http"

	"bindery/shared/api/admin"
	"bindery/shared/boot/app"
	"bindery/shared/core/attention"
	"bindery/shared/core/protect"
	"bindery/shared/core/safety"
)

// API returns the admins' API over a core, for requests that a gateway has let in.
func API(c *app.Core, gateway admin.Gateway) (http.Handler, error) {
	p := c.Parts()
	lifts := &protect.Overrides{Store: p.Store.Protection, Now: p.Now}
	api, err := admin.New(admin.Config{
		Connections: c.Connect, Safety: &safety.Service{Store: p.Store.Connections, Lifts: lifts, Now: p.Now}, Runs: c.Runs,
		Users: c.Users, Groups: c.Groups, Loads: c.Loads, Uploads: c.Uploads, Imports: c.Imports, Photos: c.Photos, Accounts: c.Accounts, TenantGroups: c.TenantGroups, Licences: c.Seats, Bindings: c.Bindings, Uses: c.Uses, ScimClients: c.ScimClients, TakeBacks: c.TakeBacks, Moves: c.Moves, Jobs: c.Jobs,
		Passwords: c.Passwords, Engine: c.Engine,
		Lifts: lifts, Now: p.Now, Stores: admin.StoresOf(p.Store), Activity: c.Activity, Doctor: c.Doctor, Attention: &attention.Service{Stores: attention.StoresOf(p.Store), Now: p.Now},
		Wake: c.Wake, Gateway: gateway, Log: p.Log,
	})
	if err != nil {
		return nil, err
	}
	return api.Handler(), nil
}

// Deactivation returns the part of the admins' API that lets connections go.
func Deactivation(c *app.Core, gateway admin.Gateway) (http.Handler, error) {
	p := c.Parts()
	api, err := admin.NewDeactivation(admin.Config{Connections: c.Connect, Now: p.Now, Gateway: gateway, Log: p.Log})
	if err != nil {
		return nil, err
	}
	return api.Handler(), nil
}
