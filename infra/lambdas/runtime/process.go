package runtime

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one execution environment.
type process struct {
	cmd       *exec.Cmd
	server    *http.Server
	idle      chan struct{}    // it asks for an event
	work      chan *invocation // it gets one
	initError chan *FunctionError
	dead      chan struct{}

	mu      sync.Mutex
	current *invocation
}

// start starts a function's binary with its environment and nothing more; log
// gets each line that it writes.
func start(f *Function, log func(line []byte)) (*process, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &process{idle: make(chan struct{}, 1), work: make(chan *invocation), initError: make(chan *FunctionError, 1), dead: make(chan struct{})}
	p.server = &http.Server{Handler: p.api()}
	go func() { _ = p.server.Serve(l) }() // ends with the process
	out := &lines{to: log}
	p.cmd = exec.Command(f.Binary)
	p.cmd.Env = append(append([]string{}, f.Env...), "AWS_LAMBDA_RUNTIME_API="+l.Addr().String())
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Dir = os.TempDir() // Lambda's is read-only; nothing is to be found here
	if err := p.cmd.Start(); err != nil {
		p.server.Close()
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // how it ended shows in dead and in the log
		out.flush()
		p.server.Close()
		close(p.dead)
	}()
	return p, nil
}

// ready waits until the process asks for its first event.
func (p *process) ready() *FunctionError {
	timer := time.NewTimer(initTime)
	defer timer.Stop()
	select {
	case <-p.idle:
		return nil
	case e := <-p.initError:
		p.kill()
		return e
	case <-p.dead:
		return &FunctionError{Type: "Runtime.ExitError", Message: "the process ended before its first event: " + p.cmd.ProcessState.String()}
	case <-timer.C:
		p.kill()
		return &FunctionError{Type: "Sandbox.Timedout", Message: fmt.Sprintf("the process asked for no event within %v", initTime)}
	}
}

func (p *process) freeze() { _ = p.cmd.Process.Signal(syscall.SIGSTOP) }
func (p *process) thaw()   { _ = p.cmd.Process.Signal(syscall.SIGCONT) }

// kill ends the process, frozen or not, and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.dead
}

// alive reports whether the process has not ended.
func (p *process) alive() bool {
	select {
	case <-p.dead:
		return false
	default:
		return true
	}
}

// peak is the most memory that the process has had, in MB; 0 where the system
// does not tell.
func (p *process) peak() int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")))
			return n >> 10
		}
	}
	return 0
}

// lines hands on what is written line by line, each without its end.
type lines struct {
	mu   sync.Mutex
	rest []byte
	to   func(line []byte)
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, b...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(b), nil
		}
		l.to(line)
		l.rest = rest
	}
}

func (l *lines) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rest) > 0 {
		l.to(l.rest)
		l.rest = nil
	}
}
