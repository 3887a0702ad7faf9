package console

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// A line of the log has the ID that stands at the foot of the page, and one that is of no
// request has none.
func TestLogNamesTheRequest(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	type key struct{}
	l := slog.New(requestLog{slog.NewTextHandler(&out, nil), func(ctx context.Context) string { id, _ := ctx.Value(key{}).(string); return id }}).With("function", "console")
	l.ErrorContext(context.WithValue(t.Context(), key{}, "JKJaXmPLvHcESHA="), "console: request failed")
	l.Info("of no request")
	failed, other, _ := strings.Cut(out.String(), "\n")
	if !strings.Contains(failed, `function=console apiRequestId="JKJaXmPLvHcESHA="`) || strings.Contains(other, "apiRequestId") {
		t.Errorf("the log says\n%s", out.String())
	}
}

// What fails in the console leads from its page to the line that says why.
func TestLogOfAFailure(t *testing.T) {
	t.Parallel()
	w := signed(t, scopeRead)
	w.c.cfg.Sessions = deaf{w.rows}
	page := w.get("/console/users")
	if page.code != 500 || !strings.Contains(page.body, "req-1") || !strings.Contains(w.log.String(), "apiRequestId=req-1") {
		t.Errorf("%d, and the log says\n%s", page.code, w.log.String())
	}
}

// deaf is a table that does not answer.
type deaf struct{ *rows }

func (deaf) Session(context.Context, string) ([]byte, int64, error) {
	return nil, 0, errors.New("the table does not answer")
}
