package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/platform/queue"

	"github.com/aws/aws-sdk-go-v2/aws"
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

func (s *stub) deliver(body string, seconds int32) {
	if seconds < 0 || seconds > 900 {
		s.t.Errorf("DelaySeconds = %d, want 0 to 900", seconds)
	}
	if err := s.local.Send(s.t.Context(), []byte(body), time.Duration(seconds)*time.Second); err != nil {
		s.t.Error(err)
	}
}

func (s *stub) SendMessage(_ context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	s.deliver(*in.MessageBody, in.DelaySeconds)
	return &sqs.SendMessageOutput{}, nil
}

func (s *stub) SendMessageBatch(_ context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
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

// TestSQSLongDelays sends delays on both sides of what SQS can, and receives
// as a Lambda does.
func TestSQSLongDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stub{t: t, local: newLocal()}
		q, l := queue.NewSQS(s, "url"), &log{start: time.Now()}
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
				s := &stub{t: t, local: newLocal(), refuse: test.refuse, fault: test.fault}
				err := queue.NewSQS(s, "url").SendMany(t.Context(), messages(test.n))
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
	s := &stub{t: t, local: newLocal()}
	all := messages(7)
	for i := range all {
		all[i].Body = []byte(`"` + strings.Repeat("x", 100<<10) + `"`)
	}
	if err := queue.NewSQS(s, "url").SendMany(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.batches, " "); got != "2 2 2 1" {
		t.Errorf("batches = %s, want 2 2 2 1", got)
	}
	all[6].Body = []byte("{")
	s.batches = nil
	if err := queue.NewSQS(s, "url").SendMany(t.Context(), all); !errors.Is(err, queue.ErrInvalid) || s.batches != nil {
		t.Errorf("SendMany with a broken message = %v after batches %v, want ErrInvalid before any", err, s.batches)
	}
}
