package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
)

// Object is a JSON object of the API.
type Object map[string]any

// Text is a member that is a text, else "".
func (o Object) Text(name string) string {
	s, _ := o[name].(string)
	return s
}

// Object is a member that is an object, else nil.
func (o Object) Object(name string) Object {
	m, _ := o[name].(map[string]any)
	return m
}

// Number is a member that is a number, in whole, else 0.
func (o Object) Number(name string) int {
	f, _ := o[name].(float64)
	return int(f)
}

// List is a member that is a list of objects, else empty.
func (o Object) List(name string) []Object {
	raw, _ := o[name].([]any)
	list := make([]Object, 0, len(raw))
	for _, v := range raw {
		m, _ := v.(map[string]any)
		list = append(list, Object(m))
	}
	return list
}

// Client calls the API in process, with a caller's token, over the very handler
// that serves the port.
type Client struct {
	Handler http.Handler
	Token   string // "": none
}

func (c *Client) do(ctx context.Context, method, target, body string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	for name := range header {
		r.Header.Set(name, header.Get(name))
	}
	if c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	w := httptest.NewRecorder()
	c.Handler.ServeHTTP(w, r)
	return w
}

// Raw returns status and body of an answer, whatever they are.
func (c *Client) Raw(ctx context.Context, method, target, contentType, body string) (int, string, error) {
	header := http.Header{}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	w := c.do(ctx, method, target, body, header)
	return w.Code, w.Body.String(), ctx.Err()
}

func (c *Client) call(ctx context.Context, method, target, contentType, body string) (Object, error) {
	status, answer, err := c.Raw(ctx, method, target, contentType, body)
	if err != nil {
		return nil, err
	}
	var o Object
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

// Get reads an object; a status from 300 on is an error, as in all that follow.
func (c *Client) Get(ctx context.Context, target string) (Object, error) {
	return c.call(ctx, http.MethodGet, target, "", "")
}

// All reads a listing to its end.
func (c *Client) All(ctx context.Context, target string) ([]Object, error) {
	var list []Object
	sep := "?"
	if strings.Contains(target, "?") {
		sep = "&"
	}
	for next := ""; ; {
		page, err := c.Get(ctx, target+sep+"limit=500&next="+url.QueryEscape(next))
		if err != nil {
			return nil, err
		}
		list = append(list, page.List("items")...)
		if next = page.Text("next"); next == "" {
			return list, nil
		}
	}
}

// As reads something in another form than JSON, and where its next page is.
func (c *Client) As(ctx context.Context, target, accept string) (body, next string, err error) {
	w := c.do(ctx, http.MethodGet, target, "", http.Header{"Accept": {accept}})
	if w.Code != http.StatusOK {
		return "", "", fmt.Errorf("GET %s answered %d: %s", target, w.Code, w.Body)
	}
	next, _, _ = strings.Cut(strings.TrimPrefix(w.Header().Get("Link"), "<"), ">")
	return w.Body.String(), next, ctx.Err()
}

// Export reads a listing to its end as JSON lines.
func (c *Client) Export(ctx context.Context, target string) ([]byte, error) {
	var all []byte
	for target += "&limit=500"; target != ""; {
		page, next, err := c.As(ctx, target, "application/x-ndjson")
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		target = next
	}
	return all, nil
}

// Post sends a body of some type.
func (c *Client) Post(ctx context.Context, target, contentType, body string) (Object, error) {
	return c.call(ctx, http.MethodPost, target, contentType, body)
}

// PostJSON sends a value; nil: no body.
func (c *Client) PostJSON(ctx context.Context, target string, body any) (Object, error) {
	if body == nil {
		return c.call(ctx, http.MethodPost, target, "", "")
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return c.call(ctx, http.MethodPost, target, "application/json", string(raw))
}

// Patch sends a merge patch.
func (c *Client) Patch(ctx context.Context, target string, body any) (Object, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return c.call(ctx, http.MethodPatch, target, "application/merge-patch+json", string(raw))
}

// Put sends a value that takes the place of what is there.
func (c *Client) Put(ctx context.Context, target string, body any) (Object, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return c.call(ctx, http.MethodPut, target, "application/json", string(raw))
}

// Delete ends or deletes what a path names; body says what of it, nil: all.
func (c *Client) Delete(ctx context.Context, target string, body any) (Object, error) {
	if body == nil {
		return c.call(ctx, http.MethodDelete, target, "", "")
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return c.call(ctx, http.MethodDelete, target, "application/json", string(raw))
}

// Confirm reads who signed in to a connection and says that it is the right one,
// as an admin does who has looked.
func (c *Client) Confirm(ctx context.Context, connection string) (Object, error) {
	o, err := c.Get(ctx, connection)
	if err != nil {
		return nil, err
	}
	return c.PostJSON(ctx, connection+"/confirm", SignedIn(o))
}

// SignedIn names who signed in to a connection, as a confirmation does.
func SignedIn(connection Object) Object {
	in := connection.Object("waiting")
	return Object{"tenantId": in.Object("tenant").Text("id"), "objectId": in.Object("authorizedBy").Text("objectId")}
}
