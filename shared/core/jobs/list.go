package jobs

import (
	"context"
	"slices"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Filter selects jobs; what is empty selects any.
type Filter struct {
	Kind         directory.JobKind
	State        directory.JobState
	ConnectionID directory.ConnectionID
}

func (f *Filter) match(j *directory.Job) bool {
	return (f.Kind == "" || j.Kind == f.Kind) && (f.State == "" || j.State == f.State) && (f.ConnectionID == "" || j.ConnectionID == f.ConnectionID)
}

// listPages is how many pages of jobs one call looks at for those that it wants.
const listPages = 8

// List lists jobs, newest first, at most limit of them. A page may be short, or empty,
// and have a next. Those that have not ended stand in a list of their own, which is
// short: who asks for one of their states need not go through all that ever was.
func (s *Service) List(ctx context.Context, f Filter, cursor string, limit int) (found []directory.Job, next string, err error) {
	if f.State == directory.JobQueued || f.State == directory.JobRunning {
		return s.listOpen(ctx, f, cursor, limit)
	}
	next = cursor
	for range listPages {
		var page []store.JobRecord
		if page, next, err = s.store.ListJobs(ctx, f.ConnectionID, next, limit-len(found)); err != nil {
			return nil, "", err
		}
		for i := range page {
			if f.match(&page[i].Job) {
				found = append(found, page[i].Job)
			}
		}
		if next == "" || len(found) >= limit {
			break
		}
	}
	return found, next, nil
}

// listOpen lists jobs that have not ended.
func (s *Service) listOpen(ctx context.Context, f Filter, cursor string, limit int) (found []directory.Job, next string, err error) {
	open, err := s.store.OpenJobs(ctx)
	if err != nil {
		return nil, "", err
	}
	var ids []directory.JobID
	for _, j := range slices.Backward(open) {
		if (cursor == "" || string(j.ID) < cursor) && (f.ConnectionID == "" || j.ConnectionID == f.ConnectionID) && (f.Kind == "" || j.Kind == "" || j.Kind == f.Kind) {
			ids = append(ids, j.ID)
		}
	}
	for part := range slices.Chunk(ids, limit) {
		jobs, err := s.store.JobsByID(ctx, part)
		if err != nil {
			return nil, "", err
		}
		for _, id := range part {
			j, there := jobs[id]
			if !there || !f.match(&j.Job) {
				continue
			}
			if len(found) == limit {
				return found, string(found[limit-1].ID), nil
			}
			found = append(found, j.Job)
		}
	}
	return found, "", nil
}
