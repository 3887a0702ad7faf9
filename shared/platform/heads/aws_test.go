package heads_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"bindery/shared/directory"
	"bindery/shared/platform/heads"
	"bindery/shared/platform/heads/headstest"
)

// bucket is S3 as far as heads use it: objects that are only ever added.
type bucket struct {
	mu   sync.Mutex
	keys []string
	down error
	// raced has another writer put the same object right before.
	raced bool
	// busy has another writer be at the same object, and fail.
	busy bool
	// hidden has every object lie under a marker, as after a DELETE that names no
	// version: Object Lock does not forbid that.
	hidden bool
	page   int
}

func (b *bucket) PutObject(_ context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	data, err := io.ReadAll(in.Body)
	if b.down != nil || err != nil || len(data) == 0 {
		return nil, cmp.Or(b.down, err)
	}
	if b.busy {
		return nil, &smithy.GenericAPIError{Code: "ConditionalRequestConflict", Message: "A conflicting operation occurred during the request"}
	}
	at, there := slices.BinarySearch(b.keys, *in.Key)
	if b.raced && !there {
		b.keys = slices.Insert(b.keys, at, *in.Key)
		there = true
	}
	if there && aws.ToString(in.IfNoneMatch) == "*" {
		return nil, &smithy.GenericAPIError{Code: "PreconditionFailed", Message: "At least one of the pre-conditions you specified did not hold"}
	}
	if there || in.ChecksumAlgorithm == "" {
		return nil, fmt.Errorf("bucket: %s is written over, or without a checksum, which Object Lock asks for", *in.Key)
	}
	b.keys = slices.Insert(b.keys, at, *in.Key)
	return &s3.PutObjectOutput{}, nil
}

// ListObjectVersions lists a version and, of what is hidden, its marker, each by
// itself, in pages that may end between the two.
func (b *bucket) ListObjectVersions(_ context.Context, in *s3.ListObjectVersionsInput, _ ...func(*s3.Options)) (*s3.ListObjectVersionsOutput, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down != nil {
		return nil, b.down
	}
	page, out, last := b.page, &s3.ListObjectVersionsOutput{}, ""
	if n := int(aws.ToInt32(in.MaxKeys)); n > 0 {
		page = min(page, n)
	}
	marker, version := aws.ToString(in.KeyMarker), aws.ToString(in.VersionIdMarker)
	add := func(key, id string, put func()) bool {
		if key < marker || key == marker && (version == "" || id <= version) {
			return true
		}
		if len(out.Versions)+len(out.CommonPrefixes)+len(out.DeleteMarkers) == page {
			out.IsTruncated = aws.Bool(true)
			return false
		}
		put()
		out.NextKeyMarker, out.NextVersionIdMarker = aws.String(key), aws.String(id)
		if id == "" {
			out.NextVersionIdMarker = nil
		}
		return true
	}
	for _, key := range b.keys {
		rest, ok := strings.CutPrefix(key, *in.Prefix)
		if !ok {
			continue
		}
		if folder, _, deep := strings.Cut(rest, "/"); in.Delimiter != nil && deep {
			name := *in.Prefix + folder + "/"
			if name != last && !add(name, "", func() { out.CommonPrefixes = append(out.CommonPrefixes, types.CommonPrefix{Prefix: &name}) }) {
				break
			}
			last = name
			continue
		}
		if b.hidden && !add(key, "1", func() { out.DeleteMarkers = append(out.DeleteMarkers, types.DeleteMarkerEntry{Key: &key}) }) {
			break
		}
		if !add(key, "2", func() { out.Versions = append(out.Versions, types.ObjectVersion{Key: &key}) }) {
			break
		}
	}
	if !aws.ToBool(out.IsTruncated) {
		out.NextKeyMarker, out.NextVersionIdMarker = nil, nil
	}
	return out, nil
}

func newS3(client heads.Client, bucket string) *heads.S3 {
	return heads.NewS3(heads.S3Config{Client: client, Bucket: bucket})
}

func TestS3(t *testing.T) {
	t.Parallel()
	headstest.Run(t, func(t *testing.T) heads.Keeper { return newS3(&bucket{page: 2}, "b") })
}

// Whoever deletes what Object Lock keeps hides it from a listing of objects; it is
// kept all the same.
func TestS3Hidden(t *testing.T) {
	t.Parallel()
	headstest.Run(t, func(t *testing.T) heads.Keeper { return newS3(&bucket{page: 3, hidden: true}, "b") })
}

func TestS3IsDown(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	b := &bucket{page: 1000, down: gone}
	k := newS3(b, "b")
	h := directory.ChainHead{Chain: "acts", Seq: 1, Hash: strings.Repeat("a", 64)}
	_, listErr := k.Chains(t.Context())
	_, keptErr := k.Kept(t.Context(), "acts", 0, 1)
	for _, err := range []error{k.Keep(t.Context(), h), listErr, keptErr} {
		if !errors.Is(err, gone) {
			t.Errorf("error = %v", err)
		}
	}
	b.down, b.busy = nil, true
	if err := k.Keep(t.Context(), h); err == nil || len(b.keys) > 0 {
		t.Errorf("while another is at it the head counts as kept: %v, %v", b.keys, err)
	}
	b.busy, b.raced = false, true
	if err := k.Keep(t.Context(), h); err != nil {
		t.Errorf("another has kept the same: %v", err)
	}
}

// marked mends what moto makes of a KeyMarker that is no object's key: it leaves out
// the first key behind it as well.
type marked struct{ *s3.Client }

func (m marked) ListObjectVersions(ctx context.Context, in *s3.ListObjectVersionsInput, o ...func(*s3.Options)) (*s3.ListObjectVersionsOutput, error) {
	if in.KeyMarker == nil || in.VersionIdMarker != nil || in.Delimiter != nil {
		return m.Client.ListObjectVersions(ctx, in, o...)
	}
	all := *in
	all.KeyMarker, all.MaxKeys = nil, nil
	out, err := m.Client.ListObjectVersions(ctx, &all, o...)
	if err == nil {
		out.Versions = slices.DeleteFunc(out.Versions, func(v types.ObjectVersion) bool { return *v.Key <= *in.KeyMarker })
	}
	return out, err
}

// TestS3OnAWS runs the suite on a bucket with Object Lock, which moto plays.
func TestS3OnAWS(t *testing.T) {
	t.Parallel()
	endpoint := os.Getenv("BINDERY_AWS_ENDPOINT")
	if endpoint == "" {
		t.Skip("needs moto: make test-aws starts it")
	}
	client := s3.New(s3.Options{Region: "eu-central-1", BaseEndpoint: &endpoint, UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		})})
	n := 0
	open := func(t *testing.T) (string, *heads.S3) {
		n++
		name := fmt.Sprintf("bindery-heads-%d-%d", os.Getpid(), n)
		_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name, ObjectLockEnabledForBucket: aws.Bool(true),
			CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraintEuCentral1}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.PutObjectLockConfiguration(t.Context(), &s3.PutObjectLockConfigurationInput{Bucket: &name,
			ObjectLockConfiguration: &types.ObjectLockConfiguration{ObjectLockEnabled: types.ObjectLockEnabledEnabled,
				Rule: &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: types.ObjectLockRetentionModeGovernance, Days: aws.Int32(400)}}}})
		if err != nil {
			t.Fatal(err)
		}
		return name, newS3(marked{client}, name)
	}
	headstest.Run(t, func(t *testing.T) heads.Keeper { _, k := open(t); return k })

	name, k := open(t)
	h := directory.ChainHead{Chain: "acts", Seq: 1, Hash: strings.Repeat("a", 64)}
	if err := k.Keep(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	key := "heads/acts/0000000001/" + h.Hash
	if _, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &name, Key: &key}); err != nil {
		t.Fatal(err)
	}
	chains, err := k.Chains(t.Context())
	list, listErr := k.Kept(t.Context(), "acts", 0, 10)
	if err != nil || listErr != nil || !slices.Equal(chains, []string{"acts"}) || len(list) != 1 {
		t.Errorf("under a marker: chains %v, %v; heads %v, %v", chains, err, list, listErr)
	}
	h.Hash = strings.Repeat("b", 64)
	if err := k.Keep(t.Context(), h); !errors.Is(err, directory.ErrConflict) {
		t.Errorf("another one in its place: %v", err)
	}
}
