package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"bindery/shared/clock"
	"bindery/shared/directory"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// Client is what SecretsManager uses of *secretsmanager.Client.
type Client interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
	CreateSecret(context.Context, *secretsmanager.CreateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error)
	DeleteSecret(context.Context, *secretsmanager.DeleteSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error)
}

// SecretsManagerConfig is what a SecretsManager works with.
type SecretsManagerConfig struct {
	Client   Client
	Prefix   string // begins the names of all its secrets, such as "bindery/live/"
	KMSKeyID string // encrypts new ones; "" means the account's own key
}

// SecretsManager keeps secrets in AWS Secrets Manager. Throttling is the SDK's to
// repeat.
type SecretsManager struct{ cfg SecretsManagerConfig }

// NewSecretsManager returns the vault of all secrets with a prefix.
func NewSecretsManager(cfg SecretsManagerConfig) *SecretsManager { return &SecretsManager{cfg} }

var _ Vault = (*SecretsManager)(nil)

const (
	putTries = 3
	putWait  = 200 * time.Millisecond
)

// Get returns a secret's newest value.
func (v *SecretsManager) Get(ctx context.Context, name string) (directory.Secret, error) {
	if err := checkName(name); err != nil {
		return directory.Secret{}, err
	}
	out, err := v.cfg.Client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(v.cfg.Prefix + name)})
	if isMissing(err) || isPending(err) {
		return directory.Secret{}, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	if err != nil {
		return directory.Secret{}, fmt.Errorf("vault: get %s: %w", name, err)
	}
	if out.SecretString == nil {
		return directory.NewSecret(string(out.SecretBinary)), nil
	}
	return directory.NewSecret(*out.SecretString), nil
}

// Create makes a secret; ErrExists when there is one of that name.
func (v *SecretsManager) Create(ctx context.Context, name string, value directory.Secret) error {
	if err := errors.Join(checkName(name), checkValue(name, value)); err != nil {
		return err
	}
	in := &secretsmanager.CreateSecretInput{Name: aws.String(v.cfg.Prefix + name), SecretString: aws.String(value.Reveal())}
	if v.cfg.KMSKeyID != "" {
		in.KmsKeyId = &v.cfg.KMSKeyID
	}
	_, err := v.cfg.Client.CreateSecret(ctx, in)
	if _, exists := errors.AsType[*types.ResourceExistsException](err); exists {
		return fmt.Errorf("%w: %s", ErrExists, name)
	}
	return stored("create", name, err)
}

// Put gives a secret a new value; ErrNotFound when there is none. Secrets Manager
// needs a moment to know one that was just made: then Put looks again.
func (v *SecretsManager) Put(ctx context.Context, name string, value directory.Secret) error {
	if err := errors.Join(checkName(name), checkValue(name, value)); err != nil {
		return err
	}
	in := &secretsmanager.PutSecretValueInput{SecretId: aws.String(v.cfg.Prefix + name), SecretString: aws.String(value.Reveal())}
	for try := range putTries {
		if try > 0 {
			if err := clock.Sleep(ctx, putWait<<try); err != nil {
				return fmt.Errorf("vault: put %s: %w", name, err)
			}
		}
		_, err := v.cfg.Client.PutSecretValue(ctx, in)
		if !isMissing(err) {
			return stored("put", name, err)
		}
	}
	return fmt.Errorf("%w: %s", ErrNotFound, name)
}

// stored says in the errors of this package how a writing call ended.
func stored(what, name string, err error) error {
	switch {
	case err == nil:
		return nil
	case isPending(err):
		return fmt.Errorf("%w: %s", ErrPending, name)
	}
	if _, full := errors.AsType[*types.LimitExceededException](err); full {
		return fmt.Errorf("%w: %s: %w", ErrTooOften, name, err)
	}
	return fmt.Errorf("vault: %s %s: %w", what, name, err)
}

// Delete removes a secret without recovery; none is no error. Secrets Manager
// does it in its own time: until then Get says ErrNotFound, and Create, Put
// and Delete may say ErrPending.
func (v *SecretsManager) Delete(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	_, err := v.cfg.Client.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{
		SecretId: aws.String(v.cfg.Prefix + name), ForceDeleteWithoutRecovery: aws.Bool(true),
	})
	switch {
	case err == nil || isMissing(err):
		return nil
	case isPending(err):
		return fmt.Errorf("%w: %s", ErrPending, name)
	}
	return fmt.Errorf("vault: delete %s: %w", name, err)
}

func isMissing(err error) bool {
	var missing *types.ResourceNotFoundException
	return errors.As(err, &missing)
}

// isPending knows the refusal of a secret that is being deleted by its words:
// the exception has other causes too.
func isPending(err error) bool {
	var invalid *types.InvalidRequestException
	if !errors.As(err, &invalid) {
		return false
	}
	text := strings.ToLower(invalid.ErrorMessage())
	return strings.Contains(text, "deletion") || strings.Contains(text, "deleted")
}
