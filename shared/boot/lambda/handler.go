package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"bindery/shared/boot/app"
	"bindery/shared/boot/telemetry"
	"bindery/shared/platform/queue"
)

// Handler answers a function's events: at most one member for each kind that
// the function may be called with.
type Handler struct {
	// HTTP answers an event of the HTTP API.
	HTTP http.Handler
	// Message does the work of one queue message that is due. An error lets the
	// queue hand the message out again.
	Message func(ctx context.Context, body []byte) error
	// Tick does what the schedule asks for.
	Tick func(ctx context.Context) error
}

// Config is what a Function works with.
type Config struct {
	Name    app.Function
	Handler Handler
	// Own is the queue that wakes this function, where early messages go back to;
	// nil for a function that no queue wakes.
	Own       queue.Queue
	Telemetry telemetry.Config
	Now       func() time.Time // nil means time.Now
}

// Function answers the events of one Lambda function. It is a lambda.Handler.
type Function struct{ cfg Config }

// New returns a Function.
func New(cfg Config) *Function {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Function{cfg}
}

// event is what tells the kinds of events apart.
type event struct {
	Records []struct {
		EventSource string `json:"eventSource"`
	} `json:"Records"`
	Version        string `json:"version"`
	RequestContext *struct {
		HTTP *json.RawMessage `json:"http"`
	} `json:"requestContext"`
	DetailType string `json:"detail-type"`
}

// Invoke answers one event. An event of a kind that the function does not take
// is an error.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var e event
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, fmt.Errorf("the event is no JSON object: %w", err)
	}
	h := f.cfg.Handler
	switch {
	case h.HTTP != nil && e.RequestContext != nil && e.RequestContext.HTTP != nil && e.Version == "2.0":
		return f.http(ctx, payload)
	case h.Message != nil && len(e.Records) > 0 && e.Records[0].EventSource == "aws:sqs":
		return f.messages(ctx, payload)
	case h.Tick != nil && e.DetailType == "Scheduled Event":
		return []byte("null"), f.recorded(ctx, "schedule", h.Tick)
	}
	return nil, fmt.Errorf("this function is called %s, and this event is none of that", h.kinds())
}

func (h Handler) kinds() string {
	var kinds []string
	if h.HTTP != nil {
		kinds = append(kinds, "through the HTTP API (payload format 2.0)")
	}
	if h.Message != nil {
		kinds = append(kinds, "by messages of an SQS queue")
	}
	if h.Tick != nil {
		kinds = append(kinds, "by an EventBridge schedule")
	}
	return strings.Join(kinds, " or ")
}

func (f *Function) http(ctx context.Context, payload []byte) ([]byte, error) {
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, fmt.Errorf("HTTP API event: %w", err)
	}
	var answer events.APIGatewayV2HTTPResponse
	err := f.recorded(ctx, "http", func(ctx context.Context) (err error) {
		i := telemetry.InvocationOf(ctx)
		i.Set("route", e.RequestContext.RouteKey) // never the path: it may hold an address
		i.Set("apiRequestId", e.RequestContext.RequestID)
		answer, err = HTTP(f.cfg.Handler.HTTP)(ctx, e)
		if f.cfg.Name == app.Scim && answer.StatusCode >= http.StatusInternalServerError {
			if again := answer.Headers["retry-after"]; again != "" {
				i.Set(telemetry.RetryAfter, again)
			} else {
				i.Count(telemetry.ScimFailures, 1)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return encodeAnswer(answer)
}

// messages handles each record of a batch on its own and reports those that
// failed, so that the others are not repeated.
func (f *Function) messages(ctx context.Context, payload []byte) ([]byte, error) {
	var e events.SQSEvent
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, fmt.Errorf("SQS event: %w", err)
	}
	answer := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for _, r := range e.Records {
		err := f.recorded(ctx, "message", func(ctx context.Context) error {
			i := telemetry.InvocationOf(ctx)
			i.Set("messageId", r.MessageId)
			i.Set("received", r.Attributes["ApproximateReceiveCount"])
			repost := func(ctx context.Context, body []byte, delay time.Duration) error {
				i.Set("early", delay.String())
				return f.cfg.Own.Send(ctx, body, delay)
			}
			return queue.Deliver(ctx, []byte(r.Body), f.cfg.Now(), repost, f.cfg.Handler.Message)
		})
		if err != nil {
			answer.BatchItemFailures = append(answer.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: r.MessageId})
		}
	}
	return json.Marshal(answer)
}

// messageFailures is the metric of a function's messages that failed.
func messageFailures(f app.Function) telemetry.Metric {
	switch f {
	case app.Deactivate:
		return telemetry.SweepFailures
	case app.LoadFiles:
		return telemetry.LoadFailures
	}
	return telemetry.SyncFailures
}

// recorded runs do inside an Invocation and turns a panic into an error, so
// that the line is written in any case.
func (f *Function) recorded(ctx context.Context, trigger string, do func(context.Context) error) (err error) {
	ctx, i := telemetry.Begin(ctx, f.cfg.Telemetry)
	i.Set("function", string(f.cfg.Name))
	i.Set("trigger", trigger)
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		i.Set("requestId", lc.AwsRequestID)
	}
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v", fault)
			i.Set("stack", string(debug.Stack()))
		}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			i.Set("timeout", true)
		}
		if err != nil && trigger == "message" { // which Lambda counts as a success
			i.Count(messageFailures(f.cfg.Name), 1)
		}
		i.End(ctx, err)
	}()
	return do(ctx)
}
