package template

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// buildEnv is the environment that the Makefile builds with. It is read there,
// where the settings live: another set of flags would compile Microsoft's SDK
// again.
func buildEnv(t *testing.T) []string {
	t.Helper()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	env := os.Environ()
	for _, name := range []string{"CGO_ENABLED", "GOFLAGS"} {
		m := regexp.MustCompile(`(?m)^export ` + name + `\s*:=\s*(.+)$`).FindSubmatch(makefile)
		if m == nil {
			t.Fatalf("the Makefile does not export %s", name)
		}
		env = append(env, name+"="+string(m[1]))
	}
	return env
}

// linked lists everything that a function's binary links.
func linked(t *testing.T, function string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "./functions/"+function)
	cmd.Dir, cmd.Env = root, buildEnv(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v", function, err)
	}
	return strings.Fields(string(out))
}

func TestLinks(t *testing.T) {
	// Who needs Microsoft Graph; the others stay small and start fast.
	graph := []string{"admin", "oauth-callback", "sync"}
	// Who reads workbooks of users.
	files := []string{"admin", "sync"}
	for _, function := range folders(t) {
		deps := linked(t, function)
		if got, want := slices.Contains(deps, "bindery/shared/entra"), slices.Contains(graph, function); got != want {
			t.Errorf("%s links entra: %v, want %v", function, got, want)
		}
		for _, reader := range []string{"bindery/shared/platform/workbook", "github.com/xuri/excelize/v2"} {
			if got, want := slices.Contains(deps, reader), slices.Contains(files, function); got != want {
				t.Errorf("%s links %s: %v, want %v", function, reader, got, want)
			}
		}
		for _, bad := range []string{"text/template", "html/template", "net/rpc", "testing"} {
			if slices.Contains(deps, bad) {
				t.Errorf("%s links %s, which keeps every method of Microsoft's SDK: 66 MB instead of 39", function, bad)
			}
		}
		for _, d := range deps {
			if strings.HasPrefix(d, "bindery/infra/") || strings.HasPrefix(d, "bindery/shared/entra/entratest") || strings.HasSuffix(d, "/bbolt") {
				t.Errorf("%s links %s, which has no place in a Lambda", function, d)
			}
		}
	}
}
