// Package queue carries wake-ups: small JSON documents that arrive at least
// once, in no certain order, not before their delay is over. What the work is
// stands in the table; a message only says where to look.
//
//	aws.go      SQS      a standard queue; Lambda receives
//	local.go    Local    a queue in this process, for laptops and tests
//	envelope.go          a body with a time before which it is not due
//	wakeups.go  WakeUps  the three queues that Bindery has, by the words of the core
//
// # Contract
//
// A body that is not JSON in UTF-8, or too large, is ErrInvalid: nothing was sent.
// Any other error leaves it open whether a message was sent; each call may be
// repeated, and all may be called at once by many.
//
// A message is handed out until its handler succeeds: again after a while when the
// handler failed, overstayed or died, and after some such tries it is a dead
// letter. SQS keeps messages for days; what Local holds is lost with the process,
// and the schedule makes up for it.
//
// SQS delays a message by 15 minutes at most, so a longer delay travels with it:
// the message becomes an Envelope, and the receiver posts what comes early again.
// Deliver does that. The suite queuetest holds every driver to this.
package queue

import (
	"context"
	"errors"
	"time"
)

// ErrInvalid: a body that is not JSON or too large. It is a mistake of the
// caller's code; nothing was sent.
var ErrInvalid = errors.New("queue: invalid message")

// Queue is what each driver does.
type Queue interface {
	// Send sends a body, to arrive after the delay.
	Send(ctx context.Context, body []byte, delay time.Duration) error
	// SendMany sends messages. It checks all before it sends any.
	SendMany(ctx context.Context, messages []Message) error
}

// Message is a body to send and how long to hold it back.
type Message struct {
	Body  []byte
	Delay time.Duration
}
