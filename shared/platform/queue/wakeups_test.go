package queue_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/platform/queue"
)

// noted is a queue that notes what it is sent.
type noted struct{ sent []queue.Message }

func (n *noted) Send(_ context.Context, body []byte, delay time.Duration) error {
	n.sent = append(n.sent, queue.Message{Body: body, Delay: delay})
	return nil
}

func (n *noted) SendMany(_ context.Context, list []queue.Message) error {
	n.sent = append(n.sent, list...)
	return nil
}

func TestWakeUps(t *testing.T) {
	t.Parallel()
	work, loads, sweeps := new(noted), new(noted), new(noted)
	q := queue.WakeUps{Work: work, Loads: loads, Sweeps: sweeps}
	ctx := t.Context()
	for _, err := range []error{
		q.Send(ctx, directory.WakeUp{ConnectionID: "con_a"}, 2*time.Second),
		q.SendAll(ctx, []directory.WakeUp{{ConnectionID: "con_a", JobID: "job_a"}, {ConnectionID: "con_b"}}),
		q.SendLoad(ctx, directory.WakeUp{JobID: "job_b"}, time.Minute),
		q.SendSweep(ctx, directory.WakeUp{ConnectionID: "con_a", Sweep: true}, time.Second),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	for _, c := range []struct {
		what string
		got  queue.Message
		body string
		late time.Duration
	}{
		{"Send", work.sent[0], `{"connectionId":"con_a"}`, 2 * time.Second},
		{"SendAll", work.sent[1], `{"connectionId":"con_a","jobId":"job_a"}`, 0},
		{"SendAll, the second", work.sent[2], `{"connectionId":"con_b"}`, 0},
		{"SendLoad", loads.sent[0], `{"jobId":"job_b"}`, time.Minute},
		{"SendSweep", sweeps.sent[0], `{"connectionId":"con_a","sweep":true}`, time.Second},
	} {
		if string(c.got.Body) != c.body || c.got.Delay != c.late {
			t.Errorf("%s sent %s after %v, want %s after %v", c.what, c.got.Body, c.got.Delay, c.body, c.late)
		}
	}
	if len(work.sent) != 3 || len(loads.sent) != 1 || len(sweeps.sent) != 1 {
		t.Errorf("%d wake-ups, %d of loads and %d sweeps, want 3, 1 and 1", len(work.sent), len(loads.sent), len(sweeps.sent))
	}
	var none queue.WakeUps
	for what, err := range map[string]error{
		"Send": none.Send(ctx, directory.WakeUp{ConnectionID: "con_a"}, 0), "SendAll": none.SendAll(ctx, nil),
		"SendLoad":  none.SendLoad(ctx, directory.WakeUp{JobID: "job_b"}, 0),
		"SendSweep": none.SendSweep(ctx, directory.WakeUp{ConnectionID: "con_a"}, 0),
	} {
		if !errors.Is(err, directory.ErrForbidden) {
			t.Errorf("%s without a queue: %v, want ErrForbidden", what, err)
		}
	}
}
