package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// as is the API with a token of some scopes.
func (o *office) as(subject string, scopes ...string) *client {
	o.Helper()
	token, err := o.stack.tokens.issue(subject, scopes...)
	if err != nil {
		o.Fatal(err)
	}
	return &client{handler: o.stack.Handler(), token: token}
}

// Whoever may edit users cannot take away what holds a large edit back: neither
// by the settings, nor by the roads around them. Nor can a source.
func TestWriterCannotLiftTheGuard(t *testing.T) {
	o := newOffice(t)
	const domain = "guarded.example"
	tenant := o.tenant(domain)
	conn := o.connect(domain, tenant, object{"protected": []string{"user0@" + domain}})
	var users []string
	for i := range 60 {
		users = append(users, o.user(fmt.Sprintf("user%d@%s", i, domain), nil))
	}
	o.bind(conn, users...)
	o.binding(conn, users[59], "in-sync")

	path := "/v1/connections/" + conn
	writer, bridge := o.as("mallory", "bindery/read", "bindery/write"), o.as("bridge", "bindery/read", "bindery/write", "bindery/admin", "bindery/approve", "bindery/source.ad")
	setter := o.as("sam", "bindery/read", "bindery/admin")
	for _, body := range []string{
		`{"settings":{"guard":{"block":{"count":1000}}}}`, `{"settings":{"guard":{"block":{"share":1,"count24h":1000}}}}`,
		`{"settings":{"breaker":{"over":100000}}}`, `{"settings":{"protected":[]}}`, `{"settings":{"onDelete":"delete"}}`, `{"settings":null}`,
	} {
		for _, c := range []*client{writer, bridge, setter} {
			o.refused(c, http.MethodPatch, path, body, http.StatusForbidden)
		}
	}
	for _, c := range []*client{writer, bridge} {
		o.refused(c, http.MethodPost, path+"/deactivate", nil, http.StatusForbidden)
		o.refused(c, http.MethodDelete, path, nil, http.StatusForbidden)
		o.refused(c, http.MethodPost, path+"/authorize", nil, http.StatusForbidden)
		o.refused(c, http.MethodPost, "/v1/connections", `{"name":"mine"}`, http.StatusForbidden)
	}
	for _, u := range users {
		if _, err := writer.postJSON(t.Context(), "/v1/users/"+u+"/suspend", object{}); err != nil {
			t.Fatal(err)
		}
	}
	n := func(v any) float64 { f, _ := v.(float64); return f }
	var held string
	o.wait("no run is held for 60 blocks", func() bool {
		for _, r := range o.get(path + "/runs").list("items") {
			if counts, _ := r["counts"].(map[string]any); r.text("state") == "held" && n(counts["block"]) >= 54 {
				held = r.text("id") // up to 5 may have gone before
			}
		}
		return held != ""
	})
	o.refused(writer, http.MethodPost, "/v1/runs/"+held+"/approve", nil, http.StatusForbidden)
	o.refused(setter, http.MethodPost, "/v1/runs/"+held+"/approve", nil, http.StatusForbidden)
	o.refused(bridge, http.MethodPost, "/v1/runs/"+held+"/approve", nil, http.StatusForbidden)
	blocked := 0
	for i := range users {
		if a := o.account(tenant, fmt.Sprintf("user%d@%s", i, domain)); a["accountEnabled"] == false {
			blocked++
		}
	}
	if blocked > 5 {
		t.Errorf("%d of 60 accounts are blocked, more than the guard's 5", blocked)
	}
	if c := o.get(path); c.text("status") != "active" || !strings.Contains(fmt.Sprint(c["settings"]), "user0@") {
		t.Errorf("the connection is %v", c)
	}
}
