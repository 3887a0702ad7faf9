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
	"os"
	"strconv"
	"strings"

	"bindery/shared/directory"
)

// FolderPath is where a Folder's signed requests go, below its base address.
const FolderPath = "/uploads/"

// grant is what a signature is about.
type grant struct {
	id          directory.UploadID
	size        int64
	contentType string
	expires     int64 // Unix seconds
}

func (u *Folder) signature(ctx context.Context, g grant) (string, error) {
	key, err := u.cfg.Key(ctx)
	if err != nil {
		return "", fmt.Errorf("uploads: %w", err)
	}
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	fmt.Fprintf(mac, "PUT\n%s\n%d\n%s\n%d", g.id, g.size, g.contentType, g.expires)
	return hex.EncodeToString(mac.Sum(nil)), nil
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
	case u.cfg.Now().Unix() > g.expires:
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
	temp, err := os.CreateTemp(u.cfg.Path, tempPrefix)
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
