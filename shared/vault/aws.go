package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"bindery/shared/directory"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// Client is what AWS uses of *secretsmanager.Client.
type Client interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
	CreateSecret(context.Context, *secretsmanager.CreateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error)
	DeleteSecret(context.Context, *secretsmanager.DeleteSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error)
}

// AWS keeps secrets in Secrets Manager. Throttling is the SDK's to repeat.
type AWS struct {
	client Client
	prefix string
	key    string
}

// New returns the vault of all secrets whose names begin with prefix, such as
// "bindery/live/". New ones are encrypted with the KMS key, or with the
// account's own when kmsKeyID is empty.
func New(client Client, prefix, kmsKeyID string) *AWS { return &AWS{client, prefix, kmsKeyID} }

const (
	putTries = 4
	putWait  = 200 * time.Millisecond
)

// Get returns a secret's newest value.
func (v *AWS) Get(ctx context.Context, name string) (directory.Secret, error) {
	if err := checkName(name); err != nil {
		return directory.Secret{}, err
	}
	out, err := v.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(v.prefix + name)})
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

// Put gives a secret a new value, and makes it when there is none. Someone
// else may make or delete it in between, and Secrets Manager itself needs a
// moment to know: then Put looks again.
func (v *AWS) Put(ctx context.Context, name string, value directory.Secret) error {
	if err := errors.Join(checkName(name), checkValue(name, value)); err != nil {
		return err
	}
	id, text := aws.String(v.prefix+name), aws.String(value.Reveal())
	var err error
	for try := range putTries {
		if try > 0 {
			if sleepErr := sleep(ctx, putWait<<try); sleepErr != nil {
				return fmt.Errorf("vault: put %s: %w", name, sleepErr)
			}
		}
		_, err = v.client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: id, SecretString: text})
		if !isMissing(err) {
			break
		}
		in := &secretsmanager.CreateSecretInput{Name: id, SecretString: text}
		if v.key != "" {
			in.KmsKeyId = &v.key
		}
		_, err = v.client.CreateSecret(ctx, in)
		var exists *types.ResourceExistsException
		if !errors.As(err, &exists) {
			break
		}
	}
	var limit *types.LimitExceededException
	switch {
	case err == nil:
		return nil
	case isPending(err):
		return fmt.Errorf("%w: %s", ErrPending, name)
	case errors.As(err, &limit):
		return fmt.Errorf("%w: %s: %w", ErrTooOften, name, err)
	}
	return fmt.Errorf("vault: put %s: %w", name, err)
}

// Delete removes a secret without recovery; none is no error. Secrets Manager
// does it in its own time: until then Get says ErrNotFound, and Put and Delete
// may say ErrPending.
func (v *AWS) Delete(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	_, err := v.client.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{
		SecretId: aws.String(v.prefix + name), ForceDeleteWithoutRecovery: aws.Bool(true),
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

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
