package admin

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/doctor"
	"bindery/shared/directory"
)

// TestNotKnownIsNull: what nobody has looked at yet is null and said, never false,
// zero or the beginning of time.
func TestNotKnownIsNull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/v1/connections/" + string(w.conn.ID) + "/health"
	isNull := func(what string, a answer, members ...string) {
		t.Helper()
		for _, m := range members {
			if v, there := a.body[m]; !there || v != nil {
				t.Errorf("%s: %s is %v (there: %t), want null", what, m, v, there)
			}
		}
	}
	said := func(what string, a answer, words string) {
		t.Helper()
		if !strings.Contains(a.text("note"), words) || !strings.Contains(a.text("next"), "POST "+path) {
			t.Errorf("%s: %s says neither why nor what to do", what, a.raw)
		}
	}
	a := w.want(200, "", "GET", path, "")
	isNull("before the doctor came", a, "healthy", "checkedAt")
	said("before the doctor came", a, "not looked")
	a = w.want(202, "", "POST", path, "")
	isNull("when it was asked for", a, "healthy", "checkedAt")

	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name    string
		report  doctor.Report
		healthy any
	}{
		{"all looked at", doctor.Report{CheckedAt: at}, true},
		{"information", doctor.Report{CheckedAt: at, Findings: []doctor.Finding{{Code: "x", Severity: doctor.Info}}}, true},
		{"something found", doctor.Report{CheckedAt: at, Findings: []doctor.Finding{{Code: "x", Severity: doctor.Warning}}}, false},
		{"something found, not all read", doctor.Report{CheckedAt: at, Findings: []doctor.Finding{{Code: "x", Severity: doctor.Critical}}, Unread: map[string]string{"roles": "throttled"}}, false},
		{"nothing found, not all read", doctor.Report{CheckedAt: at, Unread: map[string]string{"roles": "throttled"}}, nil},
	} {
		if err := w.store.Connections.SaveHealth(t.Context(), w.conn.ID, tt.report, at); err != nil {
			t.Fatal(err)
		}
		a := w.want(200, "", "GET", path, "")
		if v, there := a.body["healthy"]; !there || v != tt.healthy || a.text("checkedAt") == "" {
			t.Errorf("%s: %s, want healthy %v", tt.name, a.raw, tt.healthy)
		}
		if tt.healthy == nil {
			said(tt.name, a, "not everything could be looked at")
		} else if a.text("note")+a.text("next") != "" {
			t.Errorf("%s: says that it is not known: %s", tt.name, a.raw)
		}
	}
	// What was found of an authorisation that has ended says nothing of the next one.
	if err := w.store.Connections.SaveHealth(t.Context(), w.conn.ID, doctor.Report{CheckedAt: at, Epoch: w.conn.Epoch + 1}, at); err != nil {
		t.Fatal(err)
	}
	a = w.want(200, "", "GET", path, "")
	isNull("a report of another authorisation", a, "healthy", "checkedAt")
	said("a report of another authorisation", a, "not looked")
	// One that an earlier version stored has the member healthy, which is not believed.
	if err := w.store.Connections.SaveHealth(t.Context(), w.conn.ID, map[string]any{"checkedAt": at, "findings": []any{}, "healthy": true, "unread": map[string]string{"tenant": "x"}}, at); err != nil {
		t.Fatal(err)
	}
	isNull("a report of an earlier version", w.want(200, "", "GET", path, ""), "healthy")

	a = w.want(202, "", "POST", "/v1/connections/"+string(w.conn.ID)+"/imports", `{"all":true}`)
	isNull("a job that has not counted", a, "total")
	isNull("a job that has not counted, read again", w.want(200, "", "GET", "/v1/jobs/"+a.text("id"), ""), "total")
	a = w.want(202, "", "POST", "/v1/connections/"+string(w.conn.ID)+"/runs", "")
	isNull("a run that is planned", a, "counts")
	isNull("a run that is planned, read again", w.want(200, "", "GET", "/v1/runs/"+a.text("id"), ""), "counts")

	if n := totalOf(&directory.Job{State: directory.JobDone}); n == nil || *n != 0 {
		t.Errorf("the total of a job that found nothing is %v", n)
	}
	if c := viewRun(directory.Run{State: directory.RunDone}).Counts; c == nil {
		t.Error("the counts of a run that did nothing are null")
	}
}

// TestNullsAreDescribed: the description says of what can be null that it can.
func TestNullsAreDescribed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var spec struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					Type any `json:"type"`
				} `json:"properties"`
			} `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal([]byte(w.do("GET", specPath, "").raw), &spec); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Health.healthy", "Health.checkedAt", "Job.total", "JobPage.total", "Run.counts"} {
		schema, member, _ := strings.Cut(name, ".")
		types, _ := spec.Components.Schemas[schema].Properties[member].Type.([]any)
		if len(types) != 2 || types[1] != "null" {
			t.Errorf("%s is described as %v, want that it can be null", name, spec.Components.Schemas[schema].Properties[member].Type)
		}
	}
}

// TestPendingIsNotHealthy: of a connection that no tenant has authorised the doctor
// can say nothing.
func TestPendingIsNotHealthy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := w.conn.Created
	c := directory.Connection{ID: directory.NewConnectionID(now), Name: "New", Status: directory.StatusPending, Epoch: 1, Created: now, Updated: now}
	if err := w.store.Connections.CreateConnection(t.Context(), directory.AuditEvent{}, &c); err != nil {
		t.Fatal(err)
	}
	d := &doctor.Doctor{Stores: doctor.StoresOf(w.store), Now: func() time.Time { return now }}
	if _, err := d.Check(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	a := w.want(200, "", "GET", "/v1/connections/"+string(c.ID)+"/health", "")
	if v, there := a.body["healthy"]; !there || v != nil || a.text("note") == "" || a.text("checkedAt") == "" || !strings.Contains(a.raw, "no tenant has authorised it") {
		t.Errorf("a pending connection is %s", a.raw)
	}
}
