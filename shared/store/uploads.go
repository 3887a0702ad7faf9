package store

import (
	"context"
	"fmt"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// An upload is stored as one item; the job that loads it stands beside the body,
// since the transaction that makes the job asks that there is none yet.
const strJob = "job"

// CreateUpload stores an upload until it is forgotten.
func (s *Jobs) CreateUpload(ctx context.Context, act directory.AuditEvent, u *directory.Upload) error {
	writes := []table.Write{{Put: &table.Item{Key: uploadKey(u.ID), Body: encode(u), Expires: u.Forgotten}, If: table.Condition{Absent: true}}}
	return fail("create upload", s.db.table.Write(ctx, append(writes, s.db.record(act, subject{})...)...))
}

// Upload reads an upload. ErrNotFound, also of one that is forgotten.
func (s *Jobs) Upload(ctx context.Context, id directory.UploadID) (directory.Upload, error) {
	var u directory.Upload
	it, err := s.db.table.Get(ctx, uploadKey(id))
	if err != nil {
		return u, fail("upload", err)
	}
	if err := decode(it, &u); err != nil {
		return u, err
	}
	if !u.Forgotten.After(s.db.now()) {
		return u, fail("upload", table.ErrNotFound)
	}
	u.JobID = directory.JobID(it.Strings[strJob])
	return u, nil
}

// CreateLoad stores the job that loads an upload. An upload is loaded once:
// ErrConflict when there is a job already.
func (s *Jobs) CreateLoad(ctx context.Context, act directory.AuditEvent, j *JobRecord, id directory.UploadID) error {
	j.Version = 1
	use := table.Write{
		Update: &table.Update{Key: uploadKey(id), SetStrings: map[string]string{strJob: string(j.ID)}},
		If:     table.When(table.Test{String: strJob, Op: table.IsMissing}),
	}
	err := s.db.table.Write(ctx, append([]table.Write{use}, s.jobWrites(ctx, act, j)...)...)
	if refused(err) {
		return fmt.Errorf("load upload: %w", directory.ErrConflict)
	}
	return fail("load upload", err)
}
