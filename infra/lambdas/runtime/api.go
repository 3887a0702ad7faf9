package runtime

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// invocation is an event on its way through a process.
type invocation struct {
	Event
	id       string
	arn      string
	deadline time.Time
	answer   chan outcome
}

// outcome is what came of an invocation.
type outcome struct {
	payload []byte
	err     *FunctionError
}

func newInvocation(f *Function, e Event, arn string) *invocation {
	return &invocation{Event: e, id: uuid.NewString(), arn: arn, deadline: time.Now().Add(f.Timeout), answer: make(chan outcome, 1)}
}

// api is the Runtime API of one process.
func (p *process) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", p.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", p.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", p.failure)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", func(w http.ResponseWriter, r *http.Request) {
		p.initError <- readError(r)
		accepted(w)
	})
	return mux
}

// next waits for an event. Until there is one, the process is idle.
func (p *process) next(w http.ResponseWriter, r *http.Request) {
	p.idle <- struct{}{}
	var i *invocation
	select {
	case i = <-p.work:
	case <-r.Context().Done():
		return
	}
	p.mu.Lock()
	p.current = i
	p.mu.Unlock()
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", i.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(i.deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", i.arn)
	h.Set("Lambda-Runtime-Trace-Id", i.Trace)
	_, _ = w.Write(i.Payload)
}

// of returns the invocation that a request is about, and says so when it is not
// the one under way.
func (p *process) of(w http.ResponseWriter, r *http.Request) *invocation {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := p.current; i != nil && i.id == r.PathValue("id") {
		p.current = nil
		return i
	}
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprint(w, `{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}`)
	return nil
}

func (p *process) response(w http.ResponseWriter, r *http.Request) {
	i := p.of(w, r)
	if i == nil {
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxPayload+1))
	if err != nil {
		i.answer <- outcome{err: &FunctionError{Type: "Runtime.TruncatedResponse", Message: err.Error()}}
		return
	}
	if len(body) > MaxPayload {
		_, _ = io.Copy(io.Discard, r.Body)
		i.answer <- outcome{err: &FunctionError{
			Type:    "Function.ResponseSizeTooLarge",
			Message: fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", MaxPayload),
		}}
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		fmt.Fprint(w, `{"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).","errorType":"RequestEntityTooLarge"}`)
		return
	}
	i.answer <- outcome{payload: body}
	accepted(w)
}

func (p *process) failure(w http.ResponseWriter, r *http.Request) {
	if i := p.of(w, r); i != nil {
		i.answer <- outcome{err: readError(r)}
		accepted(w)
	}
}

func readError(r *http.Request) *FunctionError {
	e := &FunctionError{}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, e)
	}
	if err != nil {
		e = &FunctionError{Type: "Runtime.Unknown", Message: err.Error()}
	}
	return e
}

func accepted(w http.ResponseWriter) {
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprint(w, `{"status":"OK"}`)
}
