package jobs

import (
	"context"
	"encoding/json"
	"fmt"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Job is a job as its worker sees it. A step edits its place, its counts and its
// notes.
type Job struct {
	*store.JobRecord
	store workStore
	lease store.JobLease
}

// ReadInput reads what the job is to do.
func (j *Job) ReadInput(v any) error {
	if err := json.Unmarshal(j.Input, v); err != nil {
		return fmt.Errorf("job input: %w", err)
	}
	return nil
}

// ReadPlace reads where the job stands; at its beginning v is left as it is.
func (j *Job) ReadPlace(v any) error {
	if j.Cursor == nil {
		return nil
	}
	if err := json.Unmarshal(j.Cursor, v); err != nil {
		return fmt.Errorf("job place: %w", err)
	}
	return nil
}

// SetPlace notes where the job stands; it is stored when the step has ended.
func (j *Job) SetPlace(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("job place: %w", err)
	}
	j.Cursor = data
	return nil
}

// Count adds to the job's outcomes.
func (j *Job) Count(what string, n int) {
	if n != 0 {
		j.Counts[what] += n
	}
}

// Note adds a note to those of the job, and keeps it small.
func (j *Job) Note(n directory.JobNote) {
	n.Detail = short(n.Detail)
	j.JobRecord.Note(n)
}

// AuditEvent begins the audit event that an edit by the job is.
func (j *Job) AuditEvent(kind directory.AuditKind) directory.AuditEvent {
	return directory.AuditEvent{Kind: kind, By: j.By(), JobID: j.ID, ConnectionID: j.ConnectionID}
}

// Part reads part n of the job's input.
func (j *Job) Part(ctx context.Context, n int) ([]byte, error) {
	return j.store.JobInput(ctx, j.JobRecord, n)
}

// AddPart stores part n of the job's input, which a step has made, together with
// the job's place, at once. It keeps the lease.
func (j *Job) AddPart(ctx context.Context, n int, part []byte) error {
	return j.store.AddJobInput(ctx, j.lease, j.JobRecord, n, part, LeaseTime)
}

// maxDetail is how many characters a job keeps of one sentence: a list of hundreds
// of domains, a thousand times over, would not fit into the table.
const maxDetail = 300

func short(text string) string {
	if r := []rune(text); len(r) > maxDetail {
		return string(r[:maxDetail]) + "…"
	}
	return text
}

// Short keeps what a job reports of single elements small, in place.
func Short(items []directory.RefusedItem) []directory.RefusedItem {
	for i := range items {
		items[i].Detail = short(items[i].Detail)
	}
	return items
}
