package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"bindery/shared/directory"
	"bindery/shared/platform/notify"
)

// bus is EventBridge as PutEvents has it. refuse says how often an entry with
// that text is refused.
type bus struct {
	t      *testing.T
	got    []types.PutEventsRequestEntry
	calls  int
	refuse map[string]int
	down   error
}

func (b *bus) PutEvents(_ context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
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

func notices(n int, text string) []directory.Notice {
	list := make([]directory.Notice, n)
	for i := range list {
		list[i] = directory.Notice{ID: fmt.Sprint(i), Type: directory.NoticeRunHeld, At: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC), ConnectionID: "con_1", Text: text}
	}
	return list
}

func TestEventBridge(t *testing.T) {
	for _, c := range []struct {
		what  string
		list  []directory.Notice
		b     bus
		got   int
		calls int
		err   error
	}{
		{"nothing", nil, bus{}, 0, 0, nil},
		{"one", notices(1, "held"), bus{}, 1, 1, nil},
		{"more than a call takes", notices(23, "held"), bus{}, 23, 3, nil},
		{"large ones", notices(4, strings.Repeat("x", 100<<10)), bus{}, 4, 2, nil},
		{"one is refused at first", notices(12, "held"), bus{refuse: map[string]int{"3": 2}}, 12, 4, nil},
		{"one is refused always", notices(2, "held"), bus{refuse: map[string]int{"1": 99}}, 1, 3, notify.ErrNotPublished},
		{"the bus does not answer", notices(2, "held"), bus{down: errors.New("down")}, 0, 1, notify.ErrNotPublished},
	} {
		t.Run(c.what, func(t *testing.T) {
			c.b.t = t
			err := notify.NewEventBridge(&c.b, "the-bus").Publish(t.Context(), c.list...)
			if !errors.Is(err, c.err) || len(c.b.got) != c.got || c.b.calls != c.calls {
				t.Errorf("Publish = %v; %d got through in %d calls, want %v, %d, %d", err, len(c.b.got), c.b.calls, c.err, c.got, c.calls)
			}
		})
	}
}

func TestWhatIsTooLongIsCut(t *testing.T) {
	b := bus{t: t}
	n := notices(1, strings.Repeat("ü", 200<<10))
	n[0].Facts = map[string]string{"x": strings.Repeat("y", 300<<10)}
	if err := notify.NewEventBridge(&b, "the-bus").Publish(t.Context(), n...); err != nil {
		t.Fatal(err)
	}
	var back directory.Notice
	if err := json.Unmarshal([]byte(*b.got[0].Detail), &back); err != nil || back.Facts != nil || len(back.Text) > 2100 || !strings.HasSuffix(back.Text, "…") {
		t.Errorf("detail = %.100s… of %d bytes, %v", *b.got[0].Detail, len(*b.got[0].Detail), err)
	}
}

func TestLog(t *testing.T) {
	var out bytes.Buffer
	l := &notify.Log{Writer: &out}
	if err := l.Publish(t.Context(), notices(2, "held")...); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var e struct {
		Source     string
		DetailType string `json:"detail-type"`
		Detail     directory.Notice
	}
	if len(lines) != 2 || json.Unmarshal([]byte(lines[1]), &e) != nil || e.DetailType != "bindery.run.held" || e.Detail.ID != "1" || e.Source != "bindery" {
		t.Errorf("lines = %q", lines)
	}
	if last := l.Last(); len(last) != 2 || last[1].ID != "1" {
		t.Errorf("Last = %+v", last)
	}
}

func TestEventBridgeAtMoto(t *testing.T) {
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
	if err := notify.NewEventBridge(client, name).Publish(t.Context(), notices(12, "held")...); err != nil {
		t.Errorf("Publish = %v", err)
	}
}
