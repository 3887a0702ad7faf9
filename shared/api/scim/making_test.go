package scim

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/people"
	"bindery/shared/core/provision"
	"bindery/shared/store"
	"bindery/shared/table"
)

// held is a table that holds the writes of members of one process until it is let go.
type held struct {
	table.Table
	came chan struct{} // one for each write that waits
	free chan struct{} // closed: none waits any more
}

func newHeld(t table.Table) *held { return &held{t, make(chan struct{}, 100), make(chan struct{})} }

func (h *held) Write(ctx context.Context, writes ...table.Write) error {
	if slices.ContainsFunc(writes, func(w table.Write) bool { return w.Put != nil && strings.HasPrefix(w.Put.Partition, "UG#") }) {
		h.came <- struct{}{}
		<-h.free
	}
	return h.Table.Write(ctx, writes...)
}

// process is another process that serves the world's clients, over a table.
func (w *world) process(t table.Table) *Handler {
	s := store.New(t, store.Options{Now: w.Now})
	pushes := people.NewPushes(people.UsersConfig{Stores: people.StoresOf(s), Wake: noWaker{}, Now: w.Now})
	return New(Config{Pushes: pushes, Clients: provision.New(provision.Config{Records: s.ScimClients, Now: w.Now}), PublicURL: "https://b.example", Now: w.Now})
}

// postTo sends a POST to a process from whatever goroutine.
func (w *world) postTo(h *Handler, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(w.Context(), http.MethodPost, "https://b.example"+Prefix+string(w.client.ID)+root+path, bytes.NewReader([]byte(body)))
	r.Header.Set("Authorization", "Bearer "+w.token)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

// crew is the body of a group with new members.
func (w *world) crew(more string, members int) string {
	var values []string
	for i := range members {
		values = append(values, `{"value":"`+w.make(fmt.Sprintf("u%d@x.example", i))+`"}`)
	}
	return `{"displayName":"Crew"` + more + `,"members":[` + strings.Join(values, ",") + `]}`
}

// While one request makes a group, the same request in another process is told to come again,
// and is refused once the group is whole: nobody else believes to have made it. Where the first
// one ended on its way the next goes on, and no other beside it.
func TestGroupIsMadeByOne(t *testing.T) {
	t.Parallel()
	for _, external := range []string{"", `,"externalId":"G1"`} {
		for _, ends := range []bool{false, true} {
			t.Run(fmt.Sprintf("%t%s", ends, external), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, provision.ClientEdit{})
				body := w.crew(external, 40)
				first, second := newHeld(w.Table), newHeld(w.Table)
				one, two, three := w.process(first), w.process(second), w.process(w.Table)
				start := func(h *Handler) chan int {
					code := make(chan int, 1)
					go func() { code <- w.postTo(h, "/Groups", body).Code }()
					return code
				}
				comesAgain := func() {
					t.Helper()
					r := w.postTo(three, "/Groups", body)
					if wait, err := strconv.Atoi(r.Header().Get("Retry-After")); r.Code != 503 || err != nil || wait < 1 || wait > 31 {
						t.Fatalf("%d, Retry-After %q: %s", r.Code, r.Header().Get("Retry-After"), r.Body)
					}
				}
				made := start(one)
				<-first.came
				comesAgain()
				w.Advance(28 * time.Second)
				comesAgain()
				if !ends { // the first one lives, and is slow
					close(first.free)
					if code := <-made; code != 201 {
						t.Errorf("%d", code)
					}
					if r := w.postTo(three, "/Groups", body); r.Code != 409 {
						t.Errorf("%d %s", r.Code, r.Body)
					}
					return
				}
				w.Advance(3 * time.Second) // the first one is no more
				goes := start(two)
				<-second.came
				comesAgain()
				w.Advance(31 * time.Second) // nor is the second one
				if r := w.postTo(three, "/Groups", body); r.Code != 201 {
					t.Errorf("%d %s", r.Code, r.Body)
				}
				if r := w.postTo(three, "/Groups", body); r.Code != 409 {
					t.Errorf("%d %s", r.Code, r.Body)
				}
				close(first.free)
				close(second.free)
				<-made
				<-goes
			})
		}
	}
}

// Of the same POST of a group many times at once one is answered 201.
func TestGroupsAtOnce(t *testing.T) {
	t.Parallel()
	for _, external := range []string{"", `,"externalId":"G1"`} {
		w := newWorld(t, provision.ClientEdit{})
		body := w.crew(external, 40)
		codes := atOnce(5, func(int) int { return w.postTo(w.process(w.Table), "/Groups", body).Code })
		made := 0
		for _, code := range codes {
			if code == 201 {
				made++
			} else if code != 409 && code != 503 {
				t.Errorf("%v", codes)
			}
		}
		if made != 1 {
			t.Errorf("%v", codes)
		}
	}
}
