package store

import (
	"context"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// ListJobs lists jobs, newest first, from the one behind after on ("" begins): all, or
// those of a connection. A page may hold fewer than limit and have a next one. A job that
// ended under a version that kept no list of all is found by its connection only.
func (s *Jobs) ListJobs(ctx context.Context, c directory.ConnectionID, after string, limit int) (list []JobRecord, next string, err error) {
	if err := checkPlace(after); err != nil {
		return nil, "", err
	}
	q := table.Query{Index: 2, Partition: jobsAt, After: after, Limit: limit, Backward: true}
	if c != "" {
		q.Index, q.Partition = 1, jobsPartition(c)
	}
	page, err := s.db.table.Query(ctx, q)
	for err == nil && len(page.Items) == 0 && page.Next != "" { // all of it has gone since the index was written
		q.Cursor = page.Next
		page, err = s.db.table.Query(ctx, q)
	}
	if err != nil {
		return nil, "", fail("jobs", err)
	}
	for _, it := range page.Items {
		if s.db.expired(it) {
			continue
		}
		j, err := decodeJob(it)
		if err != nil {
			return nil, "", err
		}
		list = append(list, j)
	}
	if page.Next != "" {
		next = page.Items[len(page.Items)-1].IndexKey(q.Index).Sort
	}
	return list, next, nil
}

// JobsByID reads jobs by their IDs, strongly consistent; those that are not there are
// left out.
func (s *Jobs) JobsByID(ctx context.Context, ids []directory.JobID) (map[directory.JobID]JobRecord, error) {
	keys := make([]table.Key, len(ids))
	for i, id := range ids {
		keys[i] = jobKey(id)
	}
	found := make(map[directory.JobID]JobRecord, len(ids))
	for it, err := range s.db.each(ctx, keys) {
		if err != nil {
			return nil, fail("jobs", err)
		}
		j, err := decodeJob(it)
		if err != nil {
			return nil, err
		}
		found[j.ID] = j
	}
	return found, nil
}
