package upload_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"bindery/shared/directory"
	"bindery/shared/platform/upload"
	"bindery/shared/platform/upload/uploadtest"
)

var credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
})

var location = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraintEuCentral1}

func s3Client(endpoint string) *s3.Client {
	return s3.New(s3.Options{Region: "eu-central-1", BaseEndpoint: &endpoint, UsePathStyle: true, Credentials: credentials}, upload.ClientOptions)
}

func TestS3(t *testing.T) {
	t.Parallel()
	uploadtest.Run(t, func(t *testing.T) uploadtest.Driver {
		server := httptest.NewServer(&fakeS3{t: t, objects: map[string][]byte{}})
		t.Cleanup(server.Close)
		return s3Driver(server.URL, "bucket")
	})
}

func TestS3OnAWS(t *testing.T) {
	t.Parallel()
	endpoint := os.Getenv("BINDERY_AWS_ENDPOINT")
	if endpoint == "" {
		t.Skip("BINDERY_AWS_ENDPOINT is not set; infra/aws-local/moto.sh starts moto")
	}
	n := 0
	uploadtest.Run(t, func(t *testing.T) uploadtest.Driver {
		n++
		bucket := fmt.Sprintf("uploads-%d-%d", time.Now().UnixNano(), n)
		_, err := s3Client(endpoint).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket,
			CreateBucketConfiguration: location})
		if err != nil {
			t.Fatal(err)
		}
		d := s3Driver(endpoint, bucket)
		d.Lenient = true
		return d
	})
}

func s3Driver(endpoint, bucket string) uploadtest.Driver {
	client := s3Client(endpoint)
	return uploadtest.Driver{Files: upload.NewS3(upload.S3Config{Client: client, Bucket: bucket}), Replace: func(t *testing.T, id directory.UploadID, content string) {
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String(upload.S3Prefix + string(id)), Body: strings.NewReader(content)})
		if err != nil {
			t.Fatal(err)
		}
	}}
}

// What holds a caller to its file is what is signed: S3 refuses a request whose
// length, type or condition is another one.
func TestS3SignedHeaders(t *testing.T) {
	t.Parallel()
	r, err := upload.NewS3(upload.S3Config{Client: s3Client("http://s3.local"), Bucket: "bucket"}).Sign(t.Context(), "upl_a", 123, "text/csv", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if got := q.Get("X-Amz-SignedHeaders"); got != "content-length;content-type;host;if-none-match" {
		t.Errorf("signed headers = %q", got)
	}
	if got := q.Get("X-Amz-Expires"); got != "3600" && got != "3599" {
		t.Errorf("expires after %s s", got)
	}
	for name := range q {
		if strings.HasPrefix(strings.ToLower(name), "x-amz-checksum") || strings.HasPrefix(strings.ToLower(name), "x-amz-sdk-checksum") {
			t.Errorf("%s: a client cannot know it", name)
		}
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
