package app

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// secretStub counts the reads of one secret.
type secretStub struct {
	value string
	err   error
	reads int
}

func (s *secretStub) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	s.reads++
	return &secretsmanager.GetSecretValueOutput{SecretString: aws.String(s.value)}, s.err
}

func TestSecret(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 7, 30, 0, 0, time.UTC)
	stub := &secretStub{value: "one\n"}
	process := func() *Secret { return newSecret(stub, "bindery/client-secret", func() time.Time { return now }) }
	secret := process()
	read := secret.Read
	get := func(want string, reads int) {
		t.Helper()
		got, err := read(context.Background())
		if err != nil || got.Reveal() != want || stub.reads != reads {
			t.Errorf("Secret = %q, %v after %d reads, want %q after %d", got.Reveal(), err, stub.reads, want, reads)
		}
	}
	get("one", 1)
	stub.value = "two" // rotated, and another process reads it
	if got, err := process().Read(t.Context()); err != nil || got.Reveal() != "two" {
		t.Errorf("another process has %q, %v", got.Reveal(), err)
	}
	stub.reads--
	now = now.Add(4 * time.Minute)
	get("one", 1)
	now = now.Add(time.Minute)
	get("two", 2)
	stub.value = "three" // rotated again, and Microsoft refuses what is remembered
	get("two", 2)
	if got, err := secret.ReadNow(t.Context()); err != nil || got.Reveal() != "three" {
		t.Errorf("ReadNow = %q, %v", got.Reveal(), err)
	}
	stub.reads--
	get("two", 2)
	secret.Forget()
	get("three", 3)
	now = now.Add(5 * time.Minute)
	stub.err = errors.New("throttled")
	if _, err := read(context.Background()); !errors.Is(err, stub.err) {
		t.Errorf("Secret = %v, want %v", err, stub.err)
	}
	stub.err, stub.value = nil, " "
	if _, err := read(context.Background()); err == nil {
		t.Error("Secret of blanks succeeded")
	}
}
