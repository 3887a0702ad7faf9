package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/people"
	"bindery/shared/core/provision"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/testworld"
)

// world is a directory in memory that one client pushes to.
type world struct {
	*testworld.World
	pushes  *people.Pushes
	users   *people.Users
	clients *provision.Clients
	client  directory.ScimClient
	token   string
	handler *Handler
	counted *counted
}

var ada = directory.Caller{Subject: "ada"}

type noWaker struct{}

func (noWaker) Wake(context.Context, directory.ConnectionID, time.Duration) error { return nil }
func (noWaker) WakeEdited(context.Context, directory.ConnectionID, directory.UserID) error {
	return nil
}

func ptr[T any](v T) *T { return &v }

func newWorld(t *testing.T, e provision.ClientEdit) *world {
	t.Helper()
	w := &world{World: testworld.New(t)}
	w.counted = &counted{Table: w.Table}
	w.Store = store.New(w.counted, store.Options{Now: w.Now})
	cfg := people.UsersConfig{Stores: people.StoresOf(w.Store), Wake: noWaker{}, Now: w.Now}
	w.pushes, w.users = people.NewPushes(cfg), people.NewUsers(cfg)
	w.clients = provision.New(provision.Config{Records: w.Store.ScimClients, Now: w.Now})
	w.handler = New(Config{Pushes: w.pushes, Clients: w.clients, PublicURL: "https://b.example", Now: w.Now})
	if e.Name == nil {
		e.Name = ptr("Okta")
	}
	w.client, w.token = w.newClient(e)
	return w
}

func (w *world) newClient(e provision.ClientEdit) (directory.ScimClient, string) {
	w.Helper()
	c, err := w.clients.Create(w.Context(), ada, e)
	w.Must(err)
	_, secret, err := w.clients.NewToken(w.Context(), ada, c.ID, 0)
	w.Must(err)
	return c, secret.Reveal()
}

// reply is an answer with its body read.
type reply struct {
	*httptest.ResponseRecorder
	body *object
}

// send sends a request below the client's base address. The body is JSON, a text or nil.
func (w *world) send(method, path string, body any, headers ...string) reply {
	w.Helper()
	var data []byte
	switch b := body.(type) {
	case nil:
	case string:
		data = []byte(b)
	default:
		var err error
		data, err = json.Marshal(b)
		w.Must(err)
	}
	r := httptest.NewRequestWithContext(w.Context(), method, "https://b.example"+Prefix+string(w.client.ID)+root+path, bytes.NewReader(data))
	r.Header.Set("Authorization", "Bearer "+w.token)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w.Advance(time.Millisecond)
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	out := reply{rec, nil}
	if rec.Body.Len() > 0 {
		if kind := rec.Header().Get("Content-Type"); !strings.HasPrefix(kind, "application/scim+json") {
			w.Errorf("%s %s: Content-Type %q", method, path, kind)
		}
		o, err := readObject(rec.Body.Bytes())
		if err != nil {
			w.Fatalf("%s %s: %v: %s", method, path, err, rec.Body)
		}
		out.body = o
	}
	return out
}

// want is send that must be answered with a status.
func (w *world) want(status int, method, path string, body any, headers ...string) reply {
	w.Helper()
	r := w.send(method, path, body, headers...)
	if r.Code != status {
		w.Fatalf("%s %s %v: %d, want %d: %s", method, path, body, r.Code, status, r.Body)
	}
	if status >= 400 {
		if r.body.text("status") != fmt.Sprint(status) || r.body.text("detail") == "" {
			w.Errorf("%s %s: %s", method, path, r.Body)
		}
	}
	return r
}

func (w *world) user(id string) directory.User {
	w.Helper()
	u, err := w.users.Get(w.Context(), directory.UserID(id))
	w.Must(err)
	return u
}

// make pushes a user.
func (w *world) make(name string, more ...string) string {
	w.Helper()
	body := fmt.Sprintf(`{"schemas":["%s"],"userName":"%s"%s}`, schemaUser, name, strings.Join(more, ""))
	return w.want(http.StatusCreated, "POST", "/Users", body).body.text("id")
}

func (w *world) group(name string, members ...string) string {
	w.Helper()
	list := []any{}
	for _, m := range members {
		list = append(list, map[string]any{"value": m})
	}
	return w.want(http.StatusCreated, "POST", "/Groups", map[string]any{"schemas": []string{schemaGroup}, "displayName": name, "members": list}).body.text("id")
}

// in is who is in a group, in the order of IDs.
func (w *world) in(id string) []string {
	w.Helper()
	members, err := w.pushes.Members(w.Context(), directory.GroupID(id))
	w.Must(err)
	ids := []string{}
	for _, m := range members {
		ids = append(ids, m.ID)
	}
	return ids
}

func (w *world) lastRequest() directory.ScimRequest {
	w.Helper()
	list, _, err := w.clients.Requests(w.Context(), w.client.ID, "", "", 1)
	w.Must(err)
	if len(list) != 1 {
		w.Fatal("no request was logged")
	}
	return list[0]
}

func patchOf(ops string) string {
	return `{"schemas":["` + schemaPatch + `"],"Operations":[` + ops + `]}`
}
