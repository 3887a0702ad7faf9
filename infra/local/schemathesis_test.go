package main

import (
	"bytes"
	"cmp"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"bindery/infra/stack"
	"bindery/infra/stacktest"
)

// TestSchemathesis has Schemathesis hold the API to its own description: every
// operation, by its parameters and bodies as described and not, and by sequences of
// calls. It runs where BINDERY_SCHEMATHESIS names the program (make test-api).
func TestSchemathesis(t *testing.T) {
	program := os.Getenv("BINDERY_SCHEMATHESIS")
	if program == "" {
		t.Skip("BINDERY_SCHEMATHESIS names no program")
	}
	seconds := cmp.Or(os.Getenv("BINDERY_SCHEMATHESIS_SECONDS"), "180")
	// What it makes up is the same each time, so that a change's checks tell of the
	// change; with another seed it makes up other requests.
	seed := cmp.Or(os.Getenv("BINDERY_SCHEMATHESIS_SEED"), "11")
	config, err := filepath.Abs("testdata/schemathesis.toml")
	if err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	o := stacktest.With(t, stack.Config{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	f := &fuzz{T: t, o: o}
	f.furnish()
	server := httptest.NewServer(o.Stack.Handler())
	defer server.Close()
	log.Reset()

	cmd := exec.CommandContext(t.Context(), program, "--config-file", config, "run", "--seed", seed, "--max-time", seconds, server.URL+"/v1/openapi.json")
	cmd.Dir = t.TempDir() // it writes files of its own
	cmd.Env = append(os.Environ(), "API_TOKEN="+o.Stack.AdminToken(), "CONNECTION="+f.known["connection"][0], "USER_ID="+f.known["user"][0],
		"RUN="+f.known["run"][0], "JOB="+f.known["job"][0], "NO_COLOR=1")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("schemathesis: %v", err)
	}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, `"request failed"`) || strings.Contains(line, "panic") {
			t.Errorf("the stack's log: %s", line)
		}
	}
}

// lockedBuffer is a log that many write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}
