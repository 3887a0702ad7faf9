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

func uploadKey(id directory.UploadID) table.Key {
	return table.Key{Partition: "UP#" + string(id), Sort: "upload"}
}

// CreateUpload stores an upload until it is forgotten.
func (s *Store) CreateUpload(ctx context.Context, u *directory.Upload) error {
	writes := []table.Write{{Put: &table.Item{Key: uploadKey(u.ID), Body: encode(u), Expires: u.Forgotten}, If: table.Condition{Absent: true}}}
	return fail("create upload", s.Table.Write(ctx, append(writes, s.actWrites(ctx, "upload", subject{})...)...))
}

// Upload reads an upload. ErrNotFound, also of one that is forgotten.
func (s *Store) Upload(ctx context.Context, id directory.UploadID) (directory.Upload, error) {
	var u directory.Upload
	it, err := s.Table.Get(ctx, uploadKey(id))
	if err != nil {
		return u, fail("upload", err)
	}
	if err := decode(it, &u); err != nil {
		return u, err
	}
	if !u.Forgotten.After(s.Now()) {
		return u, fail("upload", table.ErrNotFound)
	}
	u.JobID = directory.JobID(it.Strings[strJob])
	return u, nil
}

// CreateLoad stores the job that loads an upload. An upload is loaded once:
// ErrConflict when there is a job already.
func (s *Store) CreateLoad(ctx context.Context, j *JobRecord, id directory.UploadID) error {
	j.Version = 1
	use := table.Write{
		Update: &table.Update{Key: uploadKey(id), SetStrings: map[string]string{strJob: string(j.ID)}},
		If:     table.When(table.Test{String: strJob, Op: table.IsMissing}),
	}
	err := s.Table.Write(ctx, append([]table.Write{use}, s.jobWrites(ctx, j)...)...)
	if _, used := failed(err); used {
		return fmt.Errorf("load upload: %w", directory.ErrConflict)
	}
	return fail("load upload", err)
}
