package admin

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// job stores a job that is as old as it is said to be; done says that it has ended.
func (w *world) job(kind directory.JobKind, c directory.ConnectionID, done bool, age time.Duration) string {
	w.t.Helper()
	ctx := w.t.Context()
	at := w.now().Add(-age)
	j := store.JobRecord{Job: directory.Job{ID: directory.NewJobID(at), Kind: kind, ConnectionID: c, State: directory.JobQueued, AskedBy: "admin", Created: at, Updated: at, Counts: map[string]int{}}}
	if err := w.store.Jobs.CreateJob(ctx, directory.AuditEvent{}, &j); err != nil {
		w.t.Fatal(err)
	}
	if done {
		lease, got, err := w.store.Jobs.AcquireJob(ctx, j.ID, time.Minute)
		if err != nil {
			w.t.Fatal(err)
		}
		got.State, got.Ended = directory.JobDone, at
		if err := w.store.Jobs.SaveJob(ctx, lease, &got, nil, 0); err != nil {
			w.t.Fatal(err)
		}
	}
	return string(j.ID)
}

// listed are the IDs of all pages of a list.
func (w *world) listed(path string) (ids []string) {
	w.t.Helper()
	for next := ""; ; {
		at := path
		if next != "" {
			sep := "?"
			if strings.Contains(path, "?") {
				sep = "&"
			}
			at += sep + "next=" + next
		}
		a := w.want(200, "", "GET", at, "")
		for _, item := range a.body["items"].([]any) {
			ids = append(ids, item.(map[string]any)["id"].(string))
		}
		if next = a.text("next"); next == "" {
			return ids
		}
	}
}

func TestListJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hq := w.conn.ID
	all := []string{ // newest first
		w.job(directory.JobLoad, "", false, time.Minute),
		w.job(directory.JobImport, hq, true, 2*time.Minute),
		w.job(directory.JobBind, hq, false, 3*time.Minute),
		w.job(directory.JobLoad, "", true, 4*time.Minute),
		w.job(directory.JobImport, "con_other", true, 5*time.Minute),
	}
	of := func(indexes ...int) (ids []string) {
		for _, i := range indexes {
			ids = append(ids, all[i])
		}
		return ids
	}
	for query, want := range map[string][]string{
		"":                            all,
		"?kind=load":                  of(0, 3),
		"?kind=import":                of(1, 4),
		"?state=queued":               of(0, 2),
		"?state=running":              nil,
		"?state=done":                 of(1, 3, 4),
		"?state=failed":               nil,
		"?connectionId=" + string(hq): of(1, 2),
		"?state=queued&connectionId=" + string(hq): of(2),
		"?state=queued&kind=load":                  of(0),
		"?kind=import&connectionId=con_other":      of(4),
		"?connectionId=con_none":                   nil,
	} {
		for _, limit := range []int{1, 2, 500} {
			path := "/v1/jobs" + query
			sep := "&"
			if query == "" {
				sep = "?"
			}
			if got := w.listed(fmt.Sprintf("%s%slimit=%d", path, sep, limit)); !slices.Equal(got, want) {
				t.Errorf("%s by %d lists %v, want %v", path, limit, got, want)
			}
		}
	}
	if a := w.want(200, "", "GET", "/v1/jobs?limit=1", ""); a.body["items"].([]any)[0].(map[string]any)["total"] != nil {
		t.Errorf("the total of a job that has not begun is told: %s", a.raw)
	}
	w.want(422, "invalid-parameter", "GET", "/v1/jobs?kind=mow", "")
	for _, kind := range []directory.JobKind{directory.JobTakeBack, directory.JobCheckTakeBack} { // which the console's list of jobs offers
		w.want(200, "", "GET", "/v1/jobs?kind="+string(kind), "")
	}
	w.want(422, "invalid-parameter", "GET", "/v1/jobs?state=lost", "")
	w.want(422, "invalid-cursor", "GET", "/v1/jobs?next=x", "")
	next := w.want(200, "", "GET", "/v1/jobs?limit=1", "").text("next")
	w.want(422, "invalid-cursor", "GET", "/v1/jobs?kind=load&next="+next, "")
}

// A list of one state does not go through all that ever was in one call: a page may be
// short, and has a next then.
func TestListJobsLooksAtSomeOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 30 {
		w.job(directory.JobLoad, "", true, time.Duration(i)*time.Minute)
	}
	wanted := w.job(directory.JobBind, w.conn.ID, true, time.Hour)
	a := w.want(200, "", "GET", "/v1/jobs?kind=bind&limit=2", "")
	if len(a.body["items"].([]any)) != 0 || a.text("next") == "" {
		t.Errorf("the first page %s, want it empty with a next", a.raw)
	}
	if got := w.listed("/v1/jobs?kind=bind&limit=2"); !slices.Equal(got, []string{wanted}) {
		t.Errorf("listed %v", got)
	}
}
