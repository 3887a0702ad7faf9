package scim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/provision"
	"bindery/shared/directory"
)

// Nobody who comes under many addresses empties what is known of another one.
func TestLimiterOfMany(t *testing.T) {
	t.Parallel()
	l, now := newLimiter(wrongPerMinute/60.0, wrongPerMinute), time.Now()
	for range wrongPerMinute {
		l.take("wrong", now)
	}
	for i := range maxBuckets + 100 {
		l.take(fmt.Sprint("stranger ", i), now)
	}
	if len(l.buckets) > maxBuckets || l.wait("wrong", now) == 0 {
		t.Errorf("%d buckets, wait %v", len(l.buckets), l.wait("wrong", now))
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.1:1234": "192.0.2.1", "192.0.2.1": "192.0.2.1", "[2001:db8:1:2:3::4]:5": "2001:db8:1:2::/64", "[2001:db8:1:2:ffff::]:5": "2001:db8:1:2::/64",
		"[::ffff:192.0.2.1]:1": "192.0.2.1", "rubbish": "rubbish",
	} {
		if got := network(remote); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}

// Wrong tokens of one address are counted whatever client the path names, and a good one
// is never kept waiting by them.
func TestWrongTokensByAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	codes := map[int]int{}
	for range 3 * wrongPerMinute {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, Prefix+string(directory.NewScimClientID(w.Now()))+root+"/Users", nil)
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		codes[rec.Code]++
	}
	if codes[401] != wrongPerMinute || codes[429] != 2*wrongPerMinute {
		t.Errorf("%v", codes)
	}
	w.want(200, "GET", "/Users", nil)
}

// A client that is paused is limited, and its requests do not fill the log.
func TestPausedIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	w.handler.PerSecond = 50
	_, err := w.clients.Pause(t.Context(), ada, w.client.ID)
	w.Must(err)
	codes := map[int]int{}
	for range 2500 {
		codes[w.send("GET", "/Users", nil).Code]++
	}
	if codes[429] == 0 || codes[503] == 0 || len(codes) != 2 {
		t.Errorf("%v", codes)
	}
	w.Advance(time.Minute)
	w.send("GET", "/Users", nil)
	list, _, err := w.clients.Requests(t.Context(), w.client.ID, "", "", 3000)
	w.Must(err)
	if len(list) < refusedAtOnce || len(list) > 2*refusedAtOnce || !slices.ContainsFunc(list[0].Notes, func(s string) bool { return strings.HasPrefix(s, "as many others") }) {
		t.Errorf("%d are logged, the last with %q", len(list), list[0].Notes)
	}
}

// A lawful tool that asks as fast as it is answered meets no limit: scim2-tester sends 578
// requests a run, here three times in a row and in hardly more than a second.
func TestFastToolsAreAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	for range 3 * 578 {
		w.want(200, "GET", "/ServiceProviderConfig", nil)
	}
}

// untold are clients whose counts cannot be written for a while.
type untold struct {
	Clients
	left int
}

func (u *untold) Log(ctx context.Context, c *directory.ScimClient, r *directory.ScimRequest, counted directory.ScimCount) bool {
	if u.left > 0 && counted.Requests > 0 {
		u.left--
		u.Clients.Log(ctx, c, r, directory.ScimCount{})
		return false
	}
	return u.Clients.Log(ctx, c, r, counted)
}

// What could not be counted is counted later.
func TestCountsAreNotLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	w.handler.Clients = &untold{w.clients, 3}
	for range 20 {
		w.want(200, "GET", "/Users", nil)
	}
	_, _, rate, err := w.Store.ScimClients.ScimAccess(t.Context(), w.client.ID, "")
	if err != nil || rate.Now < 20-tellAfter {
		t.Errorf("%+v, %v", rate, errors.Unwrap(err))
	}
}

// A plus stays one where blanks are written otherwise, and a semicolon is no end.
func TestParameters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	w.make("ann+x@x.example")
	g := w.group("Sales Team;1")
	for query, want := range map[string]string{
		`filter=userName%20eq%20%22ann+x@x.example%22`: "1", `filter=userName%20eq%20%22ann%2Bx@x.example%22`: "1",
		`filter=userName+eq+%22ann%2Bx@x.example%22`: "1", `filter=userName%20eq%20%22a;b%22`: "0",
	} {
		if r := w.want(200, "GET", "/Users?"+query, nil); plain(r.body.get("totalResults")) != want {
			t.Errorf("%s: %s", query, r.Body)
		}
	}
	for _, query := range []string{`filter=displayName+eq+%22Sales+Team%3B1%22`, `filter=displayName%20eq%20%22Sales%20Team;1%22&count=5`, `&filter=displayName%20eq%20"Sales%20Team;1"&`} {
		if r := w.want(200, "GET", "/Groups?"+strings.ReplaceAll(query, `"`, "%22"), nil); !strings.Contains(r.Body.String(), g) {
			t.Errorf("%s: %s", query, r.Body)
		}
	}
	for _, query := range []string{"filter=%zz", "%zz=1", "filter=%20%"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, Prefix+string(w.client.ID)+root+"/Users", nil)
		r.URL.RawQuery = query
		r.Header.Set("Authorization", "Bearer "+w.token)
		rec := httptest.NewRecorder()
		if w.handler.ServeHTTP(rec, r); rec.Code != 400 {
			t.Errorf("%s: %d", query, rec.Code)
		}
	}
}

// Who sees only the own ones is told of what to do by what it can do.
func TestTakenOutside(t *testing.T) {
	t.Parallel()
	w := newWorld(t, provision.ClientEdit{})
	w.make("ann@x.example")
	w.group("Eng")
	w.client, w.token = w.newClient(provision.ClientEdit{Name: ptr("Own"), OwnOnly: ptr(true)})
	for path, body := range map[string]string{
		"/Users": `{"userName":"ann@x.example"}`, "/Groups": `{"displayName":"Eng"}`,
	} {
		r := w.want(409, "POST", path, body)
		if d := r.body.text("detail"); strings.Contains(d, "Look the") || !strings.Contains(d, "an admin of Bindery") || !strings.HasSuffix(d, "-taken]") {
			t.Errorf("%s", d)
		}
	}
}
