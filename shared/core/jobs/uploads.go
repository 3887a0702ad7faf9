package jobs

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

// Files are uploaded files; package upload has the contract.
type Files interface {
	Sign(ctx context.Context, id directory.UploadID, size int64, contentType string, expires time.Time) (directory.SignedRequest, error)
	Stat(ctx context.Context, id directory.UploadID) (directory.StoredFile, error)
	Read(ctx context.Context, id directory.UploadID, version string, offset int64, n int) ([]byte, error)
	Delete(ctx context.Context, id directory.UploadID) error
}

// uploadStore is what uploads need of the store.
type uploadStore interface {
	CreateUpload(ctx context.Context, act directory.AuditEvent, u *directory.Upload) error
	Upload(ctx context.Context, id directory.UploadID) (directory.Upload, error)
}

// UploadsConfig is what Uploads stand on.
type UploadsConfig struct {
	Store uploadStore
	Files Files // nil in a process that has nothing to do with uploaded files
	Jobs  *Service
	Now   func() time.Time // nil means time.Now
}

// Uploads are the files that jobs load, from their request to their end. They may
// be used by many goroutines.
type Uploads struct {
	store uploadStore
	files Files
	jobs  *Service
	now   func() time.Time
}

// NewUploads returns Uploads.
func NewUploads(cfg UploadsConfig) *Uploads {
	u := &Uploads{store: cfg.Store, files: cfg.Files, jobs: cfg.Jobs, now: cfg.Now}
	if u.now == nil {
		u.now = time.Now
	}
	if u.files == nil {
		u.files = noFiles{}
	}
	return u
}

// FileClaim is what is said of a file before it is there. Format and Encoding are
// what its content type means; "" lets the file speak.
type FileClaim struct {
	Bytes       int64
	ContentType string
	Format      string
	Encoding    string
}

// Start returns the request with which its caller, and whoever else has it, may
// store one file, once, within the hour.
func (u *Uploads) Start(ctx context.Context, by directory.Caller, claim FileClaim) (directory.Upload, directory.SignedRequest, error) {
	if claim.Bytes < 1 || claim.Bytes > MaxUpload {
		r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidUpload, "The upload was not accepted.", "Say the file's size; split a file that is larger than 100 MB, with the header row in each part if it is CSV.")
		r.Fields = []directory.FieldError{{Field: "bytes", Detail: fmt.Sprintf("must lie between 1 and %d", MaxUpload)}}
		return directory.Upload{}, directory.SignedRequest{}, r
	}
	now := u.now().UTC()
	up := directory.Upload{
		ID: directory.NewUploadID(now), Bytes: claim.Bytes, ContentType: claim.ContentType, Format: claim.Format, Encoding: claim.Encoding,
		By: by.Subject, Source: by.WritesAs(),
		Created: now, Expires: now.Add(uploadTime).Truncate(time.Second), Forgotten: now.Add(uploadKept),
	}
	signed, err := u.files.Sign(ctx, up.ID, up.Bytes, up.ContentType, up.Expires)
	if err != nil {
		return up, signed, err
	}
	return up, signed, u.store.CreateUpload(ctx, by.AuditEvent(directory.AuditCreateUpload), &up)
}

// Find returns an upload that the caller may have loaded, and its file: only who
// asked for it may, as the same source.
func (u *Uploads) Find(ctx context.Context, by directory.Caller, id directory.UploadID) (directory.Upload, directory.StoredFile, error) {
	up, err := u.store.Upload(ctx, id)
	if err == nil && (up.By != by.Subject || up.Source != by.WritesAs()) {
		err = directory.ErrNotFound // what others upload is nobody's business
	}
	if errors.Is(err, directory.ErrNotFound) {
		return up, directory.StoredFile{}, directory.Refuse(directory.ErrNotFound, directory.CodeUploadNotFound, "You have no such upload; uploads are kept for a day.",
			"Ask for one with POST /v1/uploads, with the token that is to load it.")
	}
	if err != nil {
		return up, directory.StoredFile{}, err
	}
	if up.JobID != "" {
		return up, directory.StoredFile{}, uploadUsed(up.JobID)
	}
	file, err := u.stat(ctx, &up)
	return up, file, err
}

// stat looks at the file of an upload, which must be as it was announced.
func (u *Uploads) stat(ctx context.Context, up *directory.Upload) (directory.StoredFile, error) {
	file, err := u.files.Stat(ctx, up.ID)
	if errors.Is(err, directory.ErrNotFound) {
		next := "Send the file with the request that POST /v1/uploads gave, then ask again."
		if !u.now().Before(up.Expires) {
			next = "Its time is over: ask for another upload."
		}
		return file, directory.Refuse(directory.ErrConflict, directory.CodeUploadMissing, "The file of the upload is not there.", next)
	}
	if err != nil {
		return file, err
	}
	if file.Size != up.Bytes {
		return file, directory.Refuse(directory.ErrConflict, directory.CodeUploadSize,
			fmt.Sprintf("The file has %d bytes, and the upload was asked for %d.", file.Size, up.Bytes), "Ask for another upload, with the file's size.")
	}
	return file, nil
}

// StartJob starts the job that uses an upload up.
func (u *Uploads) StartJob(ctx context.Context, o Order) (directory.Job, error) {
	job, err := u.jobs.Start(ctx, o)
	if !errors.Is(err, directory.ErrConflict) {
		return job, err
	}
	up, readErr := u.store.Upload(ctx, o.Upload)
	if readErr == nil && up.JobID != "" { // somebody was faster
		return directory.Job{}, uploadUsed(up.JobID)
	}
	return directory.Job{}, err
}

func uploadUsed(job directory.JobID) error {
	return directory.Refuse(directory.ErrConflict, directory.CodeUploadUsed, fmt.Sprintf("The upload is loaded already, by the job %q.", job),
		"Look at that job; to load a file again, upload it again.")
}

// Read reads at most n bytes of an uploaded file of a version. What became of it
// since is a refusal, which ends the job that loads it.
func (u *Uploads) Read(ctx context.Context, id directory.UploadID, version string, offset int64, n int) ([]byte, error) {
	data, err := u.files.Read(ctx, id, version, offset, n)
	if errors.Is(err, directory.ErrStale) {
		return nil, directory.Refuse(directory.ErrConflict, directory.CodeUploadChanged, "The uploaded file was replaced while it was loaded.",
			"Upload the file again and load it: what is loaded already is not loaded twice.")
	}
	if errors.Is(err, directory.ErrNotFound) {
		return nil, directory.Refuse(directory.ErrConflict, directory.CodeUploadGone, "The uploaded file was deleted before it was loaded; files are kept for a day.",
			"Upload the file again and load it: what is loaded already is not loaded twice.")
	}
	return data, err
}

// Delete deletes an uploaded file.
func (u *Uploads) Delete(ctx context.Context, id directory.UploadID) error {
	return u.files.Delete(ctx, id)
}

// noFiles are those of a process that has nothing to do with uploaded files.
type noFiles struct{}

var errNoFiles = errors.New("this process has no uploaded files")

func (noFiles) Sign(context.Context, directory.UploadID, int64, string, time.Time) (directory.SignedRequest, error) {
	return directory.SignedRequest{}, errNoFiles
}

func (noFiles) Stat(context.Context, directory.UploadID) (directory.StoredFile, error) {
	return directory.StoredFile{}, errNoFiles
}

func (noFiles) Read(context.Context, directory.UploadID, string, int64, int) ([]byte, error) {
	return nil, errNoFiles
}

func (noFiles) Delete(context.Context, directory.UploadID) error { return errNoFiles }
