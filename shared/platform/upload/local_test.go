package upload_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/platform/upload"
	"bindery/shared/platform/upload/uploadtest"
)

// newFolder opens a Folder with a key.
func newFolder(t *testing.T, cfg upload.FolderConfig) *upload.Folder {
	t.Helper()
	cfg.Key = func(context.Context) (directory.Secret, error) { return directory.NewSecret("key"), nil }
	u, err := upload.NewFolder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestFolder(t *testing.T) {
	t.Parallel()
	uploadtest.Run(t, func(t *testing.T) uploadtest.Driver {
		dir := t.TempDir()
		mux := http.NewServeMux()
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		u := newFolder(t, upload.FolderConfig{Path: dir, BaseURL: server.URL})
		mux.Handle(upload.FolderPath, u)
		return uploadtest.Driver{Files: u, Replace: func(t *testing.T, id directory.UploadID, content string) {
			name := filepath.Join(dir, string(id)+".upload")
			if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(name, time.Time{}, time.Now().Add(time.Second)); err != nil { // whatever the clock's grain
				t.Fatal(err)
			}
		}}
	})
}

// A request that has expired stores nothing; a file that nobody loads goes after a day.
func TestFolderTimes(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now()
	clock := func() time.Time { return now }
	open := func() *upload.Folder {
		return newFolder(t, upload.FolderConfig{Path: dir, BaseURL: "http://local", Now: clock})
	}
	u := open()
	store := func(id directory.UploadID) int {
		r, err := u.Sign(t.Context(), id, 3, "", now.Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequest(r.Method, r.URL, strings.NewReader("one"))
		for name, value := range r.Headers {
			req.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		now = now.Add(30 * time.Minute)
		u.ServeHTTP(w, req)
		if w.Code == http.StatusOK {
			now = now.Add(31 * time.Minute)
			w = httptest.NewRecorder()
			u.ServeHTTP(w, req)
		}
		return w.Code
	}
	if got := store("upl_a"); got != http.StatusForbidden {
		t.Errorf("an expired request = %d, want 403", got)
	}
	half := filepath.Join(dir, "incoming-123")
	if err := os.WriteFile(half, []byte("hal"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, open := range []func(){
		func() { open() },
		func() { _, _ = u.Sign(t.Context(), "upl_c", 1, "", now.Add(time.Hour)) },
	} {
		old := now.Add(-25 * time.Hour)
		for _, name := range []string{filepath.Join(dir, "upl_a.upload"), half} {
			if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(name, old, old); err != nil {
				t.Fatal(err)
			}
		}
		store("upl_b")
		if err := os.Chtimes(filepath.Join(dir, "upl_b.upload"), now, now); err != nil {
			t.Fatal(err)
		}
		open()
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 || filepath.Base(left[0]) != "upl_b.upload" {
			t.Errorf("left after a day: %v", left)
		}
	}
}

// The file of a request that breaks off is not there.
func TestFolderIncomplete(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	u := newFolder(t, upload.FolderConfig{Path: dir, BaseURL: "http://local"})
	r, err := u.Sign(t.Context(), "upl_a", 10, "", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(r.Method, r.URL, strings.NewReader("half"))
	req.ContentLength = 10
	req.Header.Set("If-None-Match", "*")
	w := httptest.NewRecorder()
	u.ServeHTTP(w, req)
	if left, _ := os.ReadDir(dir); w.Code != http.StatusBadRequest || len(left) != 0 {
		t.Errorf("a body that ends early = %d, leaves %v", w.Code, left)
	}
}
