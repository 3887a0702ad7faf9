package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"bindery/infra/stack"
	"bindery/infra/stacktest"
)

// TestScimJava: UnboundID's client for Java works with SCIM, as a strict and as a tolerant
// client, where BINDERY_SCIM_JAVA names the folder of its libraries (make test-scim).
func TestScimJava(t *testing.T) {
	libraries := os.Getenv("BINDERY_SCIM_JAVA")
	if libraries == "" {
		t.Skip("BINDERY_SCIM_JAVA names no folder")
	}
	for name, strict := range map[string]bool{"strict": true, "tolerant": false} {
		t.Run(name, func(t *testing.T) {
			var handler http.Handler
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
			defer server.Close()
			o := stacktest.Open(t, stack.Config{PublicURL: server.URL})
			handler = o.Stack.Handler()
			p := newPusher(o, name)
			o.Must(o.API.Patch(t.Context(), "/v1/scim-clients/"+p.id, stack.Object{"strict": strict}))
			cmd := exec.CommandContext(t.Context(), "java", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(libraries, "*"), "testdata/ScimClient.java")
			cmd.Env = append(os.Environ(), "SCIM_BASE="+server.URL+p.base, "SCIM_TOKEN="+p.token, fmt.Sprintf("SCIM_STRICT=%v", strict))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, bytes.ReplaceAll(out, []byte(p.token), []byte("(token)")))
			}
		})
	}
}
