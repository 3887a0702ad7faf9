package storetest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"bindery/shared/store"
	"bindery/shared/store/storetest"
	"bindery/shared/table/bolt"
	"bindery/shared/table/dynamodb"
	"bindery/shared/table/memory"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Table { return memory.New() })
}

func TestBolt(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Table {
		tab, err := bolt.Open(filepath.Join(t.TempDir(), "table.db"), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tab.Close() })
		return tab
	})
}

// TestDynamoDB runs the suite against a real engine: DynamoDB Local.
func TestDynamoDB(t *testing.T) {
	endpoint := os.Getenv("BINDERY_DYNAMODB_ENDPOINT")
	if endpoint == "" {
		t.Skip("BINDERY_DYNAMODB_ENDPOINT is not set; infra/aws-local/dynamodb.sh starts an engine")
	}
	client := ddb.New(ddb.Options{
		Region: "eu-central-1", BaseEndpoint: &endpoint,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
	})
	var n atomic.Int64
	storetest.Run(t, func(t *testing.T) store.Table {
		tab, err := dynamodb.Create(t.Context(), client, fmt.Sprintf("bindery-store-%d-%d", time.Now().UnixNano(), n.Add(1)))
		if err != nil {
			t.Fatal(err)
		}
		return tab
	})
}
