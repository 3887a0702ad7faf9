package admin

import (
	"context"
	"net/http"

	"bindery/shared/core/jobs"
	"bindery/shared/directory"
)

// Jobs shows what takes long; *jobs.Service does.
type Jobs interface {
	Get(ctx context.Context, id directory.JobID, cursor string) (jobs.Page, error)
	List(ctx context.Context, f jobs.Filter, cursor string, limit int) ([]directory.Job, string, error)
}

// Job is a job as the API shows it.
type Job struct {
	directory.Job
	Total *int `json:"total" doc:"How many elements there are. Null until that is known."`
}

// JobPage is a job with a page of what it refused.
type JobPage struct {
	jobs.Page
	Total *int `json:"total" doc:"How many elements there are. Null until that is known."`
}

// totalOf is a job's total; nil while nobody knows it.
func totalOf(j *directory.Job) *int {
	if j.Total == 0 && (j.State == directory.JobQueued || j.State == directory.JobRunning) {
		return nil
	}
	return &j.Total
}

func acceptedJob(j directory.Job, err error) (*accepted, error) {
	return &accepted{http.StatusAccepted, "/v1/jobs/" + string(j.ID), Job{j, totalOf(&j)}}, err
}

func (a *API) jobs() {
	register(a, operation{id: "listJobs", method: http.MethodGet, path: "/v1/jobs", scope: ScopeRead,
		summary: "List jobs, newest first", more: "What they refused, GET /v1/jobs/{id} shows."}, a.listJobs)
	register(a, operation{id: "getJob", method: http.MethodGet, path: "/v1/jobs/{id}", scope: ScopeRead, sources: true, more: "A token of a source sees the loads that it started only.",
		summary: "Read the progress of an import, a bulk binding or a load, and what it refused", also: answers{http.StatusNotModified: nil}}, a.getJob)
}

func (a *API) listJobs(ctx context.Context, _ Caller, in *struct {
	Paging
	Kind         string `query:"kind" enum:"import,import-groups,bind,load,check,load-groups,check-groups,photos,verify-activity,count-licences,renew-addresses,take-back,check-take-back" doc:"Only jobs of this kind"`
	State        string `query:"state" enum:"queued,running,done,failed" doc:"Only jobs in this state"`
	ConnectionID string `query:"connectionId" maxLength:"64" pattern:"^[!-~]*$" doc:"Only jobs of this connection"`
}) (*listOutput[Job], error) {
	f := jobs.Filter{Kind: directory.JobKind(in.Kind), State: directory.JobState(in.State), ConnectionID: directory.ConnectionID(in.ConnectionID)}
	return listOf(ctx, a, in.Limit, func(limit int) ([]Job, string, error) {
		page, next, err := a.Jobs.List(ctx, f, in.Next, limit)
		views := make([]Job, len(page))
		for i := range page {
			views[i] = Job{page[i], totalOf(&page[i])}
		}
		return views, next, err
	})
}

func (a *API) getJob(ctx context.Context, by Caller, in *struct {
	ID string `path:"id" maxLength:"64" pattern:"^[!-~]+$" doc:"ID of the job"`
	From
	IfNone
}) (*conditional[JobPage], error) {
	j, err := a.Jobs.Get(ctx, directory.JobID(in.ID), in.Next)
	if err != nil {
		return nil, err
	}
	if by.Feeds() && (!j.Kind.ReadsFile() || j.AskedBy != by.Subject) {
		return nil, refuseSource(by.Source)
	}
	if j.Next, err = listingOf(ctx).seal(j.Next); err != nil {
		return nil, err
	}
	return conditionally(in.IfNone, JobPage{j, totalOf(&j.Job)})
}
