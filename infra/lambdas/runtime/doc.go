// Package runtime runs a function's real binary as Lambda does: it speaks the
// Lambda Runtime API to each process, hands it one event at a time, and freezes
// it between them. A [Pool] keeps two warm processes of a function and more
// while there is more to do, picks one of the warm ones at random, and ends
// some at random, after an event or in the middle of it, as Lambda may at any
// time. What is random comes from a seed.
//
//	pool.go      which process gets an event; when processes begin and end
//	process.go   one process: start, freeze, thaw, kill, what it wrote
//	api.go       the Runtime API that the process talks to
//
// The limits are Lambda's: 6 MB for an event and for an answer, the function's
// timeout, ten seconds to begin.
package runtime

import (
	"errors"
	"time"
)

// MaxPayload is what an event and an answer may have, in bytes: 6 MB and
// 100 bytes, as Lambda counts.
const MaxPayload = 6<<20 + 100

// initTime is how long a process may take until it asks for its first event.
const initTime = 10 * time.Second

// Errors of a call that reached no function.
var (
	ErrTooLarge  = errors.New("runtime: the event has more than 6 MB")
	ErrThrottled = errors.New("runtime: as many of the function run as may")
)

// Function is a function as its template describes it.
type Function struct {
	Name    string
	Binary  string   // path of its bootstrap
	Env     []string // all of it, but what the runtime adds
	Timeout time.Duration
	Memory  int // MB; what it has is told, not taken away
	// Concurrency is how many of its processes may work at once; 0: any.
	Concurrency int
}

// Event is one call of a function.
type Event struct {
	Payload []byte
	Trace   string // X-Ray's header
	// MayDie lets the process be killed in the middle.
	MayDie bool
}

// FunctionError is what Lambda tells of a call that failed in the function.
type FunctionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
	// Killed: this package ended the process on purpose.
	Killed bool `json:"-"`
}

func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// Chance is one in how many; 0 is never.
type Chance int

// Recycling says how often processes end at random.
type Recycling struct {
	Seed uint64
	// After an event, and in the middle of one that says it may.
	After, Middle Chance
	// MostMiddle bounds those in the middle, over the pool's life.
	MostMiddle int
}
