package lambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"bindery/shared/api/admin"
)

// What Lambda counts is the answer as JSON, after escaping and base64. A body
// within what the API makes its pages arrives whatever it holds, and never is an
// answer larger than Lambda takes.
func TestAnswerSize(t *testing.T) {
	t.Parallel()
	for name, unit := range map[string]string{
		"plain": "x", "quotes": `"`, "backslashes": `\`, "lines": "\n", "controls": "\x01", "markup": "<", "umlauts": "ä", "separators": "\u2028", "emoji": "🐎",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answerSizes(t, name, unit)
		})
	}
}

// answerSizes answers with bodies that repeat a unit.
func answerSizes(t *testing.T, name, unit string) {
	for _, size := range []int{admin.MaxAnswer, MaxAnswer} {
		for _, kind := range []string{"application/json", "text/csv; charset=utf-8", "application/x-ndjson", "image/png"} {
			body := strings.Repeat(unit, size/len(unit))
			h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", kind)
				_, _ = w.Write([]byte(body))
			})
			event, err := json.Marshal(call("GET", "/", ""))
			if err != nil {
				t.Fatal(err)
			}
			raw, err := Answer(h)(context.Background(), event)
			if err != nil || len(raw) > MaxAnswer {
				t.Errorf("%s, %d bytes as %s: %d bytes for Lambda, %v", name, size, kind, len(raw), err)
				continue
			}
			var got events.APIGatewayV2HTTPResponse
			if err := json.Unmarshal(raw, &got); err != nil {
				t.Fatal(err)
			}
			if got.IsBase64Encoded {
				data, err := base64.StdEncoding.DecodeString(got.Body)
				if err != nil {
					t.Error(err)
				}
				got.Body = string(data)
			}
			switch whole := got.StatusCode == 200 && got.Body == body; {
			case size <= admin.MaxAnswer && !whole:
				t.Errorf("%s, %d bytes as %s: %d %.80s", name, size, kind, got.StatusCode, got.Body)
			case !whole && !strings.Contains(got.Body, "answer-too-large"):
				t.Errorf("%s, %d bytes as %s: neither the body nor a problem: %d %.80s", name, size, kind, got.StatusCode, got.Body)
			}
		}
	}
}
