package queue_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"bindery/shared/platform/queue"
)

func TestEnvelope(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 2, 3, 4, 5, 600, time.UTC)
	for _, test := range []struct {
		name string
		e    queue.Envelope
		bare bool
	}{
		{"at once", queue.Envelope{Body: []byte(`{"connectionId":"a"}`)}, true},
		{"later", queue.Envelope{Body: []byte(`{"a":"<&>"}`), NotBefore: now.Add(time.Hour)}, false},
		{"an envelope itself", queue.Envelope{Body: []byte(`{"notBefore":"2030-01-01T00:00:00Z","body":1}`)}, false},
		{"an envelope with something besides", queue.Envelope{Body: []byte(`{"notBefore":"2030-01-01T00:00:00Z","body":1,"more":2}`)}, false},
		{"null", queue.Envelope{Body: []byte(`null`)}, true},
		{"like one", queue.Envelope{Body: []byte(`{"notBefore":null,"body":1}`)}, true},
	} {
		b, err := test.e.Encode()
		if err != nil {
			t.Errorf("%s: Encode = %v", test.name, err)
			continue
		}
		if bare := string(b) == string(test.e.Body); bare != test.bare {
			t.Errorf("%s: Encode = %s, want bare = %v", test.name, b, test.bare)
		}
		got, err := queue.Decode(b)
		if err != nil || string(got.Body) != string(test.e.Body) || !got.NotBefore.Equal(test.e.NotBefore) {
			t.Errorf("%s: Decode(Encode) = %+v, %v, want %+v", test.name, got, err, test.e)
		}
	}
	later := queue.Envelope{Body: []byte(`1`), NotBefore: now.Add(time.Hour)}
	if _, remaining := later.Due(now); remaining != time.Hour {
		t.Errorf("remaining = %v, want 1h", remaining)
	}
	if _, remaining := later.Due(now.Add(2 * time.Hour)); remaining != 0 {
		t.Errorf("remaining = %v, want 0", remaining)
	}
	big, _ := json.Marshal(string(make([]byte, queue.MaxBody)))
	for _, body := range []string{"", "{", "\"\xff\"", string(big)} {
		if _, err := (queue.Envelope{Body: []byte(body)}).Encode(); !errors.Is(err, queue.ErrInvalid) {
			t.Errorf("Encode of %.10q = %v, want ErrInvalid", body, err)
		}
	}
	if _, err := queue.Decode([]byte("{")); !errors.Is(err, queue.ErrInvalid) {
		t.Errorf("Decode of broken JSON = %v, want ErrInvalid", err)
	}
}
