package template

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// lambdaRuntime is Lambda's runtime API for one process: it hands out events
// one after the other and takes the answers.
type lambdaRuntime struct {
	server  *httptest.Server
	events  chan []byte
	answers chan answer
}

// answer is what a function said to one event, or why it did not start.
type answer struct {
	kind string // "response", "error" or "init/error"
	body string
}

func newRuntime(t *testing.T) *lambdaRuntime {
	t.Helper()
	r := &lambdaRuntime{events: make(chan []byte), answers: make(chan answer, 1)}
	var n int
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, req *http.Request) {
		select {
		case e := <-r.events:
			n++
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(25*time.Second).UnixMilli()))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:test")
			w.Header().Set("Content-Type", "application/json")
			w.Write(e)
		case <-req.Context().Done():
		}
	})
	take := func(kind string) http.HandlerFunc {
		return func(w http.ResponseWriter, req *http.Request) {
			body, _ := io.ReadAll(req.Body)
			r.answers <- answer{kind, string(body)}
			w.WriteHeader(http.StatusAccepted)
		}
	}
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", take("response"))
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", take("error"))
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", take("init/error"))
	r.server = httptest.NewServer(mux)
	t.Cleanup(r.server.Close)
	return r
}

// process is a function's binary, running.
type process struct {
	runtime *lambdaRuntime
	cancel  context.CancelFunc
	ended   chan struct{}
	mu      sync.Mutex
	output  strings.Builder // what it wrote: its log
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.Write(b)
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// start runs a binary with exactly this environment until the test ends.
func start(t *testing.T, binary string, env []string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{runtime: newRuntime(t), cancel: cancel, ended: make(chan struct{})}
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = append(env, "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(p.runtime.server.URL, "http://"))
	cmd.Stdout, cmd.Stderr = p, p
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(p.stop)
	return p
}

// stop ends the process; then its log is complete.
func (p *process) stop() {
	p.cancel()
	<-p.ended
}

// invoke gives the process one event and returns its answer.
func (p *process) invoke(t *testing.T, event []byte) answer {
	t.Helper()
	timeout := time.After(30 * time.Second)
	select {
	case p.runtime.events <- event:
	case a := <-p.runtime.answers:
		return a
	case <-p.ended:
		return answer{"exit", p.log()}
	case <-timeout:
		t.Fatalf("the process asks for no event; it wrote:\n%s", p.log())
	}
	select {
	case a := <-p.runtime.answers:
		return a
	case <-p.ended:
		return answer{"exit", p.log()}
	case <-timeout:
		t.Fatalf("no answer within 30 s; the process wrote:\n%s", p.log())
	}
	return answer{}
}
