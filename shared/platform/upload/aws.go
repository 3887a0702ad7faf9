package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bindery/shared/directory"
)

// S3Prefix is where the files lie in their bucket; the roles of template.yaml
// reach nothing else there.
const S3Prefix = "uploads/"

// S3Config is what an S3 works with.
type S3Config struct {
	Client *s3.Client // with ClientOptions
	Bucket string
	Now    func() time.Time // nil means time.Now
}

// S3 keeps files in a bucket.
type S3 struct {
	cfg  S3Config
	sign *s3.PresignClient
}

// ClientOptions are those that a client for signing needs: a signed request holds
// no checksum, which its caller could not know.
func ClientOptions(o *s3.Options) {
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
}

// NewS3 returns the files of a bucket.
func NewS3(cfg S3Config) *S3 {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &S3{cfg, s3.NewPresignClient(cfg.Client)}
}

var _ Files = (*S3)(nil)

// Sign returns the request that stores a file of size bytes until expires, or
// until the credentials of this process end, whichever comes first.
func (u *S3) Sign(ctx context.Context, id directory.UploadID, size int64, contentType string, expires time.Time) (directory.SignedRequest, error) {
	in := &s3.PutObjectInput{Bucket: &u.cfg.Bucket, Key: key(id), ContentLength: &size, IfNoneMatch: aws.String("*")}
	headers := map[string]string{"If-None-Match": "*"}
	if contentType != "" {
		in.ContentType, headers["Content-Type"] = &contentType, contentType
	}
	if err := checkID(id); err != nil {
		return directory.SignedRequest{}, err
	}
	r, err := u.sign.PresignPutObject(ctx, in, s3.WithPresignExpires(expires.Sub(u.cfg.Now())))
	if err != nil {
		return directory.SignedRequest{}, fmt.Errorf("sign upload: %w", err)
	}
	return directory.SignedRequest{Method: r.Method, URL: r.URL, Headers: headers, Expires: expires}, nil
}

// Stat returns a file's size and version.
func (u *S3) Stat(ctx context.Context, id directory.UploadID) (directory.StoredFile, error) {
	if err := checkID(id); err != nil {
		return directory.StoredFile{}, err
	}
	out, err := u.cfg.Client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &u.cfg.Bucket, Key: key(id)})
	if err != nil {
		return directory.StoredFile{}, fault("stat", err)
	}
	return directory.StoredFile{Size: aws.ToInt64(out.ContentLength), Version: aws.ToString(out.ETag)}, nil
}

// Read returns up to n bytes of a version of a file, from offset.
func (u *S3) Read(ctx context.Context, id directory.UploadID, version string, offset int64, n int) ([]byte, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	out, err := u.cfg.Client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &u.cfg.Bucket, Key: key(id), IfMatch: &version, Range: aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+int64(n)-1)),
	})
	if status(err) == http.StatusRequestedRangeNotSatisfiable {
		return nil, nil
	}
	if err != nil {
		return nil, fault("read", err)
	}
	defer out.Body.Close()
	data, err := io.ReadAll(io.LimitReader(out.Body, int64(n)))
	if err != nil {
		return nil, fmt.Errorf("read upload: %w", err)
	}
	if out.ContentLength != nil && int64(len(data)) != *out.ContentLength {
		return nil, fmt.Errorf("read upload: %d bytes of %d: %w", len(data), *out.ContentLength, io.ErrUnexpectedEOF)
	}
	return data, nil
}

// Delete removes a file.
func (u *S3) Delete(ctx context.Context, id directory.UploadID) error {
	if err := checkID(id); err != nil {
		return err
	}
	_, err := u.cfg.Client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &u.cfg.Bucket, Key: key(id)})
	if err = fault("delete", err); errors.Is(err, directory.ErrNotFound) {
		return nil
	}
	return err
}

func key(id directory.UploadID) *string { return aws.String(S3Prefix + string(id)) }

// status is the HTTP status of an answer that is an error, or 0. A HEAD has no
// body, so its errors have no other name.
func status(err error) int {
	if r, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return r.HTTPStatusCode()
	}
	return 0
}

func fault(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case status(err) == http.StatusNotFound:
		return fmt.Errorf("%s upload: %w", what, directory.ErrNotFound)
	case status(err) == http.StatusPreconditionFailed:
		return fmt.Errorf("%s upload: the file has changed: %w", what, directory.ErrStale)
	}
	return fmt.Errorf("%s upload: %w", what, err)
}
