package upload

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/platform/ownfile"
)

// keep is how long a file that nobody loads is kept.
const keep = 24 * time.Hour

const (
	fileSuffix = ".upload"
	tempPrefix = "incoming-"
)

// FolderConfig is what a Folder works with.
type FolderConfig struct {
	Path    string // the folder, of which this process is the only user
	BaseURL string // where the Folder is served
	// Key is what requests are signed with.
	Key func(context.Context) (directory.Secret, error)
	Now func() time.Time // nil means time.Now
}

// Folder keeps files in a folder. It is the http.Handler of its own signed
// requests, which it checks as S3 does.
type Folder struct{ cfg FolderConfig }

// NewFolder opens a folder, makes it when there is none, and clears away what
// is older than a day.
func NewFolder(cfg FolderConfig) (*Folder, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	if err := ownfile.Tighten(cfg.Path); err != nil {
		return nil, fmt.Errorf("uploads: %w", err)
	}
	u := &Folder{cfg}
	return u, u.clear()
}

var _ Files = (*Folder)(nil)

// clear deletes the files that are older than a day, also those that a killed
// process left half stored.
func (u *Folder) clear() error {
	entries, err := os.ReadDir(u.cfg.Path)
	if err != nil {
		return fmt.Errorf("uploads: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		ours := strings.HasSuffix(e.Name(), fileSuffix) || strings.HasPrefix(e.Name(), tempPrefix)
		if err != nil || !ours || info.ModTime().After(u.cfg.Now().Add(-keep)) {
			continue // gone already, or still young
		}
		if err := os.Remove(filepath.Join(u.cfg.Path, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("uploads: %w", err)
		}
	}
	return nil
}

// Sign returns the request that stores a file of size bytes until expires.
func (u *Folder) Sign(ctx context.Context, id directory.UploadID, size int64, contentType string, expires time.Time) (directory.SignedRequest, error) {
	if err := checkID(id); err != nil {
		return directory.SignedRequest{}, err
	}
	if err := u.clear(); err != nil {
		return directory.SignedRequest{}, err
	}
	g := grant{id, size, contentType, expires.Unix()}
	mac, err := u.signature(ctx, g)
	if err != nil {
		return directory.SignedRequest{}, err
	}
	v := url.Values{"bytes": {strconv.FormatInt(size, 10)}, "expires": {strconv.FormatInt(g.expires, 10)}, "signature": {mac}}
	headers := map[string]string{"If-None-Match": "*"}
	if contentType != "" {
		headers["Content-Type"] = contentType
	}
	return directory.SignedRequest{Method: http.MethodPut, URL: u.cfg.BaseURL + FolderPath + string(id) + "?" + v.Encode(), Headers: headers, Expires: expires}, nil
}

func (u *Folder) path(id directory.UploadID) string {
	return filepath.Join(u.cfg.Path, string(id)+fileSuffix)
}

// stat tells versions apart by the time of their last change and their size,
// which is what a laptop's file has.
func stat(info fs.FileInfo) directory.StoredFile {
	return directory.StoredFile{Size: info.Size(), Version: fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size())}
}

func missing(what string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		err = directory.ErrNotFound
	}
	return fmt.Errorf("%s upload: %w", what, err)
}

// Stat returns a file's size and version.
func (u *Folder) Stat(ctx context.Context, id directory.UploadID) (directory.StoredFile, error) {
	if err := errors.Join(checkID(id), ctx.Err()); err != nil {
		return directory.StoredFile{}, err
	}
	info, err := os.Stat(u.path(id))
	if err != nil {
		return directory.StoredFile{}, missing("stat", err)
	}
	return stat(info), nil
}

// Read returns up to n bytes of a version of a file, from offset.
func (u *Folder) Read(ctx context.Context, id directory.UploadID, version string, offset int64, n int) ([]byte, error) {
	if err := errors.Join(checkID(id), ctx.Err()); err != nil {
		return nil, err
	}
	f, err := os.Open(u.path(id))
	if err != nil {
		return nil, missing("read", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, missing("read", err)
	}
	if stat(info).Version != version {
		return nil, fmt.Errorf("read upload: the file has changed: %w", directory.ErrStale)
	}
	data := make([]byte, max(0, min(int64(n), info.Size()-offset)))
	if _, err := f.ReadAt(data, offset); err != nil && len(data) > 0 {
		return nil, fmt.Errorf("read upload: %w", err)
	}
	return data, nil
}

// Delete removes a file.
func (u *Folder) Delete(ctx context.Context, id directory.UploadID) error {
	if err := errors.Join(checkID(id), ctx.Err()); err != nil {
		return err
	}
	if err := os.Remove(u.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete upload: %w", err)
	}
	return nil
}
