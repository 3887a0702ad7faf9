package stacktest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"bindery/infra/stack"
	"bindery/shared/clock"
	"bindery/shared/platform/heads"
	"bindery/shared/platform/queue"
	"bindery/shared/platform/vault"
	"bindery/shared/table/dynamodb"
)

// Engines are AWS's: clients for them, and the names of what was made there.
type Engines struct {
	Name   string // of the first table; secrets and queues are named after it
	Tables *ddb.Client

	secrets *secretsmanager.Client
	queues  *sqsQueues
	heads   *heads.S3
}

// AWS makes a table, secrets, queues and a bucket at the engines that make
// test-aws starts. Without them the test is skipped.
func AWS(t testing.TB) *Engines {
	t.Helper()
	table, messages, others := os.Getenv("BINDERY_DYNAMODB_ENDPOINT"), os.Getenv("BINDERY_SQS_ENDPOINT"), os.Getenv("BINDERY_AWS_ENDPOINT")
	if table == "" || messages == "" || others == "" {
		t.Skip("needs DynamoDB Local, ElasticMQ and moto: make test-aws starts them")
	}
	ctx := t.Context()
	cfg := aws.Config{Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	e := &Engines{
		Name:    fmt.Sprintf("bindery-%d", time.Now().UnixNano()),
		Tables:  ddb.NewFromConfig(cfg, func(o *ddb.Options) { o.BaseEndpoint = &table }),
		secrets: secretsmanager.NewFromConfig(cfg, func(o *secretsmanager.Options) { o.BaseEndpoint = &others }),
	}
	if _, err := dynamodb.Create(ctx, e.Tables, e.Name); err != nil {
		t.Fatal(err)
	}
	objects := s3.NewFromConfig(cfg, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = &others, true })
	_, err := objects.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &e.Name, ObjectLockEnabledForBucket: aws.Bool(true),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraintEuCentral1}})
	if err != nil {
		t.Fatal(err)
	}
	e.heads = heads.NewS3(heads.S3Config{Client: objects, Bucket: e.Name})
	client := sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.BaseEndpoint = &messages })
	e.queues = &sqsQueues{client: client}
	for i, url := range []*string{&e.queues.workURL, &e.queues.loadURL, &e.queues.sweepURL} {
		made, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(fmt.Sprintf("%s-%d", e.Name, i))})
		if err != nil {
			t.Fatal(err)
		}
		*url = *made.QueueUrl
	}
	return e
}

// Drivers work on one of the tables.
func (e *Engines) Drivers(table string) *stack.Drivers {
	return &stack.Drivers{
		Table: dynamodb.New(e.Tables, table), Vault: vault.NewSecretsManager(vault.SecretsManagerConfig{Client: e.secrets, Prefix: e.Name + "/"}), Queue: e.queues.wakeUps(), Heads: e.heads, Run: e.queues.run,
	}
}

// sqsQueues polls three queues as Lambda's event source mapping does.
type sqsQueues struct {
	client                     *sqs.Client
	workURL, loadURL, sweepURL string
}

func (q *sqsQueues) wakeUps() queue.WakeUps {
	return queue.WakeUps{
		Work:   queue.NewSQS(queue.SQSConfig{Client: q.client, URL: q.workURL}),
		Loads:  queue.NewSQS(queue.SQSConfig{Client: q.client, URL: q.loadURL}),
		Sweeps: queue.NewSQS(queue.SQSConfig{Client: q.client, URL: q.sweepURL}),
	}
}

func (q *sqsQueues) run(ctx context.Context, work, load, sweep stack.Handle) {
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() { q.poll(ctx, q.workURL, work) })
	}
	group.Go(func() { q.poll(ctx, q.loadURL, load) })
	group.Go(func() { q.poll(ctx, q.sweepURL, sweep) })
	group.Wait()
}

func (q *sqsQueues) poll(ctx context.Context, url string, handle stack.Handle) {
	sender := queue.NewSQS(queue.SQSConfig{Client: q.client, URL: url})
	for ctx.Err() == nil {
		got, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 1, WaitTimeSeconds: 1, VisibilityTimeout: 240})
		if err != nil {
			if clock.Sleep(ctx, 200*time.Millisecond) != nil {
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

// Export reads all items of a table, as a backup has them.
func (e *Engines) Export(t testing.TB, name string) []map[string]ddbtypes.AttributeValue {
	t.Helper()
	var items []map[string]ddbtypes.AttributeValue
	pages := ddb.NewScanPaginator(e.Tables, &ddb.ScanInput{TableName: &name, ConsistentRead: new(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, page.Items...)
	}
	if len(items) == 0 {
		t.Fatalf("%s is empty", name)
	}
	return items
}

// Load makes a table of items. Nothing in it expires: the time of a test may be
// another than the engine's.
func (e *Engines) Load(t testing.TB, name string, items []map[string]ddbtypes.AttributeValue) {
	t.Helper()
	if _, err := dynamodb.Create(t.Context(), e.Tables, name); err != nil {
		t.Fatal(err)
	}
	_, err := e.Tables.UpdateTimeToLive(t.Context(), &ddb.UpdateTimeToLiveInput{TableName: &name,
		TimeToLiveSpecification: &ddbtypes.TimeToLiveSpecification{AttributeName: aws.String("exp"), Enabled: aws.Bool(false)}})
	if err != nil {
		t.Fatal(err)
	}
	for part := range slices.Chunk(items, 25) {
		var puts []ddbtypes.WriteRequest
		for _, it := range part {
			puts = append(puts, ddbtypes.WriteRequest{PutRequest: &ddbtypes.PutRequest{Item: it}})
		}
		out, err := e.Tables.BatchWriteItem(context.Background(), &ddb.BatchWriteItemInput{RequestItems: map[string][]ddbtypes.WriteRequest{name: puts}})
		if err != nil || len(out.UnprocessedItems) > 0 {
			t.Fatalf("%d items were not written: %v", len(out.UnprocessedItems[name]), err)
		}
	}
}
