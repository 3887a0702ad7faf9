package signer_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"bindery/shared/platform/signer"
	"bindery/shared/platform/signer/signertest"
)

// stub is KMS with one key.
type stub struct {
	key  string
	down bool
}

var errDown = errors.New("KMS does not answer")

func (s stub) mac(message []byte) []byte {
	m := hmac.New(sha256.New, []byte("kept by KMS: "+s.key))
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

func newKMS(client signer.Client, key string) *signer.KMS {
	return signer.NewKMS(signer.KMSConfig{Client: client, KeyID: key})
}

func TestKMS(t *testing.T) {
	t.Parallel()
	signertest.Run(t, func(*testing.T) (one, another signer.Signer) {
		return newKMS(stub{key: "k"}, "k"), newKMS(stub{key: "other"}, "other")
	})
}

// That KMS does not answer is not "the seal is wrong".
func TestKMSDown(t *testing.T) {
	t.Parallel()
	s := newKMS(stub{key: "k", down: true}, "k")
	if _, err := s.Verify(t.Context(), []byte("m"), make([]byte, 32)); !errors.Is(err, errDown) {
		t.Errorf("Verify = %v", err)
	}
	if _, _, err := s.Sign(t.Context(), []byte("m")); !errors.Is(err, errDown) {
		t.Errorf("Sign = %v", err)
	}
}

func TestKMSOnAWS(t *testing.T) {
	t.Parallel()
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
	signertest.Run(t, func(*testing.T) (one, another signer.Signer) { return newKMS(client, key()), newKMS(client, key()) })
}
