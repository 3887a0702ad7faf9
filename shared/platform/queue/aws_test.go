package queue_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/platform/queue"
	"bindery/shared/platform/queue/queuetest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// stub plays SQS over a Local, which delays by what SQS was told. Every entry
// of a batch whose body is a key of refuse is refused so many times.
type stub struct {
	t       *testing.T
	local   *queue.Local
	refuse  map[string]int
	fault   bool // refusals are the sender's fault
	batches []string
}

func newSQS(client queue.Client, url string) *queue.SQS {
	return queue.NewSQS(queue.SQSConfig{Client: client, URL: url})
}

func (s *stub) deliver(body string, seconds int32) {
	if seconds < 0 || seconds > 900 {
		s.t.Errorf("DelaySeconds = %d, want 0 to 900", seconds)
	}
	if err := s.local.Send(s.t.Context(), []byte(body), time.Duration(seconds)*time.Second); err != nil {
		s.t.Error(err)
	}
}

func (s *stub) SendMessage(ctx context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.deliver(*in.MessageBody, in.DelaySeconds)
	return &sqs.SendMessageOutput{}, nil
}

func (s *stub) SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := &sqs.SendMessageBatchOutput{}
	size := 0
	for _, e := range in.Entries {
		size += len(*e.MessageBody)
		if s.refuse[*e.MessageBody] > 0 {
			s.refuse[*e.MessageBody]--
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("InternalError"), SenderFault: s.fault})
			continue
		}
		s.deliver(*e.MessageBody, e.DelaySeconds)
	}
	if len(in.Entries) > 10 || size > 256<<10 {
		s.t.Errorf("batch of %d entries, %d bytes", len(in.Entries), size)
	}
	s.batches = append(s.batches, fmt.Sprint(len(in.Entries)))
	return out, nil
}

// TestSQS runs the suite over the stub, in virtual time.
func TestSQS(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, queuetest.Virtual, func(t *testing.T) queuetest.Driver {
		s := &stub{t: t, local: queue.NewLocal(queue.LocalConfig{Visibility: queuetest.Visibility, MaxReceives: queuetest.MaxReceives})}
		q := newSQS(s, "url")
		return queuetest.Driver{Queue: q, Dead: s.local.Dead, Receive: func(ctx context.Context, handle queuetest.Handler) {
			s.local.Run(ctx, 1, func(ctx context.Context, message []byte) error {
				return queue.Deliver(ctx, message, time.Now(), q.Send, handle)
			})
		}}
	})
}

// TestSQSLongDelays sends delays on both sides of what SQS can, and receives
// as a Lambda does.
func TestSQSLongDelays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &stub{t: t, local: queue.NewLocal(queue.LocalConfig{})}
		q, l := newSQS(s, "url"), &log{start: time.Now()}
		for _, delay := range []time.Duration{-time.Hour, 0, 1500 * time.Millisecond, 15 * time.Minute, 15*time.Minute + 1, 16 * time.Minute, 47 * time.Minute, 26 * time.Hour} {
			if err := q.Send(t.Context(), fmt.Appendf(nil, `"%v"`, delay), delay); err != nil {
				t.Fatal(err)
			}
		}
		run(s.local, 48*time.Hour, 1, func(ctx context.Context, message []byte) error {
			return queue.Deliver(ctx, message, time.Now(), q.Send, func(_ context.Context, body []byte) error {
				l.add(body)
				return nil
			})
		})
		l.want(t, `"-1h0m0s" 0s`, `"0s" 0s`, `"1.5s" 2s`, `"15m0s" 15m0s`, `"15m0.000000001s" 15m1s`,
			`"16m0s" 16m0s`, `"47m0s" 47m0s`, `"26h0m0s" 26h0m0s`)
	})
}

func messages(n int) []queue.Message {
	out := make([]queue.Message, n)
	for i := range out {
		out[i].Body = fmt.Append(nil, i)
	}
	return out
}

func TestSQSSendMany(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		n       int
		refuse  map[string]int
		fault   bool
		wantErr bool
		batches string
	}{
		{"none", 0, nil, false, false, ""},
		{"one", 1, nil, false, false, "1"},
		{"exact", 20, nil, false, false, "10 10"},
		{"rest", 23, nil, false, false, "10 10 3"},
		{"refused", 12, map[string]int{"3": 1, "4": 2}, false, false, "10 2 1 2"},
		{"refused for good", 3, map[string]int{"1": 99}, false, true, "3 1 1 1 1 1"},
		{"wrong", 3, map[string]int{"1": 1}, true, true, "3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &stub{t: t, local: queue.NewLocal(queue.LocalConfig{}), refuse: test.refuse, fault: test.fault}
				err := newSQS(s, "url").SendMany(t.Context(), messages(test.n))
				if (err != nil) != test.wantErr {
					t.Errorf("SendMany = %v, want error = %v", err, test.wantErr)
				}
				if got := strings.Join(s.batches, " "); got != test.batches {
					t.Errorf("batches = %s, want %s", got, test.batches)
				}
				if got := s.local.Len(); !test.wantErr && got != test.n {
					t.Errorf("%d messages arrived, want %d", got, test.n)
				}
			})
		})
	}
}

func TestSQSSendManyBySize(t *testing.T) {
	t.Parallel()
	s := &stub{t: t, local: queue.NewLocal(queue.LocalConfig{})}
	all := messages(7)
	for i := range all {
		all[i].Body = []byte(`"` + strings.Repeat("x", 100<<10) + `"`)
	}
	if err := newSQS(s, "url").SendMany(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.batches, " "); got != "2 2 2 1" {
		t.Errorf("batches = %s, want 2 2 2 1", got)
	}
	all[6].Body = []byte("{")
	s.batches = nil
	if err := newSQS(s, "url").SendMany(t.Context(), all); !errors.Is(err, queue.ErrInvalid) || s.batches != nil {
		t.Errorf("SendMany with a broken message = %v after batches %v, want ErrInvalid before any", err, s.batches)
	}
}

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

// receive hands messages to handle until the context ends. One whose handler
// succeeds is deleted, as Lambda does.
func (e *engine) receive(ctx context.Context, handle queuetest.Handler) {
	for ctx.Err() == nil {
		out, err := e.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &e.url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
		if err != nil && ctx.Err() == nil {
			e.Error(err)
			return
		}
		if err != nil {
			return
		}
		for _, m := range out.Messages {
			if handle(ctx, []byte(*m.Body)) != nil {
				continue
			}
			if _, err := e.client.DeleteMessage(e.Context(), &sqs.DeleteMessageInput{QueueUrl: &e.url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				e.Error(err)
			}
		}
	}
}

func TestSQSOnElasticMQ(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, queuetest.Real, func(t *testing.T) queuetest.Driver {
		dead := newEngine(t, nil)
		arn, err := dead.client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &dead.url, AttributeNames: []types.QueueAttributeName{"QueueArn"}})
		if err != nil {
			t.Fatal(err)
		}
		e := newEngine(t, map[string]string{
			"VisibilityTimeout": fmt.Sprint(queuetest.Visibility.Seconds()),
			"RedrivePolicy":     fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":"%d"}`, arn.Attributes["QueueArn"], queuetest.MaxReceives),
		})
		q := newSQS(e.client, e.url)
		return queuetest.Driver{
			Queue: q,
			Receive: func(ctx context.Context, handle queuetest.Handler) {
				e.receive(ctx, func(ctx context.Context, message []byte) error {
					return queue.Deliver(ctx, message, time.Now(), q.Send, handle)
				})
			},
			Dead: func() (bodies [][]byte) {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				dead.receive(ctx, func(_ context.Context, body []byte) error {
					bodies = append(bodies, body)
					return nil
				})
				return bodies
			},
		}
	})
}
