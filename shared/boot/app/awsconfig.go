package app

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/logging"
)

// awsConfig is how AWS's services are called from a Lambda function, which finds its
// region and its role's credentials in its environment, and nowhere else. The SDK's
// package config, which looks in files, at other services and at the machine as well,
// would add four services' clients to each binary and a millisecond to its start.
//
// AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE> name other addresses than AWS's, as
// everywhere in AWS's SDKs; Lambda sets neither.
func awsConfig(getenv func(string) string, logger logging.Logger) aws.Config {
	c := aws.Config{
		Region: getenv("AWS_REGION"),
		Credentials: credentials.StaticCredentialsProvider{Value: aws.Credentials{
			AccessKeyID: getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: getenv("AWS_SESSION_TOKEN"),
			Source: "the function's environment",
		}},
		Logger:        logger,
		ConfigSources: []any{serviceEndpoints{getenv}},
		// What package config sets where nobody asks for another.
		DefaultsMode:                aws.DefaultsModeLegacy,
		RequestChecksumCalculation:  aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation:  aws.ResponseChecksumValidationWhenSupported,
		AccountIDEndpointMode:       aws.AccountIDEndpointModePreferred,
		RequestMinCompressSizeBytes: 10240,
	}
	if address := getenv("AWS_ENDPOINT_URL"); address != "" {
		c.BaseEndpoint = &address
	}
	return c
}

// serviceEndpoints are the addresses of single services. The SDK's clients look for
// its method among a configuration's sources.
type serviceEndpoints struct{ getenv func(string) string }

// GetServiceBaseEndpoint is the address of a service by its name in the SDK, such as
// "Secrets Manager".
func (e serviceEndpoints) GetServiceBaseEndpoint(_ context.Context, service string) (address string, found bool, err error) {
	address = e.getenv("AWS_ENDPOINT_URL_" + strings.ToUpper(strings.ReplaceAll(service, " ", "_")))
	return address, address != "", nil
}
