// Package mapping stands where Lambda's event source mapping for SQS stands: it
// polls a queue, hands batches to a function, takes what was done off the queue
// and leaves what was not, which comes back when its time is over and becomes a
// dead letter after so many times: both are the queue's doing.
//
// It also stops loops as Lambda does: a message that follows from a message
// that follows from another, sixteen times through the same function, is not
// handed on any more; see [Lineage].
package mapping

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"bindery/infra/lambdas/runtime"
)

// longPoll is how long a poll waits for messages, in seconds: SQS's most.
const longPoll = 20

// Client is what a mapping uses of *sqs.Client. It has the function's
// credentials: polling takes rights of the function's role.
type Client interface {
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessage(context.Context, *sqs.DeleteMessageInput, ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error)
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
}

// Mapping joins a queue to a function.
type Mapping struct {
	Client   Client
	URL, ARN string // of the queue
	Region   string
	Function string
	// BatchSize is the most messages of one event.
	BatchSize int
	// Concurrency is how many events are under way at once.
	Concurrency int
	// Partial: the function reports the messages that failed; otherwise an
	// answer is an answer for all of them.
	Partial bool
	// Loops: the function may go on for ever (RecursiveLoop: Allow).
	Loops bool

	Invoke func(payload []byte, trace string) ([]byte, error)
	// Stop gets a message that would go on with a loop, to make a dead letter of.
	Stop func(ctx context.Context, m types.Message) error
	// Fault is told what went wrong outside the function; nil: nobody is.
	Fault func(error)

	mu    sync.Mutex
	stats Stats
}

// Stats count what a mapping did.
type Stats struct {
	Done, Failed int // messages
	Stopped      int // loops
	MostHops     int // of one message through the function
}

// Stats returns what has been counted.
func (m *Mapping) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stats
}

// Run polls until ctx ends, and returns when no event is under way any more.
// Lambda looks at the queue first, and a mapping whose function may not is none.
func (m *Mapping) Run(ctx context.Context) {
	names := []types.QueueAttributeName{types.QueueAttributeNameAll}
	if _, err := m.Client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &m.URL, AttributeNames: names}); err != nil {
		m.fault(ctx, err)
	}
	var group sync.WaitGroup
	for range m.Concurrency {
		group.Go(func() {
			for ctx.Err() == nil {
				m.poll(ctx)
			}
		})
	}
	group.Wait()
}

// poll receives one batch and does it. What has been received is done to its
// end, whatever becomes of ctx.
func (m *Mapping) poll(ctx context.Context) {
	got, err := m.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &m.URL, MaxNumberOfMessages: int32(min(m.BatchSize, 10)), WaitTimeSeconds: longPoll,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	if err != nil {
		m.fault(ctx, err)
		return
	}
	ctx = context.WithoutCancel(ctx)
	var batch []types.Message
	trace := ""
	for _, msg := range got.Messages {
		next, hops := Lineage(msg.Attributes["AWSTraceHeader"], m.Function)
		m.mu.Lock()
		m.stats.MostHops = max(m.stats.MostHops, hops)
		m.mu.Unlock()
		if hops > MaxHops && !m.Loops {
			m.stop(ctx, msg)
			continue
		}
		batch, trace = append(batch, msg), next
	}
	if len(batch) > 0 {
		m.hand(ctx, batch, trace)
	}
}

func (m *Mapping) stop(ctx context.Context, msg types.Message) {
	m.mu.Lock()
	m.stats.Stopped++
	m.mu.Unlock()
	if err := m.Stop(ctx, msg); err != nil {
		m.fault(ctx, err)
		return
	}
	m.remove(ctx, msg)
}

// hand gives a batch to the function and takes off the queue what it did.
func (m *Mapping) hand(ctx context.Context, batch []types.Message, trace string) {
	payload, err := json.Marshal(m.event(batch))
	if err != nil {
		m.fault(ctx, err)
		return
	}
	answer, err := m.Invoke(payload, trace)
	for errors.Is(err, runtime.ErrThrottled) { // tried again, without a count
		time.Sleep(100 * time.Millisecond)
		answer, err = m.Invoke(payload, trace)
	}
	failed := m.failed(batch, answer, err)
	m.mu.Lock()
	m.stats.Failed += len(failed)
	m.stats.Done += len(batch) - len(failed)
	m.mu.Unlock()
	for _, msg := range batch {
		if !slices.Contains(failed, *msg.MessageId) {
			m.remove(ctx, msg)
		}
	}
}

// failed returns the IDs of the messages that were not done.
func (m *Mapping) failed(batch []types.Message, answer []byte, err error) []string {
	var all []string
	for _, msg := range batch {
		all = append(all, *msg.MessageId)
	}
	if err != nil {
		return all
	}
	if !m.Partial {
		return nil
	}
	var report struct {
		BatchItemFailures []events.SQSBatchItemFailure `json:"batchItemFailures"`
	}
	if len(answer) > 0 && json.Unmarshal(answer, &report) != nil {
		return all
	}
	var ids []string
	for _, f := range report.BatchItemFailures {
		if !slices.Contains(all, f.ItemIdentifier) { // a report that is wrong is one of all
			return all
		}
		ids = append(ids, f.ItemIdentifier)
	}
	return ids
}

func (m *Mapping) event(batch []types.Message) events.SQSEvent {
	var e events.SQSEvent
	for _, msg := range batch {
		e.Records = append(e.Records, events.SQSMessage{
			MessageId: *msg.MessageId, ReceiptHandle: *msg.ReceiptHandle, Body: *msg.Body, Md5OfBody: aws.ToString(msg.MD5OfBody),
			Attributes: msg.Attributes, MessageAttributes: map[string]events.SQSMessageAttribute{},
			EventSource: "aws:sqs", EventSourceARN: m.ARN, AWSRegion: m.Region,
		})
	}
	return e
}

func (m *Mapping) remove(ctx context.Context, msg types.Message) {
	if _, err := m.Client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &m.URL, ReceiptHandle: msg.ReceiptHandle}); err != nil {
		m.fault(ctx, err)
	}
}

// fault tells of an error and waits a moment; one at the end of the polling is
// none.
func (m *Mapping) fault(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	if m.Fault != nil {
		m.Fault(err)
	}
	time.Sleep(100 * time.Millisecond)
}
