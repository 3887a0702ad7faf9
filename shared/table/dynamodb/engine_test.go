package dynamodb_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"bindery/shared/table"
	driver "bindery/shared/table/dynamodb"
	"bindery/shared/table/tabletest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// TestConformance runs the suite against a real engine: DynamoDB Local.
func TestConformance(t *testing.T) {
	endpoint := os.Getenv("BINDERY_DYNAMODB_ENDPOINT")
	if endpoint == "" {
		t.Skip("BINDERY_DYNAMODB_ENDPOINT is not set; infra/aws-local/dynamodb.sh starts an engine")
	}
	client := newClient(endpoint)
	var n atomic.Int64
	tabletest.Run(t, func(t *testing.T) table.Table {
		name := fmt.Sprintf("bindery-%d-%d", time.Now().UnixNano(), n.Add(1))
		tab, err := driver.Create(t.Context(), client, name)
		if err != nil {
			t.Fatal(err)
		}
		return tab
	})
}

// newClient signs with keys that no engine looks at.
func newClient(endpoint string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "eu-central-1", BaseEndpoint: &endpoint,
		Credentials: aws.CredentialsProviderFunc(credentials),
	})
}
func credentials(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
}
