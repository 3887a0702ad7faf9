package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"bindery/shared/directory"
	"bindery/shared/platform/notify"
	"bindery/shared/platform/notify/notifytest"
)

// bus is EventBridge as PutEvents has it. refuse says how often an entry with
// that text is refused.
type bus struct {
	t      *testing.T
	mu     sync.Mutex
	got    []types.PutEventsRequestEntry
	calls  int
	refuse map[string]int
	down   error
}

func (b *bus) PutEvents(_ context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.calls++; b.down != nil {
		return nil, b.down
	}
	size := 0
	out := &eventbridge.PutEventsOutput{}
	for _, e := range in.Entries {
		size += len(*e.Detail) + len(*e.DetailType) + len(*e.Source)
		var d struct{ ID string }
		if json.Unmarshal([]byte(*e.Detail), &d) != nil || *e.Source != "bindery" || *e.EventBusName != "the-bus" || e.Time == nil {
			b.t.Errorf("entry = %+v", e)
		}
		if b.refuse[d.ID] > 0 {
			b.refuse[d.ID]--
			out.FailedEntryCount++
			out.Entries = append(out.Entries, types.PutEventsResultEntry{ErrorCode: aws.String("ThrottlingException")})
			continue
		}
		b.got = append(b.got, e)
		out.Entries = append(out.Entries, types.PutEventsResultEntry{EventId: aws.String("1")})
	}
	if len(in.Entries) == 0 || len(in.Entries) > 10 || size > 256<<10 {
		b.t.Errorf("a call of %d entries and %d bytes", len(in.Entries), size)
	}
	return out, nil
}

func newEventBridge(client notify.Client, bus string) *notify.EventBridge {
	return notify.NewEventBridge(notify.EventBridgeConfig{Client: client, Bus: bus})
}

func TestEventBridge(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T) notifytest.Driver {
		b := &bus{t: t}
		return notifytest.Driver{
			Publisher: newEventBridge(b, "the-bus"),
			Published: func() (events []notifytest.Event) {
				for _, e := range b.got {
					events = append(events, notifytest.Event{Source: *e.Source, Type: *e.DetailType, Detail: []byte(*e.Detail)})
				}
				return events
			},
			Break: func() { b.down = errors.New("down") },
		}
	})
}

func TestEventBridgeCalls(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what  string
		list  []directory.Notification
		b     *bus
		got   int
		calls int
		err   error
	}{
		{"nothing", nil, &bus{}, 0, 0, nil},
		{"one", notifytest.Notices(1, "held"), &bus{}, 1, 1, nil},
		{"more than a call takes", notifytest.Notices(23, "held"), &bus{}, 23, 3, nil},
		{"large ones", notifytest.Notices(4, strings.Repeat("x", 100<<10)), &bus{}, 4, 2, nil},
		{"one is refused at first", notifytest.Notices(12, "held"), &bus{refuse: map[string]int{"3": 2}}, 12, 4, nil},
		{"one is refused always", notifytest.Notices(2, "held"), &bus{refuse: map[string]int{"1": 99}}, 1, 3, notify.ErrNotPublished},
		{"the bus does not answer", notifytest.Notices(2, "held"), &bus{down: errors.New("down")}, 0, 1, notify.ErrNotPublished},
	} {
		t.Run(c.what, func(t *testing.T) {
			c.b.t = t
			err := newEventBridge(c.b, "the-bus").Publish(t.Context(), c.list...)
			if !errors.Is(err, c.err) || len(c.b.got) != c.got || c.b.calls != c.calls {
				t.Errorf("Publish = %v; %d got through in %d calls, want %v, %d, %d", err, len(c.b.got), c.b.calls, c.err, c.got, c.calls)
			}
		})
	}
}

func TestEventBridgeOnAWS(t *testing.T) {
	t.Parallel()
	endpoint := os.Getenv("BINDERY_AWS_ENDPOINT")
	if endpoint == "" {
		t.Skip("make test-aws runs it")
	}
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("eu-central-1"), config.WithBaseEndpoint(endpoint),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("test", "test", "")))
	if err != nil {
		t.Fatal(err)
	}
	client := eventbridge.NewFromConfig(cfg)
	name := fmt.Sprintf("bindery-%d", time.Now().UnixNano())
	if _, err := client.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: &name}); err != nil {
		t.Fatal(err)
	}
	notifytest.Run(t, func(*testing.T) notifytest.Driver { // moto tells nobody what it took
		return notifytest.Driver{Publisher: newEventBridge(client, name)}
	})
}
