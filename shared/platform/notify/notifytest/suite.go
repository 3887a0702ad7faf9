// Package notifytest holds what every publisher of notices must do.
package notifytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/platform/notify"
)

// Driver is a publisher with its other end.
type Driver struct {
	notify.Publisher
	// Published returns what got through, in its order; nil where nobody can look.
	Published func() []Event
	// Break has all that follows fail; nil where nothing can.
	Break func()
}

// Event is a notice as it arrives.
type Event struct {
	Source string
	Type   string
	Detail []byte // JSON
}

// Notices are n of them, whose IDs count from 0.
func Notices(n int, text string) []directory.Notification {
	list := make([]directory.Notification, n)
	for i := range list {
		list[i] = directory.Notification{ID: fmt.Sprint(i), Type: directory.NotificationRunHeld, At: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC), ConnectionID: "con_1", Text: text}
	}
	return list
}

// Run runs the suite; open gives a publisher that has published nothing.
func Run(t *testing.T, open func(t *testing.T) Driver) {
	publish := func(t *testing.T, d Driver, list ...directory.Notification) []Event {
		t.Helper()
		if err := d.Publish(t.Context(), list...); err != nil {
			t.Fatalf("Publish = %v", err)
		}
		if d.Published == nil {
			t.Skip("nobody can look at what got through")
		}
		return d.Published()
	}
	t.Run("all get through, in their order, however many and large", func(t *testing.T) {
		for _, list := range [][]directory.Notification{nil, Notices(1, "held"), Notices(23, "held"), Notices(4, strings.Repeat("x", 100<<10))} {
			events := publish(t, open(t), list...)
			if len(events) != len(list) {
				t.Errorf("%d notices became %d events", len(list), len(events))
				continue
			}
			for i, e := range events {
				var got directory.Notification
				if err := json.Unmarshal(e.Detail, &got); err != nil || got.ID != list[i].ID || got.Text != list[i].Text || !got.At.Equal(list[i].At) {
					t.Errorf("event %d = %.200s, %v", i, e.Detail, err)
				}
				if e.Source != notify.Source || e.Type != "bindery.run.held" {
					t.Errorf("event %d is of %s, %s", i, e.Source, e.Type)
				}
			}
		}
	})
	t.Run("the same again keeps its ID", func(t *testing.T) {
		d := open(t)
		publish(t, d, Notices(1, "held")...)
		events := publish(t, d, Notices(1, "held")...)
		if len(events) != 2 || string(events[0].Detail) != string(events[1].Detail) {
			t.Errorf("published twice: %d events", len(events))
		}
	})
	t.Run("what is too long is cut", func(t *testing.T) {
		n := Notices(1, strings.Repeat("ü", 200<<10))[0]
		n.Facts = map[string]string{"x": strings.Repeat("y", 300<<10)}
		events := publish(t, open(t), n)
		var got directory.Notification
		if err := json.Unmarshal(events[0].Detail, &got); err != nil || got.ID != n.ID || got.Facts != nil || len(got.Text) > 2100 || !strings.HasSuffix(got.Text, "…") {
			t.Errorf("detail = %.100s… of %d bytes, %v", events[0].Detail, len(events[0].Detail), err)
		}
	})
	t.Run("what does not get through is told", func(t *testing.T) {
		d := open(t)
		if d.Break == nil {
			t.Skip("nothing can fail here")
		}
		d.Break()
		if err := d.Publish(t.Context(), Notices(2, "held")...); !errors.Is(err, notify.ErrNotPublished) || len(d.Published()) != 0 {
			t.Errorf("Publish = %v, %d got through", err, len(d.Published()))
		}
	})
	t.Run("many at once", func(t *testing.T) {
		d := open(t)
		if d.Published == nil {
			t.Skip("nobody can look at what got through")
		}
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				if err := d.Publish(t.Context(), Notices(3, "held")...); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if got := len(d.Published()); got != 24 {
			t.Errorf("%d events of 24", got)
		}
	})
}
