package app

import (
	"os"
	"reflect"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/logging"
)

// What Lambda sets is read as the SDK's own package config reads it, which is not linked.
func TestAWSConfig(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "not one", "AWS_SESSION_TOKEN": "nor this",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	for name, endpoints := range map[string]map[string]string{
		"on Lambda":          {},
		"elsewhere":          {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
		"a service's own":    {"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:2"},
		"elsewhere, but one": {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:2"},
	} {
		t.Run(name, func(t *testing.T) {
			for name, value := range endpoints {
				t.Setenv(name, value)
			}
			want, err := config.LoadDefaultConfig(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := awsConfig(os.Getenv, logging.Nop{})
			for _, member := range []string{"Region", "DefaultsMode", "AccountIDEndpointMode", "RequestChecksumCalculation", "ResponseChecksumValidation",
				"RequestMinCompressSizeBytes", "DisableRequestCompression", "RetryMode", "RetryMaxAttempts", "ClientLogMode", "AppID"} {
				mine, theirs := reflect.ValueOf(got).FieldByName(member).Interface(), reflect.ValueOf(want).FieldByName(member).Interface()
				if mine != theirs {
					t.Errorf("%s is %v, want %v", member, mine, theirs)
				}
			}
			mine, err := got.Credentials.Retrieve(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := want.Credentials.Retrieve(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			mine.Source = theirs.Source // only told
			if mine != theirs {
				t.Error("the credentials differ")
			}
			for service, pair := range map[string][2]*string{
				"dynamodb":       {ddb.NewFromConfig(got).Options().BaseEndpoint, ddb.NewFromConfig(want).Options().BaseEndpoint},
				"sqs":            {awssqs.NewFromConfig(got).Options().BaseEndpoint, awssqs.NewFromConfig(want).Options().BaseEndpoint},
				"secretsmanager": {secretsmanager.NewFromConfig(got).Options().BaseEndpoint, secretsmanager.NewFromConfig(want).Options().BaseEndpoint},
				"kms":            {kms.NewFromConfig(got).Options().BaseEndpoint, kms.NewFromConfig(want).Options().BaseEndpoint},
				"s3":             {s3.NewFromConfig(got).Options().BaseEndpoint, s3.NewFromConfig(want).Options().BaseEndpoint},
				"eventbridge":    {eventbridge.NewFromConfig(got).Options().BaseEndpoint, eventbridge.NewFromConfig(want).Options().BaseEndpoint},
			} {
				if (pair[0] == nil) != (pair[1] == nil) || pair[0] != nil && *pair[0] != *pair[1] {
					t.Errorf("the address of %s differs", service)
				}
			}
		})
	}
}
