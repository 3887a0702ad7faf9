package upload_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"bindery/shared/platform/upload"
)

var credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
})

var location = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraintEuCentral1}

func s3Client(endpoint string) *s3.Client {
	return s3.New(s3.Options{
		Region: "eu-central-1", BaseEndpoint: &endpoint, UsePathStyle: true, Credentials: credentials,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})
}

// What holds a caller to its file is what is signed: S3 refuses a request whose
// length, type or condition is another one.
func TestS3SignedHeaders(t *testing.T) {
	r, err := upload.NewS3(s3Client("http://s3.local"), "bucket", nil).Sign(t.Context(), "upl_a", 123, "text/csv", time.Now().Add(time.Hour))
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
