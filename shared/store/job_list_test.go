package store

import (
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

// A job that a version stored which kept no list of all comes into it with its next step;
// until then, and for ever if it has ended, its connection's list has it.
func TestJobsOfOlderVersionsAreListed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	tab := memory.New()
	tab.Now = func() time.Time { return now }
	s := New(tab, Options{Now: tab.Now})
	j := JobRecord{Job: directory.Job{ID: directory.NewJobID(now), Kind: directory.JobImport, ConnectionID: "con_1", State: directory.JobQueued}}
	if err := s.Jobs.CreateJob(t.Context(), directory.AuditEvent{}, &j); err != nil {
		t.Fatal(err)
	}
	it, err := tab.Get(t.Context(), jobKey(j.ID))
	if err != nil {
		t.Fatal(err)
	}
	it.Index2 = table.Key{}
	if err := tab.Write(t.Context(), table.Write{Put: &it}); err != nil {
		t.Fatal(err)
	}
	listed := func(c directory.ConnectionID) int {
		t.Helper()
		list, next, err := s.Jobs.ListJobs(t.Context(), c, "", 10)
		if err != nil || next != "" {
			t.Fatal(err, next)
		}
		return len(list)
	}
	if listed("") != 0 || listed("con_1") != 1 {
		t.Errorf("before its next step: %d of all, %d of its connection", listed(""), listed("con_1"))
	}
	l, got, err := s.Jobs.AcquireJob(t.Context(), j.ID, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Jobs.SaveJob(t.Context(), l, &got, nil, time.Minute); err != nil {
		t.Fatal(err)
	}
	if listed("") != 1 || listed("con_1") != 1 {
		t.Errorf("behind its next step: %d of all, %d of its connection", listed(""), listed("con_1"))
	}
}
