package upload_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bindery/shared/directory"
	"bindery/shared/platform/upload"
)

// files is the contract.
type files interface {
	Sign(ctx context.Context, id directory.UploadID, size int64, contentType string, expires time.Time) (directory.SignedRequest, error)
	Stat(ctx context.Context, id directory.UploadID) (directory.StoredFile, error)
	Read(ctx context.Context, id directory.UploadID, version string, offset int64, n int) ([]byte, error)
	Delete(ctx context.Context, id directory.UploadID) error
}

// driver is one to be tested.
type driver struct {
	files
	// replace puts other content in a file's place, as somebody with rights of
	// their own could.
	replace func(t *testing.T, id directory.UploadID, content string)
	// lenient: the other side does not look at signatures (moto).
	lenient bool
}

func TestFolder(t *testing.T) {
	conform(t, func(t *testing.T) driver {
		dir := t.TempDir()
		mux := http.NewServeMux()
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		u, err := upload.OpenFolder(dir, server.URL, func(context.Context) (directory.Secret, error) { return directory.NewSecret("key"), nil }, nil)
		if err != nil {
			t.Fatal(err)
		}
		mux.Handle(upload.FolderPath, u)
		return driver{files: u, replace: func(t *testing.T, id directory.UploadID, content string) {
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

func TestS3(t *testing.T) {
	conform(t, func(t *testing.T) driver {
		server := httptest.NewServer(&fakeS3{t: t, objects: map[string][]byte{}})
		t.Cleanup(server.Close)
		return s3Driver(server.URL, "bucket")
	})
}

func TestS3OnMoto(t *testing.T) {
	endpoint := os.Getenv("BINDERY_AWS_ENDPOINT")
	if endpoint == "" {
		t.Skip("BINDERY_AWS_ENDPOINT is not set; infra/aws-local/moto.sh starts moto")
	}
	n := 0
	conform(t, func(t *testing.T) driver {
		n++
		bucket := fmt.Sprintf("uploads-%d-%d", time.Now().UnixNano(), n)
		_, err := s3Client(endpoint).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket,
			CreateBucketConfiguration: location})
		if err != nil {
			t.Fatal(err)
		}
		d := s3Driver(endpoint, bucket)
		d.lenient = true
		return d
	})
}

func s3Driver(endpoint, bucket string) driver {
	client := s3Client(endpoint)
	return driver{files: upload.NewS3(client, bucket, nil), replace: func(t *testing.T, id directory.UploadID, content string) {
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String(upload.S3Prefix + string(id)), Body: strings.NewReader(content)})
		if err != nil {
			t.Fatal(err)
		}
	}}
}

// put sends a signed request. change alters it first.
func put(t *testing.T, r directory.SignedRequest, content string, change func(*http.Request)) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), r.Method, r.URL, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range r.Headers {
		req.Header.Set(name, value)
	}
	if change != nil {
		change(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// conform is the suite that every driver passes.
func conform(t *testing.T, open func(t *testing.T) driver) {
	soon := func() time.Time { return time.Now().Add(time.Hour) }
	sign := func(t *testing.T, d driver, id directory.UploadID, size int, contentType string) directory.SignedRequest {
		t.Helper()
		r, err := d.Sign(t.Context(), id, int64(size), contentType, soon())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	stat := func(t *testing.T, d driver, id directory.UploadID) directory.StoredFile {
		t.Helper()
		f, err := d.Stat(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	const a, b = directory.UploadID("upl_a1"), directory.UploadID("upl_b2")

	t.Run("Life", func(t *testing.T) {
		d := open(t)
		if _, err := d.Stat(t.Context(), a); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("Stat of nothing = %v, want ErrNotFound", err)
		}
		content := strings.Repeat("0123456789", 30_000)
		if got := put(t, sign(t, d, a, len(content), "text/csv"), content, nil); got != http.StatusOK {
			t.Fatalf("PUT = %d", got)
		}
		if _, err := d.Stat(t.Context(), b); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("Stat of another = %v, want ErrNotFound", err)
		}
		f := stat(t, d, a)
		if f.Size != int64(len(content)) || f.Version == "" {
			t.Fatalf("Stat = %+v, want %d bytes", f, len(content))
		}
		for _, r := range []struct{ offset, n int }{{0, 1}, {0, 7}, {13, 100_000}, {299_999, 1}, {299_990, 50}, {0, 400_000}, {300_000, 10}, {500_000, 10}} {
			got, err := d.Read(t.Context(), a, f.Version, int64(r.offset), r.n)
			want := content[min(r.offset, len(content)):min(r.offset+r.n, len(content))]
			if err != nil || string(got) != want {
				t.Errorf("Read(%d, %d) = %d bytes, %v; want %d", r.offset, r.n, len(got), err, len(want))
			}
		}
		for range 2 {
			if err := d.Delete(t.Context(), a); err != nil {
				t.Errorf("Delete = %v", err)
			}
		}
		if _, err := d.Read(t.Context(), a, f.Version, 0, 1); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("Read of a deleted file = %v, want ErrNotFound", err)
		}
	})

	t.Run("Once", func(t *testing.T) {
		d := open(t)
		r := sign(t, d, a, 3, "")
		if got := put(t, r, "one", nil); got != http.StatusOK {
			t.Fatalf("PUT = %d", got)
		}
		f := stat(t, d, a)
		if got := put(t, r, "two", nil); got != http.StatusPreconditionFailed {
			t.Errorf("second PUT = %d, want 412", got)
		}
		if got, err := d.Read(t.Context(), a, f.Version, 0, 10); err != nil || string(got) != "one" {
			t.Errorf("after a second PUT: %q, %v", got, err)
		}
	})

	t.Run("Replaced", func(t *testing.T) {
		d := open(t)
		put(t, sign(t, d, a, 3, ""), "one", nil)
		f := stat(t, d, a)
		d.replace(t, a, "two")
		if _, err := d.Read(t.Context(), a, f.Version, 0, 3); !errors.Is(err, directory.ErrStale) {
			t.Errorf("Read of a version that is gone = %v, want ErrStale", err)
		}
		if got, err := d.Read(t.Context(), a, stat(t, d, a).Version, 0, 3); err != nil || string(got) != "two" {
			t.Errorf("Read of the new version = %q, %v", got, err)
		}
	})

	t.Run("Signed", func(t *testing.T) {
		d := open(t)
		if d.lenient {
			t.Skip("nobody checks signatures here")
		}
		r := sign(t, d, a, 3, "text/csv")
		type attempt struct {
			content string
			change  func(*http.Request)
		}
		attempts := map[string]attempt{
			"longer":       {"four", nil},
			"shorter":      {"2.", nil},
			"empty":        {"", nil},
			"other type":   {"one", func(req *http.Request) { req.Header.Set("Content-Type", "text/html") }},
			"no type":      {"one", func(req *http.Request) { req.Header.Del("Content-Type") }},
			"overwriting":  {"one", func(req *http.Request) { req.Header.Del("If-None-Match") }},
			"other file":   {"one", func(req *http.Request) { req.URL.Path = strings.Replace(req.URL.Path, string(a), string(b), 1) }},
			"no signature": {"one", func(req *http.Request) { req.URL.RawQuery = "" }},
			"reading":      {"", func(req *http.Request) { req.Method = http.MethodGet }},
			"deleting":     {"", func(req *http.Request) { req.Method = http.MethodDelete }},
		}
		signed, err := url.Parse(r.URL)
		if err != nil {
			t.Fatal(err)
		}
		for name := range signed.Query() { // size, time and signature among them
			attempts["other "+name] = attempt{"one", func(req *http.Request) {
				q := req.URL.Query()
				other := "8"
				if strings.HasPrefix(q.Get(name), other) {
					other = "9"
				}
				q.Set(name, other+q.Get(name)[1:])
				req.URL.RawQuery = q.Encode()
			}}
		}
		for name, bad := range attempts {
			if got := put(t, r, bad.content, bad.change); got < 400 || got >= 500 {
				t.Errorf("%s: %d, want a refusal", name, got)
			}
		}
		for _, id := range []directory.UploadID{a, b} {
			if _, err := d.Stat(t.Context(), id); !errors.Is(err, directory.ErrNotFound) {
				t.Errorf("a refused request has stored %s: %v", id, err)
			}
		}
		if got := put(t, r, "one", nil); got != http.StatusOK {
			t.Errorf("the signed request itself = %d", got)
		}
	})

	t.Run("IDs", func(t *testing.T) {
		d := open(t)
		for _, id := range []directory.UploadID{"", "upl_", "a", "upl_../x", "upl_a/b", "upl_A", "upl_a.upload", "upl_" + directory.UploadID(strings.Repeat("a", 61))} {
			_, signed := d.Sign(t.Context(), id, 1, "", soon())
			_, stat := d.Stat(t.Context(), id)
			_, read := d.Read(t.Context(), id, "", 0, 1)
			for _, err := range []error{signed, stat, read, d.Delete(t.Context(), id)} {
				if !errors.Is(err, directory.ErrNotFound) {
					t.Errorf("%q: %v, want ErrNotFound", id, err)
				}
			}
		}
	})

	t.Run("AtOnce", func(t *testing.T) {
		d := open(t)
		r := sign(t, d, a, 5000, "")
		var group sync.WaitGroup
		var mu sync.Mutex
		stored := 0
		for i := range 8 {
			group.Go(func() {
				if put(t, r, strings.Repeat(fmt.Sprint(i), 5000), nil) == http.StatusOK {
					mu.Lock()
					stored++
					mu.Unlock()
				}
			})
		}
		group.Wait()
		got, err := d.Read(t.Context(), a, stat(t, d, a).Version, 0, 9000)
		if err != nil || len(got) != 5000 || len(bytes.Trim(got, string(got[:1]))) != 0 {
			t.Errorf("after eight at once: %d bytes, %v; not one of the eight", len(got), err)
		}
		if stored != 1 && !d.lenient {
			t.Errorf("%d of eight were told that they stored the file, want one", stored)
		}
	})
}

// A request that has expired stores nothing; a file that nobody loads goes after a day.
func TestFolderTimes(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	clock := func() time.Time { return now }
	open := func() *upload.Folder {
		u, err := upload.OpenFolder(dir, "http://local", func(context.Context) (directory.Secret, error) { return directory.NewSecret("key"), nil }, clock)
		if err != nil {
			t.Fatal(err)
		}
		return u
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
	dir := t.TempDir()
	u, err := upload.OpenFolder(dir, "http://local", func(context.Context) (directory.Secret, error) { return directory.NewSecret("key"), nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
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

// fakeS3 is the part of S3 that uploads use: objects of one bucket, conditions,
// ranges, and signatures in the query, which it computes anew from what is sent.
type fakeS3 struct {
	t       *testing.T
	mu      sync.Mutex
	objects map[string][]byte
}

func (f *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.t.Error(err)
	}
	if r.URL.Query().Has("X-Amz-Signature") || r.Header.Get("Authorization") == "" {
		if !f.signed(r) {
			http.Error(w, "<Error><Code>SignatureDoesNotMatch</Code></Error>", http.StatusForbidden)
			return
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	object, there := f.objects[r.URL.Path]
	etag := func(b []byte) string { sum := sha256.Sum256(b); return `"` + hex.EncodeToString(sum[:16]) + `"` }
	switch {
	case r.Method == http.MethodPut && there && r.Header.Get("If-None-Match") == "*":
		http.Error(w, "<Error><Code>PreconditionFailed</Code></Error>", http.StatusPreconditionFailed)
	case r.Method == http.MethodPut:
		if r.Header.Get("Content-Encoding") == "aws-chunked" {
			f.t.Error("the fake takes no chunked bodies")
		}
		f.objects[r.URL.Path] = body
		w.Header().Set("ETag", etag(body))
	case r.Method == http.MethodDelete:
		delete(f.objects, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	case !there:
		http.Error(w, "<Error><Code>NoSuchKey</Code></Error>", http.StatusNotFound)
	default: // net/http knows HEAD, ranges and If-Match
		w.Header().Set("ETag", etag(object))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(object))
	}
}

// signed reports whether a request is the one that was signed, and not expired.
func (f *fakeS3) signed(r *http.Request) bool {
	q := r.URL.Query()
	at, err := time.Parse("20060102T150405Z", q.Get("X-Amz-Date"))
	seconds, err2 := strconv.Atoi(q.Get("X-Amz-Expires"))
	if err != nil || err2 != nil || time.Now().After(at.Add(time.Duration(seconds)*time.Second)) {
		return false
	}
	sent := q.Encode()
	bare, _ := http.NewRequest(r.Method, "http://"+r.Host+r.URL.EscapedPath(), nil)
	names := strings.Split(q.Get("X-Amz-SignedHeaders"), ";")
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature"} {
		q.Del(name)
	}
	bare.URL.RawQuery = q.Encode()
	for _, name := range names {
		switch name {
		case "host":
		case "content-length":
			bare.ContentLength = r.ContentLength
		default:
			if v := r.Header.Get(name); v != "" {
				bare.Header.Set(name, v)
			}
		}
	}
	creds, err := credentials.Retrieve(context.Background())
	if err != nil {
		f.t.Fatal(err)
	}
	signed, _, err := v4.NewSigner().PresignHTTP(context.Background(), creds, bare, "UNSIGNED-PAYLOAD", "s3", "eu-central-1", at,
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err != nil {
		f.t.Fatal(err)
	}
	u, err := url.Parse(signed)
	return err == nil && u.Query().Encode() == sent
}
