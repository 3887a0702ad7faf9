package queue_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/platform/queue"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// engine is a queue of its own at ElasticMQ, which delays, hides and redrives
// as SQS does.
type engine struct {
	*testing.T
	client *sqs.Client
	url    string
}

func newEngine(t *testing.T, attributes map[string]string) *engine {
	t.Helper()
	endpoint := os.Getenv("BINDERY_SQS_ENDPOINT")
	if endpoint == "" {
		t.Skip("BINDERY_SQS_ENDPOINT is not set; infra/aws-local/elasticmq.sh starts ElasticMQ")
	}
	e := &engine{T: t, client: sqs.New(sqs.Options{
		Region: "eu-central-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})}
	made, err := e.client.CreateQueue(t.Context(), &sqs.CreateQueueInput{
		QueueName: aws.String(fmt.Sprintf("bindery-%d", time.Now().UnixNano())), Attributes: attributes,
	})
	if err != nil {
		t.Fatal(err)
	}
	e.url = *made.QueueUrl
	return e
}

// receive returns up to ten messages, or those that come within some seconds.
func (e *engine) receive(wait int32) []types.Message {
	e.Helper()
	out, err := e.client.ReceiveMessage(e.Context(), &sqs.ReceiveMessageInput{QueueUrl: &e.url, MaxNumberOfMessages: 10, WaitTimeSeconds: wait})
	if err != nil {
		e.Fatal(err)
	}
	return out.Messages
}

func TestSQSEngine(t *testing.T) {
	e := newEngine(t, nil)
	q := queue.NewSQS(e.client, e.url)
	if err := q.Send(t.Context(), []byte(`"one"`), 0); err != nil {
		t.Fatal(err)
	}
	if err := q.Send(t.Context(), []byte(`"far"`), 15*time.Minute); err != nil { // not to be seen
		t.Fatal(err)
	}
	if err := q.SendMany(t.Context(), messages(12)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for len(got) < 13 {
		list := e.receive(5)
		if len(list) == 0 {
			break
		}
		for _, m := range list {
			err := queue.Deliver(t.Context(), []byte(*m.Body), time.Now(), q.Send, func(_ context.Context, body []byte) error {
				got = append(got, string(body))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	slices.Sort(got)
	if want := `"one" 0 1 10 11 2 3 4 5 6 7 8 9`; strings.Join(got, " ") != want {
		t.Errorf("received %q, want %s", got, want)
	}
}

// A message with a delay comes after it and not before, alone and in a batch.
func TestSQSEngineDelays(t *testing.T) {
	e := newEngine(t, nil)
	q, sent := queue.NewSQS(e.client, e.url), time.Now()
	const delay = 1500 * time.Millisecond
	if err := q.Send(t.Context(), []byte(`"alone"`), delay); err != nil {
		t.Fatal(err)
	}
	if err := q.SendMany(t.Context(), []queue.Message{{Body: []byte(`"batch"`), Delay: delay}}); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for len(got) < 2 {
		list := e.receive(20)
		if len(list) == 0 {
			t.Fatalf("received %v, want two messages", got)
		}
		for _, m := range list {
			got[*m.Body] = true
			if passed := time.Since(sent); passed < delay {
				t.Errorf("%s came after %v, want it not before %v", *m.Body, passed, delay)
			}
		}
	}
}

// A message that is not deleted is seen again when its time is over, and after
// so many times it is a dead letter: what a wake-up's work may rely on.
func TestSQSEngineRedrives(t *testing.T) {
	dead := newEngine(t, nil)
	arn, err := dead.client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &dead.url, AttributeNames: []types.QueueAttributeName{"QueueArn"}})
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t, map[string]string{
		"VisibilityTimeout": "1",
		"RedrivePolicy":     fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":"2"}`, arn.Attributes["QueueArn"]),
	})
	if err := queue.NewSQS(e.client, e.url).Send(t.Context(), []byte(`"never done"`), 0); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	for count := 1; count <= 2; count++ {
		if list := e.receive(10); len(list) != 1 {
			t.Fatalf("receive %d: %d messages, want one", count, len(list))
		}
		if passed := time.Since(begun); count == 2 && passed < 900*time.Millisecond {
			t.Errorf("it was seen again after %v, want it hidden for a second", passed)
		}
	}
	if list := e.receive(3); len(list) != 0 {
		t.Errorf("it was seen a third time: %v", *list[0].Body)
	}
	if list := dead.receive(10); len(list) != 1 || *list[0].Body != `"never done"` {
		t.Errorf("dead letters %v, want the one message", list)
	}
}
