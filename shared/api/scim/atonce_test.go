package scim

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"bindery/shared/core/provision"
	"bindery/shared/directory"
)

// post sends a request from whatever goroutine; only its status counts.
func (w *world) post(method, path, body string, headers ...string) int {
	r := httptest.NewRequestWithContext(w.Context(), method, "https://b.example"+Prefix+string(w.client.ID)+root+path, bytes.NewReader([]byte(body)))
	r.Header.Set("Authorization", "Bearer "+w.token)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec.Code
}

func atOnce(n int, do func(i int) int) []int {
	codes := make([]int, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { codes[i] = do(i) })
	}
	group.Wait()
	slices.Sort(codes)
	return codes
}

// A POST that comes again before the first one is answered makes nobody twice, and edits
// of one user at once are all done.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	codes := atOnce(8, func(i int) int {
		return w.post("POST", "/Users", fmt.Sprintf(`{"userName":"u%d@x.example","externalId":"A1"}`, i%3))
	})
	if !slices.Equal(codes, []int{201, 409, 409, 409, 409, 409, 409, 409}) {
		t.Errorf("the same externalId at once: %v", codes)
	}
	total, list := results(w.want(200, "GET", `/Users?filter=externalId+eq+"A1"`, nil))
	if total != "1" {
		t.Fatalf("%s users", total)
	}
	id := list[0].text("id")
	attributes := []string{"title", "nickName", "displayName", "userType", "locale", "timezone", "costCenter", "division"}
	codes = atOnce(len(attributes), func(i int) int {
		return w.post("PATCH", "/Users/"+id, patchOf(fmt.Sprintf(`{"op":"replace","path":"%s","value":"v%d"}`, attributes[i], i)))
	})
	body := w.want(200, "GET", "/Users/"+id, nil).Body.String()
	for i := range attributes {
		if codes[i] != 200 || !strings.Contains(body, fmt.Sprintf(`"%s":"v%d"`, attributes[i], i)) {
			t.Errorf("edits at once %v: %s has no %s", codes, body, attributes[i])
		}
	}
	// Back from suspension, once.
	w.want(200, "PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"active","value":false}`))
	codes = atOnce(6, func(int) int {
		return w.post("POST", "/Users", `{"userName":"back@x.example","externalId":"A1"}`)
	})
	if !slices.Equal(codes, []int{201, 409, 409, 409, 409, 409}) {
		t.Errorf("back at once: %v", codes)
	}
	if u := w.user(id); u.State != directory.StateActive || u.UserName != "back@x.example" {
		t.Errorf("%+v", u)
	}
	// Members of one group from many requests.
	g := w.group("Eng")
	var ids []string
	for i := range 12 {
		ids = append(ids, w.make(fmt.Sprintf("m%d@x.example", i)))
	}
	codes = atOnce(len(ids), func(i int) int {
		return w.post("PATCH", "/Groups/"+g, patchOf(`{"op":"add","path":"members","value":[{"value":"`+ids[i]+`"}]}`))
	})
	if got := w.in(g); len(got) != len(ids) || codes[0] != 200 || codes[len(codes)-1] != 200 {
		t.Errorf("%v, %d members", codes, len(got))
	}
}

// A group of 10,000 members is pushed in portions, each of which costs what it has, and
// each portion again changes nothing.
func TestLargeGroup(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 10,000 users")
	}
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	w.handler.PerSecond = 1e9
	const members, portion = 10_000, 1000
	users := make([]*directory.User, 0, members)
	var values []string
	for i := range members {
		u := &directory.User{ID: directory.NewUserID(w.Now()), Source: directory.SourceSCIM}
		u.Email = fmt.Sprintf("u%d@x.example", i)
		u.UserName, u.State = u.Email, directory.StateActive
		users, values = append(users, u), append(values, `{"value":"`+string(u.ID)+`"}`)
	}
	for some := range slices.Chunk(users, 30) {
		w.Must(w.Store.Users.CreateUsers(t.Context(), directory.AuditEvent{}, some...))
	}
	g := w.group("All")
	for again := range 2 {
		for part := range slices.Chunk(values, portion) {
			r := w.send("PATCH", "/Groups/"+g, patchOf(`{"op":"add","path":"members","value":[`+strings.Join(part, ",")+`]}`))
			if r.Code != 204 && r.Code != 200 {
				t.Fatalf("%d %s", r.Code, r.Body)
			}
			if changed := w.lastRequest().Changed; again == 1 && len(changed) > 0 {
				t.Errorf("a portion that comes again changes %v", changed)
			}
		}
	}
	if got := w.in(g); len(got) != members {
		t.Errorf("%d members", len(got))
	}
	if list := elements(w.want(200, "GET", "/Groups/"+g, nil).body.get("members")); len(list) != members {
		t.Errorf("%d members are answered", len(list))
	}
	if r := w.want(200, "GET", "/Groups?excludedAttributes=members", nil); strings.Contains(r.Body.String(), "usr_") {
		t.Errorf("%.300s", r.Body)
	}
	r := w.send("PATCH", "/Groups/"+g, patchOf(`{"op":"replace","path":"members","value":[`+values[0]+`]}`))
	if got := w.in(g); len(got) != 1 || r.Code != 200 {
		t.Errorf("%d, %d members", r.Code, len(got))
	}
}
