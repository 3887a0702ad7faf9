package signer

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"

	"bindery/shared/directory"
)

// LocalConfig is what a Local works with.
type LocalConfig struct {
	// Key returns the secret.
	Key func(ctx context.Context) (directory.Secret, error)
}

// Local signs with a secret of this machine.
type Local struct{ cfg LocalConfig }

// NewLocal returns the signer of a secret.
func NewLocal(cfg LocalConfig) *Local { return &Local{cfg} }

var _ Signer = (*Local)(nil)

// localKey is how the seals of a laptop name their key.
const localKey = "local"

// Sign makes a seal.
func (s *Local) Sign(ctx context.Context, message []byte) ([]byte, string, error) {
	if err := check(message); err != nil {
		return nil, "", err
	}
	key, err := s.cfg.Key(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("signer: key: %w", err)
	}
	m := hmac.New(sha256.New, []byte(key.Reveal()))
	m.Write(message)
	return m.Sum(nil), localKey, nil
}

// Verify reports whether the seal is one of the secret.
func (s *Local) Verify(ctx context.Context, message, mac []byte) (bool, error) {
	if check(message) != nil {
		return false, nil
	}
	want, _, err := s.Sign(ctx, message)
	return err == nil && hmac.Equal(want, mac), err
}
