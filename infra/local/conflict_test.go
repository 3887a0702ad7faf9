package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"bindery/shared/entra/entratest"
)

// TestGroupHasTheAddress is a conflict from one end to the other: Microsoft
// refuses an account because a group has its address; the problem names the
// group; a retry tries again; another address mends it.
func TestGroupHasTheAddress(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	d := &demonstration{show: newShow(&strings.Builder{}), patience: time.Minute}
	must := func(o object, err error) object {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	var err error
	if d.stack, err = OpenStack(ctx, StackConfig{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	defer d.stack.Close()
	d.api = &client{handler: d.stack.Handler(), token: d.stack.AdminToken()}
	tenant, err := d.stack.Sim.CreateTenant(entratest.TenantSpec{
		Name: "Corp", Domains: []entratest.DomainSpec{{Name: demoDomain, AuthenticationType: "Managed", IsDefault: true}},
		Admins: []entratest.AdminSpec{{UserPrincipalName: demoAdmin, Roles: []string{"Global Administrator"}}},
		Groups: []entratest.GroupSpec{{DisplayName: "Reception", ProxyAddresses: []string{"SMTP:reception@" + demoDomain}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.tenant = tenant.ID
	done := make(chan error, 1)
	go func() { done <- d.stack.Work(ctx) }()
	defer func() { stop(); <-done }()

	c := must(d.api.postJSON(ctx, "/v1/connections", object{"name": "Corp", "settings": object{"protectGroups": true}}))
	d.conn = c.text("id")
	must(nil, d.signIn(ctx, c.text("authorizationUrl")))
	must(nil, d.confirm(ctx))
	u := must(d.api.postJSON(ctx, "/v1/users", object{"email": "reception@" + demoDomain, "givenName": "Rhea", "familyName": "Desk"}))
	conn := "/v1/connections/" + d.conn
	must(d.api.postJSON(ctx, conn+"/bindings", object{"userIds": []string{u.text("id")}}))

	attempts := func(atLeast int) object {
		t.Helper()
		for until := time.Now().Add(d.patience); time.Now().Before(until); {
			for _, cause := range must(d.api.get(ctx, conn+"/problems")).list("items") {
				for _, one := range must(d.api.get(ctx, conn+"/problems/"+cause.text("code"))).list("items") {
					if p, _ := one["problem"].(map[string]any); object(p).number("attempts") >= atLeast {
						cause["problem"] = p
						return cause
					}
				}
			}
			if err := pause(ctx); err != nil {
				t.Fatal(err)
			}
		}
		t.Fatal("there is no such problem")
		return nil
	}
	cause := attempts(1)
	p := object(cause["problem"].(map[string]any))
	if cause.number("users") != 1 || fmt.Sprint(cause["statuses"]) != "map[conflict:1]" || len(cause["holders"].([]any)) != 1 {
		t.Errorf("the cause is %v", cause)
	}
	if p.text("holderKind") != "group" || !strings.Contains(p.text("message"), "The group Reception") || !strings.Contains(p.text("next"), "group") ||
		p.text("requestId") == "" || p.text("microsoftCode") == "" {
		t.Errorf("the problem is %v; want the group named", p)
	}
	e := must(d.api.get(ctx, "/v1/users/"+u.text("id")+"/explain?connectionId="+d.conn))
	if e["bound"] != true || !strings.Contains(fmt.Sprint(e["binding"]), "conflict") || e.text("summary") == "" {
		t.Errorf("explained as %v", e)
	}
	must(d.api.postJSON(ctx, conn+"/problems/"+cause.text("code")+"/retry", nil))
	attempts(2)

	must(d.api.patch(ctx, "/v1/users/"+u.text("id"), object{"email": "desk@" + demoDomain}))
	var inSync, left []object
	for until := time.Now().Add(d.patience); len(inSync) == 0 && time.Now().Before(until); {
		must(nil, pause(ctx))
		inSync = must(d.api.get(ctx, conn+"/bindings?status=in-sync")).list("items")
		left = must(d.api.get(ctx, conn+"/problems")).list("items")
	}
	if _, made := d.stack.Sim.Account(d.tenant, "desk@"+demoDomain); len(inSync) != 1 || len(left) != 0 || !made {
		t.Errorf("after the address was changed %d bindings are in sync, with the account: %v, problems left: %v", len(inSync), made, left)
	}
}
