package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"bindery/infra/stack"
	"bindery/infra/stacktest"
)

// Whoever may edit users cannot take away what holds a large edit back: neither
// by the settings, nor by the roads around them. Nor can a source.
func TestWriterCannotLiftTheGuard(t *testing.T) {
	o := stacktest.New(t)
	const domain = "guarded.example"
	tenant := o.Tenant(domain)
	conn := o.Connect(domain, tenant, object{"protected": []string{"user0@" + domain}})
	var users []string
	for i := range 60 {
		users = append(users, o.User(fmt.Sprintf("user%d@%s", i, domain), nil))
	}
	o.Bind(conn, users...)
	o.Binding(conn, users[59], "in-sync")

	path := "/v1/connections/" + conn
	writer, bridge := o.As("mallory", "bindery/read", "bindery/write"), o.As("bridge", "bindery/read", "bindery/write", "bindery/admin", "bindery/approve", "bindery/source.ad")
	setter := o.As("sam", "bindery/read", "bindery/admin")
	for _, body := range []string{
		`{"settings":{"guard":{"block":{"count":1000}}}}`, `{"settings":{"guard":{"block":{"share":1,"count24h":1000}}}}`,
		`{"settings":{"breaker":{"over":100000}}}`, `{"settings":{"protected":[]}}`, `{"settings":{"onDelete":"delete"}}`, `{"settings":null}`,
	} {
		for _, c := range []*stack.Client{writer, bridge, setter} {
			o.Refused(c, http.MethodPatch, path, body, http.StatusForbidden)
		}
	}
	for _, c := range []*stack.Client{writer, bridge} {
		o.Refused(c, http.MethodPost, path+"/deactivate", nil, http.StatusForbidden)
		o.Refused(c, http.MethodDelete, path, nil, http.StatusForbidden)
		o.Refused(c, http.MethodPost, path+"/authorize", nil, http.StatusForbidden)
		o.Refused(c, http.MethodPost, "/v1/connections", `{"name":"mine"}`, http.StatusForbidden)
	}
	for _, u := range users {
		if _, err := writer.PostJSON(t.Context(), "/v1/users/"+u+"/suspend", object{}); err != nil {
			t.Fatal(err)
		}
	}
	n := func(v any) float64 { f, _ := v.(float64); return f }
	var held string
	o.Wait("no run is held for 60 blocks", func() bool {
		for _, r := range o.Get(path + "/runs").List("items") {
			if counts, _ := r["counts"].(map[string]any); r.Text("state") == "held" && n(counts["block"]) >= 54 {
				held = r.Text("id") // up to 5 may have gone before
			}
		}
		return held != ""
	})
	o.Refused(writer, http.MethodPost, "/v1/runs/"+held+"/approve", nil, http.StatusForbidden)
	o.Refused(setter, http.MethodPost, "/v1/runs/"+held+"/approve", nil, http.StatusForbidden)
	o.Refused(bridge, http.MethodPost, "/v1/runs/"+held+"/approve", nil, http.StatusForbidden)
	blocked := 0
	for i := range users {
		if a := o.Account(tenant, fmt.Sprintf("user%d@%s", i, domain)); a["accountEnabled"] == false {
			blocked++
		}
	}
	if blocked > 5 {
		t.Errorf("%d of 60 accounts are blocked, more than the guard's 5", blocked)
	}
	if c := o.Get(path); c.Text("status") != "active" || !strings.Contains(fmt.Sprint(c["settings"]), "user0@") {
		t.Errorf("the connection is %v", c)
	}
}
