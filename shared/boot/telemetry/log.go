package telemetry

import (
	"io"
	"log/slog"
	"time"

	"bindery/shared/directory"
)

// NewLogger returns a logger that writes JSON lines, RFC 3339 times in UTC.
// What looks like an address of a person or like a token is masked in every
// value, whoever put it there.
func NewLogger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: scrubAttr}))
}

func scrubAttr(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		if t, ok := a.Value.Any().(time.Time); ok {
			return slog.Time(slog.TimeKey, t.UTC())
		}
	}
	switch v := a.Value.Any().(type) {
	case string:
		a.Value = slog.StringValue(directory.Scrub(v))
	case error:
		a.Value = slog.StringValue(directory.Scrub(v.Error()))
	case []byte:
		a.Value = slog.StringValue(directory.Scrub(string(v)))
	case []string:
		masked := make([]string, len(v))
		for i, s := range v {
			masked[i] = directory.Scrub(s)
		}
		a.Value = slog.AnyValue(masked)
	}
	return a
}
