package directory_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"bindery/shared/directory"
)

// kebab is how codes are written.
var kebab = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// Every code has one row of the registry with a sentence, and one constant.
func TestProblemTypes(t *testing.T) {
	t.Parallel()
	constants := codeConstants(t)
	seen := map[string]bool{}
	for _, typ := range directory.ProblemTypes() {
		if seen[typ.Code] || !kebab.MatchString(typ.Code) || constants[typ.Code] == "" {
			t.Errorf("the code %q is there twice, has another form, or no constant", typ.Code)
		}
		if !strings.HasSuffix(typ.Means, ".") || typ.Next != "" && !strings.HasSuffix(typ.Next, ".") || typ.Also != "" && !strings.HasSuffix(typ.Also, ".") {
			t.Errorf("%s does not speak in sentences: %+v", typ.Code, typ)
		}
		seen[typ.Code] = true
	}
	for code, name := range constants {
		if !seen[code] {
			t.Errorf("the registry has no row for %s, %q", name, code)
		}
	}
	if got := directory.ProblemTypeOf("nobody-knows"); got.Code != "nobody-knows" || got.Means != "" {
		t.Errorf("of an unknown code: %+v", got)
	}
}

// codeConstants are the names of the constants in codes.go by their codes.
func codeConstants(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	constants := map[string]string{}
	for _, spec := range file.Decls[0].(*ast.GenDecl).Specs {
		v := spec.(*ast.ValueSpec)
		code, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		if err != nil || constants[code] != "" {
			t.Errorf("%s is %q, as is %s: %v", v.Names[0], code, constants[code], err)
		}
		constants[code] = v.Names[0].Name
	}
	return constants
}

// Every call that a problem comes to is one that the API has, as its source says.
func TestStepsAreCallsOfTheAPI(t *testing.T) {
	t.Parallel()
	operation := regexp.MustCompile(`method: http\.Method(\w+), path: "([^"]+)"`)
	calls := map[string]bool{}
	names, err := filepath.Glob("../api/admin/*.go")
	if err != nil || len(names) == 0 {
		t.Fatal(len(names), err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range operation.FindAllStringSubmatch(string(raw), -1) {
			path := strings.Replace(m[2], "/connections/{id}", "/connections/{connectionId}", 1)
			calls[strings.ToUpper(m[1])+" "+strings.Replace(path, "/users/{id}", "/users/{userId}", 1)] = true
		}
	}
	for _, typ := range directory.ProblemTypes() {
		for _, s := range typ.Steps {
			if s.Text == "" || !calls[s.Call] {
				t.Errorf("%s: the step %q is %q, which the API does not have", typ.Code, s.Text, s.Call)
			}
		}
	}
}

// PROBLEMS.md has every code, with what it means and what to do.
func TestProblemsDocument(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# Codes of problems\n\nMade of the registry in problems.go by `go test ./shared/directory -update`. " +
		"A code stands in `code` of what the API answers with, of what it shows of bindings, runs and jobs, and of findings; " +
		"`detail` or `message` beside it says more than is said here.\n\n| code | means | kind | next |\n|---|---|---|---|\n")
	types := directory.ProblemTypes()
	slices.SortFunc(types, func(a, b directory.ProblemType) int { return strings.Compare(a.Code, b.Code) })
	for _, typ := range types {
		means := strings.TrimSpace(plain(typ.Means) + " " + typ.Also)
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", typ.Code, means, typ.Kind, plain(typ.Next))
	}
	b.WriteString("\n## Values of findings\n\nWhat a finding of the doctor has in `values`, by its code and its `variant`, so that a program can say it in words of its own. " +
		"Texts and numbers; `on` and `ends` are days, `since` a time, `why`, `detail` and `first` sentences in English.\n\n| code | variant | values | where known |\n|---|---|---|---|\n")
	cell := func(names ...string) string { return strings.TrimSuffix("`"+strings.Join(names, "`, `")+"`", "``") }
	forms := directory.FindingForms()
	slices.SortFunc(forms, func(a, b directory.FindingForm) int {
		return strings.Compare(a.Code+" "+a.Variant, b.Code+" "+b.Variant)
	})
	for _, f := range forms {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Code, cell(f.Variant), cell(f.Values...), cell(f.Known...))
	}
	compareDocument(t, "PROBLEMS.md", b.String())
}

// plain is a sentence without what is filled in where the problem is found.
var plain = strings.NewReplacer("{value}", "", "{property}", "a property", "{length}", "A value", "{sku}", "", "{address}", "the address", "|", "\\|").Replace

// No code is written but in codes.go, and none that the registry does not know:
// everywhere else stands the constant.
func TestCodesAreConstants(t *testing.T) {
	t.Parallel()
	constants := codeConstants(t)
	// Statuses and kinds that are written as a code is.
	homonyms := map[string]string{"needs-authorization": "connection.go", "awaiting-confirmation": "connection.go"}
	files, read := token.NewFileSet(), 0
	for _, root := range []string{"../../shared", "../../functions"} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && strings.HasSuffix(entry.Name(), "test"):
				return filepath.SkipDir // suites, and the simulator, which speaks as Microsoft does
			case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "directory/codes.go"):
				return nil
			}
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			read++
			for _, lit := range codeLiterals(file, constants) {
				if homonyms[lit.text] != filepath.Base(path) {
					t.Errorf("%s: the code %q stands there as a text; it belongs into codes.go, with a row of the registry", files.Position(lit.pos), lit.text)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if read < 100 {
		t.Errorf("only %d files were read", read)
	}
}

type codeLiteral struct {
	text string
	pos  token.Pos
}

// codeLiterals are the texts in a file that are codes: those that the registry
// knows, if they have a hyphen, and those that stand where a code is wanted: in a
// member, a variable, a parameter or a result of that name.
func codeLiterals(file *ast.File, constants map[string]string) []codeLiteral {
	parameters := codeParameters(file)
	var found []codeLiteral
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			text, ok := literal(n)
			if ok && strings.Contains(text, "-") && constants[text] != "" {
				found = append(found, codeLiteral{text, n.Pos()})
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Code" {
				wantedCode(n.Value, constants, &found)
			}
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if len(n.Rhs) == len(n.Lhs) && isCode(left) {
					wantedCode(n.Rhs[i], constants, &found)
				}
			}
		case *ast.CallExpr:
			if i, ok := parameters[called(n)]; ok && i < len(n.Args) {
				wantedCode(n.Args[i], constants, &found)
			}
		case *ast.BinaryExpr:
			if isCode(n.X) && (n.Op == token.EQL || n.Op == token.NEQ) {
				wantedCode(n.Y, constants, &found)
			}
		}
		return true
	})
	return found
}

// wantedCode notes a text that stands where a code is wanted and that the walk
// over all texts does not note by itself.
func wantedCode(e ast.Expr, constants map[string]string, found *[]codeLiteral) {
	text, ok := literal(e)
	if ok && kebab.MatchString(text) && (constants[text] == "" || !strings.Contains(text, "-")) {
		*found = append(*found, codeLiteral{text, e.Pos()})
	}
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

func isCode(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "code"
	case *ast.SelectorExpr:
		return e.Sel.Name == "Code"
	}
	return false
}

func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// codeParameters are the places of the parameters that are called code, by the
// functions of a file, and that of Refuse.
func codeParameters(file *ast.File) map[string]int {
	places := map[string]int{"Refuse": 1}
	note := func(name string, typ *ast.FuncType) {
		i := 0
		for _, field := range typ.Params.List {
			for _, parameter := range field.Names {
				if parameter.Name == "code" {
					places[name] = i
				}
				i++
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			note(n.Name.Name, n.Type)
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				name, named := left.(*ast.Ident)
				if f, ok := n.Rhs[min(i, len(n.Rhs)-1)].(*ast.FuncLit); ok && named {
					note(name.Name, f.Type)
				}
			}
		}
		return true
	})
	return places
}
