// Command empty is a Lambda function that does nothing. The bench compares how
// long it and sync take to start.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() { lambda.Start(func(context.Context) error { return nil }) }
