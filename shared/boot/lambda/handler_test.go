package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	lambda "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"bindery/events"
	"bindery/shared/boot/app"
	"bindery/shared/boot/telemetry"
	"bindery/shared/platform/queue"
)

// handler is a Function sync whose lines go to the buffer.
func handler(h Handler) (*Function, *bytes.Buffer) {
	out := new(bytes.Buffer)
	return New(Config{Name: app.Sync, Handler: h, Telemetry: linesTo(out)}), out
}

// linesTo has log and metrics written to one place.
func linesTo(out io.Writer) telemetry.Config {
	return telemetry.Config{Log: telemetry.NewLogger(out, slog.LevelInfo), Metrics: telemetry.NewEMF(telemetry.EMFConfig{Writer: out})}
}

func decode(t *testing.T, line string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatalf("line %q: %v", line, err)
	}
	return m
}

func TestInvokeHTTP(t *testing.T) {
	t.Parallel()
	h, out := handler(Handler{HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		telemetry.InvocationOf(r.Context()).Set("connectionId", "con_a")
		if got, _ := (Gateway{}).Claims(r.Context())("scope"); got != "bindery/read bindery/write bindery/admin bindery/approve" {
			t.Errorf("scope = %q, want the sample's", got)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		w.Write([]byte(`{"path":"` + r.URL.Path + `"}`))
	})})
	raw, err := h.Invoke(context.Background(), events.Get("admin.list-connections"))
	if err != nil {
		t.Fatal(err)
	}
	var got lambda.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(raw, &got); err != nil || got.StatusCode != 202 || got.Body != `{"path":"/v1/connections"}` {
		t.Errorf("Invoke = %s, %v", raw, err)
	}
	line := decode(t, out.String())
	if line["status"] != 202.0 || line["trigger"] != "http" || line["route"] != "GET /v1/{proxy+}" || line["connectionId"] != "con_a" {
		t.Errorf("line = %v", line)
	}
}

// A panic is answered, and the line says at level error what and where.
func TestInvokeHTTPPanic(t *testing.T) {
	t.Parallel()
	h, out := handler(Handler{HTTP: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("no") })})
	raw, err := h.Invoke(context.Background(), events.Get("admin.list-connections"))
	if err != nil || !strings.Contains(string(raw), `"statusCode":500`) {
		t.Errorf("Invoke = %s, %v", raw, err)
	}
	if line := decode(t, out.String()); line["level"] != "ERROR" || line["panic"] != "no" || !strings.Contains(line["stack"].(string), "TestInvokeHTTPPanic") {
		t.Errorf("line = %v", line)
	}
}

// One bad message of a batch is repeated, the others are not; a panic is one bad message.
func TestInvokeMessages(t *testing.T) {
	t.Parallel()
	var batch lambda.SQSEvent
	for id, body := range map[string]string{"1": "good", "2": "bad", "3": "panic", "4": "good"} {
		batch.Records = append(batch.Records, lambda.SQSMessage{MessageId: id, Body: `"` + body + `"`, EventSource: "aws:sqs"})
	}
	payload, err := json.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	h, out := handler(Handler{Message: func(_ context.Context, body []byte) error {
		switch string(body) {
		case `"bad"`:
			return errors.New("bad")
		case `"panic"`:
			panic("no")
		}
		return nil
	}})
	raw, err := h.Invoke(context.Background(), payload)
	if err != nil {
		t.Fatal(err)
	}
	var got lambda.SQSEventResponse
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	failed := map[string]bool{}
	for _, f := range got.BatchItemFailures {
		failed[f.ItemIdentifier] = true
	}
	if len(failed) != 2 || !failed["2"] || !failed["3"] {
		t.Errorf("failed = %v, want 2 and 3", failed)
	}
	if n := strings.Count(out.String(), `"msg":"invocation"`); n != 4 {
		t.Errorf("%d lines, want one a message", n)
	}
}

// Lambda takes a missing batchItemFailures for success, but null for a failure of all.
func TestInvokeMessagesAnswer(t *testing.T) {
	t.Parallel()
	h, _ := handler(Handler{Message: func(context.Context, []byte) error { return nil }})
	raw, err := h.Invoke(context.Background(), events.Get("sync.connection"))
	if err != nil || string(raw) != `{"batchItemFailures":[]}` {
		t.Errorf("Invoke = %s, %v, want an empty list", raw, err)
	}
}

// A message that SQS could not hold back for long enough goes back to the
// queue, and the work is not begun.
func TestInvokeEarlyMessage(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 7, 30, 0, 0, time.UTC)
	sent := new(sqsStub)
	h, out := handler(Handler{Message: func(context.Context, []byte) error { t.Error("called"); return nil }})
	h.cfg.Now = func() time.Time { return now }
	h.cfg.Own = queue.NewSQS(queue.SQSConfig{Client: sent, URL: "https://sqs.example.com/work"})
	early, err := queue.Envelope{NotBefore: now.Add(10 * time.Minute), Body: []byte(`{"connectionId":"con_a"}`)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	payload, _ := json.Marshal(lambda.SQSEvent{Records: []lambda.SQSMessage{{MessageId: "1", Body: string(early), EventSource: "aws:sqs"}}})
	raw, err := h.Invoke(context.Background(), payload)
	if err != nil || string(raw) != `{"batchItemFailures":[]}` {
		t.Errorf("Invoke = %s, %v", raw, err)
	}
	if sent.body != `{"connectionId":"con_a"}` || sent.delay != 600 {
		t.Errorf("sent %q after %d s, want the body after 600 s", sent.body, sent.delay)
	}
	if !strings.Contains(out.String(), `"early":"10m0s"`) {
		t.Errorf("wrote %s", out.String())
	}
}

// sqsStub keeps the last message sent.
type sqsStub struct {
	queue.Client
	body  string
	delay int32
}

func (s *sqsStub) SendMessage(_ context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	s.body, s.delay = *in.MessageBody, in.DelaySeconds
	return &sqs.SendMessageOutput{}, nil
}

func TestInvokeTick(t *testing.T) {
	t.Parallel()
	fault := errors.New("table: busy")
	h, out := handler(Handler{Tick: func(ctx context.Context) error {
		telemetry.InvocationOf(ctx).Count(telemetry.WakeUps, 0)
		return fault
	}})
	if _, err := h.Invoke(context.Background(), events.Get("schedule.tick")); !errors.Is(err, fault) {
		t.Errorf("Invoke = %v, want %v", err, fault)
	}
	if !strings.Contains(out.String(), `"WakeUps":0`) || !strings.Contains(out.String(), `"level":"ERROR"`) {
		t.Errorf("wrote %s", out.String())
	}
}

func TestInvokeOtherKinds(t *testing.T) {
	t.Parallel()
	h, _ := handler(Handler{Tick: func(context.Context) error { t.Error("called"); return nil }, Message: func(context.Context, []byte) error { t.Error("called"); return nil }})
	for _, payload := range []string{`{}`, `null`, `[]`, `"x"`, `{"Records":[]}`, `{"Records":[{"eventSource":"aws:s3"}]}`, `{"version":"1.0","requestContext":{"http":{}}}`, string(events.Get("admin.list-connections")), ``} {
		_, err := h.Invoke(context.Background(), []byte(payload))
		if err == nil {
			t.Errorf("Invoke(%.40q) succeeded, want an error", payload)
		}
	}
	if _, err := h.Invoke(context.Background(), []byte(`{}`)); !strings.Contains(err.Error(), "SQS queue or by an EventBridge schedule") {
		t.Errorf("Invoke({}) = %v, want the kinds that it takes", err)
	}
}

// metrics are the numbers that were sent to CloudWatch, added up.
func metrics(t *testing.T, out []byte) map[telemetry.Metric]float64 {
	t.Helper()
	sum := map[telemetry.Metric]float64{}
	for line := range bytes.Lines(out) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatal(err)
		}
		if m["_aws"] == nil {
			continue
		}
		for name, v := range m {
			if n, ok := v.(float64); ok {
				sum[telemetry.Metric(name)] += n
			}
		}
	}
	return sum
}

// TestFailedMessagesAreCounted: Lambda takes an invocation whose messages failed
// for a success.
func TestFailedMessagesAreCounted(t *testing.T) {
	t.Parallel()
	for function, want := range map[app.Function]telemetry.Metric{app.Sync: telemetry.SyncFailures, app.LoadFiles: telemetry.LoadFailures, app.Deactivate: telemetry.SweepFailures} {
		var out bytes.Buffer
		h := Handler{Message: func(_ context.Context, body []byte) error {
			switch string(body) {
			case `"bad"`:
				return errors.New("no")
			case `"worse"`:
				panic("no")
			}
			return nil
		}}
		event := `{"Records":[` + strings.Join([]string{
			`{"eventSource":"aws:sqs","messageId":"1","body":"\"bad\""}`, `{"eventSource":"aws:sqs","messageId":"2","body":"\"good\""}`,
			`{"eventSource":"aws:sqs","messageId":"3","body":"\"worse\""}`, `{"eventSource":"aws:sqs","messageId":"4","body":"no JSON"}`,
		}, ",") + `]}`
		f := New(Config{Name: function, Handler: h, Telemetry: linesTo(&out)})
		if _, err := f.Invoke(t.Context(), []byte(event)); err != nil {
			t.Fatal(err)
		}
		if got := metrics(t, out.Bytes()); got[want] != 3 {
			t.Errorf("%s: %v, want %s = 3", function, got, want)
		}
	}
}

// TestScimFailuresAreCounted: an identity provider that is told when to come again, as one
// that an admin has paused, has not met a failure; whatever else is answered 5xx is one.
func TestScimFailuresAreCounted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		function app.Function
		answer   http.HandlerFunc
		want     float64
	}{
		"paused": {app.Scim, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, 0},
		"an incident":                {app.Scim, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, 1},
		"a panic":                    {app.Scim, func(http.ResponseWriter, *http.Request) { panic("no") }, 1},
		"refused":                    {app.Scim, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusConflict) }, 0},
		"of the API, counted by AWS": {app.Admin, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, 0},
	} {
		var out bytes.Buffer
		f := New(Config{Name: tt.function, Handler: Handler{HTTP: tt.answer}, Telemetry: linesTo(&out)})
		if _, err := f.Invoke(t.Context(), events.Get("scim.create-user")); err != nil {
			t.Fatal(err)
		}
		if got := metrics(t, out.Bytes())[telemetry.ScimFailures]; got != tt.want {
			t.Errorf("%s: %g failures, want %g", name, got, tt.want)
		}
		if got, want := strings.Contains(out.String(), `"level":"ERROR"`), tt.want > 0 || tt.function == app.Admin; got != want {
			t.Errorf("%s: logged as an error is %t", name, got)
		}
	}
}
