// Package upload keeps files that are too large for a request to the API. A
// caller gets a request that is signed for one file of one size and stores the
// file with it, past the API; the job that loads the file reads it piece by
// piece and deletes it. Files that nobody loads go after a day.
//
//	Sign ─> caller: PUT url ─> Stat ─> Read, Read, Read ─> Delete
//
// The contract, which the suite of this package's tests holds for each driver:
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
//
// S3 keeps the files in a bucket whose lifecycle is the day; Folder is the
// laptop's: a folder, and an http.Handler that takes the signed requests.
package upload

import (
	"fmt"
	"strings"

	"bindery/shared/directory"
)

// checkID keeps what is no upload's ID out of paths and keys.
func checkID(id directory.UploadID) error {
	rest, ok := strings.CutPrefix(string(id), "upl_")
	if !ok || rest == "" || len(rest) > 60 || strings.Trim(rest, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
		return fmt.Errorf("upload %.80q: %w", id, directory.ErrNotFound)
	}
	return nil
}
