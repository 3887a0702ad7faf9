package template

import (
	"go/ast"
	"testing"
)

// TestOneWayToWait: what waits for a time, or for its context to end, does so by
// clock.Sleep; and nothing of the product waits without looking at a context.
func TestOneWayToWait(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.test || s.pkg == "shared/clock" {
			continue
		}
		product := within(s.pkg, []string{"functions/...", "shared/..."}) && !within(s.pkg, suites)
		ast.Inspect(s.tree, func(n ast.Node) bool {
			if n == nil {
				return false
			}
			at := s.fset.Position(n.Pos())
			switch n := n.(type) {
			case *ast.SelectStmt:
				if isSleep(n) {
					t.Errorf("%s waits by hand; clock.Sleep does it", at)
				}
			case *ast.CallExpr:
				if product && isCall(n, "time", "Sleep") {
					t.Errorf("%s waits whatever becomes of its context; clock.Sleep does not", at)
				}
			}
			return true
		})
	}
}

// suites are packages of test code that are not under infra.
var suites = []string{"shared/table/tabletest", "shared/store/storetest", "shared/platform/queue/queuetest", "shared/testworld"}

// isSleep reports whether a select waits for a timer and for the end of a context,
// and for nothing else.
func isSleep(s *ast.SelectStmt) bool {
	timer, done := false, false
	for _, c := range s.Body.List {
		from := received(c.(*ast.CommClause).Comm)
		switch from := from.(type) {
		case *ast.CallExpr:
			called, _ := from.Fun.(*ast.SelectorExpr)
			done = done || called != nil && called.Sel.Name == "Done"
			timer = timer || isCall(from, "time", "After")
		case *ast.SelectorExpr:
			timer = timer || from.Sel.Name == "C"
		}
	}
	return timer && done && len(s.Body.List) == 2
}

// received is what a clause of a select receives from; nil when it does not.
func received(s ast.Stmt) ast.Expr {
	e, ok := s.(*ast.ExprStmt)
	if !ok {
		return nil
	}
	u, ok := e.X.(*ast.UnaryExpr)
	if !ok {
		return nil
	}
	return u.X
}

// isCall reports whether a call is of a package's function.
func isCall(c *ast.CallExpr, pkg, name string) bool {
	f, ok := c.Fun.(*ast.SelectorExpr)
	if !ok || f.Sel.Name != name {
		return false
	}
	x, ok := f.X.(*ast.Ident)
	return ok && x.Name == pkg
}
