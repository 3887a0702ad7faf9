package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"bindery/shared/directory"
)

// Config is where an Invocation goes.
type Config struct {
	Log     *slog.Logger     // nil: nothing is logged
	Metrics *EMF             // nil: nothing is counted
	Now     func() time.Time // nil means time.Now
}

// Invocation gathers what is to be said about one call of a function and says
// it in one line when the call ends. Its methods may be called at once from
// many goroutines, and on nil, where they do nothing.
type Invocation struct {
	cfg     Config
	started time.Time

	mu     sync.Mutex
	attrs  []slog.Attr
	places map[string]int // key -> index in attrs
	counts map[Metric]float64
}

type invocationKey struct{}

// Begin starts an Invocation and puts it into the context.
func Begin(ctx context.Context, cfg Config) (context.Context, *Invocation) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	i := &Invocation{cfg: cfg, started: cfg.Now(), places: map[string]int{}, counts: map[Metric]float64{}}
	return context.WithValue(ctx, invocationKey{}, i), i
}

// InvocationOf returns the Invocation of a context, or nil.
func InvocationOf(ctx context.Context) *Invocation {
	i, _ := ctx.Value(invocationKey{}).(*Invocation)
	return i
}

// Set puts a value under a key of the line; the last one counts. IDs and
// numbers only: no names of people, no bodies.
func (i *Invocation) Set(key string, value any) {
	if i == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if at, ok := i.places[key]; ok {
		i.attrs[at] = slog.Any(key, value)
		return
	}
	i.places[key] = len(i.attrs)
	i.attrs = append(i.attrs, slog.Any(key, value))
}

// Count adds to a metric, which goes into the line and to CloudWatch. Adding 0
// reports a 0, which a gauge needs.
func (i *Invocation) Count(m Metric, n int) {
	if i == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.counts[m] += float64(n)
}

// Counts returns what has been counted so far.
func (i *Invocation) Counts() map[Metric]float64 {
	if i == nil {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return maps.Clone(i.counts)
}

// RetryAfter is set to when a caller is told to come again, who is answered 5xx on purpose:
// the line is no error then. An identity provider that is paused asks on for hours.
const RetryAfter = "retryAfter"

// End writes the line and the metrics. An error is logged here and nowhere else.
func (i *Invocation) End(ctx context.Context, err error) {
	if i == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	attrs := append(i.attrs, slog.Int64("durationMs", i.cfg.Now().Sub(i.started).Milliseconds()))
	if len(i.counts) > 0 {
		attrs = append(attrs, slog.Any("counts", i.counts))
	}
	level := slog.LevelInfo
	_, again := i.places[RetryAfter]
	if at, ok := i.places["status"]; ok && !again && i.attrs[at].Value.Kind() == slog.KindInt64 && i.attrs[at].Value.Int64() >= 500 {
		level = slog.LevelError // answered, but not as it should be
	}
	if err != nil {
		level = slog.LevelError
		attrs = append(attrs, errorAttrs(err)...)
	}
	i.cfg.Log.LogAttrs(ctx, level, "invocation", attrs...)
	ids := map[string]string{}
	for _, a := range i.attrs {
		if s, ok := a.Value.Any().(string); ok {
			ids[a.Key] = s
		}
	}
	if i.cfg.Metrics != nil {
		i.cfg.Metrics.Emit(i.counts, ids)
	}
}

// errorAttrs says what went wrong. A refusal and a problem are sentences for
// the admin and may name people: of them only the code is logged.
func errorAttrs(err error) []slog.Attr {
	if r, ok := errors.AsType[*directory.Refusal](err); ok {
		return []slog.Attr{slog.String("error", "refused"), slog.String("code", r.Code)}
	}
	if p, ok := errors.AsType[*directory.Problem](err); ok {
		attrs := []slog.Attr{slog.String("error", "problem"), slog.String("code", p.Code)}
		if p.MicrosoftCode != "" {
			attrs = append(attrs, slog.String("microsoftCode", p.MicrosoftCode))
		}
		if p.RequestID != "" {
			attrs = append(attrs, slog.String("microsoftRequestId", p.RequestID))
		}
		return attrs
	}
	return []slog.Attr{slog.String("error", err.Error())}
}
