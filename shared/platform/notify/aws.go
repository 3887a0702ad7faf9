// Package notify publishes notices, so that admins hear of a held run or a lost
// authorisation by mail or in a chat without asking. EventBridge puts them on an
// event bus, from where rules route them; Log writes them as JSON lines, on a
// laptop. events/README.md documents every type.
//
// Publishing may be repeated: a notice has an ID that stays the same.
package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"bindery/shared/directory"
)

// Source is the source of all events.
const Source = "bindery"

// Limits of PutEvents.
const (
	maxEntries = 10
	maxDetail  = 200 << 10 // of 256 KB for a whole call; each entry goes alone when it is large
	maxCall    = 240 << 10
	tries      = 3
)

// ErrNotPublished says that some notices did not get through.
var ErrNotPublished = errors.New("notify: not published")

// Client is what EventBridge uses of *eventbridge.Client.
type Client interface {
	PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// EventBridge publishes on an event bus.
type EventBridge struct {
	client Client
	bus    string
}

// NewEventBridge returns the publisher for a bus, by its name or ARN.
func NewEventBridge(client Client, bus string) *EventBridge { return &EventBridge{client, bus} }

// Publish puts the notices on the bus, all of them or an error.
func (p *EventBridge) Publish(ctx context.Context, notices ...directory.Notice) error {
	entries := make([]types.PutEventsRequestEntry, 0, len(notices))
	for i := range notices {
		detail, err := detailOf(&notices[i])
		if err != nil {
			return err
		}
		entries = append(entries, types.PutEventsRequestEntry{
			EventBusName: &p.bus, Source: aws.String(Source), DetailType: aws.String(string(notices[i].Type)),
			Time: aws.Time(notices[i].At), Detail: aws.String(string(detail)),
		})
	}
	for len(entries) > 0 {
		n, size := 0, 0
		for n < len(entries) && n < maxEntries && (n == 0 || size+len(*entries[n].Detail) <= maxCall) {
			size += len(*entries[n].Detail)
			n++
		}
		if err := p.put(ctx, entries[:n]); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

// put sends up to ten entries; those that the bus refuses are sent again.
func (p *EventBridge) put(ctx context.Context, entries []types.PutEventsRequestEntry) error {
	for try := 1; ; try++ {
		out, err := p.client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNotPublished, err)
		}
		if out.FailedEntryCount == 0 {
			return nil
		}
		var refused []types.PutEventsRequestEntry
		code := ""
		for i, r := range out.Entries {
			if r.ErrorCode != nil && i < len(entries) {
				refused = append(refused, entries[i])
				code = *r.ErrorCode
			}
		}
		if len(refused) == 0 {
			return nil
		}
		if entries = refused; try == tries {
			return fmt.Errorf("%w: %d refused: %s", ErrNotPublished, len(refused), code)
		}
	}
}

// detailOf is a notice as an event's detail. Facts that are too long are left
// out; the text says what to ask for.
func detailOf(n *directory.Notice) ([]byte, error) {
	detail, err := json.Marshal(n)
	if err == nil && len(detail) > maxDetail {
		short := *n
		short.Facts, short.Text = nil, cut(short.Text, 2000)
		detail, err = json.Marshal(&short)
	}
	if err != nil {
		return nil, fmt.Errorf("notify: notice %s: %w", n.Type, err)
	}
	return detail, nil
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// Log writes notices as JSON lines, each as EventBridge would hand it to a
// target, and remembers the last of them.
type Log struct {
	Writer io.Writer // nil: they are only remembered

	mu   sync.Mutex
	last []directory.Notice
}

// remembered is how many notices a Log keeps in memory.
const remembered = 1000

// Publish writes the notices.
func (l *Log) Publish(_ context.Context, notices ...directory.Notice) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range notices {
		n := &notices[i]
		detail, err := detailOf(n)
		if err != nil {
			return err
		}
		line, err := json.Marshal(map[string]any{"source": Source, "detail-type": n.Type, "time": n.At, "detail": json.RawMessage(detail)})
		if err != nil {
			return fmt.Errorf("notify: notice %s: %w", n.Type, err)
		}
		if l.Writer != nil {
			if _, err := l.Writer.Write(append(line, '\n')); err != nil {
				return fmt.Errorf("%w: %w", ErrNotPublished, err)
			}
		}
		if l.last = append(l.last, *n); len(l.last) > remembered {
			l.last = slices.Delete(l.last, 0, len(l.last)-remembered)
		}
	}
	return nil
}

// Last returns the notices that were published last, oldest first.
func (l *Log) Last() []directory.Notice {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.last)
}
