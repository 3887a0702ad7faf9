package signer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// Client is what KMS uses of *kms.Client.
type Client interface {
	GenerateMac(context.Context, *kms.GenerateMacInput, ...func(*kms.Options)) (*kms.GenerateMacOutput, error)
	VerifyMac(context.Context, *kms.VerifyMacInput, ...func(*kms.Options)) (*kms.VerifyMacOutput, error)
}

// KMSConfig is what a KMS works with.
type KMSConfig struct {
	Client Client
	KeyID  string // of an HMAC_256 key: its ARN, ID or alias
}

// KMS signs with a key of AWS KMS.
type KMS struct{ cfg KMSConfig }

// NewKMS returns the signer of a key.
func NewKMS(cfg KMSConfig) *KMS { return &KMS{cfg} }

var _ Signer = (*KMS)(nil)

// Sign makes a seal and names the key that it was made with.
func (s *KMS) Sign(ctx context.Context, message []byte) ([]byte, string, error) {
	if err := check(message); err != nil {
		return nil, "", err
	}
	out, err := s.cfg.Client.GenerateMac(ctx, &kms.GenerateMacInput{KeyId: &s.cfg.KeyID, MacAlgorithm: types.MacAlgorithmSpecHmacSha256, Message: message})
	if err != nil {
		return nil, "", fmt.Errorf("signer: sign: %w", err)
	}
	return out.Mac, aws.ToString(out.KeyId), nil
}

// Verify reports whether the seal is one of the key. A key that a message names
// is not asked: it could be anybody's.
func (s *KMS) Verify(ctx context.Context, message, mac []byte) (bool, error) {
	if check(message) != nil || len(mac) != sha256.Size {
		return false, nil
	}
	out, err := s.cfg.Client.VerifyMac(ctx, &kms.VerifyMacInput{KeyId: &s.cfg.KeyID, MacAlgorithm: types.MacAlgorithmSpecHmacSha256, Message: message, Mac: mac})
	if _, wrong := errors.AsType[*types.KMSInvalidMacException](err); wrong {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("signer: verify: %w", err)
	}
	return out.MacValid, nil
}
