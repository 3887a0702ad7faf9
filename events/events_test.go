package events

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	lambda "github.com/aws/aws-lambda-go/events"
)

func TestNames(t *testing.T) {
	names := Names()
	if len(names) == 0 || !slices.IsSorted(names) {
		t.Fatalf("Names() = %v, want sorted names", names)
	}
	for _, name := range names {
		if Get(name) == nil {
			t.Errorf("Get(%q) = nil", name)
		}
		if f := Function(name); f == name || strings.ContainsAny(f, ". ") {
			t.Errorf("Function(%q) = %q, want what stands before a dot", name, f)
		}
	}
	if got := Get("nothing.of-that-name"); got != nil {
		t.Errorf("Get(unknown) = %s, want nil", got)
	}
}

// Every sample fits the type that AWS's own library has for it, with no member
// that the type lacks: a misspelt member would otherwise go unseen.
func TestShapes(t *testing.T) {
	for _, name := range Names() {
		data := Get(name)
		var target any
		switch {
		case bytes.Contains(data, []byte(`"eventSource"`)):
			target = new(lambda.SQSEvent)
		case bytes.Contains(data, []byte(`"detail-type"`)):
			target = new(lambda.EventBridgeEvent)
		default:
			target = new(lambda.APIGatewayV2HTTPRequest)
		}
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		if err := d.Decode(target); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := d.Token(); err != io.EOF {
			t.Errorf("%s: more than one value", name)
		}
	}
}
