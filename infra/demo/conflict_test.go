package demo

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"bindery/infra/stack"
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
	s, err := stack.Open(ctx, stack.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d.stage = stage{api: s.Client(), sim: s.Sim}
	tenant, err := d.sim.CreateTenant(entratest.TenantSpec{
		Name: "Corp", Domains: []entratest.DomainSpec{{Name: demoDomain, AuthenticationType: "Managed", IsDefault: true}},
		Admins: []entratest.AdminSpec{{UserPrincipalName: demoAdmin, Roles: []string{"Global Administrator"}}},
		Groups: []entratest.GroupSpec{{DisplayName: "Reception", ProxyAddresses: []string{"SMTP:reception@" + demoDomain}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.tenant = tenant.ID
	done := make(chan error, 1)
	go func() { done <- s.Work(ctx) }()
	defer func() { stop(); <-done }()

	c := must(d.api.PostJSON(ctx, "/v1/connections", object{"name": "Corp"}))
	d.conn = c.Text("id")
	must(nil, d.signIn(ctx, c.Text("authorizationUrl")))
	must(nil, d.confirm(ctx))
	u := must(d.api.PostJSON(ctx, "/v1/users", object{"email": "reception@" + demoDomain, "givenName": "Rhea", "familyName": "Desk"}))
	conn := "/v1/connections/" + d.conn
	must(d.api.PostJSON(ctx, conn+"/bindings", object{"userIds": []string{u.Text("id")}}))

	attempts := func(atLeast int) object {
		t.Helper()
		for until := time.Now().Add(d.patience); time.Now().Before(until); {
			for _, cause := range must(d.api.Get(ctx, conn+"/problems")).List("items") {
				for _, one := range must(d.api.Get(ctx, conn+"/problems/"+cause.Text("code"))).List("items") {
					if p, _ := one["problem"].(map[string]any); object(p).Number("attempts") >= atLeast {
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
	if cause.Number("users") != 1 || fmt.Sprint(cause["statuses"]) != "map[conflict:1]" || len(cause["holders"].([]any)) != 1 {
		t.Errorf("the cause is %v", cause)
	}
	if p.Text("holderKind") != "group" || !strings.Contains(p.Text("message"), "The group Reception") || !strings.Contains(p.Text("next"), "group") ||
		p.Text("requestId") == "" || p.Text("microsoftCode") == "" {
		t.Errorf("the problem is %v; want the group named", p)
	}
	e := must(d.api.Get(ctx, "/v1/users/"+u.Text("id")+"/explain?connectionId="+d.conn))
	if e["bound"] != true || !strings.Contains(fmt.Sprint(e["binding"]), "conflict") || e.Text("summary") == "" {
		t.Errorf("explained as %v", e)
	}
	must(d.api.PostJSON(ctx, conn+"/problems/"+cause.Text("code")+"/retry", nil))
	attempts(2)

	must(d.api.Patch(ctx, "/v1/users/"+u.Text("id"), object{"email": "desk@" + demoDomain}))
	var inSync, left []object
	for until := time.Now().Add(d.patience); len(inSync) == 0 && time.Now().Before(until); {
		must(nil, pause(ctx))
		inSync = must(d.api.Get(ctx, conn+"/bindings?status=in-sync")).List("items")
		left = must(d.api.Get(ctx, conn+"/problems")).List("items")
	}
	if _, made := d.sim.Account(d.tenant, "desk@"+demoDomain); len(inSync) != 1 || len(left) != 0 || !made {
		t.Errorf("after the address was changed %d bindings are in sync, with the account: %v, problems left: %v", len(inSync), made, left)
	}
}
