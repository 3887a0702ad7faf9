package vault_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/directory"
	"bindery/shared/platform/vault"
	"bindery/shared/platform/vault/vaulttest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
)

// stub answers each call with the next of the errors planned for it, and notes
// what was called.
type stub struct {
	errs   map[string][]error
	calls  []string
	create *secretsmanager.CreateSecretInput
	binary []byte
}

func (s *stub) next(call string) error {
	s.calls = append(s.calls, call)
	plan := s.errs[call]
	if len(plan) == 0 {
		return nil
	}
	s.errs[call] = plan[1:]
	return plan[0]
}

func (s *stub) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	return &secretsmanager.GetSecretValueOutput{SecretBinary: s.binary}, s.next("get")
}

func (s *stub) PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error) {
	return nil, s.next("put")
}

func (s *stub) CreateSecret(_ context.Context, in *secretsmanager.CreateSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error) {
	s.create = in
	return nil, s.next("create")
}

func (s *stub) DeleteSecret(_ context.Context, in *secretsmanager.DeleteSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error) {
	if !aws.ToBool(in.ForceDeleteWithoutRecovery) {
		return nil, errors.New("a deletion with a way back")
	}
	return nil, s.next("delete")
}

func TestSecretsManagerFaults(t *testing.T) {
	t.Parallel()
	missing := &types.ResourceNotFoundException{}
	exists := &types.ResourceExistsException{}
	deleting := &types.InvalidRequestException{Message: aws.String("You can't perform this operation on the secret because it was marked for deletion.")}
	scheduled := &types.InvalidRequestException{Message: aws.String("a secret with this name is already scheduled for deletion")}
	other := &types.InvalidRequestException{Message: aws.String("rotation is under way")}
	full := &types.LimitExceededException{}
	throttled := &smithy.GenericAPIError{Code: "ThrottlingException"}
	any := errors.New("any")

	for _, test := range []struct {
		name, do string
		errs     map[string][]error
		want     error // nil for none, any for one that is none of the sentinels
		calls    string
	}{
		{"get", "get", nil, nil, "get"},
		{"get missing", "get", map[string][]error{"get": {missing}}, vault.ErrNotFound, "get"},
		{"get while deleted", "get", map[string][]error{"get": {deleting}}, vault.ErrNotFound, "get"},
		{"get refused", "get", map[string][]error{"get": {other}}, any, "get"},
		{"get throttled", "get", map[string][]error{"get": {throttled}}, any, "get"},
		{"put", "put", nil, nil, "put"},
		{"put, slow to be seen", "put", map[string][]error{"put": {missing, missing}}, nil, "put put put"},
		{"put of none", "put", map[string][]error{"put": {missing, missing, missing}}, vault.ErrNotFound, "put put put"},
		{"put while deleted", "put", map[string][]error{"put": {deleting}}, vault.ErrPending, "put"},
		{"create", "create", nil, nil, "create"},
		{"create of one that is there", "create", map[string][]error{"create": {exists}}, vault.ErrExists, "create"},
		{"create while deleted", "create", map[string][]error{"create": {scheduled}}, vault.ErrPending, "create"},
		{"create throttled", "create", map[string][]error{"create": {throttled}}, any, "create"},
		{"put too often", "put", map[string][]error{"put": {full}}, vault.ErrTooOften, "put"},
		{"put throttled", "put", map[string][]error{"put": {throttled}}, any, "put"},
		{"delete", "delete", nil, nil, "delete"},
		{"delete missing", "delete", map[string][]error{"delete": {missing}}, nil, "delete"},
		{"delete while deleted", "delete", map[string][]error{"delete": {deleting}}, vault.ErrPending, "delete"},
		{"delete throttled", "delete", map[string][]error{"delete": {throttled}}, any, "delete"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &stub{errs: test.errs}
				v := vault.NewSecretsManager(vault.SecretsManagerConfig{Client: s, Prefix: "pre/", KMSKeyID: "key"})
				var err error
				switch test.do {
				case "get":
					_, err = v.Get(t.Context(), "a")
				case "create":
					err = v.Create(t.Context(), "a", directory.NewSecret("hush"))
				case "put":
					err = v.Put(t.Context(), "a", directory.NewSecret("hush"))
				case "delete":
					err = v.Delete(t.Context(), "a")
				}
				checkFault(t, err, test.want, any)
				if got := strings.Join(s.calls, " "); got != test.calls {
					t.Errorf("calls = %s, want %s", got, test.calls)
				}
				if s.create != nil && (*s.create.Name != "pre/a" || *s.create.KmsKeyId != "key") {
					t.Errorf("created %q under key %q, want pre/a under key", *s.create.Name, *s.create.KmsKeyId)
				}
			})
		})
	}
}

func checkFault(t *testing.T, err, want, any error) {
	t.Helper()
	sentinels := []error{vault.ErrNotFound, vault.ErrExists, vault.ErrPending, vault.ErrTooOften, vault.ErrInvalid}
	is := slices.IndexFunc(sentinels, func(s error) bool { return errors.Is(err, s) })
	switch {
	case want == nil && err != nil, errors.Is(want, any) && (err == nil || is >= 0), want != nil && !errors.Is(want, any) && !errors.Is(err, want):
		t.Errorf("error = %v, want %v", err, want)
	case err != nil && strings.Contains(err.Error(), "hush"):
		t.Error("the error holds the value")
	}
}

func TestSecretsManagerBinary(t *testing.T) {
	t.Parallel()
	got, err := vault.NewSecretsManager(vault.SecretsManagerConfig{Client: &stub{binary: []byte("bytes")}}).Get(t.Context(), "a")
	if err != nil || got.Reveal() != "bytes" {
		t.Errorf("Get of a binary secret: %v", err)
	}
}

func TestSecretsManagerOnAWS(t *testing.T) {
	t.Parallel()
	endpoint := os.Getenv("BINDERY_AWS_ENDPOINT")
	if endpoint == "" {
		t.Skip("BINDERY_AWS_ENDPOINT is not set; infra/aws-local/moto.sh starts moto")
	}
	client := secretsmanager.New(secretsmanager.Options{
		Region: "eu-central-1", BaseEndpoint: &endpoint,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
	})
	n := 0
	vaulttest.Run(t, func(*testing.T) vault.Vault {
		n++
		return vault.NewSecretsManager(vault.SecretsManagerConfig{Client: client, Prefix: fmt.Sprintf("test/%d/%d/", time.Now().UnixNano(), n)})
	})
}
