package directory

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"maps"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const said = "hunter2"

func TestSecretPrintsNowhere(t *testing.T) {
	s := NewSecret(said)
	for _, held := range []any{s, &s, []Secret{s}, map[string]Secret{"a": s}, struct{ S Secret }{s}, struct{ s *Secret }{&s}, struct{ in struct{ s Secret } }{struct{ s Secret }{s}}} {
		tellsNothing(t, fmt.Sprintf("%T", held), reflect.ValueOf(held))
	}
	if s.Reveal() != said || s.IsZero() || !(Secret{}).IsZero() || !NewSecret("").IsZero() || (Secret{}).Reveal() != "" {
		t.Error("Reveal does not give the value")
	}
	if text := fmt.Sprintf("%v %+v %s %q %d %x %#v %s", s, s, s, s, s, s, s, fmt.Errorf("failed with %v: %w", s, ErrInvalid)); text !=
		"REDACTED REDACTED REDACTED REDACTED REDACTED REDACTED directory.Secret(REDACTED) failed with REDACTED: "+ErrInvalid.Error() {
		t.Errorf("a secret prints as %q", text)
	}
	if !s.Equal(NewSecret(said)) || s.Equal(NewSecret("hunter3")) || s.Equal(Secret{}) || !(Secret{}).Equal(NewSecret("")) {
		t.Error("Equal does not compare values")
	}
}

// TestEveryHolderPrintsNothing builds, by reflection, every struct of the module
// that holds a Secret, as deep as its source says and with its unexported fields,
// and has it printed in every way there is. A type that is added is among them.
func TestEveryHolderPrintsNothing(t *testing.T) {
	m := readModule(t)
	found := map[string]bool{}
	for _, s := range m.structs {
		shape := m.structOf(s.pkg, s.file, s.node)
		if shape == nil {
			continue
		}
		found[s.name] = true
		v := reflect.New(shape)
		fill(v.Elem())
		tellsNothing(t, s.name, v)
		tellsNothing(t, s.name, v.Elem())
	}
	// That the source was understood at all: a field, one in a field, a map, a type
	// argument, a field of another package's type.
	for _, name := range []string{"connect.tokenSet", "connect.cachedTokens", "connect.fixedToken", "connect.Service", "vault.Memory", "app.Secret", "directory.Write"} {
		if !found[name] {
			t.Errorf("%s holds a Secret, and the test did not see it; it saw %v", name, slices.Sorted(maps.Keys(found)))
		}
	}
}

// tellsNothing prints a value that holds a secret in every way there is.
func tellsNothing(t *testing.T, name string, v reflect.Value) {
	t.Helper()
	held := v.Interface()
	for _, verb := range "vsqxXdtcbopeUT" {
		for _, flag := range []string{"", "+", "#", " ", "-20"} {
			if text := fmt.Sprintf("%"+flag+string(verb), held); tells(text) {
				t.Errorf("%s: %%%s%c prints the secret: %s", name, flag, verb, text)
			}
		}
	}
	var text, lines bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("x", "held", held)
	slog.New(slog.NewJSONHandler(&lines, nil)).Info("x", slog.Group("in", "held", held))
	raw, err := json.Marshal(held)
	var binary bytes.Buffer
	errGob := gob.NewEncoder(&binary).Encode(held)
	for how, out := range map[string]string{"slog's text": text.String(), "slog's JSON": lines.String(), "JSON": fmt.Sprint(string(raw), err), "gob": fmt.Sprint(binary.String(), errGob)} {
		if tells(out) {
			t.Errorf("%s: %s tells the secret: %s", name, how, out)
		}
	}
	if reaches(v, 0) {
		t.Errorf("%s: reflection finds the secret", name)
	}
}

func tells(text string) bool {
	return strings.Contains(text, said) || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", said))
}

// reaches follows everything that reflection can read, unexported fields as well,
// as printers for debugging do.
func reaches(v reflect.Value, depth int) bool {
	if depth > 20 {
		return false
	}
	switch v.Kind() {
	case reflect.String:
		return tells(v.String())
	case reflect.Pointer, reflect.Interface:
		return !v.IsNil() && reaches(v.Elem(), depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			if reaches(v.Field(i), depth+1) {
				return true
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if reaches(v.Index(i), depth+1) {
				return true
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if reaches(it.Key(), depth+1) || reaches(it.Value(), depth+1) {
				return true
			}
		}
	}
	return false
}

var secretType = reflect.TypeFor[Secret]()

// fill puts a secret wherever one can stand.
func fill(v reflect.Value) {
	if v.Type() == secretType {
		*(*Secret)(v.Addr().UnsafePointer()) = NewSecret(said)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			fill(reflect.NewAt(f.Type(), f.Addr().UnsafePointer()).Elem()) // unexported ones too
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		in := reflect.New(v.Type().Elem()).Elem()
		fill(in)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("a"), in)
	}
}

// module is the source of the module: its structs, and its named types.
type module struct {
	structs []sourceStruct
	named   map[string]sourceType // by import path and name
	under   map[string]bool       // named types that are being looked at
}

type sourceStruct struct {
	name, pkg string
	file      *ast.File
	node      *ast.StructType
}

type sourceType struct {
	pkg  string
	file *ast.File
	expr ast.Expr
}

func readModule(t *testing.T) *module {
	t.Helper()
	m := &module{named: map[string]sourceType{}, under: map[string]bool{}}
	root := filepath.Join("..", "..")
	for _, top := range []string{"shared", "functions", "infra"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, filepath.Dir(p))
			if err != nil {
				return err
			}
			m.read("bindery/"+filepath.ToSlash(rel), file)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *module) read(pkg string, file *ast.File) {
	names := map[*ast.StructType]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.TypeSpec:
			m.named[pkg+"."+n.Name.Name] = sourceType{pkg, file, n.Type}
			if s, ok := n.Type.(*ast.StructType); ok {
				names[s] = path.Base(pkg) + "." + n.Name.Name
			}
		case *ast.StructType:
			name := names[n]
			if name == "" {
				name = path.Base(pkg) + ".(unnamed)"
			}
			m.structs = append(m.structs, sourceStruct{name, pkg, file, n})
		}
		return true
	})
}

// structOf is a struct's shape as far as secrets stand in it; nil for none.
func (m *module) structOf(pkg string, file *ast.File, s *ast.StructType) reflect.Type {
	var fields []reflect.StructField
	for _, f := range s.Fields.List {
		typ := m.shape(pkg, file, f.Type)
		if typ == nil {
			continue
		}
		names := []string{"embedded"}
		if len(f.Names) > 0 {
			names = names[:0]
			for _, n := range f.Names {
				names = append(names, n.Name)
			}
		}
		for _, name := range names {
			if name == "_" {
				continue
			}
			field := reflect.StructField{Name: name, Type: typ}
			if !ast.IsExported(name) {
				field.PkgPath = pkg
			}
			fields = append(fields, field)
		}
	}
	if fields == nil {
		return nil
	}
	return reflect.StructOf(fields)
}

// shape is a type as far as secrets stand in it; nil for none.
func (m *module) shape(pkg string, file *ast.File, expr ast.Expr) reflect.Type {
	switch e := expr.(type) {
	case *ast.ParenExpr:
		return m.shape(pkg, file, e.X)
	case *ast.Ident:
		return m.namedShape(pkg + "." + e.Name)
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok {
			return m.namedShape(imported(file, x.Name) + "." + e.Sel.Name)
		}
	case *ast.StarExpr:
		if in := m.shape(pkg, file, e.X); in != nil {
			return reflect.PointerTo(in)
		}
	case *ast.ArrayType:
		if in := m.shape(pkg, file, e.Elt); in != nil {
			return reflect.SliceOf(in)
		}
	case *ast.ChanType:
		return m.shape(pkg, file, e.Value) // what waits in it is printed by nobody; the type is
	case *ast.MapType:
		if in := m.shape(pkg, file, e.Value); in != nil {
			return reflect.MapOf(reflect.TypeFor[string](), in)
		}
	case *ast.StructType:
		return m.structOf(pkg, file, e)
	case *ast.IndexExpr: // a generic type keeps what its arguments are
		return m.shape(pkg, file, e.Index)
	case *ast.IndexListExpr:
		for _, arg := range e.Indices {
			if in := m.shape(pkg, file, arg); in != nil {
				return in
			}
		}
	}
	return nil
}

func (m *module) namedShape(name string) reflect.Type {
	if name == "bindery/shared/directory.Secret" {
		return secretType
	}
	typ, ok := m.named[name]
	if !ok || m.under[name] {
		return nil
	}
	m.under[name] = true
	defer delete(m.under, name)
	return m.shape(typ.pkg, typ.file, typ.expr)
}

// imported is the path of the package that a file knows by a name.
func imported(file *ast.File, name string) string {
	for _, i := range file.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err == nil && (i.Name != nil && i.Name.Name == name || i.Name == nil && path.Base(p) == name) {
			return p
		}
	}
	return ""
}

// plainlyKept are the fields that have a secret's name and plain text in them, each
// with why that must be, or is no secret.
var plainlyKept = map[string]string{
	"admin.Password.Password":            "the answer that shows a temporary password, once",
	"admin.IssuedScimToken.Token":        "the answer that shows a token, once",
	"connect.(unnamed).ClientSecret":     "decoded within one function",
	"app.Config.StateKeySecret":          "a secret's name",
	"app.Config.PasswordKeySecret":       "a secret's name",
	"console.storedSession.AccessToken":  "the form that is sealed into a row, within one function",
	"console.storedSession.RefreshToken": "the form that is sealed into a row, within one function",
	"console.(unnamed).Password":         "decoded and shown within one function, once",
	"console.(unnamed).Token":            "decoded and shown within one function, once",
	"connect.storedTokens.AccessToken":   "the form in the vault, within one function",
	"connect.storedTokens.RefreshToken":  "the form in the vault, within one function",
	"deploy.(unnamed).Access":            "decoded within one function",
	"deploy.(unnamed).Token":             "decoded within one function",
	"deploy.credential.Secret":           "Graph's answer with a new client secret, within one function",
	"browser.Client.Secret":              "of an application at the simulator, for tests",
	"state.App.Secret":                   "of the simulator, which keeps its state in the clear",
	"state.AccessToken.Token":            "of the simulator, which keeps its state in the clear",
	"identity.refreshToken.Token":        "of the simulator, which keeps its state in the clear",
	"cloud.Principal.Token":              "of a simulated AWS",
	"lambdas.keys.secret":                "of a simulated AWS",
	"lambdas.keys.token":                 "of a simulated AWS",
	"scimtest.Server.Token":              "of a client that a test has made",
	"scimtest.(unnamed).token":           "of a client that a test has made",
	"stack.Client.Token":                 "of the local stack, for the demo and tests",
}

// TestNoSecretInPlainFields: a field with a secret's name is a Secret, or stands above.
func TestNoSecretInPlainFields(t *testing.T) {
	named := regexp.MustCompile(`(?i)(secret|password|passphrase|token|bearer|verifier)$|^(access|refresh)$`)
	used := map[string]bool{}
	for _, s := range readModule(t).structs {
		for _, f := range s.node.Fields.List {
			if !isText(f.Type) {
				continue
			}
			for _, n := range f.Names {
				name := s.name + "." + n.Name
				if !named.MatchString(n.Name) {
					continue
				}
				if used[name] = true; plainlyKept[name] == "" {
					t.Errorf("%s (%s) keeps in plain text what its name calls a secret: make it a directory.Secret, or say in plainlyKept why not", name, s.pkg)
				}
			}
		}
	}
	for name := range plainlyKept {
		if !used[name] {
			t.Errorf("plainlyKept names %s, which is not there", name)
		}
	}
}

// isText reports whether a type is a text or bytes.
func isText(expr ast.Expr) bool {
	switch e := expr.(type) {
	case *ast.Ident:
		return e.Name == "string"
	case *ast.StarExpr:
		return isText(e.X)
	case *ast.ArrayType:
		in, ok := e.Elt.(*ast.Ident)
		return ok && (in.Name == "byte" || in.Name == "string")
	}
	return false
}
