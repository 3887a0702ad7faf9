package console

import (
	"context"
	"log/slog"
)

// requestLog writes with each line the ID of the request that it is of: the page at whose
// foot the ID stands leads to the line that says why.
type requestLog struct {
	slog.Handler
	id func(ctx context.Context) string
}

func (h requestLog) Handle(ctx context.Context, r slog.Record) error {
	if id := h.id(ctx); id != "" {
		r = r.Clone()
		r.AddAttrs(slog.String("apiRequestId", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h requestLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestLog{h.Handler.WithAttrs(attrs), h.id}
}

func (h requestLog) WithGroup(name string) slog.Handler {
	return requestLog{h.Handler.WithGroup(name), h.id}
}
