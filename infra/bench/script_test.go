package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"bindery/shared/core/mapping"
	"bindery/shared/directory"
)

// manners are those of a script that knows Graph well: it lists the tenant once,
// compares, and sends what differs in batches, several at a time.
type manners struct {
	batch  int // items of a request; 1: no batches
	flight int // requests under way at once
}

var (
	best     = manners{batch: 20, flight: 4}
	oneByOne = manners{batch: 1, flight: 8}
)

// wanted are people as their accounts should be, which a script finds in its file.
type wanted []map[string]any

// wantedOf is what the product's own mapping makes of users.
func wantedOf(t *testing.T, s *site, users []directory.User) wanted {
	t.Helper()
	m := mapping.New(s.conn.Settings, s.conn.Tenant.Domains)
	list := make(wanted, len(users))
	for i := range users {
		p, problems := m.Desired(&users[i])
		if len(problems) > 0 {
			t.Fatalf("user %d: %v", i, problems)
		}
		list[i] = account("", p)
		delete(list[i], "id")
	}
	return list
}

// call is one request to Graph.
type call struct {
	ID      string            `json:"id"`
	Method  string            `json:"method"`
	URL     string            `json:"url"` // below the version
	Headers map[string]string `json:"headers,omitempty"`
	Body    any               `json:"body,omitempty"`
}

// synchronise is the whole script.
func (w *world) synchronise(s *site, people wanted, how manners) {
	w.Helper()
	there := w.list(s, people)
	var calls []call
	for _, want := range people {
		calls = append(calls, callsFor(want, there)...)
	}
	w.sendAll(s, calls, how)
}

// list reads the tenant's accounts, by userPrincipalName.
func (w *world) list(s *site, people wanted) map[string]map[string]any {
	w.Helper()
	names := []string{"id"}
	for _, p := range people {
		for name := range p {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	there := map[string]map[string]any{}
	for link := simBase + "/v1.0/users?$top=999&$select=" + strings.Join(names, ","); link != ""; {
		var page struct {
			Value []map[string]any
			Next  string `json:"@odata.nextLink"`
		}
		w.do(w.ask(s, http.MethodGet, link, nil, &page))
		for _, a := range page.Value {
			there[fmt.Sprint(a["userPrincipalName"])] = a
		}
		link = page.Next
	}
	return there
}

// callsFor is what makes one account as it should be: at most one call.
func callsFor(want map[string]any, there map[string]map[string]any) []call {
	found, known := there[fmt.Sprint(want["userPrincipalName"])]
	if !known {
		return []call{{Method: http.MethodPost, URL: "/users", Body: created(want)}}
	}
	change := map[string]any{}
	for name, value := range want {
		if !same(value, found[name]) {
			change[name] = value
		}
	}
	if len(change) == 0 {
		return nil
	}
	return []call{{Method: http.MethodPatch, URL: "/users/" + fmt.Sprint(found["id"]), Body: change}}
}

// created is the body of a creation.
func created(want map[string]any) map[string]any {
	body := map[string]any{"passwordProfile": map[string]any{"password": "Tr0ub4dor&3-x", "forceChangePasswordNextSignIn": true}}
	for name, value := range want {
		body[name] = value
	}
	return body
}

// same tells whether a value is as it was found; an object may have more there.
func same(want, found any) bool {
	object, isObject := want.(map[string]any)
	if !isObject {
		return reflect.DeepEqual(plain(want), found)
	}
	other, _ := found.(map[string]any)
	for name, value := range object {
		if !same(value, other[name]) {
			return false
		}
	}
	return true
}

// plain is a value as it comes out of JSON.
func plain(v any) any {
	list, isList := v.([]string)
	if !isList {
		return v
	}
	out := make([]any, len(list))
	for i := range list {
		out[i] = list[i]
	}
	return out
}

// sendAll sends calls as the manners say, and fails the test for any that fails.
func (w *world) sendAll(s *site, calls []call, how manners) {
	w.Helper()
	parts := make(chan []call)
	failed := make(chan error, how.flight)
	var all sync.WaitGroup
	for range how.flight {
		all.Go(func() {
			var errs []error
			for part := range parts {
				errs = append(errs, w.sendPart(s, part, how))
			}
			failed <- errors.Join(errs...)
		})
	}
	for part := range slices.Chunk(calls, how.batch) {
		parts <- part
	}
	close(parts)
	all.Wait()
	for range how.flight {
		w.do(<-failed)
	}
}

func (w *world) sendPart(s *site, part []call, how manners) error {
	if how.batch == 1 {
		return w.ask(s, part[0].Method, simBase+"/v1.0"+part[0].URL, part[0].Body, nil)
	}
	for i := range part {
		part[i].ID = fmt.Sprint(i)
		part[i].Headers = map[string]string{"Content-Type": "application/json"}
	}
	var answer struct {
		Responses []struct {
			Status int
			Body   json.RawMessage
		}
	}
	if err := w.ask(s, http.MethodPost, simBase+"/v1.0/$batch", map[string]any{"requests": part}, &answer); err != nil {
		return err
	}
	for _, a := range answer.Responses {
		if a.Status >= 300 {
			return fmt.Errorf("an item of a script's batch was answered %d %.300s", a.Status, a.Body)
		}
	}
	return nil
}

// ask is one request with the site's token.
func (w *world) ask(s *site, method, link string, body, into any) error {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(w.Context(), method, link, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	token, err := s.tokens.Token(w.Context())
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := w.wire.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s of a script was answered %d %.300s", method, req.URL.Path, resp.StatusCode, answer)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}
