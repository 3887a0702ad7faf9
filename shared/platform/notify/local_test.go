package notify_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"bindery/shared/platform/notify"
	"bindery/shared/platform/notify/notifytest"
)

// lines is a writer that may break.
type lines struct {
	bytes.Buffer
	broken bool
}

func (l *lines) Write(p []byte) (int, error) {
	if l.broken {
		return 0, errors.New("the disk is full")
	}
	return l.Buffer.Write(p)
}

func TestLog(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T) notifytest.Driver {
		out := &lines{}
		return notifytest.Driver{
			Publisher: notify.NewLog(notify.LogConfig{Writer: out}),
			Published: func() (events []notifytest.Event) {
				for line := range bytes.Lines(out.Bytes()) {
					var e struct {
						Source     string          `json:"source"`
						DetailType string          `json:"detail-type"`
						Detail     json.RawMessage `json:"detail"`
					}
					if err := json.Unmarshal(line, &e); err != nil {
						t.Errorf("line %q: %v", line, err)
					}
					events = append(events, notifytest.Event{Source: e.Source, Type: e.DetailType, Detail: e.Detail})
				}
				return events
			},
			Break: func() { out.broken = true },
		}
	})
}

func TestLogRemembersTheLast(t *testing.T) {
	t.Parallel()
	l := notify.NewLog(notify.LogConfig{})
	for range 3 {
		if err := l.Publish(t.Context(), notifytest.Notices(400, "held")...); err != nil {
			t.Fatal(err)
		}
	}
	if last := l.Last(); len(last) != 1000 || last[0].ID != "200" || last[999].ID != "399" {
		t.Errorf("Last = %d notices, from %s to %s", len(last), last[0].ID, last[len(last)-1].ID)
	}
}
