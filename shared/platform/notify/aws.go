package notify

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"bindery/shared/directory"
)

// Limits of PutEvents, and how often a refused entry is tried.
const (
	maxEntries = 10
	maxCall    = 240 << 10 // of 256 KB for a whole call
	tries      = 3
)

// Client is what EventBridge uses of *eventbridge.Client.
type Client interface {
	PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// EventBridgeConfig is what an EventBridge works with.
type EventBridgeConfig struct {
	Client Client
	Bus    string // its name or ARN
}

// EventBridge publishes on an event bus, from where rules route the notices.
type EventBridge struct{ cfg EventBridgeConfig }

// NewEventBridge returns the publisher for a bus.
func NewEventBridge(cfg EventBridgeConfig) *EventBridge { return &EventBridge{cfg} }

var _ Publisher = (*EventBridge)(nil)

// Publish puts the notices on the bus, all of them or an error.
func (p *EventBridge) Publish(ctx context.Context, notices ...directory.Notification) error {
	entries := make([]types.PutEventsRequestEntry, 0, len(notices))
	for i := range notices {
		detail, err := detailOf(&notices[i])
		if err != nil {
			return err
		}
		entries = append(entries, types.PutEventsRequestEntry{
			EventBusName: &p.cfg.Bus, Source: aws.String(Source), DetailType: aws.String(string(notices[i].Type)),
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
		out, err := p.cfg.Client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
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
