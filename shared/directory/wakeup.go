package directory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// WakeUp is the body of a queue message: look at this connection, or at this
// job. What the work is stands in the table; a lost, late or doubled wake-up
// costs time, never work.
type WakeUp struct {
	ConnectionID ConnectionID `json:"connectionId,omitempty"`
	JobID        JobID        `json:"jobId,omitempty"`
	// Second says that an earlier look found nothing and this one is the last:
	// marks are found through an index that lags.
	Second bool `json:"second,omitempty"`
	// Watch says that the sender may have died since: a wake-up that finds the
	// connection taken comes again when the lease must have run out.
	Watch bool `json:"watch,omitempty"`
	// Check asks for the doctor.
	Check bool `json:"check,omitempty"`
	// Sweep asks for the rows and secrets of epochs that have passed to be
	// cleared away.
	Sweep bool `json:"sweep,omitempty"`
}

// Encode returns the message's body.
func (w WakeUp) Encode() []byte {
	b, err := json.Marshal(w)
	if err != nil {
		panic("directory: wake-up: " + err.Error()) // strings and a boolean always marshal
	}
	return b
}

// ParseWakeUp reads a message's body strictly.
func ParseWakeUp(body []byte) (WakeUp, error) {
	var w WakeUp
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return w, fmt.Errorf("wake-up: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return w, fmt.Errorf("wake-up: something stands behind the message: %w", ErrInvalid)
	}
	if w.ConnectionID == "" && w.JobID == "" {
		return w, fmt.Errorf("wake-up: it names neither a connection nor a job: %w", ErrInvalid)
	}
	return w, nil
}
