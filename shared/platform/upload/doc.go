// Package upload keeps files that are too large for a request to the API. A
// caller gets a request that is signed for one file of one size and stores the
// file with it, past the API; the job that loads the file reads it piece by
// piece and deletes it. Files that nobody loads go after a day.
//
//	Sign ─> caller: PUT url ─> Stat ─> Read, Read, Read ─> Delete
//
//	aws.go         S3      a bucket, whose lifecycle is the day
//	local.go       Folder  a laptop: a folder
//	local_http.go          and an http.Handler that takes the signed requests
//
// # Contract
//
//   - Sign promises nothing and stores nothing. What it signs is the method, the
//     file's name, its exact length, its type, and that there is no such file
//     yet; after its time it is refused. So whoever has the request can store
//     one file of that size, once, and can read nothing.
//   - Stat and Read of a file that is not there are directory.ErrNotFound.
//   - Read gives bytes of the version that it is told, and directory.ErrStale
//     when the file has another by now. It returns n bytes from an offset, fewer
//     at the file's end, none behind it.
//   - Delete of what is not there is no error.
//   - After a crash a file is there whole or not at all. All may be called at once
//     by many, and repeated.
//
// The suite uploadtest holds every driver to this.
package upload

import (
	"context"
	"time"

	"bindery/shared/directory"
)

// Files is what each driver does.
type Files interface {
	// Sign returns the request that stores a file of size bytes until expires.
	Sign(ctx context.Context, id directory.UploadID, size int64, contentType string, expires time.Time) (directory.SignedRequest, error)
	// Stat returns a file's size and version.
	Stat(ctx context.Context, id directory.UploadID) (directory.StoredFile, error)
	// Read returns up to n bytes of a version of a file, from offset.
	Read(ctx context.Context, id directory.UploadID, version string, offset int64, n int) ([]byte, error)
	// Delete removes a file.
	Delete(ctx context.Context, id directory.UploadID) error
}
