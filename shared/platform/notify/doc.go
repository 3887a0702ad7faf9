// Package notify publishes notices, so that admins hear of a held run or a lost
// authorisation by mail or in a chat without asking. events/README.md documents
// every type.
//
//	aws.go     EventBridge  an event bus, from where rules route them
//	local.go   Log          JSON lines, on a laptop and in tests
//	detail.go               a notice as an event's detail, cut to what a bus takes
//
// # Contract
//
// Publish returns nil when all notices got through, and ErrNotPublished when some
// may not have; after it, and after a crash, any of them may have. So publishing
// may be repeated: a notice has an ID that stays the same, by which whoever
// receives it knows it again. All may be called at once by many. The suite
// notifytest holds every driver to this.
package notify

import (
	"context"
	"errors"

	"bindery/shared/directory"
)

// Source is the source of all events.
const Source = "bindery"

// ErrNotPublished says that some notices did not get through.
var ErrNotPublished = errors.New("notify: not published")

// Publisher is what each driver does.
type Publisher interface {
	Publish(ctx context.Context, notices ...directory.Notification) error
}
