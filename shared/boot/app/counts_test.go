package app

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"bindery/shared/boot/telemetry"
	"bindery/shared/core/connect"
	"bindery/shared/core/doctor"
	"bindery/shared/core/schedule"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

// refusing is a queue that takes nothing.
type refusing struct{}

func (refusing) Send(context.Context, directory.WakeUp, time.Duration) error {
	return errors.New("denied")
}
func (refusing) SendAll(context.Context, []directory.WakeUp) error { return errors.New("denied") }
func (refusing) SendLoad(context.Context, directory.WakeUp, time.Duration) error {
	return errors.New("denied")
}
func (refusing) SendSweep(context.Context, directory.WakeUp, time.Duration) error {
	return errors.New("denied")
}

func TestFailuresAreCounted(t *testing.T) {
	t.Parallel()
	count := func(do func(ctx context.Context)) map[telemetry.Metric]float64 {
		ctx, i := telemetry.Begin(context.Background(), telemetry.Config{})
		do(ctx)
		return i.Counts()
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
	if err := s.Connections.CreateConnection(t.Context(), directory.AuditEvent{}, &c); err != nil {
		t.Fatal(err)
	}
	core := NewCore(Parts{Store: s, Queue: refusing{}, Now: clock, ClientSecret: &connect.ClientSecret{Stored: func(context.Context) (directory.Secret, error) {
		return directory.NewSecret(`{"clientSecret":"x","ends":"` + now.Add(20*24*time.Hour+time.Hour).UTC().Format(time.RFC3339) + `"}`), nil
	}}})
	job := func(by string, p *directory.Problem) func(context.Context) {
		return func(ctx context.Context) {
			countJob(ctx, &directory.Job{State: directory.JobFailed, AskedBy: by, Error: p})
		}
	}
	for what, tt := range map[string]struct {
		do   func(ctx context.Context)
		want map[telemetry.Metric]float64
	}{
		"a tick whose wake-ups are refused": {func(ctx context.Context) {
			if core.Tick(ctx) == nil {
				t.Error("the tick tells of no error")
			}
		}, map[telemetry.Metric]float64{telemetry.ScheduleTicks: 1, telemetry.ScheduleFailures: 1, telemetry.WakeUpsFailed: 1, telemetry.WakeUps: 0, telemetry.ConnectionsActive: 1,
			telemetry.ConnectionsLate: 0, telemetry.ConnectionsNeedAuthorization: 0, telemetry.RunsHeld: 0, telemetry.ClientSecretDays: 20}},
		"a tick that was cut": {func(ctx context.Context) { countTick(telemetry.InvocationOf(ctx), &schedule.Ticked{Cut: true}) },
			map[telemetry.Metric]float64{telemetry.ScheduleTicks: 1, telemetry.ScheduleCut: 1, telemetry.WakeUps: 0, telemetry.ConnectionsActive: 0, telemetry.ConnectionsLate: 0, telemetry.ConnectionsNeedAuthorization: 0, telemetry.RunsHeld: 0}},
		"a refused client secret":             {func(ctx context.Context) { countFault(ctx, connect.ClientSecretRefused) }, map[telemetry.Metric]float64{telemetry.ClientSecretRefused: 1}},
		"tokens that are not saved":           {func(ctx context.Context) { countFault(ctx, connect.TokensUnsaved) }, map[telemetry.Metric]float64{telemetry.TokensUnsaved: 1}},
		"a job that nobody asked for":         {job("", &directory.Problem{Code: "rights-missing"}), map[telemetry.Metric]float64{telemetry.JobsFailed: 1}},
		"a job that was given up":             {job("ada", &directory.Problem{Code: "gave-up"}), map[telemetry.Metric]float64{telemetry.JobsFailed: 1}},
		"a job that its asker must put right": {job("ada", &directory.Problem{Code: "needs-authorization"}), map[telemetry.Metric]float64{}},
	} {
		if got := count(tt.do); !maps.Equal(got, tt.want) {
			t.Errorf("%s: counts %v, want %v", what, got, tt.want)
		}
	}
}

// TestSlicesThatFailAreCounted: a slice that an error ended has put itself off,
// and its message succeeds.
func TestSlicesThatFailAreCounted(t *testing.T) {
	t.Parallel()
	s, q := store.New(memory.New(), store.Options{}), &posted{}
	core := NewCore(Parts{Store: s, Queue: q}) // without Graph: each read fails
	c := directory.Connection{ID: "con_a", Status: directory.StatusActive, Epoch: 1, AuthorizedAt: time.Now(), Tenant: &directory.Tenant{ID: "t"}}
	if err := s.Connections.CreateConnection(t.Context(), directory.AuditEvent{}, &c); err != nil {
		t.Fatal(err)
	}
	ctx, i := telemetry.Begin(t.Context(), telemetry.Config{})
	if err := core.Work(ctx, directory.WakeUp{ConnectionID: c.ID}.Encode()); err != nil {
		t.Fatal(err)
	}
	if i.Counts()[telemetry.SyncFailures] != 1 || len(q.work) != 1 {
		t.Errorf("counts %v and %d wake-ups, want one failure and that it is tried again", i.Counts(), len(q.work))
	}
}
