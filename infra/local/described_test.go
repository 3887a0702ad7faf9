package main

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bindery/infra/docs"
	"bindery/infra/stack"
	"bindery/infra/stacktest"
)

const apiDocument = "shared/api/admin/README.md"

// describedOp is one of the API's description.
type describedOp struct {
	method, path string // the path's parameters are {}
	scope        string // without bindery/
	query        []string
	body         map[string]any // schema of a JSON body; nil: none
}

// description is as much of /v1/openapi.json as documents are held against.
type description struct {
	operations []describedOp
	schemas    map[string]any
}

func describedAPI(t *testing.T) *description {
	t.Helper()
	w := stacktest.Open(t, stack.Config{})
	status, body, err := w.API.Raw(t.Context(), http.MethodGet, "/v1/openapi.json", "", "")
	if err != nil || status != http.StatusOK {
		t.Fatalf("the description answers %d, %v", status, err)
	}
	type described struct {
		Parameters  []struct{ Name, In string }
		Security    []map[string][]string
		RequestBody struct {
			Content map[string]struct{ Schema map[string]any }
		}
	}
	var all struct {
		Paths      map[string]map[string]described
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		t.Fatal(err)
	}
	d := &description{schemas: all.Components.Schemas}
	for path, methods := range all.Paths {
		for method, o := range methods {
			op := describedOp{method: strings.ToUpper(method), path: nameless(path), body: o.RequestBody.Content["application/json"].Schema}
			for _, s := range o.Security {
				for _, scope := range s["bearer"] {
					op.scope = strings.TrimPrefix(scope, "bindery/")
				}
			}
			for _, p := range o.Parameters {
				if p.In == "query" {
					op.query = append(op.query, p.Name)
				}
			}
			d.operations = append(d.operations, op)
		}
	}
	d.operations = append(d.operations, describedOp{method: http.MethodGet, path: "/v1/openapi.json"}) // describes the others
	return d
}

var parameter = regexp.MustCompile(`\{[^}/]*\}|(con|usr|run|job)_…|\$[A-Z_]+`)

func nameless(path string) string { return parameter.ReplaceAllString(path, "{}") }

// find returns the operation of a method and a path. A path that begins with …
// is the end of one.
func (d *description) find(method, path string) *describedOp {
	path = nameless(path)
	rest, shortened := strings.CutPrefix(path, "…")
	i := slices.IndexFunc(d.operations, func(o describedOp) bool {
		return o.method == method && (o.path == path || shortened && strings.HasSuffix(o.path, rest))
	})
	if i < 0 {
		return nil
	}
	return &d.operations[i]
}

// has reports whether a schema has a member, or takes any.
func (d *description) has(schema map[string]any, member string) (of map[string]any, ok bool) {
	for {
		ref, _ := schema["$ref"].(string)
		if ref == "" {
			break
		}
		schema, _ = d.schemas[ref[strings.LastIndex(ref, "/")+1:]].(map[string]any)
	}
	for _, form := range []string{"oneOf", "anyOf", "allOf"} {
		forms, _ := schema[form].([]any)
		for _, f := range forms {
			one, _ := f.(map[string]any)
			if of, ok := d.has(one, member); ok {
				return of, true
			}
		}
	}
	members, _ := schema["properties"].(map[string]any)
	if of, ok := members[member].(map[string]any); ok {
		return of, true
	}
	of, ok = schema["additionalProperties"].(map[string]any)
	return of, ok
}

// unknown returns the members of a body that its schema does not have.
func (d *description) unknown(schema map[string]any, body any) []string {
	var list []string
	members, _ := body.(map[string]any)
	for name, value := range members {
		of, ok := d.has(schema, name)
		if !ok {
			list = append(list, name)
			continue
		}
		list = append(list, d.unknown(of, value)...)
	}
	return list
}

var (
	mentioned = regexp.MustCompile("((?:GET|POST|PUT|PATCH|DELETE)(?:\\\\?\\|(?:GET|POST|PUT|PATCH|DELETE))*) ((?:…|/v1)[^ `?]*)(?:\\?([^ `]*))?")
	inQuery   = regexp.MustCompile(`([A-Za-z]+)=`)
)

// What the documents call is an operation of the API's description, with that
// one's parameters and members.
func TestDocumentsCallWhatIsDescribed(t *testing.T) {
	t.Parallel()
	api := describedAPI(t)
	documents, err := docs.Read("../..")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	hold := func(where, text string) {
		for _, m := range mentioned.FindAllStringSubmatch(text, -1) {
			for method := range strings.SplitSeq(strings.ReplaceAll(m[1], `\`, ""), "|") {
				found++
				op := api.find(method, m[2])
				if op == nil {
					t.Errorf("%s: there is no %s %s", where, method, m[2])
					continue
				}
				for _, q := range inQuery.FindAllStringSubmatch(m[3], -1) {
					if !slices.Contains(op.query, q[1]) {
						t.Errorf("%s: %s %s has no parameter %s", where, method, m[2], q[1])
					}
				}
				_, text, _ = strings.Cut(text, m[0])
				if raw := strings.TrimSpace(text); strings.HasPrefix(raw, `{"`) {
					var body map[string]any
					if err := json.NewDecoder(strings.NewReader(raw)).Decode(&body); err != nil {
						t.Errorf("%s: the body is no JSON: %v", where, err)
					}
					for _, name := range api.unknown(op.body, body) {
						t.Errorf("%s: the body of %s %s has no member %s", where, method, m[2], name)
					}
				}
			}
		}
	}
	for i := range documents {
		d := &documents[i]
		if filepath.Dir(d.Path) == "shared/entra" || strings.HasPrefix(d.Path, "shared/entra/") {
			continue // those call Microsoft
		}
		for n, line := range d.Prose() {
			hold(d.Where(n+1), line)
		}
		blocks, err := d.Blocks()
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks {
			if b.Language != "http" {
				continue
			}
			for line := range strings.SplitSeq(b.Text, "\n") {
				hold(b.Where(), line)
			}
		}
	}
	if found < 120 {
		t.Errorf("only %d calls were found", found)
	}
}

var (
	rowOfTable = regexp.MustCompile(`^\| (.*?) \| (.*?) \| .*\|$`)
	span       = regexp.MustCompile("`([^`]+)`")
	listed     = regexp.MustCompile(`[A-Za-z]+`)
)

// The table of operations has each operation of the description once, with its
// scope, its parameters and the members of its body.
func TestEachOperationIsDocumented(t *testing.T) {
	t.Parallel()
	api := describedAPI(t)
	documents, err := docs.Read("../..")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(documents, func(d docs.Document) bool { return d.Path == apiDocument })
	told := map[string]bool{}
	for n, line := range documents[i].Prose() {
		m := rowOfTable.FindStringSubmatch(strings.ReplaceAll(line, `\|`, "¦"))
		if m == nil || !strings.HasPrefix(m[1], "`") || !strings.Contains(m[1], "/v1") {
			continue
		}
		where := documents[i].Where(n + 1)
		method, path := "", ""
		var ops []*describedOp
		for _, s := range span.FindAllStringSubmatch(m[1], -1) {
			text := strings.ReplaceAll(s[1], "¦", "|")
			switch {
			case strings.HasPrefix(text, "?"):
				for _, q := range listed.FindAllString(text, -1) {
					if !slices.Contains(ops[len(ops)-1].query, q) {
						t.Errorf("%s: %s %s has no parameter %s", where, method, path, q)
					}
				}
				continue
			case strings.HasPrefix(text, "{"):
				for _, name := range listed.FindAllString(text, -1) {
					if !slices.ContainsFunc(ops, func(o *describedOp) bool { _, ok := api.has(o.body, name); return ok }) {
						t.Errorf("%s: the body of %s %s has no member %s", where, method, path, name)
					}
				}
				continue
			case strings.HasPrefix(text, "/"): // the same, with another end
				path = path[:strings.LastIndex(path, "/")] + text
			default:
				method, path, _ = strings.Cut(text, " ")
			}
			for one := range strings.SplitSeq(method, "|") {
				op := api.find(one, path)
				if op == nil {
					t.Fatalf("%s: there is no %s %s", where, one, path)
				}
				ops = append(ops, op)
				told[op.method+" "+op.path] = true
				if !strings.Contains(m[2], op.scope) {
					t.Errorf("%s: %s %s needs %s, and its row says %s", where, op.method, op.path, op.scope, m[2])
				}
			}
		}
	}
	for _, o := range api.operations {
		if !told[o.method+" "+o.path] {
			t.Errorf("%s does not tell %s %s", apiDocument, o.method, o.path)
		}
	}
}
