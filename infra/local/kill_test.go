package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/infra/stack"
	"bindery/shared/entra/entratest/browser"
	"bindery/shared/entra/entratest/simclient"
)

// TestMain lets the test binary be the local stack itself, so that a test can
// kill it as a real process.
func TestMain(m *testing.M) {
	if os.Getenv("BINDERY_TEST_CHILD") == "run" {
		main()
		return
	}
	os.Exit(m.Run())
}

// object is a JSON object of the API.
type object = stack.Object

// remote is the local stack as a process, called over its ports.
type remote struct {
	*testing.T
	state     string
	api, m365 int
	cmd       *exec.Cmd
	out       *bytes.Buffer
}

func (r *remote) start() {
	r.Helper()
	r.out = &bytes.Buffer{}
	r.cmd = exec.Command(os.Args[0], "run")
	r.cmd.Env = append(os.Environ(), "BINDERY_TEST_CHILD=run", "LOCAL_STATE="+r.state,
		fmt.Sprintf("LOCAL_API_PORT=%d", r.api), fmt.Sprintf("LOCAL_M365_PORT=%d", r.m365))
	r.cmd.Stdout, r.cmd.Stderr = r.out, r.out
	if err := r.cmd.Start(); err != nil {
		r.Fatal(err)
	}
	for until := time.Now().Add(30 * time.Second); ; {
		if status, _ := r.try("GET", "/v1/connections", nil); status == 200 {
			return
		}
		if time.Now().After(until) {
			r.Fatalf("the stack does not come up:\n%s", r.out)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// kill ends the process as a power cut would.
func (r *remote) kill() {
	r.Helper()
	if err := r.cmd.Process.Kill(); err != nil {
		r.Fatal(err)
	}
	_ = r.cmd.Wait() // "signal: killed" is what was asked for
}

func (r *remote) try(method, path string, body any) (int, object) {
	token, err := os.ReadFile(filepath.Join(r.state, "admin-token"))
	if err != nil {
		return 0, nil
	}
	raw, err := json.Marshal(body)
	if err != nil {
		r.Fatal(err)
	}
	req, err := http.NewRequest(method, fmt.Sprintf("http://127.0.0.1:%d%s", r.api, path), bytes.NewReader(raw))
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	} else {
		req.Body = http.NoBody
		req.ContentLength = 0
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil
	}
	var o object
	_ = json.Unmarshal(answer, &o) // the status says whether there is an object
	if resp.StatusCode >= 300 {
		o = object{"error": string(answer)}
	}
	return resp.StatusCode, o
}

func (r *remote) call(method, path string, body any) object {
	r.Helper()
	status, o := r.try(method, path, body)
	if status == 0 || status >= 300 {
		r.Fatalf("%s %s answered %d: %v", method, path, status, o["error"])
	}
	return o
}

// answer reads an answer that must be good.
func (r *remote) answer(resp *http.Response) object {
	r.Helper()
	defer resp.Body.Close()
	var o object
	if err := json.NewDecoder(resp.Body).Decode(&o); err != nil || resp.StatusCode >= 300 {
		r.Fatalf("%s %s answered %d %v, %v", resp.Request.Method, resp.Request.URL.Path, resp.StatusCode, o, err)
	}
	return o
}

// control calls the simulator's switches.
func (r *remote) control(path string, into any) {
	r.Helper()
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/_control%s", r.m365, path))
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil || resp.StatusCode != 200 {
		r.Fatalf("GET /_control%s answered %d, %v", path, resp.StatusCode, err)
	}
}

// slowCreations has each creation of an account take a while, until the stack is
// killed: a load is over before it could be killed ten times otherwise.
func (r *remote) slowCreations() {
	r.Helper()
	sim := simclient.New(r.T, fmt.Sprintf("http://127.0.0.1:%d", r.m365), http.DefaultTransport)
	sim.Control("POST", "/faults", `{"kind":"slow","method":"POST","path":"^/users$","seconds":0.02}`, http.StatusCreated, nil)
}

// connected starts the stack on free ports and connects it to its tenant; it
// returns the connection's path and the tenant's ID.
func (r *remote) connected(name string) (conn, tenant string) {
	r.Helper()
	a, b := openPort(r.T), openPort(r.T)
	r.api, r.m365 = a.Addr().(*net.TCPAddr).Port, b.Addr().(*net.TCPAddr).Port
	a.Close()
	b.Close()
	r.start()
	c := r.call("POST", "/v1/connections", object{"name": name})
	status, page, err := browser.Open(http.DefaultTransport).SignIn(r.Context(), http.DefaultTransport, c.Text("authorizationUrl"), "admin@contoso.example")
	if err != nil || status != http.StatusOK {
		r.Fatalf("the callback answered %d: %s, %v", status, page, err)
	}
	conn = "/v1/connections/" + c.Text("id")
	who := stack.SignedIn(r.call("GET", conn, nil))
	r.call("POST", conn+"/confirm", who)
	return conn, who.Text("tenantId")
}

// TestKilledTenTimes kills the local stack ten times while it creates accounts,
// and starts it again: the run ends, both sides agree, and nothing is doubled.
func TestKilledTenTimes(t *testing.T) {
	const users, kills = 900, 10
	r := &remote{T: t, state: t.TempDir()}
	conn, tenant := r.connected("Killed")
	var ids []string
	for i := range users {
		u := r.call("POST", "/v1/users", object{"email": fmt.Sprintf("new%03d@contoso.example", i), "givenName": "New", "familyName": fmt.Sprint(i)})
		ids = append(ids, u.Text("id"))
	}
	r.slowCreations()
	for part := range slices.Chunk(ids, 500) {
		r.call("POST", conn+"/bindings", object{"userIds": part})
	}
	type mutation struct{ Kind, TargetUserPrincipalName string }
	created := func() map[string]int {
		var body struct{ Items, Value, Mutations []mutation }
		r.control("/tenants/"+tenant+"/mutations", &body)
		n := map[string]int{}
		for _, m := range append(append(body.Items, body.Value...), body.Mutations...) {
			if m.Kind == "create" && strings.HasPrefix(m.TargetUserPrincipalName, "new") {
				n[m.TargetUserPrincipalName]++
			}
		}
		return n
	}
	for kill := range kills {
		// Anywhere in planning, sending and journalling: a little after the last
		// account of the process before.
		more := len(created()) + 1 + 7*kill%23
		for until := time.Now().Add(60 * time.Second); len(created()) < more; time.Sleep(2 * time.Millisecond) {
			if time.Now().After(until) {
				t.Fatalf("the sync does not go on after %d kills with %d accounts:\n%s", kill, len(created()), r.out)
			}
		}
		time.Sleep(time.Duration(kill%5) * 7 * time.Millisecond)
		r.kill()
		r.start()
		r.slowCreations()
	}
	counted := func() (n int) {
		for next := ""; ; {
			page := r.call("GET", conn+"/bindings?status=in-sync&limit=500&next="+url.QueryEscape(next), nil)
			n += len(page.List("items"))
			if next, _ = page["next"].(string); next == "" {
				return n
			}
		}
	}
	// As long as it goes on it may take as long as it takes.
	inSync := 0
	for since := time.Now(); inSync < users && time.Since(since) < 3*time.Minute; time.Sleep(500 * time.Millisecond) {
		if n := counted(); n > inSync {
			inSync, since = n, time.Now()
		}
	}
	got := created()
	if inSync != users || len(got) != users {
		t.Errorf("after the restart %d users are in sync and %d accounts were created, want %d\n%s", inSync, len(got), users, r.out)
	}
	for upn, n := range got {
		if n != 1 {
			t.Errorf("%s was created %d times", upn, n)
		}
	}
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil {
		t.Errorf("Ctrl-C: %v\n%s", err, r.out)
	}
}

// openPort listens on a port that nobody listens on. It is none of those that the system
// hands out to connections: whoever starts on it again, after a kill, finds it free.
func openPort(t *testing.T) net.Listener {
	t.Helper()
	var last error
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 11_000+rand.IntN(20_000)))
		if err == nil {
			return l
		}
		last = err
	}
	t.Fatal(last)
	return nil
}
