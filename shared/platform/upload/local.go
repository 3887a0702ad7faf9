package upload

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
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

// FolderPath is where a Folder's signed requests go, below its base address.
const FolderPath = "/uploads/"

// keep is how long a file that nobody loads is kept.
const keep = 24 * time.Hour

const (
	fileSuffix = ".upload"
	tempPrefix = "incoming-"
)

// Folder keeps files in a folder. It is the http.Handler of its own signed
// requests, which it checks as S3 does.
type Folder struct {
	dir  string
	base string // where it is served, without a slash at the end
	key  func(context.Context) (directory.Secret, error)
	now  func() time.Time
}

// OpenFolder opens a folder, makes it when there is none, and clears away what
// is older than a day. base is the address at which the Folder is served; key
// gives what requests are signed with. now is the clock; nil means time.Now.
func OpenFolder(dir, base string, key func(context.Context) (directory.Secret, error), now func() time.Time) (*Folder, error) {
	if now == nil {
		now = time.Now
	}
	if err := ownfile.Tighten(dir); err != nil {
		return nil, fmt.Errorf("uploads: %w", err)
	}
	u := &Folder{dir, strings.TrimRight(base, "/"), key, now}
	return u, u.clear()
}

// clear deletes the files that are older than a day, also those that a killed
// process left half stored.
func (u *Folder) clear() error {
	entries, err := os.ReadDir(u.dir)
	if err != nil {
		return fmt.Errorf("uploads: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		ours := strings.HasSuffix(e.Name(), fileSuffix) || strings.HasPrefix(e.Name(), tempPrefix)
		if err != nil || !ours || info.ModTime().After(u.now().Add(-keep)) {
			continue // gone already, or still young
		}
		if err := os.Remove(filepath.Join(u.dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("uploads: %w", err)
		}
	}
	return nil
}

// grant is what a signature is about.
type grant struct {
	id          directory.UploadID
	size        int64
	contentType string
	expires     int64 // Unix seconds
}

func (u *Folder) signature(ctx context.Context, g grant) (string, error) {
	key, err := u.key(ctx)
	if err != nil {
		return "", fmt.Errorf("uploads: %w", err)
	}
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	fmt.Fprintf(mac, "PUT\n%s\n%d\n%s\n%d", g.id, g.size, g.contentType, g.expires)
	return hex.EncodeToString(mac.Sum(nil)), nil
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
	return directory.SignedRequest{Method: http.MethodPut, URL: u.base + FolderPath + string(id) + "?" + v.Encode(), Headers: headers, Expires: expires}, nil
}

// ServeHTTP takes one signed request. What is wrong with it is answered as S3
// does, in XML.
func (u *Folder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, _ := strings.CutPrefix(r.URL.Path, FolderPath)
	q := r.URL.Query()
	g := grant{id: directory.UploadID(id), contentType: r.Header.Get("Content-Type")}
	var sizeErr, timeErr error
	g.size, sizeErr = strconv.ParseInt(q.Get("bytes"), 10, 64)
	g.expires, timeErr = strconv.ParseInt(q.Get("expires"), 10, 64)
	if r.Method != http.MethodPut {
		refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "Only PUT is taken here.")
		return
	}
	want, err := u.signature(r.Context(), g)
	switch {
	case err != nil:
		refuse(w, http.StatusInternalServerError, "InternalError", "The signature cannot be checked.")
	case sizeErr != nil, timeErr != nil, checkID(g.id) != nil, !hmac.Equal([]byte(want), []byte(q.Get("signature"))):
		refuse(w, http.StatusForbidden, "SignatureDoesNotMatch", "The request is not the one that was signed: send method, address and Content-Type as they were given.")
	case u.now().Unix() > g.expires:
		refuse(w, http.StatusForbidden, "AccessDenied", "The request has expired.")
	case r.ContentLength < 0:
		refuse(w, http.StatusLengthRequired, "MissingContentLength", "Say the file's length in Content-Length.")
	case r.ContentLength != g.size:
		refuse(w, http.StatusForbidden, "SignatureDoesNotMatch", fmt.Sprintf("The request was signed for %d bytes.", g.size))
	case r.Header.Get("If-None-Match") != "*":
		refuse(w, http.StatusForbidden, "SignatureDoesNotMatch", "The request was signed with the header If-None-Match: *.")
	default:
		u.take(w, r, g)
	}
}

// take stores the body of a request that may. A file appears whole or not at all.
func (u *Folder) take(w http.ResponseWriter, r *http.Request, g grant) {
	stored, err := u.store(r.Body, g)
	switch {
	case errors.Is(err, fs.ErrExist):
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed", "The file is there already.")
	case errors.Is(err, io.ErrUnexpectedEOF):
		refuse(w, http.StatusBadRequest, "IncompleteBody", "The body has ended before its length.")
	case err != nil:
		refuse(w, http.StatusInternalServerError, "InternalError", "The file cannot be stored.")
	default:
		w.Header().Set("ETag", stored.Version)
	}
}

func (u *Folder) store(body io.Reader, g grant) (directory.StoredFile, error) {
	temp, err := os.CreateTemp(u.dir, tempPrefix)
	if err != nil {
		return directory.StoredFile{}, err
	}
	defer os.Remove(temp.Name())
	_, err = io.CopyN(temp, body, g.size)
	if errors.Is(err, io.EOF) && g.size > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return directory.StoredFile{}, err
	}
	if err := os.Link(temp.Name(), u.path(g.id)); err != nil { // the first of two wins
		return directory.StoredFile{}, err
	}
	info, err := os.Stat(u.path(g.id))
	if err != nil {
		return directory.StoredFile{}, err
	}
	return stat(info), nil
}

// refuse answers in the form of S3's errors.
func refuse(w http.ResponseWriter, status int, code, message string) {
	body, _ := xml.Marshal(struct { // texts only
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: code, Message: message})
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone
}

func (u *Folder) path(id directory.UploadID) string {
	return filepath.Join(u.dir, string(id)+fileSuffix)
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
