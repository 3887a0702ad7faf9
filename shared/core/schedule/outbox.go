package schedule

import (
	"context"
	"sync"

	"bindery/shared/directory"
)

// atOnce is how many wake-ups one message batch takes.
const atOnce = 10

// outbox collects wake-ups and has ten taken at once. Its methods may be called
// at once.
type outbox struct {
	queue   Queue
	results *results

	mu      sync.Mutex
	waiting []directory.WakeUp
}

// add asks for a slice.
func (o *outbox) add(ctx context.Context, w directory.WakeUp) {
	o.mu.Lock()
	o.waiting = append(o.waiting, w)
	full := len(o.waiting) == atOnce
	var list []directory.WakeUp
	if full {
		list, o.waiting = o.waiting, nil
	}
	o.mu.Unlock()
	if full {
		o.send(ctx, list)
	}
}

// flush sends what is left.
func (o *outbox) flush(ctx context.Context) {
	o.mu.Lock()
	list := o.waiting
	o.waiting = nil
	o.mu.Unlock()
	if len(list) > 0 {
		o.send(ctx, list)
	}
}

func (o *outbox) send(ctx context.Context, list []directory.WakeUp) {
	ctx, cancel := context.WithTimeout(ctx, turnTime)
	defer cancel()
	if err := o.queue.SendAll(ctx, list); err != nil {
		o.results.failed(err)
		return // it is still due at the next tick
	}
	o.results.sent(list)
}
