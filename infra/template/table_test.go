package template

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"bindery/shared/table/dynamodb"
)

// roundTripper answers the driver's calls by itself.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) Do(r *http.Request) (*http.Response, error) { return f(r) }

// The table of the template is the one that the driver makes for its tests:
// same keys, same indexes, same attribute for expiry.
func TestTable(t *testing.T) {
	t.Parallel()
	calls := map[string]any{}
	client := ddb.New(ddb.Options{
		Region:      "eu-central-1",
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient: roundTripper(func(r *http.Request) (*http.Response, error) {
			_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
			var in any
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
				return nil, err
			}
			calls[operation] = in
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Request: r,
				Body: io.NopCloser(strings.NewReader(`{"Table":{"TableStatus":"ACTIVE","GlobalSecondaryIndexes":[]}}`))}, nil
		}),
	})
	if _, err := dynamodb.Create(context.Background(), client, "bindery"); err != nil {
		t.Fatal(err)
	}
	made, table := calls["CreateTable"], any(read(t).Of("AWS::DynamoDB::Table")["Table"])
	for _, member := range []string{"BillingMode", "KeySchema", "GlobalSecondaryIndexes", "AttributeDefinitions"} {
		if got, want := sorted(At(table, member)), sorted(At(made, member)); got != want {
			t.Errorf("%s:\n template.yaml %s\n the driver    %s", member, got, want)
		}
	}
	if ttl := calls["UpdateTimeToLive"]; ttl != nil && At(ttl, "TimeToLiveSpecification", "AttributeName") != At(table, "TimeToLiveSpecification", "AttributeName") {
		t.Errorf("expiry: template.yaml %v, the driver %v", At(table, "TimeToLiveSpecification"), ttl)
	}
}

// sorted is a value as JSON; encoding/json sorts the names of maps.
func sorted(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // of plain values
	}
	return string(data)
}
