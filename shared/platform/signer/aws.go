// Package signer puts seals on messages that only its key can make: an HMAC-SHA-256
// by a key of AWS KMS that never leaves it (KMS), or by a secret on a laptop
// (Local). Who can write to the table cannot make one; nobody can who may only
// verify. Seals are made on what the activity's links say (package audit).
package signer

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"bindery/shared/directory"
)

// MaxMessage is how long a message may be: KMS takes no more.
const MaxMessage = 4096

// ErrTooLong says that a message is longer than MaxMessage.
var ErrTooLong = errors.New("seal: message too long")

func check(message []byte) error {
	if len(message) == 0 || len(message) > MaxMessage {
		return fmt.Errorf("%w: %d bytes, want 1 to %d", ErrTooLong, len(message), MaxMessage)
	}
	return nil
}

// Client is what KMS uses of *kms.Client.
type Client interface {
	GenerateMac(context.Context, *kms.GenerateMacInput, ...func(*kms.Options)) (*kms.GenerateMacOutput, error)
	VerifyMac(context.Context, *kms.VerifyMacInput, ...func(*kms.Options)) (*kms.VerifyMacOutput, error)
}

// KMS seals with an HMAC_256 key of AWS KMS.
type KMS struct {
	client Client
	key    string
}

// NewKMS returns the seal of a key, by its ARN, ID or alias.
func NewKMS(client Client, key string) *KMS { return &KMS{client, key} }

// Sign makes a seal and names the key that it was made with.
func (s *KMS) Sign(ctx context.Context, message []byte) ([]byte, string, error) {
	if err := check(message); err != nil {
		return nil, "", err
	}
	out, err := s.client.GenerateMac(ctx, &kms.GenerateMacInput{KeyId: &s.key, MacAlgorithm: types.MacAlgorithmSpecHmacSha256, Message: message})
	if err != nil {
		return nil, "", fmt.Errorf("seal: sign: %w", err)
	}
	return out.Mac, aws.ToString(out.KeyId), nil
}

// Verify reports whether the seal is one of the key. A key that a message names
// is not asked: it could be anybody's.
func (s *KMS) Verify(ctx context.Context, message, mac []byte) (bool, error) {
	if check(message) != nil || len(mac) != sha256.Size {
		return false, nil
	}
	out, err := s.client.VerifyMac(ctx, &kms.VerifyMacInput{KeyId: &s.key, MacAlgorithm: types.MacAlgorithmSpecHmacSha256, Message: message, Mac: mac})
	if _, wrong := errors.AsType[*types.KMSInvalidMacException](err); wrong {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("seal: verify: %w", err)
	}
	return out.MacValid, nil
}

// Local seals with a secret of this machine.
type Local struct {
	// Key returns the secret.
	Key func(ctx context.Context) (directory.Secret, error)
}

// localKey is how seals of a laptop name their key.
const localKey = "local"

// Sign makes a seal.
func (s Local) Sign(ctx context.Context, message []byte) ([]byte, string, error) {
	if err := check(message); err != nil {
		return nil, "", err
	}
	key, err := s.Key(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("seal: key: %w", err)
	}
	m := hmac.New(sha256.New, []byte(key.Reveal()))
	m.Write(message)
	return m.Sum(nil), localKey, nil
}

// Verify reports whether the seal is one of the secret.
func (s Local) Verify(ctx context.Context, message, mac []byte) (bool, error) {
	if check(message) != nil {
		return false, nil
	}
	want, _, err := s.Sign(ctx, message)
	return err == nil && hmac.Equal(want, mac), err
}
