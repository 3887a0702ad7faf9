package template

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mayWrite are the only files from which a request other than GET can go to
// Microsoft, each with its reason.
var mayWrite = map[string]string{
	"shared/entra/write.go":        "makes the requests of account writes",
	"shared/entra/write_groups.go": "makes those of groups, members, managers and licences",
	"shared/entra/batch.go":        "posts batches, of reads as well",
}

// TestOneWriter: every request that could change something at Microsoft comes
// from one place, behind the one type that refuses protected accounts.
func TestOneWriter(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	calls := 0
	err := filepath.WalkDir("../../shared", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, "../../"))
		if strings.HasPrefix(name, "shared/entra/entratest/") || strings.HasPrefix(name, "shared/api/admin/") {
			return nil // the other side; and the routes of our own API
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				x, _ := n.X.(*ast.Ident)
				method := x != nil && (x.Name == "http" && slices.Contains([]string{"MethodPost", "MethodPut", "MethodPatch", "MethodDelete"}, n.Sel.Name) ||
					x.Name == "abs" && slices.Contains([]string{"POST", "PUT", "PATCH", "DELETE"}, n.Sel.Name))
				if method {
					found[name] = true
					if mayWrite[name] == "" && strings.HasPrefix(name, "shared/entra/") {
						t.Errorf("%s makes a request other than GET", name)
					}
				}
			case *ast.BasicLit:
				if n.Kind == token.STRING && slices.Contains([]string{`"POST"`, `"PUT"`, `"PATCH"`, `"DELETE"`}, n.Value) && strings.HasPrefix(name, "shared/entra/") {
					t.Errorf("%s names the method %s itself", name, n.Value)
				}
			case *ast.CallExpr:
				sel, _ := n.Fun.(*ast.SelectorExpr)
				if sel == nil || sel.Sel.Name != "Write" {
					return true
				}
				if inner, ok := sel.X.(*ast.SelectorExpr); ok && inner.Sel.Name == "tenant" {
					calls++
					if name != "shared/core/protect/gate.go" {
						t.Errorf("%s writes to a tenant past the gate", name)
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range mayWrite {
		if !found[name] {
			t.Errorf("%s makes no such request: take it off the list", name)
		}
	}
	if calls != 1 {
		t.Errorf("%d calls write to a tenant, want one", calls)
	}
}
