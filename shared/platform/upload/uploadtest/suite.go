// Package uploadtest holds what every keeper of uploaded files must do.
package uploadtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/platform/upload"
)

// Driver is one to be tested.
type Driver struct {
	upload.Files
	// Replace puts other content in a file's place, as somebody with rights of
	// their own could.
	Replace func(t *testing.T, id directory.UploadID, content string)
	// Lenient: the other side does not look at signatures (moto).
	Lenient bool
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

// Run runs the suite; open gives a driver without files.
func Run(t *testing.T, open func(t *testing.T) Driver) {
	soon := func() time.Time { return time.Now().Add(time.Hour) }
	sign := func(t *testing.T, d Driver, id directory.UploadID, size int, contentType string) directory.SignedRequest {
		t.Helper()
		r, err := d.Sign(t.Context(), id, int64(size), contentType, soon())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	stat := func(t *testing.T, d Driver, id directory.UploadID) directory.StoredFile {
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
		d.Replace(t, a, "two")
		if _, err := d.Read(t.Context(), a, f.Version, 0, 3); !errors.Is(err, directory.ErrStale) {
			t.Errorf("Read of a version that is gone = %v, want ErrStale", err)
		}
		if got, err := d.Read(t.Context(), a, stat(t, d, a).Version, 0, 3); err != nil || string(got) != "two" {
			t.Errorf("Read of the new version = %q, %v", got, err)
		}
	})

	t.Run("Signed", func(t *testing.T) {
		d := open(t)
		if d.Lenient {
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
		if stored != 1 && !d.Lenient {
			t.Errorf("%d of eight were told that they stored the file, want one", stored)
		}
	})
}
