// Package simclient calls a simulated Microsoft 365 over HTTP, for the tests of its
// rooms. What does not go as it must ends the test.
package simclient

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Client calls the simulator at an address. It follows no redirect.
type Client struct {
	*testing.T
	Base string
	HTTP *http.Client
}

// New returns a client that reaches the simulator over rt.
func New(t *testing.T, base string, rt http.RoundTripper) *Client {
	return &Client{t, base, &http.Client{Transport: rt, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Do sends a request and returns status, body and header of the answer.
func (c *Client) Do(r *http.Request) (int, []byte, http.Header) {
	c.Helper()
	resp, err := c.HTTP.Do(r)
	if err != nil {
		c.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.Fatal(err)
	}
	return resp.StatusCode, body, resp.Header
}

// Control calls the control API, which must answer with the status, and decodes its
// answer into a value unless that is nil.
func (c *Client) Control(method, path, body string, want int, into any) {
	c.Helper()
	r, err := http.NewRequest(method, c.Base+"/_control"+path, strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	status, answer, _ := c.Do(r)
	if status != want {
		c.Fatalf("%s /_control%s = %d %s, want %d", method, path, status, answer, want)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(answer, into); err != nil {
		c.Fatalf("%s /_control%s: %v", method, path, err)
	}
}
