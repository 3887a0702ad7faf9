package roster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"bindery/shared/directory"
)

// Files are uploaded files; package upload has the contract.
type Files interface {
	Sign(ctx context.Context, id directory.UploadID, size int64, contentType string, expires time.Time) (directory.SignedRequest, error)
	Stat(ctx context.Context, id directory.UploadID) (directory.StoredFile, error)
	Read(ctx context.Context, id directory.UploadID, version string, offset int64, n int) ([]byte, error)
	Delete(ctx context.Context, id directory.UploadID) error
}

// readBytes is how much of an uploaded file is read at once.
const readBytes = 1 << 20

// file is a file of which only a window is in memory.
type file struct {
	size int64
	// read returns some bytes from an offset that lies within the file.
	read   func(ctx context.Context, offset int64) ([]byte, error)
	window []byte
	at     int64 // where the window begins
}

// memoryFile is a file that is in memory already.
func memoryFile(data []byte) *file {
	return &file{size: int64(len(data)), window: data}
}

// from moves the window to an offset, makes it at least as large as scan needs
// it, and returns it and whether it reaches to the file's end.
func (f *file) from(ctx context.Context, offset int64) (window []byte, whole bool, err error) {
	if offset < f.at || offset > f.at+int64(len(f.window)) {
		f.window, f.at = nil, offset
	}
	f.window, f.at = f.window[offset-f.at:], offset
	for len(f.window) < headBytes && f.at+int64(len(f.window)) < f.size {
		more, err := f.read(ctx, f.at+int64(len(f.window)))
		if err == nil && len(more) == 0 {
			err = fmt.Errorf("file of %d bytes ends at %d: %w", f.size, f.at+int64(len(f.window)), io.ErrUnexpectedEOF)
		}
		if err != nil {
			return nil, false, err
		}
		f.window = append(f.window, more...)
	}
	return f.window, f.at+int64(len(f.window)) == f.size, nil
}

// layout reads how the file is to be read.
func (f *file) layout(ctx context.Context, format Format) (layout, error) {
	head, whole, err := f.from(ctx, 0)
	if err != nil {
		return layout{}, err
	}
	return readLayout(head, whole, format)
}

// count counts elements from a place on, at most so many bytes of the file, and
// returns the place behind them.
func (f *file) count(ctx context.Context, l *layout, at filePlace, bytes int64) (int, filePlace, error) {
	n := 0
	for end := at.Offset + bytes; at.Offset < min(end, f.size); {
		window, whole, err := f.from(ctx, at.Offset)
		if err != nil {
			return n, at, err
		}
		at = l.scan(window, whole, at, maxLines+1-n, func(int, []byte) { n++ })
		if n > maxLines {
			return n, at, tooManyLines()
		}
	}
	return n, at, nil
}

func tooManyLines() error {
	return directory.Refuse(directory.ErrTooLarge, "too-many-lines", fmt.Sprintf("The file has more than %d lines with a user.", maxLines),
		"Split it into several files, each with its own header row if it is CSV.")
}

func emptyFile() error {
	return directory.Refuse(directory.ErrInvalid, "empty-file", "The file holds no user.", "Send JSON lines, or CSV with a header row of attribute names.")
}

// uploaded is an uploaded file of a version. What became of it since is a
// refusal, which ends the job that loads it.
func uploaded(files Files, id directory.UploadID, stored directory.StoredFile) *file {
	return &file{size: stored.Size, read: func(ctx context.Context, offset int64) ([]byte, error) {
		data, err := files.Read(ctx, id, stored.Version, offset, readBytes)
		switch {
		case errors.Is(err, directory.ErrStale):
			return nil, directory.Refuse(directory.ErrConflict, "upload-changed", "The uploaded file was replaced while it was loaded.",
				"Upload the file again and load it: what is loaded already is not loaded twice.")
		case errors.Is(err, directory.ErrNotFound):
			return nil, directory.Refuse(directory.ErrConflict, "upload-gone", "The uploaded file was deleted before it was loaded; files are kept for a day.",
				"Upload the file again and load it: what is loaded already is not loaded twice.")
		}
		return data, err
	}}
}
