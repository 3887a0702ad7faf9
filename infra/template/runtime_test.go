package template

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"bindery/infra/lambdas/runtime"
)

// answer is what a function said to one event, or why it did not.
type answer struct {
	kind string // "response", "error" or "exit"
	body string
}

// process is a function's binary as Lambda runs it, one event after the other.
type process struct {
	pool *runtime.Pool

	mu     sync.Mutex
	output strings.Builder // what it wrote: its log
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// start runs a binary with exactly this environment, from its first event until
// the test ends.
func start(t *testing.T, binary string, env []string) *process {
	t.Helper()
	p := &process{}
	f := runtime.Function{Name: "test", Binary: binary, Env: env, Timeout: 25 * time.Second}
	p.pool = runtime.NewPool(f, "arn:aws:lambda:eu-central-1:123456789012:function:test", runtime.Recycling{}, func(line []byte) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.output.Write(line)
		p.output.WriteByte('\n')
	})
	t.Cleanup(p.stop)
	return p
}

// stop ends the process; then its log is complete.
func (p *process) stop() { p.pool.Close() }

// invoke gives the process one event and returns its answer.
func (p *process) invoke(t *testing.T, event []byte) answer {
	t.Helper()
	got, err := p.pool.Invoke(runtime.Event{Payload: event})
	fault, failed := errors.AsType[*runtime.FunctionError](err)
	switch {
	case failed && fault.Type == "Runtime.ExitError":
		return answer{"exit", p.log()}
	case failed:
		return answer{"error", fault.Message}
	case err != nil:
		t.Fatal(err)
	}
	return answer{"response", string(got)}
}
