package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"bindery/shared/platform/heads"
	"bindery/shared/platform/queue"
	"bindery/shared/platform/vault"
	"bindery/shared/table/dynamodb"
)

// TestMainJobOnAWS does the demo's whole story over DynamoDB Local,
// ElasticMQ and moto: the drivers of the Lambda functions under the core that
// they run.
func TestMainJobOnAWS(t *testing.T) {
	table, messages, others := os.Getenv("BINDERY_DYNAMODB_ENDPOINT"), os.Getenv("BINDERY_SQS_ENDPOINT"), os.Getenv("BINDERY_AWS_ENDPOINT")
	if table == "" || messages == "" || others == "" {
		t.Skip("needs DynamoDB Local, ElasticMQ and moto: make test-aws starts them")
	}
	drivers := awsDrivers(t, table, messages, others)
	var out strings.Builder
	d := &demonstration{show: newShow(&out), rows: readPeople(), drivers: drivers, patience: 5 * time.Minute, mail: mailRecords{mx: map[string]string{}}}
	if err := d.run(t.Context(), t.TempDir()); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	t.Log(out.String())
}

func awsDrivers(t *testing.T, table, messages, others string) *Drivers {
	t.Helper()
	e := newEngines(t, table, messages, others)
	return e.drivers(t, e.name)
}

// engines are AWS's: clients for them, and the names of what was made there.
type engines struct {
	name    string // of the first table; secrets and queues are named after it
	tables  *ddb.Client
	secrets *secretsmanager.Client
	queues  *sqsQueues
	heads   *heads.S3
}

func newEngines(t *testing.T, table, messages, others string) *engines {
	t.Helper()
	ctx := t.Context()
	cfg := aws.Config{Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	e := &engines{
		name:    fmt.Sprintf("bindery-%d", time.Now().UnixNano()),
		tables:  ddb.NewFromConfig(cfg, func(o *ddb.Options) { o.BaseEndpoint = &table }),
		secrets: secretsmanager.NewFromConfig(cfg, func(o *secretsmanager.Options) { o.BaseEndpoint = &others }),
	}
	if _, err := dynamodb.Create(ctx, e.tables, e.name); err != nil {
		t.Fatal(err)
	}
	objects := s3.NewFromConfig(cfg, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = &others, true })
	_, err := objects.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &e.name, ObjectLockEnabledForBucket: aws.Bool(true),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraintEuCentral1}})
	if err != nil {
		t.Fatal(err)
	}
	e.heads = heads.NewS3(heads.S3Config{Client: objects, Bucket: e.name})
	client := sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.BaseEndpoint = &messages })
	e.queues = &sqsQueues{client: client}
	for _, url := range []*string{&e.queues.workURL, &e.queues.sweepURL} {
		made, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(fmt.Sprintf("%s-%d", e.name, len(e.queues.workURL)))})
		if err != nil {
			t.Fatal(err)
		}
		*url = *made.QueueUrl
	}
	return e
}

// drivers work on one of the tables.
func (e *engines) drivers(t *testing.T, table string) *Drivers {
	t.Helper()
	return &Drivers{
		Table: dynamodb.New(e.tables, table), Vault: vault.NewSecretsManager(vault.SecretsManagerConfig{Client: e.secrets, Prefix: e.name + "/"}), Queue: e.queues.wakeUps(), Heads: e.heads, Run: e.queues.run,
		Close: func() error { return nil },
	}
}

// sqsQueues polls two queues as Lambda's event source mapping does.
type sqsQueues struct {
	client            *sqs.Client
	workURL, sweepURL string
}

func (q *sqsQueues) wakeUps() queue.WakeUps {
	return queue.WakeUps{
		Work:   queue.NewSQS(queue.SQSConfig{Client: q.client, URL: q.workURL}),
		Sweeps: queue.NewSQS(queue.SQSConfig{Client: q.client, URL: q.sweepURL}),
	}
}

func (q *sqsQueues) run(ctx context.Context, work, sweep Handle) {
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() { q.poll(ctx, q.workURL, work) })
	}
	group.Go(func() { q.poll(ctx, q.sweepURL, sweep) })
	group.Wait()
}

func (q *sqsQueues) poll(ctx context.Context, url string, handle Handle) {
	sender := queue.NewSQS(queue.SQSConfig{Client: q.client, URL: url})
	for ctx.Err() == nil {
		got, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 1, WaitTimeSeconds: 1, VisibilityTimeout: 240})
		if err != nil {
			if pauseErr := pause(ctx); errors.Is(pauseErr, context.Canceled) {
				return
			}
			continue
		}
		for _, m := range got.Messages {
			err := queue.Deliver(ctx, []byte(*m.Body), time.Now(), sender.Send, handle)
			if err == nil {
				_, _ = q.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
			}
		}
	}
}
