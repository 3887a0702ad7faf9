package queue

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// Limits of SQS that all drivers keep.
const (
	MaxBody  = 256<<10 - envelopeRoom // bytes of a body
	MaxDelay = 15 * time.Minute       // that SQS does by itself

	envelopeRoom = 256
	maxBatch     = 10
)

// Envelope is what travels: a body, and when it is due.
type Envelope struct {
	NotBefore time.Time // zero: at once
	Body      []byte
}

// wire is an envelope as JSON.
type wire struct {
	NotBefore *time.Time      `json:"notBefore"`
	Body      json.RawMessage `json:"body"`
}

// Encode returns the envelope as a message: the bare body when it is due at
// once.
func (e Envelope) Encode() ([]byte, error) {
	if err := checkBody(e.Body); err != nil {
		return nil, err
	}
	if _, wrapped := unwrap(e.Body); e.NotBefore.IsZero() && !wrapped {
		return e.Body, nil
	}
	when := e.NotBefore.UTC()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // which could make the body longer than it may be
	if err := enc.Encode(wire{&when, e.Body}); err != nil {
		return nil, fmt.Errorf("queue: encode: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Decode is the inverse of Encode.
func Decode(message []byte) (Envelope, error) {
	if !json.Valid(message) {
		return Envelope{}, fmt.Errorf("%w: not JSON", ErrInvalid)
	}
	if w, ok := unwrap(message); ok {
		return Envelope{NotBefore: *w.NotBefore, Body: w.Body}, nil
	}
	return Envelope{Body: message}, nil
}

// unwrap knows an envelope by its two members. Others are passed over: a newer
// version may have added them.
func unwrap(message []byte) (wire, bool) {
	var w wire
	err := json.Unmarshal(message, &w)
	return w, err == nil && w.NotBefore != nil && w.Body != nil
}

// Due returns the body, and how long it is still to wait: zero when it is due.
func (e Envelope) Due(now time.Time) (body []byte, remaining time.Duration) {
	if e.NotBefore.IsZero() {
		return e.Body, 0
	}
	return e.Body, max(0, e.NotBefore.Sub(now))
}

// Deliver hands the body of a received message to handle when it is due, and
// posts it again by send when it came early. A message may be taken off the
// queue only when Deliver returns nil.
func Deliver(ctx context.Context, message []byte, now time.Time,
	send func(ctx context.Context, body []byte, delay time.Duration) error,
	handle func(ctx context.Context, body []byte) error,
) error {
	e, err := Decode(message)
	if err != nil {
		return err
	}
	body, remaining := e.Due(now)
	if remaining > 0 {
		return send(ctx, body, remaining)
	}
	return handle(ctx, body)
}

func checkBody(body []byte) error {
	if len(body) > MaxBody {
		return fmt.Errorf("%w: body of %d bytes, at most %d", ErrInvalid, len(body), MaxBody)
	}
	if !json.Valid(body) || !utf8.Valid(body) {
		return fmt.Errorf("%w: body is not JSON in UTF-8", ErrInvalid)
	}
	return nil
}
