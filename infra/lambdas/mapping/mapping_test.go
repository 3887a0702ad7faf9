package mapping

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"bindery/infra/lambdas/runtime"
)

// fake is a queue: a message that was received is hidden for good.
type fake struct {
	mu      sync.Mutex
	waiting []types.Message
	deleted []string
	n       int
	refuse  error
}

func (f *fake) send(body, trace string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	id := fmt.Sprint("m", f.n)
	f.waiting = append(f.waiting, types.Message{MessageId: &id, ReceiptHandle: &id, Body: &body, Attributes: map[string]string{"AWSTraceHeader": trace}})
}

func (f *fake) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	until := time.Now().Add(time.Duration(in.WaitTimeSeconds) * time.Second)
	for {
		f.mu.Lock()
		n := min(len(f.waiting), int(in.MaxNumberOfMessages))
		got := slices.Clone(f.waiting[:n])
		f.waiting = f.waiting[n:]
		err := f.refuse
		f.mu.Unlock()
		if n > 0 || err != nil || time.Now().After(until) {
			return &sqs.ReceiveMessageOutput{Messages: got}, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func (f *fake) DeleteMessage(_ context.Context, in *sqs.DeleteMessageInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deleted = append(f.deleted, *in.ReceiptHandle)
	return &sqs.DeleteMessageOutput{}, nil
}

func (f *fake) GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error) {
	return &sqs.GetQueueAttributesOutput{}, nil
}

// run runs a mapping for a minute in a bubble.
func run(t *testing.T, m *Mapping, f *fake) {
	t.Helper()
	m.Client, m.ARN, m.Function = f, "arn:aws:sqs:eu-central-1:123456789012:work", "sync"
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	m.Run(ctx)
}

func TestBatches(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answer  string
		err     error
		partial bool
		deleted string
	}{
		{"done", `{"batchItemFailures":[]}`, nil, true, "m1 m2 m3"},
		{"no answer", `null`, nil, true, "m1 m2 m3"},
		{"one failed", `{"batchItemFailures":[{"itemIdentifier":"m2"}]}`, nil, true, "m1 m3"},
		{"one failed, and nobody asks", `{"batchItemFailures":[{"itemIdentifier":"m2"}]}`, nil, false, "m1 m2 m3"},
		{"a report of another", `{"batchItemFailures":[{"itemIdentifier":"m9"}]}`, nil, true, ""},
		{"a report without a name", `{"batchItemFailures":[{}]}`, nil, true, ""},
		{"no report", `[1]`, nil, true, ""},
		{"failed", ``, errors.New("failed"), true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				m := &Mapping{BatchSize: 10, Concurrency: 1, Partial: tt.partial, Invoke: func(payload []byte, trace string) ([]byte, error) {
					var e events.SQSEvent
					if err := json.Unmarshal(payload, &e); err != nil || len(e.Records) != 3 || e.Records[0].Body != "b" || e.Records[0].EventSource != "aws:sqs" || !strings.HasSuffix(e.Records[0].EventSourceARN, ":work") {
						t.Errorf("event %s, %v", payload, err)
					}
					return []byte(tt.answer), tt.err
				}}
				for range 3 {
					f.send("b", "")
				}
				run(t, m, f)
				slices.Sort(f.deleted)
				if got := strings.Join(f.deleted, " "); got != tt.deleted {
					t.Errorf("deleted %q, want %q", got, tt.deleted)
				}
				if s := m.Stats(); s.Done+s.Failed != 3 || s.Done != len(f.deleted) {
					t.Errorf("stats %+v", s)
				}
			})
		})
	}
}

// No more events are under way than may be, and one that was refused for that
// is tried again.
func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		var mu sync.Mutex
		under, most, refused := 0, 0, 0
		m := &Mapping{BatchSize: 1, Concurrency: 3, Partial: true, Invoke: func([]byte, string) ([]byte, error) {
			mu.Lock()
			if refused < 2 {
				refused++
				mu.Unlock()
				return nil, runtime.ErrThrottled
			}
			under++
			most = max(most, under)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			under--
			mu.Unlock()
			return nil, nil
		}}
		for range 10 {
			f.send("b", "")
		}
		run(t, m, f)
		if s := m.Stats(); most != 3 || s.Done != 10 || s.Failed != 0 {
			t.Errorf("at most %d at once, want 3; %+v", most, s)
		}
	})
}

// A function that queues itself is stopped at its seventeenth message, unless
// it may loop; one that follows from another function's message begins anew.
func TestLoops(t *testing.T) {
	for _, loops := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{}
			calls := 0
			var stopped []string
			m := &Mapping{
				BatchSize: 1, Concurrency: 1, Partial: true, Loops: loops,
				Stop: func(_ context.Context, m types.Message) error {
					stopped = append(stopped, aws.ToString(m.Body))
					return nil
				},
				Invoke: func(_ []byte, trace string) ([]byte, error) {
					if calls++; calls < 30 {
						f.send(fmt.Sprint(calls), trace) // as AWS's SDK does in the function
					}
					return nil, nil
				},
			}
			first, _ := Lineage("", "admin")
			f.send("0", first)
			run(t, m, f)
			s := m.Stats()
			if want := map[bool]int{false: MaxHops, true: 30}[loops]; calls != want || s.MostHops != min(want+1, 30) {
				t.Errorf("loops %v: %d calls, want %d; %+v", loops, calls, want, s)
			}
			if want := map[bool]int{false: 1}[loops]; len(stopped) != want || s.Stopped != want {
				t.Errorf("loops %v: stopped %q, %+v", loops, stopped, s)
			}
		})
	}
}

func TestLineage(t *testing.T) {
	one, hops := Lineage("Root=1-a-b;Parent=c;Sampled=1", "sync")
	if hops != 1 || !strings.HasPrefix(one, "Root=1-a-b;Parent=") {
		t.Errorf("%s, %d", one, hops)
	}
	two, hops := Lineage(one, "sync")
	if hops != 2 {
		t.Errorf("%s, %d", two, hops)
	}
	other, hops := Lineage(two, "deactivate")
	if hops != 1 {
		t.Errorf("through another function: %s, %d", other, hops)
	}
	if _, hops = Lineage(other, "sync"); hops != 3 {
		t.Errorf("back again: %d, want 3", hops)
	}
	if _, hops = Lineage(strings.ReplaceAll(other, "|", "%7C"), "sync"); hops != 3 {
		t.Errorf("as the SDK sends it: %d, want 3", hops)
	}
	if fresh, hops := Lineage("", "sync"); hops != 1 || !strings.HasPrefix(fresh, "Root=1-") {
		t.Errorf("without a header: %s, %d", fresh, hops)
	}
	if _, hops := Lineage("Root=1-a-b;Lineage=nonsense", "sync"); hops != 1 {
		t.Errorf("nonsense: %d", hops)
	}
}

// A queue that does not answer is asked again, and told of.
func TestFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refuse: errors.New("no queue")}
		told := 0
		m := &Mapping{BatchSize: 1, Concurrency: 1, Fault: func(error) { told++ }, Invoke: func([]byte, string) ([]byte, error) { return nil, nil }}
		go func() {
			time.Sleep(time.Second)
			f.mu.Lock()
			f.refuse = nil
			f.mu.Unlock()
			f.send("b", "")
		}()
		run(t, m, f)
		if told == 0 || m.Stats().Done != 1 {
			t.Errorf("told %d times, %+v", told, m.Stats())
		}
	})
}
