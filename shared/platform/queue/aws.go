package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"bindery/shared/clock"
)

// Client is what SQS uses of *sqs.Client.
type Client interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
	SendMessageBatch(context.Context, *sqs.SendMessageBatchInput, ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
}

// SQSConfig is what an SQS works with.
type SQSConfig struct {
	Client Client
	URL    string           // of the queue
	Now    func() time.Time // nil means time.Now
}

// SQS sends to a standard queue. Messages are received by Lambda.
type SQS struct{ cfg SQSConfig }

// NewSQS returns a queue of SQS.
func NewSQS(cfg SQSConfig) *SQS {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &SQS{cfg}
}

var _ Queue = (*SQS)(nil)

const (
	sendTries   = 6
	sendWait    = 100 * time.Millisecond
	longestWait = sendWait << sendTries
)

// Send sends a body, to arrive after the delay. An error may mean that it was
// sent all the same.
func (q *SQS) Send(ctx context.Context, body []byte, delay time.Duration) error {
	text, seconds, err := q.envelope(Message{body, delay})
	if err != nil {
		return err
	}
	_, err = q.cfg.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &q.cfg.URL, MessageBody: &text, DelaySeconds: seconds})
	if err != nil {
		return fmt.Errorf("queue: send: %w", err)
	}
	return nil
}

// SendMany sends messages in batches. It checks all before it sends any, and
// sends those again that SQS did not take. On an error some may have been sent.
func (q *SQS) SendMany(ctx context.Context, messages []Message) error {
	var batches [][]types.SendMessageBatchRequestEntry
	size := 0
	for i, m := range messages {
		text, seconds, err := q.envelope(m)
		if err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		entry := types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: &text, DelaySeconds: seconds}
		last := len(batches) - 1
		if size += len(text); last < 0 || len(batches[last]) == maxBatch || size > MaxBody {
			batches = append(batches, nil)
			last, size = last+1, len(text)
		}
		batches[last] = append(batches[last], entry)
	}
	for _, batch := range batches {
		if err := q.sendBatch(ctx, batch); err != nil {
			return fmt.Errorf("queue: send batch: %w", err)
		}
	}
	return nil
}

func (q *SQS) sendBatch(ctx context.Context, batch []types.SendMessageBatchRequestEntry) error {
	for try := 1; ; try++ {
		out, err := q.cfg.Client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &q.cfg.URL, Entries: batch})
		if err != nil {
			return err
		}
		batch, err = refused(batch, out.Failed)
		if err != nil || len(batch) == 0 {
			return err
		}
		if try == sendTries {
			return fmt.Errorf("%d messages were not taken after %d tries: %s", len(batch), try, aws.ToString(out.Failed[0].Code))
		}
		if err := clock.Sleep(ctx, clock.Backoff(try, sendWait, longestWait)); err != nil {
			return err
		}
	}
}

// refused returns the entries to send again. One that SQS holds to be wrong
// would be refused again.
func refused(batch []types.SendMessageBatchRequestEntry, failed []types.BatchResultErrorEntry) ([]types.SendMessageBatchRequestEntry, error) {
	byID := make(map[string]types.SendMessageBatchRequestEntry, len(batch))
	for _, entry := range batch {
		byID[aws.ToString(entry.Id)] = entry
	}
	var again []types.SendMessageBatchRequestEntry
	var errs []error
	for _, f := range failed {
		entry, known := byID[aws.ToString(f.Id)]
		switch {
		case f.SenderFault:
			errs = append(errs, fmt.Errorf("message %s: %s: %s", aws.ToString(f.Id), aws.ToString(f.Code), aws.ToString(f.Message)))
		case known:
			again = append(again, entry)
		}
	}
	return again, errors.Join(errs...)
}

// envelope returns the text to send, and the part of the delay that SQS does,
// rounded up to the second.
func (q *SQS) envelope(m Message) (text string, seconds int32, err error) {
	e := Envelope{Body: m.Body}
	delay := max(0, m.Delay)
	if delay > MaxDelay {
		e.NotBefore = q.cfg.Now().Add(delay)
		delay = MaxDelay
	}
	b, err := e.Encode()
	if err != nil {
		return "", 0, err
	}
	return string(b), int32((delay + time.Second - 1) / time.Second), nil
}
