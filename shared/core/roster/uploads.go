package roster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/shared/directory"
)

// MaxUpload is how large an uploaded file may be, in bytes.
const MaxUpload = 100_000_000

const (
	// uploadTime is how long an upload may be begun.
	uploadTime = time.Hour
	// uploadKept is how long it may be loaded; files are kept for about a day.
	uploadKept = 24 * time.Hour
)

// StartUpload returns the request with which its caller, and whoever else has
// it, may store one file of size bytes, once, within the hour. Of as, the format
// and the encoding count: what the content type means.
func (s *Service) StartUpload(ctx context.Context, size int64, contentType string, as LoadOptions, by Caller) (directory.Upload, directory.SignedRequest, error) {
	var u directory.Upload
	if size < 1 || size > MaxUpload {
		r := directory.Refuse(directory.ErrInvalid, "invalid-upload", "The upload was not accepted.", "Say the file's size; split a file that is larger than 100 MB, with the header row in each part if it is CSV.")
		r.Fields = []directory.FieldError{{Field: "bytes", Detail: fmt.Sprintf("must lie between 1 and %d", MaxUpload)}}
		return u, directory.SignedRequest{}, r
	}
	now := s.now().UTC()
	u = directory.Upload{
		ID: directory.NewUploadID(now), Bytes: size, ContentType: contentType, Format: string(as.Format), Encoding: string(as.Encoding), By: by.Subject, Source: by.source(),
		Created: now, Expires: now.Add(uploadTime).Truncate(time.Second), Forgotten: now.Add(uploadKept),
	}
	signed, err := s.Files.Sign(ctx, u.ID, size, contentType, u.Expires)
	if err != nil {
		return u, signed, err
	}
	return u, signed, s.Store.CreateUpload(ctx, directory.Act{}, &u)
}

// LoadUpload starts the load of a file that was uploaded. Only who asked for the
// upload may load it, as the same source, and once; to be checked only, it may be
// named before that as often as one likes. A file that cannot be read at all is
// refused at once.
func (s *Service) LoadUpload(ctx context.Context, id directory.UploadID, as LoadOptions, by Caller) (directory.Job, error) {
	u, err := s.Store.Upload(ctx, id)
	if err == nil && (u.By != by.Subject || u.Source != by.source()) {
		err = directory.ErrNotFound // what others upload is nobody's business
	}
	if errors.Is(err, directory.ErrNotFound) {
		return directory.Job{}, directory.Refuse(directory.ErrNotFound, "upload-not-found", "You have no such upload; uploads are kept for a day.",
			"Ask for one with POST /v1/uploads, with the token that is to load it.")
	}
	if err != nil {
		return directory.Job{}, err
	}
	if u.JobID != "" {
		return directory.Job{}, uploadUsed(u.JobID)
	}
	stored, err := s.Files.Stat(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		next := "Send the file with the request that POST /v1/uploads gave, then ask again."
		if !s.now().Before(u.Expires) {
			next = "Its time is over: ask for another upload."
		}
		return directory.Job{}, directory.Refuse(directory.ErrConflict, "upload-missing", "The file of the upload is not there.", next)
	}
	if err != nil {
		return directory.Job{}, err
	}
	if stored.Size != u.Bytes {
		return directory.Job{}, directory.Refuse(directory.ErrConflict, "upload-size",
			fmt.Sprintf("The file has %d bytes, and the upload was asked for %d.", stored.Size, u.Bytes), "Ask for another upload, with the file's size.")
	}
	as.Format, as.Encoding = Format(u.Format), Encoding(u.Encoding)
	l, err := s.uploaded(id, stored).layout(ctx, as)
	if err != nil {
		return directory.Job{}, err
	}
	as.Format = l.format
	j, err := s.jobRecord(as.kind(), "", by, loadInput{
		Source: u.Source, Subject: u.By, LoadOptions: as, Size: stored.Size, Upload: id, Version: stored.Version,
	}, 0)
	if err != nil {
		return directory.Job{}, err
	}
	j.File = l.told()
	if as.CheckOnly {
		return s.startJob(ctx, j, nil)
	}
	err = s.Store.CreateLoad(ctx, directory.Act{}, &j, id)
	if errors.Is(err, directory.ErrConflict) { // somebody was faster
		if u, readErr := s.Store.Upload(ctx, id); readErr == nil && u.JobID != "" {
			return directory.Job{}, uploadUsed(u.JobID)
		}
	}
	if err != nil {
		return directory.Job{}, err
	}
	s.wakeJob(ctx, &j)
	return j.Job, nil
}

func uploadUsed(job directory.JobID) error {
	return directory.Refuse(directory.ErrConflict, "upload-used", fmt.Sprintf("The upload is loaded already, by the job %q.", job),
		"Look at that job; to load a file again, upload it again.")
}
