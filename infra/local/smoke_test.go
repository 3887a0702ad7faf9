package main

import (
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bindery/infra/stacktest"
)

// TestSmoke runs what `make smoke` runs against the local stack: every check of
// it that needs no AWS passes on the real API, with a connection that is active
// and nothing left behind.
func TestSmoke(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "deploy")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./infra/deploy")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	o := stacktest.New(t)
	srv := httptest.NewServer(o.Stack.Handler())
	defer srv.Close()
	smoke := func() string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), binary, "smoke")
		cmd.Dir = t.TempDir()
		cmd.Env = []string{"API=" + srv.URL, "TOKEN=" + o.API.Token, "PATH=" + t.TempDir()} // no aws CLI
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("smoke: %v\n%s", err, out)
		}
		return string(out)
	}
	if said := smoke(); !strings.Contains(said, "5 passed, 0 failed, 5 skipped") || !strings.Contains(said, "no connection is active yet") {
		t.Errorf("without a connection:\n%s", said)
	}
	conn := o.Connect("corp.example", o.Tenant("corp.example"), nil)
	ann := o.User("ann@corp.example", nil)
	o.Bind(conn, ann)
	o.Binding(conn, ann, "in-sync")
	before := len(o.Get("/v1/connections").List("items"))
	said := smoke()
	if !strings.Contains(said, "6 passed, 0 failed, 4 skipped") || !strings.Contains(said, conn+" would write 2") { // a block, and the end of sessions
		t.Errorf("with a connection:\n%s", said)
	}
	if after := len(o.Get("/v1/connections").List("items")); after != before {
		t.Errorf("%d connections after it, %d before", after, before)
	}
	o.Binding(conn, ann, "in-sync")
}
