package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// console is an output that a test may read while it is written.
type console struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.b.Write(p)
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.b.String()
}

var addressPattern = regexp.MustCompile(`Microsoft 365 on (http://\S+)`)

// start runs the command on a free port until the test or stop ends it.
func start(t *testing.T, args ...string) (base string, out *console, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out = &console{}
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), func(string) string { return "" }, out)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if <-done; err != nil {
			t.Errorf("run() = %v after it was stopped, want nil", err)
		}
	})
	t.Cleanup(stop)
	for running := true; running; {
		if m := addressPattern.FindStringSubmatch(out.String()); m != nil {
			return m[1], out, stop
		}
		select {
		case <-done:
			running = false
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatalf("no address was printed:\n%s", out)
	return "", nil, nil
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s = %d", url, resp.StatusCode)
	}
	return string(body)
}

func TestServesAndRemembers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	base, out, stop := start(t, "-state", dir)
	for _, want := range []string{"admin@contoso.example", "helpdesk@contoso.example", "/_control"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	tenants := get(t, base+"/_control/tenants")
	if discovery := get(t, base+"/organizations/v2.0/.well-known/openid-configuration"); !strings.Contains(discovery, base) {
		t.Errorf("the discovery document does not name %s", base)
	}
	stop()
	again, _, _ := start(t, "-state", dir)
	if got := get(t, again+"/_control/tenants"); got != tenants {
		t.Errorf("after a restart the tenants are\n%s, want\n%s", got, tenants)
	}
}

func TestRefusesToStart(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		port string
		args []string
		want string
	}{
		{"busy port", port, nil, "is in use by another program"},
		{"no port", "none", nil, "listening on"},
		{"argument", port, []string{"what"}, `unexpected argument "what"`},
		{"flag", port, []string{"-what"}, "not defined"},
		{"state is a file", "0", []string{"-state", file}, "opening the state"},
	} {
		err := run(t.Context(), c.args, func(string) string { return c.port }, io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(fmt.Sprint(err), "\n") {
			t.Errorf("%s: run() = %v, want one line with %q", c.name, err, c.want)
		}
	}
}
