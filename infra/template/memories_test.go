package template

import (
	"go/ast"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// locks are the files that may share something between goroutines, and so between
// invocations, besides package recall: each with what it shares. A new one is a
// new memory, until somebody says here why it is none.
var locks = map[string]string{
	"shared/core/recall/recall.go":         "the helper",
	"shared/boot/telemetry/invocation.go":  "the attributes of one invocation's line",
	"shared/boot/telemetry/emf.go":         "a line is written whole",
	"shared/core/connect/service.go":       "tokens and keep-alive: a row of recall's table",
	"shared/core/connect/tokens.go":        "one invocation's token source: a row of recall's table",
	"shared/core/schedule/schedule.go":     "how many ticks there were: a row of recall's table",
	"shared/core/schedule/results.go":      "what one tick has done",
	"shared/core/schedule/outbox.go":       "the wake-ups of one tick",
	"shared/entra/graph.go":                "one opening of a tenant: whether it refuses filters for several addresses",
	"shared/core/mapping/locale.go":        "names of countries, read once from a table of the program",
	"shared/directory/pattern.go":          "patterns of the program, each compiled once",
	"shared/core/audit/chain_publish.go":   "what went wrong with the heads of one tick",
	"shared/api/scim/limit.go":             "what this process has answered each client and not yet told the others of, and wrong tokens of the last minute",
	"shared/core/doctor/clients_lately.go": "the held runs that one look has found",
	"shared/core/provision/wrong.go":       "of which clients this process has noted within a minute that somebody came without a token",
	"shared/api/admin/api.go":              "the description, made once, of the types of the program",
	"shared/api/console/client.go":         "the calls that one page tells of",
	"shared/api/console/mark.go":           "how many things wait for a decision: a row of recall's table",
	"shared/api/console/signin.go":         "the issuer's description: a row of recall's table",
	"shared/store/calls.go":                "whether there was a call of the table between two moments of an invocation",
	"shared/store/packed.go":               "memory of the packer, which begins anew with each body",
	"shared/platform/signer/sessions.go":   "keys of sessions: a row of recall's table",
	"shared/platform/heads/memory.go":      "the tests' driver",
	"shared/platform/notify/local.go":      "the laptop's driver",
	"shared/platform/queue/local.go":       "the laptop's driver",
	"shared/platform/vault/local.go":       "the laptop's driver",
	"shared/platform/vault/memory.go":      "the tests' driver",
	"shared/table/bolt/bolt.go":            "the laptop's driver",
	"shared/table/memory/memory.go":        "the tests' driver",
}

// TestMemories holds recall's table against the source: what outlives an
// invocation is kept by recall, and has a row that says until when.
func TestMemories(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join(root, "shared", "core", "recall", "doc.go"))
	if err != nil {
		t.Fatal(err)
	}
	rows, used := string(raw), map[string]bool{}
	for _, s := range sources(t) {
		product := strings.HasPrefix(s.file, "shared/") || strings.HasPrefix(s.file, "functions/")
		if s.test || !product || within(s.pkg, []string{"shared/entra/entratest/...", "shared/table/tabletest", "shared/store/storetest", "shared/platform/upload/uploadtest", "shared/core/assign/assigntest", "shared/testworld"}) {
			continue
		}
		ast.Inspect(s.tree, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			of, _ := sel.X.(*ast.Ident)
			switch {
			case of == nil:
			case of.Name == "sync" && sel.Sel.Name != "WaitGroup", of.Name == "atomic":
				if used[s.file] = true; locks[s.file] == "" {
					t.Errorf("%s shares something by %s.%s: keep it by package recall, or say in locks why it is no memory", s.file, of.Name, sel.Sel.Name)
				}
			case of.Name == "recall" && sel.Sel.Name == "Memory":
				if name := s.tree.Name.Name + "."; !strings.Contains(rows, " "+name) {
					t.Errorf("%s keeps a recall.Memory, and recall's table has no row of %s", s.file, name)
				}
			}
			return true
		})
		for _, p := range s.imports() {
			if p == "unique" || p == "weak" {
				t.Errorf("%s imports %s, which keeps values for the process", s.file, p)
			}
		}
	}
	for file := range locks {
		if !used[file] {
			t.Errorf("locks names %s, which shares nothing", file)
		}
	}
}
