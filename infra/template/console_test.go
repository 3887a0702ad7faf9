package template

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/api/console"
	"bindery/shared/platform/vault"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

// The console reaches its sessions in the table and nothing else, by what its role has.
func TestConsoleKeys(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	statements, _ := At(tmpl.Resources, "ConsoleRole", "Properties", "Policies", 0, "PolicyDocument", "Statement").([]any)
	g := &guarded{Table: memory.New(), Memory: &vault.Memory{}, on: true, rights: rightsOf(t, tmpl, "ConsoleRole", "ConsoleLogs"), seen: map[string]bool{}}
	for _, s := range statements {
		if At(s, "Sid") == "Sessions" {
			g.keys = list(At(s, "Condition", "ForAllValues:StringLike", "dynamodb:LeadingKeys"))
		}
	}
	if fmt.Sprint(g.keys) != "[CS#*]" {
		t.Fatalf("the role's keys are %v", g.keys)
	}
	for _, other := range []string{"C#con_1", "U#usr_1", "R#run_1", "S#hash"} {
		if ok, _ := path.Match("CS#*", other); ok {
			t.Errorf("the role reaches %s", other)
		}
	}
	sessions := store.New(guardedTable{g}, store.Options{}).Sessions
	ctx := t.Context()
	if err := sessions.SaveSession(ctx, "a", []byte("sealed"), 0, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := sessions.SaveSession(ctx, "a", []byte("sealed"), 1, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := sessions.Session(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if err := sessions.EndSession(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if len(g.refused) > 0 || len(g.seen) != 1 || !g.seen["CS"] {
		t.Errorf("refused %v, seen %v", g.refused, g.seen)
	}
}

// Every address that the console answers comes to it through a route of API Gateway.
func TestConsoleRoutes(t *testing.T) {
	t.Parallel()
	var keys []string
	for resource, list := range triggers(read(t)) {
		if resource == "ConsoleFunction" {
			keys = list
		}
	}
	c, err := console.New(console.Config{PublicURL: "https://bindery.example", Issuer: "https://issuer.example", ClientID: "console", Sessions: store.New(memory.New(), store.Options{}).Sessions})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range console.Routes() {
		key := r.Method + " /console/{proxy+}"
		if r.Path == "/console" {
			key = r.Method + " /console"
		}
		if !slices.Contains(keys, key) {
			t.Errorf("%s %s: API Gateway has no route %s", r.Method, r.Path, key)
		}
		if !strings.HasPrefix(r.Path, "/console") || r.Method != http.MethodGet && r.Method != http.MethodPost {
			t.Errorf("%s %s is no address of the console", r.Method, r.Path)
		}
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://bindery.example/console", nil))
	if w.Code != http.StatusSeeOther {
		t.Errorf("GET /console = %d", w.Code)
	}
}

// The stack's own client lets a sign-out lead back to the page that the console names.
func TestConsoleSignsOut(t *testing.T) {
	t.Parallel()
	urls := list(At(read(t).Resources, "ConsoleClient", "Properties", "LogoutURLs"))
	if len(urls) != 1 || At(urls[0], "Fn::Sub", 0) != "${Base}/console/sign-in" {
		t.Errorf("LogoutURLs are %v", urls)
	}
}
