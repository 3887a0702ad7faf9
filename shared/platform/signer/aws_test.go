package signer_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"bindery/shared/directory"
	"bindery/shared/platform/signer"
)

// stub is KMS with one key.
type stub struct {
	key  string
	down bool
}

var errDown = errors.New("KMS does not answer")

func (s stub) mac(message []byte) []byte {
	m := hmac.New(sha256.New, []byte("kept by KMS"))
	m.Write(message)
	return m.Sum(nil)
}

func (s stub) GenerateMac(_ context.Context, in *kms.GenerateMacInput, _ ...func(*kms.Options)) (*kms.GenerateMacOutput, error) {
	if s.down || *in.KeyId != s.key || in.MacAlgorithm != types.MacAlgorithmSpecHmacSha256 || len(in.Message) > 4096 {
		return nil, errDown
	}
	return &kms.GenerateMacOutput{Mac: s.mac(in.Message), KeyId: aws.String("arn:" + s.key)}, nil
}

func (s stub) VerifyMac(_ context.Context, in *kms.VerifyMacInput, _ ...func(*kms.Options)) (*kms.VerifyMacOutput, error) {
	if s.down || *in.KeyId != s.key {
		return nil, errDown
	}
	if !hmac.Equal(s.mac(in.Message), in.Mac) {
		return nil, &types.KMSInvalidMacException{}
	}
	return &kms.VerifyMacOutput{MacValid: true}, nil
}

type sealer interface {
	Sign(ctx context.Context, message []byte) ([]byte, string, error)
	Verify(ctx context.Context, message, mac []byte) (bool, error)
}

func local(key string) sealer {
	return signer.Local{Key: func(context.Context) (directory.Secret, error) { return directory.NewSecret(key), nil }}
}

// keepsTheContract: a seal fits its message and no other.
func keepsTheContract(t *testing.T, s, other sealer) {
	t.Helper()
	ctx := t.Context()
	message := []byte(`{"chain":"acts","seq":1}`)
	mac, key, err := s.Sign(ctx, message)
	if err != nil || len(mac) != 32 || key == "" {
		t.Fatalf("Sign = %x, %q, %v", mac, key, err)
	}
	changed := append([]byte(nil), mac...)
	changed[0] ^= 1
	for _, c := range []struct {
		what         string
		by           sealer
		message, mac []byte
		want         bool
	}{
		{"its own", s, message, mac, true},
		{"another message", s, []byte(`{"chain":"acts","seq":2}`), mac, false},
		{"a changed seal", s, message, changed, false},
		{"no seal", s, message, nil, false},
		{"half a seal", s, message, mac[:16], false},
		{"no message", s, nil, mac, false},
		{"another key's", other, message, mac, false},
	} {
		if c.by == nil {
			continue
		}
		if got, err := c.by.Verify(ctx, c.message, c.mac); got != c.want || err != nil {
			t.Errorf("Verify(%s) = %v, %v, want %v", c.what, got, err, c.want)
		}
	}
	if _, _, err := s.Sign(ctx, []byte(strings.Repeat("x", signer.MaxMessage+1))); !errors.Is(err, signer.ErrTooLong) {
		t.Errorf("Sign(too long) = %v", err)
	}
}

func TestLocal(t *testing.T) { keepsTheContract(t, local("one"), local("another")) }

func TestKMS(t *testing.T) { keepsTheContract(t, signer.NewKMS(stub{key: "k"}, "k"), nil) }

// That KMS does not answer is not "the seal is wrong".
func TestKMSDown(t *testing.T) {
	s := signer.NewKMS(stub{key: "k", down: true}, "k")
	if _, err := s.Verify(t.Context(), []byte("m"), make([]byte, 32)); !errors.Is(err, errDown) {
		t.Errorf("Verify = %v", err)
	}
	if _, _, err := s.Sign(t.Context(), []byte("m")); !errors.Is(err, errDown) {
		t.Errorf("Sign = %v", err)
	}
}

func TestKMSAtMoto(t *testing.T) {
	endpoint := os.Getenv("BINDERY_AWS_ENDPOINT")
	if endpoint == "" {
		t.Skip("make test-aws runs it")
	}
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("eu-central-1"), config.WithBaseEndpoint(endpoint),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("test", "test", "")))
	if err != nil {
		t.Fatal(err)
	}
	client := kms.NewFromConfig(cfg)
	key := func() string {
		made, err := client.CreateKey(t.Context(), &kms.CreateKeyInput{
			KeySpec: types.KeySpecHmac256, KeyUsage: types.KeyUsageTypeGenerateVerifyMac, Description: aws.String(rand.Text())})
		if err != nil {
			t.Fatal(err)
		}
		return *made.KeyMetadata.KeyId
	}
	keepsTheContract(t, signer.NewKMS(client, key()), signer.NewKMS(client, key()))
}
