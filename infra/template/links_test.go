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
	files := []string{"admin", "load"}
	// Who answers the admins' API.
	api := []string{"admin", "deactivate"}
	// Who makes pages, by a library that imports html/template for one function of it.
	pages := []string{"console"}
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
		if got, want := slices.Contains(deps, "github.com/danielgtaylor/huma/v2"), slices.Contains(api, function); got != want {
			t.Errorf("%s links the API's framework: %v, want %v", function, got, want)
		}
		for bad, why := range map[string]string{
			"golang.org/x/text/language/display":  "brings the names of everything in all languages, a tenth of the zip: mapping/countries.txt has what is used",
			"github.com/aws/aws-sdk-go-v2/config": "brings four services' clients: boot/app's awsConfig reads what Lambda sets",
		} {
			if slices.Contains(deps, bad) {
				t.Errorf("%s links %s, which %s", function, bad, why)
			}
		}
		for _, bad := range []string{"text/template", "html/template", "net/rpc", "testing"} {
			if slices.Contains(deps, bad) && !(slices.Contains(pages, function) && strings.HasSuffix(bad, "/template")) {
				t.Errorf("%s links %s, which keeps every method of everything: 37 MB instead of 19", function, bad)
			}
		}
		for _, d := range deps {
			if strings.HasPrefix(d, "bindery/infra/") || strings.HasPrefix(d, "bindery/shared/entra/entratest") || strings.HasSuffix(d, "/bbolt") {
				t.Errorf("%s links %s, which has no place in a Lambda", function, d)
			}
		}
	}
}

// What a function links of the packages that it imports is the linker's decision: only
// what can be called. TestSymbols holds what each large package is about, by names that
// stand for many, and what a function has the parts for without ever doing it.
// TestLinks' packages are those whose import is enough.
func TestSymbols(t *testing.T) {
	whole := map[string][]string{
		"admin":          {"service/s3.(*Client).GetObject", "excelize/v2.(*File).Rows", "core/reconcile.(*planner).explain", "core/connect.(*Service).Confirm"},
		"sync":           {"service/s3.(*Client).PutObject", "core/reconcile.(*invocation).step", "core/reconcile.(*flight).send", "core/doctor.(*Doctor).Check"},
		"scim":           {"api/scim.(*Handler).ServeHTTP", "core/people.(*Pushes).Create"},
		"console":        {"api/console.(*Console).ServeHTTP", "maragu.dev/gomponents"},
		"oauth-callback": {"msgraph-sdk-go/models.(*Organization)", "core/connect.(*Service).ServeSignIn"},
	}
	// What a function has the parts for, and never does.
	elsewhere := map[string]map[string]string{
		"admin": {
			"core/reconcile.(*invocation).step":   "its engine explains, and only sync works on runs: a tenth of the zip",
			"core/reconcile.(*flight).send":       "its engine explains, and only sync writes",
			"core/connect.(*Service).ServeSignIn": "who signs in at Microsoft comes back to oauth-callback",
			"core/doctor.(*Doctor).Check":         "it asks for checks, and only sync does them",
			"danielgtaylor/huma/v2.Register[":     "it is compiled for each operation anew, 20 KB each: package endpoint has what does not need the types",
		},
		"console": {
			"text/template.(*Template).Execute": "its pages are no templates: the library that makes them uses one function of html/template, and the linker leaves the rest out",
			"core/reconcile.(*planner).explain": "it has everything from /v1",
		},
		"scim": {
			"core/reconcile.(*invocation).step": "it wakes sync, and only sync works on runs",
			"core/people.(*Loads).Load":         "files of users are others' to read",
			"core/doctor.(*Doctor).Check":       "it pushes people, and nothing else",
		},
		"sync": {"core/connect.(*Service).ServeSignIn": "who signs in at Microsoft comes back to oauth-callback"},
	}
	for function, links := range whole {
		symbols := symbolsOf(t, function)
		for name, why := range map[string]string{
			"msgraph-sdk-go/models.(*User)":     "some model refers to any directory object, and so to nearly all of Microsoft's models: 16 MB. entra reads such objects itself",
			"service/s3.(*Client).CopyObject":   "nobody calls it, so methods are kept whether they are called or not: what calls methods by name?",
			"excelize/v2.(*File).CalcCellValue": "what computes formulas calls functions by name, which keeps all methods of everything",
		} {
			if strings.Contains(symbols, name) {
				t.Errorf("%s links %s: %s", function, name, why)
			}
		}
		for name, why := range elsewhere[function] {
			if strings.Contains(symbols, name) {
				t.Errorf("%s links %s: %s", function, name, why)
			}
		}
		for _, name := range links {
			if !strings.Contains(symbols, name) {
				t.Errorf("%s does not link %s: is it gone, or has it another name? Then the names above are to be looked at too", function, name)
			}
		}
	}
}

// symbolsOf lists the symbols of a function's binary.
func symbolsOf(t *testing.T, function string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), function)
	for _, args := range [][]string{{"build", "-o", binary, "./functions/" + function}, {"tool", "nm", binary}} {
		cmd := exec.Command("go", args...)
		cmd.Dir, cmd.Env = root, buildEnv(t)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, out)
		}
		if args[0] == "tool" {
			return string(out)
		}
	}
	return ""
}
