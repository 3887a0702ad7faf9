package heads

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"bindery/shared/directory"
)

// Client is what S3 uses of *s3.Client.
type Client interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	ListObjectVersions(context.Context, *s3.ListObjectVersionsInput, ...func(*s3.Options)) (*s3.ListObjectVersionsOutput, error)
}

// S3Config is what an S3 works with.
type S3Config struct {
	Client Client
	Bucket string
}

// S3 keeps heads in a bucket whose Object Lock keeps each for as long as the
// bucket's default says. It adds objects and lists their versions: it needs no right
// to read, change or delete one. Versions, since Object Lock holds those and nothing
// else: whoever may delete puts a marker over an object, or has a lifecycle rule do
// so, and a listing of objects would not show it any more.
type S3 struct{ cfg S3Config }

// NewS3 returns the heads that are kept in a bucket.
func NewS3(cfg S3Config) *S3 { return &S3{cfg} }

var _ Keeper = (*S3)(nil)

// Keep keeps a head.
func (s *S3) Keep(ctx context.Context, h directory.ChainHead) error {
	if err := check(h); err != nil {
		return err
	}
	there, err := s.list(ctx, &s3.ListObjectVersionsInput{Prefix: aws.String(fmt.Sprintf("%s%s/%010d/", prefix, h.Chain, h.Seq))}, h.Seq-1, 1)
	if err != nil {
		return err
	}
	if len(there) > 0 {
		if there[0].Hash == h.Hash {
			return nil
		}
		return conflict(h)
	}
	_, err = s.cfg.Client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.cfg.Bucket, Key: aws.String(nameOf(h)), Body: bytes.NewReader(body(h)), ContentType: aws.String("application/json"),
		// A second version of the same head would be kept, and paid for, as well.
		IfNoneMatch: aws.String("*"), ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
	})
	if isThere(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("heads: keep: %w", err)
	}
	return nil
}

// isThere reports whether another has put the same object. One who is still at it
// (ConditionalRequestConflict) has not: that may fail, so the head is kept again.
func isThere(err error) bool {
	e, ok := errors.AsType[smithy.APIError](err)
	return ok && e.ErrorCode() == "PreconditionFailed"
}

// Chains lists the chains of which heads are kept.
func (s *S3) Chains(ctx context.Context) ([]string, error) {
	var list []string
	in := &s3.ListObjectVersionsInput{Bucket: &s.cfg.Bucket, Prefix: aws.String(prefix), Delimiter: aws.String("/")}
	for {
		out, err := s.cfg.Client.ListObjectVersions(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("heads: list: %w", err)
		}
		for _, p := range out.CommonPrefixes {
			if chain := strings.TrimSuffix(strings.TrimPrefix(aws.ToString(p.Prefix), prefix), "/"); checkChain(chain) == nil {
				list = append(list, chain)
			}
		}
		if !next(in, out) {
			return list, nil
		}
	}
}

// Kept lists heads of a chain from the one after a number on, at most limit.
func (s *S3) Kept(ctx context.Context, chain string, after int64, limit int) ([]directory.ChainHead, error) {
	if err := checkChain(chain); err != nil {
		return nil, err
	}
	in := &s3.ListObjectVersionsInput{Prefix: aws.String(prefix + chain + "/")}
	if after > 0 {
		in.KeyMarker = aws.String(fmt.Sprintf("%s%s/%010d/", prefix, chain, after)) // before all of that number
	}
	return s.list(ctx, in, after, limit)
}

// list lists heads from the one after a number on, at most limit.
func (s *S3) list(ctx context.Context, in *s3.ListObjectVersionsInput, after int64, limit int) ([]directory.ChainHead, error) {
	var list []directory.ChainHead
	for in.Bucket = &s.cfg.Bucket; ; {
		in.MaxKeys = aws.Int32(int32(min(1000, max(markers, limit-len(list)))))
		out, err := s.cfg.Client.ListObjectVersions(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("heads: list: %w", err)
		}
		for _, v := range out.Versions {
			h, ok := headOf(aws.ToString(v.Key))
			again := len(list) > 0 && list[len(list)-1] == h
			if ok && h.Seq > after && !again && len(list) < limit {
				list = append(list, h)
			}
		}
		if len(list) >= limit || !next(in, out) {
			return list, nil
		}
	}
}

// markers is how many keys are asked for at least, since markers and further
// versions take places of a page as well.
const markers = 100

// next turns a listing to its next page; false when there is none.
func next(in *s3.ListObjectVersionsInput, out *s3.ListObjectVersionsOutput) bool {
	in.KeyMarker, in.VersionIdMarker = out.NextKeyMarker, out.NextVersionIdMarker
	return aws.ToBool(out.IsTruncated) && in.KeyMarker != nil
}
