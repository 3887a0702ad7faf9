package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"bindery/shared/core/recall"
	"bindery/shared/directory"
)

// secretFor is how long a secret that people rotate is used before it is read again.
const secretFor = 5 * time.Minute

// secretReader is what Secret uses of *secretsmanager.Client.
type secretReader interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Secret is a secret that the environment names, which lies outside the vault's
// prefix. It is remembered for five minutes, so that a rotated one is soon used
// and a burst of calls reads once.
type Secret struct {
	client secretReader
	name   string
	kept   recall.Memory[string, directory.Secret]
}

// newSecret returns a secret by name or ARN. now is the clock; nil means time.Now.
func newSecret(client secretReader, name string, now func() time.Time) *Secret {
	if now == nil {
		now = time.Now
	}
	return &Secret{client: client, name: name, kept: recall.Memory[string, directory.Secret]{For: secretFor, Now: now}}
}

// Read returns the value.
func (s *Secret) Read(ctx context.Context) (directory.Secret, error) {
	return s.kept.Get(ctx, s.name, "", s.ReadNow)
}

// Forget has the value read anew: the one that is remembered was refused.
func (s *Secret) Forget() { s.kept.Forget(s.name) }

// ReadNow returns the value as it is now, whatever is remembered.
func (s *Secret) ReadNow(ctx context.Context) (directory.Secret, error) {
	out, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.name})
	if err != nil {
		return directory.Secret{}, fmt.Errorf("read secret %s: %w", s.name, err)
	}
	if out.SecretString == nil || strings.TrimSpace(*out.SecretString) == "" {
		return directory.Secret{}, fmt.Errorf("read secret %s: it holds no text", s.name)
	}
	return directory.NewSecret(strings.TrimSpace(*out.SecretString)), nil // a pasted secret often ends in a line break
}
