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
	ListObjectsV2(context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
}

// S3 keeps heads in a bucket whose Object Lock keeps each for as long as the
// bucket's default says. It adds objects and lists them: it needs no right to
// read, change or delete one.
type S3 struct {
	client Client
	bucket string
}

// NewS3 returns the heads that are kept in a bucket.
func NewS3(client Client, bucket string) *S3 { return &S3{client, bucket} }

// Keep keeps a head.
func (s *S3) Keep(ctx context.Context, h directory.ChainHead) error {
	if err := check(h); err != nil {
		return err
	}
	there, err := s.Kept(ctx, h.Chain, h.Seq-1, 1)
	if err != nil {
		return err
	}
	if len(there) > 0 && there[0].Seq == h.Seq {
		if there[0].Hash == h.Hash {
			return nil
		}
		return conflict(h)
	}
	_, err = s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.bucket, Key: aws.String(nameOf(h)), Body: bytes.NewReader(body(h)), ContentType: aws.String("application/json"),
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
	in := &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: aws.String(prefix), Delimiter: aws.String("/")}
	for {
		out, err := s.client.ListObjectsV2(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("heads: list: %w", err)
		}
		for _, p := range out.CommonPrefixes {
			if chain := strings.TrimSuffix(strings.TrimPrefix(aws.ToString(p.Prefix), prefix), "/"); checkChain(chain) == nil {
				list = append(list, chain)
			}
		}
		if in.ContinuationToken = out.NextContinuationToken; in.ContinuationToken == nil {
			return list, nil
		}
	}
}

// Kept lists heads of a chain from the one after a number on, at most limit.
func (s *S3) Kept(ctx context.Context, chain string, after int64, limit int) ([]directory.ChainHead, error) {
	if err := checkChain(chain); err != nil {
		return nil, err
	}
	var list []directory.ChainHead
	in := &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: aws.String(prefix + chain + "/")}
	if after > 0 {
		in.StartAfter = aws.String(fmt.Sprintf("%s%s/%010d/~", prefix, chain, after)) // behind all of that number
	}
	for {
		in.MaxKeys = aws.Int32(int32(min(1000, limit-len(list))))
		out, err := s.client.ListObjectsV2(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("heads: list: %w", err)
		}
		for _, o := range out.Contents {
			if h, ok := headOf(aws.ToString(o.Key)); ok && len(list) < limit {
				list = append(list, h)
			}
		}
		if in.ContinuationToken = out.NextContinuationToken; in.ContinuationToken == nil || len(list) >= limit {
			return list, nil
		}
	}
}
