package boot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/connect"
	"bindery/shared/core/doctor"
	"bindery/shared/core/schedule"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

// metrics are the numbers that were sent to CloudWatch, added up.
func metrics(t *testing.T, out []byte) map[Metric]float64 {
	t.Helper()
	sum := map[Metric]float64{}
	for line := range bytes.Lines(out) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatal(err)
		}
		if m["_aws"] == nil {
			continue
		}
		for name, v := range m {
			if n, ok := v.(float64); ok {
				sum[Metric(name)] += n
			}
		}
	}
	return sum
}

// TestFailedMessagesAreCounted: Lambda takes an invocation whose messages failed
// for a success.
func TestFailedMessagesAreCounted(t *testing.T) {
	for function, want := range map[Function]Metric{Sync: SyncFailures, Deactivate: SweepFailures} {
		var out bytes.Buffer
		app := &App{Config: Config{Function: function}, Log: NewLogger(io.Discard, slog.LevelInfo), Metrics: &Metrics{Writer: &out}}
		h := Handler{app: app, Message: func(_ context.Context, body []byte) error {
			switch string(body) {
			case `"bad"`:
				return errors.New("no")
			case `"worse"`:
				panic("no")
			}
			return nil
		}}
		event := `{"Records":[` + strings.Join([]string{
			`{"eventSource":"aws:sqs","messageId":"1","body":"\"bad\""}`, `{"eventSource":"aws:sqs","messageId":"2","body":"\"good\""}`,
			`{"eventSource":"aws:sqs","messageId":"3","body":"\"worse\""}`, `{"eventSource":"aws:sqs","messageId":"4","body":"no JSON"}`,
		}, ",") + `]}`
		if _, err := h.Invoke(t.Context(), []byte(event)); err != nil {
			t.Fatal(err)
		}
		if got := metrics(t, out.Bytes()); got[want] != 3 {
			t.Errorf("%s: %v, want %s = 3", function, got, want)
		}
	}
}

// refusing is a queue that takes nothing.
type refusing struct{}

func (refusing) Send(context.Context, directory.WakeUp, time.Duration) error {
	return errors.New("denied")
}
func (refusing) SendAll(context.Context, []directory.WakeUp) error { return errors.New("denied") }
func (refusing) SendSweep(context.Context, directory.WakeUp, time.Duration) error {
	return errors.New("denied")
}

func TestFailuresAreCounted(t *testing.T) {
	count := func(do func(ctx context.Context)) map[Metric]float64 {
		ctx, i := Begin(context.Background(), NewLogger(io.Discard, slog.LevelInfo), nil, nil)
		do(ctx)
		return i.counts
	}
	// At an hour at which it is not the connection's turn to be looked at, for which
	// the tick would send another wake-up.
	now := directory.LastTurn("con_a/check", doctor.CheckEvery, time.Now()).Add(3 * time.Hour)
	for directory.TurnDue("con_a/check", doctor.CheckEvery, time.Time{}, now) {
		now = now.Add(15 * time.Minute)
	}
	clock := func() time.Time { return now }
	s := store.New(memory.New(), store.Options{Now: clock})
	c := directory.Connection{ID: "con_a", Status: directory.StatusActive, Epoch: 1, AuthorizedAt: now}
	if err := s.CreateConnection(t.Context(), directory.Act{}, &c); err != nil {
		t.Fatal(err)
	}
	core := NewCore(Parts{Store: s, Queue: refusing{}, Now: clock, ClientSecretEnds: func(context.Context) (time.Time, error) {
		return now.Add(20*24*time.Hour + time.Hour), nil
	}})
	job := func(by string, p *directory.Problem) func(context.Context) {
		return func(ctx context.Context) {
			countJob(ctx, &directory.Job{State: directory.JobFailed, AskedBy: by, Error: p})
		}
	}
	for what, tt := range map[string]struct {
		do   func(ctx context.Context)
		want map[Metric]float64
	}{
		"a tick whose wake-ups are refused": {func(ctx context.Context) {
			if core.Tick(ctx) == nil {
				t.Error("the tick tells of no error")
			}
		}, map[Metric]float64{ScheduleTicks: 1, ScheduleFailures: 1, WakeUpsFailed: 1, WakeUps: 0, ConnectionsActive: 1,
			ConnectionsLate: 0, ConnectionsNeedAuthorization: 0, RunsHeld: 0, ClientSecretDays: 20}},
		"a tick that was cut": {func(ctx context.Context) { countTick(InvocationOf(ctx), &schedule.Ticked{Cut: true}) },
			map[Metric]float64{ScheduleTicks: 1, ScheduleCut: 1, WakeUps: 0, ConnectionsActive: 0, ConnectionsLate: 0, ConnectionsNeedAuthorization: 0, RunsHeld: 0}},
		"a refused client secret":             {func(ctx context.Context) { countFault(ctx, connect.ClientSecretRefused) }, map[Metric]float64{ClientSecretRefused: 1}},
		"tokens that are not saved":           {func(ctx context.Context) { countFault(ctx, connect.TokensUnsaved) }, map[Metric]float64{TokensUnsaved: 1}},
		"a job that nobody asked for":         {job("", &directory.Problem{Code: "rights-missing"}), map[Metric]float64{JobsFailed: 1}},
		"a job that was given up":             {job("ada", &directory.Problem{Code: "gave-up"}), map[Metric]float64{JobsFailed: 1}},
		"a job that its asker must put right": {job("ada", &directory.Problem{Code: "needs-authorization"}), map[Metric]float64{}},
	} {
		if got := count(tt.do); !maps.Equal(got, tt.want) {
			t.Errorf("%s: counts %v, want %v", what, got, tt.want)
		}
	}
}

// TestSlicesThatFailAreCounted: a slice that an error ended has put itself off,
// and its message succeeds.
func TestSlicesThatFailAreCounted(t *testing.T) {
	s, q := store.New(memory.New(), store.Options{}), &posted{}
	core := NewCore(Parts{Store: s, Queue: q}) // without Graph: each read fails
	c := directory.Connection{ID: "con_a", Status: directory.StatusActive, Epoch: 1, AuthorizedAt: time.Now(), Tenant: &directory.Tenant{ID: "t"}}
	if err := s.CreateConnection(t.Context(), directory.Act{}, &c); err != nil {
		t.Fatal(err)
	}
	ctx, i := Begin(t.Context(), NewLogger(io.Discard, slog.LevelInfo), nil, nil)
	if err := core.Work(ctx, directory.WakeUp{ConnectionID: c.ID}.Encode()); err != nil {
		t.Fatal(err)
	}
	if i.counts[SyncFailures] != 1 || len(q.work) != 1 {
		t.Errorf("counts %v and %d wake-ups, want one failure and that it is tried again", i.counts, len(q.work))
	}
}

func TestClientSecret(t *testing.T) {
	for stored, want := range map[string]struct {
		secret, ends, err string
	}{
		"abc8Q~x": {"abc8Q~x", "", ""},
		`{"clientSecret":" abc8Q~x\n","ends":"2027-01-31"}`:        {"abc8Q~x", "2027-01-31T00:00:00Z", ""},
		`{"clientSecret":"abc8Q~x","ends":"2027-01-31T12:30:00Z"}`: {"abc8Q~x", "2027-01-31T12:30:00Z", ""},
		`{"clientSecret":"abc8Q~x","keyId":"another member"}`:      {"abc8Q~x", "", ""},
		`{"clientSecret":"abc8Q~x","ends":"soon"}`:                 {"abc8Q~x", "", "must be a day"},
		`{"secret":"abc8Q~x"}`:                                     {"", "", "no text"},
		`{"clientSecret":"abc8Q~x"`:                                {"", "", "no text"},
	} {
		text := func(context.Context) (directory.Secret, error) { return directory.NewSecret(stored), nil }
		secret, err := clientSecret(text)(t.Context())
		if secret.Reveal() != want.secret || (err == nil) != (want.secret != "") {
			t.Errorf("client secret = %v, %v, want %d characters", secret, err, len(want.secret))
		}
		ends, err := clientSecretEnds(text)(t.Context())
		got := ""
		if !ends.IsZero() {
			got = ends.Format(time.RFC3339)
		}
		if got != want.ends || (err != nil) != (want.err != "") || err != nil && !strings.Contains(err.Error(), want.err) {
			t.Errorf("ends = %q, %v, want %q, %q", got, err, want.ends, want.err)
		}
		if err != nil && strings.Contains(fmt.Sprint(err), "abc8Q") {
			t.Error("an error repeats the secret")
		}
	}
}
