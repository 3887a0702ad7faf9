package template

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// spelt are the keys that name the same thing in another way, with the one that is
// used: whoever searches the log for a connection must find all of its lines.
var spelt = map[string]string{
	"connection": "connectionId", "conn": "connectionId", "run": "runId", "user": "userId", "job": "jobId", "binding": "userId",
	"tenant": "tenantId", "account": "microsoftId", "group": "groupId", "err": "error", "request": "requestId",
}

var keyForm = regexp.MustCompile(`^[a-z][A-Za-z0-9]*$`)

// logCalls are the functions whose arguments are keys and values, with the place
// of the first key.
var logCalls = map[string]int{
	"Debug": 1, "Info": 1, "Warn": 1, "Error": 1, "DebugContext": 2, "InfoContext": 2, "WarnContext": 2, "ErrorContext": 2,
	"ProblemOf": 6,
	"Set":       0, // of a telemetry.Invocation
}

// attrs are slog's constructors of a key and its value.
var attrs = []string{"Any", "Bool", "Duration", "Float64", "Int", "Int64", "String", "Time", "Uint64"}

// logKeys are the constant keys of a call that writes to a log, or to an
// invocation's line.
func logKeys(call *ast.CallExpr) []*ast.BasicLit {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	of, _ := sel.X.(*ast.Ident)
	if of != nil && of.Name == "slog" && slices.Contains(attrs, sel.Sel.Name) {
		return literals(call.Args[:1])
	}
	first, ok := logCalls[sel.Sel.Name]
	switch {
	case !ok || len(call.Args) <= first:
		return nil
	case sel.Sel.Name == "Set" && !(of != nil && of.Name == "i" || strings.HasSuffix(callee(sel.X), "InvocationOf")):
		return nil
	case of != nil && of.Name == "http": // http.Error
		return nil
	case sel.Sel.Name == "Set":
		return literals(call.Args[:1])
	}
	var keys []*ast.BasicLit
	for at := first; at < len(call.Args); at += 2 {
		keys = append(keys, literals(call.Args[at:at+1])...)
	}
	return keys
}

// callee is the name of the function that an expression calls.
func callee(x ast.Expr) string {
	call, ok := x.(*ast.CallExpr)
	if !ok {
		return ""
	}
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

func literals(list []ast.Expr) (out []*ast.BasicLit) {
	for _, x := range list {
		if lit, ok := x.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			out = append(out, lit)
		}
	}
	return out
}

// TestLogKeys: a key of the log has one spelling, connectionId, runId, userId, and
// never another one for the same thing.
func TestLogKeys(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for _, s := range sources(t) {
		if s.test || !strings.HasPrefix(s.file, "shared/") || within(s.pkg, []string{"shared/entra/entratest/..."}) {
			continue
		}
		ast.Inspect(s.tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			for _, lit := range logKeys(call) {
				key, _ := strconv.Unquote(lit.Value) // it has been parsed
				found[key] = true
				switch {
				case spelt[key] != "":
					t.Errorf("%s: the key %q is spelt %q elsewhere", s.fset.Position(lit.Pos()), key, spelt[key])
				case !keyForm.MatchString(key):
					t.Errorf("%s: the key %q is not in camel case", s.fset.Position(lit.Pos()), key)
				}
			}
			return true
		})
	}
	for _, key := range []string{"connectionId", "runId", "userId", "jobId", "error", "durationMs", "attempt", "function"} {
		if !found[key] {
			t.Errorf("no line has the key %q: does the test see the calls?", key)
		}
	}
}
