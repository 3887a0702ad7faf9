package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
)

// object is a JSON object of the API.
type object map[string]any

func (o object) text(name string) string {
	s, _ := o[name].(string)
	return s
}

func (o object) object(name string) object {
	m, _ := o[name].(map[string]any)
	return m
}

func (o object) number(name string) int {
	f, _ := o[name].(float64)
	return int(f)
}

func (o object) list(name string) []object {
	raw, _ := o[name].([]any)
	list := make([]object, 0, len(raw))
	for _, v := range raw {
		m, _ := v.(map[string]any)
		list = append(list, object(m))
	}
	return list
}

// client calls the API in process, with an admin's token, over the very
// handler that serves the port.
type client struct {
	handler http.Handler
	token   string
}

func (c *client) raw(ctx context.Context, method, target, contentType, body string) (int, string, error) {
	r := httptest.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	return w.Code, w.Body.String(), ctx.Err()
}

func (c *client) call(ctx context.Context, method, target, contentType, body string) (object, error) {
	status, answer, err := c.raw(ctx, method, target, contentType, body)
	if err != nil {
		return nil, err
	}
	var o object
	if answer != "" {
		if err := json.Unmarshal([]byte(answer), &o); err != nil {
			return nil, fmt.Errorf("%s %s answered %d with no JSON: %w", method, target, status, err)
		}
	}
	if status >= 300 {
		return nil, fmt.Errorf("%s %s answered %d: %s", method, target, status, answer)
	}
	return o, nil
}

func (c *client) get(ctx context.Context, target string) (object, error) {
	return c.call(ctx, http.MethodGet, target, "", "")
}

func (c *client) post(ctx context.Context, target, contentType, body string) (object, error) {
	return c.call(ctx, http.MethodPost, target, contentType, body)
}

func (c *client) postJSON(ctx context.Context, target string, body any) (object, error) {
	if body == nil {
		return c.call(ctx, http.MethodPost, target, "", "")
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return c.call(ctx, http.MethodPost, target, "application/json", string(raw))
}

// confirm reads who signed in to a connection and says that it is the right one,
// as an admin does who has looked.
func (c *client) confirm(ctx context.Context, path string) (object, error) {
	o, err := c.get(ctx, path)
	if err != nil {
		return nil, err
	}
	return c.postJSON(ctx, path+"/confirm", signedIn(o))
}

// signedIn names who signed in to a connection, as a confirmation does.
func signedIn(conn object) object {
	in := conn.object("waiting")
	return object{"tenantId": in.object("tenant").text("id"), "objectId": in.object("authorizedBy").text("objectId")}
}

func (c *client) patch(ctx context.Context, target string, body any) (object, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return c.call(ctx, http.MethodPatch, target, "application/merge-patch+json", string(raw))
}
