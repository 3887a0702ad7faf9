package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

func TestListConnections(t *testing.T) {
	s, clock := newStore(t)
	var ids []directory.ConnectionID
	for i := range 205 {
		c := directory.Connection{ID: directory.ConnectionID(fmt.Sprintf("con_%03d", i)), Status: directory.StatusActive, Epoch: 1}
		must(t, s.Connections.CreateConnection(t.Context(), directory.AuditEvent{}, &c))
		ids = append(ids, c.ID)
	}
	l, c, err := s.Leases.AcquireLease(t.Context(), ids[7], "worker", time.Minute)
	must(t, err)
	must(t, s.Leases.SaveLink(t.Context(), &l, ReadLink{Link: "next", At: clock.Now()}))
	must(t, s.Connections.SaveHealth(t.Context(), ids[7], "well", clock.Now().Add(-time.Hour)))
	must(t, s.Users.db.table.Write(t.Context(), table.Write{Update: &table.Update{Key: connectionKey(ids[9]), SetBody: []byte(`{"name":7}`)}}))

	var got []directory.ConnectionID
	for after, more := directory.ConnectionID(""), true; more; {
		var list []ScheduledConnection
		list, more, err = s.Schedule.ScheduledConnections(t.Context(), after, 0)
		must(t, err)
		for i := range list {
			after = list[i].ID
			got = append(got, after)
			switch after {
			case ids[7]:
				if x := list[i]; !x.LeaseUntil.Equal(l.Until.Truncate(time.Millisecond)) || x.Link.Link != "next" || !x.CheckedAt.Equal(clock.Now().Add(-time.Hour)) || x.Version != c.Version {
					t.Errorf("listed as %+v, want lease, link and check", x)
				}
			case ids[9]:
				if list[i].Err == nil {
					t.Error("a record that cannot be read is listed without an error")
				}
			default:
				if x := list[i]; x.Err != nil || !x.LeaseUntil.IsZero() || !x.CheckedAt.IsZero() || x.Status != directory.StatusActive {
					t.Errorf("listed as %+v", x)
				}
			}
		}
	}
	if !slices.Equal(got, ids) {
		t.Errorf("listed %d connections %v, want all in order", len(got), got)
	}
	// A check of a connection that was deleted meanwhile makes no new one.
	must(t, s.Connections.SaveHealth(t.Context(), "con_gone", "well", clock.Now()))
	if _, err := s.Connections.Connection(t.Context(), "con_gone"); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("after a check of a connection that is gone: %v, want ErrNotFound", err)
	}
}

func TestBeside(t *testing.T) {
	s, clock := newStore(t)
	c := activeConnection(t, s)
	if b, err := s.Schedule.Beside(t.Context(), c.ID); err != nil || b.Runs != nil || b.Notification.Version != 0 || b.Photos.Version != 0 {
		t.Fatalf("beside a new connection: %+v, %v, want nothing", b, err)
	}
	other := activeConnection(t, s)
	var want []directory.RunID
	for i := range 3 {
		for _, of := range []directory.ConnectionID{c.ID, other.ID} {
			r := RunRecord{Run: directory.Run{ID: directory.RunID(fmt.Sprintf("run_%s_%d", of, i)), ConnectionID: of, Kind: directory.KindSync, State: directory.RunHeld, StartedAt: clock.Now()}}
			must(t, s.Runs.CreateRun(t.Context(), directory.AuditEvent{}, &r))
			if of == c.ID {
				want = append(want, r.ID)
			}
		}
	}
	// What grows with time does not cost a reader anything.
	for day := range 40 {
		must(t, s.Users.db.table.Write(t.Context(), dayWrite(c.ID, clock.Now().AddDate(0, 0, day), map[string]int{"applied/update": 1}, DefaultRetention)))
	}
	must(t, s.Notifications.SaveNotificationState(t.Context(), c.ID, &NotificationState{Held: want}))
	must(t, s.Photos.SavePhotoPlan(t.Context(), c.ID, &PhotoPlan{Epoch: 1, Day: 9}))
	b, err := s.Schedule.Beside(t.Context(), c.ID)
	must(t, err)
	var got []directory.RunID
	for _, r := range b.Runs {
		got = append(got, r.ID)
	}
	if !slices.Equal(got, want) || b.Runs[0].State != directory.RunHeld {
		t.Errorf("open runs %v, want %v", got, want)
	}
	if told, err := s.Notifications.NotificationState(t.Context(), c.ID); err != nil || b.Notification.Version != told.Version || !slices.Equal(b.Notification.Held, told.Held) {
		t.Errorf("told %+v, want %+v, %v", b.Notification, told, err)
	}
	if plan, err := s.Photos.PhotoPlan(t.Context(), c.ID); err != nil || b.Photos != plan {
		t.Errorf("photos %+v, want %+v, %v", b.Photos, plan, err)
	}
}

func TestRound(t *testing.T) {
	s, _ := newStore(t)
	a, err := s.Schedule.Round(t.Context())
	must(t, err)
	b := a
	a.After, a.Sum = "con_7", map[string]int{"active": 7}
	must(t, s.Schedule.SaveRound(t.Context(), &a))
	if err := s.Schedule.SaveRound(t.Context(), &b); !errors.Is(err, directory.ErrStale) {
		t.Errorf("the slower of two: %v, want ErrStale", err)
	}
	if got, err := s.Schedule.Round(t.Context()); err != nil || got.After != "con_7" || got.Sum["active"] != 7 || got.Version != 1 {
		t.Errorf("Round = %+v, %v", got, err)
	}
}

func TestStalledJobs(t *testing.T) {
	s, clock := newStore(t)
	for i := range 130 {
		must(t, s.Jobs.CreateJob(t.Context(), directory.AuditEvent{}, &JobRecord{Job: directory.Job{ID: directory.JobID(fmt.Sprintf("job_%03d", i)), Kind: directory.JobLoad, State: directory.JobQueued}}))
	}
	_, _, err := s.Jobs.AcquireJob(t.Context(), "job_050", time.Minute)
	must(t, err)
	open, err := s.Jobs.OpenJobs(t.Context())
	must(t, err)
	open = append(open, OpenJob{ID: "job_expired"})
	stalled, err := s.Jobs.StalledJobs(t.Context(), open)
	must(t, err)
	if len(stalled) != 129 || slices.ContainsFunc(stalled, func(j OpenJob) bool { return j.ID == "job_050" || j.ID == "job_expired" }) {
		t.Errorf("%d of %d jobs are stalled: %v", len(stalled), len(open), stalled)
	}
	clock.Advance(2 * time.Minute)
	if stalled, err = s.Jobs.StalledJobs(t.Context(), open); err != nil || len(stalled) != 130 {
		t.Errorf("when its worker has died: %d stalled, %v, want all", len(stalled), err)
	}
}
